// SPDX-License-Identifier: GPL-2.0
/*
 * Back traces of all CPUs, as RCU asks for when one stalls: of this one, and of one that spins with interrupts off, which a kernel reaches by NMI.
 *
 * expect: task of vCPU 0
 * expect: Call Trace
 */
#include "udf_test.h"

#include <linux/kthread.h>
#include <linux/sched/task.h>
#include <linux/smp.h>
#include <linux/sysrq.h>

static bool spins, over;

static int spin_thread(void *unused)
{
	local_irq_disable();
	WRITE_ONCE(spins, true);
	while (!READ_ONCE(over))
		cpu_relax();
	local_irq_enable();
	return 0;
}

static void all_cpus_are_shown(void)
{
	int mask = sysrq_mask();
	struct task_struct *t = NULL;
	unsigned int other;

	migrate_disable();
	other = cpumask_any_but(cpu_online_mask, smp_processor_id());
	if (other < nr_cpu_ids) {
		t = kthread_create_on_cpu(spin_thread, NULL, other, "udf_spin/%u");
		if (!udf_check(!IS_ERR(t)))
			goto out;
		get_task_struct(t);
		wake_up_process(t);
		udf_check(udf_eventually(READ_ONCE(spins)));
	}
	sysrq_toggle_support(1);
	handle_sysrq('l');
	sysrq_toggle_support(mask);
	WRITE_ONCE(over, true);
	if (t) {
		kthread_stop(t);
		put_task_struct(t);
	}
out:
	migrate_enable();
}

static const struct udf_test tests[] = {
	UDF_TEST(all_cpus_are_shown),
};

UDF_TEST_MODULE(tests, "UDF test: back traces");
