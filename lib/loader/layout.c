// SPDX-License-Identifier: GPL-2.0
/*
 * Decide what of an object is loaded, and where. Host world; pure.
 *
 *   TEXT | RODATA | DATA: .data..ro_after_init, other data, zeroed data      (kept while the module is live)
 *   INIT_TEXT | INIT_DATA: .init*                                            (freed after the init function)
 *   PERCPU: .data..percpu                                                    (initial contents of each vCPU's copy)
 *
 * .exit.text stays in TEXT, for modules can be unloaded. What is only read before the module runs (.modinfo, __versions)
 * is not loaded; udf_elf_section_data() has it.
 */
#include "loader/elf.h"

#include <errno.h>
#include <string.h>

static bool starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

static bool is_loaded(const struct elf_section *s)
{
	static const char *const skipped[] = { ".modinfo", "__versions", "__version_ext_crcs", "__version_ext_names",
					       ".comment", ".note.GNU-stack" };
	size_t i;

	if (!(s->hdr.sh_flags & SHF_ALLOC))
		return false;
	switch (s->hdr.sh_type) {
	case SHT_PROGBITS: case SHT_NOBITS: case SHT_NOTE: case SHT_INIT_ARRAY: case SHT_FINI_ARRAY: case SHT_X86_64_UNWIND:
		break;
	default:
		return false;
	}
	for (i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++)
		if (!strcmp(s->pub.name, skipped[i]))
			return false;
	return !starts_with(s->pub.name, ".discard") && !starts_with(s->pub.name, ".debug");
}

static enum udf_part choose_part(const struct elf_section *s)
{
	bool init = starts_with(s->pub.name, ".init");

	if (!is_loaded(s))
		return UDF_PART_COUNT;
	if (starts_with(s->pub.name, ".data..percpu"))
		return UDF_PART_PERCPU;
	if (s->hdr.sh_flags & SHF_EXECINSTR)
		return init ? UDF_PART_INIT_TEXT : UDF_PART_TEXT;
	if (init)
		return UDF_PART_INIT_DATA;
	return s->hdr.sh_flags & SHF_WRITE ? UDF_PART_DATA : UDF_PART_RODATA;
}

/* In which order sections come within a part: what is zeroed goes last. */
static unsigned int rank(const struct elf_section *s)
{
	if (s->hdr.sh_type == SHT_NOBITS)
		return 2;
	return starts_with(s->pub.name, ".data..ro_after_init") ? 0 : 1;
}

static int place_section(struct udf_elf *elf, struct elf_section *s, struct udf_error *err)
{
	uint64_t align = s->hdr.sh_addralign ? s->hdr.sh_addralign : 1;
	uint64_t *size = &elf->layout.size[s->pub.part];

	if (s->hdr.sh_flags & (SHF_COMPRESSED | SHF_TLS))
		return elf_error(elf, err, -ENOEXEC, "section %s: compressed and thread-local sections cannot be loaded",
				 s->pub.name);
	/* The size is below ELF_PART_MAX and check_section() bounds the rest: no overflow. */
	s->offset = (*size + align - 1) & ~(align - 1);
	*size = s->offset + s->pub.size;
	if (*size > ELF_PART_MAX)
		return elf_error(elf, err, -ENOEXEC, "too big: more than %llu MiB (at section %s)", ELF_PART_MAX >> 20,
				 s->pub.name);
	if (s->pub.part == UDF_PART_PERCPU && align > elf->layout.percpu_align)
		elf->layout.percpu_align = align;
	return 0;
}

int udf_elf_assign(struct udf_elf *elf, struct udf_error *err)
{
	unsigned int i, pass;
	int ret;

	elf->layout.percpu_align = 1;
	for (i = 1; i < elf->nr_sec; i++)
		elf->sec[i].pub.part = choose_part(&elf->sec[i]);
	for (pass = 0; pass < 3; pass++) {
		for (i = 1; i < elf->nr_sec; i++) {
			struct elf_section *s = &elf->sec[i];

			if (s->pub.part == UDF_PART_COUNT || rank(s) != pass)
				continue;
			ret = place_section(elf, s, err);
			if (ret)
				return ret;
		}
	}
	return 0;
}

void udf_elf_layout(const struct udf_elf *elf, struct udf_elf_layout *layout)
{
	*layout = elf->layout;
}
