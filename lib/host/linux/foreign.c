// SPDX-License-Identifier: GPL-2.0
/*
 * Foreign memory (front.h): the device reaches it at its device address, kernel code at UDF_FOREIGN_BASE + device address, if it ever
 * touches it: the first access faults, and maps a piece of the owner's file. Host world.
 *
 * The fault is served in a signal handler while others add and remove memory: it reads entries without a lock. An entry's length is
 * written last and cleared first; nobody removes memory that a request names.
 *
 * Where the machine's kernel has requests it owns all that is nobody else's: one mapping of the whole window, whose faults it serves itself.
 * Others' memory is a hole in it.
 */
#define _GNU_SOURCE
#include "host/linux/host.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "layout.h"

#define ENTRIES	1024u
#define PIECE	(2ul << 20)	/* mapped at once: kernel code that touches some data will touch more */

struct entry {
	_Atomic uint64_t len;	/* 0: free */
	uint64_t dev;
	int fd;
};

static struct entry entries[ENTRIES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool window;		/* the machine's kernel serves what is nobody's */

static struct entry *find(uint64_t dev)
{
	unsigned int i;

	for (i = 0; i < ENTRIES; i++) {
		uint64_t len = atomic_load_explicit(&entries[i].len, memory_order_acquire);

		if (len && dev - entries[i].dev < len)
			return &entries[i];
	}
	return NULL;
}

/* Called with the lock. */
static struct entry *find_free(void)
{
	unsigned int i;

	for (i = 0; i < ENTRIES; i++)
		if (!atomic_load(&entries[i].len))
			return &entries[i];
	return NULL;
}

static int add(int fd, uint64_t len, int lease, uint64_t *dev)
{
	struct udf_port *port = udf_host.port;
	struct entry *e = find_free();
	int copy, err;

	if (!e)
		return -ENOSPC;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return -errno;
	err = port->ops->dma_add(port, fd, len, lease, dev);
	if (!err && (*dev >= UDF_FOREIGN_SIZE || len > UDF_FOREIGN_SIZE - *dev)) {
		port->ops->dma_remove(port, *dev);
		err = -ERANGE;
	}
	if (err) {
		close(copy);
		return err;
	}
	if (window)
		munmap((void *)(UDF_FOREIGN_BASE + *dev), len);
	e->fd = copy;
	e->dev = *dev;
	atomic_store_explicit(&e->len, len, memory_order_release);
	return 0;
}

int udf_foreign_add(int fd, uint64_t len, int lease, uint64_t *dev)
{
	struct udf_port *port = udf_host.port;
	int err;

	if (!port || !port->ops->dma_add)
		return -EOPNOTSUPP;
	if (!len || len & (port->ops->dma_granule - 1))
		return -EINVAL;
	pthread_mutex_lock(&lock);
	err = add(fd, len, lease, dev);
	pthread_mutex_unlock(&lock);
	return err;
}

/* Map what is not others', or what no longer is, for the machine's kernel. */
static int map_window(uint64_t dev, uint64_t end)
{
	struct udf_port *port = udf_host.port;

	return dev < end ? port->ops->block->map(port, dev, end - dev, (void *)(UDF_FOREIGN_BASE + dev)) : 0;
}

static void forget(struct entry *e)
{
	uint64_t len = atomic_exchange(&e->len, 0);

	/* a hole that cannot be closed is one that the driver dies of, should the kernel use it: no request is harmed */
	if (!window || map_window(e->dev, e->dev + len))
		munmap((void *)(UDF_FOREIGN_BASE + e->dev), len);
	close(e->fd);
}

/* The entry that begins next, from device address DEV on; NULL: none does. Called with the lock. */
static struct entry *next_entry(uint64_t dev)
{
	struct entry *next = NULL;
	unsigned int i;

	for (i = 0; i < ENTRIES; i++)
		if (atomic_load(&entries[i].len) && entries[i].dev >= dev && (!next || entries[i].dev < next->dev))
			next = &entries[i];
	return next;
}

int udf_foreign_window(void)
{
	uint64_t dev = 0;
	struct entry *e;
	int err = 0;

	pthread_mutex_lock(&lock);
	while (!err && (e = next_entry(dev))) {
		err = map_window(dev, e->dev);
		dev = e->dev + e->len;
	}
	if (!err)
		err = map_window(dev, UDF_FOREIGN_SIZE);
	window = !err;
	pthread_mutex_unlock(&lock);
	return err;
}

int udf_foreign_remove(uint64_t dev)
{
	struct udf_port *port = udf_host.port;
	struct entry *e;
	int err = -ENOENT;

	pthread_mutex_lock(&lock);
	e = find(dev);
	if (e && e->dev == dev) {
		err = port->ops->dma_remove(port, dev);
		forget(e);
	}
	pthread_mutex_unlock(&lock);
	return err;
}

/* The port is about to be closed, and what the device reached goes with it. */
void udf_foreign_reset(void)
{
	unsigned int i;

	if (window)
		munmap((void *)UDF_FOREIGN_BASE, UDF_FOREIGN_SIZE);
	window = false;
	for (i = 0; i < ENTRIES; i++)
		if (atomic_load(&entries[i].len))
			forget(&entries[i]);
}

bool udf_foreign_fault(uint64_t addr)
{
	uint64_t dev = addr - UDF_FOREIGN_BASE, at, len;
	struct entry *e = dev < UDF_FOREIGN_SIZE ? find(dev) : NULL;

	if (!e)
		return false;
	at = (dev - e->dev) & ~(PIECE - 1);
	len = e->len - at < PIECE ? e->len - at : PIECE;
	return mmap((void *)(UDF_FOREIGN_BASE + e->dev + at), len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, e->fd,
		    (off_t)at) != MAP_FAILED;
}
