/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The code between a module's call and the function that it calls, when calls are traced. Host world, but it runs as kernel code: it is
 * copied to where modules lie (trace-api.c), with small stubs behind it, one for each traced function of the module:
 *
 *   stub:  push $number; jmp jump, or call
 *
 * jump    records the call and goes on to the function with every register and the stack as they were: for functions whose arguments
 *         may be anywhere, and for those that have rules of their own.
 * call    calls the function itself and records its return as well: for functions whose arguments are all in registers. Its frame
 *         has the usual %rbp chain, which the kernel's unwinder falls back to for code that it does not know.
 *
 * What the recorders leave pending is delivered on the way on, as by a bridge: an interrupt that came meanwhile found host code.
 */
#include "cpu.h"

	.section .rodata
	.globl	udf_trampoline, udf_trampoline_end, udf_trampoline_jump, udf_trampoline_call, udf_trampoline_vectors
	.balign	16

.macro DELIVER
	cmpq	$0, %gs:HOST_VCPU_PENDING
	je	.Lnothing\@
	cmpq	$0, %gs:HOST_VCPU_IRQ_FLAG
	je	.Lnothing\@
	call	*.Lpending(%rip)	/* preserves every register */
.Lnothing\@:
.endm

udf_trampoline:

/* From the lowest address: rbp, r11, r10, the arguments (r9 ... rdi), rax, flags, number, caller. */
udf_trampoline_jump:
	pushfq
	pushq	%rax
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%rbp
	movq	%rsp, %rbp
	leaq	24(%rsp), %rdi		/* the arguments, r9 first */
	movq	88(%rsp), %rsi		/* number */
	movq	96(%rsp), %rdx		/* caller */
	xorl	%ecx, %ecx
	andq	$-16, %rsp
	call	*.Lenter(%rip)
	movq	%rbp, %rsp
	movq	%rax, 88(%rsp)		/* instead of the number: where to go on */
	DELIVER
	popq	%rbp
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	popq	%rax
	popfq
	ret

udf_trampoline_call:
	xchgq	%rbp, (%rsp)
	pushq	%rbp			/* number */
	leaq	8(%rsp), %rbp
	pushq	$0			/* when it began */
	pushq	%rbx
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%r8
	pushq	%r9
	movq	%rsp, %rbx
	movq	%rbx, %rdi
	movq	-8(%rbp), %rsi
	movq	8(%rbp), %rdx
	leaq	-16(%rbp), %rcx
	andq	$-16, %rsp
	call	*.Lenter(%rip)
	movq	%rax, %r11
	DELIVER
	movq	0(%rbx), %r9
	movq	8(%rbx), %r8
	movq	16(%rbx), %rcx
	movq	24(%rbx), %rdx
	movq	32(%rbx), %rsi
	movq	40(%rbx), %rdi
	call	*%r11
	pushq	%rax
	pushq	%rdx
	movq	%rbx, %rdi
	movq	-8(%rbp), %rsi
	movq	8(%rbp), %rdx
	movq	%rax, %rcx
	movq	-16(%rbp), %r8
	call	*.Lleave(%rip)
	popq	%rdx
	popq	%rax
	DELIVER
	movq	-24(%rbp), %rbx
	leave
	ret

	.balign	8
udf_trampoline_vectors:			/* filled in the copy */
.Lenter:	.quad	0
.Lleave:	.quad	0
.Lpending:	.quad	0
udf_trampoline_end:

	.section .note.GNU-stack, "", @progbits
