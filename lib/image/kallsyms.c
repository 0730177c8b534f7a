// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's own symbol table, static symbols included. Host world; hostile input is an error.
 *
 * Nothing says where its parts are: they are found by their form. Each part is aligned to 8 bytes.
 *
 *   6.1:   offsets | relative base | count | names | markers | [sequence] | token table | token index
 *   6.12:            count | names | markers | token table | token index | offsets | relative base
 *
 * A name is a length (one byte, or two when it is over 127) and so many token numbers; each token is a string, and the digits
 * stand for themselves, which gives the token table away. A marker is the position of each 256th name: so it is sure what the
 * count and the names are. The sequence (from 6.1.y on) is the symbols' order by name, 3 bytes each: not used here. An offset of 0 or more is the value itself (per-CPU symbols), a negative one counts down from base - 1.
 */
#define _GNU_SOURCE
#include "image/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define TOKENS		256
#define TOKEN_MAX	64		/* bytes; real ones have a few */
#define NAME_MAX_LEN	1024
#define SYMBOLS_MAX	(4u << 20)
#define MARKER_STEP	256
#define SEQUENCE	3		/* bytes */

static inline uint64_t up8(uint64_t v) { return (v + 7) & ~7ull; }

/* The tables, as offsets in the section they were found in. */
struct tables {
	const uint8_t *data;
	uint64_t len;
	uint64_t tokens, index, index_end;
	uint64_t markers, names;
	uint32_t count;
	uint64_t offsets, base;
	const char *token[TOKENS];
};

/* Check that a token table starts at T->tokens, and find the index behind it. */
static bool read_tokens(struct tables *t)
{
	uint64_t pos = t->tokens, start[TOKENS];
	unsigned int i;

	for (i = 0; i < TOKENS; i++) {
		const uint8_t *end = memchr(t->data + pos, 0, t->len - pos < TOKEN_MAX ? t->len - pos : TOKEN_MAX);

		if (!end)
			return false;
		start[i] = pos - t->tokens;
		t->token[i] = (const char *)t->data + pos;
		pos = (uint64_t)(end - t->data) + 1;
	}
	t->index = up8(pos);
	t->index_end = t->index + TOKENS * 2;
	if (t->index_end > t->len)
		return false;
	for (i = 0; i < TOKENS; i++)
		if (udf_get16(t->data + t->index + 2 * i) != start[i])
			return false;
	return true;
}

/* Go back from the token of '0' at POS to the first token. */
static bool find_first_token(struct tables *t, uint64_t pos)
{
	unsigned int i;

	for (i = 0; i < '0'; i++) {
		if (!pos)
			return false;
		for (pos--; pos && t->data[pos - 1]; pos--)
			;
	}
	t->tokens = pos;
	return true;
}

static bool find_tokens(struct tables *t)
{
	static const char digits[] = "0\0001\0002\0003\0004\0005\0006\0007\0008\0009";
	const uint8_t *p = t->data, *end = t->data + t->len;

	while ((p = memmem(p, (size_t)(end - p), digits, sizeof(digits)))) {
		if (find_first_token(t, (uint64_t)(p - t->data)) && read_tokens(t))
			return true;
		p++;
	}
	return false;
}

/* The length of the name at POS and where its tokens start; 0: there is none. */
static uint32_t name_length(const struct tables *t, uint64_t pos, uint64_t *first)
{
	uint32_t len;

	if (pos + 2 > t->markers)
		return 0;
	len = t->data[pos];
	*first = pos + 1;
	if (len & 0x80) {
		len = (len & 0x7f) | (uint32_t)t->data[pos + 1] << 7;
		*first = pos + 2;
	}
	return len <= NAME_MAX_LEN && len <= t->markers - *first ? len : 0;
}

/* Whether T->count names stand at T->names and the markers agree. */
static bool names_fit(const struct tables *t)
{
	uint64_t pos = t->names, first;
	uint32_t i;

	for (i = 0; i < t->count; i++) {
		uint32_t len;

		if (i % MARKER_STEP == 0 && udf_get32(t->data + t->markers + i / MARKER_STEP * 4) != pos - t->names)
			return false;
		len = name_length(t, pos, &first);
		if (!len)
			return false;
		pos = first + len;
	}
	return up8(pos) == t->markers;
}

/* Whether the count stands at POS, if SEQUENCE bytes for each symbol lie between the markers and the token table. */
static bool count_fits(struct tables *t, uint64_t pos, unsigned int sequence)
{
	uint64_t behind = up8((t->count + MARKER_STEP - 1ull) / MARKER_STEP * 4) + up8((uint64_t)sequence * t->count);

	t->names = pos + 8;
	if (behind > t->tokens - pos || t->tokens - behind <= t->names)
		return false;
	t->markers = t->tokens - behind;
	return names_fit(t);
}

/* Go back from the token table to the count: the one whose names and markers end where the table, or the sequence, starts. */
static bool find_names(struct tables *t)
{
	uint64_t pos;

	for (pos = t->tokens & ~7ull; pos >= 8; ) {
		pos -= 8;
		t->count = udf_get32(t->data + pos);
		if (!t->count || t->count > SYMBOLS_MAX || udf_get32(t->data + pos + 4))
			continue;
		if (count_fits(t, pos, 0) || count_fits(t, pos, SEQUENCE))
			return true;
	}
	return false;
}

/* The offsets stand either in front of the count or behind the token index: where the base beside them is the image's own. */
static bool find_offsets(struct tables *t, uint64_t image_base)
{
	uint64_t size = up8(4ull * t->count), count = t->names - 8;

	if (count >= size + 8 && udf_get64(t->data + count - 8) == image_base) {
		t->base = count - 8;
		t->offsets = t->base - size;
		return true;
	}
	if (t->len - t->index_end >= size + 8 && udf_get64(t->data + t->index_end + size) == image_base) {
		t->offsets = t->index_end;
		t->base = t->offsets + size;
		return true;
	}
	return false;
}

/* Whether offsets are of the kind that keeps per-CPU values: on others none is negative. */
static bool has_absolute(const struct tables *t)
{
	uint32_t i;

	for (i = 0; i < t->count; i++)
		if ((int32_t)udf_get32(t->data + t->offsets + 4ull * i) < 0)
			return true;
	return false;
}

/* Expand the LEN tokens at FIRST: the type's letter, then the name, which is appended to K->strings. */
static int expand(struct udf_kernel *k, const struct tables *t, uint64_t first, uint32_t len, struct udf_ksym *sym)
{
	char name[NAME_MAX_LEN + TOKEN_MAX];
	size_t n = 0;
	uint32_t i;

	for (i = 0; i < len; i++) {
		const char *token = t->token[t->data[first + i]];
		size_t size = strlen(token);

		if (n + size >= NAME_MAX_LEN)
			return -EINVAL;
		memcpy(name + n, token, size);
		n += size;
	}
	if (n < 2)
		return -EINVAL;
	name[n] = 0;
	sym->type = name[0];
	sym->name = udf_kernel_string(k, name + 1);
	return sym->name ? 0 : -ENOMEM;
}

static int decode(struct udf_kernel *k, const struct tables *t)
{
	uint64_t pos = t->names, first, base = udf_get64(t->data + t->base);
	bool absolute = has_absolute(t);
	uint32_t i;

	k->sym = calloc(t->count, sizeof(*k->sym));
	if (!k->sym)
		return -ENOMEM;
	for (i = 0; i < t->count; i++) {
		uint32_t raw = udf_get32(t->data + t->offsets + 4ull * i), len = name_length(t, pos, &first);
		struct udf_ksym *sym = &k->sym[k->nr_sym++];
		int ret = expand(k, t, first, len, sym);

		if (ret)
			return ret;
		sym->absolute = absolute && (int32_t)raw >= 0;
		if (!absolute)
			sym->value = base + raw;
		else
			sym->value = sym->absolute ? raw : base - 1 - (uint64_t)(int64_t)(int32_t)raw;
		if (!sym->absolute && sym->value - k->image.addr > k->image.size)
			return -EINVAL;
		pos = first + len;
	}
	return 0;
}

/* By name; among equal names the global one first, as a linker would choose. */
static int compare_symbols(const void *a, const void *b, void *strings)
{
	const struct udf_ksym *x = a, *y = b;
	int ret = strcmp((const char *)strings + x->name, (const char *)strings + y->name);

	if (!ret)
		ret = udf_ksym_global(y) - udf_ksym_global(x);
	return ret ? ret : (x->value > y->value) - (x->value < y->value);
}

/* The tables are in read-only data, which is one section or, without section names, all of the image. */
static bool find_tables(const struct udf_kernel *k, struct tables *t)
{
	const struct udf_ksection *s = udf_kernel_section(k, ".rodata");

	memset(t, 0, sizeof(*t));
	if (!s || s->percpu || s->nobits)
		return false;
	t->data = udf_memory_at(&k->image, s->addr, s->size);
	t->len = s->size;
	/* alignment is that of the address, and sections start anywhere */
	if (s->addr % 8) {
		uint64_t skip = 8 - s->addr % 8;

		if (skip > t->len)
			return false;
		t->data += skip;
		t->len -= skip;
	}
	return find_tokens(t) && find_names(t) && find_offsets(t, k->image.addr);
}

int udf_kernel_symbols(struct udf_kernel *k, struct udf_error *err)
{
	struct tables t;
	int ret;

	if (!find_tables(k, &t))
		return udf_kernel_damaged(k, err, "its symbol table (CONFIG_KALLSYMS_ALL) is not found");
	ret = decode(k, &t);
	if (ret == -ENOMEM)
		return udf_error_set(err, ret, "not enough memory to prepare %s", k->what);
	if (ret)
		return udf_kernel_damaged(k, err, "its symbol table has impossible entries");
	qsort_r(k->sym, k->nr_sym, sizeof(*k->sym), compare_symbols, k->strings.data);
	return 0;
}

const char *udf_kernel_name(const struct udf_kernel *k, uint32_t name)
{
	return (const char *)k->strings.data + name;
}

uint32_t udf_kernel_string(struct udf_kernel *k, const char *s)
{
	size_t at = k->strings.len;

	if (at > UINT32_MAX || udf_bytes_add(&k->strings, s, strlen(s) + 1))
		return 0;
	return (uint32_t)at;
}

const struct udf_ksym *udf_kernel_symbol(const struct udf_kernel *k, const char *name, unsigned int *count)
{
	size_t lo = 0, hi = k->nr_sym, i;
	unsigned int addresses = 0;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(udf_kernel_name(k, k->sym[mid].name), name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (i = lo; i < k->nr_sym && !strcmp(udf_kernel_name(k, k->sym[i].name), name); i++)
		if (i == lo || (k->sym[i].value != k->sym[i - 1].value && !udf_ksym_global(&k->sym[lo])))
			addresses++;
	if (count)
		*count = addresses;
	return addresses ? &k->sym[lo] : NULL;
}
