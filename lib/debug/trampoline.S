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
	.globl	udf_trampoline_jump_framed, udf_trampoline_jump_left, udf_trampoline_call_framed, udf_trampoline_call_left
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
udf_trampoline_jump_framed:
	leaq	24(%rsp), %rdi		/* the arguments, r9 first */
	movq	88(%rsp), %rsi		/* number */
	movq	96(%rsp), %rdx		/* caller */
	xorl	%ecx, %ecx
	andq	$-16, %rsp
	call	*.Lenter(%rip)
	movq	%rbp, %rsp
	movq	%rax, 88(%rsp)		/* instead of the number: where to go on */
	DELIVER
udf_trampoline_jump_left:
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

/* From %rbp: caller +8, number -8, when it began -16, where to go -24, rax, r10, r11, the arguments (rdi ... r9) to -96. */
udf_trampoline_call:
	xchgq	%rbp, (%rsp)
	pushq	%rbp			/* number */
	leaq	8(%rsp), %rbp
udf_trampoline_call_framed:
	pushq	$0
	pushq	$0
	pushq	%rax
	pushq	%r10
	pushq	%r11
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%r8
	pushq	%r9
	movq	%rsp, %rdi
	movq	-8(%rbp), %rsi
	movq	8(%rbp), %rdx
	leaq	-16(%rbp), %rcx
	andq	$-16, %rsp
	call	*.Lenter(%rip)
	movq	%rax, -24(%rbp)
	DELIVER
	movq	-96(%rbp), %r9
	movq	-88(%rbp), %r8
	movq	-80(%rbp), %rcx
	movq	-72(%rbp), %rdx
	movq	-64(%rbp), %rsi
	movq	-56(%rbp), %rdi
	movq	-48(%rbp), %r11
	movq	-40(%rbp), %r10
	movq	-32(%rbp), %rax
	call	*-24(%rbp)
	/* some functions of the kernel's promise their callers more than the ABI does: all that they leave is kept */
	pushfq
	pushq	%rax
	pushq	%rdx
	pushq	%rcx
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	leaq	-96(%rbp), %rdi
	movq	-8(%rbp), %rsi
	movq	8(%rbp), %rdx
	movq	%rax, %rcx
	movq	-16(%rbp), %r8
	call	*.Lleave(%rip)
	DELIVER
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rcx
	popq	%rdx
	popq	%rax
	popfq
	leave
udf_trampoline_call_left:
	ret

	.balign	8
udf_trampoline_vectors:			/* filled in the copy */
.Lenter:	.quad	0
.Lleave:	.quad	0
.Lpending:	.quad	0
udf_trampoline_end:

	.section .note.GNU-stack, "", @progbits
