/* SPDX-License-Identifier: GPL-2.0 */
/* The symbol file of a prepared image: what gdb needs to see names and callers in image, kapi and bridges. Host world. */
#ifndef UDF_DEBUG_IMAGE_H
#define UDF_DEBUG_IMAGE_H

#include <stddef.h>

#include "common/error.h"
#include "image/image.h"

/*
 * Find it beside the prepared image, or make it there (in a temporary folder where that is not possible). PATH gets its name. It has
 * kapi's debug information if kapi's object is still the one that was linked.
 */
int udf_debug_image_file(const struct udf_image *image, char *path, size_t len, struct udf_error *err);

#endif
