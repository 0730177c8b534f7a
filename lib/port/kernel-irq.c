// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts through udf_port.ko: counters that the kernel raises, and a thread that sleeps until there is one. Host world.
 *
 *   kernel's handler: count + 1; if wake: wake = 0, signal the eventfd
 *   thread:           wake = 1 for each vector that it watches; look at all counts; sleep if none has changed
 *
 * A counter at UDF_IRQ_IDLE has been seen. So a vector that a vCPU polls needs nothing but that the thread leaves it alone. One that a vCPU
 * sleeps for has the vCPU's eventfd instead of the thread's, and its wake flag is the vCPU's to set.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "port/kernel-int.h"

#define WORDS (UDF_PORT_VECTOR_MAX / 64)

enum { TAG_IRQ, TAG_PORT, TAG_STOP };

static void watch(struct kernel_port *k, unsigned int vector, bool on)
{
	uint64_t bit = 1ull << vector % 64;

	if (on)
		atomic_fetch_or(&k->watched[vector / 64], bit);
	else
		atomic_fetch_and(&k->watched[vector / 64], ~bit);
	__atomic_store_n(&k->shared->wake[vector], on, __ATOMIC_SEQ_CST);
}

static bool is_signalled(struct kernel_port *k, unsigned int vector)
{
	return atomic_load(&k->signalled[vector / 64]) >> vector % 64 & 1;
}

/* Report VECTOR if its counter has changed. */
static bool look(struct kernel_port *k, unsigned int vector)
{
	__u32 *count = &k->shared->count[vector];

	__atomic_store_n(&k->shared->wake[vector], 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(count, __ATOMIC_SEQ_CST) == UDF_IRQ_IDLE || __atomic_exchange_n(count, UDF_IRQ_IDLE, __ATOMIC_SEQ_CST) == UDF_IRQ_IDLE)
		return false;
	k->port.events->irq(k->port.ctx, vector, k->type == UDF_IRQ_INTX);
	return true;
}

static bool look_at_all(struct kernel_port *k)
{
	bool found = false;

	for (unsigned int i = 0; i < WORDS; i++)
		for (uint64_t bits = atomic_load(&k->watched[i]); bits; bits &= bits - 1)
			found |= look(k, i * 64 + (unsigned int)__builtin_ctzll(bits));
	return found;
}

static void on_lost(struct kernel_port *k)
{
	char why[160];

	epoll_ctl(k->epoll, EPOLL_CTL_DEL, k->fd, NULL);
	snprintf(why, sizeof(why), "%s was removed, suspended or reset, or its bus failed; the kernel's log says which", k->port.address);
	if (k->port.events->lost)
		k->port.events->lost(k->port.ctx, why);
}

static void *thread_main(void *arg)
{
	struct kernel_port *k = arg;
	struct epoll_event e[3];

	while (!atomic_load(&k->ending)) {
		int n = look_at_all(k) ? 0 : epoll_wait(k->epoll, e, 3, -1);

		for (int i = 0; i < n; i++)
			if (e[i].data.u32 == TAG_PORT)
				on_lost(k);
	}
	return NULL;
}

static int add(struct kernel_port *k, int fd, uint32_t events, uint32_t tag)
{
	struct epoll_event e = { .events = events, .data.u32 = tag };

	return epoll_ctl(k->epoll, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

static int start_thread(struct kernel_port *k)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&k->thread, NULL, thread_main, k);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	k->started = !ret;
	if (!ret)
		pthread_setname_np(k->thread, "udf-port");
	return -ret;
}

int udf_kernel_irq_start(struct kernel_port *k, const char **step)
{
	struct udf_port_irq_eventfd e = { 0 };
	void *shared;
	int ret;

	*step = "map its interrupt counters";
	shared = mmap(NULL, sizeof(*k->shared), PROT_READ | PROT_WRITE, MAP_SHARED, k->fd, UDF_PORT_MMAP_SHARED);
	if (shared == MAP_FAILED)
		return -errno;
	k->shared = shared;
	memset(k->shared->count, 0xff, sizeof(k->shared->count));
	*step = "make an event queue";
	k->epoll = epoll_create1(EPOLL_CLOEXEC);
	k->irq = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	k->stop = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (k->epoll < 0 || k->irq < 0 || k->stop < 0)
		return -errno;
	e.count = k->info.intx;
	e.count = k->info.msi > e.count ? k->info.msi : e.count;
	e.count = k->info.msix > e.count ? k->info.msix : e.count;
	e.fd = k->irq;
	ret = udf_kernel_ioctl(k, UDF_PORT_IRQ_EVENTFD, &e);
	/* edges: its counter is never read */
	if (!ret)
		ret = add(k, k->irq, EPOLLIN | EPOLLET, TAG_IRQ);
	if (!ret)
		ret = add(k, k->fd, 0, TAG_PORT);	/* EPOLLHUP needs no asking */
	if (!ret)
		ret = add(k, k->stop, EPOLLIN, TAG_STOP);
	*step = "start a thread for its interrupts";
	return ret ? ret : start_thread(k);
}

void udf_kernel_irq_stop(struct kernel_port *k)
{
	const int fds[] = { k->epoll, k->irq, k->stop };

	atomic_store(&k->ending, true);
	if (k->started) {
		eventfd_write(k->stop, 1);
		pthread_join(k->thread, NULL);
	}
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (k->shared)
		munmap(k->shared, sizeof(*k->shared));
}

void udf_kernel_irq_forget(struct kernel_port *k)
{
	for (unsigned int i = 0; i < WORDS; i++) {
		atomic_store(&k->watched[i], 0);
		for (uint64_t bits = atomic_load(&k->signalled[i]); bits; bits &= bits - 1)
			udf_kernel_irq_signal(&k->port, i * 64 + (unsigned int)__builtin_ctzll(bits), -1);
	}
	for (unsigned int i = 0; i < UDF_PORT_VECTOR_MAX; i++)
		__atomic_store_n(&k->shared->count[i], UDF_IRQ_IDLE, __ATOMIC_SEQ_CST);
}

unsigned int udf_kernel_irq_count(struct udf_port *port, enum udf_irq_type type)
{
	const struct udf_port_info *info = &to_kernel(port)->info;

	switch (type) {
	case UDF_IRQ_INTX:
		return info->intx;
	case UDF_IRQ_MSI:
		return info->msi;
	case UDF_IRQ_MSIX:
		return info->msix;
	}
	return 0;
}

int udf_kernel_irq_enable(struct udf_port *port, enum udf_irq_type type, unsigned int count)
{
	static const __u32 types[] = { [UDF_IRQ_INTX] = UDF_PORT_INTX, [UDF_IRQ_MSI] = UDF_PORT_MSI, [UDF_IRQ_MSIX] = UDF_PORT_MSIX };
	struct udf_port_irq_enable e = { .type = types[type], .count = count };
	struct kernel_port *k = to_kernel(port);
	int ret = udf_kernel_ioctl(k, UDF_PORT_IRQ_ENABLE, &e);

	udf_kernel_irq_forget(k);
	k->type = type;
	return ret;
}

/* The module masks INTx at each interrupt; one that comes while kernel code has it masked is dropped above, and told again at the unmasking. */
int udf_kernel_irq_mask(struct udf_port *port, unsigned int vector, bool masked)
{
	struct udf_port_irq_mask m = { .flags = masked ? UDF_PORT_MASKED : 0, .vector = vector };
	struct kernel_port *k = to_kernel(port);
	int ret;

	if (masked && k->type == UDF_IRQ_INTX)
		return 0;
	if (vector >= UDF_PORT_VECTOR_MAX)
		return -EINVAL;
	if (is_signalled(k, vector))
		return udf_kernel_ioctl(k, UDF_PORT_IRQ_MASK, &m);
	if (!masked)
		watch(k, vector, true);
	ret = udf_kernel_ioctl(k, UDF_PORT_IRQ_MASK, &m);
	if (masked || ret)
		watch(k, vector, false);
	else if (__atomic_load_n(&k->shared->count[vector], __ATOMIC_SEQ_CST) != UDF_IRQ_IDLE)
		eventfd_write(k->irq, 1);	/* counted while nobody watched */
	return ret;
}

volatile uint32_t *udf_kernel_irq_words(struct udf_port *port)
{
	return to_kernel(port)->shared->count;
}

int udf_kernel_irq_poll(struct udf_port *port, unsigned int vector, bool polled)
{
	struct kernel_port *k = to_kernel(port);

	if (vector >= k->info.msix || k->type != UDF_IRQ_MSIX)
		return -EINVAL;
	if (!is_signalled(k, vector))
		watch(k, vector, !polled);
	return 0;
}

volatile uint32_t *udf_kernel_irq_wakes(struct udf_port *port)
{
	return to_kernel(port)->shared->wake;
}

int udf_kernel_irq_signal(struct udf_port *port, unsigned int vector, int fd)
{
	struct kernel_port *k = to_kernel(port);
	struct udf_port_irq_eventfd e = { .first = vector, .count = 1, .fd = fd < 0 ? k->irq : fd };
	uint64_t bit = 1ull << vector % 64;
	int ret;

	if (vector >= k->info.msix)
		return -EINVAL;
	if (fd < 0 && !is_signalled(k, vector))
		return 0;
	ret = udf_kernel_ioctl(k, UDF_PORT_IRQ_EVENTFD, &e);
	if (ret)
		return ret;
	watch(k, vector, false);
	if (fd < 0)
		atomic_fetch_and(&k->signalled[vector / 64], ~bit);
	else
		atomic_fetch_or(&k->signalled[vector / 64], bit);
	return 0;
}
