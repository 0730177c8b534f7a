/* SPDX-License-Identifier: GPL-2.0 */
/* Messages of the host world to people: one line each, with printk's levels. Host world. */
#ifndef UDF_COMMON_LOG_H
#define UDF_COMMON_LOG_H

#include <stdarg.h>

enum udf_log_level {
	UDF_LOG_ERROR = 3,
	UDF_LOG_WARNING = 4,
	UDF_LOG_NOTICE = 5,
	UDF_LOG_INFO = 6,
	UDF_LOG_DEBUG = 7,
};

/* Receives one line without its newline; called from any thread, by one thread at a time, and must not log itself. */
typedef void udf_log_sink(void *ctx, int level, const char *text);

/* Send messages to SINK; NULL: to stderr, as "udf: TEXT" (the default). */
void udf_log_set_sink(udf_log_sink *sink, void *ctx);

/* Drop messages above LEVEL, so 7 shows all. Default: UDF_LOG_NOTICE, or the digit in the environment's UDF_LOG. */
void udf_log_set_level(int level);

/* Log a printf-style line; what does not fit in 1 KiB is cut. Keeps errno. */
void udf_log(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void udf_log_va(int level, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));

#define udf_log_error(...)	udf_log(UDF_LOG_ERROR, __VA_ARGS__)
#define udf_log_warning(...)	udf_log(UDF_LOG_WARNING, __VA_ARGS__)
#define udf_log_notice(...)	udf_log(UDF_LOG_NOTICE, __VA_ARGS__)
#define udf_log_info(...)	udf_log(UDF_LOG_INFO, __VA_ARGS__)
#define udf_log_debug(...)	udf_log(UDF_LOG_DEBUG, __VA_ARGS__)

#endif
