// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel threads: start, stop, park, bind, and preemption of one that never sleeps.
 *
 * run: full_preemption=1
 */
#include "udf_test.h"

#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/sched.h>

static bool full_preemption;
module_param(full_preemption, bool, 0444);
MODULE_PARM_DESC(full_preemption, "a thread that never yields must be preempted (a stock kernel may be voluntary)");

static atomic_t started;

static int wait_for_stop(void *result)
{
	atomic_inc(&started);
	set_current_state(TASK_INTERRUPTIBLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_INTERRUPTIBLE);
	}
	__set_current_state(TASK_RUNNING);
	return (long)result;
}

static void stop_returns_the_result(void)
{
	struct task_struct *t = kthread_run(wait_for_stop, (void *)42l, "udf_stop");

	udf_require(!IS_ERR(t));
	udf_check(udf_eventually(atomic_read(&started) == 1));
	udf_check(kthread_stop(t) == 42);
}

static void stopped_before_it_ran(void)
{
	struct task_struct *t = kthread_create(wait_for_stop, (void *)42l, "udf_unborn");

	udf_require(!IS_ERR(t));
	udf_check(kthread_stop(t) == -EINTR);
}

static int note_name(void *arg)
{
	strscpy(arg, current->comm, TASK_COMM_LEN);
	return wait_for_stop(NULL);
}

static void thread_has_its_name(void)
{
	static char name[TASK_COMM_LEN];
	struct task_struct *t = kthread_run(note_name, name, "udf_name/%d", 7);

	udf_require(!IS_ERR(t));
	udf_check(udf_eventually(name[0]));
	kthread_stop(t);
	udf_check(!strcmp(name, "udf_name/7"));
	udf_check(current != t);
}

static void many_come_and_go(void)
{
	int i, result;

	for (i = 0; i < 200; i++) {
		struct task_struct *t = kthread_run(wait_for_stop, (void *)(long)i, "udf_many/%d", i);

		udf_require(!IS_ERR(t));
		result = kthread_stop(t);
		udf_check(result == i || result == -EINTR);	/* the stop may come before its first turn */
	}
}

static atomic_t laps;

static int count_and_park(void *unused)
{
	while (!kthread_should_stop()) {
		if (kthread_should_park())
			kthread_parkme();
		atomic_inc(&laps);
		usleep_range(50, 100);
	}
	return 0;
}

static void parked_thread_stands_still(void)
{
	struct task_struct *t = kthread_run(count_and_park, NULL, "udf_park");
	int before;

	udf_require(!IS_ERR(t));
	udf_check(udf_eventually(atomic_read(&laps) > 3));
	udf_check(kthread_park(t) == 0);
	before = atomic_read(&laps);
	msleep(5);
	udf_check(atomic_read(&laps) == before);
	kthread_unpark(t);
	udf_check(udf_eventually(atomic_read(&laps) > before + 3));
	udf_check(kthread_stop(t) == 0);
}

static int note_cpus(void *arg)
{
	unsigned long *seen = arg;

	while (!kthread_should_stop()) {
		__set_bit(raw_smp_processor_id(), seen);
		usleep_range(50, 100);
	}
	return 0;
}

static void bound_thread_stays(void)
{
	int cpu;

	for_each_online_cpu(cpu) {
		DECLARE_BITMAP(seen, NR_CPUS) = { 0 };
		struct task_struct *t = kthread_create(note_cpus, seen, "udf_bound/%d", cpu);

		udf_require(!IS_ERR(t));
		kthread_bind(t, cpu);
		wake_up_process(t);
		udf_check(udf_eventually(test_bit(cpu, seen)));
		msleep(5);
		kthread_stop(t);
		udf_check(bitmap_weight(seen, NR_CPUS) == 1);
	}
}

static void thread_can_be_moved(void)
{
	DECLARE_BITMAP(seen, NR_CPUS) = { 0 };
	struct task_struct *t;
	int cpu;

	t = kthread_run(note_cpus, seen, "udf_move");
	udf_require(!IS_ERR(t));
	for_each_online_cpu(cpu) {
		udf_check(set_cpus_allowed_ptr(t, cpumask_of(cpu)) == 0);
		udf_check(udf_eventually(test_bit(cpu, seen)));
	}
	kthread_stop(t);
}

static bool release_hog, voluntary;
static DECLARE_COMPLETION(hog_runs);
static DECLARE_COMPLETION(hog_ends);
static DECLARE_COMPLETION(teller_ends);

/* Takes the CPU until it is told to leave it, for at most five seconds. */
static int hog(void *unused)
{
	ktime_t start = ktime_get();

	complete(&hog_runs);
	while (!READ_ONCE(release_hog) && ktime_ms_delta(ktime_get(), start) < 5000) {
		cpu_relax();
		if (voluntary)
			cond_resched();
	}
	kthread_complete_and_exit(&hog_ends, 0);
}

static int tell_hog(void *unused)
{
	WRITE_ONCE(release_hog, true);
	kthread_complete_and_exit(&teller_ends, 0);
}

/* The thread that tells the hog to end is bound to the hog's CPU: it must get its turn there. */
static void check_preemption(bool may_yield)
{
	struct task_struct *h = kthread_create(hog, NULL, "udf_hog");
	struct task_struct *t = kthread_create(tell_hog, NULL, "udf_tell");
	int cpu = cpumask_last(cpu_online_mask);
	ktime_t start;

	udf_require(!IS_ERR(h));
	udf_require(!IS_ERR(t));
	voluntary = may_yield;
	release_hog = false;
	reinit_completion(&hog_runs);
	reinit_completion(&hog_ends);
	reinit_completion(&teller_ends);
	kthread_bind(h, cpu);
	kthread_bind(t, cpu);
	start = ktime_get();
	wake_up_process(h);
	udf_check(wait_for_completion_timeout(&hog_runs, UDF_PATIENCE));
	wake_up_process(t);
	udf_check(wait_for_completion_timeout(&hog_ends, UDF_PATIENCE));
	udf_check(ktime_ms_delta(ktime_get(), start) < 5000);
	udf_check(wait_for_completion_timeout(&teller_ends, UDF_PATIENCE));
}

static void hog_that_reschedules_shares(void)
{
	check_preemption(true);
}

static void hog_is_preempted(void)
{
	if (!full_preemption) {
		udf_skip("needs full_preemption=1");
		return;
	}
	check_preemption(false);
}

static atomic_t worked;

static void do_work(struct kthread_work *work)
{
	atomic_inc(&worked);
}

static void kthread_worker_works(void)
{
	struct kthread_worker *worker = kthread_create_worker(0, "udf_worker");
	struct kthread_work work;
	int i;

	udf_require(!IS_ERR(worker));
	kthread_init_work(&work, do_work);
	for (i = 0; i < 10; i++) {
		udf_check(kthread_queue_work(worker, &work));
		kthread_flush_work(&work);
	}
	udf_check(atomic_read(&worked) == 10);
	kthread_destroy_worker(worker);
}

static const struct udf_test tests[] = {
	UDF_TEST(stop_returns_the_result),
	UDF_TEST(stopped_before_it_ran),
	UDF_TEST(thread_has_its_name),
	UDF_TEST(many_come_and_go),
	UDF_TEST(parked_thread_stands_still),
	UDF_TEST(bound_thread_stays),
	UDF_TEST(thread_can_be_moved),
	UDF_TEST(hog_that_reschedules_shares),
	UDF_TEST(hog_is_preempted),
	UDF_TEST(kthread_worker_works),
};

UDF_TEST_MODULE(tests, "UDF test: kernel threads");
