// SPDX-License-Identifier: GPL-2.0
/* lib/loader/check.c, insns.c: the verdicts, and which instructions are found. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/check.h"
#include "loader/elfgen.h"
#include "loader/fake_kernel.h"

static struct fake_symbol symbols[] = {
	{ "printk", { .addr = 0x71000100, .crc = 0x11 }, true, false },
	{ "ioremap", { .addr = 0x71000400, .crc = 0x44, .replaced = true }, true, false },
	{ "kfree_gpl", { .addr = 0x71000200, .crc = 0x22, .gpl = true }, true, false },
	{ "pin_pages", { .addr = 0x71000500, .crc = 0x55, .replaced = true, .unsupported = true }, true, false },
};

static struct fake_kernel fake = { .vermagic = FAKE_VERMAGIC, .symbol = symbols, .nr = 4 }, stock;
static struct udf_checker *checker;
static struct udf_error err;
static const struct udf_check *result;
static char dir[] = "/tmp/udf-test-XXXXXX";
static char path[sizeof(dir) + 80];

static int setup(void **state)
{
	struct udf_kernel kernel = fake_kernel_ops(&fake);

	err = (struct udf_error)UDF_ERROR_INIT;
	result = NULL;
	return udf_checker_new(&kernel, NULL, true, &checker, &err);
}

static int teardown(void **state)
{
	udf_checker_free(checker);
	checker = NULL;
	return 0;
}

static void report(void *ctx, const struct udf_check *c)
{
	assert_null(result);
	result = c;
}

static const struct udf_check *check(const char *what)
{
	result = NULL;
	if (udf_checker_run(checker, what, report, NULL, &err))
		fail_msg("%s", err.text);
	assert_non_null(result);
	return result;
}

static const struct udf_check *check_bytes(const char *name, const void *data, size_t len)
{
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.ko", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
	return check(path);
}

static const struct udf_check *check_module(const struct elfgen_module *m)
{
	size_t len;
	void *data = elfgen_module(m, &len);
	const struct udf_check *c = check_bytes(m->name, data, len);

	free(data);
	return c;
}

static void test_ok(void **state)
{
	const struct elfgen_module m = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL",
					 .import = { { "printk", 0x11 }, { "ioremap", 0x44 }, { "kfree_gpl", 0x22 } } };
	const struct udf_check *c = check_module(&m);

	assert_int_equal(c->verdict, UDF_VERDICT_OK);
	assert_string_equal(c->text, "");
	assert_string_equal(c->name, "a");
	assert_int_equal(c->from_modules, 0);
	assert_int_equal(c->from_kapi, 1);
	assert_int_equal(c->from_image, 2);
	assert_int_equal(c->nr_complaints + c->nr_dependencies + c->nr_insns, 0);
}

/* A module that imports what is not supported loads all the same: it may never call it. */
static void test_unsupported(void **state)
{
	const struct elfgen_module m = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL",
					 .import = { { "printk", 0x11 }, { "pin_pages", 0x55 } } };
	const struct udf_check *c = check_module(&m);

	assert_int_equal(c->verdict, UDF_VERDICT_OK);
	assert_int_equal(c->nr_unsupported, 1);
	assert_string_equal(c->unsupported[0], "pin_pages");
}

static void test_missing(void **state)
{
	const struct elfgen_module m = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL",
					 .import = { { "gone", 1 }, { "printk", 0x12 } } };
	const struct udf_check *c = check_module(&m);

	assert_int_equal(c->verdict, UDF_VERDICT_MISSING);
	assert_int_equal(c->nr_complaints, 2);
	assert_int_equal(c->complaint[0].kind, UDF_COMPLAINT_MISSING);
	assert_string_equal(c->complaint[0].symbol, "gone");
	assert_int_equal(c->complaint[1].kind, UDF_COMPLAINT_CRC);
	assert_int_equal(c->complaint[1].want_crc, 0x12);
	assert_int_equal(c->complaint[1].have_crc, 0x11);
}

static void test_crc(void **state)
{
	const struct elfgen_module m = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL", .import = { { "printk", 0x12 } } };

	assert_int_equal(check_module(&m)->verdict, UDF_VERDICT_CRC);
}

static void test_refused(void **state)
{
	const struct elfgen_module m = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "Secret", .import = { { "kfree_gpl", 0x22 } } };

	assert_int_equal(check_module(&m)->verdict, UDF_VERDICT_REFUSED);
}

static void test_wrong_kernel(void **state)
{
	const struct elfgen_module m = { .name = "a", .vermagic = "6.6.6 SMP", .license = "GPL", .import = { { "gone", 1 } } };
	const struct udf_check *c = check_module(&m);

	assert_int_equal(c->verdict, UDF_VERDICT_WRONG_KERNEL);
	assert_int_equal(c->nr_complaints, 1);
}

static void test_broken(void **state)
{
	const struct elfgen_module m = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL" };
	size_t len;
	char *data = elfgen_module(&m, &len);

	assert_int_equal(check_bytes("a", data, len / 2)->verdict, UDF_VERDICT_BROKEN);
	data[18] = 3;	/* e_machine: 80386 */
	assert_int_equal(check_bytes("b", data, len)->verdict, UDF_VERDICT_BROKEN);
	assert_non_null(strstr(result->text, "another machine"));
	assert_int_equal(check_bytes("c", "", 0)->verdict, UDF_VERDICT_BROKEN);
	free(data);
}

static void test_not_found(void **state)
{
	assert_int_equal(check("/nowhere/a.ko")->verdict, UDF_VERDICT_NOT_FOUND);
	assert_int_equal(check("nowhere")->verdict, UDF_VERDICT_NOT_FOUND);
	assert_string_equal(result->name, "nowhere");
}

static void test_instructions(void **state)
{
	/* Padding that would swallow the start of the next function if it were decoded with it. */
	static const uint8_t code[] = { 0xec, 0xc3, 0x48, 0xb8,					/* in: in (%dx),%al; ret; half a mov */
					0x0f, 0x30, 0xfa, 0x0f, 0x22, 0xd8, 0xf3, 0x6c, 0xc3,	/* wrmsr; cli; mov %rax,%cr3; rep insb */
					0x0f, 0x01, 0xf8, 0xf4, 0x90 };				/* swapgs; hlt; nop */
	static const char info[] = "name=a\0vermagic=" FAKE_VERMAGIC;
	static const struct { const char *name, *function; uint64_t offset; } want[] = {
		{ "in", "read_port", 0 }, { "wrmsr", "privileged", 0 }, { "cli", "privileged", 2 }, { "mov cr", "privileged", 3 },
		{ "ins", "privileged", 6 }, { "swapgs", "privileged", 9 }, { "hlt", "privileged", 12 },
	};
	struct elfgen *g = elfgen_new();
	unsigned int i, text = elfgen_section(g, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, code, sizeof(code), 16);
	const struct udf_check *c;
	size_t len;
	void *data;

	elfgen_symbol(g, "privileged", STB_GLOBAL, STT_FUNC, text, 4, 9);
	elfgen_symbol(g, "read_port", STB_LOCAL, STT_FUNC, text, 0, 2);
	elfgen_section(g, ".altinstr_replacement", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, "\xfa", 1, 1);
	elfgen_section(g, ".rodata", SHT_PROGBITS, SHF_ALLOC, "\xfb", 1, 1);
	elfgen_section(g, ".modinfo", SHT_PROGBITS, SHF_ALLOC, info, sizeof(info), 1);
	elfgen_section(g, "__versions", SHT_PROGBITS, SHF_ALLOC, NULL, 0, 1);
	data = elfgen_finish(g, &len);
	c = check_bytes("a", data, len);
	free(data);
	assert_int_equal(c->verdict, UDF_VERDICT_OK);
	assert_int_equal(c->nr_insns, sizeof(want) / sizeof(want[0]));
	for (i = 0; i < c->nr_insns; i++) {
		assert_string_equal(c->insn[i].name, want[i].name);
		assert_string_equal(c->insn[i].function, want[i].function);
		assert_int_equal(c->insn[i].offset, want[i].offset);
		assert_int_equal(c->insn[i].handled, !strncmp(want[i].name, "in", 2));
	}
}

static void write_module(const char *name, const struct elfgen_module *m)
{
	size_t len;
	void *data = elfgen_module(m, &len);
	FILE *f;

	snprintf(path, sizeof(path), "%s/root/lib/modules/6.1.0/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
	free(data);
}

/* What another module exports is missing all the same for one that does not depend on it. */
static void test_only_dependencies_count(void **state)
{
	const struct elfgen_module a = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL", .export = { { "helper", NULL, 7, 0 } } };
	const struct elfgen_module b = { .name = "b", .vermagic = FAKE_VERMAGIC, .license = "GPL", .import = { { "helper", 7 } } };
	const struct elfgen_module c = { .name = "c", .vermagic = FAKE_VERMAGIC, .license = "GPL" };
	const struct elfgen_module now_c = { .name = "c", .vermagic = FAKE_VERMAGIC, .license = "GPL", .import = { { "helper", 7 } } };
	struct udf_kernel kernel = fake_kernel_ops(&fake);
	char command[300];

	snprintf(command, sizeof(command), "mkdir -p %s/root/lib/modules/6.1.0", dir);
	assert_int_equal(system(command), 0);
	write_module("a.ko", &a);
	write_module("b.ko", &b);
	write_module("c.ko", &c);
	snprintf(command, sizeof(command), "PATH=$PATH:/sbin:/usr/sbin depmod -b %s/root 6.1.0 2>%s/log", dir, dir);
	if (system(command))
		skip();
	write_module("c.ko", &now_c);		/* behind depmod's back */
	snprintf(command, sizeof(command), "%s/root/lib/modules/6.1.0", dir);
	udf_checker_free(checker);
	assert_int_equal(udf_checker_new(&kernel, command, false, &checker, &err), 0);
	assert_int_equal(check("b")->verdict, UDF_VERDICT_OK);
	assert_int_equal(result->from_modules, 1);
	assert_int_equal(check("c")->verdict, UDF_VERDICT_MISSING);
	assert_int_equal(check("b")->verdict, UDF_VERDICT_OK);
	assert_int_equal(result->nr_dependencies, 1);
}

/* A checker over the stock kernel that is unpacked, if one is. */
static void use_stock(void)
{
	struct udf_kernel kernel;

	if (fake_kernel_load(&stock))
		skip();
	udf_checker_free(checker);
	kernel = fake_kernel_ops(&stock);
	assert_int_equal(udf_checker_new(&kernel, stock.modules, false, &checker, &err), 0);
}

static int teardown_stock(void **state)
{
	teardown(state);
	fake_kernel_free(&stock);
	return 0;
}

static void test_stock(void **state)
{
	const struct udf_check *c;
	unsigned int examined;

	use_stock();
	c = check("nvme");
	assert_int_equal(c->verdict, UDF_VERDICT_OK);
	assert_true(c->nr_dependencies >= 2 && c->from_modules > 10 && c->from_image > 50);
	assert_string_equal(c->dependency[c->nr_dependencies - 1].name, "nvme_core");
	examined = udf_checker_examined(checker);
	assert_int_equal(examined, c->nr_dependencies + 1);
	c = check("nvme-core");
	assert_int_equal(udf_checker_examined(checker), examined);
	assert_true(c->nr_dependencies >= 1);
	/* The file is looked at by itself, though its name is known already. */
	c = check(check("nvme")->path);
	assert_int_equal(c->verdict, UDF_VERDICT_OK);
	assert_string_equal(c->dependency[c->nr_dependencies - 1].name, "nvme_core");
	assert_int_equal(udf_checker_examined(checker), 2 * examined);
}

static void test_dependency_fails(void **state)
{
	struct fake_symbol *s;
	const struct udf_check *c;
	unsigned int i;

	use_stock();
	for (i = 0, s = NULL; i < stock.nr; i++)
		if (!strcmp(stock.symbol[i].name, "blk_mq_alloc_tag_set"))
			s = &stock.symbol[i];
	assert_non_null(s);
	s->export.crc ^= 1;
	c = check("nvme-tcp");
	assert_int_equal(c->verdict, UDF_VERDICT_DEPENDENCY);
	assert_non_null(strstr(c->text, "nvme_tcp: needs nvme_core: nvme_core: not built for this kernel"));
}

static void test_pci_modules(void **state)
{
	char **names;
	int i, n;
	bool nvme = false, loop = false;

	use_stock();
	n = udf_check_pci_modules(stock.modules, &names, &err);
	assert_true(n > 400);
	for (i = 0; i < n; i++) {
		if (i)
			assert_true(strcmp(names[i - 1], names[i]) < 0);
		nvme |= !strcmp(names[i], "nvme");
		loop |= !strcmp(names[i], "loop");
	}
	for (i = 0; i < n; i++)
		free(names[i]);
	free(names);
	assert_true(nvme && !loop);
}

static int group_setup(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int group_teardown(void **state)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define STOCK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown_stock)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ok), TEST(test_unsupported), TEST(test_missing), TEST(test_crc), TEST(test_refused), TEST(test_wrong_kernel), TEST(test_broken),
		TEST(test_not_found), TEST(test_instructions), TEST(test_only_dependencies_count), STOCK_TEST(test_stock), STOCK_TEST(test_dependency_fails),
		STOCK_TEST(test_pci_modules),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
