// SPDX-License-Identifier: GPL-2.0
/*
 * The MSI-X table is plain memory while the function sends no messages, and what was written to it counts afterwards: interrupts come, after a reset of
 * the function and after loading the driver anew, too. nvme's has 65 entries, each of which the PCI core writes twice: they do not trap.
 */
#include "udf-test.h"

#define ENTRIES 65

static uint64_t traps(struct udf *udf)
{
	struct udf_stats stats;

	udf_stats(udf, &stats);
	return stats.traps;
}

static void works(struct udf *udf, uint64_t before, const char *what)
{
	struct udf_disk *disk = test_disk(udf);
	char data[4096];

	CHECK_OK(udf_pread(NULL, disk, data, sizeof(data), 0));
	udf_disk_close(disk);
	printf("%s: %llu traps\n", what, (unsigned long long)(traps(udf) - before));
	/* the others are registers, which QEMU's transport cannot map */
	CHECK(traps(udf) - before < 3 * ENTRIES);
}

static void run(const char *cpus)
{
	struct udf *udf = test_open("device", "qemu:nvme,serial=a", "size", "1M", "cpus", cpus, NULL);
	uint64_t before;

	works(udf, 0, "start");
	before = traps(udf);
	CHECK_OK(udf_reset(udf));
	works(udf, before, "reset");
	CHECK_OK(udf_unload(udf, "nvme"));
	before = traps(udf);
	CHECK_OK(udf_load(udf, "nvme", NULL));
	works(udf, before, "anew");
	CHECK_OK(udf_close(udf));
}

int main(void)
{
	run("1");
	run("2");
	test_no_complaints();
	return 0;
}
