// SPDX-License-Identifier: GPL-2.0
/* Workqueues: concurrency, flushing, delays, cancelling, order. */
#include "udf_test.h"

#include <linux/completion.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

struct item {
	struct work_struct work;
	struct completion started, proceed;
	int cpu, order;
	bool done;
};

static void init_item(struct item *item, work_func_t fn)
{
	memset(item, 0, sizeof(*item));
	INIT_WORK(&item->work, fn);
	init_completion(&item->started);
	init_completion(&item->proceed);
}

static void sleep_then_finish(struct work_struct *work)
{
	struct item *item = container_of(work, struct item, work);

	item->cpu = raw_smp_processor_id();
	complete(&item->started);
	msleep(20);
	WRITE_ONCE(item->done, true);
}

static void flush_waits(void)
{
	static struct item item;

	init_item(&item, sleep_then_finish);
	udf_check(queue_work(system_wq, &item.work));
	udf_check(wait_for_completion_timeout(&item.started, UDF_PATIENCE));
	flush_work(&item.work);		/* whether it had to wait depends on who ran first */
	udf_check(READ_ONCE(item.done));
	udf_check(!flush_work(&item.work));
}

static void runs_where_queued(void)
{
	static struct item item;
	int cpu;

	for_each_online_cpu(cpu) {
		init_item(&item, sleep_then_finish);
		udf_check(queue_work_on(cpu, system_wq, &item.work));
		flush_work(&item.work);
		udf_check(item.done && item.cpu == cpu);
	}
}

static void wait_for_other(struct work_struct *work)
{
	struct item *item = container_of(work, struct item, work);

	complete(&item->started);
	item->done = wait_for_completion_timeout(&item->proceed, UDF_PATIENCE) > 0;
}

/* All items wait inside their functions at one time: each needs a worker of its own. */
static void check_concurrency(struct workqueue_struct *wq)
{
	static struct item item[8];
	int i;

	udf_require(wq);
	for (i = 0; i < ARRAY_SIZE(item); i++) {
		init_item(&item[i], wait_for_other);
		queue_work(wq, &item[i].work);
	}
	for (i = 0; i < ARRAY_SIZE(item); i++)
		udf_check(wait_for_completion_timeout(&item[i].started, UDF_PATIENCE));
	for (i = 0; i < ARRAY_SIZE(item); i++)
		complete(&item[i].proceed);
	flush_workqueue(wq);
	for (i = 0; i < ARRAY_SIZE(item); i++)
		udf_check(item[i].done);
}

static void bound_items_run_concurrently(void)
{
	struct workqueue_struct *wq = alloc_workqueue("udf_bound", 0, 0);

	check_concurrency(wq);
	if (wq)
		destroy_workqueue(wq);
}

static void unbound_items_run_concurrently(void)
{
	struct workqueue_struct *wq = alloc_workqueue("udf_unbound", WQ_UNBOUND, 0);

	check_concurrency(wq);
	if (wq)
		destroy_workqueue(wq);
}

/* If workers are slow in coming its rescuer takes all that is queued, and performs it one after the other: none may wait for another. */
static void rescued_queue_runs(void)
{
	struct workqueue_struct *wq = alloc_workqueue("udf_rescue", WQ_MEM_RECLAIM | WQ_HIGHPRI, 0);
	static struct item item[8];
	int i;

	udf_require(wq);
	for (i = 0; i < ARRAY_SIZE(item); i++) {
		init_item(&item[i], sleep_then_finish);
		queue_work(wq, &item[i].work);
	}
	flush_workqueue(wq);
	for (i = 0; i < ARRAY_SIZE(item); i++)
		udf_check(item[i].done);
	destroy_workqueue(wq);
}

static atomic_t running, overlaps, next_order;

static void note_order(struct work_struct *work)
{
	struct item *item = container_of(work, struct item, work);

	if (atomic_inc_return(&running) != 1)
		atomic_inc(&overlaps);
	item->order = atomic_inc_return(&next_order);
	usleep_range(100, 200);
	atomic_dec(&running);
}

static void ordered_items_run_in_turn(void)
{
	struct workqueue_struct *wq = alloc_ordered_workqueue("udf_ordered", 0);
	static struct item item[20];
	int i;

	udf_require(wq);
	atomic_set(&overlaps, 0);
	atomic_set(&next_order, 0);
	for (i = 0; i < ARRAY_SIZE(item); i++) {
		init_item(&item[i], note_order);
		queue_work(wq, &item[i].work);
	}
	destroy_workqueue(wq);		/* drains it */
	for (i = 0; i < ARRAY_SIZE(item); i++)
		udf_check(item[i].order == i + 1);
	udf_check(atomic_read(&overlaps) == 0);
}

struct delayed {
	struct delayed_work work;
	struct completion ran;
	unsigned long when;		/* jiffies, in which its delay is promised */
	int runs;
};

static void note_run(struct work_struct *work)
{
	struct delayed *d = container_of(work, struct delayed, work.work);

	d->when = jiffies;
	d->runs++;
	complete(&d->ran);
}

static void delayed_work_is_delayed(void)
{
	static struct delayed d;
	unsigned long start;

	INIT_DELAYED_WORK(&d.work, note_run);
	init_completion(&d.ran);
	d.runs = 0;
	start = jiffies;
	udf_check(schedule_delayed_work(&d.work, 6));
	udf_check(!schedule_delayed_work(&d.work, 6));
	udf_check(wait_for_completion_timeout(&d.ran, UDF_PATIENCE));
	flush_delayed_work(&d.work);
	udf_check(d.runs == 1);
	udf_check(d.when - start >= 6);
}

static void delayed_work_is_moved_and_flushed(void)
{
	static struct delayed d;

	INIT_DELAYED_WORK(&d.work, note_run);
	init_completion(&d.ran);
	d.runs = 0;
	schedule_delayed_work(&d.work, 3600 * HZ);
	udf_check(mod_delayed_work(system_wq, &d.work, 2));
	udf_check(wait_for_completion_timeout(&d.ran, UDF_PATIENCE));
	schedule_delayed_work(&d.work, 3600 * HZ);
	flush_delayed_work(&d.work);	/* whether it had to wait is a matter of luck: with two CPUs the work may be done at once */
	udf_check(d.runs == 2);
	schedule_delayed_work(&d.work, 3600 * HZ);
	udf_check(cancel_delayed_work_sync(&d.work));
	udf_check(!delayed_work_pending(&d.work));
	udf_check(d.runs == 2);
}

static void requeue_itself(struct work_struct *work)
{
	struct item *item = container_of(work, struct item, work);

	item->order++;
	complete(&item->started);
	usleep_range(50, 100);
	schedule_work(work);
}

static void cancel_sync_stops_a_requeuer(void)
{
	static struct item item;
	int runs;

	init_item(&item, requeue_itself);
	schedule_work(&item.work);
	udf_check(wait_for_completion_timeout(&item.started, UDF_PATIENCE));
	udf_check(udf_eventually(READ_ONCE(item.order) > 3));
	cancel_work_sync(&item.work);
	runs = READ_ONCE(item.order);
	msleep(5);
	udf_check(READ_ONCE(item.order) == runs);
	udf_check(!work_pending(&item.work));
}

static atomic_t bursts;

static void count_burst(struct work_struct *work)
{
	atomic_inc(&bursts);
	kfree(work);
}

/* Many short items from several queues: none is lost. */
static void nothing_is_lost(void)
{
	struct workqueue_struct *wq = alloc_workqueue("udf_burst", WQ_UNBOUND, 4);
	struct workqueue_struct *percpu = alloc_workqueue("udf_burst_percpu", WQ_HIGHPRI, 0);
	int i;

	udf_require(wq && percpu);
	atomic_set(&bursts, 0);
	for (i = 0; i < 5000; i++) {
		struct work_struct *work = kmalloc(sizeof(*work), GFP_KERNEL);

		if (!udf_check(work))
			break;
		INIT_WORK(work, count_burst);
		queue_work(i % 2 ? wq : percpu, work);
	}
	flush_workqueue(percpu);
	destroy_workqueue(percpu);
	destroy_workqueue(wq);
	udf_check(atomic_read(&bursts) == i);
}

static const struct udf_test tests[] = {
	UDF_TEST(flush_waits),
	UDF_TEST(runs_where_queued),
	UDF_TEST(bound_items_run_concurrently),
	UDF_TEST(unbound_items_run_concurrently),
	UDF_TEST(rescued_queue_runs),
	UDF_TEST(ordered_items_run_in_turn),
	UDF_TEST(delayed_work_is_delayed),
	UDF_TEST(delayed_work_is_moved_and_flushed),
	UDF_TEST(cancel_sync_stops_a_requeuer),
	UDF_TEST(nothing_is_lost),
};

UDF_TEST_MODULE(tests, "UDF test: workqueues");
