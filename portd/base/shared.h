/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a driver process and udfd share: a memory file that the driver process writes and udfd reads, at any time, also when the driver
 * process is stopped or has died, and which the next udfd gets from the driver process. Host world.
 *
 * udfd trusts nothing in it: a word may change at any moment, and what is read is checked after it was copied.
 */
#ifndef UDF_PORTD_SHARED_H
#define UDF_PORTD_SHARED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/strbuf.h"

#define UDF_SHARED_MAGIC	0x3244524168666475ull	/* changes with the layout */
#define UDF_SHARED_LOG		(256u << 10)	/* bytes of the log that are kept; a power of two */
#define UDF_SHARED_CPUS		8

struct udf_shared {
	uint64_t magic;
	uint64_t beats[UDF_SHARED_CPUS];	/* see udf_options_heartbeat() */
	uint64_t requests, bytes_read, bytes_written, interrupts, idle_sleeps;	/* of the driver, once a second */
	uint64_t memory, memory_max;		/* as well; bytes */
	/* udfd's, for the one after it */
	uint64_t restarts, failures;
	int64_t since_ms;			/* real time at which this driver process got to run, 0: it has not */

	pthread_mutex_t log_lock;		/* among the driver's threads */
	uint64_t logged;			/* bytes ever written to LOG, which is a ring */
	uint32_t log_told;			/* udfd has been told of more, and has not looked yet */
	char log[UDF_SHARED_LOG];
};

/* Make one; *FD is the caller's. NULL: ERRNO says why. */
struct udf_shared *udf_shared_new(int *fd);
/* Map one that was made elsewhere. NULL: it is none. */
struct udf_shared *udf_shared_map(int fd);
void udf_shared_unmap(struct udf_shared *s);

/*
 * Write a line to the log as "LEVEL MILLISECONDS TEXT\n", real time. For threads of the driver process. Returns whether udfd is to be told.
 */
bool udf_shared_log(struct udf_shared *s, int level, const char *text);

/*
 * Append to SB what was logged since *POS, whole lines only, and move *POS. What the ring has lost is skipped. For udfd.
 */
void udf_shared_read_log(struct udf_shared *s, uint64_t *pos, struct udf_strbuf *sb);

/* Copy of a counter. */
uint64_t udf_shared_get(const uint64_t *word);

/* Milliseconds of real time since the epoch. */
int64_t udf_real_ms(void);

#endif
