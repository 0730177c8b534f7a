// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU as a child process that cannot outlive us: start, listen, reap, stop. Host world.
 *
 * The kernel kills the child when the thread that started it ends (PR_SET_PDEATHSIG goes by thread), so that is the transport's
 * thread. The child is in a session of its own: Ctrl-C at the terminal is for the driver process, which shuts the device down.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "port/qemu-int.h"

#define PROGRAM "qemu-system-x86_64"
#define PACKAGE "qemu-system-x86"
#define STOP_MS 2000

void (*udf_port_qemu_child)(void);

int udf_qemu_find(char *path, size_t len, struct udf_error *err)
{
	const char *given = getenv("UDF_QEMU"), *dir = getenv("PATH");

	if (given && *given) {
		if (snprintf(path, len, "%s", given) >= (int)len || access(path, X_OK))
			return udf_error_set(err, -ENOENT, "UDF_QEMU=%s is not a program that can be run", given);
		return 0;
	}
	for (dir = dir ? dir : "/usr/bin:/bin"; *dir; dir += strspn(dir, ":")) {
		size_t n = strcspn(dir, ":");

		if (snprintf(path, len, "%.*s/" PROGRAM, (int)n, dir) < (int)len && !access(path, X_OK))
			return 0;
		dir += n;
	}
	return udf_error_set(err, -ENOENT, PROGRAM " was not found: 'apt install " PACKAGE "', or set UDF_QEMU to its path");
}

/* Runs between fork and exec: async-signal-safe functions only. Does not return. */
static void child(const char *path, char *const *argv, const int *fds, unsigned int nr_fds, int output, pid_t parent)
{
	const int base = QEMU_FD_END + 16;	/* above all descriptors that the child is to have */
	int high[QEMU_FD_END];
	struct rlimit files;
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	setsid();
	if (udf_port_qemu_child)
		udf_port_qemu_child();
	/* first out of the way, then into place: the numbers may overlap */
	output = fcntl(output, F_DUPFD_CLOEXEC, base);
	for (unsigned int i = 0; i < nr_fds; i++)
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, base);
	for (unsigned int i = 0; i < nr_fds; i++)
		if (dup2(high[i], QEMU_FD_QTEST + (int)i) < 0)
			_exit(127);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	close(STDIN_FILENO);
	open("/dev/null", O_RDONLY);
	syscall(SYS_close_range, QEMU_FD_QTEST + nr_fds, ~0u, 0);
	/* each interrupt vector is a descriptor */
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	for (int sig = 1; sig < 32; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(path, argv);
	_exit(127);
}

int udf_qemu_spawn(struct qemu_proc *proc, const char *path, char *const *argv, const int *fds, unsigned int nr_fds, struct udf_error *err)
{
	pid_t parent = getpid();
	sigset_t all, old;
	int output[2];

	memset(proc, 0, sizeof(*proc));
	proc->pidfd = proc->output = -1;
	if (pipe2(output, O_CLOEXEC))
		return udf_error_set(err, -errno, "cannot start %s: %s", path, strerror(errno));
	/* no handler of ours may run in the child */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	proc->pid = fork();
	if (!proc->pid)
		child(path, argv, fds, nr_fds, output[1], parent);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	close(output[1]);
	if (proc->pid > 0)
		proc->pidfd = (int)syscall(SYS_pidfd_open, proc->pid, 0);
	if (proc->pidfd < 0) {
		int ret = -errno;

		close(output[0]);
		if (proc->pid > 0) {
			kill(proc->pid, SIGKILL);
			waitpid(proc->pid, NULL, 0);
		}
		proc->pid = 0;
		return udf_error_set(err, ret, "cannot start %s: %s", path, strerror(-ret));
	}
	fcntl(proc->pidfd, F_SETFD, FD_CLOEXEC);
	fcntl(output[0], F_SETFL, O_NONBLOCK);
	proc->output = output[0];
	return 0;
}

void udf_qemu_listen(struct qemu_proc *proc)
{
	char buf[512];
	ssize_t n;

	while (proc->output >= 0 && (n = read(proc->output, buf, sizeof(buf))) > 0) {
		size_t len = (size_t)n, keep = sizeof(proc->tail) - 1 - len;

		if (proc->tail_len > keep) {
			memmove(proc->tail, proc->tail + proc->tail_len - keep, keep);
			proc->tail_len = keep;
		}
		memcpy(proc->tail + proc->tail_len, buf, len);
		proc->tail_len += len;
		proc->tail[proc->tail_len] = 0;
	}
}

/* The last lines as one: newlines become "; ", control characters go, and the program's own name in front goes, too. */
static void last_words(struct qemu_proc *proc, char *text, size_t len)
{
	size_t n = 0;
	char *state;

	for (char *line = strtok_r(proc->tail, "\n", &state); line && n + 4 < len; line = strtok_r(NULL, "\n", &state)) {
		if (!strncmp(line, PROGRAM ": ", strlen(PROGRAM ": ")))
			line += strlen(PROGRAM ": ");
		n += (size_t)snprintf(text + n, len - n, "%s%s", n ? "; " : "", line);
		if (n >= len)
			n = len - 1;
	}
	text[n] = 0;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ')
			text[i] = ' ';
}

void udf_qemu_reap(struct qemu_proc *proc, char *why, size_t len)
{
	char words[384] = "";
	siginfo_t info = { .si_pid = 0 };
	pid_t pid = proc->pid;
	int ret;

	do {
		ret = waitid(P_PIDFD, (id_t)proc->pidfd, &info, WEXITED);
	} while (ret && errno == EINTR);
	udf_qemu_listen(proc);
	last_words(proc, words, sizeof(words));
	if (ret)	/* the application has set SIGCHLD to be ignored, or waits for any child */
		snprintf(why, len, "QEMU (process %d) has ended%s%s", pid, *words ? ": " : "", words);
	else if (info.si_code == CLD_EXITED)
		snprintf(why, len, "QEMU (process %d) ended with status %d%s%s", pid, info.si_status, *words ? ": " : "", words);
	else
		snprintf(why, len, "QEMU (process %d) was killed by signal %d (%s)%s%s", pid, info.si_status, strsignal(info.si_status),
			 *words ? ": " : "", words);
	close(proc->pidfd);
	close(proc->output);
	proc->pidfd = proc->output = -1;
	proc->pid = 0;
}

void udf_qemu_stop(struct qemu_proc *proc)
{
	char why[64];
	struct pollfd end = { .fd = proc->pidfd, .events = POLLIN };

	if (!proc->pid)
		return;
	/* asked politely it writes its disks' caches out */
	syscall(SYS_pidfd_send_signal, proc->pidfd, SIGTERM, NULL, 0);
	if (poll(&end, 1, STOP_MS) != 1 && syscall(SYS_pidfd_send_signal, proc->pidfd, SIGKILL, NULL, 0) && errno == EPERM) {
		/* it does not end when asked, and is another user's by now: whoever runs us has to end it */
		close(proc->pidfd);
		close(proc->output);
		proc->pidfd = proc->output = -1;
		proc->pid = 0;
		return;
	}
	udf_qemu_reap(proc, why, sizeof(why));
}
