// SPDX-License-Identifier: GPL-2.0
/* Errors ready to be shown; see error.h. Host world. */
#include "common/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int udf_error_set(struct udf_error *err, int code, const char *fmt, ...)
{
	va_list args;

	if (err->code)
		return err->code;
	err->code = code;
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	return code;
}

int udf_error_prefix(struct udf_error *err, const char *fmt, ...)
{
	char old[sizeof(err->text)];
	va_list args;
	int n;

	memcpy(old, err->text, sizeof(old));
	va_start(args, fmt);
	n = vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	if (n >= 0 && (size_t)n < sizeof(err->text))
		snprintf(err->text + n, sizeof(err->text) - n, ": %s", old);
	return err->code;
}
