// SPDX-License-Identifier: GPL-2.0
/* 4 KiB random reads through the stock driver, in-process over libudf. Host world. */
#include "load.h"

int main(int argc, char **argv)
{
	struct bench_args a = bench_parse(argc, argv);
	struct udf_options *o = udf_options_new();
	struct udf_stats before, after;
	double start, cpu, seconds;
	unsigned long ios;
	char cpus[16];
	struct udf *udf;
	unsigned int i;

	snprintf(cpus, sizeof(cpus), "%u", a.cpus);
	if (udf_options_set(o, "device", BENCH_DEVICE) || udf_options_set(o, "backend", "-blockdev " BENCH_DRIVE) ||
	    udf_options_set(o, "cpus", cpus) || (a.param && udf_options_set(o, "param", a.param)) || udf_open(o, &udf)) {
		fprintf(stderr, "%s\n", udf_options_error(o));
		return 1;
	}
	if (udf_wait_disks(udf, 1, 10000) < 0 || udf_disk_open(udf, NULL, &disk) || udf_queue_open(udf, 0, 256, UDF_QUEUE_POLLED, &queue))
		return 1;
	for (i = 0; i < a.depth; i++)
		submit(udf_buf_alloc(udf, 4096));
	run(a.seconds / 10);
	udf_stats(udf, &before);
	cpu = bench_cpu();
	start = bench_now();
	ios = run(a.seconds);
	seconds = bench_now() - start;
	cpu = bench_cpu() - cpu;
	udf_stats(udf, &after);
	stopping = 1;
	udf_wait(queue, 5000);
	bench_print("udf", &a, ios, seconds, cpu);
	printf("per_io interrupts=%.3f privileged=%.3f sleeps=%.3f kicks=%.3f failed=%lu\n",
	       (double)(after.interrupts - before.interrupts) / (double)ios,
	       (double)(after.privileged_calls - before.privileged_calls) / (double)ios,
	       (double)(after.idle_sleeps - before.idle_sleeps) / (double)ios, (double)(after.kicks - before.kicks) / (double)ios, failed);
	udf_close(udf);
	return failed != 0;
}
