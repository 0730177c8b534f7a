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

void udf_vcpu_show(struct udf_vcpu *vcpu, struct host_frame *frame)
{
	struct host_vcpu *area = atomic_load(&vcpu->area);
	char text[160];

	if (frame && udf_host.entry.oops) {
		snprintf(text, sizeof(text), "vCPU %u is here%s:", vcpu->cpu, area->irq_flag ? "" : ", with interrupts off");
		udf_host.entry.oops(text, frame);
		return;
	}
	/* idle with something pending: its wake-up was lost */
	snprintf(text, sizeof(text), "vCPU %u is %s, interrupts pending: %lx", vcpu->cpu,
		 udf_vcpu_is_idle(vcpu) ? "idle" : "in a call to its process", area->pending);
	host_log_write(4, text, strlen(text));
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
		syscall(SYS_tgkill, getpid(), atomic_load(&vcpu->tid), UDF_KICK_SIGNAL);
		while (atomic_load(&vcpu->show) && udf_host_now() < end)
			udf_pause();
	}
}
