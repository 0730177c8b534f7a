// SPDX-License-Identifier: GPL-2.0
/*
 * Requests of zoned disks that are not one bio: reports, management of zones, and writes that may have been performed before. Kernel world, in
 * a work item.
 *
 * A sequential zone is written at its write pointer, which moves. So a write that was in flight when a driver process died cannot just be
 * performed again: what reached the disk is before the pointer now.
 *
 *	zone start        write's begin         write pointer        write's end
 *	   |-------------------|======================|--------------------|
 *	                        read and compared       written
 *
 * One write at a time is in flight to a zone, so what is there is that write's, but for a zone that was finished or written by somebody else
 * meanwhile; hence the comparison: a write that cannot be found on the disk fails.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/string.h>

#include "kapi_front.h"

bool kapi_zone_is_special(const struct kapi_request *r)
{
	if (r->sqe.op >= UDF_RING_ZONE_WHERE)
		return true;
	return unlikely(r->sqe.flags & UDF_RING_AGAIN) && bdev_is_zoned(r->disk->bdev) &&
	       (r->sqe.op == UDF_RING_WRITE || r->sqe.op == UDF_RING_WRITE_ZEROES);
}

/* ---- reports, management ---- */

struct zones {
	struct blk_zone *zone;
	unsigned int nr;
};

static int copy_zone(struct blk_zone *zone, unsigned int i, void *data)
{
	struct zones *to = data;

	if (i >= to->nr)
		return -EIO;
	to->zone[i] = *zone;
	return 0;
}

static int report(struct kapi_request *r)
{
	const struct udf_ring_segment *s = &r->sqe.segment[0];
	struct zones to = { .nr = min(s->len, UDF_RING_LENGTH_MAX) / sizeof(*to.zone) };
	int ret;

	if (r->sqe.nr_segments != 1 || s->len != r->sqe.length || !to.nr || s->addr % sizeof(u64))
		return -EINVAL;
	to.zone = (struct blk_zone *)kapi_memory(r->traits->domain, s->addr, s->len);
	if (!to.zone)
		return -EFAULT;
	ret = blkdev_report_zones(r->disk->bdev, r->sqe.sector, to.nr, copy_zone, &to);
	return ret < 0 ? ret : 0;
}

static int manage(struct kapi_request *r)
{
	static const enum req_op ops[] = {
		[UDF_RING_ZONE_RESET] = REQ_OP_ZONE_RESET, [UDF_RING_ZONE_RESET_ALL] = REQ_OP_ZONE_RESET,
		[UDF_RING_ZONE_OPEN] = REQ_OP_ZONE_OPEN, [UDF_RING_ZONE_CLOSE] = REQ_OP_ZONE_CLOSE, [UDF_RING_ZONE_FINISH] = REQ_OP_ZONE_FINISH,
	};
	struct block_device *bdev = r->disk->bdev;
	sector_t sectors = bdev_nr_sectors(bdev), first = r->sqe.sector;

	if (r->sqe.op >= ARRAY_SIZE(ops) || first >= sectors)
		return -EINVAL;
	if (!(r->disk->mode & FMODE_WRITE))
		return -EROFS;
	if (r->sqe.op == UDF_RING_ZONE_RESET_ALL)
		first = 0;
	else
		sectors = min_t(sector_t, bdev_zone_sectors(bdev), sectors - first);
	return blkdev_zone_mgmt(bdev, ops[r->sqe.op], first, sectors, GFP_NOIO);
}

/* ---- writes, again ---- */

/* The zone that R begins in, whose write pointer is its end if it is full. */
static int find_zone(struct kapi_request *r, struct blk_zone *zone)
{
	struct block_device *bdev = r->disk->bdev;
	int ret = blkdev_report_zones(bdev, r->sqe.sector & ~(bdev_zone_sectors(bdev) - 1), 1, copy_zone, &(struct zones){ zone, 1 });

	if (ret == 1 && zone->cond == BLK_ZONE_COND_FULL)
		zone->wp = zone->start + zone->len;
	return ret == 1 ? 0 : ret < 0 ? ret : -EIO;
}

/* The answer goes where a length was. */
static int where(struct kapi_request *r)
{
	struct blk_zone zone;
	int ret = find_zone(r, &zone);

	r->sqe.length = ret ? 0 : zone.wp - zone.start;
	return ret;
}

/* How many bytes of the write R, from its begin on, are before its zone's write pointer. */
static int count_written(struct kapi_request *r, unsigned long *bytes)
{
	struct blk_zone zone;
	int ret = find_zone(r, &zone);
	sector_t end;

	*bytes = 0;
	if (ret)
		return ret;
	end = zone.wp;
	if (zone.type == BLK_ZONE_TYPE_SEQWRITE_REQ && end > r->sqe.sector)
		*bytes = min_t(u64, r->sqe.length, (end - r->sqe.sector) << SECTOR_SHIFT);
	return 0;
}

static int read_page(struct block_device *bdev, sector_t sector, struct page *page, unsigned int len)
{
	struct bio_vec vec;
	struct bio bio;
	int err;

	bio_init(&bio, bdev, &vec, 1, REQ_OP_READ);
	bio.bi_iter.bi_sector = sector;
	__bio_add_page(&bio, page, len, 0);
	err = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return err;
}

/* Whether the disk has, from R's begin on, the first BYTES of what TABLE describes; NULL: zeroes. Returns 0, or an error. */
static int compare(struct kapi_request *r, const struct bio_vec *table, unsigned long bytes)
{
	struct page *page = alloc_page(GFP_NOIO);
	unsigned long at = 0, in_vec = 0;
	int err = page ? 0 : -ENOMEM;

	while (!err && at < bytes) {
		const char *to = table ? page_address(table->bv_page) + table->bv_offset + in_vec : NULL;
		unsigned int len = min_t(unsigned long, bytes - at, table ? min_t(unsigned int, PAGE_SIZE, table->bv_len - in_vec) : PAGE_SIZE);

		err = read_page(r->disk->bdev, r->sqe.sector + (at >> SECTOR_SHIFT), page, len);
		if (!err && (to ? memcmp(page_address(page), to, len) != 0 : !!memchr_inv(page_address(page), 0, len)))
			err = -EIO;
		at += len;
		in_vec += len;
		if (table && in_vec == table->bv_len) {
			table++;
			in_vec = 0;
		}
	}
	if (page)
		__free_page(page);
	return err;
}

/* Write what TABLE describes, but for the first DONE bytes, which are there. */
static int write_rest(struct kapi_request *r, struct bio_vec *table, unsigned long done)
{
	struct bio *bio = &r->bio;
	int err;

	if (!table)
		return blkdev_issue_zeroout(r->disk->bdev, r->sqe.sector + (done >> SECTOR_SHIFT), (r->sqe.length - done) >> SECTOR_SHIFT,
					    GFP_NOIO, BLKDEV_ZERO_NOFALLBACK | (r->sqe.flags & UDF_RING_NOUNMAP ? BLKDEV_ZERO_NOUNMAP : 0));
	bio_init(bio, r->disk->bdev, table, r->sqe.nr_segments, REQ_OP_WRITE | REQ_SYNC | REQ_IDLE);
	bio->bi_vcnt = r->sqe.nr_segments;
	bio->bi_iter.bi_sector = r->sqe.sector;
	bio->bi_iter.bi_size = r->sqe.length;
	bio_advance(bio, done);
	err = submit_bio_wait(bio);
	bio_uninit(bio);
	return err;
}

static int write_again(struct kapi_request *r)
{
	struct bio_vec *table = r->sqe.op == UDF_RING_WRITE ? kapi_request_table(r) : NULL;
	unsigned long done;
	int err;

	if (IS_ERR(table))
		return PTR_ERR(table);
	err = count_written(r, &done);
	if (!err && done)
		err = compare(r, table, done);
	if (!err && done < r->sqe.length)
		err = write_rest(r, table, done);
	if (!err && r->sqe.flags & UDF_RING_FUA)
		err = blkdev_issue_flush(r->disk->bdev);
	return err;
}

int kapi_zone_perform(struct kapi_request *r)
{
	switch (r->sqe.op) {
	case UDF_RING_WRITE:
	case UDF_RING_WRITE_ZEROES:
		return write_again(r);
	case UDF_RING_ZONE_REPORT:
		return report(r);
	case UDF_RING_ZONE_WHERE:
		return where(r);
	}
	return manage(r);
}
