// SPDX-License-Identifier: GPL-2.0
/* A string that grows; see strbuf.h. Host world. */
#include "common/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Make room for LEN more bytes and the final 0. */
static bool reserve(struct udf_strbuf *sb, size_t len)
{
	size_t size = sb->size ? sb->size : 64;
	char *data;

	if (sb->failed || len >= (size_t)-1 / 2 - sb->len) {
		sb->failed = true;
		return false;
	}
	while (size < sb->len + len + 1)
		size *= 2;
	if (size == sb->size)
		return true;
	data = realloc(sb->data, size);
	if (!data) {
		sb->failed = true;
		return false;
	}
	sb->data = data;
	sb->size = size;
	return true;
}

void udf_strbuf_addn(struct udf_strbuf *sb, const void *data, size_t len)
{
	if (!reserve(sb, len))
		return;
	memcpy(sb->data + sb->len, data, len);
	sb->len += len;
	sb->data[sb->len] = '\0';
}

void udf_strbuf_add(struct udf_strbuf *sb, const char *text)
{
	udf_strbuf_addn(sb, text, strlen(text));
}

void udf_strbuf_addc(struct udf_strbuf *sb, char c)
{
	udf_strbuf_addn(sb, &c, 1);
}

void udf_strbuf_addf(struct udf_strbuf *sb, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0 || !reserve(sb, n)) {
		sb->failed = true;
		return;
	}
	va_start(args, fmt);
	vsnprintf(sb->data + sb->len, n + 1, fmt, args);
	va_end(args);
	sb->len += n;
}

const char *udf_strbuf_str(const struct udf_strbuf *sb)
{
	return sb->data ? sb->data : "";
}

void udf_strbuf_reset(struct udf_strbuf *sb)
{
	sb->len = 0;
	if (sb->data)
		sb->data[0] = '\0';
}

char *udf_strbuf_detach(struct udf_strbuf *sb)
{
	char *text = NULL;

	udf_strbuf_add(sb, "");		/* so that an empty text is one */
	if (sb->failed)
		free(sb->data);
	else
		text = sb->data;
	*sb = (struct udf_strbuf)UDF_STRBUF_INIT;
	return text;
}

void udf_strbuf_free(struct udf_strbuf *sb)
{
	free(sb->data);
	*sb = (struct udf_strbuf)UDF_STRBUF_INIT;
}
