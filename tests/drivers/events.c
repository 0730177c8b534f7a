// SPDX-License-Identifier: GPL-2.0
/* What the driver says: uevents and log lines, kept and waited for. Host world. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/strbuf.h"
#include "drive.h"
#include "host/linux/host.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct udf_strbuf all = UDF_STRBUF_INIT;	/* an event a line, words divided by \1, \1 at both ends */
static char error[400], warning[400], remark[400];	/* the last of each */

static void (*next_event)(void *ctx, const char *action, const char *devpath, const char *const *env, unsigned int n);
static void (*next_lost)(void *ctx, const char *why);

/* On a vCPU, with the kernel code suspended beneath. */
static void on_event(void *ctx, const char *action, const char *devpath, const char *const *env, unsigned int n)
{
	unsigned int i;

	pthread_mutex_lock(&lock);
	udf_strbuf_addf(&all, "\1%s\1DEVPATH=%s\1", action, devpath);
	for (i = 0; i < n; i++)
		udf_strbuf_addf(&all, "%s\1", env[i]);
	udf_strbuf_add(&all, "\n");
	pthread_cond_broadcast(&more);
	pthread_mutex_unlock(&lock);
	next_event(ctx, action, devpath, env, n);
}

static void on_lost(void *ctx, const char *why)
{
	next_lost(ctx, why);
	pthread_mutex_lock(&lock);
	pthread_cond_broadcast(&more);
	pthread_mutex_unlock(&lock);
}

void events_forget(void)
{
	pthread_mutex_lock(&lock);
	*error = *warning = *remark = 0;
	pthread_mutex_unlock(&lock);
}

void events_watch(void)
{
	next_event = udf_host.event;
	next_lost = udf_host.lost;
	udf_host.event = on_event;
	udf_host.lost = on_lost;
}

void events_log(void *arg, int level, const char *text)
{
	char *to = level <= 3 ? error : level == 4 ? warning : level <= 6 && strstr(text, "0000:00:") ? remark : NULL;

	fprintf(stderr, "<%d>%s\n", level, text);
	if (!to)
		return;
	pthread_mutex_lock(&lock);
	snprintf(to, sizeof(error), "%s", text);
	pthread_mutex_unlock(&lock);
}

const char *events_complaint(void)
{
	return *error ? error : *warning ? warning : remark;
}

static bool matches(const char *line, const char *end, const char *what)
{
	char word[128];

	while (*what) {
		int len = (int)strcspn(what, ",");
		int n = snprintf(word, sizeof(word), "\1%.*s\1", len, what);

		if (!memmem(line, (size_t)(end - line), word, (size_t)n))
			return false;
		what += len + (what[len] == ',');
	}
	return true;
}

static void copy_value(const char *line, const char *end, const char *key, char *value, size_t len)
{
	char word[64];
	const char *p;

	snprintf(word, sizeof(word), "\1%s=", key);
	p = memmem(line, (size_t)(end - line), word, strlen(word));
	value[0] = 0;
	if (!p)
		return;
	p += strlen(word);
	snprintf(value, len, "%.*s", (int)strcspn(p, "\1"), p);
}

static bool seen(const char *what, const char *key, char *value, size_t len)
{
	const char *line = udf_strbuf_str(&all), *end;

	for (; line && (end = strchr(line, '\n')); line = end + 1) {
		if (!matches(line, end, what))
			continue;
		if (value)
			copy_value(line, end, key, value, len);
		return true;
	}
	return false;
}

bool events_seen(const char *what, const char *key, char *value, size_t len)
{
	bool found;

	pthread_mutex_lock(&lock);
	found = seen(what, key, value, len);
	pthread_mutex_unlock(&lock);
	return found;
}

bool events_wait(struct udf *udf, const char *what, unsigned int seconds)
{
	struct timespec until;
	bool found;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += seconds;
	pthread_mutex_lock(&lock);
	while (!(found = seen(what, NULL, NULL, 0)) && !udf_lost(udf) && !err)
		err = pthread_cond_timedwait(&more, &lock, &until);
	pthread_mutex_unlock(&lock);
	return found;
}
