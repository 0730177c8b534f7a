/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the module loader (modules.h) share. Private to lib/loader and its tests. Host world. */
#ifndef UDF_LOADER_INTERNAL_H
#define UDF_LOADER_INTERNAL_H

#include <elf.h>
#include <stdatomic.h>

#include "loader/modules.h"
#include "loader/patch.h"

#define LOADER_MODULES_MAX	256	/* linked at once */
#define LOADER_BUCKETS		4096	/* of the table of exports; a power of two */

/* exports.c: what a module offers. */

struct loader_export {
	const char *name, *namespace;	/* namespace: "" for none */
	uint32_t crc;
	bool gpl, has_crc;
	unsigned int symbol;		/* of the ELF file ... */
	int64_t addend;			/* ... plus this is the exported address */
	uint64_t addr;			/* once linked */
	struct udf_module *mod;
	struct loader_export *next;	/* in its bucket */
};

/* Collect what MOD's file exports, with copies of the names: they outlive the file's contents. */
int udf_exports_read(struct udf_module *mod, struct udf_error *err);
void udf_exports_add(struct udf_loader *loader, struct udf_module *mod);
void udf_exports_remove(struct udf_loader *loader, struct udf_module *mod);
/* The export NAME of a module that is not hidden, or NULL. */
struct loader_export *udf_exports_find(const struct udf_loader *loader, const char *name);

/* imports.c: where everything that a module needs comes from. */

enum import_from { IMPORT_NOWHERE, IMPORT_MODULE, IMPORT_KAPI, IMPORT_IMAGE };

enum import_flaw { IMPORT_FINE, IMPORT_MISSING, IMPORT_CRC, IMPORT_LICENCE, IMPORT_NAMESPACE };

struct loader_import {
	const char *name, *namespace;
	enum import_from from;
	enum import_flaw flaw;
	bool weak;
	bool version_only;		/* not used by code: module_layout, whose CRC stands for the layout of struct module */
	bool wants_crc;
	bool unsupported;		/* a call of it ends the process */
	struct loader_export *export;	/* IMPORT_MODULE */
	uint64_t addr;			/* otherwise */
	uint32_t want_crc, have_crc;
};

/* Find a source for every undefined symbol of MOD and judge it; errors are only those of memory. Fills mod->import. */
int udf_imports_find(struct udf_loader *loader, struct udf_module *mod, struct udf_error *err);
/* The error that the flawed imports amount to, if any. */
int udf_imports_check(const struct udf_module *mod, struct udf_error *err);
const struct loader_import *udf_imports_lookup(const struct udf_module *mod, const char *name);

/* space.c: addresses. */

struct space_range {
	uint64_t addr, size;
};
struct space {
	uint64_t base, end;
	struct space_range *range;	/* ascending */
	unsigned int nr, room;
};
/* Map SIZE bytes (whole pages), readable and writable, with an unmapped page behind. Returns the address or 0. */
uint64_t udf_space_get(struct space *space, uint64_t size);
void udf_space_put(struct space *space, uint64_t addr);

/* symtab.c: names of a module's addresses. */

struct symtab_entry {
	uint64_t addr, size;
	const char *name;
};
struct module_symtab {
	struct symtab_entry *entry;	/* ascending */
	unsigned int nr;
	char *strings;
};
/* Bytes that the copies of symbol and string table need in the module's memory; a module too big for them gets none. */
void udf_symtab_size(const struct udf_elf *elf, uint64_t *symbols, uint64_t *strings);
/* Write them, in these sizes, once ELF is linked. */
void udf_symtab_write(const struct udf_elf *elf, Elf64_Sym *symbols, char *strings);
/* Make symbols that lie in [ADDR, ADDR+SIZE) undefined. */
void udf_symtab_forget(Elf64_Sym *symbols, uint64_t size, uint64_t addr, uint64_t len);
/* The same symbols by address, in the host world's own memory. */
int udf_symtab_index(struct module_symtab *tab, const Elf64_Sym *symbols, uint64_t size, const char *strings,
		     uint64_t strings_size);
void udf_symtab_free(struct module_symtab *tab);
/* The symbol that ADDR lies in or, failing that, behind. Async-signal-safe. */
const struct symtab_entry *udf_symtab_lookup(const struct module_symtab *tab, uint64_t addr);

/* gdb.c */
struct gdb_entry;
struct gdb_entry *udf_gdb_add(const struct udf_elf *elf, const struct udf_elf_place *place, bool init);
/* The same of any symbol file, which becomes gdb's: a module's, or one of code that belongs to it. NULL: no memory. */
struct gdb_entry *udf_gdb_tell(void *file, size_t len);
void udf_gdb_remove(struct gdb_entry *entry);

/* deps.c */
struct kmod_ctx;
int udf_deps_open(struct udf_loader *loader, const char *modules_dir, struct udf_error *err);
void udf_deps_close(struct udf_loader *loader);
/* Whether WHAT names a file, for udf_loader_plan(). */
bool udf_is_module_path(const char *what);

/* place.c: a module's memory. */
uint64_t udf_page_up(uint64_t n);
/* Sizes of the parts and tables, before anything is placed. */
void udf_place_measure(struct udf_module *mod);
int udf_place_link(struct udf_loader *loader, struct udf_module *mod, uint64_t percpu, struct udf_error *err);
void udf_place_free_init(struct udf_loader *loader, struct udf_module *mod);
void udf_place_free(struct udf_loader *loader, struct udf_module *mod);

enum module_state { MODULE_OPEN, MODULE_LINKED, MODULE_LIVE };

struct udf_module {
	char *path;
	void *file;			/* until the init sections are freed */
	size_t file_len;
	struct udf_elf *elf;		/* likewise */
	enum module_state state;
	bool exported;			/* its exports are in the loader's table ... */
	bool hidden;			/* ... but do not count (udf check) */
	struct udf_check *check;	/* what was found out about it (udf check) */
	struct loader_export *export;
	unsigned int nr_exports;
	char *export_names;
	struct loader_import *import;	/* ascending by name; until the init sections are freed */
	unsigned int nr_imports;
	struct udf_module **use;	/* modules that it imports from, each once */
	unsigned int nr_uses, users;
	struct udf_elf_layout layout;
	uint64_t symtab_offset, symtab_size, strtab_size;	/* within the core */
	struct udf_elf_place place[UDF_PART_COUNT];
	struct module_symtab symtab;
	struct gdb_entry *gdb;
	struct host_module host;
};

struct udf_loader {
	struct udf_kernel kernel;
	struct kmod_ctx *kmod;
	struct udf_patch_thunks thunks;
	struct space space;
	struct udf_module **mod;	/* all open ones, in the order of opening */
	unsigned int nr_mods, room;
	struct loader_export *bucket[LOADER_BUCKETS];
	_Atomic(struct udf_module *) linked[LOADER_MODULES_MAX];
	atomic_uint readers;		/* of linked[] */
	struct udf_loader_stats stats;
	bool plan_open;			/* plans list modules that are open, too (udf check) */
	bool gdb;
	const struct udf_loader_observer *observer;	/* never NULL */
};

/* Read and parse PATH and find its imports, but judge nothing: for udf check. */
int udf_loader_examine(struct udf_loader *loader, const char *path, const char *params, struct udf_module **mod,
		       struct udf_error *err);
/* -ENOEXEC unless MOD was built for the loader's kernel. */
int udf_loader_check_vermagic(const struct udf_loader *loader, const struct udf_module *mod, struct udf_error *err);
/* The file's contents are no longer needed. */
void udf_module_drop_file(struct udf_module *mod);
bool udf_module_name_equal(const char *a, const char *b);

#endif
