/* SPDX-License-Identifier: GPL-2.0 */
/* UDF's own kernel-world object, linked against an image that is being prepared, and hooked into it. Private to lib/image. */
#ifndef UDF_IMAGE_KAPI_H
#define UDF_IMAGE_KAPI_H

#include "image/kernel.h"
#include "image/patch.h"

struct udf_kapi_section {
	uint64_t addr, size;
	uint32_t name;			/* in the kernel's strings */
	bool text;
};

struct udf_kapi_hook {
	uint64_t image_addr, kapi_addr;
	uint32_t name, path, why;	/* in the kernel's strings */
	bool noop;			/* does nothing, on purpose */
	bool unsupported;		/* ends the process */
};

struct udf_kapi {
	const char *what;		/* the file, for messages */
	struct udf_memory mem;		/* from UDF_KAPI_BASE; freed by udf_kapi_free() */
	uint64_t text_size;		/* of its head, whole pages: code */
	struct udf_kapi_section *sec;	/* those that are loaded, then .symtab and .strtab with run-time addresses */
	unsigned int nr_sec;
	struct udf_ksym *sym;
	size_t nr_sym;
	struct udf_kapi_hook *hook;
	unsigned int nr_hooks;
};

/*
 * Link the object of LEN bytes at DATA: undefined names are bridges (host_*) or the image's. Patches its own sites as the image's are;
 * the counts go to K->patched.
 */
int udf_kapi_link(struct udf_kernel *k, const struct udf_thunks *thunks, const void *data, size_t len, const char *what,
		  struct udf_kapi *kapi, struct udf_error *err);
void udf_kapi_free(struct udf_kapi *kapi);

/*
 * Write a jump at the entry of every function of the image that kapi's section .udf_replace names: entries of five 64-bit words, the
 * addresses of a name, of the replacement, of the kernel's path, of the reason, and flags (1: a deliberate no-op). After udf_patch_kernel().
 */
int udf_kapi_hook(struct udf_kernel *k, struct udf_kapi *kapi, struct udf_error *err);

/* Sort and compute what each boot would, in the image and in KAPI, which may be empty. After all else is in its place. Returns 0 or -ENOMEM. */
int udf_kernel_tables(struct udf_kernel *k, struct udf_kapi *kapi);

const struct udf_kapi_section *udf_kapi_find_section(const struct udf_kernel *k, const struct udf_kapi *kapi, const char *name);

/* Names that are wrong, for one message that lists them all: ", " between them, " (note)" behind each that has one. */
struct udf_name_list {
	struct udf_bytes text;
	unsigned int count;
};

void udf_name_list_add(struct udf_name_list *list, const char *name, const char *note);
/* The list as a string; what does not fit into an error is only counted. Frees the list. */
int udf_name_list_error(struct udf_name_list *list, int code, struct udf_error *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
