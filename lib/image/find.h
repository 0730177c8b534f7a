/* SPDX-License-Identifier: GPL-2.0 */
/* Where kernels and kapi objects are. Private to lib/image. */
#ifndef UDF_IMAGE_FIND_H
#define UDF_IMAGE_FIND_H

#include "image/image.h"

/* Find the kapi object for RELEASE beside the program, the library, or where they are installed. */
int udf_kapi_find(const char *release, char *path, size_t len, struct udf_error *err);

#endif
