/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the loader's core share: the parsed object. Private to lib/loader. Host world. */
#ifndef UDF_LOADER_ELF_H
#define UDF_LOADER_ELF_H

#include <elf.h>

#include "loader/loader.h"

#define ELF_PAGE		4096u
#define ELF_NAME_MAX		1024u	/* of symbols; the kernel's limit is 512 */
#define ELF_SYMBOLS_MAX		(1u << 20)
#define ELF_PART_MAX		(256ull << 20)	/* bytes of one part; the module area is 768 MiB */

struct elf_section {
	struct udf_elf_section pub;
	Elf64_Shdr hdr;			/* checked copy: the file's bytes need not be aligned */
	uint64_t offset;		/* in its part */
};

struct udf_elf {
	const uint8_t *data;
	size_t len;
	char *what;			/* for messages: the file's name */
	struct elf_section *sec;
	unsigned int nr_sec;
	struct udf_elf_symbol *sym;
	unsigned int nr_sym;
	unsigned int symtab, modinfo, versions;	/* section numbers, 0: none */
	struct udf_elf_layout layout;
};

/* udf_error_set() with the object's name in front. */
#define elf_error(elf, err, code, fmt, ...) udf_error_set(err, code, "%s: " fmt, (elf)->what, ##__VA_ARGS__)

/* Assign every section its part and offset; called once the sections are checked. */
int udf_elf_assign(struct udf_elf *elf, struct udf_error *err);

/* The N-th entry of a RELA section or of the symbol table; the caller has checked N against the section's size. */
void udf_elf_get_rela(const struct udf_elf *elf, unsigned int sec, uint64_t n, Elf64_Rela *rela);
void udf_elf_get_sym(const struct udf_elf *elf, unsigned int n, Elf64_Sym *sym);

/* The value of the next TAG in .modinfo after the one at PREV (NULL: the first), or NULL. */
const char *udf_elf_modinfo_next(const struct udf_elf *elf, const char *tag, const char *prev);

/* Check what lies in .modinfo and __versions. */
int udf_elf_check_info(struct udf_elf *elf, struct udf_error *err);

#endif
