/* SPDX-License-Identifier: GPL-2.0 */
/* Makes small relocatable ELF files, right and wrong ones, for the loader's tests. */
#ifndef TESTS_UNIT_LOADER_ELFGEN_H
#define TESTS_UNIT_LOADER_ELFGEN_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

struct elfgen;

struct elfgen *elfgen_new(void);

/* Add a section; DATA NULL: zeroes (SHT_NOBITS: nothing). Returns its number. */
unsigned int elfgen_section(struct elfgen *g, const char *name, uint32_t type, uint64_t flags, const void *data, size_t size,
			    uint64_t align);
/* Its header, to be spoilt: valid until the next section is added. */
Elf64_Shdr *elfgen_header(struct elfgen *g, unsigned int section);
/* Add a symbol. Returns its number. */
unsigned int elfgen_symbol(struct elfgen *g, const char *name, uint8_t bind, uint8_t type, uint16_t section, uint64_t value,
			   uint64_t size);
void elfgen_reloc(struct elfgen *g, unsigned int section, uint64_t offset, uint32_t type, unsigned int symbol, int64_t addend);

/* The file, for the caller to free(); frees G. The symbol table is the last section but two. */
void *elfgen_finish(struct elfgen *g, size_t *len);

/* A module as modpost leaves it. */
struct elfgen_module {
	const char *name, *vermagic, *license, *depends, *more;		/* more: further .modinfo strings, or NULL */
	struct { const char *name; uint32_t crc; } import[8];		/* crc 0: none in __versions */
	struct { const char *name, *namespace; uint32_t crc; int gpl; } export[8];
};
void *elfgen_module(const struct elfgen_module *m, size_t *len);

#endif
