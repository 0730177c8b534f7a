// SPDX-License-Identifier: GPL-2.0
/* The thread that drives libudf: opens the port, goes behind the walls, reports what changes, closes the port. Host world. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/config.h"
#include "common/log.h"
#include "driver/driver.h"
#include "front/block.h"
#include "front/internal.h"
#include "host/linux/host.h"
#include "port/qemu.h"

#define DISKS_MAX 64	/* that are described; the rest are counted */

/* Serves the client at the other end of a connection, which it takes over: the attached front end's, where that is built in. */
int udf_serve_client(struct udf *udf, int fd) __attribute__((weak));

/* ---- options ---- */

static int set_option(struct udf_options *o, const char *name, const char *value)
{
	char device[512];

	if (!strcmp(name, "device") && driver.device > 0) {
		snprintf(device, sizeof(device), "%s,fd=%d", value, driver.device);
		value = device;
	}
	return udf_options_set(o, name, value);
}

/* Set what an array of [NAME, VALUE] says. Returns 0 or a negative errno. */
static int set_options(struct udf_options *o, struct json_object *list)
{
	size_t i;

	for (i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *pair = json_object_array_get_idx(list, i);
		const char *name, *value;
		int ret;

		if (!json_object_is_type(pair, json_type_array) || json_object_array_length(pair) != 2)
			return -EINVAL;
		name = json_object_get_string(json_object_array_get_idx(pair, 0));
		value = json_object_get_string(json_object_array_get_idx(pair, 1));
		ret = name && value ? set_option(o, name, value) : -EINVAL;
		if (ret)
			return ret;
	}
	return 0;
}

static void set_priority(struct json_object *start, pid_t tid)
{
	const char *affinity = udf_packet_text(start, "affinity", NULL);
	cpu_set_t set;

	if (affinity && (!udf_parse_cpus(affinity, &set) || sched_setaffinity(tid, sizeof(set), &set)))
		driver_note(4, "CPUs %s: %s", affinity, strerror(errno));
	errno = 0;
	if (setpriority(PRIO_PROCESS, (id_t)tid, (int)udf_packet_number(start, "nice", 0)) && errno)
		driver_note(4, "nice: %s", strerror(errno));
}

/* Of this thread, from which those to come inherit, and of the vCPUs that are there. */
static void set_priorities(struct json_object *start)
{
	unsigned int cpu;

	set_priority(start, (pid_t)syscall(SYS_gettid));
	for (cpu = 0; cpu < udf_host.cpus; cpu++)
		if (udf_host.vcpu[cpu].started)
			set_priority(start, udf_host.vcpu[cpu].own_tid);
}

static void set_limit(const char *key, int which, struct json_object *start, const char *mib)
{
	const rlim_t bytes = (rlim_t)udf_packet_number(start, mib, 0) << 20;
	const struct rlimit limit = { .rlim_cur = bytes, .rlim_max = bytes };

	if (setrlimit(which, &limit))
		driver_note(4, "%s: %s", key, strerror(errno));
}

/* While there are rights to raise any. */
static void set_limits(struct json_object *start)
{
	/* the kernel asks for it when a core dump is due, whoever writes that */
	set_limit("core-limit", RLIMIT_CORE, start, "core-mib");
	/* the kernel module asks for it; QEMU pins nothing */
	if (driver.device > 0)
		set_limit("attach-memory", RLIMIT_MEMLOCK, start, "attach-mib");
}

/* Names that are none are left out: whatever reported them, the module is loaded later, if at all. */
static void set_modules(struct udf_options *o, struct json_object *list)
{
	size_t i;

	for (i = 0; list && i < json_object_array_length(list); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(list, i));

		if (name)
			udf_options_ahead_module(o, name);
	}
}

static void count_module(void *arg, const char *name, const char *file)
{
	++*(unsigned int *)arg;
}

/* The image is mapped, and may have booted: wait until there is a port to drive. */
static int stand_by(void *arg, struct udf_options *o)
{
	unsigned int modules = 0;
	int ret;

	if (udf_host.ahead)
		udf_driver_modules(NULL, count_module, &modules);
	driver_say("ready", NULL, NULL);
	pthread_mutex_lock(&driver.lock);
	while (!driver.start && !atomic_load(&driver.stopping))
		pthread_cond_wait(&driver.started, &driver.lock);
	pthread_mutex_unlock(&driver.lock);
	if (atomic_load(&driver.stopping))
		return -ECANCELED;
	set_priorities(driver.start);
	set_limits(driver.start);
	ret = set_options(o, udf_packet_array(driver.start, "options"));
	if (ret)
		return ret;
	driver_note(7, "%s; %u modules are loaded", udf_host.ahead ? "kernel code has booted ahead" : "kernel code has not booted", modules);
	set_modules(o, udf_packet_array(driver.start, "ahead-modules"));
	udf_options_heartbeat(o, driver.shared->beats, (unsigned int)udf_packet_number(driver.start, "beat-ms", 250),
			      (unsigned int)udf_packet_number(driver.start, "hung-task-s", 0));
	return 0;
}

/* ---- reports ---- */

static void add_module(void *arg, const char *name, const char *file)
{
	json_object_array_add(arg, udf_packet_string(name, strlen(name)));
}

/* What the machine's kernel has of it: a block device, or the reason why not. */
static void add_block(struct json_object *o, struct udf *udf, const char *name)
{
	char text[200];
	enum udf_block_state state = udf_block_state(udf, name, text, sizeof(text));

	if (state == UDF_BLOCK_COUPLED)
		udf_packet_add_text(o, "block-device", text);
	else if (state == UDF_BLOCK_DIFFERS)
		udf_packet_add_text(o, "not-coupled", text);
	else if (*text)
		udf_packet_add_text(o, "no-block-device", text);
}

static struct json_object *disk_json(struct udf *udf, const struct udf_disk_info *d)
{
	struct json_object *o = udf_packet_new("name", d->name);

	if (!o)
		return NULL;
	udf_packet_add_number(o, "size", (int64_t)d->size);
	udf_packet_add_number(o, "block", d->logical_block);
	udf_packet_add_text(o, "model", d->model);
	udf_packet_add_text(o, "serial", d->serial);
	udf_packet_add_bool(o, "read-only", d->flags & UDF_DISK_READ_ONLY);
	add_block(o, udf, d->name);
	return o;
}

static struct json_object *disks_json(struct udf *udf)
{
	struct udf_disk_info *info = calloc(DISKS_MAX, sizeof(*info));
	struct json_object *list = json_object_new_array();
	int n = info ? udf_disks(udf, info, DISKS_MAX) : 0, i;

	for (i = 0; i < n && i < DISKS_MAX; i++)
		json_object_array_add(list, disk_json(udf, &info[i]));
	free(info);
	return list;
}

static void report(struct udf *udf)
{
	struct json_object *o = udf_packet_new("is", "state"), *modules = json_object_new_array();
	char bound[64];

	if (!o || !modules)
		return;
	udf_bound_driver(udf, bound, sizeof(bound));
	udf_packet_add_text(o, "driver", bound);
	udf_driver_modules(udf->driver, add_module, modules);
	json_object_object_add(o, "modules", modules);
	json_object_object_add(o, "disks", disks_json(udf));
	udf_packet_add_number(o, "cpus", udf_cpus(udf));
	udf_packet_add_text(o, "address", udf_host.port ? udf_host.port->address : "");
	udf_packet_add_text(o, "transport", udf_host.port ? udf_host.port->ops->name : "");
	json_object_object_add(o, "walls", driver_walls_json());
	driver_set_state(o);
}

/* The transport's process is the port: the next driver's must not begin before it has ended. */
static void report_child(void)
{
	int pid = udf_host.port ? udf_port_qemu_pid(udf_host.port) : 0;

	if (pid > 0)
		driver_set_child((int)syscall(SYS_pidfd_open, pid, 0));
}

void driver_count(void)
{
	struct udf *udf = atomic_load(&driver.udf);
	struct udf_shared *s = driver.shared;
	struct udf_stats stats;

	if (!udf)
		return;
	udf_stats(udf, &stats);
	__atomic_store_n(&s->requests, stats.requests, __ATOMIC_RELAXED);
	__atomic_store_n(&s->bytes_read, stats.bytes_read, __ATOMIC_RELAXED);
	__atomic_store_n(&s->bytes_written, stats.bytes_written, __ATOMIC_RELAXED);
	__atomic_store_n(&s->interrupts, stats.interrupts, __ATOMIC_RELAXED);
	__atomic_store_n(&s->idle_sleeps, stats.idle_sleeps, __ATOMIC_RELAXED);
	__atomic_store_n(&s->memory, stats.memory, __ATOMIC_RELAXED);
	__atomic_store_n(&s->memory_max, stats.memory_max, __ATOMIC_RELAXED);
}

/* ---- the life of the driver ---- */

/* It did not start. */
static void failed(const char *why)
{
	if (atomic_load(&driver.stopping))
		_exit(UDF_EXIT_STOPPED);
	driver_note(3, "%s", why);
	driver_say("failed", "why", why);
	_exit(UDF_EXIT_FAILED);
}

/*
 * The port is lost. Nothing is closed in order: the kernel ends the device's process and the DMA with this process, and the next one is
 * there the sooner.
 */
static void lost(struct udf *udf)
{
	driver_note(2, "the port is lost: %s", udf_lost(udf));
	driver_say("lost", "why", udf_lost(udf));
	_exit(UDF_EXIT_LOST);
}

static void stopped(struct udf *udf)
{
	int ret;

	atomic_store(&driver.udf, NULL);
	ret = udf_close(udf);
	if (ret == -ETIMEDOUT)
		_exit(UDF_EXIT_HUNG);
	driver_say("stopped", NULL, NULL);
	_exit(UDF_EXIT_STOPPED);
}

/* Block devices of the machine's kernel, if the port is one that can have them. */
static void serve_kernel(struct udf *udf)
{
	struct udf_block_options o = { .fail = driver.block_fail, .wait_ms = (unsigned int)driver.block_wait_ms };
	int ret = driver.block ? udf_block_serve(udf, &o) : 0;

	if (ret && ret != -EOPNOTSUPP)
		driver_note(3, "no block devices for the kernel: %s", strerror(-ret));
}

static void watch(struct udf *udf)
{
	unsigned int seen = 0;

	for (;;) {
		int ret = udf_wait_change(udf, &seen, -1);

		if (atomic_load(&driver.stopping))
			stopped(udf);
		if (ret == -ENODEV)
			lost(udf);
		report(udf);
	}
}

static void *run(void *arg)
{
	struct udf_error err = UDF_ERROR_INIT;
	struct udf *udf;
	int ret = udf_open(driver.options, &udf);

	if (ret)
		failed(*udf_options_error(driver.options) ? udf_options_error(driver.options) : strerror(-ret));
	udf_options_free(driver.options);
	report_child();
	if (driver.walls && driver_walls_raise((uid_t)udf_packet_number(driver.start, "uid", 0), &err))
		failed(err.text);
	atomic_store(&driver.udf, udf);
	serve_kernel(udf);
	report(udf);
	watch(udf);
	return NULL;
}

static void log_host(void *ctx, int level, const char *text)
{
	driver_log(NULL, level, text);
}

int driver_prepare(struct udf_packet *m)
{
	int ret;

	udf_log_set_sink(log_host, NULL);
	driver.walls = udf_packet_bool(m->body, "walls");
	ret = driver.walls ? driver_walls_prepare() : 0;
	if (ret)
		return ret;
	driver.options = udf_options_new();
	if (!driver.options)
		return -ENOMEM;
	ret = set_options(driver.options, udf_packet_array(m->body, "options"));
	if (ret) {
		failed(udf_options_error(driver.options));
		return ret;
	}
	udf_options_log(driver.options, driver_log, NULL);
	udf_options_standby(driver.options, stand_by, NULL);
	if (udf_packet_bool(m->body, "ahead"))
		udf_options_ahead(driver.options);
	set_modules(driver.options, udf_packet_array(m->body, "ahead-modules"));
	return udf_thread_start(&driver.thread, run, NULL);
}

void driver_client(int fd)
{
	struct udf *udf = atomic_load(&driver.udf);
	int ret = !udf ? -ENOTCONN : udf_serve_client ? udf_serve_client(udf, fd) : -EOPNOTSUPP;

	if (!ret)
		return;
	driver_note(4, "a client cannot be served: %s", strerror(-ret));
	close(fd);	/* which it sees */
}

void driver_client_accept(void)
{
	int fd = accept4(driver.clients, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		driver_client(fd);
}
