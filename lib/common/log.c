// SPDX-License-Identifier: GPL-2.0
/* Log lines; see log.h. Host world. */
#include "common/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define LEVEL_UNSET (-1)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static udf_log_sink *sink_fn;
static void *sink_ctx;
static atomic_int max_level = LEVEL_UNSET;

static int level_from_environment(void)
{
	const char *text = getenv("UDF_LOG");

	return text && *text >= '0' && *text <= '7' ? *text - '0' : UDF_LOG_NOTICE;
}

void udf_log_set_sink(udf_log_sink *sink, void *ctx)
{
	pthread_mutex_lock(&lock);
	sink_fn = sink;
	sink_ctx = ctx;
	pthread_mutex_unlock(&lock);
}

void udf_log_set_level(int level)
{
	atomic_store(&max_level, level);
}

void udf_log_va(int level, const char *fmt, va_list args)
{
	int saved_errno = errno;
	char text[1024];

	if (atomic_load(&max_level) == LEVEL_UNSET)
		atomic_store(&max_level, level_from_environment());
	if (level > atomic_load(&max_level))
		return;
	vsnprintf(text, sizeof(text), fmt, args);
	pthread_mutex_lock(&lock);
	if (sink_fn)
		sink_fn(sink_ctx, level, text);
	else
		fprintf(stderr, "udf: %s\n", text);
	pthread_mutex_unlock(&lock);
	errno = saved_errno;
}

void udf_log(int level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	udf_log_va(level, fmt, args);
	va_end(args);
}
