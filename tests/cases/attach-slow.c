// SPDX-License-Identifier: GPL-2.0
/*
 * timeout: 90
 *
 * An application ends with requests in flight that a slow device takes seconds for: nobody else waits for that. Another one attaches,
 * opens a disk and a queue, and gets its buffers meanwhile.
 */
#include "attach-test.h"

#define N 60

static struct driver driver = {
	.args = {
		"--device", "qemu:nvme,serial=a,drive=slow", "--backend", "-object throttle-group,id=group,x-iops-total=4", "--backend",
		"-blockdev driver=null-co,node-name=disk,size=67108864", "--backend",
		"-blockdev driver=throttle,node-name=slow,throttle-group=group,file=disk", NULL
	},
};

static unsigned int completed;

static void done(void *arg, int result)
{
	completed++;
}

/* Begins with N reads, says so, and waits for its end. */
static void application(int out)
{
	struct udf *udf = driver_attach(&driver, NULL);
	struct udf_disk *disk = test_disk(udf);
	struct udf_queue *q;

	CHECK_OK(udf_queue_open(udf, -1, 64, 0, &q));
	for (unsigned int i = 0; i < N; i++)
		CHECK_OK(udf_read(q, disk, udf_buf_alloc(udf, 4096), 4096, i * 65536, done, NULL));
	while (!completed)
		udf_poll(q, 1, -1);
	CHECK_EQ(write(out, ".", 1), 1);
	pause();
}

int main(void)
{
	struct udf_disk *disk;
	struct udf_queue *q;
	struct udf *udf;
	double start, took;

	driver_start(&driver);
	app_kill_at_work(application);
	start = test_now();
	udf = driver_attach(&driver, NULL);
	disk = test_disk(udf);
	CHECK_OK(udf_queue_open(udf, -1, 64, 0, &q));
	CHECK(udf_buf_alloc(udf, 4096));
	udf_disk_close(disk);
	udf_queue_close(q);
	took = test_now() - start;
	printf("attached, opened and closed within %.3f s, beside %u requests of 0.25 s each\n", took, N - 1);
	CHECK(took < 5);
	CHECK_OK(udf_close(udf));
	driver_kill(&driver, SIGKILL);
	driver_no_complaints();
	return 0;
}
