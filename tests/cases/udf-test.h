/* SPDX-License-Identifier: GPL-2.0 */
/* For test programs over libudf: a port with its log kept, checks that name what failed, figures of memory. */
#ifndef UDF_TESTS_UDF_TEST_H
#define UDF_TESTS_UDF_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/driver.h"
#include "host/linux/host.h"
#include "port/qemu.h"
#include "udf/udf.h"

#define FAIL(...) do {								\
	fflush(stdout);								\
	fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);				\
	fprintf(stderr, __VA_ARGS__);						\
	fputc('\n', stderr);							\
	_exit(1);								\
} while (0)
#define CHECK(what) do {							\
	if (!(what))								\
		FAIL("%s", #what);						\
} while (0)
#define CHECK_EQ(a, b) do {							\
	long long a_ = (long long)(a), b_ = (long long)(b);			\
	if (a_ != b_)								\
		FAIL("%s is %lld, not %s = %lld", #a, a_, #b, b_);		\
} while (0)
/* A call of libudf that must return 0. */
#define CHECK_OK(call) do {							\
	int ret_ = (call);							\
	if (ret_)								\
		FAIL("%s: %s", #call, strerror(-ret_));				\
} while (0)

static inline double test_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds that a long case runs: SHORT in `make check`, LONG with UDF_LONG=1. */
static inline double test_seconds(double in_check, double in_long)
{
	const char *s = getenv("UDF_LONG");

	return s && *s && *s != '0' ? in_long : in_check;
}

/* ---- the driver's log: printed, and kept ---- */

struct test_log {
	pthread_mutex_t lock;
	pthread_cond_t more;
	char *text;
	size_t len, size;
	unsigned int complaints;	/* WARN, BUG, stalls, hung tasks */
};

static struct test_log test_log = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

static atomic_bool test_showing;	/* test_show_tasks() has been called: all that the kernel code says is of interest */

static inline bool test_complains(const char *line)
{
	static const char *const words[] = {
		"WARNING: ", "BUG: ", "kernel BUG at", "Oops", "detected stall", "blocked for more than", "soft lockup", "Call Trace",
		"UBSAN: ", "list_add corruption", "list_del corruption", "refcount_t: ", "is broken (",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(line, words[i]))
			return true;
	return false;
}

static inline void test_on_log(void *arg, int level, const char *line)
{
	struct test_log *l = arg;
	size_t n = strlen(line);

	pthread_mutex_lock(&l->lock);
	if (l->len + n + 2 > l->size) {
		l->size = 2 * (l->size + n + 2);
		l->text = realloc(l->text, l->size);
	}
	memcpy(l->text + l->len, line, n);
	l->len += n;
	l->text[l->len++] = '\n';
	l->text[l->len] = 0;
	l->complaints += test_complains(line);
	pthread_cond_broadcast(&l->more);
	pthread_mutex_unlock(&l->lock);
	if (level <= 6 || atomic_load(&test_showing))
		fprintf(stderr, "<%d>%s\n", level, line);
}

static inline unsigned int test_log_count_locked(const char *text)
{
	unsigned int n = 0;
	const char *p;

	for (p = test_log.text; p && (p = strstr(p, text)); p = strchr(p, '\n'))
		n++;
	return n;
}

/* How many lines hold TEXT. */
static inline unsigned int test_log_count(const char *text)
{
	unsigned int n;

	pthread_mutex_lock(&test_log.lock);
	n = test_log_count_locked(text);
	pthread_mutex_unlock(&test_log.lock);
	return n;
}

/* Wait until the log has more than BEFORE lines with TEXT; fails the test after SECONDS. */
static inline void test_log_wait(const char *text, unsigned int before, unsigned int seconds)
{
	struct timespec until;
	int ret = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += seconds;
	pthread_mutex_lock(&test_log.lock);
	while (test_log_count_locked(text) <= before && !ret)
		ret = pthread_cond_timedwait(&test_log.more, &test_log.lock, &until);
	pthread_mutex_unlock(&test_log.lock);
	if (ret)
		FAIL("the driver's log does not say '%s'", text);
}

/* ---- the port ---- */

/* Kernel and kapi are found in the build folder; the program itself lies deeper in it. */
static inline void test_find_build(void)
{
	const char *build = getenv("UDF_BUILD");
	char root[4096];

	if (!build)
		return;
	snprintf(root, sizeof(root), "%s/kernel/root", build);
	setenv("UDF_KERNEL_ROOT", root, 0);
	setenv("UDF_LIBDIR", build, 0);
}

/* Open a port with the options NAME, VALUE, ..., NULL. Fails the test if that fails. */
static inline struct udf *test_open(const char *name, ...)
{
	struct udf_options *o = udf_options_new();
	struct udf *udf = NULL;
	va_list args;

	CHECK(o);
	test_find_build();
	udf_options_log(o, test_on_log, &test_log);
	va_start(args, name);
	for (; name; name = va_arg(args, const char *))
		if (udf_options_set(o, name, va_arg(args, const char *)))
			FAIL("%s", udf_options_error(o));
	va_end(args);
	if (udf_open(o, &udf))
		FAIL("udf_open: %s", udf_options_error(o));
	udf_options_free(o);
	return udf;
}

static inline struct udf_disk *test_disk(struct udf *udf)
{
	struct udf_disk *disk;
	int n = udf_wait_disks(udf, 1, 20000);

	if (n < 1)
		FAIL("no disk: %s", strerror(-n));
	CHECK_OK(udf_disk_open(udf, NULL, &disk));
	return disk;
}

static inline struct udf_disk_info test_info(struct udf_disk *disk)
{
	struct udf_disk_info info;

	CHECK_OK(udf_disk_info(disk, &info));
	return info;
}

/* A command to the monitor of the port's QEMU. */
static inline void test_monitor(const char *command)
{
	char reply[4096] = "";
	int ret = udf_port_qemu_monitor(udf_host.port, command, reply, sizeof(reply));

	if (ret)
		FAIL("QEMU does not take %s: %s %s", command, strerror(-ret), reply);
}

static inline pid_t test_qemu_pid(void)
{
	int pid = udf_port_qemu_pid(udf_host.port);

	CHECK(pid > 0);
	return pid;
}

/* The command $UDF_TEST_DEBUGGER, with this process' number behind it. */
static inline void test_debugger(void)
{
	const char *debugger = getenv("UDF_TEST_DEBUGGER");
	char command[1024];

	snprintf(command, sizeof(command), "%s %d >&2", debugger ? debugger : "", (int)getpid());
	if (debugger && system(command))
		fprintf(stderr, "'%s' has failed\n", command);
}

/*
 * Write where the vCPUs are, the kernel code's tasks and what they wait for to the log. The signals that ask for it make a vCPU look at its
 * interrupts, too: one that goes on now has not been told of one.
 */
static inline void test_show_tasks(void)
{
	test_debugger();
	if (!udf_host.image)	/* the driver is in another process */
		return;
	atomic_store(&test_showing, true);
	udf_vcpus_show(2000);
	udf_driver_control(NULL, HOST_CMD_TASKS, NULL, NULL, 0, 5000);
}

/* No WARN, BUG, stall or hung task was reported. */
static inline void test_no_complaints(void)
{
	if (test_log.complaints)
		FAIL("the kernel code complains %u times", test_log.complaints);
}

/* A backing file of SIZE bytes, sparse. */
static inline void test_file(const char *path, uint64_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	CHECK(!ftruncate(fd, (off_t)size));
	close(fd);
}

/* ---- memory ---- */

struct test_memory {
	long private_kib;	/* of the process: Private_Dirty */
	long free_kib;		/* of the kernel code: free pages, less what CPUs hold back */
};

static inline long test_smaps(const char *name)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	char line[256];
	long kib = -1;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			kib = atol(line + strlen(name));
	fclose(f);
	return kib;
}

static inline struct test_memory test_memory(void)
{
	/* the kernel's own count; its first item is the number of free pages */
	const long *zones = (const long *)udf_image_symbol(udf_host.image, "vm_zone_stat");

	return (struct test_memory) {
		.private_kib = test_smaps("Private_Dirty:"),
		.free_kib = zones ? 4 * __atomic_load_n(zones, __ATOMIC_RELAXED) : 0,
	};
}

#endif
