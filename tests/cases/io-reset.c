// SPDX-License-Identifier: GPL-2.0
/*
 * The port's function is reset again and again while verified requests are in flight: the driver performs them anew, none fails,
 * nothing is lost or torn.
 */
#include "load.h"
#include "nvme-plain.h"

#define SIZE (32ull << 20)

static void run(const char *cpus, double seconds)
{
	struct load_watch w = { 0 };
	unsigned int resets = 0;
	struct udf_disk *disk;
	struct udf_queue *q;
	struct udf *udf;
	struct load l;
	double end;

	test_file("disk.img", SIZE);
	udf = test_open("device", "qemu:nvme,serial=a", "drive", "disk.img", "cpus", cpus, "module", "none", NULL);
	plain_load(udf, NULL, NULL);
	disk = test_disk(udf);
	load_init(&l, udf, disk, 4);
	l.max_bytes = 256 << 10;
	CHECK_OK(udf_queue_open(udf, -1, 64, 0, &q));
	load_start(&l, q, 24);
	load_start(&l, q, 24);
	end = test_now() + seconds;
	while (test_now() < end) {
		unsigned long done = atomic_load(&l.done);

		CHECK_OK(udf_reset(udf));
		resets++;
		/* some requests between two resets */
		while (atomic_load(&l.done) < done + 100) {
			load_look(&l, &w);
			sched_yield();
		}
	}
	load_stop(&l);
	CHECK_OK(udf_pflush(q, disk));
	CHECK_OK(udf_close(udf));
	printf("%s vCPUs, %u resets: ", cpus, resets);
	load_report(&l);
	printf("longest pause %.2f s\n", w.longest);
	CHECK(resets > 5);
	CHECK_EQ(atomic_load(&l.failed), 0);
	load_check_file(&l, "disk.img");
	load_free(&l);
}

int main(void)
{
	double s = test_seconds(5, 60);

	run("1", s);
	run("2", s);
	test_no_complaints();
	return 0;
}
