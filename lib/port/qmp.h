/* SPDX-License-Identifier: GPL-2.0 */
/* QEMU's monitor protocol, as much as the transport and tests need: one command at a time. Host world; no vCPU calls it in a signal handler. */
#ifndef UDF_PORT_QMP_H
#define UDF_PORT_QMP_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct udf_qmp {
	int fd;
	pthread_mutex_t lock;
	unsigned long resets;	/* RESET events seen */
	size_t len;
	char buf[65536];
};

void udf_qmp_init(struct udf_qmp *qmp);
/* Speak to QEMU over FD, a connected socket that remains the caller's: negotiate. */
int udf_qmp_start(struct udf_qmp *qmp, int fd);
void udf_qmp_destroy(struct udf_qmp *qmp);

/*
 * Perform COMMAND (JSON on one line) and wait for its result. REPLY, if not NULL, gets QEMU's answer as JSON.
 * Returns 0, -EIO when QEMU answers with an error, -ENOSPC when REPLY is too short, -ENODEV when QEMU is gone.
 */
int udf_qmp_command(struct udf_qmp *qmp, const char *command, char *reply, size_t len);

/* The same; QEMU gets the descriptor FD with it. */
int udf_qmp_command_fd(struct udf_qmp *qmp, const char *command, int fd, char *reply, size_t len);

/* Reset the whole machine and wait until that is done. */
int udf_qmp_system_reset(struct udf_qmp *qmp);

/* Throw away events that have come, unless a command is under way, which does. */
void udf_qmp_drain(struct udf_qmp *qmp);

#endif
