// SPDX-License-Identifier: GPL-2.0
/* Code patches: the known patterns, and nothing else. */
#include "unit.h"

#include <string.h>

#include "image/patch.h"

#define BASE	0x71000000ull
#define THUNKS	0x1000

static uint8_t mem[0x2000];
static const struct udf_memory memory = { mem, BASE, sizeof(mem) };
static struct udf_thunks thunks;
static struct udf_patch_count count;

static int setup(void **state)
{
	unsigned int i;

	memset(mem, 0x90, sizeof(mem));
	memset(&count, 0, sizeof(count));
	thunks.ret = BASE + THUNKS + 0x200;
	thunks.fentry = BASE + THUNKS + 0x210;
	for (i = 0; i < UDF_X86_REGS; i++)
		thunks.indirect[i] = BASE + THUNKS + 0x10 * i;
	return 0;
}

static void branch(unsigned int at, uint8_t op, uint64_t to)
{
	mem[at] = op;
	udf_put32(mem + at + 1, (uint32_t)(to - (BASE + at + 5)));
}

static void test_return(void **state)
{
	branch(0, 0xe9, thunks.ret);
	udf_patch_return(&memory, &thunks, BASE, &count);
	assert_memory_equal(mem, "\xc3\xcc\xcc\xcc\xcc\x90", 6);
	assert_int_equal(count.returns, 1);
	assert_int_equal(count.skipped, 0);
}

static void test_fentry(void **state)
{
	branch(0, 0xe8, thunks.fentry);
	udf_patch_fentry(&memory, &thunks, BASE, &count);
	assert_memory_equal(mem, "\x0f\x1f\x44\0\0\x90", 6);
	assert_int_equal(count.fentry, 1);
}

/* Every register, called and jumped to, with and without the cs prefix. */
static void test_retpolines(void **state)
{
	unsigned int reg, jump, cs;

	for (reg = 0; reg < UDF_X86_REGS; reg++) {
		for (jump = 0; jump < 2; jump++) {
			for (cs = 0; cs < 2; cs++) {
				uint8_t want[6], *w = want;

				setup(NULL);
				if (cs)
					mem[0] = 0x2e;
				branch(cs, jump ? 0xe9 : 0xe8, thunks.indirect[reg]);
				udf_patch_retpoline(&memory, &thunks, BASE, &count);
				memset(want, jump ? 0xcc : 0x90, sizeof(want));
				if (reg >= 8)
					*w++ = 0x41;
				*w++ = 0xff;
				*w++ = (uint8_t)((jump ? 0xe0 : 0xd0) + reg % 8);
				assert_memory_equal(mem, want, 5 + cs);
				assert_int_equal(mem[5 + cs], 0x90);
				assert_int_equal(count.retpolines, 1);
				assert_int_equal(count.skipped, 0);
			}
		}
	}
}

static void expect_untouched(udf_patch_site *patch, uint64_t addr)
{
	uint8_t before[sizeof(mem)];
	uint32_t skipped = count.skipped;

	memcpy(before, mem, sizeof(mem));
	patch(&memory, &thunks, addr, &count);
	assert_memory_equal(before, mem, sizeof(mem));
	assert_int_equal(count.skipped, skipped + 1);
}

static void test_others_stay(void **state)
{
	branch(0, 0xe9, thunks.ret + 1);
	expect_untouched(udf_patch_return, BASE);
	branch(0, 0xe8, thunks.ret);
	expect_untouched(udf_patch_return, BASE);
	mem[0] = 0xc3;
	expect_untouched(udf_patch_return, BASE);
	branch(0, 0xe8, thunks.indirect[3] + 2);
	expect_untouched(udf_patch_retpoline, BASE);
	branch(0, 0x0f, thunks.indirect[3]);
	expect_untouched(udf_patch_retpoline, BASE);
	memcpy(mem, "\x2e\x2e", 2);
	branch(2, 0xe8, thunks.indirect[3]);
	expect_untouched(udf_patch_retpoline, BASE);
	branch(0, 0xe9, thunks.fentry);
	expect_untouched(udf_patch_fentry, BASE);
	/* places that are not, or not wholly, in the image */
	expect_untouched(udf_patch_return, 0);
	expect_untouched(udf_patch_retpoline, BASE + sizeof(mem) - 4);
	expect_untouched(udf_patch_fentry, UINT64_MAX - 2);
	mem[sizeof(mem) - 5] = 0x2e;
	expect_untouched(udf_patch_retpoline, BASE + sizeof(mem) - 5);
}

static void test_no_thunks(void **state)
{
	memset(&thunks, 0, sizeof(thunks));
	branch(0, 0xe9, 0);
	expect_untouched(udf_patch_return, BASE);
	expect_untouched(udf_patch_retpoline, BASE);
	branch(0, 0xe8, 0);
	expect_untouched(udf_patch_fentry, BASE);
}

static void test_lists(void **state)
{
	branch(0x10, 0xe9, thunks.ret);
	branch(0x20, 0xe9, thunks.ret);
	udf_put32(mem + 0x100, 0x10 - 0x100);
	udf_put32(mem + 0x104, 0x20 - 0x104);
	udf_patch_relative(&memory, &thunks, BASE + 0x100, 8, udf_patch_return, &count);
	assert_int_equal(count.returns, 2);
	branch(0x30, 0xe8, thunks.fentry);
	udf_put64(mem + 0x108, BASE + 0x30);
	udf_patch_absolute(&memory, &thunks, BASE + 0x108, 8, udf_patch_fentry, &count);
	assert_int_equal(count.fentry, 1);
	/* a list that is not in the image has no sites */
	udf_patch_relative(&memory, &thunks, BASE + sizeof(mem) - 4, 8, udf_patch_return, &count);
	udf_patch_absolute(&memory, &thunks, 0x1000, 8, udf_patch_fentry, &count);
	assert_int_equal(count.skipped, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_return, setup),
		cmocka_unit_test_setup(test_fentry, setup),
		cmocka_unit_test_setup(test_retpolines, setup),
		cmocka_unit_test_setup(test_others_stay, setup),
		cmocka_unit_test_setup(test_no_thunks, setup),
		cmocka_unit_test_setup(test_lists, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
