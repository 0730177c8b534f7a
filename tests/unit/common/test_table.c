// SPDX-License-Identifier: GPL-2.0
/* lib/common/table.c */
#define _GNU_SOURCE
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/table.h"

static void assert_prints(struct udf_table *t, const char *want)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(udf_table_print(t, out), 0);
	fclose(out);
	assert_string_equal(text, want);
	free(text);
}

static void test_aligns(void **state)
{
	struct udf_table *t = udf_table_new("MODULE", ">SYMBOLS", "VERDICT", NULL);

	udf_table_cell(t, "nvme");
	udf_table_cell(t, "%d", 122);
	udf_table_cell(t, "runs");
	udf_table_cell(t, "megaraid_sas");
	udf_table_cell(t, "%d", 9);
	udf_table_cell(t, "%s", "");
	assert_int_equal(udf_table_rows(t), 2);
	assert_prints(t, "MODULE        SYMBOLS  VERDICT\n"
			 "nvme              122  runs\n"
			 "megaraid_sas        9  \n");
	udf_table_free(t);
}

static void test_incomplete_row_ends_its_line(void **state)
{
	struct udf_table *t = udf_table_new("A", "B", NULL);

	udf_table_cell(t, "1");
	assert_int_equal(udf_table_rows(t), 0);
	assert_prints(t, "A  B\n1\n");
	udf_table_free(t);
}

static void test_no_memory_is_reported(void **state)
{
	udf_table_cell(NULL, "x");
	assert_int_equal(udf_table_print(NULL, stdout), -ENOMEM);
	udf_table_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aligns),
		cmocka_unit_test(test_incomplete_row_ends_its_line),
		cmocka_unit_test(test_no_memory_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
