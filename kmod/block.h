/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's block devices for the disks of a driver process. What block.c and block-io.c share.
 *
 * A port has one udf_block from its first UDF_PORT_BLOCK_START on, until its last disk is forgotten: block devices outlive sessions, and those
 * that are open outlive the port. A disk is coupled (id is not 0) while a process performs its requests. Otherwise its queue is
 * quiesced: requests wait, those that were in flight at the end of a session as well as new ones. It is failing when it has waited too long.
 *
 * Locks, in this order: udf_port.lock, udf_block.lock, udf_queue's. None is held while a request is waited for: adding a disk
 * reads its partition table, removing it waits for what is in flight; both are work items.
 */
#ifndef UDF_KMOD_BLOCK_H
#define UDF_KMOD_BLOCK_H

#include <linux/blk-mq.h>
#include <linux/kref.h>
#include <linux/mempool.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "port.h"
#include "udf/ring.h"

#define UDF_SEGMENTS 128	/* of a request, at most */

/* A request in flight; its place is its tag. */
struct udf_slot {
	struct request *rq;		/* NULL: free. Who exchanges it for NULL is to end the request */
	bool touched;			/* its memory may be mapped by the process */
	unsigned int nr_sg;		/* 0: one segment, or none */
	struct scatterlist *sg;
	dma_addr_t dev;			/* the one segment */
	unsigned int len;		/* 0: none */
};

struct udf_queue {
	struct udf_block *block;
	struct udf_ring ring;
	struct udf_ring_segment *lists;
	struct udf_slot *slot;
	struct eventfd_ctx *eventfd;
	bool running;			/* changes with both locks */
	spinlock_t lock ____cacheline_aligned_in_smp;		/* submission */
	spinlock_t reap_lock ____cacheline_aligned_in_smp;	/* completion */
};

struct udf_block {
	struct kref ref;		/* the port's, and each disk's */
	struct udf_port *port;		/* valid while the port is */
	struct device *dev;		/* the PCI function's; so is this */
	struct blk_mq_tag_set tags;
	struct udf_queue *queue;
	unsigned int nr_queues, entries;
	mempool_t tables;		/* scatterlists */
	struct workqueue_struct *wq;
	struct delayed_work expire;

	struct mutex lock;		/* what follows */
	struct list_head disks, leaving;	/* to come and there; being removed */
	unsigned int nr_disks;
	bool running;			/* there is a session that performs requests */
	bool coupled;			/* a disk was, in this session */
	bool fail;			/* at the end of the session requests fail */
	unsigned int wait_ms;
	void *rings;			/* freed when no mapping is left, and nobody writes to them */
	unsigned long stopped;		/* since when: a grace period of RCU, as which requests are issued */
	size_t stride, rings_size;

	struct mutex touch_lock;	/* mapping of requests' memory */
};

struct udf_disk {
	struct udf_block *block;
	struct list_head list;
	struct gendisk *disk;
	struct udf_port_block_disk is;
	struct work_struct add, remove;
	u32 id;				/* 0: not coupled */
	bool quiesced, failing, dead;
	bool added;
};

/* block-io.c */
extern const struct blk_mq_ops udf_block_ops;
extern const unsigned int udf_block_request_size;		/* what each request has for us, bytes */
int udf_queue_reap(struct udf_queue *q);			/* end what the process has completed; may sleep. -EPROTO: the ring is broken */
/* End what is in flight, or send it back to be issued again; the device must be quiet. FAIL: see struct udf_port_block_start. */
void udf_queue_take_back(struct udf_queue *q, bool fail);

/* block-zone.c */
bool udf_zones_are_valid(const struct udf_port_block_disk *a);
int udf_report_zones(struct gendisk *disk, sector_t sector, unsigned int nr, report_zones_cb cb, void *data);

static inline bool udf_is_power(u64 value, u64 low, u64 high)
{
	return value >= low && value <= high && !(value & (value - 1));
}

#endif
