/* SPDX-License-Identifier: GPL-2.0 */
/* Clocks and the per-vCPU timer. Contract, both worlds. */
#ifndef UDF_HOST_TIME_H
#define UDF_HOST_TIME_H

/* Nanoseconds of CLOCK_MONOTONIC. Never blocks. */
unsigned long host_time_now(void);

/* Nanoseconds since the epoch (CLOCK_REALTIME). Never blocks. */
unsigned long host_time_real(void);

/*
 * Make HOST_PEND_TIMER pending on the calling vCPU at DEADLINE (host_time_now() nanoseconds; 0 cancels). One
 * deadline for each vCPU: a later call replaces it. May fire up to once early after a cancel. Never blocks.
 */
void host_timer_set(unsigned long deadline);

#endif
