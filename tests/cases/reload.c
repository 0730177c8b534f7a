// SPDX-License-Identifier: GPL-2.0
/*
 * The driver is unloaded and loaded twenty times in one process, and the whole port opened and closed five times; each time the
 * disk works. Nothing grows: neither the process, nor what the kernel code has taken from its page allocator, nor descriptors,
 * mappings and threads.
 */
#include <dirent.h>

#include "load.h"

#define SIZE		(8ull << 20)
#define RELOADS		20
#define WARM_UP		5
#define OPENS		5
#define GROWTH_KIB	1024

struct figures {
	struct test_memory memory;
	unsigned int files, maps, threads;
};

static unsigned int entries(const char *path)
{
	DIR *d = opendir(path);
	unsigned int n = 0;

	CHECK(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static unsigned int lines(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned int n = 0;
	int c;

	CHECK(f);
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static struct figures take(struct udf *udf)
{
	struct figures f = {
		.files = entries("/proc/self/fd"), .maps = lines("/proc/self/maps"), .threads = entries("/proc/self/task"),
	};

	if (udf)
		f.memory = test_memory();
	else
		f.memory.private_kib = test_smaps("Private_Dirty:");
	return f;
}

static void show(const char *what, unsigned int n, const struct figures *f)
{
	printf("%s %2u: private %ld KiB, free %ld KiB, %u files, %u mappings, %u threads\n", what, n, f->memory.private_kib,
	       f->memory.free_kib, f->files, f->maps, f->threads);
}

static void compare(const struct figures *before, const struct figures *after)
{
	CHECK_EQ(after->files, before->files);
	CHECK_EQ(after->threads, before->threads);
	if (after->maps > before->maps + 40)	/* kernel stacks lie apart or side by side */
		FAIL("%u mappings more", after->maps - before->maps);
	if (after->memory.private_kib > before->memory.private_kib + GROWTH_KIB)
		FAIL("the process has grown by %ld KiB", after->memory.private_kib - before->memory.private_kib);
	if (after->memory.free_kib < before->memory.free_kib - GROWTH_KIB)
		FAIL("the kernel code has taken %ld KiB more", before->memory.free_kib - after->memory.free_kib);
}

static void test_reload(const char *cpus)
{
	struct udf *udf = test_open("device", "qemu:nvme,serial=a", "drive", "disk.img", "cpus", cpus, NULL);
	struct figures warm, f;

	for (unsigned int i = 0; i < RELOADS; i++) {
		load_some(udf, i, 200);
		CHECK_OK(udf_unload(udf, "nvme"));
		CHECK_EQ(udf_disks(udf, NULL, 0), 0);
		CHECK_OK(udf_unload(udf, "nvme_core"));
		f = take(udf);
		if (i + 1 == WARM_UP)
			warm = f;
		if ((i + 1) % 5 == 0)
			show("reload", i + 1, &f);
		CHECK_OK(udf_load(udf, "nvme", NULL));
	}
	compare(&warm, &f);
	load_some(udf, RELOADS, 200);
	CHECK_OK(udf_close(udf));
}

static void test_reopen(void)
{
	struct figures warm, f;

	for (unsigned int i = 0; i < OPENS; i++) {
		struct udf *udf = test_open("device", "qemu:nvme,serial=a", "drive", "disk.img", "cpus", i & 1 ? "1" : "2", NULL);

		load_some(udf, i, 200);
		CHECK_OK(udf_close(udf));
		f = take(NULL);
		if (i == 1)
			warm = f;
		show("open", i + 1, &f);
	}
	compare(&warm, &f);
}

int main(void)
{
	test_file("disk.img", SIZE);
	test_reload("1");
	test_reload("2");
	test_reopen();
	test_no_complaints();
	return 0;
}
