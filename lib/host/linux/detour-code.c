// SPDX-License-Identifier: GPL-2.0
/* The code of a detour; see detour-code.h. Host world; pure. */
#include "host/linux/detour-code.h"

#include <string.h>

#include "contract.h"

struct code {
	uint8_t *at;
	uint64_t addr;		/* where it will be */
	unsigned int len;
};

static void put(struct code *c, const void *bytes, unsigned int n)
{
	memcpy(c->at + c->len, bytes, n);
	c->len += n;
}

static void put1(struct code *c, uint8_t byte)
{
	put(c, &byte, 1);
}

static void put4(struct code *c, uint8_t opcode, uint32_t value)
{
	put1(c, opcode);
	put(c, &value, sizeof(value));
}

static void put_push(struct code *c, unsigned int reg)
{
	if (reg >= 8)
		put1(c, 0x41);
	put1(c, 0x50 | (reg & 7));
}

static void put_pop(struct code *c, unsigned int reg)
{
	if (reg >= 8)
		put1(c, 0x41);
	put1(c, 0x58 | (reg & 7));
}

static void put_branch(struct code *c, uint8_t opcode, uint64_t to)
{
	put4(c, opcode, (uint32_t)(to - (c->addr + c->len + 5)));
}

/* lea of OP's memory operand, %rdi */
static void put_address(struct code *c, const struct udf_insn_op *op)
{
	unsigned int base = op->base, index = op->index, scale = 0;
	bool has_base = base != UDF_OP_NO_REG, has_index = index != UDF_OP_NO_REG;

	while (1u << scale < op->scale)
		scale++;
	put1(c, 0x48 | (has_index && index >= 8) << 1 | (has_base && base >= 8));
	put1(c, 0x8d);
	put1(c, (has_base ? 0x80 : 0x00) | UDF_RDI << 3 | 4);	/* a SIB byte follows, and four bytes of displacement */
	put1(c, (uint8_t)(scale << 6 | (has_index ? index & 7 : 4) << 3 | (has_base ? base & 7 : 5)));
	put(c, &(int32_t){ (int32_t)op->disp }, 4);
}

/* Registers in the order of pushing; the stack pointer is not among them. */
static const uint8_t saved[] = {
	UDF_RAX, UDF_RCX, UDF_RDX, UDF_RBX, UDF_RBP, UDF_RSI, UDF_RDI, UDF_R8, UDF_R9, UDF_R10, UDF_R11, UDF_R12, UDF_R13, UDF_R14, UDF_R15,
};
#define NR_SAVED sizeof(saved)

static void put_restore(struct code *c)
{
	for (unsigned int i = NR_SAVED; i--;)
		put_pop(c, saved[i]);
	put1(c, 0x9d);				/* popf */
}

/* %rax into the saved copy of OP's destination: as many bytes as the instruction changes. */
static void put_result(struct code *c, const struct udf_insn_op *op)
{
	unsigned int i = 0;

	while (saved[i] != op->reg)
		i++;
	if (op->dsize == 2)
		put1(c, 0x66);
	if (op->dsize >= 4)
		put1(c, 0x48);
	put1(c, op->dsize == 1 ? 0x88 : 0x89);	/* mov %rax, slot(%rsp) */
	put(c, &(uint8_t[]){ 0x84, 0x24 }, 2);
	put(c, &(int32_t){ (int32_t)(8 * (NR_SAVED - 1 - i)) }, 4);
}

static void put_value(struct code *c, const struct udf_insn_op *op)
{
	if (op->kind != UDF_OP_STORE)
		return;
	if (op->reg != UDF_OP_NO_REG) {
		put_pop(c, UDF_RSI);
		return;
	}
	put(c, &(uint8_t[]){ 0x48, 0xc7, 0xc6 }, 3);	/* mov $imm32, %rsi: sign-extended as in the instruction */
	put(c, &(uint32_t){ (uint32_t)op->imm }, 4);
}

static uint32_t how_of(const struct udf_insn_op *op)
{
	return op->size | (uint32_t)op->dsize << 4 | (op->kind == UDF_OP_STORE ? HOST_MMIO_WRITE : 0) | (op->sign ? HOST_MMIO_SIGN : 0);
}

unsigned int udf_detour_put(uint8_t *mem, uint64_t addr, const struct udf_insn_op *op, uint64_t ip, uint64_t bridge)
{
	struct code c = { .at = mem, .addr = addr };
	unsigned int i, skip;

	put1(&c, 0x9c);				/* pushf */
	for (i = 0; i < NR_SAVED; i++)
		put_push(&c, saved[i]);
	if (op->kind == UDF_OP_STORE && op->reg != UDF_OP_NO_REG)
		put_push(&c, op->reg);
	put_address(&c, op);
	put_value(&c, op);
	put4(&c, 0xba, how_of(op));		/* mov $how, %edx */
	put4(&c, 0xb9, (uint32_t)ip);		/* mov $ip, %ecx */
	put_branch(&c, 0xe8, bridge);
	put(&c, &(uint8_t[]){ 0x48, 0x85, 0xd2, 0x74, 0 }, 5);	/* test %rdx, %rdx; jz: it performs itself */
	skip = c.len;
	if (op->kind == UDF_OP_LOAD)
		put_result(&c, op);
	put_restore(&c);
	put_branch(&c, 0xe9, ip + op->len);
	c.at[skip - 1] = (uint8_t)(c.len - skip);
	put_restore(&c);
	put(&c, (const void *)ip, op->len);
	put_branch(&c, 0xe9, ip + op->len);
	return c.len;
}

bool udf_detour_suits(const struct udf_insn_op *op)
{
	bool reg = op->reg != UDF_OP_NO_REG;

	if ((op->kind != UDF_OP_STORE && op->kind != UDF_OP_LOAD) || op->addr32 || op->len < UDF_JMP8)
		return false;
	if (op->base == UDF_OP_RIP || op->base == UDF_RSP || op->disp != (int32_t)op->disp)
		return false;
	if (op->kind == UDF_OP_LOAD && !reg)
		return false;
	return !reg || (op->reg < 16 && op->reg != UDF_RSP);
}
