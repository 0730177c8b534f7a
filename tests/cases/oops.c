// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel code dies of a BUG or a bad pointer while a load runs in the same process: a trace in the log names the functions of module
 * and image, the port is lost, every outstanding request fails with ENODEV, nothing hangs.
 */
#include <sys/wait.h>

#include "load.h"

static void run(const char *cpus, const char *die)
{
	unsigned int module = test_log_count("the_very_place+"), image = test_log_count(" kthread+");
	char path[4096], params[64];
	struct udf_disk *disk;
	struct udf_queue *q;
	struct udf *udf;
	struct load l;
	double start;

	udf = test_open("device", "qemu:nvme,serial=a", "drive", "disk.img", "cpus", cpus, NULL);
	disk = test_disk(udf);
	load_init(&l, udf, disk, 11);
	memset(l.gen, 0xff, l.blocks * sizeof(*l.gen));	/* what earlier runs have written */
	l.may_fail = true;
	CHECK_OK(udf_queue_open(udf, -1, 64, 0, &q));
	load_start(&l, q, 64);
	load_run(&l, 0.3);
	CHECK_EQ(atomic_load(&l.failed), 0);

	snprintf(path, sizeof(path), "%s/tests/modules/udf_bug.ko", getenv("UDF_BUILD"));
	snprintf(params, sizeof(params), "die=%s", die);
	start = test_now();
	CHECK(udf_load(udf, path, params) < 0);
	pthread_join(l.thread[0]->thread, NULL);
	printf("%s vCPUs, %s: %lu failed, %lu refused within %.2f s; lost: %s\n", cpus, die, atomic_load(&l.failed),
	       atomic_load(&l.refused), test_now() - start, udf_lost(udf));
	CHECK_EQ(atomic_load(&l.thread[0]->in_flight), 0);
	CHECK_EQ(atomic_load(&l.refused), 1);
	CHECK_EQ(atomic_load(&l.last_error), -ENODEV);
	CHECK(udf_lost(udf));
	CHECK(test_log_count("the_very_place+") > module);
	CHECK(test_log_count("[udf_bug]"));
	CHECK(test_log_count(" kthread+") > image);
	CHECK_EQ(udf_pflush(q, disk), -ENODEV);
	start = test_now();
	udf_close(udf);
	printf("closed within %.2f s\n", test_now() - start);
	CHECK(test_now() - start < 25);
	free(l.thread[0]);
	load_free(&l);
}

/* Each in a process of its own: what died there is not to matter to the next. */
static void run_apart(const char *cpus, const char *die)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (!pid) {
		run(cpus, die);
		fflush(NULL);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

int main(void)
{
	test_file("disk.img", 8 << 20);
	run_apart("1", "bug");
	run_apart("2", "null");
	run_apart("1", "exec");
	return 0;
}
