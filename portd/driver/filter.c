// SPDX-License-Identifier: GPL-2.0
/*
 * The system calls that a driver process may still make, once it is locked up. Host world.
 *
 * Whatever is not listed fails with EPERM: a driver that tries loses nothing but that call. Code of the C library that has another way
 * takes it. Nothing here opens a file, a socket or a process, and nothing becomes executable but what lies where kernel code lies.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "driver/driver.h"
#include "layout.h"

#define UDF_PORT_IOC 0xdf	/* the type of udf_port.ko's ioctls */

/* Kernel code, bridges excepted, is in this one GiB: modules, kapi, image. */
#define CODE_MASK (~0x3ffffffful)
_Static_assert((UDF_MODULE_BASE & CODE_MASK) == UDF_MODULE_BASE && ((UDF_IMAGE_END - 1) & CODE_MASK) == UDF_MODULE_BASE,
	       "kernel code lies in one aligned GiB");

static const int allowed[] = {
	/* memory; mapping and protecting are below */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(memfd_create), SCMP_SYS(ftruncate),
	/* descriptors that are open */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(lseek),
	SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(fstatfs), SCMP_SYS(fcntl), SCMP_SYS(dup),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(eventfd2), SCMP_SYS(accept4), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(recvfrom),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(shutdown),
	/* threads, signals, time */
	SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday),
	SCMP_SYS(time), SCMP_SYS(timer_create), SCMP_SYS(timer_settime), SCMP_SYS(timer_gettime), SCMP_SYS(timer_getoverrun),
	SCMP_SYS(timer_delete), SCMP_SYS(getrandom), SCMP_SYS(uname), SCMP_SYS(sysinfo),
	/* the end of the transport's process, which is known by descriptor */
	SCMP_SYS(pidfd_send_signal), SCMP_SYS(waitid),
};

/* Each rule allows NAME if its arguments are so; several rules for one name are alternatives. */
static int add_rules(scmp_filter_ctx ctx)
{
	const scmp_datum_t thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
	const pid_t self = getpid();
	int ret;

	/* nothing becomes executable ... */
	ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!ret)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* ... but where modules are loaded, and kernel code changes itself */
	if (!ret)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 2, SCMP_A0(SCMP_CMP_MASKED_EQ, CODE_MASK, UDF_MODULE_BASE),
				       SCMP_A1(SCMP_CMP_LT, ~CODE_MASK));
	if (!ret)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread));
	/* its flags are in memory, where a filter cannot see them; the C library then uses clone */
	if (!ret)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (!ret)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)self));
	if (!ret)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	if (!ret)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_GET_SECCOMP));
	if (!ret)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_GET_NO_NEW_PRIVS));
	/* the kernel module's, at the port's device file: it has been opened for us, and another cannot be */
	if (!ret)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, UDF_PORT_IOC << 8));
	/* what a limit is may be asked, not changed */
	if (!ret)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0));
	return ret;
}

static struct sock_fprog program;	/* compiled ahead, which takes longer than all else on the way behind the walls */

/* The program, in a file. Returns that or a negative errno. */
static int compile(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int fd = memfd_create("udf-filter", MFD_CLOEXEC), ret = ctx ? 0 : -ENOMEM;
	size_t i;

	if (!ret && fd < 0)
		ret = -errno;
	/* a binary search instead of a list: system calls of a driver are few, but each passes here */
	if (!ret)
		ret = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (i = 0; !ret && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	if (!ret)
		ret = add_rules(ctx);
	if (!ret)
		ret = seccomp_export_bpf(ctx, fd);
	if (ctx)
		seccomp_release(ctx);
	if (ret && fd >= 0)
		close(fd);
	return ret ? ret : fd;
}

int driver_filter_prepare(void)
{
	struct stat st;
	int fd = compile(), ret = 0;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		ret = -errno;
	program.filter = ret ? NULL : malloc((size_t)st.st_size);
	if (!ret && !program.filter)
		ret = -ENOMEM;
	if (!ret && pread(fd, program.filter, (size_t)st.st_size, 0) != st.st_size)
		ret = -EIO;
	if (!ret)
		program.len = (unsigned short)((size_t)st.st_size / sizeof(*program.filter));
	close(fd);
	return ret;
}

int driver_filter_load(void)
{
	long thread;

	if (!program.len)
		return -EINVAL;
	thread = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
	/* the thread that cannot be synchronised */
	return thread < 0 ? -errno : thread ? -ESRCH : 0;
}
