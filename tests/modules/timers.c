// SPDX-License-Identifier: GPL-2.0
/* Time as a driver sees it: timers, hrtimers, jiffies, delays. Lower bounds are exact; upper ones only catch hangs. */
#include "udf_test.h"

#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/timer.h>

#define TIMERS 20

struct one_timer {
	struct timer_list timer;
	unsigned long expires;
	int number;
};

static struct one_timer timers[TIMERS];
static atomic_t fired, disorder, early;
static DECLARE_COMPLETION(all_fired);

static void note_firing(struct timer_list *t)
{
	struct one_timer *one = from_timer(one, t, timer);

	if (time_before(jiffies, one->expires))
		atomic_inc(&early);
	if (atomic_inc_return(&fired) != one->number + 1)
		atomic_inc(&disorder);
	if (atomic_read(&fired) == TIMERS)
		complete(&all_fired);
}

/* Start all timers, two jiffies apart, the latest first. */
static void start_timers(void)
{
	unsigned long base = jiffies + 4;
	int i;

	atomic_set(&fired, 0);
	atomic_set(&disorder, 0);
	atomic_set(&early, 0);
	reinit_completion(&all_fired);
	for (i = TIMERS - 1; i >= 0; i--) {
		timers[i].number = i;
		timers[i].expires = base + 2 * i;
		timer_setup(&timers[i].timer, note_firing, 0);
		mod_timer(&timers[i].timer, timers[i].expires);
	}
}

static void check_timers(void)
{
	int i;

	udf_check(wait_for_completion_timeout(&all_fired, UDF_PATIENCE));
	for (i = 0; i < TIMERS; i++)
		del_timer_sync(&timers[i].timer);
	udf_check(atomic_read(&fired) == TIMERS);
	udf_check(atomic_read(&early) == 0);
	udf_check(atomic_read(&disorder) == 0);
}

static void timers_fire_in_order(void)
{
	start_timers();
	check_timers();
}

static int spin_until_stopped(void *unused)
{
	while (!kthread_should_stop()) {
		int i;

		for (i = 0; i < 10000; i++)
			cpu_relax();
		cond_resched();
	}
	return 0;
}

static void timers_fire_in_order_under_load(void)
{
	struct task_struct *spinner[2];
	int i;

	for (i = 0; i < 2; i++)
		spinner[i] = kthread_run(spin_until_stopped, NULL, "udf_spin/%d", i);
	start_timers();
	check_timers();
	for (i = 0; i < 2; i++)
		if (udf_check(!IS_ERR(spinner[i])))
			kthread_stop(spinner[i]);
}

struct slow_timer {
	struct timer_list timer;
	atomic_t entered, left;
};

static void slow_callback(struct timer_list *t)
{
	struct slow_timer *slow = from_timer(slow, t, timer);

	atomic_inc(&slow->entered);
	mdelay(20);
	atomic_inc(&slow->left);
}

static void del_timer_sync_waits(void)
{
	struct slow_timer slow = { .entered = ATOMIC_INIT(0), .left = ATOMIC_INIT(0) };

	timer_setup_on_stack(&slow.timer, slow_callback, 0);
	mod_timer(&slow.timer, jiffies + 1);
	udf_check(udf_eventually(atomic_read(&slow.entered)));
	del_timer_sync(&slow.timer);
	udf_check(atomic_read(&slow.left) == atomic_read(&slow.entered));
	destroy_timer_on_stack(&slow.timer);
}

static void deleted_timer_does_not_fire(void)
{
	struct slow_timer slow = { .entered = ATOMIC_INIT(0), .left = ATOMIC_INIT(0) };

	timer_setup_on_stack(&slow.timer, slow_callback, 0);
	mod_timer(&slow.timer, jiffies + HZ / 20);
	udf_check(timer_pending(&slow.timer));
	udf_check(del_timer_sync(&slow.timer) == 1);
	udf_check(!timer_pending(&slow.timer));
	udf_check(del_timer_sync(&slow.timer) == 0);
	udf_check(mod_timer_pending(&slow.timer, jiffies + 1) == 0);
	msleep(100);
	udf_check(atomic_read(&slow.entered) == 0);
	destroy_timer_on_stack(&slow.timer);
}

static void note_cpu(struct timer_list *t)
{
	struct slow_timer *slow = from_timer(slow, t, timer);

	atomic_set(&slow->entered, smp_processor_id() + 1);
}

static void timer_runs_on_its_cpu(void)
{
	int cpu;

	for_each_online_cpu(cpu) {
		struct slow_timer here = { .entered = ATOMIC_INIT(0) };

		timer_setup_on_stack(&here.timer, note_cpu, TIMER_PINNED);
		here.timer.expires = jiffies + 2;
		add_timer_on(&here.timer, cpu);
		udf_check(udf_eventually(atomic_read(&here.entered)));
		udf_check(atomic_read(&here.entered) == cpu + 1);
		del_timer_sync(&here.timer);
		destroy_timer_on_stack(&here.timer);
	}
}

struct periodic {
	struct hrtimer timer;
	ktime_t period, due;
	int left, early;
	struct completion done;
};

static enum hrtimer_restart next_period(struct hrtimer *t)
{
	struct periodic *p = container_of(t, struct periodic, timer);

	if (ktime_before(ktime_get(), hrtimer_get_expires(t)))
		p->early++;
	if (!--p->left) {
		complete(&p->done);
		return HRTIMER_NORESTART;
	}
	hrtimer_forward_now(t, p->period);
	return HRTIMER_RESTART;
}

static void hrtimer_is_periodic_and_never_early(void)
{
	struct periodic p = { .period = ns_to_ktime(500 * NSEC_PER_USEC), .left = 100 };
	ktime_t start = ktime_get();

	init_completion(&p.done);
	hrtimer_init_on_stack(&p.timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	p.timer.function = next_period;
	hrtimer_start(&p.timer, p.period, HRTIMER_MODE_REL);
	udf_check(wait_for_completion_timeout(&p.done, UDF_PATIENCE));
	hrtimer_cancel(&p.timer);
	udf_check(p.left == 0);
	udf_check(p.early == 0);
	udf_check(ktime_us_delta(ktime_get(), start) >= 100 * 500);
	destroy_hrtimer_on_stack(&p.timer);
}

static void hrtimer_cancel_stops(void)
{
	struct periodic p = { .period = ns_to_ktime(200 * NSEC_PER_USEC), .left = 1 << 30 };
	int left;

	init_completion(&p.done);
	hrtimer_init_on_stack(&p.timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	p.timer.function = next_period;
	hrtimer_start(&p.timer, p.period, HRTIMER_MODE_REL);
	udf_check(udf_eventually(READ_ONCE(p.left) < (1 << 30) - 5));
	hrtimer_cancel(&p.timer);
	left = READ_ONCE(p.left);
	msleep(5);
	udf_check(READ_ONCE(p.left) == left);
	udf_check(!hrtimer_active(&p.timer));
	destroy_hrtimer_on_stack(&p.timer);
}

/* Drivers do this; time that stands still while they do hangs them. The bound is by the other clock. */
static void busy_loop_on_jiffies_ends(void)
{
	unsigned long end = jiffies + HZ / 10;
	ktime_t start = ktime_get();

	while (time_before(jiffies, end) && ktime_ms_delta(ktime_get(), start) < 10000)
		cpu_relax();
	udf_check(time_after_eq(jiffies, end));
}

static void busy_loop_on_ktime_ends(void)
{
	ktime_t start = ktime_get(), last = start, now;
	unsigned long loops = 0;

	do {
		now = ktime_get();
		if (ktime_before(now, last))
			udf_check(!"ktime_get() went backwards");
		last = now;
	} while (ktime_ms_delta(now, start) < 50 && ++loops < 1000000000);
	udf_check(ktime_ms_delta(now, start) >= 50);
}

#define at_least(us, wait) do {						\
	ktime_t __start = ktime_get();					\
	wait;								\
	udf_check(ktime_us_delta(ktime_get(), __start) >= (us));	\
} while (0)

static void delays_are_not_short(void)
{
	at_least(1, udelay(1));
	/* busy delays are calibrated: near enough */
	at_least(900, udelay(1000));
	at_least(2700, mdelay(3));
	at_least(5, ndelay(5000));
	at_least(100, usleep_range(100, 200));
	at_least(20000, fsleep(20000));
}

/* How long that is by the clock depends on how late the tick was when they began: it is promised in jiffies. */
static void sleeps_outlast_jiffies(void)
{
	unsigned long start = jiffies;

	msleep(40);
	udf_check(jiffies - start >= msecs_to_jiffies(40));
	start = jiffies;
	udf_check(!msleep_interruptible(10));
	udf_check(jiffies - start >= msecs_to_jiffies(10));
	start = jiffies;
	schedule_timeout_uninterruptible(5);
	udf_check(jiffies - start >= 5);
}

static void clocks_agree(void)
{
	ktime_t mono = ktime_get();
	u64 fast = ktime_get_mono_fast_ns();
	time64_t real = ktime_get_real_seconds();
	ktime_t boot = ktime_get_boottime();

	udf_check(abs((s64)(fast - ktime_to_ns(mono))) < NSEC_PER_SEC);
	udf_check(real > 1600000000);	/* the year 2020: somebody set the clock */
	udf_check(!ktime_before(boot, mono));
}

static const struct udf_test tests[] = {
	UDF_TEST(timers_fire_in_order),
	UDF_TEST(timers_fire_in_order_under_load),
	UDF_TEST(del_timer_sync_waits),
	UDF_TEST(deleted_timer_does_not_fire),
	UDF_TEST(timer_runs_on_its_cpu),
	UDF_TEST(hrtimer_is_periodic_and_never_early),
	UDF_TEST(hrtimer_cancel_stops),
	UDF_TEST(busy_loop_on_jiffies_ends),
	UDF_TEST(busy_loop_on_ktime_ends),
	UDF_TEST(delays_are_not_short),
	UDF_TEST(sleeps_outlast_jiffies),
	UDF_TEST(clocks_agree),
};

UDF_TEST_MODULE(tests, "UDF test: timers, hrtimers, jiffies, delays");
