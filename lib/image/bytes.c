// SPDX-License-Identifier: GPL-2.0
/* The growing byte buffer of bytes.h. Host world. */
#include "image/bytes.h"

#include <errno.h>
#include <stdlib.h>

int udf_bytes_reserve(struct udf_bytes *buf, size_t cap)
{
	uint8_t *data;

	if (cap <= buf->cap)
		return 0;
	data = realloc(buf->data, cap);
	if (!data)
		return -ENOMEM;
	buf->data = data;
	buf->cap = cap;
	return 0;
}

int udf_bytes_add(struct udf_bytes *buf, const void *data, size_t len)
{
	size_t need = buf->len + len;

	if (need < len)
		return -ENOMEM;
	if (need > buf->cap) {
		int ret = udf_bytes_reserve(buf, need < 4096 ? 4096 : need + need / 2);

		if (ret)
			return ret;
	}
	if (!len)
		return 0;
	if (data)
		memcpy(buf->data + buf->len, data, len);
	else
		memset(buf->data + buf->len, 0, len);
	buf->len = need;
	return 0;
}

void udf_bytes_free(struct udf_bytes *buf)
{
	free(buf->data);
	*buf = (struct udf_bytes){ 0 };
}
