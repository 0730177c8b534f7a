// SPDX-License-Identifier: GPL-2.0
/* portd/base/config.c */
#define _GNU_SOURCE
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"

static struct udf_config *good(const char *text)
{
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_config *c = NULL;

	if (udf_config_parse("f", text, &c, &err))
		fail_msg("%s", err.text);
	return c;
}

static void bad(const char *text, const char *why)
{
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_config *c = NULL;

	if (!udf_config_parse("f", text, &c, &err))
		fail_msg("was taken: %s", text);
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
	assert_null(c);
}

static void test_ports_and_defaults(void **state)
{
	struct udf_config *c = good("# c\n ; c\n\n[udfd]\nadmin-group = wheel\nstandby=off\n[defaults]\ncpus = 2\nhang-timeout = 0.5\n"
				    "[port a]\n device =  qemu:nvme,serial=a  \nsize=64M\nparam = nvme.x=1\nparam = y=2\n"
				    "[port b]\ndevice = pci:class=0108\ncpus = 4\nuid = 77\nwalls = off\naffinity = 0,2-3\nnice = -5\n");
	const struct udf_port_settings *a = udf_config_port(c, "a"), *b = udf_config_port(c, "b");

	assert_int_equal(c->nr_ports, 2);
	assert_string_equal(c->admin_group, "wheel");
	assert_false(c->standby);
	assert_non_null(a);
	assert_string_equal(a->device, "qemu:nvme,serial=a");
	assert_string_equal(a->where, "f:10");
	assert_int_equal(a->hang_ms, 500);
	assert_int_equal(a->uid, -1);
	assert_true(a->walls && a->start);
	assert_int_equal(a->nr_options, 5);
	assert_string_equal(a->option[0].value, "2");
	assert_string_equal(a->option[4].value, "y=2");
	assert_string_equal(b->option[0].value, "4");	/* instead of the default, in its place */
	assert_int_equal(b->uid, 77);
	assert_false(b->walls);
	assert_int_equal(b->nice, -5);
	assert_true(CPU_ISSET(3, &b->affinity) && !CPU_ISSET(1, &b->affinity));
	assert_null(udf_config_port(c, "c"));
	udf_config_free(c);
}

static void test_block(void **state)
{
	struct udf_config *c = good("[defaults]\nwait-limit = 1.5\n[port a]\ndevice=pci:class=0108\n"
				    "[port b]\ndevice=pci:0000:03:00.0\nblock=no\non-failure = fail\nwait-limit = 0\nstart-timeout = 0\n");
	const struct udf_port_settings *a = udf_config_port(c, "a"), *b = udf_config_port(c, "b");

	assert_true(a->block);
	assert_false(a->block_fail);
	assert_int_equal(a->block_wait_ms, 1500);
	assert_int_equal(a->start_s, 60);
	assert_false(b->block);
	assert_true(b->block_fail);
	assert_int_equal(b->block_wait_ms, 0);
	assert_int_equal(b->start_s, 0);
	assert_int_equal(a->core_mib, 0);
	assert_int_equal(a->attach_mib, 1024);
	assert_false(udf_port_settings_equal(a, b));
	udf_config_free(c);
	bad("[port a]\nblock = on", "block is 'on', but must be yes or no");
	bad("[port a]\nblock =", "must be yes or no");
	bad("[port a]\non-failure = die", "on-failure is 'die', but must be fail or wait");
	bad("[port a]\nwait-limit = -1", "must be seconds");
	bad("[port a]\nwait-limit = 86401", "must be seconds");
	bad("[port a]\nwait-limit = soon", "must be seconds");
	bad("[port a]\nstart-timeout = -1", "number from 0");
	bad("[port a]\nattach-memory = -1", "number from 0 to 1048576");
	bad("[port a]\ncore-limit = 1.5", "number from 0 to 1048576");
}

/* Each of them takes another start of the driver process. */
static void test_block_differs(void **state)
{
	struct udf_config *c = good("[port a]\ndevice=pci:0000:03:00.0\n[port b]\ndevice=pci:0000:03:00.0\nblock=no\n"
				    "[port c]\ndevice=pci:0000:03:00.0\non-failure=fail\n[port d]\ndevice=pci:0000:03:00.0\nwait-limit=1\n");
	unsigned int i;

	for (i = 1; i < 4; i++)
		assert_false(udf_port_settings_equal(&c->port[0], &c->port[i]));
	udf_config_free(c);
}

static void test_sections_add_up(void **state)
{
	struct udf_config *c = good("[port a]\ndevice=qemu:nvme\n[port b]\ndevice=qemu:nvme\n[port a]\ncpus=3\n");

	assert_int_equal(c->nr_ports, 2);
	assert_int_equal(udf_config_port(c, "a")->nr_options, 2);
	udf_config_free(c);
	udf_config_free(good(""));
}

static void test_errors_name_the_line(void **state)
{
	bad("x = 1", "f:1: 'x' stands before any [SECTION]");
	bad("\n[port a", "f:2: a section begins as");
	bad("[nonsense]", "no section [nonsense]");
	bad("[port a] x", "a section begins as");
	bad("[port ]", "no name for a port");
	bad("[port .]", "no name for a port");
	bad("[port a/b]", "no name for a port");
	bad("[port 0123456789012345678901234567890123456789012345678901234567890123456789]", "no name for a port");
	bad("[port a]\nfoo", "neither [SECTION] nor KEY = VALUE");
	bad("[port a]\nfoo = 1", "no setting 'foo'");
	bad("[port a]\ndevice = nvme", "must be TRANSPORT:NAME");
	bad("[port a]\ndevice = pci:nonsense", "must be pci:0000:03:00.0");
	bad("[port a]\ncpus = 2", "port a has no device");
	bad("[port a]\ndevice = qemu:x\ncpus = 9", "number from 1 to 8");
	bad("[port a]\nnice = 20", "number from -20 to 19");
	bad("[port a]\nnice = 1x", "number from -20 to 19");
	bad("[port a]\nwalls = yes", "must be on or off");
	bad("[port a]\naffinity = 3-1", "must be CPUs");
	bad("[port a]\naffinity = ", "must be CPUs");
	bad("[port a]\naffinity = 99999", "must be CPUs");
	bad("[port a]\nhang-timeout = soon", "must be seconds");
	bad("[port a]\nhang-timeout = 1e99", "must be seconds");
	bad("[port a]\nuid = 0", "number from 1");
	bad("[port a]\ndevice=qemu:x\nbackoff-min = 5\nbackoff-max = 1", "less than backoff-min");
	bad("[udfd]\ncpus = 1", "[udfd] has no setting 'cpus'");
	bad("[defaults]\ndevice = qemu:x", "a device of its own");
	bad("[port a]\ndevice=qemu:x\n[defaults]\ncpus=1", "before the first");
}

/*
 * Every key there is, cut, doubled and with wrong bytes: either all of it is taken, or an error names a line and nothing is left over (which
 * the sanitizers of `make check-fast` would see).
 */
static void test_mutations(void **state)
{
	static const char all[] =
		"[udfd]\nadmin-group = wheel\nattach-group = disk\nuid-base = 70000\nstandby = on\n"
		"[defaults]\ncpus = 2\nhang-timeout = 0.5\nstart-timeout = 30\nbackoff-min = 0.1\nbackoff-max = 10\ncore-limit = 64\nattach-memory = 64\nhung-task-timeout = 120\nstop-timeout = 5\nstable = 60\nfailures = 8\n"
		"block = yes\non-failure = wait\nwait-limit = 1.5\nuid = 77\nnice = -5\naffinity = 0,2-3\nwalls = off\nstart = off\n"
		"[port a]\ndevice = pci:class=0108\nparam = nvme.x=1\nmodule = nvme\nmemory = 64\non-failure = fail\nwait-limit = 0\n"
		"[port b]\ndevice = qemu:nvme,serial=a\nsize = 64M\nblock = no\n";
	static const char bytes[] = "[]=#;\n \0\xff-.,:09azM";
	unsigned int seed = 1, taken = 0, i, j;
	size_t len = sizeof(all) - 1;
	char text[2 * sizeof(all)];

	udf_config_free(good(all));
	for (i = 0; i < 20000; i++) {
		struct udf_error err = UDF_ERROR_INIT;
		struct udf_config *c = NULL;
		size_t from = (size_t)rand_r(&seed) % len, to = (size_t)rand_r(&seed) % len, n = (size_t)rand_r(&seed) % 60;

		memcpy(text, all, len + 1);
		if (i % 3 == 0) {	/* a piece of it elsewhere */
			n = n < len - from ? n : len - from;
			memmove(text + to + n, text + to, len + 1 - to);
			memcpy(text + to, all + from, n);
		} else if (i % 3 == 1) {	/* without a piece */
			n = n < len - from ? n : len - from;
			memmove(text + from, text + from + n, len + 1 - from - n);
		}
		for (j = 0; j < (i / 3) % 4; j++)
			text[(size_t)rand_r(&seed) % strlen(all)] = bytes[(size_t)rand_r(&seed) % (sizeof(bytes) - 1)];
		if (!udf_config_parse("f", text, &c, &err)) {
			assert_non_null(c);
			udf_config_free(c);
			taken++;
			continue;
		}
		assert_null(c);
		if (strncmp(err.text, "f:", 2))
			fail_msg("'%s' names no line of:\n%s", err.text, text);
	}
	/* both happen */
	assert_in_range(taken, 100, 19900);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_drop_ins(void **state)
{
	struct udf_error err = UDF_ERROR_INIT;
	char dir[] = "/tmp/udf-config-XXXXXX", path[100], drop[200];
	struct udf_config *c;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/u.conf", dir);
	assert_int_equal(udf_config_read(path, &c, &err), 0);	/* nothing is there: no ports */
	assert_int_equal(c->nr_ports, 0);
	udf_config_free(c);
	snprintf(drop, sizeof(drop), "%s.d", path);
	assert_int_equal(mkdir(drop, 0700), 0);
	write_file(path, "[port a]\ndevice=qemu:nvme\ncpus=1\n");
	snprintf(drop, sizeof(drop), "%s.d/20.conf", path);
	write_file(drop, "[port a]\ncpus=3\n");
	snprintf(drop, sizeof(drop), "%s.d/10.conf", path);
	write_file(drop, "[port a]\ncpus=2\n[port b]\ndevice=qemu:nvme\n");
	snprintf(drop, sizeof(drop), "%s.d/30.not", path);
	write_file(drop, "nonsense\n");
	assert_int_equal(udf_config_read(path, &c, &err), 0);
	assert_int_equal(c->nr_ports, 2);
	assert_string_equal(udf_config_port(c, "a")->option[1].value, "3");
	udf_config_free(c);
	snprintf(drop, sizeof(drop), "rm -r %s", dir);
	assert_int_equal(system(drop), 0);
}

static void test_equal(void **state)
{
	struct udf_config *c = good("[port a]\ndevice=qemu:x\ncpus=1\n[port b]\ndevice=qemu:x\ncpus=1\n[port c]\ndevice=qemu:x\ncpus=2\n");
	struct udf_port_settings copy;

	assert_true(udf_port_settings_equal(&c->port[0], &c->port[1]));
	assert_false(udf_port_settings_equal(&c->port[0], &c->port[2]));
	assert_true(udf_port_settings_copy(&copy, &c->port[0], "n", "pci:0000:01:00.0"));
	assert_string_equal(copy.name, "n");
	assert_string_equal(copy.device, "pci:0000:01:00.0");
	assert_string_equal(copy.option[0].value, "pci:0000:01:00.0");
	udf_port_settings_free(&copy);
	udf_config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports_and_defaults), cmocka_unit_test(test_block), cmocka_unit_test(test_block_differs),
		cmocka_unit_test(test_sections_add_up),
		cmocka_unit_test(test_errors_name_the_line), cmocka_unit_test(test_mutations), cmocka_unit_test(test_drop_ins),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
