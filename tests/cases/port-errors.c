// SPDX-License-Identifier: GPL-2.0
/*
 * The transport to QEMU when things go wrong: what a user got wrong is said with QEMU's own words, its death is reported once, nothing is
 * left behind, and opening twenty times makes nothing grow.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "port-test.h"
#include "port/qemu.h"

static const char *const disk[] = { "-blockdev", "driver=null-co,node-name=d0,size=1073741824", NULL };

static unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static bool has_child(void)
{
	return waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD;
}

static void refuse(const char *spec, const char *const *backends, const char *says)
{
	struct udf_error err = UDF_ERROR_INIT;
	unsigned int fds = count_fds();
	struct test_port t;

	if (!test_open_error(&t, spec, backends, &err)) {
		fprintf(stderr, "%s was accepted\n", spec);
		exit(1);
	}
	printf("%s\n", err.text);
	if (!strstr(err.text, says) || strchr(err.text, '\n')) {
		fprintf(stderr, "the error of %s does not say '%s': %s\n", spec, says, err.text);
		exit(1);
	}
	CHECK(err.code < 0 && !t.port);
	CHECK_EQ(t.lost, 0);
	CHECK_EQ(count_fds(), fds);
	CHECK(!has_child());
}

static void test_refused(void)
{
	static const char *const not_backend[] = { "-incoming", "x", NULL }, *const no_value[] = { "-netdev", NULL };
	static const char *const bad_backend[] = { "-blockdev", "driver=no-such-driver,node-name=d0", NULL };

	refuse("nvme", disk, "qemu:");
	refuse("qemu:", disk, "qemu:MODEL");
	refuse("qemu:nvme,drive=d0", disk, "serial");
	refuse("qemu:nvme,drive=d0,serial=x,colour=blue", disk, "colour");
	refuse("qemu:no-such-model", NULL, "no-such-model");
	refuse("qemu:nvme,drive=d1,serial=x", disk, "d1");
	refuse("qemu:nvme,drive=d0,serial=x", bad_backend, "no-such-driver");
	refuse("qemu:nvme,drive=d0,serial=x", not_backend, "-incoming");
	refuse("qemu:nvme,drive=d0,serial=x", no_value, "-netdev");
	refuse("qemu:nvme,drive=d0,serial=x,addr=99", disk, "addr=99");
	refuse("qemu:nvme,drive=d0,serial=x,bus=elsewhere", disk, "bus=elsewhere");
	refuse("qemu:isa-serial", NULL, "isa-serial");
	setenv("UDF_QEMU", "/nonexistent/qemu", 1);
	refuse("qemu:nvme,drive=d0,serial=x", disk, "/nonexistent/qemu");
	unsetenv("UDF_QEMU");
	setenv("PATH", "/nonexistent:/", 1);
	refuse("qemu:nvme,drive=d0,serial=x", disk, "apt install qemu-system-x86");
	setenv("PATH", "/usr/bin:/bin", 1);
	/* a program that is not QEMU */
	setenv("UDF_QEMU", "/bin/false", 1);
	refuse("qemu:nvme,drive=d0,serial=x", disk, "ended with status 1");
	unsetenv("UDF_QEMU");
}

static void *reader(void *arg)
{
	struct test_port *t = arg;
	uint64_t v;
	int ret;

	do {
		ret = t->port->ops->bar_read(t->port, 0, 0x1c, 4, &v);
	} while (!ret);
	return (void *)(intptr_t)ret;
}

/* Killed while two threads are reading: they get -ENODEV, the owner hears of it once, and closing works. */
static void test_killed(void)
{
	struct test_port t;
	pthread_t thread[2];
	uint64_t v;
	void *ret;

	test_open(&t, "qemu:nvme,drive=d0,serial=x", disk);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, reader, &t), 0);
	kill(udf_port_qemu_pid(t.port), SIGKILL);
	CHECK(test_wait(&t, &t.lost, 1));
	for (int i = 0; i < 2; i++) {
		pthread_join(thread[i], &ret);
		CHECK_EQ((intptr_t)ret, -ENODEV);
	}
	CHECK(strstr(t.why, "killed by signal 9"));
	CHECK_EQ(t.port->ops->bar_read(t.port, 0, 0, 4, &v), -ENODEV);
	CHECK_EQ(t.port->ops->bar_write(t.port, 0, 0, 4, 0), -ENODEV);
	CHECK_EQ(t.port->ops->reset(t.port), -ENODEV);
	CHECK_EQ(t.port->ops->irq_enable(t.port, UDF_IRQ_MSIX, 1), -ENODEV);
	CHECK_EQ(udf_port_qemu_monitor(t.port, "{\"execute\": \"query-status\"}", NULL, 0), -ENODEV);
	test_close(&t);
	CHECK_EQ(t.lost, 1);
	CHECK(!has_child());
}

static void test_monitor(void)
{
	char reply[4096];
	struct test_port t;
	int ret;

	test_open(&t, "qemu:nvme,drive=d0,serial=x", disk);
	CHECK_EQ(udf_port_qemu_monitor(t.port, "{\"execute\": \"query-status\"}", reply, sizeof(reply)), 0);
	CHECK(strstr(reply, "\"running\": true"));
	CHECK_EQ(udf_port_qemu_monitor(t.port, "{\"execute\": \"no-such-command\"}", reply, sizeof(reply)), -EIO);
	CHECK(strstr(reply, "no-such-command"));
	CHECK_EQ(udf_port_qemu_monitor(t.port, "{\"execute\": \"query-status\"}", reply, 8), -ENOSPC);
	/* QEMU ends by itself: that is a loss, too, which may be noticed before the answer is read */
	ret = udf_port_qemu_monitor(t.port, "{\"execute\": \"quit\"}", NULL, 0);
	CHECK(ret == 0 || ret == -ENODEV);
	CHECK(test_wait(&t, &t.lost, 1));
	CHECK(strstr(t.why, "ended with status 0"));
	test_close(&t);
}

/* Our own death takes QEMU with it, however it comes. */
static void test_orphan(void)
{
	int pids[2], qemu;
	pid_t child;
	char path[64];

	CHECK_EQ(pipe(pids), 0);
	child = fork();
	if (!child) {
		struct test_port t;

		test_open(&t, "qemu:nvme,drive=d0,serial=x", disk);
		qemu = udf_port_qemu_pid(t.port);
		CHECK_EQ(write(pids[1], &qemu, sizeof(qemu)), sizeof(qemu));
		pause();
	}
	close(pids[1]);
	CHECK_EQ(read(pids[0], &qemu, sizeof(qemu)), sizeof(qemu));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	snprintf(path, sizeof(path), "/proc/%d/exe", qemu);
	for (double end = test_now() + 5; readlink(path, (char[8]){ 0 }, 8) > 0;)
		CHECK(test_now() < end);
	close(pids[0]);
}

static void test_no_growth(void)
{
	struct test_port t;
	unsigned int fds = 0;
	double start = test_now();

	for (int i = 0; i < 20; i++) {
		test_open(&t, "qemu:nvme,drive=d0,serial=x", disk);
		CHECK_EQ(t.port->ops->irq_enable(t.port, UDF_IRQ_MSIX, 65), 0);
		test_close(&t);
		if (!i)
			fds = count_fds();
		CHECK_EQ(count_fds(), fds);
		CHECK(!has_child());
	}
	printf("open and close: %.0f ms\n", (test_now() - start) / 20 * 1e3);
}

int main(void)
{
	test_refused();
	test_killed();
	test_monitor();
	test_orphan();
	test_no_growth();
	return 0;
}
