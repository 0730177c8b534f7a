// SPDX-License-Identifier: GPL-2.0
/* Read BTF; see btf.h. The format is described in the kernel's Documentation/bpf/btf.rst. Host world; pure. */
#include "debug/btf.h"

#include <stdlib.h>
#include <string.h>

#define BTF_MAGIC 0xeb9f
#define CHAIN_MAX 32		/* typedefs of const typedefs of ... */

enum kind {
	KIND_INT = 1, KIND_PTR, KIND_ARRAY, KIND_STRUCT, KIND_UNION, KIND_ENUM, KIND_FWD, KIND_TYPEDEF, KIND_VOLATILE, KIND_CONST,
	KIND_RESTRICT, KIND_FUNC, KIND_FUNC_PROTO, KIND_VAR, KIND_DATASEC, KIND_FLOAT, KIND_DECL_TAG, KIND_TYPE_TAG, KIND_ENUM64,
};

struct header {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t hdr_len, type_off, type_len, str_off, str_len;
};

struct type {
	uint32_t name, info, type;	/* TYPE: a size for some kinds */
};

struct udf_btf {
	const struct udf_btf *base;	/* has the types below FIRST, and the strings before ours */
	uint32_t first, first_string;
	const uint8_t *types;
	const char *strings;
	uint32_t types_len, strings_len;
	uint32_t *offset;		/* of each type, by its number */
	uint32_t nr;
	uint32_t *bucket, *next;	/* functions by name: our own numbers, from 1 */
	uint32_t buckets;		/* a power of two */
};

static enum kind kind_of(const struct type *t)
{
	return t->info >> 24 & 0x1f;
}

static uint32_t members_of(const struct type *t)
{
	return t->info & 0xffff;
}

/* Bytes that follow the type's head. */
static uint32_t extra_of(const struct type *t)
{
	switch (kind_of(t)) {
	case KIND_INT: case KIND_VAR: case KIND_DECL_TAG:
		return 4;
	case KIND_ARRAY:
		return 12;
	case KIND_ENUM: case KIND_FUNC_PROTO:
		return members_of(t) * 8;
	case KIND_STRUCT: case KIND_UNION: case KIND_DATASEC: case KIND_ENUM64:
		return members_of(t) * 12;
	default:
		return 0;
	}
}

static const char *string(const struct udf_btf *b, uint32_t offset)
{
	if (offset < b->first_string)
		return string(b->base, offset);
	offset -= b->first_string;
	return offset < b->strings_len ? b->strings + offset : "";
}

static bool get(const struct udf_btf *b, uint32_t id, struct type *t, const uint8_t **extra)
{
	if (b->base && id < b->first)
		return get(b->base, id, t, extra);
	id -= b->base ? b->first - 1 : 0;
	if (!id || id >= b->nr)
		return false;
	memcpy(t, b->types + b->offset[id], sizeof(*t));
	if (extra)
		*extra = b->types + b->offset[id] + sizeof(*t);
	return true;
}

static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261u;

	while (*s)
		h = (h ^ (uint8_t)*s++) * 16777619u;
	return h;
}

/* Fill the table of types; N NULL: only count. Returns how many, with the void type 0; 0 when they are damaged. */
static uint32_t walk(struct udf_btf *b, uint32_t *offset)
{
	uint32_t at = 0, n = 1;

	while (at < b->types_len) {
		struct type t;

		if (b->types_len - at < sizeof(t))
			return 0;
		memcpy(&t, b->types + at, sizeof(t));
		if (extra_of(&t) > b->types_len - at - sizeof(t))
			return 0;
		if (offset)
			offset[n] = at;
		n++;
		at += (uint32_t)sizeof(t) + extra_of(&t);
	}
	return n;
}

static void index_functions(struct udf_btf *b)
{
	uint32_t id;

	for (id = 1; id < b->nr; id++) {
		struct type t;
		uint32_t *bucket;

		memcpy(&t, b->types + b->offset[id], sizeof(t));
		if (kind_of(&t) != KIND_FUNC)
			continue;
		bucket = &b->bucket[hash(string(b, t.name)) & (b->buckets - 1)];
		b->next[id] = *bucket;
		*bucket = id;
	}
}

struct udf_btf *udf_btf_new(const void *data, size_t len, const struct udf_btf *base)
{
	struct udf_btf *b = calloc(1, sizeof(*b));
	struct header h;

	if (!b || len < sizeof(h))
		goto fail;
	memcpy(&h, data, sizeof(h));
	if (h.magic != BTF_MAGIC || h.version != 1 || h.hdr_len > len || h.type_off > len - h.hdr_len ||
	    h.type_len > len - h.hdr_len - h.type_off || h.str_off > len - h.hdr_len || h.str_len > len - h.hdr_len - h.str_off)
		goto fail;
	b->types = (const uint8_t *)data + h.hdr_len + h.type_off;
	b->types_len = h.type_len;
	b->strings = (const char *)data + h.hdr_len + h.str_off;
	b->strings_len = h.str_len;
	if (!h.str_len || b->strings[h.str_len - 1])
		goto fail;
	b->base = base;
	b->first = base ? base->nr : 0;
	b->first_string = base ? base->strings_len : 0;
	b->nr = walk(b, NULL);
	for (b->buckets = 1024; b->buckets < b->nr / 2; b->buckets *= 2)
		;
	b->offset = calloc((size_t)b->nr + 1, sizeof(*b->offset));
	b->next = calloc((size_t)b->nr + 1, sizeof(*b->next));
	b->bucket = calloc(b->buckets, sizeof(*b->bucket));
	if (!b->nr || !b->offset || !b->next || !b->bucket)
		goto fail;
	walk(b, b->offset);
	index_functions(b);
	return b;
fail:
	udf_btf_free(b);
	return NULL;
}

void udf_btf_free(struct udf_btf *b)
{
	if (!b)
		return;
	free(b->offset);
	free(b->next);
	free(b->bucket);
	free(b);
}

static bool is_qualifier(enum kind k)
{
	return k == KIND_CONST || k == KIND_VOLATILE || k == KIND_RESTRICT || k == KIND_TYPE_TAG;
}

/* What ID is, behind typedefs and qualifiers; TYPEDEF gets the name of the outermost typedef. */
static uint32_t resolve(const struct udf_btf *b, uint32_t id, struct type *t, const uint8_t **extra, const char **typedef_name)
{
	unsigned int i;

	*typedef_name = "";
	for (i = 0; i < CHAIN_MAX && get(b, id, t, extra); i++) {
		if (kind_of(t) == KIND_TYPEDEF && !**typedef_name)
			*typedef_name = string(b, t->name);
		if (kind_of(t) != KIND_TYPEDEF && !is_qualifier(kind_of(t)))
			return id;
		id = t->type;
	}
	return 0;
}

static enum udf_btf_class class_of_int(const uint8_t *extra)
{
	uint32_t encoding;

	memcpy(&encoding, extra, sizeof(encoding));
	encoding = encoding >> 24 & 0xf;
	return encoding & 4 ? UDF_BTF_BOOL : encoding & 1 ? UDF_BTF_SIGNED : UDF_BTF_UNSIGNED;
}

static enum udf_btf_class class_of_pointer(const struct udf_btf *b, uint32_t target)
{
	const char *name;
	const uint8_t *extra;
	struct type t;

	if (!resolve(b, target, &t, &extra, &name))
		return UDF_BTF_POINTER;
	if (!strcmp(name, "dma_addr_t"))
		return UDF_BTF_DMA_HANDLE;
	return kind_of(&t) == KIND_INT && !strcmp(string(b, t.name), "char") ? UDF_BTF_STRING : UDF_BTF_POINTER;
}

static struct udf_btf_value value_of(const struct udf_btf *b, uint32_t id, uint32_t name)
{
	struct udf_btf_value v = { .name = string(b, name), .class = UDF_BTF_OTHER };
	const uint8_t *extra;
	const char *alias;
	struct type t;

	v.type = resolve(b, id, &t, &extra, &alias);
	if (!v.type) {
		v.class = UDF_BTF_VOID;
		return v;
	}
	v.size = t.type;
	switch (kind_of(&t)) {
	case KIND_INT:
		v.class = !strcmp(alias, "dma_addr_t") ? UDF_BTF_DMA_ADDR : class_of_int(extra);
		break;
	case KIND_ENUM: case KIND_ENUM64:
		v.class = UDF_BTF_ENUM;
		break;
	case KIND_PTR:
		v.size = 8;
		v.class = class_of_pointer(b, t.type);
		break;
	default:
		break;
	}
	if (v.size > 8)
		v.class = UDF_BTF_OTHER;
	return v;
}

static uint32_t find(const struct udf_btf *b, const char *name, struct type *t)
{
	uint32_t id = b->bucket[hash(name) & (b->buckets - 1)];

	for (; id; id = b->next[id]) {
		memcpy(t, b->types + b->offset[id], sizeof(*t));
		if (!strcmp(string(b, t->name), name))
			return id;
	}
	return 0;
}

bool udf_btf_func(const struct udf_btf *b, const char *name, struct udf_btf_func *func)
{
	const uint8_t *extra;
	struct type t;
	uint32_t i;

	memset(func, 0, sizeof(*func));
	if (!find(b, name, &t) || !get(b, t.type, &t, &extra) || kind_of(&t) != KIND_FUNC_PROTO)
		return false;
	func->result = value_of(b, t.type, 0);
	for (i = 0; i < members_of(&t); i++) {
		uint32_t param[2];

		memcpy(param, extra + i * 8, sizeof(param));
		if (!param[0] && !param[1]) {
			func->varargs = true;
			break;
		}
		if (func->nr_params < UDF_BTF_PARAMS)
			func->param[func->nr_params] = value_of(b, param[1], param[0]);
		func->nr_params++;
	}
	return true;
}

const char *udf_btf_enum(const struct udf_btf *b, uint32_t type, int64_t value)
{
	const uint8_t *extra;
	struct type t;
	uint32_t i;

	if (!get(b, type, &t, &extra) || kind_of(&t) != KIND_ENUM)
		return NULL;
	for (i = 0; i < members_of(&t); i++) {
		uint32_t name;
		int32_t v;

		memcpy(&name, extra + i * 8, 4);
		memcpy(&v, extra + i * 8 + 4, 4);
		if (v == (int32_t)value)
			return string(b, name);
	}
	return NULL;
}
