// SPDX-License-Identifier: GPL-2.0
/*
 * An application's thread drives a vCPU: it runs the kernel code itself, instead of waiting for the vCPU's thread to do it. Host world.
 *
 * Nothing is handed from thread to thread then: a request is submitted, started, interrupted and completed by one thread that polls.
 * The vCPU must be idle to be taken (HELD), and goes on where its kernel code called host_cpu_idle() or host_front_turn() (see enter.S).
 * Its own thread sleeps meanwhile; it receives the vCPU's timer, and takes the vCPU back when the application leaves it with work for too long.
 */
#define _GNU_SOURCE
#include "host/linux/host.h"

#include <errno.h>
#include <immintrin.h>

#define TURNS_PER_LOOK 8	/* turns between two looks at the clock */

/* Take an idle vCPU, or one that this thread holds already. Returns 0, or -EBUSY while it is running. */
static int udf_vcpu_hold(unsigned int cpu, uint64_t now)
{
	struct udf_vcpu *vcpu = &udf_host.vcpu[cpu];
	int sleeping = UDF_VCPU_SLEEPING, spinning = UDF_VCPU_SPINNING;
	bool first;

	if (udf_host.dead)
		return -ENODEV;
	if (!atomic_compare_exchange_strong(&vcpu->state, &spinning, UDF_VCPU_HELD) &&
	    !atomic_compare_exchange_strong(&vcpu->state, &sleeping, UDF_VCPU_HELD))
		return atomic_load(&vcpu->state) == UDF_VCPU_HELD ? 0 : -EBUSY;
	first = !atomic_exchange(&vcpu->held_at, now);
	if (first)
		udf_vcpu_wake(vcpu);	/* from now on it looks after us */
	return 0;
}

/*
 * While it is driven all the time, the vCPU's interrupts are looked for in memory: the device wakes nobody. The driving thread looks
 * when the kernel code is idle, and the vCPU's own thread at each tick, should that code be busy.
 */
static void udf_vcpu_poll_start(struct udf_vcpu *vcpu)
{
	if (atomic_exchange(&vcpu->polling, true) || !udf_host.vpci)
		return;
	udf_vpci_poll_start(udf_host.vpci, vcpu->cpu, 0xfee00000u | vcpu->cpu << 12);
	if (udf_host.port->ops->keep_awake)
		udf_host.port->ops->keep_awake(udf_host.port, true);
	if (udf_host.cpus == 1 && udf_host.port->ops->post_hold)
		udf_host.port->ops->post_hold(udf_host.port, true);
}

void udf_vcpu_poll_stop(struct udf_vcpu *vcpu)
{
	if (!atomic_exchange(&vcpu->polling, false) || !udf_host.vpci)
		return;
	if (udf_host.port->ops->post_hold)
		udf_host.port->ops->post_hold(udf_host.port, false);
	if (udf_host.port->ops->keep_awake)
		udf_host.port->ops->keep_awake(udf_host.port, false);
	udf_vpci_poll_stop(udf_host.vpci, vcpu->cpu);
}

/* Send what the kernel code has written and the transport has gathered. */
void udf_vcpu_post_flush(void)
{
	if (udf_host.port && udf_host.port->ops->post_flush)
		udf_host.port->ops->post_flush(udf_host.port);
}

static void udf_vcpu_set_pending(struct udf_vcpu *vcpu, unsigned long bits)
{
	__atomic_fetch_or(&atomic_load(&vcpu->area)->pending, bits, __ATOMIC_SEQ_CST);
}

/*
 * Give a held vCPU back to its own thread. Several threads may hold it in turn: it is ours alone (RUNNING) while interrupts are
 * switched over.
 */
void udf_vcpu_release(unsigned int cpu)
{
	struct udf_vcpu *vcpu = &udf_host.vcpu[cpu];
	int held = UDF_VCPU_HELD;

	if (!atomic_compare_exchange_strong(&vcpu->state, &held, UDF_VCPU_RUNNING))
		return;
	udf_vcpu_poll_stop(vcpu);
	if (vcpu->turned)
		udf_vcpu_set_pending(vcpu, HOST_PEND_FRONT);	/* its kernel thread waits to go on */
	atomic_store(&vcpu->state, UDF_VCPU_SLEEPING);
	if (udf_vcpu_pending(vcpu))
		udf_vcpu_wake(vcpu);
}

/*
 * Wait in the DRIVEN state. Returns 0, RUNNING, when the kernel code has something to do; 1 when what the thread waits for has come,
 * or is long in coming.
 */
static int udf_driven_wait(struct udf_vcpu *vcpu)
{
	uint64_t start = udf_host_now();
	unsigned int i;

	atomic_store(&vcpu->state, UDF_VCPU_DRIVEN);
	/* what the thread does next may add to what has been written: not before it waits is that sent */
	if (vcpu->until(vcpu->until_arg))
		return 1;
	udf_vcpu_post_flush();
	do {
		for (i = 0; i < 32; i++) {
			if (vcpu->until(vcpu->until_arg))
				return 1;
			if (udf_host.vpci)
				udf_vpci_poll(udf_host.vpci, vcpu->cpu);
			udf_vcpu_look(vcpu);
			if (udf_vcpu_pending(vcpu)) {
				if (udf_host.dead || atomic_load(&vcpu->stop))
					return 1;
				atomic_store(&vcpu->state, UDF_VCPU_RUNNING);
				return 0;
			}
			_mm_pause();
		}
	} while (udf_host_now() - start < vcpu->until_ns);
	return 1;
}

int udf_vcpu_idle_driven(struct udf_vcpu *vcpu)
{
	return udf_driven_wait(vcpu);
}

/* In udf_vcpu_turn(), without waiting. Returns whether to leave. */
static bool udf_driven_look(struct udf_vcpu *vcpu)
{
	if (vcpu->until(vcpu->until_arg))
		return true;
	udf_vcpu_post_flush();
	if (udf_host.vpci)
		udf_vpci_poll(udf_host.vpci, vcpu->cpu);
	if (++vcpu->turns % TURNS_PER_LOOK)
		return false;
	return udf_host.dead || atomic_load(&vcpu->stop) || udf_host_now() - vcpu->until_start > vcpu->until_ns;
}

int udf_vcpu_turn(struct udf_vcpu *vcpu, int how)
{
	udf_vcpu_look(vcpu);
	if (!udf_thread_self()->driving)
		return 0;
	vcpu->turned = true;
	if (how & HOST_TURN_SEND)
		udf_vcpu_post_flush();
	if (how & HOST_TURN_WAIT ? udf_driven_wait(vcpu) : udf_driven_look(vcpu))
		return 1;
	vcpu->turned = false;
	return 2;
}

/* Wait until the vCPU has something to do, if it was left idle. Returns whether it has. */
static bool udf_driven_enter(struct udf_vcpu *vcpu)
{
	if (!vcpu->turned)
		return !udf_driven_wait(vcpu);
	vcpu->turned = false;
	/* the kernel thread that goes on looks at its rings anyway */
	__atomic_fetch_and(&atomic_load(&vcpu->area)->pending, ~HOST_PEND_FRONT, __ATOMIC_SEQ_CST);
	return true;
}

/*
 * Run vCPU CPU on the calling thread until UNTIL(ARG), or until it has been idle for SPIN_NS. The vCPU is held afterwards. UNTIL is
 * asked whenever the kernel code is idle. Returns 0, -EBUSY when the vCPU is running elsewhere, -ENODEV when it is dead.
 */
int udf_vcpu_drive(unsigned int cpu, bool (*until)(void *arg), void *arg, uint64_t spin_ns)
{
	struct udf_vcpu *vcpu = &udf_host.vcpu[cpu];
	struct udf_thread *t = udf_thread_self();
	uint64_t now = udf_host_now();
	int held = UDF_VCPU_HELD, ret = udf_vcpu_hold(cpu, now);

	if (ret)
		return ret;
	if (!t->tid) {
		ret = udf_thread_set_up(t);
		if (ret)
			return ret;
		pthread_sigmask(SIG_SETMASK, NULL, &t->mask);
	}
	if (!atomic_compare_exchange_strong(&vcpu->state, &held, UDF_VCPU_RUNNING))
		return -EBUSY;
	udf_vcpu_poll_start(vcpu);
	vcpu->until = until;
	vcpu->until_arg = arg;
	vcpu->until_ns = spin_ns;
	vcpu->until_start = now;
	atomic_store(&vcpu->tid, t->tid);
	if (udf_driven_enter(vcpu)) {
		t->vcpu = vcpu;
		t->driving = true;
		udf_gs_write((unsigned long)atomic_load(&vcpu->area));
		udf_vcpu_drive_enter(vcpu);
		t = udf_thread_self();
		udf_gs_write(0);
		t->driving = false;
		t->vcpu = NULL;
	}
	atomic_store(&vcpu->held_at, udf_host_now());
	atomic_store(&vcpu->state, UDF_VCPU_HELD);
	return udf_host.dead ? -ENODEV : 0;
}
