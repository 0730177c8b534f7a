// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel code that never looks by itself takes each interrupt that it is told of by a signal, also while it comes back from another one. When
 * that was a timer's, and is lost, none comes any more: who sets the first bit sends the signal, and it is set.
 */
#include "waits.h"

#define ROUNDS	20000		/* several times as many as it took to lose one */
#define SECONDS	5.0		/* that is enough for on a loaded machine, too */
#define LOST	(1u << 25)	/* turns of the module's loop, of some 20 ns or more: an interrupt is taken within some microseconds */

static void pause_some(unsigned int n)
{
	while (n--)
		__builtin_ia32_pause();
}

/* Returns whether the interrupt was taken. However loaded the machine is, the signal has been sent when turns are counted. */
static bool kick(struct udf_vcpu *vcpu)
{
	struct host_vcpu *area = atomic_load(&vcpu->area);
	unsigned int start;

	host_cpu_pend(vcpu->cpu, HOST_PEND_RESCHED);
	start = (unsigned int)atomic_load(&word[1]);
	while (__atomic_load_n(&area->pending, __ATOMIC_SEQ_CST) & HOST_PEND_RESCHED) {
		if ((unsigned int)atomic_load(&word[1]) - start > LOST)
			return false;
		__builtin_ia32_pause();
	}
	return true;
}

int main(void)
{
	struct udf_vcpu *vcpu = &udf_host.vcpu[0];
	bool lost = false;
	pthread_t thread;
	double end;

	udf = test_open("cpus", "1", NULL);
	CHECK_OK(-pthread_create(&thread, NULL, waits_load, "spin=1"));
	while (!atomic_load(&word[0]) && !atomic_load(&loaded))
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	end = test_now() + SECONDS;
	for (unsigned int i = 0; i < ROUNDS && !lost && test_now() < end; i++) {
		lost = !kick(vcpu);
		pause_some(i % 97);
	}
	atomic_store(&word[0], 2);
	pthread_join(thread, NULL);
	CHECK(!lost);
	CHECK_OK(udf_close(udf));
	test_no_complaints();
	return 0;
}
