/* SPDX-License-Identifier: GPL-2.0 */
/* What leaves the driver process for people and for the application: log, death, events. Contract, both worlds. */
#ifndef UDF_HOST_LOG_H
#define UDF_HOST_LOG_H

/* One log line of LEN bytes without its newline; LEVEL is printk's 0 (emergency) ... 7 (debug). Never blocks for long. */
void host_log_write(int level, const char *text, unsigned long len);

/* The kernel code cannot go on (panic, BUG, unsupported function): TEXT says why; the trace has been logged. Does not return. */
#ifdef UDF_KERNEL_WORLD
void host_die(const char *text);	/* see kapi_die(): objtool does not know that it does not return */
#else
void host_die(const char *text) __attribute__((noreturn));
#endif

/*
 * Something that an application or udfd may want to know, as a uevent: ACTION ("add", "remove", "change", ...),
 * DEVPATH in sysfs, and ENV, N strings "KEY=value". Copies what it keeps. Never blocks.
 */
void host_event(const char *action, const char *devpath, const char *const *env, unsigned int n);

#endif
