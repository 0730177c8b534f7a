/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An ELF file that tells a debugger about code which lies in memory already: symbols, frames, debug information, and no code. Host
 * world; pure.
 *
 * It is made as a linked program (all addresses are final), so that `add-symbol-file FILE` needs no address, and gdb's JIT interface
 * no further help.
 */
#ifndef UDF_DEBUG_SYMFILE_H
#define UDF_DEBUG_SYMFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/strbuf.h"

struct udf_symfile;

struct udf_symfile *udf_symfile_new(void);	/* NULL: no memory */
void udf_symfile_free(struct udf_symfile *f);

/* Memory at ADDR that symbols lie in. Runs out of memory silently, as all of these: udf_symfile_finish() tells. */
void udf_symfile_section(struct udf_symfile *f, const char *name, uint64_t addr, uint64_t size, bool exec);
/* After the sections. SIZE 0: not known. One that lies in no section is absolute. */
void udf_symfile_symbol(struct udf_symfile *f, const char *name, uint64_t value, uint64_t size, bool func, bool global);
/* A section of debug information (".debug_frame", ".debug_info", ...); BYTES is emptied. FLAGS, ENTSIZE as in a section header. */
void udf_symfile_debug(struct udf_symfile *f, const char *name, struct udf_strbuf *bytes, uint64_t flags, uint64_t entsize);

/* The file's bytes; to be freed with free(). Returns 0 or -ENOMEM. F is used up. */
int udf_symfile_finish(struct udf_symfile *f, void **data, size_t *len);

#endif
