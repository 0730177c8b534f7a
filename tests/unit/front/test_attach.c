// SPDX-License-Identifier: GPL-2.0
/*
 * An application that is attached, and the driver process's side of it, both in this process, over a driver that serves its rings from
 * memory.
 */
#define _GNU_SOURCE
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "front/attach.h"
#include "front/fake_driver.h"
#include "front/serve.h"

static struct {
	struct udf *server, *udf;
	struct udf_disk *disk;
	struct udf_queue *queue;
	struct sockaddr_un addr;
	int sock, stop;
	pthread_t thread;
} t;

/* ---- the driver process ---- */

static void *listener(void *arg)
{
	struct pollfd fds[2] = { { .fd = t.sock, .events = POLLIN }, { .fd = t.stop, .events = POLLIN } };

	for (;;) {
		int fd;

		poll(fds, 2, -1);
		if (fds[1].revents)
			return NULL;
		fd = accept4(t.sock, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0 && udf_serve_client(t.server, fd))
			close(fd);
	}
}

static void start_server(void)
{
	struct udf_options *o = udf_options_new();

	fake_reset();
	udf_options_set(o, "device", "fake:x");
	udf_options_set(o, "cpus", "2");
	udf_options_set(o, "close-timeout", "1");
	assert_int_equal(udf_open(o, &t.server), 0);
	udf_options_free(o);
	t.stop = eventfd(0, EFD_CLOEXEC);
	t.sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	unlink(t.addr.sun_path);
	assert_int_equal(bind(t.sock, (struct sockaddr *)&t.addr, sizeof(t.addr)), 0);
	assert_int_equal(listen(t.sock, 8), 0);
	assert_int_equal(pthread_create(&t.thread, NULL, listener, NULL), 0);
}

/* Nothing of its applications is left then. */
static void stop_server(void)
{
	eventfd_write(t.stop, 1);
	pthread_join(t.thread, NULL);
	unlink(t.addr.sun_path);
	close(t.sock);
	close(t.stop);
	udf_close(t.server);
	assert_int_equal(fake_rings(), 0);
}

static void attach(const char *on_loss)
{
	struct udf_options *o = udf_options_new();

	udf_options_set(o, "port", t.addr.sun_path);
	udf_options_set(o, "on-loss", on_loss);
	udf_options_set(o, "close-timeout", "1");
	assert_int_equal(udf_open(o, &t.udf), 0);
	udf_options_free(o);
	assert_int_equal(udf_wait_disks(t.udf, 1, 5000), 1);
	assert_int_equal(udf_disk_open(t.udf, NULL, &t.disk), 0);
	assert_int_equal(udf_queue_open(t.udf, -1, 8, 0, &t.queue), 0);
}

static int setup(void **state)
{
	t.addr.sun_family = AF_UNIX;
	snprintf(t.addr.sun_path, sizeof(t.addr.sun_path), "/tmp/udf-test-attach-%d", getpid());
	start_server();
	attach("wait");
	return 0;
}

static int teardown(void **state)
{
	udf_close(t.udf);
	stop_server();
	assert_int_equal(fake_opens(), 0);
	assert_int_equal(fake_foreign(), 0);
	return 0;
}

/* ---- requests ---- */

struct result {
	int calls, result;
};

static void done(void *arg, int result)
{
	struct result *r = arg;

	r->calls++;
	r->result = result;
}

static void fill(unsigned char *p, size_t len, unsigned int seed)
{
	for (; len--; p++)
		*p = (seed = seed * 1103515245 + 12345) >> 16;
}

static void test_data(void **state)
{
	unsigned char *buf = udf_buf_alloc(t.udf, 8192), *heap = malloc(70000);
	struct udf_stats stats;
	struct result r = { 0 };

	assert_int_equal((unsigned long)buf % 8192, 0);
	fill(buf, 8192, 1);
	assert_int_equal(udf_write(t.queue, t.disk, buf, 8192, 4096, UDF_FUA, done, &r), 0);
	assert_int_equal(udf_poll(t.queue, 8, -1), 1);
	assert_int_equal(r.calls, 1);
	assert_int_equal(r.result, 0);
	assert_memory_equal(fake_disk_data() + 4096, buf, 8192);
	memset(buf, 0, 8192);
	assert_int_equal(udf_pread(t.queue, t.disk, buf, 8192, 4096), 0);
	assert_memory_equal(fake_disk_data() + 4096, buf, 8192);
	udf_stats(t.udf, &stats);
	assert_int_equal(stats.bounced, 0);
	/* memory that is not the device's */
	fill(heap, 70000, 2);
	assert_int_equal(udf_pwrite(NULL, t.disk, heap + 1, 65536, 0, 0), 0);
	assert_memory_equal(fake_disk_data(), heap + 1, 65536);
	memset(heap, 0, 70000);
	assert_int_equal(udf_pread(NULL, t.disk, heap + 3, 65536, 0), 0);
	assert_memory_equal(fake_disk_data(), heap + 3, 65536);
	assert_int_equal(udf_pflush(NULL, t.disk), 0);
	assert_int_equal(udf_pdiscard(NULL, t.disk, 0, 65536), 0);
	assert_int_equal(udf_pwrite_zeroes(NULL, t.disk, 0, 65536, 0), 0);
	assert_int_equal(fake_disk_data()[1], 0);
	free(heap);
	udf_buf_free(t.udf, buf);
}

static void test_lists(void **state)
{
	unsigned char *buf = udf_buf_alloc(t.udf, 1 << 20);
	struct iovec iov[20];
	unsigned int i;
	struct result r = { 0 };

	fill(buf, 1 << 20, 3);
	for (i = 0; i < 20; i++)
		iov[i] = (struct iovec){ .iov_base = buf + i * 8192, .iov_len = 4096 };
	assert_int_equal(udf_writev(t.queue, t.disk, iov, 20, 0, 0, done, &r), 0);
	assert_int_equal(udf_wait(t.queue, 5000), 0);
	assert_int_equal(r.result, 0);
	assert_int_equal(fake_indirect(), 1);
	for (i = 0; i < 20; i++)
		assert_memory_equal(fake_disk_data() + i * 4096, iov[i].iov_base, 4096);
}

/* More than a region; buffers are where the addresses say, to the last. */
static void test_much_memory(void **state)
{
	unsigned char *buf[20];
	unsigned int i;

	for (i = 0; i < 20; i++) {
		buf[i] = udf_buf_alloc(t.udf, UDF_BUF_MAX);
		assert_non_null(buf[i]);
		memset(buf[i] + UDF_BUF_MAX - 512, (int)i + 1, 512);
	}
	assert_int_equal(fake_foreign(), 2);
	for (i = 0; i < 20; i++) {
		assert_int_equal(udf_pwrite(t.queue, t.disk, buf[i] + UDF_BUF_MAX - 512, 512, i * 512, 0), 0);
		assert_int_equal(fake_disk_data()[i * 512 + 511], i + 1);
	}
	for (i = 0; i < 20; i++)
		udf_buf_free(t.udf, buf[i]);
}

static void test_full_queue(void **state)
{
	char *buf = udf_buf_alloc(t.udf, 4096);
	struct result r = { 0 };
	unsigned int i;

	fake_hold(true);
	for (i = 0; i < 8; i++)
		assert_int_equal(udf_read(t.queue, t.disk, buf, 512, 0, done, &r), 0);
	assert_int_equal(udf_read(t.queue, t.disk, buf, 512, 0, done, &r), -EAGAIN);
	assert_int_equal(udf_wait(t.queue, 10), -ETIMEDOUT);
	fake_hold(false);
	assert_int_equal(udf_wait(t.queue, 5000), 0);
	assert_int_equal(r.calls, 8);
}

static void test_errors(void **state)
{
	char *buf = udf_buf_alloc(t.udf, 4096);
	struct result r = { 0 };

	assert_int_equal(udf_read(t.queue, t.disk, buf, 100, 0, done, &r), -EINVAL);
	assert_int_equal(udf_write(t.queue, t.disk, buf, 512, FAKE_DISK_SIZE, 0, done, &r), -ENOSPC);
	fake_fail(-EIO);
	assert_int_equal(udf_pread(t.queue, t.disk, buf, 512, 0), -EIO);
	fake_fail(0);
	assert_int_equal(udf_reset(t.udf), -EOPNOTSUPP);
	assert_int_equal(udf_load(t.udf, "x", NULL), -EOPNOTSUPP);
	assert_int_equal(udf_unload(t.udf, "x"), -EOPNOTSUPP);
	assert_int_equal(udf_modules(t.udf, NULL, 0), -EOPNOTSUPP);
	assert_int_equal(udf_cpus(t.udf), 2);
	assert_int_equal(udf_serve_client(t.udf, t.sock), -EOPNOTSUPP);
	assert_int_equal(udf_serve_client(t.server, t.stop), -EINVAL);
	assert_int_equal(r.calls, 0);
}

/* Without a '/' it is udfd's port of that name. */
static void test_where(void **state)
{
	struct udf_options *o = udf_options_new();
	struct udf *udf;

	setenv("UDF_SOCKET", "/nowhere/at/all/udfd.sock", 1);
	assert_int_equal(udf_options_set(o, "port", "card0"), 0);
	assert_int_equal(udf_open(o, &udf), -ENOENT);
	assert_non_null(strstr(udf_options_error(o), "/nowhere/at/all/attach/card0: no driver process is there"));
	unsetenv("UDF_SOCKET");
	assert_int_equal(udf_open(o, &udf), -ENOENT);
	assert_non_null(strstr(udf_options_error(o), "/run/udf/attach/card0"));
	assert_int_equal(udf_options_set(o, "device", "fake:x"), 0);
	assert_int_equal(udf_open(o, &udf), -EINVAL);
	assert_int_equal(udf_options_set(o, "on-loss", "perhaps"), -EINVAL);
	udf_options_free(o);
}

static void await_change(unsigned int *seen)
{
	assert_int_equal(udf_wait_change(t.udf, seen, 5000), 0);
}

static void test_disk_changes(void **state)
{
	struct udf_disk_info info;
	struct udf_disk *second;
	unsigned int seen = 0;

	udf_wait_change(t.udf, &seen, 0);
	fake_disk_resize(FAKE_DISK_SIZE / 2);
	do {
		await_change(&seen);
		assert_int_equal(udf_disk_info(t.disk, &info), 0);
	} while (info.size != FAKE_DISK_SIZE / 2);
	fake_disk_add();
	assert_int_equal(udf_wait_disks(t.udf, 2, 5000), 2);
	assert_int_equal(udf_disk_open(t.udf, "fake1", &second), 0);
	assert_int_equal(fake_opens(), 2);
	udf_disk_close(second);
	assert_int_equal(fake_opens(), 1);
	fake_disk_remove();
	while (udf_disk_info(t.disk, &info) != -ENODEV)
		await_change(&seen);
	assert_int_equal(udf_flush(t.queue, t.disk, NULL, NULL), -ENODEV);
	assert_int_equal(udf_disks(t.udf, NULL, 0), 1);
}

/* ---- the driver's end ---- */

static void test_reissue(void **state)
{
	char *buf = udf_buf_alloc(t.udf, 8 * 512);
	struct result r = { 0 };
	unsigned int i;

	fake_hold(true);
	for (i = 0; i < 6; i++) {
		memset(buf + i * 512, 'a' + (int)i, 512);
		assert_int_equal(udf_write(t.queue, t.disk, buf + i * 512, 512, i * 512, 0, done, &r), 0);
	}
	fake_serve(2);
	while (r.calls < 2)
		udf_poll(t.queue, 8, 100);
	fake_lose("its time had come");
	stop_server();
	/* as before, only that nothing completes */
	assert_null(udf_lost(t.udf));
	assert_int_equal(udf_disks(t.udf, NULL, 0), 1);
	for (; i < 8; i++) {
		memset(buf + i * 512, 'a' + (int)i, 512);
		assert_int_equal(udf_write(t.queue, t.disk, buf + i * 512, 512, i * 512, 0, done, &r), 0);
	}
	assert_int_equal(udf_poll(t.queue, 8, 20), 0);
	start_server();
	assert_int_equal(udf_wait(t.queue, 5000), 0);
	assert_int_equal(r.calls, 8);
	assert_int_equal(r.result, 0);
	/* what had completed was not performed again: the successor's disk is a new one here */
	for (i = 0; i < 8; i++)
		assert_int_equal(fake_disk_data()[i * 512], i < 2 ? 0 : 'a' + i);
}

static void *poller(void *arg)
{
	return (void *)(long)udf_poll(t.queue, 8, 10000);
}

/* A thread that sleeps through it all is woken by the successor's completion. */
static void test_sleeper(void **state)
{
	char *buf = udf_buf_alloc(t.udf, 4096);
	struct result r = { 0 };
	pthread_t thread;
	void *n;

	fake_hold(true);
	assert_int_equal(udf_read(t.queue, t.disk, buf, 512, 0, done, &r), 0);
	assert_int_equal(pthread_create(&thread, NULL, poller, NULL), 0);
	while (!atomic_load(&t.queue->sleepers))
		sched_yield();
	fake_lose("it fell");
	stop_server();
	start_server();
	pthread_join(thread, &n);
	assert_int_equal((long)n, 1);
	assert_int_equal(r.result, 0);
}

static void test_on_loss_fail(void **state)
{
	char *buf;
	struct result r = { 0 };

	udf_close(t.udf);
	attach("fail");
	buf = udf_buf_alloc(t.udf, 4096);
	fake_hold(true);
	assert_int_equal(udf_read(t.queue, t.disk, buf, 512, 0, done, &r), 0);
	fake_lose("it fell");
	/* the device may still write to the buffer */
	assert_int_equal(udf_poll(t.queue, 8, 20), 0);
	assert_null(udf_lost(t.udf));
	stop_server();
	assert_int_equal(udf_wait(t.queue, 5000), -ENODEV);
	assert_int_equal(r.calls, 1);
	assert_int_equal(r.result, -ENODEV);
	assert_string_equal(udf_lost(t.udf), "it fell");
	start_server();
}

/* ---- what is not libudf ---- */

static int raw_connect(void)
{
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(sock, (struct sockaddr *)&t.addr, sizeof(t.addr)), 0);
	return sock;
}

/* The reply to M; what else comes is skipped. Returns its result, 1 when the connection is cut. */
static int raw_call(int sock, struct udf_msg *m, int fd)
{
	int got;

	if (udf_msg_send(sock, m, fd, 0))
		return 1;
	do {
		if (udf_msg_receive(sock, m, &got, 0))
			return 1;
		if (got >= 0)
			close(got);
	} while (m->type != UDF_MSG_REPLY);
	return m->reply.result;
}

static int raw_hello(void)
{
	struct udf_msg m = { .type = UDF_MSG_HELLO, .hello = { .magic = UDF_PROTO_MAGIC, .version = UDF_PROTO_VERSION } };
	int sock = raw_connect(), lease = eventfd(0, EFD_CLOEXEC);

	assert_int_equal(raw_call(sock, &m, lease), 0);
	close(lease);
	return sock;
}

/* M with FD after a proper beginning: what comes of it; then the connection is closed. */
static int raw_one(struct udf_msg m, int fd)
{
	int sock = raw_hello(), ret = raw_call(sock, &m, fd);

	close(sock);
	return ret;
}

static int sealed(size_t len, unsigned int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void test_bad_beginnings(void **state)
{
	struct udf_msg m = { .type = UDF_MSG_STATS };
	int sock = raw_connect();

	assert_int_equal(raw_call(sock, &m, -1), 1);	/* without HELLO */
	close(sock);
	sock = raw_connect();
	m = (struct udf_msg){ .type = UDF_MSG_HELLO, .hello = { .magic = UDF_PROTO_MAGIC, .version = UDF_PROTO_VERSION } };
	assert_int_equal(raw_call(sock, &m, -1), 1);	/* without a lease */
	close(sock);
	sock = raw_connect();
	m = (struct udf_msg){ .type = UDF_MSG_HELLO, .hello = { .magic = UDF_PROTO_MAGIC, .version = UDF_PROTO_VERSION + 1 } };
	assert_int_equal(raw_call(sock, &m, t.stop), -EPROTONOSUPPORT);
	assert_int_equal(m.reply.version, UDF_PROTO_VERSION);
	close(sock);
	sock = raw_hello();
	m = (struct udf_msg){ .type = UDF_MSG_HELLO, .hello = { .magic = UDF_PROTO_MAGIC, .version = UDF_PROTO_VERSION } };
	assert_int_equal(raw_call(sock, &m, t.stop), 1);	/* twice */
	close(sock);
}

static void test_bad_memory(void **state)
{
	struct udf_msg m = { .type = UDF_MSG_MEM_ADD, .mem = { .region = 1, .len = 4 << 20 } };
	int good = sealed(4 << 20, F_SEAL_SHRINK), open_ended = sealed(4 << 20, 0), read_only = sealed(4 << 20, F_SEAL_SHRINK | F_SEAL_WRITE);
	int zero = open("/dev/zero", O_RDWR | O_CLOEXEC);

	assert_int_equal(raw_one(m, good), 0);
	assert_int_equal(raw_one(m, -1), 1);
	assert_int_equal(raw_one(m, open_ended), -EACCES);
	assert_int_equal(raw_one(m, read_only), -EACCES);
	assert_int_equal(raw_one(m, zero), -EACCES);
	assert_int_equal(raw_one(m, t.stop), -EACCES);
	m.mem.len = 8 << 20;
	assert_int_equal(raw_one(m, good), -EINVAL);
	m.mem.len = UDF_PROTO_REGION_MAX + 4096;
	assert_int_equal(raw_one(m, good), 1);
	m.mem.len = 0;
	assert_int_equal(raw_one(m, good), 1);
	m.mem.len = 4 << 20;
	m.mem.region = UDF_PROTO_REGIONS;
	assert_int_equal(raw_one(m, good), 1);
	close(good);
	close(open_ended);
	close(read_only);
	close(zero);
}

static void test_bad_rings(void **state)
{
	struct udf_msg m = { .type = UDF_MSG_QUEUE_ADD, .queue = { .len = 16384 } };
	int fd = sealed(16384, F_SEAL_SHRINK), empty = sealed(16384, F_SEAL_SHRINK);
	void *mem = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct udf_ring ring;

	assert_int_equal(udf_ring_create(&ring, mem, 16384, 64), 0);
	assert_int_equal(raw_one(m, fd), 0);
	assert_int_equal(raw_one(m, empty), 1);
	assert_int_equal(raw_one(m, -1), 1);
	m.queue.cpu = 2;
	assert_int_equal(raw_one(m, fd), 1);
	m.queue.cpu = 0;
	m.queue.queue = UDF_PROTO_QUEUES;
	assert_int_equal(raw_one(m, fd), 1);
	m.queue.queue = 0;
	m.queue.len = 1 << 30;
	assert_int_equal(raw_one(m, fd), 1);
	m.queue.len = 4096;
	assert_int_equal(raw_one(m, fd), 1);
	ring.shared->entries = 1 << 20;
	m.queue.len = 16384;
	assert_int_equal(raw_one(m, fd), 1);
	m = (struct udf_msg){ .type = UDF_MSG_QUEUE_REMOVE, .queue.queue = 3 };
	assert_int_equal(raw_one(m, -1), 1);
	munmap(mem, 16384);
	close(fd);
	close(empty);
}

/* A request reaches nothing that the application did not bring. */
static void test_bad_requests(void **state)
{
	static const unsigned long wrong[] = {
		0, 4096, 1ul << UDF_RING_REGION_SHIFT, 1ul << UDF_RING_REGION_SHIFT | 4 << 20, 2ul << UDF_RING_REGION_SHIFT, -1ul,
		(1ul << UDF_RING_REGION_SHIFT) + (4 << 20) - 256, 64ul << UDF_RING_REGION_SHIFT,
	};
	struct udf_msg mem = { .type = UDF_MSG_MEM_ADD, .mem = { .region = 1, .len = 4 << 20 } };
	struct udf_msg queue = { .type = UDF_MSG_QUEUE_ADD, .queue = { .len = 16384 } };
	int sock = raw_hello(), buffers = sealed(4 << 20, F_SEAL_SHRINK), fd = sealed(16384, F_SEAL_SHRINK);
	void *map = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct udf_ring ring;
	unsigned int i;

	assert_int_equal(udf_ring_create(&ring, map, 16384, 64), 0);
	assert_int_equal(raw_call(sock, &mem, buffers), 0);
	assert_int_equal(raw_call(sock, &queue, fd), 0);
	for (i = 0; i <= sizeof(wrong) / sizeof(wrong[0]); i++) {
		bool good = i == sizeof(wrong) / sizeof(wrong[0]);
		struct udf_ring_sqe e = {
			.op = UDF_RING_READ, .nr_segments = 1, .disk = HOST_FRONT_DISKS, .length = 512,
			.segment[0] = { .addr = good ? 1ul << UDF_RING_REGION_SHIFT : wrong[i], .len = 512 },
		};
		struct udf_ring_cqe c;

		udf_ring_push(&ring, &e);
		udf_ring_publish(&ring);
		udf_driver_kick(t.server->driver, 0);
		while (!udf_ring_reap(&ring, &c))
			sched_yield();
		assert_int_equal(c.result, good || wrong[i] == 1ul << UDF_RING_REGION_SHIFT ? 0 : -EFAULT);
	}
	munmap(map, 16384);
	close(fd);
	close(buffers);
	close(sock);
}

/* An application has ended, its writes have not: the next one is answered when they have, and who is there already at once. */
static void test_takes_over(void **state)
{
	struct udf_msg hello = { .type = UDF_MSG_HELLO, .hello = { .magic = UDF_PROTO_MAGIC, .version = UDF_PROTO_VERSION } };
	struct udf_msg queue = { .type = UDF_MSG_QUEUE_ADD, .queue = { .len = 16384 } }, stats = { .type = UDF_MSG_STATS };
	int there = raw_hello(), gone = raw_hello(), next, fd = sealed(16384, F_SEAL_SHRINK), lease = eventfd(0, EFD_CLOEXEC);
	void *map = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct pollfd p = { .events = POLLIN };
	struct udf_ring ring;
	int early, other;

	assert_int_equal(udf_ring_create(&ring, map, 16384, 64), 0);
	assert_int_equal(raw_call(gone, &queue, fd), 0);
	fake_hold_detach(true);
	close(gone);
	p.fd = next = raw_connect();
	assert_int_equal(udf_msg_send(next, &hello, lease, 0), 0);
	early = poll(&p, 1, 200);
	other = raw_call(there, &stats, -1);
	fake_hold_detach(false);
	assert_int_equal(early, 0);
	assert_int_equal(other, 0);
	assert_int_equal(poll(&p, 1, 10000), 1);
	close(next);
	close(there);
	munmap(map, 16384);
	close(fd);
	close(lease);
}

/* Descriptors that nobody asked for do not pile up. */
static void test_stray_descriptors(void **state)
{
	struct udf_msg m = { .type = UDF_MSG_STATS };
	int sock = raw_hello(), fds[2], got;
	struct iovec iov = { .iov_base = &m, .iov_len = 8 };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	char byte;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	got = raw_call(sock, &m, fds[1]);	/* taken, and closed */
	assert_int_equal(got, 0);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(c), (int[]){ fds[1], fds[1] }, 2 * sizeof(int));
	m = (struct udf_msg){ .type = UDF_MSG_STATS };
	assert_int_equal(sendmsg(sock, &h, 0), 8);
	close(fds[1]);
	/* ends when no copy is left */
	assert_int_equal(read(fds[0], &byte, 1), 0);
	close(fds[0]);
	close(sock);
}

/* A driver process that talks nonsense: the application goes on with its successor. */
static void test_bad_driver(void **state)
{
	static const uint32_t types[] = { 0, UDF_MSG_HELLO, UDF_MSG_DISK, 77, UDF_MSG_REPLY };
	struct result r = { 0 };
	char *buf = udf_buf_alloc(t.udf, 4096);
	unsigned int i;

	fake_lose("it fell");
	stop_server();
	t.sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(t.sock, (struct sockaddr *)&t.addr, sizeof(t.addr)), 0);
	assert_int_equal(listen(t.sock, 8), 0);
	assert_int_equal(udf_read(t.queue, t.disk, buf, 512, 0, done, &r), 0);
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct udf_msg m = { .type = types[i] };
		int sock = accept(t.sock, NULL, NULL);

		m.news.slot = 5000;
		send(sock, &m, types[i] ? udf_msg_size(types[i]) : 3, MSG_NOSIGNAL);
		if (types[i] == UDF_MSG_REPLY) {	/* to nothing that was asked; without a doorbell to what was */
			m = (struct udf_msg){ .type = UDF_MSG_REPLY, .id = 1 };
			send(sock, &m, udf_msg_size(UDF_MSG_REPLY), MSG_NOSIGNAL);
		}
		close(sock);
	}
	close(t.sock);
	start_server();
	assert_int_equal(udf_wait(t.queue, 5000), 0);
	assert_int_equal(r.result, 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_data),
		CASE(test_lists),
		CASE(test_much_memory),
		CASE(test_full_queue),
		CASE(test_errors),
		CASE(test_where),
		CASE(test_disk_changes),
		CASE(test_reissue),
		CASE(test_sleeper),
		CASE(test_on_loss_fail),
		CASE(test_bad_beginnings),
		CASE(test_bad_memory),
		CASE(test_bad_rings),
		CASE(test_bad_requests),
		CASE(test_takes_over),
		CASE(test_stray_descriptors),
		CASE(test_bad_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
