// SPDX-License-Identifier: GPL-2.0
/* QEMU's monitor protocol; see qmp.h. Host world. */
#define _GNU_SOURCE
#include "port/qmp.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/send-fd.h"

/* One line of JSON: an answer's first key is "return" or "error", an event's is "timestamp". */
static bool is_return(const char *line)
{
	return !strncmp(line, "{\"return\"", 9);
}

static bool is_error(const char *line)
{
	return !strncmp(line, "{\"error\"", 8);
}

/* Next line, 0-terminated, in LINE of sizeof(qmp->buf) bytes. FLAGS: MSG_DONTWAIT or 0. 0, -EAGAIN or -ENODEV. */
static int next_line(struct udf_qmp *qmp, int flags, char **line)
{
	static const size_t max = sizeof(qmp->buf) - 1;

	for (;;) {
		char *end = memchr(qmp->buf, '\n', qmp->len);
		ssize_t n;

		if (end) {
			*end = 0;
			if (end > qmp->buf && end[-1] == '\r')
				end[-1] = 0;
			*line = qmp->buf;
			return (int)(end + 1 - qmp->buf);
		}
		if (qmp->len == max)	/* longer than we keep: its beginning is enough to know what it is */
			qmp->len = max / 2;
		n = recv(qmp->fd, qmp->buf + qmp->len, max - qmp->len, flags);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && flags && (errno == EAGAIN || errno == EWOULDBLOCK))
			return -EAGAIN;
		if (n <= 0)
			return -ENODEV;
		qmp->len += (size_t)n;
	}
}

/* Drop the line of N bytes that next_line() returned. */
static void drop_line(struct udf_qmp *qmp, size_t n)
{
	if (strstr(qmp->buf, "\"event\": \"RESET\""))
		qmp->resets++;
	qmp->len -= n;
	memmove(qmp->buf, qmp->buf + n, qmp->len);
}

static int command_locked(struct udf_qmp *qmp, const char *command, int fd, char *reply, size_t len)
{
	size_t left = strlen(command);
	char *line;
	int ret;

	while (left) {
		ssize_t sent = udf_send_fd(qmp->fd, command, left, fd, 0);

		if (sent < 0)
			return -ENODEV;
		command += sent;
		left -= (size_t)sent;
		fd = -1;
	}
	if (send(qmp->fd, "\n", 1, MSG_NOSIGNAL) != 1)
		return -ENODEV;
	for (;;) {
		int n = next_line(qmp, 0, &line);

		if (n < 0)
			return n;
		if (!is_return(line) && !is_error(line)) {
			drop_line(qmp, (size_t)n);
			continue;
		}
		ret = is_error(line) ? -EIO : 0;
		if (reply && strlen(line) < len)
			strcpy(reply, line);
		else if (reply)
			ret = -ENOSPC;
		drop_line(qmp, (size_t)n);
		return ret;
	}
}

void udf_qmp_init(struct udf_qmp *qmp)
{
	qmp->fd = -1;
	qmp->resets = 0;
	qmp->len = 0;
	pthread_mutex_init(&qmp->lock, NULL);
}

int udf_qmp_start(struct udf_qmp *qmp, int fd)
{
	qmp->fd = fd;
	/* the greeting is a line that is neither answer nor event, and is dropped as events are */
	return udf_qmp_command(qmp, "{\"execute\": \"qmp_capabilities\"}", NULL, 0);
}

void udf_qmp_destroy(struct udf_qmp *qmp)
{
	pthread_mutex_destroy(&qmp->lock);
}

int udf_qmp_command_fd(struct udf_qmp *qmp, const char *command, int fd, char *reply, size_t len)
{
	int ret;

	pthread_mutex_lock(&qmp->lock);
	ret = command_locked(qmp, command, fd, reply, len);
	pthread_mutex_unlock(&qmp->lock);
	return ret;
}

int udf_qmp_command(struct udf_qmp *qmp, const char *command, char *reply, size_t len)
{
	return udf_qmp_command_fd(qmp, command, -1, reply, len);
}

int udf_qmp_system_reset(struct udf_qmp *qmp)
{
	unsigned long before;
	char *line;
	int ret;

	pthread_mutex_lock(&qmp->lock);
	before = qmp->resets;
	ret = command_locked(qmp, "{\"execute\": \"system_reset\"}", -1, NULL, 0);
	while (!ret && qmp->resets == before) {
		int n = next_line(qmp, 0, &line);

		if (n < 0)
			ret = n;
		else
			drop_line(qmp, (size_t)n);
	}
	pthread_mutex_unlock(&qmp->lock);
	return ret;
}

void udf_qmp_drain(struct udf_qmp *qmp)
{
	char *line;
	int n;

	if (pthread_mutex_trylock(&qmp->lock))
		return;
	while ((n = next_line(qmp, MSG_DONTWAIT, &line)) >= 0)
		drop_line(qmp, (size_t)n);
	pthread_mutex_unlock(&qmp->lock);
}
