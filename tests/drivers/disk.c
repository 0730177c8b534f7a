// SPDX-License-Identifier: GPL-2.0
/* Does the first disk keep what is written: through the driver, and in the backing file. Host world. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drive.h"

#define LEN (512u << 10)

static void fill(unsigned char *p, size_t n, uint64_t seed)
{
	for (; n--; p++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		*p = (unsigned char)(seed >> 56);
	}
}

static bool same_in_file(struct drive *d, const unsigned char *want, uint64_t offset)
{
	unsigned char *got = malloc(LEN);
	int fd = open(d->file, O_RDONLY | O_CLOEXEC);
	bool same = got && fd >= 0 && pread(fd, got, LEN, (off_t)offset) == LEN && !memcmp(got, want, LEN);

	if (fd >= 0)
		close(fd);
	free(got);
	return same || drive_fail(d, "what was written to the disk is not in the backing file");
}

/* Write, flush, read back. */
static bool keeps(struct drive *d, struct udf_disk *disk, uint64_t offset, unsigned char *want, unsigned char *got)
{
	int err;

	fill(want, LEN, offset + 1);
	memset(got, 0, LEN);
	if ((err = udf_pwrite(NULL, disk, want, LEN, offset, 0)) || (err = udf_pflush(NULL, disk)))
		return drive_fail(d, "the disk cannot be written: %s", strerror(-err));
	if ((err = udf_pread(NULL, disk, got, LEN, offset)))
		return drive_fail(d, "the disk cannot be read: %s", strerror(-err));
	if (memcmp(got, want, LEN))
		return drive_fail(d, "the disk does not hold what was written");
	return !d->file || same_in_file(d, want, offset);
}

static bool ends_keep(struct drive *d, struct udf_disk *disk)
{
	unsigned char *want = malloc(2 * LEN);
	struct udf_disk_info info;
	int err = udf_disk_info(disk, &info);
	bool works;

	if (err || !want || info.size < 2 * LEN) {
		free(want);
		return drive_fail(d, "the disk has no room");
	}
	works = keeps(d, disk, 0, want, want + LEN) && keeps(d, disk, info.size - LEN, want, want + LEN);
	free(want);
	return works;
}

bool disk_works(struct drive *d)
{
	struct udf_disk_info first;
	struct udf_disk *disk;
	bool works;
	int err = udf_wait_disks(d->udf, 1, WAIT_S * 1000);

	if (err < 1 || udf_disks(d->udf, &first, 1) < 1)
		return drive_fail(d, "no disk after %u s", WAIT_S);
	err = udf_disk_open(d->udf, first.name, &disk);
	if (err)
		return drive_fail(d, "disk %s cannot be opened: %s", first.name, strerror(-err));
	works = ends_keep(d, disk);
	udf_disk_close(disk);
	return works;
}
