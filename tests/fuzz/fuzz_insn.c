// SPDX-License-Identifier: GPL-2.0
/*
 * Any bytes as an instruction that trapped, with any registers: the emulator must neither crash nor hang, leave the registers alone
 * when it refuses, and step over what it performs.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "port/insn.h"

struct device { unsigned int accesses; bool fails; };

static bool covers(void *ctx, uint64_t addr)
{
	return true;		/* nothing of the fuzzer's own memory */
}

static int bus_read(void *ctx, uint64_t addr, unsigned int size, uint64_t *value)
{
	struct device *d = ctx;

	if (size != 1 && size != 2 && size != 4 && size != 8)
		abort();
	*value = addr * 0x9e3779b97f4a7c15;
	return ++d->accesses > 3 && d->fails ? -5 : 0;
}

static int bus_write(void *ctx, uint64_t addr, unsigned int size, uint64_t value)
{
	uint64_t ignored;

	if (size < 8 && value >> size * 8)
		abort();	/* more than was asked for */
	return bus_read(ctx, addr, size, &ignored);
}

static int bus_in(void *ctx, uint16_t port, unsigned int size, uint32_t *value)
{
	uint64_t v;
	int ret = bus_read(ctx, port, size, &v);

	if (size == 8)
		abort();
	*value = (uint32_t)v;
	return ret;
}

static int bus_out(void *ctx, uint16_t port, unsigned int size, uint32_t value)
{
	return bus_write(ctx, port, size, value);
}

/* 8 bytes of registers' seed, one of flags, then code. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct device device = { 0 };
	const struct udf_insn_bus bus = { &device, covers, bus_read, bus_write, bus_in, bus_out };
	struct udf_insn_regs regs, before;
	char text[UDF_INSN_TEXT];
	uint64_t seed;
	int ret;

	if (len < 10)
		return 0;
	memcpy(&seed, data, 8);
	for (int i = 0; i < 16; i++)
		regs.gpr[i] = seed = seed * 6364136223846793005 + 1442695040888963407;
	regs.gpr[UDF_RCX] &= 63;
	regs.rip = seed & 0xfff;
	regs.rflags = (seed >> 20 & 0xcd5) | 2;
	device.fails = data[8] & 1;
	before = regs;
	/* the address that the plainest of memory operands has, so that not all ends at that check */
	ret = udf_insn_emulate(&regs, data + 9, len - 9, regs.gpr[data[8] >> 4], &bus, text);
	if (ret == 0 && (regs.rip <= before.rip || regs.rip > before.rip + 15))
		abort();
	if (ret && regs.rip != before.rip)
		abort();
	if (ret && !device.accesses && memcmp(&regs, &before, sizeof(regs)))
		abort();
	return 0;
}
