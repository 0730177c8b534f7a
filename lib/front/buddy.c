// SPDX-License-Identifier: GPL-2.0
/* Buffers within large chunks: see buddy.h. Host world. */
#include "front/buddy.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/log.h"

#define ORDERS	(UDF_HEAP_ORDER_MAX + 1)
#define NONE	UINT16_MAX

/* What a page is, in struct chunk: the head of a free or used block (with its order), or a page within one. */
enum { WITHIN = 0, FREE_HEAD = 0x40, USED_HEAD = 0x80, ORDER_MASK = 0x1f };

struct chunk {
	uintptr_t base;
	unsigned int order;
	uint16_t free[ORDERS];		/* first page of each list, or NONE */
	struct page {
		uint8_t state;
		uint16_t next, prev;	/* in its free list */
	} page[];
};

struct udf_heap {
	const struct udf_heap_ops *ops;
	void *ctx;
	pthread_mutex_t lock;
	pthread_mutex_t grow_lock;	/* whose holder may be waiting for a new chunk; taken first */
	atomic_uint nr_chunks;		/* published after the entry: udf_heap_owns() takes no lock */
	struct chunk *chunks[UDF_HEAP_CHUNKS];
	size_t used;
};

static void list_add(struct chunk *c, unsigned int page, unsigned int order)
{
	struct page *p = &c->page[page];

	p->state = FREE_HEAD | order;
	p->prev = NONE;
	p->next = c->free[order];
	if (p->next != NONE)
		c->page[p->next].prev = page;
	c->free[order] = page;
}

static void list_del(struct chunk *c, unsigned int page, unsigned int order)
{
	struct page *p = &c->page[page];

	if (p->prev != NONE)
		c->page[p->prev].next = p->next;
	else
		c->free[order] = p->next;
	if (p->next != NONE)
		c->page[p->next].prev = p->prev;
	p->state = WITHIN;
}

/* Take a block of ORDER out of C. Returns its first page, or NONE. */
static unsigned int chunk_take(struct chunk *c, unsigned int order)
{
	unsigned int from, page;

	for (from = order; from <= c->order && c->free[from] == NONE; from++)
		;
	if (from > c->order)
		return NONE;
	page = c->free[from];
	list_del(c, page, from);
	while (from > order) {	/* give the upper halves back */
		from--;
		list_add(c, page + (1u << from), from);
	}
	c->page[page].state = USED_HEAD | order;
	return page;
}

static void chunk_give(struct chunk *c, unsigned int page, unsigned int order)
{
	c->page[page].state = WITHIN;
	while (order < c->order) {
		unsigned int buddy = page ^ (1u << order);

		if (c->page[buddy].state != (FREE_HEAD | order))
			break;
		list_del(c, buddy, order);
		page &= ~(1u << order);
		order++;
	}
	list_add(c, page, order);
}

/* Under the lock: take a block of ORDER out of C. Returns its address, or NULL. */
static void *heap_take(struct udf_heap *h, struct chunk *c, unsigned int order)
{
	unsigned int page = chunk_take(c, order);

	if (page == NONE)
		return NULL;
	h->used += (size_t)UDF_HEAP_PAGE << order;
	return (void *)(c->base + (uintptr_t)page * UDF_HEAP_PAGE);
}

static void *heap_take_any(struct udf_heap *h, unsigned int order)
{
	unsigned int n, i;
	void *p = NULL;

	pthread_mutex_lock(&h->lock);
	n = atomic_load(&h->nr_chunks);
	for (i = 0; i < n && !p; i++)
		p = heap_take(h, h->chunks[i], order);
	pthread_mutex_unlock(&h->lock);
	return p;
}

static struct chunk *chunk_new(void *base, unsigned int order)
{
	struct chunk *c = calloc(1, sizeof(*c) + (sizeof(struct page) << order));
	unsigned int i;

	if (!c)
		return NULL;
	c->base = (uintptr_t)base;
	c->order = order;
	for (i = 0; i < ORDERS; i++)
		c->free[i] = NONE;
	list_add(c, 0, order);
	return c;
}

/* Under the lock for growing: take a block of ORDER out of a new chunk. */
static void *heap_grow(struct udf_heap *h, unsigned int order)
{
	unsigned int n = atomic_load(&h->nr_chunks), chunk_order = UDF_HEAP_ORDER_MAX;
	struct chunk *c;
	void *base, *p;

	if (n == UDF_HEAP_CHUNKS)
		return NULL;
	base = h->ops->grow(h->ctx, &chunk_order);
	if (!base)
		return NULL;
	c = chunk_new(base, chunk_order);
	if (!c) {
		h->ops->shrink(h->ctx, base);
		return NULL;
	}
	pthread_mutex_lock(&h->lock);
	h->chunks[n] = c;
	atomic_store_explicit(&h->nr_chunks, n + 1, memory_order_release);
	p = heap_take(h, c, order);
	pthread_mutex_unlock(&h->lock);
	return p;
}

static struct chunk *chunk_of(const struct udf_heap *h, uintptr_t addr)
{
	unsigned int n = atomic_load_explicit(&((struct udf_heap *)h)->nr_chunks, memory_order_acquire), i;

	for (i = 0; i < n; i++) {
		struct chunk *c = h->chunks[i];

		if (addr - c->base < (uintptr_t)UDF_HEAP_PAGE << c->order)
			return c;
	}
	return NULL;
}

void *udf_heap_alloc(struct udf_heap *h, size_t size)
{
	unsigned int order = 0;
	void *p;

	if (!size || size > (size_t)UDF_HEAP_PAGE << UDF_HEAP_ORDER_MAX)
		return NULL;
	while ((size_t)UDF_HEAP_PAGE << order < size)
		order++;

	p = heap_take_any(h, order);
	if (p)
		return p;
	/* it takes a while: others free what they have, and take what is there for them */
	pthread_mutex_lock(&h->grow_lock);
	p = heap_take_any(h, order);
	if (!p)
		p = heap_grow(h, order);
	pthread_mutex_unlock(&h->grow_lock);
	return p;
}

void udf_heap_free(struct udf_heap *h, void *p)
{
	struct chunk *c;
	unsigned int page = 0, state = 0;

	if (!p)
		return;
	pthread_mutex_lock(&h->lock);
	c = chunk_of(h, (uintptr_t)p);
	if (c && ((uintptr_t)p - c->base) % UDF_HEAP_PAGE == 0) {
		page = ((uintptr_t)p - c->base) / UDF_HEAP_PAGE;
		state = c->page[page].state;
	}
	if (state & USED_HEAD) {
		h->used -= (size_t)UDF_HEAP_PAGE << (state & ORDER_MASK);
		chunk_give(c, page, state & ORDER_MASK);
	}
	pthread_mutex_unlock(&h->lock);
	if (!(state & USED_HEAD))
		udf_log_error("udf_buf_free(%p): not a buffer, or freed already; ignored", p);
}

bool udf_heap_owns(const struct udf_heap *h, const void *p, size_t len)
{
	struct chunk *c = chunk_of(h, (uintptr_t)p);
	size_t size;

	if (!c)
		return false;
	size = (size_t)UDF_HEAP_PAGE << c->order;
	return len <= size && (uintptr_t)p - c->base <= size - len;
}

size_t udf_heap_used(struct udf_heap *h)
{
	size_t used;

	pthread_mutex_lock(&h->lock);
	used = h->used;
	pthread_mutex_unlock(&h->lock);
	return used;
}

struct udf_heap *udf_heap_new(const struct udf_heap_ops *ops, void *ctx)
{
	struct udf_heap *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->ops = ops;
	h->ctx = ctx;
	pthread_mutex_init(&h->lock, NULL);
	pthread_mutex_init(&h->grow_lock, NULL);
	return h;
}

void udf_heap_end(struct udf_heap *h, bool shrink)
{
	unsigned int n, i;

	if (!h)
		return;
	n = atomic_load(&h->nr_chunks);
	for (i = 0; i < n; i++) {
		if (shrink)
			h->ops->shrink(h->ctx, (void *)h->chunks[i]->base);
		free(h->chunks[i]);
	}
	pthread_mutex_destroy(&h->grow_lock);
	pthread_mutex_destroy(&h->lock);
	free(h);
}
