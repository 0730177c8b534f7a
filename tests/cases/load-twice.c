// SPDX-License-Identifier: GPL-2.0
/*
 * A module that is loaded already stays as it is; one that is in use is not unloaded, nor one that is not loaded; what runs goes on.
 */
#include "udf-test.h"

int main(void)
{
	const char *build = getenv("UDF_BUILD");
	struct udf_module_info info[32];
	char file[4096], data[4096];
	struct udf_disk *disk;
	struct udf *udf;
	int n;

	udf = test_open("device", "qemu:nvme,serial=a", "size", "1M", NULL);
	disk = test_disk(udf);
	n = udf_modules(udf, info, 32);
	CHECK(n >= 2 && n <= 32);
	/* as for modprobe, by name or by file: its init does not run again */
	CHECK_OK(udf_load(udf, "nvme", NULL));
	CHECK_EQ(udf_modules(udf, info, 32), n);
	snprintf(file, sizeof(file), "%s/tests/modules/udf_params.ko", build ? build : "build");
	CHECK_OK(udf_load(udf, file, NULL));
	CHECK_EQ(test_log_count("udf_params: PASS"), 1);
	CHECK_OK(udf_load(udf, file, NULL));
	CHECK_EQ(test_log_count("udf_params: PASS"), 1);
	CHECK_EQ(udf_modules(udf, info, 32), n + 1);
	CHECK_OK(udf_unload(udf, "udf_params"));
	CHECK_EQ(udf_unload(udf, "udf_params"), -ENOENT);
	/* nothing holds it but the symbols that others use */
	CHECK_EQ(udf_unload(udf, "crc64"), -EBUSY);
	CHECK_OK(udf_load(udf, file, NULL));
	CHECK_EQ(test_log_count("udf_params: PASS"), 2);
	/* others depend on it, and a disk is open */
	CHECK_EQ(udf_unload(udf, "nvme_core"), -EBUSY);
	CHECK_EQ(udf_unload(udf, "nvme"), -EBUSY);
	CHECK_OK(udf_pread(NULL, disk, data, sizeof(data), 0));
	udf_disk_close(disk);
	CHECK_OK(udf_unload(udf, "nvme"));
	CHECK_EQ(udf_disks(udf, NULL, 0), 0);
	CHECK_OK(udf_unload(udf, "udf_params"));
	CHECK_OK(udf_close(udf));
	test_no_complaints();
	return 0;
}
