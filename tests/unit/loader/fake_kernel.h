/* SPDX-License-Identifier: GPL-2.0 */
/* A kernel for the loader's tests: what a prepared image would answer, from a table or from a real kernel's Module.symvers. */
#ifndef TESTS_UNIT_LOADER_FAKE_KERNEL_H
#define TESTS_UNIT_LOADER_FAKE_KERNEL_H

#include "loader/modules.h"

#define FAKE_VERMAGIC "6.1.0-fake SMP preempt mod_unload modversions "

struct fake_symbol {
	const char *name;
	struct udf_export export;
	bool exported, kapi;
};

struct fake_kernel {
	const char *vermagic;
	struct fake_symbol *symbol;
	unsigned int nr;
	char *text;			/* of Module.symvers */
	char modules[512], magic[128];
};

struct udf_kernel fake_kernel_ops(struct fake_kernel *fake);

/*
 * Take exports and version string of the kernel below the build folder ($UDF_BUILD, build), or of $UDF_TEST_KERNEL (a folder
 * with lib/modules and usr/src). Returns -1 when there is none: skip the test. FAKE->modules is its directory of modules.
 */
int fake_kernel_load(struct fake_kernel *fake);
void fake_kernel_free(struct fake_kernel *fake);

#endif
