/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A driver in another process, as libudf sees it: the application's side of proto.h. Host world.
 *
 *   attach.c       begin and end, what the API's threads ask for    attach-conn.c   the connection's thread: connect, lose, connect again
 *   attach-io.c    requests that are kept, and issued again         attach-disk.c   disks, and whether a successor's are the same
 *   attach-mem.c   memory that the device reaches
 *
 * All that is said over the socket is said by one thread. Others give it jobs: a queue or a disk to be added. What has been added is
 * its own list of how things are to be; after the connection was lost it makes them so again at the driver's successor.
 *
 *   OFFLINE --connect, HELLO, regions, rings--> ONLINE --connection breaks, lease ends--> OFFLINE
 *   either one --on-loss=fail, time limit, or udf_close()--> OVER
 *
 * A request is kept from submission to completion. It is in a ring while its queue is online and its disk is coupled (is the one that was
 * opened, at this driver process, too). Re-issuing: the lease has ended, so nothing of the old driver is under way any more; the ring is
 * made anew; every request that has not been taken out of the old one as completed is pushed again, in the order of submission, under a new
 * tag, so that a completion of old is not taken for the new one's.
 */
#ifndef UDF_FRONT_ATTACH_H
#define UDF_FRONT_ATTACH_H

#include <pthread.h>

#include "front/internal.h"
#include "front/proto.h"

#define UDF_ATTACH_REGION	(64ul << 20)	/* bytes; the heap takes chunks of 4 MiB out of it */
#define UDF_ATTACH_REGIONS	32u

enum udf_attach_state { UDF_ATTACH_OFFLINE, UDF_ATTACH_ONLINE, UDF_ATTACH_OVER };

/* What another thread wants of the connection's. Returns 0 or a negative errno; -ECONNRESET: once more, at the successor. */
struct udf_attach_job {
	int (*run)(struct udf_attach *a, void *object);
	int (*run_offline)(struct udf_attach *a, void *object);	/* NULL: it waits until a driver is there */
	void *object;
	int result;
	bool done;
	struct udf_attach_job *next;
};

struct udf_attach {
	struct udf *udf;
	char *path;
	bool loss_fails;
	unsigned int loss_timeout;	/* seconds, 0: none */

	pthread_mutex_t lock;		/* state, jobs, closing */
	pthread_cond_t done;
	enum udf_attach_state state;
	struct udf_attach_job *jobs, **last_job;
	bool closing;

	/* the connection's thread's own, once that runs */
	pthread_t thread;
	bool has_thread;
	int sock, lease, wake;
	uint32_t next_id;
	bool greeting;			/* connected, and not yet answered to */
	uint64_t mem_granule;
	uint64_t lost_at;		/* since when a disk is not coupled; 0: all are */
	struct udf_queue *queues;
	struct udf_queue *numbers[UDF_PROTO_QUEUES];
	struct udf_disk *disks;
	bool couple;			/* there may be something to couple */
	char why[400];			/* of the loss, or why the successor is not taken */
	char said[400];			/* the reason that was logged last */

	int doorbell;			/* always the same number, whichever driver process it rings at */

	/* disks: SLOT of the driver process's table is local slot slots[SLOT], or -1 */
	int slots[HOST_FRONT_DISKS];
	struct {
		unsigned int remote;	/* id there, 0: not there (yet) */
		bool stale;		/* of the predecessor, not seen at this one */
	} local[HOST_FRONT_DISKS];
	unsigned int generation;

	/* memory */
	void *reserved;			/* address space for all regions, aligned at ... */
	char *va;
	unsigned int max_regions, nr_regions, nr_chunks;
	struct {
		int fd;
		bool told;		/* the driver process has it */
	} region[UDF_ATTACH_REGIONS];
};

/* ---- for the rest of libudf ---- */

/* Connect to the driver process that O names; for udf_open(). Sets UDF->attach, ->news, ->cpus. */
int udf_attach_open(struct udf *udf, struct udf_options *o);
/* End the connection: the driver process completes what is in flight and forgets us. */
void udf_attach_stop(struct udf_attach *a);
/* Release the rest, after that of all queues and disks. */
void udf_attach_free(struct udf *udf);

/* The rest of HOST_FRONT_ALLOC and HOST_FRONT_FREE. */
int udf_attach_command(struct udf_attach *a, struct host_front_command *c);
/* May block, while the driver process is being replaced, and fail with -ENODEV. */
int udf_attach_queue_add(struct udf_queue *q);
void udf_attach_queue_remove(struct udf_queue *q);
int udf_attach_disk_open(struct udf_disk *disk);
void udf_attach_disk_close(struct udf_disk *disk);
void udf_attach_stats(struct udf_attach *a, struct udf_stats *stats);

/* What names P, within memory of the heap, in a request. */
static inline unsigned long udf_attach_address(const struct udf_attach *a, const void *p)
{
	unsigned long at = (unsigned long)((const char *)p - a->va);

	return at / UDF_ATTACH_REGION << UDF_RING_REGION_SHIFT | at % UDF_ATTACH_REGION;
}

/* Under Q's sq_lock: keep request E of slot INDEX, which names DISK. Returns whether it is to be pushed now. */
bool udf_attach_keep(struct udf_queue *q, unsigned int index, struct udf_disk *disk, struct udf_ring_sqe *e);
/* The driver process sleeps, and there is something in a ring. */
void udf_attach_kick(struct udf_attach *a);

/* ---- between attach*.c; the connection's thread unless noted ---- */

/* Any thread: have JOB done. Returns its result, -ENODEV when it is over. */
int udf_attach_do(struct udf_attach *a, struct udf_attach_job *job);
void *udf_attach_thread(void *arg);
/* Connect, HELLO. WHY (LEN bytes) says what went wrong. */
int udf_attach_connect(struct udf_attach *a, char *why, size_t len);
void udf_attach_disconnect(struct udf_attach *a);
/* Make the driver process serve Q, which is in the list. */
int udf_attach_queue_tell(struct udf_attach *a, struct udf_queue *q);
/* Send M with FD, wait for the reply, which replaces it. Returns the reply's result, or -ECONNRESET, also when it is to be closed. */
int udf_attach_call(struct udf_attach *a, struct udf_msg *m, int fd);

/* attach-io.c */
/* The ring is nobody's now: make it anew. */
void udf_attach_queue_reset(struct udf_queue *q);
/* Push what is kept and not in the ring, of DISK, or (NULL) of all that are coupled. */
void udf_attach_queue_push(struct udf_queue *q, struct udf_disk *disk);
void udf_attach_queue_online(struct udf_queue *q, bool online);

/* attach-disk.c */
/* The driver process tells of a slot of its table. Returns 0 or -EPROTO. */
int udf_attach_disk_news(struct udf_attach *a, const struct udf_msg *m);
/* The connection is lost: all that is known is the predecessor's. */
void udf_attach_disks_stale(struct udf_attach *a);
/* Couple what can be. Returns -ECONNRESET or 0. */
int udf_attach_couple(struct udf_attach *a);
/* Whether all open disks are coupled. */
bool udf_attach_coupled(const struct udf_attach *a);
int udf_attach_run_disk_open(struct udf_attach *a, void *disk);
int udf_attach_run_disk_close(struct udf_attach *a, void *disk);
int udf_attach_run_disk_forget(struct udf_attach *a, void *disk);

/* attach-mem.c */
int udf_attach_mem_init(struct udf_attach *a, uint64_t max);
void udf_attach_mem_free(struct udf_attach *a);
/* Tell another driver process of all regions. Returns 0 or a negative errno. */
int udf_attach_mem_tell(struct udf_attach *a);

#endif
