// SPDX-License-Identifier: GPL-2.0
/*
 * timeout: 180
 *
 * Several applications at one driver process: verified load of two at once, on halves of the disk; an application with one request at a
 * time beside one that has hundreds; applications that are killed under load; attaching and detaching again and again. What an
 * application held is given back, however it ends, and nothing grows.
 */
#include "attach-test.h"
#include "load.h"

#define SIZE (64ull << 20)

static struct driver driver = {
	.args = { "--device", "qemu:nvme,serial=a", "--drive", "disk.img", "--cpus", "2", NULL },
};

/* Run WHAT in another process, as an application of its own. */
static pid_t spawn(void (*what)(void))
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	what();
	fflush(NULL);
	_exit(0);
}

static void await_exit(pid_t pid)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		FAIL("an application ended with status %#x", status);
}

/* ---- load of two ---- */

/* Others have been at the disk before. */
static void forget(struct load *l)
{
	for (uint64_t i = 0; i < l->blocks; i++)
		l->gen[i] = LOAD_UNKNOWN;
}

static void run_load(const char *name, unsigned int seed)
{
	struct udf *udf = driver_attach(&driver, NULL);
	struct udf_disk *disk = test_disk(udf);
	struct udf_queue *a, *b;
	struct load l;

	load_init(&l, udf, disk, seed);
	forget(&l);
	CHECK_OK(udf_queue_open(udf, 0, 64, 0, &a));
	CHECK_OK(udf_queue_open(udf, 1, 64, UDF_QUEUE_POLLED, &b));
	/* a half each: the model knows of nobody else */
	l.blocks /= 2;
	l.first = seed % 2 * l.blocks;
	load_start(&l, a, 32);
	load_start(&l, b, 32);
	load_run(&l, test_seconds(4, 60));
	load_stop(&l);
	CHECK_OK(udf_pflush(NULL, disk));
	CHECK_OK(udf_close(udf));
	printf("%s: ", name);
	load_report(&l);
	load_free(&l);
}

static void even(void)
{
	run_load("even", 2);
}

static void odd(void)
{
	run_load("odd", 3);
}

static void two_loads(void)
{
	pid_t a = spawn(even), b = spawn(odd);

	await_exit(a);
	await_exit(b);
}

/* ---- fairness ---- */

static struct udf_queue *deep;
static struct udf_disk *deep_disk;

static void again(void *buf, int result)
{
	CHECK_EQ(result, 0);
	CHECK_OK(udf_read(deep, deep_disk, buf, 4096, 0, again, buf));
}

/* As many requests as a queue takes, until it is killed. */
static void flood(void)
{
	struct udf *udf = driver_attach(&driver, NULL);

	deep_disk = test_disk(udf);
	CHECK_OK(udf_queue_open(udf, 0, 1024, 0, &deep));
	for (unsigned int i = 0; i < 1000; i++)
		again(udf_buf_alloc(udf, 4096), 0);
	for (;;)
		udf_poll(deep, 64, -1);
}

/* The longest of N reads, one after the other, in ms. */
static double one_by_one(struct udf_queue *q, struct udf_disk *disk, void *buf, unsigned int n)
{
	double longest = 0;

	while (n--) {
		double start = test_now(), took;

		CHECK_OK(udf_pread(q, disk, buf, 4096, 0));
		took = test_now() - start;
		longest = took > longest ? took : longest;
	}
	return longest * 1000;
}

static void fairness(void)
{
	struct udf *udf = driver_attach(&driver, NULL);
	struct udf_disk *disk = test_disk(udf);
	void *buf = udf_buf_alloc(udf, 4096);
	struct udf_stats before, after;
	struct udf_queue *q;
	double start, alone, beside, seconds;
	pid_t other;

	CHECK_OK(udf_queue_open(udf, 0, 4, 0, &q));
	start = test_now();
	one_by_one(q, disk, buf, 500);
	alone = (test_now() - start) / 500;
	other = spawn(flood);
	udf_stats(udf, &before);
	do {	/* the other one is at it */
		usleep(1000);
		udf_stats(udf, &after);
	} while (after.interrupts - before.interrupts < 1000);
	start = test_now();
	beside = one_by_one(q, disk, buf, 500);
	seconds = (test_now() - start) / 500;
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	printf("a read takes %.3f ms alone, %.3f ms beside 1000 of another application's, at most %.1f ms\n", alone * 1000,
	       seconds * 1000, beside);
	/* its turn comes with each turn of the other's: what it waits for is the device's queue */
	CHECK(seconds < 0.1);
	CHECK_OK(udf_close(udf));
}

/* ---- killed under load ---- */

static void load_until_killed(int tell)
{
	struct udf *udf = driver_attach(&driver, NULL);
	struct udf_disk *disk = test_disk(udf);
	struct udf_queue *q[2];
	struct load l;

	load_init(&l, udf, disk, 5);
	forget(&l);
	for (unsigned int i = 0; i < 2; i++) {
		CHECK_OK(udf_queue_open(udf, (int)i, 64, 0, &q[i]));
		load_start(&l, q[i], 64);
	}
	while (atomic_load(&l.done) < 100)
		usleep(500);
	CHECK_EQ(write(tell, ".", 1), 1);
	load_run(&l, 60);
}

/* ---- growth ---- */

static long driver_private_kib(void)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", driver.pid);
	f = fopen(path, "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "Private_Dirty:", 14))
			kib = atol(line + 14);
	fclose(f);
	return kib;
}

static unsigned int entries_of(const char *what)
{
	unsigned int n = 0;
	char path[64];
	char line[512];
	FILE *f;

	snprintf(path, sizeof(path), "ls /proc/%d/%s", driver.pid, what);
	f = popen(path, "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		n++;
	pclose(f);
	return n;
}

static void attach_once(void)
{
	struct udf *udf = driver_attach(&driver, NULL);
	struct udf_disk *disk = test_disk(udf);
	void *buf = udf_buf_alloc(udf, 1 << 20), *heap = malloc(8192);

	CHECK_OK(udf_pwrite(NULL, disk, buf, 1 << 20, 0, 0));
	CHECK_OK(udf_pread(NULL, disk, (char *)heap + 1, 4096, 0));
	free(heap);
	CHECK_OK(udf_close(udf));
}

static void come_and_go(unsigned int n)
{
	long before = 0, after;
	unsigned int fds = 0, maps = 0, i;

	for (i = 0; i < n; i++) {
		attach_once();
		if (i != n / 4)
			continue;
		before = driver_private_kib();
		fds = entries_of("fd");
		maps = entries_of("map_files");
	}
	after = driver_private_kib();
	printf("driver process after %u and %u applications: %ld -> %ld KiB, %u -> %u descriptors, %u -> %u mappings\n", n / 4, n, before,
	       after, fds, entries_of("fd"), maps, entries_of("map_files"));
	CHECK(after < before + 256);
	/* the last one may still be on its way out */
	CHECK(entries_of("fd") <= fds + 8 && entries_of("map_files") <= maps + 8);
}

int main(void)
{
	test_file("disk.img", SIZE);
	driver_start(&driver);
	two_loads();
	fairness();
	for (unsigned int i = 0; i < 20; i++)
		app_kill_at_work(load_until_killed);
	come_and_go(200);
	two_loads();
	driver_kill(&driver, SIGTERM);
	driver_no_complaints();
	return 0;
}
