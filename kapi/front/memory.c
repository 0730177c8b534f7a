// SPDX-License-Identifier: GPL-2.0
/*
 * Chunks of the arena that an application's buffers lie in. Kernel world.
 *
 * The page allocator gives them in large blocks, aligned to their size; the application side divides them (lib/front/buddy.c).
 * A map of 1 MiB granules tells which memory a request may name at all.
 */
#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/mutex.h>

#include "kapi_front.h"
#include "layout.h"

#define GRANULES	(UDF_ARENA_END / HOST_FRONT_GRANULE)
#define ORDER_MIN	8	/* one granule */

static DECLARE_BITMAP(owned, GRANULES);
static u8 orders[GRANULES];	/* of the chunk that begins in a granule, 0: none does */
static DEFINE_MUTEX(chunks_lock);

int kapi_chunk_alloc(struct host_front_command *c)
{
	unsigned int order = clamp_t(unsigned int, c->order, ORDER_MIN, HOST_FRONT_CHUNK_ORDER);
	struct page *page = NULL;
	unsigned long addr;

	for (; order >= ORDER_MIN; order--) {
		page = alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN | __GFP_NORETRY, order);
		if (page)
			break;
	}
	if (!page)
		return -ENOMEM;

	addr = (unsigned long)page_address(page);
	mutex_lock(&chunks_lock);
	orders[addr / HOST_FRONT_GRANULE] = order;
	bitmap_set(owned, addr / HOST_FRONT_GRANULE, 1u << (order - ORDER_MIN));
	mutex_unlock(&chunks_lock);
	c->addr = addr;
	c->order = order;
	return 0;
}

int kapi_chunk_free(unsigned long addr)
{
	unsigned long granule = addr / HOST_FRONT_GRANULE;
	unsigned int order = 0;

	if (granule >= GRANULES || addr % HOST_FRONT_GRANULE)
		return -EINVAL;
	mutex_lock(&chunks_lock);
	swap(order, orders[granule]);
	if (order)
		bitmap_clear(owned, granule, 1u << (order - ORDER_MIN));
	mutex_unlock(&chunks_lock);
	if (!order)
		return -EINVAL;
	free_pages(addr, order);
	return 0;
}

bool kapi_chunk_owns(unsigned long addr, unsigned long len)
{
	unsigned long granule = addr / HOST_FRONT_GRANULE;

	if (!len || len > UDF_ARENA_END || addr > UDF_ARENA_END - len)
		return false;
	for (; granule <= (addr + len - 1) / HOST_FRONT_GRANULE; granule++)
		if (!test_bit(granule, owned))
			return false;
	return true;
}
