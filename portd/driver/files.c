// SPDX-License-Identifier: GPL-2.0
/* Files that the driver wants when it cannot open any itself: udfd opens what it may have, and sends the descriptor. Host world. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"
#include "driver/driver.h"

#define PATIENCE_S 5	/* less than a vCPU may be silent: it waits here */

struct wanted {
	struct wanted *next;
	int64_t id;
	const char *path;
	bool answered;
	int fd;			/* or a negative errno */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;
static struct wanted *list;
static int64_t last_id;

static void ask(int64_t id, const char *path)
{
	struct json_object *o = udf_msg_new("is", "file");

	if (o) {
		udf_msg_add_number(o, "id", id);
		udf_msg_add_text(o, "path", path);
	}
	driver_send(o, NULL, 0);
}

static int open_by_udfd(void *ctx, const char *path)
{
	struct wanted w = { .path = path, .fd = -ETIMEDOUT }, **at;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&lock);
	w.id = ++last_id;
	w.next = list;
	list = &w;
	pthread_mutex_unlock(&lock);
	ask(w.id, path);
	pthread_mutex_lock(&lock);
	while (!w.answered && !pthread_cond_timedwait(&answered, &lock, &until))
		;
	for (at = &list; *at != &w; at = &(*at)->next)
		;
	*at = w.next;
	pthread_mutex_unlock(&lock);
	if (!w.answered)
		driver_note(3, "%s: udfd does not answer", path);
	return w.fd;
}

void driver_files_begin(void)
{
	udf_file_set_opener(open_by_udfd, NULL);
}

void driver_files_answer(struct udf_msg *m)
{
	int64_t id = udf_msg_number(m->body, "id", 0);
	int fd = udf_msg_take_fd(m, 0);
	struct wanted *w;

	pthread_mutex_lock(&lock);
	for (w = list; w && (w->id != id || w->answered); w = w->next)
		;
	if (w) {
		int64_t error = udf_msg_number(m->body, "errno", EIO);

		w->fd = fd >= 0 ? fd : -(int)(error > 0 && error < 4096 ? error : EIO);
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
			ask(w->id, w->path);
	pthread_mutex_unlock(&lock);
}
