// SPDX-License-Identifier: GPL-2.0
/* A driver in another process: begin, end, and what the API's threads have the connection's thread do; see attach.h. Host world. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "front/attach.h"

static void attach_free(struct udf_attach *a)
{
	udf_attach_disconnect(a);
	udf_attach_mem_free(a);
	if (a->doorbell >= 0)
		close(a->doorbell);
	if (a->wake >= 0)
		close(a->wake);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->done);
	free(a->path);
	free(a);
}

#define OPEN_TIMEOUT_S	60u		/* for a driver process that its manager is just starting */
#define RUNTIME_DIR	"/run/udf"	/* udfd's, unless $UDF_SOCKET says where its socket is */

/* Where PORT is served: a path, or the name of one of udfd's ports, which has its socket beside udfd's own. To be freed. */
static char *path_of(const char *port)
{
	const char *udfd = getenv("UDF_SOCKET"), *slash = udfd ? strrchr(udfd, '/') : NULL;
	char *path;

	if (strchr(port, '/'))
		return strdup(port);
	return asprintf(&path, "%.*s/attach/%s", slash ? (int)(slash - udfd) : (int)strlen(RUNTIME_DIR), slash ? udfd : RUNTIME_DIR, port) < 0 ?
		       NULL : path;
}

static struct udf_attach *attach_new(struct udf *udf, const struct udf_options *o)
{
	struct udf_attach *a = calloc(1, sizeof(*a));
	unsigned int i;

	if (!a)
		return NULL;
	a->udf = udf;
	a->sock = a->lease = -1;
	a->last_job = &a->jobs;
	a->loss_fails = o->loss_fails;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->done, NULL);
	for (i = 0; i < HOST_FRONT_DISKS; i++)
		a->slots[i] = -1;
	a->path = path_of(o->port);
	a->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	a->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (a->path && a->wake >= 0 && a->doorbell >= 0 && !udf_attach_mem_init(a, o->memory))
		return a;
	attach_free(a);
	return NULL;
}

int udf_attach_open(struct udf *udf, struct udf_options *o)
{
	struct udf_attach *a;
	char why[300];
	int err;

	if (o->device)
		return udf_error_set(&o->err, -EINVAL, "port and device exclude each other: the driver runs in another process, or in this one");
	udf->news = calloc(1, sizeof(*udf->news));
	a = udf->news ? attach_new(udf, o) : NULL;
	if (!a) {
		free(udf->news);
		return udf_error_set(&o->err, -ENOMEM, "no memory");
	}
	a->lost_at = udf_now();
	a->loss_timeout = OPEN_TIMEOUT_S;
	err = udf_attach_connect(a, why, sizeof(why));
	if (err) {
		udf_error_set(&o->err, err, "port %s: %s", a->path, why);
		goto free;
	}
	a->lost_at = 0;
	a->loss_timeout = o->loss_timeout;
	udf->attach = a;
	err = udf_thread_start(&a->thread, udf_attach_thread, a);
	if (err) {
		udf_error_set(&o->err, err, "cannot start a thread: %s", strerror(-err));
		goto free;
	}
	a->has_thread = true;
	return 0;

free:
	udf->attach = NULL;
	attach_free(a);
	free(udf->news);
	return err;
}

void udf_attach_stop(struct udf_attach *a)
{
	pthread_mutex_lock(&a->lock);
	a->closing = true;
	pthread_mutex_unlock(&a->lock);
	eventfd_write(a->wake, 1);
	if (a->has_thread)
		pthread_join(a->thread, NULL);
	a->has_thread = false;
}

void udf_attach_free(struct udf *udf)
{
	attach_free(udf->attach);
	free(udf->news);
	udf->attach = NULL;
}

/* ---- queues ---- */

static int queue_link(struct udf_attach *a, void *object)
{
	struct udf_queue *q = object;
	unsigned int i;

	for (i = 0; i < UDF_PROTO_QUEUES && a->numbers[i]; i++)
		;
	if (i == UDF_PROTO_QUEUES)
		return -EMFILE;
	a->numbers[i] = q;
	q->id = i;
	q->attached = a->queues;
	a->queues = q;
	return 0;
}

static int queue_unlink(struct udf_attach *a, void *object)
{
	struct udf_queue *q = object, **p;

	for (p = &a->queues; *p && *p != q; p = &(*p)->attached)
		;
	if (*p) {
		*p = q->attached;
		a->numbers[q->id] = NULL;
	}
	return 0;
}

static int queue_add(struct udf_attach *a, void *object)
{
	int err = queue_link(a, object);

	if (err)
		return err;
	err = udf_attach_queue_tell(a, object);
	if (err)	/* after -ECONNRESET it is added again */
		queue_unlink(a, object);
	return err;
}

static int queue_remove(struct udf_attach *a, void *object)
{
	struct udf_queue *q = object;
	struct udf_msg m = { .type = UDF_MSG_QUEUE_REMOVE, .queue.queue = q->id };
	int err = udf_attach_call(a, &m, -1);

	if (err != -ECONNRESET)
		queue_unlink(a, q);
	return err;
}

int udf_attach_queue_add(struct udf_queue *q)
{
	struct udf_attach_job job = { .run = queue_add, .run_offline = queue_link, .object = q };

	return udf_attach_do(q->udf->attach, &job);
}

void udf_attach_queue_remove(struct udf_queue *q)
{
	struct udf_attach_job job = { .run = queue_remove, .run_offline = queue_unlink, .object = q };

	udf_attach_do(q->udf->attach, &job);
}

/* ---- disks ---- */

int udf_attach_disk_open(struct udf_disk *disk)
{
	struct udf_attach_job job = { .run = udf_attach_run_disk_open, .object = disk };

	return udf_attach_do(disk->udf->attach, &job);
}

void udf_attach_disk_close(struct udf_disk *disk)
{
	struct udf_attach_job job = {
		.run = udf_attach_run_disk_close, .run_offline = udf_attach_run_disk_forget, .object = disk,
	};

	udf_attach_do(disk->udf->attach, &job);
}

/* ---- statistics ---- */

static int get_stats(struct udf_attach *a, void *object)
{
	struct udf_stats *stats = object;
	struct udf_msg m = { .type = UDF_MSG_STATS };
	int err = udf_attach_call(a, &m, -1);

	if (err)
		return err;
	stats->privileged_calls = m.reply.privileged_calls;
	stats->traps = m.reply.traps;
	stats->interrupts = m.reply.interrupts;
	stats->idle_sleeps = m.reply.idle_sleeps;
	stats->start_ns = m.reply.start_ns;
	return 0;
}

static int no_stats(struct udf_attach *a, void *object)
{
	return 0;
}

void udf_attach_stats(struct udf_attach *a, struct udf_stats *stats)
{
	struct udf_attach_job job = { .run = get_stats, .run_offline = no_stats, .object = stats };

	udf_attach_do(a, &job);
}
