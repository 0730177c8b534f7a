// SPDX-License-Identifier: GPL-2.0
/*
 * Clock, tick and delays: what arch/x86/kernel/{tsc,time,apic/apic}.c and arch/x86/lib/delay.c do on hardware. Kernel world.
 *
 * Replaces sched_clock(), clocksource_default_clock(), __udelay(), __const_udelay(), __ndelay(), __delay(). Time is the
 * host's CLOCK_MONOTONIC; each vCPU has a one-shot clock event device. Everything above (timekeeping, hrtimers, timer wheel,
 * dynamic ticks) is the image's.
 */
#include <linux/clockchips.h>
#include <linux/clocksource.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/math64.h>
#include <linux/smp.h>
#include <asm/x86_init.h>

#include "kapi.h"

unsigned long long sched_clock(void)
{
	return host_time_now();
}

static u64 kapi_clock_read(struct clocksource *cs)
{
	return host_time_now();
}

static struct clocksource kapi_clocksource = {
	.name = "udf",
	.rating = 500,
	.read = kapi_clock_read,
	.mask = CLOCKSOURCE_MASK(64),
	.mult = 1 << 20,
	.shift = 20,			/* cycles are nanoseconds */
	.flags = CLOCK_SOURCE_IS_CONTINUOUS | CLOCK_SOURCE_VALID_FOR_HRES,
	.max_idle_ns = 2000000000ull,
	.max_cycles = 1ull << 40,
	.maxadj = 1 << 17,
	.list = LIST_HEAD_INIT(kapi_clocksource.list),
	.wd_list = LIST_HEAD_INIT(kapi_clocksource.wd_list),
};

/* The timekeeping core starts with this clock: no later switch by stop_machine() is needed. */
struct clocksource *clocksource_default_clock(void)
{
	return &kapi_clocksource;
}

static void kapi_get_wallclock(struct timespec64 *now)
{
	*now = ns_to_timespec64(host_time_real());
}

void kapi_time_wallclock(void)
{
	x86_platform.get_wallclock = kapi_get_wallclock;
}

static struct clock_event_device kapi_clock_event[HOST_CPUS_MAX];

static int kapi_event_set(unsigned long ns, struct clock_event_device *dev)
{
	host_timer_set(host_time_now() + ns);
	return 0;
}

static int kapi_event_off(struct clock_event_device *dev)
{
	host_timer_set(0);
	return 0;
}

static int kapi_event_nop(struct clock_event_device *dev)
{
	return 0;
}

void kapi_time_init(void)
{
	unsigned int cpu = smp_processor_id();
	struct clock_event_device *dev = &kapi_clock_event[cpu];

	dev->name = "udf";
	dev->features = CLOCK_EVT_FEAT_ONESHOT;
	dev->rating = 400;
	dev->irq = -1;
	dev->cpumask = cpumask_of(cpu);
	dev->set_next_event = kapi_event_set;
	dev->set_state_shutdown = kapi_event_off;
	dev->set_state_oneshot = kapi_event_nop;
	dev->set_state_oneshot_stopped = kapi_event_off;
	dev->tick_resume = kapi_event_nop;
	clockevents_config_and_register(dev, NSEC_PER_SEC, 1000, 0x7fffffff);
}

void kapi_timer_interrupt(void)
{
	struct clock_event_device *dev = &kapi_clock_event[smp_processor_id()];

	if (dev->event_handler)
		dev->event_handler(dev);
}

/* Busy waits end by the clock, whatever the processor's speed: no calibration. Interrupts are taken between two looks. */
static void kapi_wait(u64 ns)
{
	u64 start = host_time_now();

	while (host_time_now() - start < ns)
		cpu_relax();
}

void __ndelay(unsigned long ns)
{
	kapi_wait(ns);
}

void __udelay(unsigned long us)
{
	kapi_wait(us * 1000ull);
}

/* XLOOPS are seconds times 2^32. */
void __const_udelay(unsigned long xloops)
{
	kapi_wait(mul_u64_u64_shr(xloops, NSEC_PER_SEC, 32) + 1);
}

/* Loops of a loop that is taken to last a nanosecond. */
void __delay(unsigned long loops)
{
	kapi_wait(loops);
}
