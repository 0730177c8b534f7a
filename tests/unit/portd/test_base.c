// SPDX-License-Identifier: GPL-2.0
/* portd/base: shared.c, backoff.c, records.c, pci.c */
#define _GNU_SOURCE
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/packet.h"
#include "base/pci.h"
#include "base/records.h"
#include "base/shared.h"

/* ---- shared memory ---- */

static unsigned int count_lines(const struct udf_strbuf *sb)
{
	unsigned int n = 0;
	size_t i;

	for (i = 0; i < sb->len; i++)
		n += sb->data[i] == '\n';
	return n;
}

static void test_log(void **state)
{
	struct udf_strbuf sb = UDF_STRBUF_INIT;
	struct udf_shared *s, *other;
	uint64_t pos = 0;
	int fd, i;

	s = udf_shared_new(&fd);
	assert_non_null(s);
	other = udf_shared_map(fd);
	assert_non_null(other);
	assert_true(udf_shared_log(s, 3, "one\ntwo"));
	assert_false(udf_shared_log(s, 6, "three"));	/* it was told already */
	udf_shared_read_log(other, &pos, &sb);
	assert_int_equal(count_lines(&sb), 2);
	assert_non_null(strstr(sb.data, " one two\n6 "));
	assert_true(udf_shared_log(s, 6, "four"));
	/* more than there is room for: the last of it, in whole lines but perhaps for the first */
	for (i = 0; i < 20000; i++) {
		char text[40];

		snprintf(text, sizeof(text), "line number %d", i);
		udf_shared_log(s, 6, text);
	}
	udf_strbuf_reset(&sb);
	udf_shared_read_log(other, &pos, &sb);
	assert_true(sb.len > UDF_SHARED_LOG - 100 && sb.len <= UDF_SHARED_LOG);
	assert_non_null(strstr(sb.data + sb.len - 20, " 19999\n"));
	udf_strbuf_reset(&sb);
	udf_shared_read_log(other, &pos, &sb);
	assert_int_equal(sb.len, 0);
	/* a liar: the counter goes back, or far ahead */
	s->logged = 3;
	udf_shared_read_log(other, &pos, &sb);
	s->logged = UINT64_MAX - 5;
	udf_shared_read_log(other, &pos, &sb);
	s->logged = 1ull << 40;
	memset(s->log, 'x', sizeof(s->log));	/* no line ends */
	udf_strbuf_reset(&sb);
	udf_shared_read_log(other, &pos, &sb);
	assert_int_equal(sb.len, 0);
	udf_strbuf_free(&sb);
	udf_shared_unmap(s);
	udf_shared_unmap(other);
	close(fd);
}

static void test_not_shared_memory(void **state)
{
	int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_null(udf_shared_map(fd));
	assert_int_equal(ftruncate(fd, sizeof(struct udf_shared)), 0);
	assert_null(udf_shared_map(fd));	/* could be made shorter */
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_null(udf_shared_map(fd));	/* is something else */
	close(fd);
	assert_null(udf_shared_map(fd));
}

/* ---- back-off ---- */

static void test_backoff(void **state)
{
	struct udf_backoff b = { .min_ms = 200, .max_ms = 5000, .stable_ms = 60000 };
	unsigned int i, last = 0;

	assert_int_equal(udf_backoff_next(&b, 10, 0), 0);		/* at once */
	assert_int_equal(udf_backoff_next(&b, 10, UINT32_MAX), 200);
	assert_int_equal(udf_backoff_next(&b, 10, 0), 200);		/* half of 400 */
	assert_int_equal(udf_backoff_next(&b, 10, UINT32_MAX), 800);
	for (i = 0; i < 1000; i++) {
		last = udf_backoff_next(&b, 59999, i * 4294967u);
		assert_true(last >= 800 && last <= 5000);
	}
	assert_true(last > 2500);
	assert_int_equal(udf_backoff_next(&b, 60000, 0), 0);		/* it has run well */
	b = (struct udf_backoff){ 0 };
	udf_backoff_next(&b, 0, 7);
	assert_int_equal(udf_backoff_next(&b, 0, 7), 0);
}

/* ---- records ---- */

struct seen {
	int n, first, last;
};

static void see(void *arg, struct json_object *record)
{
	struct seen *s = arg;

	s->last = (int)udf_packet_number(record, "i", -1);
	if (!s->n++)
		s->first = s->last;
	json_object_put(record);
}

static void test_records(void **state)
{
	struct udf_error err = UDF_ERROR_INIT;
	char dir[] = "/tmp/udf-records-XXXXXX", path[200];
	struct seen seen = { 0 };
	int i, fd;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sub/failures", dir);
	udf_records_each(path, "p", see, &seen);
	assert_int_equal(seen.n, 0);
	for (i = 0; i < 10; i++) {
		struct json_object *o = json_object_new_object();

		udf_packet_add_number(o, "i", i);
		assert_int_equal(udf_records_add(path, "p", 4, o, &err), 0);
		json_object_put(o);
	}
	snprintf(path, sizeof(path), "%s/sub/failures/p/00000008.json", dir);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "{ broken", 8), 8);
	close(fd);
	snprintf(path, sizeof(path), "%s/sub/failures", dir);
	udf_records_each(path, "p", see, &seen);
	assert_int_equal(seen.n, 3);
	assert_int_equal(seen.first, 6);
	assert_int_equal(seen.last, 9);
	snprintf(path, sizeof(path), "rm -r %s", dir);
	assert_int_equal(system(path), 0);
}

static void test_records_cannot_be_written(void **state)
{
	struct json_object *o = udf_packet_new("a", "b");
	struct udf_error err = UDF_ERROR_INIT;

	assert_int_equal(udf_records_add("/dev/null", "p", 4, o, &err), -ENOTDIR);
	assert_non_null(strstr(err.text, "/dev/null/p: the failure cannot be recorded"));
	json_object_put(o);
}

/* ---- PCI ---- */

static void test_addresses(void **state)
{
	struct udf_pci_match m;
	char a[UDF_PCI_ADDRESS_LEN];

	assert_true(udf_pci_address("3:0.1", a));
	assert_string_equal(a, "0000:03:00.1");
	assert_true(udf_pci_address("0001:AB:1f.7", a));
	assert_string_equal(a, "0001:ab:1f.7");
	assert_false(udf_pci_address("0000:03:20.0", a));
	assert_false(udf_pci_address("0000:03:00.8", a));
	assert_false(udf_pci_address("0000:03:00.0x", a));
	assert_false(udf_pci_address("", a));
	assert_false(udf_pci_address(" 03:00.0", a));
	assert_true(udf_pci_match_parse("class=01", &m));
	assert_int_equal(m.class_code, 0x010000);
	assert_int_equal(m.class_mask, 0xff0000);
	assert_true(udf_pci_match_parse("class=010802", &m));
	assert_int_equal(m.class_mask, 0xffffff);
	assert_false(udf_pci_match_parse("class=1", &m));
	assert_false(udf_pci_match_parse("class=zz", &m));
	assert_true(udf_pci_match_parse("id=8086:0953", &m));
	assert_int_equal(m.device, 0x953);
	assert_false(udf_pci_match_parse("id=8086", &m));
	assert_true(udf_pci_match_parse("0000:03:00.0,mask=40", &m));
	assert_string_equal(m.options, ",mask=40");
	assert_false(udf_pci_match_parse("nonsense-that-is-longer-than-any-address-can-be", &m));
}

static char sys[] = "/tmp/udf-sysfs-XXXXXX";

static void attribute(const char *address, const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/bus/pci/%s%s%s", sys, address, *address ? "/" : "", name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void folder(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", sys, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

static void function(const char *address, const char *class, const char *vendor, const char *device)
{
	char path[100];

	snprintf(path, sizeof(path), "bus/pci/devices/%s", address);
	folder(path);
	snprintf(path, sizeof(path), "devices/%s", address);
	attribute(path, "class", class);
	attribute(path, "vendor", vendor);
	attribute(path, "device", device);
	attribute(path, "driver_override", "");
}

static unsigned int find(const char *text)
{
	struct udf_error err = UDF_ERROR_INIT;
	char (*list)[UDF_PCI_ADDRESS_LEN];
	struct udf_pci_match m;
	unsigned int n;

	assert_true(udf_pci_match_parse(text, &m));
	assert_int_equal(udf_pci_find(&m, &list, &n, &err), 0);
	free(list);
	return n;
}

static void test_sysfs(void **state)
{
	struct udf_error err = UDF_ERROR_INIT;
	char driver[64], path[PATH_MAX], text[64] = "";
	FILE *f;

	assert_non_null(mkdtemp(sys));
	setenv("UDF_SYSFS", sys, 1);
	assert_int_equal(find("class=01"), 0);
	folder("bus");
	folder("bus/pci");
	folder("bus/pci/devices");
	folder("bus/pci/drivers");
	function("0000:03:00.0", "0x010802\n", "0x8086\n", "0x0953\n");
	function("0000:03:00.1", "0x010802\n", "0x8086\n", "0x0954\n");
	function("0000:04:00.0", "0x020000\n", "0x8086\n", "0x10d3\n");
	assert_int_equal(find("class=0108"), 2);
	assert_int_equal(find("class=010801"), 0);
	assert_int_equal(find("id=8086:10d3"), 1);
	assert_int_equal(find("04:00.0"), 1);
	assert_int_equal(find("05:00.0"), 0);

	assert_int_equal(udf_pci_bind("0000:05:00.0", &err), -ENODEV);
	assert_non_null(strstr(err.text, "no such PCI function"));
	err = (struct udf_error)UDF_ERROR_INIT;
	assert_int_equal(udf_pci_bind("0000:03:00.0", &err), -ENOENT);
	assert_non_null(strstr(err.text, "modprobe udf_port"));
	folder("bus/pci/drivers/udf_port");
	attribute("", "drivers_probe", "");
	err = (struct udf_error)UDF_ERROR_INIT;
	assert_int_equal(udf_pci_bind("0000:03:00.0", &err), -ENODEV);	/* nobody probes in here */
	assert_non_null(strstr(err.text, "udf_port does not take it: nobody has it"));
	snprintf(path, sizeof(path), "%s/bus/pci/devices/0000:03:00.0/driver_override", sys);
	f = fopen(path, "r");
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_string_equal(text, "udf_port\n");
	snprintf(path, sizeof(path), "%s/bus/pci/devices/0000:03:00.1/driver", sys);
	assert_int_equal(symlink("../../drivers/nvme", path), 0);
	assert_int_equal(udf_pci_driver("0000:03:00.1", driver, sizeof(driver)), 0);
	assert_string_equal(driver, "nvme");
	assert_false(udf_pci_isolated("0000:03:00.0"));
	folder("bus/pci/devices/0000:03:00.0/iommu_group");
	attribute("devices/0000:03:00.0", "iommu_group/type", "identity\n");
	assert_false(udf_pci_isolated("0000:03:00.0"));
	attribute("devices/0000:03:00.0", "iommu_group/type", "DMA-FQ\n");
	assert_true(udf_pci_isolated("0000:03:00.0"));
	err = (struct udf_error)UDF_ERROR_INIT;
	assert_int_equal(udf_pci_unbind("0000:03:00.1", &err), -EINVAL);
	assert_non_null(strstr(err.text, "nvme has it"));
	unsetenv("UDF_SYSFS");
	snprintf(path, sizeof(path), "rm -r %s", sys);
	assert_int_equal(system(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log), cmocka_unit_test(test_not_shared_memory), cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_records), cmocka_unit_test(test_records_cannot_be_written), cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_sysfs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
