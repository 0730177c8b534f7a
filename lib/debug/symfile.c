// SPDX-License-Identifier: GPL-2.0
/* Write a symbol file; see symfile.h. Host world; pure. */
#include "debug/symfile.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECTIONS_MAX 512	/* a module with a section for each function keeps its symbols, in the nearest section */

struct udf_symfile {
	Elf64_Shdr sec[SECTIONS_MAX];
	struct udf_strbuf data[SECTIONS_MAX];
	unsigned int nr;
	struct udf_strbuf names, strings, local, global;
};

struct udf_symfile *udf_symfile_new(void)
{
	struct udf_symfile *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->nr = 1;				/* the null section */
	udf_strbuf_addc(&f->names, 0);
	udf_strbuf_addc(&f->strings, 0);
	udf_strbuf_addn(&f->local, &(Elf64_Sym){ 0 }, sizeof(Elf64_Sym));
	return f;
}

void udf_symfile_free(struct udf_symfile *f)
{
	unsigned int i;

	if (!f)
		return;
	for (i = 0; i < f->nr; i++)
		udf_strbuf_free(&f->data[i]);
	udf_strbuf_free(&f->names);
	udf_strbuf_free(&f->strings);
	udf_strbuf_free(&f->local);
	udf_strbuf_free(&f->global);
	free(f);
}

static uint32_t add_name(struct udf_strbuf *sb, const char *name)
{
	uint32_t at = (uint32_t)sb->len;

	udf_strbuf_addn(sb, name, strlen(name) + 1);
	return at;
}

static Elf64_Shdr *add_section(struct udf_symfile *f, const char *name, uint32_t type)
{
	Elf64_Shdr *s;

	if (f->nr >= SECTIONS_MAX - 3)		/* the tables come last */
		return NULL;
	s = &f->sec[f->nr++];
	s->sh_name = add_name(&f->names, name);
	s->sh_type = type;
	s->sh_addralign = 1;
	return s;
}

void udf_symfile_section(struct udf_symfile *f, const char *name, uint64_t addr, uint64_t size, bool exec)
{
	Elf64_Shdr *s = size ? add_section(f, name, SHT_NOBITS) : NULL;

	if (!s)
		return;
	s->sh_addr = addr;
	s->sh_size = size;
	s->sh_flags = SHF_ALLOC | (exec ? SHF_EXECINSTR : SHF_WRITE);
}

static uint16_t section_of(const struct udf_symfile *f, uint64_t value)
{
	unsigned int i;

	for (i = 1; i < f->nr; i++)
		if (f->sec[i].sh_flags & SHF_ALLOC && value >= f->sec[i].sh_addr && value - f->sec[i].sh_addr < f->sec[i].sh_size)
			return (uint16_t)i;
	return SHN_ABS;
}

void udf_symfile_symbol(struct udf_symfile *f, const char *name, uint64_t value, uint64_t size, bool func, bool global)
{
	Elf64_Sym sym = {
		.st_name = add_name(&f->strings, name),
		.st_info = ELF64_ST_INFO(global ? STB_GLOBAL : STB_LOCAL, func ? STT_FUNC : STT_OBJECT),
		.st_shndx = section_of(f, value), .st_value = value, .st_size = size,
	};

	udf_strbuf_addn(global ? &f->global : &f->local, &sym, sizeof(sym));
}

void udf_symfile_debug(struct udf_symfile *f, const char *name, struct udf_strbuf *bytes, uint64_t flags, uint64_t entsize)
{
	Elf64_Shdr *s = add_section(f, name, SHT_PROGBITS);

	if (s) {
		s->sh_flags = flags;
		s->sh_entsize = entsize;
		f->data[f->nr - 1] = *bytes;
	} else {
		udf_strbuf_free(bytes);
	}
	*bytes = (struct udf_strbuf)UDF_STRBUF_INIT;
}

/* The tables as sections; the string table of section names comes last, as it gets the other two's names. */
static void add_tables(struct udf_symfile *f)
{
	unsigned int locals = (unsigned int)(f->local.len / sizeof(Elf64_Sym));
	Elf64_Shdr *s = &f->sec[f->nr];

	udf_strbuf_addn(&f->local, f->global.data ? f->global.data : "", f->global.len);
	s[0] = (Elf64_Shdr){ .sh_name = add_name(&f->names, ".symtab"), .sh_type = SHT_SYMTAB, .sh_link = f->nr + 1, .sh_info = locals,
			     .sh_addralign = 8, .sh_entsize = sizeof(Elf64_Sym) };
	s[1] = (Elf64_Shdr){ .sh_name = add_name(&f->names, ".strtab"), .sh_type = SHT_STRTAB, .sh_addralign = 1 };
	s[2] = (Elf64_Shdr){ .sh_name = add_name(&f->names, ".shstrtab"), .sh_type = SHT_STRTAB, .sh_addralign = 1 };
	f->local.failed |= f->global.failed;
	f->data[f->nr++] = f->local;
	f->data[f->nr++] = f->strings;
	f->data[f->nr++] = f->names;
	f->local = f->strings = f->names = (struct udf_strbuf)UDF_STRBUF_INIT;
}

int udf_symfile_finish(struct udf_symfile *f, void **data, size_t *len)
{
	struct udf_strbuf out = UDF_STRBUF_INIT;
	Elf64_Ehdr eh = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_ehsize = sizeof(eh),
		.e_shentsize = sizeof(Elf64_Shdr),
	};
	uint64_t at = sizeof(eh);
	unsigned int i;

	add_tables(f);
	for (i = 1; i < f->nr; i++) {
		at = (at + 7) & ~7ull;
		f->sec[i].sh_offset = at;
		if (f->sec[i].sh_type == SHT_NOBITS)
			continue;
		f->sec[i].sh_size = f->data[i].len;
		at += f->data[i].len;
		out.failed |= f->data[i].failed;
	}
	eh.e_shoff = (at + 7) & ~7ull;
	eh.e_shnum = (uint16_t)f->nr;
	eh.e_shstrndx = (uint16_t)(f->nr - 1);
	udf_strbuf_addn(&out, &eh, sizeof(eh));
	for (i = 1; i < f->nr; i++) {
		static const char zeroes[8];

		udf_strbuf_addn(&out, zeroes, f->sec[i].sh_offset - out.len);
		udf_strbuf_addn(&out, f->data[i].data ? f->data[i].data : "", f->data[i].len);
		udf_strbuf_free(&f->data[i]);
		if (out.failed)
			break;
	}
	if (!out.failed) {
		udf_strbuf_addn(&out, "\0\0\0\0\0\0\0", eh.e_shoff - out.len);
		udf_strbuf_addn(&out, f->sec, f->nr * sizeof(Elf64_Shdr));
	}
	udf_symfile_free(f);
	*len = out.len;
	*data = udf_strbuf_detach(&out);
	return *data ? 0 : -ENOMEM;
}
