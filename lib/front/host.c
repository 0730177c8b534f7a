// SPDX-License-Identifier: GPL-2.0
/* What the kernel world calls of the block front end: the host side of lib/host/include/front.h. Host world. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "front/internal.h"
#include "front/serve.h"

static struct udf_news news;
static _Atomic(struct udf *) owner;

int udf_host_claim(struct udf *udf)
{
	struct udf *none = NULL;

	if (!atomic_compare_exchange_strong(&owner, &none, udf))
		return -EBUSY;
	memset(&news.table, 0, sizeof(news.table));
	udf->news = &news;
	return 0;
}

void udf_host_release(void)
{
	atomic_store(&owner, NULL);
}

void udf_news_disk(struct udf_news *n, unsigned int slot, struct host_front_disk *r)
{
	unsigned int seq;

	do {
		while ((seq = __atomic_load_n(&n->table.seq, __ATOMIC_ACQUIRE)) & 1)
			__builtin_ia32_pause();
		memcpy(r, &n->table.disk[slot], sizeof(*r));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__atomic_load_n(&n->table.seq, __ATOMIC_RELAXED) != seq);
}

unsigned int udf_news_changes(struct udf_news *n)
{
	return atomic_load_explicit(&n->changes, memory_order_acquire);
}

void udf_news_wait(struct udf_news *n, unsigned int seen, int64_t timeout_ns)
{
	struct timespec ts = { .tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000 };

	syscall(SYS_futex, &n->changes, FUTEX_WAIT_PRIVATE, seen, timeout_ns < 0 ? NULL : &ts, NULL, 0);
}

void udf_news_touch(struct udf_news *n)
{
	atomic_fetch_add(&n->changes, 1);
	syscall(SYS_futex, &n->changes, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

struct host_front_table *host_front_table(void)
{
	return &news.table;
}

void host_front_changed(void)
{
	struct udf *udf = atomic_load(&owner);

	udf_news_touch(&news);
	if (!udf)
		return;
	udf_serve_changed(udf);
	udf_block_changed(udf);
}

void host_front_notify(unsigned long cookie)
{
	const struct udf_waker *w = (const struct udf_waker *)cookie;

	w->wake ? w->wake(w) : udf_waker_wake(w);
}

void host_front_ring(void)
{
	struct udf *udf = atomic_load(&owner);

	if (udf)
		udf_block_ring(udf);
}

void udf_waker_wake(const struct udf_waker *w)
{
	atomic_fetch_add(w->word, 1);
	if (!w->sleepers || atomic_load(w->sleepers))
		syscall(SYS_futex, w->word, w->shared ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void udf_waker_wait(const struct udf_waker *w, unsigned int seen, const struct timespec *timeout)
{
	syscall(SYS_futex, w->word, w->shared ? FUTEX_WAIT : FUTEX_WAIT_PRIVATE, seen, timeout, NULL, 0);
}
