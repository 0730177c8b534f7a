// SPDX-License-Identifier: GPL-2.0
/*
 * Link kapi: place its parts below the image, resolve what it imports, patch its sites, keep its tables findable. Host world.
 *
 *   UDF_KAPI_BASE  text | init text | read-only data | data | init data | .symtab | .strtab
 *                  --- executable -- | ---------------- writable, private ----------------
 */
#define _GNU_SOURCE
#include "image/kapi.h"

#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "contract.h"
#include "loader/loader.h"

static const char *const slots[] = {
#define SLOT(fn) #fn,
	UDF_CONTRACT(SLOT)
#undef SLOT
};

_Static_assert(sizeof(slots) / sizeof(slots[0]) <= UDF_BRIDGE_MAX, "more contract functions than bridges");

void udf_name_list_add(struct udf_name_list *list, const char *name, const char *note)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "%s%.100s%s%s%s", list->count ? ", " : "", name, note ? " (" : "", note ? note : "",
			 note ? ")" : "");

	list->count++;
	if (n > 0)
		udf_bytes_add(&list->text, text, (size_t)n);
}

int udf_name_list_error(struct udf_name_list *list, int code, struct udf_error *err, const char *fmt, ...)
{
	char head[256], more[32] = "";
	size_t room = sizeof(err->text) - sizeof(head) - sizeof(more), len = list->text.len;
	va_list args;

	va_start(args, fmt);
	vsnprintf(head, sizeof(head), fmt, args);
	va_end(args);
	if (len > room) {
		unsigned int shown = 1, i;

		for (len = room; len && list->text.data[len] != ','; len--)
			;
		for (i = 0; i < len; i++)
			shown += list->text.data[i] == ',';
		snprintf(more, sizeof(more), " and %u more", list->count - shown);
	}
	udf_error_set(err, code, "%s %.*s%s", head, (int)len, list->text.data ? (const char *)list->text.data : "", more);
	udf_bytes_free(&list->text);
	return err->code;
}

/* Resolve NAME. Returns NULL and *VALUE, or why it cannot be. */
static const char *resolve_name(const struct udf_kernel *k, const char *name, uint64_t *value)
{
	const struct udf_ksym *sym;
	unsigned int count, i;

	if (!strncmp(name, "host_", 5)) {
		for (i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
			if (!strcmp(slots[i], name)) {
				*value = UDF_BRIDGE_BASE + (uint64_t)UDF_BRIDGE_SLOT * i;
				return NULL;
			}
		}
		return "not in the contract";
	}
	sym = udf_kernel_symbol(k, name, &count);
	if (!sym)
		return "";
	if (count > 1)
		return "several of that name";
	*value = sym->value;
	return NULL;
}

static int resolve(void *ctx, const char *name, bool weak, uint64_t *value, struct udf_error *err)
{
	const char *why = resolve_name(ctx, name, value);

	if (!why)
		return 0;
	*value = 0;
	return weak ? 0 : udf_error_set(err, -ENOENT, "symbol %s does not exist", name);
}

/* All names that cannot be resolved, in one error. */
static int check_imports(const struct udf_kernel *k, const struct udf_kapi *kapi, const struct udf_elf *elf, struct udf_error *err)
{
	struct udf_name_list missing = { 0 };
	unsigned int i;

	for (i = 1; i < udf_elf_nr_symbols(elf); i++) {
		const struct udf_elf_symbol *sym = udf_elf_symbol(elf, i);
		const char *why;
		uint64_t value;

		if (sym->shndx != SHN_UNDEF || !sym->name[0] || sym->bind == STB_WEAK)
			continue;
		why = resolve_name(k, sym->name, &value);
		if (why)
			udf_name_list_add(&missing, sym->name, *why ? why : NULL);
	}
	if (!missing.count)
		return 0;
	return udf_name_list_error(&missing, -ENOENT, err, "%s imports what kernel %s does not have:", kapi->what, k->release);
}

/* Give each part its place, and all of them memory. */
static int place_parts(const struct udf_elf *elf, struct udf_kapi *kapi, uint64_t extra, struct udf_elf_place *place, struct udf_error *err)
{
	static const enum udf_part order[] = { UDF_PART_TEXT, UDF_PART_INIT_TEXT, UDF_PART_RODATA, UDF_PART_DATA, UDF_PART_INIT_DATA };
	struct udf_elf_layout layout;
	uint64_t offset[UDF_PART_COUNT] = { 0 }, size = 0;
	unsigned int i;

	udf_elf_layout(elf, &layout);
	if (layout.size[UDF_PART_PERCPU])
		return udf_error_set(err, -ENOTSUP, "%s has per-CPU data of its own, which the image has no room for: use the image's", kapi->what);
	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		offset[order[i]] = size;
		size += udf_page_up(layout.size[order[i]]);
		if (order[i] == UDF_PART_INIT_TEXT)
			kapi->text_size = size;
	}
	kapi->mem.addr = UDF_KAPI_BASE;
	kapi->mem.size = size + udf_page_up(extra);
	if (kapi->mem.size > UDF_KAPI_END - UDF_KAPI_BASE)
		return udf_error_set(err, -EFBIG, "%s is too big: %llu MiB, and there is room for %d", kapi->what,
				     (unsigned long long)kapi->mem.size >> 20, (UDF_KAPI_END - UDF_KAPI_BASE) >> 20);
	kapi->mem.mem = calloc(1, kapi->mem.size ? kapi->mem.size : 1);
	if (!kapi->mem.mem)
		return udf_error_set(err, -ENOMEM, "not enough memory to link %s", kapi->what);
	for (i = 0; i < UDF_PART_COUNT; i++) {
		place[i].addr = kapi->mem.addr + offset[i];
		place[i].mem = kapi->mem.mem + offset[i];
	}
	/* between the code's sections and behind them: traps */
	memset(kapi->mem.mem, 0xcc, kapi->text_size);
	return 0;
}

static int note_section(struct udf_kernel *k, struct udf_kapi *kapi, const char *name, uint64_t addr, uint64_t size, bool text)
{
	struct udf_kapi_section *s = &kapi->sec[kapi->nr_sec];

	s->addr = addr;
	s->size = size;
	s->text = text;
	s->name = udf_kernel_string(k, name);
	if (!s->name)
		return -ENOMEM;
	kapi->nr_sec++;
	return 0;
}

static int note_sections(struct udf_kernel *k, struct udf_kapi *kapi, const struct udf_elf *elf)
{
	unsigned int i, n = udf_elf_nr_sections(elf);
	int ret = 0;

	kapi->sec = calloc(n + 2, sizeof(*kapi->sec));
	if (!kapi->sec)
		return -ENOMEM;
	for (i = 0; !ret && i < n; i++) {
		const struct udf_elf_section *s = udf_elf_section(elf, i);

		if (s && s->part != UDF_PART_COUNT && s->name[0] && s->size)
			ret = note_section(k, kapi, s->name, s->addr, s->size, s->part == UDF_PART_TEXT || s->part == UDF_PART_INIT_TEXT);
	}
	return ret;
}

/* The letter that nm would print. */
static char symbol_type(const struct udf_elf *elf, const struct udf_elf_symbol *sym)
{
	const struct udf_elf_section *s = udf_elf_section(elf, sym->shndx);
	char type = 'd';

	if (s->flags & SHF_EXECINSTR)
		type = 't';
	else if (s->type == SHT_NOBITS)
		type = 'b';
	else if (!(s->flags & SHF_WRITE))
		type = 'r';
	return sym->bind == STB_LOCAL ? type : (char)(type - 'a' + 'A');
}

static bool is_wanted(const struct udf_elf *elf, const struct udf_elf_symbol *sym)
{
	const struct udf_elf_section *s;

	if (sym->shndx == SHN_UNDEF || sym->shndx >= SHN_LORESERVE || !sym->name[0] || !strncmp(sym->name, ".L", 2))
		return false;
	s = udf_elf_section(elf, sym->shndx);
	return s && s->part != UDF_PART_COUNT && (sym->type == STT_FUNC || sym->type == STT_OBJECT || sym->type == STT_NOTYPE);
}

static int note_symbols(struct udf_kernel *k, struct udf_kapi *kapi, const struct udf_elf *elf)
{
	unsigned int i, n = udf_elf_nr_symbols(elf);

	kapi->sym = calloc(n + 1, sizeof(*kapi->sym));
	if (!kapi->sym)
		return -ENOMEM;
	for (i = 1; i < n; i++) {
		const struct udf_elf_symbol *sym = udf_elf_symbol(elf, i);
		struct udf_ksym *to = &kapi->sym[kapi->nr_sym];

		if (!is_wanted(elf, sym))
			continue;
		to->value = sym->value;
		to->size = sym->size;
		to->type = symbol_type(elf, sym);
		to->name = udf_kernel_string(k, sym->name);
		if (!to->name)
			return -ENOMEM;
		kapi->nr_sym++;
	}
	return 0;
}

/* The object's symbol table and its strings: raw bytes of the file. */
struct symtab {
	const uint8_t *sym, *str;
	size_t sym_len, str_len;
};

static void find_symtab(const struct udf_elf *elf, struct symtab *t)
{
	unsigned int i;

	memset(t, 0, sizeof(*t));
	for (i = 0; i < udf_elf_nr_sections(elf); i++) {
		const struct udf_elf_section *s = udf_elf_section(elf, i);

		if (s && s->type == SHT_SYMTAB)
			t->sym = udf_elf_section_data(elf, i, &t->sym_len);
		else if (s && s->type == SHT_STRTAB && !strcmp(s->name, ".strtab"))
			t->str = udf_elf_section_data(elf, i, &t->str_len);
	}
	if (!t->sym || !t->str || t->sym_len / sizeof(Elf64_Sym) < udf_elf_nr_symbols(elf))
		t->sym_len = t->str_len = 0;
}

/* Append the symbol table, its values made run-time addresses, at the end of the data. */
static int keep_symtab(struct udf_kernel *k, struct udf_kapi *kapi, const struct udf_elf *elf, const struct symtab *t)
{
	uint64_t extra = udf_page_up(t->sym_len + t->str_len), addr = kapi->mem.addr + kapi->mem.size - extra;
	uint8_t *to = udf_memory_at(&kapi->mem, addr, extra);
	unsigned int i;
	int ret;

	if (!t->sym_len)
		return 0;
	memcpy(to, t->sym, t->sym_len);
	memcpy(to + t->sym_len, t->str, t->str_len);
	for (i = 1; i < udf_elf_nr_symbols(elf); i++)
		udf_put64(to + i * sizeof(Elf64_Sym) + offsetof(Elf64_Sym, st_value), udf_elf_symbol(elf, i)->value);
	ret = note_section(k, kapi, ".symtab", addr, t->sym_len, false);
	return ret ? ret : note_section(k, kapi, ".strtab", addr + t->sym_len, t->str_len, false);
}

const struct udf_kapi_section *udf_kapi_find_section(const struct udf_kernel *k, const struct udf_kapi *kapi, const char *name)
{
	unsigned int i;

	for (i = 0; i < kapi->nr_sec; i++)
		if (!strcmp(udf_kernel_name(k, kapi->sec[i].name), name))
			return &kapi->sec[i];
	return NULL;
}

static void patch_sites(struct udf_kernel *k, const struct udf_thunks *thunks, const struct udf_kapi *kapi)
{
	const struct udf_kapi_section *s = udf_kapi_find_section(k, kapi, ".return_sites");

	if (s)
		udf_patch_relative(&kapi->mem, thunks, s->addr, s->size, udf_patch_return, &k->patched);
	s = udf_kapi_find_section(k, kapi, ".retpoline_sites");
	if (s)
		udf_patch_relative(&kapi->mem, thunks, s->addr, s->size, udf_patch_retpoline, &k->patched);
	s = udf_kapi_find_section(k, kapi, "__mcount_loc");
	if (s)
		udf_patch_absolute(&kapi->mem, thunks, s->addr, s->size, udf_patch_fentry, &k->patched);
}

int udf_kapi_link(struct udf_kernel *k, const struct udf_thunks *thunks, const void *data, size_t len, const char *what,
		  struct udf_kapi *kapi, struct udf_error *err)
{
	struct udf_elf_place place[UDF_PART_COUNT] = { 0 };
	struct udf_elf *elf;
	struct symtab symtab;
	int ret;

	kapi->what = what;
	ret = udf_elf_parse(data, len, what, &elf, err);
	if (ret)
		return ret;
	find_symtab(elf, &symtab);
	ret = check_imports(k, kapi, elf, err);
	if (!ret)
		ret = place_parts(elf, kapi, symtab.sym_len + symtab.str_len, place, err);
	if (!ret)
		ret = udf_elf_link(elf, place, resolve, k, err);
	if (ret)
		goto free_elf;
	ret = note_sections(k, kapi, elf);
	if (!ret)
		ret = note_symbols(k, kapi, elf);
	if (!ret)
		ret = keep_symtab(k, kapi, elf, &symtab);
	if (ret)
		udf_error_set(err, ret, "not enough memory to link %s", what);
	else
		patch_sites(k, thunks, kapi);
free_elf:
	udf_elf_free(elf);
	return ret;
}

void udf_kapi_free(struct udf_kapi *kapi)
{
	free(kapi->mem.mem);
	free(kapi->sec);
	free(kapi->sym);
	free(kapi->hook);
	memset(kapi, 0, sizeof(*kapi));
}
