// SPDX-License-Identifier: GPL-2.0
/* lib/loader/elf.c, layout.c, link.c, modinfo.c: right files are linked, wrong ones are told apart and never crash. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loader/elfgen.h"
#include "loader/loader.h"

#define TEXT_ADDR	0x40000000ull
#define ALLOC_EXEC	(SHF_ALLOC | SHF_EXECINSTR)
#define ALLOC_WRITE	(SHF_ALLOC | SHF_WRITE)

static struct udf_error err;

static int setup(void **state)
{
	err = (struct udf_error)UDF_ERROR_INIT;
	return 0;
}

/* Parse a file of exactly LEN bytes, so that one byte too many is seen. */
static int parse(const void *data, size_t len, struct udf_elf **elf, void **copy)
{
	*copy = malloc(len ? len : 1);
	memcpy(*copy, data, len);
	return udf_elf_parse(*copy, len, "test.ko", elf, &err);
}

static void expect_broken(void *data, size_t len, const char *text)
{
	struct udf_elf *elf = NULL;
	void *copy;
	int ret = parse(data, len, &elf, &copy);

	if (!ret)
		udf_elf_free(elf);
	free(copy);
	free(data);
	assert_int_equal(ret, -ENOEXEC);
	assert_int_equal(err.code, -ENOEXEC);
	assert_non_null(strstr(err.text, "test.ko"));
	if (!strstr(err.text, text))
		fail_msg("'%s' does not say '%s'", err.text, text);
}

static void *small(size_t *len)
{
	struct elfgen *g = elfgen_new();

	elfgen_section(g, ".text", SHT_PROGBITS, ALLOC_EXEC, "\xc3", 1, 16);
	return elfgen_finish(g, len);
}

#define SPOILT_HEADER(test, field, value, text)		\
static void test(void **state)				\
{							\
	size_t len;					\
	Elf64_Ehdr *eh = small(&len);			\
							\
	eh->field = value;				\
	expect_broken(eh, len, text);			\
}
SPOILT_HEADER(test_not_elf, e_ident[0], 'X', "not an ELF file")
SPOILT_HEADER(test_wrong_machine, e_machine, EM_AARCH64, "another machine")
SPOILT_HEADER(test_32_bit, e_ident[EI_CLASS], ELFCLASS32, "another machine")
SPOILT_HEADER(test_executable, e_type, ET_EXEC, "not a relocatable object")
SPOILT_HEADER(test_header_size, e_shentsize, 56, "section headers of 56")
SPOILT_HEADER(test_no_sections, e_shnum, 0, "0 section headers")
SPOILT_HEADER(test_headers_beyond, e_shoff, len - 63, "truncated")
SPOILT_HEADER(test_headers_wrap, e_shoff, ~0ull, "truncated")
SPOILT_HEADER(test_no_names, e_shstrndx, 1, "section names")
SPOILT_HEADER(test_names_beyond, e_shstrndx, 0xfff0, "section names")

#define SPOILT_SECTION(test, field, value, text)						\
static void test(void **state)									\
{												\
	struct elfgen *g = elfgen_new();							\
	unsigned int s = elfgen_section(g, ".text", SHT_PROGBITS, ALLOC_EXEC, "\xc3", 1, 16);	\
	size_t len;										\
	void *data;										\
												\
	elfgen_header(g, s)->field = value;							\
	data = elfgen_finish(g, &len);								\
	expect_broken(data, len, text);								\
}
SPOILT_SECTION(test_section_beyond, sh_size, 1ull << 40, "truncated")
SPOILT_SECTION(test_section_wraps, sh_size, ~0ull, "truncated")
SPOILT_SECTION(test_alignment_no_power, sh_addralign, 24, "bad alignment")
SPOILT_SECTION(test_alignment_too_big, sh_addralign, 8192, "bad alignment")
SPOILT_SECTION(test_name_beyond, sh_name, 4096, "name lies beyond")
SPOILT_SECTION(test_compressed, sh_flags, SHF_ALLOC | SHF_COMPRESSED, "compressed")

static void test_too_short(void **state)
{
	expect_broken(calloc(1, 63), 63, "too short");
}

static void test_overlap(void **state)
{
	struct elfgen *g = elfgen_new();
	size_t len;
	void *data;

	elfgen_section(g, ".a", SHT_PROGBITS, SHF_ALLOC, NULL, 4096, 1);
	elfgen_section(g, ".b", SHT_PROGBITS, SHF_ALLOC, NULL, 1, 1);
	elfgen_section(g, ".c", SHT_PROGBITS, SHF_ALLOC, NULL, 4096, 1);
	elfgen_header(g, 2)->sh_size = 4096;
	data = elfgen_finish(g, &len);
	expect_broken(data, len, "overlap");
}

static void test_huge_bss(void **state)
{
	struct elfgen *g = elfgen_new();
	size_t len;
	void *data;

	elfgen_section(g, ".bss", SHT_NOBITS, ALLOC_WRITE, NULL, 200u << 20, 1);
	elfgen_section(g, ".bss2", SHT_NOBITS, ALLOC_WRITE, NULL, 200u << 20, 1);
	data = elfgen_finish(g, &len);
	expect_broken(data, len, "too big");
}

static void test_common_symbol(void **state)
{
	struct elfgen *g = elfgen_new();
	size_t len;
	void *data;

	elfgen_symbol(g, "shared", STB_GLOBAL, STT_OBJECT, SHN_COMMON, 8, 8);
	data = elfgen_finish(g, &len);
	expect_broken(data, len, "common symbol shared");
}

static void test_symbol_section(void **state)
{
	struct elfgen *g = elfgen_new();
	size_t len;
	void *data;

	elfgen_symbol(g, "lost", STB_GLOBAL, STT_OBJECT, 77, 8, 8);
	data = elfgen_finish(g, &len);
	expect_broken(data, len, "lost): section 77 does not exist");
}

static void test_symbol_beyond_section(void **state)
{
	struct elfgen *g = elfgen_new();
	size_t len;
	void *data;

	elfgen_section(g, ".text", SHT_PROGBITS, ALLOC_EXEC, "\xc3", 1, 16);
	elfgen_symbol(g, "outside", STB_GLOBAL, STT_FUNC, 1, 2, 0);
	data = elfgen_finish(g, &len);
	expect_broken(data, len, "outside): lies beyond its section .text");
}

/* A module in all its parts, cut off after every byte: each cut is an error or a file that can be walked. */
static void test_every_truncation(void **state)
{
	const struct elfgen_module m = { .name = "m", .vermagic = "v", .import = { { "imported", 1 } },
					 .export = { { "exported", NULL, 2, 1 } } };
	size_t len, cut;
	void *data = elfgen_module(&m, &len);

	for (cut = 0; cut < len; cut++) {
		struct udf_elf *elf;
		void *copy;

		err = (struct udf_error)UDF_ERROR_INIT;
		assert_int_equal(parse(data, cut, &elf, &copy), -ENOEXEC);
		free(copy);
	}
	free(data);
}

/* The parts of a linked object, placed as a kernel's module would be. */
struct linked {
	struct udf_elf *elf;
	void *file;
	struct udf_elf_layout layout;
	struct udf_elf_place place[UDF_PART_COUNT];
};

static int resolve(void *ctx, const char *name, bool weak, uint64_t *value, struct udf_error *error)
{
	if (!strcmp(name, "far"))
		*value = 0xffff888000000000;
	else if (!strcmp(name, "near"))
		*value = 0x71000000;
	else if (!weak)
		return udf_error_set(error, -ENOENT, "who is %s?", name);
	return 0;
}

static int link_file(struct elfgen *g, struct linked *l)
{
	size_t len;
	void *data = elfgen_finish(g, &len);
	unsigned int i;
	int ret;

	ret = parse(data, len, &l->elf, &l->file);
	free(data);
	if (ret)
		fail_msg("%s", err.text);
	udf_elf_layout(l->elf, &l->layout);
	for (i = 0; i < UDF_PART_COUNT; i++) {
		l->place[i].addr = i == UDF_PART_PERCPU ? 0x20000 : TEXT_ADDR + 0x100000 * i;
		l->place[i].mem = malloc(l->layout.size[i] + 1);
		memset(l->place[i].mem, 0x55, l->layout.size[i]);
	}
	return udf_elf_link(l->elf, l->place, resolve, NULL, &err);
}

static void unlink_file(struct linked *l)
{
	unsigned int i;

	for (i = 0; i < UDF_PART_COUNT; i++)
		free(l->place[i].mem);
	udf_elf_free(l->elf);
	free(l->file);
}

static void test_layout(void **state)
{
	struct elfgen *g = elfgen_new();
	struct linked l;
	uint8_t *text, *data;

	elfgen_section(g, ".bss", SHT_NOBITS, ALLOC_WRITE, NULL, 8, 8);
	elfgen_section(g, ".data", SHT_PROGBITS, ALLOC_WRITE, "dd", 2, 2);
	elfgen_section(g, ".data..ro_after_init", SHT_PROGBITS, ALLOC_WRITE, "ooo", 3, 1);
	elfgen_section(g, ".text", SHT_PROGBITS, ALLOC_EXEC, "\xc3", 1, 1);
	elfgen_section(g, ".exit.text", SHT_PROGBITS, ALLOC_EXEC, "\xc3", 1, 16);
	elfgen_section(g, ".init.text", SHT_PROGBITS, ALLOC_EXEC, "\xc3", 1, 1);
	elfgen_section(g, ".init.rodata", SHT_PROGBITS, SHF_ALLOC, "i", 1, 1);
	elfgen_section(g, ".rodata", SHT_PROGBITS, SHF_ALLOC, "r", 1, 1);
	elfgen_section(g, ".modinfo", SHT_PROGBITS, SHF_ALLOC, "a=b", 4, 1);
	elfgen_section(g, ".discard.addressable", SHT_PROGBITS, ALLOC_WRITE, "x", 1, 1);
	elfgen_section(g, ".comment", SHT_PROGBITS, 0, "x", 1, 1);
	elfgen_section(g, ".data..percpu", SHT_PROGBITS, ALLOC_WRITE, "p", 1, 64);
	assert_int_equal(link_file(g, &l), 0);
	assert_int_equal(l.layout.size[UDF_PART_TEXT], 17);
	assert_int_equal(l.layout.size[UDF_PART_RODATA], 1);
	assert_int_equal(l.layout.size[UDF_PART_DATA], 16);
	assert_int_equal(l.layout.size[UDF_PART_INIT_TEXT], 1);
	assert_int_equal(l.layout.size[UDF_PART_INIT_DATA], 1);
	assert_int_equal(l.layout.size[UDF_PART_PERCPU], 1);
	assert_int_equal(l.layout.percpu_align, 64);
	text = l.place[UDF_PART_TEXT].mem;
	assert_int_equal(text[0], 0xc3);
	assert_int_equal(text[8], 0xcc);	/* between sections: a trap */
	data = l.place[UDF_PART_DATA].mem;
	assert_memory_equal(data, "ooo\0dd\0\0\0\0\0\0\0\0\0\0", 16);
	assert_int_equal(udf_elf_section_by_name(l.elf, ".bss")->addr, l.place[UDF_PART_DATA].addr + 8);
	assert_int_equal(udf_elf_section_by_name(l.elf, ".modinfo")->part, UDF_PART_COUNT);
	assert_int_equal(udf_elf_section_by_name(l.elf, ".exit.text")->part, UDF_PART_TEXT);
	assert_string_equal(udf_elf_modinfo(l.elf, "a", 0), "b");
	assert_null(udf_elf_modinfo(l.elf, "a", 1));
	unlink_file(&l);
}

static void test_relocations(void **state)
{
	struct elfgen *g = elfgen_new();
	unsigned int text = elfgen_section(g, ".text", SHT_PROGBITS, ALLOC_EXEC, NULL, 64, 16);
	unsigned int bss = elfgen_section(g, ".bss", SHT_NOBITS, ALLOC_WRITE, NULL, 64, 16);
	unsigned int percpu = elfgen_section(g, ".data..percpu", SHT_PROGBITS, ALLOC_WRITE, NULL, 64, 16);
	unsigned int local = elfgen_symbol(g, "local", STB_LOCAL, STT_OBJECT, bss, 0x10, 4);
	unsigned int near = elfgen_symbol(g, "near", STB_GLOBAL, STT_NOTYPE, SHN_UNDEF, 0, 0);
	unsigned int far = elfgen_symbol(g, "far", STB_GLOBAL, STT_NOTYPE, SHN_UNDEF, 0, 0);
	unsigned int weak = elfgen_symbol(g, "nobody", STB_WEAK, STT_NOTYPE, SHN_UNDEF, 0, 0);
	unsigned int fixed = elfgen_symbol(g, "fixed", STB_GLOBAL, STT_NOTYPE, SHN_ABS, 0x1234, 0);
	unsigned int each = elfgen_symbol(g, "each", STB_LOCAL, STT_OBJECT, percpu, 8, 8);
	struct linked l;
	uint64_t *q;
	int32_t *d;

	elfgen_reloc(g, text, 0, R_X86_64_64, far, 1);
	elfgen_reloc(g, text, 8, R_X86_64_32S, local, -1);
	elfgen_reloc(g, text, 12, R_X86_64_32, fixed, 0);
	elfgen_reloc(g, text, 16, R_X86_64_PC32, near, -4);
	elfgen_reloc(g, text, 20, R_X86_64_PLT32, near, -4);
	elfgen_reloc(g, text, 24, R_X86_64_PC64, far, 0);
	elfgen_reloc(g, text, 32, R_X86_64_64, weak, 0);
	elfgen_reloc(g, text, 40, R_X86_64_NONE, 0, 0);
	elfgen_reloc(g, text, 48, R_X86_64_64, each, 0);
	assert_int_equal(link_file(g, &l), 0);
	q = l.place[UDF_PART_TEXT].mem;
	d = l.place[UDF_PART_TEXT].mem;
	assert_int_equal(q[0], 0xffff888000000001);
	assert_int_equal(d[2], l.place[UDF_PART_DATA].addr + 0x10 - 1);
	assert_int_equal(d[3], 0x1234);
	assert_int_equal(d[4], 0x71000000 - 4 - (TEXT_ADDR + 16));
	assert_int_equal(d[5], 0x71000000 - 4 - (TEXT_ADDR + 20));
	assert_int_equal(q[3], 0xffff888000000000 - (TEXT_ADDR + 24));
	assert_int_equal(q[4], 0);
	assert_int_equal(q[5], 0);
	assert_int_equal(q[6], 0x20008);
	assert_int_equal(udf_elf_symbol(l.elf, local)->value, l.place[UDF_PART_DATA].addr + 0x10);
	unlink_file(&l);
}

/* One relocation of the eight bytes of .text; FAR is the symbol. */
static void expect_bad_reloc(uint64_t offset, uint32_t type, const char *symbol, const char *text)
{
	struct elfgen *g = elfgen_new();
	unsigned int sec = elfgen_section(g, ".text", SHT_PROGBITS, ALLOC_EXEC, NULL, 8, 16);
	unsigned int sym = symbol ? elfgen_symbol(g, symbol, STB_GLOBAL, STT_NOTYPE, SHN_UNDEF, 0, 0) : 999;
	struct linked l;
	int ret;

	elfgen_reloc(g, sec, offset, type, sym, 0);
	ret = link_file(g, &l);
	unlink_file(&l);
	assert_true(ret < 0);
	if (!strstr(err.text, text))
		fail_msg("'%s' does not say '%s'", err.text, text);
}

static void test_overflow_32(void **state)
{
	expect_bad_reloc(0, R_X86_64_32, "far", "section .text+0: relocation type 10 to far does not fit");
}

static void test_overflow_32s(void **state)
{
	expect_bad_reloc(0, R_X86_64_32S, "far", "does not fit");
}

static void test_overflow_pc32(void **state)
{
	expect_bad_reloc(4, R_X86_64_PC32, "far", "section .text+0x4: relocation type 2 to far does not fit");
}

static void test_reloc_beyond(void **state)
{
	expect_bad_reloc(1, R_X86_64_64, "near", "relocation at 0x1 lies beyond its end");
}

static void test_reloc_wraps(void **state)
{
	expect_bad_reloc(~0ull - 3, R_X86_64_64, "near", "lies beyond its end");
}

static void test_reloc_unknown(void **state)
{
	expect_bad_reloc(0, R_X86_64_GOTPCREL, "near", "unknown relocation type 9");
}

static void test_reloc_no_symbol(void **state)
{
	expect_bad_reloc(0, R_X86_64_64, NULL, "symbol 999, which does not exist");
}

static void test_unresolved(void **state)
{
	expect_bad_reloc(0, R_X86_64_64, "stranger", "who is stranger?");
}

static void test_reloc_to_unloaded(void **state)
{
	struct elfgen *g = elfgen_new();
	unsigned int text = elfgen_section(g, ".text", SHT_PROGBITS, ALLOC_EXEC, NULL, 8, 16);
	unsigned int comment = elfgen_section(g, ".comment", SHT_PROGBITS, 0, "x", 1, 1);
	struct linked l;
	int ret;

	elfgen_reloc(g, text, 0, R_X86_64_64, elfgen_symbol(g, "note", STB_LOCAL, STT_OBJECT, comment, 0, 0), 0);
	ret = link_file(g, &l);
	unlink_file(&l);
	assert_int_equal(ret, -ENOEXEC);
	assert_non_null(strstr(err.text, "to note, which is not loaded (section .comment)"));
}

static void test_reloc_in_bss(void **state)
{
	struct elfgen *g = elfgen_new();
	unsigned int bss = elfgen_section(g, ".bss", SHT_NOBITS, ALLOC_WRITE, NULL, 8, 8);
	struct linked l;
	int ret;

	elfgen_reloc(g, bss, 0, R_X86_64_64, 0, 0);
	ret = link_file(g, &l);
	unlink_file(&l);
	assert_int_equal(ret, -ENOEXEC);
	assert_non_null(strstr(err.text, "zeroed data"));
}

static void test_versions(void **state)
{
	const struct elfgen_module m = { .name = "m", .vermagic = "v", .import = { { "a", 0xcafe }, { "b", 0xf00d } } };
	struct udf_elf *elf;
	const char *name;
	uint32_t crc;
	size_t len;
	void *data = elfgen_module(&m, &len);

	assert_int_equal(udf_elf_parse(data, len, "m", &elf, &err), 0);
	assert_true(udf_elf_version(elf, 1, &name, &crc));
	assert_string_equal(name, "b");
	assert_int_equal(crc, 0xf00d);
	assert_false(udf_elf_version(elf, 2, &name, &crc));
	udf_elf_free(elf);
	free(data);
}

static void test_versions_without_end(void **state)
{
	struct elfgen *g = elfgen_new();
	char entry[64];
	size_t len;
	void *data;

	memset(entry, 'x', sizeof(entry));
	elfgen_section(g, "__versions", SHT_PROGBITS, SHF_ALLOC, entry, sizeof(entry), 8);
	data = elfgen_finish(g, &len);
	expect_broken(data, len, "entry 0 has no end");
}

static void test_modinfo_without_end(void **state)
{
	struct elfgen *g = elfgen_new();
	size_t len;
	void *data;

	elfgen_section(g, ".modinfo", SHT_PROGBITS, SHF_ALLOC, "name=endless", 12, 1);
	data = elfgen_finish(g, &len);
	expect_broken(data, len, ".modinfo");
}

/* What the null section's header says counts for nothing, even where it stands for "none". */
static void test_garbage_in_null_section(void **state)
{
	struct elfgen *g = elfgen_new();
	struct udf_elf *elf;
	const char *name;
	uint32_t crc;
	Elf64_Shdr *sh;
	Elf64_Ehdr *eh;
	size_t len;

	elfgen_section(g, ".text", SHT_PROGBITS, ALLOC_EXEC, "\xc3", 1, 16);
	eh = elfgen_finish(g, &len);
	sh = (void *)((char *)eh + eh->e_shoff);
	sh->sh_offset = sh->sh_size = ~0ull;
	assert_int_equal(udf_elf_parse(eh, len, "m", &elf, &err), 0);
	assert_null(udf_elf_modinfo(elf, "name", 0));
	assert_false(udf_elf_version(elf, 0, &name, &crc));
	assert_int_equal(udf_elf_section(elf, 0)->size, 0);
	assert_null(udf_elf_section_data(elf, 0, &len));
	udf_elf_free(elf);
	free(eh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_not_elf, setup), cmocka_unit_test_setup(test_wrong_machine, setup),
		cmocka_unit_test_setup(test_32_bit, setup), cmocka_unit_test_setup(test_executable, setup),
		cmocka_unit_test_setup(test_header_size, setup), cmocka_unit_test_setup(test_no_sections, setup),
		cmocka_unit_test_setup(test_headers_beyond, setup), cmocka_unit_test_setup(test_headers_wrap, setup),
		cmocka_unit_test_setup(test_no_names, setup), cmocka_unit_test_setup(test_names_beyond, setup),
		cmocka_unit_test_setup(test_section_beyond, setup), cmocka_unit_test_setup(test_section_wraps, setup),
		cmocka_unit_test_setup(test_alignment_no_power, setup), cmocka_unit_test_setup(test_alignment_too_big, setup),
		cmocka_unit_test_setup(test_name_beyond, setup), cmocka_unit_test_setup(test_compressed, setup),
		cmocka_unit_test_setup(test_too_short, setup), cmocka_unit_test_setup(test_overlap, setup),
		cmocka_unit_test_setup(test_huge_bss, setup), cmocka_unit_test_setup(test_common_symbol, setup),
		cmocka_unit_test_setup(test_symbol_section, setup), cmocka_unit_test_setup(test_symbol_beyond_section, setup),
		cmocka_unit_test_setup(test_every_truncation, setup), cmocka_unit_test_setup(test_layout, setup),
		cmocka_unit_test_setup(test_relocations, setup), cmocka_unit_test_setup(test_overflow_32, setup),
		cmocka_unit_test_setup(test_overflow_32s, setup), cmocka_unit_test_setup(test_overflow_pc32, setup),
		cmocka_unit_test_setup(test_reloc_beyond, setup), cmocka_unit_test_setup(test_reloc_wraps, setup),
		cmocka_unit_test_setup(test_reloc_unknown, setup), cmocka_unit_test_setup(test_reloc_no_symbol, setup),
		cmocka_unit_test_setup(test_unresolved, setup), cmocka_unit_test_setup(test_reloc_to_unloaded, setup),
		cmocka_unit_test_setup(test_reloc_in_bss, setup), cmocka_unit_test_setup(test_versions, setup),
		cmocka_unit_test_setup(test_versions_without_end, setup), cmocka_unit_test_setup(test_modinfo_without_end, setup),
		cmocka_unit_test_setup(test_garbage_in_null_section, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
