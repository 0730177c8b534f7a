// SPDX-License-Identifier: GPL-2.0
/*
 * First process of the virtual machine: makes the host's root file system its own, runs /run/share/start, and tells what came of it.
 *
 * It is the only file of the initial RAM disk besides the modules that 9p and overlay need, and statically linked. In the share it leaves
 *
 *	status	exit status of /run/share/start: written last, so that its absence says that the guest has died
 *	dmesg	the kernel's log
 *	taint	/proc/sys/kernel/tainted
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define EXIT_PORT 0xf4		/* isa-debug-exit */
#define NINEP "trans=virtio,version=9p2000.L,msize=524288"
#define SHARE "/run/share/"
#define KLOG_READ_ALL 3

static void end(void) __attribute__((noreturn));

static void end(void)
{
	sync();
	if (!iopl(3))
		outb(0, EXIT_PORT);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void check(int ret, const char *what)
{
	if (ret >= 0)
		return;
	fprintf(stderr, "vm: %s: %s\n", what, strerror(errno));
	end();
}

static void attach(const char *source, const char *target, const char *type, unsigned long flags, const char *options)
{
	mkdir(target, 0755);
	check(mount(source, target, type, flags, options), target);
}

static void load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	check(fd, path);
	if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
		check(-1, path);
	close(fd);
}

/* /modules holds them in the order of loading. */
static void load_all(void)
{
	struct dirent **list;
	char path[300];
	int n = scandir("/modules", &list, NULL, alphasort);

	check(n, "/modules");
	for (int i = 0; i < n; i++) {
		if (list[i]->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/modules/%s", list[i]->d_name);
		load(path);
	}
}

/* The host's files, under a layer that takes what is written. */
static void make_root(void)
{
	static const char *const moved[] = { "/proc", "/sys", "/dev" };

	attach("hostroot", "/lower", "9p", MS_RDONLY, NINEP ",cache=loose");
	attach("tmpfs", "/upper", "tmpfs", 0, NULL);
	mkdir("/upper/files", 0755);
	mkdir("/upper/work", 0755);
	attach("overlay", "/new", "overlay", 0, "lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work");
	check(chdir("/new"), "/new");
	for (unsigned int i = 0; i < sizeof(moved) / sizeof(moved[0]); i++)
		check(mount(moved[i], moved[i] + 1, NULL, MS_MOVE, NULL), moved[i]);
	attach("tmpfs", "run", "tmpfs", 0, NULL);
	attach("tmpfs", "dev/shm", "tmpfs", 0, NULL);
	attach("devpts", "dev/pts", "devpts", 0, NULL);
	check(symlink("/proc/self/fd", "dev/fd"), "dev/fd");
	attach("share", "run/share", "9p", 0, NINEP ",cache=none");
	check(mount(".", "/", NULL, MS_MOVE, NULL), "root");
	check(chroot("."), "chroot");
	check(chdir("/"), "/");
}

static void write_file(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	check(fd, path);
	check((int)write(fd, text, len), path);
	close(fd);
}

static void set(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "vm: %s: %s\n", path, strerror(errno));
	close(fd);
}

/* QEMU's monitor is at the other end of the second serial line, which must not echo. It stays open, so that this lasts. */
static void set_up_monitor(void)
{
	struct termios t;
	int fd = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || tcgetattr(fd, &t))
		return;
	cfmakeraw(&t);
	tcsetattr(fd, TCSANOW, &t);
}

static int run_start(void)
{
	int status = 0;
	pid_t pid = fork();

	check(pid, "fork");
	if (!pid) {
		int out = open(SHARE "output", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);

		setsid();
		dup2(out, 1);
		dup2(out, 2);
		setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
		setenv("HOME", "/root", 1);
		execl("/bin/bash", "bash", SHARE "start", NULL);
		_exit(127);
	}
	while (wait(&status) != pid)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void report(int status)
{
	static char log[4 << 20];
	char text[32];
	int n = klogctl(KLOG_READ_ALL, log, sizeof(log));
	int fd = open("/proc/sys/kernel/tainted", O_RDONLY);

	check(n, "kernel log");
	write_file(SHARE "dmesg", log, (size_t)n);
	n = (int)read(fd, text, sizeof(text));
	write_file(SHARE "taint", text, n > 0 ? (size_t)n : 0);
	n = snprintf(text, sizeof(text), "%d\n", status);
	write_file(SHARE "status", text, (size_t)n);
}

int main(void)
{
	int console;

	attach("proc", "/proc", "proc", 0, NULL);
	attach("sys", "/sys", "sysfs", 0, NULL);
	attach("dev", "/dev", "devtmpfs", 0, NULL);
	console = open("/dev/console", O_RDWR);
	dup2(console, 0);
	dup2(console, 1);
	dup2(console, 2);
	load_all();
	make_root();
	set("/proc/sys/kernel/hung_task_timeout_secs", "20");
	set("/proc/sys/kernel/hostname", "udf-vm");
	set_up_monitor();
	report(run_start());
	end();
}
