// SPDX-License-Identifier: GPL-2.0
/*
 * vCPUs that the machine's kernel wakes itself, with no thread between: they sleep on eventfds, which it signals for their rings of requests and
 * for interrupts of the device. Host world.
 *
 *   kernel: entry in a ring, sq_event is set  --+                 spinning, or at a turn: looks at rings and counters
 *   kernel: interrupt, its wake flag is set   --+--> eventfd -->  asleep: is woken, and looks
 *   others: host_cpu_pend(), timer            --+
 *
 * While kernel code runs nobody looks: at the latest its next timer tick does (udf_on_kick()), and mostly the front-end thread's turn.
 */
#define _GNU_SOURCE
#include "host/linux/host.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "udf/ring.h"

static int begin(struct udf_vcpu *vcpu)
{
	int fd = atomic_load(&vcpu->fd), err;

	if (fd >= 0)
		return 0;
	fd = eventfd(0, EFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* from the futex that it may be asleep on to the eventfd */
	atomic_store(&vcpu->fd, fd);
	udf_vcpu_wake_futex(vcpu);
	err = udf_vpci_poll_own(udf_host.vpci, vcpu->cpu, 0xfee00000u | vcpu->cpu << 12, fd);
	return err == -EOPNOTSUPP ? 0 : err;
}

int udf_rings_begin(void)
{
	unsigned int cpu;
	int err = udf_host.vpci ? 0 : -EOPNOTSUPP;

	for (cpu = 0; cpu < udf_host.cpus && !err; cpu++)
		err = begin(&udf_host.vcpu[cpu]);
	return err;
}

int udf_rings_add(unsigned int cpu, struct udf_ring_shared *ring)
{
	struct udf_vcpu *vcpu = &udf_host.vcpu[cpu];
	unsigned int n = atomic_load(&vcpu->nr_rings);

	if (n == UDF_VCPU_RINGS)
		return -ENOSPC;
	atomic_store(&vcpu->ring[n].ring, ring);
	atomic_store(&vcpu->nr_rings, n + 1);
	host_cpu_pend(cpu, HOST_PEND_FRONT);	/* should it be asleep, it has not asked for this one */
	return atomic_load(&vcpu->fd);
}

void udf_rings_remove(unsigned int cpu, struct udf_ring_shared *ring)
{
	struct udf_vcpu *vcpu = &udf_host.vcpu[cpu];
	unsigned int i;

	for (i = 0; i < atomic_load(&vcpu->nr_rings); i++)
		if (atomic_load(&vcpu->ring[i].ring) == ring)
			atomic_store(&vcpu->ring[i].ring, NULL);
}

void udf_rings_reset(void)
{
	unsigned int cpu;

	for (cpu = 0; cpu < HOST_CPUS_MAX; cpu++) {
		struct udf_vcpu *vcpu = &udf_host.vcpu[cpu];
		int fd = atomic_exchange(&vcpu->fd, -1);

		/* 0: it was never set up */
		if (fd > 0)
			close(fd);
		atomic_store(&vcpu->nr_rings, 0);
	}
}

/* Whether RING has got entries that the vCPU was not woken for. The front-end thread looks at all there is, once it is awake. */
static bool look_at(struct udf_seen_ring *r)
{
	const struct udf_ring_shared *ring = atomic_load_explicit(&r->ring, memory_order_relaxed);
	unsigned int tail = ring ? __atomic_load_n(&ring->sq_tail, __ATOMIC_ACQUIRE) : r->tail;

	if (tail == r->tail)
		return false;
	r->tail = tail;
	return tail != __atomic_load_n(&ring->sq_head, __ATOMIC_RELAXED);
}

bool udf_rings_busy(const struct udf_vcpu *vcpu)
{
	unsigned int n = atomic_load_explicit(&vcpu->nr_rings, memory_order_acquire), i;

	for (i = 0; i < n; i++) {
		const struct udf_ring_shared *ring = atomic_load_explicit(&vcpu->ring[i].ring, memory_order_relaxed);

		if (ring && __atomic_load_n(&ring->sq_head, __ATOMIC_RELAXED) != __atomic_load_n(&ring->cq_tail, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

void udf_vcpu_look(struct udf_vcpu *vcpu)
{
	unsigned int n, i;
	bool due = false;

	if (atomic_load_explicit(&vcpu->fd, memory_order_relaxed) < 0)
		return;
	udf_vpci_poll(udf_host.vpci, vcpu->cpu);
	n = atomic_load_explicit(&vcpu->nr_rings, memory_order_acquire);
	for (i = 0; i < n; i++)
		due |= look_at(&vcpu->ring[i]);
	if (due)
		__atomic_fetch_or(&atomic_load(&vcpu->area)->pending, HOST_PEND_FRONT, __ATOMIC_SEQ_CST);
}

unsigned int udf_vcpu_watch(struct udf_vcpu *vcpu, struct udf_watch *watch)
{
	const volatile uint32_t *words[UDF_WATCHES];
	unsigned int n, i, nr_rings;

	if (atomic_load_explicit(&vcpu->fd, memory_order_relaxed) < 0)
		return 0;
	n = udf_vpci_poll_words(udf_host.vpci, vcpu->cpu, words, UDF_WATCHES);
	nr_rings = atomic_load_explicit(&vcpu->nr_rings, memory_order_acquire);
	if (n + nr_rings > UDF_WATCHES)
		return n + nr_rings;
	for (i = 0; i < n; i++)
		watch[i] = (struct udf_watch){ words[i], UDF_IRQ_IDLE };
	for (i = 0; i < nr_rings; i++) {
		const struct udf_ring_shared *ring = atomic_load_explicit(&vcpu->ring[i].ring, memory_order_relaxed);

		if (ring)
			watch[n++] = (struct udf_watch){ &ring->sq_tail, vcpu->ring[i].tail };
	}
	return n;
}

/* Ask the ring's producer to signal the next entry, or no more. Returns whether there is one already. */
static bool ask(struct udf_seen_ring *r, bool signal)
{
	struct udf_ring_shared *ring = atomic_load_explicit(&r->ring, memory_order_relaxed);
	bool due = ring && signal && look_at(r);

	if (!ring)
		return false;
	__atomic_store_n(&ring->sq_event, signal ? r->tail : r->tail - 1, __ATOMIC_RELAXED);
	if (!signal)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);	/* pairs with udf_ring_publish() */
	return look_at(r) || due;
}

void udf_vcpu_doze(struct udf_vcpu *vcpu, bool sleep)
{
	unsigned int n, i;
	bool due = false;

	if (atomic_load_explicit(&vcpu->fd, memory_order_relaxed) < 0)
		return;
	udf_vpci_poll_sleep(udf_host.vpci, vcpu->cpu, sleep);
	if (sleep)
		udf_vpci_poll(udf_host.vpci, vcpu->cpu);
	n = atomic_load_explicit(&vcpu->nr_rings, memory_order_acquire);
	for (i = 0; i < n; i++)
		due |= ask(&vcpu->ring[i], sleep);
	if (due)
		__atomic_fetch_or(&atomic_load(&vcpu->area)->pending, HOST_PEND_FRONT, __ATOMIC_SEQ_CST);
}

void udf_vcpu_doze_on(int fd, const struct timespec *timeout)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t n;

	/* with a timeout, since a signal's handler is followed by the rest of read(), whatever it has found: it signals the eventfd then */
	if (!timeout || ppoll(&p, 1, timeout, NULL) > 0)
		(void)!read(fd, &n, sizeof(n));
}
