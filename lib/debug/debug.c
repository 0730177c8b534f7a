// SPDX-License-Identifier: GPL-2.0
/* Where the loader's and the driver's news go; see debug.h. Host world. */
#include "debug/debug.h"

#include <stdlib.h>

#include "debug/perf-map.h"
#include "debug/record.h"
#include "debug/trace-int.h"
#include "host/linux/host.h"
#include "loader/internal.h"

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value && *value != '0';
}

static void on_linked(struct udf_loader *loader, struct udf_module *mod)
{
	udf_record_module(mod, UDF_DEBUG_LINKED);
	udf_perf_map_module(mod);
	/* a debugger may have attached meanwhile: from the next module on it hears by itself */
	udf_loader_gdb(loader, udf_record_jit());
}

/* Callers in there have to be named while they have names. */
static void on_trimming(struct udf_loader *loader, struct udf_module *mod)
{
	udf_trace_flush();
}

static void on_trimmed(struct udf_loader *loader, struct udf_module *mod)
{
	udf_record_module(mod, UDF_DEBUG_TRIMMED);
}

static void on_closing(struct udf_loader *loader, struct udf_module *mod)
{
	udf_record_module(mod, UDF_DEBUG_FREE);
	udf_trace_flush();
	udf_trace_api_closing(loader, mod);
}

static const struct udf_loader_observer observer = { .linking = udf_trace_interpose, .linked = on_linked, .trimming = on_trimming, .trimmed = on_trimmed, .closing = on_closing };

int udf_debug_start(const struct udf_debug_config *config, struct udf_error *err)
{
	int ret = udf_record_open(udf_host.image, err);

	if (ret)
		return ret;
	if (is_set("UDF_GDB")) {
		udf_record_set_jit();
		udf_loader_gdb(udf_host.loader, true);
	}
	udf_loader_observe(udf_host.loader, &observer);
	if (config->perf_map || is_set("UDF_PERF_MAP"))
		ret = udf_perf_map_open(udf_host.image, err);
	return ret ?: udf_trace_start(&config->trace, err);
}

unsigned int udf_debug_kernel_events(void)
{
	return (udf_tracing(UDF_TRACE_SCHED) ? HOST_TRACE_SCHED : 0) | (udf_tracing(UDF_TRACE_IRQ) ? HOST_TRACE_IRQ : 0);
}

void udf_debug_stop(void)
{
	udf_trace_stop();
	if (udf_host.loader)
		udf_loader_observe(udf_host.loader, NULL);
	udf_perf_map_close();
	udf_record_close();
}
