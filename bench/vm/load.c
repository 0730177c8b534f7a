// SPDX-License-Identifier: GPL-2.0
/*
 * 4 KiB random reads of a block device by io_uring, O_DIRECT, from one thread. Host world.
 *
 *	load DEVICE [--depth N] [--count N | --seconds N] [--latency 1] [--kill PID-FILE]
 *
 * With --kill the process that PID-FILE names is killed once, half a second after the start, and the time until the next read is completed
 * is printed. Between the marks (mark.h) are all reads but the first tenth.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../bench.h"
#include "mark.h"

#define DEPTH_MAX 128
#define SAMPLES (1u << 20)

static struct {
	int fd;
	unsigned int *sq_tail, *sq_array, *cq_head, *cq_tail;
	unsigned int sq_mask, cq_mask, pushed;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
} ring;

static int disk;
static char *memory;
static uint64_t nr_blocks;
static double sent[DEPTH_MAX];
static uint32_t *sample;	/* ns; NULL: latency is not asked for */
static unsigned int nr_samples;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void ring_open(unsigned int depth)
{
	struct io_uring_params p = { 0 };
	char *m;

	ring.fd = (int)syscall(__NR_io_uring_setup, depth, &p);
	if (ring.fd < 0)
		fail("io_uring_setup");
	m = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd,
		 IORING_OFF_SQ_RING);
	ring.sqe = mmap(NULL, p.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd,
			IORING_OFF_SQES);
	if (m == MAP_FAILED || ring.sqe == MAP_FAILED)
		fail("mmap");
	ring.sq_tail = (unsigned int *)(m + p.sq_off.tail);
	ring.sq_array = (unsigned int *)(m + p.sq_off.array);
	ring.sq_mask = p.sq_entries - 1;
	ring.cq_head = (unsigned int *)(m + p.cq_off.head);
	ring.cq_tail = (unsigned int *)(m + p.cq_off.tail);
	ring.cq_mask = p.cq_entries - 1;
	ring.cqe = (struct io_uring_cqe *)(m + p.cq_off.cqes);
	for (unsigned int i = 0; i < p.sq_entries; i++)
		ring.sq_array[i] = i;
}

static void push(unsigned int slot)
{
	unsigned int tail = *ring.sq_tail;

	ring.sqe[tail & ring.sq_mask] = (struct io_uring_sqe){
		.opcode = IORING_OP_READ, .fd = disk, .addr = (uintptr_t)(memory + slot * 4096ul), .len = 4096,
		.off = bench_block() % nr_blocks * 4096, .user_data = slot,
	};
	__atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_RELEASE);
	ring.pushed++;
	if (sample)
		sent[slot] = bench_now();
}

static void reaped(const struct io_uring_cqe *c)
{
	if (c->res != 4096) {
		errno = c->res < 0 ? -c->res : EIO;
		fail("read");
	}
	if (sample && nr_samples < SAMPLES)
		sample[nr_samples++] = (uint32_t)((bench_now() - sent[c->user_data]) * 1e9);
}

/* For all that are completed push the next. Returns how many that are. */
static unsigned int reap(void)
{
	unsigned int head = *ring.cq_head, n = 0;

	for (; head != __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE); head++, n++) {
		const struct io_uring_cqe *c = &ring.cqe[head & ring.cq_mask];

		reaped(c);
		push((unsigned int)c->user_data);
	}
	__atomic_store_n(ring.cq_head, head, __ATOMIC_RELEASE);
	return n;
}

/* Send what was pushed, wait for one, and push the next for all that are there. Returns how many that are. */
static unsigned int turn(void)
{
	long sends = syscall(__NR_io_uring_enter, ring.fd, ring.pushed, 1, IORING_ENTER_GETEVENTS, NULL, 0);

	if (sends < 0 && errno != EINTR)
		fail("io_uring_enter");
	ring.pushed -= sends < 0 ? 0 : (unsigned int)sends;
	return reap();
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double percentile(double p)
{
	return nr_samples ? sample[(unsigned int)(p * (nr_samples - 1))] / 1000.0 : 0;
}

/* Returns the seconds from the kill to the next read that is completed once the process is gone. */
static double kill_once(const char *file)
{
	FILE *f = fopen(file, "r");
	struct pollfd p = { .events = POLLIN };
	double start, gone;
	int pid = 0;

	if (!f || fscanf(f, "%d", &pid) != 1 || pid <= 1)
		fail(file);
	fclose(f);
	p.fd = (int)syscall(__NR_pidfd_open, pid, 0);
	start = bench_now();
	mark_begin();
	if (p.fd < 0 || kill(pid, SIGKILL))
		fail("kill");
	/* its port is closed before it counts as ended; what it has completed before is not what is waited for */
	poll(&p, 1, -1);
	reap();
	gone = bench_now() - start;
	while (!turn())
		;
	mark_end();
	start = bench_now() - start;
	printf("killed gone_ms=%.2f", gone * 1000);
	return start;
}

int main(int argc, char **argv)
{
	unsigned long count = 0, done = 0, warm;
	unsigned int depth = 32;
	const char *killed = NULL;
	double seconds = 2, start;
	unsigned long long size;
	bool latency = false;

	for (int i = 2; i + 1 < argc; i += 2) {
		const char *o = argv[i], *v = argv[i + 1];

		if (!strcmp(o, "--depth"))
			depth = (unsigned int)atoi(v);
		else if (!strcmp(o, "--count"))
			count = (unsigned long)atol(v);
		else if (!strcmp(o, "--seconds"))
			seconds = atof(v);
		else if (!strcmp(o, "--latency"))
			latency = true;
		else if (!strcmp(o, "--kill"))
			killed = v;
	}
	if (argc < 2 || argc % 2 || !depth || depth > DEPTH_MAX)
		return 2;
	disk = open(argv[1], O_RDONLY | O_DIRECT);
	if (disk < 0 || ioctl(disk, BLKGETSIZE64, &size))
		fail(argv[1]);
	nr_blocks = size / 4096;
	if (latency) {
		sample = malloc(SAMPLES * sizeof(*sample));
		memset(sample, 1, SAMPLES * sizeof(*sample));
	}
	memory = mmap(NULL, depth * 4096ul, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ring_open(depth);
	for (unsigned int i = 0; i < depth; i++)
		push(i);
	warm = count / 9;
	start = bench_now();
	while (count ? done < warm : bench_now() - start < seconds / 9)
		done += turn();
	done = nr_samples = 0;
	if (killed) {
		printf(" recovery_ms=%.2f\n", kill_once(killed) * 1000);
		return 0;
	}
	start = bench_now();
	mark_begin();
	while (count ? done < count : bench_now() - start < seconds)
		done += turn();
	mark_end();
	seconds = bench_now() - start;
	if (latency)
		qsort(sample, nr_samples, sizeof(*sample), compare);
	printf("load depth=%u ios=%lu iops=%.0f us_per_io=%.2f p50_us=%.1f p90_us=%.1f p99_us=%.1f\n", depth, done, (double)done / seconds,
	       seconds / (double)done * 1e6, percentile(0.5), percentile(0.9), percentile(0.99));
	return 0;
}
