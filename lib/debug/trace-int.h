/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the tracer share. Private to lib/debug. Host world. */
#ifndef UDF_DEBUG_TRACE_INT_H
#define UDF_DEBUG_TRACE_INT_H

#include "common/strbuf.h"
#include "debug/btf.h"
#include "debug/trace.h"
#include "host/linux/host.h"

enum udf_trace_kind {
	UDF_TRACE_CALL, UDF_TRACE_RETURN, UDF_TRACE_ACCESS, UDF_TRACE_INTX, UDF_TRACE_RAISED, UDF_TRACE_ENTER, UDF_TRACE_EXIT,
	UDF_TRACE_SWITCH,
};

#define UDF_TRACE_NO_CPU 0xff

/* One event. Two cache lines. */
struct udf_trace_record {
	_Atomic uint64_t seq;		/* the ring's */
	uint64_t time, ip;
	const struct udf_trace_fn *fn;	/* calls */
	union {
		struct { uint64_t arg[6], result, handle, start; } call;
		struct { uint64_t offset, value, start; int16_t bar; uint8_t size; bool port, write; } access;
		struct { uint64_t a, b, c, latency; char text[32]; } event;
	};
	uint32_t pid;
	uint8_t kind, cpu, context;	/* context: bit 0 softirq, bit 1 hardirq */
	char comm[16];
};

/* A function that a module imports: what is known of it, and how calls are to be shown. Lives until the trace ends. */
struct udf_trace_fn {
	uint64_t target;
	uint64_t site;			/* of a tail call: where the call is; else 0 */
	char name[64], provider[64];	/* provider: "image", "kapi" or a module */
	bool dma;
	bool whole;			/* the return is seen as well */
	bool known;			/* proto is valid */
	const struct udf_btf *types;	/* that it is of */
	int handle;			/* number of the argument through which a device address is returned, or -1 */
	struct udf_btf_func proto;
};

/* trace.c */
/* A free record, or NULL when there is none; filled and then given back by udf_trace_put(). General registers only. */
struct udf_trace_record *udf_trace_get(enum udf_trace_kind kind, uint64_t ip);
void udf_trace_put(struct udf_trace_record *r);
/* Whether NAME is one of those that are wanted. */
bool udf_trace_is_wanted(const char *name);
extern struct udf_btf *udf_trace_btf;

/* trace-api.c */
int udf_trace_interpose(struct udf_loader *loader, struct udf_module *mod, struct udf_error *err);
/* MOD was linked and goes: release its trampolines. */
void udf_trace_api_closing(struct udf_loader *loader, const struct udf_module *mod);
void udf_trace_api_end(struct udf_loader *loader);
/* Memory of the trampolines that are there, by number; false behind the last. For tests and for names. */
bool udf_trace_trampolines(unsigned int i, uint64_t *start, uint64_t *end);

/* trace-format.c */
struct udf_trace_format;
struct udf_trace_format *udf_trace_format_new(bool json, uint64_t start);
void udf_trace_format_free(struct udf_trace_format *f);
/* Append the line for R to OUT, if its category is one of CATEGORIES. */
void udf_trace_format(struct udf_trace_format *f, const struct udf_trace_record *r, unsigned int categories, struct udf_strbuf *out);
void udf_trace_format_lost(struct udf_trace_format *f, uint64_t lost, uint64_t time, struct udf_strbuf *out);

#endif
