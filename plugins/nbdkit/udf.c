// SPDX-License-Identifier: GPL-2.0
/*
 * nbdkit plugin: a disk of a port, driven by the stock Linux driver in nbdkit's own process or in another one, for every NBD client. Host
 * world.
 *
 *	nbdkit -f -U disk.sock ./build/nbdkit-udf-plugin.so device=qemu:MODEL,serial=a drive=disk.img
 *	nbdkit -f -U disk.sock ./build/nbdkit-udf-plugin.so port=driver.sock
 *
 * Each connection has a queue to a vCPU of its own, connections in turn; its requests run in parallel.
 */
#define NBDKIT_API_VERSION 2
#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <json-c/json.h>
#include <nbdkit-plugin.h>

#include "udf/udf.h"

#define QUEUE_DEPTH 128

static struct udf_options *options;
static char *disk_name;
static int timeout_s = 10;
static char *stats_file;
static bool has_device, is_attached;

static struct udf *port;
static struct udf_disk *disk;
static uint64_t ready_ns;		/* from the start of the driver until its disk could be used */
static struct udf_stats at_start;	/* what was counted until then */

struct connection {
	struct udf_queue *queue;
	struct udf_disk_info info;
};

/* ---- configuration ---- */

/* Errors; and warnings where they are not the kernel's but the connection's: the driver has gone. */
static void udf_plugin_log(void *arg, int level, const char *text)
{
	if (level <= (is_attached ? 4 : 3))
		nbdkit_error("%s", text);
	else
		nbdkit_debug("%s", text);
}

static int udf_plugin_config(const char *key, const char *value)
{
	if (!options)
		options = udf_options_new();
	if (!options) {
		nbdkit_error("no memory");
		return -1;
	}
	if (!strcmp(key, "disk")) {
		free(disk_name);
		disk_name = strdup(value);
		return disk_name ? 0 : -1;
	}
	if (!strcmp(key, "stats")) {
		free(stats_file);
		stats_file = nbdkit_absolute_path(value);
		return stats_file ? 0 : -1;
	}
	if (!strcmp(key, "timeout"))
		return nbdkit_parse_int(key, value, &timeout_s);
	if (!strcmp(key, "device") || !strcmp(key, "port"))
		has_device = true;
	if (!strcmp(key, "port"))
		is_attached = true;
	if (udf_options_set(options, key, value)) {
		nbdkit_error("%s", udf_options_error(options));
		return -1;
	}
	return 0;
}

static int udf_plugin_config_complete(void)
{
	if (has_device)
		return 0;
	nbdkit_error("device=SPEC or port=SOCKET is missing, as in device=qemu:MODEL,KEY=VALUE");
	return -1;
}

#define udf_plugin_config_help \
	"device=SPEC          the port, as in qemu:MODEL,KEY=VALUE,...\n" \
	"port=SOCKET          or a port whose driver runs in another process, as udf run --serve SOCKET;\n" \
	"                     of the following only disk, memory and the timeouts are for this\n" \
	"on-loss=wait|fail    what becomes of requests when that process ends (default wait: for another one)\n" \
	"loss-timeout=SECONDS how long to wait for it (default: for ever)\n" \
	"disk=NAME            which disk, if the driver offers several\n" \
	"backend=ARGS         for QEMU, repeatable: one further argument; ARGS that begin\n" \
	"                     with '-' are divided at blanks\n" \
	"drive=FILE[,format=FORMAT]  for QEMU: a disk image to back the device\n" \
	"size=SIZE            for QEMU: back it with SIZE bytes that keep nothing\n" \
	"function=N           which function of a multi-port card\n" \
	"module=NAME          the driver (default: found by the device's modalias)\n" \
	"param=NAME=VALUE     repeatable: a module parameter\n" \
	"cpus=N               vCPUs, 1 to 8\n" \
	"memory=MIB, memory-max=MIB  the driver's memory, at the start and at most\n" \
	"release=RELEASE, image=FILE, modules=DIR, kapi=FILE, cache=DIR  the kernel to use\n" \
	"timeout=SECONDS      how long to wait for the disk (default 10)\n" \
	"stats=FILE           at the end write there, as JSON, what ran and what it did\n" \
	"close-timeout=SECONDS  how long to wait for requests at the end (default 30)"

/* ---- the port ---- */

static int open_disk(void)
{
	int err = udf_wait_disks(port, 1, timeout_s * 1000);

	/* A disk that is named may not be the first to come. */
	while (err >= 0 && (err = udf_disk_open(port, disk_name, &disk)) == -ENOENT) {
		int n = udf_disks(port, NULL, 0);

		err = n < 0 ? n : udf_wait_disks(port, n + 1, timeout_s * 1000);
	}
	if (!err)
		return 0;
	if (err == -ENOTUNIQ)
		nbdkit_error("the driver offers several disks: disk=NAME says which");
	else
		nbdkit_error("disk %s: %s", disk_name ? disk_name : "", err == -ETIMEDOUT ? "the driver does not offer it" : strerror(-err));
	return -1;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
}

static struct json_object *modules_json(void)
{
	struct json_object *list = json_object_new_array();
	int n = udf_modules(port, NULL, 0), i;
	struct udf_module_info *info;

	if (n < 0)	/* the driver is in another process */
		n = 0;
	info = calloc(n + 1, sizeof(*info));

	if (info && udf_modules(port, info, n) < n)
		n = 0;
	for (i = 0; info && i < n; i++) {
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "name", json_object_new_string(info[i].name));
		json_object_object_add(o, "file", json_object_new_string(info[i].file));
		json_object_array_add(list, o);
	}
	free(info);
	return list;
}

static void write_stats(void)
{
	struct json_object *o = json_object_new_object();
	struct udf_stats s;

	udf_stats(port, &s);
	json_object_object_add(o, "modules", modules_json());
	json_object_object_add(o, "cpus", json_object_new_int(udf_cpus(port)));
	json_object_object_add(o, "ready_ns", json_object_new_uint64(ready_ns));
	json_object_object_add(o, "requests", json_object_new_uint64(s.requests));
	json_object_object_add(o, "bytes_read", json_object_new_uint64(s.bytes_read));
	json_object_object_add(o, "bytes_written", json_object_new_uint64(s.bytes_written));
	json_object_object_add(o, "bounced", json_object_new_uint64(s.bounced));
	json_object_object_add(o, "kicks", json_object_new_uint64(s.kicks));
	json_object_object_add(o, "idle_sleeps", json_object_new_uint64(s.idle_sleeps));
	json_object_object_add(o, "interrupts", json_object_new_uint64(s.interrupts));
	json_object_object_add(o, "interrupts_at_start", json_object_new_uint64(at_start.interrupts));
	json_object_object_add(o, "privileged_calls", json_object_new_uint64(s.privileged_calls));
	json_object_object_add(o, "privileged_calls_at_start", json_object_new_uint64(at_start.privileged_calls));
	if (json_object_to_file_ext(stats_file, o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE))
		nbdkit_error("%s: %s", stats_file, json_util_get_last_err());
	json_object_put(o);
}

static void close_port(void)
{
	udf_close(port);	/* its disk with it */
	port = NULL;
	disk = NULL;
}

/* The driver has threads: it starts when nbdkit no longer forks. */
static int udf_plugin_after_fork(void)
{
	uint64_t start = now();
	int err;

	udf_options_log(options, udf_plugin_log, NULL);
	err = udf_open(options, &port);
	if (err) {
		nbdkit_error("%s", *udf_options_error(options) ? udf_options_error(options) : strerror(-err));
		return -1;
	}
	if (open_disk()) {
		close_port();
		return -1;
	}
	ready_ns = now() - start;
	udf_stats(port, &at_start);
	return 0;
}

static void udf_plugin_cleanup(void)
{
	if (stats_file && port)
		write_stats();
	close_port();
}

static void udf_plugin_unload(void)
{
	close_port();	/* when nbdkit ends without serving */
	udf_options_free(options);
	free(disk_name);
	free(stats_file);
}

/* ---- connections ---- */

static void *udf_plugin_open(int readonly)
{
	struct connection *c = calloc(1, sizeof(*c));
	int err;

	if (!c) {
		nbdkit_error("no memory");
		return NULL;
	}
	err = udf_disk_info(disk, &c->info);
	if (!err)
		err = udf_queue_open(port, -1, QUEUE_DEPTH, 0, &c->queue);
	if (err) {
		nbdkit_error("%s", udf_lost(port) ? udf_lost(port) : strerror(-err));
		free(c);
		return NULL;
	}
	return c;
}

static void udf_plugin_close(void *handle)
{
	struct connection *c = handle;

	udf_queue_close(c->queue);
	free(c);
}

static int64_t udf_plugin_get_size(void *handle)
{
	return ((struct connection *)handle)->info.size;
}

static int udf_plugin_block_size(void *handle, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum)
{
	const struct udf_disk_info *d = &((struct connection *)handle)->info;

	*minimum = d->logical_block;
	*preferred = d->physical_block > 4096 ? d->physical_block : 4096;
	if (d->io_opt > *preferred && !(d->io_opt & (d->io_opt - 1)) && d->io_opt <= 32u << 20)
		*preferred = d->io_opt;
	*maximum = 64u << 20;	/* the most that nbdkit takes; longer than the driver's limit is divided here */
	return 0;
}

static int udf_plugin_can_write(void *handle)
{
	return !(((struct connection *)handle)->info.flags & UDF_DISK_READ_ONLY);
}

static int udf_plugin_can_trim(void *handle)
{
	return ((struct connection *)handle)->info.max_discard > 0;
}

static int udf_plugin_can_fast_zero(void *handle)
{
	return ((struct connection *)handle)->info.max_write_zeroes > 0;
}

static int udf_plugin_is_rotational(void *handle)
{
	return !!(((struct connection *)handle)->info.flags & UDF_DISK_ROTATIONAL);
}

static int udf_plugin_yes(void *handle)
{
	return 1;
}

static int udf_plugin_can_fua(void *handle)
{
	return NBDKIT_FUA_NATIVE;
}

/* ---- requests ---- */

/* The NBD protocol knows few errors; the rest are its EIO. */
static int finish(int err)
{
	if (!err)
		return 0;
	switch (-err) {
	case ENODEV:
	case ESHUTDOWN:
		nbdkit_set_error(ESHUTDOWN);
		break;
	case EINVAL:
	case ENOMEM:
	case ENOSPC:
	case EOPNOTSUPP:
		nbdkit_set_error(-err);
		break;
	case EROFS:
		nbdkit_set_error(EPERM);
		break;
	default:
		nbdkit_set_error(EIO);
	}
	nbdkit_debug("request failed: %s", strerror(-err));
	return -1;
}

static int udf_plugin_pread(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
	return finish(udf_pread(((struct connection *)handle)->queue, disk, buf, count, offset));
}

static int udf_plugin_pwrite(void *handle, const void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
	unsigned int fua = flags & NBDKIT_FLAG_FUA ? UDF_FUA : 0;

	return finish(udf_pwrite(((struct connection *)handle)->queue, disk, buf, count, offset, fua));
}

static int udf_plugin_flush(void *handle, uint32_t flags)
{
	return finish(udf_pflush(((struct connection *)handle)->queue, disk));
}

static int udf_plugin_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	struct udf_queue *q = ((struct connection *)handle)->queue;
	int err = udf_pdiscard(q, disk, offset, count);

	if (!err && flags & NBDKIT_FLAG_FUA)
		err = udf_pflush(q, disk);
	return finish(err);
}

static int udf_plugin_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	unsigned int f = 0;

	if (flags & NBDKIT_FLAG_FUA)
		f |= UDF_FUA;
	if (!(flags & NBDKIT_FLAG_MAY_TRIM))
		f |= UDF_NO_UNMAP;
	if (flags & NBDKIT_FLAG_FAST_ZERO)
		f |= UDF_FAST_ONLY;
	return finish(udf_pwrite_zeroes(((struct connection *)handle)->queue, disk, offset, count, f));
}

static struct nbdkit_plugin plugin = {
	.name = "udf",
	.longname = "UDF: disks of stock Linux drivers in user space",
	.version = UDF_VERSION,
	.description = "Exports a disk of a port, driven by its stock Linux driver in this process or in another one.",
	.config = udf_plugin_config,
	.config_complete = udf_plugin_config_complete,
	.config_help = udf_plugin_config_help,
	.magic_config_key = "device",
	.after_fork = udf_plugin_after_fork,
	.cleanup = udf_plugin_cleanup,
	.unload = udf_plugin_unload,
	.open = udf_plugin_open,
	.close = udf_plugin_close,
	.get_size = udf_plugin_get_size,
	.block_size = udf_plugin_block_size,
	.can_write = udf_plugin_can_write,
	.can_flush = udf_plugin_yes,
	.can_fua = udf_plugin_can_fua,
	.can_trim = udf_plugin_can_trim,
	.can_zero = udf_plugin_yes,
	.can_fast_zero = udf_plugin_can_fast_zero,
	.can_multi_conn = udf_plugin_yes,
	.is_rotational = udf_plugin_is_rotational,
	.pread = udf_plugin_pread,
	.pwrite = udf_plugin_pwrite,
	.flush = udf_plugin_flush,
	.trim = udf_plugin_trim,
	.zero = udf_plugin_zero,
};

NBDKIT_REGISTER_PLUGIN(plugin)
