// SPDX-License-Identifier: GPL-2.0
/*
 * Replaces wbt_enable_default() and blk_cgroup_bio_start(): the block layer in this process neither throttles writeback nor counts what groups
 * do. Both are for the tasks of a machine; here all requests come from one task, and have passed the machine's own block layer or an
 * application's. And bdev_disk_changed(): whoever has the disk looks for its partitions; the driver's kernel code has no use for them, and would
 * read them when the disk is found and once more when it is opened. Kernel world.
 */
#include <linux/blkdev.h>

void wbt_enable_default(struct request_queue *q);
void blk_cgroup_bio_start(struct bio *bio);

void wbt_enable_default(struct request_queue *q)
{
}

void blk_cgroup_bio_start(struct bio *bio)
{
}

int bdev_disk_changed(struct gendisk *disk, bool invalidate)
{
	clear_bit(GD_NEED_PART_SCAN, &disk->state);
	return disk_live(disk) ? 0 : -ENXIO;
}
