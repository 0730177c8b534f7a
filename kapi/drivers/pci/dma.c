// SPDX-License-Identifier: GPL-2.0
/*
 * Replaces the parts of kernel/dma/mapping.c that drivers call for each I/O. Kernel world.
 *
 * A device address is arithmetic on a physical one (host.c), memory is coherent, and there are no bounce buffers: mapping a page is a look at
 * the ranges, and unmapping or synchronising it is nothing. The image's functions come to the same result by way of both directions of that
 * arithmetic, which is a tenth of what a small read costs in a driver process.
 */
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/export.h>

#include "kapi.h"
#include "layout.h"

/* Foreign memory is what most of the data is in, and the last of the ranges. */
static dma_addr_t to_dma(struct device *dev, phys_addr_t phys)
{
	if (dev->dma_range_map && phys >= UDF_FOREIGN_BASE && phys - UDF_FOREIGN_BASE < UDF_FOREIGN_SIZE)
		return phys - UDF_FOREIGN_BASE;
	return phys_to_dma(dev, phys);
}

dma_addr_t dma_map_page_attrs(struct device *dev, struct page *page, size_t offset, size_t size, enum dma_data_direction dir, unsigned long attrs)
{
	dma_addr_t addr;

	if (WARN_ON_ONCE(!dev->dma_mask || !valid_dma_direction(dir)))
		return DMA_MAPPING_ERROR;
	addr = to_dma(dev, page_to_phys(page) + offset);
	if (likely(dma_capable(dev, addr, size, true)))
		return addr;
	if (!(attrs & DMA_ATTR_NO_WARN))
		dev_warn_ratelimited(dev, "cannot reach %zu bytes at %pad: its mask is %llx\n", size, &addr, *dev->dma_mask);
	return DMA_MAPPING_ERROR;
}

void dma_unmap_page_attrs(struct device *dev, dma_addr_t addr, size_t size, enum dma_data_direction dir, unsigned long attrs)
{
}

void dma_unmap_sg_attrs(struct device *dev, struct scatterlist *sg, int nents, enum dma_data_direction dir, unsigned long attrs)
{
}

void dma_sync_single_for_cpu(struct device *dev, dma_addr_t addr, size_t size, enum dma_data_direction dir)
{
}

void dma_sync_single_for_device(struct device *dev, dma_addr_t addr, size_t size, enum dma_data_direction dir)
{
}

void dma_sync_sg_for_cpu(struct device *dev, struct scatterlist *sg, int nents, enum dma_data_direction dir)
{
}

void dma_sync_sg_for_device(struct device *dev, struct scatterlist *sg, int nents, enum dma_data_direction dir)
{
}
