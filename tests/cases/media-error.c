// SPDX-License-Identifier: GPL-2.0
/*
 * A medium with bad blocks: a request that touches one fails with EIO, everything else goes on and is right, the driver's log names
 * the blocks, and the port is not lost.
 */
#include "udf-test.h"

#define SIZE		(8ull << 20)
#define BLOCK		512u
#define BAD_READ	1000u	/* sectors */
#define BAD_WRITE	3000u

static char data[65536], back[65536];
static int results[64];

static void done(void *arg, int result)
{
	*(int *)arg = result;
}

/* 64 requests at a time around a bad block: just one fails. Every other block, so that the block layer does not merge them. */
static void test_neighbours(struct udf *udf, struct udf_disk *disk, unsigned int bad, bool write)
{
	struct udf_queue *q;
	unsigned int failed = 0;
	int ret;

	CHECK_OK(udf_queue_open(udf, -1, 64, 0, &q));
	for (unsigned int i = 0; i < 64; i++) {
		uint64_t at = (bad - 64ull + 2 * i) * BLOCK;

		results[i] = 1;
		ret = write ? udf_write(q, disk, data + i * BLOCK, BLOCK, at, 0, done, &results[i]) :
			      udf_read(q, disk, back + i * BLOCK, BLOCK, at, done, &results[i]);
		CHECK_OK(ret);
	}
	CHECK_OK(udf_wait(q, 20000));
	for (unsigned int i = 0; i < 64; i++) {
		CHECK_EQ(results[i], i == 32 ? -EIO : 0);
		failed += !!results[i];
	}
	CHECK_EQ(failed, 1);
	udf_queue_close(q);
}

static void run(const char *device, const char *behind)
{
	struct udf_disk *disk;
	struct udf *udf;

	test_file("disk.img", SIZE);
	udf = test_open("device", device, "backend",
			"-blockdev driver=blkdebug,node-name=d,image.driver=file,image.filename=disk.img,"
			"inject-error.0.event=none,inject-error.0.iotype=read,inject-error.0.sector=1000,inject-error.0.errno=5,"
			"inject-error.1.event=none,inject-error.1.iotype=write,inject-error.1.sector=3000,inject-error.1.errno=5",
			behind ? "backend" : NULL, behind, NULL);
	disk = test_disk(udf);
	CHECK_OK(udf_pwrite(NULL, disk, data, sizeof(data), 900 * BLOCK, 0));
	CHECK_EQ(udf_pread(NULL, disk, back, sizeof(back), 900 * BLOCK), -EIO);
	CHECK_OK(udf_pread(NULL, disk, back, 100 * BLOCK, 900 * BLOCK));
	CHECK(!memcmp(back, data, 100 * BLOCK));
	CHECK_OK(udf_pread(NULL, disk, back, 27 * BLOCK, 1001 * BLOCK));
	CHECK(!memcmp(back, data + 101 * BLOCK, 27 * BLOCK));
	CHECK_EQ(udf_pwrite(NULL, disk, data, sizeof(data), 2990 * BLOCK, 0), -EIO);
	CHECK_EQ(udf_pwrite(NULL, disk, data, BLOCK, BAD_WRITE * BLOCK, 0), -EIO);
	test_neighbours(udf, disk, BAD_READ, false);
	test_neighbours(udf, disk, BAD_WRITE, true);
	CHECK(test_log_count("error, dev ") >= 4);
	CHECK(test_log_count("sector 1000 op 0x0:(READ)"));
	CHECK(test_log_count("sector 3000 op 0x1:(WRITE)"));
	CHECK(!udf_lost(udf));
	/* and after all that */
	CHECK_OK(udf_pwrite(NULL, disk, data, sizeof(data), 5000 * BLOCK, 0));
	CHECK_OK(udf_pread(NULL, disk, back, sizeof(back), 5000 * BLOCK));
	CHECK(!memcmp(back, data, sizeof(data)));
	CHECK_OK(udf_close(udf));
}

int main(void)
{
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + (i >> 9) + 1);
	run("qemu:nvme,serial=a,drive=d", NULL);
	run("qemu:pvscsi", "-device scsi-hd,bus=udf0.0,drive=d");
	test_no_complaints();
	return 0;
}
