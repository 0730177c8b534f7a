// SPDX-License-Identifier: GPL-2.0
/*
 * Requests that wait. Host world.
 *
 * Of the threads that wait on one queue, one is the leader: it polls, and its callbacks wake the others as their requests complete.
 * Whoever goes when nobody leads hands over to a follower. So each completion costs at most one wake-up, and none at depth 1.
 */
#include <errno.h>

#include "front/internal.h"

#define PIECE	(1u << 20)	/* long reads and writes go in pieces of so many bytes ... */
#define WINDOW	8u		/* ... of which so many are in flight */

struct udf_waiter {
	struct udf_queue *q;
	pthread_cond_t cond;
	struct udf_waiter *next;	/* among the followers */
	unsigned int pending;
	int result;			/* first error */
};

static void waiter_done(void *arg, int result)
{
	struct udf_waiter *w = arg;
	struct udf_queue *q = w->q;
	bool leader;

	pthread_mutex_lock(&q->wait_lock);
	if (result && !w->result)
		w->result = result;
	w->pending--;
	leader = q->leader == w;
	if (!leader)
		pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&q->wait_lock);
	if (leader)	/* another poller may have run this: W may be gone, Q is not */
		udf_queue_wake(q);
}

static void follow(struct udf_queue *q, struct udf_waiter *w)
{
	struct udf_waiter **p;

	w->next = q->followers;
	q->followers = w;
	pthread_cond_wait(&w->cond, &q->wait_lock);
	for (p = &q->followers; *p != w; p = &(*p)->next)
		;
	*p = w->next;
}

static void lead(struct udf_queue *q, struct udf_waiter *w, unsigned int target)
{
	q->leader = w;
	while (w->pending > target) {
		pthread_mutex_unlock(&q->wait_lock);
		udf_queue_poll(q, 32, -1);
		pthread_mutex_lock(&q->wait_lock);
	}
	q->leader = NULL;
}

/* Until at most TARGET requests of W are in flight. */
static void wait_until(struct udf_waiter *w, unsigned int target)
{
	struct udf_queue *q = w->q;

	pthread_mutex_lock(&q->wait_lock);
	while (w->pending > target) {
		if (q->leader || q->has_thread)
			follow(q, w);
		else
			lead(q, w, target);
	}
	/* Hand over: also as a follower, since the one that led may have handed over to us, who were done at the same moment. */
	if (!q->leader && q->followers)
		pthread_cond_signal(&q->followers->cond);
	pthread_mutex_unlock(&q->wait_lock);
}

static void pending_add(struct udf_waiter *w, int n)
{
	pthread_mutex_lock(&w->q->wait_lock);
	w->pending += n;
	pthread_mutex_unlock(&w->q->wait_lock);
}

/* One of the calls below, as a request that is submitted in pieces. */
struct work {
	enum udf_ring_op op;
	struct udf_disk *disk;
	char *buf;
	uint64_t offset, len;
	unsigned int flags;
};

static int submit_piece(struct udf_waiter *w, const struct work *k, uint64_t at, uint64_t len)
{
	switch (k->op) {
	case UDF_RING_READ:
		return udf_read(w->q, k->disk, k->buf + at, len, k->offset + at, waiter_done, w);
	case UDF_RING_WRITE:
		return udf_write(w->q, k->disk, k->buf + at, len, k->offset + at, k->flags, waiter_done, w);
	case UDF_RING_FLUSH:
		return udf_flush(w->q, k->disk, waiter_done, w);
	case UDF_RING_DISCARD:
		return udf_discard(w->q, k->disk, k->offset, k->len, waiter_done, w);
	case UDF_RING_WRITE_ZEROES:
		return udf_write_zeroes(w->q, k->disk, k->offset, k->len, k->flags, waiter_done, w);
	}
	return -EINVAL;
}

/* Submit, waiting for room in the queue. */
static int submit_waiting(struct udf_waiter *w, const struct work *k, uint64_t at, uint64_t len)
{
	int err;

	for (;;) {
		pending_add(w, 1);
		err = submit_piece(w, k, at, len);
		if (!err)
			return 0;
		pending_add(w, -1);
		if (err != -EAGAIN)
			return err;
		/* Full of the requests of others, or of our own: let some complete. */
		if (udf_queue_poll(w->q, 32, 1) < 0)
			return -ENODEV;
	}
}

static int perform_on(struct udf_queue *q, const struct work *k)
{
	struct udf_waiter w = { .q = q, .cond = PTHREAD_COND_INITIALIZER };
	bool data = k->op == UDF_RING_READ || k->op == UDF_RING_WRITE;
	uint64_t at = 0, len;
	int err = 0;

	do {
		len = data && k->len - at > PIECE ? PIECE : k->len - at;
		wait_until(&w, WINDOW - 1);
		err = submit_waiting(&w, k, at, len);
		at += len;
	} while (!err && at < k->len && !__atomic_load_n(&w.result, __ATOMIC_RELAXED));
	wait_until(&w, 0);
	pthread_cond_destroy(&w.cond);
	return w.result ? w.result : err;
}

/* A queue for callers that have none: one for each vCPU, threads in turn. */
static int own_queue(struct udf *udf, struct udf_queue **queue)
{
	static atomic_uint turns;
	static __thread unsigned int turn;
	unsigned int cpu;
	int err = 0;

	if (!turn)
		turn = atomic_fetch_add(&turns, 1) + 1;
	cpu = turn % udf->cpus;
	*queue = __atomic_load_n(&udf->own[cpu], __ATOMIC_ACQUIRE);
	if (*queue)
		return 0;
	err = udf_queue_open(udf, cpu, 0, 0, queue);
	if (err)
		return err;
	pthread_mutex_lock(&udf->lock);
	if (!udf->own[cpu]) {
		__atomic_store_n(&udf->own[cpu], *queue, __ATOMIC_RELEASE);
		pthread_mutex_unlock(&udf->lock);
		return 0;
	}
	pthread_mutex_unlock(&udf->lock);
	udf_queue_close(*queue);	/* another thread was faster */
	*queue = udf->own[cpu];
	return 0;
}

static int perform(struct udf_queue *queue, const struct work *k)
{
	int err = queue ? 0 : own_queue(k->disk->udf, &queue);

	return err ? err : perform_on(queue, k);
}

int udf_pread(struct udf_queue *queue, struct udf_disk *disk, void *buf, size_t len, uint64_t offset)
{
	struct work k = { .op = UDF_RING_READ, .disk = disk, .buf = buf, .len = len, .offset = offset };

	return perform(queue, &k);
}

int udf_pwrite(struct udf_queue *queue, struct udf_disk *disk, const void *buf, size_t len, uint64_t offset, unsigned int flags)
{
	struct work k = {
		.op = UDF_RING_WRITE, .disk = disk, .buf = (char *)buf, .len = len, .offset = offset, .flags = flags,
	};

	return perform(queue, &k);
}

int udf_pflush(struct udf_queue *queue, struct udf_disk *disk)
{
	struct work k = { .op = UDF_RING_FLUSH, .disk = disk };

	return perform(queue, &k);
}

int udf_pdiscard(struct udf_queue *queue, struct udf_disk *disk, uint64_t offset, uint64_t len)
{
	struct work k = { .op = UDF_RING_DISCARD, .disk = disk, .offset = offset, .len = len };

	return perform(queue, &k);
}

int udf_pwrite_zeroes(struct udf_queue *queue, struct udf_disk *disk, uint64_t offset, uint64_t len, unsigned int flags)
{
	struct work k = { .op = UDF_RING_WRITE_ZEROES, .disk = disk, .offset = offset, .len = len, .flags = flags };

	return perform(queue, &k);
}
