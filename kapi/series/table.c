// SPDX-License-Identifier: GPL-2.0
/*
 * The table of replaced functions, in the section that the preparation of the image reads (lib/image/): for each entry a jump
 * is written at the entry of the image's function. Kernel world.
 */
#include <linux/linkage.h>
#include <linux/panic.h>
#include <linux/types.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define SERIES_REPLACE "6.1/replace.h"
#define SERIES_UNSUPPORTED "6.1/unsupported.h"
#else
#error "this kernel series has no list of replaced functions"
#endif

struct udf_replace {
	const char *name;
	void *replacement;
	const char *path;
	const char *why;
	u64 flags;
};

#define UDF_REPLACE_NOOP 1
#define UDF_REPLACE_UNSUPPORTED 2

/* Only the address counts here: one declaration serves them all. */
#define REPLACE(fn, kernel_path, reason) extern char kapi_replacement_##fn[] __asm__(#fn);
#define NOOP(fn, kernel_path, reason) REPLACE(fn, kernel_path, reason)
#include SERIES_REPLACE
#undef REPLACE
#undef NOOP

/* A stub for each unsupported function: its name is in the trace, too. */
static const char kapi_unsupported[] = "%s() is not supported: %s";

#define UNSUPPORTED(fn, kernel_path, reason)		\
	static void __noreturn unsupported_##fn(void)	\
	{						\
		panic(kapi_unsupported, #fn, reason);	\
	}
#include SERIES_UNSUPPORTED
#undef UNSUPPORTED

#define ENTRY(fn, by, kernel_path, reason, what)	\
	{ .name = #fn, .replacement = by, .path = kernel_path, .why = reason, .flags = what },
#define REPLACE(fn, kernel_path, reason) ENTRY(fn, kapi_replacement_##fn, kernel_path, reason, 0)
#define NOOP(fn, kernel_path, reason) ENTRY(fn, kapi_replacement_##fn, kernel_path, reason, UDF_REPLACE_NOOP)
#define UNSUPPORTED(fn, kernel_path, reason) ENTRY(fn, unsupported_##fn, kernel_path, reason, UDF_REPLACE_UNSUPPORTED)

static const struct udf_replace kapi_replacements[] __section(".udf_replace") __used = {
#include SERIES_REPLACE
#include SERIES_UNSUPPORTED
};
