// SPDX-License-Identifier: GPL-2.0
/* Interrupt messages of an emulated device as eventfds; see ivshmem.h. Host world. */
#define _GNU_SOURCE
#include "port/ivshmem.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/send-fd.h"

#define PROTOCOL_VERSION 0
#define SELF (UDF_IVSHMEM_VECTORS / UDF_IVSHMEM_PER_PEER)	/* the device's own id: any that is no peer's */
#define SHM_SIZE 4096						/* the protocol wants a shared memory; nobody uses it */

/* One message of the protocol: a number, and perhaps a descriptor. */
static int tell(int sock, int64_t number, int fd)
{
	ssize_t n = udf_send_fd(sock, &number, sizeof(number), fd, 0);

	return n == sizeof(number) ? 0 : n < 0 ? (int)n : -EIO;
}

int udf_ivshmem_init(struct udf_ivshmem *iv, int sock)
{
	int shm, ret;

	iv->sock = sock;
	iv->count = 0;
	shm = memfd_create("udf-ivshmem", MFD_CLOEXEC);
	if (shm < 0)
		return -errno;
	ret = ftruncate(shm, SHM_SIZE) ? -errno : 0;
	if (!ret)
		ret = tell(sock, PROTOCOL_VERSION, -1);
	if (!ret)
		ret = tell(sock, SELF, -1);
	if (!ret)
		ret = tell(sock, -1, shm);
	close(shm);
	return ret;
}

void udf_ivshmem_close(struct udf_ivshmem *iv)
{
	while (iv->count)
		close(iv->eventfd[--iv->count]);
	if (iv->sock >= 0)
		close(iv->sock);
	iv->sock = -1;
}

int udf_ivshmem_grow(struct udf_ivshmem *iv, unsigned int count)
{
	if (count > UDF_IVSHMEM_VECTORS)
		return -EINVAL;
	while (iv->count < count) {
		int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), ret;

		if (fd < 0)
			return -errno;
		/* QEMU numbers a peer's vectors in the order in which they come */
		ret = tell(iv->sock, iv->count / UDF_IVSHMEM_PER_PEER, fd);
		if (ret) {
			close(fd);
			return ret;
		}
		iv->eventfd[iv->count++] = fd;
	}
	return 0;
}

bool udf_ivshmem_rung(struct udf_ivshmem *iv, unsigned int vector)
{
	struct pollfd p = { .fd = iv->eventfd[vector], .events = POLLIN };
	uint64_t count;

	return poll(&p, 1, 0) == 1 && read(p.fd, &count, sizeof(count)) == sizeof(count);
}
