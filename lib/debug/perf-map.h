/* SPDX-License-Identifier: GPL-2.0 */
/* Names of the code in this process for `perf report`: /tmp/perf-PID.map. Host world. */
#ifndef UDF_DEBUG_PERF_MAP_H
#define UDF_DEBUG_PERF_MAP_H

#include "image/image.h"
#include "loader/modules.h"

/*
 * Write image and kapi, and from now on each module. perf asks this file only about memory that comes from no file: so the image's code,
 * which is mapped from the cache, is replaced by a copy (some 15 MiB). Before kernel code runs.
 */
int udf_perf_map_open(const struct udf_image *image, struct udf_error *err);
void udf_perf_map_close(void);
/* A module was linked; does nothing without a map. */
void udf_perf_map_module(const struct udf_module *mod);

#endif
