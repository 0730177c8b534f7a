// SPDX-License-Identifier: GPL-2.0
/* What to trace, as text. Host world; pure. */
#include "debug/trace.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	unsigned int bits;
} categories[] = {
	{ "api", UDF_TRACE_API }, { "dma", UDF_TRACE_DMA }, { "mmio", UDF_TRACE_MMIO }, { "pci", UDF_TRACE_PCI },
	{ "irq", UDF_TRACE_IRQ }, { "sched", UDF_TRACE_SCHED },
	{ "all", UDF_TRACE_API | UDF_TRACE_DMA | UDF_TRACE_MMIO | UDF_TRACE_PCI | UDF_TRACE_IRQ | UDF_TRACE_SCHED },
};

#define NR_CATEGORIES (sizeof(categories) / sizeof(categories[0]))

int udf_trace_parse(const char *what, unsigned int *bits, const char **file, struct udf_error *err)
{
	const char *end = what + strcspn(what, "=");
	size_t i, n;

	*file = *end ? end + 1 : NULL;
	for (*bits = 0; what <= end; what += n + 1) {
		n = strcspn(what, ",=");
		for (i = 0; i < NR_CATEGORIES; i++)
			if (strlen(categories[i].name) == n && !memcmp(categories[i].name, what, n))
				break;
		if (i == NR_CATEGORIES)
			return udf_error_set(err, -EINVAL, "trace: there is no '%.*s', only api, dma, mmio, pci, irq, sched, and all",
					     (int)n, what);
		*bits |= categories[i].bits;
	}
	if (*file && !**file)
		return udf_error_set(err, -EINVAL, "trace: there is a '=', but no file behind it");
	return 0;
}

int udf_trace_check(const struct udf_trace_config *c, struct udf_error *err)
{
	unsigned int bits;
	const char *file;

	if (c->format && strcmp(c->format, "text") && strcmp(c->format, "json"))
		return udf_error_set(err, -EINVAL, "trace-format is '%s', but must be text or json", c->format);
	return c->what ? udf_trace_parse(c->what, &bits, &file, err) : 0;
}

bool udf_trace_matches(const char *list, const char *name)
{
	/* a list that begins with what is not wanted is one of exceptions */
	bool wanted = !list || *list == '!';

	while (list && *list) {
		size_t n = strcspn(list, ",");
		bool not = *list == '!';
		char pattern[128];

		snprintf(pattern, sizeof(pattern), "%.*s", (int)(n - not), list + not);
		if (!fnmatch(pattern, name, 0))
			wanted = !not;
		list += n + (list[n] == ',');
	}
	return wanted;
}
