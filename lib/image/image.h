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
	const char *kapi;	/* kapi object to link in; NULL: <libdir>/kapi/<release>/kapi.o */
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
/* The same among kapi's own symbols only. */
uint64_t udf_image_kapi_symbol(const struct udf_image *image, const char *name);

struct udf_export {
	uint64_t addr;
	uint32_t crc;
	bool gpl, percpu;
	bool replaced;		/* kapi stands in for the image's function */
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
};
unsigned int udf_image_replacements(const struct udf_image *image, const struct udf_replacement **list);

/* Kernel text: [start, end) ranges in which an interrupt may be delivered. */
struct udf_range { uint64_t start, end; };
unsigned int udf_image_text(const struct udf_image *image, const struct udf_range **ranges);

/*
 * Find vmlinuz and modules of a release: build/kernel (development tree), then /boot and /lib/modules.
 * PATH gets the vmlinuz, MODULES the directory that holds modules.dep.
 */
int udf_image_find(const char *release, char *path, size_t path_len, char *modules, size_t modules_len,
		   char *found_release, size_t release_len, struct udf_error *err);

#endif
