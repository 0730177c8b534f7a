/* SPDX-License-Identifier: GPL-2.0 */
/* What differs between kernel series. No other file asks for a version. */
#ifndef UDF_KMOD_COMPAT_H
#define UDF_KMOD_COMPAT_H

#include <linux/blk-mq.h>
#include <linux/dma-mapping.h>
#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/version.h>

#include "udf/port-abi.h"

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_mod(struct vm_area_struct *vma, unsigned long set, unsigned long clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

static inline void udf_eventfd_signal(struct eventfd_ctx *ctx)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
	eventfd_signal(ctx, 1);
#else
	eventfd_signal(ctx);
#endif
}

/* Zoned disks, as 6.1 has them: a scheduler sees to it that there is one write at a time to each zone. 6.8 begins to change that. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0) && defined(CONFIG_BLK_DEV_ZONED)
#define UDF_ZONED 1

static inline void udf_set_zoned(struct gendisk *disk, const struct udf_port_block_disk *a)
{
	struct request_queue *q = disk->queue;

	disk_set_zoned(disk, BLK_ZONED_HM);
	blk_queue_chunk_sectors(q, a->zone_size >> SECTOR_SHIFT);
	blk_queue_zone_write_granularity(q, a->zone_write_granularity);
	blk_queue_max_zone_append_sectors(q, a->zone_max_append >> SECTOR_SHIFT);
	disk_set_max_open_zones(disk, a->zone_max_open);
	disk_set_max_active_zones(disk, a->zone_max_active);
	blk_queue_flag_set(QUEUE_FLAG_ZONE_RESETALL, q);
	blk_queue_required_elevator_features(q, ELEVATOR_F_ZBD_SEQ_WRITE);
}

static inline int udf_revalidate_zones(struct gendisk *disk)
{
	return blk_revalidate_disk_zones(disk, NULL);
}

/* Against other writes of its zone, until it is unlocked. Returns whether RQ has the lock. */
static inline bool udf_zone_lock(struct request *rq)
{
	return rq->rq_flags & RQF_ZONE_WRITE_LOCKED || blk_req_zone_write_trylock(rq);
}

static inline void udf_zone_unlock(struct request *rq)
{
	blk_req_zone_write_unlock(rq);
}
#else
#define UDF_ZONED 0

static inline void udf_set_zoned(struct gendisk *disk, const struct udf_port_block_disk *a)
{
}

static inline int udf_revalidate_zones(struct gendisk *disk)
{
	return -EOPNOTSUPP;
}

static inline bool udf_zone_lock(struct request *rq)
{
	return false;
}

static inline void udf_zone_unlock(struct request *rq)
{
}
#endif

/*
 * A disk with the limits of A, of requests that are mapped for DEV and have at most SEGMENTS segments. Its private data of the queue is DATA.
 * Returns it or an error pointer.
 */
static inline struct gendisk *udf_alloc_disk(struct blk_mq_tag_set *tags, const struct udf_port_block_disk *a, struct device *dev,
					     unsigned int segments, void *data)
{
	const unsigned int max = min_t(u64, min_t(u64, a->max_bytes, 64 << 20), dma_max_mapping_size(dev)) >> SECTOR_SHIFT;
	/* segments are whole blocks */
	const unsigned int alignment = max(a->dma_alignment, a->logical_block - 1);
	const unsigned int discard = min_t(u64, a->max_discard >> SECTOR_SHIFT, UINT_MAX >> SECTOR_SHIFT);
	const unsigned int zeroes = min_t(u64, a->max_write_zeroes >> SECTOR_SHIFT, UINT_MAX >> SECTOR_SHIFT);
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
	struct gendisk *disk = blk_mq_alloc_disk(tags, data);
	struct request_queue *q;

	if (IS_ERR(disk))
		return disk;
	q = disk->queue;
	blk_queue_logical_block_size(q, a->logical_block);
	blk_queue_physical_block_size(q, a->physical_block);
	if (a->io_min)
		blk_queue_io_min(q, a->io_min);
	blk_queue_io_opt(q, a->io_opt);
	blk_queue_max_hw_sectors(q, max);
	blk_queue_max_segments(q, min(a->max_segments, segments));
	blk_queue_max_segment_size(q, a->max_segment_size);
	if (a->virt_boundary)
		blk_queue_virt_boundary(q, a->virt_boundary);
	blk_queue_dma_alignment(q, alignment);
	blk_queue_max_discard_sectors(q, discard);
	q->limits.discard_granularity = discard ? a->discard_granularity : 0;
	q->limits.discard_alignment = discard ? a->discard_alignment : 0;
	blk_queue_max_write_zeroes_sectors(q, zeroes);
	blk_queue_write_cache(q, a->flags & UDF_PORT_DISK_WRITE_CACHE, a->flags & UDF_PORT_DISK_FUA);
	if (!(a->flags & UDF_PORT_DISK_ROTATIONAL))
		blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
	blk_queue_flag_clear(QUEUE_FLAG_ADD_RANDOM, q);
	if (a->flags & UDF_PORT_DISK_ZONED)
		udf_set_zoned(disk, a);
	return disk;
#else
	struct queue_limits lim = {
		.logical_block_size = a->logical_block,
		.physical_block_size = a->physical_block,
		.io_min = a->io_min,
		.io_opt = a->io_opt,
		.max_hw_sectors = max,
		.max_segments = min(a->max_segments, segments),
		.max_segment_size = a->virt_boundary ? UINT_MAX : a->max_segment_size,
		.virt_boundary_mask = a->virt_boundary,
		.dma_alignment = alignment,
		.max_hw_discard_sectors = discard,
		.discard_granularity = discard ? a->discard_granularity : 0,
		.discard_alignment = discard ? a->discard_alignment : 0,
		.max_write_zeroes_sectors = zeroes,
		.features = (a->flags & UDF_PORT_DISK_WRITE_CACHE ? BLK_FEAT_WRITE_CACHE : 0) | (a->flags & UDF_PORT_DISK_FUA ? BLK_FEAT_FUA : 0) |
			    (a->flags & UDF_PORT_DISK_ROTATIONAL ? BLK_FEAT_ROTATIONAL : 0),
	};

	return blk_mq_alloc_disk(tags, &lim, data);
#endif
}

/* Lists of requests are linked by hand; 6.12 has a type for them, since one of its stable releases. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
#define UDF_QUEUE_RQS
#endif

#endif
