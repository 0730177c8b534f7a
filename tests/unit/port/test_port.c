// SPDX-License-Identifier: GPL-2.0
/* lib/port/port.c: how much memory a driver has at the start, and at most. */
#include "unit.h"

#include "port/port.h"

#define MIB (1ull << 20)

static void test_arena_sizes(void **state)
{
	static const struct { uint64_t size, max, is, is_max; } cases[] = {
		{ 0, 0, 48, 256 },
		{ 16, 0, 16, 256 },
		{ 16, 16, 16, 16 },
		{ 0, 32, 32, 32 },	/* who wants no more begins with less */
		{ 300, 0, 300, 300 },	/* who wants more than there is by default */
		{ 50, 0, 48, 256 },
		{ 17, 39, 16, 36 },
		{ 17, 18, 16, 16 },
		{ 2047, 2047, 2044, 2044 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t size = cases[i].size * MIB, max = cases[i].max * MIB;

		udf_arena_sizes(&size, &max);
		assert_int_equal(size, cases[i].is * MIB);
		assert_int_equal(max, cases[i].is_max * MIB);
		/* what they are stays */
		udf_arena_sizes(&size, &max);
		assert_int_equal(size, cases[i].is * MIB);
		assert_int_equal(max, cases[i].is_max * MIB);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_arena_sizes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
