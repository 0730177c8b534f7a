/* SPDX-License-Identifier: GPL-2.0 */
/* A driver process, or its core dump, seen from another process: which image and modules it has. Host world. */
#ifndef UDF_DEBUG_TARGET_H
#define UDF_DEBUG_TARGET_H

#include <sys/types.h>

#include "debug/record.h"

struct udf_target;

/* Look into process PID, or if that is 0 into the core dump CORE. */
int udf_target_open(pid_t pid, const char *core, struct udf_target **target, struct udf_error *err);
void udf_target_close(struct udf_target *target);

const struct udf_debug_record *udf_target_record(const struct udf_target *target);

/* Modules that are linked from now on tell gdb themselves. A process only. */
int udf_target_set_jit(struct udf_target *target);

/*
 * Write symbol files of its modules, as PREFIX plus a name, unless they tell gdb themselves, and call ADD for each. A module whose file
 * cannot be read any more is left out, with a line on stderr.
 */
int udf_target_modules(struct udf_target *target, const char *prefix, int (*add)(void *ctx, const char *path), void *ctx,
		       struct udf_error *err);

#endif
