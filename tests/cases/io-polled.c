// SPDX-License-Identifier: GPL-2.0
/*
 * Queues whose threads run the vCPU themselves (UDF_QUEUE_POLLED): verified requests at several depths, beside a queue with a thread of
 * libudf on the same vCPU, through resets; a thread that submits and then does not poll for long finds its requests done all the
 * same; and one that stops polling altogether leaves the driver as it was. With and without hardware queues for polling.
 */
#include "front/internal.h"
#include "load.h"
#include "nvme-plain.h"

#define SIZE (32ull << 20)

static void count(void *arg, int result)
{
	CHECK_EQ(result, 0);
	atomic_fetch_add((atomic_uint *)arg, 1);
}

/* What is submitted is performed without a poll: by the vCPU's own thread, a little later. */
static void submit_and_leave(struct udf *udf, struct udf_disk *disk, bool device_polls)
{
	struct udf_stats before, after;
	atomic_uint done = 0;
	struct udf_queue *q;
	unsigned int i;
	void *buf;

	CHECK_OK(udf_queue_open(udf, 0, 0, UDF_QUEUE_POLLED, &q));
	buf = udf_buf_alloc(udf, 4096);
	CHECK(buf);
	/* it is held now ... */
	CHECK_OK(udf_pread(q, disk, buf, 4096, 0));
	udf_stats(udf, &before);
	for (i = 0; i < 8; i++)
		CHECK_OK(udf_read(q, disk, buf, 4096, 4096 * i, count, &done));
	/* ... and nobody polls: somebody else starts the requests, and sees them end */
	while (__atomic_load_n(&q->cq.shared->cq_tail, __ATOMIC_ACQUIRE) - q->cq.cq != 8)
		sched_yield();
	udf_stats(udf, &after);
	CHECK_EQ(after.interrupts == before.interrupts, device_polls);
	CHECK_EQ(atomic_load(&done), 0);
	CHECK_OK(udf_wait(q, 10000));
	CHECK_EQ(atomic_load(&done), 8);
	/* a command of another kind finds the vCPU, held or not */
	CHECK_OK(udf_reset(udf));
	udf_queue_close(q);
}

static void run(unsigned int cpus, bool device_polls, double seconds)
{
	struct udf_queue *q[3] = { NULL };
	struct load_watch w = { 0 };
	struct udf_disk *disk;
	struct udf *udf;
	struct load l;
	char text[8];
	double end;

	snprintf(text, sizeof(text), "%u", cpus);
	test_file("disk.img", SIZE);
	udf = test_open("device", "qemu:nvme,serial=a", "drive", "disk.img", "cpus", text, "module", "none", NULL);
	plain_load(udf, NULL, device_polls ? "poll_queues=1" : NULL);
	disk = test_disk(udf);
	submit_and_leave(udf, disk, device_polls);
	load_init(&l, udf, disk, 11);
	l.max_bytes = 128 << 10;
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		CHECK_OK(udf_queue_open(udf, (int)cpu, 64, UDF_QUEUE_POLLED, &q[cpu]));
	CHECK_OK(udf_queue_open(udf, 0, 64, UDF_QUEUE_THREAD, &q[2]));
	load_start(&l, q[0], 1);
	load_start(&l, q[cpus - 1], 16);
	load_start(&l, q[2], 8);
	end = test_now() + seconds;
	while (test_now() < end) {
		unsigned long done = atomic_load(&l.done);

		CHECK_OK(udf_reset(udf));
		while (atomic_load(&l.done) < done + 300) {
			load_look(&l, &w);
			sched_yield();
		}
	}
	load_stop(&l);
	CHECK_OK(udf_pflush(q[2], disk));
	CHECK_OK(udf_close(udf));
	printf("%u vCPUs, the device %s: ", cpus, device_polls ? "is polled" : "interrupts");
	load_report(&l);
	printf("longest pause %.2f s\n", w.longest);
	CHECK_EQ(atomic_load(&l.failed), 0);
	load_check_file(&l, "disk.img");
	load_free(&l);
}

int main(void)
{
	double s = test_seconds(2.5, 60);

	run(1, false, s);
	run(2, false, s);
	run(1, true, s);
	run(2, true, s);
	test_no_complaints();
	return 0;
}
