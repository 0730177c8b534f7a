// SPDX-License-Identifier: GPL-2.0
/*
 * Map a prepared image where it runs. Host world.
 *
 * Everything is private: text is shared with other driver processes since nobody writes to it, data as long as it is not written.
 */
#define _GNU_SOURCE
#include "image/prepared.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Describe what is mapped in [START, END), from /proc/self/maps. */
static void who_is_there(uint64_t start, uint64_t end, char *text, size_t len)
{
	char line[512];
	FILE *f = fopen("/proc/self/maps", "re");

	snprintf(text, len, "something");
	while (f && fgets(line, sizeof(line), f)) {
		uint64_t a, b;
		int name = 0;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %*s %n", &a, &b, &name) < 2 || b <= start || a >= end)
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(text, len, "%s (%" PRIx64 "-%" PRIx64 ")", name && line[name] ? line + name : "anonymous memory", a, b);
		break;
	}
	if (f)
		fclose(f);
}

/* Map SIZE bytes at ADDR, where nothing may be yet. */
static int map_at(uint64_t addr, uint64_t size, int prot, int flags, int fd, uint64_t offset, struct udf_error *err)
{
	void *p;
	char who[300];
	int ret = 0;

	if (!size)
		return 0;
	p = mmap((void *)addr, size, prot, flags | MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, (off_t)offset);
	if (p == MAP_FAILED)
		ret = -errno;
	else if (p != (void *)addr) {
		/* a kernel older than 4.17 takes the address as a hint */
		munmap(p, size);
		ret = -EEXIST;
	}
	if (ret == -EEXIST) {
		who_is_there(addr, addr + size, who, sizeof(who));
		return udf_error_set(err, ret, "the kernel image cannot be mapped at %#" PRIx64 "-%#" PRIx64 ": %s is there; "
				     "a process can run one driver, and must keep these addresses free", addr, addr + size, who);
	}
	if (ret)
		return udf_error_set(err, ret, "the kernel image cannot be mapped at %#" PRIx64 ": %s%s", addr, strerror(-ret),
				     ret == -EPERM ? " (is the cache on a file system that is mounted noexec?)" : "");
	return 0;
}

static int map_segment(const struct udf_image *image, const struct udf_file_segment *s, struct udf_error *err)
{
	int prot = PROT_READ | (s->exec ? PROT_EXEC : PROT_WRITE);
	uint64_t zero = s->size - s->file_size;
	int ret = map_at(s->addr, s->file_size, prot, 0, image->fd, s->file_offset, err);

	if (ret)
		return ret;
	ret = map_at(s->addr + s->file_size, zero, prot, MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, err);
	if (ret && s->file_size)
		munmap((void *)s->addr, s->file_size);
	/* most of it is never touched: a huge page for the first byte would be a waste in each process */
	if (!ret && zero)
		madvise((void *)(s->addr + s->file_size), zero, MADV_NOHUGEPAGE);
	return ret;
}

int udf_image_map(struct udf_image *image, struct udf_error *err)
{
	const struct udf_file_header *h = image->header;
	int ret;

	if (image->nr_mapped)
		return udf_error_set(err, -EBUSY, "the kernel image is mapped already");
	while (image->nr_mapped < h->nr_segments) {
		ret = map_segment(image, &h->segment[image->nr_mapped], err);
		if (ret) {
			udf_image_unmap(image);
			return ret;
		}
		image->nr_mapped++;
	}
	return 0;
}

void udf_image_unmap(struct udf_image *image)
{
	while (image->nr_mapped) {
		const struct udf_file_segment *s = &image->header->segment[--image->nr_mapped];

		munmap((void *)s->addr, s->size);
	}
}
