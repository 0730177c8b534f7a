/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Traces of what a driver asks for and what is done about it: `udf run --trace`. Host world.
 *
 *   vCPUs, signal handlers, transport's threads --> ring of records --> one reader thread --> a line each, stderr or a file
 *
 * Where something can be traced, one word is looked at (udf_tracing()); calls of modules are not even that: a module whose calls are
 * traced is linked to other addresses. Writers never wait: a record for which the ring has no room is counted, and the reader
 * says how many were lost and where.
 */
#ifndef UDF_DEBUG_TRACE_H
#define UDF_DEBUG_TRACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

enum udf_trace_category {
	UDF_TRACE_API	= 1,	/* calls of modules into the image, kapi and other modules */
	UDF_TRACE_DMA	= 2,	/* those of them that concern DMA */
	UDF_TRACE_MMIO	= 4,	/* accesses to registers and I/O ports */
	UDF_TRACE_PCI	= 8,	/* accesses to configuration space, masking of the INTx line */
	UDF_TRACE_IRQ	= 16,	/* interrupts raised, handlers entered and left */
	UDF_TRACE_SCHED	= 32,	/* task switches */
};

/* Accesses to the transport are recorded for calls, too: it is said which calls caused some. */
#define UDF_TRACE_CALLS (UDF_TRACE_API | UDF_TRACE_DMA)

/* Options as text; strings are copied. */
struct udf_trace_config {
	const char *what;	/* "api,irq,mmio", "all", with "=FILE" behind it; NULL: nothing is traced */
	const char *only;	/* glob patterns of function names for api and dma, "pci_*,!*lock*"; NULL: all */
	const char *format;	/* "text" (NULL) or "json" */
};

/* Categories and file (NULL: none) of "api,irq=FILE". Returns 0, or -EINVAL with ERR. */
int udf_trace_parse(const char *what, unsigned int *categories, const char **file, struct udf_error *err);
/* Whether NAME is wanted by a list of patterns: the last that fits decides. A list that begins with '!' is one of exceptions. */
bool udf_trace_matches(const char *list, const char *name);
/* Check the options. Returns 0, or -EINVAL with ERR. */
int udf_trace_check(const struct udf_trace_config *config, struct udf_error *err);

/* The image is mapped and the loader there, no kernel code runs. Does nothing when nothing is to be traced. */
int udf_trace_start(const struct udf_trace_config *config, struct udf_error *err);
/* Write what is left and end. */
void udf_trace_stop(void);
/* Write what is left now: the process may be about to end. */
void udf_trace_flush(void);

extern _Atomic unsigned int udf_traced;

static inline bool udf_tracing(unsigned int categories)
{
	return __builtin_expect(atomic_load_explicit(&udf_traced, memory_order_relaxed) & categories, 0);
}

/* Whether registers are to be trapped even where they could be mapped. */
static inline bool udf_trace_wants_traps(void)
{
	return udf_tracing(UDF_TRACE_MMIO);
}

uint64_t udf_trace_now(void);

/* An access of SIZE bytes by the code at IP, begun at START: BAR -1: configuration space. Async-signal-safe, as all that follow. */
void udf_trace_access(int bar, bool port, bool write, uint64_t ip, uint64_t offset, unsigned int size, uint64_t value, uint64_t start);
/* The transport raised an interrupt: it is number HWIRQ of vCPU CPU. */
void udf_trace_raised(unsigned int cpu, unsigned int hwirq);
void udf_trace_intx(bool masked);

#endif
