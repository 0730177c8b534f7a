/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Buffers within large chunks of arena memory: a buddy allocator whose books lie outside the memory it hands out, since that
 * memory is written by devices. Host world.
 *
 * Blocks are 4 KiB << order, aligned to their size. Chunks come from the kernel world through the owner's grow(), stay until the
 * heap ends, and are at most UDF_HEAP_CHUNKS. Any thread.
 */
#ifndef UDF_FRONT_BUDDY_H
#define UDF_FRONT_BUDDY_H

#include <stdbool.h>
#include <stddef.h>

#define UDF_HEAP_PAGE		4096u
#define UDF_HEAP_ORDER_MAX	10u	/* 4 MiB */
#define UDF_HEAP_CHUNKS		512u

struct udf_heap;

struct udf_heap_ops {
	/*
	 * Get a chunk of 4 KiB << *ORDER, aligned to its size; may be smaller, then sets *ORDER. May block. Returns NULL when
	 * there is none.
	 */
	void *(*grow)(void *ctx, unsigned int *order);
	void (*shrink)(void *ctx, void *chunk);
};

struct udf_heap *udf_heap_new(const struct udf_heap_ops *ops, void *ctx);
/* Give all chunks back (SHRINK: through the owner), whatever is allocated in them. H may be NULL. */
void udf_heap_end(struct udf_heap *h, bool shrink);

/* SIZE bytes, rounded up to a block. NULL: no memory, or SIZE is 0 or more than a chunk. */
void *udf_heap_alloc(struct udf_heap *h, size_t size);
/* What udf_heap_alloc() returned, or NULL; anything else is ignored and reported in the log. */
void udf_heap_free(struct udf_heap *h, void *p);

/* Whether LEN bytes at P lie within one chunk. Lock-free. */
bool udf_heap_owns(const struct udf_heap *h, const void *p, size_t len);

/* Bytes allocated, in whole blocks. For tests. */
size_t udf_heap_used(struct udf_heap *h);

#endif
