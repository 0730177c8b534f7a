// SPDX-License-Identifier: GPL-2.0
/*
 * From nothing to the first completed read, image cached; and a driver process at rest. The time that QEMU takes to start is measured
 * by itself, with the same device, and taken off: a real port is there already. Host world.
 */
#include <errno.h>
#include <unistd.h>

#include <udf/udf.h>

#include "bench.h"
#include "port/port.h"

static void no_irq(void *ctx, unsigned int vector, int level)
{
}

static void lost(void *ctx, const char *why)
{
	fprintf(stderr, "%s\n", why);
	exit(1);
}

static double port_alone(void)
{
	const char *backends[] = { "-blockdev", BENCH_DRIVE, NULL };
	const struct udf_port_config config = { .spec = BENCH_DEVICE, .backends = backends };
	const struct udf_port_events events = { .irq = no_irq, .lost = lost };
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_port *port;
	double start = bench_now();

	if (udf_port_open(&config, &events, NULL, &port, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	start = bench_now() - start;
	port->ops->close(port);
	return start;
}

/* Private memory of this process that was written, KiB. */
static long private_dirty(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	char line[256];
	long kib = -1;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "Private_Dirty: %ld", &kib);
	if (f)
		fclose(f);
	return kib;
}

int main(int argc, char **argv)
{
	struct bench_args a = bench_parse(argc, argv);
	double port = port_alone(), start = bench_now(), first, cpu;
	struct udf_options *o = udf_options_new();
	struct udf_disk *disk;
	struct udf *udf;
	long memory;
	void *buf;

	if (udf_options_set(o, "device", BENCH_DEVICE) || udf_options_set(o, "backend", "-blockdev " BENCH_DRIVE) || udf_open(o, &udf)) {
		fprintf(stderr, "%s\n", udf_options_error(o));
		return 1;
	}
	if (udf_wait_disks(udf, 1, 10000) < 0)
		return 1;
	memory = private_dirty();
	if (udf_disk_open(udf, NULL, &disk) || !(buf = udf_buf_alloc(udf, 4096)) ||
	    udf_pread(NULL, disk, buf, 4096, 0))
		return 1;
	first = bench_now() - start;
	cpu = bench_cpu();
	sleep((unsigned int)(a.seconds + 1));
	cpu = bench_cpu() - cpu;
	printf("start total_ms=%.1f qemu_ms=%.1f udf_ms=%.1f private_kib=%ld idle_cpu_percent=%.3f\n", first * 1e3, port * 1e3,
	       (first - port) * 1e3, memory, cpu / (double)(unsigned int)(a.seconds + 1) * 100);
	udf_close(udf);
	return 0;
}
