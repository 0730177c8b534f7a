// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks: kapi's functions in place of the image's. Host world.
 *
 *   function:  [endbr64]  jmp rel32 --> replacement      the rest of its body is never reached
 *
 * A name that the image lacks, that means several functions, or that is no function with room for a jump is an error here, so that
 * it is none at run time.
 */
#define _GNU_SOURCE
#include "image/kapi.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ENTRY_WORDS	5
#define ENTRY		(ENTRY_WORDS * 8)
#define FLAG_NOOP	1
#define JMP_LEN		5
#define OP_JMP		0xe9
#define ENDBR_LEN	4
#define JUMP_ENTRY	16	/* struct jump_entry: s32 code, s32 target, s64 key */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Where something starts in the image, ascending: symbols, and the jump labels in the code. */
struct starts {
	uint64_t *addr;
	size_t n;
};

static int find_starts(const struct udf_kernel *k, struct starts *s)
{
	size_t i;

	s->addr = calloc(k->nr_sym + 1, sizeof(*s->addr));
	if (!s->addr)
		return -ENOMEM;
	for (i = 0; i < k->nr_sym; i++)
		if (!k->sym[i].absolute)
			s->addr[s->n++] = k->sym[i].value;
	qsort(s->addr, s->n, sizeof(*s->addr), by_value);
	return 0;
}

/* The first start behind ADDR. */
static uint64_t next_start(const struct starts *s, uint64_t addr)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->addr[mid] <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n ? s->addr[lo] : UINT64_MAX;
}

/* Whether a jump label stands where the jump would be written: changing its key would write over the jump. */
static bool has_label(const struct udf_kernel *k, uint64_t at)
{
	const struct udf_ksym *start = udf_kernel_symbol(k, "__start___jump_table", NULL);
	const struct udf_ksym *stop = udf_kernel_symbol(k, "__stop___jump_table", NULL);
	const uint8_t *table;
	uint64_t i, len;

	if (!start || !stop || start->absolute || stop->absolute || stop->value < start->value)
		return false;
	len = stop->value - start->value;
	table = udf_memory_at(&k->image, start->value, len);
	for (i = 0; table && i + JUMP_ENTRY <= len; i += JUMP_ENTRY) {
		uint64_t code = start->value + i + (uint64_t)(int64_t)(int32_t)udf_get32(table + i);

		/* a label is 2 or 5 bytes of nop or jmp */
		if (code < at + JMP_LEN && code + JMP_LEN > at)
			return true;
	}
	return false;
}

/* Where in the function at ADDR the jump goes: behind an endbr64. */
static uint64_t jump_place(const struct udf_kernel *k, uint64_t addr)
{
	const uint8_t *p = udf_memory_at(&k->image, addr, ENDBR_LEN);

	return p && !memcmp(p, "\xf3\x0f\x1e\xfa", ENDBR_LEN) ? addr + ENDBR_LEN : addr;
}

/* Why the function SYM cannot be hooked, or NULL. */
static const char *objection(const struct udf_kernel *k, const struct udf_kapi *kapi, const struct starts *starts,
			     const struct udf_ksym *sym, unsigned int count)
{
	unsigned int i;
	uint64_t at;

	if (!sym)
		return "not there";
	if (count > 1)
		return "several of that name";
	if (sym->absolute || !strchr("TtWw", sym->type) || !udf_kernel_is_text(k, sym->value))
		return "no function";
	for (i = 0; i < kapi->nr_hooks; i++)
		if (kapi->hook[i].image_addr == sym->value)
			return "replaced twice";
	at = jump_place(k, sym->value);
	if (next_start(starts, sym->value) < at + JMP_LEN || !udf_memory_at(&k->image, at, JMP_LEN))
		return "too short for a jump";
	return has_label(k, at) ? "starts with a jump label" : NULL;
}

static void write_jump(struct udf_kernel *k, uint64_t addr, uint64_t to)
{
	uint64_t at = jump_place(k, addr);
	uint8_t *p = udf_memory_at(&k->image, at, JMP_LEN);

	p[0] = OP_JMP;
	udf_put32(p + 1, (uint32_t)(to - (at + JMP_LEN)));
}

static bool is_code(const struct udf_kapi *kapi, uint64_t addr)
{
	return addr >= kapi->mem.addr && addr - kapi->mem.addr < kapi->text_size;
}

/* Take one entry of .udf_replace; what is wrong with its name goes to BAD. */
static int add_hook(struct udf_kernel *k, struct udf_kapi *kapi, const struct starts *starts, const uint8_t *entry,
		    struct udf_name_list *bad, struct udf_error *err)
{
	const char *name = udf_memory_string(&kapi->mem, udf_get64(entry));
	const char *path = udf_memory_string(&kapi->mem, udf_get64(entry + 16));
	const char *why = udf_memory_string(&kapi->mem, udf_get64(entry + 24));
	struct udf_kapi_hook *hook = &kapi->hook[kapi->nr_hooks];
	const struct udf_ksym *sym;
	const char *wrong;
	unsigned int count;

	if (!name || !path || !why)
		return udf_error_set(err, -EINVAL, "%s: entry %u of .udf_replace points outside of the object", kapi->what, kapi->nr_hooks);
	sym = udf_kernel_symbol(k, name, &count);
	wrong = is_code(kapi, udf_get64(entry + 8)) ? objection(k, kapi, starts, sym, count) : "its replacement is not in the object";
	if (wrong) {
		udf_name_list_add(bad, name, wrong);
		return 0;
	}
	hook->image_addr = sym->value;
	hook->kapi_addr = udf_get64(entry + 8);
	hook->noop = udf_get64(entry + 32) & FLAG_NOOP;
	hook->name = udf_kernel_string(k, name);
	hook->path = udf_kernel_string(k, path);
	hook->why = udf_kernel_string(k, why);
	if (!hook->name || !hook->path || !hook->why)
		return udf_error_set(err, -ENOMEM, "not enough memory to link %s", kapi->what);
	kapi->nr_hooks++;
	return 0;
}

static void mark_exports(struct udf_kernel *k, const struct udf_kapi *kapi)
{
	size_t i;
	unsigned int h;

	for (i = 0; i < k->nr_exports; i++) {
		for (h = 0; h < kapi->nr_hooks; h++) {
			if (k->exports[i].addr != kapi->hook[h].image_addr || k->exports[i].percpu)
				continue;
			k->exports[i].addr = kapi->hook[h].kapi_addr;
			k->exports[i].replaced = true;
			break;
		}
	}
}

int udf_kapi_hook(struct udf_kernel *k, struct udf_kapi *kapi, struct udf_error *err)
{
	const struct udf_kapi_section *s = udf_kapi_find_section(k, kapi, ".udf_replace");
	const uint8_t *table = s ? udf_memory_at(&kapi->mem, s->addr, s->size) : NULL;
	struct udf_name_list bad = { 0 };
	struct starts starts = { 0 };
	uint64_t i, n = s ? s->size / ENTRY : 0;
	int ret = 0;

	if (!n)
		return 0;
	kapi->hook = calloc(n, sizeof(*kapi->hook));
	if (!table || !kapi->hook || find_starts(k, &starts))
		ret = udf_error_set(err, -ENOMEM, "not enough memory to link %s", kapi->what);
	for (i = 0; !ret && i < n; i++)
		ret = add_hook(k, kapi, &starts, table + i * ENTRY, &bad, err);
	free(starts.addr);
	if (bad.count)
		ret = udf_name_list_error(&bad, -ENOENT, err, "%s replaces functions that cannot be replaced in kernel %s:", kapi->what,
					  k->release);
	if (ret)
		return ret;
	for (i = 0; i < kapi->nr_hooks; i++)
		write_jump(k, kapi->hook[i].image_addr, kapi->hook[i].kapi_addr);
	mark_exports(k, kapi);
	return 0;
}
