// SPDX-License-Identifier: GPL-2.0
/* lib/common/log.c */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"

struct seen {
	int lines, level;
	char text[2000];
};

static void remember(void *ctx, int level, const char *text)
{
	struct seen *seen = ctx;

	seen->lines++;
	seen->level = level;
	snprintf(seen->text, sizeof(seen->text), "%s", text);
	errno = EBADF;
}

static void test_levels(void **state)
{
	struct seen seen = { 0 };

	udf_log_set_sink(remember, &seen);
	udf_log_set_level(UDF_LOG_WARNING);
	errno = ENOENT;
	udf_log_warning("port %s is gone", "0000:03:00.0");
	assert_int_equal(errno, ENOENT);
	udf_log_notice("not shown");
	assert_int_equal(seen.lines, 1);
	assert_int_equal(seen.level, UDF_LOG_WARNING);
	assert_string_equal(seen.text, "port 0000:03:00.0 is gone");
	udf_log_set_level(UDF_LOG_DEBUG);
	udf_log_debug("shown");
	assert_int_equal(seen.lines, 2);
	udf_log_set_sink(NULL, NULL);
}

static void test_long_lines_are_cut(void **state)
{
	struct seen seen = { 0 };

	udf_log_set_sink(remember, &seen);
	udf_log_set_level(UDF_LOG_DEBUG);
	udf_log_error("%01500d", 1);
	assert_int_equal(strlen(seen.text), 1023);
	udf_log_set_sink(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_long_lines_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
