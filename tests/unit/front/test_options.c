// SPDX-License-Identifier: GPL-2.0
/* Options of a port: what is accepted, what is refused and how it is said, and what the short forms expand to. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "front/fake_driver.h"
#include "front/internal.h"

static int setup(void **state)
{
	fake_reset();
	*state = udf_options_new();
	return 0;
}

static int teardown(void **state)
{
	udf_options_free(*state);
	return 0;
}

static void refused(struct udf_options *o, const char *name, const char *value, const char *says)
{
	assert_int_equal(udf_options_set(o, name, value), -EINVAL);
	if (!strstr(udf_options_error(o), says))
		fail_msg("'%s' does not say '%s'", udf_options_error(o), says);
}

static void test_numbers(void **state)
{
	struct udf_options *o = *state;

	assert_int_equal(udf_options_set(o, "cpus", "2"), 0);
	assert_int_equal(o->cpus, 2);
	assert_string_equal(udf_options_error(o), "");
	refused(o, "cpus", "0", "from 1 to 8");
	refused(o, "cpus", "9", "from 1 to 8");
	refused(o, "cpus", "", "number");
	refused(o, "cpus", "2x", "'2x'");
	refused(o, "cpus", "-1", "number");
	refused(o, "cpus", "99999999999999999999999", "number");
	assert_int_equal(o->cpus, 2);
	assert_int_equal(udf_options_set(o, "memory", "128"), 0);
	assert_int_equal(o->memory, 128u << 20);
	refused(o, "memory", "1", "from 16");
	assert_int_equal(udf_options_set(o, "memory-max", "127"), 0);
	assert_int_equal(o->memory_max, 127u << 20);
	refused(o, "memory-max", "2048", "memory-max is '2048'");
	refused(o, "nonsense", "1", "no option 'nonsense'");
}

static void test_device(void **state)
{
	struct udf_options *o = *state;

	refused(o, "device", "nvme", "TRANSPORT:NAME");
	refused(o, "device", ":x", "TRANSPORT:NAME");
	refused(o, "device", "qemu:", "TRANSPORT:NAME");
	assert_int_equal(udf_options_set(o, "device", "qemu:a,b=c"), 0);
	assert_string_equal(o->device, "qemu:a,b=c");
}

static void test_backends(void **state)
{
	struct udf_options *o = *state;

	assert_int_equal(udf_options_set(o, "backend", "-blockdev driver=raw,x='a b'  -foo"), 0);
	assert_int_equal(udf_options_set(o, "backend", "plain with blanks"), 0);
	assert_int_equal(o->nr_backends, 4);
	assert_string_equal(o->backends[0], "-blockdev");
	assert_string_equal(o->backends[1], "driver=raw,x=a b");
	assert_string_equal(o->backends[2], "-foo");
	assert_string_equal(o->backends[3], "plain with blanks");
	assert_null(o->backends[4]);
	refused(o, "backend", "-x 'y", "quote");
}

static void expands(struct udf_options *o, const char *expected)
{
	assert_string_equal(o->backends[o->nr_backends - 2], "-blockdev");
	assert_string_equal(o->backends[o->nr_backends - 1], expected);
}

static void test_drives(void **state)
{
	struct udf_options *o = *state;
	char *spec;

	udf_options_set(o, "device", "qemu:x,serial=a");
	spec = udf_options_spec(o);
	assert_string_equal(spec, "qemu:x,serial=a");
	free(spec);

	assert_int_equal(udf_options_set(o, "drive", "/tmp/a,b"), 0);
	expands(o, "driver=raw,node-name=udf-drive0,discard=unmap,file.driver=file,file.filename=/tmp/a,,b");
	spec = udf_options_spec(o);
	assert_string_equal(spec, "qemu:x,serial=a,drive=udf-drive0");
	free(spec);

	assert_int_equal(udf_options_set(o, "drive", "/tmp/x,format=qcow2"), 0);
	expands(o, "driver=qcow2,node-name=udf-drive1,discard=unmap,file.driver=file,file.filename=/tmp/x");
	assert_int_equal(udf_options_set(o, "size", "1G"), 0);
	expands(o, "driver=null-co,node-name=udf-drive2,read-zeroes=on,size=1073741824");
	assert_int_equal(udf_options_set(o, "size", "512"), 0);
	refused(o, "size", "1", "512 bytes");
	refused(o, "size", "1X", "512 bytes");
	refused(o, "size", "99999999T", "512 bytes");
	refused(o, "drive", ",format=raw", "FILE");
	refused(o, "drive", "x,format=a,b", "FILE");
}

/* The drive may belong to a disk behind the port. */
static void test_drive_of_a_backend(void **state)
{
	struct udf_options *o = *state;
	char *spec;

	udf_options_set(o, "device", "qemu:x,id=c");
	udf_options_set(o, "size", "1G");
	udf_options_set(o, "backend", "-device y,bus=c.0,drive=udf-drive0");
	spec = udf_options_spec(o);
	assert_string_equal(spec, "qemu:x,id=c");
	free(spec);
}

/* Parameters reach the modules they name, dependencies first. */
static void test_params(void **state)
{
	struct udf_options *o = *state;
	struct udf *udf;

	refused(o, "param", "=1", "NAME=VALUE");
	refused(o, "param", ".x=1", "NAME=VALUE");
	refused(o, "param", "a b=1", "NAME=VALUE");
	udf_options_set(o, "device", "fake:x");
	udf_options_set(o, "param", "a=1");
	udf_options_set(o, "param", "core.b=2.5");
	udf_options_set(o, "param", "c=3");
	udf_options_set(o, "param", "core.d=4");
	assert_int_equal(udf_open(o, &udf), 0);
	assert_string_equal(fake_loaded(), "core(b=2.5 d=4) pci:v00001234d00005678(a=1 c=3)");
	assert_int_equal(udf_close(udf), 0);
}

static void test_module(void **state)
{
	struct udf_options *o = *state;
	struct udf *udf;

	udf_options_set(o, "device", "fake:x");
	udf_options_set(o, "module", "none");
	assert_int_equal(udf_open(o, &udf), 0);
	assert_string_equal(fake_loaded(), "");
	udf_close(udf);

	udf_options_set(o, "module", "missing");
	assert_int_equal(udf_open(o, &udf), -ENOENT);
	assert_string_equal(udf_options_error(o), "there is no module missing");

	udf_options_set(o, "device", "fake:broken");
	assert_int_equal(udf_open(o, &udf), -EIO);
	assert_string_equal(udf_options_error(o), "the fake is broken");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_device, setup, teardown),
		cmocka_unit_test_setup_teardown(test_backends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drives, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drive_of_a_backend, setup, teardown),
		cmocka_unit_test_setup_teardown(test_params, setup, teardown),
		cmocka_unit_test_setup_teardown(test_module, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
