/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Makes small kernel images, right and wrong ones, for the tests of lib/image: a vmlinux with everything that preparation looks at,
 * relocation tables behind it, and a bzImage around it.
 */
#ifndef TESTS_UNIT_IMAGE_FAKE_IMAGE_H
#define TESTS_UNIT_IMAGE_FAKE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#define FAKE_LINK		0xffffffff81000000ull
#define FAKE_RUN		0x71000000ull		/* where it will run */
#define FAKE_SPAN		0xf000ull		/* bytes in memory */
#define FAKE_RELEASE		"6.1.99-fake"
#define FAKE_BUILD_ID		"000102030405060708090a0b0c0d0e0f10111213"

/* Offsets of functions and data from the image's base. */
enum {
	FAKE_PLAIN = 0x100,		/* call __fentry__; mov; jmp __x86_return_thunk at +10 */
	FAKE_CALLS = 0x140,		/* retpolines: see fake_image.c */
	FAKE_SHORT = 0x180,		/* two bytes long */
	FAKE_ENDBR = 0x1c0,		/* starts with endbr64 */
	FAKE_LABEL = 0x200,		/* starts with a jump label */
	FAKE_STATIC_CALL = 0x240,	/* is nothing but a static call, 8 bytes */
	FAKE_TWICE_A = 0x280, FAKE_TWICE_B = 0x2c0,	/* two static functions of one name */
	FAKE_MIXED_STATIC = 0x300, FAKE_MIXED = 0x320,	/* a static and a global one */
	FAKE_RELOCATED = 0x340,		/* mov $FAKE_DATA at +1; at +0x10 the distance to the per-CPU variable from its end */
	FAKE_DATA = 0x8000,		/* holds the addresses of FAKE_PLAIN and of itself */
	FAKE_LABELS = 0x8100,		/* jump table: one entry */
	FAKE_CALL_SITES = 0x8200,	/* static call sites: one entry */
	FAKE_PERCPU = 0x9000,		/* the per-CPU template */
	FAKE_BSS = 0xc000,
};
#define FAKE_PAYLOAD		0x5900		/* where a bzImage has it: whole sectors of setup, 0x100 bytes of code */
#define FAKE_PERCPU_SIZE	0x1000
#define FAKE_PERCPU_VAR		0x40	/* offset of percpu_var */
#define FAKE_THUNK(reg)		(0x1000 + 0x10 * (reg))
#define FAKE_RETURN_THUNK	0x1200
#define FAKE_FENTRY		0x1210

/* Which form the symbol table has. */
enum fake_kallsyms { FAKE_KALLSYMS_61, FAKE_KALLSYMS_61_SEQUENCE, FAKE_KALLSYMS_612, FAKE_KALLSYMS_NONE };

struct fake_options {
	enum fake_kallsyms kallsyms;
	const char *release;		/* NULL: FAKE_RELEASE */
	int no_vermagic, no_build_id, bad_reloc, bad_value, bad_crcs, many_symbols;
};

/* The payload: ELF and relocation tables. For the caller to free(). */
uint8_t *fake_vmlinux(const struct fake_options *opts, size_t *len);

enum fake_compression { FAKE_PLAIN_ELF, FAKE_XZ, FAKE_ZSTD, FAKE_LZ4, FAKE_GZIP, FAKE_COMPRESSIONS };

/* A bzImage around a payload, which may be anything. For the caller to free(). */
uint8_t *fake_bzimage(const uint8_t *payload, size_t payload_len, enum fake_compression how, const char *release, size_t *len);
/* The same of fake_vmlinux(). */
uint8_t *fake_vmlinuz(const struct fake_options *opts, enum fake_compression how, size_t *len);

#endif
