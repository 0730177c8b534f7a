/* SPDX-License-Identifier: GPL-2.0 */
/* Between block.c and block-disk.c. Host world. */
#ifndef UDF_FRONT_BLOCK_INT_H
#define UDF_FRONT_BLOCK_INT_H

#include <pthread.h>

#include "front/block.h"
#include "front/internal.h"
#include "udf/port-abi.h"

#define UDF_BLOCK_DOMAIN (HOST_FRONT_DOMAINS - 1)	/* attached applications get the others */

struct udf_block_queue {
	struct udf_waker waker;		/* first: what wakes is a ring's */
	struct udf_block *block;
	unsigned int index, cpu;
	struct udf_ring_shared *ring;	/* NULL: nobody looks at it */
	unsigned long id;		/* the kernel world's, 0: not attached */
};

/* A slot of the table of disks, as the kernel was told of it. */
struct udf_block_disk {
	struct host_front_disk is;	/* .id 0: none */
	enum udf_block_state state;
	bool open;			/* in the kernel world */
	char why[160];
};

struct udf_block {
	struct udf *udf;
	struct udf_port *port;
	const struct udf_port_block_ops *ops;
	struct udf_block_options options;
	pthread_t thread;
	int changed, stop;		/* eventfds */
	bool started, broken;		/* with the first disk; that went wrong */
	char why[160];			/* then */

	char *rings;
	struct udf_port_block_start is;
	struct udf_block_queue queue[UDF_PORT_QUEUES_MAX];
	_Atomic uint64_t bells;		/* rings whose completions are to be told */

	pthread_mutex_t lock;		/* disks: the thread writes, others read */
	struct udf_block_disk disk[HOST_FRONT_DISKS];
};

/* block.c: rings, before the first disk is announced. Returns 0 or a negative errno. */
int udf_block_start(struct udf_block *b);

/* block-disk.c; the thread. */
/* Tell the kernel what has changed in the table of disks. */
void udf_block_look(struct udf_block *b);
/* Close all disks in the kernel world, without a word to the kernel. */
void udf_block_close_disks(struct udf_block *b);

#endif
