// SPDX-License-Identifier: GPL-2.0
/* Delays between restarts; see backoff.h. Host world. */
#include "base/backoff.h"

unsigned int udf_backoff_next(struct udf_backoff *b, uint64_t ran_ms, uint32_t random)
{
	uint64_t delay = b->min_ms;
	unsigned int i;

	if (ran_ms >= b->stable_ms)
		b->failures = 0;
	b->failures++;
	if (b->failures == 1)
		return 0;
	for (i = 2; i < b->failures && delay < b->max_ms; i++)
		delay *= 2;
	if (delay > b->max_ms)
		delay = b->max_ms;
	/* ports that failed together are not to come back together each time */
	return (unsigned int)(delay / 2 + (delay + 1) / 2 * random / UINT32_MAX);
}
