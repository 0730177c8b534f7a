// SPDX-License-Identifier: GPL-2.0
/*
 * Exceptions in kernel code: what arch/x86/kernel/{traps,dumpstack}.c and arch/x86/mm/fault.c do on hardware. Kernel world.
 *
 * The host's signal handler has already served accesses to registers of the port. What is left is the kernel's own: WARN
 * and BUG (ud2), fix-ups of faulting accesses, breakpoints of code that is being changed; anything else ends the process.
 * Replaces panic(): the process ends with a trace, as a port's failure.
 */
#include <linux/bug.h>
#include <linux/extable.h>
#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/ptrace.h>
#include <linux/sched/debug.h>
#include <asm/extable.h>
#include <asm/text-patching.h>

#include "kapi.h"

extern enum bug_trap_type report_bug(unsigned long addr, struct pt_regs *regs);
extern int fixup_exception(struct pt_regs *regs, int trapnr, unsigned long error_code, unsigned long fault_addr);
extern int poke_int3_handler(struct pt_regs *regs);
extern void show_stack_regs(struct pt_regs *regs);

static_assert(sizeof(struct host_frame) == sizeof(struct pt_regs));

/* Replaces is_valid_bugaddr(): the processor has just executed what lies there. */
int is_valid_bugaddr(unsigned long addr)
{
	return *(unsigned short *)addr == 0x0b0f;	/* ud2 */
}

static int kapi_bug(struct pt_regs *regs)
{
	if (report_bug(regs->ip, regs) != BUG_TRAP_TYPE_WARN)
		return 0;
	regs->ip += 2;		/* ud2 */
	return 1;
}

/*
 * May run on a signal stack, in the middle of anything: the virtual flag stays off, so that nothing is delivered and no
 * task switched from here.
 */
int kapi_trap(unsigned int trap, unsigned long error, unsigned long addr, struct host_frame *frame)
{
	struct pt_regs *regs = (struct pt_regs *)frame;
	unsigned long flag = kapi_flag();
	int handled = 0;

	kapi_flag_set(0);
	switch (trap) {
	case HOST_TRAP_BREAKPOINT:
		handled = poke_int3_handler(regs);
		break;
	case HOST_TRAP_INVALID_OP:
		handled = kapi_bug(regs);
		break;
	}
	if (!handled)
		handled = fixup_exception(regs, trap, error, addr);
	kapi_flag_set(flag);
	return handled;
}

void kapi_oops(const char *why, struct host_frame *frame)
{
	struct pt_regs *regs = (struct pt_regs *)frame;

	kapi_flag_set(0);
	pr_emerg("%s\n", why);
	pr_emerg("vCPU %u, task %s/%d, preempt count %x\n", raw_smp_processor_id(), current->comm, task_pid_nr(current),
		 preempt_count());
	if (!regs) {
		dump_stack();
		return;
	}
	pr_emerg("RIP: %pS\n", (void *)regs->ip);
	pr_emerg("RSP: %016lx EFLAGS: %08lx\n", regs->sp, regs->flags);
	pr_emerg("RAX: %016lx RBX: %016lx RCX: %016lx\n", regs->ax, regs->bx, regs->cx);
	pr_emerg("RDX: %016lx RSI: %016lx RDI: %016lx\n", regs->dx, regs->si, regs->di);
	pr_emerg("RBP: %016lx R08: %016lx R09: %016lx\n", regs->bp, regs->r8, regs->r9);
	pr_emerg("R10: %016lx R11: %016lx R12: %016lx\n", regs->r10, regs->r11, regs->r12);
	pr_emerg("R13: %016lx R14: %016lx R15: %016lx\n", regs->r13, regs->r14, regs->r15);
	show_stack_regs(regs);
}

void kapi_unsupported(const char *what)
{
	panic("%s is not supported in a driver process", what);
}

/* Replaces kernel/panic.c: panic(). */
void panic(const char *fmt, ...)
{
	static char text[512];
	va_list args;

	local_irq_disable();
	va_start(args, fmt);
	vscnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	pr_emerg("Kernel panic - not syncing: %s\n", text);
	dump_stack();
	host_die(text);
}
