// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that comes while kernel code runs, because it runs short: what mm/memory_hotplug.c does for a memory module that is plugged in. Kernel
 * world.
 *
 * More is asked for where the kernel tries to free some: by a shrinker, which kswapd calls when less is free than the low watermark (so also for
 * those who cannot wait), and who allocates and can wait before it fails; and instead of compaction, for blocks of pages: memory that drivers
 * have cannot be moved. Both may sleep, with no lock of the page allocator's held, and have its reserves for what they need themselves.
 */
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/oom.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <linux/swap.h>
#include <linux/threads.h>

#include <linux/compaction.h>	/* needs those above */

#include "kapi.h"
#include "layout.h"

#define PATIENCE	HZ	/* before the host is asked again that has refused */
#define BATCH		256	/* of the shrinker: as much as the kernel then wants to have freed at once */
#define WATERMARK_SCALE	200	/* of 10000: what is free when kswapd is woken; the kernel's 10 are little in so small a memory */

extern int watermark_scale_factor, max_threads;
extern int init_per_zone_wmark_min(void);
extern void __free_pages_core(struct page *page, unsigned int order);

DEFINE_MUTEX(kapi_mem_lock);
bool kapi_mem_still;

static bool grows;		/* from kapi_grow_init() on, until there is no more */
static unsigned long again;	/* jiffies before which asking is in vain; 0: none */
static unsigned int too_large = MAX_ORDER;	/* blocks of this order are not made by asking */

static struct zone *the_zone(void)
{
	return &NODE_DATA(0)->node_zones[ZONE_DMA32];
}

static bool short_of(unsigned int order)
{
	struct zone *zone = the_zone();

	return !zone_watermark_ok(zone, order, high_wmark_pages(zone), ZONE_DMA32, 0);
}

/* Struct pages, and the zone around them. */
static int add_pages_of(const struct host_mem *piece)
{
	struct mhp_params params = { .pgprot = PAGE_KERNEL };
	unsigned long pfn = piece->base >> PAGE_SHIFT, n = piece->size >> PAGE_SHIFT;
	int err = __add_pages(0, pfn, n, &params);

	if (err)
		return err;
	move_pfn_range_to_zone(the_zone(), pfn, n, NULL, MIGRATE_MOVABLE);
	online_mem_sections(pfn, pfn + n);
	max_pfn = max_low_pfn = max_possible_pfn = pfn + n;
	high_memory = __va(piece->base + piece->size);
	return 0;
}

static void free_range(unsigned long pfn, unsigned long end)
{
	adjust_present_page_count(pfn_to_page(pfn), NULL, end - pfn);
	while (pfn < end) {
		unsigned int order = min_t(unsigned int, MAX_ORDER - 1, __ffs(pfn));

		while (pfn + (1ul << order) > end)
			order--;
		__free_pages_core(pfn_to_page(pfn), order);
		pfn += 1ul << order;
	}
}

/* Where neighbours are none for the device nobody gets the first page: see kapi_mem_init(). */
static void free_pages_of(const struct host_mem *piece, unsigned long next_dev)
{
	unsigned int i;

	for (i = 0; i < piece->nr_ranges; i++) {
		const struct host_dma_range *r = &piece->range[i];

		free_range((r->phys >> PAGE_SHIFT) + (r->dev != next_dev), (r->phys + r->len) >> PAGE_SHIFT);
		next_dev = r->dev + r->len;
	}
	init_per_zone_wmark_min();
}

/* With kapi_mem_lock. */
static int grow(void)
{
	static struct host_mem piece;
	const struct host_dma_range *last = &kapi_mem.range[kapi_mem.nr_ranges - 1];
	unsigned long next_dev = last->dev + last->len;
	int err;

	if (!grows || kapi_mem_still || (again && time_before(jiffies, again)))
		return -EAGAIN;
	err = host_mem_grow(&piece);
	if (err) {
		grows = err != -ENOSPC;
		again = (jiffies + PATIENCE) | 1;
		return err;
	}
	again = 0;
	err = add_pages_of(&piece) ?: kapi_pci_ranges_add(&piece);
	if (err) {
		/* it is there, and nobody has it */
		pr_err("%lu MiB more memory cannot be used: %d\n", piece.size >> 20, err);
		grows = false;
		return err;
	}
	free_pages_of(&piece, next_dev);
	return 0;
}

/* Whether there may be a block of ORDER now. */
static bool grow_for(unsigned int order)
{
	unsigned int noreclaim = memalloc_noreclaim_save();
	bool enough;

	mutex_lock(&kapi_mem_lock);
	/* whoever had the lock may have seen to it */
	enough = !short_of(order) || (order < too_large && !grow());
	/* if memory comes in small pieces more of them do not help */
	if (enough && short_of(order))
		too_large = order ?: too_large;
	mutex_unlock(&kapi_mem_lock);
	memalloc_noreclaim_restore(noreclaim);
	return enough;
}

/* As many as make one call of scan(). */
static unsigned long count(struct shrinker *s, struct shrink_control *sc)
{
	return READ_ONCE(grows) && short_of(0) ? 2 * BATCH : 0;
}

static unsigned long scan(struct shrinker *s, struct shrink_control *sc)
{
	if (!grow_for(0))
		return SHRINK_STOP;
	if (current->reclaim_state)
		current->reclaim_state->reclaimed_slab += sc->nr_to_scan;
	return sc->nr_to_scan;
}

static struct shrinker shrinker = { .count_objects = count, .scan_objects = scan, .batch = BATCH };

/* Replaces mm/compaction.c: try_to_compact_pages(). Nothing here could be moved, but more is to be had. */
enum compact_result try_to_compact_pages(gfp_t gfp, unsigned int order, unsigned int alloc_flags, const struct alloc_context *ac,
					 enum compact_priority prio, struct page **capture)
{
	if (READ_ONCE(grows) && grow_for(order))
		return COMPACT_SUCCESS;
	/* large blocks are refused at once; for others memory is reclaimed, and this is not what more tries depend on */
	return order > PAGE_ALLOC_COSTLY_ORDER ? COMPACT_SKIPPED : COMPACT_COMPLETE;
}

/* Replaces mm/oom_kill.c: out_of_memory(). There is nobody to kill: who gets no memory is told so, or gets the last. */
bool out_of_memory(struct oom_control *oc)
{
	return oc->gfp_mask & __GFP_NOFAIL;
}

/* From here on who asks for memory may have some made free, and wait for it, as in a kernel that has booted. */
void kapi_grow_init(void)
{
	gfp_allowed_mask = __GFP_BITS_MASK;
	/* what depends on how much there is, such as the largest piece of vmalloc(), depends on how much there may be */
	totalram_pages_add((kapi_mem.max - kapi_mem.size) >> PAGE_SHIFT);
	watermark_scale_factor = WATERMARK_SCALE;
	/* holding some back against fragmentation is in vain: nothing moves */
	watermark_boost_factor = 0;
	init_per_zone_wmark_min();
	max_threads = PID_MAX_DEFAULT;
	if (register_shrinker(&shrinker, "udf-grow"))
		kapi_die("no memory for a shrinker");
	WRITE_ONCE(grows, true);
}
