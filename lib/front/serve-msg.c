// SPDX-License-Identifier: GPL-2.0
/*
 * What an attached application asks for. Host world.
 *
 * Every byte of a message may be wrong, and every descriptor anything. A request that cannot be granted is answered with an error; what no
 * application of libudf's sends is -EPROTO, and ends the connection.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/serve.h"

/* The descriptor belongs to whoever sets it to -1. */
typedef int handler(struct udf_client *c, const struct udf_msg *m, int *fd, struct udf_msg *reply);

static int on_hello(struct udf_client *c, const struct udf_msg *m, int *fd, struct udf_msg *reply)
{
	reply->reply.version = UDF_PROTO_VERSION;
	if (m->hello.magic != UDF_PROTO_MAGIC || c->greeted || *fd < 0)
		return -EPROTO;
	if (m->hello.version != UDF_PROTO_VERSION)
		return -EPROTONOSUPPORT;
	c->lease = *fd;
	*fd = -1;
	c->greeted = true;
	reply->reply.cpus = c->udf->cpus;
	reply->reply.mem_granule = udf_driver_mem_granule(c->udf->driver);
	return 0;
}

/* ---- memory ---- */

static int add_region(struct udf_client *c, unsigned int region, uint64_t len, int fd)
{
	struct host_front_command cmd = { .op = HOST_FRONT_MEM_ADD, .domain = c->domain, .region = region, .mem_size = len };
	uint64_t dev;
	int err = udf_driver_mem_add(c->udf->driver, fd, len, c->lease, &dev);

	if (err)
		return err;
	cmd.addr = dev;
	err = udf_command(c->udf, &cmd);
	if (err) {
		udf_driver_mem_remove(c->udf->driver, dev);
		return err;
	}
	c->region[region].dev = dev;
	c->region[region].len = len;
	return 0;
}

static int on_mem_add(struct udf_client *c, const struct udf_msg *m, int *fd, struct udf_msg *reply)
{
	int err;

	if (*fd < 0 || m->mem.region >= UDF_PROTO_REGIONS || c->region[m->mem.region].len || !m->mem.len ||
	    m->mem.len > UDF_PROTO_REGION_MAX)
		return -EPROTO;
	err = udf_memory_check(*fd, m->mem.len);
	return err ? err : add_region(c, m->mem.region, m->mem.len, *fd);
}

static bool remove_region(struct udf_client *c, unsigned int region)
{
	struct host_front_command cmd = { .op = HOST_FRONT_MEM_REMOVE, .domain = c->domain, .region = region };

	if (!c->region[region].len)
		return true;
	if (udf_command(c->udf, &cmd) || udf_driver_mem_remove(c->udf->driver, c->region[region].dev))
		return false;
	c->region[region].len = 0;
	return true;
}

/* ---- queues ---- */

static int map_ring(struct udf_served_queue *q, uint64_t len, int fd)
{
	void *mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (mem == MAP_FAILED)
		return -errno;
	if (udf_ring_attach(&q->view, mem, len)) {
		munmap(mem, len);
		return -EPROTO;
	}
	q->mem = mem;
	q->len = len;
	q->waker = (struct udf_waker){ .word = (atomic_uint *)&q->view.shared->cq_wake, .shared = true };
	return 0;
}

static void unmap_ring(struct udf_served_queue *q)
{
	munmap(q->mem, q->len);
	q->mem = NULL;
}

static int on_queue_add(struct udf_client *c, const struct udf_msg *m, int *fd, struct udf_msg *reply)
{
	struct host_front_command cmd = { .op = HOST_FRONT_ATTACH, .cpu = m->queue.cpu, .domain = c->domain };
	struct udf_served_queue *q;
	int err;

	if (*fd < 0 || m->queue.queue >= UDF_PROTO_QUEUES || c->queue[m->queue.queue].mem || m->queue.cpu >= c->udf->cpus ||
	    !m->queue.len || m->queue.len > udf_ring_size(UDF_RING_ENTRIES_MAX) + 4095)
		return -EPROTO;
	q = &c->queue[m->queue.queue];
	err = udf_memory_check(*fd, m->queue.len);
	if (!err)
		err = map_ring(q, m->queue.len, *fd);
	if (err)
		return err;
	cmd.ring = q->mem;
	cmd.ring_size = q->len;
	cmd.cookie = (unsigned long)&q->waker;
	err = udf_command(c->udf, &cmd);
	/* the kernel world may still be about to take it, if that is not known */
	if (err == -ETIMEDOUT || err == -ENODEV)
		return err;
	if (err) {
		unmap_ring(q);
		return err;
	}
	q->id = cmd.queue;
	q->cpu = m->queue.cpu;
	return 0;
}

static bool remove_queue(struct udf_client *c, struct udf_served_queue *q)
{
	struct host_front_command cmd = { .op = HOST_FRONT_DETACH, .queue = q->id };

	if (!q->mem)
		return true;
	if (q->leaving)
		cmd = (struct host_front_command){ .op = HOST_FRONT_DRAIN, .addr = q->leaving };
	if (udf_command(c->udf, &cmd))
		return false;
	unmap_ring(q);
	return true;
}

static bool settle_queue(struct udf_client *c, struct udf_served_queue *q)
{
	struct host_front_command cmd = { .op = HOST_FRONT_DETACH, .flags = HOST_FRONT_WRITES, .queue = q->id };

	if (!q->mem)
		return true;
	if (udf_command(c->udf, &cmd))
		return false;
	q->leaving = cmd.addr;
	return true;
}

static int on_queue_remove(struct udf_client *c, const struct udf_msg *m, int *fd, struct udf_msg *reply)
{
	if (m->queue.queue >= UDF_PROTO_QUEUES || !c->queue[m->queue.queue].mem)
		return -EPROTO;
	return remove_queue(c, &c->queue[m->queue.queue]) ? 0 : -ENODEV;
}

void udf_client_kick(struct udf_client *c)
{
	unsigned int cpus = 0, i;

	for (i = 0; i < UDF_PROTO_QUEUES; i++) {
		const struct udf_served_queue *q = &c->queue[i];

		/* what is there was published before the doorbell rang; taken or not, looking does no harm */
		if (q->mem && __atomic_load_n(&q->view.shared->sq_tail, __ATOMIC_RELAXED) !=
				      __atomic_load_n(&q->view.shared->sq_head, __ATOMIC_RELAXED))
			cpus |= 1u << q->cpu;
	}
	for (i = 0; cpus >> i; i++)
		if (cpus >> i & 1)
			udf_driver_kick(c->udf->driver, i);
}

/* ---- disks ---- */

static int on_disk_open(struct udf_client *c, const struct udf_msg *m, int *fd, struct udf_msg *reply)
{
	struct host_front_command cmd = { .op = HOST_FRONT_OPEN, .disk = m->disk.disk };
	unsigned int i, slot = HOST_FRONT_DISKS;
	int err;

	if (!m->disk.disk)
		return -ENODEV;
	for (i = 0; i < HOST_FRONT_DISKS; i++) {
		if (c->open[i] == m->disk.disk)
			return 0;	/* once for all that the application does with it */
		if (!c->open[i])
			slot = i;
	}
	if (slot == HOST_FRONT_DISKS)
		return -EMFILE;
	err = udf_command(c->udf, &cmd);
	if (!err)
		c->open[slot] = m->disk.disk;
	return err;
}

static void close_disk(struct udf_client *c, unsigned int slot)
{
	struct host_front_command cmd = { .op = HOST_FRONT_CLOSE, .disk = c->open[slot] };

	if (c->open[slot])
		udf_command(c->udf, &cmd);	/* a disk that has gone was closed with it */
	c->open[slot] = 0;
}

static int on_disk_close(struct udf_client *c, const struct udf_msg *m, int *fd, struct udf_msg *reply)
{
	unsigned int i;

	for (i = 0; i < HOST_FRONT_DISKS; i++)
		if (m->disk.disk && c->open[i] == m->disk.disk)
			close_disk(c, i);
	return 0;
}

int udf_client_news(struct udf_client *c)
{
	struct udf_msg m = { .type = UDF_MSG_DISK };
	unsigned int i;

	c->behind = false;
	for (i = 0; i < HOST_FRONT_DISKS; i++) {
		int err;

		udf_news_disk(c->udf->news, i, &m.news.disk);
		if (!memcmp(&m.news.disk, &c->told[i], sizeof(c->told[i])))
			continue;
		m.news.slot = i;
		err = udf_msg_send(c->sock, &m, -1, MSG_DONTWAIT);
		c->behind = err == -EAGAIN;
		if (err)
			return c->behind ? 0 : err;
		c->told[i] = m.news.disk;
	}
	return 0;
}

/* ---- all of them ---- */

static int on_stats(struct udf_client *c, const struct udf_msg *m, int *fd, struct udf_msg *reply)
{
	struct udf_driver_stats s;

	udf_driver_stats(c->udf->driver, &s);
	reply->reply.privileged_calls = s.privileged_calls;
	reply->reply.traps = s.traps;
	reply->reply.interrupts = s.interrupts;
	reply->reply.idle_sleeps = s.idle_sleeps;
	reply->reply.start_ns = s.start_ns;
	return 0;
}

int udf_client_message(struct udf_client *c, const struct udf_msg *m, int fd)
{
	static handler *const handlers[] = {
		[UDF_MSG_HELLO] = on_hello, [UDF_MSG_MEM_ADD] = on_mem_add, [UDF_MSG_QUEUE_ADD] = on_queue_add,
		[UDF_MSG_QUEUE_REMOVE] = on_queue_remove, [UDF_MSG_DISK_OPEN] = on_disk_open, [UDF_MSG_DISK_CLOSE] = on_disk_close,
		[UDF_MSG_STATS] = on_stats,
	};
	struct udf_msg reply = { .type = UDF_MSG_REPLY, .id = m->id };
	bool hello = m->type == UDF_MSG_HELLO;
	int err = -EPROTO;

	if (m->type < sizeof(handlers) / sizeof(handlers[0]) && handlers[m->type] && (hello || c->greeted))
		err = handlers[m->type](c, m, &fd, &reply);
	if (fd >= 0)
		close(fd);
	if (err == -EPROTO)
		return err;
	reply.reply.result = err;
	/* who asks reads the answer: a socket that is full of them is not libudf's */
	err = udf_msg_send(c->sock, &reply, hello && !err ? c->doorbell : -1, MSG_DONTWAIT);
	return err == -EAGAIN ? -EPROTO : err;
}

bool udf_client_settle(struct udf_client *c)
{
	bool all = true;
	unsigned int i;

	for (i = 0; i < UDF_PROTO_QUEUES; i++)
		all &= settle_queue(c, &c->queue[i]);
	return all;
}

bool udf_client_release(struct udf_client *c)
{
	bool all = true;
	unsigned int i;

	for (i = 0; i < UDF_PROTO_QUEUES; i++)
		all &= remove_queue(c, &c->queue[i]);
	for (i = 0; i < HOST_FRONT_DISKS; i++)
		close_disk(c, i);
	for (i = 0; i < UDF_PROTO_REGIONS && all; i++)
		all &= remove_region(c, i);
	return all;
}
