// SPDX-License-Identifier: GPL-2.0
/*
 * Applications in other processes: their connections. Host world.
 *
 * Each has a thread, which sleeps while all goes well: requests and completions do not pass here, but for the doorbell of a vCPU that
 * sleeps. An application that ends, or does not keep to the protocol, has its rings detached (the kernel world completes what is
 * in flight first), then its disks closed, then its memory taken from the device, and last its lease closed. Whoever comes then is
 * answered when the writes among those requests are done.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "front/block-int.h"
#include "front/serve.h"

struct udf_server {
	pthread_mutex_t lock;			/* the list, domains */
	struct udf_client *clients;		/* the latest first */
	pthread_cond_t gone;			/* one of them is settled, or has ended */
	bool domain[HOST_FRONT_DOMAINS];
	int stop, changed;			/* eventfds; the latter is watched for edges */
	bool stopping;
};

enum { ON_SOCK, ON_DOORBELL, ON_CHANGE, ON_STOP };

static int watch(struct udf_client *c, int fd, uint32_t events, uint32_t what)
{
	struct epoll_event e = { .events = events, .data.u32 = what };

	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

/* Ask for the moment when a full socket takes something again. */
static void watch_room(struct udf_client *c)
{
	struct epoll_event e = { .events = c->behind ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.u32 = ON_SOCK };

	epoll_ctl(c->epoll, EPOLL_CTL_MOD, c->sock, &e);
}

/* As many as there are, but not without an end: the doorbell and others are to have their turn. */
static int take_messages(struct udf_client *c)
{
	struct udf_msg m;
	unsigned int i;
	int fd, err = 0;

	for (i = 0; i < 16 && !err; i++) {
		err = udf_msg_receive(c->sock, &m, &fd, MSG_DONTWAIT);
		if (!err)
			err = udf_client_message(c, &m, fd);
	}
	return err == -EAGAIN ? 0 : err;
}

static int tell_news(struct udf_client *c)
{
	bool before = c->behind;
	int err = c->greeted ? udf_client_news(c) : 0;

	if (before != c->behind)
		watch_room(c);
	return err;
}

/* The driver's end, in its own words if there are any. */
static void say_goodbye(struct udf_client *c)
{
	const char *why = udf_lost(c->udf);
	struct udf_msg m = { .type = UDF_MSG_LOST };

	snprintf(m.lost, sizeof(m.lost), "%s", why ? why : "the driver is being shut down");
	udf_msg_send(c->sock, &m, -1, MSG_DONTWAIT);
}

static int on_event(struct udf_client *c, uint32_t what, uint32_t events)
{
	int err = 0;

	switch (what) {
	case ON_SOCK:
		if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			err = take_messages(c);
		return err ? err : tell_news(c);
	case ON_DOORBELL:
		udf_client_kick(c);
		return 0;
	case ON_CHANGE:
		if (!atomic_load(&c->udf->lost))
			return tell_news(c);
		say_goodbye(c);
		return -ENODEV;
	default:
		say_goodbye(c);
		return -ESHUTDOWN;
	}
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The lease comes last: it says that all the rest is done. */
static void client_close(struct udf_client *c)
{
	close_one(&c->epoll);
	close_one(&c->doorbell);
	close_one(&c->sock);
	close_one(&c->lease);
	free(c->told);
	c->told = NULL;
}

/* Whether writes of an application that has ended may still be in flight. With the lock, so that its socket is not closed meanwhile. */
static bool is_leaving(const struct udf_client *c)
{
	struct pollfd p = { .fd = c->sock, .events = POLLRDHUP };

	return !c->settled && poll(&p, 1, 0) > 0;
}

/*
 * Whoever takes over from an application that was killed writes where that one had writes in flight: they must not come later. So those that
 * had ended before C came are waited for, not those that run beside it.
 */
static void wait_for_leaving(struct udf_client *c)
{
	struct udf_server *s = c->server;
	struct udf_client *other;
	bool told = false;

	pthread_mutex_lock(&s->lock);
	for (other = c->next; other && !s->stopping && !atomic_load(&c->udf->lost);) {
		if (!is_leaving(other)) {
			other = other->next;
			continue;
		}
		if (other->ended && !told)
			udf_log_error("writes of an application that has ended do not end: no other one can attach until the driver is restarted");
		told |= other->ended;
		pthread_cond_wait(&s->gone, &s->lock);
		other = c->next;	/* it may be off the list */
	}
	pthread_mutex_unlock(&s->lock);
}

static void *client_thread(void *arg)
{
	struct udf_client *c = arg;
	struct epoll_event events[4];
	int err = 0, n, i;
	bool all;

	wait_for_leaving(c);
	while (!err) {
		n = epoll_wait(c->epoll, events, 4, -1);
		for (i = 0; i < n && !err; i++)
			err = on_event(c, events[i].data.u32, events[i].events);
	}
	if (err == -EPROTO)
		udf_log_notice("an attached application does not keep to the protocol: it is cut off");
	shutdown(c->sock, SHUT_RDWR);
	all = udf_client_settle(c);
	pthread_mutex_lock(&c->server->lock);
	c->settled = all;
	pthread_cond_broadcast(&c->server->gone);
	pthread_mutex_unlock(&c->server->lock);
	all = udf_client_release(c);
	pthread_mutex_lock(&c->server->lock);
	if (all)
		client_close(c);
	c->released = all;
	c->ended = true;
	pthread_cond_broadcast(&c->server->gone);	/* who waits for it in vain says so */
	pthread_mutex_unlock(&c->server->lock);
	return NULL;
}

/* ---- begin and end ---- */

static void client_free(struct udf_client *c)
{
	client_close(c);
	free(c);
}

static struct udf_client *client_new(struct udf *udf, struct udf_server *s, int *err)
{
	struct udf_client *c = calloc(1, sizeof(*c));

	*err = -ENOMEM;
	if (!c)
		return NULL;
	c->udf = udf;
	c->server = s;
	c->sock = c->lease = -1;
	c->told = calloc(HOST_FRONT_DISKS, sizeof(*c->told));
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->told && c->epoll >= 0 && c->doorbell >= 0)
		return c;
	if (c->told)
		*err = -errno;
	client_free(c);
	return NULL;
}

static struct udf_server *server_new(void)
{
	struct udf_server *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->gone, NULL);
	s->domain[0] = true;	/* this process's own application */
	s->domain[UDF_BLOCK_DOMAIN] = true;
	s->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return s;
}

static void server_free(struct udf_server *s)
{
	if (s->stop >= 0)
		close(s->stop);
	if (s->changed >= 0)
		close(s->changed);
	pthread_cond_destroy(&s->gone);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static struct udf_server *server_get(struct udf *udf)
{
	struct udf_server *s;

	pthread_mutex_lock(&udf->lock);
	s = atomic_load(&udf->server);
	if (!s) {
		s = server_new();
		if (s && (s->stop < 0 || s->changed < 0)) {
			server_free(s);
			s = NULL;
		}
		atomic_store(&udf->server, s);
	}
	pthread_mutex_unlock(&udf->lock);
	return s;
}

/* Take those off the list that have ended, with all they had. Called with the lock; to be joined and freed without. */
static struct udf_client *take_ended(struct udf_server *s)
{
	struct udf_client **p = &s->clients, *list = NULL, *c;

	while ((c = *p)) {
		if (!c->ended || !c->released) {
			p = &c->next;
			continue;
		}
		*p = c->next;
		s->domain[c->domain] = false;
		c->next = list;
		list = c;
	}
	return list;
}

static void free_ended(struct udf_client *list)
{
	struct udf_client *c;

	while ((c = list)) {
		list = c->next;
		pthread_join(c->thread, NULL);
		client_free(c);
	}
}

/* Under the lock: give C a domain, and start. */
static int client_start(struct udf_server *s, struct udf_client *c, int fd)
{
	unsigned int i;
	int err;

	for (i = 1; i < HOST_FRONT_DOMAINS && s->domain[i]; i++)
		;
	if (i == HOST_FRONT_DOMAINS)
		return -EMFILE;
	c->domain = i;
	c->sock = fd;
	err = watch(c, fd, EPOLLIN, ON_SOCK);
	/* edges, since nobody reads it: an application that did, or wrote without an end, would not make anyone wait */
	if (!err)
		err = watch(c, c->doorbell, EPOLLIN | EPOLLET, ON_DOORBELL);
	if (!err)
		err = watch(c, s->changed, EPOLLIN | EPOLLET, ON_CHANGE);
	if (!err)
		err = watch(c, s->stop, EPOLLIN, ON_STOP);
	if (!err)
		err = udf_thread_start(&c->thread, client_thread, c);
	if (err)
		return err;
	s->domain[i] = true;
	c->next = s->clients;
	s->clients = c;
	return 0;
}

static bool is_seqpacket(int fd)
{
	socklen_t len = sizeof(int);
	int type = 0;

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) && type == SOCK_SEQPACKET;
}

int udf_serve_client(struct udf *udf, int fd)
{
	struct udf_client *c, *ended;
	struct udf_server *s;
	int err;

	if (!is_seqpacket(fd))
		return -EINVAL;
	if (udf->attach)
		return -EOPNOTSUPP;
	if (atomic_load(&udf->lost))
		return -ENODEV;
	s = server_get(udf);
	c = s ? client_new(udf, s, &err) : NULL;
	if (!c)
		return s ? err : -ENOMEM;
	pthread_mutex_lock(&s->lock);
	ended = take_ended(s);
	err = s->stopping ? -ENODEV : client_start(s, c, fd);
	pthread_mutex_unlock(&s->lock);
	free_ended(ended);
	if (err) {
		c->sock = -1;	/* the caller's */
		client_free(c);
	} else {
		udf_serve_changed(udf);	/* should it have been lost since */
	}
	return err;
}

unsigned int udf_serve_clients(struct udf *udf)
{
	struct udf_server *s = atomic_load(&udf->server);
	struct udf_client *c;
	unsigned int n = 0;

	if (!s)
		return 0;
	pthread_mutex_lock(&s->lock);
	for (c = s->clients; c; c = c->next)
		n += !c->ended;
	pthread_mutex_unlock(&s->lock);
	return n;
}

void udf_serve_changed(struct udf *udf)
{
	struct udf_server *s = atomic_load(&udf->server);

	if (s)
		eventfd_write(s->changed, 1);
}

void udf_serve_stop(struct udf *udf)
{
	struct udf_server *s = atomic_load(&udf->server);
	struct udf_client *c;

	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_broadcast(&s->gone);
	pthread_mutex_unlock(&s->lock);
	eventfd_write(s->stop, 1);
	for (c = s->clients; c; c = c->next)	/* nobody adds or takes any more */
		pthread_join(c->thread, NULL);
}

void udf_serve_free(struct udf *udf)
{
	struct udf_server *s = atomic_exchange(&udf->server, NULL);
	struct udf_client *c;
	unsigned int i;

	if (!s)
		return;
	while ((c = s->clients)) {
		s->clients = c->next;
		for (i = 0; i < UDF_PROTO_QUEUES; i++)
			if (c->queue[i].mem)
				munmap(c->queue[i].mem, c->queue[i].len);
		client_free(c);
	}
	server_free(s);
}
