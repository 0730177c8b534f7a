// SPDX-License-Identifier: GPL-2.0
/*
 * The code patches of patch.h. Host world.
 *
 * Mitigations against speculation protect the kernel from user space: here both are one process, and a return costs a jump
 * more, an indirect call a call and a fence. Tracing (__fentry__) has nobody to call.
 */
#include "image/patch.h"

#include <stdio.h>

#define OP_CS		0x2e
#define OP_CALL		0xe8
#define OP_JMP		0xe9
#define OP_RET		0xc3
#define OP_INT3		0xcc
#define OP_NOP		0x90
#define OP_REX_B	0x41
#define OP_GROUP5	0xff
#define GROUP5_CALL	0xd0		/* /2, register */
#define GROUP5_JMP	0xe0		/* /4, register */
#define BRANCH		5		/* bytes of call or jmp rel32 */

static const char *const reg_name[UDF_X86_REGS] = {
	"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"
};

static uint64_t thunk(const struct udf_kernel *k, const char *name)
{
	unsigned int count;
	const struct udf_ksym *sym = udf_kernel_symbol(k, name, &count);

	return sym && count == 1 && !sym->absolute ? sym->value : 0;
}

void udf_thunks_find(const struct udf_kernel *k, struct udf_thunks *thunks)
{
	char name[64];
	unsigned int i;

	thunks->ret = thunk(k, "__x86_return_thunk");
	thunks->fentry = thunk(k, "__fentry__");
	for (i = 0; i < UDF_X86_REGS; i++) {
		snprintf(name, sizeof(name), "__x86_indirect_thunk_%s", reg_name[i]);
		thunks->indirect[i] = thunk(k, name);
	}
}

/* Target of the call or jmp rel32 at P, which runs at ADDR. */
static uint64_t target(const uint8_t *p, uint64_t addr)
{
	return addr + BRANCH + (uint64_t)(int64_t)(int32_t)udf_get32(p + 1);
}

void udf_patch_return(const struct udf_memory *m, const struct udf_thunks *thunks, uint64_t addr, struct udf_patch_count *count)
{
	uint8_t *p = udf_memory_at(m, addr, BRANCH);

	if (!p || p[0] != OP_JMP || !thunks->ret || target(p, addr) != thunks->ret) {
		count->skipped++;
		return;
	}
	memset(p, OP_INT3, BRANCH);
	p[0] = OP_RET;
	count->returns++;
}

/* The register whose thunk is at ADDR, or -1. */
static int thunk_reg(const struct udf_thunks *thunks, uint64_t addr)
{
	int i;

	for (i = 0; i < UDF_X86_REGS; i++)
		if (thunks->indirect[i] && thunks->indirect[i] == addr)
			return i;
	return -1;
}

void udf_patch_retpoline(const struct udf_memory *m, const struct udf_thunks *thunks, uint64_t addr, struct udf_patch_count *count)
{
	uint8_t *p = udf_memory_at(m, addr, BRANCH);
	unsigned int prefix = p && p[0] == OP_CS, n = 0;
	uint8_t *branch = udf_memory_at(m, addr + prefix, BRANCH);
	bool call = branch && branch[0] == OP_CALL;
	int reg = call || (branch && branch[0] == OP_JMP) ? thunk_reg(thunks, target(branch, addr + prefix)) : -1;

	if (reg < 0) {
		count->skipped++;
		return;
	}
	/* a call must return behind the old one, a jmp never comes back */
	memset(p, call ? OP_NOP : OP_INT3, BRANCH + prefix);
	if (reg >= 8)
		p[n++] = OP_REX_B;
	p[n++] = OP_GROUP5;
	p[n++] = (call ? GROUP5_CALL : GROUP5_JMP) | (reg & 7);
	count->retpolines++;
}

void udf_patch_fentry(const struct udf_memory *m, const struct udf_thunks *thunks, uint64_t addr, struct udf_patch_count *count)
{
	static const uint8_t nop5[BRANCH] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	uint8_t *p = udf_memory_at(m, addr, BRANCH);

	if (!p || p[0] != OP_CALL || !thunks->fentry || target(p, addr) != thunks->fentry) {
		count->skipped++;
		return;
	}
	memcpy(p, nop5, BRANCH);
	count->fentry++;
}

void udf_patch_relative(const struct udf_memory *m, const struct udf_thunks *thunks, uint64_t list, uint64_t len, udf_patch_site *patch,
			struct udf_patch_count *count)
{
	const uint8_t *p = udf_memory_at(m, list, len);
	uint64_t i;

	for (i = 0; p && i + 4 <= len; i += 4)
		patch(m, thunks, list + i + (uint64_t)(int64_t)(int32_t)udf_get32(p + i), count);
}

void udf_patch_absolute(const struct udf_memory *m, const struct udf_thunks *thunks, uint64_t list, uint64_t len, udf_patch_site *patch,
			struct udf_patch_count *count)
{
	const uint8_t *p = udf_memory_at(m, list, len);
	uint64_t i;

	for (i = 0; p && i + 8 <= len; i += 8)
		patch(m, thunks, udf_get64(p + i), count);
}

static void patch_section(struct udf_kernel *k, const struct udf_thunks *thunks, const char *name, udf_patch_site *patch)
{
	const struct udf_ksection *s = udf_kernel_section(k, name);

	if (s && !s->percpu && !s->nobits)
		udf_patch_relative(&k->image, thunks, s->addr, s->size, patch, &k->patched);
}

void udf_patch_kernel(struct udf_kernel *k, const struct udf_thunks *thunks)
{
	uint64_t start = thunk(k, "__start_mcount_loc"), end = thunk(k, "__stop_mcount_loc");

	patch_section(k, thunks, ".return_sites", udf_patch_return);
	patch_section(k, thunks, ".retpoline_sites", udf_patch_retpoline);
	if (start && end > start)
		udf_patch_absolute(&k->image, thunks, start, end - start, udf_patch_fentry, &k->patched);
}
