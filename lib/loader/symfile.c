// SPDX-License-Identifier: GPL-2.0
/*
 * What a debugger wants to know of a linked object: sections, symbols, frames and the debug information that its file has, at the
 * addresses where it runs. Host world.
 */
#include "loader/symfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "debug/frames.h"
#include "loader/elf.h"

/* ---- debug sections ---- */

static bool is_debug(const struct elf_section *s)
{
	return s->pub.part == UDF_PART_COUNT && s->hdr.sh_type == SHT_PROGBITS && !strncmp(s->pub.name, ".debug_", 7);
}

/* What a symbol stands for in the linked object: an offset for what is not loaded, as one debug section has into another. */
static uint64_t symbol_value(const struct udf_elf *elf, uint32_t nr)
{
	Elf64_Sym sym;
	uint64_t base = 0;

	if (!nr || nr >= elf->nr_sym)
		return 0;
	udf_elf_get_sym(elf, nr, &sym);
	if (sym.st_shndx == SHN_UNDEF)
		return elf->sym[nr].value;
	if (sym.st_shndx < elf->nr_sec && elf->sec[sym.st_shndx].pub.part < UDF_PART_PERCPU)
		base = elf->sec[sym.st_shndx].pub.addr;
	return base + sym.st_value;
}

static void relocate(const struct udf_elf *elf, unsigned int rela_sec, char *data, uint64_t size)
{
	uint64_t i, n = elf->sec[rela_sec].pub.size / sizeof(Elf64_Rela);

	for (i = 0; i < n; i++) {
		Elf64_Rela rela;
		unsigned int width;
		uint64_t value;

		udf_elf_get_rela(elf, rela_sec, i, &rela);
		switch (ELF64_R_TYPE(rela.r_info)) {
		case R_X86_64_64:
			width = 8;
			break;
		case R_X86_64_32: case R_X86_64_32S:
			width = 4;
			break;
		default:
			continue;	/* a debugger can do without the odd address */
		}
		if (rela.r_offset > size || size - rela.r_offset < width)
			continue;
		value = symbol_value(elf, ELF64_R_SYM(rela.r_info)) + (uint64_t)rela.r_addend;
		memcpy(data + rela.r_offset, &value, width);
	}
}

static void debug_section(const struct udf_elf *elf, unsigned int i, struct udf_strbuf *out)
{
	const struct elf_section *s = &elf->sec[i];
	unsigned int j;

	udf_strbuf_addn(out, elf->data + s->hdr.sh_offset, s->pub.size);
	if (out->failed)
		return;
	for (j = 1; j < elf->nr_sec; j++)
		if (elf->sec[j].hdr.sh_type == SHT_RELA && elf->sec[j].hdr.sh_info == i)
			relocate(elf, j, out->data, s->pub.size);
}

void udf_elf_add_debug(const struct udf_elf *elf, struct udf_symfile *f, struct udf_strbuf *frames)
{
	unsigned int i;

	for (i = 1; i < elf->nr_sec; i++) {
		const struct elf_section *s = &elf->sec[i];
		struct udf_strbuf bytes = UDF_STRBUF_INIT;

		if (!is_debug(s) || !s->pub.size || s->hdr.sh_flags & SHF_COMPRESSED)
			continue;
		if (!strcmp(s->pub.name, ".debug_frame")) {
			debug_section(elf, i, frames);
			continue;
		}
		debug_section(elf, i, &bytes);
		udf_symfile_debug(f, s->pub.name, &bytes, s->hdr.sh_flags & (SHF_MERGE | SHF_STRINGS), s->hdr.sh_entsize);
	}
}

void udf_elf_assume(struct udf_elf *elf, uint64_t (*addr)(void *ctx, const char *section), void *ctx)
{
	unsigned int i;

	for (i = 1; i < elf->nr_sec; i++)
		if (elf->sec[i].pub.part != UDF_PART_COUNT)
			elf->sec[i].pub.addr = addr(ctx, elf->sec[i].pub.name);
}

/* ---- modules ---- */

static bool is_there(const struct elf_section *s, bool init)
{
	switch (s->pub.part) {
	case UDF_PART_TEXT: case UDF_PART_RODATA: case UDF_PART_DATA:
		return true;
	case UDF_PART_INIT_TEXT: case UDF_PART_INIT_DATA:
		return init;
	default:
		return false;
	}
}

static void add_sections(const struct udf_elf *elf, bool init, struct udf_symfile *f)
{
	unsigned int i;

	for (i = 1; i < elf->nr_sec; i++) {
		const struct elf_section *s = &elf->sec[i];

		if (is_there(s, init) && s->hdr.sh_type != SHT_NOTE)
			udf_symfile_section(f, s->pub.name, s->pub.addr, s->pub.size, s->hdr.sh_flags & SHF_EXECINSTR);
	}
}

static void add_symbols(const struct udf_elf *elf, bool init, struct udf_symfile *f)
{
	unsigned int i;

	for (i = 1; i < elf->nr_sym; i++) {
		const struct udf_elf_symbol *sym = &elf->sym[i];
		bool func;

		if (!sym->name[0] || sym->shndx == SHN_UNDEF || sym->shndx >= elf->nr_sec || sym->type > STT_FUNC ||
		    !is_there(&elf->sec[sym->shndx], init))
			continue;
		func = elf->sec[sym->shndx].hdr.sh_flags & SHF_EXECINSTR;
		udf_symfile_symbol(f, sym->name, sym->value, sym->size, func, sym->bind != STB_LOCAL);
	}
}

/* A section's bytes where they were linked to; NULL if there is none. */
static const uint8_t *linked_bytes(const struct udf_elf *elf, const struct udf_elf_place *place, const char *name,
				   const struct udf_elf_section **out)
{
	const struct udf_elf_section *s = udf_elf_section_by_name(elf, name);

	if (!s || s->part >= UDF_PART_COUNT)
		return NULL;
	*out = s;
	return (const uint8_t *)place[s->part].mem + (s->addr - place[s->part].addr);
}

static int add_orc(const struct udf_elf *elf, const struct udf_elf_place *place, bool init, struct udf_strbuf *bytes)
{
	const struct udf_elf_section *ip = NULL, *entry = NULL;
	struct udf_orc_table table = { 0 };
	struct udf_span *code;
	struct udf_frames *frames;
	unsigned int i, n = 0;
	int ret;

	table.ip = linked_bytes(elf, place, ".orc_unwind_ip", &ip);
	table.entry = linked_bytes(elf, place, ".orc_unwind", &entry);
	if (!table.ip || !table.entry)
		return 0;
	table.ip_addr = ip->addr;
	table.nr = ip->size / 4 < entry->size / 6 ? ip->size / 4 : entry->size / 6;
	code = calloc(elf->nr_sec, sizeof(*code));
	if (!code)
		return -ENOMEM;
	for (i = 1; i < elf->nr_sec; i++) {
		const struct elf_section *s = &elf->sec[i];

		if (is_there(s, init) && s->hdr.sh_flags & SHF_EXECINSTR)
			code[n++] = (struct udf_span){ s->pub.addr, s->pub.addr + s->pub.size };
	}
	frames = udf_frames_new(bytes);
	ret = frames ? udf_frames_orc(frames, &table, code, n) : -ENOMEM;
	if (frames)
		udf_frames_end(frames);
	free(code);
	return ret;
}

int udf_elf_symfile(const struct udf_elf *elf, const struct udf_elf_place place[UDF_PART_COUNT], bool init, void **data, size_t *len)
{
	struct udf_symfile *f = udf_symfile_new();
	struct udf_strbuf frames = UDF_STRBUF_INIT;
	int ret;

	if (!f)
		return -ENOMEM;
	add_sections(elf, init, f);
	add_symbols(elf, init, f);
	udf_elf_add_debug(elf, f, &frames);
	ret = add_orc(elf, place, init, &frames);
	if (ret) {
		udf_strbuf_free(&frames);
		udf_symfile_free(f);
		return ret;
	}
	if (frames.len)
		udf_symfile_debug(f, ".debug_frame", &frames, 0, 0);
	return udf_symfile_finish(f, data, len);
}
