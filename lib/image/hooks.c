// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks: kapi's functions in place of the image's. Host world.
 *
 *   function:  [endbr64]  jmp rel32 --> replacement      the rest of its body is never reached
 *
 * A name that the image lacks, that means several functions, or that is no function with room for a jump is an error here, so that
 * it is none at run time. A jump label or static call where the jump goes would be written over it when its key changes: it moves into
 * the dead body of a replaced function, its entry in the image's table with it.
 */
#define _GNU_SOURCE
#include "image/kapi.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ENTRY_WORDS	5
#define ENTRY		(ENTRY_WORDS * 8)
#define FLAG_NOOP	1
#define FLAG_UNSUPPORTED 2
#define JMP_LEN		5
#define OP_JMP		0xe9
#define ENDBR_LEN	4
#define OP_CALL		0xe8
#define OP_JMP8		0xeb
#define LABEL_ENTRY	16	/* struct jump_entry: s32 code, s32 target, s64 key */
#define SITE		5	/* bytes of a patched place; labels may have 2 */
#define CALL_ENTRY	8	/* struct static_call_site: s32 code, s32 key */

static const uint8_t nop5[SITE] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* What hooking needs to know of the image. */
struct hooker {
	struct udf_kernel *k;
	struct udf_kapi *kapi;
	uint64_t *start;		/* of every symbol, ascending */
	size_t nr_starts;
	uint8_t *labels, *calls;	/* the jump table, the sites of static calls; NULL: none */
	uint64_t labels_addr, calls_addr;
	uint64_t nr_labels, nr_calls;
	struct udf_name_list bad;
};

static int find_starts(struct hooker *h)
{
	const struct udf_kernel *k = h->k;
	size_t i;

	h->start = calloc(k->nr_sym + 1, sizeof(*h->start));
	if (!h->start)
		return -ENOMEM;
	for (i = 0; i < k->nr_sym; i++)
		if (!k->sym[i].absolute)
			h->start[h->nr_starts++] = k->sym[i].value;
	qsort(h->start, h->nr_starts, sizeof(*h->start), by_value);
	return 0;
}

/* The first start behind ADDR: where the function at ADDR ends at the latest. */
static uint64_t next_start(const struct hooker *h, uint64_t addr)
{
	size_t lo = 0, hi = h->nr_starts;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (h->start[mid] <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < h->nr_starts ? h->start[lo] : UINT64_MAX;
}

/* A table between two symbols, of N entries of SIZE bytes. Returns NULL when there is none. */
static uint8_t *find_table(const struct udf_kernel *k, const char *from, const char *to, uint64_t size, uint64_t *addr, uint64_t *n)
{
	const struct udf_ksym *start = udf_kernel_symbol(k, from, NULL), *stop = udf_kernel_symbol(k, to, NULL);

	if (!start || !stop || start->absolute || stop->absolute || stop->value < start->value)
		return NULL;
	*addr = start->value;
	*n = (stop->value - start->value) / size;
	return udf_memory_at(&k->image, start->value, stop->value - start->value);
}

static void find_tables(struct hooker *h)
{
	h->labels = find_table(h->k, "__start___jump_table", "__stop___jump_table", LABEL_ENTRY, &h->labels_addr, &h->nr_labels);
	h->calls = find_table(h->k, "__start_static_call_sites", "__stop_static_call_sites", CALL_ENTRY, &h->calls_addr, &h->nr_calls);
	if (!h->labels)
		h->nr_labels = 0;
	if (!h->calls)
		h->nr_calls = 0;
}

/* Where the code of entry I of a table of relative addresses is. */
static uint64_t site(const uint8_t *table, uint64_t addr, uint64_t size, uint64_t i)
{
	return addr + i * size + (uint64_t)(int64_t)(int32_t)udf_get32(table + i * size);
}

static uint64_t label_site(const struct hooker *h, uint64_t i)
{
	return site(h->labels, h->labels_addr, LABEL_ENTRY, i);
}

static uint64_t call_site(const struct hooker *h, uint64_t i)
{
	return site(h->calls, h->calls_addr, CALL_ENTRY, i);
}

/* A patched place that starts in FROM ... TO. Returns its entry in its table, whose address is *ENTRY_ADDR, or NULL. */
static uint8_t *find_site(const struct hooker *h, uint64_t from, uint64_t to, uint64_t *entry_addr)
{
	uint64_t i;

	for (i = 0; i < h->nr_labels; i++) {
		if (label_site(h, i) < from || label_site(h, i) >= to)
			continue;
		*entry_addr = h->labels_addr + i * LABEL_ENTRY;
		return h->labels + i * LABEL_ENTRY;
	}
	for (i = 0; i < h->nr_calls; i++) {
		if (call_site(h, i) < from || call_site(h, i) >= to)
			continue;
		*entry_addr = h->calls_addr + i * CALL_ENTRY;
		return h->calls + i * CALL_ENTRY;
	}
	return NULL;
}

/* Where in the function at ADDR the jump goes: behind an endbr64. */
static uint64_t jump_place(const struct udf_kernel *k, uint64_t addr)
{
	const uint8_t *p = udf_memory_at(&k->image, addr, ENDBR_LEN);

	return p && !memcmp(p, "\xf3\x0f\x1e\xfa", ENDBR_LEN) ? addr + ENDBR_LEN : addr;
}

/* SITE bytes in the dead body of the function at ADDR that nobody patches; 0: none. */
static uint64_t find_room(const struct hooker *h, uint64_t addr)
{
	uint64_t end = next_start(h, addr), at, entry;

	for (at = jump_place(h->k, addr) + JMP_LEN; at + SITE <= end && udf_memory_at(&h->k->image, at, SITE); at++)
		if (!find_site(h, at - SITE + 1, at + SITE, &entry))
			return at;
	return 0;
}

/* The instruction at FROM, a nop, jmp or call, again at TO, in its 5-byte form. Returns false for any other. */
static bool copy_site(const struct hooker *h, uint64_t from, uint64_t to)
{
	const uint8_t *p = udf_memory_at(&h->k->image, from, SITE);
	uint8_t *q = udf_memory_at(&h->k->image, to, SITE);
	uint64_t target;

	if (!p || !q)
		return false;
	if (!memcmp(p, "\x66\x90", 2) || !memcmp(p, nop5, SITE)) {
		memcpy(q, nop5, SITE);
		return true;
	}
	if (p[0] == OP_JMP8)
		target = from + 2 + (uint64_t)(int64_t)(int8_t)p[1];
	else if (p[0] == OP_JMP || p[0] == OP_CALL)
		target = from + SITE + (uint64_t)(int64_t)(int32_t)udf_get32(p + 1);
	else
		return false;
	q[0] = p[0] == OP_CALL ? OP_CALL : OP_JMP;
	udf_put32(q + 1, (uint32_t)(target - (to + SITE)));
	return true;
}

/* Move what is patched where hook I writes its jump: into its own dead body, or another's. Returns false when that cannot be. */
static bool clear_place(struct hooker *h, unsigned int i)
{
	uint64_t start = h->kapi->hook[i].image_addr, end = jump_place(h->k, start) + JMP_LEN, entry_addr;
	uint8_t *entry;

	while ((entry = find_site(h, start, end, &entry_addr))) {
		uint64_t room = find_room(h, start);
		unsigned int j;

		for (j = 0; !room && j < h->kapi->nr_hooks; j++)
			room = find_room(h, h->kapi->hook[j].image_addr);
		if (!room || !copy_site(h, site(entry, entry_addr, 0, 0), room))
			return false;
		udf_put32(entry, (uint32_t)(room - entry_addr));
	}
	return true;
}

/* Why the function SYM cannot be hooked, or NULL. */
static const char *objection(const struct hooker *h, const struct udf_ksym *sym, unsigned int count)
{
	unsigned int i;
	uint64_t at;

	if (!sym)
		return "not there";
	if (count > 1)
		return "several of that name";
	if (sym->absolute || !strchr("TtWw", sym->type) || !udf_kernel_is_text(h->k, sym->value))
		return "no function";
	for (i = 0; i < h->kapi->nr_hooks; i++)
		if (h->kapi->hook[i].image_addr == sym->value)
			return "replaced twice";
	at = jump_place(h->k, sym->value);
	if (next_start(h, sym->value) < at + JMP_LEN || !udf_memory_at(&h->k->image, at, JMP_LEN))
		return "too short for a jump";
	return NULL;
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

/* Take one entry of .udf_replace; what is wrong with its name goes to H->bad. */
static int add_hook(struct hooker *h, const uint8_t *entry, struct udf_error *err)
{
	struct udf_kernel *k = h->k;
	struct udf_kapi *kapi = h->kapi;
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
	wrong = is_code(kapi, udf_get64(entry + 8)) ? objection(h, sym, count) : "its replacement is not in the object";
	if (wrong) {
		udf_name_list_add(&h->bad, name, wrong);
		return 0;
	}
	hook->image_addr = sym->value;
	hook->kapi_addr = udf_get64(entry + 8);
	hook->noop = udf_get64(entry + 32) & FLAG_NOOP;
	hook->unsupported = udf_get64(entry + 32) & FLAG_UNSUPPORTED;
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
			k->exports[i].unsupported = kapi->hook[h].unsupported;
			break;
		}
	}
}

int udf_kapi_hook(struct udf_kernel *k, struct udf_kapi *kapi, struct udf_error *err)
{
	const struct udf_kapi_section *s = udf_kapi_find_section(k, kapi, ".udf_replace");
	const uint8_t *table = s ? udf_memory_at(&kapi->mem, s->addr, s->size) : NULL;
	struct hooker h = { .k = k, .kapi = kapi };
	uint64_t i, n = s ? s->size / ENTRY : 0;
	int ret = 0;

	if (!n)
		return 0;
	kapi->hook = calloc(n, sizeof(*kapi->hook));
	if (!table || !kapi->hook || find_starts(&h))
		ret = udf_error_set(err, -ENOMEM, "not enough memory to link %s", kapi->what);
	find_tables(&h);
	for (i = 0; !ret && i < n; i++)
		ret = add_hook(&h, table + i * ENTRY, err);
	for (i = 0; !ret && i < kapi->nr_hooks; i++)
		if (!clear_place(&h, (unsigned int)i))
			udf_name_list_add(&h.bad, udf_kernel_name(k, kapi->hook[i].name), "starts with code that is patched");
	free(h.start);
	if (h.bad.count)
		ret = udf_name_list_error(&h.bad, -ENOENT, err, "%s replaces functions that cannot be replaced in kernel %s:", kapi->what,
					  k->release);
	if (ret)
		return ret;
	for (i = 0; i < kapi->nr_hooks; i++)
		write_jump(k, kapi->hook[i].image_addr, kapi->hook[i].kapi_addr);
	mark_exports(k, kapi);
	return 0;
}
