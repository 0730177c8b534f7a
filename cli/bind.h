/* SPDX-License-Identifier: GPL-2.0 */
/* udf bind and udf unbind: hand a PCI function over, and give it back. Host world. */
#ifndef UDF_CLI_BIND_H
#define UDF_CLI_BIND_H

#include "common/error.h"

/* Through udfd if it runs, so that nothing is taken from under a driver; or else by LOCALLY, here. */
int cli_bind(int argc, char **argv, const char *help, int (*locally)(const char *address, struct udf_error *err));

#endif
