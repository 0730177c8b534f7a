// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel makes of its own tables at each boot, always with the same result, is made here, once. Host world.
 *
 *   __jump_table, static call sites   in order: by key, then by code; kapi's sort() finds nothing to do
 *   .orc_unwind of kapi               in order of code, as the image's own is since its build
 *   orc_lookup                        for each 256 bytes of text the entry of .orc_unwind that its first byte has: unwind_init()
 *
 * All of it is relative to where it lies. A table that is not there is none of this kernel's, and left to its boot.
 */
#include <errno.h>
#include <stdlib.h>

#include "image/kapi.h"

#define BLOCK_SHIFT	8	/* LOOKUP_BLOCK_ORDER */
#define ORC_ENTRY	6	/* struct orc_entry */
#define KEY_FLAGS	3ull

/* An entry with addresses instead of distances. */
struct entry {
	uint64_t code, target, key;
	uint8_t orc[ORC_ENTRY];
};

/* A table: 32-bit distances to code and, of jump labels, to a target; then that to a key, of 64 or 32 bits, whose low bits are flags. */
struct layout {
	const char *start, *stop;
	unsigned int size, key, key_size;
	bool target;
};

static const struct layout layouts[] = {
	{ "__start___jump_table", "__stop___jump_table", 16, 8, 8, true },
	{ "__start_static_call_sites", "__stop_static_call_sites", 8, 4, 4, false },
};

static uint64_t distance(const uint8_t *p, unsigned int size)
{
	return size == 8 ? udf_get64(p) : (uint64_t)(int64_t)(int32_t)udf_get32(p);
}

static void put_distance(uint8_t *p, unsigned int size, uint64_t value)
{
	if (size == 8)
		udf_put64(p, value);
	else
		udf_put32(p, (uint32_t)value);
}

static int by_key(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	uint64_t k = x->key & ~KEY_FLAGS, l = y->key & ~KEY_FLAGS;

	return k != l ? (k > l) - (k < l) : (x->code > y->code) - (x->code < y->code);
}

static int by_code(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->code > y->code) - (x->code < y->code);
}

static uint64_t address_of(const struct udf_kernel *k, const char *name)
{
	const struct udf_ksym *s = udf_kernel_symbol(k, name, NULL);

	return s && !s->absolute ? s->value : 0;
}

/* The bytes between two symbols, and where they begin. NULL: there is no such table. */
static uint8_t *between(const struct udf_kernel *k, const char *from, const char *to, uint64_t *addr, uint64_t *len)
{
	uint64_t start = address_of(k, from), stop = address_of(k, to);

	if (!start || stop <= start)
		return NULL;
	*addr = start;
	*len = stop - start;
	return udf_memory_at(&k->image, start, stop - start);
}

static int order_keys(const struct udf_kernel *k, const struct layout *l)
{
	uint64_t addr, len, i, n;
	uint8_t *p = between(k, l->start, l->stop, &addr, &len);
	struct entry *e;

	if (!p || len % l->size)
		return 0;
	n = len / l->size;
	e = calloc(n, sizeof(*e));
	if (!e)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		e[i].code = addr + i * l->size + distance(p + i * l->size, 4);
		if (l->target)
			e[i].target = addr + i * l->size + 4 + distance(p + i * l->size + 4, 4);
		e[i].key = addr + i * l->size + l->key + distance(p + i * l->size + l->key, l->key_size);
	}
	qsort(e, n, sizeof(*e), by_key);
	for (i = 0; i < n; i++) {
		put_distance(p + i * l->size, 4, e[i].code - (addr + i * l->size));
		if (l->target)
			put_distance(p + i * l->size + 4, 4, e[i].target - (addr + i * l->size + 4));
		put_distance(p + i * l->size + l->key, l->key_size, e[i].key - (addr + i * l->size + l->key));
	}
	free(e);
	return 0;
}

/* Two tables side by side: distances to code, and what unwinding there takes. */
static int order_orc(const struct udf_kernel *k, const struct udf_kapi *kapi)
{
	const struct udf_kapi_section *ips = udf_kapi_find_section(k, kapi, ".orc_unwind_ip");
	const struct udf_kapi_section *orcs = udf_kapi_find_section(k, kapi, ".orc_unwind");
	uint64_t i, n = ips ? ips->size / 4 : 0;
	uint8_t *ip, *orc;
	struct entry *e;

	if (!n || !orcs || orcs->size != n * ORC_ENTRY)
		return 0;
	ip = udf_memory_at(&kapi->mem, ips->addr, ips->size);
	orc = udf_memory_at(&kapi->mem, orcs->addr, orcs->size);
	e = ip && orc ? calloc(n, sizeof(*e)) : NULL;
	if (!e)
		return ip && orc ? -ENOMEM : 0;
	for (i = 0; i < n; i++) {
		e[i].code = ips->addr + i * 4 + distance(ip + i * 4, 4);
		memcpy(e[i].orc, orc + i * ORC_ENTRY, ORC_ENTRY);
	}
	qsort(e, n, sizeof(*e), by_code);
	for (i = 0; i < n; i++) {
		put_distance(ip + i * 4, 4, e[i].code - (ips->addr + i * 4));
		memcpy(orc + i * ORC_ENTRY, e[i].orc, ORC_ENTRY);
	}
	free(e);
	return 0;
}

/* What unwind_init() makes: the last entry whose code does not begin behind the block's. */
static void look_up_orc(const struct udf_kernel *k)
{
	uint64_t ip_addr, ip_len, addr, len, i, at = 0, text = address_of(k, "_stext"), end = address_of(k, "_etext");
	const uint8_t *ip = between(k, "__start_orc_unwind_ip", "__stop_orc_unwind_ip", &ip_addr, &ip_len);
	uint8_t *lookup = between(k, "orc_lookup", "orc_lookup_end", &addr, &len);
	uint64_t nr_addr = address_of(k, "lookup_num_blocks"), init_addr = address_of(k, "orc_init");
	uint8_t *nr = udf_memory_at(&k->image, nr_addr, 4), *init = udf_memory_at(&k->image, init_addr, 1);

	if (!ip || !lookup || !nr || !init || !text || len % 4 || len / 4 < 2 || text + ((len / 4 - 2) << BLOCK_SHIFT) > end)
		return;
	for (i = 0; i < len / 4; i++) {
		const uint64_t block = i + 1 < len / 4 ? text + (i << BLOCK_SHIFT) : end;

		while (at + 1 < ip_len / 4 && ip_addr + (at + 1) * 4 + distance(ip + (at + 1) * 4, 4) <= block)
			at++;
		udf_put32(lookup + i * 4, (uint32_t)at);
	}
	udf_put32(nr, (uint32_t)(len / 4));
	*init = 1;
}

int udf_kernel_tables(struct udf_kernel *k, struct udf_kapi *kapi)
{
	unsigned int i;
	int ret = order_orc(k, kapi);

	for (i = 0; i < sizeof(layouts) / sizeof(layouts[0]) && !ret; i++)
		ret = order_keys(k, &layouts[i]);
	if (!ret)
		look_up_orc(k);
	return ret;
}
