// SPDX-License-Identifier: GPL-2.0
/*
 * timeout: 200
 *
 * Booting before the port is known: kernel code that has booted in memory of its own goes on in the port's; if the port wants other CPUs, or has other
 * memory, it boots once more; and it ends if there is no port after all. Each time the disk works, memory grows, and nothing is left behind.
 *
 *	ahead [DEVICE]		a port whose memory has gaps, and that has a disk: it must not boot once more
 */
#include <dirent.h>

#include "common/log.h"
#include "front/internal.h"
#include "layout.h"
#include "load.h"

static const struct {
	const char *what;
	const char *cpus, *memory;		/* that are booted with; NULL: as they are */
	const char *port_cpus, *port_memory;	/* of the port, NULL: the same */
	bool cancelled, waits;
	bool again;				/* it has to boot once more */
} cases[] = {
	{ "one vCPU", "1", NULL, NULL, NULL, false, false, false },
	{ "two vCPUs", "2", NULL, NULL, NULL, false, false, false },
	{ "less memory", "1", "48", NULL, NULL, false, false, false },
	{ "a long wait", "1", NULL, NULL, NULL, false, true, false },
	{ "a long wait of two", "2", NULL, NULL, NULL, false, true, false },
	{ "more vCPUs", "1", NULL, "2", NULL, false, false, true },
	{ "fewer vCPUs", "2", NULL, "1", NULL, false, false, true },
	{ "other memory", "1", "64", NULL, "48", false, false, true },
	{ "cancelled", "1", NULL, NULL, NULL, true, false, false },
	{ "cancelled with two", "2", NULL, NULL, NULL, true, false, false },
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
static unsigned int again;

static void on_message(void *ctx, int level, const char *text)
{
	fprintf(stderr, "udf: %s\n", text);
	again += strstr(text, "booting once more") != NULL;
}

static int stand_by(void *arg, struct udf_options *o)
{
	CHECK_EQ(udf_host.ahead, UDF_AHEAD_WAITING);
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
	udf_ahead_turn_ms = cases[current].waits ? 20 : 600000;
	ret = udf_open(o, &udf);
	if (cases[current].cancelled) {
		CHECK_EQ(ret, -ECANCELED);
	} else {
		if (ret)
			FAIL("%s: %s", cases[current].what, udf_options_error(o));
		CHECK_EQ(own_mappings(), 0);
		CHECK_EQ(udf_host.ahead, UDF_AHEAD_NO);
		CHECK_EQ(udf_cpus(udf), atoi(cases[current].port_cpus ?: cases[current].cpus));
		CHECK_EQ(udf_host.arena_own, 0);
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
