// SPDX-License-Identifier: GPL-2.0
/*
 * WARN is reported and passed over, with its value intact.
 *
 * expect: WARNING:
 * expect: warned on purpose, number 7
 */
#include "udf_test.h"

#include <linux/bug.h>

static noinline bool warn_once(void)
{
	return WARN_ON_ONCE(jiffies != 0);
}

static void warning_has_a_value(void)
{
	volatile int number = 7;	/* tested at run time */

	udf_check(WARN_ON(number == 7));
	udf_check(!WARN_ON(number != 7));
	udf_check(WARN(number == 7, "warned on purpose, number %d\n", number));
	udf_check(!WARN(number != 7, "must not be seen\n"));
}

static void execution_goes_on(void)
{
	int i, sum = 0;

	for (i = 0; i < 5; i++)
		if (WARN_ON(i == 3))
			sum += 10;
		else
			sum++;
	udf_check(sum == 14);
	udf_check(warn_once());
	udf_check(warn_once());
}

static void warning_in_odd_contexts(void)
{
	unsigned long flags;

	local_irq_save(flags);
	WARN_ON(irqs_disabled());
	udf_check(irqs_disabled());
	local_irq_restore(flags);
	preempt_disable();
	WARN_ON(preempt_count());
	udf_check(preempt_count());
	preempt_enable();
	dump_stack();
}

static const struct udf_test tests[] = {
	UDF_TEST(warning_has_a_value),
	UDF_TEST(execution_goes_on),
	UDF_TEST(warning_in_odd_contexts),
};

UDF_TEST_MODULE(tests, "UDF test: warnings");
