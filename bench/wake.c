// SPDX-License-Identifier: GPL-2.0
/*
 * What a wake-up costs on this machine without UDF: from a futex call in one thread to the other one's return from its own, which has slept
 * for 10 ms. The least that a sleeping vCPU takes to notice anything. Host world.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define ROUNDS 101

static atomic_uint word;
static _Atomic double arrived;

static long futex(int op, unsigned int value)
{
	return syscall(SYS_futex, &word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static void *sleeper(void *unused)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		while (atomic_load(&word) == i)
			futex(FUTEX_WAIT, i);
		atomic_store(&arrived, bench_now());
	}
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(void)
{
	double sample[ROUNDS];
	pthread_t thread;

	if (pthread_create(&thread, NULL, sleeper, NULL))
		return 1;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		double sent;

		usleep(10000);
		atomic_store(&arrived, 0);
		sent = bench_now();
		atomic_store(&word, i + 1);
		futex(FUTEX_WAKE, 1);
		while (!atomic_load(&arrived))
			__builtin_ia32_pause();
		sample[i] = atomic_load(&arrived) - sent;
	}
	pthread_join(thread, NULL);
	qsort(sample, ROUNDS, sizeof(sample[0]), by_value);
	printf("futex idle_us=10000 median_ns=%.0f p90_ns=%.0f\n", sample[ROUNDS / 2] * 1e9, sample[ROUNDS * 9 / 10] * 1e9);
	return 0;
}
