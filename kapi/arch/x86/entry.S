/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Replaces arch/x86/entry/entry_64.S: __switch_to_asm, and the flag operations behind pv_ops.irq. Kernel world.
 *
 * The interrupt flag is virtual: a word of the vCPU's area. Enabling looks whether something came meanwhile. There is no
 * %fs, %gs, FPU or stack-segment state of a user task to switch, so the switch is one of callee-saved registers and stack.
 */
#include <linux/linkage.h>
#include <asm/asm-offsets.h>
#include <asm/percpu.h>
#include <asm/unwind_hints.h>
#include "cpu.h"

	.text

/* struct task_struct *__switch_to_asm(struct task_struct *prev, struct task_struct *next) */
SYM_FUNC_START(__switch_to_asm)
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, TASK_threadsp(%rdi)
	movq	TASK_threadsp(%rsi), %rsp
	movq	TASK_stack_canary(%rsi), %rbx
	movq	%rbx, %gs:40
	movq	%rsi, PER_CPU_VAR(current_task)
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	movq	%rdi, %rax
	RET
SYM_FUNC_END(__switch_to_asm)

/* Callee-save functions of pv_ops.irq: no register but %rax (and flags) changes. */
SYM_FUNC_START(kapi_save_fl)
	movq	%gs:HOST_VCPU_IRQ_FLAG, %rax
	RET
SYM_FUNC_END(kapi_save_fl)

SYM_FUNC_START(kapi_irq_disable)
	movq	$0, %gs:HOST_VCPU_IRQ_FLAG
	RET
SYM_FUNC_END(kapi_irq_disable)

/*
 * A signal between the two instructions delivers by itself; one before them finds the flag off and leaves its bit for the
 * comparison.
 */
SYM_FUNC_START(kapi_irq_enable)
	movq	$0x200, %gs:HOST_VCPU_IRQ_FLAG
	cmpq	$0, %gs:HOST_VCPU_PENDING
	jne	kapi_irq_pending
	RET
SYM_FUNC_END(kapi_irq_enable)

/*
 * Something is pending and interrupts are on: build the frame that an interrupt would have pushed, for the handlers'
 * get_irq_regs() and for traces, and deliver. All registers are preserved. Also the way back from a bridge.
 */
SYM_CODE_START(kapi_irq_pending)
	UNWIND_HINT_FUNC
	pushfq				/* flags, for ourselves */
	subq	$168, %rsp		/* struct pt_regs */
	movq	%r15, 0(%rsp)
	movq	%r14, 8(%rsp)
	movq	%r13, 16(%rsp)
	movq	%r12, 24(%rsp)
	movq	%rbp, 32(%rsp)
	movq	%rbx, 40(%rsp)
	movq	%r11, 48(%rsp)
	movq	%r10, 56(%rsp)
	movq	%r9, 64(%rsp)
	movq	%r8, 72(%rsp)
	movq	%rax, 80(%rsp)
	movq	%rcx, 88(%rsp)
	movq	%rdx, 96(%rsp)
	movq	%rsi, 104(%rsp)
	movq	%rdi, 112(%rsp)
	movq	$-1, 120(%rsp)
	movq	176(%rsp), %rax		/* return address: where the code goes on */
	movq	%rax, 128(%rsp)
	movq	$0x10, 136(%rsp)	/* __KERNEL_CS */
	movq	$0x202, 144(%rsp)
	leaq	184(%rsp), %rax
	movq	%rax, 152(%rsp)
	movq	$0x18, 160(%rsp)	/* __KERNEL_DS */
	UNWIND_HINT_REGS
	movq	%rsp, %rdi
	call	kapi_deliver
	movq	40(%rsp), %rbx
	movq	48(%rsp), %r11
	movq	56(%rsp), %r10
	movq	64(%rsp), %r9
	movq	72(%rsp), %r8
	movq	80(%rsp), %rax
	movq	88(%rsp), %rcx
	movq	96(%rsp), %rdx
	movq	104(%rsp), %rsi
	movq	112(%rsp), %rdi
	addq	$168, %rsp
	UNWIND_HINT sp_reg=ORC_REG_SP sp_offset=16 type=UNWIND_HINT_TYPE_FUNC
	popfq
	UNWIND_HINT_FUNC
	RET
SYM_CODE_END(kapi_irq_pending)

/* this_cpu_cmpxchg16b_emu: the image's own disables interrupts by `cli`. */
SYM_FUNC_START(this_cpu_cmpxchg16b_emu)
	cmpxchg16b %gs:(%rsi)
	sete	%al
	RET
SYM_FUNC_END(this_cpu_cmpxchg16b_emu)
