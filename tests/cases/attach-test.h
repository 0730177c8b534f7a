/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For tests of attached applications: driver processes (udf run --serve) that are started, stopped and killed, and the test as their
 * application.
 *
 * The test adopts what a driver process leaves behind, its QEMU, and so knows when the disk's file is nobody's any more.
 */
#ifndef UDF_TESTS_ATTACH_TEST_H
#define UDF_TESTS_ATTACH_TEST_H

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "udf-test.h"

#define ATTACH_ARGS 24

struct driver {
	const char *args[ATTACH_ARGS];	/* of udf run, NULL at the end */
	pid_t pid;			/* 0: none */
	pid_t parent;			/* who started it */
};

/* A short path: a socket's has 107 characters. In the work folder, which is the current one. */
#define ATTACH_SOCKET "./s"

static inline void driver_exec(struct driver *d)
{
	const char *argv[ATTACH_ARGS + 6] = { "udf", "run", "--serve", ATTACH_SOCKET }, *build = getenv("UDF_BUILD");
	unsigned int n = 4, i;
	char path[4096];
	int log;

	for (i = 0; d->args[i]; i++)
		argv[n++] = d->args[i];
	snprintf(path, sizeof(path), "%s/udf", build ? build : "build");
	log = open("driver.log", O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execv(path, (char *const *)argv);
	_exit(127);
}

/* Run WHAT in a process of its own, an application that writes a byte to TELL when it is at work; then kill it. */
static inline void app_kill_at_work(void (*what)(int tell))
{
	int fds[2];
	pid_t pid;
	char c;

	CHECK(!pipe(fds));
	fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fds[0]);
		what(fds[1]);
		_exit(1);
	}
	close(fds[1]);
	CHECK_EQ(read(fds[0], &c, 1), 1);
	close(fds[0]);
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

static inline void driver_start(struct driver *d)
{
	CHECK(!d->pid);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	fflush(NULL);
	d->parent = getpid();
	d->pid = fork();
	CHECK(d->pid >= 0);
	if (!d->pid)
		driver_exec(d);
}

/* Whether it has ended, with its QEMU, WAITing for it or not. */
static inline bool driver_reap(struct driver *d, bool wait)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, wait ? 0 : WNOHANG)) > 0)
		if (pid == d->pid)
			d->pid = 0;
	return pid < 0;
}

/* End the driver process by SIG; returns when nothing of it is left. */
static inline void driver_kill(struct driver *d, int sig)
{
	CHECK(d->pid > 0);
	kill(d->pid, sig);
	driver_reap(d, true);
	CHECK(!d->pid);
}

/* Attach, once the driver process listens, with options NAME, VALUE, ..., NULL. */
static inline struct udf *driver_attach(struct driver *d, const char *name, ...)
{
	struct udf_options *o = udf_options_new();
	double end = test_now() + 20;
	struct udf *udf = NULL;
	va_list args;
	int err;

	CHECK(o);
	udf_options_log(o, test_on_log, &test_log);
	CHECK_OK(udf_options_set(o, "port", ATTACH_SOCKET));
	va_start(args, name);
	for (; name; name = va_arg(args, const char *))
		if (udf_options_set(o, name, va_arg(args, const char *)))
			FAIL("%s", udf_options_error(o));
	va_end(args);
	while ((err = udf_open(o, &udf)) == -ENOENT || err == -ECONNREFUSED) {
		CHECK(test_now() < end && !(d->parent == getpid() && driver_reap(d, false)));
		usleep(5000);	/* it starts */
	}
	if (err)
		FAIL("udf_open: %s", udf_options_error(o));
	udf_options_free(o);
	return udf;
}

/* The driver process's log, from the start of the test. */
static inline bool driver_says(const char *text)
{
	static char buf[1 << 20];
	int fd = open("driver.log", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, buf, sizeof(buf) - 1) : 0;

	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = 0;
	return strstr(buf, text);
}

static inline void driver_no_complaints(void)
{
	static const char *const words[] = { "WARNING: ", "BUG: ", "kernel BUG at", "Oops", "Call Trace", "is broken (" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (driver_says(words[i]))
			FAIL("the driver process complains: %s", words[i]);
}

#endif
