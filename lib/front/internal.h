/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libudf's own: what a port, a disk and a queue consist of. Host world.
 *
 *   options.c  what to drive: text options            modules.c  further modules, as udev would load them
 *   port.c     open and close                         disk.c     the kernel world's table of disks
 *   queue.c    open and close queues                  submit.c   requests into the ring
 *   complete.c completions out of it, and waiting     sync.c     requests that wait
 *   host.c     what the kernel world calls            buddy.c    buffers
 *   proto.c    messages to another process            serve*.c   the driver process's side of an attached application
 *   attach*.c  the application's side: a driver in another process
 *   block*.c   the machine's kernel as an application
 *
 * Locks, from the outside in: udf.lock (queues, disks, the port's state), queue.cq_lock (completions), queue.sq_lock
 * (submissions, free slots). None is held across a callback, or across a call of the driver that waits.
 */
#ifndef UDF_FRONT_INTERNAL_H
#define UDF_FRONT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "core/driver.h"
#include "cpu.h"
#include "front.h"
#include "front/buddy.h"
#include "udf/ring.h"
#include "udf/udf.h"

struct udf_options {
	struct udf_error err;
	char *device, *module, *release, *image, *kapi, *cache, *modules, *firmware;
	char **backends;		/* NULL-terminated */
	unsigned int nr_backends;
	char **params;
	unsigned int nr_params;
	unsigned int nr_drives;		/* back ends that drive= and size= made */
	char *trace, *trace_only, *trace_format;
	bool perf_map;
	unsigned int cpus, function, close_timeout;
	uint64_t memory, memory_max;	/* bytes, 0: the default */
	uint64_t *beats;		/* NULL: no heartbeat */
	unsigned int beat_ms, hung_task_s;
	int (*standby)(void *arg, struct udf_options *o);
	void *standby_arg;
	bool ahead;
	char **ahead_modules;
	unsigned int nr_ahead_modules;
	void (*log)(void *arg, int level, const char *text);
	void *log_arg;
	void (*progress)(void *arg, const char *step, unsigned int percent);
	void *progress_arg;
	char *port;			/* of another process: its socket */
	bool loss_fails;
	unsigned int loss_timeout;	/* seconds, 0: none */
};

/*
 * Have udf_open() call STANDBY when the image is mapped; it may wait, set options that do not concern the image, and then returns 0, or a
 * negative errno that udf_open() fails with. For the port manager's driver processes.
 */
void udf_options_standby(struct udf_options *o, int (*standby)(void *arg, struct udf_options *o), void *arg);
/* And boot before that, with the CPUs and memory that are set: STANDBY should not change them. */
void udf_options_ahead(struct udf_options *o);
/*
 * NAME is a module that the port had the last time. Before udf_open(): the one that is most likely, to be loaded ahead; in STANDBY: the one that it is, and
 * what else was loaded is unloaded. Returns 0 or a negative errno: it must be a name.
 */
int udf_options_ahead_module(struct udf_options *o, const char *name);
/* LIST with its N strings; NULL: none. */
void udf_options_free_list(char **list, unsigned int n);

/* The device's specification with what drive= and size= add to it; to be freed. NULL: no memory. */
char *udf_options_spec(const struct udf_options *o);

/* Loads what uevents ask for, in a thread of its own. */
struct udf_modules;

struct udf_modules *udf_modules_new(void);
/* The driver runs: load what was asked for, and what will be. Returns 0 or a negative errno. */
int udf_modules_start(struct udf_modules *m, struct udf_driver *driver);
/* Of what has been asked for before there is a driver: forget what there is no module for. */
void udf_modules_prune(struct udf_modules *m);
/* An event; from a vCPU. */
void udf_modules_event(struct udf_modules *m, const char *action, const char *const *env, unsigned int n);
/* Let the load that is under way end, and no other begin. Returns false if it has not ended after TIMEOUT_S. */
bool udf_modules_stop(struct udf_modules *m, unsigned int timeout_s);
/* After the driver has stopped. */
void udf_modules_free(struct udf_modules *m);

/* Before there is a port: load O's ahead_modules, and take them from it; what cannot be is logged. Then unload what is not among the port's. */
void udf_modules_load_ahead(struct udf_driver *driver, struct udf_options *o);
void udf_modules_unload_others(struct udf_driver *driver, struct udf_options *o);

/* Load the module that O names, or else the port's, with its parameters. */
int udf_modules_load_first(struct udf_driver *driver, const struct udf_options *o, struct udf_error *err);

/* What disks there are: written by the kernel world, or from another driver process's messages. */
struct udf_news {
	struct host_front_table table;
	atomic_uint changes;		/* futex */
};

struct udf_attach;			/* a driver in another process: attach.h */
struct udf_server;			/* applications in other processes: serve.h */
struct udf_block;			/* the machine's kernel as an application: block.h */

struct udf {
	struct udf_driver *driver;	/* in this process, or ... */
	struct udf_attach *attach;	/* ... in another one */
	_Atomic(struct udf_server *) server;
	_Atomic(struct udf_block *) block;
	struct udf_news *news;
	struct udf_modules *modules;
	struct udf_heap *heap;
	pthread_mutex_t lock;
	atomic_bool lost, closing;
	char why[400];			/* valid once lost */
	unsigned int cpus, close_timeout;
	atomic_uint next_cpu;
	struct udf_queue *queues;	/* all, linked */
	struct udf_queue *own[HOST_CPUS_MAX];	/* for callers without one */
	struct udf_disk *disks;		/* open ones, linked */
	struct udf_orphan *orphans;
	uint64_t requests, bytes_read, bytes_written, bounced, kicks;	/* of closed queues */
	void (*log)(void *arg, int level, const char *text);
	void *log_arg;
	char bound[64];			/* the driver that the port's function is bound to */
	struct udf_options *options;	/* while the driver is being started */
	char *spec;
};

struct udf_disk {
	struct udf *udf;
	struct udf_disk *next;
	unsigned int id;
	atomic_uint seen;		/* state of the table that the following are of */
	_Atomic uint64_t size;
	atomic_uint flags;
	uint32_t block_mask, align_mask;
	atomic_uint remote;		/* attached: its id at the driver process, 0: not coupled; changes under all queues' sq_lock */
	struct udf_disk *attached;	/* next, for the connection's thread */
};

/* A request in flight. */
struct udf_slot {
	udf_done *done;
	void *arg;
	void *bounce;			/* arena memory that stands in for the caller's */
	void *list;			/* arena memory with the list of segments */
	struct iovec one, *iov;		/* the caller's memory; IOV is allocated if it is not &ONE */
	int nr_iov;
	uint32_t len;
	uint32_t tag;			/* changes with each use */
	uint16_t next;			/* while free */
	uint8_t op;
	bool busy;
};

/* What an attached queue keeps of a request, to issue it again. */
struct udf_kept {
	struct udf_ring_sqe e;
	struct udf_disk *disk;
	uint64_t order;			/* requests are issued again in the order they were made */
	bool pushed;			/* the ring has it */
};

/* Who is told of completions. */
struct udf_waker {
	void (*wake)(const struct udf_waker *w);	/* NULL: whoever sleeps on the following */
	atomic_uint *word;		/* futex: changes when a sleeper is to look again */
	atomic_uint *sleepers;		/* NULL: not known here */
	bool shared;			/* with another process */
};

void udf_waker_wake(const struct udf_waker *w);
/* Sleep until the word is not SEEN, until TIMEOUT (NULL: for ever); may return early. */
void udf_waker_wait(const struct udf_waker *w, unsigned int seen, const struct timespec *timeout);

struct udf_waiter;

struct udf_queue {
	struct udf *udf;
	struct udf_queue *next;
	unsigned int cpu, depth, flags;
	void *mem;
	size_t mem_len;
	int mem_fd;			/* attached: the file it lies in, else -1 */
	unsigned long id;		/* the kernel world's; attached: the number in messages */

	pthread_mutex_t sq_lock __attribute__((aligned(64)));
	struct udf_ring sq;		/* the half of the ring that submits */
	struct udf_slot *slots;
	uint16_t free;
	bool dead;			/* takes nothing any more */
	uint64_t kicks, bounced, requests, bytes_read, bytes_written;
	atomic_uint in_flight;
	struct udf_kept *kept;		/* attached: of each slot, else NULL */
	uint64_t order;
	bool online;			/* attached: the driver process has the ring */
	struct udf_queue *attached;	/* next, for the connection's thread */

	pthread_mutex_t cq_lock __attribute__((aligned(64)));
	struct udf_ring cq;		/* the half that completes */
	unsigned int spin_ns;

	struct udf_waker waker __attribute__((aligned(64)));
	atomic_uint wake;		/* its word, where the driver is in this process */
	atomic_uint sleepers;
	atomic_bool stop;		/* for the thread */
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t wait_lock;	/* sync.c */
	struct udf_waiter *leader, *followers;
};

#define UDF_SLOT_NONE UINT16_MAX

/* host.c: the one port that this process drives, for the kernel world's calls. Sets UDF->news. */
int udf_host_claim(struct udf *udf);
void udf_host_release(void);
/* Copy the record of SLOT as it is now. */
void udf_news_disk(struct udf_news *news, unsigned int slot, struct host_front_disk *r);
/* Changes with each change of the table. */
unsigned int udf_news_changes(struct udf_news *news);
/* Sleep until it is not SEEN, at most TIMEOUT_NS (negative: for ever); may return early. */
void udf_news_wait(struct udf_news *news, unsigned int seen, int64_t timeout_ns);
/* Make all who wait look again. */
void udf_news_touch(struct udf_news *news);

/* port.c */
/* Perform C in the kernel world; sets its results. Waits. Returns 0 or a negative errno. */
int udf_command(struct udf *udf, struct host_front_command *c);
/* The port is lost; WHY is kept if it is the first to say so. */
void udf_set_lost(struct udf *udf, const char *why);
/* A thread that takes none of the application's signals. Returns 0 or a negative errno. */
int udf_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

/* block.c */
/* The table of disks has changed, or the port is lost. Any context of the host world, never blocks. */
void udf_block_changed(struct udf *udf);
/* Tell the kernel of completions. On vCPUs. */
void udf_block_ring(struct udf *udf);
/* Take no more requests of the kernel's, once those in flight are done; before the driver stops. */
void udf_block_stop(struct udf *udf);
/* After the driver has stopped. */
void udf_block_free(struct udf *udf);

/* disk.c */
/* Bring what DISK caches up to date if the table has changed. */
int udf_disk_refresh(struct udf_disk *disk);

/* submit.c */
/* Release the memory that was found for a request. */
void udf_slot_release(struct udf *udf, struct udf_slot *slot);

/* complete.c */
/* udf_poll() that also waits when nothing is outstanding. */
int udf_queue_poll(struct udf_queue *q, unsigned int max, int timeout_ms);
/* Make threads that sleep in udf_queue_poll() look again. Any context of the host world. */
void udf_queue_wake(struct udf_queue *q);
/* Fail all that is outstanding with -ENODEV, after completing what is completed; nothing can be submitted any more. */
void udf_queue_kill(struct udf_queue *q);
/* Wait until nothing is outstanding. Returns 0, -ETIMEDOUT, -ENODEV. */
int udf_queue_drain(struct udf_queue *q, int timeout_ms);

/* queue.c */
/* Release Q; DETACH: tell the kernel world. */
void udf_queue_end(struct udf_queue *q, bool detach);

/* Name of the kernel driver that the port's function is bound to, "" when none is. */
void udf_bound_driver(struct udf *udf, char *name, size_t len);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t udf_now(void);

#endif
