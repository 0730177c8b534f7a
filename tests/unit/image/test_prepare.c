// SPDX-License-Identifier: GPL-2.0
/* From a vmlinuz and an object to a mapped image: linking, hooks, look-ups, what is mapped where. */
#define _GNU_SOURCE
#include "unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "contract.h"
#include "image/bytes.h"
#include "image/fake_image.h"
#include "image/fake_kapi.h"
#include "image/image.h"
#include "image/kapi.h"
#include "layout.h"

#define SLOT(fn) SLOT_##fn,
enum { UDF_CONTRACT(SLOT) };

struct world {
	char folder[256], vmlinuz[300], kapi[300];
};

static int setup(void **state)
{
	static struct world w;
	const struct fake_options opts = { 0 };
	size_t len;
	uint8_t *file = fake_vmlinuz(&opts, FAKE_ZSTD, &len);

	fake_folder(w.folder, sizeof(w.folder));
	fake_file(w.folder, "vmlinuz", file, len, w.vmlinuz, sizeof(w.vmlinuz));
	free(file);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	fake_folder_remove(w->folder);
	return 0;
}

static int open_with(struct world *w, const struct fake_kapi *what, struct udf_image **image, struct udf_error *err)
{
	struct udf_image_options opts = { .vmlinuz = w->vmlinuz, .cache_dir = w->folder, .kapi = "" };
	size_t len;

	if (what) {
		void *object = fake_kapi(what, &len);

		fake_file(w->folder, "kapi.o", object, len, w->kapi, sizeof(w->kapi));
		free(object);
		opts.kapi = w->kapi;
	}
	return udf_image_open(&opts, image, err);
}

static struct udf_image *open_good(struct world *w, const struct fake_kapi *what)
{
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_image *image;

	if (open_with(w, what, &image, &err))
		fail_msg("%s", err.text);
	return image;
}

static struct udf_image *map_good(struct world *w, const struct fake_kapi *what)
{
	struct udf_image *image = open_good(w, what);
	struct udf_error err = UDF_ERROR_INIT;

	if (udf_image_map(image, &err))
		fail_msg("%s", err.text);
	return image;
}

static void expect_error(struct world *w, const struct fake_kapi *what, const char *const *says)
{
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_image *image;

	assert_int_not_equal(open_with(w, what, &image, &err), 0);
	for (; *says; says++)
		if (!strstr(err.text, *says))
			fail_msg("'%s' does not say '%s'", err.text, *says);
}

static void test_look_ups(void **state)
{
	struct udf_image *image = open_good(*state, NULL);
	struct udf_export x;
	uint64_t value = 99, offset;

	assert_string_equal(udf_image_release(image), FAKE_RELEASE);
	assert_string_equal(udf_image_build_id(image), FAKE_BUILD_ID);
	assert_string_equal(udf_image_vermagic(image), FAKE_RELEASE " SMP preempt mod_unload modversions ");
	assert_int_equal(udf_image_symbol(image, "func_plain"), FAKE_RUN + FAKE_PLAIN);
	assert_int_equal(udf_image_symbol(image, "func_mixed"), FAKE_RUN + FAKE_MIXED);
	assert_true(udf_image_lookup(image, "__per_cpu_start", &value));
	assert_int_equal(value, 0);
	assert_false(udf_image_lookup(image, "func_twice", &value));
	assert_false(udf_image_lookup(image, "nothing", &value));
	assert_false(udf_image_lookup(image, "", &value));
	assert_false(udf_image_lookup(image, "zzzzzzzzz", &value));
	assert_int_equal(udf_image_kapi_symbol(image, "func_plain"), 0);
	assert_int_equal(udf_image_export(image, "percpu_var", &x), 0);
	assert_true(x.percpu && !x.gpl && !x.replaced);
	assert_int_equal(x.addr, FAKE_PERCPU_VAR);
	assert_int_equal(x.crc, 0x22222222);
	assert_int_equal(udf_image_export(image, "data_var", &x), 0);
	assert_string_equal(x.namespace, "FAKE_NS");
	assert_int_equal(udf_image_export(image, "func_endbr", &x), -ENOENT);
	assert_string_equal(udf_image_symbolize(image, FAKE_RUN + FAKE_PLAIN + 3, &offset), "func_plain");
	assert_int_equal(offset, 3);
	assert_string_equal(udf_image_symbolize(image, FAKE_RUN + FAKE_BSS + 0x2000, &offset), "bss_var");
	assert_null(udf_image_symbolize(image, FAKE_RUN - 1, &offset));
	assert_null(udf_image_symbolize(image, FAKE_RUN + FAKE_SPAN, &offset));
	assert_null(udf_image_symbolize(image, FAKE_PERCPU_VAR, &offset));
	udf_image_close(image);
}

/* The protection of the page at ADDR, as /proc/self/maps shows it; "" when nothing is there. */
static const char *protection(uint64_t addr)
{
	static char prot[8];
	char line[512];
	FILE *f = fopen("/proc/self/maps", "r");
	uint64_t start, end;
	bool found = false;

	while (!found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &start, &end, prot) == 3 && addr >= start && addr < end;
	fclose(f);
	return found ? prot : "";
}

static void test_mapped(void **state)
{
	const struct fake_kapi what = { .version = 1 };
	struct udf_image *image = map_good(*state, &what);
	const struct udf_range *text;
	unsigned int i, n;

	assert_int_equal(*(uint64_t *)(FAKE_RUN + FAKE_DATA), FAKE_RUN + FAKE_PLAIN);
	assert_int_equal(*(uint64_t *)(FAKE_RUN + FAKE_PERCPU + FAKE_PERCPU_VAR), 0x1234);
	assert_string_equal(protection(FAKE_RUN + FAKE_PLAIN), "r-xp");
	assert_string_equal(protection(FAKE_RUN + 0x2000), "rw-p");	/* read-only data: ro_after_init is in it */
	assert_string_equal(protection(FAKE_RUN + FAKE_DATA), "rw-p");
	assert_string_equal(protection(FAKE_RUN + 0xa000), "r-xp");	/* .init.text */
	assert_string_equal(protection(FAKE_RUN + FAKE_BSS), "rw-p");
	assert_string_equal(protection(FAKE_RUN + FAKE_SPAN - 1), "rw-p");
	assert_string_equal(protection(FAKE_RUN + FAKE_SPAN), "");
	assert_string_equal(protection(UDF_KAPI_BASE), "r-xp");
	assert_string_equal(protection(udf_image_symbol(image, "kapi_imports")), "rw-p");
	memset((void *)(FAKE_RUN + FAKE_BSS), 0x55, FAKE_SPAN - FAKE_BSS);
	*(uint64_t *)(FAKE_RUN + FAKE_DATA) = 1;

	n = udf_image_text(image, &text);
	assert_int_equal(n, 3);		/* kapi, .text, .init.text */
	for (i = 0; i < n; i++)
		assert_true(text[i].start < text[i].end && (!i || text[i].start >= text[i - 1].end));
	assert_int_equal(text[1].start, FAKE_RUN);
	udf_image_unmap(image);
	assert_string_equal(protection(FAKE_RUN), "");
	udf_image_close(image);

	/* written pages were private */
	image = map_good(*state, &what);
	assert_int_equal(*(uint64_t *)(FAKE_RUN + FAKE_DATA), FAKE_RUN + FAKE_PLAIN);
	assert_int_equal(*(uint64_t *)(FAKE_RUN + FAKE_BSS), 0);
	udf_image_close(image);
}

static void test_place_taken(void **state)
{
	struct udf_image *image = open_good(*state, NULL);
	struct udf_error err = UDF_ERROR_INIT;
	void *p = mmap((void *)(FAKE_RUN + FAKE_BSS), 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	assert_ptr_equal(p, FAKE_RUN + FAKE_BSS);
	assert_int_equal(udf_image_map(image, &err), -EEXIST);
	assert_non_null(strstr(err.text, "anonymous memory (7100c000-7100d000) is there"));
	/* nothing is left of the part that could be mapped */
	assert_string_equal(protection(FAKE_RUN), "");
	munmap(p, 4096);
	err = (struct udf_error)UDF_ERROR_INIT;
	assert_int_equal(udf_image_map(image, &err), 0);
	assert_int_equal(udf_image_map(image, &err), -EBUSY);
	udf_image_close(image);
}

static void test_kapi_linked(void **state)
{
	const struct fake_kapi what = {
		.import = { "func_plain", "percpu_var", "host_cpu_start", "host_cpu_pend", "host_started", "__per_cpu_start" },
		.weak = "nobody_has_it", .thunks = 1,
	};
	struct udf_image *image = map_good(*state, &what);
	const uint64_t *import = (void *)udf_image_kapi_symbol(image, "kapi_imports");
	const uint8_t *code = (void *)udf_image_symbol(image, "kapi_patched");
	uint64_t addr, size, offset;

	assert_non_null(import);
	assert_int_equal(import[0], FAKE_RUN + FAKE_PLAIN);
	assert_int_equal(import[1], FAKE_PERCPU_VAR);
	assert_int_equal(import[2], UDF_BRIDGE_BASE);
	assert_int_equal(import[3], UDF_BRIDGE_BASE + UDF_BRIDGE_SLOT);
	assert_int_equal(import[4], UDF_BRIDGE_BASE + UDF_BRIDGE_SLOT * SLOT_host_started);
	assert_int_equal(import[5], 0);
	assert_int_equal(import[8], 0);
	assert_memory_equal(code, "\x0f\x1f\x44\0\0\xc3\xcc\xcc\xcc\xcc\x41\xff\xd2\x90\x90", 15);
	assert_string_equal(udf_image_symbolize(image, udf_image_symbol(image, "kapi_func") + 2, &offset), "kapi_func");
	assert_int_equal(offset, 2);
	/* behind kapi's last symbol there is kapi, and nothing of the image */
	assert_int_equal(udf_image_kapi_section(image, "__bug_table", &addr, &size), 0);
	assert_int_equal(size, 4);
	assert_int_equal(udf_image_kapi_section(image, ".strtab", &addr, &size), 0);
	assert_string_equal(protection(addr), "rw-p");
	assert_non_null(memmem((void *)addr, size, "kapi_imports", 13));
	assert_int_equal(udf_image_kapi_section(image, ".symtab", &addr, &size), 0);
	assert_int_equal(size % 24, 0);
	assert_int_equal(udf_image_kapi_section(image, ".nothing", &addr, &size), -ENOENT);
	udf_image_close(image);
}

/* What runs when the function at ADDR is entered: follow one jump. */
static uint64_t jump_target(uint64_t addr)
{
	const uint8_t *p = (void *)addr;

	assert_int_equal(p[0], 0xe9);
	return addr + 5 + (uint64_t)(int64_t)(int32_t)udf_get32(p + 1);
}

static void test_hooks(void **state)
{
	const struct fake_kapi what = { .replace = { "func_plain", "func_endbr", "func_mixed", "func_label", "func_static_call" } };
	struct udf_image *image = map_good(*state, &what);
	uint64_t func = udf_image_kapi_symbol(image, "kapi_func"), at;
	const struct udf_replacement *list;
	struct udf_export x;

	assert_int_not_equal(func, 0);
	assert_int_equal(jump_target(FAKE_RUN + FAKE_PLAIN), func);
	assert_memory_equal((void *)(FAKE_RUN + FAKE_ENDBR), "\xf3\x0f\x1e\xfa", 4);
	assert_int_equal(jump_target(FAKE_RUN + FAKE_ENDBR + 4), func);
	assert_int_equal(jump_target(FAKE_RUN + FAKE_MIXED), func);
	assert_int_equal(*(uint8_t *)(FAKE_RUN + FAKE_MIXED_STATIC), 0x90);
	assert_int_equal(((int (*)(void))(FAKE_RUN + FAKE_PLAIN))(), 7);

	/* the jump label went into the function's dead body, as a nop */
	assert_int_equal(jump_target(FAKE_RUN + FAKE_LABEL), func);
	at = FAKE_RUN + FAKE_LABELS + (uint64_t)(int64_t)*(int32_t *)(FAKE_RUN + FAKE_LABELS);
	assert_in_range(at, FAKE_RUN + FAKE_LABEL + 5, FAKE_RUN + FAKE_STATIC_CALL - 5);
	assert_memory_equal((void *)at, "\x0f\x1f\x44\0\0", 5);
	/* the static call had no body: it went into another's, and still leads where it led */
	assert_int_equal(jump_target(FAKE_RUN + FAKE_STATIC_CALL), func);
	at = FAKE_RUN + FAKE_CALL_SITES + (uint64_t)(int64_t)*(int32_t *)(FAKE_RUN + FAKE_CALL_SITES);
	assert_in_range(at, FAKE_RUN + FAKE_PLAIN + 5, FAKE_RUN + FAKE_CALLS - 5);
	assert_int_equal(jump_target(at), FAKE_RUN + FAKE_PLAIN);

	assert_int_equal(udf_image_replacements(image, &list), 5);
	assert_string_equal(list[1].name, "func_endbr");
	assert_string_equal(list[1].path, "kernel/fake.c");
	assert_string_equal(list[1].why, "because");
	assert_true(!list[0].noop && list[1].noop && !list[2].noop);
	assert_true(!list[0].unsupported && !list[1].unsupported && list[2].unsupported);
	assert_int_equal(list[1].image_addr, FAKE_RUN + FAKE_ENDBR);
	assert_int_equal(list[1].kapi_addr, func);
	assert_int_equal(udf_image_export(image, "func_plain", &x), 0);
	assert_true(x.replaced);
	assert_int_equal(x.addr, func);
	assert_int_equal(x.crc, 0x11111111);
	udf_image_close(image);
}

static void test_bad_hooks(void **state)
{
	const struct fake_kapi what = {
		.replace = { "func_gone", "func_twice", "func_short", "data_var", "percpu_var", "func_plain", "func_plain", "other_gone" },
	};
	const char *const says[] = {
		FAKE_RELEASE, "func_gone (not there)", "func_twice (several of that name)", "func_short (too short for a jump)",
		"data_var (no function)", "percpu_var (no function)", "func_plain (replaced twice)", "other_gone (not there)", NULL
	};

	expect_error(*state, &what, says);
}

static void test_bad_imports(void **state)
{
	const struct fake_kapi missing = { .import = { "gone_a", "func_plain", "host_gone", "func_twice", "gone_b" } };
	const char *const says[] = { FAKE_RELEASE, "gone_a, host_gone (not in the contract), func_twice (several of that name), gone_b", NULL };
	const struct fake_kapi percpu = { .percpu = 1 };
	const char *const says_percpu[] = { "kapi.o has per-CPU data", NULL };

	expect_error(*state, &missing, says);
	expect_error(*state, &percpu, says_percpu);
}

/* A list too long for one error ends with how many more there are. */
static void test_long_list(void **state)
{
	struct udf_name_list list = { 0 };
	struct udf_error err = UDF_ERROR_INIT;
	unsigned int i, named = 1, more = 0;
	char name[64];
	const char *p;

	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "some_missing_function_%u", i);
		udf_name_list_add(&list, name, NULL);
	}
	assert_int_equal(udf_name_list_error(&list, -ENOENT, &err, "%s lacks:", "it"), -ENOENT);
	assert_int_equal(strncmp(err.text, "it lacks: some_missing_function_0, ", 35), 0);
	for (p = err.text; (p = strchr(p, ',')); p++)
		named++;
	p = strstr(err.text, " and ");
	assert_non_null(p);
	assert_int_equal(sscanf(p, " and %u more", &more), 1);
	assert_int_equal(named + more, 200);
	assert_true(named > 50);
}

static void test_broken_kapi(void **state)
{
	struct world *w = *state;
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_image_options opts = { .vmlinuz = w->vmlinuz, .cache_dir = w->folder, .kapi = w->vmlinuz };
	struct udf_image *image;

	assert_int_not_equal(udf_image_open(&opts, &image, &err), 0);
	assert_non_null(strstr(err.text, "vmlinuz"));
	opts.kapi = "/nowhere/kapi.o";
	err = (struct udf_error)UDF_ERROR_INIT;
	assert_int_equal(udf_image_open(&opts, &image, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/kapi.o"));
}

static void test_wrong_release(void **state)
{
	struct world *w = *state;
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_image_options opts = { .vmlinuz = w->vmlinuz, .cache_dir = w->folder, .kapi = "", .release = "6.1.0-other" };
	struct udf_image *image;

	assert_int_equal(udf_image_open(&opts, &image, &err), -EINVAL);
	assert_non_null(strstr(err.text, "is kernel " FAKE_RELEASE ", not 6.1.0-other"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_look_ups, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mapped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_place_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kapi_linked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hooks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_hooks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_imports, setup, teardown),
		cmocka_unit_test(test_long_list),
		cmocka_unit_test_setup_teardown(test_broken_kapi, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_release, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
