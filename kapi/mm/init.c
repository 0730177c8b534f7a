// SPDX-License-Identifier: GPL-2.0
/*
 * What arch/x86/mm/{init,init_64,numa}.c do on hardware: tell the kernel where memory is. Kernel world.
 *
 * The arena is the machine's memory: node 0, one range below 4 GiB, physical address = virtual address. The kernel's own
 * memblock, page, slab, vmalloc and per-CPU allocators manage it. Page tables are the host's: see mm/vmalloc.c.
 */
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/vmalloc.h>
#include <asm/page.h>

#include "kapi.h"
#include "layout.h"

extern struct pglist_data *node_data[];
extern void sparse_init(void);
extern void free_area_init(unsigned long *max_zone_pfn);

struct host_mem kapi_mem;

void kapi_mem_init(void)
{
	unsigned long max_zone_pfns[MAX_NR_ZONES] = { 0 };
	unsigned long start, end;
	unsigned int i;

	page_offset_base = 0;
	vmemmap_base = UDF_VMEMMAP_BASE;
	vmalloc_base = UDF_VMALLOC_BASE;
	physmem_end = (1ul << MAX_PHYSMEM_BITS) - 1;
	phys_base = -0x80000000ul;	/* __pa_symbol(): undo the constant __START_KERNEL_map */

	BUILD_BUG_ON(PAGE_SIZE << (MAX_ORDER - 1) > HOST_BLOCK_MAX);
	host_mem_get(&kapi_mem);
	start = kapi_mem.base;
	end = start + kapi_mem.size;
	max_pfn = max_low_pfn = max_possible_pfn = end >> PAGE_SHIFT;
	high_memory = (void *)end;

	memblock_add_node(start, kapi_mem.size, 0, MEMBLOCK_NONE);
	/* where neighbours are none for the device, a page that nobody gets keeps allocations from reaching across */
	for (i = 1; i < kapi_mem.nr_ranges; i++)
		if (kapi_mem.range[i].dev != kapi_mem.range[i - 1].dev + kapi_mem.range[i - 1].len)
			memblock_reserve(kapi_mem.range[i].phys, PAGE_SIZE);
	for (i = 0; i < NR_NODE_STATES; i++) {
		nodes_clear(node_states[i]);
		node_set(0, node_states[i]);
	}
	nr_node_ids = 1;
	node_data[0] = memblock_alloc(sizeof(struct pglist_data), SMP_CACHE_BYTES);
	node_data[0]->node_id = 0;
	node_data[0]->node_start_pfn = start >> PAGE_SHIFT;
	node_data[0]->node_spanned_pages = kapi_mem.size >> PAGE_SHIFT;

	sparse_init();
	max_zone_pfns[ZONE_DMA32] = end >> PAGE_SHIFT;
	max_zone_pfns[ZONE_NORMAL] = end >> PAGE_SHIFT;
	free_area_init(max_zone_pfns);
}

/* The arena is another one: there are fewer gaps, and pages before which there is none are for everybody. */
void kapi_mem_moved(void)
{
	static struct host_mem now;
	unsigned int i, k;

	host_mem_get(&now);
	for (i = 1; i < kapi_mem.nr_ranges; i++) {
		unsigned long phys = kapi_mem.range[i].phys;
		bool stays = kapi_mem.range[i].dev == kapi_mem.range[i - 1].dev + kapi_mem.range[i - 1].len;

		for (k = 1; k < now.nr_ranges; k++)
			stays |= now.range[k].phys == phys;
		if (!stays)
			free_reserved_page(pfn_to_page(PHYS_PFN(phys)));
	}
	kapi_mem = now;
}

/*
 * Replaces arch/x86/mm/init_64.c: vmemmap_populate(). The struct page array has its own place in the address space, which
 * the host backs with memory as it is touched.
 */
int vmemmap_populate(unsigned long start, unsigned long end, int node, struct vmem_altmap *altmap)
{
	start = ALIGN_DOWN(start, PAGE_SIZE);
	return host_mem_populate(start, ALIGN(end, PAGE_SIZE) - start);
}
