// SPDX-License-Identifier: GPL-2.0
/*
 * Replaces fs/kernel_read_file.c: kernel_read_file_from_path_initns(), with which the firmware loader reads its files: they are
 * the host's (later: udfd's). Kernel world.
 */
#include <linux/kernel_read_file.h>
#include <linux/vmalloc.h>

#include "kapi.h"

ssize_t kernel_read_file_from_path_initns(const char *path, loff_t offset, void **buf, size_t buf_size, size_t *file_size,
					  enum kernel_read_file_id id)
{
	long size = host_file_read(path, NULL, 0), got;
	void *mem = *buf;

	if (size < 0)
		return size;
	if (offset)
		return -EINVAL;
	if (file_size)
		*file_size = size;
	if (!mem) {
		mem = vmalloc(max(size, 1l));
		if (!mem)
			return -ENOMEM;
	} else if (size > buf_size) {
		return -EFBIG;
	}
	got = host_file_read(path, mem, size);
	if (got != size) {
		if (!*buf)
			vfree(mem);
		return got < 0 ? got : -EIO;
	}
	*buf = mem;
	return size;
}
