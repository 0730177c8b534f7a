// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of the process's own that the device may reach: pinned, charged to RLIMIT_MEMLOCK, mapped at contiguous device addresses, which takes
 * an IOMMU.
 */
#include <linux/capability.h>
#include <linux/dma-mapping.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "port.h"

struct udf_mem {
	struct list_head list;		/* of the port's */
	struct mm_struct *mm;		/* whose pages are charged */
	struct file *lease;
	struct page **page;
	unsigned long nr_pages;		/* that are pinned */
	unsigned long charged;
	struct sg_table sgt;
	dma_addr_t dev;			/* 0: not mapped */
};

static int charge(struct udf_mem *m, unsigned long pages)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;

	m->mm = current->mm;
	mmgrab(m->mm);
	m->charged = pages;
	return atomic64_add_return(pages, &m->mm->pinned_vm) > limit && !capable(CAP_IPC_LOCK) ? -EDQUOT : 0;
}

/* The device no longer reaches M afterwards. With the port's lock if it is mapped. */
static void free_mem(struct udf_port *port, struct udf_mem *m)
{
	if (m->dev) {
		dma_unmap_sgtable(&port->pdev->dev, &m->sgt, DMA_BIDIRECTIONAL, 0);
		udf_flush_iotlb(port);
	}
	sg_free_table(&m->sgt);
	if (m->nr_pages)
		unpin_user_pages_dirty_lock(m->page, m->nr_pages, true);
	kvfree(m->page);
	if (m->mm) {
		atomic64_sub(m->charged, &m->mm->pinned_vm);
		mmdrop(m->mm);
	}
	if (m->lease)
		fput(m->lease);
	kfree(m);
}

static int pin(struct udf_mem *m, const struct udf_port_mem_add *a)
{
	unsigned long n = a->size >> PAGE_SHIFT;
	int ret = charge(m, n), got;

	if (ret)
		return ret;
	m->page = kvcalloc(n, sizeof(*m->page), GFP_KERNEL_ACCOUNT);
	if (!m->page)
		return -ENOMEM;
	while (m->nr_pages < n) {
		if (fatal_signal_pending(current))
			return -EINTR;
		got = pin_user_pages_fast(a->addr + (m->nr_pages << PAGE_SHIFT), min(n - m->nr_pages, 4096ul), FOLL_WRITE | FOLL_LONGTERM,
					  m->page + m->nr_pages);
		if (got <= 0)
			return got ? got : -EFAULT;
		m->nr_pages += got;
	}
	return sg_alloc_table_from_pages(&m->sgt, m->page, n, 0, a->size, GFP_KERNEL_ACCOUNT);
}

/* With the port's lock. */
static int map(struct udf_port *port, struct udf_mem *m)
{
	struct scatterlist *sg;
	dma_addr_t next;
	int i, ret;

	if (!port->live)
		return -ENODEV;
	ret = dma_map_sgtable(&port->pdev->dev, &m->sgt, DMA_BIDIRECTIONAL, 0);
	if (ret)
		return ret;
	m->dev = next = sg_dma_address(m->sgt.sgl);
	for_each_sgtable_dma_sg(&m->sgt, sg, i) {
		if (sg_dma_address(sg) != next)
			return -EOPNOTSUPP;
		next += sg_dma_len(sg);
	}
	return m->dev & (UDF_PORT_MEM_GRAIN - 1) ? -EOPNOTSUPP : 0;
}

int udf_mem_add_ioctl(struct udf_port *port, void *arg)
{
	struct udf_port_mem_add *a = arg;
	struct udf_mem *m;
	int ret = 0;

	if (!a->size || a->size > UDF_PORT_MEM_MAX || (a->addr | a->size) & (PAGE_SIZE - 1) || a->size % UDF_PORT_MEM_GRAIN || a->lease < -1)
		return -EINVAL;
	if (!port->isolated)
		return -EOPNOTSUPP;
	m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);
	if (!m)
		return -ENOMEM;
	if (a->lease >= 0) {
		m->lease = fget(a->lease);
		ret = !m->lease ? -EBADF : S_ISFIFO(file_inode(m->lease)->i_mode) ? 0 : -EINVAL;
	}
	if (!ret)
		ret = pin(m, a);
	if (!ret)
		ret = mutex_lock_killable(&port->lock);
	if (ret) {
		free_mem(port, m);
		return ret;
	}
	ret = map(port, m);
	a->dev = m->dev;
	if (ret)
		free_mem(port, m);
	else
		list_add(&m->list, &port->mem);
	mutex_unlock(&port->lock);
	return ret;
}

int udf_mem_remove_ioctl(struct udf_port *port, void *arg)
{
	const struct udf_port_mem_remove *r = arg;
	struct udf_mem *m;

	if (r->reserved0)
		return -EINVAL;
	list_for_each_entry(m, &port->mem, list) {
		if (m->dev != r->dev)
			continue;
		list_del(&m->list);
		free_mem(port, m);
		return 0;
	}
	return -ENOENT;
}

void udf_mem_free(struct udf_port *port)
{
	struct udf_mem *m, *next;

	list_for_each_entry_safe(m, next, &port->mem, list) {
		list_del(&m->list);
		free_mem(port, m);
	}
}
