// SPDX-License-Identifier: GPL-2.0
/* The server of interrupt messages against a client that does with descriptors what QEMU does. Host world. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit.h"
#include "port/ivshmem.h"

static struct udf_ivshmem iv;
static int client;

/* The next message's number; *FD is the descriptor that comes with it, or -1. */
static int64_t take(int *fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	int64_t number;
	struct iovec iov = { .iov_base = &number, .iov_len = sizeof(number) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *c;

	assert_int_equal(recvmsg(client, &msg, 0), sizeof(number));
	c = CMSG_FIRSTHDR(&msg);
	*fd = -1;
	if (c)
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return number;
}

static int setup(void **state)
{
	int pair[2], fd;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	client = pair[1];
	assert_int_equal(udf_ivshmem_init(&iv, pair[0]), 0);
	assert_int_equal(take(&fd), 0);		/* the protocol's version */
	assert_int_equal(fd, -1);
	assert_int_equal(take(&fd), UDF_IVSHMEM_VECTORS / UDF_IVSHMEM_PER_PEER);
	assert_int_equal(take(&fd), -1);	/* the shared memory */
	assert_true(fd >= 0);
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	udf_ivshmem_close(&iv);
	close(client);
	return 0;
}

static void test_vectors_by_peer(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(udf_ivshmem_grow(&iv, UDF_IVSHMEM_PER_PEER + 1), 0);
	for (unsigned int i = 0; i <= UDF_IVSHMEM_PER_PEER; i++) {
		assert_int_equal(take(&fd), i / UDF_IVSHMEM_PER_PEER);
		assert_true(fd >= 0);
		assert_int_equal(eventfd_write(fd, 1), 0);
		assert_true(udf_ivshmem_rung(&iv, i));
		assert_false(udf_ivshmem_rung(&iv, i));
		close(fd);
	}
	assert_int_equal(udf_ivshmem_grow(&iv, UDF_IVSHMEM_VECTORS + 1), -EINVAL);
}

/* QEMU makes a descriptor blocking when it receives it, which may be after the doorbell was rung and before we look. */
static void test_client_makes_it_blocking(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(udf_ivshmem_grow(&iv, 1), 0);
	assert_int_equal(take(&fd), 0);
	assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK), 0);
	alarm(10);				/* ends the test if that blocks */
	assert_false(udf_ivshmem_rung(&iv, 0));
	alarm(0);
	assert_int_equal(eventfd_write(fd, 1), 0);
	assert_true(udf_ivshmem_rung(&iv, 0));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_vectors_by_peer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client_makes_it_blocking, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
