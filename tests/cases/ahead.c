// SPDX-License-Identifier: GPL-2.0
/*
 * timeout: 200
 *
 * Booting before the port is known: kernel code that has booted in memory of its own goes on in the port's; if the port wants other CPUs, or has other
 * memory, it boots once more; and it ends if there is no port after all. Modules are loaded meanwhile, and those that the port does not have are unloaded.
 * Each time the disk works, memory grows, and nothing is left behind.
 *
 *	ahead [DEVICE]		a port whose memory has gaps, and that has a disk: it must not boot once more
 */
#include <dirent.h>

#include "common/log.h"
#include "front/internal.h"
#include "layout.h"
#include "load.h"

#define OF_NVME "crct10dif_common crc64 crct10dif_pclmul crct10dif_generic crc_t10dif crc64_rocksoft crc64_rocksoft_generic t10_pi nvme_core nvme"

static const struct {
	const char *what;
	const char *cpus, *memory;		/* that are booted with; NULL: as they are */
	const char *port_cpus, *port_memory;	/* of the port, NULL: the same */
	bool cancelled, waits;
	bool again;				/* it has to boot once more */
	const char *modules, *port_modules;	/* to be loaded ahead; that the port is said to have */
	const char *kept, *unloaded;		/* one of the first, afterwards */
} cases[] = {
	{ "one vCPU", .cpus = "1" },
	{ "two vCPUs", .cpus = "2" },
	{ "less memory", .cpus = "1", .memory = "48" },
	{ "a long wait", .cpus = "1", .waits = true },
	{ "a long wait of two", .cpus = "2", .waits = true },
	{ "more vCPUs", .cpus = "1", .port_cpus = "2", .again = true },
	{ "fewer vCPUs", .cpus = "2", .port_cpus = "1", .again = true },
	{ "other memory", .cpus = "1", .memory = "64", .port_memory = "48", .again = true },
	{ "its modules", .cpus = "1", .modules = "nvme crc7", .port_modules = OF_NVME " crc7", .kept = "crc7" },
	{ "its modules and a long wait", .cpus = "1", .waits = true, .modules = "crc7 nvme", .port_modules = "crc7", .kept = "crc7" },
	{ "another's modules", .cpus = "1", .modules = "e1000e nvme", .port_modules = OF_NVME, .unloaded = "e1000e" },
	{ "modules of who knows", .cpus = "1", .modules = "crc7 nvme", .unloaded = "crc7" },
	{ "no modules", .cpus = "1", .modules = "nonesuch" },
	{ "its modules, other memory", .cpus = "1", .memory = "64", .port_memory = "48", .again = true, .modules = "nvme crc7", .unloaded = "crc7" },
	{ "its modules with two vCPUs", .cpus = "2", .modules = "nvme crc7", .port_modules = OF_NVME " crc7", .kept = "crc7" },
	{ "another's modules and a long wait, with eight", .cpus = "8", .waits = true, .modules = "e1000e nvme", .port_modules = OF_NVME, .unloaded = "e1000e" },
	{ "its modules, cancelled", .cpus = "1", .cancelled = true, .modules = "nvme" },
	{ "cancelled", .cpus = "1", .cancelled = true },
	{ "cancelled with two", .cpus = "2", .cancelled = true },
	{ "cancelled with eight, after a long wait", .cpus = "8", .waits = true, .cancelled = true },
};

/* What is mapped of memory of our own. */
static unsigned int own_mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[4096];
	unsigned int n = 0;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, "memfd:udf-ahead") != NULL;
	fclose(f);
	return n;
}

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

static unsigned int current;
static const char *device;		/* NULL: QEMU's */
static unsigned int again;		/* times that it has said so */
static int booted;			/* the thread of vCPU 0, while it stands by */

static void on_message(void *ctx, int level, const char *text)
{
	fprintf(stderr, "udf: %s\n", text);
	again += strstr(text, "booting once more") != NULL;
}

struct has {
	const char *name;
	bool found;
};

static void compare_name(void *arg, const char *name, const char *file)
{
	struct has *has = arg;

	has->found = has->found || !strcmp(name, has->name);
}

static bool is_loaded(const char *name)
{
	struct has has = { .name = name };

	udf_driver_modules(NULL, compare_name, &has);
	return has.found;
}

static void set_modules(struct udf_options *o, const char *names)
{
	char *copy = strdup(names ?: ""), *rest = copy, *name;

	while ((name = strsep(&rest, " ")))
		if (*name)
			CHECK_OK(udf_options_ahead_module(o, name));
	free(copy);
}

static int stand_by(void *arg, struct udf_options *o)
{
	struct udf_error err = UDF_ERROR_INIT;

	/* it may have gone back for a moment */
	CHECK_OK(udf_ahead_wait(false, &err));
	booted = udf_host.vcpu[0].own_tid;
	CHECK_EQ(is_loaded("nvme"), cases[current].modules && strstr(cases[current].modules, "nvme"));
	if (cases[current].unloaded)
		CHECK(is_loaded(cases[current].unloaded));
	set_modules(o, cases[current].port_modules);
	/* the arena, and at least the stacks of the kernel's threads */
	CHECK(own_mappings() > 5);
	if (cases[current].waits)
		usleep(300000);		/* many turns */
	if (cases[current].cancelled)
		return -ECANCELED;
	CHECK(!udf_options_set(o, "device", device ?: "qemu:nvme,serial=a") && (device || !udf_options_set(o, "drive", "disk.img")));
	if (cases[current].port_cpus)
		CHECK(!udf_options_set(o, "cpus", cases[current].port_cpus));
	if (cases[current].port_memory)
		CHECK(!udf_options_set(o, "memory", cases[current].port_memory));
	return 0;
}

static bool is_gap(uint64_t offset)
{
	for (unsigned int i = 1; i < udf_host.nr_ranges; i++)
		if (udf_host.ranges[i].offset == offset)
			return true;
	return false;
}

/* Behind a gap nobody gets the first page, or else it may become one segment with the last before it; where there is none it is free. */
static void check_gaps(void)
{
	const uint64_t reserved = 1u << 12;	/* PG_reserved */

	if (device) {
		printf("%u ranges\n", udf_host.nr_ranges);
		CHECK(udf_host.nr_ranges > 4 && !again);
	}
	for (uint64_t at = HOST_BLOCK_MAX; at < udf_host.arena_size / 2; at += HOST_BLOCK_MAX) {
		uint64_t page = UDF_VMEMMAP_BASE + ((UDF_ARENA_BASE + at) / 4096) * 64;

		CHECK_EQ(*(uint64_t *)page & reserved, is_gap(at) ? reserved : 0);
	}
}

/* More than any of them has at the start. */
static void grow(struct udf *udf)
{
	void *buffer[80];

	for (unsigned int i = 0; i < 80; i++)
		CHECK((buffer[i] = udf_buf_alloc(udf, 1 << 20)));
	CHECK(udf_host.arena_size > 80ull << 20);
	for (unsigned int i = 0; i < 80; i++)
		udf_buf_free(udf, buffer[i]);
}

static void run(void)
{
	struct udf_options *o = udf_options_new();
	struct udf *udf;
	int ret;

	CHECK(o);
	udf_options_log(o, test_on_log, &test_log);
	udf_options_standby(o, stand_by, NULL);
	udf_options_ahead(o);
	CHECK(!udf_options_set(o, "cpus", cases[current].cpus));
	if (cases[current].memory)
		CHECK(!udf_options_set(o, "memory", cases[current].memory));
	set_modules(o, cases[current].modules);
	udf_ahead_turn_ms = cases[current].waits ? 20 : 600000;
	ret = udf_open(o, &udf);
	if (cases[current].cancelled) {
		CHECK_EQ(ret, -ECANCELED);
	} else {
		if (ret)
			FAIL("%s: %s", cases[current].what, udf_options_error(o));
		CHECK_EQ(own_mappings(), 0);
		CHECK_EQ(udf_host.ahead, UDF_AHEAD_NO);
		CHECK_EQ(udf_host.vcpu[0].own_tid != booted, cases[current].again);
		CHECK_EQ(udf_cpus(udf), atoi(cases[current].port_cpus ?: cases[current].cpus));
		CHECK_EQ(udf_host.arena_own, 0);
		CHECK(is_loaded("nvme"));
		if (cases[current].kept)
			CHECK(is_loaded(cases[current].kept));
		if (cases[current].unloaded)
			CHECK(!is_loaded(cases[current].unloaded));
		check_gaps();
		load_some(udf, current, 300);
		grow(udf);
		load_some(udf, current, 300);
		CHECK_OK(udf_close(udf));
	}
	udf_options_free(o);
	CHECK_EQ(own_mappings(), 0);
}

int main(int argc, char **argv)
{
	unsigned int files = 0, threads = 0;

	test_find_build();
	udf_log_set_sink(on_message, NULL);
	device = argv[1];
	for (current = 0; argc > 1 && current < 2; current++)
		run();
	if (argc > 1)
		return 0;
	test_file("disk.img", 8ull << 20);
	for (unsigned int round = 0; round < 2; round++) {
		for (current = 0; current < sizeof(cases) / sizeof(cases[0]); current++) {
			double start = test_now();

			run();
			printf("%s: %.0f ms\n", cases[current].what, (test_now() - start) * 1000);
			if (!current && !round) {
				files = entries("/proc/self/fd");
				threads = entries("/proc/self/task");
			}
			CHECK_EQ(entries("/proc/self/fd"), files);
			CHECK_EQ(entries("/proc/self/task"), threads);
		}
	}
	test_no_complaints();
	return 0;
}
