// SPDX-License-Identifier: GPL-2.0
/* Makes small relocatable ELF files; see elfgen.h. */
#include "loader/elfgen.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MAX 64

struct blob {
	uint8_t *data;
	size_t len;
};

struct elfgen {
	struct {
		Elf64_Shdr hdr;
		struct blob data, rela;
		char name[64];
	} sec[MAX];
	unsigned int nr_sec;
	struct blob symbols, strings, names;
};

static size_t append(struct blob *b, const void *data, size_t len)
{
	size_t at = b->len;

	b->data = realloc(b->data, b->len + len + 1);
	assert(b->data);
	if (len && data)
		memcpy(b->data + at, data, len);
	else
		memset(b->data + at, 0, len);
	b->len += len;
	return at;
}

static size_t append_string(struct blob *b, const char *s)
{
	return append(b, s, strlen(s) + 1);
}

struct elfgen *elfgen_new(void)
{
	struct elfgen *g = calloc(1, sizeof(*g));

	assert(g);
	g->nr_sec = 1;
	append(&g->symbols, NULL, sizeof(Elf64_Sym));
	append_string(&g->strings, "");
	append_string(&g->names, "");
	return g;
}

unsigned int elfgen_section(struct elfgen *g, const char *name, uint32_t type, uint64_t flags, const void *data, size_t size,
			    uint64_t align)
{
	unsigned int n = g->nr_sec++;

	assert(n < MAX);
	strncpy(g->sec[n].name, name, sizeof(g->sec[n].name) - 1);
	g->sec[n].hdr = (Elf64_Shdr){ .sh_name = append_string(&g->names, name), .sh_type = type, .sh_flags = flags,
				      .sh_size = size, .sh_addralign = align };
	if (type != SHT_NOBITS)
		append(&g->sec[n].data, data, size);
	return n;
}

Elf64_Shdr *elfgen_header(struct elfgen *g, unsigned int section)
{
	return &g->sec[section].hdr;
}

unsigned int elfgen_symbol(struct elfgen *g, const char *name, uint8_t bind, uint8_t type, uint16_t section, uint64_t value,
			   uint64_t size)
{
	Elf64_Sym sym = { .st_name = *name ? append_string(&g->strings, name) : 0, .st_info = ELF64_ST_INFO(bind, type),
			  .st_shndx = section, .st_value = value, .st_size = size };

	return append(&g->symbols, &sym, sizeof(sym)) / sizeof(sym);
}

void elfgen_reloc(struct elfgen *g, unsigned int section, uint64_t offset, uint32_t type, unsigned int symbol, int64_t addend)
{
	Elf64_Rela rela = { .r_offset = offset, .r_info = ELF64_R_INFO((uint64_t)symbol, type), .r_addend = addend };

	append(&g->sec[section].rela, &rela, sizeof(rela));
}

static void put_section(struct blob *file, Elf64_Shdr *hdr, const struct blob *data)
{
	append(file, NULL, -file->len & 7);
	hdr->sh_offset = file->len;
	append(file, data->data, data->len);
}

static void free_all(struct elfgen *g)
{
	unsigned int i;

	for (i = 0; i < MAX; i++) {
		free(g->sec[i].data.data);
		free(g->sec[i].rela.data);
	}
	free(g->symbols.data);
	free(g->strings.data);
	free(g->names.data);
	free(g);
}

void *elfgen_finish(struct elfgen *g, size_t *len)
{
	unsigned int i, n = g->nr_sec, nr = n, nr_rela = 0, symtab;
	Elf64_Shdr hdr[2 * MAX] = { 0 };
	struct blob file = { 0 };
	Elf64_Ehdr eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_REL,
			  .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_ehsize = sizeof(eh), .e_shentsize = sizeof(Elf64_Shdr) };

	for (i = 1; i < n; i++)
		nr_rela += g->sec[i].rela.len != 0;
	symtab = n + nr_rela;
	append(&file, NULL, sizeof(eh));
	for (i = 1; i < n; i++) {
		hdr[i] = g->sec[i].hdr;
		put_section(&file, &hdr[i], &g->sec[i].data);
	}
	for (i = 1; i < n; i++) {
		if (!g->sec[i].rela.len)
			continue;
		hdr[nr] = (Elf64_Shdr){ .sh_name = append_string(&g->names, ".rela"), .sh_type = SHT_RELA, .sh_size = g->sec[i].rela.len,
					.sh_link = symtab, .sh_info = i, .sh_entsize = sizeof(Elf64_Rela), .sh_addralign = 8 };
		put_section(&file, &hdr[nr++], &g->sec[i].rela);
	}
	hdr[symtab] = (Elf64_Shdr){ .sh_name = append_string(&g->names, ".symtab"), .sh_type = SHT_SYMTAB, .sh_size = g->symbols.len,
				    .sh_link = symtab + 1, .sh_entsize = sizeof(Elf64_Sym), .sh_addralign = 8 };
	put_section(&file, &hdr[symtab], &g->symbols);
	hdr[symtab + 1] = (Elf64_Shdr){ .sh_name = append_string(&g->names, ".strtab"), .sh_type = SHT_STRTAB,
					.sh_size = g->strings.len };
	put_section(&file, &hdr[symtab + 1], &g->strings);
	hdr[symtab + 2].sh_name = append_string(&g->names, ".shstrtab");
	hdr[symtab + 2].sh_type = SHT_STRTAB;
	hdr[symtab + 2].sh_size = g->names.len;
	put_section(&file, &hdr[symtab + 2], &g->names);
	append(&file, NULL, -file.len & 7);
	eh.e_shoff = file.len;
	eh.e_shnum = symtab + 3;
	eh.e_shstrndx = symtab + 2;
	append(&file, hdr, eh.e_shnum * sizeof(hdr[0]));
	memcpy(file.data, &eh, sizeof(eh));
	free_all(g);
	*len = file.len;
	return file.data;
}

static void add_modinfo(struct elfgen *g, const struct elfgen_module *m)
{
	const char *const tag[] = { "name=", "vermagic=", "license=", "depends=", "" };
	const char *const value[] = { m->name, m->vermagic, m->license, m->depends, m->more };
	struct blob info = { 0 };
	unsigned int i;

	for (i = 0; i < 5; i++) {
		if (!value[i])
			continue;
		append(&info, tag[i], strlen(tag[i]));
		append_string(&info, value[i]);
	}
	elfgen_section(g, ".modinfo", SHT_PROGBITS, SHF_ALLOC, info.data, info.len, 1);
	free(info.data);
}

/* Text: "call IMPORT" for each import, then a ret at the end; each export is a function there. */
static void add_imports(struct elfgen *g, const struct elfgen_module *m, unsigned int text)
{
	struct { uint64_t crc; char name[56]; } version[8] = { 0 };
	unsigned int i, n = 0;

	for (i = 0; i < 8 && m->import[i].name; i++) {
		unsigned int sym = elfgen_symbol(g, m->import[i].name, STB_GLOBAL, STT_NOTYPE, SHN_UNDEF, 0, 0);

		elfgen_reloc(g, text, i * 5 + 1, R_X86_64_PLT32, sym, -4);
		if (!m->import[i].crc)
			continue;
		version[n].crc = m->import[i].crc;
		strcpy(version[n++].name, m->import[i].name);
	}
	elfgen_section(g, "__versions", SHT_PROGBITS, SHF_ALLOC, version, n * sizeof(version[0]), 32);
}

static void add_exports(struct elfgen *g, const struct elfgen_module *m, unsigned int text, int gpl)
{
	struct blob strings = { 0 }, crcs = { 0 };
	uint8_t zero[12 * 8] = { 0 };
	unsigned int i, n = 0, ksymtab, strsym, name_at[8], ns_at[8], sym[8];

	for (i = 0; i < 8 && m->export[i].name; i++) {
		if (m->export[i].gpl != gpl)
			continue;
		sym[n] = elfgen_symbol(g, m->export[i].name, STB_GLOBAL, STT_FUNC, text, 40 + i, 1);
		name_at[n] = append_string(&strings, m->export[i].name);
		ns_at[n++] = append_string(&strings, m->export[i].namespace ? m->export[i].namespace : "");
		append(&crcs, &m->export[i].crc, 4);
	}
	if (n) {
		ksymtab = elfgen_section(g, gpl ? "__ksymtab_gpl" : "__ksymtab", SHT_PROGBITS, SHF_ALLOC, zero, 12 * n, 4);
		elfgen_section(g, gpl ? "__kcrctab_gpl" : "__kcrctab", SHT_PROGBITS, SHF_ALLOC, crcs.data, crcs.len, 4);
		strsym = elfgen_symbol(g, "", STB_LOCAL, STT_SECTION,
				       elfgen_section(g, "__ksymtab_strings", SHT_PROGBITS, SHF_ALLOC, strings.data, strings.len, 1), 0, 0);
		for (i = 0; i < n; i++) {
			elfgen_reloc(g, ksymtab, i * 12, R_X86_64_PC32, sym[i], 0);
			elfgen_reloc(g, ksymtab, i * 12 + 4, R_X86_64_PC32, strsym, name_at[i]);
			elfgen_reloc(g, ksymtab, i * 12 + 8, R_X86_64_PC32, strsym, ns_at[i]);
		}
	}
	free(strings.data);
	free(crcs.data);
}

void *elfgen_module(const struct elfgen_module *m, size_t *len)
{
	struct elfgen *g = elfgen_new();
	uint8_t code[48];
	unsigned int i, text;

	memset(code, 0xc3, sizeof(code));
	for (i = 0; i < 8 && m->import[i].name; i++)
		memset(code + i * 5, i ? 0xe8 : 0xe9, 1);
	text = elfgen_section(g, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, code, sizeof(code), 16);
	elfgen_symbol(g, "work", STB_LOCAL, STT_FUNC, text, 0, 40);
	elfgen_symbol(g, "a_label", STB_LOCAL, STT_NOTYPE, text, 0, 0);
	elfgen_section(g, ".rodata", SHT_PROGBITS, SHF_ALLOC, "constant", 8, 1);
	elfgen_section(g, ".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, "variable", 8, 8);
	elfgen_section(g, ".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, NULL, 64, 32);
	elfgen_section(g, ".gnu.linkonce.this_module", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, NULL, 128, 64);
	i = elfgen_section(g, ".init.text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, "\x31\xc0\xc3", 3, 1);
	elfgen_symbol(g, "init_module", STB_GLOBAL, STT_FUNC, i, 0, 3);
	elfgen_section(g, ".data..percpu", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, "percpu!", 8, 16);
	add_modinfo(g, m);
	add_imports(g, m, text);
	add_exports(g, m, text, 0);
	add_exports(g, m, text, 1);
	return elfgen_finish(g, len);
}
