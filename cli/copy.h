/* SPDX-License-Identifier: GPL-2.0 */
/* udf read and udf write: bytes between a disk and a file. Host world. */
#ifndef UDF_CLI_COPY_H
#define UDF_CLI_COPY_H

#include <stdbool.h>

/* Run udf read (WRITE false) or udf write. */
int cli_copy(bool write, int argc, char **argv);

#endif
