// SPDX-License-Identifier: GPL-2.0
/*
 * Replaces arch/x86/mm/ioremap.c: registers of the port are reached through the transport. Kernel world.
 *
 * The result is either the BAR itself, mapped, or inaccessible pages whose accesses trap; the driver sees no difference.
 */
#include <linux/io.h>

#include "kapi.h"

static void __iomem *kapi_ioremap(resource_size_t phys, unsigned long size, unsigned int flags)
{
	if (!size)
		return NULL;
	return (void __iomem *)host_mmio_map(phys, size, flags);
}

void __iomem *ioremap(resource_size_t phys, unsigned long size)
{
	return kapi_ioremap(phys, size, 0);
}

void __iomem *ioremap_uc(resource_size_t phys, unsigned long size)
{
	return kapi_ioremap(phys, size, 0);
}

void __iomem *ioremap_wc(resource_size_t phys, unsigned long size)
{
	return kapi_ioremap(phys, size, HOST_MMIO_WC);
}

void __iomem *ioremap_wt(resource_size_t phys, unsigned long size)
{
	return kapi_ioremap(phys, size, 0);
}

void __iomem *ioremap_cache(resource_size_t phys, unsigned long size)
{
	return kapi_ioremap(phys, size, 0);
}

void iounmap(volatile void __iomem *addr)
{
	if (addr)
		host_mmio_unmap((unsigned long)addr);
}
