// SPDX-License-Identifier: GPL-2.0
/* The code of a detour; see detour-code.h. Host world; pure. */
#include "host/linux/detour-code.h"

#include <string.h>

#include "contract.h"
#include "debug/frames.h"
#include "layout.h"

/* Registers in the order of pushing; the stack pointer is not among them. */
static const uint8_t saved[] = {
	UDF_RAX, UDF_RCX, UDF_RDX, UDF_RBX, UDF_RBP, UDF_RSI, UDF_RDI, UDF_R8, UDF_R9, UDF_R10, UDF_R11, UDF_R12, UDF_R13, UDF_R14, UDF_R15,
};
#define NR_SAVED sizeof(saved)

/* Where its parts begin. */
enum {
	AT_FLAGS	= 5,				/* a return address was pushed */
	AT_SAVE		= AT_FLAGS + 1,
	AT_ADDRESS	= AT_SAVE + 7 + 8 * 2,
	AT_VALUE	= AT_ADDRESS + 8,
	AT_HOW		= AT_VALUE + 8,
	AT_IP		= AT_HOW + 5,
	AT_CALL		= AT_IP + 5,
	AT_TEST		= AT_CALL + 1 + 5,
	AT_RESULT	= AT_TEST + 3 + 2,
	AT_RESTORE	= AT_RESULT + 8,
	AT_BACK		= AT_RESTORE + (AT_ADDRESS - AT_SAVE) + 1 + 5,
	AT_RESTORE_2	= AT_BACK + 5,
	AT_COPY		= AT_RESTORE_2 + (AT_BACK - AT_RESTORE),
};

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

static void put_nop8(struct code *c)
{
	put(c, &(uint8_t[]){ 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 }, 8);
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

/* An instruction whose operand is the saved copy of register REG; REX, opcode and ModRM's register are given. */
static void put_on_saved(struct code *c, uint8_t opcode, uint8_t modrm_reg, unsigned int reg)
{
	unsigned int i = 0;

	while (saved[i] != reg)
		i++;
	put1(c, opcode);
	put(c, &(uint8_t[]){ 0x84 | modrm_reg << 3, 0x24 }, 2);
	put(c, &(int32_t){ (int32_t)(8 * (NR_SAVED - 1 - i)) }, 4);
}

/* What a store stores, %rsi */
static void put_value(struct code *c, const struct udf_insn_op *op)
{
	if (op->kind != UDF_OP_STORE) {
		put_nop8(c);
	} else if (op->reg != UDF_OP_NO_REG) {
		put1(c, 0x48);
		put_on_saved(c, 0x8b, UDF_RSI, op->reg);	/* mov slot(%rsp), %rsi */
	} else {
		put(c, &(uint8_t[]){ 0x48, 0xc7, 0xc6 }, 3);	/* mov $imm32, %rsi: sign-extended as in the instruction */
		put(c, &(uint32_t){ (uint32_t)op->imm }, 4);
		put1(c, 0x90);
	}
}

/* %rax into the saved copy of OP's destination: as many bytes as the instruction changes. */
static void put_result(struct code *c, const struct udf_insn_op *op)
{
	if (op->kind != UDF_OP_LOAD) {
		put_nop8(c);
		return;
	}
	put1(c, op->dsize == 2 ? 0x66 : op->dsize == 1 ? 0x40 : 0x48);
	put_on_saved(c, op->dsize == 1 ? 0x88 : 0x89, UDF_RAX, op->reg);	/* mov %rax, slot(%rsp) */
}

static void put_restore(struct code *c)
{
	for (unsigned int i = NR_SAVED; i--;)
		put_pop(c, saved[i]);
	put1(c, 0x9d);				/* popf */
	put(c, &(uint8_t[]){ 0x48, 0x8d, 0x64, 0x24, 0x08 }, 5);	/* lea 8(%rsp), %rsp: the return address; flags stay */
}

static uint32_t how_of(const struct udf_insn_op *op)
{
	return op->size | (uint32_t)op->dsize << 4 | (op->kind == UDF_OP_STORE ? HOST_MMIO_WRITE : 0) | (op->sign ? HOST_MMIO_SIGN : 0);
}

unsigned int udf_detour_put(uint8_t *mem, uint64_t addr, const struct udf_insn_op *op, uint64_t ip, uint64_t bridge)
{
	struct code c = { .at = mem, .addr = addr };

	put4(&c, 0x68, (uint32_t)(ip + op->len));	/* push: to who walks the stack it was a call */
	put1(&c, 0x9c);					/* pushf */
	for (unsigned int i = 0; i < NR_SAVED; i++)
		put_push(&c, saved[i]);
	put_address(&c, op);
	put_value(&c, op);
	put4(&c, 0xba, how_of(op));			/* mov $how, %edx */
	put4(&c, 0xb9, (uint32_t)ip);			/* mov $ip, %ecx */
	put1(&c, 0xfc);					/* cld: C code wants it */
	put_branch(&c, 0xe8, bridge);
	put(&c, &(uint8_t[]){ 0x48, 0x85, 0xd2, 0x74, AT_RESTORE_2 - AT_RESULT }, 5);	/* test %rdx, %rdx; jz: it performs itself */
	put_result(&c, op);
	put_restore(&c);
	put_branch(&c, 0xe9, ip + op->len);
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

uint64_t udf_detour_extend(uint64_t value, unsigned int how)
{
	unsigned int shift = 64 - 8 * (how & 15), dsize = how >> 4 & 15;

	value = how & HOST_MMIO_SIGN ? (uint64_t)((int64_t)(value << shift) >> shift) : value << shift >> shift;
	return dsize == 4 ? (uint32_t)value : value;
}

uint64_t udf_detour_original(const uint8_t *code, uint64_t offset)
{
	uint32_t ip;

	memcpy(&ip, code + AT_IP + 1, sizeof(ip));
	return offset == AT_COPY && code[AT_IP] == 0xb9 ? ip : 0;
}

static void row(struct udf_frames *frames, uint64_t start, uint64_t end, unsigned int pushed)
{
	const struct udf_orc orc = { .sp_reg = UDF_ORC_SP, .sp_offset = (int16_t)(8 * pushed) };

	udf_frames_row(frames, start, end, &orc);
}

/* What put_restore() makes, at ADDR. Returns where it ends. */
static uint64_t describe_restore(struct udf_frames *frames, uint64_t addr)
{
	for (unsigned int i = NR_SAVED; i--;) {
		unsigned int len = saved[i] >= 8 ? 2 : 1;

		row(frames, addr, addr + len, 3 + i);
		addr += len;
	}
	row(frames, addr, addr + 1, 2);
	row(frames, addr + 1, addr + 6, 1);
	return addr + 6;
}

/* At the very first instruction nothing is pushed yet: there the caller cannot be told. */
void udf_detour_describe(struct udf_frames *frames, uint64_t addr)
{
	uint64_t at = addr + AT_SAVE;

	row(frames, addr + AT_FLAGS, at, 1);
	for (unsigned int i = 0; i < NR_SAVED; i++) {
		unsigned int len = saved[i] >= 8 ? 2 : 1;

		row(frames, at, at + len, 2 + i);
		at += len;
	}
	row(frames, at, addr + AT_RESTORE, 2 + NR_SAVED);
	at = describe_restore(frames, addr + AT_RESTORE);
	row(frames, at, at + 5, 0);
	at = describe_restore(frames, addr + AT_RESTORE_2);
	row(frames, at, addr + UDF_DETOUR_SLOT, 0);
}
