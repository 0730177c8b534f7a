/* SPDX-License-Identifier: GPL-2.0 */
/*
 * drive: start the stock driver of one device, and find out how far it gets. Host world.
 *
 *   drive.c   the levels: loaded, probed, working; and unloading     events.c  uevents and log lines, kept and waited for
 *   disk.c    does a disk keep data                                  net.c     does a network adapter pass frames
 */
#ifndef UDF_TESTS_DRIVE_H
#define UDF_TESTS_DRIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "udf/udf.h"

#define WAIT_S 20	/* for something that a working driver does by itself */

struct drive {
	struct udf *udf;
	const char *module;	/* NULL: list what there is */
	const char *file;	/* the disk's backing file, NULL: not known */
	const char *netcheck;	/* udf_netcheck.ko */
	const char *near, *far;	/* sockets: QEMU's, the test's */
	unsigned int needed;	/* modules that were loaded for the driver itself */
	char why[512];		/* why the last check failed */
};

/* Remember why a check failed; returns false. */
bool drive_fail(struct drive *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* events.c: from here on uevents of the running driver are kept, and go on to libudf. */
void events_watch(void);
void events_log(void *arg, int level, const char *text);
/* Wait until an event has happened that has all the words of WHAT, divided by commas, among its action, "DEVPATH=..." and variables. */
bool events_wait(struct udf *udf, const char *what, unsigned int seconds);
/* The same without waiting; VALUE, if not NULL, gets the variable KEY of the first such event. */
bool events_seen(const char *what, const char *key, char *value, size_t len);
/* The last error in the log; if there is none, the last warning, or what was last said of the device, or "". */
const char *events_complaint(void);
void events_forget(void);	/* what was said until now */

/* disk.c, net.c: return whether it works. */
bool disk_works(struct drive *d);
bool net_works(struct drive *d);

#endif
