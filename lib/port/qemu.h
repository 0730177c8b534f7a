/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The transport to QEMU's device models: a QEMU process with one device and a halted CPU. Host world.
 *
 * Specification: `qemu:MODEL,KEY=VALUE,...`, QEMU's own -device string. UDF adds what is not given: id=udf0, addr= (slot 4; the
 * function that the configuration names, with multifunction=on when it is not 0) and romfile= (none). Back ends
 * ("-blockdev", "driver=...", ...) are passed on as they are. The device sits on QEMU's root bus.
 *
 * Several functions of one card: one process with its own QEMU for each, in which the others are absent; same MODEL, same slot, different function.
 */
#ifndef UDF_PORT_QEMU_H
#define UDF_PORT_QEMU_H

#include <stddef.h>

#include "port/port.h"

/* Open a port; called by udf_port_open(). SPEC is what follows "qemu:". */
int udf_qemu_open(const struct udf_port_config *config, const char *spec, const struct udf_port_events *events, void *ctx,
		  struct udf_port **port, struct udf_error *err);

/*
 * Perform COMMAND, a line of QEMU's monitor protocol (JSON), for tests: error injection, statistics. REPLY, if not NULL, gets the
 * answer. May block. Returns 0, -EIO when QEMU answers with an error, -ENOSPC when REPLY is too short, -EINVAL when PORT is not
 * QEMU's, -ENODEV when QEMU is gone.
 */
int udf_port_qemu_monitor(struct udf_port *port, const char *command, char *reply, size_t len);

/*
 * If not NULL: called in the child process that will be QEMU, before it is; async-signal-safe. For a driver process that is about to give
 * up what QEMU, the device, needs: files, network. Set before a port is opened.
 */
extern void (*udf_port_qemu_child)(void);

/* Process id of the port's QEMU; 0 when it has ended, -EINVAL when PORT is not QEMU's. */
int udf_port_qemu_pid(struct udf_port *port);

#endif
