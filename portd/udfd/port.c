// SPDX-License-Identifier: GPL-2.0
/* The life of a port: start, watch, stop, and start again. udfd.h has the picture. Host world. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/pci.h"
#include "udfd/udfd.h"

#define CHECKS 10		/* looks at the signs of life before a driver counts as hung */
#define CHECK_MIN_MS 20
#define STANDBY_MS 250		/* from the port's start until another process boots: what has waited for the port comes first */

const char *const port_state_names[] = {
	[PORT_STOPPED] = "stopped", [PORT_STARTING] = "starting", [PORT_RUNNING] = "running", [PORT_STOPPING] = "stopping",
	[PORT_ENDING] = "ending", [PORT_WAITING] = "waiting",
};

static void set_state(struct port *port, enum port_state state)
{
	port->state = state;
	clients_port_changed(port);
}

static void no_timer(struct port *port)
{
	port->timer = sd_event_source_disable_unref(port->timer);
}

static void set_timer(struct port *port, unsigned int ms, sd_event_time_handler_t handler)
{
	no_timer(port);
	if (sd_event_add_time_relative(udfd.event, &port->timer, CLOCK_MONOTONIC, ms * 1000ull, 1000, handler, port) < 0)
		port_note(port, 3, "no memory for a timer");
}

/* ---- signs of life ---- */

static unsigned int check_ms(const struct port *port)
{
	unsigned int ms = port->settings.hang_ms / CHECKS;

	return ms < CHECK_MIN_MS ? CHECK_MIN_MS : ms;
}

static int on_watch(sd_event_source *s, uint64_t usec, void *arg)
{
	struct port *port = arg;
	struct process *p = port->process;

	if (p && !p->dying && !p->hung)
		process_check_beats(p, CHECKS, check_ms(port) * CHECKS);
	sd_event_source_set_time_relative(s, check_ms(port) * 1000ull);
	sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
	return 0;
}

static void watch(struct port *port)
{
	if (port->settings.hang_ms && !port->watch)
		sd_event_add_time_relative(udfd.event, &port->watch, CLOCK_MONOTONIC, check_ms(port) * 1000ull, 0, on_watch, port);
}

/* ---- start ---- */

static int on_start_timeout(sd_event_source *s, uint64_t usec, void *arg)
{
	struct port *port = arg;
	char why[100];

	snprintf(why, sizeof(why), "the driver did not start within %u s", port->settings.start_s);
	no_timer(port);
	process_kill_hung(port->process, why);
	return 0;
}

/* The PCI function that PORT drives. False: it drives none. */
static bool function_of(const struct port *port, char *address)
{
	const char *device = port->settings.device;

	if (strncmp(device, "pci:", 4))
		return false;
	snprintf(address, UDF_PCI_ADDRESS_LEN, "%.*s", (int)strcspn(device + 4, ","), device + 4);
	return true;
}

/* Hand a PCI function over to the kernel module first. */
static int bind_function(struct port *port, struct udf_error *err)
{
	char address[UDF_PCI_ADDRESS_LEN];

	return function_of(port, address) ? udf_pci_bind(address, err) : 0;
}

/* Leave PENDING be, or have it taken. */
static void end_pending(struct port *port, bool take)
{
	if (!port->has_pending)
		return;
	udf_port_settings_free(take ? &port->settings : &port->pending);
	if (take)
		port->settings = port->pending;
	port->has_pending = false;
}

void port_reconfigure(struct port *port, struct udf_port_settings *wanted)
{
	struct udf_port_settings *now = &port->settings;

	end_pending(port, false);
	if (!udf_port_settings_equal(now, wanted)) {
		port->pending = *wanted;
		port->has_pending = true;
		if (port->state == PORT_STOPPED)
			end_pending(port, true);
		return;
	}
	/* the same driver process; when it is started and stopped is our own matter */
	now->start = wanted->start;
	now->start_s = wanted->start_s;
	now->stop_s = wanted->stop_s;
	now->backoff_min_ms = wanted->backoff_min_ms;
	now->backoff_max_ms = wanted->backoff_max_ms;
	now->stable_ms = wanted->stable_ms;
	now->failures = wanted->failures;
	udf_port_settings_free(wanted);
}

static void failed_to_start(struct port *port, const struct udf_error *err);

static void limit_start(struct port *port)
{
	if (port->settings.start_s)
		set_timer(port, port->settings.start_s * 1000, on_start_timeout);
}

static void launch(struct port *port)
{
	struct udf_error err = UDF_ERROR_INIT;
	int ret;

	no_timer(port);
	end_pending(port, true);
	port->outdated = false;
	ret = bind_function(port, &err);
	port->process = ret ? NULL : spawn_for(port, &err);
	if (!port->process) {
		failed_to_start(port, &err);
		return;
	}
	json_object_put(port->reported);
	port->reported = NULL;
	port->since_ms = 0;
	port->process->shared->restarts = port->restarts;
	port->process->shared->failures = port->failures;
	set_state(port, PORT_STARTING);
	limit_start(port);
	watch(port);
}

static int on_back_off(sd_event_source *s, uint64_t usec, void *arg)
{
	struct port *port = arg;

	port->restarts++;
	launch(port);
	return 0;
}

/* It has failed, having run for RAN_MS: again, now or later. Returns the milliseconds until then. */
static unsigned int schedule(struct port *port, uint64_t ran_ms)
{
	uint32_t random = 0;
	unsigned int delay;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint32_t)now_ms() * 2654435761u;
	port->backoff.min_ms = port->settings.backoff_min_ms;
	port->backoff.max_ms = port->settings.backoff_max_ms;
	port->backoff.stable_ms = port->settings.stable_ms;
	delay = udf_backoff_next(&port->backoff, ran_ms, random);
	if (delay)
		port_note(port, 5, "starting again in %u.%03u s, after %u failures in a row", delay / 1000, delay % 1000,
			  port->backoff.failures);
	else
		port_note(port, 5, "starting again at once");
	set_state(port, PORT_WAITING);
	set_timer(port, delay, on_back_off);
	return delay;
}

static void failed_to_start(struct port *port, const struct udf_error *err)
{
	port_note(port, 3, "%s", err->text);
	free(port->why);
	port->why = strdup(err->text);
	port->failures++;
	schedule(port, 0);
}

int port_start(struct port *port, struct udf_error *err)
{
	port->wanted = true;
	switch (port->state) {
	case PORT_STOPPED:
	case PORT_WAITING:
		port->backoff.failures = 0;
		launch(port);
		return 0;
	case PORT_STOPPING:
		port->restarting = true;
		return 0;
	default:
		return 0;
	}
}

/* Since when it runs. An earlier udfd may have noted that; a driver process that changes the note harms only its own looks. */
static void note_since(struct port *port)
{
	struct udf_shared *s = port->process->shared;
	int64_t now = udf_real_ms(), noted = (int64_t)udf_shared_get((uint64_t *)&s->since_ms);

	port->since_ms = port->process->adopted && noted > 0 && noted < now ? noted : now;
	s->since_ms = port->since_ms;
}

static int on_standby(sd_event_source *s, uint64_t usec, void *arg)
{
	struct port *port = arg;

	no_timer(port);
	spawn_standby(port);
	return 0;
}

void port_reported(struct port *port, struct json_object *state)
{
	json_object_put(port->reported);
	port->reported = state;
	/* what is counted by it is bounded by who counts */
	if (port->state != PORT_STARTING)
		return;
	no_timer(port);
	note_since(port);
	port->gap_ms = port->lost_ms ? now_ms() - port->lost_ms : -1;
	port->lost_ms = 0;
	if (port->process->adopted)
		port_note(port, 5, "goes on in process %d", port->process->pid);
	else if (port->gap_ms >= 0)
		port_note(port, 5, "runs again, %lld ms after it was lost", (long long)port->gap_ms);
	else
		port_note(port, 5, "runs");
	set_state(port, PORT_RUNNING);
	json_object_put(port->modules);
	port->modules = json_object_get(udf_packet_array(state, "modules"));
	set_timer(port, STANDBY_MS, on_standby);
}

void port_adopt(struct port *port, struct process *p)
{
	p->port = port;
	port->process = p;
	port->wanted = true;
	port->restarts = p->shared->restarts;
	port->failures = p->shared->failures;
	port->state = PORT_STARTING;
	port->lost_ms = 0;
	limit_start(port);
	watch(port);
}

/* ---- stop ---- */

static int on_stop_timeout(sd_event_source *s, uint64_t usec, void *arg)
{
	struct port *port = arg;
	char why[100];

	snprintf(why, sizeof(why), "the driver did not stop within %u s", port->settings.stop_s);
	no_timer(port);
	process_kill_hung(port->process, why);
	return 0;
}

void port_stop(struct port *port)
{
	port->wanted = false;
	port->restarting = false;
	switch (port->state) {
	case PORT_WAITING:
		no_timer(port);
		set_state(port, PORT_STOPPED);
		break;
	case PORT_STARTING:
	case PORT_RUNNING:
		set_state(port, PORT_STOPPING);
		set_timer(port, port->settings.stop_s * 1000, on_stop_timeout);
		if (process_send(port->process, udf_packet_new("do", "stop"), NULL, 0))
			process_kill(port->process, "the driver process does not listen to udfd");
		break;
	default:
		break;
	}
}

void port_restart(struct port *port)
{
	struct udf_error ignored = UDF_ERROR_INIT;

	if (port->state == PORT_STARTING || port->state == PORT_RUNNING || port->state == PORT_STOPPING || port->state == PORT_ENDING) {
		port_stop(port);
		port->wanted = port->restarting = true;
	} else {
		port_start(port, &ignored);
	}
}

/* ---- the end of a driver process ---- */

void port_process_ending(struct port *port)
{
	no_timer(port);
	port->watch = sd_event_source_disable_unref(port->watch);
	if (!port->lost_ms)
		port->lost_ms = now_ms();
	if (port->state != PORT_STOPPING)
		set_state(port, PORT_ENDING);
}

void port_process_ended(struct port *port, struct process *p, struct json_object *failure)
{
	uint64_t ran_ms = port->since_ms ? (uint64_t)(udf_real_ms() - port->since_ms) : 0;
	bool stopping = port->state == PORT_STOPPING;

	port->process = NULL;
	port->since_ms = 0;
	if (failure) {
		port->failures++;
		free(port->why);
		port->why = strdup(udf_packet_text(failure, "why", ""));
	}
	if (stopping)
		port->lost_ms = 0;
	if (stopping && port->restarting) {
		port->restarting = false;
		launch(port);
	} else if (!port->wanted) {
		port->lost_ms = 0;
		port_note(port, 5, "stopped");
		spawn_forget(port);
		set_state(port, PORT_STOPPED);
	} else if (!schedule(port, ran_ms)) {
		port->restarts++;
		launch(port);
	}
	/* who waits for the port does not wait for a disk */
	if (failure)
		failure_keep(port, failure);
}

/* ---- what others see ---- */

static int64_t counter(const struct port *port, size_t offset)
{
	const struct udf_shared *s = port->process ? port->process->shared : NULL;

	return s ? (int64_t)(udf_shared_get((const uint64_t *)((const char *)s + offset)) & INT64_MAX) : 0;
}

static void add_reported(struct json_object *o, const struct port *port, const char *key)
{
	struct json_object *v;

	if (port->reported && json_object_object_get_ex(port->reported, key, &v))
		json_object_object_add(o, key, json_object_get(v));
}

struct json_object *port_json(const struct port *port)
{
	struct json_object *o = udf_packet_new("name", port->settings.name);
	char address[UDF_PCI_ADDRESS_LEN];

	if (!o)
		return NULL;
	udf_packet_add_text(o, "device", port->settings.device);
	udf_packet_add_text(o, "state", port_state_names[port->state]);
	udf_packet_add_bool(o, "wanted", port->wanted);
	udf_packet_add_bool(o, "configured", port->configured);
	udf_packet_add_bool(o, "changed", port->has_pending || port->outdated);
	udf_packet_add_number(o, "restarts", (int64_t)(port->restarts & INT64_MAX));
	udf_packet_add_number(o, "failures", (int64_t)port->failures);
	if (port->since_ms)
		udf_packet_add_number(o, "since-ms", port->since_ms);
	if (port->gap_ms >= 0)
		udf_packet_add_number(o, "gap-ms", port->gap_ms);
	if (port->why)
		udf_packet_add_text(o, "why", port->why);
	if (port->process) {
		udf_packet_add_number(o, "pid", port->process->pid);
		udf_packet_add_bool(o, "adopted", port->process->adopted);
		udf_packet_add_bool(o, "walls-wanted", port->settings.walls);
		udf_packet_add_number(o, "requests", counter(port, offsetof(struct udf_shared, requests)));
		udf_packet_add_number(o, "bytes-read", counter(port, offsetof(struct udf_shared, bytes_read)));
		udf_packet_add_number(o, "bytes-written", counter(port, offsetof(struct udf_shared, bytes_written)));
		udf_packet_add_number(o, "interrupts", counter(port, offsetof(struct udf_shared, interrupts)));
		udf_packet_add_number(o, "memory", counter(port, offsetof(struct udf_shared, memory)));
		udf_packet_add_number(o, "memory-max", counter(port, offsetof(struct udf_shared, memory_max)));
	}
	/* the machine knows, and not the driver process, which is what is to be kept from other memory */
	if (function_of(port, address))
		udf_packet_add_bool(o, "isolated", udf_pci_isolated(address));
	add_reported(o, port, "address");
	add_reported(o, port, "transport");
	add_reported(o, port, "driver");
	add_reported(o, port, "modules");
	add_reported(o, port, "disks");
	add_reported(o, port, "cpus");
	add_reported(o, port, "walls");
	return o;
}

/* ---- new and gone ---- */

static unsigned int free_slot(void)
{
	const struct port *port;
	unsigned int slot = 0;

again:
	for (port = udfd.ports; port; port = port->next)
		if (port->slot == slot) {
			slot++;
			goto again;
		}
	return slot;
}

struct port *port_new(const struct udf_port_settings *settings)
{
	struct port *port = calloc(1, sizeof(*port));

	if (!port)
		return NULL;
	if (!udf_port_settings_copy(&port->settings, settings, NULL, NULL)) {
		free(port);
		return NULL;
	}
	port->gap_ms = -1;
	port->clients = -1;
	port->slot = free_slot();
	return port;
}

void port_free(struct port *port)
{
	clients_port_gone(port);
	if (port->clients >= 0)
		close(port->clients);
	no_timer(port);
	sd_event_source_disable_unref(port->watch);
	end_pending(port, false);
	json_object_put(port->reported);
	json_object_put(port->modules);
	json_object_put(port->unsaved);
	port_log_free(&port->log);
	udf_port_settings_free(&port->settings);
	free(port->why);
	free(port);
}
