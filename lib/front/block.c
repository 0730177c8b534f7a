// SPDX-License-Identifier: GPL-2.0
/* The machine's kernel as an application: begin and end, rings, the thread; see block.h. Host world. */
#define _GNU_SOURCE
#include "front/block-int.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/log.h"
#include "layout.h"

#define ENTRIES 128u		/* of a ring */

_Static_assert(UDF_FOREIGN_SIZE == 1ull << UDF_PORT_REQUEST_BITS, "the window holds all device addresses of requests");

enum { ON_CHANGE, ON_STOP };

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

static int queue_attach(struct udf_block *b, unsigned int index)
{
	struct udf_block_queue *q = &b->queue[index];
	char *ring = b->rings + index * b->is.ring_stride;
	struct host_front_command c = {
		.op = HOST_FRONT_ATTACH, .flags = HOST_FRONT_GATHERED, .cpu = index % b->udf->cpus, .domain = UDF_BLOCK_DOMAIN,
		.ring = ring, .ring_size = b->is.ring_size,
		.lists = ring + b->is.list_offset, .lists_size = b->is.ring_stride - b->is.list_offset, .cookie = (unsigned long)&q->waker,
	};
	int err, fd;

	q->waker.wake = note_bell;
	q->block = b;
	q->index = index;
	q->cpu = c.cpu;
	err = udf_command(b->udf, &c);
	if (err)
		return err;
	q->id = c.queue;
	fd = udf_driver_rings_add(b->udf->driver, q->cpu, c.ring);
	if (fd < 0)
		return fd;
	q->ring = c.ring;
	return b->ops->eventfd(b->port, index, fd);
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
	*step = "the vCPUs cannot be woken by it";
	if (!err)
		err = udf_driver_rings_begin(b->udf->driver);
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
	struct pollfd p[] = { [ON_CHANGE] = { .fd = b->changed, .events = POLLIN }, [ON_STOP] = { .fd = b->stop, .events = POLLIN } };
	uint64_t n;

	do {
		if (p[ON_CHANGE].revents)
			(void)!read(b->changed, &n, sizeof(n));
		if (!atomic_load(&b->udf->lost))
			udf_block_look(b);
		poll(p, 2, -1);
	} while (!p[ON_STOP].revents);
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
	if (b->changed >= 0)
		close(b->changed);
	if (b->stop >= 0)
		close(b->stop);
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
	b->udf = udf;
	b->options = *o;
	b->changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	b->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->changed >= 0 && b->stop >= 0)
		return b;
	*err = -errno;
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

		if (b->queue[i].ring)
			udf_driver_rings_remove(udf->driver, b->queue[i].cpu, b->queue[i].ring);
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
