// SPDX-License-Identifier: GPL-2.0
/* The growing byte buffer of buf.h. Host world. */
#include "image/buf.h"

#include <errno.h>
#include <stdlib.h>

int udf_buf_reserve(struct udf_buf *buf, size_t cap)
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

int udf_buf_add(struct udf_buf *buf, const void *data, size_t len)
{
	size_t need = buf->len + len;

	if (need < len)
		return -ENOMEM;
	if (need > buf->cap) {
		int ret = udf_buf_reserve(buf, need < 4096 ? 4096 : need + need / 2);

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

void udf_buf_free(struct udf_buf *buf)
{
	free(buf->data);
	*buf = (struct udf_buf){ 0 };
}
