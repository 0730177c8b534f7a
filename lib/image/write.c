// SPDX-License-Identifier: GPL-2.0
/*
 * Write the prepared file of format.h: tables that are used as they are mapped, and segments with holes for zero pages. Host world.
 */
#define _GNU_SOURCE
#include "image/write.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include "contract.h"

const uint32_t udf_file_entry_size[UDF_TABLE_COUNT] = {
	[UDF_TABLE_STRINGS] = 1,
	[UDF_TABLE_SYMBOLS] = sizeof(struct udf_file_symbol),
	[UDF_TABLE_ADDRESSES] = sizeof(uint32_t),
	[UDF_TABLE_EXPORTS] = sizeof(struct udf_file_export),
	[UDF_TABLE_REPLACED] = sizeof(struct udf_file_replaced),
	[UDF_TABLE_TEXT] = sizeof(struct udf_range),
	[UDF_TABLE_KAPI_SECTIONS] = sizeof(struct udf_file_section),
};

/* The file being made: what is known of it before anything is written. */
struct maker {
	const struct udf_kernel *k;
	const struct udf_kapi *kapi;
	struct udf_file_header *header;
	struct udf_bytes tables;
	int fd;
};

uint32_t udf_file_header_crc(const struct udf_file_header *header)
{
	struct udf_file_header copy = *header;

	copy.header_crc = 0;
	return (uint32_t)crc32(0, (const Bytef *)&copy, sizeof(copy));
}

/* ---- tables ---- */

/* Start table T of COUNT entries: room for it in the tables, zeroed. Returns NULL when memory is out. */
static void *add_table(struct maker *m, enum udf_file_table t, uint64_t count)
{
	uint64_t at = (m->tables.len + 7) & ~7ull;

	if (udf_bytes_add(&m->tables, NULL, at - m->tables.len + count * udf_file_entry_size[t]))
		return NULL;
	m->header->table[t].offset = m->header->tables_offset + at;
	m->header->table[t].count = count;
	return m->tables.data + at;
}

static int add_strings(struct maker *m)
{
	/* one NUL more: the last byte of a table that is cut short is not trusted to be one */
	uint8_t *to = add_table(m, UDF_TABLE_STRINGS, m->k->strings.len + 1);

	if (!to)
		return -ENOMEM;
	memcpy(to, m->k->strings.data, m->k->strings.len);
	return 0;
}

/* In which order a look-up by name wants symbols. */
static unsigned int preference(const struct udf_file_symbol *s)
{
	bool global = s->flags & UDF_SYMBOL_GLOBAL;

	if (s->flags & UDF_SYMBOL_KAPI)
		return global ? 0 : 3;
	return global ? 1 : 2;
}

static int compare_names(const void *a, const void *b, void *strings)
{
	const struct udf_file_symbol *x = a, *y = b;
	int ret = strcmp((const char *)strings + x->name, (const char *)strings + y->name);

	if (!ret)
		ret = (int)preference(x) - (int)preference(y);
	return ret ? ret : (x->value > y->value) - (x->value < y->value);
}

static void convert_symbol(const struct udf_ksym *from, uint8_t flags, struct udf_file_symbol *to)
{
	to->value = from->value;
	to->name = from->name;
	to->type = (uint8_t)from->type;
	to->flags = flags | (from->absolute ? UDF_SYMBOL_ABSOLUTE : 0) | (udf_ksym_global(from) ? UDF_SYMBOL_GLOBAL : 0);
}

static int add_symbols(struct maker *m)
{
	size_t i, n = m->k->nr_sym + m->kapi->nr_sym;
	struct udf_file_symbol *to = add_table(m, UDF_TABLE_SYMBOLS, n);

	if (!to)
		return -ENOMEM;
	for (i = 0; i < m->k->nr_sym; i++)
		convert_symbol(&m->k->sym[i], 0, &to[i]);
	for (i = 0; i < m->kapi->nr_sym; i++)
		convert_symbol(&m->kapi->sym[i], UDF_SYMBOL_KAPI, &to[m->k->nr_sym + i]);
	qsort_r(to, n, sizeof(*to), compare_names, m->k->strings.data);
	return 0;
}

/* By address; where several symbols share one, the one that a trace should name comes first: global, and code. */
static int compare_addresses(const void *a, const void *b, void *symbols)
{
	const struct udf_file_symbol *x = (struct udf_file_symbol *)symbols + *(const uint32_t *)a;
	const struct udf_file_symbol *y = (struct udf_file_symbol *)symbols + *(const uint32_t *)b;
	int code = (y->type == 'T' || y->type == 't') - (x->type == 'T' || x->type == 't');

	if (x->value != y->value)
		return x->value > y->value ? 1 : -1;
	if (code)
		return code;
	if ((x->flags ^ y->flags) & UDF_SYMBOL_GLOBAL)
		return y->flags & UDF_SYMBOL_GLOBAL ? 1 : -1;
	return (*(const uint32_t *)a > *(const uint32_t *)b) - (*(const uint32_t *)a < *(const uint32_t *)b);
}

static int add_addresses(struct maker *m)
{
	uint64_t i, n = 0, unique = 0, count = m->header->table[UDF_TABLE_SYMBOLS].count;
	uint64_t symbols_at = m->header->table[UDF_TABLE_SYMBOLS].offset - m->header->tables_offset;
	uint32_t *to = add_table(m, UDF_TABLE_ADDRESSES, count);
	struct udf_file_symbol *symbols = (struct udf_file_symbol *)(m->tables.data + symbols_at);

	if (!to)
		return -ENOMEM;
	for (i = 0; i < count; i++)
		if (!(symbols[i].flags & UDF_SYMBOL_ABSOLUTE))
			to[n++] = (uint32_t)i;
	qsort_r(to, n, sizeof(*to), compare_addresses, symbols);
	for (i = 0; i < n; i++)
		if (!unique || symbols[to[unique - 1]].value != symbols[to[i]].value)
			to[unique++] = to[i];
	m->header->table[UDF_TABLE_ADDRESSES].count = unique;
	return 0;
}

static int add_exports(struct maker *m)
{
	struct udf_file_export *to = add_table(m, UDF_TABLE_EXPORTS, m->k->nr_exports);
	size_t i;

	if (!to)
		return -ENOMEM;
	for (i = 0; i < m->k->nr_exports; i++) {
		const struct udf_kexport *x = &m->k->exports[i];

		to[i] = (struct udf_file_export){
			.addr = x->addr, .name = x->name, .ns = x->ns, .crc = x->crc,
			.flags = (x->gpl ? UDF_EXPORT_GPL : 0) | (x->percpu ? UDF_EXPORT_PERCPU : 0) |
				 (x->replaced ? UDF_EXPORT_REPLACED : 0) | (x->unsupported ? UDF_EXPORT_UNSUPPORTED : 0),
		};
	}
	return 0;
}

static int add_replaced(struct maker *m)
{
	struct udf_file_replaced *to = add_table(m, UDF_TABLE_REPLACED, m->kapi->nr_hooks);
	unsigned int i;

	if (!to)
		return -ENOMEM;
	for (i = 0; i < m->kapi->nr_hooks; i++) {
		const struct udf_kapi_hook *h = &m->kapi->hook[i];

		to[i] = (struct udf_file_replaced){
			.image_addr = h->image_addr, .kapi_addr = h->kapi_addr, .name = h->name, .path = h->path, .why = h->why,
			.flags = (h->noop ? UDF_REPLACED_NOOP : 0) | (h->unsupported ? UDF_REPLACED_UNSUPPORTED : 0),
		};
	}
	return 0;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct udf_range *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static int add_text(struct maker *m)
{
	struct udf_range *to = add_table(m, UDF_TABLE_TEXT, m->k->nr_sec + m->kapi->nr_sec);
	unsigned int i, n = 0;

	if (!to)
		return -ENOMEM;
	for (i = 0; i < m->k->nr_sec; i++)
		if (udf_ksection_runs(&m->k->sec[i]))
			to[n++] = (struct udf_range){ m->k->sec[i].addr, m->k->sec[i].addr + m->k->sec[i].size };
	for (i = 0; i < m->kapi->nr_sec; i++)
		if (m->kapi->sec[i].text)
			to[n++] = (struct udf_range){ m->kapi->sec[i].addr, m->kapi->sec[i].addr + m->kapi->sec[i].size };
	qsort(to, n, sizeof(*to), compare_ranges);
	m->header->table[UDF_TABLE_TEXT].count = n;
	return 0;
}

static int add_kapi_sections(struct maker *m)
{
	struct udf_file_section *to = add_table(m, UDF_TABLE_KAPI_SECTIONS, m->kapi->nr_sec);
	unsigned int i;

	if (!to)
		return -ENOMEM;
	for (i = 0; i < m->kapi->nr_sec; i++)
		to[i] = (struct udf_file_section){
			.addr = m->kapi->sec[i].addr, .size = m->kapi->sec[i].size, .name = m->kapi->sec[i].name
		};
	return 0;
}

static int make_tables(struct maker *m)
{
	static int (*const add[])(struct maker *m) = {
		add_strings, add_symbols, add_addresses, add_exports, add_replaced, add_text, add_kapi_sections
	};
	int ret = 0;
	size_t i;

	m->header->tables_offset = UDF_PAGE;
	for (i = 0; !ret && i < sizeof(add) / sizeof(add[0]); i++)
		ret = add[i](m);
	m->header->tables_size = m->tables.len;
	return ret;
}

/* ---- segments ---- */

static bool is_zero(const uint8_t *page)
{
	return !page[0] && !memcmp(page, page + 1, UDF_PAGE - 1);
}

/* Bytes of LEN at P up to the last page that is not zero. */
static uint64_t used_size(const uint8_t *p, uint64_t len)
{
	while (len && is_zero(p + len - UDF_PAGE))
		len -= UDF_PAGE;
	return len;
}

/* Add the pages ADDR ... ADDR+SIZE of MEM as a segment; *OFFSET is where the file goes on. */
static int add_segment(struct maker *m, const struct udf_memory *mem, uint64_t addr, uint64_t size, bool exec, uint64_t *offset)
{
	struct udf_file_segment *s = &m->header->segment[m->header->nr_segments];

	if (!size)
		return 0;
	if (m->header->nr_segments == UDF_FILE_SEGMENTS)
		return -E2BIG;
	s->addr = addr;
	s->size = size;
	s->exec = exec;
	s->file_offset = *offset;
	s->file_size = exec ? size : used_size(udf_memory_at(mem, addr, size), size);
	*offset += s->file_size;
	m->header->nr_segments++;
	return 0;
}

/* Whether the page at ADDR of the image has code that runs: then it is not writable. */
static bool is_text_page(const struct udf_kernel *k, uint64_t addr)
{
	unsigned int i;

	for (i = 0; i < k->nr_sec; i++) {
		const struct udf_ksection *s = &k->sec[i];

		if (udf_ksection_runs(s) && s->addr < addr + UDF_PAGE && s->addr + s->size > addr)
			return true;
	}
	return false;
}

static int add_image_segments(struct maker *m, uint64_t *offset)
{
	const struct udf_memory *image = &m->k->image;
	uint64_t start = image->addr, end = image->addr + image->size, addr;
	bool exec = is_text_page(m->k, start);
	int ret = 0;

	for (addr = start + UDF_PAGE; !ret && addr < end; addr += UDF_PAGE) {
		if (is_text_page(m->k, addr) == exec)
			continue;
		ret = add_segment(m, image, start, addr - start, exec, offset);
		start = addr;
		exec = !exec;
	}
	return ret ? ret : add_segment(m, image, start, end - start, exec, offset);
}

static int make_segments(struct maker *m)
{
	const struct udf_memory *kapi = &m->kapi->mem;
	uint64_t offset = udf_page_up(m->header->tables_offset + m->header->tables_size);
	int ret = add_segment(m, kapi, kapi->addr, m->kapi->text_size, true, &offset);

	if (!ret)
		ret = add_segment(m, kapi, kapi->addr + m->kapi->text_size, kapi->size - m->kapi->text_size, false, &offset);
	if (!ret)
		ret = add_image_segments(m, &offset);
	m->header->file_size = offset;
	return ret;
}

/* ---- writing ---- */

static int write_all(int fd, const void *data, size_t len, uint64_t offset)
{
	const uint8_t *p = data;

	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENOSPC;
		p += n;
		len -= (size_t)n;
		offset += (size_t)n;
	}
	return 0;
}

/* Give FD its size. Beyond this process's limit the system would not answer with an error, but with a signal that ends it. */
static int set_size(int fd, uint64_t size)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur != RLIM_INFINITY && size > limit.rlim_cur)
		return -EFBIG;
	return ftruncate(fd, (off_t)size) ? -errno : 0;
}

/* Write LEN bytes, whole pages, leaving out those that are zero. */
static int write_sparse(int fd, const uint8_t *p, uint64_t len, uint64_t offset)
{
	uint64_t at = 0;

	while (at < len) {
		uint64_t run = 0;
		int ret;

		while (at + run < len && !is_zero(p + at + run))
			run += UDF_PAGE;
		ret = write_all(fd, p + at, run, offset + at);
		if (ret)
			return ret;
		at += run ? run : UDF_PAGE;
	}
	return 0;
}

static int write_segments(struct maker *m)
{
	uLong crc = crc32(0, NULL, 0);
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < m->header->nr_segments; i++) {
		const struct udf_file_segment *s = &m->header->segment[i];
		const uint8_t *p = udf_memory_at(&m->k->image, s->addr, s->size);

		if (!p)
			p = udf_memory_at(&m->kapi->mem, s->addr, s->size);
		crc = crc32_z(crc, p, s->file_size);
		ret = write_sparse(m->fd, p, s->file_size, s->file_offset);
	}
	m->header->data_crc = (uint32_t)crc;
	return ret;
}

static void fill_header(struct udf_file_header *h, const struct udf_kernel *k)
{
	memcpy(h->magic, UDF_FILE_MAGIC, sizeof(h->magic));
	h->format = UDF_FILE_FORMAT;
	h->contract = UDF_CONTRACT_VERSION;
	h->nr_segments = 0;
	h->returns = k->patched.returns;
	h->retpolines = k->patched.retpolines;
	h->fentry = k->patched.fentry;
	h->unknown_sites = k->patched.skipped;
	strcpy(h->release, k->release);
	strcpy(h->build_id, k->build_id);
	strcpy(h->vermagic, k->vermagic);
}

int udf_file_write(int fd, const struct udf_kernel *k, const struct udf_kapi *kapi, struct udf_file_header *header)
{
	struct maker m = { .k = k, .kapi = kapi, .header = header, .fd = fd };
	int ret;

	fill_header(header, k);
	ret = make_tables(&m);
	if (!ret)
		ret = make_segments(&m);
	if (!ret)
		ret = set_size(fd, header->file_size);
	if (!ret)
		ret = write_segments(&m);
	if (!ret)
		ret = write_all(fd, m.tables.data, m.tables.len, header->tables_offset);
	header->tables_crc = (uint32_t)crc32_z(crc32(0, NULL, 0), m.tables.data, m.tables.len);
	header->header_crc = udf_file_header_crc(header);
	if (!ret)
		ret = write_all(fd, header, sizeof(*header), 0);
	udf_bytes_free(&m.tables);
	return ret;
}
