// SPDX-License-Identifier: GPL-2.0
/*
 * What a driver process locks itself up with, once its port is open and its driver loaded. Host world.
 *
 * Namespaces belong to threads: they are made while there is one (driver_walls_prepare()), and inherited. The mount namespace is emptied
 * later, under all threads at once. QEMU, which is the device, is let out again to the ones it came from.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "driver/driver.h"
#include "port/qemu.h"

#define FILES_MAX 4096		/* descriptors: an interrupt vector or a client takes a few */
#define THREADS_MAX 256		/* of the user id, which no other process has */

static struct {
	const char *name;
	int flag;
	int outside;		/* the namespace that QEMU goes back to */
	bool stands;
} spaces[] = {
	{ "mnt", CLONE_NEWNS, -1, false }, { "net", CLONE_NEWNET, -1, false }, { "ipc", CLONE_NEWIPC, -1, false },
};
#define NR_SPACES (sizeof(spaces) / sizeof(spaces[0]))

static int outside_cwd = -1;	/* the folder that relative names of files begin at, outside */
static bool empty;		/* the mount namespace is */

/* In QEMU's process, before it is QEMU's: files and network as outside. */
static void let_out(void)
{
	size_t i;

	for (i = 0; i < NR_SPACES; i++)
		if (spaces[i].stands)
			setns(spaces[i].outside, spaces[i].flag);
	/* going to another mount namespace leads to its root folder */
	if (spaces[0].stands && fchdir(outside_cwd))
		_exit(127);
}

static void enter(unsigned int i)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/ns/%s", spaces[i].name);
	spaces[i].outside = open(path, O_RDONLY | O_CLOEXEC);
	if (spaces[i].outside >= 0 && !unshare(spaces[i].flag))
		spaces[i].stands = true;
	else
		driver_note(4, "no %s namespace of its own: %s", spaces[i].name, strerror(errno));
}

int driver_walls_prepare(void)
{
	unsigned int i;

	outside_cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (i = 0; i < NR_SPACES; i++)
		enter(i);
	/*
	 * What we mount and unmount from here on is ours alone. What is unmounted outside goes here as well: who stands by would keep a file
	 * system from being unmounted, maybe one that is on a disk of ours.
	 */
	if (spaces[0].stands && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		driver_note(4, "the mount namespace is not apart: %s", strerror(errno));
	udf_port_qemu_child = let_out;
	return driver_filter_prepare();
}

/* Nothing but an empty, read-only folder is left. */
static int empty_mounts(void)
{
	/* any folder that is always there will do to mount the new root on */
	if (mount("none", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,nr_inodes=1,mode=0555"))
		return -errno;
	if (chdir("/proc"))
		return -errno;
	/* the old root lands beneath the new one, and is taken off it */
	if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
		return -errno;
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return -errno;
	empty = true;
	return 0;
}

static void close_outside(void)
{
	size_t i;

	for (i = 0; i < NR_SPACES; i++) {
		if (spaces[i].outside >= 0)
			close(spaces[i].outside);
		spaces[i].outside = -1;
	}
	if (outside_cwd >= 0)
		close(outside_cwd);
	outside_cwd = -1;
}

static void set_limit(int which, rlim_t value)
{
	struct rlimit limit = { .rlim_cur = value, .rlim_max = value };

	if (setrlimit(which, &limit))
		driver_note(4, "resource limit %d: %s", which, strerror(errno));
}

static void set_limits(void)
{
	set_limit(RLIMIT_NOFILE, FILES_MAX);
	set_limit(RLIMIT_MSGQUEUE, 0);
	set_limit(RLIMIT_LOCKS, 0);
	set_limit(RLIMIT_RTPRIO, 0);
}

/* Another user, in all threads (glibc sees to that), and with it no capabilities. */
static int become(uid_t uid)
{
	/* the number of processes is limited by user: before, root's would count */
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		return -errno;
	set_limit(RLIMIT_NPROC, THREADS_MAX);
	/* one user for each port: nobody else is it, and core dumps remain possible */
	prctl(PR_SET_DUMPABLE, 1);
	return 0;
}

/* Whether the calling thread has any capability, in whatever set matters. */
static bool has_capabilities(void)
{
	cap_t caps = cap_get_proc(), none = cap_init();
	bool some = !caps || !none || cap_compare(caps, none);

	cap_free(caps);
	cap_free(none);
	return some;
}

int driver_walls_raise(uid_t uid, struct udf_error *err)
{
	int ret = 0;

	/* first: a module may be wanted at any moment */
	driver_files_begin();
	if (spaces[0].stands) {
		ret = empty_mounts();
		if (ret)
			driver_note(4, "the mount namespace cannot be emptied: %s", strerror(-ret));
	}
	close_outside();
	set_limits();
	if (uid) {
		ret = become(uid);
		if (ret)
			return udf_error_set(err, ret, "cannot become user %u: %s", uid, strerror(-ret));
	}
	if (geteuid() && has_capabilities())
		return udf_error_set(err, -EPERM, "capabilities are left");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return udf_error_set(err, -errno, "no_new_privs: %s", strerror(errno));
	ret = driver_filter_load();
	if (ret)
		return udf_error_set(err, ret, "the filter of system calls: %s", strerror(-ret));
	return 0;
}

struct json_object *driver_walls_json(void)
{
	struct json_object *o = json_object_new_object();

	if (!o || !driver.walls)
		return o;
	udf_packet_add_bool(o, "user", geteuid() != driver.owner);
	udf_packet_add_bool(o, "capabilities", geteuid() != 0);
	udf_packet_add_bool(o, "no-new-privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	udf_packet_add_bool(o, "seccomp", prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2);
	udf_packet_add_bool(o, "mount", spaces[0].stands && empty);
	udf_packet_add_bool(o, "network", spaces[1].stands);
	udf_packet_add_bool(o, "ipc", spaces[2].stands);
	udf_packet_add_bool(o, "pid", getpid() == 1);
	udf_packet_add_bool(o, "limits", true);
	return o;
}
