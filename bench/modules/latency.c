// SPDX-License-Identifier: GPL-2.0
/*
 * How long an event takes from one CPU to another: an interrupt to its handler, a wake-up to the task that it wakes. Kernel world, but
 * nothing of UDF: a stock kernel loads it as well.
 *
 * The other CPU is idle, for 20 us or for 10 ms: then UDF's vCPU still spins, or sleeps in the machine's kernel. Medians of ROUNDS.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/sort.h>

#define ROUNDS 301
#define OTHER 1			/* the CPU that waits */

static u64 sent, arrived;
static bool ended;
static u64 sample[ROUNDS];
static call_single_data_t interrupt;
static DECLARE_COMPLETION(go);
static DECLARE_COMPLETION(came);
static DECLARE_COMPLETION(done);

static void on_interrupt(void *unused)
{
	WRITE_ONCE(arrived, ktime_get_ns());
}

static int waiter(void *unused)
{
	for (;;) {
		wait_for_completion(&go);
		WRITE_ONCE(arrived, ktime_get_ns());
		if (READ_ONCE(ended))
			kthread_complete_and_exit(&came, 0);
		complete(&came);
	}
}

static int by_value(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static void pause_for(unsigned int us)
{
	if (us < 1000)
		udelay(us);
	else
		msleep(us / 1000);
}

static void report(const char *what, unsigned int idle_us)
{
	sort(sample, ROUNDS, sizeof(sample[0]), by_value, NULL);
	pr_info("udf_latency: %s idle_us=%u median_ns=%llu p90_ns=%llu\n", what, idle_us, sample[ROUNDS / 2], sample[ROUNDS * 9 / 10]);
}

static void interrupts(unsigned int idle_us)
{
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		pause_for(idle_us);
		sent = ktime_get_ns();
		WRITE_ONCE(arrived, 0);
		smp_call_function_single_async(OTHER, &interrupt);
		while (!READ_ONCE(arrived))
			cpu_relax();
		sample[i] = READ_ONCE(arrived) - sent;
	}
	report("interrupt", idle_us);
}

static void wakeups(unsigned int idle_us)
{
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		pause_for(idle_us);
		sent = ktime_get_ns();
		complete(&go);
		wait_for_completion(&came);
		sample[i] = READ_ONCE(arrived) - sent;
	}
	report("wakeup", idle_us);
}

static int measure(void *unused)
{
	interrupts(20);
	interrupts(10000);
	wakeups(20);
	wakeups(10000);
	WRITE_ONCE(ended, true);
	complete(&go);
	wait_for_completion(&came);
	kthread_complete_and_exit(&done, 0);
}

static int __init latency_init(void)
{
	struct task_struct *other, *one;

	if (num_online_cpus() < 2)
		return -ENXIO;
	INIT_CSD(&interrupt, on_interrupt, NULL);
	other = kthread_create_on_cpu(waiter, NULL, OTHER, "latency/%u");
	one = kthread_create_on_cpu(measure, NULL, 0, "latency/%u");
	if (IS_ERR(other) || IS_ERR(one))
		return -ENOMEM;
	wake_up_process(other);
	wake_up_process(one);
	wait_for_completion(&done);
	return 0;
}

static void __exit latency_exit(void)
{
}

module_init(latency_init);
module_exit(latency_exit);
MODULE_DESCRIPTION("latency of interrupts and wake-ups between CPUs");
MODULE_LICENSE("GPL");
