// SPDX-License-Identifier: GPL-2.0
/* vmlinuz: every compression, every kind of file that is none, every cut. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/bzimage.h"
#include "image/fake_image.h"

#define MAX (16u << 20)

static void test_each_compression(void **state)
{
	const struct fake_options opts = { 0 };
	size_t elf_len, len;
	uint8_t *elf = fake_vmlinux(&opts, &elf_len);
	int how;

	for (how = 0; how < FAKE_COMPRESSIONS; how++) {
		uint8_t *file = fake_bzimage(elf, elf_len, how, NULL, &len);
		struct udf_error err = UDF_ERROR_INIT;
		struct udf_bytes out = { 0 };
		struct udf_bzimage bz;

		assert_int_equal(udf_bzimage_parse(file, len, false, "f", &bz, &err), 0);
		assert_string_equal(bz.release, FAKE_RELEASE);
		assert_int_equal(udf_bzimage_unpack(&bz, MAX, "f", &out, &err), 0);
		assert_int_equal(out.len, elf_len);
		assert_memory_equal(out.data, elf, elf_len);
		udf_bytes_free(&out);
		free(file);
	}
	free(elf);
}

/* An ELF file of more than a block of lz4's legacy format. */
static void test_many_lz4_blocks(void **state)
{
	size_t big = (8 << 20) + 12345, len, i;
	uint8_t *data = malloc(big), *file;
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_bytes out = { 0 };
	struct udf_bzimage bz;

	for (i = 0; i < big; i++)
		data[i] = (uint8_t)(i >> 9);
	file = fake_bzimage(data, big, FAKE_LZ4, NULL, &len);
	assert_int_equal(udf_bzimage_parse(file, len, false, "f", &bz, &err), 0);
	assert_int_equal(udf_bzimage_unpack(&bz, MAX, "f", &out, &err), 0);
	assert_int_equal(out.len, big);
	assert_memory_equal(out.data, data, big);
	udf_bytes_free(&out);
	free(file);
	free(data);
}

static int parse_and_unpack(const uint8_t *file, size_t len, size_t max, struct udf_error *err)
{
	/* a copy of just that length, so that ASan sees what reads beyond it */
	uint8_t *copy = malloc(len ? len : 1);
	struct udf_bytes out = { 0 };
	struct udf_bzimage bz;
	int ret;

	if (len)
		memcpy(copy, file, len);
	ret = udf_bzimage_parse(copy, len, false, "the-file", &bz, err);
	if (!ret)
		ret = udf_bzimage_unpack(&bz, max, "the-file", &out, err);
	udf_bytes_free(&out);
	free(copy);
	return ret;
}

static void test_cut_anywhere(void **state)
{
	const struct fake_options opts = { 0 };
	size_t len, cut;
	int how;

	for (how = 0; how < FAKE_COMPRESSIONS; how++) {
		uint8_t *file = fake_vmlinuz(&opts, how, &len);

		for (cut = 0; cut < len - 4; cut += cut < 700 ? 13 : 301) {
			struct udf_error err = UDF_ERROR_INIT;

			assert_int_not_equal(parse_and_unpack(file, cut, MAX, &err), 0);
			assert_non_null(strstr(err.text, "the-file"));
		}
		free(file);
	}
}

/* The length in the header says less than there is: the stream itself ends early. */
static void test_short_payload(void **state)
{
	const struct fake_options opts = { 0 };
	int how;

	for (how = FAKE_XZ; how < FAKE_COMPRESSIONS; how++) {
		struct udf_error err = UDF_ERROR_INIT;
		size_t len;
		uint8_t *file = fake_vmlinuz(&opts, how, &len);
		uint32_t size;

		memcpy(&size, file + 0x24c, 4);
		size = size / 2 + 1;
		memcpy(file + 0x24c, &size, 4);
		assert_int_not_equal(parse_and_unpack(file, len, MAX, &err), 0);
		assert_non_null(strstr(err.text, "damaged"));
		free(file);
	}
}

static void test_bounded_output(void **state)
{
	size_t big = 4 << 20, len;
	uint8_t *zeros = calloc(1, big);
	int how;

	for (how = 0; how < FAKE_COMPRESSIONS; how++) {
		struct udf_error err = UDF_ERROR_INIT;
		uint8_t *file;

		memcpy(zeros, "\177ELF", 4);
		file = fake_bzimage(zeros, big, how, NULL, &len);
		assert_int_equal(parse_and_unpack(file, len, big - 1, &err), -EFBIG);
		free(file);
		file = fake_bzimage(zeros, big, how, NULL, &len);
		err = (struct udf_error)UDF_ERROR_INIT;
		assert_int_equal(parse_and_unpack(file, len, big, &err), 0);
		free(file);
	}
	free(zeros);
}

static void expect_foreign(const uint8_t *file, size_t len, const char *says)
{
	struct udf_error err = UDF_ERROR_INIT;

	assert_int_not_equal(parse_and_unpack(file, len, MAX, &err), 0);
	assert_non_null(strstr(err.text, says));
	assert_non_null(strstr(err.text, "the-file"));
}

static void test_foreign_files(void **state)
{
	const struct fake_options opts = { 0 };
	uint8_t file[4096] = { 0 };
	size_t len, i;
	uint8_t *real;

	expect_foreign(file, 0, "empty");
	expect_foreign(file, 100, "too short");
	expect_foreign(file, sizeof(file), "no x86 setup header");
	for (i = 0; i < sizeof(file); i++)
		file[i] = (uint8_t)(i * 167 + (i >> 4));
	expect_foreign(file, sizeof(file), "no kernel image");
	memset(file, 0, sizeof(file));
	memcpy(file + 0x38, "ARM\x64", 4);
	expect_foreign(file, sizeof(file), "arm64");
	memcpy(file, "\x1f\x8b", 2);
	memset(file + 0x38, 0, 4);
	expect_foreign(file, sizeof(file), "compressed file");

	real = fake_vmlinuz(&opts, FAKE_XZ, &len);
	real[0x236] = 0;
	expect_foreign(real, len, "64-bit");
	real[0x236] = 1;
	memcpy(real + FAKE_PAYLOAD, "BZh91", 5);
	expect_foreign(real, len, "bzip2");
	memcpy(real + FAKE_PAYLOAD, "?????", 5);
	expect_foreign(real, len, "damaged");
	free(real);
	real = fake_vmlinux(&opts, &len);
	real[18] = 183;		/* e_machine: EM_AARCH64 */
	expect_foreign(real, len, "no kernel for x86-64");
	free(real);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_compression),
		cmocka_unit_test(test_many_lz4_blocks),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_short_payload),
		cmocka_unit_test(test_bounded_output),
		cmocka_unit_test(test_foreign_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
