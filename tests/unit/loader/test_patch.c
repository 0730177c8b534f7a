// SPDX-License-Identifier: GPL-2.0
/* lib/loader/patch.c: the exact forms are patched, everything else stays as it is. */
#include "unit.h"

#include <string.h>

#include "loader/patch.h"

#define TEXT	0x40000000ull
#define RET	0x71000000ull
#define FENTRY	0x71000100ull
#define THUNK	0x71001000ull		/* of register N: THUNK + 32 * N */

static uint8_t code[32];

static uint64_t symbol(void *ctx, const char *name)
{
	static const char *const regs[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					      "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };
	unsigned int i;

	if (!strcmp(name, "__x86_return_thunk"))
		return RET;
	if (!strcmp(name, "__fentry__"))
		return FENTRY;
	for (i = 0; i < 16; i++)
		if (i != 4 && !strncmp(name, "__x86_indirect_thunk_", 21) && !strcmp(name + 21, regs[i]))
			return THUNK + 32 * i;
	return 0;
}

/* The bytes of OPCODE and a displacement to DEST at offset AT of the text. */
static unsigned int branch(unsigned int at, const char *opcode, uint64_t dest)
{
	unsigned int n = strlen(opcode);
	int32_t disp = dest - (TEXT + at + n + 4);

	memcpy(code + at, opcode, n);
	memcpy(code + at + n, &disp, 4);
	return n + 4;
}

/* Patch the one site at offset AT of the first SIZE bytes of text. */
static unsigned long patch_room(enum udf_patch_kind kind, unsigned int at, uint64_t size)
{
	const struct udf_patch_text text = { TEXT, code, size };
	const uint64_t table_addr = TEXT + 0x1000, address = TEXT + at;
	const int32_t distance = TEXT + at - table_addr;
	const struct udf_patch_sites sites = { table_addr, kind == UDF_PATCH_FENTRY ? (const void *)&address : &distance,
					       kind == UDF_PATCH_FENTRY ? 8 : 4 };
	struct udf_patch_count count = { 0 };
	struct udf_patch_thunks thunks;

	udf_patch_find_thunks(&thunks, symbol, NULL);
	udf_patch_sites(kind, &text, 1, &thunks, &sites, &count);
	assert_int_equal(count.patched + count.left, 1);
	return count.patched;
}

static unsigned long patch(enum udf_patch_kind kind, unsigned int at)
{
	return patch_room(kind, at, sizeof(code));
}

static int setup(void **state)
{
	memset(code, 0x90, sizeof(code));
	return 0;
}

static void test_return(void **state)
{
	branch(4, "\xe9", RET);
	assert_int_equal(patch(UDF_PATCH_RETURNS, 4), 1);
	assert_memory_equal(code + 3, "\x90\xc3\xcc\xcc\xcc\xcc\x90", 7);
	/* Once more: it is no jump any longer. */
	assert_int_equal(patch(UDF_PATCH_RETURNS, 4), 0);
}

static void test_fentry(void **state)
{
	branch(0, "\xe8", FENTRY);
	assert_int_equal(patch(UDF_PATCH_FENTRY, 0), 1);
	assert_memory_equal(code, "\x0f\x1f\x44\x00\x00\x90", 6);
}

static void test_call_rax(void **state)
{
	branch(0, "\xe8", THUNK);
	assert_int_equal(patch(UDF_PATCH_RETPOLINES, 0), 1);
	assert_memory_equal(code, "\xff\xd0\x0f\x1f\x00\x90", 6);
}

static void test_call_r11(void **state)
{
	branch(0, "\xe8", THUNK + 32 * 11);
	assert_int_equal(patch(UDF_PATCH_RETPOLINES, 0), 1);
	assert_memory_equal(code, "\x41\xff\xd3\x66\x90\x90", 6);
}

static void test_call_with_prefix(void **state)
{
	branch(0, "\x2e\xe8", THUNK + 32 * 15);
	assert_int_equal(patch(UDF_PATCH_RETPOLINES, 0), 1);
	assert_memory_equal(code, "\x41\xff\xd7\x0f\x1f\x00\x90", 7);
}

static void test_jmp_rdx(void **state)
{
	branch(0, "\xe9", THUNK + 32 * 2);
	assert_int_equal(patch(UDF_PATCH_RETPOLINES, 0), 1);
	assert_memory_equal(code, "\xff\xe2\xcc\xcc\xcc\x90", 6);
}

static void test_conditional(void **state)
{
	branch(0, "\x0f\x84", THUNK + 32 * 8);		/* je thunk_r8 -> jne over; jmp *r8 */
	assert_int_equal(patch(UDF_PATCH_RETPOLINES, 0), 1);
	assert_memory_equal(code, "\x75\x04\x41\xff\xe0\xcc\x90", 7);
}

static void expect_left(enum udf_patch_kind kind, unsigned int at)
{
	uint8_t before[sizeof(code)];

	memcpy(before, code, sizeof(code));
	assert_int_equal(patch(kind, at), 0);
	assert_memory_equal(code, before, sizeof(code));
}

static void test_others_stay(void **state)
{
	branch(0, "\xe9", RET + 1);		/* not the thunk */
	expect_left(UDF_PATCH_RETURNS, 0);
	branch(0, "\xe8", RET);			/* a call of it */
	expect_left(UDF_PATCH_RETURNS, 0);
	branch(0, "\xe9", FENTRY);		/* a jump to it */
	expect_left(UDF_PATCH_FENTRY, 0);
	branch(0, "\xe8", THUNK + 32 * 4);	/* rsp has none */
	expect_left(UDF_PATCH_RETPOLINES, 0);
	branch(0, "\xc3", THUNK);		/* no branch at all */
	expect_left(UDF_PATCH_RETPOLINES, 0);
	expect_left(UDF_PATCH_RETURNS, 100);	/* outside of the text */
}

static void test_end_of_text(void **state)
{
	branch(0, "\xe9", RET);
	assert_int_equal(patch_room(UDF_PATCH_RETURNS, 0, 4), 0);
	assert_int_equal(patch_room(UDF_PATCH_RETURNS, 0, 5), 1);
	branch(0, "\x0f\x85", THUNK);
	assert_int_equal(patch_room(UDF_PATCH_RETPOLINES, 0, 5), 0);
	branch(0, "\x2e\xe8", THUNK);
	assert_int_equal(patch_room(UDF_PATCH_RETPOLINES, 0, 5), 0);
	assert_int_equal(patch_room(UDF_PATCH_RETPOLINES, 0, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_return, setup), cmocka_unit_test_setup(test_fentry, setup),
		cmocka_unit_test_setup(test_call_rax, setup), cmocka_unit_test_setup(test_call_r11, setup),
		cmocka_unit_test_setup(test_call_with_prefix, setup), cmocka_unit_test_setup(test_jmp_rdx, setup),
		cmocka_unit_test_setup(test_conditional, setup), cmocka_unit_test_setup(test_others_stay, setup),
		cmocka_unit_test_setup(test_end_of_text, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
