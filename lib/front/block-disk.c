// SPDX-License-Identifier: GPL-2.0
/* Disks that become block devices of the machine's kernel: announced, changed, gone; see block.h. Host world. */
#include "front/block-int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "port/port.h"

/* ---- what is said ---- */

static void set_state(struct udf_block *b, struct udf_block_disk *d, enum udf_block_state state, const char *why)
{
	pthread_mutex_lock(&b->lock);
	d->state = state;
	snprintf(d->why, sizeof(d->why), "%s", why);
	pthread_mutex_unlock(&b->lock);
	udf_news_touch(b->udf->news);
}

/* No block device is made of D; said once. */
static void refuse(struct udf_block *b, struct udf_block_disk *d, const char *fmt, ...)
{
	char why[sizeof(d->why)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	if (d->state != UDF_BLOCK_REFUSED || strcmp(d->why, why))
		udf_log_notice("%s does not become a block device of the kernel: %s", d->is.name, why);
	set_state(b, d, UDF_BLOCK_REFUSED, why);
}

/* The block device waits for another disk than this one. */
static void differs(struct udf_block *b, struct udf_block_disk *d, unsigned int how)
{
	const char *why = how & UDF_PORT_DIFFERS_SERIAL ? "the serial number differs" :
			  how & UDF_PORT_DIFFERS_SIZE ? "the size differs" : "the format of its blocks or zones differs, or it is read-only now";

	if (d->state != UDF_BLOCK_DIFFERS || strcmp(d->why, why))
		udf_log_error("/dev/udf-%s-%s waits for another disk than the %s that is there: %s (serial %s, %lu bytes, blocks of %u). It goes on "
			      "when its disk is back; 'udf unbind %s' gives it up",
			      b->port->address, d->is.name, d->is.name, why, d->is.serial[0] ? d->is.serial : "unknown", d->is.size,
			      d->is.logical_block, b->port->address);
	set_state(b, d, UDF_BLOCK_DIFFERS, why);
}

enum udf_block_state udf_block_state(struct udf *udf, const char *name, char *text, size_t len)
{
	struct udf_block *b = atomic_load(&udf->block);
	enum udf_block_state state = UDF_BLOCK_NONE;
	unsigned int i;

	snprintf(text, len, "%s", "");
	if (!b)
		return state;
	pthread_mutex_lock(&b->lock);
	for (i = 0; i < HOST_FRONT_DISKS; i++) {
		const struct udf_block_disk *d = &b->disk[i];

		if (!d->is.id || strcmp(d->is.name, name))
			continue;
		state = d->state;
		if (state == UDF_BLOCK_COUPLED)
			snprintf(text, len, "/dev/udf-%s-%s", b->port->address, name);
		else
			snprintf(text, len, "%s", d->why);
		break;
	}
	pthread_mutex_unlock(&b->lock);
	return state;
}

/* ---- announcing ---- */

/* Why R cannot be a block device; NULL: it can. */
static const char *unsuitable(const struct host_front_disk *r)
{
	size_t len = strlen(r->name);

	if (!len || len > UDF_PORT_DISK_NAME_MAX || strspn(r->name, UDF_PORT_DISK_NAME_CHARS) != len)
		return "its name is too long, or has other characters than letters, digits, - and _";
	return NULL;
}

/* What is not printable would be refused. */
static void copy_text(char *to, size_t len, const char *from)
{
	size_t i;

	for (i = 0; i + 1 < len && from[i]; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	to[i] = 0;
}

static void describe(struct udf_port_block_disk *p, const struct host_front_disk *r)
{
	static const struct {
		unsigned int host, port;
	} flags[] = {
		{ HOST_DISK_READ_ONLY, UDF_PORT_DISK_READ_ONLY }, { HOST_DISK_WRITE_CACHE, UDF_PORT_DISK_WRITE_CACHE },
		{ HOST_DISK_FUA, UDF_PORT_DISK_FUA }, { HOST_DISK_ROTATIONAL, UDF_PORT_DISK_ROTATIONAL },
		{ HOST_DISK_REMOVABLE, UDF_PORT_DISK_REMOVABLE },
	};

	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (r->flags & flags[i].host)
			p->flags |= flags[i].port;
	p->id = r->id;
	p->logical_block = r->logical_block;
	p->physical_block = r->physical_block;
	p->io_min = r->io_min;
	p->io_opt = r->io_opt;
	p->max_bytes = r->max_bytes < UDF_RING_LENGTH_MAX ? r->max_bytes : UDF_RING_LENGTH_MAX;
	p->max_segments = r->max_segments < UDF_RING_SEGMENTS_MAX ? r->max_segments : UDF_RING_SEGMENTS_MAX;
	p->max_segment_size = r->max_segment_size;
	p->dma_alignment = r->dma_alignment;
	p->discard_granularity = r->discard_granularity;
	p->discard_alignment = r->discard_alignment;
	p->virt_boundary = (unsigned int)r->virt_boundary;
	p->size = r->size;
	p->max_discard = r->max_discard;
	p->max_write_zeroes = r->max_write_zeroes;
	p->flags |= r->zone_size ? UDF_PORT_DISK_ZONED : 0;
	p->zone_size = r->zone_size;
	p->zone_max_append = r->zone_max_append;
	p->zone_max_open = r->zone_max_open;
	p->zone_max_active = r->zone_max_active;
	p->zone_write_granularity = r->zone_write_granularity;
	copy_text(p->name, sizeof(p->name), r->name);
	copy_text(p->serial, sizeof(p->serial), r->serial);
	copy_text(p->model, sizeof(p->model), r->model);
	copy_text(p->wwid, sizeof(p->wwid), r->wwid);
}

static int open_disk(struct udf_block *b, struct udf_block_disk *d)
{
	struct host_front_command c = { .op = HOST_FRONT_OPEN, .disk = d->is.id };
	int err = d->open ? 0 : udf_command(b->udf, &c);

	if (!err)
		d->open = true;
	return err;
}

static void close_disk(struct udf_block *b, struct udf_block_disk *d)
{
	struct host_front_command c = { .op = HOST_FRONT_CLOSE, .disk = d->is.id };

	if (d->open)
		udf_command(b->udf, &c);	/* a disk that has gone was closed with it */
	d->open = false;
}

/* Tell the kernel of D as it is now. It is open before: requests may come at once. */
static void announce(struct udf_block *b, struct udf_block_disk *d)
{
	const char *why = unsuitable(&d->is);
	struct udf_port_block_disk p;
	int err;

	if (why) {
		refuse(b, d, "%s", why);
		return;
	}
	err = udf_block_start(b);
	if (err) {
		set_state(b, d, UDF_BLOCK_REFUSED, b->why);
		return;
	}
	err = open_disk(b, d);
	if (err) {
		/* -ENODEV: it has gone already, or all has */
		if (err != -ENODEV)
			refuse(b, d, "it cannot be opened: %s", strerror(-err));
		return;
	}
	describe(&p, &d->is);
	err = b->ops->disk(b->port, &p);
	if (!err && !p.differs) {
		set_state(b, d, UDF_BLOCK_COUPLED, "");
		return;
	}
	/* it has changed, into one that cannot be a block device, so that there is none for it any more */
	if (err && err != -ENODEV && d->state == UDF_BLOCK_COUPLED)
		b->ops->gone(b->port, d->is.id);
	close_disk(b, d);
	if (!err)
		differs(b, d, p.differs);
	else if (err == -EOPNOTSUPP)
		refuse(b, d, "it is zoned, for which udf_port.ko has nothing with this kernel, or its size has changed meanwhile");
	else if (err == -EMFILE)
		refuse(b, d, "the port has %u already", UDF_PORT_DISKS_MAX);
	else if (err != -ENODEV)
		refuse(b, d, "%s", strerror(-err));
}

static void gone(struct udf_block *b, struct udf_block_disk *d)
{
	/* the port is lost, if that fails, and its block devices wait for another process */
	if (d->state == UDF_BLOCK_COUPLED)
		b->ops->gone(b->port, d->is.id);
	close_disk(b, d);
	pthread_mutex_lock(&b->lock);
	memset(d, 0, sizeof(*d));
	pthread_mutex_unlock(&b->lock);
}

/* ---- the table ---- */

static void look_at(struct udf_block *b, unsigned int slot)
{
	struct udf_block_disk *d = &b->disk[slot];
	struct host_front_disk now;

	udf_news_disk(b->udf->news, slot, &now);
	if (!memcmp(&now, &d->is, sizeof(now)))
		return;
	if (d->is.id && d->is.id != now.id)
		gone(b, d);
	if (!now.id)
		return;
	pthread_mutex_lock(&b->lock);
	d->is = now;
	pthread_mutex_unlock(&b->lock);
	announce(b, d);
}

/* What is gone before what has come: it may have the same name. */
void udf_block_look(struct udf_block *b)
{
	struct host_front_disk now;
	unsigned int i;

	for (i = 0; i < HOST_FRONT_DISKS; i++) {
		udf_news_disk(b->udf->news, i, &now);
		if (b->disk[i].is.id && b->disk[i].is.id != now.id && !atomic_load(&b->udf->lost))
			gone(b, &b->disk[i]);
	}
	for (i = 0; i < HOST_FRONT_DISKS && !atomic_load(&b->udf->lost); i++)
		look_at(b, i);
}

void udf_block_close_disks(struct udf_block *b)
{
	for (unsigned int i = 0; i < HOST_FRONT_DISKS; i++)
		close_disk(b, &b->disk[i]);
}
