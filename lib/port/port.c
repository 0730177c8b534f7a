// SPDX-License-Identifier: GPL-2.0
/* Which transport a specification names. Host world. */
#include "port/port.h"

#include <errno.h>
#include <string.h>

#include "mem.h"
#include "port/kernel.h"
#include "port/qemu.h"

void udf_arena_sizes(uint64_t *size, uint64_t *max)
{
	/* who wants no more than so much starts with that */
	if (!*size)
		*size = *max && *max < UDF_ARENA_SIZE ? *max : UDF_ARENA_SIZE;
	if (!*max)
		*max = UDF_ARENA_MAX;
	*size &= -(uint64_t)HOST_BLOCK_MAX;
	*max &= -(uint64_t)HOST_BLOCK_MAX;
	if (*max < *size)
		*max = *size;
}

int udf_port_open(const struct udf_port_config *given, const struct udf_port_events *events, void *ctx,
		  struct udf_port **port, struct udf_error *err)
{
	struct udf_port_config config = *given;
	const char *spec = config.spec;

	*port = NULL;
	udf_arena_sizes(&config.arena_size, &config.arena_max);
	if (spec && !strncmp(spec, "qemu:", 5))
		return udf_qemu_open(&config, spec + 5, events, ctx, port, err);
	if (spec && !strncmp(spec, "pci:", 4))
		return udf_kernel_open(&config, spec + 4, events, ctx, port, err);
	return udf_error_set(err, -EINVAL, "%s is no device that UDF can drive: use pci:ADDRESS, or qemu:MODEL,KEY=VALUE,...", spec ? spec : "(nothing)");
}
