// SPDX-License-Identifier: GPL-2.0
/* Writes the seeds of fuzz_image into the current folder: small kernels in every form and compression. */
#include <stdio.h>
#include <stdlib.h>

#include "image/fake_image.h"

static void write_file(const char *name, uint8_t *data, size_t len)
{
	FILE *f = fopen(name, "w");

	if (!f || fwrite(data, 1, len, f) != len || fclose(f)) {
		perror(name);
		exit(1);
	}
	free(data);
}

int main(void)
{
	struct fake_options opts = { 0 };
	char name[64];
	size_t len;
	int how;

	for (opts.kallsyms = FAKE_KALLSYMS_61; opts.kallsyms <= FAKE_KALLSYMS_NONE; opts.kallsyms++) {
		uint8_t *elf = fake_vmlinux(&opts, &len);

		snprintf(name, sizeof(name), "vmlinux-%d", opts.kallsyms);
		write_file(name, elf, len);
	}
	opts.kallsyms = FAKE_KALLSYMS_61_SEQUENCE;
	for (how = 0; how < FAKE_COMPRESSIONS; how++) {
		uint8_t *file = fake_vmlinuz(&opts, how, &len);

		snprintf(name, sizeof(name), "vmlinuz-%d", how);
		write_file(name, file, len);
	}
	return 0;
}
