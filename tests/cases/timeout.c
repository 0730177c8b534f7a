// SPDX-License-Identifier: GPL-2.0
/*
 * A controller that takes commands and does not complete them: the driver's own time-out, abort and reset run. Once the back end
 * works again everything completes without an error; if it does not, the driver gives the requests up in the end. Either way
 * the disk is usable afterwards.
 *
 * First the back end is stopped by a throttle of QEMU, so the controller's registers go on to answer; then the doorbells of
 * its I/O queues are not heard.
 */
#include "load.h"
#include "nvme-plain.h"

#define SIZE (8ull << 20)

static void throttle(unsigned int iops)
{
	char command[256];

	snprintf(command, sizeof(command), "{\"execute\": \"qom-set\", \"arguments\": {\"path\": \"/objects/brake\", "
		 "\"property\": \"limits\", \"value\": {\"iops-total\": %u, \"iops-total-max\": %u}}}", iops, iops);
	test_monitor(command);
}

static struct udf *open_port(const char *cpus, const char *params)
{
	struct udf *udf;

	test_file("disk.img", SIZE);
	udf = test_open("device", "qemu:nvme,serial=a,drive=d", "cpus", cpus, "module", "none", "close-timeout", "5",
			"backend", "-object throttle-group,id=brake", "backend", "-blockdev driver=throttle,node-name=d,"
			"throttle-group=brake,file.driver=file,file.filename=disk.img", NULL);
	plain_load(udf, params, NULL);
	return udf;
}

/* Stop it in the middle of a load; release it when the driver resets the controller. */
static void test_recovers(const char *cpus)
{
	struct udf *udf = open_port(cpus, "io_timeout=1");
	struct udf_disk *disk = test_disk(udf);
	unsigned int timeouts = test_log_count(" timeout, "), resets = test_log_count("reset controller");
	struct udf_queue *q;
	struct load l;
	double start;

	load_init(&l, udf, disk, 6);
	l.max_bytes = 65536;
	CHECK_OK(udf_queue_open(udf, -1, 16, 0, &q));
	l.full = true;
	load_start(&l, q, 8);
	load_run(&l, 0.3);
	throttle(2);	/* 8 in flight: each takes four seconds */
	start = test_now();
	test_log_wait("timeout, aborting", timeouts, 30);
	test_log_wait("reset controller", resets, 30);
	printf("%s vCPUs: reset by the driver after %.1f s\n", cpus, test_now() - start);
	throttle(0);
	load_run(&l, 1);
	load_stop(&l);
	CHECK_EQ(atomic_load(&l.failed), 0);
	CHECK(!udf_lost(udf));
	CHECK_OK(udf_pflush(q, disk));
	CHECK_OK(udf_close(udf));
	load_report(&l);
	load_check_file(&l, "disk.img");
	load_free(&l);
}

#define GIVEN_UP 16

static void count(void *arg, int result)
{
	CHECK(result == -EIO || result == -ETIMEDOUT);
	++*(int *)arg;
}

/* Without retries the driver's reset ends the requests. */
static void test_gives_up(void)
{
	struct udf *udf = open_port("1", "io_timeout=1 max_retries=0");
	struct udf_disk *disk = test_disk(udf);
	unsigned int resets = test_log_count("reset controller");
	static char data[65536], back[65536];
	struct udf_queue *q;
	int failed = 0;

	memset(data, 0x5a, sizeof(data));
	CHECK_OK(udf_queue_open(udf, -1, 16, 0, &q));
	CHECK_OK(udf_pwrite(q, disk, data, sizeof(data), 0, 0));
	atomic_store(&plain.deaf, true);
	for (int i = 0; i < GIVEN_UP; i++)
		CHECK_OK(udf_write(q, disk, data, 512, (uint64_t)(1 + i) << 18, 0, count, &failed));
	CHECK_OK(udf_wait(q, 60000));
	CHECK_EQ(failed, GIVEN_UP);
	CHECK(test_log_count("reset controller") > resets);
	atomic_store(&plain.deaf, false);
	CHECK(!udf_lost(udf));
	/*
	 * The doorbells that nobody heard are behind us: the driver's reset began anew. It may still be under way, so none is asked
	 * for here: a reset of the function during the driver's own can make this driver wait for itself.
	 */
	CHECK_OK(udf_pwrite(q, disk, data, sizeof(data), 65536, 0));
	CHECK_OK(udf_pread(q, disk, back, sizeof(back), 65536));
	CHECK(!memcmp(back, data, sizeof(data)));
	CHECK_OK(udf_close(udf));
}

int main(void)
{
	test_recovers("2");
	test_gives_up();
	test_no_complaints();
	return 0;
}
