/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Emulate one instruction that trapped on device registers (an inaccessible page) or on a port instruction. Host world.
 *
 * Pure: registers and code bytes in, accesses through the caller's functions, registers out. No malloc, no lock, no global but a
 * lock-free cache of decoded instructions; meant for a SIGSEGV handler. It covers what compilers emit for volatile accesses and
 * what the kernel's readX/writeX, memcpy_toio and in/out are made of, and more; see insn.c. Vector moves are refused.
 */
#ifndef UDF_PORT_INSN_H
#define UDF_PORT_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* General purpose registers in the order of their encoding: rax rcx rdx rbx rsp rbp rsi rdi r8 ... r15. */
enum udf_insn_gpr {
	UDF_RAX, UDF_RCX, UDF_RDX, UDF_RBX, UDF_RSP, UDF_RBP, UDF_RSI, UDF_RDI,
	UDF_R8, UDF_R9, UDF_R10, UDF_R11, UDF_R12, UDF_R13, UDF_R14, UDF_R15,
};

struct udf_insn_regs {
	uint64_t gpr[16];
	uint64_t rip;
	uint64_t rflags;
};

/* Where accesses go. All return 0 or a negative errno, which ends the emulation and is returned. SIZE is 1, 2, 4 or 8. */
struct udf_insn_bus {
	void *ctx;
	/* Whether ADDR is a device register; what is not is accessed as ordinary memory. */
	bool (*covers)(void *ctx, uint64_t addr);
	int (*read)(void *ctx, uint64_t addr, unsigned int size, uint64_t *value);
	int (*write)(void *ctx, uint64_t addr, unsigned int size, uint64_t value);
	/* I/O ports; SIZE 1, 2, 4. NULL: port instructions are refused. */
	int (*in)(void *ctx, uint16_t port, unsigned int size, uint32_t *value);
	int (*out)(void *ctx, uint16_t port, unsigned int size, uint32_t value);
};

/* Longest disassembly text, with its 0. */
#define UDF_INSN_TEXT 128

/*
 * Perform the instruction at REGS->rip, whose bytes are CODE (CODE_LEN of them are readable; 15 are always enough), and step over it.
 * FAULT_ADDR is the address whose access trapped; it must belong to the instruction's memory operand (not looked at for port
 * instructions). REGS is updated only on success; for a repeated instruction that ends with a bus error, up to the failing element.
 * TEXT, if not NULL, gets the disassembly when the result is -ENOTSUP or -EFAULT.
 * Returns 0; -ENOTSUP: not an instruction that is emulated; -EFAULT: it does not access FAULT_ADDR; or the bus's error.
 */
int udf_insn_emulate(struct udf_insn_regs *regs, const uint8_t *code, size_t code_len, uint64_t fault_addr,
		     const struct udf_insn_bus *bus, char text[UDF_INSN_TEXT]);

#endif
