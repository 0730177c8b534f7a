/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Front ends: what an application sees of the driver, at the class-device boundary. Kernel world.
 *
 *   disk.c     the disks that drivers registered: found by their uevents, opened on demand, described in the host's table
 *   queue.c    a kernel thread per vCPU that takes requests from rings; completions
 *   request.c  a request as bios of the block layer
 *   zone.c     requests of zoned disks
 *   memory.c   chunks of the arena for the application's buffers
 *   foreign.c  memory of others, which the device reaches
 *
 * The first part is what the rest of kapi calls; the second is shared by the files of this folder.
 */
#ifndef KAPI_FRONT_KAPI_FRONT_H
#define KAPI_FRONT_KAPI_FRONT_H

#include <linux/blkdev.h>
#include <linux/kobject.h>
#include <linux/llist.h>
#include <linux/percpu-refcount.h>
#include <linux/types.h>

#include "front.h"
#include "udf/ring.h"

/* At boot, after the block layer's init functions and after all vCPUs are up, from a kernel thread. Once. */
void kapi_front_init(void);

/* HOST_PEND_FRONT was pending on the calling vCPU; hard-interrupt context. */
void kapi_front_pend(void);

/*
 * From BEGIN to end, on one vCPU and without a task switch, completions for those that it is dear to tell are gathered; they are told at the end.
 * Nests.
 */
void kapi_front_gather(bool begin);

/* Whether a ring of vCPU CPU has entries that nobody has taken: for an idle loop that polls. Any context. */
bool kapi_front_busy(unsigned int cpu);

/* From the replacement of kobject_uevent_env(), before the event leaves the kernel world; process context. */
void kapi_front_uevent(struct kobject *kobj, enum kobject_action action, char *envp[]);

/* HOST_CMD_FRONT: perform C (memory of the host world) and return its result. May sleep; kernel thread. */
long kapi_front_command(struct host_front_command *c);

/* ---- within kapi/front ---- */

struct kapi_queue;

/* What a request must know of its queue; see queue.c. */
struct kapi_queue_traits {
	const struct kapi_domain *domain;	/* whose memory its requests name; NULL: this process's application */
	bool polls;			/* requests may be polled for */
	bool gathered;			/* they are the machine's kernel's, which is told of completions by the run */
	const unsigned int *nr_polled;	/* by its thread; then that must not wait: what it would wait for may wait for that */
};

/* A disk slot. Its place in the array is its slot of the host's table. */
struct kapi_disk {
	unsigned int id;		/* 0: free */
	unsigned int live_id;		/* equals id while open: requests are accepted */
	struct gendisk *disk;		/* a reference on its device */
	struct block_device *bdev;	/* open */
	fmode_t mode;
	unsigned int opens;
	unsigned long state;		/* KAPI_DISK_* bits */
	struct percpu_ref users;	/* requests in flight */
	struct completion unused;
	struct work_struct work;
};

/* One request of a ring, from take to post. The bio is embedded: nothing is allocated for an ordinary read or write. */
struct kapi_request {
	struct bio bio;
	struct bio_vec vec[UDF_RING_INLINE];
	struct bio_vec *list;		/* more segments than these: allocated */
	struct kapi_queue *queue;
	const struct kapi_queue_traits *traits;	/* the queue's */
	struct kapi_disk *disk;
	struct kapi_request *next;	/* while free */
	struct llist_node done;		/* while it is gathered, with its result */
	int result;
	bool polled;			/* its completion is polled for, by its queue's thread */
	bool again;			/* it could not be submitted without waiting: a work item does it */
	struct list_head poll;		/* then */
	struct udf_ring_sqe sqe;
	struct work_struct work;	/* for what may take long */
};

/* Whether requests of this operation change what is on a disk. */
static inline bool kapi_op_writes(unsigned int op)
{
	return op != UDF_RING_READ && op != UDF_RING_FLUSH;
}

extern struct workqueue_struct *kapi_front_wq;

/* disk.c */
void kapi_disks_init(void);
int kapi_disk_open(unsigned int id);
int kapi_disk_close(unsigned int id);
/* The open disk ID with a use of it, NULL when there is none; given back by kapi_disk_put(). Any context. */
struct kapi_disk *kapi_disk_get(unsigned int id);
void kapi_disk_put(struct kapi_disk *d);
/* Give back N uses at once. */
void kapi_disk_put_many(struct kapi_disk *d, unsigned int n);

/* queue.c */
void kapi_queues_init(void);
int kapi_queue_attach(struct host_front_command *c);
int kapi_queue_detach(struct host_front_command *c);
int kapi_queue_drain(unsigned long handle);
/* R is done: post its completion and reuse it. Any context. */
void kapi_queue_complete(struct kapi_request *r, int result);
/* Whether R may be polled for; if so it is, from now until its completion. Called by kapi_request_start(). */
bool kapi_queue_poll(struct kapi_request *r);
/* R, which may be polled for, could not be submitted without waiting: kapi_request_slow() follows. Any context. */
void kapi_queue_again(struct kapi_request *r);

/* request.c */
/*
 * Check R->sqe and send it on its way; kapi_queue_complete() follows in any case. May sleep for a free request of the driver, unless
 * its thread polls.
 */
void kapi_request_start(struct kapi_request *r);
/* The same for what takes long, or for what could not be started without waiting. */
void kapi_request_slow(struct work_struct *work);

/* The segments of R's data, checked; an error pointer: they are not as they must be. Once for each request. */
struct bio_vec *kapi_request_table(struct kapi_request *r);
/* ERR as who has sent R shall see it. */
int kapi_request_error(const struct kapi_request *r, int err);

/* zone.c */
/* Whether R, whose disk is known, is to be performed by kapi_zone_perform(), which sleeps, rather than as others are. */
bool kapi_zone_is_special(const struct kapi_request *r);
/* Returns 0 or a negative errno. */
int kapi_zone_perform(struct kapi_request *r);

/* queue.c */
/* The N segments that a request of Q's has listed at ADDR; NULL: it may not. Any context. */
const struct udf_ring_segment *kapi_queue_list(const struct kapi_queue *q, unsigned long addr, unsigned int n);

/* memory.c */
int kapi_chunk_alloc(struct host_front_command *c);
int kapi_chunk_free(unsigned long addr);
/* Whether ADDR ... ADDR+LEN lies in chunks. Any context. */
bool kapi_chunk_owns(unsigned long addr, unsigned long len);

/* foreign.c */
struct kapi_region {
	unsigned long base;	/* physical address */
	unsigned long len;	/* 0: unused */
};

struct kapi_domain {
	struct kapi_region region[HOST_FRONT_REGIONS];
};

/* NULL: no such domain. */
struct kapi_domain *kapi_domain_get(unsigned int domain);
int kapi_region_add(struct host_front_command *c);
int kapi_region_remove(struct host_front_command *c);

/* Where the LEN bytes (not 0) are that a request names by ADDR, in the domain D; 0: it may not. Any context. */
static inline unsigned long kapi_memory(const struct kapi_domain *d, unsigned long addr, unsigned long len)
{
	unsigned long offset = addr & ((1ul << UDF_RING_REGION_SHIFT) - 1), size;
	const struct kapi_region *m;

	if (likely(!d))
		return kapi_chunk_owns(addr, len) ? addr : 0;
	if (addr >> UDF_RING_REGION_SHIFT >= HOST_FRONT_REGIONS)
		return 0;
	m = &d->region[addr >> UDF_RING_REGION_SHIFT];
	size = smp_load_acquire(&m->len);
	return len <= size && offset <= size - len ? m->base + offset : 0;
}

#endif
