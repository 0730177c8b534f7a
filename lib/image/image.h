/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel image as a library: prepare it once, map it in every driver process. Host world.
 *
 *   vmlinuz --decompress--> vmlinux --relocate--> --link kapi, hook, patch--> prepared image file --mmap--> process
 *
 * The prepared file holds, page aligned, what lies at UDF_KAPI_BASE and UDF_IMAGE_BASE (lib/host/include/layout.h), already
 * relocated; plus tables that are used where they are mapped: symbols by name and by address, exports with CRCs.
 */
#ifndef UDF_IMAGE_IMAGE_H
#define UDF_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/error.h"

struct udf_image;

struct udf_image_options {
	const char *release;	/* kernel release; NULL: the newest 6.1 found, see udf_image_find() */
	const char *vmlinuz;	/* --image FILE: prepare from this file; NULL: search */
	const char *kapi;	/* kapi object to link in; NULL: <libdir>/kapi/<release>/kapi.o; "": none, for tests and look-ups */
	const char *cache_dir;	/* NULL: $XDG_CACHE_HOME/udf, $HOME/.cache/udf, or /var/cache/udf when root */
	void (*progress)(void *ctx, const char *step, unsigned int percent);	/* may be NULL */
	void *progress_ctx;
};

/* Open the prepared image, preparing it first if the cache has none that fits. The file is mapped read-only for look-ups. */
int udf_image_open(const struct udf_image_options *opts, struct udf_image **image, struct udf_error *err);
void udf_image_close(struct udf_image *image);

/* Map the image and kapi at their fixed addresses, privately; text is read+execute, data read+write. Once per process. */
int udf_image_map(struct udf_image *image, struct udf_error *err);
/* Undo udf_image_map(). */
void udf_image_unmap(struct udf_image *image);

const char *udf_image_release(const struct udf_image *image);
const char *udf_image_build_id(const struct udf_image *image);	/* hex */
const char *udf_image_vermagic(const struct udf_image *image);

/* Address of a symbol of kapi, else of the image (any, static ones too); per-CPU symbols have their per-CPU offset. 0: none. */
uint64_t udf_image_symbol(const struct udf_image *image, const char *name);
/*
 * The same for all values: 0 is one (__per_cpu_start, fixed_percpu_data). Returns false when there is no such symbol, or when
 * the name means several addresses, none of them global.
 */
bool udf_image_lookup(const struct udf_image *image, const char *name, uint64_t *value);
/* The same among kapi's own symbols only. */
uint64_t udf_image_kapi_symbol(const struct udf_image *image, const char *name);
/*
 * Where a section of kapi lies (".orc_unwind", "__ex_table", ".symtab" and ".strtab" with run-time addresses, ...), in bytes. What is
 * allocated in the object is mapped. Returns 0 or -ENOENT.
 */
int udf_image_kapi_section(const struct udf_image *image, const char *name, uint64_t *addr, uint64_t *size);

struct udf_export {
	uint64_t addr;
	uint32_t crc;
	bool gpl, percpu;
	bool replaced;		/* kapi stands in for the image's function */
	bool unsupported;	/* ... and ends the process: it cannot be had in one */
	const char *namespace;	/* or "" */
};
/* Look NAME up among the kernel's exported symbols. Returns 0 or -ENOENT. */
int udf_image_export(const struct udf_image *image, const char *name, struct udf_export *out);

/* Name of the function or object that ADDR lies in, or NULL; *OFFSET is ADDR minus its start. */
const char *udf_image_symbolize(const struct udf_image *image, uint64_t addr, uint64_t *offset);

/* A function that kapi replaces, as udf image show prints it. */
struct udf_replacement {
	const char *name, *path, *why;
	uint64_t image_addr, kapi_addr;
	bool noop;		/* deliberately does nothing */
	bool unsupported;	/* ends the process with a trace */
};
unsigned int udf_image_replacements(const struct udf_image *image, const struct udf_replacement **list);

/* Kernel text: [start, end) ranges in which an interrupt may be delivered. */
struct udf_range { uint64_t start, end; };
unsigned int udf_image_text(const struct udf_image *image, const struct udf_range **ranges);

/* For debuggers: every symbol of image and kapi in turn, by its number. Returns false behind the last. */
struct udf_image_symbol {
	const char *name;
	uint64_t value;
	bool code, global, kapi;
	bool absolute;		/* per-CPU offset or number */
};
bool udf_image_symbol_at(const struct udf_image *image, uint64_t i, struct udf_image_symbol *out);
/* Segments as they are mapped, by number: kapi's, then the image's. Returns false behind the last. */
bool udf_image_segment(const struct udf_image *image, unsigned int i, struct udf_range *range, bool *exec);
/* Contents of LEN bytes at ADDR as prepared, without mapping them there. Returns 0 or a negative errno. */
int udf_image_read(const struct udf_image *image, uint64_t addr, void *buf, size_t len);
/* The object that kapi was linked from, for its debug information; to be freed. -ESTALE: the file is another one by now. */
int udf_image_kapi_object(const struct udf_image *image, void **data, size_t *len);

/* What a prepared image is made of. */
struct udf_image_info {
	const char *file;			/* the prepared file */
	const char *vmlinuz, *kapi;		/* what it was made from; kapi "": none */
	uint64_t file_size, disk_size;		/* bytes; the latter without the file's holes */
	uint64_t text_size, data_size, zero_size, kapi_size;	/* bytes, as mapped; zero_size: anonymous memory behind the data */
	unsigned int symbols, exports, replacements;
	unsigned int returns, retpolines, fentry;	/* sites patched */
	unsigned int unknown_sites;			/* sites that held nothing known and were left */
};
void udf_image_info(const struct udf_image *image, struct udf_image_info *info);

/*
 * Prepare an image into the cache unless one that fits is there (FORCE: in any case). PATH gets the prepared file's name. Two
 * processes that want the same one prepare it once.
 */
int udf_image_prepare(const struct udf_image_options *opts, bool force, char *path, size_t path_len, struct udf_error *err);

/* Open one prepared file by its name, whatever it was made from. */
int udf_image_open_file(const char *path, struct udf_image **image, struct udf_error *err);

/* Check every byte of a prepared file against its checksums. Returns 0 or -EBADMSG with ERR. */
int udf_image_verify(const char *path, struct udf_error *err);

/* A file in the cache. */
struct udf_image_entry {
	char path[512];
	char release[65], build_id[41];		/* "" when damaged */
	uint64_t file_size, disk_size;		/* bytes */
	int64_t mtime;				/* seconds since the epoch */
	bool damaged, outdated;			/* outdated: made by another version of UDF */
};
/* What the cache holds (CACHE_DIR NULL: as udf_image_options), by name. *LIST is the caller's to free(). */
int udf_image_list(const char *cache_dir, struct udf_image_entry **list, unsigned int *n, struct udf_error *err);
/* Remove prepared files of a release from the cache (RELEASE NULL: all). *N says how many. Processes that have one mapped keep it. */
int udf_image_remove(const char *cache_dir, const char *release, unsigned int *n, struct udf_error *err);
/* Which directory the cache is in: CACHE_DIR, or the default when it is NULL. */
int udf_image_cache_dir(const char *cache_dir, char *path, size_t len, struct udf_error *err);

/*
 * Find vmlinuz and modules of a release (NULL: the newest 6.1). Looked for below $UDF_KERNEL_ROOT, kernel/root beside the running
 * program, ./build/kernel/root, and /: the first that has it is taken. PATH gets the vmlinuz, MODULES the directory that holds
 * modules.dep (PATH, MODULES and FOUND_RELEASE may be NULL).
 */
int udf_image_find(const char *release, char *path, size_t path_len, char *modules, size_t modules_len,
		   char *found_release, size_t release_len, struct udf_error *err);

#endif
