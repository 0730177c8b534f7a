// SPDX-License-Identifier: GPL-2.0
/*
 * Replaces lib/sort.c: sort() and sort_r(): what is in order already is left alone. Kernel world.
 *
 * The tables of the image that are sorted at each boot, thousands of entries, are in order since it was prepared (lib/image/tables.c).
 */
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/sort.h>
#include <linux/string.h>

struct kapi_sort {
	char *base;
	size_t size;
	cmp_r_func_t cmp;
	swap_r_func_t exchange;	/* NULL: bytes are exchanged */
	const void *priv;
};

/* sort(): the functions without a last argument, which these pass on to. */
struct kapi_sort_plain {
	cmp_func_t cmp;
	swap_func_t exchange;
};

static int compare_plain(const void *a, const void *b, const void *priv)
{
	const struct kapi_sort_plain *p = priv;

	return p->cmp(a, b);
}

static void swap_plain(void *a, void *b, int size, const void *priv)
{
	const struct kapi_sort_plain *p = priv;

	p->exchange(a, b, size);
}

static void swap_bytes(char *a, char *b, size_t size)
{
	while (size) {
		size_t n = min(size, sizeof(u64));
		u64 x = 0, y = 0;

		memcpy(&x, a, n);
		memcpy(&y, b, n);
		memcpy(a, &y, n);
		memcpy(b, &x, n);
		a += n;
		b += n;
		size -= n;
	}
}

static void exchange(const struct kapi_sort *s, size_t a, size_t b)
{
	char *x = s->base + a * s->size, *y = s->base + b * s->size;

	if (s->exchange)
		s->exchange(x, y, s->size, s->priv);
	else
		swap_bytes(x, y, s->size);
}

static bool less(const struct kapi_sort *s, size_t a, size_t b)
{
	return s->cmp(s->base + a * s->size, s->base + b * s->size, s->priv) < 0;
}

static bool in_order(const struct kapi_sort *s, size_t n)
{
	size_t i;

	for (i = 1; i < n; i++)
		if (less(s, i, i - 1))
			return false;
	return true;
}

/* Of a heap of N whose root is the largest, only the element at ROOT may be too small. */
static void sink(const struct kapi_sort *s, size_t root, size_t n)
{
	size_t child;

	while ((child = 2 * root + 1) < n) {
		if (child + 1 < n && less(s, child, child + 1))
			child++;
		if (!less(s, root, child))
			return;
		exchange(s, root, child);
		root = child;
	}
}

void sort_r(void *base, size_t num, size_t size, cmp_r_func_t cmp, swap_r_func_t swap, const void *priv)
{
	const struct kapi_sort s = { .base = base, .size = size, .cmp = cmp, .exchange = swap, .priv = priv };
	size_t i;

	if (in_order(&s, num))
		return;
	for (i = num / 2; i--;)
		sink(&s, i, num);
	for (i = num; i-- > 1;) {
		exchange(&s, 0, i);
		sink(&s, 0, i);
	}
}

void sort(void *base, size_t num, size_t size, cmp_func_t cmp, swap_func_t swap)
{
	const struct kapi_sort_plain p = { .cmp = cmp, .exchange = swap };

	sort_r(base, num, size, compare_plain, swap ? swap_plain : NULL, &p);
}
