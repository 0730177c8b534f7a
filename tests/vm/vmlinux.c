// SPDX-License-Identifier: GPL-2.0
/* vmlinux VMLINUZ OUT: unpack a kernel image, so that QEMU starts the kernel at once instead of its decompressor. Host world. */
#include <stdio.h>
#include <stdlib.h>

#include "image/bzimage.h"

static uint8_t *read_all(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	long size;

	if (!f)
		return NULL;
	if (!fseek(f, 0, SEEK_END) && (size = ftell(f)) > 0 && (data = malloc((size_t)size))) {
		rewind(f);
		*len = fread(data, 1, (size_t)size, f);
	}
	fclose(f);
	return data;
}

int main(int argc, char **argv)
{
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_bytes out = { 0 };
	struct udf_bzimage bz;
	size_t len = 0;
	uint8_t *data = argc == 3 ? read_all(argv[1], &len) : NULL;
	FILE *f;

	if (!data) {
		fprintf(stderr, "usage: vmlinux VMLINUZ OUT\n");
		return 2;
	}
	if (udf_bzimage_parse(data, len, false, argv[1], &bz, &err) || udf_bzimage_unpack(&bz, UDF_VMLINUX_MAX, argv[1], &out, &err)) {
		fprintf(stderr, "vmlinux: %s\n", err.text);
		return 1;
	}
	f = fopen(argv[2], "wb");
	if (!f || fwrite(out.data, 1, out.len, f) != out.len || fclose(f)) {
		perror(argv[2]);
		return 1;
	}
	return 0;
}
