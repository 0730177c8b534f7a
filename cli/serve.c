// SPDX-License-Identifier: GPL-2.0
/* udf run --serve: see serve.h. Host world. */
#define _GNU_SOURCE
#include "serve.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct cli_serve {
	struct udf *udf;
	int sock, stop;
	struct sockaddr_un addr;
	pthread_t thread;
};

static void take_one(struct cli_serve *s)
{
	int fd = accept4(s->sock, NULL, NULL, SOCK_CLOEXEC), err;

	if (fd < 0)
		return;
	err = udf_serve_client(s->udf, fd);
	if (!err)
		return;
	fprintf(stderr, "udf: an application cannot be served: %s\n", strerror(-err));
	close(fd);
}

static void *listener(void *arg)
{
	struct cli_serve *s = arg;
	struct pollfd fds[2] = { { .fd = s->sock, .events = POLLIN }, { .fd = s->stop, .events = POLLIN } };

	while (!fds[1].revents) {
		if (poll(fds, 2, -1) > 0 && fds[0].revents)
			take_one(s);
	}
	return NULL;
}

/* Whether somebody listens at ADDR. */
static bool is_used(const struct sockaddr_un *addr)
{
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool used = !connect(sock, (const struct sockaddr *)addr, sizeof(*addr)) || errno == EAGAIN;

	close(sock);
	return used;
}

/* Make it under another name, then put it in place: whoever finds it can connect. */
static int listen_at(struct cli_serve *s)
{
	struct sockaddr_un temp = { .sun_family = AF_UNIX };
	int err = 0;

	if (is_used(&s->addr))
		return -EADDRINUSE;
	if (snprintf(temp.sun_path, sizeof(temp.sun_path), "%s.new", s->addr.sun_path) >= (int)sizeof(temp.sun_path))
		return -ENAMETOOLONG;
	s->sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	unlink(temp.sun_path);
	if (s->sock < 0 || bind(s->sock, (struct sockaddr *)&temp, sizeof(temp)) || listen(s->sock, 64))
		return -errno;
	if (rename(temp.sun_path, s->addr.sun_path)) {
		err = -errno;
		unlink(temp.sun_path);
	}
	return err;
}

static void serve_free(struct cli_serve *s)
{
	if (s->sock >= 0)
		close(s->sock);
	if (s->stop >= 0)
		close(s->stop);
	free(s);
}

struct cli_serve *cli_serve_start(struct udf *udf, const char *path)
{
	struct cli_serve *s = calloc(1, sizeof(*s));
	int err = s ? 0 : -ENOMEM;

	if (s) {
		s->udf = udf;
		s->sock = -1;
		s->addr.sun_family = AF_UNIX;
		s->stop = eventfd(0, EFD_CLOEXEC);
		if (s->stop < 0)
			err = -errno;
		else if (snprintf(s->addr.sun_path, sizeof(s->addr.sun_path), "%s", path) >= (int)sizeof(s->addr.sun_path))
			err = -ENAMETOOLONG;
		else
			err = listen_at(s);
		if (!err) {
			err = -pthread_create(&s->thread, NULL, listener, s);
			if (err)
				unlink(path);
		}
	}
	if (!err)
		return s;
	fprintf(stderr, "udf: cannot serve at %s: %s%s\n", path, strerror(-err), err == -EADDRINUSE ? "; a driver process is there" : "");
	if (s)
		serve_free(s);
	return NULL;
}

void cli_serve_stop(struct cli_serve *s)
{
	if (!s)
		return;
	unlink(s->addr.sun_path);
	eventfd_write(s->stop, 1);
	pthread_join(s->thread, NULL);
	serve_free(s);
}
