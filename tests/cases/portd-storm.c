// SPDX-License-Identifier: GPL-2.0
/*
 * timeout: 240
 * long-timeout: 3600
 *
 * udfd's port dies again and again under verified load of an attached application: its driver process is killed or stopped, its QEMU is
 * killed, udfd itself is. No request fails, none is lost, nothing that was read or is in the backing file at the end is wrong. Says how long
 * the port was gone. 50 times in `make check`, 1,000 times with UDF_LONG=1.
 */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "load.h"

#define SIZE (64ull << 20)

static pid_t udfd;
static char answer[70000];

/* ---- udfd ---- */

static int connected(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "run/udfd.sock" };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	if (!connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		return fd;
	close(fd);
	return -1;
}

/* The answer to a request; false when udfd went away meanwhile, or refuses. */
static bool ask(const char *request)
{
	int fd = connected();
	bool got = false;
	ssize_t n;

	if (fd < 0)
		return false;
	CHECK(send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request));
	n = recv(fd, answer, sizeof(answer) - 1, 0);
	got = n > 0;
	answer[n > 0 ? n : 0] = 0;
	close(fd);
	return got && !strstr(answer, "\"error\"");
}

static long number(const char *key)
{
	char text[64];
	const char *p;

	snprintf(text, sizeof(text), "\"%s\":", key);
	p = strstr(answer, text);
	return p ? atol(p + strlen(text)) : -1;
}

static bool running(void)
{
	return ask("{\"do\":\"status\",\"port\":\"a\"}") && strstr(answer, "\"state\":\"running\"");
}

static void start_udfd(void)
{
	char program[4096];
	double start = test_now();
	int log = open("udfd.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	snprintf(program, sizeof(program), "%s/udfd", getenv("UDF_BUILD"));
	udfd = fork();
	CHECK(udfd >= 0);
	if (!udfd) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(log, STDERR_FILENO);
		execl(program, "udfd", "--config", "udf.conf", "--runtime-dir", "run", "--state-dir", "state", (char *)NULL);
		_exit(127);
	}
	close(log);
	/* a udfd that is starting listens before it answers */
	while (!running())
		CHECK(test_now() - start < 30);
}

/* Wait until the port runs in another process than PID. */
static void await_successor(pid_t pid)
{
	double start = test_now();

	while (!running() || number("pid") == pid)
		CHECK(test_now() - start < 30);
}

/* ---- deaths ---- */

static long gap[1000];
static unsigned int gaps;

static pid_t qemu_of(pid_t driver)
{
	char command[64];
	int pid = -1;
	FILE *f;

	snprintf(command, sizeof(command), "pgrep -P %d", driver);
	f = popen(command, "r");
	CHECK(f && fscanf(f, "%d", &pid) == 1);
	pclose(f);
	return pid;
}

static void kill_udfd(void)
{
	int status;

	CHECK(!kill(udfd, SIGKILL));
	CHECK_EQ(waitpid(udfd, &status, 0), udfd);
	start_udfd();
}

static void one_death(unsigned int n)
{
	pid_t pid;

	if (n % 10 == 9)
		kill_udfd();
	CHECK(running());
	pid = number("pid");
	CHECK(pid > 0);
	if (n % 10 == 7)
		CHECK(!kill(pid, SIGSTOP));
	else if (n % 10 == 4)
		CHECK(!kill(qemu_of(pid), SIGKILL));
	else
		CHECK(!kill(pid, SIGKILL));
	await_successor(pid);
	if (n % 10 != 7 && gaps < 1000)
		gap[gaps++] = number("gap-ms");
}

static int compare(const void *a, const void *b)
{
	return (int)(*(const long *)a - *(const long *)b);
}

static void await_requests(struct load *l, struct load_watch *w, unsigned long more)
{
	unsigned long until = atomic_load(&l->done) + more;

	while (atomic_load(&l->done) < until) {
		load_look(l, w);
		usleep(500);
	}
}

int main(int argc, char **argv)
{
	unsigned int deaths = argc > 1 ? (unsigned int)atoi(argv[1]) : (unsigned int)test_seconds(50, 1000), i;
	struct load_watch w = { 0 };
	struct udf_queue *own, *threaded;
	struct udf_disk *disk;
	struct udf *udf;
	struct load l;
	FILE *f = fopen("udf.conf", "w");

	test_find_build();
	test_file("disk.img", SIZE);
	CHECK(f && !mkdir("run", 0755));
	fprintf(f, "[port a]\ndevice = qemu:nvme,serial=a\ndrive = disk.img\ncpus = 2\nbackoff-min = 0.01\nbackoff-max = 0.01\n"
		"hang-timeout = 1\n");
	fclose(f);
	start_udfd();
	udf = test_open("port", "run/attach/a", NULL);
	disk = test_disk(udf);
	load_init(&l, udf, disk, 11);
	CHECK_OK(udf_queue_open(udf, 0, 64, 0, &own));
	CHECK_OK(udf_queue_open(udf, 1, 16, UDF_QUEUE_THREAD, &threaded));
	load_start(&l, own, 64);
	load_start(&l, threaded, 8);
	for (i = 0; i < deaths; i++) {
		uint64_t random = i;

		await_requests(&l, &w, 1 + load_random(&random) % 400);
		one_death(i);
	}
	await_requests(&l, &w, 100);
	load_stop(&l);
	CHECK_OK(udf_pflush(NULL, disk));
	CHECK_OK(udf_close(udf));
	qsort(gap, gaps, sizeof(gap[0]), compare);
	printf("%u deaths: ", deaths);
	load_report(&l);
	printf("gone for %ld ms (median), %ld ms (longest of %u)\n", gap[gaps / 2], gap[gaps - 1], gaps);
	CHECK_EQ(atomic_load(&l.failed) + atomic_load(&l.refused), 0);
	load_check_file(&l, "disk.img");
	load_free(&l);
	CHECK(ask("{\"do\":\"stop\",\"port\":\"a\"}"));
	CHECK(!kill(udfd, SIGTERM));
	CHECK_EQ(waitpid(udfd, NULL, 0), udfd);
	return 0;
}
