// SPDX-License-Identifier: GPL-2.0
/* Ask udfd; see daemon.h. Host world. */
#define _GNU_SOURCE
#include "base/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int udf_daemon_connect(const char *path, struct udf_error *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd, ret;

	if (!path)
		path = getenv("UDF_SOCKET");
	if (!path || !*path)
		path = UDF_DAEMON_SOCKET;
	if (snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path) >= (int)sizeof(sa.sun_path))
		return udf_error_set(err, -ENAMETOOLONG, "%s: too long for a socket's name", path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return udf_error_set(err, -errno, "a socket: %s", strerror(errno));
	if (!connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		return fd;
	ret = -errno;
	close(fd);
	if (ret == -ENOENT || ret == -ECONNREFUSED)
		return udf_error_set(err, ret, "%s: udfd does not run; 'systemctl start udfd' starts it", path);
	return udf_error_set(err, ret, "%s: %s", path, strerror(-ret));
}

int udf_daemon_ask(int sock, struct json_object *request, int fd, bool (*each)(void *arg, struct json_object *answer), void *arg,
		   struct udf_error *err)
{
	int ret = udf_packet_send(sock, request, &fd, fd >= 0);
	bool more = true;

	if (ret)
		return udf_error_set(err, ret, "udfd does not take the request: %s", strerror(-ret));
	while (more) {
		const char *error;
		struct udf_packet m;

		ret = udf_packet_receive(sock, &m);
		if (ret == 0)
			return udf_error_set(err, -ECONNRESET, "udfd has ended the connection");
		if (ret < 0)
			return udf_error_set(err, ret, "udfd's answer: %s", strerror(-ret));
		error = udf_packet_text(m.body, "error", NULL);
		if (error)
			udf_error_set(err, -(int)udf_packet_number(m.body, "errno", EIO), "%s", error);
		more = !error && !udf_packet_bool(m.body, "end") && each(arg, m.body);
		udf_packet_release(&m);
	}
	return err->code;
}
