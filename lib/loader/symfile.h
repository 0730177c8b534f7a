/* SPDX-License-Identifier: GPL-2.0 */
/* Linked objects for debuggers: see debug/symfile.h. Host world. */
#ifndef UDF_LOADER_SYMFILE_H
#define UDF_LOADER_SYMFILE_H

#include "debug/symfile.h"
#include "loader/loader.h"

/*
 * A symbol file of ELF, which was linked to PLACE; INIT: its init sections are still there. *DATA is to be freed with free().
 * Returns 0 or -ENOMEM.
 */
int udf_elf_symfile(const struct udf_elf *elf, const struct udf_elf_place place[UDF_PART_COUNT], bool init, void **data, size_t *len);

/*
 * Add ELF's debug information to F, at the addresses that its sections have; FRAMES gets its .debug_frame, which the caller adds when it
 * has completed it.
 */
void udf_elf_add_debug(const struct udf_elf *elf, struct udf_symfile *f, struct udf_strbuf *frames);

/* ELF was linked by somebody else: give its loaded sections the addresses that ADDR tells. */
void udf_elf_assume(struct udf_elf *elf, uint64_t (*addr)(void *ctx, const char *section), void *ctx);

#endif
