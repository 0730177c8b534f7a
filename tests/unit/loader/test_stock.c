// SPDX-License-Identifier: GPL-2.0
/* The loader over a stock kernel's own modules; skipped where none is unpacked. */
#include "unit.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/fake_kernel.h"

static struct fake_kernel fake;
static struct udf_error err;

static int setup(void **state)
{
	err = (struct udf_error)UDF_ERROR_INIT;
	return 0;
}

static struct udf_loader *new_loader(void)
{
	struct udf_kernel kernel = fake_kernel_ops(&fake);
	struct udf_loader *loader;

	if (!fake.nr)
		skip();
	if (udf_loader_new_kernel(&kernel, fake.modules, &loader, &err))
		fail_msg("%s", err.text);
	return loader;
}

/* Open, link and set live what WHAT needs. */
static void load(struct udf_loader *loader, const char *what)
{
	struct udf_plan plan;
	unsigned int i;

	if (udf_loader_plan(loader, what, &plan, &err))
		fail_msg("%s", err.text);
	assert_true(plan.nr > 0);
	for (i = 0; i < plan.nr; i++) {
		struct udf_module *mod;

		if (udf_loader_open(loader, plan.entry[i].path, NULL, &mod, &err) || udf_loader_link(loader, mod, 0x30000, &err) ||
		    udf_loader_live(loader, mod, &err))
			fail_msg("%s", err.text);
		udf_loader_free_init(loader, mod);
	}
	udf_plan_free(&plan);
}

static void test_nvme(void **state)
{
	struct udf_loader *loader = new_loader();
	struct udf_loader_stats stats;
	struct udf_module *core;
	struct host_module h;
	const char *name, *module;
	uint64_t addr, offset;

	load(loader, "nvme");
	core = udf_loader_find(loader, "nvme-core");
	assert_non_null(core);
	udf_module_describe(core, &h);
	assert_string_equal(h.name, "nvme_core");
	assert_true(h.sec[HOST_SEC_KSYMTAB_GPL].size % 12 == 0 && h.sec[HOST_SEC_KSYMTAB_GPL].size);
	addr = udf_module_symbol(core, "nvme_init_ctrl");
	assert_true(addr >= h.core_text.addr && addr < h.core_text.addr + h.core_text.size);
	name = udf_loader_symbolize(loader, addr + 5, &offset, &module);
	assert_string_equal(name, "nvme_init_ctrl");
	assert_string_equal(module, "nvme_core");
	assert_int_equal(offset, 5);
	/* Every site that the compiler noted had the form that is known. */
	udf_loader_stats(loader, &stats);
	assert_true(stats.returns > 300 && stats.retpolines > 20 && stats.fentries > 200);
	assert_int_equal(stats.left, 0);
	assert_int_equal(udf_loader_close(loader, core, &err), -EBUSY);
	assert_string_equal(err.text, "nvme_core is in use by nvme");
	udf_loader_free(loader);
}

static void test_modalias(void **state)
{
	struct udf_loader *loader = new_loader();

	load(loader, "pci:v00008086d000010D3sv00000000sd00000000bc02sc00i00");
	assert_non_null(udf_loader_find(loader, "e1000e"));
	udf_loader_free(loader);
}

static void test_what_is_live_is_not_planned(void **state)
{
	struct udf_loader *loader = new_loader();
	struct udf_plan plan;

	load(loader, "nvme-core");
	assert_int_equal(udf_loader_plan(loader, "nvme", &plan, &err), 0);
	assert_int_equal(plan.nr, 1);
	assert_string_equal(plan.entry[0].name, "nvme");
	udf_plan_free(&plan);
	udf_loader_free(loader);
}

static void test_soft_dependency(void **state)
{
	struct udf_loader *loader = new_loader();
	struct udf_plan plan;
	unsigned int i, soft = 0;

	assert_int_equal(udf_loader_plan(loader, "ext4", &plan, &err), 0);
	for (i = 0; i < plan.nr; i++)
		soft += plan.entry[i].soft;
	assert_true(soft > 0);		/* softdep ext4 pre: crypto-crc32c */
	assert_string_equal(plan.entry[plan.nr - 1].name, "ext4");
	assert_false(plan.entry[plan.nr - 1].soft);
	udf_plan_free(&plan);
	udf_loader_free(loader);
}

static void test_unknown(void **state)
{
	struct udf_loader *loader = new_loader();
	struct udf_plan plan;

	assert_int_equal(udf_loader_plan(loader, "no-such-driver", &plan, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no-such-driver: no such module in "));
	setup(NULL);
	assert_int_equal(udf_loader_plan(loader, "pci:vFFFFFFFFd0", &plan, &err), -ENOENT);
	assert_non_null(strstr(err.text, "alias"));
	udf_loader_free(loader);
}

static void test_wrong_vermagic(void **state)
{
	struct udf_loader *loader;
	struct udf_module *mod;
	struct udf_plan plan;

	fake.vermagic = FAKE_VERMAGIC;
	loader = new_loader();
	assert_int_equal(udf_loader_plan(loader, "libcrc32c", &plan, &err), 0);
	assert_int_equal(udf_loader_open(loader, plan.entry[0].path, NULL, &mod, &err), -ENOEXEC);
	fake.vermagic = fake.magic;
	assert_non_null(strstr(err.text, FAKE_VERMAGIC));
	assert_non_null(strstr(err.text, fake.magic));
	udf_plan_free(&plan);
	udf_loader_free(loader);
}

/* A driver's file, cut off at every 64th byte, in memory that ends there. What follows the section headers is its signature. */
static void test_truncated(void **state)
{
	struct udf_loader *loader = new_loader();
	struct udf_plan plan;
	size_t len, cut, end;
	const Elf64_Ehdr *eh;
	void *data;

	assert_int_equal(udf_loader_plan(loader, "nvme", &plan, &err), 0);
	assert_int_equal(udf_module_read(plan.entry[plan.nr - 1].path, &data, &len, &err), 0);
	eh = data;
	end = eh->e_shoff + eh->e_shnum * sizeof(Elf64_Shdr);
	assert_true(len > 65536 && end > 65536);
	for (cut = 0; cut < len; cut += 64) {
		struct udf_error error = UDF_ERROR_INIT;
		struct udf_elf *elf = NULL;
		void *copy = malloc(cut ? cut : 1);

		memcpy(copy, data, cut);
		assert_int_equal(udf_elf_parse(copy, cut, "nvme.ko", &elf, &error), cut < end ? -ENOEXEC : 0);
		udf_elf_free(elf);
		free(copy);
	}
	free(data);
	udf_plan_free(&plan);
	udf_loader_free(loader);
}

static int group_setup(void **state)
{
	if (fake_kernel_load(&fake))
		fprintf(stderr, "no kernel is unpacked below the build folder\n");
	return 0;
}

static int group_teardown(void **state)
{
	fake_kernel_free(&fake);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nvme, setup), cmocka_unit_test_setup(test_modalias, setup),
		cmocka_unit_test_setup(test_what_is_live_is_not_planned, setup), cmocka_unit_test_setup(test_soft_dependency, setup),
		cmocka_unit_test_setup(test_unknown, setup), cmocka_unit_test_setup(test_wrong_vermagic, setup),
		cmocka_unit_test_setup(test_truncated, setup),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
