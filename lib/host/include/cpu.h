/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vCPUs: threads that the kernel code sees as CPUs. Contract, both worlds.
 *
 * Each vCPU's %gs base points at its kernel per-CPU area, whose first 40 bytes the kernel leaves free on
 * x86-64 (struct fixed_percpu_data, before the stack canary). They are struct host_vcpu:
 *
 *   %gs:0   irq_flag     X86_EFLAGS_IF while the kernel code has interrupts enabled, else 0
 *   %gs:8   pending      HOST_PEND_* bits, set by anyone, taken by the vCPU when it delivers
 *   %gs:16  host         the host world's own record of this vCPU
 *   %gs:24  host_stack   top of the host stack, 16-byte aligned: bridges switch to it
 *   %gs:32  vectors      address of this vCPU's HOST_VECTORS-bit map of pending device interrupts
 */
#ifndef UDF_HOST_CPU_H
#define UDF_HOST_CPU_H

#define HOST_CPUS_MAX	8		/* vCPUs in one driver process */
#define HOST_VECTORS	2048		/* device interrupts: an MSI-X table has at most so many */

#define HOST_VCPU_IRQ_FLAG	0
#define HOST_VCPU_PENDING	8
#define HOST_VCPU_HOST		16
#define HOST_VCPU_HOST_STACK	24
#define HOST_VCPU_VECTORS	32

#define HOST_PEND_TIMER		(1ul << 0)	/* the deadline of host_timer_set() has come */
#define HOST_PEND_RESCHED	(1ul << 1)	/* smp_send_reschedule() */
#define HOST_PEND_CALL		(1ul << 2)	/* a function call of smp.c */
#define HOST_PEND_IRQ_WORK	(1ul << 3)	/* arch_irq_work_raise() */
#define HOST_PEND_DEVICE	(1ul << 4)	/* look at the vectors bitmap */
#define HOST_PEND_CONTROL	(1ul << 5)	/* host_control_next() has a command */
#define HOST_PEND_FRONT		(1ul << 6)	/* a front end's ring has entries */
#define HOST_PEND_DETOUR	(1ul << 7)	/* host_detour_next() has code to change */
#define HOST_PEND_TASKS		(1ul << 8)	/* log the tasks that sleep uninterruptibly: the process is about to be killed */

#ifndef __ASSEMBLER__

/* Registers of interrupted kernel code, in the order of the kernel's struct pt_regs on x86-64. */
struct host_frame {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};

#define HOST_TRAP_DIVIDE	0
#define HOST_TRAP_BREAKPOINT	3
#define HOST_TRAP_INVALID_OP	6
#define HOST_TRAP_PROTECTION	13
#define HOST_TRAP_PAGE_FAULT	14

struct host_vcpu {
	unsigned long irq_flag;
	unsigned long pending;
	void *host;
	unsigned long host_stack;
	unsigned long *vectors;
};

/*
 * Start the thread of vCPU CPU (1 ...). PERCPU is its per-CPU area; the thread sets %gs to it, switches to
 * the kernel stack whose top is STACK, and calls ENTRY(CPU), which does not return.
 * Returns 0 or a negative errno.
 */
int host_cpu_start(unsigned int cpu, unsigned long percpu, unsigned long stack, void (*entry)(unsigned int cpu));

/*
 * The per-CPU area of the calling vCPU moves to PERCPU (boot: from the image's template to the real one). Copies
 * struct host_vcpu there and sets the %gs base.
 */
void host_cpu_area(unsigned long percpu);

/* What the kernel world registers at start: functions that the host world calls on a vCPU, and only where noted. */
struct host_entry {
	/*
	 * Deliver what is pending. Called with interrupts enabled in the kernel code at IP, from a signal handler that
	 * interrupted it; FRAME is that code's struct host_frame. May switch tasks: it can return on another vCPU's thread.
	 */
	void (*deliver)(struct host_frame *frame);
	/*
	 * The kernel code took a processor exception (HOST_TRAP_*) at FRAME; ADDR is the address for page faults. Returns
	 * 1 when FRAME was changed so that the code can go on, 0 when it cannot.
	 */
	int (*trap)(unsigned int trap, unsigned long error, unsigned long addr, struct host_frame *frame);
	/* Log why the process ends, with a trace from FRAME (NULL: from here). */
	void (*oops)(const char *why, struct host_frame *frame);
};
void host_entry(const struct host_entry *entry);

/* Set BITS of vCPU CPU's pending word and make it take notice: wakes it if idle, signals it if busy. Never blocks. */
void host_cpu_pend(unsigned int cpu, unsigned long bits);

/*
 * Nothing to do: return as soon as the pending word of the calling vCPU is not 0. Spins for a short adaptive
 * time first, then sleeps. Called with the virtual interrupt flag off.
 */
void host_cpu_idle(void);

/* Let another thread of the machine run: for a spinlock whose holder's thread may have been preempted. */
void host_cpu_yield(void);

/* How many vCPUs this driver process has, 1 ... HOST_CPUS_MAX. */
unsigned int host_cpu_count(void);

/* Fill WORDS (each 32 bits) of x86_capability with what user-space code may use. Returns the number of words filled. */
unsigned int host_cpu_cap(unsigned int *words, unsigned int n);

#endif
#endif
