// SPDX-License-Identifier: GPL-2.0
/*
 * The device disappears (its QEMU is killed) under load: every outstanding request fails with ENODEV, so does everything after
 * that, nothing hangs, and udf_close() ends. Then the port can be opened anew in the same process.
 */
#include <dirent.h>

#include "load.h"

#define SIZE (8ull << 20)

/* Stop QEMU, and wait until every thread of it has. */
static void stop_qemu(void)
{
	char path[64], text[256];
	struct dirent *e;
	DIR *tasks;

	CHECK(!kill(test_qemu_pid(), SIGSTOP));
	snprintf(path, sizeof(path), "/proc/%d/task", test_qemu_pid());
	tasks = opendir(path);
	CHECK(tasks);
	while ((e = readdir(tasks))) {
		if (e->d_name[0] == '.')
			continue;
		do {
			int fd;
			ssize_t n;

			snprintf(path, sizeof(path), "%.20s/stat", e->d_name);
			fd = openat(dirfd(tasks), path, O_RDONLY | O_CLOEXEC);
			n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
			close(fd);
			text[n > 0 ? n : 0] = 0;
		} while (*text && !strstr(text, ") T"));
	}
	closedir(tasks);
}

static void run(const char *cpus)
{
	struct udf_queue *q, *threaded, *other;
	struct udf_disk_info info;
	struct udf_disk *disk;
	struct udf_stats stats;
	char buf[512];
	struct udf *udf;
	struct load l;
	double start;

	test_file("disk.img", SIZE);
	udf = test_open("device", "qemu:nvme,serial=a", "drive", "disk.img", "cpus", cpus, NULL);
	CHECK(!udf_lost(udf));
	disk = test_disk(udf);
	load_init(&l, udf, disk, 11);
	l.max_bytes = 65536;
	l.may_fail = true;
	CHECK_OK(udf_queue_open(udf, -1, 64, 0, &q));
	CHECK_OK(udf_queue_open(udf, -1, 64, UDF_QUEUE_THREAD, &threaded));
	load_start(&l, q, 64);
	load_start(&l, threaded, 64);
	load_run(&l, 0.5);
	CHECK_EQ(atomic_load(&l.failed), 0);

	/* each thread has requests under way then */
	stop_qemu();
	for (unsigned int i = 0; i < l.threads; i++)
		while (!atomic_load(&l.thread[i]->in_flight))
			sched_yield();
	start = test_now();
	CHECK(!kill(test_qemu_pid(), SIGKILL));
	/* both threads end by themselves: their next request is refused */
	for (unsigned int i = 0; i < l.threads; i++)
		pthread_join(l.thread[i]->thread, NULL);
	for (unsigned int i = 0; i < l.threads; i++)
		CHECK_EQ(atomic_load(&l.thread[i]->in_flight), 0);
	printf("%s vCPUs: %lu failed and %lu refused within %.2f s\n", cpus, atomic_load(&l.failed), atomic_load(&l.refused),
	       test_now() - start);
	CHECK(atomic_load(&l.failed) >= l.threads);
	CHECK_EQ(atomic_load(&l.refused), 2);
	CHECK_EQ(atomic_load(&l.last_error), -ENODEV);

	CHECK(udf_lost(udf) && strstr(udf_lost(udf), "killed by signal 9"));
	CHECK_EQ(udf_read(q, disk, buf, sizeof(buf), 0, NULL, NULL), -ENODEV);
	CHECK_EQ(udf_pwrite(NULL, disk, buf, sizeof(buf), 0, 0), -ENODEV);
	CHECK_EQ(udf_pflush(q, disk), -ENODEV);
	CHECK_EQ(udf_poll(q, 1, -1), -ENODEV);
	CHECK_EQ(udf_reset(udf), -ENODEV);
	CHECK_EQ(udf_wait_disks(udf, 5, -1), -ENODEV);
	CHECK_EQ(udf_queue_open(udf, -1, 0, 0, &other), -ENODEV);
	CHECK(udf_unload(udf, "nvme") < 0);
	CHECK_EQ(udf_disk_info(disk, &info), -ENODEV);
	udf_stats(udf, &stats);
	start = test_now();
	udf_close(udf);
	printf("closed within %.2f s\n", test_now() - start);
	CHECK(test_now() - start < 20);
	for (unsigned int i = 0; i < l.threads; i++)
		free(l.thread[i]);
	load_free(&l);
}

int main(void)
{
	run("1");
	run("2");
	run("1");
	return 0;
}
