// SPDX-License-Identifier: GPL-2.0
/* lib/common/strbuf.c */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "common/strbuf.h"

static void test_grows(void **state)
{
	struct udf_strbuf sb = UDF_STRBUF_INIT;
	char want[1001];
	int i;

	for (i = 0; i < 1000; i++) {
		want[i] = 'a' + i % 26;
		udf_strbuf_addc(&sb, want[i]);
	}
	want[1000] = '\0';
	assert_int_equal(sb.len, 1000);
	assert_string_equal(udf_strbuf_str(&sb), want);
	udf_strbuf_free(&sb);
}

static void test_formats(void **state)
{
	struct udf_strbuf sb = UDF_STRBUF_INIT;
	int i;

	udf_strbuf_add(&sb, "vectors:");
	for (i = 0; i < 100; i++)
		udf_strbuf_addf(&sb, " %d", i);
	assert_int_equal(strlen(udf_strbuf_str(&sb)), sb.len);
	assert_int_equal(sb.len, strlen("vectors:") + 10 * 2 + 90 * 3);
	assert_string_equal(udf_strbuf_str(&sb) + sb.len - 3, " 99");
	udf_strbuf_free(&sb);
}

static void test_empty_is_a_text(void **state)
{
	struct udf_strbuf sb = UDF_STRBUF_INIT;
	char *text;

	assert_string_equal(udf_strbuf_str(&sb), "");
	text = udf_strbuf_detach(&sb);
	assert_non_null(text);
	assert_string_equal(text, "");
	free(text);
}

static void test_keeps_zero_bytes(void **state)
{
	struct udf_strbuf sb = UDF_STRBUF_INIT;

	udf_strbuf_addn(&sb, "a\0b", 3);
	assert_int_equal(sb.len, 3);
	assert_memory_equal(sb.data, "a\0b", 4);
	udf_strbuf_reset(&sb);
	assert_int_equal(sb.len, 0);
	assert_string_equal(udf_strbuf_str(&sb), "");
	udf_strbuf_free(&sb);
}

static void test_remembers_failure(void **state)
{
	struct udf_strbuf sb = UDF_STRBUF_INIT;

	udf_strbuf_add(&sb, "x");
	udf_strbuf_addn(&sb, "", (size_t)-1);	/* no machine has so much: refused before it is read */
	assert_true(sb.failed);
	udf_strbuf_add(&sb, "y");
	assert_int_equal(sb.len, 1);
	assert_null(udf_strbuf_detach(&sb));
	assert_false(sb.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_empty_is_a_text),
		cmocka_unit_test(test_keeps_zero_bytes),
		cmocka_unit_test(test_remembers_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
