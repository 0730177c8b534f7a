// SPDX-License-Identifier: GPL-2.0
/* Messages between an application and a driver process: see proto.h. Host world. */
#define _GNU_SOURCE
#include "front/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/send-fd.h"

#define END_OF(member) (offsetof(struct udf_msg, member) + sizeof(((struct udf_msg *)0)->member))

size_t udf_msg_size(uint32_t type)
{
	switch (type) {
	case UDF_MSG_HELLO:
		return END_OF(hello);
	case UDF_MSG_MEM_ADD:
		return END_OF(mem);
	case UDF_MSG_QUEUE_ADD:
	case UDF_MSG_QUEUE_REMOVE:
		return END_OF(queue);
	case UDF_MSG_DISK_OPEN:
	case UDF_MSG_DISK_CLOSE:
		return END_OF(disk);
	case UDF_MSG_STATS:
		return offsetof(struct udf_msg, hello);
	case UDF_MSG_REPLY:
		return END_OF(reply);
	case UDF_MSG_DISK:
		return END_OF(news);
	case UDF_MSG_LOST:
		return END_OF(lost);
	}
	return 0;
}

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(UDF_PROTO_FDS * sizeof(int))];
};

int udf_msg_send(int sock, const struct udf_msg *m, int fd, int flags)
{
	ssize_t n = udf_send_fd(sock, m, udf_msg_size(m->type), fd, flags);

	return n < 0 ? (int)n : 0;
}

/* The descriptor that came with H into *FD, -1 without. Returns -EPROTO when there are several. */
static int take_fd(struct msghdr *h, int *fd)
{
	struct cmsghdr *c;
	int ret = h->msg_flags & MSG_CTRUNC ? -EPROTO : 0;

	for (c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		size_t n = c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0, i;

		for (i = 0; i < n; i++) {
			int one;

			memcpy(&one, CMSG_DATA(c) + i * sizeof(one), sizeof(one));
			if (*fd < 0) {
				*fd = one;
				continue;
			}
			close(one);	/* alignment leaves room for more than was asked for */
			ret = -EPROTO;
		}
	}
	return ret;
}

int udf_msg_receive(int sock, struct udf_msg *m, int *fd, int flags)
{
	struct iovec iov = { .iov_base = m, .iov_len = sizeof(*m) };
	union control control = { 0 };
	struct msghdr h = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;

	*fd = -1;
	memset(m, 0, sizeof(*m));
	do {
		n = recvmsg(sock, &h, flags | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return -EAGAIN;
	if (n <= 0)
		return -ECONNRESET;
	if (take_fd(&h, fd) || h.msg_flags & MSG_TRUNC || (size_t)n < sizeof(m->type) || (size_t)n != udf_msg_size(m->type)) {
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
		return -EPROTO;
	}
	return 0;
}

int udf_memory_file(const char *name, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), err;

	if (fd < 0)
		return -errno;
	if (!ftruncate(fd, (off_t)len) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int udf_memory_check(int fd, uint64_t len)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct statfs fs;
	struct stat st;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EACCES;
	/* no huge pages: there may be none left when one is touched */
	if (fstatfs(fd, &fs) || fs.f_type != TMPFS_MAGIC || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return -EACCES;
	return (uint64_t)st.st_size < len ? -EINVAL : 0;
}
