// SPDX-License-Identifier: GPL-2.0
/* Kernel-world objects for tests; see fake_kapi.h. */
#define _GNU_SOURCE
#include "image/fake_kapi.h"

#include <elf.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/elfgen.h"

#define ENTRY 40

/* 0x00: mov $7, %eax; ret. 0x10: call __fentry__; jmp __x86_return_thunk; call __x86_indirect_thunk_r10 */
static void add_text(struct elfgen *g, const struct fake_kapi *what, unsigned int *func)
{
	static const uint8_t code[0x20] = {
		0xb8, 7, 0, 0, 0, 0xc3, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
		0xe8, 0, 0, 0, 0, 0xe9, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0x90,
	};
	static const struct { const char *section, *thunk; uint64_t at; size_t size; uint32_t type; } site[] = {
		{ "__mcount_loc", "__fentry__", 0x10, 8, R_X86_64_64 },
		{ ".return_sites", "__x86_return_thunk", 0x15, 4, R_X86_64_PC32 },
		{ ".retpoline_sites", "__x86_indirect_thunk_r10", 0x1a, 4, R_X86_64_PC32 },
	};
	unsigned int text = elfgen_section(g, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, code, sizeof(code), 16), i;
	uint64_t zero = 0;

	*func = elfgen_symbol(g, "kapi_func", STB_GLOBAL, STT_FUNC, (uint16_t)text, 0, 6);
	if (!what->thunks)
		return;
	elfgen_symbol(g, "kapi_patched", STB_LOCAL, STT_FUNC, (uint16_t)text, 0x10, 0x10);
	for (i = 0; i < 3; i++) {
		unsigned int thunk = elfgen_symbol(g, site[i].thunk, STB_GLOBAL, STT_NOTYPE, SHN_UNDEF, 0, 0);
		unsigned int list = elfgen_section(g, site[i].section, SHT_PROGBITS, SHF_ALLOC, &zero, site[i].size, 1);

		elfgen_reloc(g, text, site[i].at + 1, R_X86_64_PLT32, thunk, -4);
		elfgen_reloc(g, list, 0, site[i].type, *func, (int64_t)site[i].at);
	}
}

static void add_replacements(struct elfgen *g, const struct fake_kapi *what, unsigned int func)
{
	char strings[1024] = "kernel/fake.c\0because";
	uint8_t zero[8 * ENTRY] = { 0 };
	size_t len = strlen("kernel/fake.c") + 1 + strlen("because") + 1, at[8];
	unsigned int n, rodata, table, symbol;

	for (n = 0; n < 8 && what->replace[n]; n++) {
		at[n] = len;
		strcpy(strings + len, what->replace[n]);
		len += strlen(what->replace[n]) + 1;
		zero[n * ENTRY + 32] = n % 3;	/* ordinary, a no-op, unsupported, ... */
	}
	if (!n)
		return;
	rodata = elfgen_section(g, ".rodata.str", SHT_PROGBITS, SHF_ALLOC, strings, len, 1);
	symbol = elfgen_symbol(g, "strings", STB_LOCAL, STT_OBJECT, (uint16_t)rodata, 0, len);
	table = elfgen_section(g, ".udf_replace", SHT_PROGBITS, SHF_ALLOC, zero, n * ENTRY, 8);
	while (n--) {
		elfgen_reloc(g, table, n * ENTRY, R_X86_64_64, symbol, (int64_t)at[n]);
		elfgen_reloc(g, table, n * ENTRY + 8, R_X86_64_64, func, 0);
		elfgen_reloc(g, table, n * ENTRY + 16, R_X86_64_64, symbol, 0);
		elfgen_reloc(g, table, n * ENTRY + 24, R_X86_64_64, symbol, sizeof("kernel/fake.c"));
	}
}

static void add_imports(struct elfgen *g, const struct fake_kapi *what)
{
	uint64_t zero[9] = { 0 };
	unsigned int data = elfgen_section(g, ".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, zero, sizeof(zero), 8), i;

	elfgen_symbol(g, "kapi_imports", STB_GLOBAL, STT_OBJECT, (uint16_t)data, 0, sizeof(zero));
	for (i = 0; i < 8 && what->import[i]; i++)
		elfgen_reloc(g, data, 8 * i, R_X86_64_64, elfgen_symbol(g, what->import[i], STB_GLOBAL, STT_NOTYPE, SHN_UNDEF, 0, 0), 0);
	if (what->weak)
		elfgen_reloc(g, data, 64, R_X86_64_64, elfgen_symbol(g, what->weak, STB_WEAK, STT_NOTYPE, SHN_UNDEF, 0, 0), 0);
}

void *fake_kapi(const struct fake_kapi *what, size_t *len)
{
	struct elfgen *g = elfgen_new();
	unsigned int func;

	add_text(g, what, &func);
	add_replacements(g, what, func);
	add_imports(g, what);
	elfgen_section(g, "__bug_table", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, &what->version, sizeof(what->version), 4);
	if (what->percpu)
		elfgen_section(g, ".data..percpu", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, "12345678", 8, 8);
	return elfgen_finish(g, len);
}

void fake_folder(char *path, size_t len)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(path, len, "%s/udf-image-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(path))
		abort();
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void fake_folder_remove(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void fake_file(const char *folder, const char *name, const void *data, size_t len, char *path, size_t path_len)
{
	FILE *f;

	snprintf(path, path_len, "%s/%s", folder, name);
	f = fopen(path, "w");
	if (!f || fwrite(data, 1, len, f) != len || fclose(f))
		abort();
}
