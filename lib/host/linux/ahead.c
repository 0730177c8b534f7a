// SPDX-License-Identifier: GPL-2.0
/*
 * Booting before there is a port: kernel code boots in memory of our own, as far as it gets, and waits. Host world.
 *
 *   vCPU 0: boots ... host_port_wait() [ WAITING ------------------------> ] goes on: PCI scan, ...
 *   others:                            udf_ahead_wait()  [MOVING: the arena becomes the port's]  udf_ahead_end()
 *
 * It is the only vCPU then. While it waits it runs no kernel code and takes no signals, so that its memory does not change and can be moved. Now
 * and then it goes back for a moment, to take its timer's interrupt: clocks must not stand still for hours. With one vCPU kernel code has booted as
 * a whole by then, and takes commands: modules can be loaded, which find no device yet.
 */
#define _GNU_SOURCE
#include "host/linux/host.h"

#include <errno.h>
#include <signal.h>

unsigned int udf_ahead_turn_ms = 600000;

int host_port_wait(void)
{
	struct udf_host *h = &udf_host;
	struct timespec until;
	sigset_t all, old;
	int ret = 0;

	if (h->ahead == UDF_AHEAD_NO)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += (long)(udf_ahead_turn_ms % 1000) * 1000000;
	until.tv_sec += udf_ahead_turn_ms / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&h->lock);
	h->ahead = UDF_AHEAD_WAITING;
	pthread_cond_broadcast(&h->changed);
	while (h->ahead == UDF_AHEAD_MOVING || (h->ahead == UDF_AHEAD_WAITING && !h->head && ret != ETIMEDOUT))
		ret = pthread_cond_timedwait(&h->changed, &h->lock, &until);
	ret = h->ahead == UDF_AHEAD_WAITING;
	if (ret)
		h->ahead = UDF_AHEAD_BOOTING;
	pthread_mutex_unlock(&h->lock);
	if (h->ahead == UDF_AHEAD_LEAVE)
		udf_vcpu_quit(udf_vcpu_self());
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}

int udf_ahead_wait(bool move, struct udf_error *err)
{
	struct udf_host *h = &udf_host;
	struct timespec until;
	int ret = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += UDF_START_TIMEOUT_S;
	pthread_mutex_lock(&h->lock);
	while (h->ahead != UDF_AHEAD_WAITING && !h->dead && !ret)
		ret = pthread_cond_timedwait(&h->changed, &h->lock, &until);
	if (h->ahead == UDF_AHEAD_WAITING) {
		ret = 0;
		h->ahead = move ? UDF_AHEAD_MOVING : UDF_AHEAD_WAITING;
	}
	pthread_mutex_unlock(&h->lock);
	if (h->dead)
		return udf_error_set(err, -ENODEV, "%s", h->why);
	return ret ? udf_error_set(err, -ETIMEDOUT, "the kernel code did not boot within %d s", UDF_START_TIMEOUT_S) : 0;
}

void udf_ahead_end(bool leave)
{
	struct udf_host *h = &udf_host;

	pthread_mutex_lock(&h->lock);
	h->ahead = leave ? UDF_AHEAD_LEAVE : UDF_AHEAD_NO;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
}
