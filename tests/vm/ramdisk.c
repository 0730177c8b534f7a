// SPDX-License-Identifier: GPL-2.0
/*
 * ramdisk MODE DEVICE-FILE FILE [NAME=VALUE...]: the block part of udf_port.ko's ABI without a driver. For the cases of this folder, in the guest.
 *
 * It announces a disk, and performs its requests itself: it copies between FILE and the memory of requests, as it may touch that.
 *
 *	serve	until it is killed; says "again" for each request that another process has had
 *	hold	takes requests, says "took" for each, and completes none
 *	lie	serves, but writes into the rings whatever comes to its mind; expects to lose the port
 *	break	serves some, then says that there are more completions than can be: loses the port
 *	bad	everything that must be refused, and with which error
 *	renew	takes a request, removes the disk, announces another one of the same name, says "renewed", and serves half a second later
 *	once	announces the disk and prints "coupled", or what differs
 *
 * NAME=VALUE: serial=TEXT, block=BYTES, name=TEXT, queues=N, flags=N, fail=1, wait=MS, discard=0|1, boundary=MASK
 *	zone=BYTES	the disk is zoned; all zones are empty at first, and are written wherever it is asked for
 *	conv=N	so many zones at the disk's begin are conventional
 *	report=LIE	of the last zone: start, len, capacity, capacity0, type, cond, or none: it writes nothing. wp: a pointer beyond the zone
 *	append=OFFSET	what it says of where a zone's write pointer is, in sectors
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/blkzoned.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "udf/port-abi.h"
#include "udf/ring.h"

#define CHECK(what) do {							\
	if (!(what)) {								\
		fprintf(stderr, "ramdisk.c:%d: %s (errno %d)\n", __LINE__, #what, errno);	\
		exit(1);							\
	}									\
} while (0)
#define OK(call) CHECK(!(call))
#define REFUSED(call, error) do { errno = 0; CHECK((call) == -1 && errno == (error)); } while (0)

static int fd, event;
static char *requests, *data;
static uint64_t size;
static struct udf_port_block_start layout = { .queues = 2, .entries = 32, .dma_bits = 64 };
static struct udf_port_block_disk disk = {
	.id = 7, .logical_block = 512, .physical_block = 4096, .max_bytes = 1u << 20, .max_segments = 64, .max_segment_size = 1u << 30,
	.dma_alignment = 3, .discard_granularity = 4096, .max_discard = 1ull << 30, .max_write_zeroes = 1ull << 30,
	.flags = UDF_PORT_DISK_WRITE_CACHE | UDF_PORT_DISK_FUA, .name = "ram0", .serial = "RAM1", .model = "RAM disk",
};
static struct udf_ring ring[UDF_PORT_QUEUES_MAX];
static char *memory;
static unsigned int breaking;		/* after so many requests; 0: never */
static uint64_t pointer[1024];		/* write pointers, sectors within the zone */
static const char *report_lie = "";
static unsigned int append_lie, appended, conventional;

static void set(const char *option)
{
	const char *value = strchr(option, '=');
	const size_t len = value ? (size_t)(value - option) : 0;
	unsigned long number;

	CHECK(value++);
	number = strtoul(value, NULL, 0);
	if (!strncmp(option, "serial", len))
		snprintf(disk.serial, sizeof(disk.serial), "%s", value);
	else if (!strncmp(option, "name", len))
		snprintf(disk.name, sizeof(disk.name), "%s", value);
	else if (!strncmp(option, "block", len))
		disk.logical_block = (__u32)number;
	else if (!strncmp(option, "queues", len))
		layout.queues = (__u32)number;
	else if (!strncmp(option, "flags", len))
		disk.flags = (__u32)number;
	else if (!strncmp(option, "fail", len))
		layout.flags = number ? UDF_PORT_BLOCK_FAIL : 0;
	else if (!strncmp(option, "wait", len))
		layout.wait_ms = (__u32)number;
	else if (!strncmp(option, "boundary", len))
		disk.virt_boundary = (__u32)number;
	else if (!strncmp(option, "zone", len))
		disk.zone_size = number;
	else if (!strncmp(option, "report", len))
		report_lie = value;
	else if (!strncmp(option, "conv", len))
		conventional = (unsigned int)number;
	else if (!strncmp(option, "append", len))
		append_lie = (unsigned int)number;
	else if (!strncmp(option, "discard", len) && !number)
		disk.max_discard = disk.max_write_zeroes = 0;
}

static void begin(const char *path, const char *file)
{
	struct stat st;
	int backing = open(file, O_RDWR | O_CLOEXEC);
	unsigned int i;

	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0 && backing >= 0);
	OK(fstat(backing, &st));
	size = disk.size = (uint64_t)st.st_size;
	if (disk.zone_size) {
		CHECK(size / disk.zone_size <= sizeof(pointer) / sizeof(pointer[0]));
		disk.flags |= UDF_PORT_DISK_ZONED;
		disk.zone_max_append = 262144;
		disk.zone_max_open = 3;
		disk.zone_write_granularity = disk.logical_block;
	}
	data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, backing, 0);
	CHECK(data != MAP_FAILED);
	OK(ioctl(fd, UDF_PORT_BLOCK_START, &layout));
	memory = mmap(NULL, layout.queues * layout.ring_stride, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)UDF_PORT_MMAP_RINGS);
	CHECK(memory != MAP_FAILED);
	requests = mmap(NULL, 1ull << UDF_PORT_REQUEST_BITS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, (off_t)UDF_PORT_MMAP_REQUESTS);
	CHECK(requests != MAP_FAILED);
	event = eventfd(0, EFD_CLOEXEC);
	for (i = 0; i < layout.queues; i++) {
		struct udf_port_block_eventfd e = { .queue = i, .fd = event };

		OK(udf_ring_attach(&ring[i], memory + i * layout.ring_stride, layout.ring_size));
		OK(ioctl(fd, UDF_PORT_BLOCK_EVENTFD, &e));
		udf_ring_wait_sq(&ring[i]);
	}
}

static const char *announce(void)
{
	OK(ioctl(fd, UDF_PORT_BLOCK_DISK, &disk));
	return disk.differs & UDF_PORT_DIFFERS_SERIAL ? "serial" : disk.differs & UDF_PORT_DIFFERS_SIZE ? "size" :
	       disk.differs ? "format" : "coupled";
}

/* ---- performing ---- */

static int transfer(unsigned int queue, const struct udf_ring_sqe *e)
{
	const struct udf_ring_segment *s = e->segment;
	char *at = data + (e->sector << 9);
	uint64_t sum = 0;
	unsigned int i;

	CHECK(e->nr_segments && e->nr_segments <= layout.segments);
	if (e->nr_segments > UDF_RING_INLINE)
		s = (void *)(memory + queue * layout.ring_stride + layout.list_offset + e->segment[0].addr);
	for (i = 0; i < e->nr_segments; i++) {
		CHECK(s[i].len && !(s[i].len & (disk.logical_block - 1)) && !(s[i].addr & disk.dma_alignment));
		CHECK(s[i].addr < 1ull << UDF_PORT_REQUEST_BITS);
		CHECK(!i || !(s[i].addr & disk.virt_boundary));
		CHECK(i == e->nr_segments - 1u || !((s[i].addr + s[i].len) & disk.virt_boundary));
		if (e->op == UDF_RING_READ)
			memcpy(requests + s[i].addr, at, s[i].len);
		else
			memcpy(at, requests + s[i].addr, s[i].len);
		at += s[i].len;
		sum += s[i].len;
	}
	CHECK(sum == e->length);
	return 0;
}

static void lie_of_zone(struct blk_zone *z)
{
	const char *what = report_lie;

	z->start += !strcmp(what, "start") ? 8 : 0;
	z->len -= !strcmp(what, "len") ? 8 : 0;
	z->capacity = !strcmp(what, "capacity") ? z->len + 8 : !strcmp(what, "capacity0") ? 0 : z->capacity;
	z->type = !strcmp(what, "type") ? 4 : z->type;
	z->cond = !strcmp(what, "cond") ? 5 : z->cond;
	z->wp = !strcmp(what, "wp") ? ~0ull : z->wp;
}

static int report(const struct udf_ring_sqe *e)
{
	const uint64_t sectors = disk.zone_size >> 9;
	struct blk_zone *z = (void *)(requests + e->segment[0].addr);
	uint64_t at = e->sector;
	unsigned int i;

	CHECK(disk.zone_size && e->nr_segments == 1 && e->segment[0].len == e->length && e->length >= sizeof(*z) && !(at % sectors));
	for (i = 0; i < e->length / sizeof(*z) && at < size >> 9 && strcmp(report_lie, "none"); i++, at += sectors) {
		z[i] = (struct blk_zone){ .start = at, .len = sectors, .capacity = sectors, .wp = at + pointer[at / sectors],
					  .type = BLK_ZONE_TYPE_SEQWRITE_REQ, .cond = BLK_ZONE_COND_IMP_OPEN };
		if (at / sectors < conventional) {
			z[i].type = BLK_ZONE_TYPE_CONVENTIONAL;
			z[i].cond = BLK_ZONE_COND_NOT_WP;
		}
		if (at + sectors == size >> 9)
			lie_of_zone(&z[i]);
	}
	return 0;
}

static int zone(const struct udf_ring_sqe *e)
{
	const uint64_t sectors = disk.zone_size >> 9;
	CHECK(disk.zone_size && e->sector < size >> 9 && !(e->sector % sectors));
	if (e->op == UDF_RING_ZONE_REPORT)
		return report(e);
	if (e->op != UDF_RING_ZONE_WHERE) {
		CHECK(e->op <= UDF_RING_ZONE_FINISH && !e->length && !e->nr_segments);
		if (e->op != UDF_RING_ZONE_RESET_ALL && e->sector / sectors < conventional)
			return -EIO;
		for (uint64_t i = 0; i < size / disk.zone_size; i++)
			if (e->op == UDF_RING_ZONE_RESET_ALL || i == e->sector / sectors)
				pointer[i] = e->op == UDF_RING_ZONE_FINISH ? sectors : e->op <= UDF_RING_ZONE_RESET_ALL ? 0 : pointer[i];
		return 0;
	}
	CHECK(!e->length && !e->nr_segments);
	appended = append_lie ? append_lie : (unsigned int)pointer[e->sector / sectors];
	return 0;
}

static int perform(unsigned int queue, const struct udf_ring_sqe *e)
{
	appended = 0;
	CHECK(e->disk == disk.id);
	if (e->op >= UDF_RING_ZONE_WHERE)
		return zone(e);
	if (e->op == UDF_RING_FLUSH)
		return 0;
	CHECK(e->length && e->sector << 9 <= size && e->length <= size - (e->sector << 9));
	switch (e->op) {
	case UDF_RING_WRITE:
		if (disk.zone_size)
			pointer[(e->sector << 9) / disk.zone_size] = (e->sector + (e->length >> 9)) % (disk.zone_size >> 9);
		return transfer(queue, e);
	case UDF_RING_READ:
		return transfer(queue, e);
	case UDF_RING_DISCARD:
	case UDF_RING_WRITE_ZEROES:
		CHECK(disk.max_discard);
		memset(data + (e->sector << 9), 0, e->length);
		return 0;
	}
	CHECK(!"an operation that is known");
	return -EIO;
}

static void bell(uint64_t queues)
{
	struct udf_port_block_bell b = { .queues = queues };

	if (ioctl(fd, UDF_PORT_BLOCK_BELL, &b))
		CHECK(errno == ENODEV || errno == EPROTO);
}

/* Returns whether the port is lost. */
static bool sleep_for(int timeout)
{
	struct pollfd p[] = { { .fd = event, .events = POLLIN }, { .fd = fd } };
	uint64_t n;

	CHECK(poll(p, 2, timeout) >= 0);
	if (p[0].revents)
		CHECK(read(event, &n, sizeof(n)) == sizeof(n));
	return p[1].revents & POLLHUP;
}

static void lie(unsigned int queue, struct udf_ring *r)
{
	switch (rand() % 200) {
	case 0:
		udf_ring_post(r, (unsigned long)rand() << 16, 0);
		break;
	case 1:
		udf_ring_post(r, (unsigned long)(rand() % 40), rand());
		break;
	case 2:
		if (!(rand() % 20))
			r->shared->cq_tail += (unsigned int)rand();
		break;
	default:
		return;
	}
	bell(1ull << queue);
}

static void break_ring(unsigned int queue)
{
	struct udf_port_block_bell b = { .queues = 1ull << queue };

	ring[queue].shared->cq_tail += 1u << 20;
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_BELL, &b), EPROTO);
	CHECK(sleep_for(10000));
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_BELL, &b), ENODEV);
}

static void serve(bool completing, bool lying)
{
	struct udf_ring_sqe e;
	bool idle;
	int got;

	for (;;) {
		idle = true;
		for (unsigned int i = 0; i < layout.queues; i++) {
			while ((got = udf_ring_take(&ring[i], &e))) {
				if (got < 0)
					return;		/* its lies have made it so */
				idle = false;
				if (e.flags & UDF_RING_AGAIN && completing) {
					puts("again");
					fflush(stdout);
				}
				if (!completing) {
					puts("took");
					fflush(stdout);
					continue;
				}
				if (breaking && !--breaking) {
					break_ring(i);
					return;
				}
				got = perform(i, &e);
				udf_ring_put_value(&ring[i], e.user_data, got, appended);
				if (udf_ring_show(&ring[i], 1))
					bell(1ull << i);
				if (lying)
					lie(i, &ring[i]);
			}
		}
		for (unsigned int i = 0; i < layout.queues && idle; i++)
			idle = !udf_ring_wait_sq(&ring[i]);
		if (idle && sleep_for(-1))
			return;
	}
}

static void renew(void)
{
	struct udf_port_block_gone gone = { .id = disk.id };
	unsigned int queue = 0;
	struct udf_ring_sqe e;

	for (; !udf_ring_take(&ring[queue], &e); queue = (queue + 1) % layout.queues)
		sleep_for(1);
	OK(ioctl(fd, UDF_PORT_BLOCK_GONE, &gone));
	disk.id++;
	announce();
	puts("renewed");
	fflush(stdout);
	/* what is in flight keeps the first disk for as long */
	usleep(500000);
	udf_ring_post(&ring[queue], e.user_data, 0);
	bell(1ull << queue);
	serve(true, false);
}

/* ---- refusals ---- */

#define BAD_DISK(member, value, error) do {					\
	struct udf_port_block_disk d_ = disk;					\
	d_.member = value;							\
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_DISK, &d_), error);			\
} while (0)

static void bad_disks(void)
{
	struct udf_port_block_disk d;

	BAD_DISK(flags, 64, EINVAL);
	BAD_DISK(id, 0, EINVAL);
	BAD_DISK(differs, 1, EINVAL);
	BAD_DISK(logical_block, 0, EINVAL);
	BAD_DISK(logical_block, 1000, EINVAL);
	BAD_DISK(logical_block, 8192, EINVAL);
	BAD_DISK(physical_block, 256, EINVAL);
	BAD_DISK(max_bytes, 2048, EINVAL);
	BAD_DISK(max_segments, 0, EINVAL);
	BAD_DISK(max_segment_size, 512, EINVAL);
	BAD_DISK(dma_alignment, 4, EINVAL);
	BAD_DISK(virt_boundary, 6, EINVAL);
	BAD_DISK(size, size + 100, EINVAL);
	BAD_DISK(size, ~0ull << 9, EINVAL);
	BAD_DISK(io_min, 100, EINVAL);
	BAD_DISK(reserved, 1, EINVAL);
	d = disk;
	strcpy(d.name, "a/../b");
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_DISK, &d), EINVAL);
	strcpy(d.name, "fourteen-bytes");
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_DISK, &d), EINVAL);
	memset(d.name, 'a', sizeof(d.name));
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_DISK, &d), EINVAL);
	d = disk;
	d.serial[0] = '\n';
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_DISK, &d), EINVAL);
	memset(d.serial, 'x', sizeof(d.serial));
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_DISK, &d), EINVAL);
}

static void bad_zones(void)
{
	const struct udf_port_block_disk was = disk;

	BAD_DISK(flags, UDF_PORT_DISK_ZONED, EINVAL);
	BAD_DISK(zone_size, 1u << 20, EINVAL);
	BAD_DISK(zone_max_append, 4096, EINVAL);
	BAD_DISK(zone_max_open, 1, EINVAL);
	BAD_DISK(zone_max_active, 1, EINVAL);
	BAD_DISK(zone_write_granularity, 512, EINVAL);
	disk.flags |= UDF_PORT_DISK_ZONED;
	disk.zone_size = 1u << 20;
	disk.zone_max_append = 65536;
	disk.zone_write_granularity = 512;
	BAD_DISK(zone_size, 0, EINVAL);
	BAD_DISK(zone_size, 3u << 20, EINVAL);
	BAD_DISK(zone_size, 2048, EINVAL);
	BAD_DISK(zone_size, 1ull << 41, EINVAL);
	BAD_DISK(zone_max_append, 0, EINVAL);
	BAD_DISK(zone_max_append, 1000, EINVAL);
	BAD_DISK(zone_write_granularity, 0, EINVAL);
	BAD_DISK(zone_write_granularity, 256, EINVAL);
	BAD_DISK(zone_write_granularity, 2u << 20, EINVAL);
	BAD_DISK(size, 0, EINVAL);
	BAD_DISK(size, (UDF_PORT_ZONES_MAX + 1ull) << 20, EINVAL);
	BAD_DISK(size, 1ull << 62, EINVAL);
	disk = was;
}

static void bad(const char *path, const char *file)
{
	struct udf_port_block_start s = layout;
	struct udf_port_block_eventfd e = { .fd = -1 };
	struct udf_port_block_bell b = { 0 };
	struct udf_port_block_gone g = { .id = 7 };

	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0);
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_EVENTFD, &e), EINVAL);
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_DISK, &disk), EINVAL);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, (off_t)UDF_PORT_MMAP_RINGS) == MAP_FAILED && errno == EINVAL);
	s.entries = 33;
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_START, &s), EINVAL);
	s.entries = 2048;
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_START, &s), EINVAL);
	s = layout;
	s.queues = 0;
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_START, &s), EINVAL);
	s.queues = UDF_PORT_QUEUES_MAX + 1;
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_START, &s), EINVAL);
	s = layout;
	s.dma_bits = 65;
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_START, &s), EINVAL);
	s = layout;
	s.flags = 2;
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_START, &s), EINVAL);
	s = layout;
	s.reserved[1] = 1;
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_START, &s), EINVAL);
	s = layout;
	s.list_offset = 4096;
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_START, &s), EINVAL);
	close(fd);

	begin(path, file);
	s = layout;
	s.segments = 0;
	s.ring_size = s.ring_stride = s.list_offset = 0;
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_START, &s), EBUSY);
	e.queue = layout.queues;
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_EVENTFD, &e), EINVAL);
	e.queue = 0;
	e.fd = fd;
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_EVENTFD, &e), EINVAL);
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_GONE, &g), ENOENT);
	b.reserved = 1;
	REFUSED(ioctl(fd, UDF_PORT_BLOCK_BELL, &b), EINVAL);
	b.reserved = 0;
	b.queues = ~0ull;
	OK(ioctl(fd, UDF_PORT_BLOCK_BELL, &b));
	CHECK(mmap(NULL, (layout.queues + 1) * layout.ring_stride, PROT_READ, MAP_SHARED, fd, (off_t)UDF_PORT_MMAP_RINGS) == MAP_FAILED);
	CHECK(mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, (off_t)(UDF_PORT_MMAP_REQUESTS + (1ull << UDF_PORT_REQUEST_BITS) - 4096)) == MAP_FAILED);
	bad_disks();
	bad_zones();
}

/* Memory of no request. */
static void on_bus_error(int sig)
{
	_exit(0);
}

int main(int argc, char **argv)
{
	const char *mode = argv[1];

	CHECK(argc >= 4);
	srand(1);
	for (int i = 4; i < argc; i++)
		set(argv[i]);
	if (!strcmp(mode, "bad")) {
		bad(argv[2], argv[3]);
		signal(SIGBUS, on_bus_error);
		*(volatile char *)requests = 1;
		CHECK(!"an access to memory of no request fails");
	}
	begin(argv[2], argv[3]);
	puts(announce());
	fflush(stdout);
	breaking = strcmp(mode, "break") ? 0 : 50;
	if (!strcmp(mode, "renew"))
		renew();
	if (!strcmp(mode, "serve") || !strcmp(mode, "break") || !strcmp(mode, "hold") || !strcmp(mode, "lie"))
		serve(strcmp(mode, "hold"), !strcmp(mode, "lie"));
	return 0;
}
