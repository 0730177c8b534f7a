/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine's kernel as an application: its block devices, which udf_port.ko makes of this process's disks. Host world.
 *
 *   block.c        begin and end, rings, the thread          block-disk.c   disks: announced, changed, gone
 *
 *   udf_port.ko                                    driver process
 *     BLOCK_START, rings         <---                with the first disk
 *     BLOCK_DISK                 <---                a disk is there, and open in the kernel world
 *     ring, eventfd              --->                requests
 *     ring, BLOCK_BELL           <---                completions
 *     BLOCK_GONE                 <---                a disk was removed while its driver lives
 *
 * The kernel is not told of disks that vanish because the driver ends: block devices then wait for its successor.
 */
#ifndef UDF_FRONT_BLOCK_H
#define UDF_FRONT_BLOCK_H

#include <stdbool.h>

#include "udf/udf.h"

struct udf_block_options {
	bool fail;			/* when this process ends requests fail, instead of waiting for its successor */
	unsigned int wait_ms;		/* how long they wait, 0: for ever */
};

/*
 * Have block devices made of all disks, those there are and those to come. Returns 0, -EOPNOTSUPP when the transport has none, -EBUSY when
 * it is done already, or another negative errno. Until udf_close().
 */
int udf_block_serve(struct udf *udf, const struct udf_block_options *o);

enum udf_block_state {
	UDF_BLOCK_NONE,			/* no block device is made of the disk */
	UDF_BLOCK_COUPLED,		/* there is one */
	UDF_BLOCK_DIFFERS,		/* there is one by its name, which waits for another disk */
	UDF_BLOCK_REFUSED,		/* it cannot be one */
};

/*
 * What has become of the disk NAME. TEXT (LEN bytes) is set to the block device's path, or to why there is none, "" if nothing is to be
 * said. udf_wait_change() returns when that changes.
 */
enum udf_block_state udf_block_state(struct udf *udf, const char *name, char *text, size_t len);

#endif
