// SPDX-License-Identifier: GPL-2.0
/* Reads the first blocks of a port's disk, several at a time: examples/read qemu:nvme,serial=a 1G */
#include <stdio.h>
#include <string.h>

#include <udf/udf.h>

#define BLOCK 4096
#define COUNT 16

static void done(void *arg, int result)
{
	*(int *)arg = result;
}

static int read_blocks(struct udf *udf)
{
	struct udf_queue *queue;
	struct udf_disk *disk;
	int result[COUNT], i, err;
	char *buf;

	if (udf_wait_disks(udf, 1, 10000) < 1)
		return fprintf(stderr, "no disk\n");
	if ((err = udf_disk_open(udf, NULL, &disk)) || (err = udf_queue_open(udf, -1, COUNT, 0, &queue)))
		return fprintf(stderr, "cannot open the disk: %s\n", strerror(-err));
	buf = udf_buf_alloc(udf, COUNT * BLOCK);	/* the device reads into it: nothing is copied */
	if (!buf)
		return fprintf(stderr, "no memory\n");

	for (i = 0; i < COUNT; i++) {
		err = udf_read(queue, disk, buf + i * BLOCK, BLOCK, i * BLOCK, done, &result[i]);
		if (err)
			result[i] = err;	/* refused at once: done() does not run */
	}
	udf_wait(queue, -1);
	for (i = 0; i < COUNT; i++)
		printf("block %2d: %s, first byte %02x\n", i, result[i] ? strerror(-result[i]) : "read", buf[i * BLOCK] & 0xff);
	return 0;	/* udf_close() releases the queue, the disk and the buffer */
}

int main(int argc, char **argv)
{
	struct udf_options *options = udf_options_new();
	struct udf *udf;
	int failed;

	if (argc != 3 || !options) {
		fprintf(stderr, "Usage: %s DEVICE SIZE\n", argv[0]);
		return 2;
	}
	if (udf_options_set(options, "device", argv[1]) || udf_options_set(options, "size", argv[2]) || udf_open(options, &udf)) {
		fprintf(stderr, "%s\n", udf_options_error(options));
		return 1;
	}
	udf_options_free(options);
	failed = read_blocks(udf);
	return udf_close(udf) || failed ? 1 : 0;
}
