// SPDX-License-Identifier: GPL-2.0
/* A prepared image for debuggers: all symbols in turn, contents of any address, and kapi's object if it is still the same. Host world. */
#include "image/prepared.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/cache.h"

bool udf_image_symbol_at(const struct udf_image *image, uint64_t i, struct udf_image_symbol *out)
{
	const struct udf_file_symbol *s = &image->symbols[i];

	if (i >= udf_image_count(image, UDF_TABLE_SYMBOLS))
		return false;
	*out = (struct udf_image_symbol){
		.name = udf_image_string(image, s->name), .value = s->value,
		.code = s->type == 'T' || s->type == 't' || s->type == 'W' || s->type == 'w',
		.global = s->flags & UDF_SYMBOL_GLOBAL, .absolute = s->flags & UDF_SYMBOL_ABSOLUTE, .kapi = s->flags & UDF_SYMBOL_KAPI,
	};
	return true;
}

bool udf_image_segment(const struct udf_image *image, unsigned int i, struct udf_range *range, bool *exec)
{
	const struct udf_file_segment *s = &image->header->segment[i];

	if (i >= image->header->nr_segments)
		return false;
	*range = (struct udf_range){ s->addr, s->addr + s->size };
	*exec = s->exec;
	return true;
}

int udf_image_read(const struct udf_image *image, uint64_t addr, void *buf, size_t len)
{
	unsigned int i;

	for (i = 0; i < image->header->nr_segments; i++) {
		const struct udf_file_segment *s = &image->header->segment[i];
		size_t done = 0;

		if (addr < s->addr || addr - s->addr > s->file_size || len > s->file_size - (addr - s->addr))
			continue;
		while (done < len) {
			ssize_t n = pread(image->fd, (char *)buf + done, len - done, (off_t)(s->file_offset + (addr - s->addr) + done));

			if (n <= 0)
				return n ? -errno : -EBADMSG;
			done += (size_t)n;
		}
		return 0;
	}
	return -EFAULT;
}

int udf_image_kapi_object(const struct udf_image *image, void **data, size_t *len)
{
	struct udf_error ignored = UDF_ERROR_INIT;
	const struct udf_file_header *h = image->header;
	uint8_t *bytes;

	if (!h->kapi_path[0])
		return -ENOENT;
	if (udf_read_file(h->kapi_path, h->kapi.size + 1, &bytes, len, &ignored))
		return ignored.code;
	if (udf_kapi_hash(bytes, *len) != h->kapi_hash) {
		free(bytes);
		return -ESTALE;
	}
	*data = bytes;
	return 0;
}
