// SPDX-License-Identifier: GPL-2.0
/*
 * The transport to QEMU, with the few commands of NVMe that make a controller move memory and interrupt: registers, DMA both
 * ways, INTx with its level, MSI-X with masking, function level reset.
 */
#define _GNU_SOURCE
#include "port-test.h"

#define ASQ 0x80200000u	/* physical addresses in the arena */
#define ACQ 0x80201000u
#define DATA 0x80202000u
#define DEPTH 32

static struct test_port t;
static unsigned int tail, head, phase;

static void controller_start(void)
{
	test_bus_master(&t);
	test_write(&t, 0x14, 4, 0);
	test_write(&t, 0x24, 4, (DEPTH - 1) << 16 | (DEPTH - 1));
	test_write(&t, 0x28, 8, ASQ);
	test_write(&t, 0x30, 8, ACQ);
	memset(t.ram + ACQ, 0, 4096);
	tail = head = 0;
	phase = 1;
	test_write(&t, 0x14, 4, 0x00460001);
	while (!(test_read(&t, 0x1c, 4) & 1))
		;
}

/* Identify controller: 4096 bytes at DATA. */
static void submit(void)
{
	uint32_t *sqe = (uint32_t *)(t.ram + ASQ + tail * 64);

	memset(sqe, 0, 64);
	sqe[0] = 6 | tail << 16;
	sqe[6] = DATA;
	sqe[10] = 1;
	tail = (tail + 1) % DEPTH;
	test_write(&t, 0x1000, 4, tail);
}

static bool completed(void)
{
	volatile uint32_t *cqe = (volatile uint32_t *)(t.ram + ACQ + head * 16);

	return (__atomic_load_n(&cqe[3], __ATOMIC_ACQUIRE) >> 16 & 1) == phase;
}

static void consume(void)
{
	CHECK(completed());
	head = (head + 1) % DEPTH;
	if (!head)
		phase ^= 1;
	test_write(&t, 0x1004, 4, head);
}

static void test_polled(void)
{
	controller_start();
	memset(t.ram + DATA, 0, 4096);
	submit();
	while (!completed())
		;
	consume();
	CHECK(!memcmp(t.ram + DATA + 4, "SERIAL17", 8));
}

static void test_intx(void)
{
	const struct udf_port_ops *ops = t.port->ops;

	test_count_from_zero(&t, true);
	CHECK_EQ(ops->irq_enable(t.port, UDF_IRQ_INTX, 1), 0);
	CHECK_EQ(ops->irq_mask(t.port, 0, false), 0);
	for (unsigned int i = 1; i <= 50; i++) {
		unsigned int n = test_count(&t, &t.irqs[0]);

		submit();
		CHECK(test_wait(&t, &t.irqs[0], n + 1));
		ops->irq_mask(t.port, 0, true);
		consume();
		ops->irq_mask(t.port, 0, false);
	}
	/* still asserted when it is unmasked: told again */
	submit();
	CHECK(test_wait(&t, &t.irqs[0], 51));
	ops->irq_mask(t.port, 0, true);
	ops->irq_mask(t.port, 0, false);
	CHECK(test_wait(&t, &t.irqs[0], 52));
	/* masked: not told; a completed round trip through QEMU shows that the line was up by then */
	ops->irq_mask(t.port, 0, true);
	consume();
	submit();
	while (!completed())
		;
	test_read(&t, 0x1c, 4);
	CHECK_EQ(test_count(&t, &t.irqs[0]), 52);
	ops->irq_mask(t.port, 0, false);
	CHECK(test_wait(&t, &t.irqs[0], 53));
	consume();
	CHECK_EQ(ops->irq_enable(t.port, UDF_IRQ_INTX, 0), 0);
	pthread_mutex_lock(&t.lock);
	CHECK(!pthread_equal(t.events_from, pthread_self()));
	pthread_mutex_unlock(&t.lock);
	test_count_from_zero(&t, false);
}

static void test_msix(void)
{
	const struct udf_port_ops *ops = t.port->ops;
	double start;

	CHECK_EQ(ops->irq_count(t.port, UDF_IRQ_MSIX), 65);
	CHECK_EQ(ops->irq_count(t.port, UDF_IRQ_MSI), 0);
	CHECK_EQ(ops->irq_enable(t.port, UDF_IRQ_MSI, 1), -EINVAL);
	CHECK_EQ(ops->irq_enable(t.port, UDF_IRQ_MSIX, 66), -EINVAL);
	test_write(&t, 0x14, 4, 0);
	CHECK_EQ(ops->irq_enable(t.port, UDF_IRQ_MSIX, 65), 0);
	CHECK_EQ(ops->irq_mask(t.port, 65, false), -EINVAL);
	controller_start();
	test_count_from_zero(&t, false);
	CHECK_EQ(ops->irq_mask(t.port, 0, false), 0);
	start = test_now();
	for (unsigned int i = 1; i <= 200; i++) {
		submit();
		CHECK(test_wait(&t, &t.irqs[0], i));
		consume();
	}
	printf("Identify by MSI-X: %.0f us\n", (test_now() - start) / 200 * 1e6);
	/* a masked vector waits in the device */
	CHECK_EQ(ops->irq_mask(t.port, 0, true), 0);
	submit();
	while (!completed())
		;
	test_read(&t, 0x1c, 4);
	CHECK_EQ(test_count(&t, &t.irqs[0]), 200);
	CHECK_EQ(ops->irq_mask(t.port, 0, false), 0);
	CHECK(test_wait(&t, &t.irqs[0], 201));
	consume();
}

static void test_reset(void)
{
	const struct udf_port_ops *ops = t.port->ops;
	struct udf_bar_info info;

	CHECK_EQ(ops->reset(t.port), 0);
	CHECK_EQ(test_config(&t, 4, 2) & 7, 3);
	CHECK_EQ(ops->bar_info(t.port, 0, &info), 0);
	CHECK_EQ(info.size, 0x4000);
	CHECK_EQ(test_read(&t, 0x1c, 4) & 1, 0);
	CHECK_EQ(ops->irq_mask(t.port, 0, false), -EINVAL);
	test_polled();
	test_msix();
}

int main(void)
{
	static const char *const backends[] = { "-blockdev", "driver=null-co,node-name=d0,size=1073741824", NULL };
	uint64_t value;

	test_open(&t, "qemu:nvme,drive=d0,serial=SERIAL17", backends);
	CHECK_EQ(test_config(&t, 0, 4), 0x00101b36);
	CHECK_EQ(test_config(&t, 0x100, 4) == ~0u, 0);
	CHECK_EQ(t.port->ops->bar_read(t.port, 0, 0x4000, 4, &value), -EINVAL);
	CHECK_EQ(value, ~0ull);
	CHECK_EQ(t.port->ops->bar_read(t.port, 1, 0, 4, &value), -EINVAL);
	CHECK_EQ(t.port->ops->bar_map(t.port, 0, 0, 4096, NULL, false), -ENOTSUP);
	test_polled();
	test_intx();
	test_msix();
	test_reset();
	CHECK_EQ(t.lost, 0);
	test_close(&t);
	return 0;
}
