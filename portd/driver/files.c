// SPDX-License-Identifier: GPL-2.0
/*
 * Files and modules that the driver wants when it cannot see any itself: udfd opens what it may have and sends the descriptor, and says
 * what a module needs. Host world.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"
#include "driver/driver.h"
#include "host/linux/host.h"

#define PATIENCE_S 5	/* less than a vCPU may be silent: it waits here */

/* A question that waits for its answer. */
struct wanted {
	struct wanted *next;
	int64_t id;
	const char *is, *key, *text;	/* { "is": IS, KEY: TEXT } */
	bool answered;
	int fd;				/* or a negative errno */
	struct json_object *body;	/* the answer */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;
static struct wanted *list;
static int64_t last_id;

static void ask(const struct wanted *w)
{
	struct json_object *o = udf_packet_new("is", w->is);

	if (o) {
		udf_packet_add_number(o, "id", w->id);
		udf_packet_add_text(o, w->key, w->text);
	}
	driver_send(o, NULL, 0);
}

/* Ask, and wait for the answer. Returns a descriptor, 0 if that is not what was asked for, or a negative errno. */
static int want(struct wanted *w)
{
	struct wanted **at;
	struct timespec until;

	w->fd = -ETIMEDOUT;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&lock);
	w->id = ++last_id;
	w->next = list;
	list = w;
	pthread_mutex_unlock(&lock);
	ask(w);
	pthread_mutex_lock(&lock);
	while (!w->answered && !pthread_cond_timedwait(&answered, &lock, &until))
		;
	for (at = &list; *at != w; at = &(*at)->next)
		;
	*at = w->next;
	pthread_mutex_unlock(&lock);
	if (!w->answered)
		driver_note(3, "%s: udfd does not answer", w->text);
	return w->fd;
}

static int open_by_udfd(void *ctx, const char *path)
{
	struct wanted w = { .is = "file", .key = "path", .text = path };
	int fd = want(&w);

	json_object_put(w.body);
	return fd;
}

/* ---- plans ---- */

static int add_entry(struct udf_plan *plan, struct json_object *o)
{
	const char *name = udf_packet_text(o, "name", NULL), *path = udf_packet_text(o, "path", NULL);
	struct udf_plan_entry *grown = reallocarray(plan->entry, plan->nr + 1, sizeof(*grown)), *e;

	if (!grown || !name || !path)
		return -EINVAL;
	plan->entry = grown;
	e = &grown[plan->nr++];
	*e = (struct udf_plan_entry){ .name = strdup(name), .path = strdup(path), .soft = udf_packet_bool(o, "soft") };
	return e->name && e->path ? 0 : -ENOMEM;
}

static int plan_by_udfd(void *ctx, const char *what, struct udf_plan *plan, struct udf_error *err)
{
	struct wanted w = { .is = "plan", .key = "what", .text = what };
	int ret = want(&w);
	struct json_object *entries = w.body ? udf_packet_array(w.body, "entries") : NULL;
	size_t i;

	*plan = (struct udf_plan){ 0 };
	for (i = 0; !ret && entries && i < json_object_array_length(entries); i++)
		ret = add_entry(plan, json_object_array_get_idx(entries, i));
	if (ret) {
		udf_plan_free(plan);
		udf_error_set(err, ret, "%s: %s", what, w.body ? udf_packet_text(w.body, "why", strerror(-ret)) : strerror(-ret));
	}
	json_object_put(w.body);
	return ret;
}

void driver_files_begin(void)
{
	udf_host_set_planner(plan_by_udfd, NULL);
	udf_file_set_opener(open_by_udfd, NULL);
}

/* ---- answers ---- */

void driver_files_answer(struct udf_packet *m)
{
	int64_t id = udf_packet_number(m->body, "id", 0), error = udf_packet_number(m->body, "errno", 0);
	int fd = udf_packet_take_fd(m, 0);
	struct wanted *w;

	pthread_mutex_lock(&lock);
	for (w = list; w && (w->id != id || w->answered); w = w->next)
		;
	if (w) {
		w->fd = fd >= 0 ? fd : error > 0 && error < 4096 ? -(int)error : 0;
		w->body = json_object_get(m->body);
		w->answered = true;
		pthread_cond_broadcast(&answered);
	} else if (fd >= 0) {
		close(fd);
	}
	pthread_mutex_unlock(&lock);
}

void driver_files_again(void)
{
	struct wanted *w;

	pthread_mutex_lock(&lock);
	for (w = list; w; w = w->next)
		if (!w->answered)
			ask(w);
	pthread_mutex_unlock(&lock);
}
