/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The transport to a real PCI function, through udf_port.ko (include/udf/port-abi.h). Host world.
 *
 *   pci:ADDRESS[,KEY=VALUE]...		ADDRESS: 0000:03:00.0, or 03:00.0
 *
 *	mask=BITS	device addresses that the function can reach, 24 to 64; default 32, which nearly all can. More is for machines
 *			that have no memory left below 4 GiB
 *	fd=N		its device file is open already, as descriptor N; it becomes the transport's
 *
 * Registers are mapped where that is possible; interrupts are counters in shared memory, which a thread watches that sleeps otherwise.
 */
#ifndef UDF_PORT_KERNEL_H
#define UDF_PORT_KERNEL_H

#include "port/port.h"

/* Open the port that SPEC (without "pci:") names; as udf_port_open(). */
int udf_kernel_open(const struct udf_port_config *config, const char *spec, const struct udf_port_events *events, void *ctx,
		    struct udf_port **port, struct udf_error *err);

/* What SPEC says. Returns 0 or -EINVAL. */
struct udf_kernel_spec {
	char address[16];		/* "0000:03:00.0", as the kernel writes it */
	unsigned int mask;		/* bits */
	int fd;				/* -1: to be opened */
};
int udf_kernel_spec_parse(const char *text, struct udf_kernel_spec *spec, struct udf_error *err);

#endif
