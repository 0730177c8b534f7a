// SPDX-License-Identifier: GPL-2.0
/* lib/debug/frames.c, lib/debug/symfile.c: what is written is read again by an interpreter of its own, as a debugger would. */
#include "unit.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "debug/frames.h"
#include "debug/symfile.h"

/* ---- a small reader of .debug_frame: registers are numbered as DWARF does, 16 is the return address ---- */

#define STACK 0x10000

struct machine {
	uint64_t reg[17];
	uint64_t stack[64];		/* at STACK */
};

struct rule {
	enum { SAME, UNDEFINED, AT_CFA, EXPRESSION } kind;
	int64_t offset;
	const uint8_t *expression;
	uint64_t len;
};

struct state {
	int cfa_reg;			/* -1: by expression */
	int64_t cfa_offset;
	struct rule cfa, rule[17];
};

static uint64_t load(const struct machine *m, uint64_t addr)
{
	assert_true(addr >= STACK && addr < STACK + sizeof(m->stack) && !(addr % 8));
	return m->stack[(addr - STACK) / 8];
}

static uint64_t uleb(const uint8_t **p)
{
	uint64_t v = 0;
	unsigned int shift = 0;

	do
		v |= (uint64_t)(**p & 0x7f) << shift, shift += 7;
	while (*(*p)++ & 0x80);
	return v;
}

static int64_t sleb(const uint8_t **p)
{
	uint64_t v = 0;
	unsigned int shift = 0;

	do
		v |= (uint64_t)(**p & 0x7f) << shift, shift += 7;
	while (*(*p)++ & 0x80);
	return shift < 64 && (*p)[-1] & 0x40 ? (int64_t)(v | -(1ull << shift)) : (int64_t)v;
}

static uint64_t evaluate(const struct machine *m, const uint8_t *p, uint64_t len)
{
	const uint8_t *end = p + len;
	uint64_t stack[8];
	int n = 0;

	while (p < end) {
		uint8_t op = *p++;

		if (op >= 0x70 && op < 0x90)
			stack[n++] = m->reg[op - 0x70] + (uint64_t)sleb(&p);
		else if (op == 0x06)
			stack[n - 1] = load(m, stack[n - 1]);
		else if (op == 0x11)
			stack[n++] = (uint64_t)sleb(&p);
		else if (op == 0x22)
			n--, stack[n - 1] += stack[n];
		else
			fail_msg("operation %#x", op);
	}
	assert_int_equal(n, 1);
	return stack[0];
}

static void expression(struct rule *r, const uint8_t **p)
{
	r->kind = EXPRESSION;
	r->len = uleb(p);
	r->expression = *p;
	*p += r->len;
}

/* Run instructions until those for LOC are done. */
static void run(struct state *s, const uint8_t *p, const uint8_t *end, uint64_t at, uint64_t loc)
{
	uint64_t reg;

	while (p < end) {
		uint8_t op = *p++;
		uint64_t by = 0;

		switch (op & 0xc0 ? op & 0xc0 : op) {
		case 0x40: by = op & 0x3f; break;
		case 0x02: by = *p++; break;
		case 0x03: by = p[0] | p[1] << 8; p += 2; break;
		case 0x80: s->rule[op & 0x3f] = (struct rule){ AT_CFA, -8 * (int64_t)uleb(&p), NULL, 0 }; break;
		case 0x00: break;
		case 0x07: s->rule[uleb(&p)].kind = UNDEFINED; break;
		case 0x08: s->rule[uleb(&p)].kind = SAME; break;
		case 0x0c: s->cfa_reg = (int)uleb(&p); s->cfa_offset = (int64_t)uleb(&p); break;
		case 0x12: s->cfa_reg = (int)uleb(&p); s->cfa_offset = -8 * sleb(&p); break;
		case 0x0f: s->cfa_reg = -1; expression(&s->cfa, &p); break;
		case 0x10: reg = uleb(&p); expression(&s->rule[reg], &p); break;
		case 0x11: reg = uleb(&p); s->rule[reg] = (struct rule){ AT_CFA, -8 * sleb(&p), NULL, 0 }; break;
		default: fail_msg("instruction %#x", op);
		}
		at += by;
		if (by && at > loc)
			return;
	}
}

struct fde {
	uint64_t start, end;
	const uint8_t *code, *code_end, *cie;
	bool signal;
};

static bool find(const struct udf_strbuf *b, uint64_t pc, struct fde *out)
{
	const uint8_t *base = (const uint8_t *)b->data, *p = base;
	bool found = false;

	while (p < base + b->len) {
		uint32_t len, cie;
		uint64_t start, size;
		const uint8_t *next;

		memcpy(&len, p, 4);
		memcpy(&cie, p + 4, 4);
		next = p + 4 + len;
		assert_true(next <= base + b->len);
		if (cie != 0xffffffff) {
			memcpy(&start, p + 8, 8);
			memcpy(&size, p + 16, 8);
			if (pc >= start && pc < start + size) {
				assert_false(found);		/* described once */
				found = true;
				*out = (struct fde){ start, start + size, p + 24, next, base + cie, base[cie + 9] == 'z' };
				out->code += out->signal;
			}
		}
		p = next;
	}
	return found;
}

/* Go to the caller of PC. Returns false when nothing is known; RA 0: there is none. */
static bool unwind(const struct udf_strbuf *b, struct machine *m, uint64_t pc)
{
	struct state s = { .rule[16] = { AT_CFA, -8, NULL, 0 }, .cfa_reg = 7, .cfa_offset = 8 };
	struct machine old = *m;
	struct fde f;
	uint64_t cfa;
	int i;

	if (!find(b, pc, &f))
		return false;
	run(&s, f.code, f.code_end, f.start, pc);
	cfa = s.cfa_reg < 0 ? evaluate(m, s.cfa.expression, s.cfa.len) : m->reg[s.cfa_reg] + (uint64_t)s.cfa_offset;
	for (i = 0; i < 17; i++) {
		const struct rule *r = &s.rule[i];

		if (r->kind == AT_CFA)
			m->reg[i] = load(&old, cfa + (uint64_t)r->offset);
		else if (r->kind == EXPRESSION)
			m->reg[i] = load(&old, evaluate(&old, r->expression, r->len));
		else if (r->kind == UNDEFINED)
			m->reg[i] = 0;
	}
	if (s.rule[7].kind == SAME)
		m->reg[7] = cfa;
	return true;
}

static struct machine machine(void)
{
	struct machine m;
	unsigned int i;

	for (i = 0; i < 17; i++)
		m.reg[i] = 0x100 + i;
	for (i = 0; i < 64; i++)
		m.stack[i] = 0xa000 + i;
	m.reg[6] = STACK + 128;
	m.reg[7] = STACK + 64;
	return m;
}

static struct udf_strbuf bytes;

static void add(const struct udf_orc *orc)
{
	struct udf_frames *f = udf_frames_new(&bytes);

	udf_frames_row(f, 0x1000, 0x1010, orc);
	udf_frames_end(f);
}

static int setup(void **state)
{
	bytes = (struct udf_strbuf)UDF_STRBUF_INIT;
	return 0;
}

static int teardown(void **state)
{
	udf_strbuf_free(&bytes);
	return 0;
}

/* ---- rows ---- */

static void test_call_by_sp(void **state)
{
	struct machine m = machine();

	add(&(struct udf_orc){ .sp_reg = UDF_ORC_SP, .sp_offset = 24, .bp_reg = UDF_ORC_PREV_SP, .bp_offset = -16 });
	assert_true(unwind(&bytes, &m, 0x1008));
	assert_int_equal(m.reg[7], STACK + 64 + 24);
	assert_int_equal(m.reg[16], 0xa000 + (64 + 16) / 8);
	assert_int_equal(m.reg[6], 0xa000 + (64 + 8) / 8);
	assert_int_equal(m.reg[3], 0x103);
	assert_false(unwind(&bytes, &m, 0x1010));
	assert_false(unwind(&bytes, &m, 0xfff));
}

static void test_call_by_bp(void **state)
{
	struct machine m = machine();

	add(&(struct udf_orc){ .sp_reg = UDF_ORC_BP, .sp_offset = 16, .bp_reg = UDF_ORC_BP, .bp_offset = -8 });
	assert_true(unwind(&bytes, &m, 0x1000));
	assert_int_equal(m.reg[7], STACK + 128 + 16);
	assert_int_equal(m.reg[16], 0xa000 + (128 + 8) / 8);
	assert_int_equal(m.reg[6], 0xa000 + (128 - 8) / 8);
}

static void test_other_registers(void **state)
{
	static const struct { enum udf_orc_reg orc; int dwarf; } regs[] = {
		{ UDF_ORC_DX, 1 }, { UDF_ORC_DI, 5 }, { UDF_ORC_R10, 10 }, { UDF_ORC_R13, 13 },
	};
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct machine m = machine();

		add(&(struct udf_orc){ .sp_reg = regs[i].orc, .sp_offset = 8 });
		m.reg[regs[i].dwarf] = STACK + 200;
		assert_true(unwind(&bytes, &m, 0x1000));
		assert_int_equal(m.reg[7], STACK + 208);
		assert_int_equal(m.reg[6], STACK + 128);		/* untouched */
		teardown(NULL);
		setup(NULL);
	}
}

static void test_indirect(void **state)
{
	struct machine m = machine();

	m.stack[(128 - 24) / 8] = STACK + 240;
	add(&(struct udf_orc){ .sp_reg = UDF_ORC_BP_INDIRECT, .sp_offset = -24 });
	assert_true(unwind(&bytes, &m, 0x1000));
	assert_int_equal(m.reg[7], STACK + 240);
	assert_int_equal(m.reg[16], 0xa000 + (240 - 8) / 8);
	teardown(NULL);
	setup(NULL);
	m = machine();
	m.stack[64 / 8] = STACK + 240;
	add(&(struct udf_orc){ .sp_reg = UDF_ORC_SP_INDIRECT, .sp_offset = 16 });
	assert_true(unwind(&bytes, &m, 0x1000));
	assert_int_equal(m.reg[7], STACK + 256);
}

/* The interrupted code's registers, from struct pt_regs: r15 first, then as the kernel has them. */
static void test_saved_registers(void **state)
{
	static const int order[] = { 15, 14, 13, 12, 6, 3, 11, 10, 9, 8, 0, 2, 1, 4, 5 };
	struct machine m = machine();
	struct fde f;
	unsigned int i;

	m.reg[7] = STACK + 8;
	m.stack[1 + 1 + 19] = STACK + 500;			/* pt_regs.sp */
	add(&(struct udf_orc){ .sp_reg = UDF_ORC_SP, .sp_offset = 8, .type = UDF_ORC_REGS });
	assert_true(find(&bytes, 0x1000, &f) && f.signal);
	assert_true(unwind(&bytes, &m, 0x1000));
	for (i = 0; i < 15; i++)
		assert_int_equal(m.reg[order[i]], 0xa000 + 2 + i);
	assert_int_equal(m.reg[16], 0xa000 + 2 + 16);
	assert_int_equal(m.reg[7], STACK + 500);
}

static void test_interrupt_frame(void **state)
{
	struct machine m = machine();

	m.reg[7] = STACK + 80;
	m.stack[10 + 3] = STACK + 400;
	add(&(struct udf_orc){ .sp_reg = UDF_ORC_SP, .sp_offset = 0, .type = UDF_ORC_REGS_PARTIAL });
	assert_true(unwind(&bytes, &m, 0x1000));
	assert_int_equal(m.reg[16], 0xa000 + 10);
	assert_int_equal(m.reg[7], STACK + 400);
	assert_int_equal(m.reg[3], 0x103);
}

static void test_bottom_and_unknown(void **state)
{
	struct machine m = machine();

	add(&(struct udf_orc){ .sp_reg = UDF_ORC_UNDEFINED, .end = true });
	assert_true(unwind(&bytes, &m, 0x1000));
	assert_int_equal(m.reg[16], 0);
	teardown(NULL);
	setup(NULL);
	add(&(struct udf_orc){ .sp_reg = UDF_ORC_UNDEFINED });
	assert_false(unwind(&bytes, &m, 0x1000));
}

/* ---- tables ---- */

struct table {
	uint8_t entry[64 * 6];
	int32_t ip[64];
	uint64_t n;
};

#define IP_ADDR 0x5000

static void put(struct table *t, uint64_t addr, int16_t sp_offset, unsigned int sp_reg, unsigned int type, unsigned int end)
{
	uint8_t *e = t->entry + t->n * 6;

	memcpy(e, &sp_offset, 2);
	memset(e + 2, 0, 2);
	e[4] = (uint8_t)sp_reg;
	e[5] = (uint8_t)(type | end << 2);
	t->ip[t->n] = (int32_t)(addr - (IP_ADDR + t->n * 4));
	t->n++;
}

static void convert(const struct table *t, const struct udf_span *code, unsigned int n)
{
	const struct udf_orc_table orc = { t->entry, (const uint8_t *)t->ip, IP_ADDR, t->n };
	struct udf_frames *f = udf_frames_new(&bytes);

	assert_int_equal(udf_frames_orc(f, &orc, code, n), 0);
	udf_frames_end(f);
	assert_false(bytes.failed);
}

static uint64_t cfa_of(uint64_t pc)
{
	struct machine m = machine();

	m.reg[7] = STACK;
	return unwind(&bytes, &m, pc) ? m.reg[7] - STACK : 0;
}

/* As a module's: not sorted, with ends of sections, and rows of code that is gone. */
static void test_table(void **state)
{
	static const struct udf_span code[] = { { 0x1000, 0x1100 }, { 0x3000, 0x3020 } };
	struct table t = { .n = 0 };

	put(&t, 0x3000, 48, UDF_ORC_SP, 0, 0);
	put(&t, 0x1020, 32, UDF_ORC_SP, 0, 0);
	put(&t, 0x1000, 8, UDF_ORC_SP, 0, 0);
	put(&t, 0x2000, 40, UDF_ORC_SP, 0, 0);			/* not in CODE */
	put(&t, 0x1021, 16, UDF_ORC_SP, 0, 0);
	put(&t, 0x1080, 0, UDF_ORC_UNDEFINED, 0, 0);
	put(&t, 0x1090, 0, UDF_ORC_UNDEFINED, 0, 0);		/* the end of one section ... */
	put(&t, 0x1090, 24, UDF_ORC_SP, 0, 0);			/* ... where another begins */
	convert(&t, code, 2);
	assert_int_equal(cfa_of(0x1000), 8);
	assert_int_equal(cfa_of(0x101f), 8);
	assert_int_equal(cfa_of(0x1020), 32);
	assert_int_equal(cfa_of(0x1021), 16);
	assert_int_equal(cfa_of(0x107f), 16);
	assert_int_equal(cfa_of(0x1080), 0);
	assert_int_equal(cfa_of(0x1090), 24);
	assert_int_equal(cfa_of(0x10ff), 24);
	assert_int_equal(cfa_of(0x1100), 0);
	assert_int_equal(cfa_of(0x2000), 0);
	assert_int_equal(cfa_of(0x301f), 48);
	assert_int_equal(cfa_of(0x3020), 0);
}

/* More rows than one description holds, far and near. */
static void test_long_table(void **state)
{
	static const struct udf_span code = { 0x100000, 0x400000 };
	struct table t = { .n = 0 };
	uint64_t addr = 0x100000, at[64];
	unsigned int i;

	for (i = 0; i < 60; i++) {
		at[i] = addr;
		put(&t, addr, (int16_t)(8 + 8 * (i % 20)), UDF_ORC_SP, 0, 0);
		addr += i % 4 == 0 ? 1 : i % 4 == 1 ? 200 : i % 4 == 2 ? 3000 : 70;
	}
	convert(&t, &code, 1);
	for (i = 0; i < 60; i++)
		assert_int_equal(cfa_of(at[i]), 8 + 8 * (i % 20));
}

/* The compiler's own frames win; what they leave open is filled. */
static void test_covered(void **state)
{
	static const struct udf_orc own = { .sp_reg = UDF_ORC_SP, .sp_offset = 80 }, orc = { .sp_reg = UDF_ORC_SP, .sp_offset = 16 };
	struct udf_frames *f = udf_frames_new(&bytes);

	udf_frames_row(f, 0x1020, 0x1040, &own);
	udf_frames_row(f, 0x1060, 0x1070, &own);
	udf_frames_end(f);
	f = udf_frames_new(&bytes);
	udf_frames_row(f, 0x1000, 0x1100, &orc);
	udf_frames_row(f, 0x1100, 0x1110, &orc);
	udf_frames_end(f);
	assert_int_equal(cfa_of(0x1000), 16);
	assert_int_equal(cfa_of(0x101f), 16);
	assert_int_equal(cfa_of(0x1020), 80);
	assert_int_equal(cfa_of(0x103f), 80);
	assert_int_equal(cfa_of(0x1040), 16);
	assert_int_equal(cfa_of(0x1060), 80);
	assert_int_equal(cfa_of(0x1070), 16);
	assert_int_equal(cfa_of(0x110f), 16);
}

/* A file's own section may be damaged. */
static void test_damaged_section(void **state)
{
	unsigned int seed = 1, i, j;

	for (i = 0; i < 5000; i++) {
		struct udf_strbuf b = UDF_STRBUF_INIT;
		struct udf_frames *f;

		for (j = 0; j < i % 90; j++) {
			seed = seed * 1103515245 + 12345;
			udf_strbuf_addc(&b, j % 4 == 3 || i % 2 ? (char)(seed >> 16) : (char)(seed >> 16 & 31));
		}
		f = udf_frames_new(&b);
		assert_non_null(f);
		udf_frames_row(f, 0x1000, 0x1100, &(struct udf_orc){ .sp_reg = UDF_ORC_SP, .sp_offset = 16 });
		udf_frames_end(f);
		udf_strbuf_free(&b);
	}
}

/* ---- the file around them ---- */

static void test_file(void **state)
{
	struct udf_symfile *f = udf_symfile_new();
	struct udf_strbuf debug = UDF_STRBUF_INIT;
	const Elf64_Shdr *sh, *symtab;
	const Elf64_Ehdr *eh;
	const Elf64_Sym *sym;
	const char *strings;
	void *data;
	size_t len;

	udf_symfile_section(f, ".text", 0x1000, 0x100, true);
	udf_symfile_section(f, ".data", 0x2000, 0x10, false);
	udf_symfile_section(f, ".empty", 0x3000, 0, false);
	udf_symfile_symbol(f, "global", 0x1010, 4, true, true);
	udf_symfile_symbol(f, "local", 0x2008, 8, false, false);
	udf_symfile_symbol(f, "absolute", 0x77, 0, false, true);
	udf_strbuf_add(&debug, "frames");
	udf_symfile_debug(f, ".debug_frame", &debug, 0, 0);
	assert_null(debug.data);
	assert_int_equal(udf_symfile_finish(f, &data, &len), 0);
	eh = data;
	assert_memory_equal(eh->e_ident, ELFMAG, SELFMAG);
	assert_int_equal(eh->e_type, ET_EXEC);
	assert_int_equal(eh->e_shnum, 1 + 2 + 1 + 3);
	assert_int_equal(len, eh->e_shoff + eh->e_shnum * sizeof(*sh));
	sh = (const void *)((char *)data + eh->e_shoff);
	assert_int_equal(sh[1].sh_addr, 0x1000);
	assert_int_equal(sh[1].sh_flags, SHF_ALLOC | SHF_EXECINSTR);
	assert_int_equal(sh[2].sh_flags, SHF_ALLOC | SHF_WRITE);
	assert_memory_equal((char *)data + sh[3].sh_offset, "frames", sh[3].sh_size);
	symtab = &sh[4];
	assert_int_equal(symtab->sh_type, SHT_SYMTAB);
	assert_int_equal(symtab->sh_info, 2);
	assert_int_equal(symtab->sh_size, 4 * sizeof(*sym));
	sym = (const void *)((char *)data + symtab->sh_offset);
	strings = (char *)data + sh[symtab->sh_link].sh_offset;
	assert_string_equal(strings + sym[1].st_name, "local");
	assert_int_equal(sym[1].st_shndx, 2);
	assert_string_equal(strings + sym[2].st_name, "global");
	assert_int_equal(sym[2].st_shndx, 1);
	assert_int_equal(sym[2].st_size, 4);
	assert_int_equal(sym[3].st_shndx, SHN_ABS);
	free(data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_call_by_sp), TEST(test_call_by_bp), TEST(test_other_registers), TEST(test_indirect), TEST(test_saved_registers),
		TEST(test_interrupt_frame), TEST(test_bottom_and_unknown), TEST(test_table), TEST(test_long_table), TEST(test_covered),
		TEST(test_damaged_section), TEST(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
