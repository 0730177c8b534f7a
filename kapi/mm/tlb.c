// SPDX-License-Identifier: GPL-2.0
/*
 * Replaces arch/x86/mm/{tlb,maccess,pat/set_memory}.c where they need the processor's page tables. Kernel world.
 *
 * Mappings are the host's: changing one is complete when the host call returns, on every vCPU. So flushing is a deliberate
 * no-op, and so are attributes of ordinary memory (caching, write protection), which a process cannot have.
 */
#include <linux/mm.h>
#include <asm/tlbflush.h>

#include "kapi.h"

void flush_tlb_kernel_range(unsigned long start, unsigned long end)
{
}

void flush_tlb_all(void)
{
}

/* Attributes of the linear map: set_memory_*(), set_pages_*(). */
int change_page_attr_set_clr(unsigned long *addr, int numpages, pgprot_t set, pgprot_t clr, int force_split, int in_flag,
			     struct page **pages)
{
	return 0;
}

int __change_page_attr_set_clr(void *cpa, int primary)
{
	return 0;
}

/* Kernel addresses are low here, so the image's test (non-canonical, or below TASK_SIZE) is wrong: let the access decide. */
bool copy_from_kernel_nofault_allowed(const void *src, size_t size)
{
	return (unsigned long)src >= PAGE_SIZE;
}
