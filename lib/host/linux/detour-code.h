/* SPDX-License-Identifier: GPL-2.0 */
/* The code that a module's register access is led to, see detour.c. Host world; pure: nothing but bytes is made here. */
#ifndef UDF_HOST_LINUX_DETOUR_CODE_H
#define UDF_HOST_LINUX_DETOUR_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "port/insn-op.h"

#define UDF_JMP8	2u	/* bytes of the jumps that lead there */
#define UDF_JMP32	5u

/* Whether a detour can perform OP, whose place must not matter. */
bool udf_detour_suits(const struct udf_insn_op *op);

/*
 * Write the detour of the instruction OP, which lies at IP and can be read there, to MEM; it is to run at ADDR, within 2 GiB of IP and of
 * BRIDGE, which calls host_mmio_access(). Returns its length, 256 bytes at most.
 */
unsigned int udf_detour_put(uint8_t *mem, uint64_t addr, const struct udf_insn_op *op, uint64_t ip, uint64_t bridge);

#endif
