// SPDX-License-Identifier: GPL-2.0
/* Opening files for a driver; see file.h. Host world. */
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>

static void *opener_ctx;
static _Atomic(udf_file_opener *) file_opener;

void udf_file_set_opener(udf_file_opener *opener, void *ctx)
{
	opener_ctx = ctx;
	atomic_store(&file_opener, opener);
}

int udf_file_open(const char *path)
{
	udf_file_opener *opener = atomic_load(&file_opener);
	int fd;

	if (!opener) {
		/* O_NONBLOCK: a named pipe is refused later, and does not stop us here */
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd >= 0)
			return fd;
		fd = -errno;
		/* it may have gone from under us, by whoever has set an opener meanwhile */
		opener = atomic_load(&file_opener);
		if (!opener)
			return fd;
	}
	return opener(opener_ctx, path);
}
