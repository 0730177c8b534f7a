// SPDX-License-Identifier: GPL-2.0
/*
 * Flush, FUA, discard and write-zeroes reach the disk's back end; sizes and limits are what the device says; what makes no sense
 * fails with the error that udf.h names, and nothing else happens.
 */
#include <sys/stat.h>

#include "udf-test.h"

#define SIZE	(16ull << 20)
#define MIB	(1u << 20)

static char data[2 * MIB], zeroes[2 * MIB], back[2 * MIB];

static long long allocated(const char *path)
{
	struct stat st;

	CHECK(!stat(path, &st));
	return 512ll * st.st_blocks;
}

static void in_file(const char *path, uint64_t offset, const void *want, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_EQ(pread(fd, back, len, (off_t)offset), len);
	close(fd);
	CHECK(!memcmp(back, want, len));
}

/* ---- discard and write-zeroes: holes in the file ---- */

static void test_holes(void)
{
	struct udf_disk *disk;
	struct udf *udf;
	long long before;

	test_file("holes.img", SIZE);
	udf = test_open("device", "qemu:nvme,serial=a", "drive", "holes.img", NULL);
	disk = test_disk(udf);
	CHECK(test_info(disk).max_discard);
	CHECK(test_info(disk).max_write_zeroes);
	for (uint64_t at = 0; at < SIZE; at += sizeof(data))
		CHECK_OK(udf_pwrite(NULL, disk, data, sizeof(data), at, 0));
	before = allocated("holes.img");
	CHECK(before >= (long long)SIZE);

	CHECK_OK(udf_pdiscard(NULL, disk, 4 * MIB, 2 * MIB));
	CHECK_EQ(allocated("holes.img"), before - 2 * MIB);
	in_file("holes.img", 6 * MIB, data, MIB);
	CHECK_OK(udf_pwrite_zeroes(NULL, disk, 8 * MIB, MIB, 0));
	CHECK_EQ(allocated("holes.img"), before - 3 * MIB);
	in_file("holes.img", 8 * MIB, zeroes, MIB);
	in_file("holes.img", 9 * MIB, data + MIB, MIB);
	/* this device model deallocates whatever it is told: only the contents can be checked */
	CHECK_OK(udf_pwrite_zeroes(NULL, disk, 10 * MIB, MIB, UDF_NO_UNMAP | UDF_FUA | UDF_FAST_ONLY));
	in_file("holes.img", 10 * MIB, zeroes, MIB);
	/* a single block */
	CHECK_OK(udf_pwrite_zeroes(NULL, disk, 12 * MIB + 512, 512, 0));
	in_file("holes.img", 12 * MIB, data, 512);
	in_file("holes.img", 12 * MIB + 512, zeroes, 512);
	in_file("holes.img", 12 * MIB + 1024, data + 1024, 512);
	CHECK_OK(udf_pread(NULL, disk, back, 2 * MIB, 8 * MIB));
	CHECK(!memcmp(back, zeroes, MIB) && !memcmp(back + MIB, data + MIB, MIB));
	/* all of it at once */
	CHECK_OK(udf_pdiscard(NULL, disk, 0, SIZE));
	CHECK(allocated("holes.img") < MIB);
	CHECK_OK(udf_close(udf));
}

/* ---- flush and FUA: a back end that cannot flush says so, and only to those who ask for it ---- */

static void test_flushes(const char *device, const char *behind, unsigned int flags)
{
	struct udf_disk *disk;
	struct udf *udf;

	test_file("flush.img", SIZE);
	udf = test_open("device", device, "backend",
			"-blockdev driver=blkdebug,node-name=d,image.driver=file,image.filename=flush.img,"
			"inject-error.0.event=none,inject-error.0.iotype=flush,inject-error.0.errno=5",
			behind ? "backend" : NULL, behind, NULL);
	disk = test_disk(udf);
	CHECK_EQ(test_info(disk).flags & (UDF_DISK_WRITE_CACHE | UDF_DISK_FUA), flags);
	CHECK_OK(udf_pwrite(NULL, disk, data, 65536, 0, 0));
	CHECK(udf_pflush(NULL, disk) < 0);
	/* this device model takes FUA and does nothing about it */
	if (behind) {
		CHECK(udf_pwrite(NULL, disk, data, 65536, 0, UDF_FUA) < 0);
		CHECK(udf_pwrite_zeroes(NULL, disk, 0, 65536, UDF_FUA) < 0);
	}
	CHECK_OK(udf_pwrite(NULL, disk, data, 65536, 0, 0));
	CHECK_OK(udf_pread(NULL, disk, back, 65536, 0));
	CHECK_OK(udf_close(udf));
	in_file("flush.img", 0, data, 65536);
}

/* ---- sizes and limits ---- */

static void test_limits(void)
{
	struct udf_disk_info info;
	struct udf_disk *disk;
	struct udf *udf;

	test_file("limits.img", SIZE);
	udf = test_open("device", "qemu:nvme,serial=UDF-serial,mdts=3", "drive", "limits.img", NULL);
	disk = test_disk(udf);
	info = test_info(disk);
	CHECK_EQ(info.size, SIZE);
	CHECK_EQ(info.logical_block, 512);
	CHECK_EQ(info.max_bytes, 4096 << 3);
	CHECK_EQ(info.buffer_align, 4);
	CHECK_EQ(info.discard_granularity, 512);
	CHECK(!(info.flags & (UDF_DISK_READ_ONLY | UDF_DISK_ROTATIONAL | UDF_DISK_ZONED | UDF_DISK_REMOVABLE)));
	CHECK(!strcmp(info.serial, "UDF-serial"));
	CHECK(!strcmp(info.model, "QEMU NVMe Ctrl"));
	CHECK(!strcmp(info.name, "nvme0n1"));
	/* far longer than the device takes at once, and longer than a request of libudf may be */
	CHECK_OK(udf_pwrite(NULL, disk, data, sizeof(data), 512, 0));
	memset(back, 1, sizeof(back));
	CHECK_OK(udf_pread(NULL, disk, back, sizeof(back), 512));
	CHECK(!memcmp(back, data, sizeof(data)));
	in_file("limits.img", 512, data, sizeof(data));
	/* the last block */
	CHECK_OK(udf_pwrite(NULL, disk, data, 512, SIZE - 512, 0));
	CHECK_OK(udf_pread(NULL, disk, back, 512, SIZE - 512));
	CHECK(!memcmp(back, data, 512));
	CHECK_OK(udf_close(udf));
}

/* ---- errors ---- */

static void count(void *arg, int result)
{
	CHECK_EQ(result, 0);
	++*(int *)arg;
}

static void test_errors(void)
{
	struct udf_queue *q;
	struct udf_disk *disk, *none;
	struct iovec iov[2] = { { data, 512 }, { data, 100 } };
	int done = 0, accepted = 0, ret;
	struct udf *udf, *second;
	struct udf_options *o;
	long long before;

	test_file("errors.img", SIZE);
	udf = test_open("device", "qemu:nvme,serial=a", "drive", "errors.img", NULL);
	disk = test_disk(udf);
	before = allocated("errors.img");
	CHECK_OK(udf_queue_open(udf, -1, 2, 0, &q));
	CHECK_EQ(udf_write(q, disk, data, 512, 256, 0, NULL, NULL), -EINVAL);
	CHECK_EQ(udf_write(q, disk, data, 511, 0, 0, NULL, NULL), -EINVAL);
	CHECK_EQ(udf_write(q, disk, data, 0, 0, 0, NULL, NULL), -EINVAL);
	CHECK_EQ(udf_write(q, disk, data, 512, 0, 0x80, NULL, NULL), -EINVAL);
	CHECK_EQ(udf_writev(q, disk, iov, 2, 0, 0, NULL, NULL), -EINVAL);
	CHECK_EQ(udf_write(q, disk, data, 1024, SIZE - 512, 0, NULL, NULL), -ENOSPC);
	CHECK_EQ(udf_write(q, disk, data, 512, SIZE, 0, NULL, NULL), -ENOSPC);
	CHECK_EQ(udf_write(q, disk, data, 512, ~511ull, 0, NULL, NULL), -ENOSPC);
	CHECK_EQ(udf_read(q, disk, back, 512, SIZE, NULL, NULL), -EIO);
	CHECK_EQ(udf_discard(q, disk, SIZE - 512, 1024, NULL, NULL), -ENOSPC);
	CHECK_EQ(udf_write_zeroes(q, disk, 0, SIZE + 512, 0, NULL, NULL), -ENOSPC);
	CHECK_EQ(udf_pread(NULL, disk, back, 4 * MIB, SIZE - 2 * MIB), -EIO);
	CHECK_EQ(udf_pwrite(NULL, disk, data, 100, 0, 0), -EINVAL);
	CHECK_EQ(allocated("errors.img"), before);

	/* a queue that is full: completions are taken only below, so two fit */
	for (int i = 0; i < 5; i++) {
		ret = udf_read(q, disk, back, 512, 0, count, &done);
		accepted += !ret;
		CHECK(!ret || ret == -EAGAIN);
	}
	CHECK_EQ(accepted, 2);
	CHECK_EQ(udf_queue_in_flight(q), 2);
	CHECK_OK(udf_wait(q, 10000));
	CHECK_EQ(done, 2);

	CHECK_EQ(udf_disk_open(udf, "nvme1n1", &none), -ENOENT);
	CHECK_EQ(udf_queue_open(udf, 5, 0, 0, &q), -EINVAL);
	CHECK_EQ(udf_unload(udf, "nvme"), -EBUSY);
	CHECK_EQ(udf_unload(udf, "no_such_module"), -ENOENT);
	CHECK(udf_load(udf, "no_such_module", NULL) < 0);
	o = udf_options_new();
	CHECK(o);
	CHECK_EQ(udf_options_set(o, "cpus", "9"), -EINVAL);
	CHECK_EQ(udf_options_set(o, "no-such", "9"), -EINVAL);
	CHECK_OK(udf_options_set(o, "device", "qemu:nvme,serial=b"));
	CHECK_EQ(udf_open(o, &second), -EBUSY);
	udf_options_free(o);
	CHECK_OK(udf_close(udf));
}

int main(void)
{
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + (i >> 9) + 1);
	test_holes();
	test_limits();
	test_flushes("qemu:nvme,serial=a,drive=d", NULL, UDF_DISK_WRITE_CACHE | UDF_DISK_FUA);
	/* a disk that knows FUA, and one that does not: there the block layer flushes */
	test_flushes("qemu:pvscsi", "-device scsi-hd,bus=udf0.0,drive=d,dpofua=on", UDF_DISK_WRITE_CACHE | UDF_DISK_FUA);
	test_flushes("qemu:pvscsi", "-device scsi-hd,bus=udf0.0,drive=d", UDF_DISK_WRITE_CACHE);
	test_errors();
	test_no_complaints();
	return 0;
}
