// SPDX-License-Identifier: GPL-2.0
/*
 * An application that is anything but libudf, at a driver process: any messages, with any descriptors, and any bytes in its ring and its
 * memory, at any moment. The driver process must neither crash nor hang, touch nothing that is not the application's, and have nothing
 * left of it when it is gone.
 *
 * Input: commands of one byte, with operands behind them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/front/fake_driver.c"
#include "common/log.h"
#include "front/internal.h"
#include "front/proto.h"
#include "udf/serve.h"

#define MEMORY	(2u << 20)
#define RING	16384u

static struct udf *server;

static struct {
	int sock, memory, ring_file, unsealed;
	char *ring;
	struct udf_ring view;
} app;

static const uint8_t *in;
static size_t left;

static uint64_t take(unsigned int size)
{
	uint64_t v = 0;

	for (; size-- && left; left--)
		v = v << 8 | *in++;
	return v;
}

static void start(void)
{
	struct udf_options *o = udf_options_new();

	udf_log_set_level(-1);
	fake_reset();
	udf_options_set(o, "device", "fake:x");
	udf_options_set(o, "cpus", "2");
	if (udf_open(o, &server))
		abort();
	udf_options_free(o);
	app.memory = udf_memory_file("fuzz", MEMORY);
	app.ring_file = udf_memory_file("fuzz", RING);
	app.unsealed = memfd_create("fuzz", MFD_CLOEXEC);
	app.ring = mmap(NULL, RING, PROT_READ | PROT_WRITE, MAP_SHARED, app.ring_file, 0);
	if (app.ring == MAP_FAILED)
		abort();
}

static int some_fd(unsigned int which)
{
	switch (which % 6) {
	case 0:
	case 1:
		return app.memory;
	case 2:
	case 3:
		return app.ring_file;
	case 4:
		return app.unsealed;
	}
	return -1;
}

static void send_message(void)
{
	struct udf_msg m = { .type = (uint32_t)take(1) % 9 };
	unsigned int which = (unsigned int)take(1), i;
	uint8_t *bytes = (uint8_t *)&m.hello;

	if (m.type == 8)
		m.type = UDF_MSG_REPLY;
	for (i = (unsigned int)take(1) % 24; i--;)
		bytes[i] = (uint8_t)take(1);
	/* what is worth more than chance finds */
	if (which & 0x80 && m.type == UDF_MSG_HELLO)
		m.hello.magic = UDF_PROTO_MAGIC, m.hello.version = UDF_PROTO_VERSION;
	if (which & 0x80 && m.type == UDF_MSG_MEM_ADD)
		m.mem.len = MEMORY, m.mem.region %= 4;
	if (which & 0x80 && m.type == UDF_MSG_QUEUE_ADD)
		m.queue.len = RING, m.queue.queue %= 4, m.queue.cpu %= 2;
	if (which & 0x80 && (m.type == UDF_MSG_DISK_OPEN || m.type == UDF_MSG_DISK_CLOSE))
		m.disk.disk = HOST_FRONT_DISKS;
	if (udf_msg_size(m.type))
		udf_msg_send(app.sock, &m, some_fd(which), MSG_DONTWAIT);
	else
		send(app.sock, &m, which, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void receive(void)
{
	struct udf_msg m;
	int fd;

	if (!udf_msg_receive(app.sock, &m, &fd, MSG_DONTWAIT) && fd >= 0) {
		eventfd_write(fd, 1);
		close(fd);
	}
}

static void push_request(void)
{
	struct udf_ring_sqe e = {
		.op = (unsigned char)take(1), .flags = (unsigned char)take(1), .nr_segments = (unsigned short)take(2), .disk = HOST_FRONT_DISKS,
		.sector = take(3), .length = take(4),
		.segment[0] = { .addr = take(1) % 5 << UDF_RING_REGION_SHIFT | take(4), .len = take(4) },
	};

	udf_ring_push(&app.view, &e);
	udf_ring_publish(&app.view);
	udf_driver_kick(NULL, 0);
}

static void one_command(void)
{
	unsigned int at;

	switch (take(1) % 8) {
	case 0:
	case 1:
		send_message();
		return;
	case 2:
		receive();
		return;
	case 3:
		memset(app.ring, 0, RING);
		udf_ring_create(&app.view, app.ring, RING, 32);
		return;
	case 4:
		at = (unsigned int)take(2) % (RING - 8);
		*(volatile uint32_t *)(app.ring + at / 4 * 4) = (uint32_t)take(4);
		return;
	case 5:
		if (app.view.sqes)
			push_request();
		return;
	case 6:
		fake_disk_resize(FAKE_DISK_SIZE);
		return;
	case 7:
		sched_yield();
	}
}

static void await_nothing_left(void)
{
	while (udf_serve_clients(server))
		sched_yield();
	if (fake_rings() || fake_foreign() || fake_opens())
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int pair[2];

	if (!server)
		start();
	in = data;
	left = size;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) || udf_serve_client(server, pair[0]))
		abort();
	app.sock = pair[1];
	while (left)
		one_command();
	close(app.sock);
	await_nothing_left();
	return 0;
}
