// SPDX-License-Identifier: GPL-2.0
/*
 * A card with four ports: four processes drive its four functions at once, each with a drive of its own, and everything is verified.
 * One is killed on the way: the others do not notice, and a successor takes its port.
 */
#include <sys/syscall.h>
#include <sys/wait.h>
#include <poll.h>

#include "load.h"

#define PORTS	4
#define SIZE	(16ull << 20)

struct news {			/* what a driver process tells its parent, once it has done some I/O */
	pid_t qemu;
	unsigned int function;	/* as the kernel code sees it, from the log */
};

static void drive_port(const char *model, unsigned int port, double seconds, int tell)
{
	char device[64], function[16], drive[32];
	struct news news = { 0 };
	struct udf_disk *disk;
	struct udf_queue *q;
	struct udf *udf;
	struct load l;

	snprintf(device, sizeof(device), "qemu:%s,serial=port%u", model, port);
	snprintf(function, sizeof(function), "%u", port);
	snprintf(drive, sizeof(drive), "port%u.img", port);
	test_file(drive, SIZE);
	udf = test_open("device", device, "function", function, "drive", drive, "cpus", port % 2 ? "2" : "1", NULL);
	disk = test_disk(udf);
	snprintf(device, sizeof(device), "port%u", port);
	CHECK(!strcmp(test_info(disk).serial, device));
	snprintf(device, sizeof(device), "pci function 0000:00:04.%u", port);
	CHECK(test_log_count(device) == 1);
	load_init(&l, udf, disk, 1000 + port);
	l.max_bytes = 128 << 10;
	CHECK_OK(udf_queue_open(udf, -1, 8, 0, &q));
	load_start(&l, q, 4 + port);
	while (atomic_load(&l.done) < 20)
		load_pause();
	news.qemu = test_qemu_pid();
	news.function = port;
	CHECK(write(tell, &news, sizeof(news)) == sizeof(news));
	load_run(&l, seconds);
	load_stop(&l);
	CHECK_OK(udf_pflush(q, disk));
	CHECK_OK(udf_close(udf));
	load_check_file(&l, drive);
	printf("port %u: ", port);
	load_report(&l);
	load_free(&l);
	test_no_complaints();
}

static pid_t launch(unsigned int port, double seconds, int tell)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid)
		return pid;
	drive_port("nvme", port, seconds, tell);
	fflush(stdout);
	_exit(0);
}

/* Wait for PORTS' news, in any order. */
static void hear(int from, struct news *of, unsigned int n)
{
	while (n--) {
		struct pollfd p = { .fd = from, .events = POLLIN };
		struct news news;

		if (poll(&p, 1, 30000) != 1)
			FAIL("%u ports do not begin", n + 1);
		CHECK(read(from, &news, sizeof(news)) == sizeof(news));
		of[news.function] = news;
	}
}

/* The process PID, which is nobody's child here, ends soon. */
static void wait_gone(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (fd < 0 && errno == ESRCH)
		return;
	CHECK(fd >= 0);
	if (poll(&p, 1, 10000) != 1)
		FAIL("the QEMU of a driver that was killed is still there");
	close(fd);
}

static void reap(pid_t pid, int want)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	if (status != want)
		FAIL("a driver process ended with status %#x, not %#x", status, want);
}

int main(void)
{
	double seconds = test_seconds(4, 30);
	struct news of[PORTS];
	pid_t pid[PORTS];
	int pipes[2];

	CHECK(!pipe(pipes));
	for (unsigned int i = 0; i < PORTS; i++)
		pid[i] = launch(i, i == 2 ? 1000 : seconds, pipes[1]);
	hear(pipes[0], of, PORTS);
	CHECK(!kill(pid[2], SIGKILL));
	reap(pid[2], SIGKILL);
	wait_gone(of[2].qemu);
	pid[2] = launch(2, seconds / 2, pipes[1]);
	hear(pipes[0], of, 1);
	for (unsigned int i = 0; i < PORTS; i++)
		reap(pid[i], 0);
	return 0;
}
