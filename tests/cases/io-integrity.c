// SPDX-License-Identifier: GPL-2.0
/*
 * Data integrity: random ranges of 512 bytes to 1 MiB, 1 to 64 in flight, by several threads over queues of their own, a shared one
 * and one with a thread of libudf; memory in place and copied, in one piece and in many. All that is read is verified, and
 * the backing file at the end. On one and on two vCPUs, with blocks of 512 and of 4096 bytes.
 */
#include "load.h"

#define SIZE (64ull << 20)

static void run(const char *cpus, const char *device, double seconds)
{
	struct udf_queue *own, *shared, *threaded;
	struct udf_stats stats;
	struct udf_disk *disk;
	struct udf *udf;
	struct load l;
	double longest;

	test_file("disk.img", SIZE);
	udf = test_open("device", device, "drive", "disk.img", "cpus", cpus, NULL);
	disk = test_disk(udf);
	load_init(&l, udf, disk, 7 + *cpus);
	CHECK_EQ(l.blocks * l.block, SIZE);
	CHECK_OK(udf_queue_open(udf, -1, 64, 0, &own));
	CHECK_OK(udf_queue_open(udf, -1, 32, 0, &shared));
	CHECK_OK(udf_queue_open(udf, -1, 0, UDF_QUEUE_THREAD, &threaded));
	load_start(&l, own, 64);
	load_start(&l, shared, 24);
	load_start(&l, shared, 24);	/* 48 want into 32 */
	load_start(&l, threaded, 8);
	longest = load_run(&l, seconds);
	load_stop(&l);
	CHECK_OK(udf_pflush(NULL, disk));
	udf_stats(udf, &stats);
	CHECK_OK(udf_close(udf));
	printf("%s, %s vCPUs, blocks of %u: ", device, cpus, l.block);
	load_report(&l);
	printf("%llu copied, longest pause %.2f s\n", (unsigned long long)stats.bounced, longest);
	for (unsigned int i = 0; i < 5; i++)
		CHECK(atomic_load(&l.kinds[i]));
	CHECK(stats.bounced && stats.bounced < stats.requests);
	load_check_file(&l, "disk.img");
	load_free(&l);
}

int main(void)
{
	double s = test_seconds(5, 60);

	run("1", "qemu:nvme,serial=a", s);
	run("2", "qemu:nvme,serial=a", s);
	run("2", "qemu:nvme,serial=a,logical_block_size=4096,physical_block_size=4096", s / 2);
	test_no_complaints();
	return 0;
}
