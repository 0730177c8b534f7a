// SPDX-License-Identifier: GPL-2.0
/* Progress lines; see progress.h. A thread draws them, so that a long step which reports nothing is seen to live. Host world. */
#include "common/progress.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SHOW_AFTER_MS	2000
#define REDRAW_MS	250
#define CLEAR_LINE	"\r\033[K"

struct udf_progress {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* ended */
	struct timespec start;
	bool ended, shown;
	unsigned int percent;
	char what[64], step[64];
};

static struct timespec after_ms(struct timespec t, long ms)
{
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

static void draw(struct udf_progress *p)
{
	char line[256], percent[16] = "";
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (p->percent < UDF_PROGRESS_UNKNOWN)
		snprintf(percent, sizeof(percent), "%u %%, ", p->percent);
	snprintf(line, sizeof(line), CLEAR_LINE "udf: %s%s%s (%s%ld s)", p->what, p->step[0] ? ": " : "", p->step, percent,
		 (long)(now.tv_sec - p->start.tv_sec));
	fputs(line, stderr);
	p->shown = true;
}

static void *draw_until_end(void *arg)
{
	struct udf_progress *p = arg;
	struct timespec next = after_ms(p->start, SHOW_AFTER_MS);

	pthread_mutex_lock(&p->lock);
	while (!p->ended) {
		if (pthread_cond_timedwait(&p->changed, &p->lock, &next) != ETIMEDOUT)
			continue;
		draw(p);
		next = after_ms(next, REDRAW_MS);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct udf_progress *udf_progress_start(const char *what)
{
	pthread_condattr_t attr;
	struct udf_progress *p;

	if (!isatty(STDERR_FILENO))
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->percent = UDF_PROGRESS_UNKNOWN;
	snprintf(p->what, sizeof(p->what), "%s", what);
	clock_gettime(CLOCK_MONOTONIC, &p->start);
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&p->thread, NULL, draw_until_end, p)) {
		pthread_cond_destroy(&p->changed);
		pthread_mutex_destroy(&p->lock);
		free(p);
		return NULL;
	}
	return p;
}

void udf_progress_update(void *progress, const char *step, unsigned int percent)
{
	struct udf_progress *p = progress;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	snprintf(p->step, sizeof(p->step), "%s", step ? step : "");
	p->percent = percent;
	pthread_mutex_unlock(&p->lock);
}

void udf_progress_end(struct udf_progress *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->ended = true;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	if (p->shown)
		fputs(CLEAR_LINE, stderr);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
