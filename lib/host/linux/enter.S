/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way of a vCPU's thread into kernel code and out of it. Host world.
 *
 * The thread's own stack becomes the vCPU's host stack: everything below the point of entry is for bridges
 * (struct host_vcpu.host_stack). Leaving throws away what is on it and returns from udf_vcpu_enter().
 */
#include "vcpu-offsets.h"

	.text

/* void udf_vcpu_enter(unsigned long stack, void (*entry)(unsigned int), unsigned int arg, struct udf_vcpu *vcpu) */
	.globl	udf_vcpu_enter
	.type	udf_vcpu_enter, @function
udf_vcpu_enter:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	subq	$8, %rsp
	movq	%rsp, UDF_VCPU_ENTER_SP(%rcx)
	movq	%rsp, %rax
	andq	$-16, %rax
	movq	%rax, %gs:HOST_VCPU_HOST_STACK
	movq	%rdi, %rsp
	movl	%edx, %edi
	xorl	%ebp, %ebp
	pushq	$0			/* no caller: back traces end here */
	jmp	*%rsi
	.size	udf_vcpu_enter, . - udf_vcpu_enter

/* void udf_vcpu_leave(struct udf_vcpu *vcpu): back to where udf_vcpu_enter() was called */
	.globl	udf_vcpu_leave
	.type	udf_vcpu_leave, @function
udf_vcpu_leave:
	movq	UDF_VCPU_ENTER_SP(%rdi), %rsp
	addq	$8, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
	.size	udf_vcpu_leave, . - udf_vcpu_leave

	.section .note.GNU-stack, "", @progbits
