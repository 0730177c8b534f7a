/* SPDX-License-Identifier: GPL-2.0 */
/* The module "waits" in a thread of its own: its init function runs until it is told to end. */
#ifndef UDF_TEST_WAITS_H
#define UDF_TEST_WAITS_H

#include "udf-test.h"

static struct udf *udf;
static atomic_int word[2];	/* 1: the init function runs; 2: it may end. And its turns, if it spins */
static atomic_bool loaded;

/* The thread. PARAMS: of the module, beside the words' address. */
static void *waits_load(void *params)
{
	const char *build = getenv("UDF_BUILD");
	char file[4096], all[64];

	snprintf(file, sizeof(file), "%s/tests/modules/udf_waits.ko", build ? build : "build");
	snprintf(all, sizeof(all), "%s until=%lu", (const char *)params, (unsigned long)word);
	CHECK_OK(udf_load(udf, file, all));
	atomic_store(&loaded, true);
	return NULL;
}

#endif
