// SPDX-License-Identifier: GPL-2.0
/*
 * Foreign memory: a ring whose requests name memory by region and offset. The device reads and writes it where it is; kernel code that
 * touches it (a list of segments) finds it mapped; nothing outside the regions can be named; memory comes and goes without a trace. A kernel's
 * requests: device addresses, lists of segments beside the ring.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "front/internal.h"
#include "layout.h"
#include "udf-test.h"

#define LEN	(4ul << 20)
#define REGION	3
#define RING	65536ul
#define LISTS	4096ul
#define AT(offset)	((unsigned long)REGION << UDF_RING_REGION_SHIFT | (offset))

struct foreign {
	struct udf *udf;
	int fd;
	char *mem;
	uint64_t dev;
	struct udf_ring ring;
	void *ring_mem;
	unsigned long queue;
	unsigned int disk;
};

static struct foreign f;

static void add_memory(void)
{
	struct host_front_command c = { .op = HOST_FRONT_MEM_ADD, .domain = 1, .region = REGION, .mem_size = LEN };

	f.fd = memfd_create("foreign", MFD_CLOEXEC);
	CHECK(f.fd >= 0 && !ftruncate(f.fd, LEN));
	f.mem = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd, 0);
	CHECK(f.mem != MAP_FAILED);
	CHECK_EQ(udf_driver_mem_add(f.udf->driver, f.fd, LEN - 4096, -1, &f.dev), -EINVAL);
	CHECK_OK(udf_driver_mem_add(f.udf->driver, f.fd, LEN, -1, &f.dev));
	c.addr = f.dev;
	CHECK_OK(udf_command(f.udf, &c));
	CHECK_EQ(udf_command(f.udf, &c), -EEXIST);
}

static void remove_memory(void)
{
	struct host_front_command c = { .op = HOST_FRONT_MEM_REMOVE, .domain = 1, .region = REGION };

	CHECK_OK(udf_command(f.udf, &c));
	CHECK_EQ(udf_command(f.udf, &c), -EINVAL);
	CHECK_OK(udf_driver_mem_remove(f.udf->driver, f.dev));
	CHECK_EQ(udf_driver_mem_remove(f.udf->driver, f.dev), -ENOENT);
	munmap(f.mem, LEN);
	close(f.fd);
}

/* LISTS_SIZE bytes behind the ring are for lists of segments; 0: they are where data is. */
static void attach(unsigned int domain, unsigned long lists_size)
{
	struct host_front_command c = { .op = HOST_FRONT_ATTACH, .ring_size = RING, .domain = domain, .lists_size = lists_size };
	static atomic_uint word, nobody;
	static struct udf_waker none = { .word = &word, .sleepers = &nobody };

	f.ring_mem = mmap(NULL, RING + LISTS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(!udf_ring_create(&f.ring, f.ring_mem, c.ring_size, 64));
	c.ring = f.ring_mem;
	c.lists = lists_size ? (char *)f.ring_mem + RING : NULL;
	c.cookie = (unsigned long)&none;
	CHECK_OK(udf_command(f.udf, &c));
	f.queue = c.queue;
}

static void detach(void)
{
	struct host_front_command c = { .op = HOST_FRONT_DETACH, .queue = f.queue };

	CHECK_OK(udf_command(f.udf, &c));
	munmap(f.ring_mem, RING + LISTS);
}

static int perform(enum udf_ring_op op, uint64_t sector, unsigned int nr, unsigned long addr, unsigned long len, uint64_t total)
{
	struct udf_ring_sqe e = {
		.op = op, .nr_segments = nr, .disk = f.disk, .sector = sector, .length = total, .segment[0] = { addr, len },
	};
	struct udf_ring_cqe done;
	double end = test_now() + 20;

	udf_ring_push(&f.ring, &e);
	if (udf_ring_publish(&f.ring))
		udf_driver_kick(f.udf->driver, 0);
	while (!udf_ring_reap(&f.ring, &done))
		CHECK(test_now() < end);
	return done.result;
}

static void check_data(void)
{
	struct udf_ring_segment *list = (struct udf_ring_segment *)(f.mem + 4096);

	memset(f.mem + 65536, 0x5a, 65536);
	CHECK_EQ(perform(UDF_RING_WRITE, 8, 1, AT(65536), 65536, 65536), 0);
	CHECK_EQ(perform(UDF_RING_READ, 8, 1, AT(262144), 65536, 65536), 0);
	CHECK(!memcmp(f.mem + 65536, f.mem + 262144, 65536));
	/* kernel code reads a list of segments */
	for (unsigned int i = 0; i < 4; i++)
		list[i] = (struct udf_ring_segment){ AT(1048576 + i * 65536), 16384 };
	CHECK_EQ(perform(UDF_RING_READ, 8, 4, AT(4096), 4 * sizeof(*list), 65536), 0);
	for (unsigned int i = 0; i < 4; i++)
		CHECK(!memcmp(f.mem + 65536, f.mem + 1048576 + i * 65536, 16384));
	CHECK(!f.mem[1048576 + 16384]);
}

/* Lists of segments are named by their offset behind the ring, and must lie there. */
static void check_lists(void)
{
	struct udf_ring_segment *list = (struct udf_ring_segment *)((char *)f.ring_mem + RING), *last = list + LISTS / sizeof(*list) - 3;

	for (unsigned int i = 0; i < 3; i++)
		list[i + 5] = last[i] = (struct udf_ring_segment){ f.dev + 262144 + i * 8192, 4096 };
	memset(f.mem + 131072, 0xc3, 12288);
	CHECK_EQ(perform(UDF_RING_WRITE, 16, 1, f.dev + 131072, 12288, 12288), 0);
	CHECK_EQ(perform(UDF_RING_READ, 16, 3, 5 * sizeof(*list), 0, 12288), 0);
	for (unsigned int i = 0; i < 3; i++)
		CHECK(!memcmp(f.mem + 131072, f.mem + 262144 + i * 8192, 4096));
	CHECK_EQ(perform(UDF_RING_READ, 16, 3, LISTS - 3 * sizeof(*list), 0, 12288), 0);
	CHECK_EQ(perform(UDF_RING_READ, 16, 3, LISTS - 3 * sizeof(*list) + 8, 0, 12288), -EFAULT);
	CHECK_EQ(perform(UDF_RING_READ, 16, 3, 4, 0, 12288), -EFAULT);
	CHECK_EQ(perform(UDF_RING_READ, 16, 3, -16ul, 0, 12288), -EFAULT);
	CHECK_EQ(perform(UDF_RING_READ, 16, 3, f.dev + 4096, 0, 12288), -EFAULT);
	CHECK_EQ(perform(UDF_RING_READ, 16, UDF_RING_SEGMENTS_MAX, LISTS - 16, 0, 12288), -EFAULT);
}

/* The way of a kernel: requests name pages by their device addresses, wherever they are. */
static void check_any(void)
{
	struct host_front_command c = { .op = HOST_FRONT_MEM_ADD, .domain = 2, .mem_size = UDF_FOREIGN_SIZE, .flags = HOST_FRONT_ANY };

	CHECK_OK(udf_command(f.udf, &c));
	detach();
	attach(2, LISTS);
	memset(f.mem + 131072, 0xa5, 4096);
	CHECK_EQ(perform(UDF_RING_WRITE, 16, 1, f.dev + 131072, 4096, 4096), 0);
	CHECK_EQ(perform(UDF_RING_READ, 16, 1, f.dev + 200704, 4096, 4096), 0);
	CHECK(!memcmp(f.mem + 131072, f.mem + 200704, 4096));
	CHECK_EQ(perform(UDF_RING_READ, 16, 1, UDF_FOREIGN_SIZE - 512, 4096, 4096), -EFAULT);
	CHECK_EQ(perform(UDF_RING_READ, 16, 1, AT(0), 4096, 4096), -EFAULT);
	check_lists();
	c.op = HOST_FRONT_MEM_REMOVE;
	CHECK_OK(udf_command(f.udf, &c));
}

static void check_bounds(void)
{
	static const unsigned long wrong[] = {
		AT(LEN), AT(LEN - 512), AT(1ul << 40), 0, 65536, 1ul << UDF_RING_REGION_SHIFT, -4096ul,
		(unsigned long)HOST_FRONT_REGIONS << UDF_RING_REGION_SHIFT, UDF_RING_REGION_SHIFT, 0x80100000,
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		int ret = perform(UDF_RING_READ, 0, 1, wrong[i] & -512ul, 1024, 1024);

		if (ret != -EFAULT)
			FAIL("a request for memory at %#lx ends with %d", wrong[i], ret);
	}
	CHECK_EQ(perform(UDF_RING_READ, 0, 4, AT(LEN - 32), 64, 4096), -EFAULT);
	CHECK_EQ(perform(UDF_RING_READ, 0, 1, AT(LEN - 512), 512, 512), 0);
}

/* Whether the process has memory mapped at the foreign memory's address. */
static bool is_mapped(void)
{
	unsigned char vec;

	return !mincore((void *)(UDF_FOREIGN_BASE + f.dev), 4096, &vec);
}

/* What the driver has told of itself. */
static void check_limits(unsigned long mask, unsigned long boundary)
{
	struct host_front_command c = { .op = HOST_FRONT_MASK };
	struct host_front_disk r;

	CHECK_OK(udf_command(f.udf, &c));
	CHECK_EQ(c.addr, mask);
	udf_news_disk(f.udf->news, f.disk % HOST_FRONT_DISKS, &r);
	CHECK_EQ(r.virt_boundary, boundary);
}

/* Two owners' regions overlap when one is all there is: when the other goes, that stays. */
static void check_overlap(void)
{
	struct host_front_command c = { .op = HOST_FRONT_MEM_ADD, .domain = 2, .mem_size = UDF_FOREIGN_SIZE, .flags = HOST_FRONT_ANY };
	struct host_front_command part = { .op = HOST_FRONT_MEM_ADD, .domain = 1, .region = REGION, .mem_size = LEN };

	add_memory();
	CHECK_OK(udf_command(f.udf, &c));
	part.op = HOST_FRONT_MEM_REMOVE;
	CHECK_OK(udf_command(f.udf, &part));
	attach(2, LISTS);
	check_lists();
	detach();
	part.op = HOST_FRONT_MEM_ADD;
	part.addr = f.dev;
	CHECK_OK(udf_command(f.udf, &part));
	c.op = HOST_FRONT_MEM_REMOVE;
	CHECK_OK(udf_command(f.udf, &c));
	remove_memory();
}

static void run_nvme(void)
{
	struct test_memory before = { 0 }, after;
	struct udf_disk *disk;

	test_file("disk.img", 64 << 20);
	f.udf = test_open("device", "qemu:nvme,serial=a", "drive", "disk.img", NULL);
	disk = test_disk(f.udf);
	f.disk = disk->id;
	check_limits(~0ul, 4095);
	check_overlap();
	for (unsigned int i = 0; i < 50; i++) {
		add_memory();
		attach(1, 0);
		CHECK_EQ(perform(UDF_RING_READ, 0, 1, AT(0), 4096, 4096), 0);
		CHECK(!is_mapped());
		check_data();
		CHECK(is_mapped());
		check_bounds();
		check_any();
		detach();
		remove_memory();
		CHECK(!is_mapped());
		if (i == 10)
			before = test_memory();
	}
	after = test_memory();
	printf("private memory %ld -> %ld KiB, the kernel code's free memory %ld -> %ld KiB\n", before.private_kib, after.private_kib,
	       before.free_kib, after.free_kib);
	CHECK(after.private_kib < before.private_kib + 128 && after.free_kib > before.free_kib - 256);
	/* the domain's memory is gone, and nobody else's */
	attach(1, 0);
	CHECK_EQ(perform(UDF_RING_READ, 0, 1, AT(0), 4096, 4096), -EFAULT);
	detach();
	CHECK_OK(udf_close(f.udf));
}

/* A device of 32 address bits does not reach what lies above its 4 GiB: that is told. */
static void run_32_bits(void)
{
	struct host_front_command c = { .op = HOST_FRONT_MEM_ADD, .domain = 1, .region = REGION, .mem_size = LEN };

	f.udf = test_open("device", "qemu:am53c974,id=hba", "drive", "disk.img", "backend", "-device scsi-hd,drive=udf-drive0,bus=hba.0", NULL);
	f.fd = memfd_create("foreign", MFD_CLOEXEC);
	CHECK(f.fd >= 0 && !ftruncate(f.fd, LEN));
	CHECK_OK(udf_driver_mem_add(f.udf->driver, f.fd, LEN, -1, &f.dev));
	c.addr = f.dev;
	CHECK_EQ(udf_command(f.udf, &c), -ERANGE);
	CHECK_OK(udf_driver_mem_remove(f.udf->driver, f.dev));
	close(f.fd);
	CHECK_OK(udf_close(f.udf));
}

int main(void)
{
	run_nvme();
	run_32_bits();
	test_no_complaints();
	return 0;
}
