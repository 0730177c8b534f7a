/* SPDX-License-Identifier: GPL-2.0 */
/* How long to wait before a driver that failed is started again: at once the first time, then longer and longer. Host world. */
#ifndef UDF_PORTD_BACKOFF_H
#define UDF_PORTD_BACKOFF_H

#include <stdint.h>

struct udf_backoff {
	unsigned int min_ms, max_ms;	/* the second delay, and the longest */
	unsigned int stable_ms;		/* one that has run for so long begins anew */
	unsigned int failures;		/* in a row */
};

/*
 * A driver that ran for RAN_MS (0: it did not get to run) has failed. Returns the milliseconds to wait: 0 the first time, then
 * min_ms, doubled each time up to max_ms, and of that something between half and all, chosen by RANDOM.
 */
unsigned int udf_backoff_next(struct udf_backoff *b, uint64_t ran_ms, uint32_t random);

#endif
