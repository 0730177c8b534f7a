// SPDX-License-Identifier: GPL-2.0
/* Commands to the kernel world, its log and events, and its end. Host world; implements control.h and log.h. */
#define _GNU_SOURCE
#include "host/linux/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"
#include "debug/record.h"
#include "debug/trace.h"

int host_control_next(struct host_control *c, int beside)
{
	struct udf_host *h = &udf_host;
	struct udf_command **p, *cmd;

	pthread_mutex_lock(&h->lock);
	for (p = &h->head; (cmd = *p) && host_command_beside(cmd->control.cmd) != beside; p = &cmd->next)
		;
	if (cmd) {
		*p = cmd->next;
		if (!cmd->next)
			h->tail = p;
		*c = cmd->control;
		c->id = (unsigned long)cmd;
	}
	pthread_mutex_unlock(&h->lock);
	return cmd != NULL;
}

void host_control_done(const struct host_control *c, long result)
{
	struct udf_command *cmd = (struct udf_command *)c->id;
	bool abandoned;

	pthread_mutex_lock(&udf_host.lock);
	abandoned = cmd->done;		/* its caller timed out and left it to us */
	cmd->result = result;
	cmd->done = true;
	pthread_cond_broadcast(&udf_host.changed);
	pthread_mutex_unlock(&udf_host.lock);
	if (abandoned)
		free(cmd);
}

void host_started(void)
{
	pthread_mutex_lock(&udf_host.lock);
	udf_host.started = true;
	pthread_cond_broadcast(&udf_host.changed);
	pthread_mutex_unlock(&udf_host.lock);
}

void host_log_write(int level, const char *text, unsigned long len)
{
	char line[1100];

	snprintf(line, sizeof(line), "%.*s", (int)(len < 1024 ? len : 1024), text);
	udf_record_log(level, line);
	if (udf_host.log)
		udf_host.log(udf_host.ctx, level, line);
	else
		fprintf(stderr, "<%d>%s\n", level, line);
}

void host_event(const char *action, const char *devpath, const char *const *env, unsigned int n)
{
	if (udf_host.event)
		udf_host.event(udf_host.ctx, action, devpath, env, n);
}

/* Everything that waits for the driver fails from now on. At most once. */
void udf_host_fail(const char *why)
{
	struct udf_host *h = &udf_host;
	unsigned int cpu;

	pthread_mutex_lock(&h->lock);
	if (h->dead) {
		pthread_mutex_unlock(&h->lock);
		return;
	}
	snprintf(h->why, sizeof(h->why), "%s", why);
	h->dead = true;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
	/* an application's thread that runs kernel code has to come out of it */
	for (cpu = 0; cpu < h->cpus; cpu++)
		if (h->vcpu[cpu].started)
			syscall(SYS_tgkill, getpid(), atomic_load(&h->vcpu[cpu].tid), UDF_KICK_SIGNAL);
	if (h->lost)
		h->lost(h->ctx, h->why);
}

/*
 * The kernel code is at its end. With an owner that wants to know, this vCPU's thread leaves the kernel code for good, and the
 * owner closes the port; without, the process ends at once, with a core dump if those are on.
 */
void host_die(const char *text)
{
	host_log_write(0, text, strlen(text));
	udf_trace_flush();
	if (udf_host.lost) {
		udf_host_fail(text);
		udf_vcpu_quit(udf_vcpu_self());
	}
	fflush(NULL);
	abort();
}
