// SPDX-License-Identifier: GPL-2.0
/*
 * A queue that is 64 deep all the time, for a minute, half of it on each number of vCPUs (four with UDF_LONG=1): everything verified, never
 * a stall (load_look()), and memory that does not grow, neither the process's nor what the kernel code has taken from its page allocator.
 */
#include "load.h"

#define SIZE		(64ull << 20)
#define GROWTH_KIB	1024

/* The worst of what a quarter of the run showed. */
struct figures {
	long private_max, free_min;
};

static struct figures watch(struct load *l, struct load_watch *w, double seconds)
{
	struct figures f = { .free_min = LONG_MAX };
	double end = test_now() + seconds, next = 0;

	while (test_now() < end) {
		load_look(l, w);
		load_pause();
		if (test_now() >= next) {
			struct test_memory m = test_memory();

			f.private_max = m.private_kib > f.private_max ? m.private_kib : f.private_max;
			f.free_min = m.free_kib < f.free_min ? m.free_kib : f.free_min;
			next = test_now() + 0.5;
		}
	}
	return f;
}

static void run(const char *cpus, double seconds)
{
	struct load_watch w = { 0 };
	struct udf_queue *queue;
	struct udf_disk *disk;
	struct figures f[4];
	struct udf *udf;
	struct load l;

	test_file("disk.img", SIZE);
	udf = test_open("device", "qemu:nvme,serial=a", "drive", "disk.img", "cpus", cpus, NULL);
	disk = test_disk(udf);
	load_init(&l, udf, disk, 64);
	l.max_bytes = 16384;
	l.full = true;
	CHECK_OK(udf_queue_open(udf, -1, 64, 0, &queue));
	load_start(&l, queue, 64);
	for (int i = 0; i < 4; i++) {
		f[i] = watch(&l, &w, seconds / 4);
		printf("%s vCPUs, quarter %d: %lu requests, private %ld KiB, free %ld KiB\n", cpus, i + 1, atomic_load(&l.done),
		       f[i].private_max, f[i].free_min);
	}
	load_stop(&l);
	CHECK_OK(udf_pflush(queue, disk));
	CHECK_OK(udf_close(udf));
	load_report(&l);
	printf("longest pause %.2f s\n", w.longest);
	if (f[3].private_max > f[1].private_max + GROWTH_KIB)
		FAIL("the process has grown by %ld KiB", f[3].private_max - f[1].private_max);
	if (f[3].free_min < f[1].free_min - GROWTH_KIB)
		FAIL("the kernel code has taken %ld KiB more", f[1].free_min - f[3].free_min);
	load_check_file(&l, "disk.img");
	load_free(&l);
}

int main(void)
{
	double s = test_seconds(30, 120);

	run("1", s);
	run("2", s);
	test_no_complaints();
	return 0;
}
