// SPDX-License-Identifier: GPL-2.0
/*
 * The same reads as load.c's by an application that is attached to a driver process: attached SOCKET [--depth N] [--count N | --seconds N].
 * Host world.
 */
#include "../load.h"
#include "mark.h"

static void run_count(unsigned long n)
{
	unsigned long end = completed + n;

	while (completed < end)
		udf_poll(queue, 64, -1);
}

int main(int argc, char **argv)
{
	struct udf_options *o = udf_options_new();
	unsigned long count = 0, before;
	unsigned int depth = 32;
	double seconds = 2, start;
	struct udf *udf;

	for (int i = 2; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--depth"))
			depth = (unsigned int)atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "--count"))
			count = (unsigned long)atol(argv[i + 1]);
		else if (!strcmp(argv[i], "--seconds"))
			seconds = atof(argv[i + 1]);
	}
	if (argc < 2 || argc % 2 || !depth || depth > 255)
		return 2;
	if (udf_options_set(o, "port", argv[1]) || udf_open(o, &udf)) {
		fprintf(stderr, "%s\n", udf_options_error(o));
		return 1;
	}
	if (udf_wait_disks(udf, 1, 10000) < 0 || udf_disk_open(udf, NULL, &disk) || udf_queue_open(udf, 0, 256, 0, &queue))
		return 1;
	for (unsigned int i = 0; i < depth; i++)
		submit(udf_buf_alloc(udf, 4096));
	count ? run_count(count / 9) : (void)run(seconds / 9);
	before = completed;
	start = bench_now();
	mark_begin();
	count ? run_count(count) : (void)run(seconds);
	mark_end();
	seconds = bench_now() - start;
	before = completed - before;
	stopping = 1;
	udf_wait(queue, 5000);
	printf("attached depth=%u failed=%lu iops=%.0f us_per_io=%.2f ios=%lu\n", depth, failed, (double)before / seconds,
	       seconds / (double)before * 1e6, before);
	udf_close(udf);
	return failed != 0;
}
