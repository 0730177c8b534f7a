// SPDX-License-Identifier: GPL-2.0
/*
 * An init function that ends when it is told to: by the word at the address UNTIL, which it sets to 1 and which somebody else sets to 2. Until
 * then it sleeps, or spins, without a call but for a timer's interrupts, and counts its turns in the word behind.
 */
#include "udf_test.h"

#include <linux/hrtimer.h>

#define PERIOD_NS 50000

static ulong until;
module_param(until, ulong, 0444);
MODULE_PARM_DESC(until, "address of two ints; 0: wait for nothing");

static bool spin;
module_param(spin, bool, 0444);
MODULE_PARM_DESC(spin, "do not sleep");

static enum hrtimer_restart next_period(struct hrtimer *t)
{
	hrtimer_forward_now(t, ns_to_ktime(PERIOD_NS));
	return HRTIMER_RESTART;
}

static void spin_until_told(int *word)
{
	unsigned long end = jiffies + 3 * UDF_PATIENCE;
	struct hrtimer timer;

	hrtimer_init_on_stack(&timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	timer.function = next_period;
	hrtimer_start(&timer, ns_to_ktime(PERIOD_NS), HRTIMER_MODE_REL);
	while (READ_ONCE(word[0]) != 2 && time_before(jiffies, end)) {
		WRITE_ONCE(word[1], word[1] + 1);
		cpu_relax();
	}
	hrtimer_cancel(&timer);
	destroy_hrtimer_on_stack(&timer);
}

static void waits(void)
{
	int *word = (int *)until;

	if (!word) {
		udf_skip("needs until=ADDRESS");
		return;
	}
	WRITE_ONCE(*word, 1);
	if (spin)
		spin_until_told(word);
	udf_check(udf_eventually(READ_ONCE(*word) == 2));
}

static const struct udf_test tests[] = {
	UDF_TEST(waits),
};

UDF_TEST_MODULE(tests, "UDF test: an init function that takes its time");
