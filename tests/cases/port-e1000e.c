// SPDX-License-Identifier: GPL-2.0
/*
 * The transport to QEMU, with a network adapter that interrupts when told to: MSI, INTx, several MSI-X vectors, I/O ports, a place of the user's
 * choice on the bus, and the reset of a function that has none of its own.
 */
#define _GNU_SOURCE
#include <unistd.h>

#include "port-test.h"

#define STATUS	0x08
#define ICR	0xc0
#define ICS	0xc8
#define IMS	0xd0
#define IVAR	0xe4
#define RDBAL	0x2800
#define LINK	(1u << 2)
#define RXQ0	(1u << 20)
#define TXQ0	(1u << 22)

static struct test_port t;

/*
 * QEMU's model aborts when the type of interrupt changes while its throttling timer (0.1 ms) for the old one runs. Drivers
 * have stopped the hardware for 10 ms by then.
 */
static void let_throttling_end(void)
{
	usleep(10000);
}

/* Registers through the window of two I/O ports: address, data. */
static uint32_t io_read(uint32_t reg)
{
	uint64_t v;

	CHECK_EQ(t.port->ops->bar_write(t.port, 2, 0, 4, reg), 0);
	CHECK_EQ(t.port->ops->bar_read(t.port, 2, 4, 4, &v), 0);
	return (uint32_t)v;
}

static void test_io_ports(void)
{
	struct udf_bar_info info;
	uint64_t v;

	CHECK_EQ(t.port->ops->bar_info(t.port, 2, &info), 0);
	CHECK(info.io && info.size == 32);
	CHECK_EQ(io_read(STATUS), test_read(&t, STATUS, 4));
	CHECK_EQ(t.port->ops->bar_read(t.port, 2, 0, 8, &v), -EINVAL);
}

static void test_msi(void)
{
	const struct udf_port_ops *ops = t.port->ops;

	CHECK_EQ(ops->irq_count(t.port, UDF_IRQ_MSI), 1);
	CHECK_EQ(ops->irq_enable(t.port, UDF_IRQ_MSI, 1), 0);
	test_read(&t, ICR, 4);
	test_write(&t, IMS, 4, LINK);
	/* masked, which is done here: it waits */
	test_write(&t, ICS, 4, LINK);
	CHECK(test_read(&t, ICR, 4) & LINK);
	CHECK_EQ(test_count(&t, &t.irqs[0]), 0);
	CHECK_EQ(ops->irq_mask(t.port, 0, false), 0);
	CHECK(test_wait(&t, &t.irqs[0], 1));
	for (unsigned int i = 2; i <= 20; i++) {
		test_write(&t, ICS, 4, LINK);
		CHECK(test_wait(&t, &t.irqs[0], i));
		CHECK(test_read(&t, ICR, 4) & LINK);
	}
	let_throttling_end();
	CHECK_EQ(ops->irq_enable(t.port, UDF_IRQ_MSI, 0), 0);
	test_count_from_zero(&t, false);
}

static void test_intx(void)
{
	const struct udf_port_ops *ops = t.port->ops;

	test_count_from_zero(&t, true);
	CHECK_EQ(ops->irq_enable(t.port, UDF_IRQ_INTX, 1), 0);
	CHECK_EQ(ops->irq_mask(t.port, 0, false), 0);
	for (unsigned int i = 1; i <= 200; i++) {
		test_write(&t, ICS, 4, LINK);
		CHECK(test_wait(&t, &t.irqs[0], i));
		CHECK(test_read(&t, ICR, 4) & LINK);
	}
	let_throttling_end();
	CHECK_EQ(ops->irq_enable(t.port, UDF_IRQ_INTX, 0), 0);
	test_count_from_zero(&t, false);
}

static void test_msix(void)
{
	const struct udf_port_ops *ops = t.port->ops;

	CHECK_EQ(ops->irq_count(t.port, UDF_IRQ_MSIX), 5);
	CHECK_EQ(ops->irq_enable(t.port, UDF_IRQ_MSIX, 5), 0);
	/* receive queue 0 to vector 1, transmit queue 0 to vector 3, the rest to vector 4 */
	test_write(&t, IVAR, 4, (8 | 1) | (8 | 3) << 8 | (8 | 4) << 16);
	test_write(&t, IMS, 4, RXQ0 | TXQ0 | 1u << 24);
	for (unsigned int i = 0; i < 5; i++)
		CHECK_EQ(ops->irq_mask(t.port, i, false), 0);
	test_write(&t, ICS, 4, RXQ0);
	CHECK(test_wait(&t, &t.irqs[1], 1));
	test_write(&t, ICS, 4, TXQ0);
	CHECK(test_wait(&t, &t.irqs[3], 1));
	CHECK_EQ(test_count(&t, &t.irqs[0]) + test_count(&t, &t.irqs[2]), 0);
	let_throttling_end();
	CHECK_EQ(ops->irq_enable(t.port, UDF_IRQ_MSIX, 0), 0);
	test_count_from_zero(&t, false);
}

/* This function offers no reset; what the transport does instead must clear its registers and keep memory and BARs. */
static void test_reset(void)
{
	test_write(&t, RDBAL, 4, 0x12340000);
	CHECK_EQ(test_read(&t, RDBAL, 4), 0x12340000);
	memset(t.ram + 0x80100000, 0x5a, 4096);
	CHECK_EQ(t.port->ops->reset(t.port), 0);
	CHECK_EQ(test_read(&t, RDBAL, 4), 0);
	CHECK_EQ(t.ram[0x80100fff], 0x5a);
	CHECK_EQ(test_config(&t, 4, 2) & 7, 3);
	CHECK_EQ(io_read(STATUS), test_read(&t, STATUS, 4));
}

static void test_all(const char *spec, unsigned int devfn)
{
	static const char *const backends[] = { "-netdev", "hubport,id=n0,hubid=0", NULL };

	test_open(&t, spec, backends);
	CHECK_EQ(t.port->devfn, devfn);
	CHECK_EQ(test_config(&t, 0, 4), 0x10d38086);
	for (int round = 0; round < 2; round++) {
		test_bus_master(&t);
		test_io_ports();
		test_msi();
		test_intx();
		test_msix();
		test_reset();
	}
	test_close(&t);
}

int main(void)
{
	test_all("qemu:e1000e,netdev=n0", 4 << 3);
	test_all("qemu:e1000e,netdev=n0,addr=2.3,multifunction=on,id=mine", 2 << 3 | 3);
	return 0;
}
