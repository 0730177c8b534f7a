// SPDX-License-Identifier: GPL-2.0
/*
 * Where every vCPU and every task that waits is, into the log: the last thing that is asked of a process before it is killed for a hang.
 * Host world.
 *
 * A vCPU is asked by its signal, which arrives whatever its kernel code does with interrupts; a processor is asked by NMI for the same reason.
 * Locks that the interrupted code holds may be wanted for the answer: so this is no way to look at a process that is to go on.
 */
#define _GNU_SOURCE
#include "host/linux/host.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TASKS_MS 100		/* for the tasks, which only a vCPU that takes interrupts can tell */

static void udf_pause(void)
{
	const struct timespec pause = { .tv_nsec = 500000 };

	nanosleep(&pause, NULL);
}

static bool udf_vcpu_is_idle(const struct udf_vcpu *vcpu)
{
	int state = atomic_load(&vcpu->state);

	return state == UDF_VCPU_SLEEPING || state == UDF_VCPU_SPINNING;
}

/* Tasks that sleep uninterruptibly, with their traces. vCPU 0 prints them, and is idle again then unless it was busy before. */
static void udf_tasks_show(uint64_t end)
{
	struct udf_vcpu *vcpu = &udf_host.vcpu[0];
	struct host_vcpu *area = atomic_load(&vcpu->area);

	if (!area)
		return;
	host_cpu_pend(0, HOST_PEND_TASKS);
	while (udf_host_now() < end && (__atomic_load_n(&area->pending, __ATOMIC_SEQ_CST) & HOST_PEND_TASKS || !udf_vcpu_is_idle(vcpu)))
		udf_pause();
}

/* What a vCPU waits for besides an interrupt: "none", or how far ahead of now it is (of an armed timer: of its deadline). */
static const char *udf_timer_text(struct udf_vcpu *vcpu, char *buf, size_t len)
{
	uint64_t deadline = atomic_load(&vcpu->deadline), armed = atomic_load(&vcpu->armed);
	int64_t now = (int64_t)udf_host_now();

	if (!deadline)
		return "none";
	if (!armed)
		snprintf(buf, len, "in %ld us, not armed", (long)((int64_t)deadline - now) / 1000);
	else
		snprintf(buf, len, "in %ld us, armed for %ld us", (long)((int64_t)deadline - now) / 1000, (long)((int64_t)armed - now) / 1000);
	return buf;
}

void udf_vcpu_show(struct udf_vcpu *vcpu, struct host_frame *frame)
{
	static const char *const idle[] = {
		[UDF_VCPU_SPINNING] = "idle", [UDF_VCPU_SLEEPING] = "idle", [UDF_VCPU_HELD] = "held by the application",
		[UDF_VCPU_DRIVEN] = "driven by the application, which waits", [UDF_VCPU_RUNNING] = "in a call to its process",
	};
	struct host_vcpu *area = atomic_load(&vcpu->area);
	const char *where = frame ? area->irq_flag ? "here" : "here, with interrupts off" : idle[atomic_load(&vcpu->state)];
	char text[240], timer[80];

	/* what is pending here has not been told, or not been seen: a wake-up was lost */
	snprintf(text, sizeof(text), "vCPU %u is %s, interrupts pending: %lx, timer: %s", vcpu->cpu, where, area->pending,
		 udf_timer_text(vcpu, timer, sizeof(timer)));
	if (frame && udf_host.entry.oops) {
		unsigned long flag = area->irq_flag;

		udf_host.entry.oops(text, frame);
		area->irq_flag = flag;
	} else {
		host_log_write(4, text, strlen(text));
	}
}

void udf_vcpus_show(int timeout_ms)
{
	uint64_t now = udf_host_now(), end = now + (uint64_t)timeout_ms * 1000000u;
	unsigned int cpu;

	udf_tasks_show(now + TASKS_MS * 1000000ull);
	for (cpu = 0; cpu < udf_host.cpus; cpu++) {
		struct udf_vcpu *vcpu = &udf_host.vcpu[cpu];

		if (!atomic_load(&vcpu->area))
			continue;
		/* one after the other: their lines are not to mix */
		atomic_store(&vcpu->show, true);
		while (atomic_load(&vcpu->show) && udf_host_now() < end) {
			syscall(SYS_tgkill, getpid(), atomic_load(&vcpu->tid), UDF_KICK_SIGNAL);
			udf_pause();
		}
	}
}
