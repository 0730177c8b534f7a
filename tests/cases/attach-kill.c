// SPDX-License-Identifier: GPL-2.0
/*
 * timeout: 900
 *
 * A driver process is killed under verified load of an attached application, again and again: no request fails, none is lost, nothing that
 * was read or is in the backing file at the end is wrong. Every tenth time it is stopped first, and hangs until it is killed.
 */
#include "attach-test.h"
#include "load.h"

#define SIZE (64ull << 20)

static struct driver driver = {
	.args = { "--device", "qemu:nvme,serial=a", "--drive", "disk.img", "--cpus", "2", NULL },
};

static void await_requests(struct load *l, struct load_watch *w, unsigned long more)
{
	unsigned long until = atomic_load(&l->done) + more;

	while (atomic_load(&l->done) < until) {
		load_look(l, w);
		usleep(500);
	}
}

static void kill_one(struct load *l, struct load_watch *w, unsigned int n)
{
	uint64_t random = n;

	await_requests(l, w, 1 + load_random(&random) % 400);
	if (n % 10 == 9) {
		unsigned int in_flight = 0;

		kill(driver.pid, SIGSTOP);
		while (!in_flight)	/* something is on its way */
			for (unsigned int i = 0; i < l->threads; i++)
				in_flight += udf_queue_in_flight(l->thread[i]->queue);
	}
	driver_kill(&driver, SIGKILL);
	driver_start(&driver);
}

int main(int argc, char **argv)
{
	unsigned int kills = argc > 1 ? (unsigned int)atoi(argv[1]) : (unsigned int)test_seconds(50, 1000), i;
	struct udf_queue *own, *shared, *threaded;
	struct load_watch w = { 0 };
	struct udf_stats stats;
	struct udf_disk *disk;
	struct udf *udf;
	struct load l;

	test_file("disk.img", SIZE);
	driver_start(&driver);
	udf = driver_attach(&driver, NULL);
	disk = test_disk(udf);
	load_init(&l, udf, disk, 11);
	CHECK_OK(udf_queue_open(udf, 0, 64, 0, &own));
	CHECK_OK(udf_queue_open(udf, 1, 32, UDF_QUEUE_POLLED, &shared));
	CHECK_OK(udf_queue_open(udf, -1, 16, UDF_QUEUE_THREAD, &threaded));
	load_start(&l, own, 64);
	load_start(&l, shared, 24);
	load_start(&l, shared, 24);
	load_start(&l, threaded, 8);
	for (i = 0; i < kills; i++)
		kill_one(&l, &w, i);
	await_requests(&l, &w, 100);
	load_stop(&l);
	CHECK_OK(udf_pflush(NULL, disk));
	udf_stats(udf, &stats);
	CHECK_OK(udf_close(udf));
	driver_kill(&driver, SIGTERM);
	printf("%u kills: ", kills);
	load_report(&l);
	printf("%llu copied, longest pause %.2f s\n", (unsigned long long)stats.bounced, w.longest);
	CHECK_EQ(atomic_load(&l.failed) + atomic_load(&l.refused), 0);
	for (i = 0; i < 5; i++)
		CHECK(atomic_load(&l.kinds[i]));
	load_check_file(&l, "disk.img");
	load_free(&l);
	driver_no_complaints();
	return 0;
}
