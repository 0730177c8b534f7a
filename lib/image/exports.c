// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel exports to modules: addresses, CRCs, namespaces. Host world; hostile input is an error.
 *
 * An entry of __ksymtab and __ksymtab_gpl is three 32-bit distances, each from its own place: to the symbol, to its name, to its
 * namespace (0: none). __kcrctab and __kcrctab_gpl have one 32-bit CRC for each, in the same order.
 */
#define _GNU_SOURCE
#include "image/kernel.h"

#include <errno.h>
#include <stdlib.h>

#define ENTRY 12

static uint64_t distance(const uint8_t *entry, uint64_t addr, unsigned int field)
{
	return addr + 4 * field + (uint64_t)(int64_t)(int32_t)udf_get32(entry + 4 * field);
}

static int read_export(struct udf_kernel *k, const uint8_t *entry, uint64_t addr, struct udf_kexport *x)
{
	const char *name = udf_memory_string(&k->image, distance(entry, addr, 1));
	const char *ns = udf_get32(entry + 8) ? udf_memory_string(&k->image, distance(entry, addr, 2)) : "";

	if (!name || !*name || !ns)
		return -EINVAL;
	/* The template's offsets start at 0, and nothing else is mapped there. */
	x->addr = distance(entry, addr, 0);
	x->percpu = x->addr < k->percpu_size;
	if (!x->percpu && !udf_memory_at(&k->image, x->addr, 1))
		return -EINVAL;
	x->name = udf_kernel_string(k, name);
	x->ns = *ns ? udf_kernel_string(k, ns) : 0;
	return x->name && (x->ns || !*ns) ? 0 : -ENOMEM;
}

static int read_table(struct udf_kernel *k, const char *table, const char *crcs, bool gpl)
{
	const struct udf_ksection *s = udf_kernel_section(k, table), *c = udf_kernel_section(k, crcs);
	const uint8_t *entry, *crc;
	struct udf_kexport *list;
	uint64_t i, n;

	if (!s)
		return 0;
	n = s->size / ENTRY;
	if (s->percpu || s->nobits || !n || n * ENTRY != s->size || !c || c->percpu || c->nobits || c->size != 4 * n)
		return -EINVAL;
	entry = udf_memory_at(&k->image, s->addr, s->size);
	crc = udf_memory_at(&k->image, c->addr, c->size);
	list = reallocarray(k->exports, k->nr_exports + n, sizeof(*list));
	if (!list)
		return -ENOMEM;
	k->exports = list;
	for (i = 0; i < n; i++) {
		struct udf_kexport x = { .gpl = gpl, .crc = udf_get32(crc + 4 * i) };
		int ret = read_export(k, entry + ENTRY * i, s->addr + ENTRY * i, &x);

		if (ret)
			return ret;
		list[k->nr_exports++] = x;
	}
	return 0;
}

static int compare_exports(const void *a, const void *b, void *strings)
{
	const struct udf_kexport *x = a, *y = b;

	return strcmp((const char *)strings + x->name, (const char *)strings + y->name);
}

int udf_kernel_exports(struct udf_kernel *k, struct udf_error *err)
{
	int ret = read_table(k, "__ksymtab", "__kcrctab", false);

	if (!ret)
		ret = read_table(k, "__ksymtab_gpl", "__kcrctab_gpl", true);
	if (ret == -ENOMEM)
		return udf_error_set(err, ret, "not enough memory to prepare %s", k->what);
	if (ret || !k->nr_exports)
		return udf_kernel_damaged(k, err, "its table of exported symbols (CONFIG_MODVERSIONS) is missing or impossible");
	qsort_r(k->exports, k->nr_exports, sizeof(*k->exports), compare_exports, k->strings.data);
	return 0;
}
