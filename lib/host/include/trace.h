/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel world tells a trace. Contract, both worlds. */
#ifndef UDF_HOST_TRACE_H
#define UDF_HOST_TRACE_H

/* Where the host world reads, while kernel code runs, which task that is: kapi_trace_layout, a constant of the kernel world. */
struct host_trace_layout {
	unsigned long current_task, preempt_count;	/* per-CPU offsets */
	unsigned long comm, pid;			/* in struct task_struct */
};

enum host_trace_event {
	HOST_TRACE_SWITCH,	/* A: the next task's pid, B: state that this one is left in, TEXT: the next one's name */
	HOST_TRACE_IRQ_ENTER,	/* A: interrupt number, B: the vectors bitmap's number, C: handler, TEXT: who asked for it */
	HOST_TRACE_IRQ_EXIT,	/* A: interrupt number, B: whether the handler took it for its own */
};

/* Bits of HOST_CMD_TRACE's argument: which of them are wanted. */
#define HOST_TRACE_SCHED 1
#define HOST_TRACE_IRQ 2

/* Something has happened, to the current task. TEXT may be NULL. Any context, locks held. Never blocks. */
void host_trace(unsigned int event, unsigned long a, unsigned long b, unsigned long c, const char *text);

#endif
