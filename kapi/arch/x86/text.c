// SPDX-License-Identifier: GPL-2.0
/*
 * Changing code while other vCPUs run it: replaces arch/x86/kernel/alternative.c: __text_poke(), text_poke_early() and
 * arch/x86/kernel/static_call.c: arch_static_call_transform(). Kernel world.
 *
 * The protocol (breakpoint, rest, first byte, each followed by an interrupt to all CPUs) is the image's; only the write into
 * protected pages is the host's. Static calls are changed at their trampolines alone: their call sites go on calling those,
 * so that thousands of pages of code stay shared between driver processes.
 */
#include <linux/memory.h>
#include <linux/static_call.h>
#include <asm/text-patching.h>

#include "kapi.h"

typedef void text_poke_f(void *dst, const void *src, size_t len);
extern void text_poke_memset(void *dst, const void *src, size_t len);

/* FUNC is the image's text_poke_memcpy() or text_poke_memset() (SRC: the address of an int). */
void *__text_poke(text_poke_f func, void *addr, const void *src, size_t len)
{
	u8 buf[64];

	if (func != text_poke_memset) {
		if (host_text_write((unsigned long)addr, src, len))
			panic("code at %pS cannot be changed", addr);
		return addr;
	}
	memset(buf, *(const int *)src, sizeof(buf));
	while (len) {
		size_t n = min(len, sizeof(buf));

		if (host_text_write((unsigned long)addr, buf, n))
			panic("code at %pS cannot be changed", addr);
		addr += n;
		len -= n;
	}
	return addr;
}

void text_poke_early(void *addr, const void *opcode, size_t len)
{
	if (host_text_write((unsigned long)addr, opcode, len))
		panic("code at %pS cannot be changed", addr);
}

void arch_static_call_transform(void *site, void *tramp, void *func, bool tail)
{
	u8 insn[5] = { 0xc3, 0xcc, 0xcc, 0xcc, 0xcc };	/* ret: a static call without a function */

	if (!tramp)
		return;
	if (func) {
		s32 rel = (long)func - ((long)tramp + 5);

		insn[0] = 0xe9;			/* jmp */
		memcpy(insn + 1, &rel, sizeof(rel));
	}
	if (!memcmp(tramp, insn, sizeof(insn)))
		return;
	mutex_lock(&text_mutex);
	text_poke_bp(tramp, insn, sizeof(insn), NULL);
	mutex_unlock(&text_mutex);
}
