// SPDX-License-Identifier: GPL-2.0
/*
 * Clients of the control socket: connections, who they are, what is to be sent to them. Host world.
 *
 * A client that does not read is given up once QUEUE_MAX messages wait for it; one that talks nonsense, at once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "udfd/udfd.h"

#define CLIENTS_MAX 256
#define QUEUE_MAX 8192		/* messages: a whole log, and then some */
#define GROUPS_MAX 65536

struct queued {
	struct queued *next;
	struct json_object *body;
};

struct client {
	struct client *next;
	int fd;
	uid_t uid;
	gid_t *groups;
	unsigned int nr_groups;
	sd_event_source *on_io;
	struct queued *first, **last;
	unsigned int nr_queued;
	bool broken;			/* to be released, once nobody has it in hand */
	enum client_wait wait;
	const struct port *port;	/* that it waits for, or follows */
	bool follows;
};

static sd_event_source *on_listener;

/* ---- who it is ---- */

static bool in_group(const struct client *c, const char *name)
{
	const struct group *g = *name ? getgrnam(name) : NULL;
	unsigned int i;

	for (i = 0; g && i < c->nr_groups; i++)
		if (c->groups[i] == g->gr_gid)
			return true;
	return false;
}

bool client_may_change(const struct client *c)
{
	return !c->uid || c->uid == geteuid() || in_group(c, udfd.config->admin_group);
}

bool client_may_attach(const struct client *c)
{
	return client_may_change(c) || in_group(c, udfd.config->attach_group);
}

static int identify(struct client *c)
{
	socklen_t len = GROUPS_MAX * sizeof(gid_t);
	struct ucred peer;
	gid_t *groups;
	socklen_t peer_len = sizeof(peer);

	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_len))
		return -errno;
	c->uid = peer.uid;
	c->groups = malloc(len + sizeof(gid_t));
	if (!c->groups)
		return -ENOMEM;
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERGROUPS, c->groups, &len))
		return -errno;
	c->nr_groups = len / sizeof(gid_t);
	c->groups[c->nr_groups++] = peer.gid;
	groups = realloc(c->groups, c->nr_groups * sizeof(gid_t));
	if (groups)
		c->groups = groups;
	return 0;
}

/* ---- connections ---- */

static void release(struct client *c)
{
	struct client **at;
	struct queued *q;

	for (at = &udfd.clients; *at != c; at = &(*at)->next)
		;
	*at = c->next;
	while ((q = c->first)) {
		c->first = q->next;
		json_object_put(q->body);
		free(q);
	}
	sd_event_source_disable_unref(c->on_io);
	close(c->fd);
	free(c->groups);
	free(c);
}

static unsigned int count_clients(void)
{
	const struct client *c;
	unsigned int n = 0;

	for (c = udfd.clients; c; c = c->next)
		n++;
	return n;
}

/* Send what the socket takes. */
static void flush(struct client *c)
{
	struct queued *q;

	while (!c->broken && (q = c->first)) {
		int ret = udf_packet_send(c->fd, json_object_get(q->body), NULL, 0);

		if (ret == -EAGAIN)
			break;
		if (ret)
			c->broken = true;
		c->first = q->next;
		if (!c->first)
			c->last = &c->first;
		c->nr_queued--;
		json_object_put(q->body);
		free(q);
	}
	sd_event_source_set_io_events(c->on_io, c->broken || c->first ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void client_send(struct client *c, struct json_object *body)
{
	struct queued *q = body ? calloc(1, sizeof(*q)) : NULL;

	if (!q || c->nr_queued >= QUEUE_MAX) {
		json_object_put(body);
		free(q);
		c->broken = true;
	} else {
		q->body = body;
		*c->last = q;
		c->last = &q->next;
		c->nr_queued++;
	}
	flush(c);
}

void client_end(struct client *c)
{
	struct json_object *o = json_object_new_object();

	if (o)
		udf_packet_add_bool(o, "end", true);
	client_send(c, o);
}

void client_error(struct client *c, int error, const char *fmt, ...)
{
	struct json_object *o;
	char text[2048];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	o = udf_packet_new("error", text);
	if (o)
		udf_packet_add_number(o, "errno", error < 0 ? -error : error);
	client_send(c, o);
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
	struct client *c = arg;
	struct udf_packet m;
	int ret = c->broken ? 0 : -EAGAIN;

	if (!c->broken && revents & EPOLLIN) {
		ret = udf_packet_receive(fd, &m);
		if (ret == 1) {
			request_handle(c, &m);
			udf_packet_release(&m);
		} else if (ret == -EBADMSG) {
			client_error(c, EBADMSG, "that is no message: one JSON object of at most %d bytes is", UDF_MESSAGE_MAX);
			ret = 0;
		}
	}
	if (revents & EPOLLOUT)
		flush(c);
	if (c->broken || (ret != 1 && ret != -EAGAIN))
		release(c);
	return 0;
}

static int on_connection(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c = peer < 0 || count_clients() >= CLIENTS_MAX ? NULL : calloc(1, sizeof(*c));

	if (!c) {
		if (peer >= 0)
			close(peer);
		return 0;
	}
	c->fd = peer;
	c->last = &c->first;
	c->next = udfd.clients;
	udfd.clients = c;
	if (identify(c) || sd_event_add_io(udfd.event, &c->on_io, peer, EPOLLIN, on_io, c) < 0)
		release(c);
	return 0;
}

/* ---- what happens to ports ---- */

void client_wait(struct client *c, enum client_wait wait, struct port *port)
{
	c->wait = wait;
	c->port = port;
	clients_port_changed(port);
}

void client_follow(struct client *c, struct port *port)
{
	c->follows = true;
	c->port = port;
}

/* Whether C's wait for PORT is over; then it has been told. */
static void check_wait(struct client *c, const struct port *port)
{
	bool there = c->wait == WAIT_RUNNING ? port->state == PORT_RUNNING : port->state == PORT_STOPPED;

	if (there) {
		c->wait = WAIT_NOTHING;
		client_end(c);
	} else if (port->state == PORT_WAITING && c->wait == WAIT_RUNNING && port->why) {
		c->wait = WAIT_NOTHING;
		client_error(c, EIO, "%s: %s; udfd goes on trying", port->settings.name, port->why);
	} else if (port->state == PORT_STOPPED && c->wait == WAIT_RUNNING) {
		c->wait = WAIT_NOTHING;
		client_error(c, ECANCELED, "%s: was stopped meanwhile", port->settings.name);
	}
}

void clients_port_changed(struct port *port)
{
	struct client *c;

	for (c = udfd.clients; c; c = c->next)
		if (c->wait != WAIT_NOTHING && c->port == port)
			check_wait(c, port);
}

void clients_log_line(const struct port *port, const struct log_line *line)
{
	struct client *c;

	for (c = udfd.clients; c; c = c->next) {
		struct json_object *o;

		if (!c->follows || c->port != port || c->broken)
			continue;
		o = json_object_new_object();
		if (o)
			json_object_object_add(o, "line", log_line_json(line));
		client_send(c, o);
	}
}

void clients_port_gone(const struct port *port)
{
	struct client *c;

	for (c = udfd.clients; c; c = c->next)
		if (c->port == port) {
			c->port = NULL;
			if (c->wait != WAIT_NOTHING || c->follows)
				client_error(c, ENOENT, "%s: is not configured any more", port->settings.name);
			c->wait = WAIT_NOTHING;
			c->follows = false;
		}
}

/* ---- the socket ---- */

static int make_socket(struct udf_error *err)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (fd < 0)
		return udf_error_set(err, -errno, "a socket: %s", strerror(errno));
	if (snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", udfd.socket_path) >= (int)sizeof(sa.sun_path)) {
		close(fd);
		return udf_error_set(err, -ENAMETOOLONG, "%s: longer than a socket's name can be (%zu bytes)", udfd.socket_path,
				     sizeof(sa.sun_path) - 1);
	}
	unlink(udfd.socket_path);	/* there is a lock: it is nobody's */
	/* everybody may look: who may do more is decided by who it is */
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || chmod(udfd.socket_path, 0666) || listen(fd, 64)) {
		int ret = udf_error_set(err, -errno, "%s: %s", udfd.socket_path, strerror(errno));

		close(fd);
		return ret;
	}
	return fd;
}

/* The socket that systemd listens on for us, if it does. */
static int given_socket(void)
{
	int n = sd_listen_fds(1), i;

	for (i = 0; i < n; i++)
		if (sd_is_socket_unix(SD_LISTEN_FDS_START + i, SOCK_SEQPACKET, 1, NULL, 0) > 0) {
			fcntl(SD_LISTEN_FDS_START + i, F_SETFL, O_NONBLOCK);
			return SD_LISTEN_FDS_START + i;
		}
	return -1;
}

int server_start(struct udf_error *err)
{
	udfd.listener = given_socket();
	if (udfd.listener < 0)
		udfd.listener = make_socket(err);
	if (udfd.listener < 0)
		return udfd.listener;
	if (sd_event_add_io(udfd.event, &on_listener, udfd.listener, EPOLLIN, on_connection, NULL) < 0)
		return udf_error_set(err, -ENOMEM, "no memory");
	return 0;
}

void server_stop(void)
{
	while (udfd.clients)
		release(udfd.clients);
	sd_event_source_disable_unref(on_listener);
	if (udfd.listener >= 0)
		close(udfd.listener);
}
