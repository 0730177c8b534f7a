// SPDX-License-Identifier: GPL-2.0
/*
 * Bytes of a module's code that nothing ever executes: room for a jump near an instruction that is to be led elsewhere. Host world.
 *
 *   jmp __x86_return_thunk      was patched to   ret; 4 dead bytes
 *   end of a function           and padding up to the next one, which begins at a multiple of 16
 *
 * Padding is what lies between the end of one symbol and the next one, is made of breakpoints and no-operations alone, and follows an
 * instruction that does not go on behind itself; nothing else is taken for it. Trampolines of static calls are no room: the kernel changes
 * them as a whole.
 */
#include "loader/internal.h"

#include <string.h>

#include <Zydis/Zydis.h>

#define RETURN_LEN	5	/* of the jump that became a return */
#define FUNCTION_ALIGN	16

static bool is_patched_return(const uint8_t *code)
{
	static const uint8_t patched[RETURN_LEN] = { 0xc3, 0xcc, 0xcc, 0xcc, 0xcc };

	return !memcmp(code, patched, sizeof(patched));
}

/* The instruction at CODE, of at most LEN bytes. Returns its length, 0: there is none. */
static unsigned int decode(const uint8_t *code, uint64_t len, ZydisDecodedInstruction *insn)
{
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, code, len, insn)) ? insn->length : 0;
}

/* Only what compilers and assemblers pad with. */
static bool is_padding(const uint8_t *code, uint64_t len)
{
	ZydisDecodedInstruction insn;

	for (uint64_t at = 0; at < len; at += insn.length)
		if (!decode(code + at, len - at, &insn) || (insn.mnemonic != ZYDIS_MNEMONIC_NOP && insn.mnemonic != ZYDIS_MNEMONIC_INT3))
			return false;
	return true;
}

/* Whether the last instruction of LEN bytes of code goes on behind itself. A call there is one that does not return. */
static bool falls_through(const uint8_t *code, uint64_t len)
{
	ZydisDecodedInstruction insn = { .mnemonic = ZYDIS_MNEMONIC_INVALID };

	for (uint64_t at = 0; at < len; at += insn.length)
		if (!decode(code + at, len - at, &insn))
			return true;
	switch (insn.mnemonic) {
	case ZYDIS_MNEMONIC_JMP:
	case ZYDIS_MNEMONIC_RET:
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_CALL:
		return false;
	default:
		return true;
	}
}

static bool is_trampoline(const struct symtab_entry *e)
{
	return e && !strncmp(e->name, "__SCT__", 7);
}

/* Padding behind END, if a function ends there. */
static uint64_t padding_behind(const struct udf_module *mod, uint64_t end)
{
	uint64_t to = (end + FUNCTION_ALIGN - 1) & ~(uint64_t)(FUNCTION_ALIGN - 1);
	const struct symtab_entry *e = udf_symtab_lookup(&mod->symtab, end - 1);
	uint64_t text_end = mod->place[UDF_PART_TEXT].addr + mod->layout.size[UDF_PART_TEXT];

	if (!e || !e->size || e->addr + e->size != end)
		return 0;
	if (++e < mod->symtab.entry + mod->symtab.nr && e->addr < to)
		to = e->addr;
	to = to < text_end ? to : text_end;
	return to > end && is_padding((const uint8_t *)end, to - end) ? to - end : 0;
}

/* Padding that is not behind a patched return: a function that ends with a jump, or a call that does not return. */
static void paddings_of(const struct udf_module *mod, uint64_t low, uint64_t high, void (*each)(void *ctx, uint64_t addr, uint64_t len),
			void *ctx)
{
	uint64_t text = mod->place[UDF_PART_TEXT].addr, text_end = text + mod->layout.size[UDF_PART_TEXT];
	unsigned int i;

	for (i = 0; i < mod->symtab.nr; i++) {
		const struct symtab_entry *e = &mod->symtab.entry[i];
		uint64_t end = e->addr + e->size, len;

		if (e->size < RETURN_LEN || e->addr < text || end > text_end || end < low || end >= high)
			continue;
		len = is_patched_return((const uint8_t *)end - RETURN_LEN) ? 0 : padding_behind(mod, end);
		if (len && !is_trampoline(e) && !falls_through((const uint8_t *)e->addr, e->size))
			each(ctx, end, len);
	}
}

static void gaps_of(const struct udf_module *mod, uint64_t low, uint64_t high, void (*each)(void *ctx, uint64_t addr, uint64_t len),
		    void *ctx)
{
	const struct host_section *sites = &mod->host.sec[HOST_SEC_RETURN_SITES];
	uint64_t text = mod->place[UDF_PART_TEXT].addr, text_end = text + mod->layout.size[UDF_PART_TEXT];
	uint64_t i;

	for (i = 0; i + sizeof(int32_t) <= sites->size; i += sizeof(int32_t)) {
		int32_t distance;
		uint64_t at;

		memcpy(&distance, (const void *)(sites->addr + i), sizeof(distance));	/* the linker does not align it */
		at = sites->addr + i + (uint64_t)(int64_t)distance;
		if (at < text || at + RETURN_LEN > text_end || at < low || at >= high || !is_patched_return((const uint8_t *)at) ||
		    is_trampoline(udf_symtab_lookup(&mod->symtab, at)))
			continue;
		each(ctx, at + 1, RETURN_LEN - 1 + padding_behind(mod, at + RETURN_LEN));
	}
}

bool udf_loader_gaps(struct udf_loader *loader, uint64_t addr, uint64_t low, uint64_t high,
		     void (*each)(void *ctx, uint64_t addr, uint64_t len), void *ctx)
{
	unsigned int i;

	for (i = 0; i < LOADER_MODULES_MAX; i++) {
		const struct udf_module *mod = atomic_load(&loader->linked[i]);

		if (!mod || mod->state != MODULE_LIVE || addr - mod->host.core_text.addr >= mod->host.core_text.size)
			continue;
		gaps_of(mod, low, high, each, ctx);
		paddings_of(mod, low, high, each, ctx);
		return true;
	}
	return false;
}
