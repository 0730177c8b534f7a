/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One error, ready to be shown: what failed, why, and the way out. Host world.
 *
 * Functions that can fail for a reason a user must read take a struct udf_error * (never NULL) beside
 * their negative errno. The first error wins: a caller may add context with udf_error_prefix().
 */
#ifndef UDF_COMMON_ERROR_H
#define UDF_COMMON_ERROR_H

#include <stddef.h>

struct udf_error {
	int code;		/* negative errno, 0 while there is no error */
	char text[2000];	/* one line without a newline, names the thing and the way out */
};

#define UDF_ERROR_INIT { .code = 0, .text = "" }

/*
 * Record CODE (a negative errno) and a printf-style text, unless an error stands already.
 * Returns the code that stands, so that a caller can write `return udf_error_set(err, -EINVAL, ...)`.
 */
int udf_error_set(struct udf_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), nonnull(1, 3)));

/* Put a printf-style prefix and ": " before the text that stands. Returns the code that stands. */
int udf_error_prefix(struct udf_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), nonnull(1, 2)));

#endif
