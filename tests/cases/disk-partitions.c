// SPDX-License-Identifier: GPL-2.0
/*
 * A disk with a partition table: the driver's kernel code does not look for partitions, which are a matter of who has the disk. Nothing is read of it
 * before somebody asks, and it is one disk.
 */
#include "udf-test.h"

int main(void)
{
	unsigned char table[512] = { 0 }, got[512];
	struct udf_disk *disk;
	struct udf *udf;
	FILE *f;

	/* one partition of type 83, from sector 2048 on, of 2048 sectors */
	table[446 + 4] = 0x83;
	table[446 + 9] = table[446 + 13] = 2048 >> 8;
	table[510] = 0x55;
	table[511] = 0xaa;
	f = fopen("disk.img", "we");
	CHECK(f && fwrite(table, sizeof(table), 1, f) == 1 && !fclose(f) && !truncate("disk.img", 4 << 20));
	udf = test_open("device", "qemu:nvme,serial=a", "drive", "disk.img", NULL);
	disk = test_disk(udf);
	CHECK_EQ(udf_disks(udf, NULL, 0), 1);
	CHECK_EQ(test_log_count("nvme0n1: p1"), 0);
	CHECK_OK(udf_pread(NULL, disk, got, sizeof(got), 0));
	CHECK(!memcmp(got, table, sizeof(got)));
	udf_disk_close(disk);
	CHECK_OK(udf_close(udf));
	test_no_complaints();
	return 0;
}
