// SPDX-License-Identifier: GPL-2.0
/* The connection to a driver process and to its successors: a thread; see attach.h. Host world. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "front/attach.h"

#define RETRY_MIN_MS	1
#define RETRY_MAX_MS	20	/* a successor is there within a fraction of a second, or after long */

static bool is_closing(struct udf_attach *a)
{
	bool closing;

	pthread_mutex_lock(&a->lock);
	closing = a->closing;
	pthread_mutex_unlock(&a->lock);
	return closing;
}

static void set_state(struct udf_attach *a, enum udf_attach_state state)
{
	pthread_mutex_lock(&a->lock);
	a->state = state;
	pthread_mutex_unlock(&a->lock);
}

static void say(struct udf_attach *a, int level, const char *text)
{
	char line[600];

	snprintf(line, sizeof(line), "%s: %s", a->path, text);
	if (a->udf->log)
		a->udf->log(a->udf->log_arg, level, line);
	else if (level <= 4)
		udf_log_error("%s", line);
}

/* ---- time ---- */

/* Whether it is too late for a successor. */
static bool too_late(const struct udf_attach *a)
{
	return a->lost_at && a->loss_timeout && udf_now() - a->lost_at >= a->loss_timeout * 1000000000ull;
}

/* Milliseconds to sleep at most, of MAX (-1: for ever), so as not to miss that. */
static int sleep_ms(const struct udf_attach *a, int max)
{
	uint64_t end = a->lost_at + a->loss_timeout * 1000000000ull, now = udf_now();
	int ms;

	if (!a->lost_at || !a->loss_timeout)
		return max;
	ms = end > now ? (int)((end - now) / 1000000) + 1 : 0;
	return max < 0 || ms < max ? ms : max;
}

/*
 * Sleep until FD (-1: none) has EVENTS, somebody wants something of this thread, or it is too late; at most MAX ms. Returns whether FD
 * has them.
 */
static bool sleep_on(struct udf_attach *a, int fd, short events, int max)
{
	struct pollfd fds[2] = { { .fd = a->wake, .events = POLLIN }, { .fd = fd, .events = events } };
	eventfd_t n;

	if (poll(fds, 2, sleep_ms(a, max)) <= 0)
		return false;
	if (fds[0].revents)
		eventfd_read(a->wake, &n);
	return fds[1].revents;
}

static void run_jobs_offline(struct udf_attach *a);

/* ---- messages ---- */

/* What the driver process says without being asked. */
static int unasked(struct udf_attach *a, struct udf_msg *m)
{
	switch (m->type) {
	case UDF_MSG_DISK:
		return udf_attach_disk_news(a, m);
	case UDF_MSG_LOST:
		m->lost[sizeof(m->lost) - 1] = 0;
		snprintf(a->why, sizeof(a->why), "%s", m->lost);
		return 0;
	}
	return -EPROTO;
}

/* The next message, if there is one. Returns 0, -EAGAIN or -ECONNRESET. */
static int receive(struct udf_attach *a, struct udf_msg *m, int *fd)
{
	int err = udf_msg_receive(a->sock, m, fd, MSG_DONTWAIT);

	if (err == -EPROTO)
		snprintf(a->why, sizeof(a->why), "the driver process does not keep to the protocol");
	return err && err != -EAGAIN ? -ECONNRESET : err;
}

/* Take in what has arrived. Returns 0 or -ECONNRESET. */
static int take_messages(struct udf_attach *a)
{
	struct udf_msg m;
	int fd, err;

	while (!(err = receive(a, &m, &fd))) {
		if (fd >= 0)
			close(fd);
		if (unasked(a, &m))
			return -ECONNRESET;
	}
	return err == -EAGAIN ? 0 : err;
}

/* As udf_attach_call(); the descriptor that comes with the reply is the caller's. */
static int call(struct udf_attach *a, struct udf_msg *m, int send_fd, int *fd)
{
	uint32_t id = m->id = ++a->next_id;

	if (udf_msg_send(a->sock, m, send_fd, 0))
		return -ECONNRESET;
	for (;;) {
		int err = receive(a, m, fd);

		if (err == -EAGAIN) {
			if (is_closing(a) || too_late(a))
				return -ECONNRESET;
			sleep_on(a, a->sock, POLLIN, -1);
			if (a->greeting)
				run_jobs_offline(a);
			continue;
		}
		if (err)
			return err;
		if (m->type == UDF_MSG_REPLY && m->id == id)
			return m->reply.result > 0 ? -EPROTO : m->reply.result;
		if (*fd >= 0)
			close(*fd);
		if (unasked(a, m))
			return -ECONNRESET;
	}
}

int udf_attach_call(struct udf_attach *a, struct udf_msg *m, int fd)
{
	int got, ret = call(a, m, fd, &got);

	if (got >= 0)
		close(got);
	return ret;
}

/* ---- connect ---- */

static int connect_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock, err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	if (!connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		return sock;
	err = -errno;
	close(sock);
	return err;
}

/* The driver process gets the end of a pipe that is written to: ours tells when all copies of that are closed. */
static int greet(struct udf_attach *a, struct udf_msg *m)
{
	int pipe[2], doorbell = -1, err;

	*m = (struct udf_msg){ .type = UDF_MSG_HELLO, .hello = { .magic = UDF_PROTO_MAGIC, .version = UDF_PROTO_VERSION } };
	if (pipe2(pipe, O_CLOEXEC))
		return -errno;
	a->lease = pipe[0];
	/* a manager's socket takes connections while there is no driver process: this may take long */
	a->greeting = true;
	err = call(a, m, pipe[1], &doorbell);
	a->greeting = false;
	close(pipe[1]);
	if (!err && (doorbell < 0 || dup3(doorbell, a->doorbell, O_CLOEXEC) < 0))
		err = -EPROTO;
	if (doorbell >= 0)
		close(doorbell);
	return err;
}

static int refused(const struct udf_attach *a, int err, const struct udf_msg *m, char *why, size_t len)
{
	if (err == -EPROTONOSUPPORT)
		snprintf(why, len, "the driver process speaks version %u of the protocol, this libudf version %u: use one version of UDF",
			 m->reply.version, UDF_PROTO_VERSION);
	else if (err == -ECONNRESET && too_late(a))
		snprintf(why, len, "no driver process answers within %u s", a->loss_timeout);
	else if (err == -ECONNRESET)
		snprintf(why, len, "the driver process hangs up%s%s", a->why[0] ? ": " : "", a->why);
	else
		snprintf(why, len, "the driver process does not take us: %s", strerror(-err));
	return err;
}

int udf_attach_connect(struct udf_attach *a, char *why, size_t len)
{
	struct udf_msg m;
	int err;

	a->sock = connect_socket(a->path);
	if (a->sock < 0) {
		err = a->sock;
		snprintf(why, len, "no driver process is there: %s", strerror(-err));
		return err;
	}
	err = greet(a, &m);
	if (err) {
		refused(a, err, &m, why, len);
	} else if (!m.reply.mem_granule || UDF_ATTACH_REGION % m.reply.mem_granule) {
		snprintf(why, len, "its transport gives the device no access to memory of other processes");
		err = -EOPNOTSUPP;
	} else {
		a->mem_granule = m.reply.mem_granule;
		a->udf->cpus = m.reply.cpus;
		return 0;
	}
	udf_attach_disconnect(a);
	return err;
}

void udf_attach_disconnect(struct udf_attach *a)
{
	if (a->sock >= 0)
		close(a->sock);
	if (a->lease >= 0)
		close(a->lease);
	a->sock = a->lease = -1;
}

/* ---- jobs ---- */

static struct udf_attach_job *first_job(struct udf_attach *a)
{
	struct udf_attach_job *job;

	pthread_mutex_lock(&a->lock);
	job = a->jobs;
	pthread_mutex_unlock(&a->lock);
	return job;
}

static void job_done(struct udf_attach *a, int result)
{
	struct udf_attach_job *job;

	pthread_mutex_lock(&a->lock);
	job = a->jobs;
	a->jobs = job->next;
	if (!a->jobs)
		a->last_job = &a->jobs;
	job->result = result;
	job->done = true;
	pthread_cond_broadcast(&a->done);
	pthread_mutex_unlock(&a->lock);
}

/* Returns -ECONNRESET when that happened in one: it is the first to be done at the successor. */
static int run_jobs(struct udf_attach *a)
{
	struct udf_attach_job *job;

	while ((job = first_job(a))) {
		int ret = job->run(a, job->object);

		if (ret == -ECONNRESET)
			return ret;
		job_done(a, ret);
	}
	return 0;
}

/* Those that need no driver, as far as they come before the first that does. */
static void run_jobs_offline(struct udf_attach *a)
{
	struct udf_attach_job *job;

	while ((job = first_job(a)) && job->run_offline)
		job_done(a, job->run_offline(a, job->object));
}

int udf_attach_do(struct udf_attach *a, struct udf_attach_job *job)
{
	pthread_mutex_lock(&a->lock);
	if (a->state == UDF_ATTACH_OVER || a->closing) {
		pthread_mutex_unlock(&a->lock);
		return -ENODEV;
	}
	job->next = NULL;
	*a->last_job = job;
	a->last_job = &job->next;
	eventfd_write(a->wake, 1);
	while (!job->done)
		pthread_cond_wait(&a->done, &a->lock);
	pthread_mutex_unlock(&a->lock);
	return job->result;
}

/* ---- the connection's life ---- */

int udf_attach_queue_tell(struct udf_attach *a, struct udf_queue *q)
{
	struct udf_msg m = { .type = UDF_MSG_QUEUE_ADD, .queue = { .queue = q->id, .cpu = q->cpu % a->udf->cpus, .len = q->mem_len } };
	int err;

	udf_attach_queue_reset(q);
	err = udf_attach_call(a, &m, q->mem_fd);
	if (err)
		return err;
	udf_attach_queue_online(q, true);
	udf_attach_queue_push(q, NULL);
	return 0;
}

/* Make everything at this driver process as it is to be. Returns 0 or a negative errno: it cannot be used. */
static int go_online(struct udf_attach *a)
{
	struct udf_queue *q;
	int err = udf_attach_mem_tell(a);

	for (q = a->queues; q && !err; q = q->attached)
		err = udf_attach_queue_tell(a, q);
	if (!err)
		set_state(a, UDF_ATTACH_ONLINE);
	else if (err != -ECONNRESET)
		snprintf(a->why, sizeof(a->why), "the driver process does not take our memory or queues: %s", strerror(-err));
	return err;
}

/* Note whether all is well again; log why not, once. */
static void look_at_disks(struct udf_attach *a)
{
	if (udf_attach_coupled(a)) {
		if (!a->lost_at)
			return;
		say(a, 5, "the driver is back: requests go on");
		a->lost_at = 0;
		a->why[0] = a->said[0] = 0;
	} else if (a->why[0] && strcmp(a->why, a->said)) {
		snprintf(a->said, sizeof(a->said), "%s", a->why);
		say(a, 3, a->why);
	}
}

/* Until the connection is lost, or we close it, or it is too late for a disk of the predecessor's to come. */
static void stay_online(struct udf_attach *a)
{
	int err = 0;

	while (!err && !is_closing(a) && !too_late(a)) {
		err = run_jobs(a);
		if (!err)
			err = take_messages(a);
		if (!err && a->couple)
			err = udf_attach_couple(a);
		if (err)
			break;
		look_at_disks(a);
		if (!first_job(a) && !a->couple)
			sleep_on(a, a->sock, POLLIN, -1);
	}
}

static void go_offline(struct udf_attach *a)
{
	char text[500];
	struct udf_queue *q;

	set_state(a, UDF_ATTACH_OFFLINE);
	for (q = a->queues; q; q = q->attached)
		udf_attach_queue_online(q, false);
	udf_attach_disks_stale(a);
	if (a->lost_at || is_closing(a))
		return;
	a->lost_at = udf_now();
	if (!a->why[0])
		snprintf(a->why, sizeof(a->why), "the driver process has ended");
	snprintf(text, sizeof(text), "%s; requests %s", a->why, a->loss_fails ? "fail" : "wait for its successor");
	snprintf(a->said, sizeof(a->said), "%s", a->why);
	say(a, 4, text);
}

/*
 * Nobody may reach our memory any more before requests are issued again or fail. A driver process that hung up, but lives, is
 * about to let go of it.
 */
static void await_lease(struct udf_attach *a)
{
	if (a->sock >= 0)
		close(a->sock);
	a->sock = -1;
	while (a->lease >= 0 && !is_closing(a) && !too_late(a) && !sleep_on(a, a->lease, 0, -1))
		run_jobs_offline(a);
	udf_attach_disconnect(a);
}

static void await_successor(struct udf_attach *a)
{
	int ms = RETRY_MIN_MS;
	char why[300];

	while (!is_closing(a) && !too_late(a)) {
		int err;

		run_jobs_offline(a);
		err = udf_attach_connect(a, why, sizeof(why));
		if (!err)
			return;
		/* nobody is there, or one that is just going */
		if (err != -ECONNREFUSED && err != -ENOENT && err != -ECONNRESET && strcmp(why, a->said)) {
			snprintf(a->said, sizeof(a->said), "%s", why);
			say(a, 3, why);
		}
		sleep_on(a, -1, 0, ms);
		ms = ms * 2 < RETRY_MAX_MS ? ms * 2 : RETRY_MAX_MS;
	}
}

/* No driver any more: everything that waits fails. */
static void end(struct udf_attach *a)
{
	char text[sizeof(a->why) + 64];

	snprintf(text, sizeof(text), "%s%s", a->why[0] ? a->why : "closed", too_late(a) ? ", and no successor came in time" : "");
	set_state(a, UDF_ATTACH_OVER);
	if (!is_closing(a))
		udf_set_lost(a->udf, text);
	while (first_job(a))
		job_done(a, -ENODEV);
}

void *udf_attach_thread(void *arg)
{
	struct udf_attach *a = arg;

	while (!is_closing(a) && !too_late(a)) {
		if (a->sock < 0)
			await_successor(a);
		if (a->sock >= 0 && !go_online(a))
			stay_online(a);
		go_offline(a);
		await_lease(a);
		if (a->loss_fails)
			break;
	}
	end(a);
	return NULL;
}
