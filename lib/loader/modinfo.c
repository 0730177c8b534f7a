// SPDX-License-Identifier: GPL-2.0
/* What a module says about itself: .modinfo ("tag=value" strings) and __versions (a CRC for each import). Host world; pure. */
#include "loader/elf.h"

#include <errno.h>
#include <string.h>

/* An entry of __versions, as modpost writes it. */
struct version_entry {
	uint64_t crc;
	char name[56];
};

static unsigned int find(const struct udf_elf *elf, const char *name)
{
	unsigned int i;

	for (i = 1; i < elf->nr_sec; i++)
		if (!strcmp(elf->sec[i].pub.name, name))
			return i;
	return 0;
}

static int check_versions(struct udf_elf *elf, struct udf_error *err)
{
	struct version_entry v;
	uint64_t i;

	if (elf->sec[elf->versions].hdr.sh_type != SHT_PROGBITS || elf->sec[elf->versions].pub.size % sizeof(v))
		return elf_error(elf, err, -ENOEXEC, "__versions: bad type or size");
	for (i = 0; i < elf->sec[elf->versions].pub.size / sizeof(v); i++) {
		memcpy(&v, elf->data + elf->sec[elf->versions].hdr.sh_offset + i * sizeof(v), sizeof(v));
		if (!memchr(v.name, 0, sizeof(v.name)))
			return elf_error(elf, err, -ENOEXEC, "__versions: entry %u has no end", (unsigned int)i);
	}
	return 0;
}

int udf_elf_check_info(struct udf_elf *elf, struct udf_error *err)
{
	const Elf64_Shdr *sh;

	elf->modinfo = find(elf, ".modinfo");
	elf->versions = find(elf, "__versions");
	sh = &elf->sec[elf->modinfo].hdr;
	if (elf->modinfo && (sh->sh_type != SHT_PROGBITS || (sh->sh_size && elf->data[sh->sh_offset + sh->sh_size - 1])))
		return elf_error(elf, err, -ENOEXEC, ".modinfo: bad type or no end");
	return elf->versions ? check_versions(elf, err) : 0;
}

const char *udf_elf_modinfo_next(const struct udf_elf *elf, const char *tag, const char *prev)
{
	const Elf64_Shdr *sh = &elf->sec[elf->modinfo].hdr;
	const char *s, *end;
	size_t len = strlen(tag);

	if (!elf->modinfo)
		return NULL;
	s = (const char *)elf->data + sh->sh_offset;
	end = s + sh->sh_size;
	if (prev)
		s = prev + strlen(prev) + 1;
	for (; s < end; s += strlen(s) + 1)
		if (!strncmp(s, tag, len) && s[len] == '=')
			return s + len + 1;
	return NULL;
}

const char *udf_elf_modinfo(const struct udf_elf *elf, const char *tag, unsigned int n)
{
	const char *value = udf_elf_modinfo_next(elf, tag, NULL);

	while (value && n--)
		value = udf_elf_modinfo_next(elf, tag, value);
	return value;
}

bool udf_elf_version(const struct udf_elf *elf, unsigned int n, const char **name, uint32_t *crc)
{
	const uint8_t *entry;
	uint64_t value;

	if (!elf->versions || n >= elf->sec[elf->versions].pub.size / sizeof(struct version_entry))
		return false;
	entry = elf->data + elf->sec[elf->versions].hdr.sh_offset + (uint64_t)n * sizeof(struct version_entry);
	memcpy(&value, entry + offsetof(struct version_entry, crc), sizeof(value));
	*crc = (uint32_t)value;
	*name = (const char *)entry + offsetof(struct version_entry, name);
	return true;
}
