/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Modules of a running driver: which files to load in which order, from where each import comes, where the code lies, and what
 * became of it. Host world; on top of loader.h.
 *
 *   udf_loader_plan("nvme")         crct10dif_common.ko, ..., nvme-core.ko, nvme.ko
 *   for each of them:
 *     udf_loader_open()             read, parse, check: vermagic, CRCs, licences, name spaces, missing symbols
 *     udf_loader_link()             place in UDF_MODULE_BASE ... UDF_MODULE_END, relocate, patch
 *     udf_loader_live()             its exports serve the next module; what is never written becomes read-only
 *     udf_loader_free_init()        the init function has run
 *     udf_loader_close()            the exit function has run
 *
 * Imports come from live modules, then from the kernel (kapi and image). One thread at a time may change a loader;
 * udf_loader_symbolize() may be called meanwhile from anywhere, signal handlers included.
 */
#ifndef UDF_LOADER_MODULES_H
#define UDF_LOADER_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "image/image.h"
#include "loader/loader.h"
#include "module.h"

struct udf_loader;
struct udf_module;

/* What the loader asks of the kernel: of a prepared image, or of a test's stand-in. */
struct udf_kernel {
	void *ctx;
	const char *(*vermagic)(void *ctx);
	/* An exported symbol. Returns 0 or -ENOENT. */
	int (*export)(void *ctx, const char *name, struct udf_export *out);
	/* A symbol of kapi (for what it offers beyond the kernel's exports), and any symbol of either (for the thunks); 0: none. */
	uint64_t (*kapi)(void *ctx, const char *name);
	uint64_t (*symbol)(void *ctx, const char *name);
};

struct udf_kernel udf_kernel_of_image(const struct udf_image *image);

/* MODULES_DIR holds modules.dep and what depmod wrote beside it. IMAGE must outlive the loader. */
int udf_loader_new(const struct udf_image *image, const char *modules_dir, struct udf_loader **loader, struct udf_error *err);
/* The same over any kernel; KERNEL is copied. MODULES_DIR may be NULL: then only paths can be planned. */
int udf_loader_new_kernel(const struct udf_kernel *kernel, const char *modules_dir, struct udf_loader **loader,
			  struct udf_error *err);
/* Closes all modules that are left. */
void udf_loader_free(struct udf_loader *loader);

struct udf_plan_entry {
	char *path, *name;	/* name: with underscores */
	bool soft;		/* wanted by a softdep only: that it cannot be loaded is no failure */
};
struct udf_plan {
	unsigned int nr;
	struct udf_plan_entry *entry;
	unsigned int nr_targets;
	char **target;		/* names of the entries that were asked for; the others are what these need */
};

/*
 * What to load, in this order, so that WHAT is there: a path (anything with a '/' or ending in .ko, .ko.xz, ...), a module's name, or a
 * modalias ("pci:v00001B36..."; all modules that match). Modules that are open already are left out. Neither blacklists nor
 * other settings in modprobe.d count, nor what the running kernel has loaded. Without entries: it is part of the image, or open.
 */
int udf_loader_plan(struct udf_loader *loader, const char *what, struct udf_plan *plan, struct udf_error *err);
void udf_plan_free(struct udf_plan *plan);

/*
 * Read and check the module file PATH; PARAMS ("a=1 b=2" or NULL) is copied. The modules that it imports from cannot be closed before
 * it. Errors: -ENOEXEC for what is no module of this kernel, -ENOENT for missing symbols, -EEXIST when it is open already.
 */
int udf_loader_open(struct udf_loader *loader, const char *path, const char *params, struct udf_module **mod,
		    struct udf_error *err);

/* Place and link. PERCPU is the per-CPU offset that was allocated for the module's per-CPU data. */
int udf_loader_link(struct udf_loader *loader, struct udf_module *mod, uint64_t percpu, struct udf_error *err);

/*
 * Fill OUT with what is known: name, args, per-CPU needs, sizes and handle once open; all addresses once linked.
 *
 * HOST_SEC_SYMTAB is an array of Elf64_Sym made for the kernel's kallsyms, in the module's own memory: entry 0 is empty, st_value
 * is the run-time address, st_name an offset in HOST_SEC_STRTAB, and st_other the letter that nm prints ('t', 'D', 'b', ...).
 * Symbols of init sections become undefined when these are freed.
 */
void udf_module_describe(const struct udf_module *mod, struct host_module *out);

/*
 * From now on modules that are opened see its exports. Its read-only data can no longer be written: until here it can, since the
 * kernel sorts its exception and unwind tables in place.
 */
int udf_loader_live(struct udf_loader *loader, struct udf_module *mod, struct udf_error *err);

/* Release the init sections, and the file's contents with them (HOST_SEC_MODINFO lies there). */
void udf_loader_free_init(struct udf_loader *loader, struct udf_module *mod);

/* Release MOD, whatever its state. -EBUSY, with the name of one, while other modules use it. */
int udf_loader_close(struct udf_loader *loader, struct udf_module *mod, struct udf_error *err);
/* Whether there is a user. */
bool udf_loader_used(const struct udf_module *mod);

/* An open module by name ('-' and '_' are the same), or NULL. */
struct udf_module *udf_loader_find(const struct udf_loader *loader, const char *name);
/* The I-th open module, from 0, in the order of opening; NULL behind the last. */
struct udf_module *udf_loader_get(const struct udf_loader *loader, unsigned int i);
const char *udf_module_name(const struct udf_module *mod);
const char *udf_module_path(const struct udf_module *mod);

/*
 * Name of the function or object of a linked module that ADDR lies in, or NULL; *OFFSET is ADDR minus its start, *MODULE the
 * module's name. The names are good while the module is linked. Async-signal-safe.
 */
const char *udf_loader_symbolize(struct udf_loader *loader, uint64_t addr, uint64_t *offset, const char **module);

/*
 * Call EACH for the pieces of code of ADDR's live module that nothing executes, and that begin about between LOW and HIGH. Returns whether ADDR
 * lies in such code at all, and not in what is freed after the init function. By a thread that may change the loader.
 */
bool udf_loader_gaps(struct udf_loader *loader, uint64_t addr, uint64_t low, uint64_t high,
		     void (*each)(void *ctx, uint64_t addr, uint64_t len), void *ctx);

/* Address of a symbol (static ones too) of the linked module MOD, or 0. */
uint64_t udf_module_symbol(const struct udf_module *mod, const char *name);

struct udf_loader_stats {
	unsigned long returns, retpolines, fentries;	/* sites patched */
	unsigned long left;				/* sites of these kinds in an unknown form */
	uint64_t bytes;					/* memory of linked modules */
};
void udf_loader_stats(const struct udf_loader *loader, struct udf_loader_stats *stats);

/* Tell an attached gdb about each module that is linked from now on (its JIT interface). Off unless asked for. */
void udf_loader_gdb(struct udf_loader *loader, bool on);

/* Who wants to know what becomes of modules; in the thread that changes the loader. Members may be NULL. */
struct udf_loader_observer {
	/* Its code is linked and can still be written. An error ends the linking. */
	int (*linking)(struct udf_loader *loader, struct udf_module *mod, struct udf_error *err);
	void (*linked)(struct udf_loader *loader, struct udf_module *mod);
	void (*trimming)(struct udf_loader *loader, struct udf_module *mod);	/* its init sections are about to go */
	void (*trimmed)(struct udf_loader *loader, struct udf_module *mod);	/* its init sections are gone */
	void (*closing)(struct udf_loader *loader, struct udf_module *mod);	/* one that was linked */
};
/* One at a time; OBSERVER must outlive the loader. */
void udf_loader_observe(struct udf_loader *loader, const struct udf_loader_observer *observer);

#endif
