// SPDX-License-Identifier: GPL-2.0
/*
 * Block devices of the kernel: what the module is told of disks, and how its rings are served, over a driver that serves them from memory and
 * a module that writes down what it hears.
 */
#define _GNU_SOURCE
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "front/block-int.h"
#include "front/fake_driver.h"
#include "front/serve.h"

#define STRIDE	65536ul
#define LISTS	32768ul
#define QUEUES	2u

/* The module. */
static struct {
	pthread_mutex_t lock;
	unsigned int starts, disks, gones, bells, gone_id, opens_before;
	uint64_t bell;			/* queues, ever */
	struct udf_port_block_start start;
	struct udf_port_block_disk disk;	/* the last */
	unsigned int differs;
	int disk_error, start_error, doorbell[QUEUES];
	char *rings;			/* in the lowest 2 GiB, as is the data: device addresses are small */
	struct udf_ring ring[QUEUES];
} kmod = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct udf *udf;

static int kmod_start(struct udf_port *port, struct udf_port_block_start *s, void **rings)
{
	kmod.starts++;
	kmod.start = *s;
	if (kmod.start_error)
		return kmod.start_error;
	s->queues = QUEUES;
	s->segments = 128;
	s->ring_size = udf_ring_size(s->entries);
	s->ring_stride = STRIDE;
	s->list_offset = LISTS;
	for (unsigned int i = 0; i < QUEUES; i++)
		assert_int_equal(udf_ring_create(&kmod.ring[i], kmod.rings + i * STRIDE, LISTS, s->entries), 0);
	*rings = kmod.rings;
	return 0;
}

static int kmod_eventfd(struct udf_port *port, unsigned int queue, int fd)
{
	kmod.doorbell[queue] = fd;
	return 0;
}

static int kmod_disk(struct udf_port *port, struct udf_port_block_disk *disk)
{
	pthread_mutex_lock(&kmod.lock);
	kmod.opens_before = fake_opens();
	disk->differs = kmod.differs;
	kmod.disk = *disk;
	kmod.disks++;
	pthread_mutex_unlock(&kmod.lock);
	return kmod.disk_error;
}

static int kmod_gone(struct udf_port *port, unsigned int id)
{
	pthread_mutex_lock(&kmod.lock);
	kmod.gone_id = id;
	kmod.gones++;
	pthread_mutex_unlock(&kmod.lock);
	return 0;
}

static int kmod_bell(struct udf_port *port, uint64_t queues)
{
	pthread_mutex_lock(&kmod.lock);
	kmod.bell |= queues;
	kmod.bells++;
	pthread_mutex_unlock(&kmod.lock);
	return 0;
}

static const struct udf_port_block_ops kmod_ops = {
	.start = kmod_start, .eventfd = kmod_eventfd, .disk = kmod_disk, .gone = kmod_gone, .bell = kmod_bell,
};

/* Wait until *COUNT is N. */
static void await(const unsigned int *count, unsigned int n)
{
	for (unsigned int i = 0; i < 5000 && __atomic_load_n(count, __ATOMIC_SEQ_CST) < n; i++)
		usleep(1000);
	assert_int_equal(*count, n);
}

static enum udf_block_state state_of(const char *name, const char *expected)
{
	enum udf_block_state state;
	char text[200] = "";

	/* it is set when the module has answered, a moment after that is seen here */
	for (unsigned int i = 0; i < 1000; i++) {
		state = udf_block_state(udf, name, text, sizeof(text));
		if (strstr(text, expected) && (*expected || state != UDF_BLOCK_NONE))
			break;
		usleep(1000);
	}
	assert_non_null(strstr(text, expected));
	return state;
}

static int setup(void **state)
{
	static struct udf_port port = { .address = "0000:03:00.0" };
	struct udf_options *o = udf_options_new();
	char *rings = kmod.rings;

	memset(&kmod.starts, 0, sizeof(kmod) - offsetof(typeof(kmod), starts));
	kmod.rings = rings ? rings : mmap(NULL, 4 * STRIDE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	assert_true(kmod.rings != MAP_FAILED);
	memset(kmod.rings, 0, 4 * STRIDE);
	fake_reset();
	fake_block(&kmod_ops, &port);
	udf_options_set(o, "device", "fake:x");
	udf_options_set(o, "cpus", "3");
	udf_options_set(o, "close-timeout", "1");
	assert_int_equal(udf_open(o, &udf), 0);
	udf_options_free(o);
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(udf_close(udf), 0);
	assert_int_equal(fake_rings(), 0);
	assert_int_equal(fake_looked_at(), 0);
	assert_int_equal(fake_opens(), 0);
	return 0;
}

static void serve(bool fail, unsigned int wait_ms)
{
	const struct udf_block_options o = { .fail = fail, .wait_ms = wait_ms };

	assert_int_equal(udf_block_serve(udf, &o), 0);
	assert_int_equal(udf_block_serve(udf, &o), -EBUSY);
}

static void test_announced(void **state)
{
	serve(true, 1234);
	await(&kmod.disks, 1);
	assert_int_equal(kmod.starts, 1);
	assert_int_equal(kmod.start.flags, UDF_PORT_BLOCK_FAIL);
	assert_int_equal(kmod.start.queues, 3);
	assert_int_equal(kmod.start.dma_bits, 40);
	assert_int_equal(kmod.start.wait_ms, 1234);
	assert_int_equal(fake_rings(), QUEUES);
	assert_int_equal(fake_looked_at(), QUEUES);
	/* requests may come at once */
	assert_int_equal(kmod.opens_before, 1);
	assert_string_equal(kmod.disk.name, "fake0");
	assert_string_equal(kmod.disk.serial, "S0");
	assert_int_equal(kmod.disk.id, HOST_FRONT_DISKS);
	assert_int_equal(kmod.disk.flags, UDF_PORT_DISK_WRITE_CACHE);
	assert_int_equal(kmod.disk.size, FAKE_DISK_SIZE);
	assert_int_equal(kmod.disk.max_segments, 128);
	assert_int_equal(kmod.disk.dma_alignment, 3);
	assert_int_equal(state_of("fake0", "/dev/udf-0000:03:00.0-fake0"), UDF_BLOCK_COUPLED);
	assert_int_equal(state_of("fake1", ""), UDF_BLOCK_NONE);
}

static void push(unsigned int queue, struct udf_ring_sqe *e)
{
	struct udf_ring *r = &kmod.ring[queue];
	struct udf_ring_cqe done;

	e->disk = kmod.disk.id;
	assert_int_equal(udf_ring_wait_cq(r), 0);
	udf_ring_push(r, e);
	if (udf_ring_publish(r))
		eventfd_write(kmod.doorbell[queue], 1);
	for (unsigned int i = 0; i < 5000 && !(__atomic_load_n(&kmod.bell, __ATOMIC_SEQ_CST) & 1u << queue); i++)
		usleep(1000);
	assert_true(kmod.bell & 1u << queue);
	assert_int_equal(udf_ring_reap(r, &done), 1);
	assert_int_equal(done.user_data, e->user_data);
	assert_int_equal(done.result, 0);
	pthread_mutex_lock(&kmod.lock);
	kmod.bell = 0;
	pthread_mutex_unlock(&kmod.lock);
}

static void test_requests(void **state)
{
	char *data;
	struct udf_ring_segment *list;
	struct udf_ring_sqe write = { .op = UDF_RING_WRITE, .nr_segments = 1, .length = 4096, .user_data = 7 };
	struct udf_ring_sqe read = { .op = UDF_RING_READ, .nr_segments = 4, .length = 4096, .user_data = 8 };

	serve(false, 0);
	await(&kmod.disks, 1);
	data = kmod.rings + 2 * STRIDE;
	memset(data, 0x3c, 4096);
	write.segment[0] = (struct udf_ring_segment){ (unsigned long)data, 4096 };
	push(0, &write);
	list = (struct udf_ring_segment *)(kmod.rings + STRIDE + LISTS) + 3;
	for (unsigned int i = 0; i < 4; i++)
		list[i] = (struct udf_ring_segment){ (unsigned long)data + 8192 + i * 2048, 1024 };
	read.segment[0].addr = 3 * sizeof(*list);
	push(1, &read);
	for (unsigned int i = 0; i < 4; i++)
		assert_memory_equal(data, data + 8192 + i * 2048, 1024);
	assert_int_equal(fake_indirect(), 1);
	assert_int_equal(kmod.bells, 2);
}

static void test_changes(void **state)
{
	serve(false, 0);
	await(&kmod.disks, 1);
	fake_disk_resize(FAKE_DISK_SIZE / 2);
	await(&kmod.disks, 2);
	assert_int_equal(kmod.disk.size, FAKE_DISK_SIZE / 2);
	assert_int_equal(kmod.disk.id, HOST_FRONT_DISKS);
	assert_int_equal(fake_opens(), 1);
	fake_disk_add();
	await(&kmod.disks, 3);
	assert_string_equal(kmod.disk.name, "fake1");
	assert_int_equal(kmod.starts, 1);
	fake_disk_remove();
	await(&kmod.gones, 1);
	assert_int_equal(kmod.gone_id, HOST_FRONT_DISKS);
	assert_int_equal(state_of("fake1", "fake1"), UDF_BLOCK_COUPLED);
	assert_int_equal(udf_block_state(udf, "fake0", (char[2]){ 0 }, 2), UDF_BLOCK_NONE);
}

/* A driver that ends keeps its block devices. */
static void test_end(void **state)
{
	serve(false, 0);
	await(&kmod.disks, 1);
	assert_int_equal(udf_close(udf), 0);
	assert_int_equal(kmod.gones, 0);
	assert_int_equal(fake_rings(), 0);
	assert_int_equal(fake_opens(), 0);
	setup(state);
}

static void test_lost(void **state)
{
	serve(false, 0);
	await(&kmod.disks, 1);
	fake_lose("the device is gone");
	fake_disk_remove();
	usleep(50000);
	assert_int_equal(kmod.gones, 0);
	udf_close(udf);
	fake_reset();
	setup(state);
}

static void test_differs(void **state)
{
	kmod.differs = UDF_PORT_DIFFERS_SERIAL;
	serve(false, 0);
	await(&kmod.disks, 1);
	assert_int_equal(state_of("fake0", "the serial number differs"), UDF_BLOCK_DIFFERS);
	assert_int_equal(fake_opens(), 0);
	/* whatever changes, it is asked again */
	kmod.differs = UDF_PORT_DIFFERS_SIZE;
	fake_disk_resize(FAKE_DISK_SIZE / 2);
	await(&kmod.disks, 2);
	assert_int_equal(state_of("fake0", "the size differs"), UDF_BLOCK_DIFFERS);
	kmod.differs = 0;
	fake_disk_resize(FAKE_DISK_SIZE);
	await(&kmod.disks, 3);
	assert_int_equal(state_of("fake0", "/dev/"), UDF_BLOCK_COUPLED);
	assert_int_equal(fake_opens(), 1);
	/* one that was never coupled is not told to be gone */
	kmod.differs = UDF_PORT_DIFFERS_FORMAT;
	fake_disk_add();
	await(&kmod.disks, 4);
	assert_int_equal(state_of("fake1", "format"), UDF_BLOCK_DIFFERS);
}

static void test_zoned(void **state)
{
	struct host_front_disk r = {
		.size = FAKE_DISK_SIZE, .logical_block = 512, .flags = HOST_DISK_ZONED, .name = "zoned", .zone_size = 1 << 20,
		.zone_max_append = 65536, .zone_max_open = 3, .zone_max_active = 5, .zone_write_granularity = 4096,
	};

	serve(false, 0);
	await(&kmod.disks, 1);
	assert_int_equal(kmod.disk.flags & UDF_PORT_DISK_ZONED, 0);
	fake_disk_set(&r);
	await(&kmod.disks, 2);
	assert_int_equal(state_of("zoned", "/dev/"), UDF_BLOCK_COUPLED);
	assert_int_equal(kmod.disk.flags & UDF_PORT_DISK_ZONED, UDF_PORT_DISK_ZONED);
	assert_int_equal(kmod.disk.zone_size, 1 << 20);
	assert_int_equal(kmod.disk.zone_max_append, 65536);
	assert_int_equal(kmod.disk.zone_max_open, 3);
	assert_int_equal(kmod.disk.zone_max_active, 5);
	assert_int_equal(kmod.disk.zone_write_granularity, 4096);
	/* host-aware: as if there were no zones */
	r.zone_size = 0;
	strcpy(r.name, "aware");
	fake_disk_set(&r);
	await(&kmod.disks, 3);
	assert_int_equal(kmod.disk.flags & UDF_PORT_DISK_ZONED, 0);
	assert_int_equal(kmod.gones, 0);
	/* what it has changed into cannot be a block device, and the one that it was is no more */
	kmod.disk_error = -EOPNOTSUPP;
	r.size *= 2;
	fake_disk_set(&r);
	assert_int_equal(state_of("aware", "it is zoned"), UDF_BLOCK_REFUSED);
	assert_int_equal(kmod.gones, 1);
	assert_int_equal(kmod.gone_id, r.id);
}

static void test_refused(void **state)
{
	struct host_front_disk r = { .size = FAKE_DISK_SIZE, .logical_block = 512 };

	serve(false, 0);
	await(&kmod.disks, 1);
	strcpy(r.name, "fourteen-chars");
	fake_disk_set(&r);
	assert_int_equal(state_of("fourteen-chars", "name"), UDF_BLOCK_REFUSED);
	strcpy(r.name, "cciss!c0d0");
	fake_disk_set(&r);
	assert_int_equal(state_of("cciss!c0d0", "name"), UDF_BLOCK_REFUSED);
	assert_int_equal(kmod.disks, 1);
	kmod.disk_error = -EMFILE;
	strcpy(r.name, "many");
	strcpy(r.serial, "bad\tserial");
	fake_disk_set(&r);
	assert_int_equal(state_of("many", "64 already"), UDF_BLOCK_REFUSED);
	assert_string_equal(kmod.disk.serial, "bad?serial");
	assert_int_equal(fake_opens(), 1);
}

static void test_no_start(void **state)
{
	kmod.start_error = -ENOMEM;
	serve(false, 0);
	assert_int_equal(state_of("fake0", "does not begin"), UDF_BLOCK_REFUSED);
	fake_disk_add();
	assert_int_equal(state_of("fake1", "does not begin"), UDF_BLOCK_REFUSED);
	assert_int_equal(kmod.starts, 1);
	assert_int_equal(kmod.disks, 0);
}

static void test_unsupported(void **state)
{
	const struct udf_block_options o = { .fail = false };

	fake_block(NULL, NULL);
	assert_int_equal(udf_block_serve(udf, &o), -EOPNOTSUPP);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_announced), TEST(test_requests), TEST(test_changes), TEST(test_end), TEST(test_lost), TEST(test_differs),
		TEST(test_zoned), TEST(test_refused), TEST(test_no_start), TEST(test_unsupported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
