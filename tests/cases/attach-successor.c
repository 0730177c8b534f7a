// SPDX-License-Identifier: GPL-2.0
/*
 * An application is killed with 512 MiB of writes in flight, all to the same place; another one attaches at once, writes there by another
 * vCPU, and reads what it has written, again and again: no write of the first one's comes later. If the driver let it do so before those have
 * ended, this would fail now and then, on a machine with other work (one of some hundred rounds); test_takes_over() in
 * tests/unit/front/test_attach.c always does.
 */
#include "attach-test.h"

#define SIZE	(4ul << 20)
#define PIECE	(1ul << 20)
#define DEPTH	512u
#define READS	200u

static struct driver driver = {
	.args = { "--device", "qemu:nvme,serial=a", "--drive", "disk.img", "--cpus", "2", NULL },
};

static void ignore(void *arg, int result)
{
}

static int first_value;

/* Until it is killed. */
static void first(int tell)
{
	struct udf *udf = driver_attach(&driver, NULL);
	struct udf_disk *disk = test_disk(udf);
	void *buf = udf_buf_alloc(udf, PIECE);
	struct udf_queue *q;

	CHECK(buf);
	memset(buf, first_value, PIECE);
	CHECK_OK(udf_queue_open(udf, 1, DEPTH, 0, &q));
	for (unsigned int i = 0; i < DEPTH; i++)
		CHECK_OK(udf_write(q, disk, buf, PIECE, 0, 0, ignore, NULL));
	CHECK(udf_poll(q, 1, -1) > 0);
	CHECK_EQ(write(tell, "", 1), 1);
	pause();
}

static void second(int value)
{
	struct udf *udf = driver_attach(&driver, NULL);
	struct udf_disk *disk = test_disk(udf);
	unsigned char *buf = udf_buf_alloc(udf, 4096);
	struct udf_queue *q;

	CHECK(buf);
	memset(buf, value, 4096);
	CHECK_OK(udf_queue_open(udf, 0, 4, 0, &q));
	CHECK_OK(udf_pwrite(q, disk, buf, 4096, 0, 0));
	for (unsigned int i = 0; i < READS; i++) {
		CHECK_OK(udf_pread(q, disk, buf, 4096, 0));
		if (buf[0] != value)
			FAIL("read %u: %#x, not %#x, which was written; %#x are of the application before", i, buf[0], value, first_value);
	}
	CHECK_OK(udf_close(udf));
}

int main(void)
{
	test_file("disk.img", SIZE);
	driver_start(&driver);
	for (int i = 0; i < 40; i++) {
		first_value = 0x10 + i;
		app_kill_at_work(first);
		second(0x80 + i);
	}
	driver_kill(&driver, SIGTERM);
	driver_no_complaints();
	return 0;
}
