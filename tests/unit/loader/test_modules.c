// SPDX-License-Identifier: GPL-2.0
/* lib/loader/modules.c, imports.c, exports.c, place.c, space.c, module.c: small modules of our own over a made-up kernel. */
#include "unit.h"

#include <errno.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "layout.h"
#include "loader/elfgen.h"
#include "loader/fake_kernel.h"
#include "loader/internal.h"

static struct fake_symbol symbols[] = {
	{ "printk", { .addr = 0x71000100, .crc = 0x11 }, true, false },
	{ "kfree_gpl", { .addr = 0x71000200, .crc = 0x22, .gpl = true }, true, false },
	{ "dma_buf_get", { .addr = 0x71000300, .crc = 0x33, .namespace = "DMA_BUF" }, true, false },
	{ "ioremap", { .addr = 0x71000400, .crc = 0x44, .replaced = true }, true, false },
	{ "udf_extra", { .addr = 0x70000100 }, false, true },
	{ "module_layout", { .addr = 0x71000500, .crc = 0x55 }, true, false },
};

static struct fake_kernel fake = { .vermagic = FAKE_VERMAGIC, .symbol = symbols, .nr = 6 };
static struct udf_loader *loader;
static struct udf_error err;
static char dir[] = "/tmp/udf-test-XXXXXX";
static char path[sizeof(dir) + 80];

static int setup(void **state)
{
	struct udf_kernel kernel = fake_kernel_ops(&fake);

	err = (struct udf_error)UDF_ERROR_INIT;
	return udf_loader_new_kernel(&kernel, NULL, &loader, &err);
}

static int teardown(void **state)
{
	udf_loader_free(loader);
	return 0;
}

static void write_file(const char *name, const void *data, size_t len)
{
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

static const char *make(const struct elfgen_module *m)
{
	char name[64];
	size_t len;
	void *data = elfgen_module(m, &len);

	snprintf(name, sizeof(name), "%s.ko", m->name);
	write_file(name, data, len);
	free(data);
	return path;
}

static struct udf_module *open_module(const struct elfgen_module *m)
{
	struct udf_module *mod;

	if (udf_loader_open(loader, make(m), NULL, &mod, &err))
		fail_msg("%s", err.text);
	return mod;
}

static struct udf_module *load(const struct elfgen_module *m)
{
	struct udf_module *mod = open_module(m);

	if (udf_loader_link(loader, mod, 0x30000, &err) || udf_loader_live(loader, mod, &err))
		fail_msg("%s", err.text);
	return mod;
}

static void expect_refused(const struct elfgen_module *m, int code, const char *text)
{
	struct udf_module *mod;

	assert_int_equal(udf_loader_open(loader, make(m), NULL, &mod, &err), code);
	if (!strstr(err.text, text))
		fail_msg("'%s' does not say '%s'", err.text, text);
	assert_null(udf_loader_find(loader, m->name));
}

/* Where the call number N of the module's text goes. */
static uint64_t call_target(const struct udf_module *mod, unsigned int n)
{
	struct host_module h;
	int32_t disp;

	udf_module_describe(mod, &h);
	memcpy(&disp, (void *)(h.core_text.addr + n * 5 + 1), 4);
	return h.core_text.addr + n * 5 + 5 + disp;
}

/* The permissions that /proc has for the page at ADDR, as "r-xp"; "" for none. */
static const char *permissions(uint64_t addr)
{
	static char perm[8];
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long from, to;
	char line[600];

	perm[0] = 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %7s", &from, &to, perm) == 3 && addr >= from && addr < to)
			break;
		else
			perm[0] = 0;
	fclose(f);
	return perm;
}

static void test_sources(void **state)
{
	const struct elfgen_module a = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL",
					 .import = { { "printk", 0x11 }, { "ioremap", 0x44 }, { "udf_extra", 0 } },
					 .export = { { "helper", NULL, 0x77, 1 } } };
	const struct elfgen_module b = { .name = "b", .vermagic = FAKE_VERMAGIC, .license = "GPL", .depends = "a",
					 .import = { { "helper", 0x77 } } };
	struct udf_module *mod = load(&a), *user = load(&b);

	assert_int_equal(call_target(mod, 0), 0x71000100);
	assert_int_equal(call_target(mod, 1), 0x71000400);
	assert_int_equal(call_target(mod, 2), 0x70000100);
	assert_int_equal(udf_imports_lookup(mod, "printk")->from, IMPORT_IMAGE);
	assert_int_equal(udf_imports_lookup(mod, "ioremap")->from, IMPORT_KAPI);
	assert_int_equal(udf_imports_lookup(mod, "udf_extra")->from, IMPORT_KAPI);
	assert_int_equal(call_target(user, 0), udf_module_symbol(mod, "helper"));
}

static void test_memory(void **state)
{
	const struct elfgen_module m = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL", .import = { { "printk", 0x11 } } };
	struct udf_module *mod = open_module(&m);
	struct host_module h;
	uint64_t rodata;

	udf_module_describe(mod, &h);
	assert_int_equal(h.percpu_size, 8);
	assert_int_equal(h.percpu_align, 16);
	assert_int_equal(h.sec[HOST_SEC_THIS_MODULE].size, 128);
	assert_int_equal(udf_loader_link(loader, mod, 0x30000, &err), 0);
	udf_module_describe(mod, &h);
	assert_true(h.core.addr >= UDF_MODULE_BASE && h.core.addr + h.core.size <= UDF_MODULE_END);
	assert_int_equal(h.core_text.addr, h.core.addr);
	rodata = h.core.addr + h.core_text.size;
	assert_int_equal(h.core_ro.addr + h.core_ro.size - rodata, 4096);
	assert_string_equal(permissions(h.core_text.addr), "r-xp");
	assert_string_equal(permissions(rodata), "rw-p");
	assert_string_equal(permissions(h.core_ro.addr + h.core_ro.size), "rw-p");
	assert_string_equal(permissions(h.core.addr + h.core.size), "");	/* guard */
	assert_string_equal(permissions(h.init_text.addr), "r-xp");
	assert_memory_equal((void *)h.percpu_init, "percpu!", 8);
	assert_int_equal(h.sec[HOST_SEC_THIS_MODULE].addr % 64, 0);
	assert_memory_equal((void *)h.sec[HOST_SEC_MODINFO].addr, "name=a", 7);
	assert_int_equal(udf_loader_live(loader, mod, &err), 0);
	assert_string_equal(permissions(rodata), "r--p");
	udf_loader_free_init(loader, mod);
	assert_string_equal(permissions(h.init.addr), "");
	udf_module_describe(mod, &h);
	assert_int_equal(h.init.addr, 0);
	assert_int_equal(h.sec[HOST_SEC_MODINFO].addr, 0);
	assert_int_equal(udf_loader_close(loader, mod, &err), 0);
	assert_string_equal(permissions(h.core.addr), "");
}

static void test_symbols(void **state)
{
	const struct elfgen_module m = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL", .export = { { "helper" } } };
	struct udf_module *mod = load(&m);
	struct host_module h;
	const char *module = NULL, *strings;
	const Elf64_Sym *sym;
	uint64_t offset, n, i;

	udf_module_describe(mod, &h);
	assert_string_equal(udf_loader_symbolize(loader, h.core_text.addr + 7, &offset, &module), "work");
	assert_string_equal(module, "a");
	assert_int_equal(offset, 7);
	assert_string_equal(udf_loader_symbolize(loader, h.init_text.addr, &offset, &module), "init_module");
	assert_null(udf_loader_symbolize(loader, h.core.addr - 1, &offset, &module));
	assert_null(udf_loader_symbolize(loader, h.core.addr + h.core.size, &offset, &module));
	sym = (void *)h.sec[HOST_SEC_SYMTAB].addr;
	strings = (void *)h.sec[HOST_SEC_STRTAB].addr;
	n = h.sec[HOST_SEC_SYMTAB].size / sizeof(*sym);
	assert_int_equal(n, 5);			/* and the empty one */
	for (i = 1; i < n; i++) {
		if (!strcmp(strings + sym[i].st_name, "helper")) {
			assert_int_equal(sym[i].st_value, h.core_text.addr + 40);
			assert_int_equal(sym[i].st_other, 'T');
		}
		if (!strcmp(strings + sym[i].st_name, "init_module"))
			assert_int_not_equal(sym[i].st_shndx, SHN_UNDEF);
	}
	udf_loader_free_init(loader, mod);
	for (i = 1; i < n; i++)
		assert_int_equal(sym[i].st_shndx == SHN_UNDEF, !strcmp(strings + sym[i].st_name, "init_module"));
	assert_null(udf_loader_symbolize(loader, h.init.addr, &offset, &module));
	assert_string_equal(udf_loader_symbolize(loader, h.core_text.addr, &offset, &module), "work");
}

static void test_missing(void **state)
{
	const struct elfgen_module m = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL",
					 .import = { { "printk", 0x11 }, { "gone_b", 1 }, { "gone_a", 2 } } };

	expect_refused(&m, -ENOENT, "a: 2 missing symbols: gone_a, gone_b");
}

static void test_vermagic(void **state)
{
	const struct elfgen_module m = { .name = "a", .vermagic = "6.6.6 SMP", .license = "GPL" };

	expect_refused(&m, -ENOEXEC, "its vermagic is '6.6.6 SMP', the image's is '" FAKE_VERMAGIC "'");
}

static void test_crc(void **state)
{
	const struct elfgen_module m = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL", .import = { { "printk", 0x12 } } };

	expect_refused(&m, -ENOEXEC, "it wants printk with CRC 0x00000012, the kernel image has it with CRC 0x00000011");
}

static void test_crc_of_module(void **state)
{
	const struct elfgen_module a = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL",
					 .export = { { "helper", NULL, 0x77, 0 } } };
	const struct elfgen_module b = { .name = "b", .vermagic = FAKE_VERMAGIC, .license = "GPL", .import = { { "helper", 0x78 } } };

	load(&a);
	expect_refused(&b, -ENOEXEC, "it wants helper with CRC 0x00000078, a has it with CRC 0x00000077");
}

static void test_layout_crc(void **state)
{
	struct elfgen *g = elfgen_new();
	struct { uint64_t crc; char name[56]; } version = { 0x56, "module_layout" };
	static const char info[] = "name=a\0vermagic=" FAKE_VERMAGIC "\0license=GPL";
	struct udf_module *mod;
	size_t len;
	void *data;

	elfgen_section(g, "__versions", SHT_PROGBITS, SHF_ALLOC, &version, sizeof(version), 8);
	elfgen_section(g, ".modinfo", SHT_PROGBITS, SHF_ALLOC, info, sizeof(info), 1);
	data = elfgen_finish(g, &len);
	write_file("a.ko", data, len);
	free(data);
	assert_int_equal(udf_loader_open(loader, path, NULL, &mod, &err), -ENOEXEC);
	assert_non_null(strstr(err.text, "module_layout with CRC 0x00000056"));
}

static void test_licence(void **state)
{
	struct elfgen_module m = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "Proprietary", .import = { { "kfree_gpl", 0x22 } } };

	expect_refused(&m, -EPERM, "its licence is not GPL compatible, but kfree_gpl of the kernel image");
	err = (struct udf_error)UDF_ERROR_INIT;
	m.license = "Dual MIT/GPL";
	load(&m);
}

static void test_namespace(void **state)
{
	struct elfgen_module m = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL", .import = { { "dma_buf_get", 0x33 } } };

	expect_refused(&m, -EPERM, "without importing its name space DMA_BUF");
	err = (struct udf_error)UDF_ERROR_INIT;
	m.more = "import_ns=DMA_BUF";
	load(&m);
}

static void test_namespace_of_module(void **state)
{
	const struct elfgen_module a = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL",
					 .export = { { "helper", "INNER", 0x77, 1 } } };
	const struct elfgen_module b = { .name = "b", .vermagic = FAKE_VERMAGIC, .license = "GPL", .import = { { "helper", 0x77 } } };

	load(&a);
	expect_refused(&b, -EPERM, "uses helper of a without importing its name space INNER");
}

static void test_duplicates(void **state)
{
	const struct elfgen_module a = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL", .export = { { "helper" } } };
	const struct elfgen_module b = { .name = "b", .vermagic = FAKE_VERMAGIC, .license = "GPL", .export = { { "helper" } } };
	const struct elfgen_module c = { .name = "c", .vermagic = FAKE_VERMAGIC, .license = "GPL", .export = { { "printk" } } };
	struct udf_module *mod;

	load(&a);
	expect_refused(&b, -EEXIST, "b: exports helper, which a exports already");
	err = (struct udf_error)UDF_ERROR_INIT;
	expect_refused(&c, -EEXIST, "c: exports printk, which the kernel image exports already");
	err = (struct udf_error)UDF_ERROR_INIT;
	assert_int_equal(udf_loader_open(loader, make(&a), NULL, &mod, &err), -EEXIST);
	assert_non_null(strstr(err.text, "a module named a is loaded already"));
}

static void test_users(void **state)
{
	const struct elfgen_module a = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL", .export = { { "helper", NULL, 7, 0 } } };
	const struct elfgen_module b = { .name = "b-b", .vermagic = FAKE_VERMAGIC, .license = "GPL", .import = { { "helper", 7 } } };
	struct udf_module *mod = load(&a), *user = open_module(&b);

	assert_int_equal(udf_loader_close(loader, mod, &err), -EBUSY);
	assert_string_equal(err.text, "a is in use by b-b");
	err = (struct udf_error)UDF_ERROR_INIT;
	assert_ptr_equal(udf_loader_find(loader, "b_b"), user);
	assert_ptr_equal(udf_loader_get(loader, 1), user);
	assert_null(udf_loader_get(loader, 2));
	assert_int_equal(udf_loader_close(loader, user, &err), 0);
	assert_int_equal(udf_loader_close(loader, mod, &err), 0);
	/* Its exports went with it. */
	expect_refused(&b, -ENOENT, "missing symbol: helper");
}

static void test_space_is_used_again(void **state)
{
	const struct elfgen_module m = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL" };
	uint64_t first = 0;
	unsigned int i;

	for (i = 0; i < 20; i++) {
		struct udf_module *mod = load(&m);
		struct udf_loader_stats stats;
		struct host_module h;

		udf_module_describe(mod, &h);
		if (!i)
			first = h.core.addr;
		assert_int_equal(h.core.addr, first);
		if (i & 1)
			udf_loader_free_init(loader, mod);
		assert_int_equal(udf_loader_close(loader, mod, &err), 0);
		udf_loader_stats(loader, &stats);
		assert_int_equal(stats.bytes, 0);
	}
}

static void test_space_avoids_what_is_there(void **state)
{
	const struct elfgen_module m = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL" };
	void *want = (void *)UDF_MODULE_BASE;
	struct host_module h;

	assert_ptr_equal(mmap(want, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), want);
	udf_module_describe(load(&m), &h);
	munmap(want, 1 << 20);
	assert_true(h.core.addr >= UDF_MODULE_BASE + (1 << 20) && h.core.addr < UDF_MODULE_BASE + (2 << 20));
}

static void test_params(void **state)
{
	const struct elfgen_module m = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL" };
	char longer[1100];
	struct udf_module *mod;
	struct host_module h;

	assert_int_equal(udf_loader_open(loader, make(&m), "x=1 y=two", &mod, &err), 0);
	udf_module_describe(mod, &h);
	assert_string_equal(h.args, "x=1 y=two");
	assert_int_equal(h.handle, (unsigned long)mod);
	udf_loader_close(loader, mod, &err);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	assert_int_equal(udf_loader_open(loader, make(&m), longer, &mod, &err), -E2BIG);
}

static void test_plan_of_files(void **state)
{
	const struct elfgen_module a = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL", .export = { { "helper" } } };
	const struct elfgen_module b = { .name = "b", .vermagic = FAKE_VERMAGIC, .license = "GPL", .depends = "a,a" };
	struct udf_plan plan;

	assert_int_equal(udf_loader_plan(loader, make(&b), &plan, &err), -ENOENT);
	assert_non_null(strstr(err.text, "b.ko: needs module a, which is neither loaded nor in a modules directory"));
	err = (struct udf_error)UDF_ERROR_INIT;
	load(&a);
	assert_int_equal(udf_loader_plan(loader, make(&b), &plan, &err), 0);
	assert_int_equal(plan.nr, 1);
	assert_string_equal(plan.entry[0].name, "b");
	udf_plan_free(&plan);
	assert_int_equal(udf_loader_plan(loader, "b", &plan, &err), -ENOENT);
}

static void run(const char *command)
{
	if (system(command))
		skip();
}

/* a is in the modules directory and needs b, of which the file given says that it needs a. */
static void test_circular(void **state)
{
	const struct elfgen_module a = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL", .depends = "b", .import = { { "from_b", 0 } } };
	const struct elfgen_module b = { .name = "b", .vermagic = FAKE_VERMAGIC, .license = "GPL", .export = { { "from_b" } } };
	const struct elfgen_module other_b = { .name = "b", .vermagic = FAKE_VERMAGIC, .license = "GPL", .depends = "a" };
	struct udf_kernel kernel = fake_kernel_ops(&fake);
	struct udf_plan plan;
	char command[400];

	make(&a);
	make(&b);
	snprintf(command, sizeof(command), "mkdir -p %s/root/lib/modules/6.1.0 && mv %s/a.ko %s/b.ko %s/root/lib/modules/6.1.0 && "
		 "PATH=$PATH:/sbin:/usr/sbin depmod -b %s/root 6.1.0 2>%s/log", dir, dir, dir, dir, dir, dir);
	run(command);
	udf_loader_free(loader);
	snprintf(command, sizeof(command), "%s/root/lib/modules/6.1.0", dir);
	assert_int_equal(udf_loader_new_kernel(&kernel, command, &loader, &err), 0);
	assert_int_equal(udf_loader_plan(loader, "a", &plan, &err), 0);
	assert_int_equal(plan.nr, 2);
	assert_string_equal(plan.entry[0].name, "b");
	assert_string_equal(plan.entry[1].name, "a");
	udf_plan_free(&plan);
	assert_int_equal(udf_loader_plan(loader, make(&other_b), &plan, &err), -EDEADLK);
	assert_string_equal(err.text, "circular dependency: b needs a, which needs b");
}

static void test_no_depmod(void **state)
{
	struct udf_kernel kernel = fake_kernel_ops(&fake);
	struct udf_loader *other;

	assert_int_equal(udf_loader_new_kernel(&kernel, "/nowhere", &other, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/modules.dep.bin"));
}

static void expect_same(const void *data, size_t len)
{
	void *read;
	size_t read_len;

	if (udf_module_read(path, &read, &read_len, &err))
		fail_msg("%s", err.text);
	assert_int_equal(read_len, len);
	assert_memory_equal(read, data, len);
	free(read);
}

/* The packed file is read as the plain one; cut short, it is refused. */
static void expect_unpacks(const char *name, const void *packed, size_t packed_len, const void *data, size_t len)
{
	void *read;
	size_t read_len, cut;

	write_file(name, packed, packed_len);
	expect_same(data, len);
	for (cut = packed_len - 1; cut > 6; cut /= 2) {
		write_file(name, packed, cut);
		assert_int_equal(udf_module_read(path, &read, &read_len, &err), -EBADMSG);
		assert_non_null(strstr(err.text, "damaged or truncated"));
		err = (struct udf_error)UDF_ERROR_INIT;
	}
}

static void test_compressed(void **state)
{
	const struct elfgen_module m = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL" };
	size_t len, out_len = 0;
	uint8_t *data = elfgen_module(&m, &len), out[65536];
	z_stream z = { .next_in = data, .avail_in = len, .next_out = out, .avail_out = sizeof(out) };

	write_file("a.ko", data, len);
	expect_same(data, len);
	assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, data, len, out, &out_len, sizeof(out)), LZMA_OK);
	expect_unpacks("a.ko.xz", out, out_len, data, len);
	out_len = ZSTD_compress(out, sizeof(out), data, len, 3);
	assert_false(ZSTD_isError(out_len));
	expect_unpacks("a.ko.zst", out, out_len, data, len);
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	expect_unpacks("a.ko.gz", out, z.total_out, data, len);
	free(data);
}

/* 300 MiB of zeroes in a few kilobytes: more than a module may have. */
#define BOMB_MIB 300

static void expect_bomb(const char *name, const void *packed, size_t len)
{
	void *read;
	size_t n;

	assert_true(len < 1 << 20);
	write_file(name, packed, len);
	assert_int_equal(udf_module_read(path, &read, &n, &err), -EFBIG);
	assert_non_null(strstr(err.text, "too big"));
}

static void test_zstd_bomb(void **state)
{
	uint8_t *zero = calloc(1, 1 << 20), *packed = malloc(1 << 20);
	ZSTD_outBuffer out = { packed, 1 << 20, 0 };
	ZSTD_CCtx *c = ZSTD_createCCtx();
	unsigned int i;

	for (i = 0; i < BOMB_MIB; i++) {
		ZSTD_inBuffer in = { zero, 1 << 20, 0 };

		while (in.pos < in.size)
			assert_false(ZSTD_isError(ZSTD_compressStream2(c, &out, &in, ZSTD_e_continue)));
	}
	assert_int_equal(ZSTD_compressStream2(c, &out, &(ZSTD_inBuffer){ 0 }, ZSTD_e_end), 0);
	ZSTD_freeCCtx(c);
	expect_bomb("bomb.ko.zst", packed, out.pos);
	free(zero);
	free(packed);
}

static void test_xz_bomb(void **state)
{
	uint8_t *zero = calloc(1, 1 << 20), *packed = malloc(1 << 20);
	lzma_stream s = LZMA_STREAM_INIT;
	unsigned int i;

	assert_int_equal(lzma_easy_encoder(&s, 0, LZMA_CHECK_NONE), LZMA_OK);
	s.next_out = packed;
	s.avail_out = 1 << 20;
	for (i = 0; i <= BOMB_MIB; i++) {
		s.next_in = zero;
		s.avail_in = 1 << 20;
		assert_true(lzma_code(&s, i < BOMB_MIB ? LZMA_RUN : LZMA_FINISH) <= LZMA_STREAM_END);
	}
	lzma_end(&s);
	expect_bomb("bomb.ko.xz", packed, (1 << 20) - s.avail_out);
	free(zero);
	free(packed);
}

static void test_no_file(void **state)
{
	void *data;
	size_t len;

	assert_int_equal(udf_module_read("/nowhere/a.ko", &data, &len, &err), -ENOENT);
	assert_string_equal(err.text, "/nowhere/a.ko: No such file or directory");
	err = (struct udf_error)UDF_ERROR_INIT;
	assert_int_equal(udf_module_read("/tmp", &data, &len, &err), -EISDIR);
}

static void test_gdb(void **state)
{
	struct entry { struct entry *next, *prev; const char *file; uint64_t size; };
	extern struct { uint32_t version, action; struct entry *relevant, *first; } __jit_debug_descriptor;
	const struct elfgen_module m = { .name = "a", .vermagic = FAKE_VERMAGIC, .license = "GPL" };
	const Elf64_Shdr *sh;
	const Elf64_Ehdr *eh;
	struct udf_module *mod;
	struct host_module h;

	udf_loader_gdb(loader, true);
	mod = load(&m);
	udf_module_describe(mod, &h);
	assert_int_equal(__jit_debug_descriptor.action, 1);
	eh = (const void *)__jit_debug_descriptor.first->file;
	sh = (const void *)(__jit_debug_descriptor.first->file + eh->e_shoff);
	assert_int_equal(sh[1].sh_addr, h.core_text.addr);
	assert_int_equal(udf_loader_close(loader, mod, &err), 0);
	assert_null(__jit_debug_descriptor.first);
	assert_int_equal(__jit_debug_descriptor.action, 2);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sources), TEST(test_memory), TEST(test_symbols), TEST(test_missing), TEST(test_vermagic), TEST(test_crc),
		TEST(test_crc_of_module), TEST(test_layout_crc), TEST(test_licence), TEST(test_namespace),
		TEST(test_namespace_of_module), TEST(test_duplicates), TEST(test_users), TEST(test_space_is_used_again),
		TEST(test_space_avoids_what_is_there), TEST(test_params), TEST(test_plan_of_files), TEST(test_circular),
		TEST(test_no_depmod), TEST(test_compressed), TEST(test_zstd_bomb), TEST(test_xz_bomb), TEST(test_no_file), TEST(test_gdb),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
