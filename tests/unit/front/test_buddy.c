// SPDX-License-Identifier: GPL-2.0
/* The buffers' allocator: sizes, alignment, merging, exhaustion, misuse. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "front/buddy.h"
#include "common/log.h"

static unsigned int chunks, limit, order_limit, complaints;
static void (*meanwhile)(void);		/* what others do while a chunk is on its way */

static void *grow(void *ctx, unsigned int *order)
{
	void *p;

	if (meanwhile)
		meanwhile();
	if (chunks == limit)
		return NULL;
	if (*order > order_limit)
		*order = order_limit;
	p = aligned_alloc(4096ul << *order, 4096ul << *order);
	chunks += !!p;
	return p;
}

static void shrink(void *ctx, void *chunk)
{
	chunks--;
	free(chunk);
}

static const struct udf_heap_ops ops = { .grow = grow, .shrink = shrink };

static void sink(void *ctx, int level, const char *text)
{
	complaints++;
}

static int setup(void **state)
{
	chunks = 0;
	limit = 4;
	order_limit = UDF_HEAP_ORDER_MAX;
	complaints = 0;
	meanwhile = NULL;
	udf_log_set_sink(sink, NULL);
	*state = udf_heap_new(&ops, NULL);
	return 0;
}

static int teardown(void **state)
{
	udf_heap_end(*state, true);
	assert_int_equal(chunks, 0);
	udf_log_set_sink(NULL, NULL);
	return 0;
}

static void test_sizes(void **state)
{
	struct udf_heap *h = *state;
	size_t size;

	assert_null(udf_heap_alloc(h, 0));
	assert_null(udf_heap_alloc(h, (4u << 20) + 1));
	assert_null(udf_heap_alloc(h, SIZE_MAX));
	for (size = 1; size <= 4u << 20; size *= 2) {
		char *p = udf_heap_alloc(h, size);
		size_t block = size < 4096 ? 4096 : size;

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % block, 0);
		assert_int_equal(udf_heap_used(h), block);
		assert_true(udf_heap_owns(h, p, block));
		memset(p, 1, block);
		udf_heap_free(h, p);
	}
	assert_int_equal(chunks, 1);
	assert_int_equal(udf_heap_used(h), 0);
}

/* Blocks never overlap, and what was freed in any order is one chunk again. */
static void test_random(void **state)
{
	enum { N = 300 };
	struct udf_heap *h = *state;
	unsigned char *p[N] = { NULL };
	size_t size[N];
	unsigned int i, j, seed = 1;

	for (j = 0; j < 20000; j++) {
		i = rand_r(&seed) % N;
		if (p[i]) {
			assert_int_equal(p[i][0], (unsigned char)i);
			assert_int_equal(p[i][size[i] - 1], (unsigned char)i);
			udf_heap_free(h, p[i]);
			p[i] = NULL;
			continue;
		}
		size[i] = 1 + rand_r(&seed) % (rand_r(&seed) % 8 ? 20000 : 300000);
		p[i] = udf_heap_alloc(h, size[i]);
		if (p[i]) {
			p[i][0] = i;
			p[i][size[i] - 1] = i;
		}
	}
	for (i = 0; i < N; i++)
		udf_heap_free(h, p[i]);
	assert_int_equal(udf_heap_used(h), 0);
	for (i = 0; i < 4; i++)
		assert_non_null(udf_heap_alloc(h, 4u << 20));
	assert_int_equal(complaints, 0);
}

static void test_exhausted(void **state)
{
	struct udf_heap *h = *state;
	void *p = NULL;
	unsigned int n;

	for (n = 0; (p = udf_heap_alloc(h, 1 << 20)); n++)
		;
	assert_int_equal(n, 16);
	assert_int_equal(chunks, 4);
}

/* When memory is short chunks are smaller: small buffers still work. */
static void test_small_chunks(void **state)
{
	struct udf_heap *h = *state;

	order_limit = 8;
	assert_null(udf_heap_alloc(h, 4u << 20));
	assert_non_null(udf_heap_alloc(h, 1u << 20));
	assert_int_equal(chunks, 1);
	assert_non_null(udf_heap_alloc(h, 4096));
	assert_int_equal(chunks, 2);
}

static struct udf_heap *shared;
static void *first;

static void free_first(void)
{
	udf_heap_free(shared, first);
	assert_int_equal(udf_heap_used(shared), 0);
	assert_ptr_equal(udf_heap_alloc(shared, 1 << 20), first);
	udf_heap_free(shared, first);
}

/* Nobody waits for a chunk but who needs one. */
static void test_grows_beside_others(void **state)
{
	char *second;

	shared = *state;
	first = udf_heap_alloc(shared, 1 << 20);
	meanwhile = free_first;
	second = udf_heap_alloc(shared, 4 << 20);
	assert_non_null(second);
	assert_int_equal(chunks, 2);
	assert_int_equal(udf_heap_used(shared), 4 << 20);
	udf_heap_free(shared, second);
	assert_int_equal(complaints, 0);
}

static void test_owns(void **state)
{
	struct udf_heap *h = *state;
	char local, *p = udf_heap_alloc(h, 4096);

	assert_true(udf_heap_owns(h, p + 1, 4095));
	assert_false(udf_heap_owns(h, &local, 1));
	assert_false(udf_heap_owns(h, p, (4u << 20) + 1));
	assert_false(udf_heap_owns(h, p - 1 - ((uintptr_t)p & ((4u << 20) - 1)), 1));
	assert_false(udf_heap_owns(h, p, SIZE_MAX));
}

static void test_misuse_is_reported(void **state)
{
	struct udf_heap *h = *state;
	char local, *p = udf_heap_alloc(h, 8192);

	udf_heap_free(h, NULL);
	assert_int_equal(complaints, 0);
	udf_heap_free(h, &local);
	udf_heap_free(h, p + 4096);
	udf_heap_free(h, p + 1);
	assert_int_equal(complaints, 3);
	udf_heap_free(h, p);
	assert_int_equal(complaints, 3);
	udf_heap_free(h, p);
	assert_int_equal(complaints, 4);
	assert_int_equal(udf_heap_used(h), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exhausted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_small_chunks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_grows_beside_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_owns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_misuse_is_reported, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
