// SPDX-License-Identifier: GPL-2.0
/* A port with its driver: open, close, loss, memory. Host world. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "front/attach.h"
#include "front/internal.h"
#include "front/serve.h"

#define COMMAND_TIMEOUT_MS 120000	/* longer than the default timeouts of drivers */

/* A command whose end is not known: the kernel world may still write to it. Kept until that is gone. */
struct udf_orphan {
	struct udf_orphan *next;
	struct host_front_command c;
};

int udf_command(struct udf *udf, struct host_front_command *c)
{
	struct udf_orphan *copy;
	long ret;

	if (atomic_load(&udf->lost))
		return -ENODEV;
	if (udf->attach)
		return udf_attach_command(udf->attach, c);
	copy = malloc(sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	copy->c = *c;
	ret = udf_driver_control(udf->driver, HOST_CMD_FRONT, NULL, &copy->c, sizeof(copy->c), COMMAND_TIMEOUT_MS);
	if (ret == -ETIMEDOUT || ret == -ENODEV) {
		pthread_mutex_lock(&udf->lock);
		copy->next = udf->orphans;
		udf->orphans = copy;
		pthread_mutex_unlock(&udf->lock);
		return ret;
	}
	*c = copy->c;
	free(copy);
	return ret;
}

int udf_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

/* ---- memory ---- */

static void *heap_grow(void *ctx, unsigned int *order)
{
	struct host_front_command c = { .op = HOST_FRONT_ALLOC, .order = *order };

	if (udf_command(ctx, &c))
		return NULL;
	*order = c.order;
	return (void *)c.addr;
}

static void heap_shrink(void *ctx, void *chunk)
{
	struct host_front_command c = { .op = HOST_FRONT_FREE, .addr = (unsigned long)chunk };

	udf_command(ctx, &c);
}

static const struct udf_heap_ops heap_ops = { .grow = heap_grow, .shrink = heap_shrink };

_Static_assert(UDF_HEAP_ORDER_MAX == HOST_FRONT_CHUNK_ORDER && UDF_BUF_MAX == UDF_HEAP_PAGE << UDF_HEAP_ORDER_MAX,
	       "a buffer fits a chunk");

void *udf_buf_alloc(struct udf *udf, size_t size)
{
	return udf_heap_alloc(udf->heap, size);
}

void udf_buf_free(struct udf *udf, void *buf)
{
	udf_heap_free(udf->heap, buf);
}

/* ---- what the driver tells ---- */

static void on_log(void *ctx, int level, const char *text)
{
	struct udf *udf = ctx;

	udf->log(udf->log_arg, level, text);
}

/* Which driver the port's function is bound to now. */
static void note_driver(struct udf *udf, const char *action, const char *const *env, unsigned int n)
{
	const char *driver = NULL;
	bool pci = false;
	unsigned int i;

	for (i = 0; i < n; i++) {
		pci = pci || !strncmp(env[i], "PCI_SLOT_NAME=", 14);
		if (!strncmp(env[i], "DRIVER=", 7))
			driver = env[i] + 7;
	}
	if (!pci || (strcmp(action, "bind") && strcmp(action, "unbind")))
		return;
	pthread_mutex_lock(&udf->lock);
	snprintf(udf->bound, sizeof(udf->bound), "%s", driver && !strcmp(action, "bind") ? driver : "");
	pthread_mutex_unlock(&udf->lock);
}

void udf_bound_driver(struct udf *udf, char *name, size_t len)
{
	pthread_mutex_lock(&udf->lock);
	snprintf(name, len, "%s", udf->bound);
	pthread_mutex_unlock(&udf->lock);
}

static void on_event(void *ctx, const char *action, const char *devpath, const char *const *env, unsigned int n)
{
	struct udf *udf = ctx;

	note_driver(udf, action, env, n);
	udf_modules_event(udf->modules, action, env, n);
}

void udf_set_lost(struct udf *udf, const char *why)
{
	struct udf_queue *q;

	pthread_mutex_lock(&udf->lock);
	if (!atomic_load(&udf->lost))
		snprintf(udf->why, sizeof(udf->why), "%s", why);
	atomic_store(&udf->lost, true);
	for (q = udf->queues; q; q = q->next)
		udf_queue_wake(q);
	pthread_mutex_unlock(&udf->lock);
	udf_news_touch(udf->news);
	udf_serve_changed(udf);
	udf_block_changed(udf);
}

static void on_lost(void *ctx, const char *why)
{
	udf_set_lost(ctx, why);
}

const char *udf_lost(struct udf *udf)
{
	return atomic_load(&udf->lost) ? udf->why : NULL;
}

/* ---- open ---- */

static struct udf *udf_new(const struct udf_options *o)
{
	struct udf *udf = calloc(1, sizeof(*udf));

	if (!udf)
		return NULL;
	pthread_mutex_init(&udf->lock, NULL);
	udf->cpus = o->cpus;
	udf->close_timeout = o->close_timeout;
	udf->log = o->log;
	udf->log_arg = o->log_arg;
	udf->modules = udf_modules_new();
	udf->heap = udf_heap_new(&heap_ops, udf);
	return udf;
}

static void udf_free(struct udf *udf)
{
	struct udf_orphan *orphan;

	udf_modules_free(udf->modules);
	udf_heap_end(udf->heap, false);
	while ((orphan = udf->orphans)) {
		udf->orphans = orphan->next;
		free(orphan);
	}
	pthread_mutex_destroy(&udf->lock);
	free(udf);
}

/* What of the options is about the port. SPEC is to be freed when it is open. */
static int set_port(struct udf_driver_config *config, const struct udf_options *o, char **spec, struct udf_error *err)
{
	if (o->memory_max && o->memory_max < o->memory)
		return udf_error_set(err, -EINVAL, "memory-max is %lu, but must be at least as much as memory, %lu",
				     (unsigned long)(o->memory_max >> 20), (unsigned long)(o->memory >> 20));
	*spec = o->device ? udf_options_spec(o) : NULL;
	if (o->device && !*spec)
		return udf_error_set(err, -ENOMEM, "no memory");
	config->port = (struct udf_port_config){
		.spec = *spec,
		.backends = (const char *const *)o->backends,
		.arena_size = o->memory,
		.arena_max = o->memory_max,
		.function = o->function,
	};
	config->cpus = o->cpus;
	config->firmware_dir = o->firmware;
	return 0;
}

static int name_port(void *ctx, struct udf_driver *driver, struct udf_driver_config *config, struct udf_error *err)
{
	struct udf *udf = ctx;
	struct udf_options *o = udf->options;
	int ret;

	/* if it has booted: now there is time */
	udf_modules_prune(udf->modules);
	if (o->ahead)
		udf_modules_load_ahead(driver, o);
	ret = o->standby(o->standby_arg, o);
	if (!ret && o->ahead)
		udf_modules_unload_others(driver, o);
	if (ret)
		return udf_error_set(err, ret, "%s", o->err.code ? o->err.text : "not needed any more");
	udf->close_timeout = o->close_timeout;
	return set_port(config, o, &udf->spec, err);
}

static int start_driver(struct udf *udf, struct udf_options *o)
{
	struct udf_driver_config config = {
		.image = {
			.release = o->release,
			.vmlinuz = o->image,
			.kapi = o->kapi,
			.cache_dir = o->cache,
			.progress = o->progress,
			.progress_ctx = o->progress_arg,
		},
		.modules_dir = o->modules,
		.name_port = o->standby ? name_port : NULL,
		.cpus = o->cpus,
		.port = { .arena_size = o->memory, .arena_max = o->memory_max },
		.ahead = o->ahead,
		.debug = {
			.perf_map = o->perf_map,
			.trace = { .what = o->trace, .only = o->trace_only, .format = o->trace_format },
		},
		.log = o->log ? on_log : NULL,
		.event = on_event,
		.lost = on_lost,
		.ctx = udf,
	};
	int err = o->standby ? 0 : set_port(&config, o, &udf->spec, &o->err);

	if (err)
		return err;
	if (o->progress)
		o->progress(o->progress_arg, "starting the driver", 101);
	udf->options = o;
	err = udf_driver_start(&config, &udf->driver, &o->err);
	udf->options = NULL;
	free(udf->spec);
	udf->spec = NULL;
	return err;
}

/* Before any module is loaded: one that hangs as it starts shows as well. */
static int start_heartbeat(struct udf *udf, struct udf_options *o)
{
	struct host_heartbeat *beat;
	long ret;

	if (!o->beats)
		return 0;
	beat = malloc(sizeof(*beat));
	if (!beat)
		return udf_error_set(&o->err, -ENOMEM, "no memory");
	*beat = (struct host_heartbeat){
		.interval_ms = o->beat_ms, .hung_task_s = o->hung_task_s, .beats = (unsigned long *)o->beats,
	};
	ret = udf_driver_control(udf->driver, HOST_CMD_HEARTBEAT, NULL, beat, sizeof(*beat), COMMAND_TIMEOUT_MS);
	if (ret != -ETIMEDOUT)		/* then it may yet be looked at */
		free(beat);
	return ret ? udf_error_set(&o->err, (int)ret, "the heartbeat does not start: %s", strerror((int)-ret)) : 0;
}

static int load_modules(struct udf *udf, struct udf_options *o)
{
	int err;

	if (o->progress)
		o->progress(o->progress_arg, "loading the module", 101);
	err = udf_driver_probe(udf->driver);
	if (err)
		return udf_error_set(&o->err, err, "%s", udf_lost(udf) ?: strerror(-err));
	err = udf_modules_load_first(udf->driver, o, &o->err);
	if (err)
		return err;
	err = udf_modules_start(udf->modules, udf->driver);
	return err ? udf_error_set(&o->err, err, "cannot start a thread: %s", strerror(-err)) : 0;
}

int udf_open(struct udf_options *o, struct udf **out)
{
	struct udf_error ignored = UDF_ERROR_INIT;
	struct udf *udf;
	int err;

	o->err = (struct udf_error)UDF_ERROR_INIT;
	udf = udf_new(o);
	if (!udf || !udf->modules || !udf->heap) {
		err = udf_error_set(&o->err, -ENOMEM, "no memory");
		goto free_udf;
	}
	if (o->port) {
		err = udf_attach_open(udf, o);
		if (err)
			goto free_udf;
		*out = udf;
		return 0;
	}
	if (udf_host_claim(udf)) {
		err = udf_error_set(&o->err, -EBUSY, "this process drives a port already; another one needs a process of its own");
		goto free_udf;
	}
	err = start_driver(udf, o);
	if (err)
		goto release;
	err = start_heartbeat(udf, o);
	if (!err)
		err = load_modules(udf, o);
	if (err)
		goto stop_driver;
	udf->cpus = udf_driver_cpus(udf->driver);
	*out = udf;
	return 0;

stop_driver:
	udf_modules_stop(udf->modules, udf->close_timeout);
	udf_driver_stop(udf->driver, &ignored);
release:
	udf_host_release();
free_udf:
	if (udf)
		udf_free(udf);
	return err;
}

/* ---- close ---- */

/* Complete what is outstanding everywhere. Returns whether all of it did. */
static bool drain_all(struct udf *udf)
{
	uint64_t end = udf_now() + udf->close_timeout * 1000000000ull;
	struct udf_queue *q;
	bool drained = true;

	for (q = udf->queues; q; q = q->next) {
		uint64_t now = udf_now();

		if (q->dead || udf_queue_drain(q, end > now ? (int)((end - now) / 1000000) : 0))
			drained = false;
	}
	return drained;
}

/* Take back everything that the kernel world was given; nothing is in flight. */
static void give_back(struct udf *udf)
{
	while (udf->queues)
		udf_queue_end(udf->queues, true);
	while (udf->disks)
		udf_disk_close(udf->disks);
	udf_heap_end(udf->heap, true);
	udf->heap = NULL;
}

static void abandon(struct udf *udf)
{
	struct udf_queue *q;

	for (q = udf->queues; q; q = q->next)
		udf_queue_kill(q);
}

static void release_all(struct udf *udf)
{
	struct udf_disk *disk;

	while (udf->queues)
		udf_queue_end(udf->queues, false);
	while ((disk = udf->disks)) {
		udf->disks = disk->next;
		free(disk);
	}
}

/* The driver process is not asked for anything: it notices. */
static int close_attached(struct udf *udf)
{
	drain_all(udf);
	udf_attach_stop(udf->attach);
	abandon(udf);
	release_all(udf);
	udf_heap_end(udf->heap, false);
	udf->heap = NULL;
	udf_attach_free(udf);
	udf_free(udf);
	return 0;
}

int udf_close(struct udf *udf)
{
	struct udf_error e = UDF_ERROR_INIT;
	bool idle;
	int err;

	if (!udf)
		return 0;
	atomic_store(&udf->closing, true);
	if (udf->attach)
		return close_attached(udf);
	udf_serve_stop(udf);
	udf_block_stop(udf);
	idle = udf_modules_stop(udf->modules, udf->close_timeout);
	if (drain_all(udf) && idle && !atomic_load(&udf->lost))
		give_back(udf);
	else
		abandon(udf);	/* before the driver goes: their memory goes with it */
	err = udf_driver_stop(udf->driver, &e);
	if (err && !atomic_load(&udf->lost))
		udf_log_error("%s", e.text);
	if (err == -ETIMEDOUT)	/* kernel code still runs: nothing that it may touch is released */
		return err;

	/* The kernel world is gone: what it was given can go as well. */
	release_all(udf);
	udf_host_release();
	udf_serve_free(udf);
	udf_block_free(udf);
	udf_free(udf);
	return err;
}

/* ---- the rest ---- */

int udf_reset(struct udf *udf)
{
	if (udf->attach)
		return -EOPNOTSUPP;
	if (atomic_load(&udf->lost))
		return -ENODEV;
	return udf_driver_control(udf->driver, HOST_CMD_RESET, NULL, NULL, 0, COMMAND_TIMEOUT_MS);
}

static int logged(int ret, const struct udf_error *err)
{
	if (ret)
		udf_log_error("%s", err->text);
	return ret;
}

int udf_load(struct udf *udf, const char *module, const char *params)
{
	struct udf_error err = UDF_ERROR_INIT;

	if (udf->attach)
		return -EOPNOTSUPP;
	return logged(udf_driver_load(udf->driver, module, params, &err), &err);
}

int udf_unload(struct udf *udf, const char *module)
{
	struct udf_error err = UDF_ERROR_INIT;

	if (udf->attach)
		return -EOPNOTSUPP;
	return logged(udf_driver_unload(udf->driver, module, &err), &err);
}

struct module_list {
	struct udf_module_info *info;
	unsigned int max, n;
};

static void add_module(void *arg, const char *name, const char *file)
{
	struct module_list *list = arg;

	if (list->n < list->max) {
		snprintf(list->info[list->n].name, sizeof(list->info[0].name), "%s", name);
		snprintf(list->info[list->n].file, sizeof(list->info[0].file), "%s", file);
	}
	list->n++;
}

int udf_modules(struct udf *udf, struct udf_module_info *info, unsigned int max)
{
	struct module_list list = { .info = info, .max = max };

	if (udf->attach)
		return -EOPNOTSUPP;
	udf_driver_modules(udf->driver, add_module, &list);
	return list.n;
}

void udf_wake(struct udf *udf)
{
	udf_news_touch(udf->news);
}

unsigned int udf_cpus(const struct udf *udf)
{
	return udf->cpus;
}

static void driver_stats(struct udf *udf, struct udf_stats *stats)
{
	struct udf_driver_stats driver;

	udf_driver_stats(udf->driver, &driver);
	stats->start_ns = driver.start_ns;
	stats->privileged_calls = driver.privileged_calls;
	stats->traps = driver.traps;
	stats->interrupts = driver.interrupts;
	stats->idle_sleeps = driver.idle_sleeps;
	stats->memory = driver.memory;
	stats->memory_max = driver.memory_max;
}

void udf_stats(struct udf *udf, struct udf_stats *stats)
{
	struct udf_queue *q;

	memset(stats, 0, sizeof(*stats));
	if (udf->attach)
		udf_attach_stats(udf->attach, stats);
	else
		driver_stats(udf, stats);
	pthread_mutex_lock(&udf->lock);
	stats->requests = udf->requests;
	stats->bytes_read = udf->bytes_read;
	stats->bytes_written = udf->bytes_written;
	stats->bounced = udf->bounced;
	stats->kicks = udf->kicks;
	for (q = udf->queues; q; q = q->next) {
		stats->requests += __atomic_load_n(&q->requests, __ATOMIC_RELAXED);
		stats->bytes_read += __atomic_load_n(&q->bytes_read, __ATOMIC_RELAXED);
		stats->bytes_written += __atomic_load_n(&q->bytes_written, __ATOMIC_RELAXED);
		stats->bounced += __atomic_load_n(&q->bounced, __ATOMIC_RELAXED);
		stats->kicks += __atomic_load_n(&q->kicks, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&udf->lock);
}
