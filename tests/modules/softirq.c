// SPDX-License-Identifier: GPL-2.0
/* Softirqs as drivers see them: tasklets, and what local_bh_disable() keeps out. */
#include "udf_test.h"

#include <linux/completion.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/timer.h>

struct counted {
	struct tasklet_struct tasklet;
	atomic_t runs, inside, overlaps, in_softirq;
	int again;
};

static void count_run(struct tasklet_struct *t)
{
	struct counted *c = from_tasklet(c, t, tasklet);

	if (atomic_inc_return(&c->inside) != 1)
		atomic_inc(&c->overlaps);
	if (in_serving_softirq() && !in_hardirq())
		atomic_inc(&c->in_softirq);
	udelay(2);
	atomic_dec(&c->inside);
	atomic_inc(&c->runs);
	if (c->again && --c->again)
		tasklet_schedule(t);
}

static void tasklet_runs_once_for_each_schedule(void)
{
	static struct counted c;
	int i;

	tasklet_setup(&c.tasklet, count_run);
	for (i = 1; i <= 50; i++) {
		tasklet_schedule(&c.tasklet);
		udf_check(udf_eventually(atomic_read(&c.runs) == i));
	}
	for (i = 51; i <= 60; i++) {
		tasklet_hi_schedule(&c.tasklet);
		udf_check(udf_eventually(atomic_read(&c.runs) == i));
	}
	udf_check(atomic_read(&c.in_softirq) == 60);
	tasklet_kill(&c.tasklet);
}

static void scheduled_twice_runs_once(void)
{
	static struct counted c;

	tasklet_setup(&c.tasklet, count_run);
	local_bh_disable();
	tasklet_schedule(&c.tasklet);
	tasklet_schedule(&c.tasklet);
	udf_check(atomic_read(&c.runs) == 0);
	local_bh_enable();
	tasklet_kill(&c.tasklet);
	udf_check(atomic_read(&c.runs) == 1);
}

/* Reschedules itself far beyond what one softirq round does: ksoftirqd takes over. */
static void tasklet_reschedules_itself(void)
{
	static struct counted c;

	tasklet_setup(&c.tasklet, count_run);
	c.again = 1000;
	tasklet_schedule(&c.tasklet);
	udf_check(udf_eventually(atomic_read(&c.runs) == 1000));
	tasklet_kill(&c.tasklet);
	udf_check(atomic_read(&c.overlaps) == 0);
}

static void disabled_tasklet_waits(void)
{
	static struct counted c;

	tasklet_setup(&c.tasklet, count_run);
	tasklet_disable(&c.tasklet);
	tasklet_schedule(&c.tasklet);
	msleep(2);
	udf_check(atomic_read(&c.runs) == 0);
	tasklet_enable(&c.tasklet);
	udf_check(udf_eventually(atomic_read(&c.runs) == 1));
	tasklet_kill(&c.tasklet);
}

static int schedule_tasklet(void *arg)
{
	struct counted *c = arg;
	int i;

	for (i = 0; i < 2000; i++) {
		tasklet_schedule(&c->tasklet);
		if (i % 32 == 0)
			usleep_range(20, 40);
	}
	while (!kthread_should_stop())
		usleep_range(50, 100);
	return 0;
}

/* Scheduled from all CPUs, a tasklet still never runs on two of them at once. */
static void tasklet_never_overlaps_itself(void)
{
	static struct counted c;
	struct task_struct *t[2];
	int i;

	tasklet_setup(&c.tasklet, count_run);
	for (i = 0; i < 2; i++)
		t[i] = kthread_run(schedule_tasklet, &c, "udf_tasklet/%d", i);
	udf_check(udf_eventually(atomic_read(&c.runs) > 50));
	for (i = 0; i < 2; i++)
		if (udf_check(!IS_ERR(t[i])))
			kthread_stop(t[i]);
	tasklet_kill(&c.tasklet);
	udf_check(atomic_read(&c.overlaps) == 0);
}

struct noting_timer {
	struct timer_list timer;
	atomic_t fired;
};

static void note_timer(struct timer_list *t)
{
	struct noting_timer *n = from_timer(n, t, timer);

	atomic_set(&n->fired, 1);
}

/* With bottom halves off, time goes on but the timer's softirq does not run here. */
static void bh_disabled_keeps_softirqs_out(void)
{
	static struct noting_timer n;
	unsigned long end;
	ktime_t start = ktime_get();

	timer_setup(&n.timer, note_timer, TIMER_PINNED);
	local_bh_disable();
	mod_timer(&n.timer, jiffies + 1);
	end = jiffies + 4;
	while (time_before(jiffies, end) && ktime_ms_delta(ktime_get(), start) < 10000)
		cpu_relax();
	udf_check(time_after_eq(jiffies, end));
	udf_check(atomic_read(&n.fired) == 0);
	local_bh_enable();
	udf_check(udf_eventually(atomic_read(&n.fired)));
	del_timer_sync(&n.timer);
}

static const struct udf_test tests[] = {
	UDF_TEST(tasklet_runs_once_for_each_schedule),
	UDF_TEST(scheduled_twice_runs_once),
	UDF_TEST(tasklet_reschedules_itself),
	UDF_TEST(disabled_tasklet_waits),
	UDF_TEST(tasklet_never_overlaps_itself),
	UDF_TEST(bh_disabled_keeps_softirqs_out),
};

UDF_TEST_MODULE(tests, "UDF test: softirqs and tasklets");
