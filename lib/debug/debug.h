/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What debuggers, profilers and people are told of a running driver, in one place for lib/core. Host world.
 *
 *   record.h    for a debugger that attaches later, or a core dump: always on, costs nothing while nobody looks
 *   gdb         modules as they come and go, by gdb's JIT interface           UDF_GDB=1, or a debugger has attached
 *   perf-map    names of all code in /tmp/perf-PID.map                        UDF_PERF_MAP=1
 *   trace.h     what the driver asks for, a line each
 */
#ifndef UDF_DEBUG_DEBUG_H
#define UDF_DEBUG_DEBUG_H

#include <stdbool.h>

#include "common/error.h"
#include "debug/trace.h"

struct udf_debug_config {
	bool perf_map;
	struct udf_trace_config trace;
};

/* The image is mapped and the loader is there; no kernel code runs yet. */
int udf_debug_start(const struct udf_debug_config *config, struct udf_error *err);
/* What to ask of the kernel world once it takes commands, for HOST_CMD_TRACE; 0: nothing. */
unsigned int udf_debug_kernel_events(void);
/* No kernel code runs any more; the loader is still there. Does nothing when udf_debug_start() was not called. */
void udf_debug_stop(void);

#endif
