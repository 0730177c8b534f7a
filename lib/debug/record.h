/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a debugger that attaches later, or opens a core dump, must know of a driver process: which image and which modules lie where, and
 * the last of the log. At a fixed address, so that no symbol of the process is needed to find it. Host world.
 */
#ifndef UDF_DEBUG_RECORD_H
#define UDF_DEBUG_RECORD_H

#include <stdint.h>

#include "loader/loader.h"
#include "loader/modules.h"

#define UDF_DEBUG_MAGIC "UDFdebug"
#define UDF_DEBUG_VERSION 1
#define UDF_DEBUG_MODULES 256
#define UDF_DEBUG_LOG (64u << 10)

struct udf_debug_module {
	_Atomic uint32_t state;		/* enum udf_debug_state; written last */
	uint32_t told;			/* gdb knows it from its JIT interface */
	char name[64];
	char path[440];
	uint64_t place[UDF_PART_COUNT];	/* where each part of it lies */
};

enum udf_debug_state { UDF_DEBUG_FREE, UDF_DEBUG_LINKED, UDF_DEBUG_TRIMMED };	/* TRIMMED: its init sections are gone */

struct udf_debug_record {
	char magic[8];
	uint32_t version;
	uint32_t jit;			/* modules are told to gdb as they come; a debugger that attaches sets it */
	char image[512];		/* the prepared image's file */
	_Atomic uint64_t logged;	/* bytes ever written to LOG, which is a ring */
	char log[UDF_DEBUG_LOG];
	struct udf_debug_module module[UDF_DEBUG_MODULES];
};

/* The record of this process: made once the image is mapped, filled by the loader's observer. */
int udf_record_open(const struct udf_image *image, struct udf_error *err);
void udf_record_close(void);
void udf_record_module(const struct udf_module *mod, enum udf_debug_state state);
/* Whether modules are to be told to gdb; SET changes it. */
bool udf_record_jit(void);
void udf_record_set_jit(void);

/* Keep a line of the log. Any thread; cheap. */
void udf_record_log(int level, const char *text);

#endif
