// SPDX-License-Identifier: GPL-2.0
/* The memory that a driver process and udfd share; see shared.h. Host world. */
#define _GNU_SOURCE
#include "base/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int64_t udf_real_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint64_t udf_shared_get(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static struct udf_shared *map(int fd)
{
	struct udf_shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return s == MAP_FAILED ? NULL : s;
}

struct udf_shared *udf_shared_new(int *fd)
{
	struct udf_shared *s = NULL;

	*fd = memfd_create("udf-port", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0)
		return NULL;
	/* a driver process that made it shorter would kill who reads it */
	if (!ftruncate(*fd, sizeof(*s)) && !fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		s = map(*fd);
	if (!s) {
		close(*fd);
		return NULL;
	}
	s->magic = UDF_SHARED_MAGIC;
	pthread_mutex_init(&s->log_lock, NULL);
	return s;
}

struct udf_shared *udf_shared_map(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct udf_shared *s;
	struct stat st;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) || st.st_size < (off_t)sizeof(*s))
		return NULL;
	s = map(fd);
	if (s && s->magic != UDF_SHARED_MAGIC) {
		udf_shared_unmap(s);
		return NULL;
	}
	return s;
}

void udf_shared_unmap(struct udf_shared *s)
{
	if (s)
		munmap(s, sizeof(*s));
}

/* ---- log ---- */

static void ring_write(struct udf_shared *s, const char *text, size_t len)
{
	size_t at = s->logged % UDF_SHARED_LOG, first = len < UDF_SHARED_LOG - at ? len : UDF_SHARED_LOG - at;

	memcpy(s->log + at, text, first);
	memcpy(s->log, text + first, len - first);
	__atomic_store_n(&s->logged, s->logged + len, __ATOMIC_RELEASE);
}

bool udf_shared_log(struct udf_shared *s, int level, const char *text)
{
	char line[1200];
	int n = snprintf(line, sizeof(line) - 1, "%d %lld %.1100s", level & 7, (long long)udf_real_ms(), text), i;

	for (i = 0; i < n; i++)
		if (line[i] == '\n')
			line[i] = ' ';
	line[n++] = '\n';
	pthread_mutex_lock(&s->log_lock);
	ring_write(s, line, (size_t)n);
	pthread_mutex_unlock(&s->log_lock);
	return !__atomic_exchange_n(&s->log_told, 1, __ATOMIC_ACQ_REL);
}

/* Append what lies between FROM and TO of the ring. */
static void ring_copy(const struct udf_shared *s, uint64_t from, uint64_t to, struct udf_strbuf *sb)
{
	while (from < to) {
		size_t at = from % UDF_SHARED_LOG, n = to - from < UDF_SHARED_LOG - at ? to - from : UDF_SHARED_LOG - at;

		udf_strbuf_addn(sb, s->log + at, n);
		from += n;
	}
}

void udf_shared_read_log(struct udf_shared *s, uint64_t *pos, struct udf_strbuf *sb)
{
	size_t start = sb->len;
	uint64_t from = *pos, to, now;
	const char *end;

	__atomic_store_n(&s->log_told, 0, __ATOMIC_SEQ_CST);
	to = __atomic_load_n(&s->logged, __ATOMIC_ACQUIRE);
	if (to < from)
		from = to;	/* it lies */
	if (to - from > UDF_SHARED_LOG)
		from = to - UDF_SHARED_LOG;
	ring_copy(s, from, to, sb);
	now = __atomic_load_n(&s->logged, __ATOMIC_ACQUIRE);
	if (sb->failed || now < to || now - from > UDF_SHARED_LOG) {
		/* overtaken while it was copied: the next look begins behind what was lost */
		sb->len = start;
		*pos = now < UDF_SHARED_LOG / 2 ? now : now - UDF_SHARED_LOG / 2;
		return;
	}
	end = sb->len > start ? memrchr(sb->data + start, '\n', sb->len - start) : NULL;
	sb->len = end ? (size_t)(end + 1 - sb->data) : start;
	*pos = from + (sb->len - start);
	if (sb->data)
		sb->data[sb->len] = 0;
}
