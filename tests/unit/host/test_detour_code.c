// SPDX-License-Identifier: GPL-2.0
/*
 * lib/host/linux/detour-code.c: detours are made and run, against a stub in host_mmio_access()'s place, and compared with the processor
 * that runs the instruction itself and with the emulator, from the same random registers, flags and memory.
 */
#define _GNU_SOURCE
#include "unit.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <Zydis/Zydis.h>

#include "contract.h"
#include "debug/frames.h"
#include "host/linux/detour-code.h"
#include "layout.h"

#define PAGE	4096
#define FLAGS	0xcd5u		/* CF PF AF ZF SF DF OF */
#define TRAP_FLAG 0x100u

/* As far apart as they are in a driver process; all but SITE lie where nothing else does. */
#define BRIDGE	((uint8_t *)UDF_BRIDGE_BASE)
#define SITE	((uint8_t *)(UDF_MODULE_BASE + 0xff8))	/* the instruction may lie across two pages */
#define DATA	((uint8_t *)0x50000000)
#define STACK	((uint8_t *)0x51000000)
#define DETOUR	((uint8_t *)UDF_DETOUR_BASE)

/* ---- running code with given registers ---- */

void udf_run(struct udf_insn_regs *regs);
extern char udf_run_back[], udf_stub[];
uint64_t udf_run_target, udf_run_stack, udf_run_regs, udf_run_landing;
/* what the stub saw, and what it returns */
uint64_t udf_seen[6], udf_value, udf_done;

/*
 * The stub changes every register that a function may change, and the flags. It has the stack to itself, as a bridge has not: but below
 * the stack pointer nothing is anybody's.
 */
asm(".pushsection .text\n"
    "udf_run:\n"
    "	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "	mov %rsp, udf_run_stack(%rip)\n"
    "	mov %rdi, udf_run_regs(%rip)\n"
    "	mov %rdi, %rax\n"
    "	mov 8(%rax), %rcx; mov 16(%rax), %rdx; mov 24(%rax), %rbx; mov 32(%rax), %rsp; mov 40(%rax), %rbp\n"
    "	mov 48(%rax), %rsi; mov 56(%rax), %rdi; mov 64(%rax), %r8; mov 72(%rax), %r9; mov 80(%rax), %r10\n"
    "	mov 88(%rax), %r11; mov 96(%rax), %r12; mov 104(%rax), %r13; mov 112(%rax), %r14; mov 120(%rax), %r15\n"
    "	pushq 136(%rax); mov (%rax), %rax; popfq\n"
    "	jmp *udf_run_target(%rip)\n"
    ".globl udf_run_back\n"
    "udf_run_back:\n"
    "	xchg %rax, udf_run_regs(%rip)\n"
    "	mov %rsp, 32(%rax)\n"
    "	mov udf_run_stack(%rip), %rsp\n"
    "	pushfq; popq 136(%rax); cld\n"
    "	mov %rcx, 8(%rax); mov %rdx, 16(%rax); mov %rbx, 24(%rax); mov %rbp, 40(%rax); mov %rsi, 48(%rax)\n"
    "	mov %rdi, 56(%rax); mov %r8, 64(%rax); mov %r9, 72(%rax); mov %r10, 80(%rax); mov %r11, 88(%rax)\n"
    "	mov %r12, 96(%rax); mov %r13, 104(%rax); mov %r14, 112(%rax); mov %r15, 120(%rax)\n"
    "	mov udf_run_regs(%rip), %rcx; mov %rcx, (%rax)\n"
    "	pushq $2; popfq\n"
    "	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "	ret\n"
    ".globl udf_stub\n"
    "udf_stub:\n"
    "	mov %rdi, udf_seen(%rip); mov %rsi, 8+udf_seen(%rip); mov %rdx, 16+udf_seen(%rip); mov %rcx, 24+udf_seen(%rip)\n"
    "	mov %rsp, 32+udf_seen(%rip); pushfq; popq 40+udf_seen(%rip)\n"
    "	mov $0x5555555555555555, %rcx; mov %rcx, %rsi; mov %rcx, %rdi; mov %rcx, %r8; mov %rcx, %r9; mov %rcx, %r10\n"
    "	mov %rcx, %r11; add %rcx, %rcx\n"
    "	mov udf_value(%rip), %rax; mov udf_done(%rip), %rdx\n"
    "	ret\n"
    ".popsection\n");

static void *map(uint8_t *at, size_t len)
{
	void *p = mmap((void *)((uintptr_t)at & -(uintptr_t)PAGE), len, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static int setup(void **state)
{
	uint64_t to = (uint64_t)udf_stub;

	map(BRIDGE, PAGE);
	map(SITE, 2 * PAGE);
	map(DATA, 2 * PAGE);
	map(STACK, 2 * PAGE);
	map(DETOUR, PAGE);
	memcpy(BRIDGE, "\x48\xb8", 2);		/* mov $udf_stub, %rax; jmp *%rax */
	memcpy(BRIDGE + 2, &to, 8);
	memcpy(BRIDGE + 10, "\xff\xe0", 2);
	srandom(1);
	return 0;
}

static uint64_t random64(void)
{
	return (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
}

/* CODE at the site, and nothing to go on with but right behind it: jmp *landing. Elsewhere are breakpoints. */
static void put_site(const uint8_t *code, unsigned int len)
{
	static uint64_t *const landing = (uint64_t *)(UDF_MODULE_BASE + 0x800);
	uint32_t at = (uint32_t)(uintptr_t)landing;

	memset(SITE - 16, 0xcc, 64);
	*landing = (uint64_t)udf_run_back;
	memcpy(SITE, code, len);
	memcpy(SITE + len, "\xff\x24\x25", 3);
	memcpy(SITE + len + 3, &at, 4);
}

/* ---- states ---- */

/* What is kept of the memory: around what instructions access, and above all stack pointers. */
#define DATA_KEPT	(DATA + PAGE - 64)
#define STACK_KEPT	(STACK + PAGE)

struct state {
	struct udf_insn_regs regs;
	uint8_t data[256], stack[512];
};

static struct state start, native, other;

static uint64_t address_of(const struct udf_insn_op *op, const struct udf_insn_regs *r)
{
	return (op->base == UDF_OP_NO_REG ? 0 : r->gpr[op->base]) + (op->index == UDF_OP_NO_REG ? 0 : r->gpr[op->index] * op->scale) +
	       (uint64_t)op->disp;
}

/* Let OP's operand lie in DATA. False: it cannot. */
static bool aim(const struct udf_insn_op *op, struct udf_insn_regs *r)
{
	uint64_t target = (uint64_t)DATA + PAGE + (uint64_t)(random() % 64);
	bool index = op->index != UDF_OP_NO_REG;

	if (op->base != UDF_OP_NO_REG && op->base != op->index)
		r->gpr[op->base] = target - (uint64_t)op->disp - (index ? r->gpr[op->index] * op->scale : 0);
	else if (index)
		r->gpr[op->index] = (uint64_t)((int64_t)(target - (uint64_t)op->disp) / (op->scale + (op->base == op->index)));
	return address_of(op, r) - (uint64_t)DATA_KEPT < sizeof(start.data) - 8;
}

static void randomize(struct state *s)
{
	for (unsigned int i = 0; i < 16; i++)
		s->regs.gpr[i] = random64();
	s->regs.gpr[UDF_RSP] = (uint64_t)STACK_KEPT + 8 * (uint64_t)(random() % 32);
	s->regs.rip = (uint64_t)SITE;
	s->regs.rflags = 0x202 | ((uint64_t)random() & FLAGS);
	for (unsigned int i = 0; i < sizeof(s->data); i += 8)
		memcpy(s->data + i, &(uint64_t){ random64() }, 8);
	for (unsigned int i = 0; i < sizeof(s->stack); i += 4)
		memcpy(s->stack + i, &i, 4);
}

static void run(struct state *s, const uint8_t *target)
{
	memcpy(DATA_KEPT, s->data, sizeof(s->data));
	memcpy(STACK_KEPT, s->stack, sizeof(s->stack));
	udf_run_target = (uint64_t)target;
	udf_run(&s->regs);
	memcpy(s->data, DATA_KEPT, sizeof(s->data));
	memcpy(s->stack, STACK_KEPT, sizeof(s->stack));
}

static const char *text_of(const uint8_t *code)
{
	static ZydisDisassembledInstruction insn;

	if (ZYAN_FAILED(ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64, (uint64_t)SITE, code, 15, &insn)))
		return "?";
	return insn.text;
}

/* Registers, flags, data, and the stack from the stack pointer upwards. */
static void compare(const uint8_t *code, const char *what, const struct state *s, const struct state *want)
{
	uint64_t used = want->regs.gpr[UDF_RSP] - (uint64_t)STACK_KEPT;

	for (unsigned int i = 0; i < 16; i++)
		if (s->regs.gpr[i] != want->regs.gpr[i])
			fail_msg("%s, %s: register %u is %#lx, not %#lx", text_of(code), what, i, s->regs.gpr[i], want->regs.gpr[i]);
	if ((s->regs.rflags ^ want->regs.rflags) & FLAGS)
		fail_msg("%s, %s: flags are %#lx, not %#lx", text_of(code), what, s->regs.rflags, want->regs.rflags);
	if (memcmp(s->data, want->data, sizeof(s->data)))
		fail_msg("%s, %s: memory differs", text_of(code), what);
	if (memcmp(s->stack + used, want->stack + used, sizeof(s->stack) - used))
		fail_msg("%s, %s: the stack was changed", text_of(code), what);
}

/* ---- the emulator's bus: the memory of a state ---- */

static bool bus_covers(void *ctx, uint64_t addr)
{
	return true;
}

static int bus_read(void *ctx, uint64_t addr, unsigned int size, uint64_t *value)
{
	const struct state *s = ctx;

	*value = 0;
	memcpy(value, s->data + (addr - (uint64_t)DATA_KEPT), size);
	return 0;
}

static int bus_write(void *ctx, uint64_t addr, unsigned int size, uint64_t value)
{
	struct state *s = ctx;

	memcpy(s->data + (addr - (uint64_t)DATA_KEPT), &value, size);
	return 0;
}

/* ---- one instruction, four ways ---- */

static unsigned int how_of(const struct udf_insn_op *op)
{
	if (op->kind == UDF_OP_STORE)
		return op->size | op->dsize << 4 | HOST_MMIO_WRITE;
	return op->size | op->dsize << 4 | (op->sign ? HOST_MMIO_SIGN : 0);
}

static uint64_t masked(uint64_t value, unsigned int size)
{
	return size == 8 ? value : value & ((1ull << 8 * size) - 1);
}

/* What the stub must have been called with; the store that is its own to do is done. */
static void check_seen(const uint8_t *code, const struct udf_insn_op *op, struct state *s)
{
	uint64_t addr = address_of(op, &start.regs);

	if (udf_seen[0] != addr)
		fail_msg("%s: address %#lx, not %#lx", text_of(code), udf_seen[0], addr);
	if (udf_seen[2] != how_of(op))
		fail_msg("%s: how %#lx, not %#x", text_of(code), udf_seen[2], how_of(op));
	if (udf_seen[3] != (uint64_t)SITE)
		fail_msg("%s: it is said to be at %#lx", text_of(code), udf_seen[3]);
	if (udf_seen[5] & 0x400)
		fail_msg("%s: C code is called with the direction flag set", text_of(code));
	if (op->kind == UDF_OP_STORE && s)
		bus_write(s, addr, op->size, masked(udf_seen[1], op->size));
}

static void put_detour(const struct udf_insn_op *op)
{
	unsigned int len;

	memset(DETOUR, 0xcc, PAGE);
	len = udf_detour_put(DETOUR, (uint64_t)DETOUR, op, (uint64_t)SITE, (uint64_t)BRIDGE);
	assert_true(len <= UDF_DETOUR_SLOT);
}

/* False: no detour is made of CODE, or its operand cannot be where there is memory. */
static bool check(const uint8_t *code)
{
	const struct udf_insn_bus bus = { .ctx = &other, .covers = bus_covers, .read = bus_read, .write = bus_write };
	struct udf_insn_op op;
	uint64_t addr;

	if (udf_insn_decode(code, 15, &op) || !udf_detour_suits(&op))
		return false;
	put_site(code, op.len);
	put_detour(&op);
	randomize(&start);
	if (!aim(&op, &start.regs))
		return false;
	addr = address_of(&op, &start.regs);

	native = start;
	run(&native, SITE);

	other = start;
	assert_int_equal(udf_insn_emulate(&other.regs, SITE, 15, addr, &bus, NULL), 0);
	assert_int_equal(other.regs.rip, (uint64_t)SITE + op.len);
	compare(code, "emulated", &other, &native);

	other = start;
	udf_done = 1;
	bus_read(&start, addr, op.size, &udf_value);
	udf_value = udf_detour_extend(udf_value, how_of(&op));
	run(&other, DETOUR);
	check_seen(code, &op, &other);
	compare(code, "by the detour", &other, &native);

	other = start;
	udf_done = 0;
	udf_value = random64();
	run(&other, DETOUR);
	check_seen(code, &op, NULL);
	compare(code, "by its copy", &other, &native);
	return true;
}

/* ---- all forms ---- */

static const struct form {
	ZydisMnemonic mnemonic;
	bool store, immediate;
	unsigned int reg_size, mem_size;	/* bytes */
} forms[] = {
	{ ZYDIS_MNEMONIC_MOV, true, false, 1, 1 }, { ZYDIS_MNEMONIC_MOV, true, false, 2, 2 },
	{ ZYDIS_MNEMONIC_MOV, true, false, 4, 4 }, { ZYDIS_MNEMONIC_MOV, true, false, 8, 8 },
	{ ZYDIS_MNEMONIC_MOVNTI, true, false, 4, 4 }, { ZYDIS_MNEMONIC_MOVNTI, true, false, 8, 8 },
	{ ZYDIS_MNEMONIC_MOV, true, true, 0, 1 }, { ZYDIS_MNEMONIC_MOV, true, true, 0, 2 },
	{ ZYDIS_MNEMONIC_MOV, true, true, 0, 4 }, { ZYDIS_MNEMONIC_MOV, true, true, 0, 8 },
	{ ZYDIS_MNEMONIC_MOV, false, false, 1, 1 }, { ZYDIS_MNEMONIC_MOV, false, false, 2, 2 },
	{ ZYDIS_MNEMONIC_MOV, false, false, 4, 4 }, { ZYDIS_MNEMONIC_MOV, false, false, 8, 8 },
	{ ZYDIS_MNEMONIC_MOVZX, false, false, 2, 1 }, { ZYDIS_MNEMONIC_MOVZX, false, false, 4, 1 },
	{ ZYDIS_MNEMONIC_MOVZX, false, false, 8, 1 }, { ZYDIS_MNEMONIC_MOVZX, false, false, 4, 2 },
	{ ZYDIS_MNEMONIC_MOVZX, false, false, 8, 2 }, { ZYDIS_MNEMONIC_MOVSX, false, false, 2, 1 },
	{ ZYDIS_MNEMONIC_MOVSX, false, false, 4, 1 }, { ZYDIS_MNEMONIC_MOVSX, false, false, 8, 1 },
	{ ZYDIS_MNEMONIC_MOVSX, false, false, 4, 2 }, { ZYDIS_MNEMONIC_MOVSX, false, false, 8, 2 },
	{ ZYDIS_MNEMONIC_MOVSXD, false, false, 8, 4 },
};
#define NR_FORMS (sizeof(forms) / sizeof(forms[0]))
#define NO_REG 16

static ZydisRegister reg_of(unsigned int size, unsigned int reg)
{
	/* al cl dl bl, ah ch dh bh, spl bpl sil dil, r8b ... */
	if (size == 1)
		return ZYDIS_REGISTER_AL + reg + (reg >= 4 ? 4 : 0);
	return (size == 2 ? ZYDIS_REGISTER_AX : size == 4 ? ZYDIS_REGISTER_EAX : ZYDIS_REGISTER_RAX) + reg;
}

static int64_t random_disp(void)
{
	switch (random() % 5) {
	case 0:
		return 0;
	case 1:
		return random() % 256 - 128;
	case 2:
		return INT32_MIN;
	case 3:
		return INT32_MAX;
	default:
		return (int32_t)random64();
	}
}

static void encode(const struct form *f, unsigned int reg, unsigned int base, unsigned int index, uint8_t code[15])
{
	ZydisEncoderRequest req = { .machine_mode = ZYDIS_MACHINE_MODE_LONG_64, .mnemonic = f->mnemonic, .operand_count = 2 };
	ZydisEncoderOperand *mem = &req.operands[f->store ? 0 : 1], *with = &req.operands[f->store ? 1 : 0];
	ZyanUSize len = 15;

	mem->type = ZYDIS_OPERAND_TYPE_MEMORY;
	mem->mem.size = (ZyanU16)f->mem_size;
	mem->mem.base = base == NO_REG ? ZYDIS_REGISTER_NONE : ZYDIS_REGISTER_RAX + base;
	mem->mem.index = index == NO_REG ? ZYDIS_REGISTER_NONE : ZYDIS_REGISTER_RAX + index;
	mem->mem.scale = index == NO_REG ? 0 : (ZyanU8)(1u << random() % 4);
	/* without registers: an absolute address, where there is memory */
	mem->mem.displacement = base == NO_REG && index == NO_REG ? (int64_t)(uintptr_t)DATA + PAGE + random() % 32 : random_disp();
	if (f->immediate) {
		with->type = ZYDIS_OPERAND_TYPE_IMMEDIATE;
		with->imm.s = f->mem_size == 1 ? (int8_t)random64() : f->mem_size == 2 ? (int16_t)random64() : (int32_t)random64();
	} else {
		with->type = ZYDIS_OPERAND_TYPE_REGISTER;
		with->reg.value = reg_of(f->reg_size, reg);
	}
	memset(code, 0xcc, 15);
	if (ZYAN_FAILED(ZydisEncoderEncodeInstruction(&req, code, &len)))
		fail_msg("%s: reg %u, base %u, index %u cannot be encoded", ZydisMnemonicGetString(f->mnemonic), reg, base, index);
}

/* The encoder chooses 32-bit addresses for the forms of al ... rax without registers: those are refused, and see test_absolute(). */
static bool must_be_refused(const struct form *f, unsigned int reg, unsigned int base, const uint8_t *code)
{
	return base == UDF_RSP || (reg == UDF_RSP && !f->immediate) || code[0] == 0x67 || (code[0] == 0x66 && code[1] == 0x67);
}

static void test_all_forms(void **state)
{
	unsigned int made = 0;
	uint8_t code[15];

	for (unsigned int f = 0; f < NR_FORMS; f++)
		for (unsigned int reg = 0; reg < (forms[f].immediate ? 4 : 16); reg++)
			for (unsigned int base = 0; base <= NO_REG; base++)
				for (unsigned int index = 0; index <= NO_REG; index++) {
					bool refuse;

					if (index == UDF_RSP)
						continue;
					encode(&forms[f], reg, base, index, code);
					refuse = must_be_refused(&forms[f], reg, base, code);
					if (check(code) == refuse)
						fail_msg("%s is %s", text_of(code), refuse ? "led around" : "refused");
					made += !refuse;
				}
	print_message("%u instructions\n", made);
}

/* Addresses of 64 bits in the instruction itself. */
static void test_absolute(void **state)
{
	static const uint8_t opcodes[] = { 0xa0, 0xa1, 0xa2, 0xa3 };
	static const uint8_t prefixes[] = { 0, 0x66, 0x48 };
	const uint64_t addr = (uint64_t)DATA + PAGE;

	for (unsigned int i = 0; i < 4 * 3; i++) {
		uint8_t code[15] = { prefixes[i / 4] };
		unsigned int n = !!prefixes[i / 4];

		code[n++] = opcodes[i % 4];
		memcpy(code + n, &addr, 8);
		assert_true(check(code));
		code[n + 7] = 0x12;		/* farther away than a detour's lea reaches */
		assert_false(check(code));
	}
}

/* Operands anywhere: the address is computed as the processor does, to the last bit. */
static void test_any_address(void **state)
{
	uint8_t code[15];

	for (unsigned int i = 0; i < 20000; i++) {
		const struct form *f = &forms[(unsigned long)random() % NR_FORMS];
		unsigned int index = (unsigned int)random() % 17;
		struct udf_insn_op op;

		encode(f, (unsigned int)random() % 16, (unsigned int)random() % 17, index == UDF_RSP ? NO_REG : index, code);
		assert_int_equal(udf_insn_decode(code, 15, &op), 0);
		if (!udf_detour_suits(&op))
			continue;
		put_site(code, op.len);
		put_detour(&op);
		randomize(&start);
		other = start;
		udf_done = 1;
		udf_value = random64();
		run(&other, DETOUR);
		check_seen(code, &op, NULL);
		if (op.kind == UDF_OP_STORE && op.reg != UDF_OP_NO_REG)
			assert_int_equal(masked(udf_seen[1], op.size), masked(start.regs.gpr[op.reg], op.size));
	}
}

/* ---- what must not be led around ---- */

static const struct { const char *text; uint8_t code[15]; } refused[] = {
	{ "mov eax, [rip+16]", { 0x8b, 0x05, 16 } }, { "mov [rip+16], eax", { 0x89, 0x05, 16 } },
	{ "mov eax, [eip+16]", { 0x67, 0x8b, 0x05, 16 } },
	{ "mov eax, [rsp]", { 0x8b, 0x04, 0x24 } }, { "mov [rsp+8], rax", { 0x48, 0x89, 0x44, 0x24, 8 } },
	{ "mov eax, [rsp+rbx*4]", { 0x8b, 0x04, 0x9c } }, { "mov rsp, [rbx]", { 0x48, 0x8b, 0x23 } }, { "mov [rbx], rsp", { 0x48, 0x89, 0x23 } },
	{ "mov spl, [rbx]", { 0x40, 0x8a, 0x23 } },
	{ "mov ah, [rbx]", { 0x8a, 0x23 } }, { "mov [rbx], dh", { 0x88, 0x33 } }, { "mov ch, [rbx+1]", { 0x8a, 0x6b, 1 } },
	{ "mov eax, [ebx]", { 0x67, 0x8b, 0x03 } }, { "mov [ebx+ecx*4], edx", { 0x67, 0x89, 0x14, 0x8b } },
	{ "mov eax, gs:[rbx]", { 0x65, 0x8b, 0x03 } }, { "mov fs:[rbx], eax", { 0x64, 0x89, 0x03 } },
	{ "mov rax, gs:[16]", { 0x65, 0x48, 0x8b, 0x04, 0x25, 16 } },
	{ "mov eax, [0x1122334455667788]", { 0xa1, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11 } },
	{ "add [rbx], eax", { 0x01, 0x03 } }, { "add eax, [rbx]", { 0x03, 0x03 } }, { "or dword ptr [rbx], 1", { 0x83, 0x0b, 1 } },
	{ "cmp [rbx], eax", { 0x39, 0x03 } }, { "test [rbx], eax", { 0x85, 0x03 } }, { "lock inc dword ptr [rbx]", { 0xf0, 0xff, 0x03 } },
	{ "xchg [rbx], eax", { 0x87, 0x03 } }, { "lock xadd [rbx], eax", { 0xf0, 0x0f, 0xc1, 0x03 } },
	{ "cmpxchg [rbx], ecx", { 0x0f, 0xb1, 0x0b } }, { "bts [rbx], eax", { 0x0f, 0xab, 0x03 } }, { "not dword ptr [rbx]", { 0xf7, 0x13 } },
	{ "movsb", { 0xa4 } }, { "rep movsd", { 0xf3, 0xa5 } }, { "stosq", { 0x48, 0xab } }, { "lodsb", { 0xac } },
	{ "rep insw", { 0xf3, 0x66, 0x6d } }, { "outsb", { 0x6e } }, { "in eax, dx", { 0xed } }, { "out 0x70, al", { 0xe6, 0x70 } },
	{ "push qword ptr [rbx]", { 0xff, 0x33 } }, { "jmp [rbx]", { 0xff, 0x23 } }, { "mov ds, [rbx]", { 0x8e, 0x1b } },
	{ "movups xmm0, [rbx]", { 0x0f, 0x10, 0x03 } }, { "lea rax, [rbx]", { 0x48, 0x8d, 0x03 } }, { "movbe eax, [rbx]", { 0x0f, 0x38, 0xf0, 0x03 } },
	{ "mov eax, ebx", { 0x89, 0xd8 } }, { "lock mov [rbx], eax", { 0xf0, 0x89, 0x03 } },
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct udf_insn_op op;

		if (!udf_insn_decode(refused[i].code, 15, &op) && udf_detour_suits(&op))
			fail_msg("%s is led around", refused[i].text);
	}
}

/* Any bytes, most of them moves with any prefixes: what is led around does what the processor does. */
static void test_random_bytes(void **state)
{
	static const uint8_t prefixes[] = { 0x66, 0x67, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65, 0xf2, 0xf3, 0xf0 };
	static const uint8_t opcodes[] = { 0x88, 0x89, 0x8a, 0x8b, 0xc6, 0xc7, 0x63, 0x0f, 0xa0, 0xa1, 0xa2, 0xa3 };
	static const uint8_t second[] = { 0xb6, 0xb7, 0xbe, 0xbf, 0xc3 };
	unsigned int made = 0;
	uint8_t code[15];

	for (unsigned int i = 0; i < 200000; i++) {
		unsigned int n = 0;

		for (unsigned int j = 0; j < 15; j++)
			code[j] = (uint8_t)random();
		while (random() % 4 == 0 && n < 3)
			code[n++] = prefixes[(unsigned long)random() % sizeof(prefixes)];
		if (random() % 2)
			code[n++] = 0x40 | (random() & 15);
		if (random() % 8)
			code[n++] = opcodes[(unsigned long)random() % sizeof(opcodes)];
		if (code[n - !!n] == 0x0f && random() % 8)
			code[n] = second[(unsigned long)random() % sizeof(second)];
		made += check(code);
	}
	assert_true(made > 10000);
	print_message("%u of them are led around\n", made);
}

/* ---- in the middle of it ---- */

#define ROWS 128
#define RED_ZONE 128	/* bytes that a signal leaves alone */

static struct { uint64_t start, end; int16_t sp_offset; } rows[ROWS];
static unsigned int nr_rows;
static volatile uint64_t entry_sp, return_address, original;
static volatile unsigned int steps, wrong;

/* In place of lib/debug/frames.c: what is described is noted. */
void udf_frames_row(struct udf_frames *f, uint64_t from, uint64_t end, const struct udf_orc *orc)
{
	assert_true(nr_rows < ROWS && orc->sp_reg == UDF_ORC_SP && orc->bp_reg == UDF_ORC_UNDEFINED);
	rows[nr_rows].start = from;
	rows[nr_rows].end = end;
	rows[nr_rows++].sp_offset = orc->sp_offset;
}

/* Behind each instruction: its frame is as described, and what lies below the stack pointer is overwritten, as by an interrupt. */
static void on_step(int sig, siginfo_t *si, void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
	uint64_t ip = (uint64_t)g[REG_RIP], sp = (uint64_t)g[REG_RSP], cfa = 0;

	if (ip - (uint64_t)DETOUR >= UDF_DETOUR_SLOT)
		return;
	steps++;
	for (unsigned int i = 0; i < nr_rows; i++)
		if (ip >= rows[i].start && ip < rows[i].end)
			cfa = sp + (uint64_t)rows[i].sp_offset;
	if (ip != (uint64_t)DETOUR && (cfa != entry_sp || *(uint64_t *)(cfa - 8) != return_address))
		wrong++;
	if (udf_detour_original(DETOUR, ip - (uint64_t)DETOUR))
		original++;
	memset((void *)(sp - RED_ZONE - 256), 0x99, 256);
}

static void test_every_instruction(void **state)
{
	static const uint8_t load[15] = { 0x4c, 0x0f, 0xbe, 0x6c, 0x8b, 4 };	/* movsx r13, byte ptr [rbx+rcx*4+4] */
	static const uint8_t store[15] = { 0x4a, 0x89, 0x44, 0xbb, 4 };		/* mov [rbx+r15*4+4], rax */
	const struct sigaction step = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t stack = { .ss_size = 65536, .ss_sp = malloc(65536) };
	struct sigaction old;

	assert_int_equal(sigaltstack(&stack, NULL), 0);
	assert_int_equal(sigaction(SIGTRAP, &step, &old), 0);
	nr_rows = 0;
	udf_detour_describe(NULL, (uint64_t)DETOUR);
	for (unsigned int i = 0; i < 4; i++) {
		const uint8_t *code = i & 1 ? store : load;
		struct udf_insn_op op;

		assert_int_equal(udf_insn_decode(code, 15, &op), 0);
		put_site(code, op.len);
		put_detour(&op);
		randomize(&start);
		assert_true(aim(&op, &start.regs));
		native = start;
		run(&native, SITE);
		other = start;
		udf_done = i & 2;
		udf_value = udf_detour_extend(0, how_of(&op));
		bus_read(&start, address_of(&op, &start.regs), op.size, &udf_value);
		udf_value = udf_detour_extend(udf_value, how_of(&op));
		entry_sp = start.regs.gpr[UDF_RSP];
		return_address = (uint64_t)SITE + op.len;
		steps = wrong = original = 0;
		other.regs.rflags |= TRAP_FLAG;
		run(&other, DETOUR);
		check_seen(code, &op, udf_done ? &other : NULL);
		assert_true(steps > 40);
		assert_int_equal(wrong, 0);
		assert_int_equal(original, !udf_done);
		compare(code, "in single steps", &other, &native);
	}
	sigaction(SIGTRAP, &old, NULL);
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	free(stack.ss_sp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_forms), cmocka_unit_test(test_absolute), cmocka_unit_test(test_any_address), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_random_bytes), cmocka_unit_test(test_every_instruction),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
