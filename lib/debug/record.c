// SPDX-License-Identifier: GPL-2.0
/* The debugger's record of this process; see record.h. Host world. */
#define _GNU_SOURCE
#include "debug/record.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "layout.h"
#include "loader/internal.h"

static _Atomic(struct udf_debug_record *) udf_record;

#define RECORD_SIZE ((sizeof(struct udf_debug_record) + 4095) & ~4095ul)

_Static_assert(UDF_DEBUG_BASE + RECORD_SIZE <= UDF_MODULE_BASE, "the record ends where modules begin");

int udf_record_open(const struct udf_image *image, struct udf_error *err)
{
	struct udf_image_info info;
	struct udf_debug_record *r = mmap((void *)UDF_DEBUG_BASE, RECORD_SIZE, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (r != (void *)UDF_DEBUG_BASE)
		return udf_error_set(err, -EEXIST, "the address range at 0x%x is in use in this process", UDF_DEBUG_BASE);
	udf_image_info(image, &info);
	snprintf(r->image, sizeof(r->image), "%s", info.file);
	r->version = UDF_DEBUG_VERSION;
	memcpy(r->magic, UDF_DEBUG_MAGIC, sizeof(r->magic));
	atomic_store(&udf_record, r);
	return 0;
}

void udf_record_close(void)
{
	struct udf_debug_record *r = atomic_exchange(&udf_record, NULL);

	if (r)
		munmap(r, RECORD_SIZE);
}

static struct udf_debug_module *slot_of(struct udf_debug_record *r, const char *name)
{
	unsigned int i;

	for (i = 0; i < UDF_DEBUG_MODULES; i++)
		if (r->module[i].state != UDF_DEBUG_FREE && !strcmp(r->module[i].name, name))
			return &r->module[i];
	for (i = 0; i < UDF_DEBUG_MODULES; i++)
		if (r->module[i].state == UDF_DEBUG_FREE)
			return &r->module[i];
	return NULL;
}

void udf_record_module(const struct udf_module *mod, enum udf_debug_state state)
{
	struct udf_debug_record *r = atomic_load(&udf_record);
	struct udf_debug_module *m = r ? slot_of(r, mod->host.name) : NULL;
	unsigned int i;

	if (!m)
		return;
	snprintf(m->name, sizeof(m->name), "%s", mod->host.name);
	snprintf(m->path, sizeof(m->path), "%s", mod->path);
	for (i = 0; i < UDF_PART_COUNT; i++)
		m->place[i] = mod->place[i].addr;
	m->told = mod->gdb != NULL;
	atomic_store(&m->state, state);
}

bool udf_record_jit(void)
{
	struct udf_debug_record *r = atomic_load(&udf_record);

	return r && __atomic_load_n(&r->jit, __ATOMIC_RELAXED);
}

void udf_record_set_jit(void)
{
	struct udf_debug_record *r = atomic_load(&udf_record);

	if (r)
		__atomic_store_n(&r->jit, 1, __ATOMIC_RELAXED);
}

void udf_record_log(int level, const char *text)
{
	struct udf_debug_record *r = atomic_load(&udf_record);
	struct timespec t;
	char line[1200];
	uint64_t at;
	int i, n;

	if (!r)
		return;
	clock_gettime(CLOCK_MONOTONIC, &t);
	n = snprintf(line, sizeof(line), "<%d>[%5lld.%06ld] %s\n", level, (long long)t.tv_sec, t.tv_nsec / 1000, text);
	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	at = atomic_fetch_add(&r->logged, (uint64_t)n);
	for (i = 0; i < n; i++)
		r->log[(at + (uint64_t)i) % UDF_DEBUG_LOG] = line[i];
}
