/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Relocatable ELF objects (.ko files, kapi) as code that runs: parse, check, lay out, resolve, relocate. Host world.
 *
 * The core is pure: bytes in, bytes out, no file and no global state; every offset, size and index of the file is checked before
 * use, so a hostile file is an error and never a crash. Files, compression and dependencies are in module.c, on top.
 */
#ifndef UDF_LOADER_LOADER_H
#define UDF_LOADER_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

/* A parsed object. Refers to the caller's buffer, which must outlive it and is not written. */
struct udf_elf;

enum udf_part { UDF_PART_TEXT, UDF_PART_RODATA, UDF_PART_DATA, UDF_PART_INIT_TEXT, UDF_PART_INIT_DATA, UDF_PART_PERCPU, UDF_PART_COUNT };

struct udf_elf_layout {
	/* bytes of each part; the caller places each part page aligned (PERCPU: aligned to percpu_align) */
	uint64_t size[UDF_PART_COUNT];
	uint64_t percpu_align;
};

struct udf_elf_section {
	const char *name;
	uint64_t addr;		/* run-time address after udf_elf_link() (PERCPU: per-CPU offset) */
	uint64_t size;
	uint32_t type;
	uint64_t flags;
	enum udf_part part;	/* UDF_PART_COUNT: not loaded */
};

struct udf_elf_symbol {
	const char *name;
	uint64_t value;		/* as in the file; after udf_elf_link() the run-time address */
	uint64_t size;
	uint8_t type, bind;
	uint16_t shndx;
};

/* Where a part goes: its run-time address, and the memory to write it to now (often the same). */
struct udf_elf_place {
	uint64_t addr;
	void *mem;
};

/* Resolve an undefined symbol. Returns 0 and *VALUE, or a negative errno after setting ERR. WEAK symbols may be left at 0. */
typedef int udf_elf_resolve(void *ctx, const char *name, bool weak, uint64_t *value, struct udf_error *err);

int udf_elf_parse(const void *data, size_t len, const char *what, struct udf_elf **elf, struct udf_error *err);
void udf_elf_free(struct udf_elf *elf);
void udf_elf_layout(const struct udf_elf *elf, struct udf_elf_layout *layout);

/* Copy all parts to PLACE, resolve, relocate. On error nothing of the placed memory may be run. */
int udf_elf_link(struct udf_elf *elf, const struct udf_elf_place place[UDF_PART_COUNT], udf_elf_resolve *resolve, void *ctx,
		 struct udf_error *err);

/* Sections and symbols, before and after linking. NULL when I is out of range or NAME is not there. */
unsigned int udf_elf_nr_sections(const struct udf_elf *elf);
const struct udf_elf_section *udf_elf_section(const struct udf_elf *elf, unsigned int i);
const struct udf_elf_section *udf_elf_section_by_name(const struct udf_elf *elf, const char *name);
/* Contents of a section in the file (NULL for NOBITS). */
const void *udf_elf_section_data(const struct udf_elf *elf, unsigned int i, size_t *len);
unsigned int udf_elf_nr_symbols(const struct udf_elf *elf);
const struct udf_elf_symbol *udf_elf_symbol(const struct udf_elf *elf, unsigned int i);

/* .modinfo: value of TAG, or NULL. N counts repeated tags from 0. */
const char *udf_elf_modinfo(const struct udf_elf *elf, const char *tag, unsigned int n);

/* __versions: N-th entry. Returns false at the end. */
bool udf_elf_version(const struct udf_elf *elf, unsigned int n, const char **name, uint32_t *crc);

/* A whole .ko file in memory, decompressed (.ko, .ko.xz, .ko.zst, .ko.gz). Free with free(). */
int udf_module_read(const char *path, void **data, size_t *len, struct udf_error *err);

#endif
