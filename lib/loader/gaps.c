// SPDX-License-Identifier: GPL-2.0
/*
 * Bytes of a module's code that nothing ever executes: room for a jump near an instruction that is to be led elsewhere. Host world.
 *
 *   jmp __x86_return_thunk      was patched to   ret; 4 dead bytes
 *   end of a function           and padding up to the next one, which begins at a multiple of 16
 *
 * Padding is what lies between the end of one symbol and the next one and looks like it; nothing else is taken for it.
 */
#include "loader/internal.h"

#include <string.h>

#define RETURN_LEN	5	/* of the jump that became a return */
#define FUNCTION_ALIGN	16

static bool is_patched_return(const uint8_t *code)
{
	static const uint8_t patched[RETURN_LEN] = { 0xc3, 0xcc, 0xcc, 0xcc, 0xcc };

	return !memcmp(code, patched, sizeof(patched));
}

/* Only what compilers and assemblers pad with. */
static bool is_padding(const uint8_t *code, uint64_t len)
{
	static const uint8_t bytes[] = { 0xcc, 0x90, 0x66, 0x2e, 0x0f, 0x1f, 0x00, 0x40, 0x44, 0x80, 0x84 };

	for (; len--; code++)
		if (!memchr(bytes, *code, sizeof(bytes)))
			return false;
	return true;
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
		if (len)
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
		uint64_t at = sites->addr + i + (uint64_t)(int64_t)*(const int32_t *)(sites->addr + i);

		if (at < text || at + RETURN_LEN > text_end || at < low || at >= high || !is_patched_return((const uint8_t *)at))
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

		if (!mod || addr - mod->host.core_text.addr >= mod->host.core_text.size)
			continue;
		gaps_of(mod, low, high, each, ctx);
		paddings_of(mod, low, high, each, ctx);
		return true;
	}
	return false;
}
