/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A kernel image while it is being prepared: its bytes at their run-time addresses, its sections, its symbols.
 * Private to lib/image. The steps, in the order in which prepare.c calls them:
 *
 *   udf_kernel_load()      vmlinux.c    ELF payload -> bytes where they run, sections
 *   udf_kernel_relocate()  relocs.c     the tables that KASLR uses
 *   udf_kernel_symbols()   kallsyms.c   names, static ones too
 *   udf_kernel_identify()  vmlinux.c    release, build id, vermagic
 *   udf_kernel_exports()   exports.c    what modules may import, with CRCs
 *   udf_kapi_link()        kapi.c       UDF's own object, and its hooks into the image (hooks.c)
 *   udf_patch_*()          patch.c      mitigations and tracing that nothing here uses
 *   udf_kernel_tables()    tables.c     what the kernel would sort and compute at each boot
 */
#ifndef UDF_IMAGE_KERNEL_H
#define UDF_IMAGE_KERNEL_H

#include <stdbool.h>

#include "common/error.h"
#include "image/bzimage.h"
#include "image/image.h"
#include "layout.h"

#define UDF_PAGE		4096ull
#define UDF_LINK_BASE		0xffffffff81000000ull	/* where Linux is linked to run */
#define UDF_LINK_DELTA		(UDF_IMAGE_BASE - UDF_LINK_BASE)
#define UDF_BUILD_ID_MAX	20			/* bytes: SHA-1 */

static inline uint64_t udf_page_up(uint64_t v) { return (v + UDF_PAGE - 1) & ~(UDF_PAGE - 1); }
static inline uint64_t udf_page_down(uint64_t v) { return v & ~(UDF_PAGE - 1); }

/* A section, at its run-time address; per-CPU ones at their offset in a CPU's area. */
struct udf_ksection {
	const char *name;
	uint64_t addr, size;
	uint64_t flags;			/* SHF_* */
	bool percpu, nobits;
};

/* A symbol. The address of a per-CPU one is its offset. Sizes are known for kapi only. */
struct udf_ksym {
	uint64_t value, size;
	uint32_t name;			/* offset in strings */
	char type;			/* as nm prints it: T, t, D, ... */
	bool absolute;			/* per-CPU, or no address at all: nothing is mapped at value */
};

struct udf_kexport {
	uint64_t addr;
	uint32_t name, ns;		/* offsets in strings */
	uint32_t crc;
	bool gpl, percpu, replaced, unsupported;
};

struct udf_patch_count {
	uint32_t returns, retpolines, fentry;
	uint32_t skipped;		/* sites that were none of the known patterns, left as they are */
};

struct udf_kernel {
	const char *what;		/* the file, for messages */
	struct udf_bytes elf;		/* the payload; freed by udf_kernel_free() */
	uint64_t elf_end;		/* end of the ELF in it: relocation tables follow */
	struct udf_memory image;
	uint64_t percpu_load, percpu_size;
	struct udf_ksection *sec;
	unsigned int nr_sec;
	struct udf_bytes strings;		/* offset 0 is "" */
	struct udf_ksym *sym;		/* sorted by name */
	size_t nr_sym;
	struct udf_kexport *exports;	/* sorted by name */
	size_t nr_exports;
	char release[UDF_RELEASE_MAX];
	char build_id[2 * UDF_BUILD_ID_MAX + 1];
	char vermagic[128];
	struct udf_patch_count patched;
};

/* "FILE is damaged: ...", with what to do. */
#define udf_kernel_damaged(k, err, fmt, ...) \
	udf_error_set(err, -EINVAL, "%s is damaged: " fmt "; reinstall the kernel package that it comes from", (k)->what, ##__VA_ARGS__)

/* K->what and K->elf are set; everything else is zero. */
int udf_kernel_load(struct udf_kernel *k, struct udf_error *err);
int udf_kernel_relocate(struct udf_kernel *k, struct udf_error *err);
int udf_kernel_symbols(struct udf_kernel *k, struct udf_error *err);
int udf_kernel_identify(struct udf_kernel *k, struct udf_error *err);
int udf_kernel_exports(struct udf_kernel *k, struct udf_error *err);
void udf_kernel_free(struct udf_kernel *k);

/* A section by name, or NULL. */
const struct udf_ksection *udf_kernel_section(const struct udf_kernel *k, const char *name);

/* Whether a linker would let other objects use it: of several symbols with one name, at most one is. All per-CPU ones are 'A'. */
static inline bool udf_ksym_global(const struct udf_ksym *sym)
{
	return sym->type >= 'B' && sym->type <= 'Z';
}

/* A symbol by name, NULL: none. *COUNT: how many addresses it may mean, 1 if one of them is global; more: it is ambiguous. */
const struct udf_ksym *udf_kernel_symbol(const struct udf_kernel *k, const char *name, unsigned int *count);
const char *udf_kernel_name(const struct udf_kernel *k, uint32_t name);

/* Append a string to K->strings. Returns its offset, 0 (which is "") when memory is out. */
uint32_t udf_kernel_string(struct udf_kernel *k, const char *s);

/* Whether ADDR lies in code that runs: an executable section other than the alternatives' replacements. */
bool udf_kernel_is_text(const struct udf_kernel *k, uint64_t addr);
bool udf_ksection_runs(const struct udf_ksection *s);

#endif
