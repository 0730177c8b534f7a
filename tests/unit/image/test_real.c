// SPDX-License-Identifier: GPL-2.0
/* The distribution's own kernel, where one is found: prepared whole, checked, run a little. Skipped otherwise. */
#define _GNU_SOURCE
#include "unit.h"

#include <asm/prctl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "image/fake_kapi.h"
#include "image/image.h"

static char vmlinuz[1024], release[65], folder[256];

static int setup(void **state)
{
	struct udf_error err = UDF_ERROR_INIT;

	fake_folder(folder, sizeof(folder));
	if (udf_image_find(NULL, vmlinuz, sizeof(vmlinuz), NULL, 0, release, sizeof(release), &err))
		vmlinuz[0] = 0;
	return 0;
}

static int teardown(void **state)
{
	fake_folder_remove(folder);
	return 0;
}

static struct udf_image *open_real(const char *kapi)
{
	struct udf_image_options opts = { .vmlinuz = vmlinuz, .release = release, .cache_dir = folder, .kapi = kapi };
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_image *image;

	if (!vmlinuz[0])
		skip();
	if (udf_image_open(&opts, &image, &err))
		fail_msg("%s", err.text);
	return image;
}

/* Every export is the symbol of that name; nothing in the kernel was an unknown pattern. */
static void test_consistent(void **state)
{
	static const char *const names[] = { "schedule", "kfree", "pci_enable_device", "jiffies", "blk_mq_start_request", "memcpy" };
	struct udf_image *image = open_real("");
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_image_info info;
	uint64_t load, start, end, value, offset;
	struct udf_export x;
	size_t i;

	assert_string_equal(udf_image_release(image), release);
	assert_int_equal(strncmp(udf_image_vermagic(image), release, strlen(release)), 0);
	assert_int_equal(strlen(udf_image_build_id(image)), 40);
	udf_image_info(image, &info);
	assert_true(info.symbols > 50000 && info.exports > 5000);
	assert_true(info.returns > 10000 && info.retpolines > 1000 && info.fentry > 10000);
	assert_int_equal(info.unknown_sites, 0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(udf_image_export(image, names[i], &x), 0);
		assert_int_equal(x.addr, udf_image_symbol(image, names[i]));
		assert_int_not_equal(x.crc, 0);
		assert_non_null(udf_image_symbolize(image, x.addr, &offset));
		assert_int_equal(offset, 0);
	}
	assert_true(udf_image_lookup(image, "__per_cpu_load", &load) && udf_image_lookup(image, "__per_cpu_start", &start) &&
		    udf_image_lookup(image, "__per_cpu_end", &end));
	assert_int_equal(start, 0);
	assert_true(end > 4096 && end < 1 << 20 && load % 4096 == 0);
	assert_int_equal(udf_image_export(image, "this_cpu_off", &x), 0);
	assert_true(x.percpu && x.addr < end);
	assert_true(udf_image_lookup(image, "current_task", &value));
	assert_true(value < end);
	assert_int_equal(udf_image_verify(info.file, &err), 0);
	udf_image_close(image);
}

/* %gs leads to a copy of the per-CPU template: that is where the stack protector's canary is. */
static void give_percpu_area(const struct udf_image *image)
{
	size_t size = udf_image_symbol(image, "__per_cpu_end");
	void *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(area, MAP_FAILED);
	memcpy(area, (void *)udf_image_symbol(image, "__per_cpu_load"), size);
	assert_int_equal(syscall(SYS_arch_prctl, ARCH_SET_GS, area), 0);
}

/* Kernel functions that need nothing of a running kernel, called where they are mapped. */
static void test_runs(void **state)
{
	struct udf_image *image = open_real("");
	struct udf_error err = UDF_ERROR_INIT;
	unsigned int (*crc32_le)(unsigned int, const unsigned char *, size_t);
	int (*strcasecmp_k)(const char *, const char *);
	int (*kstrtoint)(const char *, unsigned int, int *);
	int value = 0;

	if (udf_image_map(image, &err))
		fail_msg("%s", err.text);
	give_percpu_area(image);
	crc32_le = (void *)udf_image_symbol(image, "crc32_le");
	strcasecmp_k = (void *)udf_image_symbol(image, "strcasecmp");
	kstrtoint = (void *)udf_image_symbol(image, "kstrtoint");
	assert_true(crc32_le && strcasecmp_k && kstrtoint);
	assert_int_equal(~crc32_le(~0u, (const unsigned char *)"123456789", 9), 0xcbf43926);
	assert_int_equal(strcasecmp_k("UDF", "udf"), 0);
	assert_int_equal(kstrtoint("-1234", 10, &value), 0);
	assert_int_equal(value, -1234);
	assert_int_equal(kstrtoint("12x", 10, &value), -EINVAL);
	udf_image_close(image);
}

static const int32_t *table(struct udf_image *image, const char *from, const char *to, size_t *bytes)
{
	uint64_t start = udf_image_symbol(image, from), stop = udf_image_symbol(image, to);

	assert_true(start && stop > start);
	*bytes = (size_t)(stop - start);
	return (const int32_t *)start;
}

/* What boot would sort and compute is as boot would have it. */
static void test_tables(void **state)
{
	struct udf_image *image = open_real("");
	struct udf_error err = UDF_ERROR_INIT;
	const int32_t *ip, *labels, *calls;
	size_t nr_ips, nr_blocks, n, i, at = 0;
	uint64_t text, key, last = 0;
	const uint32_t *blocks;

	if (udf_image_map(image, &err))
		fail_msg("%s", err.text);
	ip = table(image, "__start_orc_unwind_ip", "__stop_orc_unwind_ip", &nr_ips);
	blocks = (const uint32_t *)table(image, "orc_lookup", "orc_lookup_end", &nr_blocks);
	text = udf_image_symbol(image, "_stext");
	nr_blocks /= 4;
	assert_int_equal(*(const uint32_t *)udf_image_symbol(image, "lookup_num_blocks"), nr_blocks);
	assert_int_equal(*(const uint8_t *)udf_image_symbol(image, "orc_init"), 1);
	for (i = 0; i < nr_blocks; i++) {
		uint64_t block = i + 1 < nr_blocks ? text + i * 256 : udf_image_symbol(image, "_etext");

		assert_in_range(blocks[i], at, nr_ips / 4 - 1);
		at = blocks[i];
		assert_true((uint64_t)(ip + at) + ip[at] <= block && (uint64_t)(ip + at + 1) + ip[at + 1] > block);
	}
	labels = table(image, "__start___jump_table", "__stop___jump_table", &n);
	for (i = 0; i < n / 16; i++) {
		key = ((uint64_t)(labels + 4 * i + 2) + *(const uint64_t *)(labels + 4 * i + 2)) & ~3ull;
		assert_true(key >= last && udf_image_symbolize(image, key, &(uint64_t){ 0 }));
		assert_true(key > last || !i || (uint64_t)(labels + 4 * i) + labels[4 * i] > (uint64_t)(labels + 4 * i - 4) + labels[4 * i - 4]);
		last = key;
	}
	calls = table(image, "__start_static_call_sites", "__stop_static_call_sites", &n);
	for (i = 0, last = 0; i < n / 8; i++) {
		key = ((uint64_t)(calls + 2 * i + 1) + calls[2 * i + 1]) & ~3ull;
		assert_true(key >= last);
		last = key;
	}
	udf_image_close(image);
}

/* A hook in a real function, one that starts with a call of __fentry__, and one that is a static call. */
static void test_hooked(void **state)
{
	const struct fake_kapi what = { .replace = { "schedule", "sched_clock", "native_sched_clock", "vmalloc" }, .thunks = 1 };
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_image *image;
	struct udf_export x;
	char path[1024];
	size_t len;
	void *object;

	if (!vmlinuz[0])
		skip();
	object = fake_kapi(&what, &len);
	fake_file(folder, "kapi.o", object, len, path, sizeof(path));
	free(object);
	image = open_real(path);
	if (udf_image_map(image, &err))
		fail_msg("%s", err.text);
	assert_int_equal(udf_image_export(image, "schedule", &x), 0);
	assert_true(x.replaced);
	assert_int_equal(((int (*)(void))udf_image_symbol(image, "schedule"))(), 7);
	assert_int_equal(((int (*)(void))udf_image_symbol(image, "native_sched_clock"))(), 7);
	udf_image_close(image);
}

/* vmlinuz cut at several places. */
static void test_truncated(void **state)
{
	static const unsigned int parts[] = { 0, 1, 8, 33, 64, 99 };
	struct stat st;
	uint8_t *data;
	FILE *f;
	size_t i;

	if (!vmlinuz[0])
		skip();
	f = fopen(vmlinuz, "r");
	assert_int_equal(fstat(fileno(f), &st), 0);
	data = malloc((size_t)st.st_size);
	assert_int_equal(fread(data, 1, (size_t)st.st_size, f), st.st_size);
	fclose(f);
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct udf_error err = UDF_ERROR_INIT;
		char path[1024], out[1024];
		struct udf_image_options opts = { .vmlinuz = path, .cache_dir = folder, .kapi = "" };

		fake_file(folder, "cut", data, (size_t)st.st_size * parts[i] / 100, path, sizeof(path));
		assert_int_not_equal(udf_image_prepare(&opts, false, out, sizeof(out), &err), 0);
		assert_non_null(strstr(err.text, path));
	}
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_consistent),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_hooked),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
