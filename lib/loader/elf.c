// SPDX-License-Identifier: GPL-2.0
/*
 * Parse a relocatable ELF object: take the section headers and symbols out of the file and check every offset, size, index,
 * alignment and string that anyone uses later. Host world; pure.
 *
 * The sections of an honest file do not overlap, so their sizes add up to less than the file. Insisting on that bounds all
 * later work by the file's length: no header can make the loader read the same megabyte a thousand times.
 */
#include "loader/elf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int parse_header(struct udf_elf *elf, Elf64_Ehdr *eh, struct udf_error *err)
{
	if (elf->len < sizeof(*eh))
		return elf_error(elf, err, -ENOEXEC, "too short for an ELF file (%zu bytes)", elf->len);
	memcpy(eh, elf->data, sizeof(*eh));
	if (memcmp(eh->e_ident, ELFMAG, SELFMAG))
		return elf_error(elf, err, -ENOEXEC, "not an ELF file");
	if (eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_ident[EI_DATA] != ELFDATA2LSB || eh->e_machine != EM_X86_64)
		return elf_error(elf, err, -ENOEXEC, "built for another machine (e_machine %u), x86-64 is needed",
				 eh->e_machine);
	if (eh->e_type != ET_REL)
		return elf_error(elf, err, -ENOEXEC, "not a relocatable object (e_type %u)", eh->e_type);
	if (eh->e_shentsize != sizeof(Elf64_Shdr))
		return elf_error(elf, err, -ENOEXEC, "section headers of %u bytes, not %zu", eh->e_shentsize,
				 sizeof(Elf64_Shdr));
	if (!eh->e_shnum || eh->e_shnum >= SHN_LORESERVE)
		return elf_error(elf, err, -ENOEXEC, "%u section headers", eh->e_shnum);
	if (eh->e_shoff > elf->len || elf->len - eh->e_shoff < (uint64_t)eh->e_shnum * sizeof(Elf64_Shdr))
		return elf_error(elf, err, -ENOEXEC, "truncated: section headers at %#llx lie beyond the end (%zu bytes)",
				 (unsigned long long)eh->e_shoff, elf->len);
	return 0;
}

static int check_section(struct udf_elf *elf, unsigned int i, uint64_t *sum, struct udf_error *err)
{
	const Elf64_Shdr *sh = &elf->sec[i].hdr;
	uint64_t align = sh->sh_addralign;

	if (sh->sh_type == SHT_NULL)
		return 0;
	if (sh->sh_type == SHT_NOBITS) {
		if (sh->sh_size > ELF_PART_MAX)
			return elf_error(elf, err, -ENOEXEC, "section %u is too big (%#llx bytes)", i,
					 (unsigned long long)sh->sh_size);
	} else {
		if (sh->sh_offset > elf->len || sh->sh_size > elf->len - sh->sh_offset)
			return elf_error(elf, err, -ENOEXEC, "truncated: section %u lies beyond the end", i);
		*sum += sh->sh_size;
		if (*sum > elf->len)
			return elf_error(elf, err, -ENOEXEC, "sections overlap (section %u)", i);
	}
	if ((align & (align - 1)) || align > ELF_PAGE)
		return elf_error(elf, err, -ENOEXEC, "section %u: bad alignment %#llx", i, (unsigned long long)align);
	return 0;
}

static bool is_strtab(const struct udf_elf *elf, unsigned int i)
{
	const Elf64_Shdr *sh;

	if (!i || i >= elf->nr_sec)
		return false;
	sh = &elf->sec[i].hdr;
	return sh->sh_type == SHT_STRTAB && sh->sh_size && !elf->data[sh->sh_offset + sh->sh_size - 1];
}

/* The string at OFFSET of string table I, which is_strtab() has accepted; NULL: beyond its end. */
static const char *get_string(const struct udf_elf *elf, unsigned int i, uint64_t offset)
{
	const Elf64_Shdr *sh = &elf->sec[i].hdr;

	return offset < sh->sh_size ? (const char *)elf->data + sh->sh_offset + offset : NULL;
}

static int parse_sections(struct udf_elf *elf, const Elf64_Ehdr *eh, struct udf_error *err)
{
	uint64_t sum = 0;
	unsigned int i;
	int ret;

	elf->nr_sec = eh->e_shnum;
	elf->sec = calloc(elf->nr_sec, sizeof(*elf->sec));
	if (!elf->sec)
		return elf_error(elf, err, -ENOMEM, "out of memory");
	for (i = 0; i < elf->nr_sec; i++) {
		memcpy(&elf->sec[i].hdr, elf->data + eh->e_shoff + (uint64_t)i * sizeof(Elf64_Shdr), sizeof(Elf64_Shdr));
		ret = check_section(elf, i, &sum, err);
		if (ret)
			return ret;
	}
	if (elf->sec[0].hdr.sh_type != SHT_NULL)
		return elf_error(elf, err, -ENOEXEC, "section 0 is not the null section");
	if (!is_strtab(elf, eh->e_shstrndx))
		return elf_error(elf, err, -ENOEXEC, "no valid table of section names (section %u)", eh->e_shstrndx);
	for (i = 0; i < elf->nr_sec; i++) {
		struct elf_section *s = &elf->sec[i];

		s->pub.name = get_string(elf, eh->e_shstrndx, s->hdr.sh_name);
		if (!s->pub.name)
			return elf_error(elf, err, -ENOEXEC, "section %u: name lies beyond the string table", i);
		s->pub.type = s->hdr.sh_type;
		s->pub.flags = s->hdr.sh_flags;
		s->pub.size = s->hdr.sh_type == SHT_NULL ? 0 : s->hdr.sh_size;
		s->pub.part = UDF_PART_COUNT;
	}
	return 0;
}

/* Find the symbol table, and check that all relocations use it and name a section that exists. */
static int check_links(struct udf_elf *elf, struct udf_error *err)
{
	unsigned int i;

	for (i = 1; i < elf->nr_sec; i++) {
		if (elf->sec[i].hdr.sh_type != SHT_SYMTAB)
			continue;
		if (elf->symtab)
			return elf_error(elf, err, -ENOEXEC, "two symbol tables (sections %u and %u)", elf->symtab, i);
		elf->symtab = i;
	}
	for (i = 1; i < elf->nr_sec; i++) {
		const Elf64_Shdr *sh = &elf->sec[i].hdr;

		if (sh->sh_type != SHT_RELA && sh->sh_type != SHT_REL)
			continue;
		if (!sh->sh_info || sh->sh_info >= elf->nr_sec)
			return elf_error(elf, err, -ENOEXEC, "%s: relocates section %u, which does not exist",
					 elf->sec[i].pub.name, sh->sh_info);
		if (sh->sh_type == SHT_REL && (elf->sec[sh->sh_info].hdr.sh_flags & SHF_ALLOC))
			return elf_error(elf, err, -ENOEXEC, "%s: relocations without addend", elf->sec[i].pub.name);
		if (sh->sh_type == SHT_RELA && (!elf->symtab || sh->sh_link != elf->symtab))
			return elf_error(elf, err, -ENOEXEC, "%s: no symbol table (section %u)", elf->sec[i].pub.name,
					 sh->sh_link);
		if (sh->sh_type == SHT_RELA && (sh->sh_entsize != sizeof(Elf64_Rela) || sh->sh_size % sizeof(Elf64_Rela)))
			return elf_error(elf, err, -ENOEXEC, "%s: relocations of a bad size", elf->sec[i].pub.name);
	}
	return 0;
}

static int check_symbol(struct udf_elf *elf, unsigned int i, const Elf64_Sym *raw, struct udf_error *err)
{
	const char *name = elf->sym[i].name;

	if (raw->st_shndx == SHN_UNDEF || raw->st_shndx == SHN_ABS)
		return 0;
	if (raw->st_shndx == SHN_COMMON)
		return elf_error(elf, err, -ENOEXEC, "common symbol %s: the module must be built with -fno-common", name);
	if (raw->st_shndx >= elf->nr_sec)
		return elf_error(elf, err, -ENOEXEC, "symbol %u (%s): section %u does not exist", i, name, raw->st_shndx);
	if (raw->st_value > elf->sec[raw->st_shndx].pub.size)
		return elf_error(elf, err, -ENOEXEC, "symbol %u (%s): lies beyond its section %s", i, name,
				 elf->sec[raw->st_shndx].pub.name);
	return 0;
}

static int parse_symbols(struct udf_elf *elf, struct udf_error *err)
{
	const Elf64_Shdr *sh = &elf->sec[elf->symtab].hdr;
	uint64_t n = sh->sh_size / sizeof(Elf64_Sym);
	unsigned int i;
	int ret;

	if (!elf->symtab)
		return elf_error(elf, err, -ENOEXEC, "no symbol table");
	if (sh->sh_entsize != sizeof(Elf64_Sym) || sh->sh_size % sizeof(Elf64_Sym) || !n)
		return elf_error(elf, err, -ENOEXEC, "symbol table of a bad size");
	if (n > ELF_SYMBOLS_MAX)
		return elf_error(elf, err, -ENOEXEC, "too many symbols (%llu)", (unsigned long long)n);
	if (!is_strtab(elf, sh->sh_link))
		return elf_error(elf, err, -ENOEXEC, "no valid table of symbol names (section %u)", sh->sh_link);
	elf->nr_sym = n;
	elf->sym = calloc(n, sizeof(*elf->sym));
	if (!elf->sym)
		return elf_error(elf, err, -ENOMEM, "out of memory");
	for (i = 0; i < elf->nr_sym; i++) {
		struct udf_elf_symbol *sym = &elf->sym[i];
		Elf64_Sym raw;

		udf_elf_get_sym(elf, i, &raw);
		sym->name = get_string(elf, sh->sh_link, raw.st_name);
		if (!sym->name)
			return elf_error(elf, err, -ENOEXEC, "symbol %u: name lies beyond the string table", i);
		if (strnlen(sym->name, ELF_NAME_MAX) == ELF_NAME_MAX)
			return elf_error(elf, err, -ENOEXEC, "symbol %u: name is too long", i);
		sym->value = raw.st_value;
		sym->size = raw.st_size;
		sym->type = ELF64_ST_TYPE(raw.st_info);
		sym->bind = ELF64_ST_BIND(raw.st_info);
		sym->shndx = raw.st_shndx;
		ret = check_symbol(elf, i, &raw, err);
		if (ret)
			return ret;
	}
	return 0;
}

static int parse(struct udf_elf *elf, struct udf_error *err)
{
	Elf64_Ehdr eh;
	int ret;

	ret = parse_header(elf, &eh, err);
	if (!ret)
		ret = parse_sections(elf, &eh, err);
	if (!ret)
		ret = check_links(elf, err);
	if (!ret)
		ret = parse_symbols(elf, err);
	if (!ret)
		ret = udf_elf_check_info(elf, err);
	if (!ret)
		ret = udf_elf_assign(elf, err);
	return ret;
}

int udf_elf_parse(const void *data, size_t len, const char *what, struct udf_elf **out, struct udf_error *err)
{
	struct udf_elf *elf = calloc(1, sizeof(*elf));
	int ret;

	if (elf)
		elf->what = strdup(what);
	if (!elf || !elf->what) {
		free(elf);
		return udf_error_set(err, -ENOMEM, "%s: out of memory", what);
	}
	elf->data = data;
	elf->len = len;
	ret = parse(elf, err);
	if (ret) {
		udf_elf_free(elf);
		return ret;
	}
	*out = elf;
	return 0;
}

void udf_elf_free(struct udf_elf *elf)
{
	if (!elf)
		return;
	free(elf->sec);
	free(elf->sym);
	free(elf->what);
	free(elf);
}

void udf_elf_get_rela(const struct udf_elf *elf, unsigned int sec, uint64_t n, Elf64_Rela *rela)
{
	memcpy(rela, elf->data + elf->sec[sec].hdr.sh_offset + n * sizeof(*rela), sizeof(*rela));
}

void udf_elf_get_sym(const struct udf_elf *elf, unsigned int n, Elf64_Sym *sym)
{
	memcpy(sym, elf->data + elf->sec[elf->symtab].hdr.sh_offset + (uint64_t)n * sizeof(*sym), sizeof(*sym));
}

unsigned int udf_elf_nr_sections(const struct udf_elf *elf)
{
	return elf->nr_sec;
}

const struct udf_elf_section *udf_elf_section(const struct udf_elf *elf, unsigned int i)
{
	return i < elf->nr_sec ? &elf->sec[i].pub : NULL;
}

const struct udf_elf_section *udf_elf_section_by_name(const struct udf_elf *elf, const char *name)
{
	unsigned int i;

	for (i = 1; i < elf->nr_sec; i++)
		if (!strcmp(elf->sec[i].pub.name, name))
			return &elf->sec[i].pub;
	return NULL;
}

const void *udf_elf_section_data(const struct udf_elf *elf, unsigned int i, size_t *len)
{
	*len = 0;
	if (i >= elf->nr_sec || elf->sec[i].hdr.sh_type == SHT_NOBITS || elf->sec[i].hdr.sh_type == SHT_NULL)
		return NULL;
	*len = elf->sec[i].hdr.sh_size;
	return elf->data + elf->sec[i].hdr.sh_offset;
}

unsigned int udf_elf_nr_symbols(const struct udf_elf *elf)
{
	return elf->nr_sym;
}

const struct udf_elf_symbol *udf_elf_symbol(const struct udf_elf *elf, unsigned int i)
{
	return i < elf->nr_sym ? &elf->sym[i] : NULL;
}
