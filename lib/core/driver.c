// SPDX-License-Identifier: GPL-2.0
/* A running driver: brings image, port, vCPUs and modules together and takes them apart again. Host world. See driver.h. */
#define _GNU_SOURCE
#include "core/driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "host/linux/host.h"
#include "layout.h"

#define COMMAND_TIMEOUT_MS 10000
#define STOP_TIMEOUT_MS 10000

struct udf_driver {
	struct udf_driver_config config;
	char modules_dir[512], firmware_dir[512];
	uint64_t start_ns;
};

static pthread_mutex_t udf_driver_lock = PTHREAD_MUTEX_INITIALIZER;
static bool udf_driver_exists;

static int udf_open_image(struct udf_driver *d, struct udf_error *err)
{
	struct udf_image_options opts = d->config.image;
	char vmlinuz[512], release[128];
	int ret;

	ret = udf_image_find(opts.release, vmlinuz, sizeof(vmlinuz), d->modules_dir, sizeof(d->modules_dir), release,
			     sizeof(release), err);
	if (ret && !opts.vmlinuz)
		return ret;
	if (ret) {
		/* an image by path, modules of no release: only modules by path can be loaded */
		*err = (struct udf_error)UDF_ERROR_INIT;
		d->modules_dir[0] = 0;
	}
	if (!opts.vmlinuz) {
		opts.vmlinuz = vmlinuz;
		opts.release = release;
	}
	if (d->config.modules_dir)
		snprintf(d->modules_dir, sizeof(d->modules_dir), "%s", d->config.modules_dir);
	return udf_image_open(&opts, &udf_host.image, err);
}

static unsigned int config_cpus(const struct udf_driver_config *config)
{
	return config->cpus ? config->cpus : 1;
}

/* What the host world keeps of the configuration. */
static int udf_take_config(struct udf_driver *d, struct udf_error *err)
{
	struct udf_driver_config *config = &d->config;

	if (config->cpus > HOST_CPUS_MAX)
		return udf_error_set(err, -EINVAL, "%u vCPUs: at most %u are possible", config->cpus, HOST_CPUS_MAX);
	udf_host.cpus = config_cpus(config);
	udf_arena_sizes(&config->port.arena_size, &config->port.arena_max);
	udf_host.arena_max = config->port.arena_max;
	if (!udf_host.ahead)
		udf_host.arena_size = config->port.arena_size;
	if (config->firmware_dir) {
		snprintf(d->firmware_dir, sizeof(d->firmware_dir), "%s", config->firmware_dir);
		udf_host.firmware_dir = d->firmware_dir;
	}
	return 0;
}

static int udf_open_port(struct udf_driver *d, struct udf_error *err)
{
	return d->config.port.spec ? udf_port_open(&d->config.port, &udf_host_port_events, NULL, &udf_host.port, err) : 0;
}

/* The port's function as kernel code sees it. Reads from the device, which may still be being reset after a driver process before this one. */
static int udf_open_function(struct udf_error *err)
{
	return udf_host.port ? udf_vpci_new(udf_host.port, &udf_host_vpci_events, NULL, &udf_host.vpci, err) : 0;
}

static int udf_wait_started(struct udf_error *err)
{
	const struct timespec until = udf_after_ms(UDF_START_TIMEOUT_S * 1000);
	int ret = 0;

	pthread_mutex_lock(&udf_host.lock);
	while (!udf_host.started && !udf_host.dead && !ret)
		ret = pthread_cond_timedwait(&udf_host.changed, &udf_host.lock, &until);
	pthread_mutex_unlock(&udf_host.lock);
	if (udf_host.dead)
		return udf_error_set(err, -ENODEV, "%s", udf_host.why);
	return udf_host.started ? 0 : udf_error_set(err, -ETIMEDOUT, "the kernel code did not start within %d s", UDF_START_TIMEOUT_S);
}

/* Undo what has been done of udf_driver_start(), in reverse order. */
static void udf_driver_take_down(struct udf_driver *d)
{
	struct udf_host *h = &udf_host;

	udf_debug_stop();
	if (h->loader)
		udf_loader_free(h->loader);
	if (h->vpci)
		udf_vpci_free(h->vpci);
	h->vpci = NULL;
	udf_mmio_reset();
	if (h->arena_size)
		udf_mem_unmap();
	udf_foreign_reset();
	udf_rings_reset();
	if (h->port)
		h->port->ops->close(h->port);
	udf_bridges_unmap();
	udf_signals_restore();
	if (h->image) {
		udf_image_unmap(h->image);
		udf_image_close(h->image);
	}
	pthread_cond_destroy(&h->changed);
	h->image = NULL;
	h->loader = NULL;
	h->port = NULL;
	free(d);
	pthread_mutex_lock(&udf_driver_lock);
	udf_driver_exists = false;
	pthread_mutex_unlock(&udf_driver_lock);
}

static void udf_host_reset(const struct udf_driver_config *config)
{
	struct udf_host *h = &udf_host;

	memset(h, 0, sizeof(*h));
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->changed, NULL);
	h->tail = &h->head;
	h->arena_fd = -1;
	h->one_processor = sysconf(_SC_NPROCESSORS_ONLN) == 1;
	h->log = config->log;
	h->event = config->event;
	h->lost = config->lost;
	h->ctx = config->ctx;
}

/* The kernel's own events, if some are to be traced. */
static int udf_trace_kernel_events(struct udf_driver *d, struct udf_error *err)
{
	const char what[] = { (char)('0' + udf_debug_kernel_events()), 0 };
	long ret = what[0] == '0' ? 0 : udf_driver_control(d, HOST_CMD_TRACE, what, NULL, 0, COMMAND_TIMEOUT_MS);

	return ret ? udf_error_set(err, (int)ret, "the kernel's events cannot be traced: %s", strerror((int)-ret)) : 0;
}

static int udf_map_code(struct udf_error *err)
{
	int ret = udf_image_map(udf_host.image, err);

	return ret ? ret : udf_bridges_map(err);
}

static int udf_boot(struct udf_driver *d, struct udf_error *err)
{
	int ret;

	if ((ret = udf_mem_map(err)) ||
	    (ret = udf_loader_new(udf_host.image, d->modules_dir[0] ? d->modules_dir : NULL, &udf_host.loader, err)) ||
	    (ret = udf_debug_start(&d->config.debug, err)) || (ret = udf_signals_install(err)))
		return ret;
	return udf_vcpus_start(err);
}

/* As far as that goes without a port. */
static int udf_boot_ahead(struct udf_driver *d, struct udf_error *err)
{
	int ret = udf_take_config(d, err);

	if (ret)
		return ret;
	udf_host.ahead = UDF_AHEAD_BOOTING;
	ret = udf_boot(d, err);
	return ret ? ret : udf_ahead_wait(false, err);
}

/* As before udf_boot_ahead(). */
static int udf_boot_undo(struct udf_error *err)
{
	struct udf_host *h = &udf_host;

	udf_ahead_end(true);
	if (udf_vcpus_stop(STOP_TIMEOUT_MS))
		return udf_error_set(err, -ETIMEDOUT, "what was booted ahead does not end");
	h->ahead = UDF_AHEAD_NO;
	udf_debug_stop();
	udf_loader_free(h->loader);
	h->loader = NULL;
	udf_mem_unmap();
	udf_bridges_unmap();
	udf_signals_restore();
	udf_image_unmap(h->image);
	return udf_map_code(err);
}

/* What has booted goes on in the port's memory. Unless udf_host.ahead is set afterwards, it is to be booted once more. */
static int udf_move_to_port(struct udf_error *err)
{
	int ret = udf_mem_move(err);

	if (ret != -EOPNOTSUPP)
		return ret;
	udf_log_notice("%s: its memory is not as the kernel code that has booted needs it: booting once more", udf_host.port->address);
	return udf_boot_undo(err);
}

/* Which port it is, and its memory. Unless udf_host.ahead is set afterwards, it is still to be booted. */
static int udf_get_port(struct udf_driver *d, struct udf_error *err)
{
	int ret = d->config.name_port ? d->config.name_port(d->config.ctx, d, &d->config, err) : 0;

	if (!ret && udf_host.ahead)
		ret = udf_ahead_wait(true, err);
	if (!ret && udf_host.ahead && udf_host.cpus != config_cpus(&d->config))
		ret = udf_boot_undo(err);
	if (!ret)
		ret = udf_take_config(d, err);
	if (!ret)
		ret = udf_open_port(d, err);
	if (!ret && udf_host.ahead)
		ret = udf_move_to_port(err);
	return ret ? ret : udf_open_function(err);
}

static int udf_driver_bring_up(struct udf_driver *d, struct udf_error *err)
{
	int ret;

	if ((ret = udf_open_image(d, err)) || (ret = udf_map_code(err)) || (d->config.ahead && (ret = udf_boot_ahead(d, err))) ||
	    (ret = udf_get_port(d, err)))
		return ret;
	if (udf_host.ahead)
		udf_ahead_end(false);
	else if ((ret = udf_boot(d, err)))
		return ret;
	ret = udf_wait_started(err);
	return ret ? ret : udf_trace_kernel_events(d, err);
}

int udf_driver_start(const struct udf_driver_config *config, struct udf_driver **driver, struct udf_error *err)
{
	uint64_t t0 = udf_host_now();
	struct udf_driver *d;
	bool taken;
	int ret;

	pthread_mutex_lock(&udf_driver_lock);
	taken = udf_driver_exists;
	udf_driver_exists = true;
	pthread_mutex_unlock(&udf_driver_lock);
	if (taken)
		return udf_error_set(err, -EBUSY, "this process runs a driver already: there can be one at a time");
	d = calloc(1, sizeof(*d));
	if (!d) {
		udf_driver_exists = false;
		return udf_error_set(err, -ENOMEM, "out of memory");
	}
	d->config = *config;
	udf_host_reset(config);
	ret = udf_driver_bring_up(d, err);
	if (ret) {
		if (udf_host.ahead)
			udf_ahead_end(true);
		/* vCPU threads that are in kernel code cannot be taken out of it: then everything stays as it is */
		if (!udf_host.vcpu[0].started || !udf_vcpus_stop(1000))
			udf_driver_take_down(d);
		return ret;
	}
	d->start_ns = udf_host_now() - t0;
	*driver = d;
	return 0;
}

long udf_driver_control(struct udf_driver *driver, enum host_command what, const char *arg, void *data, size_t len, int timeout_ms)
{
	struct udf_host *h = &udf_host;
	struct udf_command *cmd = calloc(1, sizeof(*cmd));
	struct timespec until;
	long result;
	int ret = 0;

	if (!cmd)
		return -ENOMEM;
	cmd->control.cmd = what;
	cmd->control.data = data;
	cmd->control.len = len;
	if (arg && strlen(arg) >= sizeof(cmd->control.arg)) {
		free(cmd);
		return -ENAMETOOLONG;
	}
	snprintf(cmd->control.arg, sizeof(cmd->control.arg), "%s", arg ? arg : "");
	until = udf_after_ms(timeout_ms < 0 ? 0 : (unsigned int)timeout_ms);
	pthread_mutex_lock(&h->lock);
	if (h->dead) {
		pthread_mutex_unlock(&h->lock);
		free(cmd);
		return -ENODEV;
	}
	*h->tail = cmd;
	h->tail = &cmd->next;
	pthread_cond_broadcast(&h->changed);	/* who waits for a port takes commands, too */
	pthread_mutex_unlock(&h->lock);
	host_cpu_pend(0, HOST_PEND_CONTROL);
	pthread_mutex_lock(&h->lock);
	while (!cmd->done && !h->dead && !ret)
		ret = timeout_ms < 0 ? pthread_cond_wait(&h->changed, &h->lock) : pthread_cond_timedwait(&h->changed, &h->lock, &until);
	result = cmd->done ? cmd->result : h->dead ? -ENODEV : -ETIMEDOUT;
	if (cmd->done) {
		pthread_mutex_unlock(&h->lock);
		free(cmd);
	} else {
		cmd->done = true;	/* whoever finishes it frees it */
		pthread_mutex_unlock(&h->lock);
	}
	return result;
}

int udf_driver_probe(struct udf_driver *driver)
{
	return (int)udf_driver_control(driver, HOST_CMD_PROBE, NULL, NULL, 0, -1);
}

static void udf_params_add(struct udf_params *p)
{
	pthread_mutex_lock(&udf_host.lock);
	p->next = udf_host.params;
	udf_host.params = p;
	pthread_mutex_unlock(&udf_host.lock);
}

static void udf_params_remove(struct udf_params *p)
{
	struct udf_params **at;

	pthread_mutex_lock(&udf_host.lock);
	for (at = &udf_host.params; *at != p; at = &(*at)->next)
		;
	*at = p->next;
	pthread_mutex_unlock(&udf_host.lock);
}

static int udf_load_one(struct udf_driver *d, const struct udf_plan_entry *e, const char *params, struct udf_error *err)
{
	struct udf_params p = { .path = e->path, .text = params, .err = UDF_ERROR_INIT };
	long ret;

	udf_params_add(&p);
	ret = udf_driver_control(d, HOST_CMD_MODULE_LOAD, e->path, NULL, 0, -1);
	udf_params_remove(&p);
	if (p.err.code && !strstr(p.err.text, e->path))
		udf_error_prefix(&p.err, "%s", e->path);
	if (ret < 0 && e->soft && p.err.code)
		host_log_write(UDF_LOG_ERROR, p.err.text, strlen(p.err.text));
	if (ret >= 0 || e->soft)
		return 0;
	if (udf_host.dead)	/* what the kernel code died of says more than that it did not come back */
		return udf_error_set(err, (int)ret, "%s: %s", e->name, udf_host.why);
	if (p.err.code)
		return udf_error_set(err, (int)ret, "%s", p.err.text);
	return udf_error_set(err, (int)ret, "module %s cannot be loaded: %s; the log says why", e->name, strerror(-(int)ret));
}

int udf_driver_load(struct udf_driver *driver, const char *module, const char *params, struct udf_error *err)
{
	struct udf_plan plan = { 0 };
	unsigned int i;
	int ret;

	ret = udf_host_plan(module, &plan, err);
	if (ret)
		return ret;
	/* the parameters are for the module that was asked for: the last that is not a soft dependency of it */
	for (i = 0; i < plan.nr && !ret; i++)
		ret = udf_load_one(driver, &plan.entry[i], i + 1 == plan.nr ? params : NULL, err);
	udf_plan_free(&plan);
	return ret;
}

bool udf_driver_has(const char *module)
{
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_plan plan = { 0 };
	int ret = udf_host_plan(module, &plan, &err);

	udf_plan_free(&plan);
	return ret != -ENOENT;
}

int udf_driver_unload(struct udf_driver *driver, const char *module, struct udf_error *err)
{
	long ret = udf_driver_control(driver, HOST_CMD_MODULE_UNLOAD, module, NULL, 0, -1);

	if (ret)
		return udf_error_set(err, (int)ret, "module %s cannot be unloaded: %s", module, strerror(-(int)ret));
	return 0;
}

void udf_driver_modules(struct udf_driver *driver, void (*each)(void *arg, const char *name, const char *file), void *arg)
{
	udf_host_modules(each, arg);
}

int udf_driver_modalias(struct udf_driver *driver, char *buf, size_t len)
{
	return udf_host.vpci ? udf_vpci_modalias(udf_host.vpci, buf, len) : -ENODEV;
}

int udf_driver_mem_add(struct udf_driver *driver, int fd, uint64_t len, int lease, uint64_t *dev)
{
	return udf_foreign_add(fd, len, lease, dev);
}

uint64_t udf_driver_mem_granule(struct udf_driver *driver)
{
	return udf_host.port && udf_host.port->ops->dma_add ? udf_host.port->ops->dma_granule : 0;
}

int udf_driver_mem_remove(struct udf_driver *driver, uint64_t dev)
{
	return udf_foreign_remove(dev);
}

const struct udf_port_block_ops *udf_driver_block(struct udf_driver *driver, struct udf_port **port)
{
	*port = udf_host.port;
	return udf_host.port ? udf_host.port->ops->block : NULL;
}

int udf_driver_block_start(struct udf_driver *driver, struct udf_port_block_start *s, void **rings)
{
	struct udf_port *port;
	const struct udf_port_block_ops *ops = udf_driver_block(driver, &port);
	int ret = ops ? ops->start(port, s, rings) : -EOPNOTSUPP;

	return ret ? ret : udf_foreign_window();
}

int udf_driver_rings_begin(struct udf_driver *driver)
{
	return udf_rings_begin();
}

int udf_driver_rings_add(struct udf_driver *driver, unsigned int cpu, struct udf_ring_shared *ring)
{
	return udf_rings_add(cpu, ring);
}

void udf_driver_rings_remove(struct udf_driver *driver, unsigned int cpu, struct udf_ring_shared *ring)
{
	udf_rings_remove(cpu, ring);
}

void udf_driver_kick(struct udf_driver *driver, unsigned int cpu)
{
	host_cpu_pend(cpu, HOST_PEND_FRONT);
}

int udf_driver_drive(struct udf_driver *driver, unsigned int cpu, bool (*until)(void *arg), void *arg, uint64_t spin_ns)
{
	return udf_vcpu_drive(cpu, until, arg, spin_ns);
}

void udf_driver_release(struct udf_driver *driver, unsigned int cpu)
{
	udf_vcpu_release(cpu);
}

unsigned int udf_driver_cpus(const struct udf_driver *driver)
{
	return udf_host.cpus;
}

struct udf_image *udf_driver_image(struct udf_driver *driver)
{
	return udf_host.image;
}

void udf_driver_stats(const struct udf_driver *driver, struct udf_driver_stats *stats)
{
	unsigned int i;

	memset(stats, 0, sizeof(*stats));
	stats->privileged_calls = atomic_load(&udf_host.privileged);
	stats->traps = atomic_load(&udf_host.traps);
	stats->interrupts = atomic_load(&udf_host.interrupts);
	for (i = 0; i < udf_host.cpus; i++)
		stats->idle_sleeps += udf_host.vcpu[i].sleeps;
	stats->start_ns = driver->start_ns;
	stats->memory = __atomic_load_n(&udf_host.arena_size, __ATOMIC_RELAXED);
	stats->memory_max = udf_host.arena_max;
}

int udf_driver_stop(struct udf_driver *driver, struct udf_error *err)
{
	long ret = 0;

	if (!udf_host.dead)
		ret = udf_driver_control(driver, HOST_CMD_SHUTDOWN, NULL, NULL, 0, STOP_TIMEOUT_MS);
	if (ret == -ENODEV)
		ret = 0;	/* the port is gone: nothing to shut down */
	if (udf_vcpus_stop(STOP_TIMEOUT_MS))
		return udf_error_set(err, -ETIMEDOUT, "the driver does not stop: its process has to end");
	udf_driver_take_down(driver);
	return ret ? udf_error_set(err, (int)ret, "the driver did not shut its device down: %s", strerror(-(int)ret)) : 0;
}
