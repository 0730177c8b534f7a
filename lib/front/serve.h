/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Applications in other processes that use this process's driver, for libudf itself; include/udf/serve.h is what programs call. Host world.
 *
 *   serve.c      connections: begin, a thread each, end          serve-msg.c  what they ask for
 */
#ifndef UDF_FRONT_SERVE_H
#define UDF_FRONT_SERVE_H

#include <pthread.h>

#include "front/internal.h"
#include "front/proto.h"
#include "udf/serve.h"

/* A ring of an application. */
struct udf_served_queue {
	void *mem;			/* NULL: unused */
	size_t len;
	unsigned int cpu;
	unsigned long id;		/* the kernel world's */
	unsigned long leaving;		/* 0, or the kernel world's for what it has stopped taking from */
	struct udf_ring view;		/* to see whether there is something; never taken from */
	struct udf_waker waker;
};

/* An attached application. Its thread's, but for what the server links. */
struct udf_client {
	struct udf *udf;
	struct udf_server *server;
	struct udf_client *next;
	pthread_t thread;
	bool ended;			/* the thread has; to be joined */
	bool settled;			/* it has ended, and none of its writes is in flight */
	bool released;			/* nobody uses anything of it any more */
	int sock, epoll, doorbell, lease;
	bool greeted;
	unsigned int domain;
	uint64_t mem_granule;
	struct udf_served_queue queue[UDF_PROTO_QUEUES];
	struct {
		uint64_t dev, len;	/* len 0: unused */
	} region[UDF_PROTO_REGIONS];
	unsigned int open[HOST_FRONT_DISKS];	/* ids of disks that it has open, 0: none */
	struct host_front_disk *told;	/* the table as it was told */
	bool behind;			/* its socket is full: there are news that it was not told */
};

/* serve-msg.c. Do what M asks for, with FD, which is closed if it is not needed; answer. A negative errno: the connection is to end. */
int udf_client_message(struct udf_client *c, const struct udf_msg *m, int fd);
/* Tell what has changed in the table of disks. As above. */
int udf_client_news(struct udf_client *c);
/* Make vCPUs look at rings that have something. */
void udf_client_kick(struct udf_client *c);
/* Take no more of its requests, and wait for its writes. Returns whether none is in flight. */
bool udf_client_settle(struct udf_client *c);
/* After that: give back all that it had. Returns whether that is all: false while the kernel world may still use some of it. */
bool udf_client_release(struct udf_client *c);

/* The table of disks has changed, or the port is lost. Any context of the host world, never blocks. */
void udf_serve_changed(struct udf *udf);
/* End all connections, once their requests are done; before the driver stops. */
void udf_serve_stop(struct udf *udf);
/* Release what udf_serve_stop() could not; after the driver has stopped. */
void udf_serve_free(struct udf *udf);

#endif
