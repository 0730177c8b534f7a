// SPDX-License-Identifier: GPL-2.0
/*
 * Keeping QEMU awake while a thread polls for what it does. Host world.
 *
 * QEMU's main loop sleeps as soon as it has nothing to do. Waking it takes the machine 20 us and more, the sender 8 us of that: more
 * than a device model takes for a request. It does not sleep while one of its timers is due, so one of the machine's, that nobody uses else,
 * is made to be due all the time: an HPET's that signals by a write to a word of memory.
 */
#define _GNU_SOURCE
#include <sched.h>

#include "port/qemu-int.h"

#define HPET 0xfed00000ull		/* of a q35 machine; registers and bits as in the IA-PC HPET specification, 1.0a */
#define HPET_CONFIG (HPET + 0x10)
#define HPET_ENABLE 1u
#define HPET_COUNTER (HPET + 0xf0)
#define HPET_TIMER_CONFIG (HPET + 0x100)
#define HPET_TIMER_COMPARATOR (HPET + 0x108)
#define HPET_TIMER_ROUTE (HPET + 0x110)
#define TIMER_ENABLE 0x4u
#define TIMER_PERIODIC 0x8u
#define TIMER_SET_VALUE 0x40u
#define TIMER_BY_MESSAGE 0x4000u

#define PERIOD 20u			/* ticks of 10 ns: less than the main loop takes for a turn */
#define WORD 0x3000ull			/* in RAM, below what is handed out as the arena */

/* With a single processor QEMU would only take it from the thread that polls. */
static bool worth_it(void)
{
	cpu_set_t set;

	return !sched_getaffinity(0, sizeof(set), &set) && CPU_COUNT(&set) > 1;
}

static void start(struct udf_qtest *t)
{
	if (!worth_it())
		return;
	/*
	 * From 0 on: QEMU makes up for each period that the counter is ahead, one by one. A lost port is reported by the thread that finds QEMU
	 * dead.
	 */
	(void)(udf_qtest_write(t, HPET_COUNTER, 8, 0) || udf_qtest_write(t, HPET_TIMER_ROUTE, 8, WORD << 32) ||
	       udf_qtest_write(t, HPET_TIMER_CONFIG, 8, TIMER_BY_MESSAGE | TIMER_SET_VALUE | TIMER_PERIODIC | TIMER_ENABLE) ||
	       udf_qtest_write(t, HPET_TIMER_COMPARATOR, 8, PERIOD) || udf_qtest_write(t, HPET_CONFIG, 8, HPET_ENABLE));
}

void udf_qemu_keep_awake(struct udf_port *port, bool on)
{
	struct qemu_port *q = to_qemu(port);

	udf_spin_lock(&q->awake_lock);
	if (on && !q->awake++)
		start(&q->qtest);
	else if (!on && !--q->awake)
		(void)udf_qtest_write(&q->qtest, HPET_CONFIG, 8, 0);
	udf_spin_unlock(&q->awake_lock);
}
