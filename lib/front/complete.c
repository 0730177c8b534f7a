// SPDX-License-Identifier: GPL-2.0
/*
 * Completions out of the ring, and waiting for them. Host world.
 *
 * Completions are copied out of the ring and exchanged for their slots; then, without a lock, data is copied back, memory freed and
 * callbacks run. Whatever the ring says of a slot that is not in flight is ignored.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "front/internal.h"

#define BATCH		32u
#define SPIN_MAX_NS	20000u	/* about what a wake-up through the kernel costs */
#define SPIN_MIN_NS	500u
#define DRIVE_NS	1000000u	/* a polling thread looks for so long before it sleeps: more than most devices take */

uint64_t udf_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

struct finished {
	struct udf_slot slot;
	int result;
};

/* Under sq_lock: take slot INDEX out of use into F. */
static void take_slot(struct udf_queue *q, unsigned int index, int result, struct finished *f)
{
	struct udf_slot *slot = &q->slots[index];

	f->slot = *slot;
	f->result = result;
	q->requests++;
	if (slot->op == UDF_RING_READ)
		q->bytes_read += slot->len;
	else
		q->bytes_written += slot->len;
	slot->busy = false;
	slot->next = q->free;
	q->free = index;
}

/* Under sq_lock: the slots that N completions are of. Returns how many there are. */
static unsigned int match(struct udf_queue *q, const struct udf_ring_cqe *c, unsigned int n, struct finished *f)
{
	unsigned int found = 0;

	for (; n--; c++) {
		unsigned long index = c->user_data & 0xffffffff;

		if (index < q->depth && q->slots[index].busy && q->slots[index].tag == c->user_data >> 32)
			take_slot(q, index, c->result, &f[found++]);
	}
	return found;
}

static void copy_out(const struct iovec *iov, int n, const void *from)
{
	for (; n--; iov++) {
		memcpy(iov->iov_base, from, iov->iov_len);
		from = (const char *)from + iov->iov_len;
	}
}

/* Without a lock: end N requests. */
static void finish(struct udf_queue *q, struct finished *f, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct udf_slot *slot = &f[i].slot;

		if (slot->bounce && slot->op == UDF_RING_READ && !f[i].result)
			copy_out(slot->iov ? slot->iov : &slot->one, slot->nr_iov, slot->bounce);
		udf_slot_release(q->udf, slot);
		if (slot->done)
			slot->done(slot->arg, f[i].result);
	}
	/* The last one may be what another thread waits for. */
	if (n && atomic_fetch_sub(&q->in_flight, n) == n && atomic_load(&q->sleepers))
		udf_queue_wake(q);
}

/* Complete up to MAX requests. Returns how many. */
static unsigned int complete(struct udf_queue *q, unsigned int max)
{
	struct udf_ring_cqe c[BATCH];
	struct finished f[BATCH];
	unsigned int n = 0;

	max = max < BATCH ? max : BATCH;
	pthread_mutex_lock(&q->cq_lock);
	while (n < max && udf_ring_reap(&q->cq, &c[n]))
		n++;
	pthread_mutex_unlock(&q->cq_lock);
	if (!n)
		return 0;

	pthread_mutex_lock(&q->sq_lock);
	n = match(q, c, n, f);
	pthread_mutex_unlock(&q->sq_lock);
	finish(q, f, n);
	return n;
}

/* Fail up to BATCH requests that are in flight. Returns how many. */
static unsigned int fail_some(struct udf_queue *q)
{
	struct finished f[BATCH];
	unsigned int i, n = 0;

	pthread_mutex_lock(&q->sq_lock);
	q->dead = true;
	for (i = 0; i < q->depth && n < BATCH; i++)
		if (q->slots[i].busy)
			take_slot(q, i, -ENODEV, &f[n++]);
	pthread_mutex_unlock(&q->sq_lock);
	finish(q, f, n);
	return n;
}

static unsigned int kill_all(struct udf_queue *q)
{
	unsigned int total = 0, n;

	while ((n = complete(q, BATCH)))
		total += n;
	while ((n = fail_some(q)))
		total += n;
	return total;
}

void udf_queue_kill(struct udf_queue *q)
{
	kill_all(q);
}

/* ---- waiting ---- */

void udf_queue_wake(struct udf_queue *q)
{
	udf_waker_wake(&q->waker);
}

static bool interrupted(struct udf_queue *q)
{
	return atomic_load(&q->udf->lost) || atomic_load(&q->stop);
}

/* Look for a completion for FOR_NS. Returns whether there is one. What it reads unlocked is only a hint. */
static bool look(struct udf_queue *q, unsigned int for_ns)
{
	const struct udf_ring_shared *s = q->cq.shared;
	uint64_t end = udf_now() + for_ns;
	bool found;

	do {
		unsigned int i;

		found = false;
		for (i = 0; i < 16 && !found; i++) {
			found = __atomic_load_n(&s->cq_tail, __ATOMIC_RELAXED) != __atomic_load_n(&s->cq_head, __ATOMIC_RELAXED);
			__builtin_ia32_pause();
		}
	} while (!found && !interrupted(q) && udf_now() < end);
	return found;
}

/* The same for a short while, the longer the more often that paid off. */
static bool spin(struct udf_queue *q)
{
	unsigned int for_ns = __atomic_load_n(&q->spin_ns, __ATOMIC_RELAXED), next;
	bool found = look(q, for_ns);

	next = found ? for_ns * 2 : for_ns / 2;
	next = next > SPIN_MAX_NS ? SPIN_MAX_NS : next < SPIN_MIN_NS ? SPIN_MIN_NS : next;
	__atomic_store_n(&q->spin_ns, next, __ATOMIC_RELAXED);
	return found;
}

static bool ready(void *arg)
{
	struct udf_queue *q = arg;
	const struct udf_ring_shared *s = q->cq.shared;

	return __atomic_load_n(&s->cq_tail, __ATOMIC_RELAXED) != __atomic_load_n(&s->cq_head, __ATOMIC_RELAXED) || interrupted(q);
}

/*
 * UDF_QUEUE_POLLED: run the driver until there is a completion. Returns false when it is long in coming, or when the vCPU is busy on
 * another thread for long: then this thread sleeps like any other.
 */
static bool drive(struct udf_queue *q)
{
	uint64_t end = 0;
	int err;

	if (q->udf->attach)
		return look(q, DRIVE_NS);
	do {
		err = udf_driver_drive(q->udf->driver, q->cpu, ready, q, DRIVE_NS);
		if (err == -EBUSY && !end)
			end = udf_now() + DRIVE_NS;
	} while (err == -EBUSY && !ready(q) && udf_now() < end);
	if (ready(q))
		return true;
	udf_driver_release(q->udf->driver, q->cpu);
	return false;
}

static void sleep_until(struct udf_queue *q, uint64_t deadline, bool idle_too)
{
	unsigned int seen;
	bool there;

	atomic_fetch_add(&q->sleepers, 1);
	seen = atomic_load(q->waker.word);
	pthread_mutex_lock(&q->cq_lock);
	there = udf_ring_wait_cq(&q->cq);
	pthread_mutex_unlock(&q->cq_lock);
	if (!there && !interrupted(q) && (idle_too || atomic_load(&q->in_flight))) {
		uint64_t now = udf_now(), left = deadline > now ? deadline - now : 0;
		struct timespec ts = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };

		if (!deadline || left)
			udf_waker_wait(&q->waker, seen, deadline ? &ts : NULL);
	}
	atomic_fetch_sub(&q->sleepers, 1);
}

static int poll_queue(struct udf_queue *q, unsigned int max, int timeout_ms, bool idle_too)
{
	uint64_t deadline = timeout_ms > 0 ? udf_now() + timeout_ms * 1000000ull : 0;
	unsigned int n;

	for (;;) {
		n = complete(q, max);
		if (n)
			return n;
		if (atomic_load(&q->udf->lost)) {
			n = kill_all(q);
			if (n || !atomic_load(&q->in_flight))
				return n ? (int)n : -ENODEV;
			/* the callbacks of the last ones run in another thread */
			sched_yield();
		}
		if (!timeout_ms || atomic_load(&q->stop) || (!idle_too && !atomic_load(&q->in_flight)))
			return 0;
		if (deadline && udf_now() >= deadline)
			return 0;
		if (!atomic_load(&q->udf->lost) && !(q->flags & UDF_QUEUE_POLLED ? drive(q) : spin(q)))
			sleep_until(q, deadline, idle_too);
	}
}

int udf_queue_poll(struct udf_queue *q, unsigned int max, int timeout_ms)
{
	return poll_queue(q, max, timeout_ms, true);
}

int udf_poll(struct udf_queue *queue, unsigned int max, int timeout_ms)
{
	unsigned int total = 0;
	int n;

	if (!max)
		return 0;
	do {
		n = poll_queue(queue, max - total, total ? 0 : timeout_ms, false);
		total += n > 0 ? n : 0;
	} while (n > 0 && total < max);
	return total ? (int)total : n;
}

int udf_queue_drain(struct udf_queue *q, int timeout_ms)
{
	uint64_t start = udf_now();

	while (atomic_load(&q->in_flight)) {
		int64_t left = timeout_ms - (int64_t)((udf_now() - start) / 1000000);
		int n;

		if (timeout_ms >= 0 && left < 0)
			return -ETIMEDOUT;
		n = udf_poll(q, BATCH, timeout_ms < 0 ? -1 : (int)left);
		if (n < 0 && !atomic_load(&q->in_flight))
			return n;
	}
	return atomic_load(&q->udf->lost) ? -ENODEV : 0;
}

int udf_wait(struct udf_queue *queue, int timeout_ms)
{
	return udf_queue_drain(queue, timeout_ms);
}

unsigned int udf_queue_in_flight(struct udf_queue *queue)
{
	return atomic_load(&queue->in_flight);
}
