/* SPDX-License-Identifier: GPL-2.0 */
/* A socket at which applications in other processes attach to the driver of this one. Host world. */
#ifndef UDF_CLI_SERVE_H
#define UDF_CLI_SERVE_H

#include "udf/serve.h"

struct cli_serve;

/*
 * Listen at PATH, in a thread; a socket that is there already, of a driver process that has ended, is replaced. What goes wrong is
 * shown, and is NULL.
 */
struct cli_serve *cli_serve_start(struct udf *udf, const char *path);
/* Stop listening, before udf_close(). S may be NULL. */
void cli_serve_stop(struct cli_serve *s);

#endif
