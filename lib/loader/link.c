// SPDX-License-Identifier: GPL-2.0
/*
 * Link an object to where it runs: copy its sections, give every symbol its address, apply the relocations. Host world; pure:
 * what is written goes to place.mem, what is calculated uses place.addr.
 */
#include "loader/elf.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Text between sections traps; other parts are zero where the file has nothing. */
static void copy_sections(struct udf_elf *elf, const struct udf_elf_place *place)
{
	unsigned int i;

	for (i = 0; i < UDF_PART_COUNT; i++)
		if (elf->layout.size[i])
			memset(place[i].mem, i == UDF_PART_TEXT || i == UDF_PART_INIT_TEXT ? 0xcc : 0, elf->layout.size[i]);
	for (i = 1; i < elf->nr_sec; i++) {
		struct elf_section *s = &elf->sec[i];
		uint8_t *mem;

		if (s->pub.part == UDF_PART_COUNT)
			continue;
		s->pub.addr = place[s->pub.part].addr + s->offset;
		if (!s->pub.size)
			continue;
		mem = (uint8_t *)place[s->pub.part].mem + s->offset;
		if (s->hdr.sh_type == SHT_NOBITS)
			memset(mem, 0, s->pub.size);
		else
			memcpy(mem, elf->data + s->hdr.sh_offset, s->pub.size);
	}
}

static int resolve_symbol(struct udf_elf *elf, struct udf_elf_symbol *sym, uint64_t value, udf_elf_resolve *resolve, void *ctx,
			  struct udf_error *err)
{
	sym->value = value;
	if (sym->shndx == SHN_ABS)
		return 0;
	if (sym->shndx != SHN_UNDEF) {
		sym->value += elf->sec[sym->shndx].pub.addr;
		return 0;
	}
	sym->value = 0;
	if (!sym->name[0])
		return 0;
	return resolve(ctx, sym->name, sym->bind == STB_WEAK, &sym->value, err);
}

static int resolve_symbols(struct udf_elf *elf, udf_elf_resolve *resolve, void *ctx, struct udf_error *err)
{
	unsigned int i;

	for (i = 1; i < elf->nr_sym; i++) {
		Elf64_Sym raw;
		int ret;

		udf_elf_get_sym(elf, i, &raw);
		ret = resolve_symbol(elf, &elf->sym[i], raw.st_value, resolve, ctx, err);
		if (ret)
			return elf_error(elf, err, ret, "cannot resolve symbol %s", elf->sym[i].name);
	}
	return 0;
}

static const char *symbol_name(const struct udf_elf *elf, const struct udf_elf_symbol *sym)
{
	if (sym->name[0] || sym->shndx == SHN_UNDEF || sym->shndx >= elf->nr_sec)
		return sym->name;
	return elf->sec[sym->shndx].pub.name;
}

/* Bytes that a relocation of TYPE writes; 0: none, -1: not one that kernel code has. */
static int reloc_width(uint32_t type)
{
	switch (type) {
	case R_X86_64_NONE:
		return 0;
	case R_X86_64_32: case R_X86_64_32S: case R_X86_64_PC32: case R_X86_64_PLT32:
		return 4;
	case R_X86_64_64: case R_X86_64_PC64:
		return 8;
	}
	return -1;
}

static bool reloc_fits(uint32_t type, uint64_t value)
{
	switch (type) {
	case R_X86_64_32:
		return value == (uint32_t)value;
	case R_X86_64_32S: case R_X86_64_PC32: case R_X86_64_PLT32:
		return value == (uint64_t)(int64_t)(int32_t)value;
	}
	return true;
}

static int apply(struct udf_elf *elf, const struct elf_section *target, const Elf64_Rela *rela, uint8_t *mem,
		 struct udf_error *err)
{
	uint32_t type = ELF64_R_TYPE(rela->r_info), nr = ELF64_R_SYM(rela->r_info);
	int width = reloc_width(type);
	const struct udf_elf_symbol *sym;
	uint64_t value;

	if (width < 0)
		return elf_error(elf, err, -ENOEXEC, "section %s+%#" PRIx64 ": unknown relocation type %u", target->pub.name,
				 rela->r_offset, type);
	if (!width)
		return 0;
	if (rela->r_offset > target->pub.size || target->pub.size - rela->r_offset < (unsigned int)width)
		return elf_error(elf, err, -ENOEXEC, "section %s: relocation at %#" PRIx64 " lies beyond its end",
				 target->pub.name, rela->r_offset);
	if (nr >= elf->nr_sym)
		return elf_error(elf, err, -ENOEXEC, "section %s+%#" PRIx64 ": relocation to symbol %u, which does not exist",
				 target->pub.name, rela->r_offset, nr);
	sym = &elf->sym[nr];
	if (sym->shndx != SHN_UNDEF && sym->shndx != SHN_ABS && elf->sec[sym->shndx].pub.part == UDF_PART_COUNT)
		return elf_error(elf, err, -ENOEXEC, "section %s+%#" PRIx64 ": relocation to %s, which is not loaded (section %s)",
				 target->pub.name, rela->r_offset, symbol_name(elf, sym), elf->sec[sym->shndx].pub.name);
	value = sym->value + (uint64_t)rela->r_addend;
	if (type == R_X86_64_PC32 || type == R_X86_64_PLT32 || type == R_X86_64_PC64)
		value -= target->pub.addr + rela->r_offset;
	if (!reloc_fits(type, value))
		return elf_error(elf, err, -ENOEXEC,
				 "section %s+%#" PRIx64 ": relocation type %u to %s does not fit (value %#" PRIx64 ")",
				 target->pub.name, rela->r_offset, type, symbol_name(elf, sym), value);
	memcpy(mem + rela->r_offset, &value, width);
	return 0;
}

static int relocate_section(struct udf_elf *elf, unsigned int rela_sec, const struct udf_elf_place *place, struct udf_error *err)
{
	const struct elf_section *target = &elf->sec[elf->sec[rela_sec].hdr.sh_info];
	uint64_t i, n = elf->sec[rela_sec].pub.size / sizeof(Elf64_Rela);
	uint8_t *mem;

	if (target->pub.part == UDF_PART_COUNT || !target->pub.size)
		return 0;
	if (target->hdr.sh_type == SHT_NOBITS && n)
		return elf_error(elf, err, -ENOEXEC, "section %s: relocations in zeroed data", target->pub.name);
	mem = (uint8_t *)place[target->pub.part].mem + target->offset;
	for (i = 0; i < n; i++) {
		Elf64_Rela rela;
		int ret;

		udf_elf_get_rela(elf, rela_sec, i, &rela);
		ret = apply(elf, target, &rela, mem, err);
		if (ret)
			return ret;
	}
	return 0;
}

int udf_elf_link(struct udf_elf *elf, const struct udf_elf_place place[UDF_PART_COUNT], udf_elf_resolve *resolve, void *ctx,
		 struct udf_error *err)
{
	unsigned int i;
	int ret;

	copy_sections(elf, place);
	ret = resolve_symbols(elf, resolve, ctx, err);
	for (i = 1; !ret && i < elf->nr_sec; i++)
		if (elf->sec[i].hdr.sh_type == SHT_RELA)
			ret = relocate_section(elf, i, place, err);
	return ret;
}
