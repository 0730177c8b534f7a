// SPDX-License-Identifier: GPL-2.0
/*
 * A request of a ring, performed by the block layer. Kernel world.
 *
 * The producer is not trusted: KAPI works on its own copy of the entry, and every address, length and sector is checked here. A
 * read, write or flush is one bio, embedded in the request; the block layer splits it to the driver's limits. Discards and
 * write-zeroes may become any number of bios and wait in between: a work item performs them.
 */
#include <linux/bio.h>
#include <linux/ioprio.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "kapi_front.h"

/* Of the image, without a header that a module may include. */
void blk_mq_submit_bio(struct bio *bio);

static bool is_write(const struct kapi_request *r)
{
	return kapi_op_writes(r->sqe.op);
}

/* The part of the disk that the request names: whole blocks, within the disk, and writable if need be. */
static int check_range(const struct kapi_request *r)
{
	struct block_device *bdev = r->disk->bdev;
	unsigned long block = bdev_logical_block_size(bdev);
	u64 sectors = bdev_nr_sectors(bdev);

	if (r->sqe.op >= UDF_RING_ZONE_WHERE && !(r->traits->gathered && bdev_is_zoned(bdev)))
		return -EINVAL;
	if (r->sqe.op == UDF_RING_FLUSH || r->sqe.op >= UDF_RING_ZONE_WHERE)
		return 0;
	if (!r->sqe.length || (r->sqe.length | r->sqe.sector << SECTOR_SHIFT) & (block - 1) ||
	    r->sqe.sector > U64_MAX >> SECTOR_SHIFT)
		return -EINVAL;
	if (is_write(r) && (bdev_read_only(bdev) || !(r->disk->mode & FMODE_WRITE)))
		return -EROFS;
	if (r->sqe.sector > sectors || r->sqe.length >> SECTOR_SHIFT > sectors - r->sqe.sector)
		return is_write(r) ? -ENOSPC : -EIO;
	return 0;
}

/*
 * Segments are whole blocks: the block layer may have to divide a request behind any of them, and dies of a BUG when that leaves
 * less than a block. The segment's address becomes the memory's.
 */
static int check_segment(const struct kapi_request *r, struct udf_ring_segment *s)
{
	unsigned int mask = queue_dma_alignment(bdev_get_queue(r->disk->bdev));
	unsigned int block = bdev_logical_block_size(r->disk->bdev);

	if (!s->len || s->len > UDF_RING_LENGTH_MAX || (s->addr | s->len) & mask || s->len & (block - 1))
		return -EINVAL;
	s->addr = kapi_memory(r->traits->domain, s->addr, s->len);
	return s->addr ? 0 : -EFAULT;
}

/* Check the list of segments and fill TABLE; an entry of a list in shared memory is copied before it is looked at. */
static int fill_table(struct kapi_request *r, const struct udf_ring_segment *list, struct bio_vec *table)
{
	unsigned long sum = 0;
	unsigned int i;

	for (i = 0; i < r->sqe.nr_segments; i++) {
		struct udf_ring_segment s = {
			.addr = READ_ONCE(list[i].addr),
			.len = READ_ONCE(list[i].len),
		};
		int err = check_segment(r, &s);

		if (err)
			return err;
		table[i].bv_page = virt_to_page((void *)s.addr);
		table[i].bv_offset = offset_in_page(s.addr);
		table[i].bv_len = s.len;
		sum += s.len;
	}
	return sum == r->sqe.length ? 0 : -EINVAL;
}

/* Memory of a read or write. */
struct bio_vec *kapi_request_table(struct kapi_request *r)
{
	const struct udf_ring_segment *list = r->sqe.segment;
	struct bio_vec *table = r->vec;
	unsigned int n = r->sqe.nr_segments;
	int err;

	if (!n || n > UDF_RING_SEGMENTS_MAX || r->sqe.length > UDF_RING_LENGTH_MAX)
		return ERR_PTR(-EINVAL);
	if (n > UDF_RING_INLINE) {
		list = kapi_queue_list(r->queue, r->sqe.segment[0].addr, n);
		if (!list)
			return ERR_PTR(-EFAULT);
		table = kmalloc_array(n, sizeof(*table), GFP_NOIO);
		if (!table)
			return ERR_PTR(-ENOMEM);
		r->list = table;
	}
	err = fill_table(r, list, table);
	return err ? ERR_PTR(err) : table;
}

/*
 * The error as an application shall see it. A disk that was removed fails what is in its queue as an I/O error, which is said more
 * exactly; a medium error is -ENODATA within the block layer, and EIO to who reads a block device.
 */
int kapi_request_error(const struct kapi_request *r, int err)
{
	if (err && test_bit(GD_DEAD, &r->disk->disk->state))
		return -ENODEV;
	return err == -ENODATA ? -EIO : err;
}

static void request_end(struct bio *bio)
{
	struct kapi_request *r = bio->bi_private;
	int err = kapi_request_error(r, blk_status_to_errno(bio->bi_status));
	bool again = bio->bi_status == BLK_STS_AGAIN && bio->bi_opf & REQ_NOWAIT;

	if (bio->bi_blkg || bio->bi_opf & REQ_INTEGRITY)
		bio_uninit(bio);
	if (again)
		kapi_queue_again(r);
	else
		kapi_queue_complete(r, err);
}

/*
 * A read or write within one page, of a disk with queues of its own: what submit_bio() would see to beyond blk_mq_submit_bio() is known to be as it
 * must (check_range(), kapi_request_start()), is for stacks of disks, or is statistics; and so it need not belong to a control group. No limit of a
 * queue divides it, but for chunks: the second part would come to submit_bio(), which wants the group.
 */
static bool is_plain(const struct kapi_request *r, unsigned int n, blk_opf_t opf)
{
	const struct block_device *bdev = r->disk->bdev;

	return n == 1 && !op_is_flush(opf) && !bdev->bd_disk->fops->submit_bio && !bdev_get_queue((struct block_device *)bdev)->limits.chunk_sectors &&
	       r->vec[0].bv_offset + r->vec[0].bv_len <= PAGE_SIZE;
}

static void submit(struct kapi_request *r, struct bio_vec *table, unsigned int n, blk_opf_t opf)
{
	struct bio *bio = &r->bio;
	bool plain = is_plain(r, n, opf);

	bio_init(bio, plain ? NULL : r->disk->bdev, table, n, opf);
	bio->bi_bdev = r->disk->bdev;
	/* the default, which would be looked up otherwise */
	bio->bi_ioprio = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, IOPRIO_BE_NORM);
	bio->bi_vcnt = n;
	bio->bi_iter.bi_sector = r->sqe.sector;
	bio->bi_iter.bi_size = n ? r->sqe.length : 0;
	bio->bi_private = r;
	bio->bi_end_io = request_end;
	if (plain)
		blk_mq_submit_bio(bio);
	else
		submit_bio(bio);
}

/* OPF: flags for the way in which it is submitted. */
static void submit_data(struct kapi_request *r, blk_opf_t opf)
{
	struct bio_vec *table = kapi_request_table(r);

	if (IS_ERR(table)) {
		kapi_queue_complete(r, PTR_ERR(table));
		return;
	}
	if (r->traits->polls && !r->again && !(r->sqe.flags & UDF_RING_FUA) && kapi_queue_poll(r))
		opf |= REQ_POLLED | REQ_NOWAIT;
	/* As a direct write of an application that waits for it: not throttled as writeback is. */
	if (r->sqe.op == UDF_RING_WRITE)
		opf |= REQ_OP_WRITE | REQ_SYNC | REQ_IDLE | (r->sqe.flags & UDF_RING_FUA ? REQ_FUA : 0);
	submit(r, table, r->sqe.nr_segments, opf);
}

static void submit_flush(struct kapi_request *r, blk_opf_t opf)
{
	r->sqe.sector = 0;
	submit(r, NULL, 0, opf | REQ_OP_WRITE | REQ_SYNC | REQ_PREFLUSH);
}

void kapi_request_start(struct kapi_request *r)
{
	/* the machine's kernel has merged what it could */
	blk_opf_t opf = (*r->traits->nr_polled ? REQ_NOWAIT : 0) | (r->traits->gathered ? REQ_NOMERGE : 0);
	int err;

	r->list = NULL;
	r->polled = r->again = false;
	r->disk = kapi_disk_get(r->sqe.disk);
	err = r->disk ? check_range(r) : -ENODEV;
	if (err) {
		kapi_queue_complete(r, err);
		return;
	}
	if (kapi_zone_is_special(r)) {
		queue_work(kapi_front_wq, &r->work);
		return;
	}
	if (opf & REQ_NOWAIT && !bdev_nowait(r->disk->bdev)) {
		kapi_queue_again(r);
		return;
	}
	switch (r->sqe.op) {
	case UDF_RING_READ:
	case UDF_RING_WRITE:
		submit_data(r, opf);
		return;
	case UDF_RING_FLUSH:
		submit_flush(r, opf);
		return;
	case UDF_RING_DISCARD:
	case UDF_RING_WRITE_ZEROES:
		queue_work(kapi_front_wq, &r->work);
		return;
	}
	kapi_queue_complete(r, -EINVAL);
}

static int write_zeroes(struct kapi_request *r, sector_t sectors)
{
	struct block_device *bdev = r->disk->bdev;
	unsigned int flags = 0;
	int err;

	if (r->sqe.flags & UDF_RING_NOUNMAP)
		flags |= BLKDEV_ZERO_NOUNMAP;
	if (r->sqe.flags & UDF_RING_NOFALLBACK)
		flags |= BLKDEV_ZERO_NOFALLBACK;
	err = blkdev_issue_zeroout(bdev, r->sqe.sector, sectors, GFP_NOIO, flags);
	if (!err && r->sqe.flags & UDF_RING_FUA)
		err = blkdev_issue_flush(bdev);
	return err;
}

void kapi_request_slow(struct work_struct *work)
{
	struct kapi_request *r = container_of(work, struct kapi_request, work);
	sector_t sectors = r->sqe.length >> SECTOR_SHIFT;
	int err;

	if (r->again) {
		kfree(r->list);
		r->list = NULL;
		r->sqe.op == UDF_RING_FLUSH ? submit_flush(r, 0) : submit_data(r, 0);
		return;
	}
	if (kapi_zone_is_special(r))
		err = kapi_zone_perform(r);
	else if (r->sqe.op == UDF_RING_DISCARD)
		err = blkdev_issue_discard(r->disk->bdev, r->sqe.sector, sectors, GFP_NOIO);
	else
		err = write_zeroes(r, sectors);
	kapi_queue_complete(r, kapi_request_error(r, err));
}
