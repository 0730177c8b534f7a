/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Call-frame information for debuggers, made from the kernel's own unwind tables (ORC). Host world; pure.
 *
 * A kernel has no DWARF frames at run time: objtool reduces them to a sorted table of (address, where the caller's stack pointer and
 * %rbp are). Each of its rows has an exact counterpart in .debug_frame, so that gdb, perf and libdw walk kernel code as they walk any
 * program.
 */
#ifndef UDF_DEBUG_FRAMES_H
#define UDF_DEBUG_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/strbuf.h"

struct udf_span {
	uint64_t start, end;	/* exclusive */
};

/* How the caller of code in a row is found: the fields of struct orc_entry (asm/orc_types.h), unpacked. */
struct udf_orc {
	int16_t sp_offset, bp_offset;
	uint8_t sp_reg, bp_reg;		/* enum udf_orc_reg */
	uint8_t type;			/* enum udf_orc_type */
	bool end;
};

enum udf_orc_reg {
	UDF_ORC_UNDEFINED, UDF_ORC_PREV_SP, UDF_ORC_DX, UDF_ORC_DI, UDF_ORC_BP, UDF_ORC_SP, UDF_ORC_R10, UDF_ORC_R13,
	UDF_ORC_BP_INDIRECT, UDF_ORC_SP_INDIRECT,
};

enum udf_orc_type { UDF_ORC_CALL, UDF_ORC_REGS, UDF_ORC_REGS_PARTIAL };

/* A table as the kernel lays it out: 6-byte entries, and for each the distance of its code from the distance's own address. */
struct udf_orc_table {
	const uint8_t *entry;
	const uint8_t *ip;
	uint64_t ip_addr;	/* run-time address of IP */
	uint64_t nr;
};

/* Collects rows into the contents of a .debug_frame section. */
struct udf_frames;

/*
 * BYTES is what the section holds already (the compiler's own frames, relocated), and is appended to; code that those describe is left
 * to them, as they know more registers. Returns NULL without memory.
 */
struct udf_frames *udf_frames_new(struct udf_strbuf *bytes);
/* Code in [START, END) has its caller as ORC says. Rows may come in any order; neighbours in ascending order share a description. */
void udf_frames_row(struct udf_frames *f, uint64_t start, uint64_t end, const struct udf_orc *orc);
/* All rows of TABLE that lie in one of the N spans of CODE. Returns 0 or -ENOMEM. */
int udf_frames_orc(struct udf_frames *f, const struct udf_orc_table *table, const struct udf_span *code, unsigned int n);
/* Ends it; the bytes are complete. */
void udf_frames_end(struct udf_frames *f);

#endif
