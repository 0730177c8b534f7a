// SPDX-License-Identifier: GPL-2.0
/* lib/common/error.c */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "common/error.h"

static void test_first_error_wins(void **state)
{
	struct udf_error err = UDF_ERROR_INIT;

	assert_int_equal(udf_error_set(&err, -ENOENT, "no %s", "image"), -ENOENT);
	assert_int_equal(udf_error_set(&err, -EINVAL, "later"), -ENOENT);
	assert_string_equal(err.text, "no image");
}

static void test_prefix(void **state)
{
	struct udf_error err = UDF_ERROR_INIT;

	udf_error_set(&err, -EIO, "bad sector");
	assert_int_equal(udf_error_prefix(&err, "disk %d", 3), -EIO);
	assert_string_equal(err.text, "disk 3: bad sector");
}

static void test_long_texts_are_cut(void **state)
{
	struct udf_error err = UDF_ERROR_INIT;
	char path[2000];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	udf_error_set(&err, -EIO, "%s", path);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	udf_error_prefix(&err, "%s", path);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_error_wins),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_long_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
