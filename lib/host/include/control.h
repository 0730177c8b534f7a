/* SPDX-License-Identifier: GPL-2.0 */
/* Commands of the host world to the kernel world, run by kernel threads. Contract, both worlds. */
#ifndef UDF_HOST_CONTROL_H
#define UDF_HOST_CONTROL_H

enum host_command {
	HOST_CMD_NONE,
	HOST_CMD_MODULE_LOAD,		/* arg: name of one module (its dependencies are live) */
	HOST_CMD_MODULE_UNLOAD,		/* arg: name */
	HOST_CMD_SHUTDOWN,		/* quiesce the port: driver's shutdown or remove, then stop */
	HOST_CMD_DISKS,			/* list what block devices there are */
	HOST_CMD_RESET,			/* reset the port's function through the PCI core */
	HOST_CMD_TASKS,			/* log every task with its stack trace */
	HOST_CMD_FRONT,			/* data: struct host_front_command, for kapi_front_command() */
	HOST_CMD_TRACE,			/* arg: one digit, HOST_TRACE_*: what of the kernel's own events is traced from now on */
	HOST_CMD_HEARTBEAT,		/* data: struct host_heartbeat, which is copied: count from now on */
	HOST_CMD_PROBE,			/* let the drivers that are loaded, and those to come, have the port's function */
};

/*
 * Signs of life. Each vCPU counts in BEATS[vCPU] by a work item that its timer queues every INTERVAL_MS: for that its timer, softirqs,
 * scheduler and workers must get on. A task that sleeps uninterruptibly for HUNG_TASK_S seconds (0: any time) is a panic.
 */
struct host_heartbeat {
	unsigned int interval_ms, hung_task_s;
	unsigned long *beats;		/* HOST_CPUS_MAX words of the host world, which stay */
};

struct host_control {
	unsigned long id;
	enum host_command cmd;
	char arg[1024];
	void *data;			/* command's own, memory of the host world */
	unsigned long len;
};

/*
 * Whether CMD is performed beside the others, which are performed one after the other: no I/O waits for a module's init function or a reset to
 * end, for what it needs first may be memory, a ring, or a disk to be open.
 */
static inline int host_command_beside(enum host_command cmd)
{
	return cmd == HOST_CMD_FRONT || cmd == HOST_CMD_TASKS;
}

/* Take the next command of which host_command_beside() says BESIDE. Returns 1 and fills C, or 0 when there is none. Never blocks. */
int host_control_next(struct host_control *c, int beside);

/* Command C is done with RESULT (0 or a negative errno, or the command's own). Never blocks. */
void host_control_done(const struct host_control *c, long result);

/* The kernel world has started: boot is over, commands are taken from now on. */
void host_started(void);

#endif
