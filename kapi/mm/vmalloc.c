// SPDX-License-Identifier: GPL-2.0
/*
 * Replaces the page-table ends of mm/vmalloc.c: the kernel allocates ranges and pages, the host maps pages of the arena
 * there. Kernel world.
 *
 * The image writes page tables that no processor reads here. Everything above (vmap areas, guard pages, lazy purging,
 * vm_struct) is the image's.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#include "kapi.h"

extern struct kmem_cache *radix_tree_node_cachep;

/* What is mapped where, as page tables would say it: index is the virtual page number. The first areas are mapped before it works. */
static DEFINE_XARRAY_FLAGS(kapi_mappings, XA_FLAGS_LOCK_IRQ);

static int kapi_mapping_note(unsigned long addr, struct page **pages, unsigned long n)
{
	unsigned long i;
	int err = 0;

	for (i = 0; i < n && radix_tree_node_cachep && !err; i++)
		err = xa_err(xa_store_irq(&kapi_mappings, (addr >> PAGE_SHIFT) + i, pages[i], GFP_KERNEL));
	return err;
}

static void kapi_mapping_forget(unsigned long start, unsigned long end)
{
	struct page *page;
	unsigned long i;

	xa_for_each_range(&kapi_mappings, i, page, start >> PAGE_SHIFT, (end >> PAGE_SHIFT) - 1)
		xa_erase_irq(&kapi_mappings, i);
}

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
	return kapi_mapping_note(addr, pages, n);
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
	kapi_mapping_forget(start, end);
}

/* Replaces vmalloc_to_page(): there is no page table to walk. An area that was mapped very early knows its pages itself. */
struct page *vmalloc_to_page(const void *addr)
{
	struct page *page = xa_load(&kapi_mappings, (unsigned long)addr >> PAGE_SHIFT);
	struct vm_struct *area;
	unsigned long i;

	if (page)
		return page;
	area = find_vm_area(addr);
	if (!area || !area->pages)
		return NULL;
	i = ((unsigned long)addr - (unsigned long)area->addr) >> PAGE_SHIFT;
	return i < area->nr_pages ? area->pages[i] : NULL;
}
