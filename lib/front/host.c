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

static struct host_front_table table;
static atomic_uint changes;		/* futex */
static _Atomic(struct udf *) owner;

int udf_host_claim(struct udf *udf)
{
	struct udf *none = NULL;

	if (!atomic_compare_exchange_strong(&owner, &none, udf))
		return -EBUSY;
	memset(&table, 0, sizeof(table));
	return 0;
}

void udf_host_release(void)
{
	atomic_store(&owner, NULL);
}

void udf_host_disk(unsigned int slot, struct host_front_disk *r)
{
	unsigned int seq;

	do {
		while ((seq = __atomic_load_n(&table.seq, __ATOMIC_ACQUIRE)) & 1)
			__builtin_ia32_pause();
		memcpy(r, &table.disk[slot], sizeof(*r));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__atomic_load_n(&table.seq, __ATOMIC_RELAXED) != seq);
}

unsigned int udf_host_changes(void)
{
	return atomic_load_explicit(&changes, memory_order_acquire);
}

void udf_host_wait(unsigned int seen, int64_t timeout_ns)
{
	struct timespec ts = { .tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000 };

	syscall(SYS_futex, &changes, FUTEX_WAIT_PRIVATE, seen, timeout_ns < 0 ? NULL : &ts, NULL, 0);
}

void udf_host_touch(void)
{
	atomic_fetch_add(&changes, 1);
	syscall(SYS_futex, &changes, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

struct host_front_table *host_front_table(void)
{
	return &table;
}

void host_front_changed(void)
{
	udf_host_touch();
}

void host_front_notify(unsigned long cookie)
{
	udf_queue_wake((struct udf_queue *)cookie);
}
