// SPDX-License-Identifier: GPL-2.0
/*
 * block-calls WHAT DISK: system calls on a block device that neither fio nor the tools make; it overwrites the first 16 MiB. For the
 * cases of this folder, in the guest.
 *
 *	memory	direct I/O from and to memory wherever the device's limits let it be, and just beyond what they do
 *	ioctls	those that every disk has; those of other devices, each of which must be refused
 *	end	around the end of the disk; read-only; exclusive
 *	failed	every access fails with EIO or ENXIO: the device is gone
 *	pieces	a zoned disk of an NVMe driver's: a write to its first zone that is many requests, each at the write pointer
 *	fill	the same: appends until its second zone is full, one behind the other and nothing between them
 *	append	a zoned disk of an NVMe driver's: appends go where its second zone's write pointer is, and say so
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/blkzoned.h>
#include <linux/cdrom.h>
#include <linux/fs.h>
#include <linux/hdreg.h>
#include <linux/mtio.h>
#include <linux/nvme_ioctl.h>
#include <linux/pr.h>
#include <scsi/sg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define CHECK(what) do {								\
	if (!(what)) {									\
		fprintf(stderr, "block-calls.c:%d: %s (errno %d)\n", __LINE__, #what, errno);	\
		exit(1);								\
	}										\
} while (0)
#define OK(call) CHECK(!(call))
#define REFUSED(call, error) do { errno = 0; CHECK((call) == -1 && errno == (error)); } while (0)

#define AREA (16u << 20)
#define VECTORS 128

static const char *disk;
static char path[300];
static int fd;			/* O_DIRECT */
static unsigned int block, dma_mask;
static uint64_t size;

static unsigned long limit(const char *name)
{
	char file[400], text[32] = "";
	FILE *f;

	snprintf(file, sizeof(file), "/sys/block/%s/queue/%s", disk, name);
	f = fopen(file, "r");
	CHECK(f && fgets(text, sizeof(text), f));
	fclose(f);
	return strtoul(text, NULL, 0);
}

/* What byte `at` of the disk is. */
static unsigned char pattern(uint64_t at)
{
	return (unsigned char)((at * 0x9e3779b97f4a7c15ull) >> 56);
}

static unsigned char *area(size_t len)
{
	unsigned char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void check_pattern(const unsigned char *p, uint64_t at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != pattern(at + i)) {
			fprintf(stderr, "block-calls.c: byte %llu is %#x and not %#x\n", (unsigned long long)(at + i), p[i], pattern(at + i));
			exit(1);
		}
}

/* VECTORS pieces of 1 to 3 blocks, each at another offset in pages of its own: most of them cross a page's end. */
static size_t scatter(unsigned char *mem, struct iovec *v)
{
	size_t total = 0;

	for (unsigned int i = 0; i < VECTORS; i++) {
		size_t place = 5 * 4096 * (size_t)i + 4096 - block / 2 - (dma_mask + 1) * (i % 7);

		v[i].iov_base = mem + (place & ~(size_t)dma_mask);
		v[i].iov_len = block * (1 + i % 3);
		total += v[i].iov_len;
	}
	return total;
}

static void test_memory(void)
{
	unsigned char *mem = area(AREA), *scattered = area(5 * 4096 * (VECTORS + 1));
	struct iovec v[VECTORS];
	size_t total;
	uint64_t at;

	for (at = 0; at < AREA; at++)
		mem[at] = pattern(at);
	CHECK(pwrite(fd, mem, AREA, 0) == AREA);
	memset(mem, 0, AREA);
	CHECK(pread(fd, mem, AREA, 0) == AREA);
	check_pattern(mem, 0, AREA);

	/* anywhere that dma_alignment allows, over page ends, and nowhere else */
	for (unsigned int place = dma_mask + 1; place < block; place = place * 3 & ~dma_mask) {
		memset(mem, 0, 65536);
		CHECK(pread(fd, mem + place, 9 * block, 3 * block) == 9 * block);
		check_pattern(mem + place, 3 * block, 9 * block);
		CHECK(pwrite(fd, mem + place, 9 * block, 3 * block) == 9 * block);
	}
	if (dma_mask) {
		REFUSED(pread(fd, mem + dma_mask, block, 0), EINVAL);
		REFUSED(pwrite(fd, mem + dma_mask, block, 0), EINVAL);
	}
	REFUSED(pread(fd, mem, block, 1), EINVAL);
	REFUSED(pwrite(fd, mem, block, block / 2), EINVAL);
	REFUSED(pread(fd, mem, block - 1, 0), EINVAL);
	REFUSED(pwrite(fd, mem, block + 1, 0), EINVAL);
	REFUSED(pread(fd, NULL, block, 0), EFAULT);

	total = scatter(scattered, v);
	for (unsigned int i = 0; i < 8; i++) {
		at = (uint64_t)i * 77 * block;
		memset(scattered, 0, 5 * 4096 * (VECTORS + 1));
		CHECK(preadv(fd, v, VECTORS, (off_t)at) == (ssize_t)total);
		for (unsigned int k = 0; k < VECTORS; k++) {
			check_pattern(v[k].iov_base, at, v[k].iov_len);
			at += v[k].iov_len;
		}
		CHECK(pwritev(fd, v, VECTORS, (off_t)i * 77 * block) == (ssize_t)total);
	}

	CHECK(pread(fd, mem, AREA, 0) == AREA);
	check_pattern(mem, 0, AREA);
	OK(fsync(fd));
}

static void test_ioctls(void)
{
	static const struct {
		const char *name;
		unsigned long nr;
	} foreign[] = {
		{ "SG_IO", SG_IO }, { "SG_GET_VERSION_NUM", SG_GET_VERSION_NUM }, { "CDROMEJECT", CDROMEJECT },
		{ "CDROM_GET_CAPABILITY", CDROM_GET_CAPABILITY }, { "MTIOCTOP", MTIOCTOP }, { "NVME_IOCTL_ADMIN_CMD", NVME_IOCTL_ADMIN_CMD },
		{ "NVME_IOCTL_IO_CMD", NVME_IOCTL_IO_CMD }, { "NVME_IOCTL_RESET", NVME_IOCTL_RESET }, { "0x1234", 0x1234 },
	};
	static char argument[4096];
	uint64_t range[2] = { 0, (uint64_t)block + 1 }, bytes = 0;
	struct pr_registration pr = { .new_key = 1 };
	unsigned short sectors = 0;
	unsigned int u = 0;
	int i = 0;

	OK(ioctl(fd, BLKGETSIZE64, &bytes));
	CHECK(bytes == size && size > AREA);
	OK(ioctl(fd, BLKSSZGET, &i));
	CHECK((unsigned int)i == block);
	OK(ioctl(fd, BLKPBSZGET, &u));
	CHECK(u == limit("physical_block_size"));
	OK(ioctl(fd, BLKIOMIN, &u));
	CHECK(u == limit("minimum_io_size"));
	OK(ioctl(fd, BLKSECTGET, &sectors));
	CHECK(sectors == limit("max_sectors_kb") * 2);
	OK(ioctl(fd, BLKFLSBUF, 0));
	OK(ioctl(fd, BLKRRPART, 0));

	/* ranges that are none */
	REFUSED(ioctl(fd, BLKDISCARD, range), EINVAL);
	REFUSED(ioctl(fd, BLKZEROOUT, range), EINVAL);
	range[0] = size;
	range[1] = block;
	REFUSED(ioctl(fd, BLKDISCARD, range), EINVAL);
	REFUSED(ioctl(fd, BLKZEROOUT, range), EINVAL);
	range[0] = 0;
	REFUSED(ioctl(fd, BLKSECDISCARD, range), EOPNOTSUPP);
	i = 100;
	REFUSED(ioctl(fd, BLKBSZSET, &i), EINVAL);

	/* the stock driver has some of them, so that is not what is looked at there */
	if (strncmp(disk, "udf-", 4))
		return;
	REFUSED(ioctl(fd, BLKREPORTZONE, argument), ENOTTY);
	errno = 0;
	CHECK(ioctl(fd, IOC_PR_REGISTER, &pr) == -1 && (errno == EOPNOTSUPP || errno == ENOTTY));
	for (unsigned int k = 0; k < sizeof(foreign) / sizeof(foreign[0]); k++) {
		errno = 0;
		if (ioctl(fd, foreign[k].nr, argument) == -1 && errno == ENOTTY)
			continue;
		fprintf(stderr, "block-calls.c: %s is not refused with ENOTTY but with errno %d\n", foreign[k].name, errno);
		exit(1);
	}
}

static void test_end(void)
{
	unsigned char *mem = area(1 << 20);
	int ro = 1, other;

	CHECK(pread(fd, mem, 1 << 20, (off_t)(size - block)) == (ssize_t)block);
	CHECK(pread(fd, mem, block, (off_t)size) == 0);
	REFUSED(pwrite(fd, mem, block, (off_t)size), ENOSPC);
	CHECK(pwrite(fd, mem, 1 << 20, (off_t)(size - block)) == (ssize_t)block);

	OK(ioctl(fd, BLKROSET, &ro));
	REFUSED(pwrite(fd, mem, block, 0), EPERM);
	CHECK(pread(fd, mem, block, 0) == (ssize_t)block);
	ro = 0;
	OK(ioctl(fd, BLKROSET, &ro));
	CHECK(pwrite(fd, mem, block, 0) == (ssize_t)block);

	close(fd);
	fd = open(path, O_RDWR | O_EXCL);
	CHECK(fd >= 0);
	REFUSED(open(path, O_RDWR | O_EXCL), EBUSY);
	other = open(path, O_RDWR);
	CHECK(other >= 0);
	close(other);
}

static void test_failed(void)
{
	unsigned char *mem = area(1 << 20);

	CHECK(pread(fd, mem, 4096, 0) == -1 && (errno == EIO || errno == ENXIO || errno == ENODEV));
	CHECK(pwrite(fd, mem, 4096, 0) == -1 && (errno == EIO || errno == ENXIO || errno == ENODEV || errno == ENOSPC));
}

/* Memory that is no whole pages: a request has one piece. */
static void test_pieces(void)
{
	enum { PIECES = 64, SIZE = 512 };
	struct blk_zone_range range = { .nr_sectors = limit("chunk_sectors") };
	unsigned char *mem = area(PIECES * 4096), *back = area(PIECES * SIZE);
	struct iovec v[PIECES];

	for (size_t i = 0; i < PIECES; i++) {
		v[i] = (struct iovec){ mem + i * 4096, SIZE };
		for (size_t k = 0; k < SIZE; k++)
			mem[i * 4096 + k] = pattern(i * SIZE + k);
	}
	OK(ioctl(fd, BLKRESETZONE, &range));
	CHECK(pwritev(fd, v, PIECES, 0) == PIECES * SIZE);
	CHECK(pread(fd, back, PIECES * SIZE, 0) == PIECES * SIZE);
	check_pattern(back, 0, PIECES * SIZE);
}

/* Returns where the COUNT blocks at MEM are now, in blocks; -1: they are not. */
static int64_t append(const void *mem, unsigned int count, uint64_t zone)
{
	struct nvme_passthru_cmd64 c = {
		.opcode = 0x7d, .nsid = (uint32_t)ioctl(fd, NVME_IOCTL_ID), .addr = (uintptr_t)mem, .data_len = count * block,
		.cdw10 = (uint32_t)zone, .cdw11 = (uint32_t)(zone >> 32), .cdw12 = count - 1,
	};

	return ioctl(fd, NVME_IOCTL_IO64_CMD, &c) ? -1 : (int64_t)c.result;
}

static void test_append(void)
{
	const unsigned int counts[] = { 8, 1, 100, 256 };
	uint64_t zone = (limit("chunk_sectors") << 9) / block, at = zone;
	struct blk_zone_range range = { .sector = limit("chunk_sectors"), .nr_sectors = limit("chunk_sectors") };
	unsigned char *mem = area(1 << 20), *back = area(1 << 20);

	OK(ioctl(fd, BLKRESETZONE, &range));
	for (size_t i = 0; i < 256 * (size_t)block; i++)
		mem[i] = pattern(i);
	for (unsigned int i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		CHECK(append(mem, counts[i], zone) == (int64_t)at);
		CHECK(pread(fd, back, counts[i] * block, (off_t)(at * block)) == (ssize_t)(counts[i] * block));
		CHECK(!memcmp(mem, back, counts[i] * block));
		at += counts[i];
	}
	/* not at a zone's begin */
	CHECK(append(mem, 1, zone + 8) == -1);
	OK(ioctl(fd, BLKFINISHZONE, &range));
	CHECK(append(mem, 1, zone) == -1);
}

static void test_fill(void)
{
	const uint64_t zone = (limit("chunk_sectors") << 9) / block;
	struct { struct blk_zone_report head; struct blk_zone zone; } report = { .head = { .sector = limit("chunk_sectors"), .nr_zones = 1 } };
	struct blk_zone_range range = { .sector = limit("chunk_sectors"), .nr_sectors = limit("chunk_sectors") };
	unsigned char *mem = area(32 * (size_t)block), *back = area(32 * (size_t)block);
	uint64_t at, end;

	OK(ioctl(fd, BLKRESETZONE, &range));
	OK(ioctl(fd, BLKREPORTZONE, &report));
	end = zone + (report.zone.capacity << 9) / block;
	for (at = zone; at < end; at += 32) {
		memset(mem, (int)at / 32, 32 * (size_t)block);
		CHECK(append(mem, 32, zone) == (int64_t)at);
	}
	for (at = zone; at < end; at += 32) {
		memset(mem, (int)at / 32, 32 * (size_t)block);
		CHECK(pread(fd, back, 32 * (size_t)block, (off_t)(at * block)) == (ssize_t)(32 * block) && !memcmp(mem, back, 32 * (size_t)block));
	}
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: block-calls memory|ioctls|end|failed|pieces|append|fill DISK\n");
		return 2;
	}
	disk = argv[2];
	snprintf(path, sizeof(path), "/dev/%s", disk);
	fd = open(path, O_RDWR | O_DIRECT);
	if (!strcmp(argv[1], "failed")) {
		if (fd >= 0)
			test_failed();
		else
			CHECK(errno == EIO || errno == ENXIO || errno == ENODEV || errno == ENOENT);
		return 0;
	}
	CHECK(fd >= 0);
	OK(ioctl(fd, BLKGETSIZE64, &size));
	block = (unsigned int)limit("logical_block_size");
	dma_mask = (unsigned int)limit("dma_alignment");
	CHECK(block >= 512 && dma_mask < block);
	if (!strcmp(argv[1], "memory"))
		test_memory();
	else if (!strcmp(argv[1], "ioctls"))
		test_ioctls();
	else if (!strcmp(argv[1], "end"))
		test_end();
	else if (!strcmp(argv[1], "pieces"))
		test_pieces();
	else if (!strcmp(argv[1], "fill"))
		test_fill();
	else if (!strcmp(argv[1], "append"))
		test_append();
	else
		return 2;
	return 0;
}
