/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The front ends' ring: requests one way, completions the other, in memory that both sides see. Both worlds and udf_port.ko, plain C.
 *
 *   producer (application, kernel)                         consumer (driver process)
 *     push, publish    ---> submission ring ---> take
 *     reap             <--- completion ring <--- post
 *
 *   0            64        128        192        256        320
 *   | constants  | sq_tail | cq_head  | sq_head  | cq_tail  | submission entries ... | completion entries ... |
 *                | producer writes    | consumer writes     |
 *
 * One ring has one producer and one consumer at a time; each side serialises its own threads. Indices run freely and wrap at
 * 2^32; an entry's place is its index modulo the ring's size. The shared memory holds offsets, indices and ids, never pointers.
 *
 * Wake-ups: a side that goes to sleep first writes the index that it waits for (sq_event, cq_event) and then looks once more;
 * the other side signals only when it passes that index. While both sides are busy nobody signals anybody.
 *
 * Neither side believes the other: what is read from shared memory is copied once and then checked, and the constants are
 * copied when the ring is attached. At most `entries` requests are between push and reap, so neither ring can overflow; a
 * producer that breaks this, or moves an index backwards, has broken its ring for good: the consumer takes nothing any more.
 */
#ifndef UDF_RING_H
#define UDF_RING_H

#define UDF_RING_MAGIC		0x52464455u	/* "UDFR" */
#define UDF_RING_VERSION	1u
#define UDF_RING_ENTRIES_MAX	4096u
#define UDF_RING_INLINE		2u		/* segments within an entry */
#define UDF_RING_SEGMENTS_MAX	256u
#define UDF_RING_LENGTH_MAX	(64ul << 20)	/* bytes of one read or write */

enum udf_ring_op {
	UDF_RING_READ = 1,
	UDF_RING_WRITE,
	UDF_RING_FLUSH,
	UDF_RING_DISCARD,
	UDF_RING_WRITE_ZEROES,
};

/* Of zoned disks, from the kernel alone. SECTOR is the zone's first, LENGTH 0 but for the memory of a report. */
enum udf_ring_zone_op {
	UDF_RING_ZONE_WHERE = UDF_RING_WRITE_ZEROES + 1,	/* completes with the write pointer: an append is this, and then a write */
	UDF_RING_ZONE_RESET,
	UDF_RING_ZONE_RESET_ALL,
	UDF_RING_ZONE_OPEN,
	UDF_RING_ZONE_CLOSE,
	UDF_RING_ZONE_FINISH,
	UDF_RING_ZONE_REPORT,		/* fills memory with the kernel's struct blk_zone (64 bytes each), from SECTOR on, to the disk's end at most */
};

enum udf_ring_flag {
	UDF_RING_FUA = 1,		/* write, write-zeroes: on stable media before completion */
	UDF_RING_NOUNMAP = 2,		/* write-zeroes: keep the blocks allocated */
	UDF_RING_NOFALLBACK = 4,	/* write-zeroes: -EOPNOTSUPP rather than writing pages of zeroes */
	UDF_RING_AGAIN = 8,		/* was given to a consumer before this one, which may have performed it or a part of it */
};

#define UDF_RING_REGION_SHIFT	48		/* in a segment's address: REGION << this | OFFSET */

/*
 * Memory of a request, contiguous: bytes, a multiple of the disk's block, and address. That is a physical address in the arena where
 * application and driver are one process; else a region of the producer's memory and an offset in it; for the kernel a device address.
 */
struct udf_ring_segment {
	unsigned long addr;
	unsigned long len;
};

/* A request. Zero in what an operation does not use. */
struct udf_ring_sqe {
	unsigned char op;		/* enum udf_ring_op, udf_ring_zone_op */
	unsigned char flags;		/* enum udf_ring_flag */
	unsigned short nr_segments;	/* > UDF_RING_INLINE: segment[0] describes a list of so many, in such memory */
	unsigned int disk;		/* id */
	unsigned long sector;		/* 512 bytes each, whatever the disk's block size */
	unsigned long length;		/* bytes; for reads and writes the sum of the segments */
	unsigned long user_data;	/* comes back in the completion */
	struct udf_ring_segment segment[UDF_RING_INLINE];
};

struct udf_ring_cqe {
	unsigned long user_data;
	int result;			/* 0 or a negative errno */
	unsigned int value;		/* where a zone's write pointer is, in sectors from its begin; else 0 */
};

/* The shared head; the entries follow. */
struct udf_ring_shared {
	unsigned int magic, version, entries, sq_offset, cq_offset, size;
	unsigned int pad0[10];
	unsigned int sq_tail, pad1[15];
	unsigned int cq_head, cq_event, pad2[14];
	unsigned int sq_head, sq_event, pad3[14];
	unsigned int cq_tail, cq_wake, pad4[14];	/* cq_wake: futex of the producer, if it is another process */
};

_Static_assert(sizeof(struct udf_ring_sqe) == 64, "a request is one cache line");
_Static_assert(sizeof(struct udf_ring_cqe) == 16, "four completions in a cache line");
_Static_assert(sizeof(struct udf_ring_shared) == 320, "each writer has cache lines of its own");

/* One side's private view: the constants, checked, and its own indices, which it never reads back. */
struct udf_ring {
	struct udf_ring_shared *shared;
	struct udf_ring_sqe *sqes;
	struct udf_ring_cqe *cqes;
	unsigned int mask;
	unsigned int sq;		/* producer: next to push; consumer: next to take */
	unsigned int sq_published;	/* producer */
	unsigned int cq;		/* producer: next to reap; consumer: next to post */
};

/* Bytes of a ring of ENTRIES (a power of two, 2 ... UDF_RING_ENTRIES_MAX); 0 when ENTRIES is not valid. */
static inline unsigned long udf_ring_size(unsigned int entries)
{
	if (entries < 2 || entries > UDF_RING_ENTRIES_MAX || (entries & (entries - 1)))
		return 0;
	return sizeof(struct udf_ring_shared) + entries * (sizeof(struct udf_ring_sqe) + sizeof(struct udf_ring_cqe));
}

/* Take a view of the ring at MEM, LEN bytes. Returns 0, or -1 when it is not a ring that fits there. */
static inline int udf_ring_attach(struct udf_ring *r, void *mem, unsigned long len)
{
	const volatile struct udf_ring_shared *s = mem;
	unsigned int entries;

	if (!mem || ((unsigned long)mem & 63) || len < sizeof(*s))
		return -1;
	entries = s->entries;
	if (s->magic != UDF_RING_MAGIC || s->version != UDF_RING_VERSION || !udf_ring_size(entries) ||
	    udf_ring_size(entries) > len || s->sq_offset != sizeof(*s) ||
	    s->cq_offset != sizeof(*s) + entries * sizeof(struct udf_ring_sqe))
		return -1;
	r->shared = mem;
	r->sqes = (struct udf_ring_sqe *)((char *)mem + sizeof(*s));
	r->cqes = (struct udf_ring_cqe *)(r->sqes + entries);
	r->mask = entries - 1;
	r->sq = r->sq_published = r->cq = 0;
	return 0;
}

/* Make a ring of ENTRIES in zeroed memory MEM, 64-byte aligned, LEN bytes, and take the producer's view. Returns 0 or -1. */
static inline int udf_ring_create(struct udf_ring *r, void *mem, unsigned long len, unsigned int entries)
{
	struct udf_ring_shared *s = mem;

	if (!udf_ring_size(entries) || udf_ring_size(entries) > len)
		return -1;
	s->magic = UDF_RING_MAGIC;
	s->version = UDF_RING_VERSION;
	s->entries = entries;
	s->sq_offset = sizeof(*s);
	s->cq_offset = sizeof(*s) + entries * sizeof(struct udf_ring_sqe);
	s->size = udf_ring_size(entries);
	s->cq_event = -1u;	/* nobody waits yet */
	return udf_ring_attach(r, mem, len);
}

/* Whether going from index OLD to index NOW passes EVENT, the index that the other side waits for. */
static inline int udf_ring_passes(unsigned int event, unsigned int old, unsigned int now)
{
	return now - event - 1 < now - old;
}

/* Producer: put E behind the others; invisible until published. The producer keeps count: at most `entries` are in flight. */
static inline void udf_ring_push(struct udf_ring *r, const struct udf_ring_sqe *e)
{
	r->sqes[r->sq++ & r->mask] = *e;
}

/* Producer: show what was pushed. Returns 1 when the consumer must be woken. */
static inline int udf_ring_publish(struct udf_ring *r)
{
	unsigned int old = r->sq_published;

	if (old == r->sq)
		return 0;
	__atomic_store_n(&r->shared->sq_tail, r->sq, __ATOMIC_RELEASE);
	r->sq_published = r->sq;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);	/* pairs with udf_ring_wait_sq() */
	return udf_ring_passes(__atomic_load_n(&r->shared->sq_event, __ATOMIC_RELAXED), old, r->sq);
}

/* Producer: whether the consumer waits to be woken by the next request to be shown. For a hint: no barrier. */
static inline int udf_ring_sleeps(const struct udf_ring *r)
{
	return __atomic_load_n(&r->shared->sq_event, __ATOMIC_RELAXED) == r->sq_published;
}

/* Producer: take one completion. Returns 1, or 0 when there is none. */
static inline int udf_ring_reap(struct udf_ring *r, struct udf_ring_cqe *c)
{
	if (__atomic_load_n(&r->shared->cq_tail, __ATOMIC_ACQUIRE) == r->cq)
		return 0;
	*c = r->cqes[r->cq & r->mask];
	__atomic_store_n(&r->shared->cq_head, ++r->cq, __ATOMIC_RELEASE);
	return 1;
}

/* Producer: ask to be woken by the next completion. Returns 1 when there is one already. */
static inline int udf_ring_wait_cq(struct udf_ring *r)
{
	__atomic_store_n(&r->shared->cq_event, r->cq, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);	/* pairs with udf_ring_post() */
	return __atomic_load_n(&r->shared->cq_tail, __ATOMIC_RELAXED) != r->cq;
}

/* Consumer: whether there is something to take. For polling: no barrier. */
static inline int udf_ring_peek(const struct udf_ring *r)
{
	return __atomic_load_n(&r->shared->sq_tail, __ATOMIC_RELAXED) != r->sq;
}

/* Consumer: how many requests there are to take. Whatever the producer has made of the ring. */
static inline unsigned int udf_ring_pending(const struct udf_ring *r)
{
	return __atomic_load_n(&r->shared->sq_tail, __ATOMIC_RELAXED) - r->sq;
}

/* Consumer: copy one request. Returns 1, 0 when there is none, -1 when the producer has broken the ring. */
static inline int udf_ring_take(struct udf_ring *r, struct udf_ring_sqe *e)
{
	unsigned int tail = __atomic_load_n(&r->shared->sq_tail, __ATOMIC_ACQUIRE);

	if (tail == r->sq)
		return 0;
	/* What was taken and not yet reaped, and what is to be taken, must fit the completion ring. */
	if (tail - __atomic_load_n(&r->shared->cq_head, __ATOMIC_RELAXED) > r->mask + 1 || tail - r->sq > r->mask + 1)
		return -1;
	__builtin_memcpy(e, (const void *)&r->sqes[r->sq & r->mask], sizeof(*e));
	__asm__ __volatile__("" : : : "memory");	/* a copy: what is checked is what is used */
	__atomic_store_n(&r->shared->sq_head, ++r->sq, __ATOMIC_RELEASE);
	return 1;
}

/* Consumer: ask to be woken by the next request. Returns 1 when there is one already. */
static inline int udf_ring_wait_sq(struct udf_ring *r)
{
	__atomic_store_n(&r->shared->sq_event, r->sq, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);	/* pairs with udf_ring_publish() */
	return udf_ring_peek(r);
}

/* Consumer: complete a request that was taken; invisible until shown. VALUE: see struct udf_ring_cqe. */
static inline void udf_ring_put_value(struct udf_ring *r, unsigned long user_data, int result, unsigned int value)
{
	struct udf_ring_cqe *c = &r->cqes[r->cq++ & r->mask];

	c->user_data = user_data;
	c->result = result;
	c->value = value;
}

static inline void udf_ring_put(struct udf_ring *r, unsigned long user_data, int result)
{
	udf_ring_put_value(r, user_data, result, 0);
}

/* Consumer: show the last N completions that were put (not 0). Returns 1 when the producer must be woken. */
static inline int udf_ring_show(struct udf_ring *r, unsigned int n)
{
	__atomic_store_n(&r->shared->cq_tail, r->cq, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);	/* pairs with udf_ring_wait_cq() */
	return udf_ring_passes(__atomic_load_n(&r->shared->cq_event, __ATOMIC_RELAXED), r->cq - n, r->cq);
}

/* Consumer: complete a request that was taken. Returns 1 when the producer must be woken. */
static inline int udf_ring_post(struct udf_ring *r, unsigned long user_data, int result)
{
	udf_ring_put(r, user_data, result);
	return udf_ring_show(r, 1);
}

#endif
