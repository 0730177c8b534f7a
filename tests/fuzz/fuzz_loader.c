// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target: everything that the loader does with the bytes of a module file, short of running it: parse, look at names,
 * exports, versions and code, link into memory of exactly the size that was asked for, patch, index symbols.
 *
 * Most bytes of a module are code, which nobody checks; so half of the mutations go to what the loader reads: headers, section
 * headers, symbols, relocations.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loader/elf.h"
#include "loader/insns.h"
#include "loader/internal.h"

#define MEMORY_MAX (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned int seed);

static int resolve(void *ctx, const char *name, bool weak, uint64_t *value, struct udf_error *err)
{
	(void)ctx;
	if (weak)
		return 0;
	if (name[0] == '!')
		return udf_error_set(err, -ENOENT, "no %s", name);
	*value = 0x71000000 + (uint8_t)name[0] * 16;
	return 0;
}

static void count_insn(void *ctx, const struct udf_insn *insn)
{
	*(unsigned long *)ctx += insn->offset + strlen(insn->name) + strlen(insn->function);
}

static const char *vermagic(void *ctx)
{
	(void)ctx;
	return "6.1";
}

static int find_export(void *ctx, const char *name, struct udf_export *out)
{
	(void)ctx;
	*out = (struct udf_export){ .addr = 0x71000000, .crc = (uint8_t)name[0], .gpl = name[0] & 1,
				    .namespace = name[0] & 2 ? "SPACE" : "" };
	return name[0] & 4 ? -ENOENT : 0;
}

static uint64_t find_symbol(void *ctx, const char *name)
{
	(void)ctx;
	return name[0] & 8 ? 0x70000000 : 0;
}

/* As though the module were there already: it may import from its own exports then. */
static unsigned long look_at_imports(struct udf_module *mod)
{
	static struct udf_loader loader = { .kernel = { .vermagic = vermagic, .export = find_export, .kapi = find_symbol,
							.symbol = find_symbol } };
	struct udf_error err = UDF_ERROR_INIT;
	unsigned long sum = 0;

	udf_exports_add(&loader, mod);
	if (!udf_imports_find(&loader, mod, &err)) {
		sum = (unsigned long)udf_imports_check(mod, &err);
		udf_place_measure(mod);
	}
	udf_exports_remove(&loader, mod);
	free(mod->import);
	free(mod->use);
	return sum + mod->host.core.size;
}

static unsigned long look(struct udf_module *mod)
{
	const struct udf_elf *elf = mod->elf;
	struct udf_error err = UDF_ERROR_INIT;
	unsigned long sum = 0;
	const char *name = NULL;
	unsigned int i;
	uint32_t crc;

	while ((name = udf_elf_modinfo_next(elf, "parm", name)))
		sum += strlen(name);
	for (i = 0; udf_elf_version(elf, i, &name, &crc); i++)
		sum += strlen(name) + crc;
	udf_insns_scan(elf, count_insn, &sum);
	if (!udf_exports_read(mod, &err)) {
		for (i = 0; i < mod->nr_exports; i++)
			sum += strlen(mod->export[i].name) + strlen(mod->export[i].namespace);
		sum += look_at_imports(mod);
	}
	free(mod->export);
	free(mod->export_names);
	return sum;
}

static void patch(const struct udf_elf *elf, const struct udf_elf_place *place)
{
	static const struct { const char *section; enum udf_patch_kind kind; } tables[] = {
		{ ".return_sites", UDF_PATCH_RETURNS }, { ".retpoline_sites", UDF_PATCH_RETPOLINES }, { "__mcount_loc", UDF_PATCH_FENTRY },
	};
	const struct udf_patch_thunks thunks = { .ret = 0x710005f0, .fentry = 0x710005f0, .indirect = { 0x710005f0, [11] = 0x710005f0 } };
	const struct udf_patch_text text = { place[UDF_PART_TEXT].addr, place[UDF_PART_TEXT].mem, elf->layout.size[UDF_PART_TEXT] };
	struct udf_patch_count count = { 0 };
	unsigned int i;

	for (i = 0; i < 3; i++) {
		const struct udf_elf_section *s = udf_elf_section_by_name(elf, tables[i].section);
		struct udf_patch_sites sites;

		if (!s || s->part == UDF_PART_COUNT)
			continue;
		sites = (struct udf_patch_sites){ s->addr, (char *)place[s->part].mem + (s->addr - place[s->part].addr), s->size };
		udf_patch_sites(tables[i].kind, &text, 1, &thunks, &sites, &count);
	}
}

static void index_symbols(const struct udf_elf *elf)
{
	struct module_symtab tab = { 0 };
	uint64_t size, strings_size;
	Elf64_Sym *symbols;
	char *strings;

	udf_symtab_size(elf, &size, &strings_size);
	symbols = malloc(size);
	strings = malloc(strings_size);
	if (symbols && strings) {
		udf_symtab_write(elf, symbols, strings);
		if (!udf_symtab_index(&tab, symbols, size, strings, strings_size))
			udf_symtab_lookup(&tab, 0x40000010);
		udf_symtab_forget(symbols, size, 0x40000000, 4096);
	}
	udf_symtab_free(&tab);
	free(symbols);
	free(strings);
}

static void place_and_link(struct udf_elf *elf)
{
	struct udf_elf_place place[UDF_PART_COUNT] = { 0 };
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_elf_layout layout;
	uint64_t total = 0;
	unsigned int i;

	udf_elf_layout(elf, &layout);
	for (i = 0; i < UDF_PART_COUNT; i++)
		total += layout.size[i];
	if (total > MEMORY_MAX)
		return;
	for (i = 0; i < UDF_PART_COUNT; i++) {
		place[i].addr = i == UDF_PART_PERCPU ? 0x20000 : 0x40000000 + i * 0x1000000ull;
		place[i].mem = malloc(layout.size[i] ? layout.size[i] : 1);
	}
	if (!udf_elf_link(elf, place, resolve, NULL, &err)) {
		patch(elf, place);
		index_symbols(elf);
	}
	for (i = 0; i < UDF_PART_COUNT; i++)
		free(place[i].mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char path[] = "fuzz.ko";
	struct udf_module mod = { .path = path, .file_len = len };
	struct udf_error err = UDF_ERROR_INIT;
	volatile unsigned long sink;

	if (udf_elf_parse(data, len, path, &mod.elf, &err))
		return 0;
	sink = look(&mod);
	(void)sink;
	place_and_link(mod.elf);
	udf_elf_free(mod.elf);
	return 0;
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

/* Put a value that is likely to matter into SIZE bytes at P. */
static void spoil(uint8_t *p, size_t size, size_t len, uint32_t *state)
{
	uint64_t value, old = 0;

	memcpy(&old, p, size);
	switch (next_random(state) % 8) {
	case 0: value = 0; break;
	case 1: value = ~0ull; break;
	case 2: value = old + 1; break;
	case 3: value = old - 1; break;
	case 4: value = len; break;
	case 5: value = 1ull << next_random(state) % 64; break;
	case 6: value = old ^ 1ull << next_random(state) % 64; break;
	default: value = next_random(state) % (len + 1); break;
	}
	memcpy(p, &value, size);
}

/* A random field of one of the COUNT entries of SIZE bytes at OFFSET. */
static void spoil_entry(uint8_t *data, size_t len, uint64_t offset, uint64_t count, size_t size, uint32_t *state)
{
	static const uint8_t widths[] = { 1, 2, 4, 8 };
	uint64_t at = offset + (count ? next_random(state) % count : 0) * size + next_random(state) % (size / 4) * 4;
	size_t width = widths[next_random(state) % 4];

	if (at <= len && len - at >= width)
		spoil(data + at, width, len, state);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned int seed)
{
	uint32_t state = seed;
	Elf64_Shdr sh;
	Elf64_Ehdr eh;
	uint64_t at;

	if (len < sizeof(eh) || next_random(&state) % 2)
		return LLVMFuzzerMutate(data, len, max);
	memcpy(&eh, data, sizeof(eh));
	if (next_random(&state) % 16 == 0 || !eh.e_shnum) {
		spoil_entry(data, len, 0, 1, sizeof(eh), &state);
		return len;
	}
	if (next_random(&state) % 2) {
		spoil_entry(data, len, eh.e_shoff, eh.e_shnum, sizeof(sh), &state);
		return len;
	}
	at = eh.e_shoff + (uint64_t)(next_random(&state) % eh.e_shnum) * sizeof(sh);
	if (at > len || len - at < sizeof(sh))
		return len;
	memcpy(&sh, data + at, sizeof(sh));
	if (sh.sh_entsize >= 4 && sh.sh_entsize <= 64)
		spoil_entry(data, len, sh.sh_offset, sh.sh_size / sh.sh_entsize, sh.sh_entsize, &state);
	else if (sh.sh_size)
		spoil_entry(data, len, sh.sh_offset, sh.sh_size / 4, 4, &state);
	return len;
}
