// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz target: a file that claims to be a kernel image, from vmlinuz or the ELF in it to patched code. Whatever it is, the answer is an
 * error or a kernel; nothing is mapped where it would run. tests/fuzz/fuzz_image.seed.sh makes the seeds.
 */
#include <stdlib.h>
#include <string.h>

#include "image/kernel.h"
#include "image/patch.h"

#define UNPACKED_MAX (1u << 20)		/* enough for the seeds; unpacking more teaches the fuzzer nothing */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int read_kernel(struct udf_kernel *k, struct udf_error *err)
{
	int ret = udf_kernel_load(k, err);

	if (!ret)
		ret = udf_kernel_relocate(k, err);
	if (!ret)
		ret = udf_kernel_symbols(k, err);
	if (!ret)
		ret = udf_kernel_identify(k, err);
	return ret ? ret : udf_kernel_exports(k, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct udf_kernel k = { .what = "input" };
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_thunks thunks;
	struct udf_bzimage bz;
	int ret = udf_bzimage_parse(data, len, false, k.what, &bz, &err);

	if (!ret)
		ret = udf_bzimage_unpack(&bz, UNPACKED_MAX, k.what, &k.elf, &err);
	if (!ret)
		ret = read_kernel(&k, &err);
	if (!ret) {
		udf_thunks_find(&k, &thunks);
		udf_patch_kernel(&k, &thunks);
	}
	/* an error always says what is wrong, and with which file */
	if (ret != err.code || (ret && !strstr(err.text, k.what)))
		abort();
	udf_kernel_free(&k);
	return 0;
}
