/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way of a thread into a vCPU's kernel code and out of it. Host world.
 *
 * The thread's own stack becomes the vCPU's host stack: everything below the point of entry is for bridges
 * (struct host_vcpu.host_stack). Leaving throws away what is on it and returns from the entry.
 *
 * A vCPU changes threads at two places: where it is idle (host_cpu_idle()), and where its front-end thread has something for the
 * application (host_front_turn()). Kernel code is then inside one of these, called by a bridge, and all that it needs to go on is the
 * callee-saved registers and the bridge's return address, kept in udf_vcpu.idle. Any thread can load them and return to the bridge in the
 * function's place; the bridge then goes back to the task's stack.
 */
#include "vcpu-offsets.h"

	.text

.macro SAVE_THREAD vcpu, slot
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	subq	$8, %rsp
	movq	%rsp, \slot(\vcpu)
	movq	%rsp, %rax
	andq	$-16, %rax
	movq	%rax, %gs:HOST_VCPU_HOST_STACK
.endm

.macro RETURN_TO_THREAD vcpu, slot
	movq	\slot(\vcpu), %rsp
	addq	$8, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
.endm

.macro FUNCTION name
	.globl	\name
	.type	\name, @function
	.balign	16
\name:
.endm

/* void udf_vcpu_enter(unsigned long stack, void (*entry)(unsigned int), unsigned int arg, struct udf_vcpu *vcpu) */
FUNCTION udf_vcpu_enter
	SAVE_THREAD %rcx, UDF_VCPU_ENTER_SP
	movq	%rdi, %rsp
	movl	%edx, %edi
	xorl	%ebp, %ebp
	pushq	$0			/* no caller: back traces end here */
	jmp	*%rsi
	.size	udf_vcpu_enter, . - udf_vcpu_enter

/* void udf_vcpu_leave(struct udf_vcpu *vcpu): back to where udf_vcpu_enter() was called */
FUNCTION udf_vcpu_leave
	RETURN_TO_THREAD %rdi, UDF_VCPU_ENTER_SP
	.size	udf_vcpu_leave, . - udf_vcpu_leave

/* void udf_vcpu_drive_enter(struct udf_vcpu *vcpu): go on with the idle vCPU's kernel code on this thread, until it is idle again */
FUNCTION udf_vcpu_drive_enter
	SAVE_THREAD %rdi, UDF_VCPU_DRIVE_SP
	movl	$1, %eax
	jmp	.Lresume
	.size	udf_vcpu_drive_enter, . - udf_vcpu_drive_enter

/* void udf_vcpu_drive_leave(struct udf_vcpu *vcpu): back to where udf_vcpu_drive_enter() was called */
FUNCTION udf_vcpu_drive_leave
	RETURN_TO_THREAD %rdi, UDF_VCPU_DRIVE_SP
	.size	udf_vcpu_drive_leave, . - udf_vcpu_drive_leave

/*
 * A place where a vCPU may change threads, called by its bridge: FUNCTION of C says whether kernel code goes on here (0, or 2 on a thread
 * that drives the vCPU), or this thread leaves it (1). Returns whether the thread that goes on drives it.
 */
.macro CROSSING name, function
FUNCTION \name
	.cfi_startproc			/* a debugger finds the kernel's task behind it */
	movl	%edi, %esi
	movq	%gs:HOST_VCPU_HOST, %rdi
	movq	(%rsp), %rax
	movq	%rbx, UDF_VCPU_IDLE+0(%rdi)
	movq	%rbp, UDF_VCPU_IDLE+8(%rdi)
	movq	%r12, UDF_VCPU_IDLE+16(%rdi)
	movq	%r13, UDF_VCPU_IDLE+24(%rdi)
	movq	%r14, UDF_VCPU_IDLE+32(%rdi)
	movq	%r15, UDF_VCPU_IDLE+40(%rdi)
	movq	%rax, UDF_VCPU_IDLE+48(%rdi)
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	call	\function
	movq	%gs:HOST_VCPU_HOST, %rdi
	cmpl	$1, %eax
	je	udf_vcpu_drive_leave
	shrl	$1, %eax
	jmp	.Lresume
	.cfi_endproc
	.size	\name, . - \name
.endm

/* void host_cpu_idle(void) */
CROSSING host_cpu_idle, udf_vcpu_idle
/* int host_front_turn(int how) */
CROSSING host_front_turn, udf_vcpu_turn

/* Go on with vCPU %rdi's kernel code; %eax: whether this thread drives it. */
	.balign	16
.Lresume:
	movq	UDF_VCPU_IDLE+0(%rdi), %rbx
	movq	UDF_VCPU_IDLE+8(%rdi), %rbp
	movq	UDF_VCPU_IDLE+16(%rdi), %r12
	movq	UDF_VCPU_IDLE+24(%rdi), %r13
	movq	UDF_VCPU_IDLE+32(%rdi), %r14
	movq	UDF_VCPU_IDLE+40(%rdi), %r15
	jmp	*UDF_VCPU_IDLE+48(%rdi)

	.section .note.GNU-stack, "", @progbits
