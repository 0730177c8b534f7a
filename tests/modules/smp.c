// SPDX-License-Identifier: GPL-2.0
/* More than one CPU: calls across, calls everywhere, stop_machine. With one CPU the same calls must do the obvious. */
#include "udf_test.h"

#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/smp.h>
#include <linux/stop_machine.h>
#include <linux/topology.h>

static DEFINE_PER_CPU(int, visits);

static void visit(void *expected_cpu)
{
	this_cpu_inc(visits);
	udf_check(irqs_disabled());
	if (expected_cpu)
		udf_check(smp_processor_id() == (long)expected_cpu - 1);
}

static void reset_visits(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		per_cpu(visits, cpu) = 0;
}

/* Who maps queues or tasks to CPUs relies on it. */
static void a_cpu_is_its_own_neighbour(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		udf_check(cpumask_test_cpu(cpu, topology_sibling_cpumask(cpu)));
		udf_check(cpumask_test_cpu(cpu, topology_core_cpumask(cpu)));
	}
}

static void call_reaches_the_cpu(void)
{
	int cpu, i;

	reset_visits();
	for_each_online_cpu(cpu)
		for (i = 0; i < 200; i++)
			udf_check(smp_call_function_single(cpu, visit, (void *)(long)(cpu + 1), 1) == 0);
	for_each_online_cpu(cpu)
		udf_check(per_cpu(visits, cpu) == 200);
	udf_check(smp_call_function_single(nr_cpu_ids, visit, NULL, 1) == -ENXIO);
}

static void call_does_not_wait_unless_told(void)
{
	int cpu;

	reset_visits();
	for_each_online_cpu(cpu)
		udf_check(smp_call_function_single(cpu, visit, NULL, 0) == 0);
	for_each_online_cpu(cpu)
		udf_check(udf_eventually(per_cpu(visits, cpu) == 1));
}

static void call_everywhere(void)
{
	int cpu, i;

	reset_visits();
	for (i = 0; i < 200; i++)
		on_each_cpu(visit, NULL, 1);
	for_each_online_cpu(cpu)
		udf_check(per_cpu(visits, cpu) == 200);
	reset_visits();
	on_each_cpu_mask(cpumask_of(cpumask_first(cpu_online_mask)), visit, NULL, true);
	for_each_online_cpu(cpu)
		udf_check(per_cpu(visits, cpu) == (cpu == cpumask_first(cpu_online_mask)));
	preempt_disable();
	smp_call_function(visit, NULL, 1);	/* all but this one */
	preempt_enable();
}

static int call_others(void *arg)
{
	int i;

	for (i = 0; i < 300; i++)
		on_each_cpu(visit, NULL, 1);
	kthread_complete_and_exit(arg, 0);
}

/* Callers on all CPUs call all CPUs. */
static void calls_cross(void)
{
	static DECLARE_COMPLETION(done);
	int cpu, n = num_online_cpus();

	reset_visits();
	for_each_online_cpu(cpu) {
		struct task_struct *t = kthread_create(call_others, &done, "udf_call/%d", cpu);

		udf_require(!IS_ERR(t));
		kthread_bind(t, cpu);
		wake_up_process(t);
	}
	for_each_online_cpu(cpu)
		udf_check(wait_for_completion_timeout(&done, UDF_PATIENCE));
	for_each_online_cpu(cpu)
		udf_check(per_cpu(visits, cpu) == 300 * n);
}

static atomic_t moving, stopped_while_moving;

static int keep_moving(void *unused)
{
	while (!kthread_should_stop()) {
		int i;

		preempt_disable();
		for (i = 0; i < 100; i++) {
			atomic_inc(&moving);
			atomic_dec(&moving);
		}
		preempt_enable();
		cond_resched();
	}
	return 0;
}

static int look_while_stopped(void *unused)
{
	int before = atomic_read(&moving);

	udelay(50);
	if (before != 0 || atomic_read(&moving) != before)
		atomic_inc(&stopped_while_moving);
	return 123;
}

static void stop_machine_stops(void)
{
	struct task_struct *t = kthread_run(keep_moving, NULL, "udf_move");
	int i;

	udf_require(!IS_ERR(t));
	for (i = 0; i < 20; i++)
		udf_check(stop_machine(look_while_stopped, NULL, cpu_online_mask) == 123);
	kthread_stop(t);
	/* the thread moves with preemption off, so it cannot be stopped half-way */
	udf_check(atomic_read(&stopped_while_moving) == 0);
}

static void cpu_ids_are_sane(void)
{
	int cpu = get_cpu();

	udf_check(cpu_online(cpu) && cpu < nr_cpu_ids);
	udf_check(task_cpu(current) == cpu);
	put_cpu();
	udf_check(num_online_cpus() >= 1 && num_online_cpus() <= num_possible_cpus());
	if (num_online_cpus() < 2)
		udf_skip("one CPU: nothing crossed");
}

static const struct udf_test tests[] = {
	UDF_TEST(cpu_ids_are_sane),
	UDF_TEST(a_cpu_is_its_own_neighbour),
	UDF_TEST(call_reaches_the_cpu),
	UDF_TEST(call_does_not_wait_unless_told),
	UDF_TEST(call_everywhere),
	UDF_TEST(calls_cross),
	UDF_TEST(stop_machine_stops),
};

UDF_TEST_MODULE(tests, "UDF test: several CPUs");
