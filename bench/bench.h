/* SPDX-License-Identifier: GPL-2.0 */
/* What the benchmark programs share: arguments, clocks, the line that they print for bench/run. Host world. */
#ifndef UDF_BENCH_H
#define UDF_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct bench_args {
	unsigned int depth;	/* requests in flight */
	double seconds;		/* of the measurement, after as much warm-up as a tenth of it */
	unsigned int cpus;
	const char *param;	/* of the driver's module, NULL: none */
};

static inline double bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* CPU seconds of this process so far. */
static inline double bench_cpu(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static inline struct bench_args bench_parse(int argc, char **argv)
{
	struct bench_args a = { .depth = 32, .seconds = 2, .cpus = 1 };
	int i;

	for (i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--depth"))
			a.depth = (unsigned int)atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "--seconds"))
			a.seconds = atof(argv[i + 1]);
		else if (!strcmp(argv[i], "--cpus"))
			a.cpus = (unsigned int)atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "--param"))
			a.param = argv[i + 1];
	}
	if (i != argc || !a.depth || a.depth > 255 || a.seconds <= 0) {
		fprintf(stderr, "usage: %s [--depth 1...255] [--seconds N] [--cpus N] [--param NAME=VALUE]\n", argv[0]);
		exit(2);
	}
	return a;
}

/* The device that all measure: 1 GiB that holds nothing, so that its own cost is the least there is. */
#define BENCH_DEVICE "qemu:nvme,serial=bench,drive=bench"
#define BENCH_DRIVE "driver=null-co,node-name=bench,size=1073741824,read-zeroes=off"
#define BENCH_BLOCKS (1073741824ull / 4096)

/* A cheap random block number. */
static inline uint64_t bench_block(void)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x % BENCH_BLOCKS;
}

static inline void bench_print(const char *name, const struct bench_args *a, unsigned long ios, double seconds, double cpu)
{
	printf("%s depth=%u iops=%.0f us_per_io=%.2f cpu_us_per_io=%.2f\n", name, a->depth, (double)ios / seconds,
	       seconds / (double)ios * 1e6, cpu / (double)ios * 1e6);
}

#endif
