// SPDX-License-Identifier: GPL-2.0
/*
 * Where everything that a module needs comes from: live modules, else the kernel; and whether it may have it. Host world.
 *
 * The rules are the kernel's own: an import's CRC (__versions) must be the export's, exports for the GPL are for modules under it, and
 * those in a name space for modules that import it.
 */
#include "loader/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/strbuf.h"
#include "loader/elf.h"

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct loader_import *)a)->name, ((const struct loader_import *)b)->name);
}

static struct loader_import *lookup(const struct udf_module *mod, unsigned int nr, const char *name)
{
	struct loader_import key = { .name = name };

	return nr ? bsearch(&key, mod->import, nr, sizeof(key), by_name) : NULL;
}

const struct loader_import *udf_imports_lookup(const struct udf_module *mod, const char *name)
{
	return lookup(mod, mod->nr_imports, name);
}

static unsigned int count_versions(const struct udf_elf *elf)
{
	const char *name;
	unsigned int n = 0;
	uint32_t crc;

	while (udf_elf_version(elf, n, &name, &crc))
		n++;
	return n;
}

/* All undefined symbols, each once, ascending; room is left for the versions that belong to none. */
static int collect(struct udf_module *mod, struct udf_error *err)
{
	const struct udf_elf *elf = mod->elf;
	unsigned int i, n = 0, kept = 0;

	mod->import = calloc(elf->nr_sym + count_versions(elf), sizeof(*mod->import));
	if (!mod->import)
		return udf_error_set(err, -ENOMEM, "%s: out of memory", mod->path);
	for (i = 1; i < elf->nr_sym; i++) {
		const struct udf_elf_symbol *sym = &elf->sym[i];

		if (sym->shndx != SHN_UNDEF || !sym->name[0])
			continue;
		mod->import[n].name = sym->name;
		mod->import[n++].weak = sym->bind == STB_WEAK;
	}
	qsort(mod->import, n, sizeof(*mod->import), by_name);
	for (i = 0; i < n; i++) {
		if (kept && !strcmp(mod->import[kept - 1].name, mod->import[i].name))
			mod->import[kept - 1].weak &= mod->import[i].weak;
		else
			mod->import[kept++] = mod->import[i];
	}
	mod->nr_imports = kept;
	return 0;
}

/* Attach the CRCs of __versions; a version whose symbol is not used (module_layout) is checked too. */
static void attach_versions(struct udf_module *mod)
{
	unsigned int i, used = mod->nr_imports;
	const char *name;
	uint32_t crc;

	for (i = 0; udf_elf_version(mod->elf, i, &name, &crc); i++) {
		struct loader_import *import = lookup(mod, used, name);

		if (!import) {
			import = &mod->import[mod->nr_imports++];
			import->name = name;
			import->version_only = import->weak = true;
		}
		import->wants_crc = true;
		import->want_crc = crc;
	}
	qsort(mod->import, mod->nr_imports, sizeof(*mod->import), by_name);
}

static bool is_gpl(const struct udf_elf *elf)
{
	static const char *const names[] = { "GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL",
					     "Dual MPL/GPL" };
	const char *licence = udf_elf_modinfo(elf, "license", 0);
	size_t i;

	for (i = 0; licence && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(licence, names[i]))
			return true;
	return false;
}

static bool has_namespace(const struct udf_elf *elf, const char *namespace)
{
	const char *imported = NULL;

	while ((imported = udf_elf_modinfo_next(elf, "import_ns", imported)))
		if (!strcmp(imported, namespace))
			return true;
	return false;
}

static void judge(struct loader_import *import, const struct udf_module *mod, bool gpl, bool gpl_only)
{
	if (import->wants_crc && import->have_crc && import->want_crc != import->have_crc)
		import->flaw = IMPORT_CRC;
	else if (import->version_only)
		return;
	else if (gpl_only && !gpl)
		import->flaw = IMPORT_LICENCE;
	else if (import->namespace && import->namespace[0] && !has_namespace(mod->elf, import->namespace))
		import->flaw = IMPORT_NAMESPACE;
}

static void find_source(const struct udf_loader *loader, const struct udf_module *mod, struct loader_import *import, bool gpl)
{
	struct loader_export *own = udf_exports_find(loader, import->name);
	struct udf_export export = { 0 };

	if (own && own->mod != mod) {
		import->from = IMPORT_MODULE;
		import->export = own;
		import->have_crc = own->has_crc ? own->crc : 0;
		import->namespace = own->namespace;
		judge(import, mod, gpl, own->gpl);
	} else if (!loader->kernel.export(loader->kernel.ctx, import->name, &export)) {
		import->from = export.replaced ? IMPORT_KAPI : IMPORT_IMAGE;
		import->unsupported = export.unsupported && !import->version_only;
		import->addr = export.addr;
		import->have_crc = export.crc;
		import->namespace = export.namespace;
		judge(import, mod, gpl, export.gpl);
	} else if ((import->addr = loader->kernel.kapi(loader->kernel.ctx, import->name))) {
		import->from = IMPORT_KAPI;
	} else if (!import->weak) {
		import->flaw = IMPORT_MISSING;
	}
}

/* MOD keeps the modules that it imports from. */
static int take_uses(struct udf_module *mod, struct udf_error *err)
{
	unsigned int i, j, room = 0;

	for (i = 0; i < mod->nr_imports; i++) {
		struct udf_module *from = mod->import[i].export ? mod->import[i].export->mod : NULL;

		for (j = 0; from && j < mod->nr_uses; j++)
			if (mod->use[j] == from)
				from = NULL;
		if (!from)
			continue;
		if (mod->nr_uses == room) {
			struct udf_module **use = realloc(mod->use, (room + 16) * sizeof(*use));

			if (!use)
				return udf_error_set(err, -ENOMEM, "%s: out of memory", mod->path);
			mod->use = use;
			room += 16;
		}
		mod->use[mod->nr_uses++] = from;
		from->users++;
	}
	return 0;
}

int udf_imports_find(struct udf_loader *loader, struct udf_module *mod, struct udf_error *err)
{
	bool gpl = is_gpl(mod->elf);
	unsigned int i;
	int ret;

	ret = collect(mod, err);
	if (ret)
		return ret;
	attach_versions(mod);
	for (i = 0; i < mod->nr_imports; i++)
		find_source(loader, mod, &mod->import[i], gpl);
	return take_uses(mod, err);
}

static unsigned int count_flaws(const struct udf_module *mod, enum import_flaw flaw, const struct loader_import **first)
{
	unsigned int i, n = 0;

	for (i = 0; i < mod->nr_imports; i++)
		if (mod->import[i].flaw == flaw && !n++)
			*first = &mod->import[i];
	return n;
}

/* "a, b, c and 2 more": as many names as an error's text has room for. */
static int missing_error(const struct udf_module *mod, unsigned int n, struct udf_error *err)
{
	struct udf_strbuf names = UDF_STRBUF_INIT;
	unsigned int i, shown = 0;
	int ret;

	for (i = 0; i < mod->nr_imports && names.len < 400; i++) {
		if (mod->import[i].flaw != IMPORT_MISSING)
			continue;
		udf_strbuf_addf(&names, "%s%s", shown++ ? ", " : "", mod->import[i].name);
	}
	if (shown < n)
		udf_strbuf_addf(&names, " and %u more", n - shown);
	ret = udf_error_set(err, -ENOENT, "%s: %u missing symbol%s: %s", mod->host.name, n, n == 1 ? "" : "s", udf_strbuf_str(&names));
	udf_strbuf_free(&names);
	return ret;
}

static const char *source_name(const struct loader_import *import)
{
	return import->from == IMPORT_MODULE ? import->export->mod->host.name : "the kernel image";
}

int udf_imports_check(const struct udf_module *mod, struct udf_error *err)
{
	const struct loader_import *import = NULL;
	unsigned int n;

	n = count_flaws(mod, IMPORT_MISSING, &import);
	if (n)
		return missing_error(mod, n, err);
	n = count_flaws(mod, IMPORT_CRC, &import);
	if (n)
		return udf_error_set(err, -ENOEXEC, "%s: not built for this kernel: it wants %s with CRC %#010" PRIx32
				     ", %s has it with CRC %#010" PRIx32 " (%u symbol%s like this)", mod->host.name, import->name,
				     import->want_crc, source_name(import), import->have_crc, n, n == 1 ? "" : "s");
	n = count_flaws(mod, IMPORT_LICENCE, &import);
	if (n)
		return udf_error_set(err, -EPERM, "%s: its licence is not GPL compatible, but %s of %s is exported to GPL modules only "
				     "(%u symbol%s like this)", mod->host.name, import->name, source_name(import), n, n == 1 ? "" : "s");
	n = count_flaws(mod, IMPORT_NAMESPACE, &import);
	if (n)
		return udf_error_set(err, -EPERM, "%s: uses %s of %s without importing its name space %s", mod->host.name, import->name,
				     source_name(import), import->namespace);
	return 0;
}
