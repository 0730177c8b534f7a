// SPDX-License-Identifier: GPL-2.0
/*
 * What a module offers to others. Host world.
 *
 * __ksymtab and __ksymtab_gpl hold, for each export, three distances: to the object, to its name, to its name space. They are read
 * through the relocations that will fill them, so the same code serves a module that is never linked.
 */
#include "loader/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loader/elf.h"

#define KSYMTAB_FIELD	4u
#define KSYMTAB_ENTRY	(3 * KSYMTAB_FIELD)

static unsigned int find_section(const struct udf_elf *elf, const char *name)
{
	unsigned int i;

	for (i = 1; i < elf->nr_sec; i++)
		if (!strcmp(elf->sec[i].pub.name, name))
			return i;
	return 0;
}

/* The string that a relocation points to, NULL when it points to none. */
static const char *relocated_string(const struct udf_elf *elf, const Elf64_Rela *rela)
{
	uint64_t nr = ELF64_R_SYM(rela->r_info), offset;
	const char *data;
	Elf64_Sym sym;
	size_t len;

	if (nr >= elf->nr_sym)
		return NULL;
	udf_elf_get_sym(elf, nr, &sym);
	if (sym.st_shndx == SHN_UNDEF || sym.st_shndx >= elf->nr_sec)
		return NULL;
	data = udf_elf_section_data(elf, sym.st_shndx, &len);
	offset = sym.st_value + (uint64_t)rela->r_addend;
	if (!data || offset >= len)
		return NULL;
	len = len - offset < ELF_NAME_MAX ? len - offset : ELF_NAME_MAX;
	if (!memchr(data + offset, 0, len))
		return NULL;
	return data + offset;
}

static int read_field(const struct udf_elf *elf, const Elf64_Rela *rela, struct loader_export *list, struct udf_error *err)
{
	struct loader_export *export = &list[rela->r_offset / KSYMTAB_ENTRY];

	switch (rela->r_offset % KSYMTAB_ENTRY) {
	case 0:
		if (ELF64_R_SYM(rela->r_info) >= elf->nr_sym)
			break;
		export->symbol = ELF64_R_SYM(rela->r_info);
		export->addend = rela->r_addend;
		return 0;
	case KSYMTAB_FIELD:
		export->name = relocated_string(elf, rela);
		if (!export->name)
			break;
		return 0;
	case 2 * KSYMTAB_FIELD:
		export->namespace = relocated_string(elf, rela);
		if (!export->namespace)
			break;
		return 0;
	}
	return elf_error(elf, err, -ENOEXEC, "__ksymtab: bad entry %u", (unsigned int)(rela->r_offset / KSYMTAB_ENTRY));
}

static int read_relocations(const struct udf_elf *elf, unsigned int ksymtab, struct loader_export *list, struct udf_error *err)
{
	uint64_t size = elf->sec[ksymtab].pub.size, n;
	unsigned int i;
	int ret;

	for (i = 1; i < elf->nr_sec; i++) {
		if (elf->sec[i].hdr.sh_type != SHT_RELA || elf->sec[i].hdr.sh_info != ksymtab)
			continue;
		for (n = 0; n < elf->sec[i].pub.size / sizeof(Elf64_Rela); n++) {
			Elf64_Rela rela;

			udf_elf_get_rela(elf, i, n, &rela);
			if (rela.r_offset >= size)
				return elf_error(elf, err, -ENOEXEC, "__ksymtab: relocation beyond its end");
			ret = read_field(elf, &rela, list, err);
			if (ret)
				return ret;
		}
	}
	return 0;
}

static int read_table(const struct udf_elf *elf, unsigned int ksymtab, const char *kcrctab, bool gpl, struct loader_export *list,
		      struct udf_error *err)
{
	uint64_t n = elf->sec[ksymtab].pub.size / KSYMTAB_ENTRY, i;
	size_t len;
	const uint8_t *crc = udf_elf_section_data(elf, find_section(elf, kcrctab), &len);
	int ret;

	ret = read_relocations(elf, ksymtab, list, err);
	if (ret)
		return ret;
	for (i = 0; i < n; i++) {
		if (!list[i].name || !list[i].symbol)
			return elf_error(elf, err, -ENOEXEC, "__ksymtab: entry %u has no name or value", (unsigned int)i);
		list[i].gpl = gpl;
		list[i].has_crc = crc && len == n * sizeof(list[i].crc);
		if (list[i].has_crc)
			memcpy(&list[i].crc, crc + i * sizeof(list[i].crc), sizeof(list[i].crc));
	}
	return 0;
}

/* Names outlive the file's contents. */
static int copy_names(struct udf_module *mod, struct udf_error *err)
{
	size_t len = 1;
	unsigned int i;
	char *p;

	for (i = 0; i < mod->nr_exports; i++) {
		len += strlen(mod->export[i].name) + 1;
		if (mod->export[i].namespace)
			len += strlen(mod->export[i].namespace) + 1;
	}
	p = mod->export_names = calloc(1, len);
	if (!p)
		return udf_error_set(err, -ENOMEM, "%s: out of memory", mod->path);
	p++;		/* an empty string, for "no name space" */
	for (i = 0; i < mod->nr_exports; i++) {
		struct loader_export *export = &mod->export[i];

		export->mod = mod;
		export->name = strcpy(p, export->name);
		p += strlen(p) + 1;
		if (export->namespace) {
			export->namespace = strcpy(p, export->namespace);
			p += strlen(p) + 1;
		} else {
			export->namespace = mod->export_names;
		}
	}
	return 0;
}

int udf_exports_read(struct udf_module *mod, struct udf_error *err)
{
	const struct udf_elf *elf = mod->elf;
	unsigned int plain = find_section(elf, "__ksymtab"), gpl = find_section(elf, "__ksymtab_gpl");
	uint64_t nr_plain = plain ? elf->sec[plain].pub.size : 0, nr_gpl = gpl ? elf->sec[gpl].pub.size : 0;
	int ret = 0;

	/* Each entry needs relocations of its own, so a NOBITS table could claim a size that no file backs. */
	if (nr_plain % KSYMTAB_ENTRY || nr_gpl % KSYMTAB_ENTRY || nr_plain > mod->file_len || nr_gpl > mod->file_len)
		return elf_error(elf, err, -ENOEXEC, "__ksymtab: bad size");
	nr_plain /= KSYMTAB_ENTRY;
	nr_gpl /= KSYMTAB_ENTRY;
	if (!(nr_plain + nr_gpl))
		return 0;
	mod->export = calloc(nr_plain + nr_gpl, sizeof(*mod->export));
	if (!mod->export)
		return udf_error_set(err, -ENOMEM, "%s: out of memory", mod->path);
	if (plain)
		ret = read_table(elf, plain, "__kcrctab", false, mod->export, err);
	if (!ret && gpl)
		ret = read_table(elf, gpl, "__kcrctab_gpl", true, mod->export + nr_plain, err);
	if (ret)
		return ret;
	mod->nr_exports = nr_plain + nr_gpl;
	return copy_names(mod, err);
}

static unsigned int bucket_of(const char *name)
{
	uint32_t hash = 2166136261u;	/* FNV-1a */

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return hash % LOADER_BUCKETS;
}

void udf_exports_add(struct udf_loader *loader, struct udf_module *mod)
{
	unsigned int i;

	mod->exported = true;
	for (i = 0; i < mod->nr_exports; i++) {
		struct loader_export **head = &loader->bucket[bucket_of(mod->export[i].name)];

		mod->export[i].next = *head;
		*head = &mod->export[i];
	}
}

void udf_exports_remove(struct udf_loader *loader, struct udf_module *mod)
{
	unsigned int i;

	mod->exported = false;
	for (i = mod->nr_exports; i--; ) {
		struct loader_export **link = &loader->bucket[bucket_of(mod->export[i].name)];

		while (*link && *link != &mod->export[i])
			link = &(*link)->next;
		if (*link)
			*link = mod->export[i].next;
	}
}

struct loader_export *udf_exports_find(const struct udf_loader *loader, const char *name)
{
	struct loader_export *export = loader->bucket[bucket_of(name)];

	while (export && (export->mod->hidden || strcmp(export->name, name)))
		export = export->next;
	return export;
}
