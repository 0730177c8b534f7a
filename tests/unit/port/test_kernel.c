// SPDX-License-Identifier: GPL-2.0
/* What "pci:..." may say, and what is said when it cannot be had. Host world. */
#include <errno.h>
#include <string.h>

#include "../unit.h"
#include "port/kernel.h"

static struct udf_kernel_spec spec;
static struct udf_error err;

static int parse(const char *text)
{
	err = (struct udf_error)UDF_ERROR_INIT;
	return udf_kernel_spec_parse(text, &spec, &err);
}

static void test_addresses(void **state)
{
	(void)state;
	assert_int_equal(parse("0000:03:00.0"), 0);
	assert_string_equal(spec.address, "0000:03:00.0");
	assert_int_equal(spec.mask, 32);
	assert_int_equal(spec.fd, -1);
	assert_int_equal(parse("3:1f.7"), 0);
	assert_string_equal(spec.address, "0000:03:1f.7");
	assert_int_equal(parse("abcd:EF:00.1"), 0);
	assert_string_equal(spec.address, "abcd:ef:00.1");
}

static void test_options(void **state)
{
	(void)state;
	assert_int_equal(parse("03:00.0,mask=64,fd=7"), 0);
	assert_int_equal(spec.mask, 64);
	assert_int_equal(spec.fd, 7);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"", "03", "03:00", "03:00.8", "03:20.0", "03:00.0x", "0000:03:00.0.0", "03:00.0,", "03:00.0,mask=", "03:00.0,mask=23",
		"03:00.0,mask=65", "03:00.0,mask=32x", "03:00.0,fd=-1", "03:00.0,fd=99999999999999999999", "03:00.0,speed=1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(parse(bad[i]), -EINVAL);
		assert_non_null(strstr(err.text, "pci:"));
	}
}

static void test_long_text(void **state)
{
	char text[1000];

	(void)state;
	memset(text, '0', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	assert_int_equal(parse(text), -EINVAL);
}

static void test_no_such_function(void **state)
{
	const struct udf_port_config config = { .spec = "pci:ffff:ff:1f.7" };
	struct udf_port *port;

	(void)state;
	err = (struct udf_error)UDF_ERROR_INIT;
	assert_int_equal(udf_port_open(&config, NULL, NULL, &port, &err), -ENODEV);
	assert_non_null(strstr(err.text, "ffff:ff:1f.7: this machine has no such PCI function"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_options), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_long_text), cmocka_unit_test(test_no_such_function),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
