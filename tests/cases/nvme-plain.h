/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An NVMe controller without shadow doorbells, for tests that reset it with requests in flight.
 *
 * QEMU's controller has them, and the driver starts to use them before it has told the controller where they are (it restarts
 * its queues, waits for what is in flight, and only then sends Doorbell Buffer Config). A request that is issued anew after a reset
 * gets lost in between, and the queue is stuck: on real machines, too, and nothing that a framework could help.
 *
 * So the bit of Identify Controller that announces them is cleared before the driver sees it: the transport's table of operations is
 * replaced by one whose bar_write() looks at the commands on the admin queue when its doorbell rings.
 */
#ifndef UDF_TESTS_NVME_PLAIN_H
#define UDF_TESTS_NVME_PLAIN_H

#include "udf-test.h"

#define PLAIN_VS		0x08	/* registers */
#define PLAIN_AQA		0x24
#define PLAIN_ASQ		0x28
#define PLAIN_DOORBELL		0x1000
#define PLAIN_SQE		64	/* bytes of a command */
#define PLAIN_IDENTIFY		0x06
#define PLAIN_CONTROLLER	1
#define PLAIN_OACS		256	/* offset in Identify Controller's data: 16 bits */
#define PLAIN_OACS_DOORBELLS	0x100u

static struct {
	const struct udf_port_ops *real;
	struct udf_port_ops ops;
	uint64_t asq;
	unsigned int depth, tail, cleared;
	atomic_bool deaf;		/* commands on the I/O queues are not heard of */
} plain;

/* Where Identify Controller's data of the commands up to TAIL goes; 0: there is no such command. Device addresses are addresses here. */
static inline uint64_t plain_identify(unsigned int tail)
{
	uint64_t data = 0;

	for (; plain.tail != tail; plain.tail = (plain.tail + 1) % plain.depth) {
		const uint8_t *sqe = (const uint8_t *)plain.asq + plain.tail * PLAIN_SQE;

		if (sqe[0] == PLAIN_IDENTIFY && sqe[40] == PLAIN_CONTROLLER)
			memcpy(&data, sqe + 24, sizeof(data));
	}
	return data;
}

/* Ring, wait for the data, which comes before the completion does, and change it. This vCPU takes no interrupt meanwhile. */
static inline int plain_ring(struct udf_port *port, unsigned int bar, uint64_t value)
{
	uint64_t data = plain_identify((unsigned int)value), ignored;
	_Atomic uint16_t *oacs = (_Atomic uint16_t *)(data + PLAIN_OACS);
	double end = test_now() + 5;
	int ret;

	if (data)
		atomic_store(oacs, 0xffff);
	ret = plain.real->bar_write(port, bar, PLAIN_DOORBELL, 4, value);
	if (ret || !data)
		return ret;
	ret = plain.real->bar_read(port, bar, PLAIN_VS, 4, &ignored);
	while (!ret && atomic_load(oacs) == 0xffff)
		if (test_now() > end)
			FAIL("the controller does not identify itself");
	plain.cleared += !!(atomic_load(oacs) & PLAIN_OACS_DOORBELLS);
	atomic_fetch_and(oacs, (uint16_t)~PLAIN_OACS_DOORBELLS);
	return ret;
}

static inline int plain_bar_write(struct udf_port *port, unsigned int bar, uint64_t offset, unsigned int size, uint64_t value)
{
	if (offset == PLAIN_AQA) {
		plain.depth = (value & 0xfff) + 1;
		plain.tail = 0;
	} else if (offset == PLAIN_ASQ) {
		plain.asq = size == 8 ? value : (plain.asq & ~0xffffffffull) | value;
	} else if (offset == PLAIN_ASQ + 4) {
		plain.asq = (plain.asq & 0xffffffffull) | value << 32;
	} else if (offset == PLAIN_DOORBELL) {
		return plain_ring(port, bar, value);
	} else if (offset > PLAIN_DOORBELL + 4 && atomic_load(&plain.deaf)) {
		return 0;
	}
	return plain.real->bar_write(port, bar, offset, size, value);
}

/* Take the port that was opened without a driver ("module", "none"), and load the driver with the core module's parameters CORE, its own OWN. */
static inline void plain_load(struct udf *udf, const char *core, const char *own)
{
	memset(&plain, 0, sizeof(plain));
	plain.real = udf_host.port->ops;
	plain.ops = *plain.real;
	plain.ops.bar_write = plain_bar_write;
	udf_host.port->ops = &plain.ops;
	CHECK_OK(udf_load(udf, "nvme-core", core));
	CHECK_OK(udf_load(udf, "nvme", own));
	CHECK(plain.cleared);
}

#endif
