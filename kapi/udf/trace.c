// SPDX-License-Identifier: GPL-2.0
/*
 * Events of the image's own tracepoints for `udf run --trace`: probes are registered when they are asked for, so that nothing of this
 * runs otherwise. Kernel world.
 */
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/sched.h>
#include <trace/events/irq.h>
#include <trace/events/sched.h>

#include "kapi.h"

DECLARE_PER_CPU(struct task_struct *, current_task);

extern const struct host_trace_layout kapi_trace_layout;
const struct host_trace_layout kapi_trace_layout = {
	.current_task = (unsigned long)&current_task,
	.preempt_count = (unsigned long)&__preempt_count,
	.comm = offsetof(struct task_struct, comm),
	.pid = offsetof(struct task_struct, pid),
};

static void kapi_trace_switch(void *data, bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state)
{
	/* one that is preempted could go on */
	host_trace(HOST_TRACE_SWITCH, next->pid, preempt ? 0 : prev_state, 0, next->comm);
}

/* The number in the vectors bitmap that IRQ comes by. */
static unsigned long kapi_trace_vector(int irq)
{
	struct irq_data *d = irq_get_irq_data(irq);

	while (d && d->parent_data)
		d = d->parent_data;
	return d && d->domain == kapi_vector_domain ? d->hwirq : HOST_IRQ_INTX;
}

static void kapi_trace_irq_enter(void *data, int irq, struct irqaction *action)
{
	host_trace(HOST_TRACE_IRQ_ENTER, irq, kapi_trace_vector(irq), (unsigned long)action->handler, action->name);
}

static void kapi_trace_irq_exit(void *data, int irq, struct irqaction *action, int ret)
{
	host_trace(HOST_TRACE_IRQ_EXIT, irq, ret, 0, action->name);
}

static unsigned long kapi_traced;

/* Make it WHAT (HOST_TRACE_SCHED, HOST_TRACE_IRQ) that is traced. */
int kapi_trace(unsigned long what)
{
	unsigned long on = what & ~kapi_traced, off = kapi_traced & ~what;
	int err = 0;

	if (on & HOST_TRACE_SCHED)
		err = register_trace_sched_switch(kapi_trace_switch, NULL);
	if (!err && on & HOST_TRACE_IRQ)
		err = register_trace_irq_handler_entry(kapi_trace_irq_enter, NULL);
	if (!err && on & HOST_TRACE_IRQ)
		err = register_trace_irq_handler_exit(kapi_trace_irq_exit, NULL);
	if (off & HOST_TRACE_SCHED)
		unregister_trace_sched_switch(kapi_trace_switch, NULL);
	if (off & HOST_TRACE_IRQ) {
		unregister_trace_irq_handler_entry(kapi_trace_irq_enter, NULL);
		unregister_trace_irq_handler_exit(kapi_trace_irq_exit, NULL);
	}
	kapi_traced = what;
	return err;
}
