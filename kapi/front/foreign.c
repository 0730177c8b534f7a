// SPDX-License-Identifier: GPL-2.0
/*
 * Foreign memory: what requests of other processes, and of the machine's own kernel, name. Kernel world.
 *
 * Its physical addresses are UDF_FOREIGN_BASE + device address: the device's dma_range_map has the whole window as one range, and so
 * nothing is looked up when it is mapped for DMA, whether its owner registered it once or hands over single pages with each request.
 * There are struct pages for it, zero and of no zone's: what is between a bio and a scatterlist computes with their addresses, and
 * reads flags of none. They belong to nobody who would count references: owners keep the memory until their requests are done.
 */
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pci.h>

#include "kapi.h"
#include "kapi_front.h"
#include "layout.h"

/* Kept when empty: a queue of the domain may still be on its way out. */
static struct kapi_domain domains[HOST_FRONT_DOMAINS];
static DEFINE_MUTEX(domains_lock);
static bool all_pages;		/* somebody's region was the whole window: its struct pages are there, for good */

struct kapi_domain *kapi_domain_get(unsigned int domain)
{
	return domain && domain < HOST_FRONT_DOMAINS ? &domains[domain] : NULL;
}

static struct kapi_region *find_region(const struct host_front_command *c)
{
	struct kapi_domain *d = kapi_domain_get(c->domain);

	return d && c->region < HOST_FRONT_REGIONS ? &d->region[c->region] : NULL;
}

/* The struct pages of a region. Once they are those of the whole window regions lie within others: what is touched stays, and is zero. */
static int pages_map(const struct kapi_region *m, bool map)
{
	unsigned long start = ALIGN_DOWN((unsigned long)virt_to_page((void *)m->base), PAGE_SIZE);
	unsigned long end = PAGE_ALIGN((unsigned long)virt_to_page((void *)(m->base + m->len)));
	int err = 0;

	if (all_pages)
		return 0;
	if (!map)
		host_mem_unmap(start, end - start);
	else
		err = host_mem_populate(start, end - start);
	all_pages = map && !err && m->len == UDF_FOREIGN_SIZE;
	return err;
}

static int check_memory(const struct host_front_command *c)
{
	u64 mask = kapi_pci_dma_mask();

	/* 64 struct pages fill a page: regions that begin and end so share none */
	if (c->flags & ~HOST_FRONT_ANY || !c->mem_size || (c->addr | c->mem_size) & (64 * PAGE_SIZE - 1) || c->addr >= UDF_FOREIGN_SIZE ||
	    c->mem_size > UDF_FOREIGN_SIZE - c->addr || c->mem_size > 1ul << UDF_RING_REGION_SHIFT)
		return -EINVAL;
	return c->addr + c->mem_size - 1 > mask && !(c->flags & HOST_FRONT_ANY) ? -ERANGE : 0;
}

int kapi_region_add(struct host_front_command *c)
{
	struct kapi_region *m = find_region(c), added = { .base = UDF_FOREIGN_BASE + c->addr, .len = c->mem_size };
	int err = m ? check_memory(c) : -EINVAL;

	if (err)
		return err;
	mutex_lock(&domains_lock);
	err = m->len ? -EEXIST : pages_map(&added, true);
	if (!err) {
		m->base = added.base;
		smp_store_release(&m->len, added.len);
	}
	mutex_unlock(&domains_lock);
	return err;
}

int kapi_region_remove(struct host_front_command *c)
{
	struct kapi_region *m = find_region(c);
	int err = -EINVAL;

	mutex_lock(&domains_lock);
	if (m && m->len) {
		pages_map(m, false);
		WRITE_ONCE(m->len, 0);
		err = 0;
	}
	mutex_unlock(&domains_lock);
	return err;
}
