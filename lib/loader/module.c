// SPDX-License-Identifier: GPL-2.0
/*
 * Read a module file into memory, decompressed. Host world.
 *
 * What it is compressed with is told by its first bytes, not by its name. Output is bounded: a few kilobytes of xz can stand
 * for gigabytes.
 */
#include "loader/loader.h"

#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "common/file.h"

#define MODULE_FILE_MAX	(256u << 20)	/* bytes, compressed or not: the biggest stock module has some 15 MB */

struct buffer {
	uint8_t *data;
	size_t len, size;
};

/* Make room for more output. Returns 0, -ENOMEM or, at the limit, -EFBIG. */
static int buffer_grow(struct buffer *b)
{
	size_t size = b->size ? b->size * 2 : 1u << 20;
	uint8_t *data;

	if (size > MODULE_FILE_MAX)
		return -EFBIG;
	data = realloc(b->data, size);
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->size = size;
	return 0;
}

static int read_all(int fd, struct buffer *b)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (st.st_size > MODULE_FILE_MAX)
		return -EFBIG;
	b->size = st.st_size + 1;
	b->data = malloc(b->size);
	if (!b->data)
		return -ENOMEM;
	while (b->len < (size_t)st.st_size) {
		ssize_t n = read(fd, b->data + b->len, st.st_size - b->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		b->len += n;
	}
	return 0;
}

static int unpack_xz(const struct buffer *in, struct buffer *out)
{
	lzma_stream s = LZMA_STREAM_INIT;
	lzma_ret r;
	int ret = 0;

	r = lzma_stream_decoder(&s, 512u << 20, LZMA_CONCATENATED);
	s.next_in = in->data;
	s.avail_in = in->len;
	while (r == LZMA_OK) {
		if (out->len == out->size && (ret = buffer_grow(out)))
			break;
		s.next_out = out->data + out->len;
		s.avail_out = out->size - out->len;
		r = lzma_code(&s, LZMA_FINISH);
		out->len = out->size - s.avail_out;
	}
	lzma_end(&s);
	if (ret)
		return ret;
	return r == LZMA_STREAM_END ? 0 : r == LZMA_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

static int unpack_gzip(const struct buffer *in, struct buffer *out)
{
	z_stream s = { .next_in = in->data, .avail_in = in->len };
	int r, ret = 0;

	if (inflateInit2(&s, 15 + 16) != Z_OK)
		return -ENOMEM;
	do {
		if (out->len == out->size && (ret = buffer_grow(out)))
			break;
		s.next_out = out->data + out->len;
		s.avail_out = out->size - out->len;
		r = inflate(&s, Z_NO_FLUSH);
		out->len = out->size - s.avail_out;
	} while (r == Z_OK);
	inflateEnd(&s);
	if (ret)
		return ret;
	return r == Z_STREAM_END ? 0 : r == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

static int unpack_zstd(const struct buffer *in, struct buffer *out)
{
	ZSTD_DStream *s = ZSTD_createDStream();
	ZSTD_inBuffer src = { in->data, in->len, 0 };
	size_t left = 1;
	int ret = 0;

	if (!s)
		return -ENOMEM;
	while (left && !ret) {
		ZSTD_outBuffer dst;
		size_t before = src.pos;

		if (out->len == out->size && (ret = buffer_grow(out)))
			break;
		dst = (ZSTD_outBuffer){ out->data, out->size, out->len };
		left = ZSTD_decompressStream(s, &dst, &src);
		if (ZSTD_isError(left) || (left && src.pos == before && dst.pos == out->len))
			ret = -EBADMSG;
		out->len = dst.pos;
	}
	ZSTD_freeDStream(s);
	return ret;
}

/* Replace the compressed contents of B, if they are compressed. */
static int unpack(struct buffer *b)
{
	struct buffer out = { 0 };
	int ret;

	if (b->len >= 6 && !memcmp(b->data, "\xfd" "7zXZ", 6))
		ret = unpack_xz(b, &out);
	else if (b->len >= 4 && !memcmp(b->data, "\x28\xb5\x2f\xfd", 4))
		ret = unpack_zstd(b, &out);
	else if (b->len >= 2 && !memcmp(b->data, "\x1f\x8b", 2))
		ret = unpack_gzip(b, &out);
	else
		return 0;
	if (ret) {
		free(out.data);
		return ret;
	}
	free(b->data);
	*b = out;
	return 0;
}

int udf_module_read(const char *path, void **data, size_t *len, struct udf_error *err)
{
	struct buffer b = { 0 };
	int ret, fd = udf_file_open(path);

	if (fd < 0)
		return udf_error_set(err, fd, "%s: %s", path, strerror(-fd));
	ret = read_all(fd, &b);
	close(fd);
	if (!ret)
		ret = unpack(&b);
	if (ret) {
		free(b.data);
		if (ret == -EBADMSG)
			return udf_error_set(err, ret, "%s: damaged or truncated: it cannot be decompressed", path);
		if (ret == -EFBIG)
			return udf_error_set(err, ret, "%s: too big for a module (more than %u MiB)", path, MODULE_FILE_MAX >> 20);
		return udf_error_set(err, ret, "%s: %s", path, strerror(-ret));
	}
	*data = b.data;
	*len = b.len;
	return 0;
}
