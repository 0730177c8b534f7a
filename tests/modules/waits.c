// SPDX-License-Identifier: GPL-2.0
/*
 * An init function that ends when it is told to: by the word at the address UNTIL, which it sets to 1 and which somebody else sets to 2.
 */
#include "udf_test.h"

static ulong until;
module_param(until, ulong, 0444);
MODULE_PARM_DESC(until, "address of an int; 0: wait for nothing");

static void waits(void)
{
	int *word = (int *)until;

	if (!word) {
		udf_skip("needs until=ADDRESS");
		return;
	}
	WRITE_ONCE(*word, 1);
	udf_check(udf_eventually(READ_ONCE(*word) == 2));
}

static const struct udf_test tests[] = {
	UDF_TEST(waits),
};

UDF_TEST_MODULE(tests, "UDF test: an init function that takes its time");
