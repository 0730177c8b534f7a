/* SPDX-License-Identifier: GPL-2.0 */
/* 4 KiB random reads of a disk over libudf, from one thread that polls; for benchmark programs. Host world. */
#ifndef UDF_BENCH_LOAD_H
#define UDF_BENCH_LOAD_H

#include <udf/udf.h>

#include "bench.h"

static struct udf_queue *queue;
static struct udf_disk *disk;
static unsigned long completed, failed;
static int stopping;

static void submit(void *buf);

static void done(void *buf, int result)
{
	completed++;
	failed += result != 0;
	if (!stopping)
		submit(buf);
}

static void submit(void *buf)
{
	if (udf_read(queue, disk, buf, 4096, bench_block() * 4096, done, buf))
		failed++;
}

static unsigned long run(double seconds)
{
	unsigned long before = completed;
	double end = bench_now() + seconds;

	while (bench_now() < end)
		udf_poll(queue, 64, -1);
	return completed - before;
}

#endif
