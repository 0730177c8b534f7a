// SPDX-License-Identifier: GPL-2.0
/* Write perf's map of names; see perf-map.h. Host world. */
#define _GNU_SOURCE
#include "debug/perf-map.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "layout.h"
#include "loader/internal.h"

static FILE *udf_map;

/* The file stays: perf reads it when the process is gone. */
static FILE *open_map(char *path, size_t len)
{
	int fd;

	snprintf(path, len, "/tmp/perf-%d.map", getpid());
	unlink(path);		/* of an earlier process with this id; and never write through somebody's link */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? NULL : fdopen(fd, "w");
}

/*
 * Pages of one segment's code that come from a file become pages that come from none. They become executable where they stay: that is
 * when perf hears of a mapping.
 */
static int detach(uint64_t start, uint64_t len)
{
	void *copy = malloc(len);
	int ret = 0;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, (const void *)start, len);
	if (mmap((void *)start, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		ret = -errno;
	else
		memcpy((void *)start, copy, len);
	if (!ret && mprotect((void *)start, len, PROT_READ | PROT_EXEC))
		ret = -errno;
	free(copy);
	return ret;
}

static int by_value(const void *a, const void *b)
{
	const struct udf_image_symbol *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return (int)y->global - (int)x->global;
}

/* The code symbols of image and kapi, ascending, one for each address. */
static struct udf_image_symbol *code_symbols(const struct udf_image *image, uint64_t *n)
{
	struct udf_image_symbol one, *sym = NULL;
	uint64_t i, kept = 0, room = 0;

	for (i = 0; udf_image_symbol_at(image, i, &one); i++)
		room++;
	sym = calloc(room + 1, sizeof(*sym));
	for (i = 0, *n = 0; sym && i < room; i++) {
		udf_image_symbol_at(image, i, &sym[*n]);
		if (sym[*n].code && !sym[*n].absolute)
			++*n;
	}
	if (!sym)
		return NULL;
	qsort(sym, *n, sizeof(*sym), by_value);
	for (i = 0; i < *n; i++)
		if (!kept || sym[kept - 1].value != sym[i].value)
			sym[kept++] = sym[i];
	*n = kept;
	return sym;
}

/* kapi's functions are told from the image's. */
static void write_segment(const struct udf_image_symbol *sym, uint64_t n, const struct udf_range *r)
{
	const char *what = r->start < UDF_KAPI_END ? "kapi" : "kernel";
	uint64_t i;

	for (i = 0; i < n; i++) {
		uint64_t end = i + 1 < n && sym[i + 1].value < r->end ? sym[i + 1].value : r->end;

		if (sym[i].value >= r->start && sym[i].value < r->end)
			fprintf(udf_map, "%" PRIx64 " %" PRIx64 " %s [%s]\n", sym[i].value, end - sym[i].value, sym[i].name, what);
	}
}

static int write_image(const struct udf_image *image)
{
	uint64_t n = 0;
	struct udf_image_symbol *sym = code_symbols(image, &n);
	struct udf_range r;
	unsigned int i;
	bool exec;
	int ret = sym ? 0 : -ENOMEM;

	for (i = 0; !ret && udf_image_segment(image, i, &r, &exec); i++) {
		if (!exec)
			continue;
		write_segment(sym, n, &r);
		ret = detach(r.start, r.end - r.start);
	}
	free(sym);
	return ret;
}

int udf_perf_map_open(const struct udf_image *image, struct udf_error *err)
{
	char path[64];
	int ret;

	udf_map = open_map(path, sizeof(path));
	if (!udf_map)
		return udf_error_set(err, -errno, "%s cannot be written: %s", path, strerror(errno));
	fprintf(udf_map, "%x %x bridges [udf]\n", UDF_BRIDGE_BASE, UDF_BRIDGE_MAX * UDF_BRIDGE_SLOT);
	fprintf(udf_map, "%x %x detours [udf]\n", UDF_DETOUR_BASE, UDF_DETOUR_MAX * UDF_DETOUR_SLOT);
	ret = write_image(image);
	fflush(udf_map);
	return ret ? udf_error_set(err, ret, "the names of the kernel's code cannot be given to perf: %s", strerror(-ret)) : 0;
}

void udf_perf_map_close(void)
{
	if (udf_map)
		fclose(udf_map);
	udf_map = NULL;
}

void udf_perf_map_module(const struct udf_module *mod)
{
	const struct host_section *text = &mod->host.core_text;
	unsigned int i;

	/* its init functions are left out: the next module may get their place, and the map knows no time */
	for (i = 0; udf_map && i < mod->symtab.nr; i++) {
		const struct symtab_entry *e = &mod->symtab.entry[i];
		uint64_t end = text->addr + text->size;

		if (e->addr < text->addr || e->addr >= end ||
		    (i + 1 < mod->symtab.nr && mod->symtab.entry[i + 1].addr == e->addr))
			continue;
		if (i + 1 < mod->symtab.nr && mod->symtab.entry[i + 1].addr < end)
			end = mod->symtab.entry[i + 1].addr;
		fprintf(udf_map, "%" PRIx64 " %" PRIx64 " %s [%s]\n", e->addr, end - e->addr, e->name, mod->host.name);
	}
	if (udf_map)
		fflush(udf_map);
}
