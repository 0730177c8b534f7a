/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A string that grows. Host world.
 *
 * Appending cannot fail on the spot: when memory runs out the buffer remembers it, ignores what is appended from then on, and
 * udf_strbuf_detach() returns NULL. So a caller checks once, at the end.
 */
#ifndef UDF_COMMON_STRBUF_H
#define UDF_COMMON_STRBUF_H

#include <stdbool.h>
#include <stddef.h>

struct udf_strbuf {
	char *data;		/* NULL while nothing was appended; else ends in a 0 that LEN does not count */
	size_t len, size;
	bool failed;		/* memory ran out */
};

#define UDF_STRBUF_INIT { .data = NULL, .len = 0, .size = 0, .failed = false }

void udf_strbuf_add(struct udf_strbuf *sb, const char *text);
void udf_strbuf_addn(struct udf_strbuf *sb, const void *data, size_t len);
void udf_strbuf_addc(struct udf_strbuf *sb, char c);
void udf_strbuf_addf(struct udf_strbuf *sb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The text so far, "" when empty. Valid until the next append. */
const char *udf_strbuf_str(const struct udf_strbuf *sb);

/* Forget the text, keep the memory. */
void udf_strbuf_reset(struct udf_strbuf *sb);

/* The text, for the caller to free(); the buffer is empty then. NULL when memory ran out. */
char *udf_strbuf_detach(struct udf_strbuf *sb) __attribute__((warn_unused_result));

void udf_strbuf_free(struct udf_strbuf *sb);

#endif
