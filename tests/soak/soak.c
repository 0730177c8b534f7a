// SPDX-License-Identifier: GPL-2.0
/*
 * soak [SECONDS]: everything at once, on two vCPUs, for as long as asked, but until each module has run at least once. Verified I/O at several depths from several threads to stock
 * nvme; the function is reset now and then; meanwhile the test modules are loaded and unloaded, one after the other; a child that
 * burns a CPU now and then stands for what else runs on the machine.
 *
 * It ends with a line of numbers, and with 0 when all of this held: no request failed, was lost or wrong; every module passed; the
 * log has no complaint; neither the process nor what the kernel code took has grown since each module had run once.
 */
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "../cases/load.h"
#include "../cases/nvme-plain.h"

#define SIZE		(64ull << 20)
#define PATIENCE_S	120.0		/* for one module, or a reset */
#define REQUEST_MAX	(256ull << 10)
#define REQUESTS	48		/* more than the queues have in flight */
#define GROWTH_KIB	8192		/* more than what differs from round to round, as the requests in flight do */

static const char *const modules[] = {
	"timers", "workqueues", "rcu", "locks", "kthreads", "irq", "softirq", "smp", "static_keys", "memory",
};

#define NR_MODULES (sizeof(modules) / sizeof(modules[0]))

/* ---- the log: not kept, it may be long. Shown when something is wrong. ---- */

static atomic_uint complaints, passes;

static void on_log(void *arg, int level, const char *line)
{
	bool fails = strstr(line, " FAIL ") || test_complains(line) || strstr(line, "hung") || strstr(line, "stall");

	(void)arg;
	if (strstr(line, ": PASS"))
		atomic_fetch_add(&passes, 1);
	if (fails)
		atomic_fetch_add(&complaints, 1);
	if (fails || level <= 4 || atomic_load(&complaints) || atomic_load(&test_showing))
		fprintf(stderr, "<%d>%s\n", level, line);
}

/* ---- what is done over and over, beside the I/O ---- */

struct chores {
	struct udf *udf;
	atomic_bool stop;
	uint64_t random;
	atomic_uint rounds, runs, resets;
	_Atomic(const char *) busy;	/* with what */
	_Atomic double since;
	struct test_memory first, last;	/* the least in use after the first round, in the first half of the time left and since */
	double start, end;
	pthread_t thread;
};

static void busy_with(struct chores *c, const char *what)
{
	atomic_store(&c->since, test_now());
	atomic_store(&c->busy, what);
}

/* No module but the driver is loaded now: memory is what it was, or has grown. */
static void measure(struct chores *c)
{
	struct test_memory now, *m = &c->last;
	double t = test_now();

	if (!c->rounds)
		return;
	malloc_trim(0);		/* what the heap keeps depends on what was in flight at once, at any time */
	now = test_memory();
	if (!c->start)
		c->start = t;
	if (t < c->start + (c->end - c->start) / 2)
		m = &c->first;
	m->private_kib = !m->private_kib || now.private_kib < m->private_kib ? now.private_kib : m->private_kib;
	m->free_kib = now.free_kib > m->free_kib ? now.free_kib : m->free_kib;
}

static void run_module(struct chores *c, const char *name)
{
	const char *build = getenv("UDF_BUILD");
	unsigned int before = atomic_load(&passes);
	char file[4096], loaded[64];

	snprintf(file, sizeof(file), "%s/tests/modules/udf_%s.ko", build ? build : "build", name);
	snprintf(loaded, sizeof(loaded), "udf_%s", name);
	busy_with(c, name);
	if (udf_load(c->udf, file, NULL))
		FAIL("the module %s does not pass", name);
	if (udf_unload(c->udf, loaded))
		FAIL("the module %s cannot be unloaded", name);
	if (atomic_load(&passes) != before + 1)
		FAIL("the module %s does not say PASS", name);
	c->runs++;
	busy_with(c, NULL);
}

static void *do_chores(void *arg)
{
	struct chores *c = arg;
	unsigned int i = 0;

	while (!atomic_load(&c->stop)) {
		run_module(c, modules[i]);
		if (load_random(&c->random) % 4 == 0) {
			busy_with(c, "reset");
			CHECK_OK(udf_reset(c->udf));
			c->resets++;
			busy_with(c, NULL);
		}
		measure(c);
		i = (i + 1) % NR_MODULES;
		if (!i)
			c->rounds++;
	}
	return NULL;
}

static void look_at_chores(struct load *l, struct chores *c)
{
	const char *busy = atomic_load(&c->busy);

	if (!busy || test_now() - atomic_load(&c->since) < PATIENCE_S)
		return;
	load_show(l);
	FAIL("stalled: %s takes more than %.0f s", busy, PATIENCE_S);
}

/* ---- the rest of the machine ---- */

/* A process that needs a CPU for itself for a second, then nothing for two, and so on. */
static pid_t start_burner(void)
{
	pid_t parent = getpid(), pid = fork();

	CHECK(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == parent) {
		double end = test_now() + 1;

		while (test_now() < end)
			;
		nanosleep(&(struct timespec){ .tv_sec = 2 }, NULL);
	}
	_exit(0);
}

static void stop_burner(pid_t pid)
{
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, NULL, 0) == pid);
}

/* ---- all together ---- */

static struct udf *open_port(const char *image)
{
	struct udf_options *o = udf_options_new();
	struct udf *udf;

	CHECK(o);
	test_find_build();
	udf_options_log(o, on_log, NULL);
	CHECK_OK(udf_options_set(o, "device", "qemu:nvme,serial=soak"));
	CHECK_OK(udf_options_set(o, "drive", image));
	CHECK_OK(udf_options_set(o, "cpus", "2"));
	CHECK_OK(udf_options_set(o, "module", "none"));
	if (udf_open(o, &udf))
		FAIL("%s", udf_options_error(o));
	udf_options_free(o);
	plain_load(udf, NULL, NULL);
	return udf;
}

/* The buffers' heap keeps the 4 MiB chunks that it has got: it gets now what it may need at once, and does not grow by them later. */
static void fill_heap(struct udf *udf)
{
	void *buf[REQUESTS];

	for (size_t i = 0; i < REQUESTS; i++)
		CHECK(buf[i] = udf_buf_alloc(udf, 2 * REQUEST_MAX));	/* and what lies beside the data */
	for (size_t i = 0; i < REQUESTS; i++)
		udf_buf_free(udf, buf[i]);
}

static void start_load(struct load *l, struct udf *udf)
{
	static const struct {
		unsigned int depth, threads;
		unsigned int flags;
	} queues[] = { { 1, 1, 0 }, { 8, 1, UDF_QUEUE_POLLED }, { 32, 2, 0 } };

	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
		unsigned int depth = queues[i].depth;
		struct udf_queue *q;

		CHECK_OK(udf_queue_open(udf, (int)(i % 2), depth, queues[i].flags, &q));
		for (unsigned int t = 0; t < queues[i].threads; t++)
			load_start(l, q, (depth + queues[i].threads - 1) / queues[i].threads);
	}
}

static void show(const struct load *l, const struct chores *c, double seconds)
{
	struct test_memory m = test_memory();

	printf("%6.0f s  %lu requests, %u modules, %u resets, private %ld KiB, free %ld KiB, %u complaints\n", seconds,
	       atomic_load(&l->done), c->runs, c->resets, m.private_kib, m.free_kib, atomic_load(&complaints));
	fflush(stdout);
}

static bool enough(struct chores *c, double now, double seconds)
{
	return now >= seconds && atomic_load(&c->rounds) && atomic_load(&c->resets);
}

static double watch(struct load *l, struct chores *c, double seconds)
{
	double start = test_now(), shown = 0, now;
	struct load_watch w = { 0 };

	while (!enough(c, now = test_now() - start, seconds) && !atomic_load(&complaints)) {
		load_look(l, &w);
		look_at_chores(l, c);
		load_pause();
		if (isatty(STDOUT_FILENO) && now >= shown + 10) {
			shown = now;
			show(l, c, now);
		}
	}
	return w.longest;
}

static int judge(const struct load *l, const struct chores *c, double longest)
{
	long grown = c->last.private_kib - c->first.private_kib, taken = c->first.free_kib - c->last.free_kib;
	bool measured = c->first.private_kib && c->last.private_kib;
	bool ok = !complaints && !l->failed && (!measured || (grown <= GROWTH_KIB && taken <= GROWTH_KIB));

	if (!measured)
		printf("too short to tell whether memory grows\n");
	printf("soak: %s: %lu requests of %lu MiB verified, %u runs of %zu modules, %u resets, longest pause %.1f s, "
	       "private %+ld KiB to %ld, free %+ld KiB to %ld, %u complaints\n", ok ? "PASS" : "FAIL", atomic_load(&l->done),
	       atomic_load(&l->bytes) >> 20, c->runs, NR_MODULES, c->resets, longest, grown, c->last.private_kib, -taken,
	       c->last.free_kib, atomic_load(&complaints));
	return ok ? 0 : 1;
}

static int soak(const char *image, double seconds)
{
	pid_t burner = start_burner();	/* while there are no threads */
	struct chores c = { .random = (uint64_t)getpid() };
	struct udf *udf = open_port(image);
	struct udf_disk *disk = test_disk(udf);
	struct load l;
	double longest;
	int status;

	load_init(&l, udf, disk, c.random);
	l.max_bytes = REQUEST_MAX;
	fill_heap(udf);
	start_load(&l, udf);
	c.udf = udf;
	c.end = test_now() + seconds;
	CHECK_OK(-pthread_create(&c.thread, NULL, do_chores, &c));
	longest = watch(&l, &c, seconds);
	atomic_store(&c.stop, true);
	pthread_join(c.thread, NULL);
	load_stop(&l);
	CHECK_OK(udf_pflush(NULL, disk));
	CHECK_OK(udf_close(udf));
	stop_burner(burner);
	load_check_file(&l, image);
	status = judge(&l, &c, longest);
	load_free(&l);
	return status;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 60;
	const char *dir = getenv("UDF_WORK");
	char image[4096];
	int status;

	if (seconds < 1) {
		fprintf(stderr, "usage: soak [SECONDS]\n");
		return 2;
	}
	snprintf(image, sizeof(image), "%s/soak-%d.img", dir ? dir : "/tmp", (int)getpid());
	test_file(image, SIZE);
	status = soak(image, seconds);
	unlink(image);
	return status;
}
