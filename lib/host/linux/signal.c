// SPDX-License-Identifier: GPL-2.0
/*
 * Signals as a vCPU's interrupts and exceptions. Host world.
 *
 * The kick (timer, wake-up from another thread) delivers an interrupt if it hit kernel code with the virtual flag on; then the
 * frame on the task's stack is the interrupt frame, and the task may be switched away from in it and resumed on another vCPU's
 * thread. Anywhere else the bit just stays pending.
 *
 * Faults in kernel code are register accesses of the driver, or go to the kernel world: WARN, BUG, fix-ups, breakpoints.
 * Faults elsewhere belong to the application and go to the handlers it had.
 */
#define _GNU_SOURCE
#include "host/linux/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "common/log.h"
#include "layout.h"

static const int udf_fault_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
#define NR_FAULT_SIGNALS (sizeof(udf_fault_signals) / sizeof(udf_fault_signals[0]))

static struct sigaction udf_old_action[65];
static bool udf_installed;
static struct udf_range udf_text[16];
static unsigned int udf_nr_text;

bool udf_kernel_text(uint64_t ip)
{
	unsigned int i;

	if (ip >= UDF_MODULE_BASE && ip < UDF_MODULE_END)
		return true;
	for (i = 0; i < udf_nr_text; i++)
		if (ip >= udf_text[i].start && ip < udf_text[i].end)
			return true;
	return false;
}

static void udf_frame_get(const ucontext_t *uc, struct host_frame *f)
{
	const greg_t *g = uc->uc_mcontext.gregs;

	*f = (struct host_frame){
		.r15 = g[REG_R15], .r14 = g[REG_R14], .r13 = g[REG_R13], .r12 = g[REG_R12], .bp = g[REG_RBP], .bx = g[REG_RBX],
		.r11 = g[REG_R11], .r10 = g[REG_R10], .r9 = g[REG_R9], .r8 = g[REG_R8], .ax = g[REG_RAX], .cx = g[REG_RCX],
		.dx = g[REG_RDX], .si = g[REG_RSI], .di = g[REG_RDI], .orig_ax = -1ul, .ip = g[REG_RIP],
		.cs = 0x10, .flags = g[REG_EFL], .sp = g[REG_RSP], .ss = 0x18,	/* the kernel's selectors: not user mode */
	};
}

static void udf_frame_put(ucontext_t *uc, const struct host_frame *f)
{
	greg_t *g = uc->uc_mcontext.gregs;

	g[REG_R15] = f->r15; g[REG_R14] = f->r14; g[REG_R13] = f->r13; g[REG_R12] = f->r12;
	g[REG_RBP] = f->bp; g[REG_RBX] = f->bx; g[REG_R11] = f->r11; g[REG_R10] = f->r10;
	g[REG_R9] = f->r9; g[REG_R8] = f->r8; g[REG_RAX] = f->ax; g[REG_RCX] = f->cx;
	g[REG_RDX] = f->dx; g[REG_RSI] = f->si; g[REG_RDI] = f->di;
	g[REG_RIP] = f->ip; g[REG_RSP] = f->sp; g[REG_EFL] = f->flags;
}

/*
 * The timer of VCPU fired, which always reaches its own thread, though another may be driving it: has its deadline come? The deadline
 * is the running thread's to set; here it is only looked at.
 */
static void udf_timer_fired(struct udf_vcpu *vcpu)
{
	uint64_t deadline;
	int state;

	atomic_store(&vcpu->armed, 0);	/* before looking: see host_timer_set() */
	deadline = atomic_load(&vcpu->deadline);
	if (!deadline || !atomic_load(&vcpu->area))
		return;
	if (udf_host_now() < deadline) {
		udf_timer_arm(vcpu, deadline);
		return;
	}
	if (atomic_compare_exchange_strong(&vcpu->deadline, &deadline, 0))
		host_cpu_pend(vcpu->cpu, HOST_PEND_TIMER);
	/* the futex that an idle vCPU sleeps on is waited for again after a signal: unless its word has changed. And so is its eventfd */
	atomic_fetch_add(&vcpu->wake, 1);
	state = atomic_load(&vcpu->state);
	if (atomic_load(&vcpu->fd) >= 0 && state != UDF_VCPU_RUNNING && state != UDF_VCPU_SPINNING)
		udf_vcpu_wake(vcpu);
}

static void udf_kick_mask(int how)
{
	sigset_t kick;

	sigemptyset(&kick);
	sigaddset(&kick, UDF_KICK_SIGNAL);
	pthread_sigmask(how, &kick, NULL);
}

/* Kernel code may switch tasks in here: what follows the call can run on another vCPU's thread. Kicks are blocked before and after. */
static __attribute__((noinline)) void udf_interrupt(ucontext_t *uc)
{
	struct udf_thread *thread;
	struct host_frame frame;

	udf_frame_get(uc, &frame);
	udf_kick_mask(SIG_UNBLOCK);
	udf_host.entry.deliver(&frame);
	udf_kick_mask(SIG_BLOCK);
	/* sigreturn sets the thread's signal stack and mask from the frame: this thread's, not the one's that was interrupted */
	thread = udf_thread_self();
	uc->uc_stack = thread->alt_stack;
	uc->uc_sigmask = thread->mask;
}

/* Whether VCPU, whose kernel code was interrupted, is to take interrupts before that goes on. */
static bool udf_due(struct udf_vcpu *vcpu)
{
	const struct host_vcpu *area = atomic_load(&vcpu->area);

	return area->irq_flag && __atomic_load_n(&area->pending, __ATOMIC_SEQ_CST) && udf_host.entry.deliver;
}

static void udf_show(struct udf_vcpu *vcpu, const ucontext_t *uc)
{
	struct host_frame frame;

	udf_frame_get(uc, &frame);
	frame.ip = udf_detour_home(frame.ip);
	udf_vcpu_show(vcpu, udf_kernel_text(frame.ip) ? &frame : NULL);
	atomic_store(&vcpu->show, false);
}

/*
 * Kernel code was interrupted by a kick. Another one that arrives in here finds no kernel code, so it leaves its bit to us: what is looked at
 * last is looked at with kicks blocked, as they are but in udf_interrupt(), and sigreturn unblocks them.
 */
static void udf_kicked(struct udf_vcpu *vcpu, ucontext_t *uc)
{
	udf_vcpu_look(vcpu);
	for (;;) {
		if (atomic_load_explicit(&vcpu->show, memory_order_relaxed))
			udf_show(vcpu, uc);
		if (!udf_due(vcpu))
			return;
		udf_interrupt(uc);
		vcpu = udf_vcpu_self();
	}
}

/* Whether a kick hit the handler of another one: that runs on the stack of the task that it interrupted. */
static bool udf_in_handler(const ucontext_t *uc)
{
	uint64_t sp = (uint64_t)uc->uc_mcontext.gregs[REG_RSP];

	return sp < UDF_ARENA_BASE || (sp >= UDF_VMALLOC_BASE && sp < UDF_VMALLOC_END);
}

static void udf_on_kick(int sig, siginfo_t *si, void *context)
{
	struct udf_vcpu *vcpu = udf_vcpu_self();
	ucontext_t *uc = context;
	uint64_t ip;

	if (si->si_code == SI_TIMER)
		udf_timer_fired(si->si_value.sival_ptr);
	if (!vcpu || !atomic_load(&vcpu->area))
		return;
	ip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
	if (udf_kernel_text(ip) || udf_bridge_interruptible(ip)) {
		if (udf_host.dead)
			udf_vcpu_quit(vcpu);
		udf_kicked(vcpu, uc);
	} else if (atomic_load_explicit(&vcpu->show, memory_order_relaxed) && !udf_in_handler(uc)) {
		udf_show(vcpu, uc);
	}
}

/* Not ours: as if our handler were not there. Returning runs the faulting instruction again, now with the old action. */
static void udf_pass_on(int sig, siginfo_t *si, void *context)
{
	const struct sigaction *old = &udf_old_action[sig];

	if (old->sa_flags & SA_SIGINFO) {
		old->sa_sigaction(sig, si, context);
	} else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN) {
		old->sa_handler(sig);
	} else {
		struct sigaction dfl = { .sa_handler = SIG_DFL };

		sigaction(sig, &dfl, NULL);
		if (si->si_code <= 0)
			raise(sig);
	}
}

static unsigned int udf_trap_of(int sig, const ucontext_t *uc)
{
	switch (sig) {
	case SIGTRAP:
		return HOST_TRAP_BREAKPOINT;
	case SIGILL:
		return HOST_TRAP_INVALID_OP;
	case SIGFPE:
		return HOST_TRAP_DIVIDE;
	default:
		return (unsigned int)uc->uc_mcontext.gregs[REG_TRAPNO];
	}
}

static const char *udf_describe(int sig, unsigned int trap, uint64_t addr, char *buf, size_t len)
{
	if (sig == SIGSEGV && trap == HOST_TRAP_PROTECTION)
		snprintf(buf, len, "privileged instruction or non-canonical address in kernel code");
	else if (sig == SIGSEGV || sig == SIGBUS)
		snprintf(buf, len, "kernel code accessed invalid address 0x%016lx", (unsigned long)addr);
	else if (sig == SIGILL)
		snprintf(buf, len, "kernel BUG or invalid instruction");
	else
		snprintf(buf, len, "%s in kernel code", sig == SIGFPE ? "divide error" : "unexpected breakpoint");
	return buf;
}

static void udf_fault(struct udf_vcpu *vcpu, int sig, siginfo_t *si, ucontext_t *uc)
{
	uint64_t ip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP], addr = (uint64_t)si->si_addr;
	unsigned int trap = udf_trap_of(sig, uc);
	char why[300] = "";
	struct host_frame frame;
	int err = -ENOENT;

	/* a jump to nowhere is kernel code's as well: told by the kernel stack it came from */
	if (!vcpu || (!udf_kernel_text(ip) && ip >= UDF_PCI_WINDOW_BASE && !udf_bridge_interruptible(ip))) {
		udf_pass_on(sig, si, uc);
		return;
	}
	/* SIGBUS: registers that were mapped until the device went; its transport knows what they read as now */
	if ((sig == SIGSEGV || sig == SIGBUS) && udf_kernel_text(ip)) {
		if (sig == SIGSEGV && trap == HOST_TRAP_PAGE_FAULT && udf_foreign_fault(addr))
			return;
		err = udf_mmio_trap(uc, addr, sig == SIGSEGV && trap == HOST_TRAP_PROTECTION, why, sizeof(why));
		if (!err)
			return;
	}
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)udf_detour_home(ip);
	udf_frame_get(uc, &frame);
	/* the kernel's own breakpoint (host_text_write()): reported behind it, as a processor does with int3 */
	if (err == -ENOENT && trap == HOST_TRAP_PROTECTION) {
		frame.ip++;
		if (udf_host.entry.trap(HOST_TRAP_BREAKPOINT, 0, 0, &frame)) {
			udf_frame_put(uc, &frame);
			return;
		}
		frame.ip--;
	}
	if (err == -ENOENT && udf_host.entry.trap(trap, (unsigned long)uc->uc_mcontext.gregs[REG_ERR], addr, &frame)) {
		udf_frame_put(uc, &frame);
		return;
	}
	if (!why[0])
		udf_describe(sig, trap, addr, why, sizeof(why));
	udf_host.entry.oops(why, &frame);
	host_die(why);
}

/*
 * host_cpu_pend() takes what the handler raises for its own vCPU for a call by kernel code, which looks on the way back. A signal's way back is
 * another: a kick, which is blocked here, comes after it.
 */
static void udf_on_fault(int sig, siginfo_t *si, void *context)
{
	struct udf_vcpu *vcpu = udf_vcpu_self();

	udf_fault(vcpu, sig, si, context);
	if (vcpu && atomic_load(&vcpu->area) && udf_due(vcpu))
		syscall(SYS_tgkill, getpid(), udf_thread_self()->tid, UDF_KICK_SIGNAL);
}

int udf_signals_install(struct udf_error *err)
{
	struct sigaction fault = { .sa_sigaction = udf_on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	struct sigaction kick = { .sa_sigaction = udf_on_kick, .sa_flags = SA_SIGINFO | SA_RESTART };
	const struct udf_range *text;
	unsigned int n = udf_image_text(udf_host.image, &text);
	size_t i;

	if (n > sizeof(udf_text) / sizeof(udf_text[0]))
		return udf_error_set(err, -E2BIG, "the image has %u ranges of code", n);
	memcpy(udf_text, text, n * sizeof(*text));
	udf_nr_text = n;
	sigemptyset(&fault.sa_mask);
	sigaddset(&fault.sa_mask, UDF_KICK_SIGNAL);	/* no task switch on the signal stack */
	sigemptyset(&kick.sa_mask);
	for (i = 0; i < NR_FAULT_SIGNALS; i++)
		sigaction(udf_fault_signals[i], &fault, &udf_old_action[udf_fault_signals[i]]);
	sigaction(UDF_KICK_SIGNAL, &kick, &udf_old_action[UDF_KICK_SIGNAL]);
	udf_installed = true;
	return 0;
}

void udf_signals_restore(void)
{
	size_t i;

	if (!udf_installed)
		return;
	for (i = 0; i < NR_FAULT_SIGNALS; i++)
		sigaction(udf_fault_signals[i], &udf_old_action[udf_fault_signals[i]], NULL);
	sigaction(UDF_KICK_SIGNAL, &udf_old_action[UDF_KICK_SIGNAL], NULL);
	udf_installed = false;
}
