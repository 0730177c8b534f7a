// SPDX-License-Identifier: GPL-2.0
/* The same as io.c, from an application that is attached to a driver process. Host world. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <udf/serve.h>
#include <unistd.h>

#include "load.h"

static struct sockaddr_un addr = { .sun_family = AF_UNIX };

/* CPU seconds of a process so far. */
static double cpu_of(pid_t pid)
{
	clockid_t clock = (clockid_t)(~(unsigned int)pid << 3 | 2);	/* as clock_getcpuclockid() makes it */
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The driver process: serve one application until it ends. */
static int drive(const struct bench_args *a, int listening)
{
	struct udf_options *o = udf_options_new();
	char cpus[16];
	struct udf *udf;
	int fd;

	snprintf(cpus, sizeof(cpus), "%u", a->cpus);
	if (udf_options_set(o, "device", BENCH_DEVICE) || udf_options_set(o, "backend", "-blockdev " BENCH_DRIVE) ||
	    udf_options_set(o, "cpus", cpus) || udf_open(o, &udf)) {
		fprintf(stderr, "%s\n", udf_options_error(o));
		return 1;
	}
	fd = accept(listening, NULL, NULL);
	if (udf_serve_client(udf, fd))
		return 1;
	while (!udf_lost(udf) && getppid() != 1)
		pause();
	return 0;
}

int main(int argc, char **argv)
{
	struct bench_args a = bench_parse(argc, argv);
	int listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct udf_options *o = udf_options_new();
	double start, own, theirs, seconds;
	unsigned long ios;
	struct udf *udf;
	unsigned int i;
	pid_t child;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp/udf-bench-%d", getpid());
	unlink(addr.sun_path);
	if (bind(listening, (struct sockaddr *)&addr, sizeof(addr)) || listen(listening, 1))
		return 1;
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(drive(&a, listening));
	}
	if (udf_options_set(o, "port", addr.sun_path) || udf_open(o, &udf)) {
		fprintf(stderr, "%s\n", udf_options_error(o));
		return 1;
	}
	unlink(addr.sun_path);
	if (udf_wait_disks(udf, 1, 10000) < 0 || udf_disk_open(udf, NULL, &disk) || udf_queue_open(udf, 0, 256, 0, &queue))
		return 1;	/* not polled: that would be a third busy thread, where there may be two processors */
	for (i = 0; i < a.depth; i++)
		submit(udf_buf_alloc(udf, 4096));
	run(a.seconds / 10);
	own = bench_cpu();
	theirs = cpu_of(child);
	start = bench_now();
	ios = run(a.seconds);
	seconds = bench_now() - start;
	own = bench_cpu() - own;
	theirs = cpu_of(child) - theirs;
	stopping = 1;
	udf_wait(queue, 5000);
	bench_print("attached", &a, ios, seconds, own + theirs);
	printf("per_io failed=%lu\n", failed);
	udf_close(udf);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return failed != 0;
}
