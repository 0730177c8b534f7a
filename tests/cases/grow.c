// SPDX-License-Identifier: GPL-2.0
/*
 * timeout: 120
 *
 * A driver's memory grows as it is used, the device reaches what has come, also when the driver module is loaded anew, and there is an end.
 *
 *	grow [DEVICE [MIB | hold]]	MIB: no more than so much is to be had, though memory-max says so
 *					hold: says "grown" and waits to be killed, with requests in flight
 */
#include "udf-test.h"

#define MIB		(1ull << 20)
#define START		32
#define MAX		128
#define BUFFERS		64
#define DISK_MIB	96

static struct udf *udf;
static struct udf_disk *disk;
static struct udf_queue *queue;
static uint64_t *buffer[MAX];
static unsigned int in_flight, errors;

static void done(void *arg, int result)
{
	in_flight--;
	errors += result != 0;
}

static void transfer(unsigned int i, bool write)
{
	CHECK_OK(write ? udf_write(queue, disk, buffer[i], MIB, i * MIB, 0, done, NULL) : udf_read(queue, disk, buffer[i], MIB, i * MIB, done, NULL));
	in_flight++;
	while (in_flight >= 8)
		CHECK(udf_poll(queue, 8, -1) >= 0);
}

static void finish(void)
{
	while (in_flight)
		CHECK(udf_poll(queue, 8, -1) >= 0);
	CHECK_EQ(errors, 0);
}

/* A pattern that knows its place goes from each buffer to the disk, and comes back to another. */
static void round_trip(unsigned int n, uint64_t seed)
{
	const size_t words = MIB / sizeof(uint64_t);

	for (unsigned int i = 0; i < n; i++) {
		for (size_t w = 0; w < words; w++)
			buffer[i][w] = seed + i * MIB + w;
		transfer(i, true);
	}
	finish();
	for (unsigned int i = 0; i < n / 2; i++) {
		uint64_t *other = buffer[i];

		buffer[i] = buffer[n - 1 - i];
		buffer[n - 1 - i] = other;
	}
	for (unsigned int i = 0; i < n; i++)
		transfer(i, false);
	finish();
	for (unsigned int i = 0; i < n; i++)
		for (size_t w = 0; w < words; w++)
			if (buffer[i][w] != seed + i * MIB + w)
				FAIL("MiB %u, word %zu is 0x%llx", i, w, (unsigned long long)buffer[i][w]);
}

static unsigned int alloc(unsigned int most)
{
	unsigned int n = 0;

	while (n < most && (buffer[n] = udf_buf_alloc(udf, MIB)))
		n++;
	return n;
}

static void free_all(unsigned int n)
{
	while (n--)
		udf_buf_free(udf, buffer[n]);
}

static void hold(void)
{
	CHECK_EQ(alloc(BUFFERS), BUFFERS);
	CHECK(udf_host.arena_size > START * MIB);
	puts("grown");
	fflush(stdout);
	for (;;)
		for (unsigned int i = 0; i < BUFFERS; i++)
			transfer(i, true);
}

static void grow(unsigned int limit)
{
	const unsigned int most = limit > BUFFERS ? BUFFERS : limit;
	unsigned int n = alloc(most);

	/* what is not in buffers */
	CHECK(limit > BUFFERS ? n == BUFFERS : n + 16 > limit && n < limit);
	CHECK(udf_host.arena_size > START * MIB && udf_host.arena_size <= limit * MIB);
	printf("%u MiB of buffers in %u MiB, which began as %u ranges\n", n, (unsigned int)(udf_host.arena_size / MIB), udf_host.nr_ranges);
	round_trip(n, 1);
	/* which takes memory */
	if (limit > BUFFERS) {
		udf_disk_close(disk);
		CHECK_OK(udf_unload(udf, "nvme"));
		CHECK_OK(udf_load(udf, "nvme", NULL));
		disk = test_disk(udf);
		round_trip(n, 2);
	}
	free_all(n);
	n = alloc(MAX);
	/* memory with gaps has less of large blocks */
	CHECK(n < limit && n > limit / 2);
	CHECK(!buffer[n]);
	CHECK_EQ(udf_host.arena_size, limit * MIB);
	round_trip(n < DISK_MIB ? n : DISK_MIB, 3);
	free_all(n);
}

int main(int argc, char **argv)
{
	const char *device = argc > 1 ? argv[1] : "qemu:nvme,serial=a";
	const unsigned int limit = argc > 2 ? (unsigned int)atoi(argv[2]) : MAX;

	test_file("disk.img", DISK_MIB * MIB);
	for (const char *cpus = "1"; cpus; cpus = argc == 1 && *cpus == '1' ? "2" : NULL) {
		if (argc == 1)
			udf = test_open("device", device, "drive", "disk.img", "cpus", cpus, "memory", "32", "memory-max", "128", NULL);
		else
			udf = test_open("device", device, "cpus", "2", "memory", "32", "memory-max", "128", NULL);
		disk = test_disk(udf);
		CHECK_OK(udf_queue_open(udf, -1, 0, 0, &queue));
		if (argc > 2 && !strcmp(argv[2], "hold"))
			hold();
		grow(limit);
		udf_queue_close(queue);
		CHECK_OK(udf_close(udf));
	}
	test_no_complaints();
	return 0;
}
