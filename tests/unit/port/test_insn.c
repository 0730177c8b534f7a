// SPDX-License-Identifier: GPL-2.0
/*
 * The emulator against the processor. Each instruction runs twice from the same random registers, flags and memory: once on
 * ordinary memory, once on inaccessible memory whose faults are emulated, as in a driver process. Registers, defined flags and
 * memory must be the same afterwards.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

#include "port/insn.h"

#define ALL	0x8d5u		/* CF PF AF ZF SF OF */
#define LOGIC	0x8c5u		/* AF is undefined after logic */
#define CARRY	0x001u		/* the others are undefined after bit tests, and zero is left alone */
#define DIRECTION 0x400u
#define ROUNDS	100

/*
 * rbx, rsi and rdi point into the memory, rcx is 0 ... 7, r9d -512 ... 511, r8d a small address; all others are random. Of the
 * string instructions rsi or rdi or both are registers of the device.
 */
#define INSNS(X)									\
	X("mov al, [rbx]", ALL) X("mov ah, [rbx]", ALL) X("mov ch, [rbx+1]", ALL)	\
	X("mov sil, [rbx+3]", ALL) X("mov r15b, [rbx]", ALL) X("mov dx, [rbx]", ALL)	\
	X("mov eax, [rbx]", ALL) X("mov r10d, [rbx+rcx*4]", ALL) X("mov rdx, [rbx]", ALL)	\
	X("mov r11, [rbx+rcx*8-16]", ALL) X("mov rbx, [rbx]", ALL) X("mov eax, [rip+0x1000]", ALL)	\
	X("mov ecx, [rbx+rcx]", ALL) X("mov r13, [rbx+rcx*2+0x11]", ALL)		\
	X("mov [rbx], dl", ALL) X("mov [rbx], dh", ALL) X("mov [rbx], bh", ALL)		\
	X("mov [rbx+5], dil", ALL) X("mov [rbx], r8b", ALL) X("mov [rbx], ax", ALL)	\
	X("mov [rbx], r14w", ALL) X("mov [rbx], edx", ALL) X("mov [rbx-4], r12d", ALL)	\
	X("mov [rbx], rdx", ALL) X("mov [rbx+rcx*8], r15", ALL) X("mov [rip+0x1010], rax", ALL)	\
	X("mov byte ptr [rbx], 0x80", ALL) X("mov word ptr [rbx], 0x8001", ALL)		\
	X("mov dword ptr [rbx], 0x80000001", ALL) X("mov qword ptr [rbx], -2", ALL)	\
	X("mov qword ptr [rbx], 0x7fffffff", ALL)					\
	X("mov eax, [ebx]", ALL) X("mov [ebx+ecx*4], edx", ALL)				\
	X("movzx eax, byte ptr [rbx]", ALL) X("movzx ax, byte ptr [rbx]", ALL)		\
	X("movzx r9, byte ptr [rbx]", ALL) X("movzx edx, word ptr [rbx]", ALL)		\
	X("movzx r10, word ptr [rbx+2]", ALL) X("movsx ax, byte ptr [rbx]", ALL)	\
	X("movsx ecx, byte ptr [rbx]", ALL) X("movsx rdx, byte ptr [rbx]", ALL)		\
	X("movsx eax, word ptr [rbx]", ALL) X("movsx r8, word ptr [rbx]", ALL)		\
	X("movsxd rax, dword ptr [rbx]", ALL) X("movnti [rbx], edx", ALL)		\
	X("movnti [rbx], r11", ALL) X(".byte 0x48, 0xa1; .quad 0x30000800", ALL)	\
	X(".byte 0xa2; .quad 0x30000810", ALL)						\
	X("add [rbx], al", ALL) X("add [rbx], dh", ALL) X("add [rbx], dx", ALL)		\
	X("add [rbx], r9d", ALL) X("add [rbx], r10", ALL) X("add al, [rbx]", ALL)	\
	X("add dx, [rbx]", ALL) X("add r9d, [rbx]", ALL) X("add rdx, [rbx]", ALL)	\
	X("add dword ptr [rbx], -5", ALL) X("add qword ptr [rbx], 0x12345678", ALL)	\
	X("lock add dword ptr [rbx], 1", ALL) X("lock add [rbx], rdx", ALL)		\
	X("adc [rbx], edx", ALL) X("adc rdx, [rbx]", ALL) X("adc byte ptr [rbx], 0xff", ALL)	\
	X("sub [rbx], al", ALL) X("sub [rbx], ax", ALL) X("sub [rbx], edx", ALL)	\
	X("sub [rbx], rdx", ALL) X("sub ah, [rbx]", ALL) X("sub edx, [rbx]", ALL)	\
	X("sub r12, [rbx]", ALL) X("lock sub word ptr [rbx], 3", ALL)			\
	X("sbb [rbx], dx", ALL) X("sbb rax, [rbx]", ALL) X("sbb qword ptr [rbx], -1", ALL)	\
	X("cmp [rbx], al", ALL) X("cmp [rbx], ax", ALL) X("cmp [rbx], edx", ALL)	\
	X("cmp [rbx], r13", ALL) X("cmp bh, [rbx]", ALL) X("cmp dx, [rbx]", ALL)	\
	X("cmp edx, [rbx]", ALL) X("cmp rdx, [rbx]", ALL) X("cmp byte ptr [rbx], 0", ALL)	\
	X("cmp dword ptr [rbx], -1", ALL) X("cmp qword ptr [rbx], 0x7fffffff", ALL)	\
	X("and [rbx], al", LOGIC) X("and [rbx], dx", LOGIC) X("and [rbx], edx", LOGIC)	\
	X("and [rbx], rdx", LOGIC) X("and eax, [rbx]", LOGIC) X("and rdx, [rbx]", LOGIC)	\
	X("and dword ptr [rbx], -16", LOGIC) X("and qword ptr [rbx], -16", LOGIC)	\
	X("lock and dword ptr [rbx], 0x7fffffff", LOGIC) X("and byte ptr [rbx], 0xfe", LOGIC)	\
	X("or [rbx], al", LOGIC) X("or [rbx], dx", LOGIC) X("or [rbx], edx", LOGIC)	\
	X("or [rbx], r14", LOGIC) X("or cl, [rbx]", LOGIC) X("or r9d, [rbx]", LOGIC)	\
	X("or dword ptr [rbx], 0x80000000", LOGIC) X("lock or byte ptr [rbx], 0x80", LOGIC)	\
	X("xor [rbx], al", LOGIC) X("xor [rbx], dx", LOGIC) X("xor [rbx], edx", LOGIC)	\
	X("xor [rbx], rdx", LOGIC) X("xor rdx, [rbx]", LOGIC) X("xor word ptr [rbx], 0x8000", LOGIC)	\
	X("test [rbx], al", LOGIC) X("test [rbx], dx", LOGIC) X("test [rbx], edx", LOGIC)	\
	X("test [rbx], rdx", LOGIC) X("test byte ptr [rbx], 1", LOGIC)			\
	X("test dword ptr [rbx], 0x80000000", LOGIC) X("test qword ptr [rbx], -8", LOGIC)	\
	X("inc byte ptr [rbx]", ALL) X("inc word ptr [rbx]", ALL) X("inc dword ptr [rbx]", ALL)	\
	X("lock inc qword ptr [rbx]", ALL) X("dec byte ptr [rbx]", ALL) X("dec word ptr [rbx]", ALL)	\
	X("lock dec dword ptr [rbx]", ALL) X("dec qword ptr [rbx]", ALL)		\
	X("not byte ptr [rbx]", ALL) X("not dword ptr [rbx]", ALL) X("lock not qword ptr [rbx]", ALL)	\
	X("neg byte ptr [rbx]", ALL) X("neg word ptr [rbx]", ALL) X("neg dword ptr [rbx]", ALL)	\
	X("lock neg qword ptr [rbx]", ALL)						\
	X("bt word ptr [rbx], 9", CARRY) X("bt dword ptr [rbx], 31", CARRY) X("bt qword ptr [rbx], 63", CARRY)	\
	X("bts dword ptr [rbx], 7", CARRY) X("lock bts qword ptr [rbx], 40", CARRY)	\
	X("btr dword ptr [rbx], 33", CARRY) X("lock btr dword ptr [rbx], 0", CARRY)	\
	X("btc word ptr [rbx], 3", CARRY) X("btc qword ptr [rbx], 1", CARRY)		\
	X("bt [rbx], r9w", CARRY) X("bt [rbx], r9d", CARRY) X("bts [rbx], r9d", CARRY)	\
	X("lock btr [rbx], r9d", CARRY) X("btc [rbx], r9w", CARRY) X("bts [rbx], r9", CARRY)	\
	X("xchg [rbx], al", ALL) X("xchg [rbx], dh", ALL) X("xchg [rbx], dx", ALL)	\
	X("xchg edx, [rbx]", ALL) X("xchg [rbx], r15", ALL)				\
	X("xadd [rbx], dl", ALL) X("lock xadd [rbx], dx", ALL) X("lock xadd [rbx], edx", ALL)	\
	X("lock xadd [rbx], r10", ALL)							\
	X("cmpxchg [rbx], dl", ALL) X("lock cmpxchg [rbx], dx", ALL) X("lock cmpxchg [rbx], edx", ALL)	\
	X("mov rax, [rbx]; lock cmpxchg [rbx], r10", ALL) X("cmpxchg [rbx], rdx", ALL)	\
	X("movsb", ALL) X("movsw", ALL) X("movsd", ALL) X("movsq", ALL)			\
	X("rep movsb", ALL) X("rep movsw", ALL) X("rep movsd", ALL) X("rep movsq", ALL)	\
	X("stosb", ALL) X("stosw", ALL) X("stosd", ALL) X("stosq", ALL)			\
	X("rep stosb", ALL) X("rep stosw", ALL) X("rep stosd", ALL) X("rep stosq", ALL)	\
	X("lodsb", ALL) X("lodsw", ALL) X("lodsd", ALL) X("lodsq", ALL)			\
	X("rep lodsb", ALL) X("rep lodsd", ALL)						\
	X("addr32 rep movsd", ALL) X("addr32 stosb", ALL)

/* Refused with their names. */
#define REFUSED(X)									\
	X("movups xmm0, [rbx]", ALL) X("movdqu [rbx], xmm1", ALL) X("push qword ptr [rbx]", ALL)	\
	X("imul eax, [rbx]", ALL) X("shl dword ptr [rbx], 1", ALL) X("repne scasb", ALL) X("movsd xmm0, [rbx]", ALL)

#define ASM_ENTRY(text, flags)								\
	"1:\n.intel_syntax noprefix\n" text "\n.att_syntax prefix\n2:\n"		\
	".pushsection .data.rel.ro.insn_table,\"aw\"\n.quad 1b, 2b\n.popsection\n"
#define CASE_ENTRY(text, flags) { text, flags },

asm(".pushsection .data.rel.ro.insn_table,\"aw\"\nudf_insn_table:\n.popsection\n"
    ".pushsection .rodata.insn_code,\"a\"\n"
    INSNS(ASM_ENTRY) REFUSED(ASM_ENTRY)
    ".popsection\n");
extern const uint8_t *const udf_insn_table[][2];

static const struct insn_case { const char *text; unsigned int flags; } cases[] = { INSNS(CASE_ENTRY) },
	refused[] = { REFUSED(CASE_ENTRY) };
#define NR_CASES (sizeof(cases) / sizeof(cases[0]))
#define NR_REFUSED (sizeof(refused) / sizeof(refused[0]))

/*
 * One page of code, then two pages of memory: registers of the device (DEV), and ordinary memory (RAM) that string instructions
 * may use as their other side. Below 2 GiB, for 32-bit addresses.
 */
#define CODE	((uint8_t *)0x2ffff000)
#define DEV	((uint8_t *)0x30000000)
#define RAM	((uint8_t *)0x30001000)
#define PAGE	4096

/* Run the code at udf_native_target with REGS loaded; it jumps to udf_native_back, which stores to REGS. */
void udf_native_run(struct udf_insn_regs *regs);
extern char udf_native_back[];
uint64_t udf_native_target, udf_native_stack, udf_native_regs;

asm(".pushsection .text\n"
    "udf_native_run:\n"
    "	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "	mov %rsp, udf_native_stack(%rip)\n"
    "	mov %rdi, udf_native_regs(%rip)\n"
    "	mov %rdi, %rax\n"
    "	pushq 136(%rax); popfq\n"
    "	mov 8(%rax), %rcx; mov 16(%rax), %rdx; mov 24(%rax), %rbx; mov 40(%rax), %rbp; mov 48(%rax), %rsi\n"
    "	mov 56(%rax), %rdi; mov 64(%rax), %r8; mov 72(%rax), %r9; mov 80(%rax), %r10; mov 88(%rax), %r11\n"
    "	mov 96(%rax), %r12; mov 104(%rax), %r13; mov 112(%rax), %r14; mov 120(%rax), %r15; mov (%rax), %rax\n"
    "	jmp *udf_native_target(%rip)\n"
    ".globl udf_native_back\n"
    "udf_native_back:\n"
    "	pushq udf_native_regs(%rip); xchg %rax, (%rsp); popq (%rax)\n"
    "	mov %rcx, 8(%rax); mov %rdx, 16(%rax); mov %rbx, 24(%rax); mov %rbp, 40(%rax); mov %rsi, 48(%rax)\n"
    "	mov %rdi, 56(%rax); mov %r8, 64(%rax); mov %r9, 72(%rax); mov %r10, 80(%rax); mov %r11, 88(%rax)\n"
    "	mov %r12, 96(%rax); mov %r13, 104(%rax); mov %r14, 112(%rax); mov %r15, 120(%rax)\n"
    "	pushfq; popq 136(%rax)\n"
    "	cld\n"
    "	mov udf_native_stack(%rip), %rsp\n"
    "	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "	ret\n"
    ".popsection\n");

static uint8_t *alias;			/* DEV and RAM, always accessible */
static unsigned int covered;		/* 1: DEV is the device's, 2: RAM too */
static unsigned int accesses, traps;
static int last_error;
static char last_text[UDF_INSN_TEXT];

static bool bus_covers(void *ctx, uint64_t addr)
{
	(void)ctx;
	return addr - (uint64_t)DEV < (covered & 2 ? 2 * PAGE : PAGE);
}

static int bus_read(void *ctx, uint64_t addr, unsigned int size, uint64_t *value)
{
	assert_true(bus_covers(ctx, addr));
	*value = 0;
	memcpy(value, alias + (addr - (uint64_t)DEV), size);
	accesses++;
	return 0;
}

static int bus_write(void *ctx, uint64_t addr, unsigned int size, uint64_t value)
{
	assert_true(bus_covers(ctx, addr));
	memcpy(alias + (addr - (uint64_t)DEV), &value, size);
	accesses++;
	return 0;
}

static uint32_t last_port, last_out;

static int bus_in(void *ctx, uint16_t port, unsigned int size, uint32_t *value)
{
	(void)ctx;
	last_port = port;
	*value = 0x89abcdef >> (32 - 8 * size);
	accesses++;
	return 0;
}

static int bus_out(void *ctx, uint16_t port, unsigned int size, uint32_t value)
{
	(void)ctx;
	(void)size;
	last_port = port;
	last_out = value;
	accesses++;
	return 0;
}

static const struct udf_insn_bus bus = {
	.covers = bus_covers, .read = bus_read, .write = bus_write, .in = bus_in, .out = bus_out,
};

static const int greg_of[16] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

/* As a driver process does it. A refused instruction is stepped over by its length, which the code page's end gives away. */
static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	struct udf_insn_regs regs;

	(void)sig;
	for (int i = 0; i < 16; i++)
		regs.gpr[i] = uc->uc_mcontext.gregs[greg_of[i]];
	regs.rip = uc->uc_mcontext.gregs[REG_RIP];
	regs.rflags = uc->uc_mcontext.gregs[REG_EFL];
	if (regs.rip - (uint64_t)CODE >= PAGE) {
		signal(SIGSEGV, SIG_DFL);
		return;
	}
	traps++;
	last_error = udf_insn_emulate(&regs, (const uint8_t *)regs.rip, 15, (uint64_t)info->si_addr, &bus, last_text);
	if (last_error)
		regs.rip = (uint64_t)CODE + PAGE - 16;
	for (int i = 0; i < 16; i++)
		uc->uc_mcontext.gregs[greg_of[i]] = regs.gpr[i];
	uc->uc_mcontext.gregs[REG_RIP] = regs.rip;
	uc->uc_mcontext.gregs[REG_EFL] = regs.rflags;
}

static void put_jump(uint8_t *at)
{
	const uint64_t back = (uint64_t)udf_native_back;

	memcpy(at, "\xff\x25\0\0\0\0", 6);
	memcpy(at + 6, &back, 8);
}

static void put_code(const uint8_t *code, size_t len)
{
	memset(CODE, 0x90, PAGE);
	memcpy(CODE + 64, code, len);
	put_jump(CODE + 64 + len);
	put_jump(CODE + PAGE - 16);
	udf_native_target = (uint64_t)CODE + 64;
}

/* cmocka has a handler of its own during each test. */
static void run(struct udf_insn_regs *regs)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO }, old;

	sigaction(SIGSEGV, &sa, &old);
	udf_native_run(regs);
	sigaction(SIGSEGV, &old, NULL);
}

static int setup(void **state)
{
	int fd = memfd_create("insn", MFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 2 * PAGE), 0);
	alias = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(alias, MAP_FAILED);
	assert_ptr_equal(mmap(DEV, 2 * PAGE, PROT_NONE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0), DEV);
	assert_ptr_equal(mmap(CODE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
			 CODE);
	close(fd);
	srandom(1);
	return 0;
}

static uint64_t random64(void)
{
	static const uint64_t edges[] = { 0, 1, ~0ull, 1ull << 63, 0x7fffffffffffffff, 0x80, 0x7f80, 0x80000000, 0x7fffffff, 0xffff8000 };

	if (random() % 4 == 0)
		return edges[(size_t)random() % (sizeof(edges) / sizeof(edges[0]))];
	return (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
}

static void randomize(struct udf_insn_regs *regs, uint8_t *memory, unsigned int mode)
{
	for (int i = 0; i < 16; i++)
		regs->gpr[i] = random64();
	regs->gpr[UDF_RBX] = (uint64_t)DEV + 0x800;
	regs->gpr[UDF_RSI] = (uint64_t)(mode == 1 ? RAM : DEV) + 0x400 + (uint64_t)(random() % 8);
	regs->gpr[UDF_RDI] = (uint64_t)(mode == 0 ? RAM : DEV) + 0xc00 + (uint64_t)(random() % 8);
	regs->gpr[UDF_RCX] = 1 + (uint64_t)(random() % 7);
	regs->gpr[UDF_R9] = (uint64_t)(random() % 1024 - 512);
	regs->rflags = 0x202 | ((uint64_t)random() & (ALL | DIRECTION));
	for (int i = 0; i < 2 * PAGE; i += 8) {
		uint64_t v = random64();

		memcpy(memory + i, &v, 8);
	}
	if (random() % 4 == 0)	/* often equal operands, too */
		memcpy(memory + 0x800, &regs->gpr[random() % 2 ? UDF_RAX : UDF_RDX], 8);
}

static void compare(const char *text, const struct udf_insn_regs *native, const struct udf_insn_regs *emulated, unsigned int flags)
{
	for (int i = 0; i < 16; i++)
		if (i != UDF_RSP && native->gpr[i] != emulated->gpr[i])
			fail_msg("%s: register %d: processor %#lx, emulator %#lx", text, i, native->gpr[i], emulated->gpr[i]);
	if ((native->rflags ^ emulated->rflags) & (flags | DIRECTION))
		fail_msg("%s: flags: processor %#lx, emulator %#lx", text, native->rflags & ALL, emulated->rflags & ALL);
}

static void run_case(const char *text, unsigned int flags, unsigned int mode)
{
	static uint8_t memory[2 * PAGE], result[2 * PAGE];
	struct udf_insn_regs start, native, emulated;

	randomize(&start, memory, mode);
	covered = mode == 2 ? 3 : 1;
	native = emulated = start;

	memcpy(alias, memory, sizeof(memory));
	mprotect(DEV, PAGE, PROT_NONE);
	mprotect(RAM, PAGE, PROT_READ | PROT_WRITE);
	traps = accesses = 0;
	run(&emulated);
	memcpy(result, alias, sizeof(result));
	if (traps && last_error)
		fail_msg("%s: %d (%s)", text, last_error, last_text);

	memcpy(alias, memory, sizeof(memory));
	mprotect(DEV, PAGE, PROT_READ | PROT_WRITE);
	run(&native);
	compare(text, &native, &emulated, flags);
	if (memcmp(alias, result, sizeof(result)))
		fail_msg("%s: memory differs", text);
}

static void test_against_processor(void **state)
{
	unsigned int trapped = 0;

	(void)state;
	for (size_t i = 0; i < NR_CASES; i++) {
		unsigned int seen = 0;

		put_code(udf_insn_table[i][0], (size_t)(udf_insn_table[i][1] - udf_insn_table[i][0]));
		for (unsigned int round = 0; round < ROUNDS; round++) {
			run_case(cases[i].text, cases[i].flags, round % 3);
			seen += traps > 0;
		}
		if (!seen)
			fail_msg("%s: was never emulated", cases[i].text);
		trapped += seen;
	}
	print_message("%zu instructions, %u emulated runs\n", NR_CASES, trapped);
}

static void test_refused(void **state)
{
	struct udf_insn_regs regs;
	uint8_t memory[2 * PAGE];

	(void)state;
	for (size_t i = 0; i < NR_REFUSED; i++) {
		const uint8_t *const *code = udf_insn_table[NR_CASES + i];

		randomize(&regs, memory, 2);
		put_code(code[0], (size_t)(code[1] - code[0]));
		mprotect(DEV, PAGE, PROT_NONE);
		last_error = 0;
		last_text[0] = 0;
		run(&regs);
		if (last_error != -ENOTSUP)
			fail_msg("%s was not refused: %d", refused[i].text, last_error);
		assert_memory_equal(last_text, refused[i].text, 4);
	}
}

/* An instruction that faults, but not on its memory operand: the registers were changed under us, or it is another's fault. */
static void test_foreign_fault(void **state)
{
	static const uint8_t load[] = { 0x8b, 0x03 };	/* mov (%rbx), %eax */
	struct udf_insn_regs regs = { .rip = 0x1000, .gpr[UDF_RBX] = (uint64_t)DEV };
	char text[UDF_INSN_TEXT] = "";

	(void)state;
	assert_int_equal(udf_insn_emulate(&regs, load, sizeof(load), (uint64_t)DEV + 4, &bus, text), -EFAULT);
	assert_string_equal(text, "mov eax, [rbx]");
	assert_int_equal(regs.rip, 0x1000);
	assert_int_equal(udf_insn_emulate(&regs, load, 1, (uint64_t)DEV, &bus, text), -ENOTSUP);
	assert_int_equal(udf_insn_emulate(&regs, load, sizeof(load), (uint64_t)DEV + 3, &bus, NULL), 0);
	assert_int_equal(regs.rip, 0x1002);
}

/* Other code at an address that is in the cache: a module was unloaded and another has taken its place. */
static void test_code_replaced(void **state)
{
	static const uint8_t load[] = { 0x8b, 0x03 }, store[] = { 0x89, 0x03 };
	struct udf_insn_regs regs = { .rip = 0x5000, .gpr[UDF_RBX] = (uint64_t)DEV };
	uint32_t word = 0x12345678;

	(void)state;
	covered = 1;
	memcpy(alias, &word, 4);
	assert_int_equal(udf_insn_emulate(&regs, load, sizeof(load), (uint64_t)DEV, &bus, NULL), 0);
	assert_int_equal(regs.gpr[UDF_RAX], word);
	regs.rip = 0x5000;
	regs.gpr[UDF_RAX] = 0x99;
	assert_int_equal(udf_insn_emulate(&regs, store, sizeof(store), (uint64_t)DEV, &bus, NULL), 0);
	memcpy(&word, alias, 4);
	assert_int_equal(word, 0x99);
}

static int fail_read(void *ctx, uint64_t addr, unsigned int size, uint64_t *value)
{
	unsigned int *left = ctx;

	(void)addr;
	(void)size;
	*value = 7;
	return (*left)-- ? 0 : -ENODEV;
}

/* The port is lost in the middle of a repeated instruction: what was done is done, the rest is not. */
static void test_bus_error(void **state)
{
	static const uint8_t rep_lods[] = { 0xf3, 0xad };
	struct udf_insn_regs regs = { .rip = 0x6000, .gpr[UDF_RSI] = (uint64_t)DEV, .gpr[UDF_RCX] = 5 };
	unsigned int left = 3;
	const struct udf_insn_bus failing = { .ctx = &left, .covers = bus_covers, .read = fail_read, .write = bus_write };

	(void)state;
	covered = 1;
	assert_int_equal(udf_insn_emulate(&regs, rep_lods, sizeof(rep_lods), (uint64_t)DEV, &failing, NULL), -ENODEV);
	assert_int_equal(regs.gpr[UDF_RSI], (uint64_t)DEV + 12);
	assert_int_equal(regs.gpr[UDF_RCX], 2);
	assert_int_equal(regs.rip, 0x6000);
}

/* Port instructions, which trap by themselves outside the kernel. */
static void test_ports(void **state)
{
	static const struct { uint8_t code[4]; uint8_t len; uint32_t port, out; uint64_t rax; } t[] = {
		{ { 0xec }, 1, 0x1234, 0, 0x1111111111111189 },			/* in al, dx */
		{ { 0x66, 0xed }, 2, 0x1234, 0, 0x11111111111189ab },		/* in ax, dx */
		{ { 0xed }, 1, 0x1234, 0, 0x89abcdef },				/* in eax, dx */
		{ { 0xe4, 0x60 }, 2, 0x60, 0, 0x1111111111111189 },		/* in al, 0x60 */
		{ { 0xee }, 1, 0x1234, 0x11, 0x1111111111111111 },		/* out dx, al */
		{ { 0x66, 0xef }, 2, 0x1234, 0x1111, 0x1111111111111111 },	/* out dx, ax */
		{ { 0xef }, 1, 0x1234, 0x11111111, 0x1111111111111111 },	/* out dx, eax */
		{ { 0xe7, 0x70 }, 2, 0x70, 0x11111111, 0x1111111111111111 },	/* out 0x70, eax */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct udf_insn_regs regs = { .gpr[UDF_RAX] = 0x1111111111111111, .gpr[UDF_RDX] = 0xffff1234, .rflags = 0x202 };

		put_code(t[i].code, t[i].len);
		last_out = traps = 0;
		last_error = -1;
		run(&regs);
		assert_int_equal(last_error, 0);
		assert_int_equal(traps, 1);
		assert_int_equal(last_port, t[i].port);
		assert_int_equal(last_out, t[i].out);
		assert_int_equal(regs.gpr[UDF_RAX], t[i].rax);
	}
}

static void test_string_ports(void **state)
{
	struct udf_insn_regs regs = { .gpr[UDF_RDX] = 0x170, .gpr[UDF_RCX] = 3, .gpr[UDF_RDI] = (uint64_t)RAM, .rflags = 0x202 };
	uint16_t in[4], out = 0xbeef;

	(void)state;
	covered = 1;
	mprotect(RAM, PAGE, PROT_READ | PROT_WRITE);
	memset(RAM, 0, PAGE);
	put_code((const uint8_t *)"\xf3\x66\x6d", 3);	/* rep insw */
	accesses = 0;
	run(&regs);
	memcpy(in, RAM, sizeof(in));
	assert_int_equal(accesses, 3);
	assert_int_equal(in[2], 0x89ab);
	assert_int_equal(in[3], 0);
	assert_int_equal(regs.gpr[UDF_RDI], (uint64_t)RAM + 6);
	assert_int_equal(regs.gpr[UDF_RCX], 0);

	regs.gpr[UDF_RSI] = (uint64_t)RAM + 8;
	memcpy(RAM + 8, &out, 2);
	put_code((const uint8_t *)"\x66\x6f", 2);	/* outsw */
	run(&regs);
	assert_int_equal(last_out, 0xbeef);
	assert_int_equal(regs.gpr[UDF_RSI], (uint64_t)RAM + 10);
}

static void *hammer(void *arg)
{
	static const uint8_t load[] = { 0x8b, 0x03 }, store[] = { 0x89, 0x03 }, wide[] = { 0x48, 0x8b, 0x03 };
	uint32_t mine[2] = { 0x1000 + (uint32_t)(uintptr_t)arg, 0 };
	struct udf_insn_regs regs = { .gpr[UDF_RBX] = (uint64_t)DEV + 64 * (uintptr_t)arg };
	uintptr_t wrong = 0;

	for (unsigned int i = 0; i < 20000; i++) {
		/* the same slot of the cache for all, with different code */
		regs.rip = 0x7000;
		regs.gpr[UDF_RAX] = mine[0];
		wrong += udf_insn_emulate(&regs, store, sizeof(store), regs.gpr[UDF_RBX], &bus, NULL) != 0;
		regs.rip = 0x7000;
		regs.gpr[UDF_RAX] = ~0ull;
		wrong += udf_insn_emulate(&regs, i & 1 ? load : wide, i & 1 ? 2 : 3, regs.gpr[UDF_RBX], &bus, NULL) != 0;
		wrong += (uint32_t)regs.gpr[UDF_RAX] != mine[0];
	}
	return (void *)wrong;
}

static void test_cache_shared(void **state)
{
	pthread_t thread[4];
	void *wrong;

	(void)state;
	covered = 1;
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, hammer, (void *)i), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], &wrong);
		assert_null(wrong);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_processor),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_foreign_fault),
		cmocka_unit_test(test_code_replaced),
		cmocka_unit_test(test_bus_error),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_string_ports),
		cmocka_unit_test(test_cache_shared),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
