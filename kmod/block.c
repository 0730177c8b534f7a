// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's block devices: sessions, disks and their coupling; see block.h.
 *
 *	UDF_PORT_BLOCK_DISK	no disk of this name ---> new: added, scanned for partitions
 *				one that waits ---------> the same? coupled: what has waited is issued
 *	end of the session	uncoupled: in flight, once the device is quiet -> to be issued again, or EIO;
 *				removed if its partitions are still looked for
 *	wait_ms later		still uncoupled: EIO, until it is coupled
 *	UDF_PORT_BLOCK_GONE, unbinding		removed
 */
#include <linux/dma-mapping.h>
#include <linux/eventfd.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "block.h"
#include "compat.h"

/* ---- waiting, failing, going; with the block's lock ---- */

/* Let the queue run again, for better or worse. */
static void resume(struct udf_disk *d)
{
	if (!d->disk)
		return;
	if (d->quiesced)
		blk_mq_unquiesce_queue(d->disk->queue);
	d->quiesced = false;
	blk_mq_kick_requeue_list(d->disk->queue);
}

static void uncouple(struct udf_disk *d)
{
	WRITE_ONCE(d->id, 0);
	if (!d->disk || d->quiesced || d->failing)
		return;
	/* no need to wait: whoever is on its way finds the queue not running */
	blk_mq_quiesce_queue_nowait(d->disk->queue);
	d->quiesced = true;
}

/* Returns whether one has waited. */
static bool fail_waiting(struct udf_block *b)
{
	struct udf_disk *d;
	bool any = false;

	list_for_each_entry(d, &b->disks, list) {
		if (d->id || d->failing)
			continue;
		WRITE_ONCE(d->failing, true);
		resume(d);
		any = true;
	}
	return any;
}

static void remove_disk(struct udf_disk *d)
{
	struct udf_block *b = d->block;

	list_move(&d->list, &b->leaving);
	b->nr_disks--;
	WRITE_ONCE(d->dead, true);
	WRITE_ONCE(d->id, 0);
	resume(d);
	queue_work(b->wq, &d->remove);
}

static void on_expire(struct work_struct *work)
{
	struct udf_block *b = container_of(work, struct udf_block, expire.work);

	mutex_lock(&b->lock);
	/* Between udf_block_stop() and udf_block_end() requests are still to be put back; then the wait begins anew. */
	if ((b->running || !b->coupled) && fail_waiting(b))
		dev_warn(b->dev, "no process has performed the requests of its disks for %u ms: they fail from now on\n", b->wait_ms);
	mutex_unlock(&b->lock);
}

/* ---- begin and end of the port's part ---- */

static void free_block(struct kref *ref)
{
	struct udf_block *b = container_of(ref, struct udf_block, ref);
	unsigned int i;

	if (b->tags.tags)
		blk_mq_free_tag_set(&b->tags);
	for (i = 0; b->queue && i < b->nr_queues; i++)
		kvfree(b->queue[i].slot);
	kvfree(b->queue);
	mempool_exit(&b->tables);
	if (b->wq)
		destroy_workqueue(b->wq);
	kfree(b);
}

static int init_queues(struct udf_block *b, unsigned int queues, unsigned int entries)
{
	unsigned int i;
	int ret;

	b->nr_queues = queues;
	b->entries = entries;
	b->queue = kvcalloc(queues, sizeof(*b->queue), GFP_KERNEL);
	for (i = 0; b->queue && i < queues; i++) {
		b->queue[i].block = b;
		spin_lock_init(&b->queue[i].lock);
		spin_lock_init(&b->queue[i].reap_lock);
		b->queue[i].slot = kvcalloc(entries, sizeof(*b->queue[i].slot), GFP_KERNEL);
		if (!b->queue[i].slot)
			return -ENOMEM;
	}
	if (!b->queue)
		return -ENOMEM;
	b->tags = (struct blk_mq_tag_set){
		.ops = &udf_block_ops,
		.nr_hw_queues = queues,
		.queue_depth = entries,
		.cmd_size = udf_block_request_size,
		.numa_node = dev_to_node(b->dev),
		/* the driver's own kernel code may have a scheduler, if the disk wants one */
		.flags = BLK_MQ_F_SHOULD_MERGE | BLK_MQ_F_NO_SCHED_BY_DEFAULT,
		.driver_data = b,
	};
	ret = blk_mq_alloc_tag_set(&b->tags);
	if (!ret)
		b->nr_queues = b->tags.nr_hw_queues;
	return ret;
}

static struct udf_block *new_block(struct udf_port *port, unsigned int queues, unsigned int entries)
{
	struct udf_block *b = kzalloc(sizeof(*b), GFP_KERNEL);
	int ret;

	if (!b)
		return ERR_PTR(-ENOMEM);
	kref_init(&b->ref);
	b->port = port;
	b->dev = &port->pdev->dev;
	mutex_init(&b->lock);
	mutex_init(&b->touch_lock);
	INIT_LIST_HEAD(&b->disks);
	INIT_LIST_HEAD(&b->leaving);
	INIT_DELAYED_WORK(&b->expire, on_expire);
	b->wq = alloc_workqueue("udf/%s", WQ_UNBOUND | WQ_MEM_RECLAIM, 0, pci_name(port->pdev));
	ret = b->wq ? mempool_init_kmalloc_pool(&b->tables, 2, UDF_SEGMENTS * sizeof(struct scatterlist)) : -ENOMEM;
	if (!ret)
		ret = init_queues(b, min(queues, nr_cpu_ids), entries);
	if (!ret)
		return b;
	kref_put(&b->ref, free_block);
	return ERR_PTR(ret);
}

/* ---- sessions ---- */

static int make_rings(struct udf_block *b, struct udf_port_block_start *s)
{
	size_t lists = (size_t)b->entries * UDF_SEGMENTS * sizeof(struct udf_ring_segment);
	unsigned int i;

	s->ring_size = udf_ring_size(b->entries);
	s->list_offset = PAGE_ALIGN(s->ring_size);
	s->ring_stride = s->list_offset + PAGE_ALIGN(lists);
	b->rings_size = b->nr_queues * s->ring_stride;
	b->rings = vmalloc_user(b->rings_size);
	if (!b->rings)
		return -ENOMEM;
	for (i = 0; i < b->nr_queues; i++) {
		struct udf_queue *q = &b->queue[i];
		void *ring = b->rings + i * s->ring_stride;

		if (udf_ring_create(&q->ring, ring, s->ring_size, b->entries))
			return -EINVAL;
		udf_ring_wait_cq(&q->ring);
		q->lists = ring + s->list_offset;
	}
	return 0;
}

/* Both sides of all queues see it when this returns. */
static void set_running(struct udf_block *b, bool running)
{
	unsigned int i;

	for (i = 0; i < b->nr_queues; i++) {
		struct udf_queue *q = &b->queue[i];

		spin_lock(&q->lock);
		spin_lock(&q->reap_lock);
		q->running = running;
		spin_unlock(&q->reap_lock);
		if (q->eventfd && !running) {
			eventfd_ctx_put(q->eventfd);
			q->eventfd = NULL;
		}
		spin_unlock(&q->lock);
	}
	b->running = running;
}

static int start(struct udf_block *b, struct udf_port_block_start *s)
{
	int ret;

	if (b->running || b->rings)
		return -EBUSY;
	/* what the process sees of requests ends there; the DMA memory's own mask is another */
	ret = dma_set_mask(b->dev, DMA_BIT_MASK(min_t(u32, s->dma_bits, UDF_PORT_REQUEST_BITS)));
	if (!ret) {
		dma_set_max_seg_size(b->dev, UINT_MAX);
		ret = make_rings(b, s);
	}
	if (ret) {
		vfree(b->rings);
		b->rings = NULL;
		return ret;
	}
	b->fail = s->flags & UDF_PORT_BLOCK_FAIL;
	b->wait_ms = s->wait_ms;
	s->queues = b->nr_queues;
	s->entries = b->entries;
	s->segments = UDF_SEGMENTS;
	set_running(b, true);
	return 0;
}

int udf_block_start_ioctl(struct udf_port *port, void *arg)
{
	struct udf_port_block_start *s = arg;
	struct udf_block *b = port->block;
	int ret;

	if (!s->queues || s->queues > UDF_PORT_QUEUES_MAX || s->entries > 1024 || !udf_ring_size(s->entries) || s->dma_bits < 24 ||
	    s->dma_bits > 64 || s->segments || s->ring_size || s->ring_stride || s->list_offset)
		return -EINVAL;
	if (!b) {
		b = new_block(port, s->queues, s->entries);
		if (IS_ERR(b))
			return PTR_ERR(b);
		smp_store_release(&port->block, b);
	}
	mutex_lock(&b->lock);
	ret = start(b, s);
	mutex_unlock(&b->lock);
	return ret;
}

int udf_block_eventfd_ioctl(struct udf_port *port, void *arg)
{
	const struct udf_port_block_eventfd *e = arg;
	struct udf_block *b = port->block;
	struct eventfd_ctx *ctx, *old;
	struct udf_queue *q;

	if (!b || !b->running || e->queue >= b->nr_queues || e->fd < -1)
		return -EINVAL;
	ctx = e->fd >= 0 ? eventfd_ctx_fdget(e->fd) : NULL;
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	q = &b->queue[array_index_nospec(e->queue, b->nr_queues)];
	spin_lock(&q->lock);
	old = q->eventfd;
	q->eventfd = ctx;
	spin_unlock(&q->lock);
	if (old)
		eventfd_ctx_put(old);
	return 0;
}

int udf_block_bell_ioctl(struct udf_port *port, void *arg)
{
	const struct udf_port_block_bell *bell = arg;
	struct udf_block *b = smp_load_acquire(&port->block);
	int ret = b && !bell->reserved ? 0 : -EINVAL;
	unsigned int i;

	for (i = 0; !ret && i < b->nr_queues; i++)
		if (bell->queues >> i & 1)
			ret = udf_queue_reap(&b->queue[i]);
	if (ret == -EPROTO)
		udf_lose(port, "its process has broken a ring of requests");
	return ret;
}

int udf_block_mmap(struct udf_port *port, struct vm_area_struct *vma)
{
	struct udf_block *b = port->block;

	return b && b->rings ? remap_vmalloc_range(vma, b->rings, vma->vm_pgoff - (UDF_PORT_MMAP_RINGS >> PAGE_SHIFT)) : -EINVAL;
}

void udf_block_stop(struct udf_port *port)
{
	struct udf_block *b = port->block;
	struct udf_disk *d;

	if (!b)
		return;
	mutex_lock(&b->lock);
	set_running(b, false);
	list_for_each_entry(d, &b->disks, list)
		uncouple(d);
	b->stopped = start_poll_synchronize_rcu();
	mutex_unlock(&b->lock);
}

/* Whether anybody can know of the disk: not while its partitions are looked for. */
static bool is_announced(const struct udf_disk *d)
{
	return d->disk && disk_live(d->disk) && !dev_get_uevent_suppress(disk_to_dev(d->disk));
}

void udf_block_end(struct udf_port *port)
{
	struct udf_block *b = port->block;
	struct udf_disk *d, *next;
	bool fail = !port->bound;
	unsigned int i;

	if (!b)
		return;
	mutex_lock(&b->lock);
	fail |= b->fail;
	for (i = 0; i < b->nr_queues; i++)
		udf_queue_take_back(&b->queue[i], fail);
	/* Looking for partitions would wait, too, and so would every sync() of the machine; whoever announces it next begins anew. */
	list_for_each_entry_safe(d, next, &b->disks, list)
		if (!is_announced(d))
			remove_disk(d);
	if (fail)
		fail_waiting(b);
	else if (b->coupled && b->wait_ms)
		mod_delayed_work(b->wq, &b->expire, msecs_to_jiffies(b->wait_ms));
	b->coupled = false;
	mutex_unlock(&b->lock);
}

void udf_block_close(struct udf_port *port)
{
	struct udf_block *b = port->block;

	if (!b || !b->rings)
		return;
	/* who is on its way with a request, and describes its memory there before it finds that nothing runs */
	cond_synchronize_rcu(b->stopped);
	vfree(b->rings);
	b->rings = NULL;
}

/* ---- disks ---- */

static ssize_t show_text(const char *text, char *buf)
{
	return sysfs_emit(buf, "%s\n", text);
}

static const struct udf_port_block_disk *is_of(struct device *dev)
{
	const struct udf_disk *d = dev_to_disk(dev)->private_data;

	return &d->is;
}

static ssize_t serial_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return show_text(is_of(dev)->serial, buf);
}

static ssize_t model_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return show_text(is_of(dev)->model, buf);
}

static ssize_t wwid_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return show_text(is_of(dev)->wwid, buf);
}

/* Whether a process performs its requests: "coupled", "waiting", "failing". */
static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct udf_disk *d = dev_to_disk(dev)->private_data;

	return show_text(READ_ONCE(d->id) ? "coupled" : READ_ONCE(d->failing) || READ_ONCE(d->dead) ? "failing" : "waiting", buf);
}

static DEVICE_ATTR_RO(serial);
static DEVICE_ATTR_RO(model);
static DEVICE_ATTR_RO(wwid);
static DEVICE_ATTR_RO(state);

static struct attribute *disk_attrs[] = { &dev_attr_serial.attr, &dev_attr_model.attr, &dev_attr_wwid.attr, &dev_attr_state.attr, NULL };
ATTRIBUTE_GROUPS(disk);

static void free_udf_disk(struct udf_disk *d)
{
	struct udf_block *b = d->block;

	kfree(d);
	kref_put(&b->ref, free_block);
}

static void free_disk(struct gendisk *disk)
{
	free_udf_disk(disk->private_data);
}

static const struct block_device_operations disk_ops = { .owner = THIS_MODULE, .free_disk = free_disk, .report_zones = udf_report_zones };

static void name_disk(struct udf_disk *d, struct gendisk *disk)
{
	disk->fops = &disk_ops;
	disk->private_data = d;
	snprintf(disk->disk_name, sizeof(disk->disk_name), "udf-%s-%.13s", dev_name(d->block->dev), d->is.name);
	set_disk_ro(disk, d->is.flags & UDF_PORT_DISK_READ_ONLY);
	if (d->is.flags & UDF_PORT_DISK_REMOVABLE)
		disk->flags |= GENHD_FL_REMOVABLE;
}

/* Allocating a disk may wait for requests of the others, since they share the tags. */
static void on_add(struct work_struct *work)
{
	struct udf_disk *d = container_of(work, struct udf_disk, add);
	struct udf_block *b = d->block;
	struct gendisk *disk = udf_alloc_disk(&b->tags, &d->is, b->dev, UDF_SEGMENTS, d);
	int ret = PTR_ERR_OR_ZERO(disk);

	if (!ret) {
		name_disk(d, disk);
		mutex_lock(&b->lock);
		d->disk = disk;
		set_capacity(disk, d->is.size >> SECTOR_SHIFT);
		if (!d->id)
			uncouple(d);
		if (d->dead)
			resume(d);
		mutex_unlock(&b->lock);
		ret = d->is.zone_size ? udf_revalidate_zones(disk) : 0;
	}
	if (!ret && READ_ONCE(d->dead))
		ret = -ENODEV;
	if (!ret)
		ret = device_add_disk(b->dev, disk, disk_groups);
	d->added = !ret;
	mutex_lock(&b->lock);
	if (ret && !d->dead) {
		dev_err(b->dev, "%s cannot become a block device: error %d\n", d->is.name, ret);
		remove_disk(d);		/* whoever announces it next begins anew */
	}
	mutex_unlock(&b->lock);
}

static struct udf_disk *find_disk(struct list_head *disks, const char *name)
{
	struct udf_disk *d;

	list_for_each_entry(d, disks, list)
		if (!strcmp(d->is.name, name))
			return d;
	return NULL;
}

/* The next disk of this name has waited for the last one of it to go. */
static void on_remove(struct work_struct *work)
{
	struct udf_disk *d = container_of(work, struct udf_disk, remove), *next;
	struct udf_block *b = d->block;
	bool added;

	flush_work(&d->add);
	added = d->added;
	if (added)
		del_gendisk(d->disk);
	mutex_lock(&b->lock);
	list_del(&d->list);
	next = find_disk(&b->disks, d->is.name);
	if (next && !find_disk(&b->leaving, d->is.name))
		queue_work(b->wq, &next->add);
	mutex_unlock(&b->lock);
	if (d->disk)
		put_disk(d->disk);
	if (!added)
		free_udf_disk(d);
}

static bool is_text(const char *text, size_t size)
{
	size_t i, len = strnlen(text, size);

	for (i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return len < size;
}

static bool is_name(const char *name)
{
	return *name && strlen(name) <= UDF_PORT_DISK_NAME_MAX && !name[strspn(name, UDF_PORT_DISK_NAME_CHARS)];
}

static bool is_valid(const struct udf_port_block_disk *a)
{
	const u32 flags = UDF_PORT_DISK_READ_ONLY | UDF_PORT_DISK_WRITE_CACHE | UDF_PORT_DISK_FUA | UDF_PORT_DISK_ROTATIONAL | UDF_PORT_DISK_REMOVABLE |
			  UDF_PORT_DISK_ZONED;

	return !(a->flags & ~flags) && a->id && !a->differs && udf_is_power(a->logical_block, SECTOR_SIZE, PAGE_SIZE) &&
	       udf_is_power(a->physical_block, a->logical_block, SZ_1M) && !(a->io_min % SECTOR_SIZE) && !(a->io_opt % SECTOR_SIZE) &&
	       a->max_bytes >= PAGE_SIZE && a->max_segments && a->max_segment_size >= PAGE_SIZE &&
	       udf_is_power(a->dma_alignment + 1ull, 1, PAGE_SIZE) && udf_is_power(a->virt_boundary + 1ull, 1, SZ_1M) &&
	       !(a->discard_granularity % SECTOR_SIZE) && !(a->discard_alignment % SECTOR_SIZE) && !(a->size % a->logical_block) &&
	       a->size <= LLONG_MAX && is_text(a->name, sizeof(a->name)) && is_name(a->name) && is_text(a->serial, sizeof(a->serial)) &&
	       is_text(a->model, sizeof(a->model)) && is_text(a->wwid, sizeof(a->wwid)) && udf_zones_are_valid(a);
}

static int new_disk(struct udf_block *b, const struct udf_port_block_disk *a)
{
	struct udf_disk *d = kzalloc(sizeof(*d), GFP_KERNEL);

	if (!d)
		return -ENOMEM;
	kref_get(&b->ref);
	d->block = b;
	d->is = *a;
	INIT_WORK(&d->add, on_add);
	INIT_WORK(&d->remove, on_remove);
	WRITE_ONCE(d->id, a->id);
	list_add_tail(&d->list, &b->disks);
	b->nr_disks++;
	if (!find_disk(&b->leaving, a->name))
		queue_work(b->wq, &d->add);
	return 0;
}

static u32 differs(const struct udf_port_block_disk *was, const struct udf_port_block_disk *is)
{
	u32 ret = 0;

	if (strcmp(was->serial, is->serial) || strcmp(was->model, is->model) || strcmp(was->wwid, is->wwid))
		ret |= UDF_PORT_DIFFERS_SERIAL;
	if (was->size != is->size)
		ret |= UDF_PORT_DIFFERS_SIZE;
	if (was->logical_block != is->logical_block || was->zone_size != is->zone_size || is->flags & ~was->flags & UDF_PORT_DISK_READ_ONLY)
		ret |= UDF_PORT_DIFFERS_FORMAT;
	return ret;
}

static void couple(struct udf_disk *d, u32 id)
{
	WRITE_ONCE(d->failing, false);
	WRITE_ONCE(d->id, id);
	resume(d);
}

static int announce(struct udf_block *b, struct udf_port_block_disk *a)
{
	struct udf_disk *d = find_disk(&b->disks, a->name);
	int ret = 0;

	if (d && d->id && d->id != a->id)
		return -EEXIST;
	if (!d && b->nr_disks == UDF_PORT_DISKS_MAX)
		return -EMFILE;
	if (a->zone_size && (!UDF_ZONED || (d && d->id && d->is.size != a->size)))
		return -EOPNOTSUPP;
	if (d && d->id) {
		if (d->is.size != a->size && d->disk)
			set_capacity_and_notify(d->disk, a->size >> SECTOR_SHIFT);
		d->is.size = a->size;
	} else if (d) {
		a->differs = differs(&d->is, a);
		if (!a->differs)
			couple(d, a->id);
		else
			dev_warn(b->dev, "udf-%s-%s waits for another disk than the driver has now: the %s differs\n", dev_name(b->dev), d->is.name,
				 a->differs & UDF_PORT_DIFFERS_SERIAL ? "serial number" : a->differs & UDF_PORT_DIFFERS_SIZE ? "size" : "format");
	} else {
		ret = new_disk(b, a);
	}
	if (!ret && !a->differs)
		b->coupled = true;
	return ret;
}

/* Memory that is needed here must not wait for requests: they may be ours. */
static struct udf_block *lock_running(struct udf_port *port, unsigned int *noio)
{
	struct udf_block *b = smp_load_acquire(&port->block);

	if (!b)
		return NULL;
	*noio = memalloc_noio_save();
	mutex_lock(&b->lock);
	if (b->running)
		return b;
	mutex_unlock(&b->lock);
	memalloc_noio_restore(*noio);
	return NULL;
}

static void unlock(struct udf_block *b, unsigned int noio)
{
	mutex_unlock(&b->lock);
	memalloc_noio_restore(noio);
}

int udf_block_disk_ioctl(struct udf_port *port, void *arg)
{
	struct udf_port_block_disk *a = arg;
	struct udf_block *b;
	unsigned int noio;
	int ret;

	if (!is_valid(a))
		return -EINVAL;
	b = lock_running(port, &noio);
	if (!b)
		return -EINVAL;
	ret = announce(b, a);
	unlock(b, noio);
	return ret;
}

int udf_block_gone_ioctl(struct udf_port *port, void *arg)
{
	const struct udf_port_block_gone *g = arg;
	struct udf_block *b;
	struct udf_disk *d;
	unsigned int noio;
	int ret = -ENOENT;

	b = g->id ? lock_running(port, &noio) : NULL;
	if (!b)
		return -EINVAL;
	list_for_each_entry(d, &b->disks, list) {
		if (d->id != g->id)
			continue;
		remove_disk(d);
		ret = 0;
		break;
	}
	unlock(b, noio);
	return ret;
}

/* The port is no more, and nothing runs; its disks may still be open. */
void udf_block_remove(struct udf_port *port)
{
	struct udf_block *b = port->block;
	struct udf_disk *d, *next;

	if (!b)
		return;
	cancel_delayed_work_sync(&b->expire);
	mutex_lock(&b->lock);
	list_for_each_entry_safe(d, next, &b->disks, list)
		remove_disk(d);
	mutex_unlock(&b->lock);
	flush_workqueue(b->wq);
}

/* With the port itself. */
void udf_block_put(struct udf_port *port)
{
	if (port->block)
		kref_put(&port->block->ref, free_block);
	port->block = NULL;
}
