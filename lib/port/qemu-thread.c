// SPDX-License-Identifier: GPL-2.0
/*
 * The transport's thread: QEMU's parent, and the one that tells the owner of interrupts and of QEMU's death. Host world.
 *
 *   eventfd of a vector ----+
 *   kick (line, unmask) ----+--> epoll --> events->irq()
 *   qtest has news (INTx) --+         \--> events->lost()
 *   pidfd, stderr, monitor -+
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port/qemu-int.h"

enum { TAG_VECTOR, TAG_KICK, TAG_DEATH, TAG_OUTPUT, TAG_LINES, TAG_MONITOR };

static uint64_t tag(uint32_t what, uint32_t number)
{
	return (uint64_t)what << 32 | number;
}

static int watch(struct qemu_port *q, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event e = { .events = events, .data.u64 = data };

	return epoll_ctl(q->epoll, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

/* Edge-triggered: each write to an eventfd is one event, and its counter is never read. */
int udf_qemu_thread_watch(struct qemu_port *q, unsigned int vectors)
{
	int ret = 0;

	for (; !ret && q->epoll_vectors < vectors; q->epoll_vectors++)
		ret = watch(q, q->ivshmem.eventfd[q->epoll_vectors], EPOLLIN | EPOLLET, tag(TAG_VECTOR, q->epoll_vectors));
	return ret;
}

int udf_qemu_thread_watch_lines(struct qemu_port *q)
{
	return watch(q, q->qtest_fd, EPOLLIN | EPOLLET, tag(TAG_LINES, 0));
}

int udf_qemu_thread_watch_monitor(struct qemu_port *q)
{
	return watch(q, q->qmp_fd, EPOLLIN | EPOLLET, tag(TAG_MONITOR, 0));
}

void udf_qemu_thread_kick(struct qemu_port *q)
{
	eventfd_write(q->kick, 1);
}

static void on_vector(struct qemu_port *q, unsigned int vector)
{
	uint32_t bit = vector < 32 ? 1u << vector : 0;
	enum udf_irq_type type;

	if (vector >= qemu_irq_live(q, &type) || type == UDF_IRQ_INTX)
		return;
	if (type == UDF_IRQ_MSI) {
		__atomic_fetch_or(&q->msi_pending, bit, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&q->msi_masked, __ATOMIC_SEQ_CST) & bit)
			return;
		if (!(__atomic_fetch_and(&q->msi_pending, ~bit, __ATOMIC_SEQ_CST) & bit))
			return;
	}
	q->port.events->irq(q->port.ctx, vector, 0);
}

/* Messages that came while masked and may be told now. */
static void fire_pending(struct qemu_port *q)
{
	uint32_t due = __atomic_load_n(&q->msi_pending, __ATOMIC_SEQ_CST) & ~__atomic_load_n(&q->msi_masked, __ATOMIC_SEQ_CST);

	for (; due; due &= due - 1)
		on_vector(q, (unsigned int)__builtin_ctz(due));
}

static bool line_asserted(struct qemu_port *q)
{
	return __atomic_load_n(&q->intx_lines, __ATOMIC_SEQ_CST);
}

/*
 * Tell the owner of the line, if there is news. A posted write that is still under way may be what lowers it, so let
 * QEMU catch up before an assertion is reported.
 */
static void update_line(struct qemu_port *q)
{
	unsigned int news = __atomic_load_n(&q->intx_news, __ATOMIC_SEQ_CST);
	enum udf_irq_type type;

	if (!qemu_irq_live(q, &type) || type != UDF_IRQ_INTX)
		return;
	if (line_asserted(q) && q->intx_told != news && !__atomic_load_n(&q->intx_masked, __ATOMIC_SEQ_CST)) {
		if (udf_qtest_sync(&q->qtest))
			return;
		if (line_asserted(q)) {
			q->intx_told = __atomic_load_n(&q->intx_news, __ATOMIC_SEQ_CST);
			q->intx_high = true;
			q->port.events->irq(q->port.ctx, 0, 1);
		}
	}
	if (!line_asserted(q) && q->intx_high) {
		q->intx_high = false;
		q->port.events->irq(q->port.ctx, 0, 0);
	}
}

static void on_kick(struct qemu_port *q)
{
	enum udf_irq_type type;
	eventfd_t n;

	eventfd_read(q->kick, &n);
	if (!qemu_irq_live(q, &type))
		return;
	if (type == UDF_IRQ_MSI)
		fire_pending(q);
	else if (type == UDF_IRQ_INTX)
		update_line(q);
}

/* QEMU has ended without being asked to. */
static void on_death(struct qemu_port *q)
{
	bool tell;

	epoll_ctl(q->epoll, EPOLL_CTL_DEL, q->proc.pidfd, NULL);
	epoll_ctl(q->epoll, EPOLL_CTL_DEL, q->proc.output, NULL);
	__atomic_store_n(&q->qtest.lost, true, __ATOMIC_RELEASE);
	/* whoever waits for an answer gets up */
	shutdown(q->qtest_fd, SHUT_RDWR);
	shutdown(q->qmp_fd, SHUT_RDWR);

	pthread_mutex_lock(&q->state_lock);
	udf_qemu_reap(&q->proc, q->why, sizeof(q->why));
	q->dead = true;
	tell = q->opened;
	pthread_mutex_unlock(&q->state_lock);
	if (tell && q->port.events->lost)
		q->port.events->lost(q->port.ctx, q->why);
}

static void on_output(struct qemu_port *q, uint32_t events)
{
	udf_qemu_listen(&q->proc);
	if (events & EPOLLHUP)
		epoll_ctl(q->epoll, EPOLL_CTL_DEL, q->proc.output, NULL);
}

static void dispatch(struct qemu_port *q, const struct epoll_event *e)
{
	switch (e->data.u64 >> 32) {
	case TAG_VECTOR:
		on_vector(q, (uint32_t)e->data.u64);
		break;
	case TAG_LINES:
		udf_qtest_poll(&q->qtest);
		update_line(q);
		break;
	case TAG_KICK:
		on_kick(q);
		break;
	case TAG_DEATH:
		on_death(q);
		break;
	case TAG_OUTPUT:
		on_output(q, e->events);
		break;
	case TAG_MONITOR:
		udf_qmp_drain(&q->qmp);
		break;
	}
}

static int spawn(struct qemu_port *q)
{
	int ret = udf_qemu_spawn(&q->proc, q->path, q->args.argv, q->child_fds, QEMU_FD_END - QEMU_FD_QTEST, q->spawn_err);

	if (!ret)
		ret = watch(q, q->proc.pidfd, EPOLLIN, tag(TAG_DEATH, 0));
	if (!ret)
		ret = watch(q, q->proc.output, EPOLLIN, tag(TAG_OUTPUT, 0));
	if (!ret)
		ret = watch(q, q->kick, EPOLLIN, tag(TAG_KICK, 0));
	if (ret)
		udf_error_set(q->spawn_err, ret, "cannot watch QEMU: %s", strerror(-ret));
	return ret;
}

static void *thread_main(void *arg)
{
	struct qemu_port *q = arg;
	struct epoll_event events[16];
	int n;

	n = spawn(q) ? -1 : 0;
	sem_post(&q->spawned);
	while (n >= 0 && !__atomic_load_n(&q->stop, __ATOMIC_ACQUIRE)) {
		n = epoll_wait(q->epoll, events, 16, -1);
		if (n < 0 && errno == EINTR)
			n = 0;
		for (int i = 0; i < n; i++)
			dispatch(q, &events[i]);
	}
	udf_qemu_stop(&q->proc);
	return NULL;
}

int udf_qemu_thread_start(struct qemu_port *q, struct udf_error *err)
{
	sigset_t all, old;
	int ret;

	q->spawn_err = err;
	sem_init(&q->spawned, 0, 0);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&q->thread, NULL, thread_main, q);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret) {
		sem_destroy(&q->spawned);
		return udf_error_set(err, -ret, "cannot start a thread: %s", strerror(ret));
	}
	pthread_setname_np(q->thread, "udf-qemu");
	while (sem_wait(&q->spawned) && errno == EINTR)
		;
	sem_destroy(&q->spawned);
	if (err->code)
		pthread_join(q->thread, NULL);
	return err->code;
}

void udf_qemu_thread_stop(struct qemu_port *q)
{
	__atomic_store_n(&q->stop, true, __ATOMIC_RELEASE);
	udf_qemu_thread_kick(q);
	pthread_join(q->thread, NULL);
}
