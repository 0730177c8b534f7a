// SPDX-License-Identifier: GPL-2.0
/*
 * Hostile clients of udfd: bytes that are no message, floods of descriptors, connections that are never read, that are many, that end in the
 * middle; and impostors at a driver's rendezvous. udfd answers the next client as before, and no driver comes to harm. Also sd_notify with
 * watchdog and a socket that systemd passes, since all of it is set up here.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "udf-test.h"

#define SOCKET "run/udfd.sock"

static pid_t udfd;
static int notify, listener;
static char notify_name[64];

static int unix_socket(int type, struct sockaddr_un *sa, const char *path)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	snprintf(sa->sun_path, sizeof(sa->sun_path), "%s", path);
	return fd;
}

static int bound(int type, const char *path)
{
	struct sockaddr_un sa;
	int fd = unix_socket(type, &sa, path);

	CHECK(!bind(fd, (struct sockaddr *)&sa, sizeof(sa)));
	return fd;
}

/* Without a file: a name that systemd would give has to be absolute, and short. */
static int notify_socket(void)
{
	struct sockaddr_un sa;
	int fd;

	snprintf(notify_name, sizeof(notify_name), "@udf-test-%d", getpid());
	fd = unix_socket(SOCK_DGRAM, &sa, notify_name);
	sa.sun_path[0] = 0;
	CHECK(!bind(fd, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(notify_name))));
	return fd;
}

static int connected(const char *path)
{
	struct sockaddr_un sa;
	int fd = unix_socket(SOCK_SEQPACKET, &sa, path);

	CHECK(!connect(fd, (struct sockaddr *)&sa, sizeof(sa)));
	return fd;
}

/* Start udfd as systemd would: the socket as descriptor 3, a watchdog, a socket to notify. */
static void start_udfd(void)
{
	char program[4096], pid[32];

	snprintf(program, sizeof(program), "%s/udfd", getenv("UDF_BUILD"));
	udfd = fork();
	CHECK(udfd >= 0);
	if (udfd)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_PID", pid, 1);
	setenv("WATCHDOG_USEC", "400000", 1);
	setenv("WATCHDOG_PID", pid, 1);
	setenv("NOTIFY_SOCKET", notify_name, 1);
	if (listener != 3)
		dup2(listener, 3);
	fcntl(3, F_SETFD, 0);
	execl(program, "udfd", "--config", "udf.conf", "--runtime-dir", "run", "--state-dir", "state", (char *)NULL);
	_exit(127);
}

/* Wait until udfd notifies of WHAT. */
static void wait_notify(const char *what)
{
	char text[4096];
	ssize_t n;

	do {
		struct pollfd p = { .fd = notify, .events = POLLIN };

		if (poll(&p, 1, 20000) != 1)
			FAIL("udfd does not notify of %s", what);
		n = recv(notify, text, sizeof(text) - 1, 0);
		CHECK(n >= 0);
		text[n] = 0;
	} while (!strstr(text, what));
}

/* Receive a packet that has TEXT in it; others are passed over. */
static void wait_answer(int fd, const char *text)
{
	char buf[70000];
	ssize_t n;

	do {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, 20000) != 1)
			FAIL("no answer with %s", text);
		n = recv(fd, buf, sizeof(buf) - 1, 0);
		if (n <= 0)
			FAIL("the connection has ended without %s", text);
		buf[n] = 0;
	} while (!strstr(buf, text));
}

static void ask(int fd, const char *request, const char *answer)
{
	CHECK(send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request));
	wait_answer(fd, answer);
}

static void ends(int fd)
{
	char buf[70000];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	do {
		CHECK_EQ(poll(&p, 1, 20000), 1);
		n = recv(fd, buf, sizeof(buf), 0);
	} while (n > 0);
	close(fd);
}

/* An ordinary client is served, and the port runs in process PID (0: any). Returns that. */
static pid_t served(pid_t pid)
{
	char buf[70000];
	const char *p;
	int fd = connected(SOCKET);

	ask(fd, "{\"do\":\"start\",\"port\":\"a\"}", "\"end\":true");
	CHECK(send(fd, "{\"do\":\"status\",\"port\":\"a\"}", 26, 0) == 26);
	CHECK((size_t)recv(fd, buf, sizeof(buf) - 1, 0) < sizeof(buf));
	p = strstr(buf, "\"pid\":");
	CHECK(p);
	if (pid)
		CHECK_EQ(atoi(p + 6), pid);
	pid = atoi(p + 6);
	close(fd);
	return pid;
}

static void nonsense(const void *bytes, size_t len)
{
	int fd = connected(SOCKET);

	CHECK(send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
	ends(fd);
}

static void bad_bytes(void)
{
	char *big = malloc(200000);
	unsigned int seed = 1, i, j;

	memset(big, '[', 200000);
	nonsense("x", 1);
	nonsense("\0", 1);
	nonsense("[]", 2);
	nonsense("{\"do\":", 6);
	nonsense(big, 1000);
	nonsense(big, 100000);		/* longer than a message */
	for (i = 0; i < 500; i++) {
		size_t len = 1 + rand_r(&seed) % 300;
		int fd = connected(SOCKET);

		for (j = 0; j < len; j++)
			big[j] = (char)rand_r(&seed);
		CHECK(send(fd, big, len, MSG_NOSIGNAL) == (ssize_t)len);
		close(fd);
	}
	free(big);
}

static void bad_requests(void)
{
	int fd = connected(SOCKET);
	char path[5000];

	ask(fd, "{}", "udfd knows no request ''");
	ask(fd, "{\"do\":7}", "udfd knows no request ''");
	ask(fd, "{\"do\":\"a\\u0000b\"}", "udfd knows no request ''");
	ask(fd, "{\"do\":\"status\"}", "there is no port ''");
	ask(fd, "{\"do\":\"status\",\"port\":[]}", "there is no port ''");
	ask(fd, "{\"do\":\"failures\",\"port\":\"../../etc\"}", "there is no port");
	ask(fd, "{\"do\":\"bind\",\"address\":\"../../../x\"}", "is no PCI address");
	ask(fd, "{\"do\":\"attach\",\"port\":\"a\"}", "attach needs a socket");
	snprintf(path, sizeof(path), "{\"do\":\"status\",\"port\":\"%04000d\"}", 1);
	ask(fd, path, "there is no port");
	ask(fd, "{\"do\":\"ports\"}", "\"end\":true");
	close(fd);
}

static int count_fds(pid_t pid)
{
	char command[100];
	FILE *f;
	int n = 0;

	snprintf(command, sizeof(command), "ls /proc/%d/fd | wc -l", pid);
	f = popen(command, "r");
	CHECK(f && fscanf(f, "%d", &n) == 1);
	pclose(f);
	return n;
}

/* As many descriptors as a message can carry; udfd keeps none. */
static void many_descriptors(void)
{
	char control[CMSG_SPACE(sizeof(int) * 250)] = { 0 }, text[] = "{\"do\":\"ports\"}";
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	int before, i, fd, one = STDERR_FILENO;

	served(0);
	before = count_fds(udfd);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * 250);
	for (i = 0; i < 250; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &one, sizeof(one));
	for (i = 0; i < 50; i++) {
		fd = connected(SOCKET);
		CHECK(sendmsg(fd, &h, MSG_NOSIGNAL) > 0);
		ends(fd);
	}
	served(0);
	/* the last connections may not be closed yet; what is kept stays, and the case runs into its time limit */
	while (count_fds(udfd) > before)
		sched_yield();
}

/* A client that asks and asks and never reads: it is given up, or it stops asking; others are served meanwhile. */
static void never_reads(pid_t pid)
{
	int fd = connected(SOCKET), i;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (i = 0; i < 3000; i++)
		if (send(fd, "{\"do\":\"logs\",\"port\":\"a\"}", 24, MSG_NOSIGNAL) < 0)
			break;
	served(pid);
	close(fd);
}

static void many_clients(pid_t pid)
{
	int fd[300], i;

	for (i = 0; i < 300; i++)
		fd[i] = connected(SOCKET);
	for (i = 0; i < 300; i++)
		close(fd[i]);
	served(pid);
}

/* Whoever may not be udfd is shown out at the rendezvous; and whoever is let in and talks nonsense ends nothing but the connection. */
static void impostors(pid_t pid)
{
	char buf[100];
	int status, fd;
	pid_t child;

	if (geteuid())
		return;
	chmod("run/ports", 0755);
	chmod("run/ports/a", 0666);
	child = fork();
	if (!child) {
		/* one that may, and says nothing */
		fd = connected("run/ports/a");
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	child = fork();
	if (!child) {
		struct sockaddr_un sa;
		int dir = open("run/ports", O_PATH | O_DIRECTORY);

		fd = unix_socket(SOCK_SEQPACKET, &sa, "a");
		if (fchdir(dir) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(1);
		if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
			_exit(errno == EACCES ? 0 : 2);
		/* let in by the file, shown out by who it is: no hello comes */
		_exit(recv(fd, buf, sizeof(buf), 0) > 0 ? 3 : 0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK(!kill(pid, 0));
}

int main(void)
{
	FILE *f = fopen("udf.conf", "w");
	pid_t pid, again;
	int status;

	test_find_build();
	CHECK(!mkdir("run", 0755));
	fprintf(f, "[port a]\ndevice = qemu:nvme,serial=a\nsize = 64M\n");
	fclose(f);
	notify = notify_socket();
	listener = bound(SOCK_SEQPACKET, SOCKET);
	CHECK(!listen(listener, 100));
	start_udfd();
	wait_notify("READY=1");
	wait_notify("WATCHDOG=1");
	pid = served(0);
	bad_bytes();
	served(pid);
	bad_requests();
	many_descriptors();
	never_reads(pid);
	many_clients(pid);
	wait_notify("WATCHDOG=1");
	impostors(pid);

	/* whatever the impostors did, the next udfd finds the driver; the socket is systemd's and still there */
	CHECK(!kill(udfd, SIGTERM));
	wait_notify("STOPPING=1");
	CHECK_EQ(waitpid(udfd, &status, 0), udfd);
	CHECK_EQ(status, 0);
	start_udfd();
	wait_notify("READY=1");
	again = served(pid);
	CHECK_EQ(again, pid);
	{
		int fd = connected(SOCKET);

		ask(fd, "{\"do\":\"stop\",\"port\":\"a\"}", "\"end\":true");
		close(fd);
	}
	CHECK(!kill(udfd, SIGTERM));
	CHECK_EQ(waitpid(udfd, &status, 0), udfd);
	CHECK_EQ(status, 0);
	return 0;
}
