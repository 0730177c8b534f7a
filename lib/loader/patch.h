/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Speed patches: code that the compiler made for a kernel (retpolines, return thunks, calls of ftrace) becomes what it stands
 * for. Serves modules and the image alike. Host world; pure.
 *
 *   .return_sites      jmp __x86_return_thunk           -> ret
 *   .retpoline_sites   call __x86_indirect_thunk_rax    -> call *%rax     (also jmp and conditional jumps, every register)
 *   __mcount_loc       call __fentry__                  -> a 5-byte nop
 *
 * Only these exact forms are changed, and only where the destination is the thunk itself; any other site is left alone and counted.
 * Patch before the text may run.
 */
#ifndef UDF_LOADER_PATCH_H
#define UDF_LOADER_PATCH_H

#include <stdint.h>

enum udf_patch_kind { UDF_PATCH_RETURNS, UDF_PATCH_RETPOLINES, UDF_PATCH_FENTRY };

/* Code that may be patched: SIZE bytes that run at ADDR and are written at MEM. */
struct udf_patch_text {
	uint64_t addr;
	uint8_t *mem;
	uint64_t size;
};

/* Addresses of the thunks; 0: there is none, and nothing that would need it is patched. */
struct udf_patch_thunks {
	uint64_t ret, fentry;
	uint64_t indirect[16];		/* by register number: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 ... r15 */
};

/* The table of sites, relocated: SIZE bytes that lie at run-time address ADDR and are read at MEM. */
struct udf_patch_sites {
	uint64_t addr;
	const void *mem;
	uint64_t size;
};

struct udf_patch_count {
	unsigned long patched, left;
};

/* Fill THUNKS with what SYMBOL returns for the thunks' names. */
void udf_patch_find_thunks(struct udf_patch_thunks *thunks, uint64_t (*symbol)(void *ctx, const char *name), void *ctx);

/* Patch all SITES of KIND that lie in one of the NR_TEXT pieces of TEXT; adds to COUNT. */
void udf_patch_sites(enum udf_patch_kind kind, const struct udf_patch_text *text, unsigned int nr_text,
		     const struct udf_patch_thunks *thunks, const struct udf_patch_sites *sites, struct udf_patch_count *count);

#endif
