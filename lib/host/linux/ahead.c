// SPDX-License-Identifier: GPL-2.0
/*
 * Booting before there is a port: kernel code boots in memory of our own, as far as it gets, takes commands (modules are loaded, which find no
 * device yet), and waits. Host world.
 *
 *   a vCPU:  boots ... host_port_wait() [ WAITING --------------------------------> ] goes on: PCI scan, ...
 *   others:        when they are idle:  [ udf_ahead_halt() -----------------------> ]
 *   driver:                             udf_ahead_wait()  [MOVING: the arena becomes the port's]  udf_ahead_end()
 *
 * While it waits no vCPU runs kernel code or takes signals, so that memory does not change and can be moved. If one does not become idle it may want
 * something of the one that waits, which goes back for a moment, and tries again. So it does now and then in any case: clocks must not stand
 * still for hours.
 */
#define _GNU_SOURCE
#include "host/linux/host.h"

#include <errno.h>
#include <signal.h>

#define HALT_MS 10		/* for the others to become idle */
#define LEAVE_MS 5000		/* until they are to be idle at the end */

unsigned int udf_ahead_turn_ms = 600000;

void udf_ahead_halt(struct udf_vcpu *vcpu)
{
	struct udf_host *h = &udf_host;
	unsigned int turn;
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	pthread_mutex_lock(&h->lock);
	turn = atomic_load(&h->halt);
	h->halted += turn != 0;
	pthread_cond_broadcast(&h->changed);
	while (turn && atomic_load(&h->halt) == turn)
		pthread_cond_wait(&h->changed, &h->lock);
	pthread_mutex_unlock(&h->lock);
	if (h->ahead == UDF_AHEAD_LEAVE)
		udf_vcpu_quit(vcpu);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* With the lock. Returns whether all vCPUs but SELF are idle, and stay so. */
static bool halt_others(const struct udf_vcpu *self)
{
	static unsigned int turn;
	struct udf_host *h = &udf_host;
	const uint64_t end = udf_host_now() + HALT_MS * 1000000ull;
	unsigned int others = 0, cpu;

	h->halted = 0;
	turn = turn + 1 ?: 1;
	atomic_store(&h->halt, turn);
	for (cpu = 0; cpu < h->cpus; cpu++) {
		struct udf_vcpu *vcpu = &h->vcpu[cpu];

		if (vcpu == self || !vcpu->started)
			continue;
		others++;
		udf_vcpu_wake(vcpu);
	}
	while (h->halted < others && !h->dead && udf_host_now() < end) {
		struct timespec soon = udf_after_ms(1);

		pthread_cond_timedwait(&h->changed, &h->lock, &soon);
	}
	return h->halted == others && !h->dead;
}

int host_port_wait(void)
{
	struct udf_host *h = &udf_host;
	struct udf_vcpu *self = udf_vcpu_self();
	const struct timespec until = udf_after_ms(udf_ahead_turn_ms);
	sigset_t all, old;
	int ret = 0;

	if (h->ahead == UDF_AHEAD_NO)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	pthread_mutex_lock(&h->lock);
	if (h->ahead == UDF_AHEAD_BOOTING && halt_others(self)) {
		h->ahead = UDF_AHEAD_WAITING;
		pthread_cond_broadcast(&h->changed);
	}
	while (h->ahead == UDF_AHEAD_MOVING || (h->ahead == UDF_AHEAD_WAITING && !h->head && ret != ETIMEDOUT))
		ret = pthread_cond_timedwait(&h->changed, &h->lock, &until);
	if (h->ahead == UDF_AHEAD_WAITING)
		h->ahead = UDF_AHEAD_BOOTING;
	ret = h->ahead == UDF_AHEAD_BOOTING;
	atomic_store(&h->halt, 0);
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
	if (h->ahead == UDF_AHEAD_LEAVE)
		udf_vcpu_quit(self);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}

int udf_ahead_wait(bool move, struct udf_error *err)
{
	struct udf_host *h = &udf_host;
	const struct timespec until = udf_after_ms(UDF_START_TIMEOUT_S * 1000);
	int ret = 0;

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
	const struct timespec until = udf_after_ms(LEAVE_MS);
	struct udf_host *h = &udf_host;
	int ret = 0;

	pthread_mutex_lock(&h->lock);
	/* no vCPU leaves while another may still want something of it */
	while (leave && h->ahead == UDF_AHEAD_BOOTING && h->vcpu[0].started && !h->dead && !ret)
		ret = pthread_cond_timedwait(&h->changed, &h->lock, &until);
	h->ahead = leave ? UDF_AHEAD_LEAVE : UDF_AHEAD_NO;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
}
