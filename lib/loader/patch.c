// SPDX-License-Identifier: GPL-2.0
/* Speed patches; see patch.h. Host world; pure. */
#include "loader/patch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define CS_PREFIX	0x2e	/* pads a retpoline whose register needs a longer instruction */
#define OP_CALL		0xe8
#define OP_JMP		0xe9
#define OP_ESCAPE	0x0f	/* two-byte opcodes; 0x80-0x8f there: conditional jumps */
#define OP_RET		0xc3
#define OP_INT3		0xcc

/* A call or jump with a 32-bit displacement, taken apart. */
struct branch {
	unsigned int len;
	uint8_t op;		/* OP_CALL, OP_JMP, or 0x80-0x8f */
	uint64_t dest;
};

void udf_patch_find_thunks(struct udf_patch_thunks *thunks, uint64_t (*symbol)(void *ctx, const char *name), void *ctx)
{
	static const char *const regs[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					      "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };
	unsigned int i;

	thunks->ret = symbol(ctx, "__x86_return_thunk");
	thunks->fentry = symbol(ctx, "__fentry__");
	for (i = 0; i < 16; i++) {
		char name[40];

		snprintf(name, sizeof(name), "__x86_indirect_thunk_%s", regs[i]);
		thunks->indirect[i] = symbol(ctx, name);
	}
}

/* The text at ADDR; *ROOM is how many bytes of it follow. NULL: in no piece. */
static uint8_t *find_text(const struct udf_patch_text *text, unsigned int nr_text, uint64_t addr, uint64_t *room)
{
	unsigned int i;

	for (i = 0; i < nr_text; i++) {
		if (addr < text[i].addr || addr - text[i].addr >= text[i].size)
			continue;
		*room = text[i].size - (addr - text[i].addr);
		return text[i].mem + (addr - text[i].addr);
	}
	return NULL;
}

static bool decode(const uint8_t *p, uint64_t room, uint64_t addr, struct branch *b)
{
	unsigned int prefix = room && p[0] == CS_PREFIX, op_len;
	int32_t disp;

	p += prefix;
	room -= prefix;
	if (room >= 5 && (p[0] == OP_CALL || p[0] == OP_JMP))
		op_len = 1;
	else if (room >= 6 && p[0] == OP_ESCAPE && (p[1] & 0xf0) == 0x80)
		op_len = 2;
	else
		return false;
	b->op = p[op_len - 1];
	memcpy(&disp, p + op_len, sizeof(disp));
	b->len = prefix + op_len + sizeof(disp);
	b->dest = addr + b->len + (uint64_t)(int64_t)disp;
	return true;
}

static bool patch_return(uint8_t *p, const struct branch *b, const struct udf_patch_thunks *thunks)
{
	if (!thunks->ret || b->op != OP_JMP || b->dest != thunks->ret)
		return false;
	p[0] = OP_RET;
	memset(p + 1, OP_INT3, b->len - 1);
	return true;
}

static bool patch_fentry(uint8_t *p, const struct branch *b, const struct udf_patch_thunks *thunks)
{
	static const uint8_t nop[5] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };

	if (!thunks->fentry || b->op != OP_CALL || b->len != sizeof(nop) || b->dest != thunks->fentry)
		return false;
	memcpy(p, nop, sizeof(nop));
	return true;
}

static bool patch_retpoline(uint8_t *p, const struct branch *b, const struct udf_patch_thunks *thunks)
{
	static const uint8_t nop[5][4] = { { 0 }, { 0x90 }, { 0x66, 0x90 }, { 0x0f, 0x1f, 0x00 }, { 0x0f, 0x1f, 0x40, 0x00 } };
	uint8_t *end = p + b->len;
	unsigned int reg;

	for (reg = 0; reg < 16; reg++)
		if (thunks->indirect[reg] && thunks->indirect[reg] == b->dest)
			break;
	if (reg == 16)
		return false;
	if ((b->op & 0xf0) == 0x80) {		/* jump around the indirect jump on the opposite condition */
		*p++ = 0x70 | ((b->op ^ 1) & 0x0f);
		*p = end - (p + 1);
		p++;
	}
	if (reg >= 8)
		*p++ = 0x41;
	*p++ = 0xff;
	*p++ = (b->op == OP_CALL ? 0xd0 : 0xe0) | (reg & 7);
	if (b->op == OP_CALL)
		memcpy(p, nop[end - p], end - p);
	else
		memset(p, OP_INT3, end - p);
	return true;
}

static bool patch_site(enum udf_patch_kind kind, const struct udf_patch_text *text, unsigned int nr_text,
		       const struct udf_patch_thunks *thunks, uint64_t addr)
{
	uint64_t room;
	uint8_t *p = find_text(text, nr_text, addr, &room);
	struct branch b;

	if (!p || !decode(p, room, addr, &b))
		return false;
	switch (kind) {
	case UDF_PATCH_RETURNS:
		return patch_return(p, &b, thunks);
	case UDF_PATCH_RETPOLINES:
		return patch_retpoline(p, &b, thunks);
	case UDF_PATCH_FENTRY:
		return patch_fentry(p, &b, thunks);
	}
	return false;
}

/* __mcount_loc holds addresses; the other tables hold distances from the entry itself. */
static uint64_t site_addr(enum udf_patch_kind kind, const struct udf_patch_sites *sites, uint64_t offset)
{
	uint64_t addr;
	int32_t distance;

	if (kind == UDF_PATCH_FENTRY) {
		memcpy(&addr, (const uint8_t *)sites->mem + offset, sizeof(addr));
		return addr;
	}
	memcpy(&distance, (const uint8_t *)sites->mem + offset, sizeof(distance));
	return sites->addr + offset + (uint64_t)(int64_t)distance;
}

void udf_patch_sites(enum udf_patch_kind kind, const struct udf_patch_text *text, unsigned int nr_text,
		     const struct udf_patch_thunks *thunks, const struct udf_patch_sites *sites, struct udf_patch_count *count)
{
	unsigned int step = kind == UDF_PATCH_FENTRY ? sizeof(uint64_t) : sizeof(int32_t);
	uint64_t i;

	for (i = 0; i + step <= sites->size; i += step) {
		if (patch_site(kind, text, nr_text, thunks, site_addr(kind, sites, i)))
			count->patched++;
		else
			count->left++;
	}
}
