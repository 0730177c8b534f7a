// SPDX-License-Identifier: GPL-2.0
/*
 * The disks that drivers registered. Kernel world.
 *
 * A whole disk's uevents tell when it comes, changes and goes; nothing here knows a driver. An event may be sent with the disk's
 * own locks held, so it only marks the slot, and a work item does the rest. What the host world sees is a record in its table.
 * A disk is opened when an application opens it, and as with open(2) of a block device this holds its driver's module.
 */
#include <linux/blkdev.h>
#include <linux/kernfs.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/sysfs.h>
#include <linux/workqueue.h>

#include "contract.h"
#include "kapi_front.h"

enum { KAPI_DISK_GONE };

/* Of the image, without a header that a module may include. */
extern struct kobj_type device_ktype;
ssize_t elv_iosched_store(struct request_queue *q, const char *name, size_t count);
struct kernfs_node *kernfs_get_active(struct kernfs_node *kn);
void kernfs_put_active(struct kernfs_node *kn);

static struct kapi_disk disks[HOST_FRONT_DISKS];
static unsigned int generation;
static DEFINE_SPINLOCK(slots_lock);	/* which slot belongs to which gendisk */
static DEFINE_MUTEX(disks_lock);	/* everything else of a slot; never taken in an event */
static struct host_front_table *table;

/* ---- the record ---- */

/*
 * Value of the attribute NAME of DEV or of the nearest parent that has one, into BUF (LEN bytes), without blanks around it. The
 * attribute's own show function is asked, as reading the file in sysfs would.
 */
static void read_attribute(struct device *dev, const char *name, char *buf, size_t len)
{
	struct kernfs_node *kn = NULL;
	ssize_t n = 0;
	char *page;

	for (; dev; dev = dev->parent) {
		kn = dev->kobj.sd ? kernfs_find_and_get(dev->kobj.sd, name) : NULL;
		if (kn)
			break;
	}
	if (!kn)
		return;
	page = (char *)get_zeroed_page(GFP_KERNEL);
	if (page && kernfs_type(kn) == KERNFS_FILE && kernfs_get_active(kn)) {
		n = dev->kobj.ktype->sysfs_ops->show(&dev->kobj, kn->priv, page);
		kernfs_put_active(kn);
	}
	if (n > 0)
		strscpy(buf, strim(page), len);
	free_page((unsigned long)page);
	kernfs_put(kn);
}

static unsigned int disk_flags(struct gendisk *disk)
{
	struct block_device *bdev = disk->part0;
	unsigned int flags = 0;

	if (bdev_read_only(bdev))
		flags |= HOST_DISK_READ_ONLY;
	if (bdev_write_cache(bdev))
		flags |= HOST_DISK_WRITE_CACHE;
	if (bdev_fua(bdev))
		flags |= HOST_DISK_FUA;
	if (!bdev_nonrot(bdev))
		flags |= HOST_DISK_ROTATIONAL;
	if (bdev_is_zoned(bdev))
		flags |= HOST_DISK_ZONED;
	if (disk->flags & GENHD_FL_REMOVABLE)
		flags |= HOST_DISK_REMOVABLE;
	return flags;
}

static void fill_limits(struct host_front_disk *r, struct gendisk *disk)
{
	struct block_device *bdev = disk->part0;
	struct request_queue *q = disk->queue;

	r->size = bdev_nr_bytes(bdev);
	r->flags = disk_flags(disk);
	r->logical_block = bdev_logical_block_size(bdev);
	r->physical_block = bdev_physical_block_size(bdev);
	r->io_min = bdev_io_min(bdev);
	r->io_opt = bdev_io_opt(bdev);
	r->max_bytes = queue_max_bytes(q);
	r->max_segments = queue_max_segments(q);
	r->max_segment_size = queue_max_segment_size(q);
	r->dma_alignment = queue_dma_alignment(q);
	r->max_discard = (unsigned long)bdev_max_discard_sectors(bdev) << SECTOR_SHIFT;
	r->discard_granularity = bdev_discard_granularity(bdev);
	r->discard_alignment = bdev_discard_alignment(bdev);
	r->max_write_zeroes = (unsigned long)bdev_write_zeroes_sectors(bdev) << SECTOR_SHIFT;
	r->virt_boundary = queue_virt_boundary(q);
	/* a host-aware disk can be used as one that has no zones */
	if (bdev_zoned_model(bdev) != BLK_ZONED_HM)
		return;
	r->zone_size = (unsigned long)bdev_zone_sectors(bdev) << SECTOR_SHIFT;
	r->zone_max_append = min(bdev_max_zone_append_sectors(bdev), UINT_MAX >> SECTOR_SHIFT) << SECTOR_SHIFT;
	r->zone_max_open = bdev_max_open_zones(bdev);
	r->zone_max_active = bdev_max_active_zones(bdev);
	r->zone_write_granularity = bdev_zone_write_granularity(bdev);
}

static void publish(unsigned int slot, const struct host_front_disk *r)
{
	WRITE_ONCE(table->seq, table->seq + 1);
	smp_wmb();
	memcpy(&table->disk[slot], r, sizeof(*r));
	smp_wmb();
	WRITE_ONCE(table->seq, table->seq + 1);
	host_front_changed();
}

static void announce(struct kapi_disk *d)
{
	struct host_front_disk *r = kzalloc(sizeof(*r), GFP_KERNEL);
	struct device *dev = disk_to_dev(d->disk);

	if (!r)
		return;
	r->id = d->id;
	strscpy(r->name, d->disk->disk_name, sizeof(r->name));
	read_attribute(dev, "serial", r->serial, sizeof(r->serial));
	read_attribute(dev, "model", r->model, sizeof(r->model));
	read_attribute(dev, "wwid", r->wwid, sizeof(r->wwid));
	fill_limits(r, d->disk);
	publish(d - disks, r);
	kfree(r);
}

/* ---- opening ---- */

static void users_released(struct percpu_ref *ref)
{
	complete(&container_of(ref, struct kapi_disk, users)->unused);
}

struct kapi_disk *kapi_disk_get(unsigned int id)
{
	struct kapi_disk *d = &disks[id % HOST_FRONT_DISKS];
	bool got;

	rcu_read_lock();
	got = id && smp_load_acquire(&d->live_id) == id && percpu_ref_tryget_live_rcu(&d->users);
	rcu_read_unlock();
	return got ? d : NULL;
}

void kapi_disk_put(struct kapi_disk *d)
{
	percpu_ref_put(&d->users);
}

void kapi_disk_put_many(struct kapi_disk *d, unsigned int n)
{
	percpu_ref_put_many(&d->users, n);
}

static int open_bdev(struct kapi_disk *d)
{
	d->mode = FMODE_READ | FMODE_WRITE;
	d->bdev = blkdev_get_by_dev(disk_devt(d->disk), d->mode, NULL);
	if (IS_ERR(d->bdev) && (PTR_ERR(d->bdev) == -EROFS || PTR_ERR(d->bdev) == -EACCES)) {
		d->mode = FMODE_READ;
		d->bdev = blkdev_get_by_dev(disk_devt(d->disk), d->mode, NULL);
	}
	return PTR_ERR_OR_ZERO(d->bdev);
}

/*
 * Requests come in the order that somebody else has chosen, an application or the block layer of the machine's kernel: where the order does
 * not matter to the disk, sorting them once more only takes time. The kernel gives each disk with one hardware queue a scheduler, and each with
 * zones, where it keeps what a write was divided into in order.
 */
static void drop_scheduler(struct kapi_disk *d)
{
	struct request_queue *q = bdev_get_queue(d->bdev);

	if (!bdev_nonrot(d->bdev) || bdev_is_zoned(d->bdev))
		return;
	mutex_lock(&q->sysfs_lock);
	elv_iosched_store(q, "none", 4);
	mutex_unlock(&q->sysfs_lock);
}

/* The kernel's statistics of the disk, which nobody here reads, want two looks at the clock for each request. */
static void drop_statistics(struct kapi_disk *d)
{
	struct request_queue *q = bdev_get_queue(d->bdev);

	blk_queue_flag_clear(QUEUE_FLAG_IO_STAT, q);
	/* a scheduler may want some */
	if (!q->elevator)
		blk_queue_flag_clear(QUEUE_FLAG_STATS, q);
}

static int open_first(struct kapi_disk *d)
{
	int err = open_bdev(d);

	if (err)
		return err;
	drop_scheduler(d);
	drop_statistics(d);
	init_completion(&d->unused);
	err = percpu_ref_init(&d->users, users_released, 0, GFP_KERNEL);
	if (err) {
		blkdev_put(d->bdev, d->mode);
		return err;
	}
	smp_store_release(&d->live_id, d->id);
	return 0;
}

/* No more requests; wait for those in flight. RCU of the reference's end also covers kapi_disk_get(). */
static void close_last(struct kapi_disk *d)
{
	WRITE_ONCE(d->live_id, 0);
	percpu_ref_kill(&d->users);
	wait_for_completion(&d->unused);
	percpu_ref_exit(&d->users);
	blkdev_put(d->bdev, d->mode);
}

static struct kapi_disk *disk_find(unsigned int id)
{
	struct kapi_disk *d = &disks[id % HOST_FRONT_DISKS];

	return id && d->id == id && !test_bit(KAPI_DISK_GONE, &d->state) ? d : NULL;
}

int kapi_disk_open(unsigned int id)
{
	struct kapi_disk *d;
	int err = -ENODEV;

	mutex_lock(&disks_lock);
	d = disk_find(id);
	if (d) {
		err = d->opens ? 0 : open_first(d);
		if (!err)
			d->opens++;
	}
	mutex_unlock(&disks_lock);
	return err;
}

int kapi_disk_close(unsigned int id)
{
	struct kapi_disk *d;
	int err = -ENODEV;

	mutex_lock(&disks_lock);
	d = disk_find(id);
	if (d && d->opens) {
		if (!--d->opens)
			close_last(d);
		err = 0;
	}
	mutex_unlock(&disks_lock);
	return err;
}

/* ---- events ---- */

static void retire(struct kapi_disk *d)
{
	static const struct host_front_disk none;

	publish(d - disks, &none);
	if (d->opens)
		close_last(d);
	d->opens = 0;
	put_disk(d->disk);

	spin_lock(&slots_lock);
	d->disk = NULL;
	d->id = 0;
	d->state = 0;
	spin_unlock(&slots_lock);
}

static void disk_work(struct work_struct *work)
{
	struct kapi_disk *d = container_of(work, struct kapi_disk, work);

	mutex_lock(&disks_lock);
	if (!d->id)
		;	/* retired by an earlier run */
	else if (test_bit(KAPI_DISK_GONE, &d->state))
		retire(d);
	else
		announce(d);
	mutex_unlock(&disks_lock);
}

/* The slot of DISK; a new one when ADD says so. Called under slots_lock. */
static struct kapi_disk *slot_of(struct gendisk *disk, bool add)
{
	struct kapi_disk *unused = NULL;
	unsigned int i;

	for (i = 0; i < HOST_FRONT_DISKS; i++) {
		if (disks[i].disk == disk && !test_bit(KAPI_DISK_GONE, &disks[i].state))
			return &disks[i];
		if (!disks[i].id && !unused)
			unused = &disks[i];
	}
	if (!add || !unused)
		return NULL;
	/* Generation 0 is not used: an id is never 0, and differs from those of earlier disks in the slot. */
	unused->id = ++generation * HOST_FRONT_DISKS + (unused - disks);
	unused->disk = disk;
	get_device(disk_to_dev(disk));
	return unused;
}

void kapi_front_uevent(struct kobject *kobj, enum kobject_action action, char *envp[])
{
	bool gone = action == KOBJ_REMOVE || action == KOBJ_OFFLINE;
	struct kapi_disk *d;
	struct device *dev;

	if (!table || kobj->ktype != &device_ktype)
		return;
	dev = container_of(kobj, struct device, kobj);
	if (dev->class != &block_class || dev->type != &disk_type || dev_to_disk(dev)->flags & GENHD_FL_HIDDEN)
		return;

	spin_lock(&slots_lock);
	d = slot_of(dev_to_disk(dev), action == KOBJ_ADD);
	if (d && gone) {
		set_bit(KAPI_DISK_GONE, &d->state);
		WRITE_ONCE(d->live_id, 0);
	}
	spin_unlock(&slots_lock);
	if (d)
		queue_work(system_unbound_wq, &d->work);
	else if (action == KOBJ_ADD)
		pr_err("udf: %s is not offered: there are %u disks already\n", dev_name(dev), HOST_FRONT_DISKS);
}

void kapi_disks_init(void)
{
	unsigned int i;

	for (i = 0; i < HOST_FRONT_DISKS; i++)
		INIT_WORK(&disks[i].work, disk_work);
	table = host_front_table();
}
