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
#include <linux/uaccess.h>
#include <asm/kdebug.h>
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

/* Replaces arch/x86/kernel/dumpstack.c: show_opcodes(): the code around the instruction, for decodecode. */
void show_opcodes(struct pt_regs *regs, const char *loglvl)
{
	enum { BEFORE = 42, BYTES = 64 };
	u8 code[BYTES];

	if (copy_from_kernel_nofault(code, (void *)(regs->ip - BEFORE), BYTES)) {
		printk("%sCode: unreadable\n", loglvl);
		return;
	}
	printk("%sCode: %42ph <%02x> %21ph\n", loglvl, code, code[BEFORE], code + BEFORE + 1);
}

/* Replaces arch/x86/kernel/process_64.c: __show_regs(): the general registers; a process has no others to show. */
void __show_regs(struct pt_regs *regs, enum show_regs_mode mode, const char *log_lvl)
{
	printk("%sRIP: %pS\n", log_lvl, (void *)regs->ip);
	show_opcodes(regs, log_lvl);
	printk("%sRSP: %016lx EFLAGS: %08lx\n", log_lvl, regs->sp, regs->flags);
	printk("%sRAX: %016lx RBX: %016lx RCX: %016lx\n", log_lvl, regs->ax, regs->bx, regs->cx);
	printk("%sRDX: %016lx RSI: %016lx RDI: %016lx\n", log_lvl, regs->dx, regs->si, regs->di);
	printk("%sRBP: %016lx R08: %016lx R09: %016lx\n", log_lvl, regs->bp, regs->r8, regs->r9);
	printk("%sR10: %016lx R11: %016lx R12: %016lx\n", log_lvl, regs->r10, regs->r11, regs->r12);
	printk("%sR13: %016lx R14: %016lx R15: %016lx\n", log_lvl, regs->r13, regs->r14, regs->r15);
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
	__show_regs(regs, SHOW_REGS_ALL, KERN_EMERG);
	show_stack_regs(regs);
}

/*
 * Replaces arch/x86/kernel/apic/hw_nmi.c: arch_trigger_cpumask_backtrace(), which RCU's report of a stall calls. Nothing reaches a vCPU that has
 * interrupts off: what its task is can be said from without.
 */
void arch_trigger_cpumask_backtrace(const struct cpumask *mask, bool exclude_self)
{
	unsigned int this = get_cpu(), cpu;

	for_each_cpu(cpu, mask) {
		if (cpu == this && exclude_self)
			continue;
		pr_info("task of vCPU %u:\n", cpu);
		if (cpu == this)
			dump_stack();
		else
			sched_show_task(per_cpu(current_task, cpu));
	}
	put_cpu();
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
	kapi_die(text);
}
