// SPDX-License-Identifier: GPL-2.0
/*
 * A driver that hangs: the last vCPU spins for ever, or a task sleeps for ever. Without a parameter the module does nothing, since a
 * stock kernel would be lost as well. What is hung stays so: the module cannot be unloaded. tests/cases/heartbeat.c loads it.
 */
#include "udf_test.h"

#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/workqueue.h>

static char *hang = "";
module_param(hang, charp, 0444);
MODULE_PARM_DESC(hang, "preempt or irqs (a thread spins with them off), work (a work item spins), sleep, init (the start does not end)");

static DECLARE_COMPLETION(never);

static void spin_for_ever(void)
{
	for (;;)
		cpu_relax();
}

static void spin_work(struct work_struct *work)
{
	pr_info("udf_hang: hangs\n");
	spin_for_ever();
}

static DECLARE_WORK(work, spin_work);

static int hang_thread(void *unused)
{
	pr_info("udf_hang: hangs\n");
	if (!strcmp(hang, "irqs"))
		local_irq_disable();
	else if (!strcmp(hang, "preempt"))
		preempt_disable();
	else
		wait_for_completion(&never);
	spin_for_ever();
	return 0;
}

static int hang_on_request(unsigned int cpu)
{
	struct task_struct *t;

	__module_get(THIS_MODULE);
	if (!strcmp(hang, "work")) {
		schedule_work_on(cpu, &work);
		return 0;
	}
	t = kthread_create_on_cpu(hang_thread, NULL, cpu, "udf_hang/%u");
	if (IS_ERR(t))
		return PTR_ERR(t);
	wake_up_process(t);
	return 0;
}

static int __init hang_init(void)
{
	if (!strcmp(hang, "init"))
		wait_for_completion(&never);
	if (hang[0])
		return hang_on_request(num_online_cpus() - 1);
	pr_info("udf_test: %s: PASS\n", KBUILD_MODNAME);
	return 0;
}

static void __exit hang_exit(void)
{
}

module_init(hang_init);
module_exit(hang_exit);
MODULE_DESCRIPTION("UDF test: hangs");
MODULE_LICENSE("GPL");
