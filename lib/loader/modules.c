// SPDX-License-Identifier: GPL-2.0
/* The life of modules: open, link, live, closed; see modules.h. Host world. */
#include "loader/modules.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "layout.h"
#include "loader/elf.h"
#include "loader/internal.h"

static const struct udf_loader_observer nobody;

int udf_loader_new_kernel(const struct udf_kernel *kernel, const char *modules_dir, struct udf_loader **out,
			  struct udf_error *err)
{
	struct udf_loader *loader = calloc(1, sizeof(*loader));
	int ret;

	if (!loader)
		return udf_error_set(err, -ENOMEM, "out of memory");
	loader->kernel = *kernel;
	loader->observer = &nobody;
	loader->space = (struct space){ .base = UDF_MODULE_BASE, .end = UDF_DETOUR_BASE };
	ret = udf_deps_open(loader, modules_dir, err);
	if (ret) {
		free(loader);
		return ret;
	}
	udf_patch_find_thunks(&loader->thunks, kernel->symbol, kernel->ctx);
	*out = loader;
	return 0;
}

void udf_loader_free(struct udf_loader *loader)
{
	struct udf_error ignored = UDF_ERROR_INIT;

	if (!loader)
		return;
	while (loader->nr_mods)		/* users come after those that they use */
		udf_loader_close(loader, loader->mod[loader->nr_mods - 1], &ignored);
	udf_deps_close(loader);
	free(loader->space.range);
	free(loader->mod);
	free(loader);
}

bool udf_module_name_equal(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
			return false;
	return *a == *b;
}

struct udf_module *udf_loader_find(const struct udf_loader *loader, const char *name)
{
	unsigned int i;

	for (i = 0; i < loader->nr_mods; i++)
		if (udf_module_name_equal(loader->mod[i]->host.name, name))
			return loader->mod[i];
	return NULL;
}

struct udf_module *udf_loader_get(const struct udf_loader *loader, unsigned int i)
{
	return i < loader->nr_mods ? loader->mod[i] : NULL;
}

const char *udf_module_name(const struct udf_module *mod)
{
	return mod->host.name;
}

const char *udf_module_path(const struct udf_module *mod)
{
	return mod->path;
}

void udf_module_describe(const struct udf_module *mod, struct host_module *out)
{
	*out = mod->host;
}

void udf_module_drop_file(struct udf_module *mod)
{
	udf_elf_free(mod->elf);
	free(mod->file);
	free(mod->import);
	mod->elf = NULL;
	mod->file = NULL;
	mod->import = NULL;
	mod->nr_imports = 0;
	mod->host.sec[HOST_SEC_MODINFO] = (struct host_section){ 0 };
}

static void free_module(struct udf_module *mod)
{
	while (mod->nr_uses)
		mod->use[--mod->nr_uses]->users--;
	udf_module_drop_file(mod);
	free(mod->use);
	free(mod->export);
	free(mod->export_names);
	free(mod->path);
	free(mod);
}

static int set_names(struct udf_module *mod, const char *params, struct udf_error *err)
{
	const char *name = udf_elf_modinfo(mod->elf, "name", 0);

	if (!name || !udf_elf_modinfo(mod->elf, "vermagic", 0))
		return udf_error_set(err, -ENOEXEC, "%s: not a kernel module (no name or vermagic in .modinfo)", mod->path);
	if (!*name || strlen(name) >= sizeof(mod->host.name) - sizeof(long))	/* the kernel's own limit */
		return udf_error_set(err, -ENOEXEC, "%s: bad module name in .modinfo", mod->path);
	strcpy(mod->host.name, name);
	if (params && strlen(params) >= sizeof(mod->host.args))
		return udf_error_set(err, -E2BIG, "%s: parameters longer than %zu bytes", name, sizeof(mod->host.args) - 1);
	strcpy(mod->host.args, params ? params : "");
	mod->host.handle = (unsigned long)mod;
	return 0;
}

static int read_module(struct udf_module *mod, const char *params, struct udf_error *err)
{
	int ret;

	ret = udf_module_read(mod->path, &mod->file, &mod->file_len, err);
	if (!ret)
		ret = udf_elf_parse(mod->file, mod->file_len, mod->path, &mod->elf, err);
	if (!ret)
		ret = set_names(mod, params, err);
	if (!ret)
		ret = udf_exports_read(mod, err);
	return ret;
}

static int append(struct udf_loader *loader, struct udf_module *mod, struct udf_error *err)
{
	if (loader->nr_mods == loader->room) {
		struct udf_module **list = realloc(loader->mod, (loader->room + 64) * sizeof(*list));

		if (!list)
			return udf_error_set(err, -ENOMEM, "%s: out of memory", mod->path);
		loader->mod = list;
		loader->room += 64;
	}
	loader->mod[loader->nr_mods++] = mod;
	return 0;
}

int udf_loader_examine(struct udf_loader *loader, const char *path, const char *params, struct udf_module **out,
		       struct udf_error *err)
{
	struct udf_module *mod = calloc(1, sizeof(*mod));
	int ret;

	if (mod)
		mod->path = strdup(path);
	if (!mod || !mod->path) {
		free(mod);
		return udf_error_set(err, -ENOMEM, "%s: out of memory", path);
	}
	ret = read_module(mod, params, err);
	if (ret)
		goto free_mod;
	ret = -EEXIST;
	if (udf_loader_find(loader, mod->host.name)) {
		udf_error_set(err, ret, "%s: a module named %s is loaded already", path, mod->host.name);
		goto free_mod;
	}
	ret = udf_imports_find(loader, mod, err);
	if (!ret)
		ret = append(loader, mod, err);
	if (ret)
		goto free_mod;
	udf_place_measure(mod);
	*out = mod;
	return 0;

free_mod:
	free_module(mod);
	return ret;
}

int udf_loader_check_vermagic(const struct udf_loader *loader, const struct udf_module *mod, struct udf_error *err)
{
	const char *theirs = udf_elf_modinfo(mod->elf, "vermagic", 0), *ours = loader->kernel.vermagic(loader->kernel.ctx);

	if (strcmp(theirs, ours))
		return udf_error_set(err, -ENOEXEC, "%s: built for another kernel: its vermagic is '%s', the image's is '%s'",
				     mod->host.name, theirs, ours);
	if (strstr(ours, " modversions") && !mod->elf->versions)
		return udf_error_set(err, -ENOEXEC, "%s: has no symbol versions (__versions), this kernel needs them",
				     mod->host.name);
	return 0;
}

/* Two sources of one symbol would make it a matter of chance which one a later module gets. */
static int check_exports(const struct udf_loader *loader, const struct udf_module *mod, struct udf_error *err)
{
	struct udf_export export;
	unsigned int i;

	for (i = 0; i < mod->nr_exports; i++) {
		const char *name = mod->export[i].name;
		const struct loader_export *other = udf_exports_find(loader, name);

		if (other)
			return udf_error_set(err, -EEXIST, "%s: exports %s, which %s exports already", mod->host.name, name,
					     other->mod->host.name);
		if (!loader->kernel.export(loader->kernel.ctx, name, &export))
			return udf_error_set(err, -EEXIST, "%s: exports %s, which the kernel image exports already", mod->host.name,
					     name);
	}
	return 0;
}

int udf_loader_open(struct udf_loader *loader, const char *path, const char *params, struct udf_module **out,
		    struct udf_error *err)
{
	struct udf_error ignored = UDF_ERROR_INIT;
	struct udf_module *mod;
	int ret;

	ret = udf_loader_examine(loader, path, params, &mod, err);
	if (ret)
		return ret;
	ret = udf_loader_check_vermagic(loader, mod, err);
	if (!ret)
		ret = udf_imports_check(mod, err);
	if (!ret)
		ret = check_exports(loader, mod, err);
	if (ret)
		udf_loader_close(loader, mod, &ignored);
	else
		*out = mod;
	return ret;
}

/* Make MOD known to udf_loader_symbolize(). */
static int publish(struct udf_loader *loader, struct udf_module *mod, struct udf_error *err)
{
	unsigned int i;

	for (i = 0; i < LOADER_MODULES_MAX; i++) {
		if (atomic_load(&loader->linked[i]))
			continue;
		atomic_store(&loader->linked[i], mod);
		return 0;
	}
	return udf_error_set(err, -ENOSPC, "%s: more than %u modules", mod->host.name, LOADER_MODULES_MAX);
}

/* Undo publish() and wait until nobody looks at MOD any more; lookers do not sleep. */
static void withdraw(struct udf_loader *loader, struct udf_module *mod)
{
	unsigned int i;

	for (i = 0; i < LOADER_MODULES_MAX; i++)
		if (atomic_load(&loader->linked[i]) == mod)
			atomic_store(&loader->linked[i], NULL);
	while (atomic_load(&loader->readers))
		sched_yield();
}

int udf_loader_link(struct udf_loader *loader, struct udf_module *mod, uint64_t percpu, struct udf_error *err)
{
	int ret;

	if (mod->state != MODULE_OPEN || !mod->elf)
		return udf_error_set(err, -EINVAL, "%s: is linked already", mod->host.name);
	ret = udf_place_link(loader, mod, percpu, err);
	if (ret)
		return ret;
	ret = publish(loader, mod, err);
	if (ret) {
		udf_place_free(loader, mod);
		return ret;
	}
	mod->state = MODULE_LINKED;
	if (loader->gdb)
		mod->gdb = udf_gdb_add(mod->elf, mod->place, true);
	if (loader->observer->linked)
		loader->observer->linked(loader, mod);
	return 0;
}

int udf_loader_live(struct udf_loader *loader, struct udf_module *mod, struct udf_error *err)
{
	uint64_t ro = mod->host.core_ro.size - mod->host.core_text.size;

	if (mod->state != MODULE_LINKED)
		return udf_error_set(err, -EINVAL, "%s: is not linked", mod->host.name);
	if (ro && mprotect((char *)mod->host.core.addr + mod->host.core_text.size, ro, PROT_READ))
		return udf_error_set(err, -errno, "%s: cannot protect its memory: %s", mod->host.name, strerror(errno));
	mod->state = MODULE_LIVE;
	udf_exports_add(loader, mod);
	return 0;
}

void udf_loader_free_init(struct udf_loader *loader, struct udf_module *mod)
{
	if (mod->state == MODULE_OPEN)
		return;
	if (loader->observer->trimming)
		loader->observer->trimming(loader, mod);
	udf_place_free_init(loader, mod);
	if (mod->gdb && mod->elf) {	/* the same addresses may be another module's soon */
		udf_gdb_remove(mod->gdb);
		mod->gdb = udf_gdb_add(mod->elf, mod->place, false);
	}
	if (loader->observer->trimmed)
		loader->observer->trimmed(loader, mod);
	udf_module_drop_file(mod);
}

static const struct udf_module *find_user(const struct udf_loader *loader, const struct udf_module *mod)
{
	unsigned int i, j;

	for (i = 0; i < loader->nr_mods; i++)
		for (j = 0; j < loader->mod[i]->nr_uses; j++)
			if (loader->mod[i]->use[j] == mod)
				return loader->mod[i];
	return NULL;
}

bool udf_loader_used(const struct udf_module *mod)
{
	return mod->users;
}

int udf_loader_close(struct udf_loader *loader, struct udf_module *mod, struct udf_error *err)
{
	const struct udf_module *user = mod->users ? find_user(loader, mod) : NULL;
	unsigned int i;

	if (user)
		return udf_error_set(err, -EBUSY, "%s is in use by %s", mod->host.name, user->host.name);
	if (mod->exported)
		udf_exports_remove(loader, mod);
	if (mod->state != MODULE_OPEN) {
		if (loader->observer->closing)
			loader->observer->closing(loader, mod);
		withdraw(loader, mod);
		udf_gdb_remove(mod->gdb);
		loader->stats.bytes -= mod->host.core.size + mod->host.init.size;
		udf_place_free(loader, mod);
	}
	for (i = 0; i < loader->nr_mods && loader->mod[i] != mod; i++)
		;
	loader->nr_mods--;
	memmove(&loader->mod[i], &loader->mod[i + 1], (loader->nr_mods - i) * sizeof(*loader->mod));
	free_module(mod);
	return 0;
}

static bool contains(const struct host_section *s, uint64_t addr)
{
	return addr - s->addr < s->size;
}

const char *udf_loader_symbolize(struct udf_loader *loader, uint64_t addr, uint64_t *offset, const char **module)
{
	const struct symtab_entry *entry = NULL;
	unsigned int i;

	atomic_fetch_add(&loader->readers, 1);
	for (i = 0; i < LOADER_MODULES_MAX && !entry; i++) {
		const struct udf_module *mod = atomic_load(&loader->linked[i]);

		if (!mod || !(contains(&mod->host.core, addr) || contains(&mod->host.init, addr)))
			continue;
		*module = mod->host.name;
		entry = udf_symtab_lookup(&mod->symtab, addr);
		break;
	}
	atomic_fetch_sub(&loader->readers, 1);
	if (!entry)
		return NULL;
	*offset = addr - entry->addr;
	return entry->name;
}

uint64_t udf_module_symbol(const struct udf_module *mod, const char *name)
{
	unsigned int i;

	for (i = 0; i < mod->symtab.nr; i++)
		if (!strcmp(mod->symtab.entry[i].name, name))
			return mod->symtab.entry[i].addr;
	return 0;
}

void udf_loader_stats(const struct udf_loader *loader, struct udf_loader_stats *stats)
{
	*stats = loader->stats;
}

void udf_loader_observe(struct udf_loader *loader, const struct udf_loader_observer *observer)
{
	loader->observer = observer ? observer : &nobody;
}

void udf_loader_gdb(struct udf_loader *loader, bool on)
{
	loader->gdb = on;
}
