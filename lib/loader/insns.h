/* SPDX-License-Identifier: GPL-2.0 */
/* Find instructions in a module's code that an ordinary process may not execute. Host world; pure. */
#ifndef UDF_LOADER_INSNS_H
#define UDF_LOADER_INSNS_H

#include <stdbool.h>

#include "loader/loader.h"

struct udf_insn {
	const char *name;	/* "rdmsr", "mov cr", ...: a constant */
	bool handled;		/* port I/O: it traps, and the runtime performs it */
	const char *function;	/* that it is in, "" when none is known */
	uint64_t offset;	/* from the function's start, or the section's */
};

/*
 * Call FOUND for each instruction in ELF's executable sections that faults in user space. Templates that are only copied from
 * (.altinstr_replacement) do not count. Returns 0 or -ENOMEM.
 */
int udf_insns_scan(const struct udf_elf *elf, void (*found)(void *ctx, const struct udf_insn *insn), void *ctx);

#endif
