// SPDX-License-Identifier: GPL-2.0
/*
 * A driver that turns against the process it runs in: once that is locked up, it tries to get out by system calls of its own, as kernel
 * code in a process can. tests/cases/portd-walls.sh reads what came of it. With attack=0, as on a stock kernel, it does nothing.
 */
#include "udf_test.h"

#include <linux/firmware.h>
#include <linux/kthread.h>
#include <linux/platform_device.h>

static bool attack;
module_param(attack, bool, 0444);
MODULE_PARM_DESC(attack, "try to get out");

/* Numbers of x86-64's system calls; the kernel's header has them under names that collide with its own. */
enum {
	NR_mmap = 9, NR_mprotect = 10, NR_ioctl = 16, NR_shmget = 29, NR_socket = 41, NR_connect = 42, NR_clone = 56, NR_fork = 57,
	NR_vfork = 58, NR_execve = 59, NR_kill = 62, NR_msgget = 68, NR_chdir = 80, NR_mkdir = 83, NR_unlink = 87, NR_ptrace = 101,
	NR_setuid = 105, NR_capset = 126, NR_prctl = 157, NR_chroot = 161, NR_mount = 165, NR_umount2 = 166, NR_tkill = 200, NR_open = 2,
	NR_tgkill = 234, NR_keyctl = 250, NR_openat = 257, NR_unshare = 272, NR_perf_event_open = 298, NR_open_by_handle_at = 304,
	NR_setns = 308, NR_process_vm_readv = 310, NR_seccomp = 317, NR_bpf = 321, NR_execveat = 322, NR_userfaultfd = 323,
	NR_io_uring_setup = 425, NR_clone3 = 435, NR_openat2 = 437, NR_pidfd_getfd = 438, NR_pidfd_open = 434, NR_process_vm_writev = 311,
	NR_getpid = 39,
};

#define GET_SECCOMP 21
#define SET_DUMPABLE 4

static long syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 asm("r10") = d;
	register long r8 asm("r8") = e;
	register long r9 asm("r9") = f;
	long ret;

	/* as bytes: objtool does not expect this in a kernel */
	asm volatile(".byte 0x0f, 0x05" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return ret;
}

#define call(nr, a, b, c, d) syscall6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

static void report(const char *what, long ret)
{
	pr_info("udf_walls: %s: %ld\n", what, ret);
}

static const struct {
	const char *what;
	long nr, a, b, c, d;
} attempts[] = {
	{ "open", NR_open, (long)"/etc/passwd", 0, 0, 0 },
	{ "openat", NR_openat, -100, (long)"/etc/passwd", 0, 0 },
	{ "openat2", NR_openat2, -100, (long)"/", 0, 0 },
	{ "open_by_handle_at", NR_open_by_handle_at, 0, 0, 0, 0 },
	{ "chdir", NR_chdir, (long)"/", 0, 0, 0 },
	{ "mkdir", NR_mkdir, (long)"/x", 0777, 0, 0 },
	{ "unlink", NR_unlink, (long)"/x", 0, 0, 0 },
	{ "socket inet", NR_socket, 2, 1, 0, 0 },
	{ "socket unix", NR_socket, 1, 1, 0, 0 },
	{ "connect", NR_connect, 3, 0, 0, 0 },
	{ "ptrace", NR_ptrace, 16, 1, 0, 0 },
	{ "process_vm_readv", NR_process_vm_readv, 1, 0, 0, 0 },
	{ "process_vm_writev", NR_process_vm_writev, 1, 0, 0, 0 },
	{ "pidfd_open", NR_pidfd_open, 1, 0, 0, 0 },
	{ "pidfd_getfd", NR_pidfd_getfd, 3, 0, 0, 0 },
	{ "fork", NR_fork, 0, 0, 0, 0 },
	{ "vfork", NR_vfork, 0, 0, 0, 0 },
	{ "clone", NR_clone, 17, 0, 0, 0 },
	{ "execve", NR_execve, (long)"/bin/sh", 0, 0, 0 },
	{ "execveat", NR_execveat, -100, (long)"/bin/sh", 0, 0 },
	{ "kill", NR_kill, -1, 15, 0, 0 },
	{ "tkill", NR_tkill, 1, 0, 0, 0 },
	{ "tgkill another", NR_tgkill, 2, 2, 9, 0 },
	{ "setuid", NR_setuid, 0, 0, 0, 0 },
	{ "capset", NR_capset, 0, 0, 0, 0 },
	{ "prctl", NR_prctl, SET_DUMPABLE, 1, 0, 0 },
	{ "seccomp", NR_seccomp, 1, 0, 0, 0 },
	{ "chroot", NR_chroot, (long)"/", 0, 0, 0 },
	{ "mount", NR_mount, 0, (long)"/", (long)"tmpfs", 0 },
	{ "umount2", NR_umount2, (long)"/", 2, 0, 0 },
	{ "unshare", NR_unshare, 0x10000000, 0, 0, 0 },
	{ "setns", NR_setns, 0, 0, 0, 0 },
	{ "ioctl", NR_ioctl, 0, 0x5412, 0, 0 },
	{ "shmget", NR_shmget, 0, 4096, 01777, 0 },
	{ "msgget", NR_msgget, 0, 01777, 0, 0 },
	{ "keyctl", NR_keyctl, 0, 0, 0, 0 },
	{ "bpf", NR_bpf, 0, 0, 0, 0 },
	{ "perf_event_open", NR_perf_event_open, 0, 0, 0, 0 },
	{ "userfaultfd", NR_userfaultfd, 0, 0, 0, 0 },
	{ "io_uring_setup", NR_io_uring_setup, 8, 0, 0, 0 },
};

/* Make what is not code executable: whatever descriptor there is, and memory. */
static void try_exec_memory(void)
{
	long fd, page, worst = -EPERM;

	for (fd = 0; fd < 64; fd++) {
		long ret = syscall6(NR_mmap, 0, 4096, 5, 2, fd, 0);	/* PROT_READ | PROT_EXEC, MAP_PRIVATE */

		if (ret != -EPERM)
			worst = ret;
	}
	report("mmap exec of a file", worst);
	report("mmap exec", syscall6(NR_mmap, 0, 4096, 7, 0x22, -1, 0));
	page = syscall6(NR_mmap, 0, 4096, 3, 0x22, -1, 0);
	report("mprotect exec", call(NR_mprotect, page, 4096, 5, 0));
}

/* What it may have, udfd gives it; nothing else. */
static void try_files(void)
{
	static const char *const names[] = { "udf-test.bin", "udf-no-such.bin", "../../../../../../etc/passwd", "udf-link.bin" };
	struct platform_device *dev = platform_device_register_simple("udf_walls", -1, NULL, 0);
	const struct firmware *fw;
	unsigned int i;

	if (IS_ERR(dev))
		return;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		int ret = request_firmware(&fw, names[i], &dev->dev);

		pr_info("udf_walls: firmware %s: %d\n", names[i], ret ? ret : (int)fw->size);
		if (!ret)
			release_firmware(fw);
	}
	platform_device_unregister(dev);
}

static int attack_thread(void *unused)
{
	unsigned int i;

	/* nobody tells a driver that the walls are up */
	while (call(NR_prctl, GET_SECCOMP, 0, 0, 0) != 2)
		msleep(2);
	for (i = 0; i < ARRAY_SIZE(attempts); i++)
		report(attempts[i].what, call(attempts[i].nr, attempts[i].a, attempts[i].b, attempts[i].c, attempts[i].d));
	report("clone3", call(NR_clone3, 0, 0, 0, 0));
	try_exec_memory();
	try_files();
	report("getpid", call(NR_getpid, 0, 0, 0, 0));
	pr_info("udf_walls: done\n");
	return 0;
}

static int __init walls_init(void)
{
	struct task_struct *t;

	if (!attack) {
		pr_info("udf_test: %s: PASS\n", KBUILD_MODNAME);
		return 0;
	}
	__module_get(THIS_MODULE);
	t = kthread_run(attack_thread, NULL, "udf_walls");
	return PTR_ERR_OR_ZERO(t);
}

static void __exit walls_exit(void)
{
}

module_init(walls_init);
module_exit(walls_exit);
MODULE_DESCRIPTION("UDF test: tries to get out");
MODULE_LICENSE("GPL");
