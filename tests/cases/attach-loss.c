// SPDX-License-Identifier: GPL-2.0
/*
 * timeout: 120
 *
 * A driver process ends while an application is attached: requests that were outstanding and new ones fail if they are to (on-loss=fail,
 * loss-timeout, udf_close()), or wait, and are not given to a successor whose disk is another one, which the log says.
 */
#include "attach-test.h"

#define N 16

static struct driver driver = { .args = { "--device", "qemu:nvme,serial=a", "--drive", "disk.img", NULL } };
static struct udf *udf;
static struct udf_disk *disk;
static struct udf_queue *queue;
static char *buf[N];
static unsigned int ok, failed;
static int last_error;

static void done(void *arg, int result)
{
	ok += !result;
	failed += !!result;
	if (result)
		last_error = result;
}

static void begin(const char *option, const char *value)
{
	driver_start(&driver);
	udf = driver_attach(&driver, option, value, NULL);
	disk = test_disk(udf);
	CHECK_OK(udf_queue_open(udf, -1, 64, 0, &queue));
	for (unsigned int i = 0; i < N; i++) {
		buf[i] = udf_buf_alloc(udf, 4096);
		CHECK(buf[i]);
		memset(buf[i], 'a' + (int)i, 4096);
	}
	ok = failed = 0;
	last_error = 0;
}

/* N writes that the driver process, stopped, does not perform; it is killed then. */
static void lose_writes(void)
{
	kill(driver.pid, SIGSTOP);
	for (unsigned int i = 0; i < N; i++)
		CHECK_OK(udf_write(queue, disk, buf[i], 4096, i * 4096, 0, done, NULL));
	CHECK_OK(udf_flush(queue, disk, done, NULL));
	CHECK_EQ(udf_queue_in_flight(queue), N + 1);
	driver_kill(&driver, SIGKILL);
}

/* All fails, and says so. */
static void check_lost(const char *why)
{
	struct udf_disk_info info;
	struct udf_queue *other;

	CHECK_EQ(failed, N + 1);
	CHECK_EQ(last_error, -ENODEV);
	CHECK(udf_lost(udf));
	if (!strstr(udf_lost(udf), why))
		FAIL("the loss is told as '%s', without '%s'", udf_lost(udf), why);
	CHECK_EQ(udf_read(queue, disk, buf[0], 4096, 0, done, NULL), -ENODEV);
	CHECK_EQ(udf_pflush(NULL, disk), -ENODEV);
	CHECK_EQ(udf_queue_open(udf, -1, 0, 0, &other), -ENODEV);
	CHECK_EQ(udf_disk_info(disk, &info), -ENODEV);
	CHECK_EQ(udf_wait_disks(udf, 1, 0), -ENODEV);
	CHECK_OK(udf_close(udf));
}

static void on_loss_fail(void)
{
	begin("on-loss", "fail");
	lose_writes();
	CHECK_EQ(udf_wait(queue, 20000), -ENODEV);
	check_lost("the driver process has ended");
}

static void loss_timeout(void)
{
	double start;

	begin("loss-timeout", "1");
	start = test_now();
	lose_writes();
	CHECK_OK(udf_write(queue, disk, buf[0], 4096, 0, 0, done, NULL));	/* is taken, too */
	CHECK_EQ(udf_wait(queue, 20000), -ENODEV);
	CHECK(test_now() - start > 0.99);
	failed--;
	check_lost("no successor came in time");
}

/* An end that is in order is one, too, and nothing gets lost in it: what is outstanding is performed. */
static void end_in_order(void)
{
	begin("on-loss", "fail");
	for (unsigned int i = 0; i < N; i++)
		CHECK_OK(udf_write(queue, disk, buf[i], 4096, i * 4096, 0, done, NULL));
	driver_kill(&driver, SIGTERM);
	while (udf_poll(queue, 64, -1) > 0)
		;
	printf("an end in order: %u performed, %u failed\n", ok, failed);
	CHECK_EQ(ok + failed, N);
	while (!udf_lost(udf))
		udf_poll(queue, 64, 10);
	CHECK(strstr(udf_lost(udf), "shut down"));
	CHECK_OK(udf_close(udf));
}

static void close_offline(void)
{
	double start;

	begin("close-timeout", "1");
	lose_writes();
	start = test_now();
	CHECK_OK(udf_close(udf));
	CHECK(test_now() - start > 0.99 && test_now() - start < 10);
	CHECK_EQ(failed, N + 1);
	CHECK_EQ(last_error, -ENODEV);
}

/* A successor with other options: it is not coupled, and the log says TEXT. */
static void wrong_successor(const char *device, const char *drive, const char *text)
{
	struct driver other = { .args = { "--device", device, "--drive", drive, NULL } };

	driver_start(&other);
	test_log_wait(text, 0, 20);
	CHECK_EQ(ok + failed, 0);
	CHECK_EQ(udf_poll(queue, 64, 200), 0);
	CHECK_EQ(udf_queue_in_flight(queue), N + 1);
	CHECK_EQ(udf_disks(udf, NULL, 0), 1);
	driver_kill(&other, SIGKILL);
}

static void successors(void)
{
	char *back = NULL;

	test_file("small.img", 32 << 20);
	begin("loss-timeout", "0");
	lose_writes();
	wrong_successor("qemu:nvme,serial=b", "disk.img", "serial number b instead of a");
	wrong_successor("qemu:nvme,serial=a", "small.img", "33554432 bytes instead of 67108864");
	wrong_successor("qemu:nvme,serial=a,logical_block_size=4096,physical_block_size=4096", "disk.img",
			"blocks of 4096 bytes instead of 512");
	driver_start(&driver);
	CHECK_OK(udf_wait(queue, 20000));
	CHECK_EQ(ok, N + 1);
	back = udf_buf_alloc(udf, 65536);
	CHECK_OK(udf_pread(NULL, disk, back, N * 4096, 0));
	for (unsigned int i = 0; i < N; i++)
		CHECK(!memcmp(back + i * 4096, buf[i], 4096));
	/* a disk and a queue that are opened while there is no driver are there when one is */
	driver_kill(&driver, SIGKILL);
	CHECK_OK(udf_queue_open(udf, -1, 16, 0, &queue));
	CHECK_OK(udf_read(queue, disk, back, 4096, 0, done, NULL));
	driver_start(&driver);
	CHECK_OK(udf_wait(queue, 20000));
	CHECK_EQ(ok, N + 2);
	CHECK_OK(udf_close(udf));
	driver_kill(&driver, SIGTERM);
}

int main(void)
{
	test_file("disk.img", 64 << 20);
	on_loss_fail();
	loss_timeout();
	end_in_order();
	close_offline();
	successors();
	driver_no_complaints();
	return 0;
}
