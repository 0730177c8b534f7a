// SPDX-License-Identifier: GPL-2.0
/* Which transport a specification names. Host world. */
#include "port/port.h"

#include <errno.h>
#include <string.h>

#include "port/kernel.h"
#include "port/qemu.h"

int udf_port_open(const struct udf_port_config *config, const struct udf_port_events *events, void *ctx,
		  struct udf_port **port, struct udf_error *err)
{
	const char *spec = config->spec;

	*port = NULL;
	if (spec && !strncmp(spec, "qemu:", 5))
		return udf_qemu_open(config, spec + 5, events, ctx, port, err);
	if (spec && !strncmp(spec, "pci:", 4))
		return udf_kernel_open(config, spec + 4, events, ctx, port, err);
	return udf_error_set(err, -EINVAL, "%s is no device that UDF can drive: use pci:ADDRESS, or qemu:MODEL,KEY=VALUE,...", spec ? spec : "(nothing)");
}
