/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Patch out of kernel code what user space has no use for: return thunks, retpolines, calls of __fentry__. Only byte patterns
 * that are exactly the expected ones are changed; what else stands at a site is counted and left. Private to lib/image.
 */
#ifndef UDF_IMAGE_PATCH_H
#define UDF_IMAGE_PATCH_H

#include "image/kernel.h"

#define UDF_X86_REGS 16

/* Where the thunks are; 0: the kernel has none. */
struct udf_thunks {
	uint64_t ret, fentry;
	uint64_t indirect[UDF_X86_REGS];	/* by register number, as in instructions */
};

void udf_thunks_find(const struct udf_kernel *k, struct udf_thunks *thunks);

/* The site at ADDR in M: `jmp thunk` becomes `ret`; `call/jmp indirect thunk` becomes `call/jmp *reg`; `call __fentry__` a 5-byte nop. */
void udf_patch_return(const struct udf_memory *m, const struct udf_thunks *thunks, uint64_t addr, struct udf_patch_count *count);
void udf_patch_retpoline(const struct udf_memory *m, const struct udf_thunks *thunks, uint64_t addr, struct udf_patch_count *count);
void udf_patch_fentry(const struct udf_memory *m, const struct udf_thunks *thunks, uint64_t addr, struct udf_patch_count *count);

/*
 * Patch a list of sites that starts at LIST, LEN bytes, in M: 32-bit distances from their own place (return and retpoline sites), or
 * 64-bit addresses (__mcount_loc).
 */
typedef void udf_patch_site(const struct udf_memory *m, const struct udf_thunks *thunks, uint64_t addr, struct udf_patch_count *count);
void udf_patch_relative(const struct udf_memory *m, const struct udf_thunks *thunks, uint64_t list, uint64_t len, udf_patch_site *patch,
			struct udf_patch_count *count);
void udf_patch_absolute(const struct udf_memory *m, const struct udf_thunks *thunks, uint64_t list, uint64_t len, udf_patch_site *patch,
			struct udf_patch_count *count);

/* All sites of the image. */
void udf_patch_kernel(struct udf_kernel *k, const struct udf_thunks *thunks);

#endif
