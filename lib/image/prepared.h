/* SPDX-License-Identifier: GPL-2.0 */
/* An open prepared image. Private to lib/image. */
#ifndef UDF_IMAGE_PREPARED_H
#define UDF_IMAGE_PREPARED_H

#include "image/format.h"
#include "image/image.h"

struct udf_image {
	int fd;
	char *path;
	const struct udf_file_header *header;	/* mapped read-only, with the tables behind it */
	size_t mapped_size;
	const char *strings;
	const struct udf_file_symbol *symbols;
	const uint32_t *addresses;
	const struct udf_file_export *exports;
	const struct udf_range *text;
	const struct udf_file_section *kapi_sections;
	struct udf_replacement *replacements;
	unsigned int nr_mapped;			/* segments */
};

static inline uint64_t udf_image_count(const struct udf_image *image, enum udf_file_table t)
{
	return image->header->table[t].count;
}

/* A string of the file; "" when the offset is none. */
static inline const char *udf_image_string(const struct udf_image *image, uint32_t offset)
{
	return offset < udf_image_count(image, UDF_TABLE_STRINGS) ? image->strings + offset : "";
}

/* Read the header of FD and check it. Returns 0, or -EBADMSG (damaged) or -ESTALE (another version's) with *WHY. */
int udf_file_read_header(int fd, struct udf_file_header *header, const char **why);

#endif
