/* SPDX-License-Identifier: GPL-2.0 */
/* The client's side of a conversation with udfd; include/udf/daemon.h says what there is to say. Host world. */
#ifndef UDF_PORTD_DAEMON_H
#define UDF_PORTD_DAEMON_H

#include "base/packet.h"
#include "common/error.h"

/* Connect to udfd at PATH; NULL: where UDF_SOCKET says, or else the usual place. Returns a socket or a negative errno. Blocks. */
int udf_daemon_connect(const char *path, struct udf_error *err);

/*
 * Send REQUEST, which is released, with FD (-1: none), and call EACH with every answer until the last; EACH returns false to end earlier.
 * Returns 0 or a negative errno, udfd's own among them. Blocks.
 */
int udf_daemon_ask(int sock, struct json_object *request, int fd, bool (*each)(void *arg, struct json_object *answer), void *arg,
		   struct udf_error *err);

#endif
