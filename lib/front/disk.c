// SPDX-License-Identifier: GPL-2.0
/* Disks: the kernel world's table as an application sees it. Host world. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "front/attach.h"
#include "front/internal.h"

static void convert(struct udf_disk_info *info, const struct host_front_disk *r)
{
	memset(info, 0, sizeof(*info));
	memcpy(info->name, r->name, sizeof(info->name));
	memcpy(info->serial, r->serial, sizeof(info->serial));
	memcpy(info->model, r->model, sizeof(info->model));
	memcpy(info->wwid, r->wwid, sizeof(info->wwid));
	info->size = r->size;
	info->flags = r->flags;
	info->logical_block = r->logical_block;
	info->physical_block = r->physical_block;
	info->io_min = r->io_min;
	info->io_opt = r->io_opt;
	info->max_bytes = r->max_bytes;
	info->max_segments = r->max_segments;
	info->buffer_align = r->dma_alignment + 1;
	info->max_discard = r->max_discard;
	info->discard_granularity = r->discard_granularity;
	info->discard_alignment = r->discard_alignment;
	info->max_write_zeroes = r->max_write_zeroes;
}

_Static_assert((int)UDF_DISK_READ_ONLY == (int)HOST_DISK_READ_ONLY && (int)UDF_DISK_WRITE_CACHE == (int)HOST_DISK_WRITE_CACHE &&
	       (int)UDF_DISK_FUA == (int)HOST_DISK_FUA && (int)UDF_DISK_ROTATIONAL == (int)HOST_DISK_ROTATIONAL &&
	       (int)UDF_DISK_ZONED == (int)HOST_DISK_ZONED && (int)UDF_DISK_REMOVABLE == (int)HOST_DISK_REMOVABLE,
	       "the flags are the contract's");
_Static_assert(sizeof(((struct udf_disk_info *)0)->wwid) == sizeof(((struct host_front_disk *)0)->wwid), "texts fit");

static int by_id(const void *a, const void *b)
{
	const struct host_front_disk *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* All disks in the order they came, to be freed; *N is how many. NULL: no memory. */
static struct host_front_disk *list_disks(struct udf *udf, unsigned int *n)
{
	struct host_front_disk *list = calloc(HOST_FRONT_DISKS, sizeof(*list));
	unsigned int i;

	*n = 0;
	if (!list)
		return NULL;
	for (i = 0; i < HOST_FRONT_DISKS; i++) {
		udf_news_disk(udf->news, i, &list[*n]);
		if (list[*n].id)
			(*n)++;
	}
	qsort(list, *n, sizeof(*list), by_id);
	return list;
}

int udf_disks(struct udf *udf, struct udf_disk_info *info, unsigned int max)
{
	struct host_front_disk *list;
	unsigned int n, i;

	if (atomic_load(&udf->lost))
		return -ENODEV;
	list = list_disks(udf, &n);
	if (!list)
		return -ENOMEM;
	for (i = 0; i < n && i < max; i++)
		convert(&info[i], &list[i]);
	free(list);
	return n;
}

/* Sleep until the table is no longer at SEEN, until DEADLINE (0: none). Returns 0, -ETIMEDOUT or -ENODEV. */
static int wait_change(struct udf *udf, unsigned int seen, uint64_t deadline)
{
	while (!atomic_load(&udf->lost)) {
		uint64_t now = udf_now();

		if (udf_news_changes(udf->news) != seen)
			return 0;
		if (deadline && now >= deadline)
			return -ETIMEDOUT;
		udf_news_wait(udf->news, seen, deadline ? (int64_t)(deadline - now) : -1);
	}
	return -ENODEV;
}

static uint64_t deadline_of(int timeout_ms)
{
	return timeout_ms < 0 ? 0 : udf_now() + timeout_ms * 1000000ull;
}

int udf_wait_disks(struct udf *udf, unsigned int count, int timeout_ms)
{
	uint64_t deadline = deadline_of(timeout_ms);

	for (;;) {
		unsigned int seen = udf_news_changes(udf->news);
		int n = udf_disks(udf, NULL, 0), err;

		if (n < 0 || (unsigned int)n >= count)
			return n;
		err = wait_change(udf, seen, deadline);
		if (err)
			return err;
	}
}

int udf_wait_change(struct udf *udf, unsigned int *seen, int timeout_ms)
{
	int err = wait_change(udf, *seen, deadline_of(timeout_ms));

	if (!err)
		*seen = udf_news_changes(udf->news);
	return err;
}

static int find(struct udf *udf, const char *name, struct host_front_disk *out)
{
	struct host_front_disk *list;
	unsigned int n, i;
	int err = -ENOENT;

	list = list_disks(udf, &n);
	if (!list)
		return -ENOMEM;
	if (!name && n > 1)
		err = -ENOTUNIQ;
	for (i = 0; i < n && err == -ENOENT; i++) {
		if (name && strcmp(list[i].name, name))
			continue;
		*out = list[i];
		err = 0;
	}
	free(list);
	return err;
}

static void cache(struct udf_disk *disk, const struct host_front_disk *r)
{
	atomic_store(&disk->size, r->size);
	atomic_store(&disk->flags, r->flags);
}

int udf_disk_open(struct udf *udf, const char *name, struct udf_disk **out)
{
	struct host_front_command c = { .op = HOST_FRONT_OPEN };
	unsigned int seen = udf_news_changes(udf->news);
	struct host_front_disk r;
	struct udf_disk *disk;
	int err;

	if (atomic_load(&udf->lost))
		return -ENODEV;
	err = find(udf, name, &r);
	if (err)
		return err;
	disk = calloc(1, sizeof(*disk));
	if (!disk)
		return -ENOMEM;
	disk->udf = udf;
	disk->id = r.id;
	disk->block_mask = r.logical_block - 1;
	disk->align_mask = r.dma_alignment;
	atomic_store(&disk->seen, seen);
	cache(disk, &r);
	c.disk = r.id;
	err = udf->attach ? udf_attach_disk_open(disk) : udf_command(udf, &c);
	if (err) {
		free(disk);
		return err;
	}

	pthread_mutex_lock(&udf->lock);
	disk->next = udf->disks;
	udf->disks = disk;
	pthread_mutex_unlock(&udf->lock);
	*out = disk;
	return 0;
}

void udf_disk_close(struct udf_disk *disk)
{
	struct host_front_command c = { .op = HOST_FRONT_CLOSE };
	struct udf_disk **p;
	struct udf *udf;

	if (!disk)
		return;
	udf = disk->udf;
	c.disk = disk->id;
	pthread_mutex_lock(&udf->lock);
	for (p = &udf->disks; *p && *p != disk; p = &(*p)->next)
		;
	if (*p)
		*p = disk->next;
	pthread_mutex_unlock(&udf->lock);
	if (udf->attach)
		udf_attach_disk_close(disk);
	else
		udf_command(udf, &c);	/* a disk that has gone was closed with it */
	free(disk);
}

int udf_disk_info(struct udf_disk *disk, struct udf_disk_info *info)
{
	struct host_front_disk r;

	udf_news_disk(disk->udf->news, disk->id % HOST_FRONT_DISKS, &r);
	if (r.id != disk->id || atomic_load(&disk->udf->lost))
		return -ENODEV;
	convert(info, &r);
	return 0;
}

int udf_disk_refresh(struct udf_disk *disk)
{
	unsigned int now = udf_news_changes(disk->udf->news);
	struct host_front_disk r;

	if (atomic_load_explicit(&disk->seen, memory_order_relaxed) == now)
		return 0;
	udf_news_disk(disk->udf->news, disk->id % HOST_FRONT_DISKS, &r);
	if (r.id != disk->id)
		return -ENODEV;	/* not marked as seen: the next call fails as well */
	cache(disk, &r);
	atomic_store_explicit(&disk->seen, now, memory_order_relaxed);
	return 0;
}
