// SPDX-License-Identifier: GPL-2.0
/*
 * DMA memory: contiguous chunks from the kernel's DMA API, as large as can be had, shown to the process as one linear space.
 *
 * Chunks are sorted by device address before they get their places, so that neighbours become one range. They are mapped page by
 * page as they are touched, without references, so that all mappings can be taken back at any time (unmap_mapping_range()).
 *
 * What a session leaves may be kept for a moment: clearing it is most of what it takes to replace a driver process.
 */
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "port.h"

#define CHUNK_MAX (4ul << 20)		/* what the page allocator has in one piece */

#if !defined(CONFIG_X86_64)
#error "memory of the kernel's DMA API is mapped as ordinary cached memory: devices must be coherent, as on x86-64"
#endif

static unsigned int dma_limit_mib = 2048;
module_param(dma_limit_mib, uint, 0644);
MODULE_PARM_DESC(dma_limit_mib, "DMA memory of one port, at most, in MiB (default 2048)");

u64 udf_dma_limit(void)
{
	return (u64)READ_ONCE(dma_limit_mib) << 20;
}

int udf_dma_set_bits(struct udf_port *port, unsigned int bits)
{
	int ret = dma_set_mask_and_coherent(&port->pdev->dev, DMA_BIT_MASK(bits));

	if (!ret)
		port->dma_bits = bits;
	return ret;
}

int udf_dma_mask_ioctl(struct udf_port *port, void *arg)
{
	const struct udf_port_dma_mask *m = arg;

	if (m->bits < 24 || m->bits > 64)
		return -EINVAL;
	return port->nr_chunks ? -EBUSY : udf_dma_set_bits(port, m->bits);
}

static void free_chunks(struct udf_port *port, struct udf_chunk *chunk, unsigned int n)
{
	while (n--) {
		dma_free_pages(&port->pdev->dev, chunk[n].len, chunk[n].page, chunk[n].dev, DMA_BIDIRECTIONAL);
		cond_resched();
	}
}

/* The next chunk, of at most *LEN bytes; where memory is scattered *LEN becomes smaller, down to a grain. */
static int alloc_chunk(struct udf_port *port, struct udf_chunk *c, size_t *len)
{
	/* the DMA API zeroes what it gives, in any case: once is enough */
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_NOWARN;

	for (;;) {
		if (fatal_signal_pending(current))
			return -EINTR;
		c->len = *len;
		c->page = dma_alloc_pages(&port->pdev->dev, *len, &c->dev, DMA_BIDIRECTIONAL,
					  gfp | (*len > UDF_PORT_DMA_GRAIN ? __GFP_NORETRY : 0));
		if (c->page)
			return 0;
		if (*len <= UDF_PORT_DMA_GRAIN)
			return -ENOMEM;
		*len /= 2;
	}
}

/* SIZE bytes as chunks. Returns how many, or a negative errno. */
static int alloc_chunks(struct udf_port *port, struct udf_chunk *chunk, u64 size)
{
	size_t most = CHUNK_MAX, len;
	unsigned int n = 0;
	int ret;

	while (size) {
		len = min_t(u64, most, rounddown_pow_of_two(size));
		ret = alloc_chunk(port, &chunk[n], &len);
		if (ret) {
			free_chunks(port, chunk, n);
			return ret;
		}
		if (len < min_t(u64, most, rounddown_pow_of_two(size)))
			most = len;
		size -= len;
		n++;
		cond_resched();
	}
	return n;
}

static int by_device_address(const void *a, const void *b)
{
	const struct udf_chunk *x = a, *y = b;

	return x->dev < y->dev ? -1 : x->dev > y->dev;
}

/* Give N chunks their places from OFFSET on, and describe them. */
static int place_chunks(struct udf_chunk *chunk, unsigned int n, u64 offset, struct udf_port_dma_alloc *a)
{
	struct udf_port_range *r = NULL;
	unsigned int i;

	sort(chunk, n, sizeof(*chunk), by_device_address, NULL);
	a->nr_ranges = 0;
	for (i = 0; i < n; i++) {
		chunk[i].offset = offset;
		if (!r || r->dev + r->len != chunk[i].dev) {
			if (a->nr_ranges == UDF_PORT_RANGE_MAX)
				return -ENOSPC;
			r = &a->range[a->nr_ranges++];
			*r = (struct udf_port_range){ .offset = offset, .dev = chunk[i].dev };
		}
		r->len += chunk[i].len;
		offset += chunk[i].len;
	}
	return 0;
}

static void forget(struct udf_port *port)
{
	struct udf_kept *k = &port->kept;

	if (!k->chunk)
		return;
	/* the first are the next session's, if it has taken them */
	free_chunks(port, k->chunk + (k->taken ? k->nr_keep : 0), k->nr_chunks - (k->taken ? k->nr_keep : 0));
	kvfree(k->chunk);
	k->chunk = NULL;
}

/* Not before the device has been reset. */
static void refuse(struct udf_port *port)
{
	if (port->resetting)
		port->kept.refused = true;
	else
		forget(port);
}

/*
 * The session begins with what an earlier one has left, if that is what it wants. While the device, which is quiet, is still being reset it
 * does so in the hope that this succeeds.
 */
static bool take_kept(struct udf_port *port, struct udf_port_dma_alloc *a)
{
	struct udf_kept *k = &port->kept;
	struct udf_chunk *chunk;

	if (!k->chunk || k->refused || port->nr_chunks || !(a->flags & UDF_PORT_DMA_KEEP) || k->size != a->size || k->bits != port->dma_bits)
		return false;
	if ((port->resetting && !port->resets) || place_chunks(k->chunk, k->nr_keep, 0, a))
		return false;
	chunk = kvcalloc(k->nr_keep, sizeof(*chunk), GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return false;
	memcpy(chunk, k->chunk, k->nr_keep * sizeof(*chunk));
	k->taken = true;
	port->chunk = chunk;
	port->nr_chunks = port->dma_keep = k->nr_keep;
	port->dma_size = k->size;
	port->dma_early = port->resetting;
	if (!port->resetting)
		forget(port);
	return true;
}

int udf_dma_alloc_ioctl(struct udf_port *port, void *arg)
{
	struct udf_port_dma_alloc *a = arg;
	struct udf_chunk *chunk;
	int n, ret;

	if (!a->size || a->size % UDF_PORT_DMA_GRAIN)
		return -EINVAL;
	if (port->dma_size > udf_dma_limit() || a->size > udf_dma_limit() - port->dma_size)
		return -ENOMEM;
	memset(a->range, 0, sizeof(a->range));
	if (take_kept(port, a))
		return 0;
	refuse(port);
	chunk = kvcalloc(port->nr_chunks + a->size / UDF_PORT_DMA_GRAIN, sizeof(*chunk), GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return -ENOMEM;
	if (port->nr_chunks)
		memcpy(chunk, port->chunk, port->nr_chunks * sizeof(*chunk));
	n = alloc_chunks(port, chunk + port->nr_chunks, a->size);
	ret = n < 0 ? n : place_chunks(chunk + port->nr_chunks, n, port->dma_size, a);
	if (ret) {
		if (n > 0)
			free_chunks(port, chunk + port->nr_chunks, n);
		kvfree(chunk);
		return ret;
	}
	kvfree(port->chunk);
	port->chunk = chunk;
	if (!port->nr_chunks)
		port->dma_keep = a->flags & UDF_PORT_DMA_KEEP ? n : 0;
	port->nr_chunks += n;
	port->dma_size += a->size;
	return 0;
}

const struct udf_chunk *udf_dma_find(struct udf_port *port, u64 offset)
{
	unsigned int low = 0, high = port->nr_chunks;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;
		const struct udf_chunk *c = &port->chunk[mid];

		if (offset < c->offset)
			high = mid;
		else if (offset - c->offset >= c->len)
			low = mid + 1;
		else
			return c;
	}
	return NULL;
}

static void on_expire(struct work_struct *work)
{
	struct udf_port *port = container_of(work, struct udf_port, kept.expire.work);

	mutex_lock(&port->lock);
	if (!port->resetting)
		forget(port);
	mutex_unlock(&port->lock);
}

void udf_dma_init(struct udf_port *port)
{
	INIT_DELAYED_WORK(&port->kept.expire, on_expire);
}

void udf_dma_remove(struct udf_port *port)
{
	cancel_delayed_work_sync(&port->kept.expire);
}

void udf_dma_open(struct udf_port *port)
{
	port->opener = current_euid();
	if (!uid_eq(port->opener, port->kept.opener))
		refuse(port);
}

void udf_dma_detach(struct udf_port *port)
{
	struct udf_kept *k = &port->kept;

	if (!port->chunk)
		return;
	if (port->mapping)
		unmap_mapping_range(port->mapping, UDF_PORT_MMAP_DMA, UDF_PORT_MMAP_DMA, 1);
	k->chunk = port->chunk;
	k->nr_chunks = port->nr_chunks;
	k->nr_keep = port->dma_keep;
	k->bits = port->dma_bits;
	k->size = k->nr_keep ? k->chunk[k->nr_keep - 1].offset + k->chunk[k->nr_keep - 1].len : 0;
	k->opener = port->opener;
	k->refused = !k->nr_keep;
	k->taken = false;
	/* page faults, which take the port's lock, find nothing */
	port->chunk = NULL;
	port->nr_chunks = 0;
	port->dma_size = 0;
	port->dma_keep = 0;
}

void udf_dma_end(struct udf_port *port, bool keep)
{
	struct udf_kept *k = &port->kept;

	port->dma_early = false;
	if (!keep || k->refused || k->taken) {
		forget(port);
	} else if (k->chunk) {
		free_chunks(port, k->chunk + k->nr_keep, k->nr_chunks - k->nr_keep);
		k->nr_chunks = k->nr_keep;
		mod_delayed_work(system_wq, &k->expire, UDF_PORT_DMA_KEEP_S * HZ);
	}
}
