/* SPDX-License-Identifier: GPL-2.0 */
/* How files that a driver asks for (modules, firmware) are opened: by a process that may have no file system left. Host world. */
#ifndef UDF_COMMON_FILE_H
#define UDF_COMMON_FILE_H

/* Returns a descriptor of PATH, open for reading and the caller's to close, or a negative errno. From any thread; may block. */
typedef int udf_file_opener(void *ctx, const char *path);

/* Have files opened by OPENER from now on; NULL: by open(2), the default. */
void udf_file_set_opener(udf_file_opener *opener, void *ctx);

/* Open PATH for reading, close-on-exec. Returns a descriptor or a negative errno. May block. */
int udf_file_open(const char *path);

#endif
