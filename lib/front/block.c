// SPDX-License-Identifier: GPL-2.0
/* The machine's kernel as an application: begin and end, rings, the thread; see block.h. Host world. */
#define _GNU_SOURCE
#include "front/block-int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/log.h"
#include "layout.h"

#define ENTRIES 128u		/* of a ring */

_Static_assert(UDF_FOREIGN_SIZE == 1ull << UDF_PORT_REQUEST_BITS, "the window holds all device addresses of requests");

enum { ON_CHANGE = UDF_PORT_QUEUES_MAX, ON_STOP };	/* smaller ones: doorbells */

/* ---- rings ---- */

static void note_bell(const struct udf_waker *w)
{
	const struct udf_block_queue *q = (const struct udf_block_queue *)w;

	atomic_fetch_or(&q->block->bells, 1ull << q->index);
}

void udf_block_ring(struct udf *udf)
{
	struct udf_block *b = atomic_load(&udf->block);
	uint64_t bells = b && atomic_load(&b->bells) ? atomic_exchange(&b->bells, 0) : 0;

	if (bells)
		b->ops->bell(b->port, bells);
}

static int watch(struct udf_block *b, int fd, uint32_t events, uint32_t what)
{
	struct epoll_event e = { .events = events, .data.u32 = what };

	return epoll_ctl(b->epoll, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

static int queue_attach(struct udf_block *b, unsigned int index)
{
	struct udf_block_queue *q = &b->queue[index];
	char *ring = b->rings + index * b->is.ring_stride;
	struct host_front_command c = {
		.op = HOST_FRONT_ATTACH, .flags = HOST_FRONT_GATHERED, .cpu = index % b->udf->cpus, .domain = UDF_BLOCK_DOMAIN,
		.ring = ring, .ring_size = b->is.ring_size,
		.lists = ring + b->is.list_offset, .lists_size = b->is.ring_stride - b->is.list_offset, .cookie = (unsigned long)&q->waker,
	};
	int err;

	q->waker.wake = note_bell;
	q->block = b;
	q->index = index;
	q->cpu = c.cpu;
	q->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->doorbell < 0)
		return -errno;
	/* edges: nobody reads it */
	err = watch(b, q->doorbell, EPOLLIN | EPOLLET, index);
	if (!err)
		err = b->ops->eventfd(b->port, index, q->doorbell);
	if (!err)
		err = udf_command(b->udf, &c);
	if (!err)
		q->id = c.queue;
	return err;
}

static unsigned int dma_bits(struct udf_block *b)
{
	struct host_front_command c = { .op = HOST_FRONT_MASK };
	unsigned int bits = 0;

	if (udf_command(b->udf, &c))
		return 0;
	while (bits < 64 && c.addr >> bits & 1)
		bits++;
	return bits;
}

static int start(struct udf_block *b, const char **step)
{
	struct host_front_command window = {
		.op = HOST_FRONT_MEM_ADD, .domain = UDF_BLOCK_DOMAIN, .mem_size = UDF_FOREIGN_SIZE, .flags = HOST_FRONT_ANY,
	};
	int err;

	b->is = (struct udf_port_block_start){
		.flags = b->options.fail ? UDF_PORT_BLOCK_FAIL : 0, .queues = b->udf->cpus, .entries = ENTRIES, .dma_bits = dma_bits(b),
		.wait_ms = b->options.wait_ms,
	};
	*step = "the kernel module does not begin";
	err = udf_driver_block_start(b->udf->driver, &b->is, (void **)&b->rings);
	if (err)
		return err;
	*step = "there is no room to describe its memory";
	err = udf_command(b->udf, &window);
	*step = "a ring cannot be served";
	for (unsigned int i = 0; i < b->is.queues && !err; i++)
		err = queue_attach(b, i);
	return err;
}

int udf_block_start(struct udf_block *b)
{
	const char *step = NULL;
	int err;

	if (b->started)
		return b->broken ? -EIO : 0;
	b->started = true;
	err = start(b, &step);
	if (!err)
		return 0;
	b->broken = true;
	snprintf(b->why, sizeof(b->why), "%s: %s", step, strerror(-err));
	/* who is lost says that itself */
	if (err != -ENODEV)
		udf_log_error("no block devices for the kernel: %s", b->why);
	return err;
}

/* ---- the thread ---- */

static void *run(void *arg)
{
	struct udf_block *b = arg;
	struct epoll_event events[16];
	bool stopping = false;

	udf_block_look(b);
	while (!stopping) {
		int n = epoll_wait(b->epoll, events, 16, -1);
		bool changed = false;

		for (int i = 0; i < n; i++) {
			uint32_t what = events[i].data.u32;

			if (what < UDF_PORT_QUEUES_MAX)
				udf_driver_kick(b->udf->driver, b->queue[what].cpu);
			changed |= what == ON_CHANGE;
			stopping |= what == ON_STOP;
		}
		if (changed && !stopping && !atomic_load(&b->udf->lost))
			udf_block_look(b);
	}
	return NULL;
}

void udf_block_changed(struct udf *udf)
{
	struct udf_block *b = atomic_load(&udf->block);

	if (b)
		eventfd_write(b->changed, 1);
}

/* ---- begin and end ---- */

static void block_free(struct udf_block *b)
{
	const int fds[] = { b->epoll, b->changed, b->stop };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	for (unsigned int i = 0; i < UDF_PORT_QUEUES_MAX; i++)
		if (b->queue[i].doorbell >= 0)
			close(b->queue[i].doorbell);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

static struct udf_block *block_new(struct udf *udf, const struct udf_block_options *o, int *err)
{
	struct udf_block *b = calloc(1, sizeof(*b));

	*err = -ENOMEM;
	if (!b)
		return NULL;
	pthread_mutex_init(&b->lock, NULL);
	for (unsigned int i = 0; i < UDF_PORT_QUEUES_MAX; i++)
		b->queue[i].doorbell = -1;
	b->udf = udf;
	b->options = *o;
	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	b->changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	b->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	*err = b->epoll < 0 || b->changed < 0 || b->stop < 0 ? -errno : watch(b, b->changed, EPOLLIN | EPOLLET, ON_CHANGE);
	if (!*err)
		*err = watch(b, b->stop, EPOLLIN, ON_STOP);
	if (!*err)
		return b;
	block_free(b);
	return NULL;
}

int udf_block_serve(struct udf *udf, const struct udf_block_options *o)
{
	const struct udf_port_block_ops *ops;
	struct udf_block *b, *none = NULL;
	struct udf_port *port;
	int err;

	if (udf->attach)
		return -EOPNOTSUPP;
	ops = udf_driver_block(udf->driver, &port);
	if (!ops)
		return -EOPNOTSUPP;
	b = block_new(udf, o, &err);
	if (!b)
		return err;
	b->ops = ops;
	b->port = port;
	err = atomic_compare_exchange_strong(&udf->block, &none, b) ? 0 : -EBUSY;
	if (err)
		goto free;
	err = udf_thread_start(&b->thread, run, b);
	if (!err) {
		pthread_setname_np(b->thread, "udf-block");
		return 0;
	}
	atomic_store(&udf->block, NULL);
free:
	block_free(b);
	return err;
}

void udf_block_stop(struct udf *udf)
{
	struct udf_block *b = atomic_load(&udf->block);

	if (!b)
		return;
	eventfd_write(b->stop, 1);
	pthread_join(b->thread, NULL);
	for (unsigned int i = 0; i < b->is.queues; i++) {
		struct host_front_command c = { .op = HOST_FRONT_DETACH, .queue = b->queue[i].id };

		if (c.queue)
			udf_command(udf, &c);	/* what is in flight is completed; a driver that is lost has no more say */
	}
	udf_block_close_disks(b);
}

void udf_block_free(struct udf *udf)
{
	struct udf_block *b = atomic_exchange(&udf->block, NULL);

	if (b)
		block_free(b);
}
