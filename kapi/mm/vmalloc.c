// SPDX-License-Identifier: GPL-2.0
/*
 * Replaces the page-table ends of mm/vmalloc.c: the kernel allocates ranges and pages, the host maps pages of the arena
 * there. Kernel world.
 *
 * The image writes page tables that no processor reads here. Everything above (vmap areas, guard pages, lazy purging,
 * vm_struct) is the image's.
 */
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "kapi.h"

/* Replaces vmap_small_pages_range_noflush(): single pages, joined into runs that are physically contiguous. */
int vmap_small_pages_range_noflush(unsigned long addr, unsigned long end, pgprot_t prot, struct page **pages)
{
	unsigned long n = (end - addr) >> PAGE_SHIFT, i = 0;

	while (i < n) {
		unsigned long first = page_to_pfn(pages[i]), run = 1;
		int err;

		while (i + run < n && page_to_pfn(pages[i + run]) == first + run)
			run++;
		err = host_mem_map(addr + (i << PAGE_SHIFT), first << PAGE_SHIFT, run << PAGE_SHIFT);
		if (err)
			return err;
		i += run;
	}
	return 0;
}

/* Replaces vmap_range_noflush(): a physical range (huge vmalloc pages). Registers never come here: see mm/ioremap.c. */
int vmap_range_noflush(unsigned long addr, unsigned long end, phys_addr_t phys, pgprot_t prot, unsigned int max_page_shift)
{
	return host_mem_map(addr, phys, end - addr);
}

/* Replaces __vunmap_range_noflush(). */
void __vunmap_range_noflush(unsigned long start, unsigned long end)
{
	host_mem_unmap(start, end - start);
}

/* Replaces vmalloc_to_page(): the area knows its pages, there is no page table to walk. */
struct page *vmalloc_to_page(const void *addr)
{
	struct vm_struct *area = find_vm_area(addr);
	unsigned long i;

	if (!area || !area->pages)
		return NULL;
	i = ((unsigned long)addr - (unsigned long)area->addr) >> PAGE_SHIFT;
	return i < area->nr_pages ? area->pages[i] : NULL;
}
