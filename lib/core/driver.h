/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A running driver: image + port + vCPUs + modules, in this process. Host world.
 *
 * One at a time in a process: kernel code has fixed addresses. udf_driver_start() maps the image, opens the port, starts the
 * vCPU threads, boots the kernel code and waits until it takes commands; udf_driver_load() loads a module with what it
 * depends on; udf_driver_stop() shuts the device down, stops the vCPUs and unmaps everything.
 * All functions may block and are called from threads of the application, never from a vCPU.
 */
#ifndef UDF_CORE_DRIVER_H
#define UDF_CORE_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "control.h"
#include "debug/debug.h"
#include "image/image.h"
#include "port/port.h"

struct udf_driver;
struct udf_ring_shared;

struct udf_driver_config {
	struct udf_image_options image;
	const char *modules_dir;	/* directory of modules.dep; NULL: belongs to the release */
	struct udf_port_config port;	/* .spec NULL: no port, for tests */
	unsigned int cpus;		/* 0: 1 */
	/*
	 * Boot before the port is known, as far as that goes, in memory of .port.arena_size: see host/linux/ahead.c. If name_port() then wants other
	 * cpus, or the port's memory does not suit, all of it was in vain, and is done again.
	 */
	bool ahead;
	/*
	 * If not NULL: called when the image is mapped (and has booted, see ahead), to fill in what is not known before: port, cpus, firmware_dir. May block, as one
	 * does that stands by until a port needs it. If one vCPU has booted it may load and unload modules. Returns 0, or a negative errno that ends
	 * the start.
	 */
	int (*name_port)(void *ctx, struct udf_driver *driver, struct udf_driver_config *config, struct udf_error *err);
	const char *firmware_dir;	/* searched for firmware files before /lib/firmware; NULL: none */
	struct udf_debug_config debug;
	/* Log lines without newline; NULL: stderr. From any thread, must not call back. */
	void (*log)(void *ctx, int level, const char *text);
	/* Uevents: see host_event(). */
	void (*event)(void *ctx, const char *action, const char *devpath, const char *const *env, unsigned int n);
	/* The port or the kernel code is lost (QEMU died, panic); default: the process ends with a message. */
	void (*lost)(void *ctx, const char *why);
	void *ctx;
};

int udf_driver_start(const struct udf_driver_config *config, struct udf_driver **driver, struct udf_error *err);
/* Let drivers have the port's function: those that are loaded, which then have it when this returns, and those to come. Once. */
int udf_driver_probe(struct udf_driver *driver);

/* Load a module: a name ("nvme"), a path, or a modalias ("pci:v00001B36..."), with what it depends on. PARAMS: "a=1 b=2" or NULL. */
int udf_driver_load(struct udf_driver *driver, const char *module, const char *params, struct udf_error *err);
/* Whether there is any, or may be: false if a modalias matches none. While kernel code boots ahead, too. */
bool udf_driver_has(const char *module);
int udf_driver_unload(struct udf_driver *driver, const char *module, struct udf_error *err);

/* Call EACH for every module that is loaded, in that order, with its name and file. EACH must not call the driver. */
void udf_driver_modules(struct udf_driver *driver, void (*each)(void *arg, const char *name, const char *file), void *arg);

/* Modalias of the port, as udev would build it. */
int udf_driver_modalias(struct udf_driver *driver, char *buf, size_t len);

/*
 * Run a command in the kernel world's control thread and wait for its result, for at most TIMEOUT_MS (-1: for ever).
 * Returns the result; -ETIMEDOUT leaves the command running.
 */
long udf_driver_control(struct udf_driver *driver, enum host_command cmd, const char *arg, void *data, size_t len, int timeout_ms);

/* Make the front ends look at their rings on vCPU CPU (HOST_PEND_FRONT). Any thread; cheap when the vCPU is awake and looking. */
void udf_driver_kick(struct udf_driver *driver, unsigned int cpu);

/*
 * Run vCPU CPU on the calling thread, if it is idle, until UNTIL(ARG) (asked whenever the kernel code is idle: must be cheap), or until
 * it has been idle for SPIN_NS. Then the vCPU stays held: nobody else runs it before udf_driver_release(), except its own thread
 * when work is left undone for about a millisecond. Returns 0, -EBUSY when the vCPU is running elsewhere, -ENODEV when the
 * driver is lost. Application threads only.
 */
int udf_driver_drive(struct udf_driver *driver, unsigned int cpu, bool (*until)(void *arg), void *arg, uint64_t spin_ns);
void udf_driver_release(struct udf_driver *driver, unsigned int cpu);

/*
 * Foreign memory (front.h): let the device reach the first LEN bytes of the memory file FD, see dma_add() in port.h; sets *DEV.
 * -EOPNOTSUPP: the transport has no way to. udf_driver_mem_remove() also unmaps what kernel code has touched.
 */
int udf_driver_mem_add(struct udf_driver *driver, int fd, uint64_t len, int lease, uint64_t *dev);
uint64_t udf_driver_mem_granule(struct udf_driver *driver);	/* what LEN is a multiple of; 0: there is no way */
int udf_driver_mem_remove(struct udf_driver *driver, uint64_t dev);

/*
 * Block devices of the machine's kernel, see struct udf_port_block_ops in port.h. Starting also makes all of the foreign memory window
 * memory of the kernel's requests. -EOPNOTSUPP: the transport has no such thing.
 */
int udf_driver_block_start(struct udf_driver *driver, struct udf_port_block_start *s, void **rings);
/* Its operations and the port to call them with; NULL: none. */
const struct udf_port_block_ops *udf_driver_block(struct udf_driver *driver, struct udf_port **port);

/*
 * The vCPUs sleep on eventfds from now on, for those who wake them without a thread of this process. Then vCPU CPU looks at RING, which stays
 * mapped, by itself: its eventfd, which is returned, need be signalled only when RING passes its sq_event. Negative errno: -ENOSPC.
 */
int udf_driver_rings_begin(struct udf_driver *driver);
int udf_driver_rings_add(struct udf_driver *driver, unsigned int cpu, struct udf_ring_shared *ring);
void udf_driver_rings_remove(struct udf_driver *driver, unsigned int cpu, struct udf_ring_shared *ring);

unsigned int udf_driver_cpus(const struct udf_driver *driver);
struct udf_image *udf_driver_image(struct udf_driver *driver);

struct udf_driver_stats {
	uint64_t privileged_calls;	/* what went to the transport: config space, register traps, interrupt masks, reset */
	uint64_t traps;			/* register and port accesses that faulted */
	uint64_t interrupts;
	uint64_t idle_sleeps;
	uint64_t start_ns;		/* from udf_driver_start() to the first command taken */
	uint64_t memory, memory_max;	/* bytes that there are, and may be */
};
void udf_driver_stats(const struct udf_driver *driver, struct udf_driver_stats *stats);

int udf_driver_stop(struct udf_driver *driver, struct udf_error *err);

#endif
