// SPDX-License-Identifier: GPL-2.0
/*
 * Disks of a driver in another process. Host world; the connection's thread.
 *
 * The driver process tells of its table of disks; the application has a table of its own, whose ids stay when the driver
 * process is another one. A successor's disk takes a predecessor's place when it is the same: by serial number and WWID where it has
 * them, else by name and model; and of the same size and format. While an open disk waits for its like, another one of its
 * name is not offered.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "front/attach.h"

static struct host_front_disk *record(struct udf_attach *a, unsigned int slot)
{
	return &a->udf->news->table.disk[slot];
}

/* As the kernel world does it: readers of the table look at its sequence number. */
static void publish(struct udf_attach *a, unsigned int slot, const struct host_front_disk *r)
{
	struct host_front_table *t = &a->udf->news->table;

	__atomic_store_n(&t->seq, t->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	t->disk[slot] = *r;
	__atomic_store_n(&t->seq, t->seq + 1, __ATOMIC_RELEASE);
	udf_news_touch(a->udf->news);
}

static void retire(struct udf_attach *a, unsigned int slot)
{
	static const struct host_front_disk none;

	a->local[slot].remote = 0;
	a->local[slot].stale = false;
	publish(a, slot, &none);
}

static bool is_open(const struct udf_attach *a, unsigned int id)
{
	const struct udf_disk *d;

	for (d = a->disks; d; d = d->attached)
		if (d->id == id)
			return true;
	return false;
}

/* What the driver process says is made to be what a kernel's table can hold. */
static bool sane(struct host_front_disk *r)
{
	r->name[sizeof(r->name) - 1] = 0;
	r->serial[sizeof(r->serial) - 1] = 0;
	r->model[sizeof(r->model) - 1] = 0;
	r->wwid[sizeof(r->wwid) - 1] = 0;
	return r->name[0] && r->logical_block >= 512 && !(r->logical_block & (r->logical_block - 1)) &&
	       !(r->dma_alignment & (r->dma_alignment + 1));
}

/* ---- the same disk? ---- */

static bool has_identity(const struct host_front_disk *r)
{
	return r->serial[0] || r->wwid[0];
}

static bool same_identity(const struct host_front_disk *a, const struct host_front_disk *b)
{
	return !strcmp(a->serial, b->serial) && !strcmp(a->wwid, b->wwid) && !strcmp(a->model, b->model);
}

/* What of NOW is not as it was, in words; "" if nothing is. */
static const char *difference(const struct host_front_disk *was, const struct host_front_disk *now, char *buf, size_t len)
{
	buf[0] = 0;
	if (strcmp(was->serial, now->serial))
		snprintf(buf, len, "serial number %s instead of %s", now->serial, was->serial);
	else if (strcmp(was->wwid, now->wwid))
		snprintf(buf, len, "WWID %s instead of %s", now->wwid, was->wwid);
	else if (strcmp(was->model, now->model))
		snprintf(buf, len, "model %s instead of %s", now->model, was->model);
	else if (was->size != now->size)
		snprintf(buf, len, "%lu bytes instead of %lu", now->size, was->size);
	else if (was->logical_block != now->logical_block)
		snprintf(buf, len, "blocks of %u bytes instead of %u", now->logical_block, was->logical_block);
	else if ((was->flags ^ now->flags) & (HOST_DISK_ZONED | HOST_DISK_READ_ONLY))
		snprintf(buf, len, "%s", (was->flags ^ now->flags) & HOST_DISK_ZONED ? "zoned or not" : "read-only or not");
	return buf;
}

/*
 * The predecessor's disk that R may be: the one of its identity and name; of its identity alone, if that is a WWID, as names change;
 * or of its name alone. HOST_FRONT_DISKS: none.
 */
static unsigned int predecessor(struct udf_attach *a, const struct host_front_disk *r)
{
	unsigned int by_wwid = HOST_FRONT_DISKS, by_name = HOST_FRONT_DISKS, i;

	for (i = 0; i < HOST_FRONT_DISKS; i++) {
		const struct host_front_disk *was = record(a, i);
		bool name = !strcmp(was->name, r->name);

		if (!was->id || !a->local[i].stale)
			continue;
		if (name && same_identity(was, r))
			return i;
		if (has_identity(r) && r->wwid[0] && same_identity(was, r))
			by_wwid = i;
		if (name)
			by_name = i;
	}
	return by_wwid < HOST_FRONT_DISKS ? by_wwid : by_name;
}

/* ---- news ---- */

static unsigned int free_slot(struct udf_attach *a)
{
	unsigned int i;

	for (i = 0; i < HOST_FRONT_DISKS && record(a, i)->id; i++)
		;
	return i;
}

static void map(struct udf_attach *a, unsigned int slot, unsigned int local, struct host_front_disk *r, unsigned int id)
{
	a->slots[slot] = (int)local;
	a->local[local].remote = r->id;
	a->local[local].stale = false;
	r->id = id;
	publish(a, local, r);
	a->couple = true;
}

static void appeared(struct udf_attach *a, unsigned int slot, struct host_front_disk *r)
{
	unsigned int local = predecessor(a, r);
	char text[300];

	if (local < HOST_FRONT_DISKS) {
		const struct host_front_disk *was = record(a, local);

		if (!*difference(was, r, text, sizeof(text))) {
			map(a, slot, local, r, was->id);
			return;
		}
		if (is_open(a, was->id)) {
			snprintf(a->why, sizeof(a->why), "the driver's successor has another disk %s: %s", r->name, text);
			return;
		}
		retire(a, local);
	}
	local = free_slot(a);
	if (local < HOST_FRONT_DISKS)
		map(a, slot, local, r, ++a->generation * HOST_FRONT_DISKS + local);
}

int udf_attach_disk_news(struct udf_attach *a, const struct udf_msg *m)
{
	struct host_front_disk r = m->news.disk;
	int local;

	if (m->news.slot >= HOST_FRONT_DISKS || (r.id && (r.id % HOST_FRONT_DISKS != m->news.slot || !sane(&r))))
		return -EPROTO;
	local = a->slots[m->news.slot];
	if (local >= 0 && a->local[local].remote == r.id) {
		map(a, m->news.slot, (unsigned int)local, &r, record(a, (unsigned int)local)->id);
		return 0;
	}
	if (local >= 0) {
		retire(a, (unsigned int)local);
		a->slots[m->news.slot] = -1;
	}
	if (r.id)
		appeared(a, m->news.slot, &r);
	return 0;
}

void udf_attach_disks_stale(struct udf_attach *a)
{
	struct udf_disk *d;
	unsigned int i;

	for (i = 0; i < HOST_FRONT_DISKS; i++) {
		a->slots[i] = -1;
		a->local[i].remote = 0;
		a->local[i].stale = record(a, i)->id != 0;
	}
	for (d = a->disks; d; d = d->attached)
		atomic_store(&d->remote, 0);
}

/* ---- open disks ---- */

/* The id of DISK at the driver process, 0: it is not there (yet). */
static unsigned int remote_id(struct udf_attach *a, const struct udf_disk *disk)
{
	unsigned int local = disk->id % HOST_FRONT_DISKS;

	return record(a, local)->id == disk->id ? a->local[local].remote : 0;
}

static int open_remote(struct udf_attach *a, struct udf_disk *disk)
{
	unsigned int id = remote_id(a, disk);
	struct udf_msg m = { .type = UDF_MSG_DISK_OPEN, .disk.disk = id };
	struct udf_queue *q;
	int err = id ? udf_attach_call(a, &m, -1) : -ENODEV;

	if (err)
		return err;
	atomic_store(&disk->remote, id);
	for (q = a->queues; q; q = q->attached)
		udf_attach_queue_push(q, disk);
	return 0;
}

/* A disk that was there and is gone, while its driver lives: requests for it fail there, as they do for its other users. */
static bool is_gone(struct udf_attach *a, const struct udf_disk *disk)
{
	return record(a, disk->id % HOST_FRONT_DISKS)->id != disk->id;
}

int udf_attach_couple(struct udf_attach *a)
{
	struct udf_disk *d;
	int err;

	a->couple = false;
	for (d = a->disks; d; d = d->attached) {
		if (atomic_load(&d->remote) || !remote_id(a, d))
			continue;
		err = open_remote(a, d);
		if (err == -ECONNRESET)
			return err;
		if (err)
			snprintf(a->why, sizeof(a->why), "the driver's successor does not open the disk: %s", strerror(-err));
	}
	return 0;
}

bool udf_attach_coupled(const struct udf_attach *a)
{
	const struct udf_disk *d;

	for (d = a->disks; d; d = d->attached)
		if (!atomic_load(&d->remote) && !is_gone((struct udf_attach *)a, d))
			return false;
	return true;
}

int udf_attach_run_disk_open(struct udf_attach *a, void *object)
{
	struct udf_disk *disk = object;
	int err = open_remote(a, disk);

	if (err)
		return err;
	disk->attached = a->disks;
	a->disks = disk;
	return 0;
}

int udf_attach_run_disk_forget(struct udf_attach *a, void *object)
{
	struct udf_disk **p;

	for (p = &a->disks; *p && *p != object; p = &(*p)->attached)
		;
	if (*p)
		*p = (*p)->attached;
	return 0;
}

/* Opened twice here, it is open once there. */
int udf_attach_run_disk_close(struct udf_attach *a, void *object)
{
	struct udf_disk *disk = object;
	struct udf_msg m = { .type = UDF_MSG_DISK_CLOSE, .disk.disk = atomic_load(&disk->remote) };

	udf_attach_run_disk_forget(a, disk);
	return m.disk.disk && !is_open(a, disk->id) ? udf_attach_call(a, &m, -1) : 0;
}
