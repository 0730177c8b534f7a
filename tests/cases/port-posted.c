// SPDX-License-Identifier: GPL-2.0
/* Posted writes: much cheaper than reads, in order with them, from several threads at once, none lost. */
#define _GNU_SOURCE
#include "port-test.h"

#define WRITES 20000

static struct test_port t;

/* 128 words of the adapter's multicast table: registers that keep what is written. */
static uint64_t word(unsigned int n)
{
	return 0x5200 + n * 4;
}

static void test_order(void)
{
	for (uint32_t i = 1; i <= 3000; i++) {
		test_write(&t, word(0), 4, i - 1);
		test_write(&t, word(0), 4, i);
		if (i % 7 == 0)
			CHECK_EQ(test_read(&t, word(0), 4), i);
	}
}

static void test_throughput(void)
{
	double start = test_now(), posted, reads;

	for (uint32_t i = 0; i < WRITES; i++)
		test_write(&t, word(1), 4, i);
	CHECK_EQ(test_read(&t, word(1), 4), WRITES - 1);
	posted = (test_now() - start) / WRITES;
	start = test_now();
	for (uint32_t i = 0; i < WRITES / 20; i++)
		test_read(&t, word(1), 4);
	reads = (test_now() - start) / (WRITES / 20);
	printf("posted write %.1f us, read %.1f us\n", posted * 1e6, reads * 1e6);
	CHECK(posted < reads);
}

/* Each thread has a word of its own, writes and reads back. */
static void *worker(void *arg)
{
	unsigned int mine = 8 + (unsigned int)(uintptr_t)arg;

	for (uint32_t i = 1; i <= 3000; i++) {
		test_write(&t, word(mine), 4, i << 8 | mine);
		if (i % 16 == 0)
			CHECK_EQ(test_read(&t, word(mine), 4), i << 8 | mine);
	}
	return NULL;
}

static void test_threads(void)
{
	pthread_t thread[4];

	for (uintptr_t i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, worker, (void *)i), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
}

/* A write reaches the device without anything following it: its effect is seen in memory. */
static void test_prompt(void)
{
	static const char frame[] = "posted";
	volatile uint32_t *descriptor;

	test_bus_master(&t);
	memcpy(t.ram + 0x80400000, frame, sizeof(frame));
	memset(t.ram + 0x80500000, 0, 4096);
	descriptor = (volatile uint32_t *)(t.ram + 0x80500000);
	descriptor[0] = 0x80400000;
	descriptor[2] = 60 | 0x0bu << 24;	/* end of packet, report status */
	test_write(&t, 0x3800, 4, 0x80500000);
	test_write(&t, 0x3804, 4, 0);
	test_write(&t, 0x3808, 4, 128);
	test_write(&t, 0x3810, 4, 0);
	test_write(&t, 0x0400, 4, 1u << 1 | 1u << 3);
	test_write(&t, 0x3818, 4, 1);
	for (double end = test_now() + 5; !(__atomic_load_n(&descriptor[3], __ATOMIC_ACQUIRE) & 1);)
		CHECK(test_now() < end);
}

int main(void)
{
	static const char *const backends[] = { "-netdev", "hubport,id=n0,hubid=0", NULL };

	test_open(&t, "qemu:e1000e,netdev=n0", backends);
	test_order();
	test_throughput();
	test_threads();
	test_prompt();
	test_close(&t);
	return 0;
}
