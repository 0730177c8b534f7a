/* SPDX-License-Identifier: GPL-2.0 */
/* A bzImage (vmlinuz) and what it carries. Pure: bytes in, bytes out; hostile input is an error. Private to lib/image. */
#ifndef UDF_IMAGE_BZIMAGE_H
#define UDF_IMAGE_BZIMAGE_H

#include <stdbool.h>

#include "common/error.h"
#include "image/bytes.h"

#define UDF_VMLINUX_MAX (512u << 20)	/* bytes that an image may unpack to: eight times what 6.1 needs */
#define UDF_BZIMAGE_HEAD (66u << 10)	/* bytes at the start that hold the release: its offset has 16 bits */
#define UDF_RELEASE_MAX 65		/* __NEW_UTS_LEN and its NUL */

struct udf_bzimage {
	const uint8_t *payload;		/* in the caller's buffer */
	size_t payload_len;
	char release[UDF_RELEASE_MAX];	/* as the setup header has it; "" if it has none */
};

/*
 * Find the payload of the file of LEN bytes at DATA; WHAT names it in errors. A file that is an ELF itself (a payload that somebody
 * has unpacked) is its own payload. With HEAD only the head of the file is there: the payload's end is not checked.
 */
int udf_bzimage_parse(const uint8_t *data, size_t len, bool head, const char *what, struct udf_bzimage *bz, struct udf_error *err);

/* Unpack a payload (xz, zstd, lz4, gzip, or plain ELF) of at most MAX bytes into OUT, which the caller frees. */
int udf_bzimage_unpack(const struct udf_bzimage *bz, size_t max, const char *what, struct udf_bytes *out, struct udf_error *err);

#endif
