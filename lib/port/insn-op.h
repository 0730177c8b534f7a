/* SPDX-License-Identifier: GPL-2.0 */
/* A decoded instruction in the compact form that the cache keeps; shared by insn.c and insn-exec.c. Host world. */
#ifndef UDF_PORT_INSN_OP_H
#define UDF_PORT_INSN_OP_H

#include "port/insn.h"

enum udf_insn_kind {
	UDF_OP_NONE,
	UDF_OP_LOAD,		/* reg = extended memory: mov, movzx, movsx, movsxd */
	UDF_OP_STORE,		/* memory = source: mov, movnti */
	UDF_OP_ALU,		/* two operands, see enum udf_insn_alu */
	UDF_OP_UNARY,		/* inc, dec, not, neg of memory */
	UDF_OP_BIT,		/* bt, bts, btr, btc of memory */
	UDF_OP_XCHG, UDF_OP_XADD, UDF_OP_CMPXCHG,
	UDF_OP_MOVS, UDF_OP_STOS, UDF_OP_LODS,
	UDF_OP_IN, UDF_OP_OUT, UDF_OP_INS, UDF_OP_OUTS,
};

enum udf_insn_alu {
	UDF_ALU_ADD, UDF_ALU_ADC, UDF_ALU_SUB, UDF_ALU_SBB, UDF_ALU_CMP,
	UDF_ALU_AND, UDF_ALU_OR, UDF_ALU_XOR, UDF_ALU_TEST,
	UDF_ALU_INC, UDF_ALU_DEC, UDF_ALU_NOT, UDF_ALU_NEG,
	UDF_ALU_BT, UDF_ALU_BTS, UDF_ALU_BTR, UDF_ALU_BTC,
};

#define UDF_OP_NO_REG	0xff	/* no base, no index; as a source: the immediate */
#define UDF_OP_HIGH	0x10	/* bits 8-15 of register & 3: ah, ch, dh, bh */
#define UDF_OP_RIP	0x20	/* base is the address of the next instruction */

struct udf_insn_op {
	uint8_t kind, alu;
	uint8_t len;		/* bytes of the instruction */
	uint8_t size;		/* bytes of one access, 1 2 4 8 */
	uint8_t dsize;		/* LOAD: bytes of the destination register */
	uint8_t reg;		/* register operand, or UDF_OP_NO_REG */
	uint8_t base, index, scale;
	bool sign;		/* LOAD: sign extended */
	bool to_mem;		/* ALU: memory is the destination */
	bool rep;
	bool addr32;		/* addresses and the count register have 32 bits */
	int64_t disp;
	uint64_t imm;
};

/* Decode the instruction at CODE, of which LEN bytes are readable. Returns 0, or -ENOTSUP for one that is not emulated. */
int udf_insn_decode(const uint8_t *code, size_t len, struct udf_insn_op *op);

/* Perform OP. As udf_insn_emulate(). */
int udf_insn_execute(const struct udf_insn_op *op, struct udf_insn_regs *regs, uint64_t fault_addr, const struct udf_insn_bus *bus);

#endif
