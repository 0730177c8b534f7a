// SPDX-License-Identifier: GPL-2.0
/* What is found in a vmlinux: bytes moved to where they run, symbols, exports, identity; and what is wrong with damaged ones. */
#define _GNU_SOURCE
#include "unit.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/fake_image.h"
#include "image/kernel.h"

static int load(struct udf_kernel *k, uint8_t *elf, size_t len, struct udf_error *err)
{
	int ret;

	*k = (struct udf_kernel){ .what = "the-file" };
	k->elf.data = elf;
	k->elf.len = k->elf.cap = len;
	ret = udf_kernel_load(k, err);
	if (!ret)
		ret = udf_kernel_relocate(k, err);
	if (!ret)
		ret = udf_kernel_symbols(k, err);
	if (!ret)
		ret = udf_kernel_identify(k, err);
	return ret ? ret : udf_kernel_exports(k, err);
}

static void load_fake(struct udf_kernel *k, const struct fake_options *opts)
{
	struct udf_error err = UDF_ERROR_INIT;
	size_t len;
	uint8_t *elf = fake_vmlinux(opts, &len);

	if (load(k, elf, len, &err))
		fail_msg("%s", err.text);
}

static uint64_t value_of(const struct udf_kernel *k, const char *name)
{
	unsigned int count;
	const struct udf_ksym *sym = udf_kernel_symbol(k, name, &count);

	assert_non_null(sym);
	assert_int_equal(count, 1);
	return sym->value;
}

static void test_relocated(void **state)
{
	const struct fake_options opts = { 0 };
	struct udf_kernel k;
	const uint8_t *p;
	uint32_t distance;

	load_fake(&k, &opts);
	assert_int_equal(k.image.addr, FAKE_RUN);
	assert_int_equal(k.image.size, FAKE_SPAN);
	assert_int_equal(udf_get64(udf_memory_at(&k.image, FAKE_RUN + FAKE_DATA, 8)), FAKE_RUN + FAKE_PLAIN);
	assert_int_equal(udf_get64(udf_memory_at(&k.image, FAKE_RUN + FAKE_DATA + 8, 8)), FAKE_RUN + FAKE_DATA);
	p = udf_memory_at(&k.image, FAKE_RUN + FAKE_RELOCATED, 0x20);
	assert_int_equal(udf_get32(p + 1), FAKE_RUN + FAKE_DATA);
	/* from where the code runs now, the distance still leads to the per-CPU offset */
	distance = udf_get32(p + 0x10);
	assert_int_equal((uint32_t)(FAKE_RUN + FAKE_RELOCATED + 0x14 + distance), FAKE_PERCPU_VAR);
	assert_int_equal(k.percpu_load, FAKE_RUN + FAKE_PERCPU);
	assert_int_equal(k.percpu_size, FAKE_PERCPU_SIZE);
	assert_int_equal(udf_get64(udf_memory_at(&k.image, k.percpu_load + FAKE_PERCPU_VAR, 8)), 0x1234);
	udf_kernel_free(&k);
}

static void check_symbols(const struct fake_options *opts)
{
	struct udf_kernel k;
	const struct udf_ksym *sym;
	unsigned int count;
	char name[201];

	load_fake(&k, opts);
	assert_int_equal(value_of(&k, "func_plain"), FAKE_RUN + FAKE_PLAIN);
	assert_int_equal(value_of(&k, "bss_var"), FAKE_RUN + FAKE_BSS);
	assert_int_equal(value_of(&k, "percpu_var"), FAKE_PERCPU_VAR);
	assert_int_equal(value_of(&k, "__per_cpu_start"), 0);
	assert_int_equal(value_of(&k, "__per_cpu_end"), FAKE_PERCPU_SIZE);
	assert_int_equal(value_of(&k, "__per_cpu_load"), FAKE_RUN + FAKE_PERCPU);
	assert_true(udf_kernel_symbol(&k, "percpu_var", NULL)->absolute);
	assert_false(udf_kernel_symbol(&k, "func_plain", NULL)->absolute);
	memset(name, 'x', 200);
	name[200] = 0;
	assert_int_equal(value_of(&k, name), FAKE_RUN + 0x1f00);
	if (opts->many_symbols)
		assert_int_equal(value_of(&k, "filler_599"), FAKE_RUN + 0x1400 + 599);
	assert_null(udf_kernel_symbol(&k, "func_plai", &count));
	assert_int_equal(count, 0);

	sym = udf_kernel_symbol(&k, "func_twice", &count);
	assert_non_null(sym);
	assert_int_equal(count, 2);
	assert_int_equal(value_of(&k, "func_mixed"), FAKE_RUN + FAKE_MIXED);
	udf_kernel_free(&k);
}

static void test_symbols(void **state)
{
	struct fake_options opts = { 0 };

	for (opts.many_symbols = 0; opts.many_symbols < 2; opts.many_symbols++)
		for (opts.kallsyms = FAKE_KALLSYMS_61; opts.kallsyms < FAKE_KALLSYMS_NONE; opts.kallsyms++)
			check_symbols(&opts);
}

static const struct udf_kexport *export(const struct udf_kernel *k, const char *name)
{
	size_t i;

	for (i = 0; i < k->nr_exports; i++)
		if (!strcmp(udf_kernel_name(k, k->exports[i].name), name))
			return &k->exports[i];
	fail_msg("%s is not exported", name);
	return NULL;
}

static void test_exports(void **state)
{
	const struct fake_options opts = { 0 };
	const struct udf_kexport *x;
	struct udf_kernel k;

	load_fake(&k, &opts);
	assert_int_equal(k.nr_exports, 3);
	x = export(&k, "func_plain");
	assert_int_equal(x->addr, FAKE_RUN + FAKE_PLAIN);
	assert_int_equal(x->crc, 0x11111111);
	assert_false(x->gpl || x->percpu || x->ns);
	x = export(&k, "percpu_var");
	assert_int_equal(x->addr, FAKE_PERCPU_VAR);
	assert_true(x->percpu);
	x = export(&k, "data_var");
	assert_int_equal(x->addr, FAKE_RUN + FAKE_DATA);
	assert_int_equal(x->crc, 0x33333333);
	assert_true(x->gpl);
	assert_string_equal(udf_kernel_name(&k, x->ns), "FAKE_NS");
	udf_kernel_free(&k);
}

static void test_identity(void **state)
{
	const struct fake_options opts = { 0 };
	struct udf_kernel k;

	load_fake(&k, &opts);
	assert_string_equal(k.release, FAKE_RELEASE);
	assert_string_equal(k.build_id, FAKE_BUILD_ID);
	assert_string_equal(k.vermagic, FAKE_RELEASE " SMP preempt mod_unload modversions ");
	assert_true(udf_kernel_is_text(&k, FAKE_RUN + FAKE_PLAIN));
	assert_false(udf_kernel_is_text(&k, FAKE_RUN + FAKE_DATA));
	udf_kernel_free(&k);
}

/* Load what OPTS makes, after SPOIL; the error must say TEXT. */
static void expect_error(const struct fake_options *opts, void (*spoil)(uint8_t *elf, size_t *len), const char *text)
{
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_kernel k;
	size_t len;
	uint8_t *elf = fake_vmlinux(opts, &len);

	if (spoil)
		spoil(elf, &len);
	assert_int_not_equal(load(&k, elf, len, &err), 0);
	if (!strstr(err.text, text) || !strstr(err.text, "the-file"))
		fail_msg("'%s' does not say '%s'", err.text, text);
	udf_kernel_free(&k);
}

static Elf64_Ehdr *ehdr(uint8_t *elf) { return (Elf64_Ehdr *)elf; }
static Elf64_Phdr *phdr(uint8_t *elf) { return (Elf64_Phdr *)(elf + ehdr(elf)->e_phoff); }
static void spoil_machine(uint8_t *elf, size_t *len) { ehdr(elf)->e_machine = EM_AARCH64; }
static void spoil_phoff(uint8_t *elf, size_t *len) { ehdr(elf)->e_phoff = UINT64_MAX - 8; }
static void spoil_shoff(uint8_t *elf, size_t *len) { ehdr(elf)->e_shoff = *len - 8; }
static void spoil_segment(uint8_t *elf, size_t *len) { phdr(elf)->p_filesz = phdr(elf)->p_memsz = UINT64_MAX - 4096; }
static void spoil_address(uint8_t *elf, size_t *len) { phdr(elf)->p_vaddr += 0x1000; }
static void spoil_memsz(uint8_t *elf, size_t *len) { phdr(elf)[3].p_memsz = 0x10000000; }
static void spoil_percpu(uint8_t *elf, size_t *len) { phdr(elf)[2].p_paddr = 0x7fffffff0000; }
static void spoil_relocs_missing(uint8_t *elf, size_t *len) { *len -= 4; }
static void spoil_relocs_gone(uint8_t *elf, size_t *len) { *len = (ehdr(elf)->e_shoff + 4096) & ~4095ul; }
static void spoil_tokens(uint8_t *elf, size_t *len)
{
	uint8_t *p = memmem(elf, *len, "0\0001\0002", 5);

	assert_non_null(p);
	p[1] = 'x';
}

static void test_damaged(void **state)
{
	struct fake_options opts = { 0 };

	expect_error(&opts, spoil_machine, "not a kernel for x86-64");
	expect_error(&opts, spoil_phoff, "damaged");
	expect_error(&opts, spoil_shoff, "damaged");
	expect_error(&opts, spoil_segment, "damaged");
	expect_error(&opts, spoil_address, "not linked at");
	expect_error(&opts, spoil_memsz, "does not fit");
	expect_error(&opts, spoil_percpu, "per-CPU segment");
	expect_error(&opts, spoil_relocs_missing, "relocations");
	expect_error(&opts, spoil_relocs_gone, "the-file");
	expect_error(&opts, spoil_tokens, "symbol table");
	opts.kallsyms = FAKE_KALLSYMS_NONE;
	expect_error(&opts, NULL, "symbol table");
	opts = (struct fake_options){ .no_vermagic = 1 };
	expect_error(&opts, NULL, "without loadable modules");
	opts = (struct fake_options){ .no_build_id = 1 };
	expect_error(&opts, NULL, "build id");
	opts = (struct fake_options){ .bad_reloc = 1 };
	expect_error(&opts, NULL, "lies outside of the image");
	opts = (struct fake_options){ .bad_value = 1 };
	expect_error(&opts, NULL, "holds no address of the image");
	opts = (struct fake_options){ .bad_crcs = 1 };
	expect_error(&opts, NULL, "exported symbols");
}

/* Every cut, and every byte of the headers and tables changed, is an error or a kernel, and nothing worse. */
static void test_cut_and_flip(void **state)
{
	const struct fake_options opts = { .kallsyms = FAKE_KALLSYMS_61 };
	size_t len, full, i;
	uint8_t *good = fake_vmlinux(&opts, &full);

	for (i = 0; i < full; i += i < 600 || i > 0xd000 ? 7 : 509) {
		int flip;

		for (flip = 0; flip < 2; flip++) {
			struct udf_error err = UDF_ERROR_INIT;
			struct udf_kernel k;
			uint8_t *elf;

			len = flip ? full : i;
			elf = malloc(len ? len : 1);
			memcpy(elf, good, len);
			if (flip)
				elf[i] ^= 0x81;
			if (load(&k, elf, len, &err))
				assert_non_null(strstr(err.text, "the-file"));
			udf_kernel_free(&k);
		}
	}
	free(good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_relocated),
		cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_exports),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_cut_and_flip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
