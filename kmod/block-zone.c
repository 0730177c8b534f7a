// SPDX-License-Identifier: GPL-2.0
/*
 * Zoned disks among the kernel's block devices: what the process says of zones, checked.
 *
 * A report is a request of its own among the others: it waits as they do while there is no process. Zones are numbered, and all but the last are
 * of one size, so that the kernel knows how many there are, and where, before the process says anything.
 */
#include <linux/blkzoned.h>
#include <linux/slab.h>

#include "block.h"

#define REPORT_MAX ((size_t)SZ_32K)	/* memory of one report: 512 zones */

bool udf_zones_are_valid(const struct udf_port_block_disk *a)
{
	if (!(a->flags & UDF_PORT_DISK_ZONED))
		return !a->zone_size && !a->zone_max_append && !a->zone_max_open && !a->zone_max_active && !a->zone_write_granularity;
	return udf_is_power(a->zone_size, PAGE_SIZE, 1ull << 40) && a->size && (a->size - 1) / a->zone_size < UDF_PORT_ZONES_MAX &&
	       a->zone_max_append && !(a->zone_max_append % a->logical_block) &&
	       udf_is_power(a->zone_write_granularity, a->logical_block, min_t(u64, a->zone_size, SZ_1M));
}

/* Fill BUF, SIZE bytes, with zones from SECTOR on. */
static int read_zones(struct gendisk *disk, sector_t sector, void *buf, unsigned int size)
{
	struct request *rq = blk_mq_alloc_request(disk->queue, REQ_OP_DRV_IN, 0);
	int ret;

	if (IS_ERR(rq))
		return PTR_ERR(rq);
	rq->__sector = sector;
	ret = blk_rq_map_kern(disk->queue, rq, buf, size, GFP_KERNEL);
	if (!ret)
		ret = blk_status_to_errno(blk_execute_rq(rq, false));
	blk_mq_free_request(rq);
	return ret;
}

/* Whether Z can be the zone at SECTOR of DISK. A write pointer that says nothing is where nothing can be written. */
static bool is_zone(struct gendisk *disk, sector_t sector, struct blk_zone *z)
{
	const u64 len = min_t(u64, disk->queue->limits.chunk_sectors, get_capacity(disk) - sector);

	if (z->start != sector || z->len != len || !z->capacity || z->capacity > len || z->type < BLK_ZONE_TYPE_CONVENTIONAL ||
	    z->type > BLK_ZONE_TYPE_SEQWRITE_PREF || z->cond > BLK_ZONE_COND_OFFLINE ||
	    (z->cond > BLK_ZONE_COND_CLOSED && z->cond < BLK_ZONE_COND_READONLY))
		return false;
	if (z->type != BLK_ZONE_TYPE_CONVENTIONAL && (z->wp < sector || z->wp > sector + len))
		z->wp = sector + len;
	return true;
}

int udf_report_zones(struct gendisk *disk, sector_t sector, unsigned int nr, report_zones_cb cb, void *data)
{
	const struct request_queue *q = disk->queue;
	const size_t limit = min_t(size_t, queue_max_segment_size(q), (size_t)queue_max_hw_sectors(q) << SECTOR_SHIFT);
	/* one segment, whole blocks, of any disk */
	const size_t size = round_down(min3(PAGE_ALIGN(nr * sizeof(struct blk_zone)), REPORT_MAX, limit), PAGE_SIZE);
	struct blk_zone *zones = kmalloc(size, GFP_KERNEL);
	unsigned int done = 0, i;
	int ret = zones ? 0 : -ENOMEM;

	sector = round_down(sector, q->limits.chunk_sectors);
	while (!ret && done < nr && sector < get_capacity(disk)) {
		memset(zones, 0, size);
		ret = read_zones(disk, sector, zones, size);
		for (i = 0; !ret && i < size / sizeof(*zones) && done < nr && sector < get_capacity(disk); i++) {
			ret = is_zone(disk, sector, &zones[i]) ? cb(&zones[i], done++, data) : -EIO;
			sector += q->limits.chunk_sectors;
		}
	}
	kfree(zones);
	return ret ?: done;
}
