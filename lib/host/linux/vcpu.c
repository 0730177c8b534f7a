// SPDX-License-Identifier: GPL-2.0
/*
 * vCPUs as threads: start, stop, idle, wake-ups and the timer of each. Host world; implements cpu.h and time.h.
 *
 * A vCPU is told of an interrupt by a bit in its pending word. Whether it must also be poked depends on its state: spinning, it
 * looks by itself; sleeping, a futex (or an eventfd: rings.c) wakes it; running, a signal makes it look at the next place where kernel code has
 * interrupts on.
 */
#define _GNU_SOURCE
#include "host/linux/host.h"
#include "host/linux/vcpu-offsets.h"

#include <cpuid.h>
#include <errno.h>
#include <immintrin.h>
#include <linux/futex.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HWCAP2_FSGSBASE_BIT 2			/* AT_HWCAP2 on x86: the kernel lets user space write %gs base */
#define SPIN_MIN_NS 2000ull
#define SPIN_MAX_NS 60000ull
#define THREAD_STACK (1ul << 20)		/* of a vCPU's thread: the host stack that bridges use */
#define ALT_STACK (256ul << 10)
#define HELD_CHECK_NS 1000000u			/* how long a holder may leave work undone */
#define HELD_FORGET_NS 100000000u		/* not held for so long: the application does not drive any more */

_Static_assert(offsetof(struct udf_vcpu, enter_sp) == UDF_VCPU_ENTER_SP, "enter.S knows this offset");
_Static_assert(offsetof(struct udf_vcpu, drive_sp) == UDF_VCPU_DRIVE_SP, "enter.S knows this offset");
_Static_assert(offsetof(struct udf_vcpu, idle) == UDF_VCPU_IDLE, "enter.S knows this offset");

struct udf_host udf_host = { .arena_fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

static __thread struct udf_thread udf_thread_tls __attribute__((tls_model("initial-exec")));

/* Not inlined: after kernel code has run, the caller may be on another thread, and must not use a remembered TLS address. */
__attribute__((noinline)) struct udf_thread *udf_thread_self(void)
{
	struct udf_thread *thread = &udf_thread_tls;

	__asm__ volatile("" : "+r"(thread) : : "memory");
	return thread;
}

__attribute__((noinline)) struct udf_vcpu *udf_vcpu_self(void)
{
	struct udf_vcpu *vcpu = udf_thread_tls.vcpu;

	__asm__ volatile("" : "+r"(vcpu) : : "memory");
	return vcpu;
}

uint64_t udf_host_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

unsigned long host_time_now(void)
{
	return udf_host_now();
}

unsigned long host_time_real(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct timespec udf_after_ms(unsigned int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

unsigned int host_cpu_count(void)
{
	return udf_host.cpus;
}

void host_cpu_yield(void)
{
	sched_yield();
}

/*
 * CPUID leaves in the order of the kernel's capability words 0 (1.edx), 4 (1.ecx), 9 (7.ebx), 18 (7.edx): only features that
 * work unprivileged and that kernel code without an architecture beneath may see. Bits as in cpufeatures.h.
 */
unsigned int host_cpu_cap(unsigned int *words, unsigned int n)
{
	unsigned int a, b, c, d;
	/* fpu tsc cx8 cmov clflush mmx fxsr sse sse2; pclmul ssse3 cx16 sse4.1 sse4.2 popcnt rdrand; bmi1 bmi2 erms rdseed; fsrm */
	const unsigned int edx1 = 1u << 0 | 1u << 4 | 1u << 8 | 1u << 15 | 1u << 19 | 1u << 23 | 1u << 24 | 1u << 25 | 1u << 26;
	const unsigned int ecx1 = 1u << 1 | 1u << 9 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 23 | 1u << 30;
	const unsigned int ebx7 = 1u << 3 | 1u << 8 | 1u << 9 | 1u << 18;
	const unsigned int edx7 = 1u << 4;

	memset(words, 0, n * sizeof(*words));
	if (n < 19)
		return 0;
	__cpuid(1, a, b, c, d);
	words[0] = d & edx1;
	words[4] = c & ecx1;
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
		words[9] = b & ebx7;
		words[18] = d & edx7;
	}
	words[0] |= 1u << 9;				/* "apic": a vCPU can interrupt itself, irq_work is at once */
	words[1] = 1u << 29;				/* long mode */
	words[3] = 1u << 16 | 1u << 20 | 1u << 21 | 1u << 24;	/* rep_good, nopl, always, nonstop tsc */
	return n;
}

void udf_gs_write(unsigned long base)
{
	__asm__ volatile("wrgsbase %0" : : "r"(base) : "memory");
}

static long udf_futex(_Atomic uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, timeout, NULL, 0);
}

void host_cpu_pend(unsigned int cpu, unsigned long bits)
{
	struct udf_vcpu *vcpu = &udf_host.vcpu[cpu];
	struct host_vcpu *area = atomic_load(&vcpu->area);
	const struct udf_thread *self = udf_thread_self();
	unsigned long old;

	if (!area)
		return;
	old = __atomic_fetch_or(&area->pending, bits, __ATOMIC_SEQ_CST);
	if (old || (self->vcpu == vcpu && self->tid == atomic_load(&vcpu->tid) && atomic_load(&vcpu->state) == UDF_VCPU_RUNNING))
		return;			/* whoever set the first bit has poked it; oneself looks on the way back */
	switch (atomic_load(&vcpu->state)) {
	case UDF_VCPU_SPINNING:
	case UDF_VCPU_DRIVEN:
	case UDF_VCPU_HELD:		/* its holder looks soon, or its own thread does */
		return;
	case UDF_VCPU_SLEEPING:
		udf_vcpu_wake(vcpu);
		return;
	default:
		syscall(SYS_tgkill, getpid(), atomic_load(&vcpu->tid), UDF_KICK_SIGNAL);
	}
}

void udf_vcpu_wake_futex(struct udf_vcpu *vcpu)
{
	atomic_fetch_add(&vcpu->wake, 1);
	udf_futex(&vcpu->wake, FUTEX_WAKE, 1, NULL);
}

/* Wake the vCPU's own thread from its sleep. */
void udf_vcpu_wake(struct udf_vcpu *vcpu)
{
	int fd = atomic_load(&vcpu->fd);

	fd < 0 ? udf_vcpu_wake_futex(vcpu) : (void)eventfd_write(fd, 1);
}

bool udf_vcpu_pending(struct udf_vcpu *vcpu)
{
	struct host_vcpu *area = atomic_load_explicit(&vcpu->area, memory_order_relaxed);

	return __atomic_load_n(&area->pending, __ATOMIC_SEQ_CST) || atomic_load_explicit(&vcpu->stop, memory_order_relaxed) ||
	       udf_host.dead;
}

/* The own thread takes the vCPU from state FROM. */
static bool udf_vcpu_take(struct udf_vcpu *vcpu, int from)
{
	struct host_vcpu *area = atomic_load(&vcpu->area);

	if (!atomic_compare_exchange_strong(&vcpu->state, &from, UDF_VCPU_RUNNING))
		return false;
	area->host_stack = vcpu->enter_sp & -16ul;
	atomic_store(&vcpu->tid, vcpu->own_tid);
	return true;
}

static bool udf_watch_changed(const struct udf_watch *watch, unsigned int n)
{
	unsigned int i;

	if (n > UDF_WATCHES)
		return true;
	for (i = 0; i < n; i++)
		if (*watch[i].word != watch[i].is)
			return true;
	return false;
}

/*
 * Whether something can come while this thread spins: on the machine's only processor nobody runs meanwhile who would want it, but the device may
 * end a request.
 */
static bool udf_spin_pays(const struct udf_vcpu *vcpu)
{
	return !udf_host.one_processor || atomic_load_explicit(&vcpu->fd, memory_order_relaxed) < 0 || udf_rings_busy(vcpu);
}

/* Between two looks, a fraction of a microsecond: as much as who shares the core has of it. */
static void udf_spin_pause(void)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		_mm_pause();
}

/* Spin, since START, for as long as it has paid lately. Returns whether something came. */
static bool udf_vcpu_spin(struct udf_vcpu *vcpu, uint64_t start)
{
	struct udf_watch watch[UDF_WATCHES];
	unsigned int n = UDF_WATCHES + 1, i;

	do {
		for (i = 0; i < 16; i++) {
			if (udf_watch_changed(watch, n)) {
				udf_vcpu_look(vcpu);
				n = udf_vcpu_watch(vcpu, watch);
			}
			if (udf_vcpu_pending(vcpu)) {
				vcpu->spin_ns = SPIN_MAX_NS;
				return true;
			}
			if (atomic_load_explicit(&vcpu->state, memory_order_relaxed) != UDF_VCPU_SPINNING)
				return false;
			udf_spin_pause();
		}
	} while (udf_spin_pays(vcpu) && udf_host_now() - start < vcpu->spin_ns);
	vcpu->spin_ns = vcpu->spin_ns / 2 > SPIN_MIN_NS ? vcpu->spin_ns / 2 : SPIN_MIN_NS;
	return false;
}

/* The application has not held the vCPU since HELD_AT: it does not drive any more, unless it is driving all that time. */
static bool udf_vcpu_forget(struct udf_vcpu *vcpu, uint64_t held_at)
{
	if (udf_vcpu_take(vcpu, UDF_VCPU_HELD)) {
		udf_vcpu_poll_stop(vcpu);
		atomic_store(&vcpu->state, UDF_VCPU_SLEEPING);
	}
	return atomic_load(&vcpu->state) == UDF_VCPU_SLEEPING && atomic_compare_exchange_strong(&vcpu->held_at, &held_at, 0);
}

/*
 * Wait until the vCPU is ours and has something to do. While the application's threads hold it now and then, look every
 * HELD_CHECK_NS whether one has left work undone: it may never come back.
 */
static void udf_vcpu_wait(struct udf_vcpu *vcpu)
{
	const struct timespec check = { .tv_nsec = HELD_CHECK_NS };

	for (;;) {
		int fd = atomic_load(&vcpu->fd);	/* first: who did not see it, and woke the futex, has said before why */
		uint32_t seq = atomic_load(&vcpu->wake);
		uint64_t held_at = atomic_load(&vcpu->held_at);

		udf_vcpu_doze(vcpu, true);
		if (udf_vcpu_pending(vcpu)) {
			if (udf_vcpu_take(vcpu, UDF_VCPU_SLEEPING))
				return;
			if (held_at && udf_host_now() - held_at > HELD_CHECK_NS && udf_vcpu_take(vcpu, UDF_VCPU_HELD)) {
				udf_vcpu_poll_stop(vcpu);
				return;
			}
			if (udf_host.dead && atomic_load(&vcpu->state) != UDF_VCPU_RUNNING)
				return;
		}
		if (atomic_load_explicit(&udf_host.halt, memory_order_relaxed)) {
			udf_ahead_halt(vcpu);
			continue;
		}
		if (held_at && udf_host_now() - held_at > HELD_FORGET_NS && udf_vcpu_forget(vcpu, held_at))
			continue;
		if (atomic_load(&vcpu->polling) && udf_host.vpci) {
			udf_vpci_poll(udf_host.vpci, vcpu->cpu);
			udf_vcpu_post_flush();
		}
		vcpu->sleeps += !held_at;
		if (fd >= 0)
			udf_vcpu_doze_on(fd, held_at ? &check : NULL);
		else
			udf_futex(&vcpu->wake, FUTEX_WAIT, seq, held_at ? &check : NULL);
	}
}

static void udf_vcpu_sleep(struct udf_vcpu *vcpu)
{
	int state = UDF_VCPU_SPINNING;

	atomic_compare_exchange_strong(&vcpu->state, &state, UDF_VCPU_SLEEPING);
	udf_vcpu_wait(vcpu);
	udf_vcpu_doze(vcpu, false);
}

/*
 * The end: a vCPU that has nothing to do waits for the others to have nothing to do either, and goes back to kernel code if one of
 * them wants something of it meanwhile. Once all are here none goes back. Returns whether to leave.
 */
static bool udf_vcpu_park(struct udf_vcpu *vcpu)
{
	unsigned int n = atomic_fetch_add(&udf_host.parked, 1) + 1;

	for (;;) {
		struct host_vcpu *area = atomic_load(&vcpu->area);

		n = atomic_load(&udf_host.parked);
		if (n == udf_host.cpus)
			return true;
		if (__atomic_load_n(&area->pending, __ATOMIC_SEQ_CST) &&
		    atomic_compare_exchange_strong(&udf_host.parked, &n, n - 1))
			return false;
		sched_yield();
	}
}

void udf_vcpu_quit(struct udf_vcpu *vcpu)
{
	sigset_t kick;

	/* a signal's handler may be what is left */
	sigemptyset(&kick);
	sigaddset(&kick, UDF_KICK_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
	if (udf_thread_self()->driving)
		udf_vcpu_drive_leave(vcpu);
	udf_vcpu_leave(vcpu);
}

int udf_vcpu_idle(struct udf_vcpu *vcpu)
{
	uint64_t start;

	/* what a null per-CPU pointer points to: its owner was not initialised */
	if (vcpu != udf_vcpu_self())
		host_die("kernel code has written to the head of its per-CPU area");
	if (udf_thread_self()->driving)
		return udf_vcpu_idle_driven(vcpu);
	start = udf_host_now();
	atomic_store(&vcpu->state, UDF_VCPU_SPINNING);
	if (!udf_vcpu_spin(vcpu, start) || !udf_vcpu_take(vcpu, UDF_VCPU_SPINNING)) {
		udf_vcpu_sleep(vcpu);
		/* it would have paid to spin on */
		if (udf_host_now() - start < SPIN_MAX_NS)
			vcpu->spin_ns = SPIN_MAX_NS;
	}
	if (udf_host.dead || (atomic_load(&vcpu->stop) && udf_vcpu_park(vcpu)))
		udf_vcpu_leave(vcpu);
	vcpu->turned = false;
	return 0;
}

/*
 * An earlier armed time stays: the signal then finds the deadline still ahead and arms it. So the kernel's habit of moving the
 * deadline out and back around every idle period costs no system call.
 */
void host_timer_set(unsigned long deadline)
{
	struct udf_vcpu *vcpu = udf_vcpu_self();

	/*
	 * In this order: the signal for an earlier time, on the vCPU's own thread while another drives it, clears ARMED and then looks at the
	 * deadline. Either it sees ours, or we see that nothing is armed.
	 */
	atomic_store(&vcpu->deadline, deadline);
	if (deadline)
		udf_timer_arm(vcpu, deadline);
}

static void udf_timer_settime(struct udf_vcpu *vcpu, uint64_t when)
{
	const struct itimerspec at = {
		.it_value = { .tv_sec = (time_t)(when / 1000000000u), .tv_nsec = (long)(when % 1000000000u) },
	};

	timer_settime(vcpu->timer, TIMER_ABSTIME, &at, NULL);
}

/*
 * Make the timer fire at WHEN at the latest. Two threads may do so at once, the vCPU's own in its signal handler and the one that drives
 * it: whoever sets the timer last sees that it has set what ARMED says.
 */
void udf_timer_arm(struct udf_vcpu *vcpu, uint64_t when)
{
	uint64_t armed = atomic_load(&vcpu->armed);

	do {
		if (armed && armed <= when)
			return;
	} while (!atomic_compare_exchange_weak(&vcpu->armed, &armed, when));
	do {
		armed = atomic_load(&vcpu->armed);
		if (armed)
			udf_timer_settime(vcpu, armed);
	} while (atomic_load(&vcpu->armed) != armed);
}

void host_cpu_area(unsigned long percpu)
{
	struct udf_vcpu *vcpu = udf_vcpu_self();
	struct host_vcpu *area = (struct host_vcpu *)percpu;

	*area = *atomic_load(&vcpu->area);
	atomic_store(&vcpu->area, area);
	udf_gs_write(percpu);
}

void host_entry(const struct host_entry *entry)
{
	udf_host.entry = *entry;
}

/* Only our signals and those of faults reach a vCPU's thread: the application's own go to its other threads. */
static void udf_vcpu_mask_signals(struct udf_thread *t)
{
	sigfillset(&t->mask);
	sigdelset(&t->mask, UDF_KICK_SIGNAL);
	sigdelset(&t->mask, SIGSEGV);
	sigdelset(&t->mask, SIGBUS);
	sigdelset(&t->mask, SIGILL);
	sigdelset(&t->mask, SIGFPE);
	sigdelset(&t->mask, SIGTRAP);
	pthread_sigmask(SIG_SETMASK, &t->mask, NULL);
}

/* Make the calling thread T one that can run kernel code: it needs a stack for faults, since the kernel's own are small. */
int udf_thread_set_up(struct udf_thread *t)
{
	t->alt_stack.ss_size = ALT_STACK;
	t->alt_stack.ss_sp = mmap(NULL, ALT_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (t->alt_stack.ss_sp == MAP_FAILED || sigaltstack(&t->alt_stack, NULL))
		return -errno;
	t->tid = (pid_t)syscall(SYS_gettid);
	return 0;
}

static void udf_thread_take_down(struct udf_thread *t)
{
	const stack_t none = { .ss_flags = SS_DISABLE };

	sigaltstack(&none, NULL);
	munmap(t->alt_stack.ss_sp, ALT_STACK);
	memset(t, 0, sizeof(*t));
}

static int udf_vcpu_set_up(struct udf_vcpu *vcpu, struct udf_thread *t)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = UDF_KICK_SIGNAL, .sigev_value.sival_ptr = vcpu };
	int err = udf_thread_set_up(t);

	vcpu->own_tid = t->tid;
	atomic_store(&vcpu->tid, t->tid);
	vcpu->spin_ns = SPIN_MAX_NS;
	event._sigev_un._tid = t->tid;
	return err ? err : timer_create(CLOCK_MONOTONIC, &event, &vcpu->timer) ? -errno : 0;
}

static void *udf_vcpu_thread(void *arg)
{
	struct udf_vcpu *vcpu = arg;
	struct udf_thread *t = udf_thread_self();
	struct host_vcpu *area = (struct host_vcpu *)vcpu->percpu;

	if (udf_vcpu_set_up(vcpu, t))
		udf_host_fail("a vCPU's timer or signal stack cannot be set up");
	t->vcpu = vcpu;
	area->irq_flag = 0;
	area->pending = 0;
	area->host = vcpu;
	area->vectors = vcpu->vectors;
	udf_gs_write(vcpu->percpu);
	atomic_store(&vcpu->area, area);
	udf_vcpu_mask_signals(t);
	udf_vcpu_enter(vcpu->stack, vcpu->entry, vcpu->cpu, vcpu);
	/* left for good */
	atomic_store(&vcpu->area, NULL);
	udf_gs_write(0);
	timer_delete(vcpu->timer);
	udf_thread_take_down(t);
	return NULL;
}

int host_cpu_start(unsigned int cpu, unsigned long percpu, unsigned long stack, void (*entry)(unsigned int cpu))
{
	struct udf_vcpu *vcpu = &udf_host.vcpu[cpu];
	pthread_attr_t attr;
	sigset_t all, old;
	int err;

	if (cpu >= udf_host.cpus || vcpu->started)
		return -EINVAL;
	memset(vcpu, 0, sizeof(*vcpu));
	vcpu->cpu = cpu;
	atomic_store(&vcpu->fd, -1);
	vcpu->percpu = percpu;
	vcpu->stack = stack;
	vcpu->entry = entry;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	/* no signal before the thread is a vCPU; and the new thread inherits our %gs base, which its first lines replace */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	err = pthread_create(&vcpu->thread, &attr, udf_vcpu_thread, vcpu);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	vcpu->started = !err;
	return -err;
}

int udf_vcpus_start(struct udf_error *err)
{
	uint64_t stack = udf_image_symbol(udf_host.image, "init_stack");
	uint64_t boot = udf_image_kapi_symbol(udf_host.image, "kapi_boot");
	uint64_t percpu = udf_image_symbol(udf_host.image, "__per_cpu_load");
	const uint64_t thread_size = 16384;	/* the kernel's on x86-64 */
	int ret;

	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT))
		return udf_error_set(err, -ENOSYS, "this machine's kernel or processor has no FSGSBASE instructions: Linux 5.9 and a processor since 2012 have them");
	if (!stack || !boot || !percpu)
		return udf_error_set(err, -EINVAL, "the prepared image lacks %s", !stack ? "init_stack" : !boot ? "kapi_boot" : "__per_cpu_load");
	ret = host_cpu_start(0, percpu, stack + thread_size - 256, (void (*)(unsigned int))boot);
	if (ret)
		return udf_error_set(err, ret, "a vCPU's thread cannot be started: %s", strerror(-ret));
	return 0;
}

/*
 * The kernel code is not to be trusted any more (a vCPU has died in it, perhaps with locks that others spin on): the threads are taken
 * out of it by a signal wherever they are in it. See udf_on_kick().
 */
static int udf_vcpus_abandon(int timeout_ms)
{
	uint64_t end = udf_host_now() + (uint64_t)timeout_ms * 1000000u;
	const struct timespec pause = { .tv_nsec = 200000 };
	unsigned int cpu;

	for (cpu = 0; cpu < udf_host.cpus; cpu++) {
		struct udf_vcpu *vcpu = &udf_host.vcpu[cpu];

		while (vcpu->started && pthread_tryjoin_np(vcpu->thread, NULL)) {
			if (udf_host_now() > end)
				return -ETIMEDOUT;
			udf_vcpu_wake(vcpu);
			pthread_kill(vcpu->thread, UDF_KICK_SIGNAL);
			nanosleep(&pause, NULL);
		}
		vcpu->started = false;
	}
	return 0;
}

int udf_vcpus_stop(int timeout_ms)
{
	struct timespec until;
	unsigned int cpu;
	int err = 0;

	if (udf_host.dead)
		return udf_vcpus_abandon(timeout_ms);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000 + 1;
	for (cpu = 0; cpu < udf_host.cpus; cpu++) {
		atomic_store(&udf_host.vcpu[cpu].stop, true);
		/* a pending bit without meaning: makes it look */
		host_cpu_pend(cpu, HOST_PEND_RESCHED);
	}
	for (cpu = 0; cpu < udf_host.cpus; cpu++) {
		struct udf_vcpu *vcpu = &udf_host.vcpu[cpu];

		if (!vcpu->started)
			continue;
		if (pthread_timedjoin_np(vcpu->thread, NULL, &until))
			err = -ETIMEDOUT;
		else
			vcpu->started = false;
	}
	return err;
}
