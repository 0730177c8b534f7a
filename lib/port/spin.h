/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A spinlock that gives way: for short sections in which vCPU threads and the transport's thread may meet. Host world.
 * Takes no system call while uncontended and is safe in a signal handler as long as its owner is not interrupted by one that takes it.
 */
#ifndef UDF_PORT_SPIN_H
#define UDF_PORT_SPIN_H

#include <sched.h>
#include <stdbool.h>

struct udf_spin { int held; };

static inline bool udf_spin_trylock(struct udf_spin *s)
{
	return !__atomic_exchange_n(&s->held, 1, __ATOMIC_ACQUIRE);
}

static inline void udf_spin_lock(struct udf_spin *s)
{
	for (unsigned int turn = 1; !udf_spin_trylock(s); turn++) {
		/* on a small machine the owner may need this very core */
		if (turn % 64 == 0)
			sched_yield();
		__builtin_ia32_pause();
	}
}

static inline void udf_spin_unlock(struct udf_spin *s)
{
	__atomic_store_n(&s->held, 0, __ATOMIC_RELEASE);
}

#endif
