/* SPDX-License-Identifier: GPL-2.0 */
/* Writing the prepared file. Private to lib/image. */
#ifndef UDF_IMAGE_WRITE_H
#define UDF_IMAGE_WRITE_H

#include "image/format.h"
#include "image/kapi.h"

/*
 * Write image and kapi (all zero: none) to FD, which is empty. What HEADER says about sources and names is taken over; the rest
 * of it is filled in. Returns 0, -ENOSPC and the like without a message (the caller knows the file's name), or -ENOMEM.
 */
int udf_file_write(int fd, const struct udf_kernel *k, const struct udf_kapi *kapi, struct udf_file_header *header);

#endif
