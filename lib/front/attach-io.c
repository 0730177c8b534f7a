// SPDX-License-Identifier: GPL-2.0
/* Requests to a driver in another process: kept until they complete, issued again to its successor; see attach.h. Host world. */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "front/attach.h"

/* The vCPU that serves the ring is found there: one bell for all. */
void udf_attach_kick(struct udf_attach *a)
{
	eventfd_write(a->doorbell, 1);
}


bool udf_attach_keep(struct udf_queue *q, unsigned int index, struct udf_disk *disk, struct udf_ring_sqe *e)
{
	struct udf_kept *k = &q->kept[index];

	e->disk = atomic_load_explicit(&disk->remote, memory_order_relaxed);
	k->disk = disk;
	k->order = ++q->order;
	k->pushed = q->online && e->disk;
	k->e = *e;
	return k->pushed;
}

void udf_attach_queue_online(struct udf_queue *q, bool online)
{
	pthread_mutex_lock(&q->sq_lock);
	q->online = online;
	pthread_mutex_unlock(&q->sq_lock);
}

void udf_attach_queue_reset(struct udf_queue *q)
{
	unsigned int wake, i;

	pthread_mutex_lock(&q->cq_lock);
	pthread_mutex_lock(&q->sq_lock);
	q->online = false;
	/* all but the word that somebody may be asleep on */
	wake = atomic_load(q->waker.word);
	memset(q->mem, 0, offsetof(struct udf_ring_shared, cq_tail));
	udf_ring_create(&q->sq, q->mem, q->mem_len, q->depth);
	q->sq.shared->cq_tail = 0;
	q->cq = q->sq;
	atomic_store(q->waker.word, wake);
	for (i = 0; i < q->depth; i++) {
		struct udf_slot *slot = &q->slots[i];

		if (!slot->busy)
			continue;
		/* a poller may have taken a completion out of the ring and not yet come to its slot: it is of an earlier use now */
		q->kept[i].e.user_data = (unsigned long)++slot->tag << 32 | i;
		q->kept[i].pushed = false;
	}
	pthread_mutex_unlock(&q->sq_lock);
	pthread_mutex_unlock(&q->cq_lock);
}

static int by_order(const void *x, const void *y)
{
	const struct udf_kept *a = *(struct udf_kept *const *)x, *b = *(struct udf_kept *const *)y;

	return a->order < b->order ? -1 : a->order > b->order;
}

/* Under sq_lock. */
static void push_all(struct udf_queue *q, struct udf_disk *disk)
{
	struct udf_kept *list[UDF_RING_ENTRIES_MAX];
	unsigned int n = 0, i;

	for (i = 0; i < q->depth && q->online; i++)
		if (q->slots[i].busy && !q->kept[i].pushed && (!disk || q->kept[i].disk == disk) && atomic_load(&q->kept[i].disk->remote))
			list[n++] = &q->kept[i];
	qsort(list, n, sizeof(list[0]), by_order);
	for (i = 0; i < n; i++) {
		list[i]->e.disk = atomic_load(&list[i]->disk->remote);
		list[i]->pushed = true;
		udf_ring_push(&q->sq, &list[i]->e);
	}
}

void udf_attach_queue_push(struct udf_queue *q, struct udf_disk *disk)
{
	bool kick;

	pthread_mutex_lock(&q->sq_lock);
	push_all(q, disk);
	kick = udf_ring_publish(&q->sq);
	pthread_mutex_unlock(&q->sq_lock);
	if (kick)
		udf_attach_kick(q->udf->attach);
	/* who sleeps waits for an index of the old ring */
	udf_queue_wake(q);
}
