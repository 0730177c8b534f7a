// SPDX-License-Identifier: GPL-2.0
/*
 * While a module's init function runs, for as long as it likes, I/O goes on, and so does what I/O needs: memory for its buffers, more of it
 * than there was.
 */
#include "waits.h"

#define BUFFERS 6

int main(void)
{
	struct udf_disk *disk;
	void *buf[BUFFERS];
	pthread_t thread;

	udf = test_open("device", "qemu:nvme,serial=a", "size", "64M", NULL);
	disk = test_disk(udf);
	CHECK_OK(-pthread_create(&thread, NULL, waits_load, ""));
	while (!atomic_load(&word[0]) && !atomic_load(&loaded))
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	for (int i = 0; i < BUFFERS; i++) {
		CHECK(buf[i] = udf_buf_alloc(udf, UDF_BUF_MAX));
		CHECK_OK(udf_pread(NULL, disk, buf[i], UDF_BUF_MAX, 0));
	}
	for (int i = 0; i < BUFFERS; i++)
		udf_buf_free(udf, buf[i]);
	CHECK(!atomic_load(&loaded));
	atomic_store(&word[0], 2);
	pthread_join(thread, NULL);
	CHECK(atomic_load(&loaded));
	udf_disk_close(disk);
	CHECK_OK(udf_close(udf));
	test_no_complaints();
	return 0;
}
