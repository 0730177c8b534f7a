// SPDX-License-Identifier: GPL-2.0
/* lib/debug/trace-options.c, lib/debug/btf.c */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "debug/btf.h"
#include "debug/trace.h"

/* ---- options ---- */

static int parse(const char *what, unsigned int *bits, const char **file)
{
	struct udf_error err = UDF_ERROR_INIT;
	int ret = udf_trace_parse(what, bits, file, &err);

	assert_int_equal(ret, err.code);
	assert_true(!ret == !err.text[0]);
	return ret;
}

static void test_categories(void **state)
{
	const char *file;
	unsigned int bits;

	assert_int_equal(parse("api", &bits, &file), 0);
	assert_int_equal(bits, UDF_TRACE_API);
	assert_null(file);
	assert_int_equal(parse("irq,mmio,sched", &bits, &file), 0);
	assert_int_equal(bits, UDF_TRACE_IRQ | UDF_TRACE_MMIO | UDF_TRACE_SCHED);
	assert_int_equal(parse("all=a,b=c", &bits, &file), 0);
	assert_int_equal(bits, UDF_TRACE_API | UDF_TRACE_DMA | UDF_TRACE_MMIO | UDF_TRACE_PCI | UDF_TRACE_IRQ | UDF_TRACE_SCHED);
	assert_string_equal(file, "a,b=c");
}

static void test_wrong_categories(void **state)
{
	static const char *const wrong[] = { "", ",", "api,", ",api", "api,,irq", "ap", "apis", "API", "=file", "api=", "api,=file" };
	const char *file;
	unsigned int bits, i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(parse(wrong[i], &bits, &file), -EINVAL);
}

static void test_patterns(void **state)
{
	assert_true(udf_trace_matches(NULL, "kfree"));
	assert_true(udf_trace_matches("pci_*,kfree", "kfree"));
	assert_false(udf_trace_matches("pci_*,kfree", "kfree_rcu"));
	assert_true(udf_trace_matches("!*lock*", "kfree"));
	assert_false(udf_trace_matches("!*lock*", "_raw_spin_lock"));
	assert_false(udf_trace_matches("pci_*,!pci_save*", "pci_save_state"));
	assert_true(udf_trace_matches("!pci_*,pci_save*", "pci_save_state"));
}

/* ---- types ---- */

enum { INT = 1, PTR, TYPEDEF = 8, CONST = 10, FUNC = 12, PROTO = 13, ENUM = 6 };

struct blob {
	uint32_t types[256], n;
	char strings[512];
	uint32_t len, first_string;
	uint8_t out[4096];
	size_t out_len;
};

static uint32_t name(struct blob *b, const char *s)
{
	uint32_t at = b->len;

	strcpy(b->strings + at, s);
	b->len += strlen(s) + 1;
	return b->first_string + at;
}

static void type(struct blob *b, const char *s, uint32_t kind, uint32_t vlen, uint32_t size)
{
	b->types[b->n++] = *s ? name(b, s) : 0;
	b->types[b->n++] = kind << 24 | vlen;
	b->types[b->n++] = size;
}

static void word(struct blob *b, uint32_t value)
{
	b->types[b->n++] = value;
}

static void finish(struct blob *b)
{
	const uint32_t header[] = { 0x0001eb9f, 24, 0, b->n * 4, b->n * 4, b->len };

	memcpy(b->out, header, sizeof(header));
	memcpy(b->out + 24, b->types, b->n * 4);
	memcpy(b->out + 24 + b->n * 4, b->strings, b->len);
	b->out_len = 24 + b->n * 4 + b->len;
}

/* dma_addr_t map(struct x *dev, const char *name, dma_addr_t *handle, enum dir dir, int n, bool b, ...) */
static void build(struct blob *b)
{
	memset(b, 0, sizeof(*b));
	b->len = 1;
	type(b, "char", INT, 0, 1), word(b, 1u << 24 | 8);		/* 1 */
	type(b, "", CONST, 0, 1);					/* 2 */
	type(b, "", PTR, 0, 2);						/* 3: const char * */
	type(b, "u64", INT, 0, 8), word(b, 64);				/* 4 */
	type(b, "dma_addr_t", TYPEDEF, 0, 4);				/* 5 */
	type(b, "", PTR, 0, 5);						/* 6 */
	type(b, "dir", ENUM, 2, 4);					/* 7 */
	word(b, name(b, "TO")), word(b, 1), word(b, name(b, "FROM")), word(b, 2);
	type(b, "int", INT, 0, 4), word(b, 1u << 24 | 32);		/* 8 */
	type(b, "_Bool", INT, 0, 1), word(b, 4u << 24 | 8);		/* 9 */
	type(b, "", PTR, 0, 0);						/* 10: void * */
	type(b, "", PROTO, 7, 5);					/* 11 */
	word(b, name(b, "dev")), word(b, 10), word(b, name(b, "name")), word(b, 3), word(b, name(b, "handle")), word(b, 6);
	word(b, name(b, "dir")), word(b, 7), word(b, name(b, "n")), word(b, 8), word(b, name(b, "b")), word(b, 9);
	word(b, 0), word(b, 0);
	type(b, "map", FUNC, 1, 11);					/* 12 */
	finish(b);
}

static void test_prototype(void **state)
{
	static const enum udf_btf_class classes[] = { UDF_BTF_POINTER, UDF_BTF_STRING, UDF_BTF_DMA_HANDLE, UDF_BTF_ENUM, UDF_BTF_SIGNED,
						      UDF_BTF_BOOL };
	struct udf_btf_func f;
	struct udf_btf *btf;
	struct blob b;
	unsigned int i;

	build(&b);
	btf = udf_btf_new(b.out, b.out_len, NULL);
	assert_non_null(btf);
	assert_false(udf_btf_func(btf, "ma", &f));
	assert_true(udf_btf_func(btf, "map", &f));
	assert_int_equal(f.nr_params, 6);
	assert_true(f.varargs);
	assert_int_equal(f.result.class, UDF_BTF_DMA_ADDR);
	for (i = 0; i < 6; i++)
		assert_int_equal(f.param[i].class, classes[i]);
	assert_string_equal(f.param[2].name, "handle");
	assert_string_equal(udf_btf_enum(btf, f.param[3].type, 2), "FROM");
	assert_null(udf_btf_enum(btf, f.param[3].type, 3));
	udf_btf_free(btf);
}

/* A module's types refer to the image's by number and by string. */
static void test_module_types(void **state)
{
	struct udf_btf *image, *module;
	struct udf_btf_func f;
	struct blob a, b;

	build(&a);
	image = udf_btf_new(a.out, a.out_len, NULL);
	memset(&b, 0, sizeof(b));
	b.first_string = a.len;
	type(&b, "", PTR, 0, 8);					/* 13: int * */
	type(&b, "", PROTO, 2, 8);					/* 14 */
	word(&b, name(&b, "where")), word(&b, 13), word(&b, 1), word(&b, 7);	/* string 1 is the image's "char" */
	type(&b, "set", FUNC, 1, 14);
	finish(&b);
	module = udf_btf_new(b.out, b.out_len, image);
	assert_non_null(module);
	assert_true(udf_btf_func(module, "set", &f));
	assert_int_equal(f.nr_params, 2);
	assert_string_equal(f.param[0].name, "where");
	assert_int_equal(f.param[0].class, UDF_BTF_POINTER);
	assert_string_equal(f.param[1].name, "char");
	assert_int_equal(f.param[1].class, UDF_BTF_ENUM);
	assert_string_equal(udf_btf_enum(module, f.param[1].type, 1), "TO");
	assert_int_equal(f.result.class, UDF_BTF_SIGNED);
	assert_false(udf_btf_func(module, "map", &f));
	udf_btf_free(module);
	udf_btf_free(image);
}

/* Whatever the bytes are, nothing is read outside of them (the sanitizer watches). */
static void test_damaged_types(void **state)
{
	unsigned int seed = 1, i;
	struct blob b;

	for (i = 0; i < 20000; i++) {
		struct udf_btf_func f;
		struct udf_btf *btf;
		uint8_t *copy;
		size_t len;

		build(&b);
		seed = seed * 1103515245 + 12345;
		b.out[(seed >> 8) % b.out_len] ^= (uint8_t)(seed >> 24 | 1);
		len = i % 4 ? b.out_len : (seed >> 4) % b.out_len;
		copy = malloc(len + !len);
		memcpy(copy, b.out, len);
		btf = udf_btf_new(copy, len, NULL);
		if (btf && udf_btf_func(btf, "map", &f) && f.nr_params > 3)
			udf_btf_enum(btf, f.param[3].type, 1);
		udf_btf_free(btf);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_categories), cmocka_unit_test(test_wrong_categories), cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_prototype), cmocka_unit_test(test_module_types), cmocka_unit_test(test_damaged_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
