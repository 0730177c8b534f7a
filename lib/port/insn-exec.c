// SPDX-License-Identifier: GPL-2.0
/*
 * What a trapped instruction does: the access through the bus, registers and flags as the processor would leave them. Host world.
 *
 * A locked or exchanging instruction on device registers is a read followed by a write, as it is on a real bus that has no
 * locked cycles. Flags that the manual leaves undefined are left as they were.
 */
#include "port/insn-op.h"

#include <errno.h>
#include <string.h>

#define CF 0x001u
#define PF 0x004u
#define AF 0x010u
#define ZF 0x040u
#define SF 0x080u
#define DF 0x400u
#define OF 0x800u
#define ALL_FLAGS (CF | PF | AF | ZF | SF | OF)

static uint64_t mask_of(unsigned int size)
{
	return size == 8 ? ~0ull : (1ull << size * 8) - 1;
}

static uint64_t sign_extend(uint64_t value, unsigned int size)
{
	unsigned int shift = 64 - size * 8;

	return (uint64_t)((int64_t)(value << shift) >> shift);
}

static uint64_t reg_get(const struct udf_insn_regs *regs, uint8_t reg, unsigned int size)
{
	if (reg & UDF_OP_HIGH)
		return regs->gpr[reg & 3] >> 8 & 0xff;
	return regs->gpr[reg & 15] & mask_of(size);
}

/* As the processor does: 8 and 16 bits leave the rest of the register alone, 32 bits clear the upper half. */
static void reg_set(struct udf_insn_regs *regs, uint8_t reg, unsigned int size, uint64_t value)
{
	uint64_t *r = &regs->gpr[reg & (reg & UDF_OP_HIGH ? 3 : 15)];

	if (reg & UDF_OP_HIGH)
		*r = (*r & ~0xff00ull) | (value & 0xff) << 8;
	else if (size < 4)
		*r = (*r & ~mask_of(size)) | (value & mask_of(size));
	else
		*r = value & mask_of(size);
}

static uint64_t source(const struct udf_insn_op *op, const struct udf_insn_regs *regs)
{
	return op->reg == UDF_OP_NO_REG ? op->imm & mask_of(op->size) : reg_get(regs, op->reg, op->size);
}

static uint64_t effective(const struct udf_insn_op *op, const struct udf_insn_regs *regs)
{
	uint64_t addr = (uint64_t)op->disp;

	if (op->base == UDF_OP_RIP)
		addr += regs->rip + op->len;
	else if (op->base != UDF_OP_NO_REG)
		addr += regs->gpr[op->base & 15];
	if (op->index != UDF_OP_NO_REG)
		addr += regs->gpr[op->index & 15] * op->scale;
	return op->addr32 ? (uint32_t)addr : addr;
}

static bool belongs(uint64_t fault, uint64_t addr, unsigned int size)
{
	return fault - addr < size;
}

/* One side of a string instruction: a device register, or ordinary memory, which may be unaligned. */
static int mem_read(const struct udf_insn_bus *bus, uint64_t addr, unsigned int size, uint64_t *value)
{
	*value = 0;
	if (bus->covers(bus->ctx, addr))
		return bus->read(bus->ctx, addr, size, value);
	memcpy(value, (const void *)addr, size);
	return 0;
}

static int mem_write(const struct udf_insn_bus *bus, uint64_t addr, unsigned int size, uint64_t value)
{
	if (bus->covers(bus->ctx, addr))
		return bus->write(bus->ctx, addr, size, value);
	memcpy((void *)addr, &value, size);
	return 0;
}

static uint64_t flags_result(uint64_t result, unsigned int size)
{
	uint64_t flags = 0;

	result &= mask_of(size);
	if (!result)
		flags |= ZF;
	if (result >> (size * 8 - 1))
		flags |= SF;
	if (!(__builtin_popcount((uint8_t)result) & 1))
		flags |= PF;
	return flags;
}

/*
 * The carry into and out of each bit, from operands and result, gives CF, AF and OF of additions; of subtractions, the
 * borrows do.
 */
static uint64_t flags_add(uint64_t a, uint64_t b, uint64_t r, unsigned int size)
{
	uint64_t carry = (a & b) | ((a | b) & ~r);
	unsigned int top = size * 8 - 1;

	return flags_result(r, size) | (carry >> top & 1 ? CF : 0) | (carry & 8 ? AF : 0) |
	       ((~(a ^ b) & (a ^ r)) >> top & 1 ? OF : 0);
}

static uint64_t flags_sub(uint64_t a, uint64_t b, uint64_t r, unsigned int size)
{
	uint64_t borrow = (~a & b) | ((~a | b) & r);
	unsigned int top = size * 8 - 1;

	return flags_result(r, size) | (borrow >> top & 1 ? CF : 0) | (borrow & 8 ? AF : 0) |
	       (((a ^ b) & (a ^ r)) >> top & 1 ? OF : 0);
}

/* Arithmetic on A and B; the new flags go to *RFLAGS. */
static uint64_t alu(enum udf_insn_alu what, uint64_t a, uint64_t b, unsigned int size, uint64_t *rflags)
{
	uint64_t r = a, flags = 0, affected = ALL_FLAGS, carry = *rflags & CF;

	switch (what) {
	case UDF_ALU_ADD:
	case UDF_ALU_ADC:
		r = a + b + (what == UDF_ALU_ADC ? carry : 0);
		flags = flags_add(a, b, r, size);
		break;
	case UDF_ALU_SUB:
	case UDF_ALU_SBB:
	case UDF_ALU_CMP:
		r = a - b - (what == UDF_ALU_SBB ? carry : 0);
		flags = flags_sub(a, b, r, size);
		break;
	case UDF_ALU_AND:
	case UDF_ALU_TEST:
		r = a & b;
		flags = flags_result(r, size);
		break;
	case UDF_ALU_OR:
		r = a | b;
		flags = flags_result(r, size);
		break;
	case UDF_ALU_XOR:
		r = a ^ b;
		flags = flags_result(r, size);
		break;
	case UDF_ALU_INC:
		r = a + 1;
		flags = flags_add(a, 1, r, size);
		affected &= ~CF;
		break;
	case UDF_ALU_DEC:
		r = a - 1;
		flags = flags_sub(a, 1, r, size);
		affected &= ~CF;
		break;
	case UDF_ALU_NEG:
		r = 0 - a;
		flags = flags_sub(0, a, r, size);
		break;
	case UDF_ALU_NOT:
		r = ~a;
		affected = 0;
		break;
	default:	/* bit tests: B is a mask of one bit */
		flags = a & b ? CF : 0;
		affected = CF;
		if (what == UDF_ALU_BTS)
			r = a | b;
		else if (what == UDF_ALU_BTR)
			r = a & ~b;
		else if (what == UDF_ALU_BTC)
			r = a ^ b;
		break;
	}
	if (what == UDF_ALU_AND || what == UDF_ALU_TEST || what == UDF_ALU_OR || what == UDF_ALU_XOR)
		affected &= ~AF;
	*rflags = (*rflags & ~affected) | (flags & affected);
	return r & mask_of(size);
}

/* Read, compute, write back: everything that has memory as an operand of arithmetic. */
static int exec_alu(const struct udf_insn_op *op, struct udf_insn_regs *regs, uint64_t addr, const struct udf_insn_bus *bus)
{
	bool store = op->to_mem && op->alu != UDF_ALU_CMP && op->alu != UDF_ALU_TEST && op->alu != UDF_ALU_BT;
	uint64_t mem = 0, other = 0, result, rflags = regs->rflags;
	int ret;

	if (op->kind == UDF_OP_BIT) {
		uint64_t bit = op->reg == UDF_OP_NO_REG ? op->imm : reg_get(regs, op->reg, op->size);

		other = 1ull << (bit & (op->size * 8 - 1));
	} else if (op->kind == UDF_OP_ALU) {
		other = source(op, regs);
	}
	ret = bus->read(bus->ctx, addr, op->size, &mem);
	if (ret)
		return ret;
	mem &= mask_of(op->size);
	if (op->to_mem || op->alu == UDF_ALU_TEST)
		result = alu(op->alu, mem, other, op->size, &rflags);
	else
		result = alu(op->alu, other, mem, op->size, &rflags);
	if (store)
		ret = bus->write(bus->ctx, addr, op->size, result);
	if (ret)
		return ret;
	if (!op->to_mem && op->alu != UDF_ALU_CMP && op->alu != UDF_ALU_TEST)
		reg_set(regs, op->reg, op->size, result);
	regs->rflags = rflags;
	return 0;
}

/* xchg, xadd, cmpxchg: the register operand changes with memory. */
static int exec_exchange(const struct udf_insn_op *op, struct udf_insn_regs *regs, uint64_t addr, const struct udf_insn_bus *bus)
{
	uint64_t mem = 0, reg = reg_get(regs, op->reg, op->size), rflags = regs->rflags, result = reg;
	bool equal = true;
	int ret;

	ret = bus->read(bus->ctx, addr, op->size, &mem);
	if (ret)
		return ret;
	mem &= mask_of(op->size);
	if (op->kind == UDF_OP_XADD)
		result = alu(UDF_ALU_ADD, mem, reg, op->size, &rflags);
	if (op->kind == UDF_OP_CMPXCHG) {
		uint64_t expected = reg_get(regs, UDF_RAX, op->size);

		alu(UDF_ALU_CMP, expected, mem, op->size, &rflags);
		equal = expected == mem;
		/* the processor writes in any case: what was there, when they differ */
		result = equal ? reg : mem;
	}
	ret = bus->write(bus->ctx, addr, op->size, result);
	if (ret)
		return ret;
	if (op->kind != UDF_OP_CMPXCHG)
		reg_set(regs, op->reg, op->size, mem);
	else if (!equal)
		reg_set(regs, UDF_RAX, op->size, mem);
	regs->rflags = rflags;
	return 0;
}

/* The address that a bit test with a register as its index refers to: it may lie far from the operand. */
static uint64_t bit_address(const struct udf_insn_op *op, const struct udf_insn_regs *regs, uint64_t addr)
{
	int64_t bit;

	if (op->reg == UDF_OP_NO_REG)
		return addr;
	bit = (int64_t)sign_extend(reg_get(regs, op->reg, op->size), op->size);
	addr += (uint64_t)((bit >> (op->size == 8 ? 6 : op->size == 4 ? 5 : 4)) * op->size);
	return op->addr32 ? (uint32_t)addr : addr;
}

static int exec_memory(const struct udf_insn_op *op, struct udf_insn_regs *regs, uint64_t fault_addr, const struct udf_insn_bus *bus)
{
	uint64_t addr = effective(op, regs), value = 0;
	int ret;

	if (op->kind == UDF_OP_BIT)
		addr = bit_address(op, regs, addr);
	if (!belongs(fault_addr, addr, op->size))
		return -EFAULT;
	switch (op->kind) {
	case UDF_OP_LOAD:
		ret = bus->read(bus->ctx, addr, op->size, &value);
		if (ret)
			return ret;
		value &= mask_of(op->size);
		reg_set(regs, op->reg, op->dsize, op->sign ? sign_extend(value, op->size) : value);
		return 0;
	case UDF_OP_STORE:
		return bus->write(bus->ctx, addr, op->size, source(op, regs));
	case UDF_OP_ALU:
	case UDF_OP_UNARY:
	case UDF_OP_BIT:
		return exec_alu(op, regs, addr, bus);
	default:
		return exec_exchange(op, regs, addr, bus);
	}
}

static int exec_port(const struct udf_insn_op *op, struct udf_insn_regs *regs, const struct udf_insn_bus *bus)
{
	uint16_t port = op->reg == UDF_OP_NO_REG ? (uint16_t)op->imm : (uint16_t)regs->gpr[UDF_RDX];
	uint32_t value = 0;
	int ret;

	if (!bus->in || !bus->out)
		return -ENOTSUP;
	if (op->kind == UDF_OP_OUT)
		return bus->out(bus->ctx, port, op->size, (uint32_t)reg_get(regs, UDF_RAX, op->size));
	ret = bus->in(bus->ctx, port, op->size, &value);
	if (!ret)
		reg_set(regs, UDF_RAX, op->size, value);
	return ret;
}

/* One element of a string instruction, from SRC or to DST. */
static int string_element(const struct udf_insn_op *op, struct udf_insn_regs *regs, const struct udf_insn_bus *bus, uint64_t src,
			  uint64_t dst)
{
	uint16_t port = (uint16_t)regs->gpr[UDF_RDX];
	uint64_t value = 0;
	uint32_t in = 0;
	int ret;

	switch (op->kind) {
	case UDF_OP_MOVS:
		ret = mem_read(bus, src, op->size, &value);
		return ret ? ret : mem_write(bus, dst, op->size, value & mask_of(op->size));
	case UDF_OP_STOS:
		return mem_write(bus, dst, op->size, reg_get(regs, UDF_RAX, op->size));
	case UDF_OP_LODS:
		ret = mem_read(bus, src, op->size, &value);
		if (!ret)
			reg_set(regs, UDF_RAX, op->size, value);
		return ret;
	case UDF_OP_INS:
		ret = bus->in(bus->ctx, port, op->size, &in);
		return ret ? ret : mem_write(bus, dst, op->size, in & mask_of(op->size));
	default:
		ret = mem_read(bus, src, op->size, &value);
		return ret ? ret : bus->out(bus->ctx, port, op->size, (uint32_t)(value & mask_of(op->size)));
	}
}

static int exec_string(const struct udf_insn_op *op, struct udf_insn_regs *regs, uint64_t fault_addr, const struct udf_insn_bus *bus)
{
	bool port = op->kind == UDF_OP_INS || op->kind == UDF_OP_OUTS;
	bool uses_src = op->kind == UDF_OP_MOVS || op->kind == UDF_OP_LODS || op->kind == UDF_OP_OUTS;
	bool uses_dst = op->kind == UDF_OP_MOVS || op->kind == UDF_OP_STOS || op->kind == UDF_OP_INS;
	unsigned int width = op->addr32 ? 4 : 8;
	uint64_t step = regs->rflags & DF ? -(uint64_t)op->size : op->size;

	if (port && (!bus->in || !bus->out))
		return -ENOTSUP;
	if (!port && !(uses_src && belongs(fault_addr, reg_get(regs, UDF_RSI, width), op->size)) &&
	    !(uses_dst && belongs(fault_addr, reg_get(regs, UDF_RDI, width), op->size)))
		return -EFAULT;
	while (!op->rep || reg_get(regs, UDF_RCX, width)) {
		uint64_t src = reg_get(regs, UDF_RSI, width), dst = reg_get(regs, UDF_RDI, width);
		int ret = string_element(op, regs, bus, src, dst);

		if (ret)
			return ret;
		if (uses_src)
			reg_set(regs, UDF_RSI, width, src + step);
		if (uses_dst)
			reg_set(regs, UDF_RDI, width, dst + step);
		if (!op->rep)
			break;
		reg_set(regs, UDF_RCX, width, reg_get(regs, UDF_RCX, width) - 1);
	}
	return 0;
}

int udf_insn_execute(const struct udf_insn_op *op, struct udf_insn_regs *regs, uint64_t fault_addr, const struct udf_insn_bus *bus)
{
	int ret;

	switch (op->kind) {
	case UDF_OP_MOVS:
	case UDF_OP_STOS:
	case UDF_OP_LODS:
	case UDF_OP_INS:
	case UDF_OP_OUTS:
		ret = exec_string(op, regs, fault_addr, bus);
		break;
	case UDF_OP_IN:
	case UDF_OP_OUT:
		ret = exec_port(op, regs, bus);
		break;
	default:
		ret = exec_memory(op, regs, fault_addr, bus);
		break;
	}
	if (!ret)
		regs->rip += op->len;
	return ret;
}
