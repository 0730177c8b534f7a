// SPDX-License-Identifier: GPL-2.0
/*
 * Move the image from its link address to where UDF runs it, with the tables that KASLR uses. Host world; hostile input is an error.
 *
 * The tables stand behind the ELF file, 32-bit words, each table closed by a 0 in front of it, read from the end backwards:
 *
 *   | 0 | 64-bit places | 0 | inverse 32-bit places | 0 | 32-bit places |  end of the payload
 *
 * A word is the place's link address, sign-extended. Places in the per-CPU template are named where its bytes stand.
 */
#include "image/kernel.h"

#include <errno.h>

#define START_KERNEL_MAP	0xffffffff80000000ull
#define SLACK			(1ull << 20)

enum kind { ABS32, INVERSE32, ABS64 };

static const char *const kind_name[] = { "32-bit", "inverse 32-bit", "64-bit" };

/*
 * Whether V, as linked, is an address that kernel code can mean: one of the image, with some room in front for a table whose index
 * starts above 0, or a physical one (link address minus __START_KERNEL_map), which early boot code uses.
 */
static bool plausible(const struct udf_kernel *k, uint64_t v)
{
	return v - (UDF_LINK_BASE - SLACK) <= k->image.size + SLACK || v <= UDF_LINK_BASE - START_KERNEL_MAP + k->image.size;
}

/* Move what stands at P. Returns false when it is not an address that this kernel can have. */
static bool move(const struct udf_kernel *k, enum kind kind, uint8_t *p)
{
	uint64_t v = kind == ABS64 ? udf_get64(p) : (uint64_t)udf_get32(p);

	switch (kind) {
	case ABS32:
		udf_put32(p, (uint32_t)(v + UDF_LINK_DELTA));
		return plausible(k, v) || plausible(k, (uint64_t)(int64_t)(int32_t)v);
	case INVERSE32:
		udf_put32(p, (uint32_t)(v - UDF_LINK_DELTA));
		return true;
	default:
		udf_put64(p, v + UDF_LINK_DELTA);
		return plausible(k, v);
	}
}

/* Apply the table that ends at word END (exclusive); *NEXT is the word in front of it, which is 0. */
static int apply_table(struct udf_kernel *k, enum kind kind, uint64_t end, uint64_t *next, struct udf_error *err)
{
	const uint64_t width = kind == ABS64 ? 8 : 4;
	uint64_t pos = end;

	for (;;) {
		uint64_t place;
		uint8_t *p;

		if (pos < k->elf_end + 4)
			return udf_kernel_damaged(k, err, "its table of %s relocations has no start", kind_name[kind]);
		pos -= 4;
		if (!udf_get32(k->elf.data + pos))
			break;
		place = (uint64_t)(int64_t)(int32_t)udf_get32(k->elf.data + pos);
		p = udf_memory_at(&k->image, place + UDF_LINK_DELTA, width);
		if (!p || place < UDF_LINK_BASE)
			return udf_kernel_damaged(k, err, "a %s relocation at %#llx lies outside of the image", kind_name[kind],
						  (unsigned long long)place);
		if (!move(k, kind, p))
			return udf_kernel_damaged(k, err, "the %s relocation at %#llx holds no address of the image", kind_name[kind],
						  (unsigned long long)place);
	}
	if (pos + 4 == end && kind != INVERSE32)
		return udf_error_set(err, -ENOEXEC, "%s has no %s relocations: UDF needs a kernel with CONFIG_RANDOMIZE_BASE", k->what,
				     kind_name[kind]);
	*next = pos;
	return 0;
}

int udf_kernel_relocate(struct udf_kernel *k, struct udf_error *err)
{
	uint64_t pos = k->elf.len;
	int ret;

	ret = apply_table(k, ABS32, pos, &pos, err);
	if (!ret)
		ret = apply_table(k, INVERSE32, pos, &pos, err);
	if (!ret)
		ret = apply_table(k, ABS64, pos, &pos, err);
	return ret;
}
