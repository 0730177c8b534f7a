// SPDX-License-Identifier: GPL-2.0
/*
 * The machine's kernel's block devices, through udf_port.ko: rings, memory of their requests, and what is said about disks. Host world.
 *
 * The rings are one mapping, made when they are: nothing of this is mapped later, but where foreign memory of others goes away again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "port/kernel-int.h"

static int block_start(struct udf_port *port, struct udf_port_block_start *s, void **rings)
{
	struct kernel_port *k = to_kernel(port);
	int ret = k->rings ? -EBUSY : udf_kernel_ioctl(k, UDF_PORT_BLOCK_START, s);
	void *map;

	if (ret == -ENOTTY)	/* the module is older, or without this part */
		return -EOPNOTSUPP;
	if (ret)
		return ret;
	map = mmap(NULL, s->queues * s->ring_stride, PROT_READ | PROT_WRITE, MAP_SHARED, k->fd, UDF_PORT_MMAP_RINGS);
	if (map == MAP_FAILED)
		return -errno;
	k->rings = *rings = map;
	k->rings_size = s->queues * s->ring_stride;
	return 0;
}

/* Faults are the kernel's to serve: a mapping costs what is touched of it. */
static int block_map(struct udf_port *port, uint64_t dev, uint64_t len, void *va)
{
	void *map = mmap(va, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, to_kernel(port)->fd,
			 (off_t)(UDF_PORT_MMAP_REQUESTS + dev));

	return map == MAP_FAILED ? -errno : 0;
}

static int block_eventfd(struct udf_port *port, unsigned int queue, int fd)
{
	struct udf_port_block_eventfd e = { .queue = queue, .fd = fd };

	return udf_kernel_ioctl(to_kernel(port), UDF_PORT_BLOCK_EVENTFD, &e);
}

static int block_disk(struct udf_port *port, struct udf_port_block_disk *disk)
{
	return udf_kernel_ioctl(to_kernel(port), UDF_PORT_BLOCK_DISK, disk);
}

static int block_gone(struct udf_port *port, unsigned int id)
{
	struct udf_port_block_gone g = { .id = id };

	return udf_kernel_ioctl(to_kernel(port), UDF_PORT_BLOCK_GONE, &g);
}

static int block_bell(struct udf_port *port, uint64_t queues)
{
	struct udf_port_block_bell b = { .queues = queues };

	return udf_kernel_ioctl(to_kernel(port), UDF_PORT_BLOCK_BELL, &b);
}

void udf_kernel_block_stop(struct kernel_port *k)
{
	if (k->rings)
		munmap(k->rings, k->rings_size);
	k->rings = NULL;
}

const struct udf_port_block_ops udf_kernel_block_ops = {
	.start = block_start,
	.map = block_map,
	.eventfd = block_eventfd,
	.disk = block_disk,
	.gone = block_gone,
	.bell = block_bell,
};
