// SPDX-License-Identifier: GPL-2.0
/*
 * lib/loader/gaps.c: what is said to be executed by nothing. In a module of our own, and in stock ones, whose code is followed from each
 * function's beginning over all its branches.
 */
#include "unit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <Zydis/Zydis.h>

#include "layout.h"
#include "loader/elfgen.h"
#include "loader/fake_kernel.h"
#include "loader/internal.h"

static struct udf_loader *loader;
static struct udf_error err;

/* ---- a module of our own ---- */

#define THUNK "\xe9\0\0\0\0"		/* jmp __x86_return_thunk: a relocation, and a place in .return_sites */

static const struct function {
	const char *name;
	unsigned int at, size;
	const char *code;		/* up to the next one */
	unsigned int len;
	int site[2];			/* in the code; -1: none */
} functions[] = {
#define CODE(bytes) bytes, sizeof(bytes) - 1
	/* xor; return. Padding of any kind */
	{ "returns", 0, 7, CODE("\x31\xc0" THUNK "\x90\xcc\x66\x90\x0f\x1f\x44\x00\x00"), { 2, -1 } },
	/* a breakpoint behind the return is the function's, so is what comes before it */
	{ "hardened", 16, 8, CODE("\x31\xc0" THUNK "\xcc\x66\x2e\x0f\x1f\x84\x00\x00\x00"), { 2, -1 } },
	{ "table", 32, 16, CODE("\x31\xc0\x31\xc0\x31\xc0\x31\xc0\x31\xc0\x31\xc0\x31\xc0\xeb\xf0"), { -1, -1 } },
	{ "jumps", 48, 5, CODE("\x31\xc0\x90\xeb\xfb\x0f\x1f\x40\x00\x66\x0f\x1f\x44\x00\x00\x90"), { -1, -1 } },
	/* goes on in what looks like padding */
	{ "falls", 64, 5, CODE("\x31\xc0\x90\x31\xc0\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90"), { -1, -1 } },
	/* zeroes are no padding, though bytes of some no-operations are zero */
	{ "data", 80, 6, CODE("\x31\xc0\x66\x90\xeb\xfa\0\0\0\0\0\0\0\0\0\0"), { -1, -1 } },
	/* the next function begins at once */
	{ "tight", 96, 5, CODE(THUNK "\xcc\xcc\xcc"), { 0, -1 } },
	/* je 1f; return; 1: xor; return */
	{ "branches", 104, 14, CODE("\x74\x05" THUNK "\x31\xc0" THUNK "\xcc\xcc"), { 2, 9 } },
	{ "__SCT__call", 120, 8, CODE(THUNK "\x0f\xb9\xcc\x90\x90\x90\x90\x90\x90\x90\x90"), { 0, -1 } },
	/* not padding up to the next multiple of 16: the module's code ends before */
	{ "last", 136, 5, CODE(THUNK "\xcc"), { 0, -1 } },
};
#define NR_FUNCTIONS (sizeof(functions) / sizeof(functions[0]))
#define TEXT 142

static const struct { unsigned int at, len; } expected[] = {
	{ 3, 4 + 9 }, { 19, 4 }, { 97, 4 + 3 }, { 107, 4 }, { 114, 4 + 2 }, { 137, 4 + 1 },
	{ 53, 11 },
};
#define NR_EXPECTED (sizeof(expected) / sizeof(expected[0]))

static struct fake_symbol symbols[] = {
	{ "__x86_return_thunk", { .addr = 0x71000100, .crc = 0x11 }, true, false },
	{ "module_layout", { .addr = 0x71000500, .crc = 0x55 }, true, false },
};

static void add_text(struct elfgen *g)
{
	uint8_t code[TEXT] = { 0 }, sites[4 * 16] = { 0 };
	unsigned int text, table, thunk, section, n = 0;
	int where[16];

	for (unsigned int i = 0; i < NR_FUNCTIONS; i++) {
		const struct function *f = &functions[i];

		memcpy(code + f->at, f->code, f->len);
		for (unsigned int j = 0; j < 2; j++)
			if (f->site[j] >= 0 && (!j || f->site[j]))
				where[n++] = (int)f->at + f->site[j];
	}
	text = elfgen_section(g, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, code, sizeof(code), 16);
	section = elfgen_symbol(g, "", STB_LOCAL, STT_SECTION, text, 0, 0);
	for (unsigned int i = 0; i < NR_FUNCTIONS; i++)
		elfgen_symbol(g, functions[i].name, STB_LOCAL, STT_FUNC, text, functions[i].at, functions[i].size);
	table = elfgen_section(g, ".return_sites", SHT_PROGBITS, SHF_ALLOC, sites, 4 * n, 4);
	thunk = elfgen_symbol(g, "__x86_return_thunk", STB_GLOBAL, STT_NOTYPE, SHN_UNDEF, 0, 0);
	for (unsigned int i = 0; i < n; i++) {
		elfgen_reloc(g, text, (uint64_t)where[i] + 1, R_X86_64_PLT32, thunk, -4);
		elfgen_reloc(g, table, 4 * i, R_X86_64_PC32, section, where[i]);
	}
}

static const char *make(char *dir, char *path, size_t path_len)
{
	static const char info[] = "name=gaps\0license=GPL\0vermagic=" FAKE_VERMAGIC "\0depends=";
	struct { uint64_t crc; char name[56]; } version = { 0x11, "__x86_return_thunk" };
	struct elfgen *g = elfgen_new();
	unsigned int init;
	size_t len;
	void *data;
	FILE *f;

	add_text(g);
	elfgen_section(g, ".modinfo", SHT_PROGBITS, SHF_ALLOC, info, sizeof(info), 1);
	elfgen_section(g, ".gnu.linkonce.this_module", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, NULL, 128, 64);
	init = elfgen_section(g, ".init.text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, "\x31\xc0\xc3", 3, 1);
	elfgen_symbol(g, "init_module", STB_GLOBAL, STT_FUNC, init, 0, 3);
	elfgen_section(g, "__versions", SHT_PROGBITS, SHF_ALLOC, &version, sizeof(version), 32);
	data = elfgen_finish(g, &len);
	assert_non_null(mkdtemp(dir));
	snprintf(path, path_len, "%s/gaps.ko", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
	free(data);
	return path;
}

struct gaps {
	uint64_t text;
	unsigned int nr;
	struct { uint64_t addr, len; } gap[16384];
};

static struct gaps found;

static void take(void *ctx, uint64_t addr, uint64_t len)
{
	struct gaps *g = ctx;

	assert_true(g->nr < sizeof(g->gap) / sizeof(g->gap[0]));
	g->gap[g->nr].addr = addr;
	g->gap[g->nr++].len = len;
}

/* Exactly those of EXPECTED that lie in [LOW, HIGH) of the text: by their beginnings, a return's by that of its instruction. */
static void expect(uint64_t text, uint64_t low, uint64_t high)
{
	unsigned int n = 0;

	found.nr = 0;
	assert_true(udf_loader_gaps(loader, text, text + low, text + high, take, &found));
	for (unsigned int i = 0; i < NR_EXPECTED; i++) {
		bool is_return = i + 1 < NR_EXPECTED;
		uint64_t begins = expected[i].at - is_return;

		if (begins < low || begins >= high)
			continue;
		if (n >= found.nr || found.gap[n].addr != text + expected[i].at || found.gap[n].len != expected[i].len)
			fail_msg("%u ... %u: gap %u is %ld, %lu bytes; expected was %u, %u bytes", (unsigned int)low, (unsigned int)high, n,
				 n < found.nr ? (long)(found.gap[n].addr - text) : -1, n < found.nr ? found.gap[n].len : 0, expected[i].at,
				 expected[i].len);
		n++;
	}
	assert_int_equal(found.nr, n);
}

static void test_own(void **state)
{
	struct fake_kernel fake = { .vermagic = FAKE_VERMAGIC, .symbol = symbols, .nr = 2 };
	struct udf_kernel kernel = fake_kernel_ops(&fake);
	char dir[] = "/tmp/udf-test-XXXXXX", path[64];
	struct udf_module *mod;
	struct host_module h;
	uint64_t text;

	assert_int_equal(udf_loader_new_kernel(&kernel, NULL, &loader, &err), 0);
	make(dir, path, sizeof(path));
	if (udf_loader_open(loader, path, NULL, &mod, &err))
		fail_msg("%s", err.text);
	assert_false(udf_loader_gaps(loader, UDF_MODULE_BASE, 0, ~0ull, take, &found));
	if (udf_loader_link(loader, mod, 0x30000, &err))
		fail_msg("%s", err.text);
	udf_module_describe(mod, &h);
	/* while it is being loaded, it may go at any time */
	assert_false(udf_loader_gaps(loader, h.core_text.addr, 0, ~0ull, take, &found));
	assert_int_equal(udf_loader_live(loader, mod, &err), 0);
	text = h.core_text.addr;
	assert_int_equal(udf_module_symbol(mod, "returns"), text);
	assert_memory_equal((void *)(text + 2), "\xc3\xcc\xcc\xcc\xcc", 5);
	expect(text, 0, 4096);
	for (unsigned int low = 0; low < 160; low += 3)
		for (unsigned int high = low; high < 160; high += 7)
			expect(text, low, high);
	found.nr = 0;
	assert_false(udf_loader_gaps(loader, h.init_text.addr, 0, ~0ull, take, &found));
	assert_false(udf_loader_gaps(loader, h.core_text.addr - 1, 0, ~0ull, take, &found));
	assert_false(udf_loader_gaps(loader, h.core_text.addr + h.core_text.size, 0, ~0ull, take, &found));
	assert_int_equal(found.nr, 0);
	udf_loader_free_init(loader, mod);
	expect(text, 0, 4096);		/* the file is gone by now */
	assert_int_equal(udf_loader_close(loader, mod, &err), 0);
	assert_false(udf_loader_gaps(loader, text, 0, ~0ull, take, &found));
	udf_loader_free(loader);
	unlink(path);
	rmdir(dir);
}

/* ---- stock modules ---- */

static struct fake_kernel stock;

struct flow {
	uint64_t text, size;
	uint8_t *reached;		/* a byte for each of the code */
	uint64_t *todo;
	unsigned int nr_todo;
};

static void visit(struct flow *f, uint64_t addr)
{
	if (addr - f->text < f->size && f->reached[addr - f->text] != 2)
		f->todo[f->nr_todo++] = addr;
}

/* Follow the code from AT to its end, which a call at END is, too: 1 marks bytes that are executed, 2 those that instructions begin with. */
static void follow(struct flow *f, const ZydisDecoder *decoder, uint64_t at, const struct udf_module *mod)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;
	uint64_t target;

	while (at - f->text < f->size && f->reached[at - f->text] != 2) {
		const struct symtab_entry *e = udf_symtab_lookup(&mod->symtab, at);

		if (ZYAN_FAILED(ZydisDecoderDecodeFull(decoder, (const void *)at, f->text + f->size - at, &insn, ops)))
			fail_msg("%s: %s+%#lx is no instruction", udf_module_name(mod), e->name, at - e->addr);
		memset(f->reached + (at - f->text), 1, insn.length);
		f->reached[at - f->text] = 2;
		if (insn.operand_count && ops[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && ops[0].imm.is_relative &&
		    ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&insn, &ops[0], at, &target)))
			visit(f, target);
		at += insn.length;
		if (insn.mnemonic == ZYDIS_MNEMONIC_JMP || insn.mnemonic == ZYDIS_MNEMONIC_RET || insn.mnemonic == ZYDIS_MNEMONIC_INT3)
			return;
		/* ud2 is BUG, behind which nothing is executed, or WARN, behind which there is more of the function */
		if ((insn.mnemonic == ZYDIS_MNEMONIC_CALL || insn.mnemonic == ZYDIS_MNEMONIC_UD2) && e->addr + e->size == at)
			return;
	}
}

static void check_module(struct udf_module *mod)
{
	struct flow f = { .text = mod->place[UDF_PART_TEXT].addr, .size = mod->layout.size[UDF_PART_TEXT] };
	unsigned int bytes = 0, returns = 0;
	ZydisDecoder decoder;

	f.reached = calloc(1, f.size);
	f.todo = calloc(f.size + mod->symtab.nr, sizeof(*f.todo));
	assert_true(f.reached && f.todo);
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (unsigned int i = 0; i < mod->symtab.nr; i++)
		if (mod->symtab.entry[i].size && mod->symtab.entry[i].addr - f.text < f.size) {
			visit(&f, mod->symtab.entry[i].addr);
			while (f.nr_todo)
				follow(&f, &decoder, f.todo[--f.nr_todo], mod);
		}
	found.nr = 0;
	assert_true(udf_loader_gaps(loader, f.text, f.text, f.text + f.size, take, &found));
	for (unsigned int i = 0; i < found.nr; i++) {
		const struct symtab_entry *e = udf_symtab_lookup(&mod->symtab, found.gap[i].addr);

		assert_true(found.gap[i].addr >= f.text && found.gap[i].addr + found.gap[i].len <= f.text + f.size);
		returns += *(const uint8_t *)(found.gap[i].addr - 1) == 0xc3;
		bytes += found.gap[i].len;
		for (uint64_t j = 0; j < found.gap[i].len; j++)
			if (f.reached[found.gap[i].addr + j - f.text])
				fail_msg("%s: %s+%#lx is executed", udf_module_name(mod), e->name, found.gap[i].addr + j - e->addr);
	}
	print_message("%s: %u gaps, %u of them behind returns, %u bytes\n", udf_module_name(mod), found.nr, returns, bytes);
	assert_true(found.nr > 0);
	free(f.reached);
	free(f.todo);
}

static void load(const char *what)
{
	struct udf_plan plan;

	if (udf_loader_plan(loader, what, &plan, &err))
		fail_msg("%s", err.text);
	for (unsigned int i = 0; i < plan.nr; i++) {
		struct udf_module *mod;

		if (udf_loader_open(loader, plan.entry[i].path, NULL, &mod, &err) || udf_loader_link(loader, mod, 0x30000, &err) ||
		    udf_loader_live(loader, mod, &err))
			fail_msg("%s", err.text);
		udf_loader_free_init(loader, mod);
		check_module(mod);
	}
	udf_plan_free(&plan);
}

/* Drivers with their cores, and code that was written in assembly language. */
static void test_stock(void **state)
{
	static const char *const names[] = { "nvme", "e1000e", "megaraid_sas", "ahci", "ixgbe", "twofish-x86_64-3way", "sha512-ssse3" };
	struct udf_kernel kernel = fake_kernel_ops(&stock);

	if (!stock.nr)
		skip();
	if (udf_loader_new_kernel(&kernel, stock.modules, &loader, &err))
		fail_msg("%s", err.text);
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		load(names[i]);
	udf_loader_free(loader);
}

static int setup(void **state)
{
	err = (struct udf_error)UDF_ERROR_INIT;
	return 0;
}

static int group_setup(void **state)
{
	if (fake_kernel_load(&stock))
		fprintf(stderr, "no kernel is unpacked below the build folder\n");
	return 0;
}

static int group_teardown(void **state)
{
	fake_kernel_free(&stock);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup(test_own, setup), cmocka_unit_test_setup(test_stock, setup) };

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
