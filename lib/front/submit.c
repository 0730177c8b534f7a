// SPDX-License-Identifier: GPL-2.0
/*
 * Requests into the ring: check, find memory that the device reaches, take a slot, push, publish. The vCPU is told only if it asks
 * for it. Host world.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "front/attach.h"
#include "front/internal.h"

struct request {
	struct udf_queue *q;
	struct udf_disk *disk;
	enum udf_ring_op op;
	unsigned int flags;
	const struct iovec *iov;
	int n;
	uint64_t offset, len;
	udf_done *done;
	void *arg;
};

static bool has_data(const struct request *r)
{
	return r->op == UDF_RING_READ || r->op == UDF_RING_WRITE;
}

static int check_flags(const struct request *r)
{
	unsigned int valid = 0;

	if (r->op == UDF_RING_WRITE)
		valid = UDF_FUA;
	if (r->op == UDF_RING_WRITE_ZEROES)
		valid = UDF_FUA | UDF_NO_UNMAP | UDF_FAST_ONLY;
	return r->flags & ~valid ? -EINVAL : 0;
}

static int check_range(const struct request *r)
{
	uint64_t size = atomic_load_explicit(&r->disk->size, memory_order_relaxed);
	bool read = r->op == UDF_RING_READ;

	if (r->op == UDF_RING_FLUSH)
		return 0;
	if (!r->len || (r->offset | r->len) & r->disk->block_mask || (has_data(r) && r->len > UDF_BUF_MAX))
		return -EINVAL;
	if (!read && atomic_load_explicit(&r->disk->flags, memory_order_relaxed) & UDF_DISK_READ_ONLY)
		return -EROFS;
	if (r->offset > size || r->len > size - r->offset)
		return read ? -EIO : -ENOSPC;
	return 0;
}

static int check(const struct request *r)
{
	struct udf *udf = r->q->udf;
	int err;

	if (r->disk->udf != udf)
		return -EINVAL;
	if (atomic_load_explicit(&udf->lost, memory_order_relaxed))
		return -ENODEV;
	if (atomic_load_explicit(&udf->closing, memory_order_relaxed))
		return -ESHUTDOWN;
	err = udf_disk_refresh(r->disk);
	if (!err)
		err = check_flags(r);
	return err ? err : check_range(r);
}

static void copy_in(void *to, const struct iovec *iov, int n)
{
	for (; n--; iov++) {
		memcpy(to, iov->iov_base, iov->iov_len);
		to = (char *)to + iov->iov_len;
	}
}

/* Pieces of whole blocks only: where the block layer divides a request is a piece's end. */
static bool in_place(const struct request *r)
{
	int i;

	for (i = 0; i < r->n; i++) {
		const struct iovec *v = &r->iov[i];

		if (((uintptr_t)v->iov_base | v->iov_len) & r->disk->align_mask || v->iov_len & r->disk->block_mask ||
		    !udf_heap_owns(r->q->udf->heap, v->iov_base, v->iov_len))
			return false;
	}
	return true;
}

/* What names P, of the heap, in the ring. */
static unsigned long address(const struct request *r, const void *p)
{
	return r->q->udf->attach ? udf_attach_address(r->q->udf->attach, p) : (unsigned long)p;
}

/* Let the caller's own memory be the request's. */
static int use_memory(const struct request *r, struct udf_slot *slot, struct udf_ring_sqe *e)
{
	struct udf_ring_segment *s = e->segment;
	int i;

	if (r->n > (int)UDF_RING_INLINE) {
		slot->list = udf_heap_alloc(r->q->udf->heap, r->n * sizeof(*s));
		if (!slot->list)
			return -ENOMEM;
		e->segment[0] = (struct udf_ring_segment){ .addr = address(r, slot->list), .len = r->n * sizeof(*s) };
		s = slot->list;
	}
	for (i = 0; i < r->n; i++)
		s[i] = (struct udf_ring_segment){ .addr = address(r, r->iov[i].iov_base), .len = r->iov[i].iov_len };
	e->nr_segments = r->n;
	return 0;
}

/* Let arena memory stand in for it. */
static int bounce_memory(const struct request *r, struct udf_slot *slot, struct udf_ring_sqe *e)
{
	slot->nr_iov = r->n;
	slot->one = r->iov[0];
	if (r->op == UDF_RING_READ && r->n > 1) {
		slot->iov = malloc(r->n * sizeof(*r->iov));
		if (!slot->iov)
			return -ENOMEM;
		memcpy(slot->iov, r->iov, r->n * sizeof(*r->iov));
	}
	slot->bounce = udf_heap_alloc(r->q->udf->heap, r->len);
	if (!slot->bounce)
		return -ENOMEM;
	if (r->op == UDF_RING_WRITE)
		copy_in(slot->bounce, r->iov, r->n);
	e->segment[0] = (struct udf_ring_segment){ .addr = address(r, slot->bounce), .len = r->len };
	e->nr_segments = 1;
	return 0;
}

void udf_slot_release(struct udf *udf, struct udf_slot *slot)
{
	udf_heap_free(udf->heap, slot->bounce);
	udf_heap_free(udf->heap, slot->list);
	free(slot->iov);
}

/* Put the request into a slot and the ring. */
static int push(struct udf_queue *q, struct udf_disk *disk, const struct udf_slot *prepared, struct udf_ring_sqe *e)
{
	struct udf_slot *slot;
	bool kick = false;
	int index;

	pthread_mutex_lock(&q->sq_lock);
	if (q->dead || q->free == UDF_SLOT_NONE) {
		pthread_mutex_unlock(&q->sq_lock);
		return q->dead ? -ENODEV : -EAGAIN;
	}
	index = q->free;
	slot = &q->slots[index];
	q->free = slot->next;
	e->user_data = (unsigned long)++slot->tag << 32 | index;
	*slot = (struct udf_slot){
		.done = prepared->done, .arg = prepared->arg, .bounce = prepared->bounce, .list = prepared->list,
		.one = prepared->one, .iov = prepared->iov, .nr_iov = prepared->nr_iov, .len = prepared->len,
		.op = prepared->op, .tag = slot->tag, .busy = true,
	};
	atomic_fetch_add_explicit(&q->in_flight, 1, memory_order_relaxed);
	q->bounced += !!prepared->bounce;
	if (!q->kept || udf_attach_keep(q, index, disk, e)) {
		udf_ring_push(&q->sq, e);
		kick = udf_ring_publish(&q->sq);
	}
	q->kicks += kick;
	pthread_mutex_unlock(&q->sq_lock);
	if (kick && q->udf->attach)
		udf_attach_kick(q->udf->attach);
	else if (kick)
		udf_driver_kick(q->udf->driver, q->cpu);
	return 0;
}

static int submit(const struct request *r)
{
	struct udf_slot slot = { .done = r->done, .arg = r->arg, .op = r->op, .len = has_data(r) ? r->len : 0 };
	struct udf_ring_sqe e = {
		.op = r->op,
		.flags = r->flags,
		.disk = r->disk->id,
		.sector = r->offset >> 9,
		.length = r->len,
	};
	int err = check(r);

	if (err)
		return err;
	if (has_data(r))
		err = in_place(r) ? use_memory(r, &slot, &e) : bounce_memory(r, &slot, &e);
	if (!err)
		err = push(r->q, r->disk, &slot, &e);
	if (err)
		udf_slot_release(r->q->udf, &slot);
	return err;
}

_Static_assert((int)UDF_FUA == (int)UDF_RING_FUA && (int)UDF_NO_UNMAP == (int)UDF_RING_NOUNMAP &&
	       (int)UDF_FAST_ONLY == (int)UDF_RING_NOFALLBACK, "the flags are the ring's");

static int submit_data(struct request *r, int n)
{
	int i;

	if (n < 1 || n > (int)UDF_RING_SEGMENTS_MAX)
		return -EINVAL;
	for (i = 0; i < n; i++) {
		if (!r->iov[i].iov_len || r->iov[i].iov_len > UDF_BUF_MAX)
			return -EINVAL;
		r->len += r->iov[i].iov_len;
	}
	r->n = n;
	return submit(r);
}

int udf_readv(struct udf_queue *queue, struct udf_disk *disk, const struct iovec *iov, int n, uint64_t offset, udf_done *done,
	      void *arg)
{
	struct request r = {
		.q = queue, .disk = disk, .op = UDF_RING_READ, .iov = iov, .offset = offset, .done = done, .arg = arg,
	};

	return submit_data(&r, n);
}

int udf_writev(struct udf_queue *queue, struct udf_disk *disk, const struct iovec *iov, int n, uint64_t offset, unsigned int flags,
	       udf_done *done, void *arg)
{
	struct request r = {
		.q = queue, .disk = disk, .op = UDF_RING_WRITE, .iov = iov, .offset = offset, .flags = flags, .done = done, .arg = arg,
	};

	return submit_data(&r, n);
}

int udf_read(struct udf_queue *queue, struct udf_disk *disk, void *buf, size_t len, uint64_t offset, udf_done *done, void *arg)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };

	return udf_readv(queue, disk, &iov, 1, offset, done, arg);
}

int udf_write(struct udf_queue *queue, struct udf_disk *disk, const void *buf, size_t len, uint64_t offset, unsigned int flags,
	      udf_done *done, void *arg)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };

	return udf_writev(queue, disk, &iov, 1, offset, flags, done, arg);
}

int udf_flush(struct udf_queue *queue, struct udf_disk *disk, udf_done *done, void *arg)
{
	struct request r = { .q = queue, .disk = disk, .op = UDF_RING_FLUSH, .done = done, .arg = arg };

	return submit(&r);
}

int udf_discard(struct udf_queue *queue, struct udf_disk *disk, uint64_t offset, uint64_t len, udf_done *done, void *arg)
{
	struct request r = {
		.q = queue, .disk = disk, .op = UDF_RING_DISCARD, .offset = offset, .len = len, .done = done, .arg = arg,
	};

	return submit(&r);
}

int udf_write_zeroes(struct udf_queue *queue, struct udf_disk *disk, uint64_t offset, uint64_t len, unsigned int flags, udf_done *done,
		     void *arg)
{
	struct request r = {
		.q = queue, .disk = disk, .op = UDF_RING_WRITE_ZEROES, .offset = offset, .len = len, .flags = flags, .done = done,
		.arg = arg,
	};

	return submit(&r);
}
