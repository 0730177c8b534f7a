// SPDX-License-Identifier: GPL-2.0
/*
 * Tasks without user state: replaces arch/x86/kernel/process.c: arch_cpu_idle(), arch_cpu_idle_enter(), kernel/fork.c: exit_mm_release() and
 * arch/x86/kernel/fpu/core.c: kernel_fpu_begin_mask(), kernel_fpu_end(). Kernel world.
 */
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <asm/fpu/api.h>

#include "kapi.h"

#define RCU_TURNS 8	/* of an idle vCPU, in one tick: a grace period takes four if there is no other vCPU */

/*
 * Before a vCPU is idle: callbacks that wait for a grace period are looked after now. RCU leaves that to the next ticks, three of them, and who
 * freezes a queue, as for a change of its limits or its scheduler, waits as long. Interrupts are off.
 */
void arch_cpu_idle_enter(void)
{
	static struct {
		unsigned long tick;
		unsigned int turns;
	} vcpu[HOST_CPUS_MAX], *v;

	if (!rcu_needs_cpu())
		return;
	v = &vcpu[smp_processor_id()];
	if (v->tick != jiffies) {
		v->tick = jiffies;
		v->turns = 0;
	}
	if (++v->turns > RCU_TURNS)
		return;
	raise_softirq_irqoff(RCU_SOFTIRQ);
	do_softirq();
}

/* Nothing to run: the host waits for an interrupt. Entered with interrupts off, left with them on. */
void arch_cpu_idle(void)
{
	if (!need_resched())
		host_cpu_idle();
	local_irq_enable();
}

/* The image's would load %fs and %gs selectors. A kernel thread's creator may be waiting. */
void exit_mm_release(struct task_struct *task, struct mm_struct *mm)
{
	struct completion *done;

	task_lock(task);
	done = task->vfork_done;
	task->vfork_done = NULL;
	if (done)
		complete(done);
	task_unlock(task);
}

/*
 * Vector registers between begin and end: no user task's state is in them, and host code saves its own (it is never
 * interrupted in the middle). A signal's frame preserves them. Preemption stays off, as the image's does.
 */
void kernel_fpu_begin_mask(unsigned int mask)
{
	preempt_disable();
	if (mask & KFPU_MXCSR) {
		u32 mxcsr = 0x1f80;

		asm volatile("ldmxcsr %0" : : "m"(mxcsr));
	}
}

void kernel_fpu_end(void)
{
	preempt_enable();
}

bool irq_fpu_usable(void)
{
	return !in_hardirq();
}
