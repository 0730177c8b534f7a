/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The code that a module's register access is led to, see detour.c. Host world; pure: nothing but bytes is made here.
 *
 * Everything up to the instruction's own copy has the same length in each, so that debuggers can be told of all detours beforehand, and
 * the signal handler knows what has happened at each address.
 */
#ifndef UDF_HOST_LINUX_DETOUR_CODE_H
#define UDF_HOST_LINUX_DETOUR_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "port/insn-op.h"

#define UDF_JMP8	2u	/* bytes of the jumps that lead there */
#define UDF_JMP32	5u

struct udf_frames;

/* Whether a detour can perform OP, whose place must not matter. */
bool udf_detour_suits(const struct udf_insn_op *op);

/*
 * Write the detour of the instruction OP, which lies at IP and can be read there, to MEM; it is to run at ADDR, within 2 GiB of IP and of
 * BRIDGE, which calls host_mmio_access(). IP is less than 2 GiB. Returns its length, UDF_DETOUR_SLOT at most.
 */
unsigned int udf_detour_put(uint8_t *mem, uint64_t addr, const struct udf_insn_op *op, uint64_t ip, uint64_t bridge);

/* VALUE, which was read from a register, as host_mmio_access() is to return it: as the destination of an instruction HOW gets it. */
uint64_t udf_detour_extend(uint64_t value, unsigned int how);

/* Where the instruction is whose copy begins at OFFSET of the detour CODE; 0 when none begins there. */
uint64_t udf_detour_original(const uint8_t *code, uint64_t offset);

/* Describe the frames of a detour at ADDR: as of a function that was called behind the instruction. */
void udf_detour_describe(struct udf_frames *frames, uint64_t addr);

#endif
