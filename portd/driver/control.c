// SPDX-License-Identifier: GPL-2.0
/* The driver process's side of its conversation with udfd. Host world. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "driver/driver.h"
#include "host/linux/host.h"

#define SHOW_MS 500	/* less than udfd waits */
#define FULL_MS 2000	/* how long udfd may not read before a message is given up */

/* ---- to udfd ---- */

static void send_locked(struct json_object *body, const int *fds, unsigned int nr_fds)
{
	int ret;

	if (driver.control < 0) {
		json_object_put(body);
		return;
	}
	ret = udf_packet_send(driver.control, body, fds, nr_fds);
	/* a udfd that is gone or does not read is not waited for: the next one hears the state anew */
	if (ret && ret != -EPIPE && ret != -ECONNRESET && driver.shared)
		udf_shared_log(driver.shared, 4, "udf-driver: udfd does not take messages");
}

void driver_send(struct json_object *body, const int *fds, unsigned int nr_fds)
{
	pthread_mutex_lock(&driver.send_lock);
	send_locked(body, fds, nr_fds);
	pthread_mutex_unlock(&driver.send_lock);
}

void driver_say(const char *what, const char *key, const char *text)
{
	struct json_object *o = udf_packet_new("is", what);

	if (o && key)
		udf_packet_add_text(o, key, text);
	driver_send(o, NULL, 0);
}

void driver_log(void *arg, int level, const char *text)
{
	if (driver.shared && udf_shared_log(driver.shared, level, text))
		driver_say("log", NULL, NULL);
}

void driver_note(int level, const char *fmt, ...)
{
	char text[1024] = "udf-driver: ";
	size_t n = strlen(text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(text + n, sizeof(text) - n, fmt, args);
	va_end(args);
	driver_log(NULL, level, text);
}

void driver_set_state(struct json_object *state)
{
	pthread_mutex_lock(&driver.send_lock);
	json_object_put(driver.state);
	driver.state = state;
	send_locked(json_object_get(state), NULL, 0);
	pthread_mutex_unlock(&driver.send_lock);
}

static struct json_object *child_message(void)
{
	return udf_packet_new("is", "child");
}

void driver_set_child(int pidfd)
{
	pthread_mutex_lock(&driver.send_lock);
	driver.child = pidfd;
	if (pidfd >= 0)
		send_locked(child_message(), &pidfd, 1);
	pthread_mutex_unlock(&driver.send_lock);
}

/* ---- from udfd ---- */

/* Sending may not stop the driver for long when udfd does not read. */
static void set_up(int fd)
{
	struct timeval limit = { .tv_sec = FULL_MS / 1000 };

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/* "start": the port is known, with the rendezvous, where clients connect, and perhaps the port's device file. */
static void start(struct udf_packet *m)
{
	int listener;

	if (driver.start || !driver.prepared)
		return;
	listener = driver.listener = udf_packet_take_fd(m, 0);
	driver.clients = udf_packet_take_fd(m, 1);
	driver.device = udf_packet_take_fd(m, 2);
	/* those that connect see the credentials of whoever called listen() last: let it be this process */
	if (listener >= 0)
		listen(listener, 4);
	driver.block = udf_packet_bool(m->body, "block");
	driver.block_fail = udf_packet_bool(m->body, "block-fail");
	driver.block_wait_ms = udf_packet_number(m->body, "block-wait-ms", 0);
	pthread_mutex_lock(&driver.lock);
	driver.start = json_object_get(m->body);
	pthread_cond_broadcast(&driver.started);
	pthread_mutex_unlock(&driver.lock);
}

static void prepare(struct udf_packet *m)
{
	int ret;

	if (driver.prepared)
		return;
	set_up(driver.control);
	driver.shared_fd = udf_packet_take_fd(m, 0);
	driver.shared = driver.shared_fd >= 0 ? udf_shared_map(driver.shared_fd) : NULL;
	ret = driver.shared ? driver_prepare(m) : -EINVAL;
	if (ret) {
		driver_say("failed", "why", driver.shared ? strerror(-ret) : "udfd gave no shared memory");
		_exit(UDF_EXIT_FAILED);
	}
	driver.prepared = true;
}

static void client(struct udf_packet *m)
{
	int fd = udf_packet_take_fd(m, 0);

	if (fd >= 0)
		driver_client(fd);
}

/* It is about to be killed for a hang. */
static void show(void)
{
	udf_vcpus_show(SHOW_MS);
	driver_say("shown", NULL, NULL);
}

static void take(struct udf_packet *m)
{
	const char *what = udf_packet_text(m->body, "do", "");

	if (!strcmp(what, "prepare")) {
		prepare(m);
	} else if (!strcmp(what, "start")) {
		start(m);
	} else if (!strcmp(what, "client")) {
		client(m);
	} else if (!strcmp(what, "show")) {
		show();
	} else if (!strcmp(what, "file") || !strcmp(what, "plan")) {
		driver_files_answer(m);
	} else if (!strcmp(what, "stop")) {
		uint64_t one = 1;

		atomic_store(&driver.stopping, true);
		if (write(driver.wake, &one, sizeof(one)) != sizeof(one))
			_exit(UDF_EXIT_STOPPED);
	} else {
		driver_note(4, "udfd says '%.40s', which is not known here", what);
	}
}

/* udfd has gone. A port's driver goes on; one that stands by has nothing to wait for. */
static void lost_control(void)
{
	pthread_mutex_lock(&driver.send_lock);
	close(driver.control);
	driver.control = -1;
	pthread_mutex_unlock(&driver.send_lock);
	if (!driver.start)
		_exit(UDF_EXIT_STOPPED);
	driver_note(5, "udfd has gone; the driver goes on");
}

void driver_control_receive(void)
{
	struct udf_packet m;
	int ret = udf_packet_receive(driver.control, &m);

	if (ret == 1) {
		take(&m);
		udf_packet_release(&m);
	}
	if (ret != 1 && ret != -EAGAIN && ret != -ENOMEM)
		lost_control();
}

/* ---- the next udfd ---- */

/* All that it has to know, and to have. */
static struct json_object *hello(void)
{
	struct json_object *o = udf_packet_new("is", "hello");

	if (!o)
		return NULL;
	udf_packet_add_text(o, "version", UDF_VERSION);
	udf_packet_add_bool(o, "stopping", atomic_load(&driver.stopping));
	json_object_object_add(o, "start", json_object_get(driver.start));
	return o;
}

/* Whether the udfd that we have is still there. What it said before it went has been taken then. */
static bool has_control(void)
{
	struct pollfd p = { .events = POLLIN };

	while ((p.fd = driver.control) >= 0 && poll(&p, 1, 0) == 1)
		driver_control_receive();
	return driver.control >= 0;
}

void driver_control_accept(void)
{
	int fd = accept4(driver.listener, NULL, NULL, SOCK_CLOEXEC);
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (fd < 0)
		return;
	/* a second one is none: there is a lock among them */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) || (peer.uid && peer.uid != driver.owner) || has_control()) {
		close(fd);
		return;
	}
	set_up(fd);
	pthread_mutex_lock(&driver.send_lock);
	driver.control = fd;
	send_locked(hello(), (int[]){ driver.shared_fd, driver.clients }, driver.clients < 0 ? 1 : 2);
	if (driver.child >= 0)
		send_locked(child_message(), &driver.child, 1);
	if (driver.state)
		send_locked(json_object_get(driver.state), NULL, 0);
	pthread_mutex_unlock(&driver.send_lock);
	driver_files_again();
}
