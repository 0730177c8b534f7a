// SPDX-License-Identifier: GPL-2.0
/*
 * Decoding of trapped instructions, with Zydis, and the cache of what was decoded. Host world.
 *
 * The same few readl() and writel() sites trap over and over: a direct-mapped cache keyed by address, and checked against the code's
 * bytes, saves decoding them again. Its entries are written by any thread under a sequence count, and read without a lock.
 * Zydis does not allocate. What an instruction does is in insn-exec.c.
 */
#include "port/insn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <Zydis/Zydis.h>

#include "port/insn-op.h"

#define MAX_INSN	15
#define CACHE_SIZE	512	/* entries, a power of two; 64 KiB in all */

struct cache_entry {
	unsigned int seq;		/* odd while being written */
	uint8_t code[MAX_INSN];
	uint64_t rip;
	struct udf_insn_op op;
};

static struct cache_entry cache[CACHE_SIZE];

static struct cache_entry *cache_slot(uint64_t rip)
{
	return &cache[(rip ^ rip >> 9) & (CACHE_SIZE - 1)];
}

/*
 * The entry is copied as the bytes that it is while another thread may be writing it, which C has no name for; the sequence
 * count throws such a copy away.
 */
#if defined(__SANITIZE_THREAD__)
#define RACY_COPY __attribute__((no_sanitize_thread))
#else
#define RACY_COPY
#endif

RACY_COPY static bool cache_get(uint64_t rip, const uint8_t *code, size_t code_len, struct udf_insn_op *op)
{
	const struct cache_entry *e = cache_slot(rip);
	struct cache_entry copy;
	unsigned int seq = __atomic_load_n(&e->seq, __ATOMIC_ACQUIRE);

	if (seq & 1)
		return false;
	memcpy(&copy, e, sizeof(copy));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&e->seq, __ATOMIC_RELAXED) != seq)
		return false;
	if (copy.rip != rip || !copy.op.len || copy.op.len > code_len || memcmp(copy.code, code, copy.op.len))
		return false;
	*op = copy.op;
	return true;
}

RACY_COPY static void cache_put(uint64_t rip, const uint8_t *code, const struct udf_insn_op *op)
{
	struct cache_entry *e = cache_slot(rip);
	unsigned int seq = __atomic_load_n(&e->seq, __ATOMIC_RELAXED);

	/* another writer is at it: let it */
	if (seq & 1 || !__atomic_compare_exchange_n(&e->seq, &seq, seq + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	e->rip = rip;
	memcpy(e->code, code, op->len);
	e->op = *op;
	__atomic_store_n(&e->seq, seq + 2, __ATOMIC_RELEASE);
}

/* Number of a general purpose register, with UDF_OP_HIGH for ah ... bh; UDF_OP_NO_REG for none and any other. */
static uint8_t gpr(ZydisRegister reg)
{
	if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH)
		return (reg - ZYDIS_REGISTER_AH) | UDF_OP_HIGH;
	switch (ZydisRegisterGetClass(reg)) {
	case ZYDIS_REGCLASS_GPR8:
	case ZYDIS_REGCLASS_GPR16:
	case ZYDIS_REGCLASS_GPR32:
	case ZYDIS_REGCLASS_GPR64:
		return ZydisRegisterGetId(ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg));
	default:
		return UDF_OP_NO_REG;
	}
}

/* Take over a memory operand. False for addresses that cannot be computed from the registers. */
static bool decode_mem(struct udf_insn_op *op, const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *mem)
{
	if (mem->mem.type != ZYDIS_MEMOP_TYPE_MEM || mem->mem.segment == ZYDIS_REGISTER_FS || mem->mem.segment == ZYDIS_REGISTER_GS)
		return false;
	op->addr32 = insn->address_width == 32;
	op->disp = mem->mem.disp.has_displacement ? mem->mem.disp.value : 0;
	op->scale = mem->mem.scale ? mem->mem.scale : 1;
	if (mem->mem.base == ZYDIS_REGISTER_RIP || mem->mem.base == ZYDIS_REGISTER_EIP)
		op->base = UDF_OP_RIP;
	else
		op->base = gpr(mem->mem.base);
	op->index = gpr(mem->mem.index);
	op->size = mem->size / 8;
	return op->size == 1 || op->size == 2 || op->size == 4 || op->size == 8;
}

/* Take over the operand that is not memory: a register or an immediate. */
static bool decode_other(struct udf_insn_op *op, const ZydisDecodedOperand *other)
{
	op->reg = UDF_OP_NO_REG;
	if (other->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
		op->imm = other->imm.value.u;
		return true;
	}
	if (other->type != ZYDIS_OPERAND_TYPE_REGISTER)
		return false;
	op->reg = gpr(other->reg.value);
	op->dsize = other->size / 8;
	return op->reg != UDF_OP_NO_REG;
}

/* What the mnemonic means for an instruction with a memory operand. */
static bool decode_kind(struct udf_insn_op *op, ZydisMnemonic mnemonic)
{
	static const struct { ZydisMnemonic mnemonic; uint8_t kind, alu; } table[] = {
		{ ZYDIS_MNEMONIC_MOV, UDF_OP_STORE, 0 }, { ZYDIS_MNEMONIC_MOVNTI, UDF_OP_STORE, 0 },
		{ ZYDIS_MNEMONIC_MOVZX, UDF_OP_LOAD, 0 }, { ZYDIS_MNEMONIC_MOVSX, UDF_OP_LOAD, 0 },
		{ ZYDIS_MNEMONIC_MOVSXD, UDF_OP_LOAD, 0 },
		{ ZYDIS_MNEMONIC_ADD, UDF_OP_ALU, UDF_ALU_ADD }, { ZYDIS_MNEMONIC_ADC, UDF_OP_ALU, UDF_ALU_ADC },
		{ ZYDIS_MNEMONIC_SUB, UDF_OP_ALU, UDF_ALU_SUB }, { ZYDIS_MNEMONIC_SBB, UDF_OP_ALU, UDF_ALU_SBB },
		{ ZYDIS_MNEMONIC_CMP, UDF_OP_ALU, UDF_ALU_CMP }, { ZYDIS_MNEMONIC_AND, UDF_OP_ALU, UDF_ALU_AND },
		{ ZYDIS_MNEMONIC_OR, UDF_OP_ALU, UDF_ALU_OR }, { ZYDIS_MNEMONIC_XOR, UDF_OP_ALU, UDF_ALU_XOR },
		{ ZYDIS_MNEMONIC_TEST, UDF_OP_ALU, UDF_ALU_TEST },
		{ ZYDIS_MNEMONIC_INC, UDF_OP_UNARY, UDF_ALU_INC }, { ZYDIS_MNEMONIC_DEC, UDF_OP_UNARY, UDF_ALU_DEC },
		{ ZYDIS_MNEMONIC_NOT, UDF_OP_UNARY, UDF_ALU_NOT }, { ZYDIS_MNEMONIC_NEG, UDF_OP_UNARY, UDF_ALU_NEG },
		{ ZYDIS_MNEMONIC_BT, UDF_OP_BIT, UDF_ALU_BT }, { ZYDIS_MNEMONIC_BTS, UDF_OP_BIT, UDF_ALU_BTS },
		{ ZYDIS_MNEMONIC_BTR, UDF_OP_BIT, UDF_ALU_BTR }, { ZYDIS_MNEMONIC_BTC, UDF_OP_BIT, UDF_ALU_BTC },
		{ ZYDIS_MNEMONIC_XCHG, UDF_OP_XCHG, 0 }, { ZYDIS_MNEMONIC_XADD, UDF_OP_XADD, 0 },
		{ ZYDIS_MNEMONIC_CMPXCHG, UDF_OP_CMPXCHG, 0 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].mnemonic != mnemonic)
			continue;
		op->kind = table[i].kind;
		op->alu = table[i].alu;
		return true;
	}
	return false;
}

/* Instructions that name one memory operand and at most one register or immediate. */
static bool decode_general(struct udf_insn_op *op, const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *ops)
{
	unsigned int n = insn->operand_count_visible;
	unsigned int mem = n && ops[0].type == ZYDIS_OPERAND_TYPE_MEMORY ? 0 : 1;

	if (n < 1 || n > 2 || mem >= n || ops[mem].type != ZYDIS_OPERAND_TYPE_MEMORY)
		return false;
	if (!decode_kind(op, insn->mnemonic) || !decode_mem(op, insn, &ops[mem]))
		return false;
	op->reg = UDF_OP_NO_REG;
	if (n == 2 && !decode_other(op, &ops[!mem]))
		return false;
	op->to_mem = mem == 0;
	if (mem == 1 && op->kind == UDF_OP_STORE)
		op->kind = UDF_OP_LOAD;
	op->sign = insn->mnemonic == ZYDIS_MNEMONIC_MOVSX || insn->mnemonic == ZYDIS_MNEMONIC_MOVSXD;
	return true;
}

static bool decode_string(struct udf_insn_op *op, const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *ops)
{
	static const struct { ZydisMnemonic mnemonic; uint8_t kind, size; } table[] = {
		{ ZYDIS_MNEMONIC_MOVSB, UDF_OP_MOVS, 1 }, { ZYDIS_MNEMONIC_MOVSW, UDF_OP_MOVS, 2 },
		{ ZYDIS_MNEMONIC_MOVSD, UDF_OP_MOVS, 4 }, { ZYDIS_MNEMONIC_MOVSQ, UDF_OP_MOVS, 8 },
		{ ZYDIS_MNEMONIC_STOSB, UDF_OP_STOS, 1 }, { ZYDIS_MNEMONIC_STOSW, UDF_OP_STOS, 2 },
		{ ZYDIS_MNEMONIC_STOSD, UDF_OP_STOS, 4 }, { ZYDIS_MNEMONIC_STOSQ, UDF_OP_STOS, 8 },
		{ ZYDIS_MNEMONIC_LODSB, UDF_OP_LODS, 1 }, { ZYDIS_MNEMONIC_LODSW, UDF_OP_LODS, 2 },
		{ ZYDIS_MNEMONIC_LODSD, UDF_OP_LODS, 4 }, { ZYDIS_MNEMONIC_LODSQ, UDF_OP_LODS, 8 },
		{ ZYDIS_MNEMONIC_INSB, UDF_OP_INS, 1 }, { ZYDIS_MNEMONIC_INSW, UDF_OP_INS, 2 },
		{ ZYDIS_MNEMONIC_INSD, UDF_OP_INS, 4 },
		{ ZYDIS_MNEMONIC_OUTSB, UDF_OP_OUTS, 1 }, { ZYDIS_MNEMONIC_OUTSW, UDF_OP_OUTS, 2 },
		{ ZYDIS_MNEMONIC_OUTSD, UDF_OP_OUTS, 4 },
	};

	/* movsd is the name of a vector move, too */
	if (insn->meta.category != ZYDIS_CATEGORY_STRINGOP && insn->meta.category != ZYDIS_CATEGORY_IOSTRINGOP)
		return false;
	for (unsigned int i = 0; i < insn->operand_count; i++)
		if (ops[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    (ops[i].mem.segment == ZYDIS_REGISTER_FS || ops[i].mem.segment == ZYDIS_REGISTER_GS))
			return false;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].mnemonic != insn->mnemonic)
			continue;
		op->kind = table[i].kind;
		op->size = table[i].size;
		op->rep = insn->attributes & ZYDIS_ATTRIB_HAS_REP;
		op->addr32 = insn->address_width == 32;
		return true;
	}
	return false;
}

static bool decode_port(struct udf_insn_op *op, const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *ops)
{
	bool in = insn->mnemonic == ZYDIS_MNEMONIC_IN;
	const ZydisDecodedOperand *port = &ops[in ? 1 : 0], *data = &ops[in ? 0 : 1];

	if (!in && insn->mnemonic != ZYDIS_MNEMONIC_OUT)
		return false;
	op->kind = in ? UDF_OP_IN : UDF_OP_OUT;
	op->size = data->size / 8;
	op->reg = port->type == ZYDIS_OPERAND_TYPE_REGISTER ? UDF_RDX : UDF_OP_NO_REG;
	op->imm = port->type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? port->imm.value.u : 0;
	return true;
}

static void disassemble(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *ops, uint64_t rip, char *text)
{
	ZydisFormatter formatter;

	if (ZYAN_FAILED(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL)) ||
	    ZYAN_FAILED(ZydisFormatterFormatInstruction(&formatter, insn, ops, insn->operand_count_visible, text, UDF_INSN_TEXT, rip,
							NULL)))
		snprintf(text, UDF_INSN_TEXT, "%s", ZydisMnemonicGetString(insn->mnemonic));
}

/* Decode with Zydis. TEXT as in udf_insn_emulate(), FORCE_TEXT wants it in any case. */
static int decode(struct udf_insn_op *op, const uint8_t *code, size_t len, uint64_t rip, char *text, bool force_text)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;
	bool ok;

	memset(op, 0, sizeof(*op));
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, code, len, &insn, ops))) {
		if (text)
			snprintf(text, UDF_INSN_TEXT, "(not an instruction: %02x %02x %02x ...)", len > 0 ? code[0] : 0,
				 len > 1 ? code[1] : 0, len > 2 ? code[2] : 0);
		return -ENOTSUP;
	}
	ok = decode_string(op, &insn, ops) || decode_port(op, &insn, ops) || decode_general(op, &insn, ops);
	op->len = insn.length;
	if (text && (!ok || force_text))
		disassemble(&insn, ops, rip, text);
	return ok ? 0 : -ENOTSUP;
}

int udf_insn_decode(const uint8_t *code, size_t len, struct udf_insn_op *op)
{
	return decode(op, code, len < MAX_INSN ? len : MAX_INSN, 0, NULL, false);
}

int udf_insn_emulate(struct udf_insn_regs *regs, const uint8_t *code, size_t code_len, uint64_t fault_addr,
		     const struct udf_insn_bus *bus, char text[UDF_INSN_TEXT])
{
	struct udf_insn_op op, again;
	int ret;

	if (code_len > MAX_INSN)
		code_len = MAX_INSN;
	if (!cache_get(regs->rip, code, code_len, &op)) {
		ret = decode(&op, code, code_len, regs->rip, text, false);
		if (ret)
			return ret;
		cache_put(regs->rip, code, &op);
	}
	ret = udf_insn_execute(&op, regs, fault_addr, bus);
	if (text && (ret == -EFAULT || ret == -ENOTSUP))
		decode(&again, code, code_len, regs->rip, text, true);
	return ret;
}
