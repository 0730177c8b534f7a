// SPDX-License-Identifier: GPL-2.0
/* Look-ups in an open prepared image: binary searches in the mapped tables. Every index is checked before it is used. Host world. */
#include "image/prepared.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "layout.h"

const char *udf_image_release(const struct udf_image *image)
{
	return image->header->release;
}

const char *udf_image_build_id(const struct udf_image *image)
{
	return image->header->build_id;
}

const char *udf_image_vermagic(const struct udf_image *image)
{
	return image->header->vermagic;
}

/* The first symbol called NAME, or the count of symbols. */
static uint64_t first_symbol(const struct udf_image *image, const char *name)
{
	uint64_t lo = 0, hi = udf_image_count(image, UDF_TABLE_SYMBOLS);

	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (strcmp(udf_image_string(image, image->symbols[mid].name), name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool has_name(const struct udf_image *image, uint64_t i, const char *name)
{
	return i < udf_image_count(image, UDF_TABLE_SYMBOLS) && !strcmp(udf_image_string(image, image->symbols[i].name), name);
}

bool udf_image_lookup(const struct udf_image *image, const char *name, uint64_t *value)
{
	uint64_t i = first_symbol(image, name);
	const struct udf_file_symbol *s = &image->symbols[i];

	if (!has_name(image, i, name))
		return false;
	/* a global one stands first; static ones must agree, and kapi's own stand behind the image's */
	for (i++; !(s->flags & UDF_SYMBOL_GLOBAL) && has_name(image, i, name); i++)
		if (image->symbols[i].value != s->value && !(image->symbols[i].flags & ~s->flags & UDF_SYMBOL_KAPI))
			return false;
	*value = s->value;
	return true;
}

uint64_t udf_image_symbol(const struct udf_image *image, const char *name)
{
	uint64_t value;

	return udf_image_lookup(image, name, &value) ? value : 0;
}

uint64_t udf_image_kapi_symbol(const struct udf_image *image, const char *name)
{
	uint64_t i;

	for (i = first_symbol(image, name); has_name(image, i, name); i++)
		if (image->symbols[i].flags & UDF_SYMBOL_KAPI)
			return image->symbols[i].value;
	return 0;
}

int udf_image_kapi_section(const struct udf_image *image, const char *name, uint64_t *addr, uint64_t *size)
{
	uint64_t i;

	for (i = 0; i < udf_image_count(image, UDF_TABLE_KAPI_SECTIONS); i++) {
		const struct udf_file_section *s = &image->kapi_sections[i];

		if (strcmp(udf_image_string(image, s->name), name))
			continue;
		*addr = s->addr;
		*size = s->size;
		return 0;
	}
	return -ENOENT;
}

int udf_image_export(const struct udf_image *image, const char *name, struct udf_export *out)
{
	uint64_t lo = 0, hi = udf_image_count(image, UDF_TABLE_EXPORTS);

	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;
		const struct udf_file_export *x = &image->exports[mid];
		int order = strcmp(udf_image_string(image, x->name), name);

		if (!order) {
			out->addr = x->addr;
			out->crc = x->crc;
			out->gpl = x->flags & UDF_EXPORT_GPL;
			out->percpu = x->flags & UDF_EXPORT_PERCPU;
			out->replaced = x->flags & UDF_EXPORT_REPLACED;
			out->unsupported = x->flags & UDF_EXPORT_UNSUPPORTED;
			out->namespace = udf_image_string(image, x->ns);
			return 0;
		}
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -ENOENT;
}

/* The symbol of index I by address, or NULL. */
static const struct udf_file_symbol *by_address(const struct udf_image *image, uint64_t i)
{
	uint32_t symbol = image->addresses[i];

	return symbol < udf_image_count(image, UDF_TABLE_SYMBOLS) ? &image->symbols[symbol] : NULL;
}

/* The segment that holds ADDR, or NULL. */
static const struct udf_file_segment *segment_of(const struct udf_image *image, uint64_t addr)
{
	unsigned int i;

	for (i = 0; i < image->header->nr_segments; i++) {
		const struct udf_file_segment *s = &image->header->segment[i];

		if (addr >= s->addr && addr - s->addr < s->size)
			return s;
	}
	return NULL;
}

/* kapi and the image are apart: a symbol of one names no address in the other. */
static bool same_object(uint64_t a, uint64_t b)
{
	return (a < UDF_KAPI_END) == (b < UDF_KAPI_END);
}

const char *udf_image_symbolize(const struct udf_image *image, uint64_t addr, uint64_t *offset)
{
	uint64_t lo = 0, hi = udf_image_count(image, UDF_TABLE_ADDRESSES);
	const struct udf_file_symbol *s;

	if (!segment_of(image, addr))
		return NULL;
	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		s = by_address(image, mid);
		if (s && s->value <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	s = lo ? by_address(image, lo - 1) : NULL;
	if (!s || !same_object(s->value, addr))
		return NULL;
	if (offset)
		*offset = addr - s->value;
	return udf_image_string(image, s->name);
}

unsigned int udf_image_replacements(const struct udf_image *image, const struct udf_replacement **list)
{
	*list = image->replacements;
	return (unsigned int)udf_image_count(image, UDF_TABLE_REPLACED);
}

unsigned int udf_image_text(const struct udf_image *image, const struct udf_range **ranges)
{
	*ranges = image->text;
	return (unsigned int)udf_image_count(image, UDF_TABLE_TEXT);
}

void udf_image_info(const struct udf_image *image, struct udf_image_info *info)
{
	const struct udf_file_header *h = image->header;
	struct stat st;
	unsigned int i;

	*info = (struct udf_image_info){
		.file = image->path, .vmlinuz = h->vmlinuz_path, .kapi = h->kapi_path, .file_size = h->file_size,
		.symbols = (unsigned int)udf_image_count(image, UDF_TABLE_SYMBOLS),
		.exports = (unsigned int)udf_image_count(image, UDF_TABLE_EXPORTS),
		.replacements = (unsigned int)udf_image_count(image, UDF_TABLE_REPLACED),
		.returns = h->returns, .retpolines = h->retpolines, .fentry = h->fentry, .unknown_sites = h->unknown_sites,
	};
	if (!fstat(image->fd, &st))
		info->disk_size = (uint64_t)st.st_blocks * 512;
	for (i = 0; i < h->nr_segments; i++) {
		const struct udf_file_segment *s = &h->segment[i];

		if (s->addr < UDF_KAPI_END) {
			info->kapi_size += s->size;
			continue;
		}
		*(s->exec ? &info->text_size : &info->data_size) += s->file_size;
		info->zero_size += s->size - s->file_size;
	}
}
