/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A driver process without a kernel: stands in for lib/core, and serves rings as kapi/front does, from memory. For unit tests.
 */
#ifndef UDF_TESTS_FRONT_FAKE_DRIVER_H
#define UDF_TESTS_FRONT_FAKE_DRIVER_H

#include <stdbool.h>

#define FAKE_DISK_SIZE	(8u << 20)
#define FAKE_MASK	((1ul << 40) - 1)	/* the driver's for DMA */

/* Forget everything: one disk, nothing fails. Before udf_open(). */
void fake_reset(void);
/* Serve no requests from now on (HOLD), or again. */
void fake_hold(bool hold);
/* Have detaching a ring wait, as it does for requests in flight. */
void fake_hold_detach(bool hold);
/* While on hold: serve the next N. */
void fake_serve(unsigned int n);
/* Requests that are not yet served fail with ERR. */
void fake_fail(int err);
/* The port is lost. */
void fake_lose(const char *why);
void fake_disk_resize(unsigned long size);
void fake_disk_remove(void);
/* A second disk appears. */
void fake_disk_add(void);
/* The second disk, as it is to be; added, or changed. R->id is set. */
struct host_front_disk;
void fake_disk_set(struct host_front_disk *r);
/* The port can have block devices of the kernel, by these operations; NULL: it cannot. */
struct udf_port;
struct udf_port_block_ops;
void fake_block(const struct udf_port_block_ops *ops, struct udf_port *port);
/* Rings that the kernel wakes for. */
unsigned int fake_looked_at(void);
/* Post a completion (of -EIO) that nobody asked for, before the next true one. */
void fake_post_garbage(unsigned long user_data);
/* Modules that were loaded, as "name(params) name(params)". */
const char *fake_loaded(void);
/* Send a uevent. */
void fake_event(const char *action, const char *env);
/* Chunks not given back, rings attached, disks open. */
unsigned int fake_chunks(void), fake_rings(void), fake_opens(void);
/* How many requests went through lists of segments. */
unsigned int fake_indirect(void);
/* Pieces of foreign memory that the device reaches. */
unsigned int fake_foreign(void);
unsigned char *fake_disk_data(void);

#endif
