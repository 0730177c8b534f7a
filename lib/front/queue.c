// SPDX-License-Identifier: GPL-2.0
/*
 * Queues: a ring to one vCPU each, its slots and, if asked for, the thread that completes its requests. Host world.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "front/attach.h"
#include "front/internal.h"
#include "front/proto.h"

#define DEPTH_DEFAULT	256u
#define SPIN_START_NS	20000u

static void *queue_thread(void *arg)
{
	struct udf_queue *q = arg;

	while (!atomic_load(&q->stop) && udf_queue_poll(q, 32, -1) >= 0)
		;
	return NULL;
}

static void queue_free(struct udf_queue *q)
{
	if (q->mem)
		munmap(q->mem, q->mem_len);
	pthread_mutex_destroy(&q->sq_lock);
	pthread_mutex_destroy(&q->cq_lock);
	pthread_mutex_destroy(&q->wait_lock);
	free(q->slots);
	free(q->kept);
	if (q->mem_fd >= 0)
		close(q->mem_fd);
	free(q);
}

/* The ring's memory; in a file that the driver process can map, if it is another one. */
static int queue_map(struct udf_queue *q, bool attached)
{
	int flags = attached ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;

	q->mem_len = (udf_ring_size(q->depth) + 4095) & ~4095ul;
	if (attached) {
		q->mem_fd = udf_memory_file("udf-ring", q->mem_len);
		if (q->mem_fd < 0)
			return q->mem_fd;
	}
	q->mem = mmap(NULL, q->mem_len, PROT_READ | PROT_WRITE, flags | MAP_POPULATE, q->mem_fd, 0);
	if (q->mem == MAP_FAILED) {
		q->mem = NULL;
		return -ENOMEM;
	}
	return 0;
}

static struct udf_queue *queue_new(unsigned int depth, bool attached)
{
	struct udf_queue *q = aligned_alloc(64, (sizeof(*q) + 63) & ~63ul);
	unsigned int i;

	if (!q)
		return NULL;
	memset(q, 0, sizeof(*q));
	pthread_mutex_init(&q->sq_lock, NULL);
	pthread_mutex_init(&q->cq_lock, NULL);
	pthread_mutex_init(&q->wait_lock, NULL);
	q->depth = depth;
	q->spin_ns = SPIN_START_NS;
	q->mem_fd = -1;
	q->slots = calloc(depth, sizeof(*q->slots));
	q->kept = attached ? calloc(depth, sizeof(*q->kept)) : NULL;
	if (queue_map(q, attached) || !q->slots || (attached && !q->kept) || udf_ring_create(&q->sq, q->mem, q->mem_len, depth)) {
		queue_free(q);
		return NULL;
	}
	q->cq = q->sq;
	q->waker = (struct udf_waker){ .word = &q->wake, .sleepers = &q->sleepers };
	if (attached)
		q->waker = (struct udf_waker){ .word = (atomic_uint *)&q->sq.shared->cq_wake, .sleepers = &q->sleepers, .shared = true };
	for (i = 0; i < depth; i++)
		q->slots[i].next = i + 1 < depth ? i + 1 : UDF_SLOT_NONE;
	return q;
}

static int queue_attach(struct udf_queue *q)
{
	struct host_front_command c = {
		.op = HOST_FRONT_ATTACH, .cpu = q->cpu, .ring = q->mem, .ring_size = q->mem_len,
		.cookie = (unsigned long)&q->waker,
		.flags = q->flags & UDF_QUEUE_POLLED ? HOST_FRONT_POLLED : 0,
	};
	int err;

	if (q->udf->attach)
		return udf_attach_queue_add(q);
	err = udf_command(q->udf, &c);
	q->id = c.queue;
	return err;
}

static int queue_start_thread(struct udf_queue *q)
{
	int err = udf_thread_start(&q->thread, queue_thread, q);

	q->has_thread = !err;
	return err;
}

static void queue_stop_thread(struct udf_queue *q)
{
	if (!q->has_thread)
		return;
	atomic_store(&q->stop, true);
	udf_queue_wake(q);
	pthread_join(q->thread, NULL);
	atomic_store(&q->stop, false);
	q->has_thread = false;
}

int udf_queue_open(struct udf *udf, int vcpu, unsigned int depth, unsigned int flags, struct udf_queue **queue)
{
	unsigned int entries = 2;
	struct udf_queue *q;
	int err;

	if (vcpu < -1 || vcpu >= (int)udf->cpus || depth > UDF_RING_ENTRIES_MAX || flags & ~(UDF_QUEUE_THREAD | UDF_QUEUE_POLLED) ||
	    flags == (UDF_QUEUE_THREAD | UDF_QUEUE_POLLED))
		return -EINVAL;
	if (atomic_load(&udf->lost))
		return -ENODEV;
	while (entries < (depth ? depth : DEPTH_DEFAULT))
		entries *= 2;
	q = queue_new(entries, udf->attach);
	if (!q)
		return -ENOMEM;
	q->udf = udf;
	q->flags = flags;
	q->cpu = vcpu >= 0 ? (unsigned int)vcpu : atomic_fetch_add(&udf->next_cpu, 1) % udf->cpus;
	err = queue_attach(q);
	if (err) {
		queue_free(q);
		return err;
	}
	pthread_mutex_lock(&udf->lock);
	q->next = udf->queues;
	udf->queues = q;
	pthread_mutex_unlock(&udf->lock);
	if (flags & UDF_QUEUE_THREAD)
		err = queue_start_thread(q);
	if (err) {
		udf_queue_close(q);
		return err;
	}
	*queue = q;
	return 0;
}

/* Add Q's figures to the port's, and take it off the list. */
static void queue_unlink(struct udf_queue *q)
{
	struct udf *udf = q->udf;
	struct udf_queue **p;

	pthread_mutex_lock(&udf->lock);
	for (p = &udf->queues; *p && *p != q; p = &(*p)->next)
		;
	if (*p)
		*p = q->next;
	udf->requests += q->requests;
	udf->bytes_read += q->bytes_read;
	udf->bytes_written += q->bytes_written;
	udf->bounced += q->bounced;
	udf->kicks += q->kicks;
	pthread_mutex_unlock(&udf->lock);
}

void udf_queue_end(struct udf_queue *q, bool detach)
{
	struct host_front_command c = { .op = HOST_FRONT_DETACH, .queue = q->id };

	queue_stop_thread(q);
	if (q->udf->attach)
		udf_attach_queue_remove(q);
	else if (detach)
		udf_command(q->udf, &c);
	queue_unlink(q);
	queue_free(q);
}

void udf_queue_close(struct udf_queue *queue)
{
	int err;

	if (!queue)
		return;
	err = udf_queue_drain(queue, (int)(queue->udf->close_timeout * 1000));
	queue_stop_thread(queue);
	if (!err) {
		udf_queue_end(queue, true);
		return;
	}
	/* The kernel world still has requests of this ring: it stays, without a user, until udf_close(). */
	udf_queue_kill(queue);
}
