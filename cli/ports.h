/* SPDX-License-Identifier: GPL-2.0 */
/* udf ports and udf top: all ports, at a moment, and what went on between two. Host world. */
#ifndef UDF_CLI_PORTS_H
#define UDF_CLI_PORTS_H

#include <stdio.h>

#include "daemon.h"

struct cli_ports {
	struct json_object **port;
	size_t nr;
	int64_t ms;		/* when */
};

/* Ask udfd. Returns an exit status; errors are shown. */
int cli_ports_get(struct cli_daemon *d, struct cli_ports *p);
void cli_ports_free(struct cli_ports *p);
/* Give the ports of NOW what has gone on since BEFORE, per second, as members "iops", "read-rate" and "write-rate" (bytes). */
void cli_ports_rates(struct cli_ports *now, const struct cli_ports *before);
/* Print a table. Returns an exit status. */
int cli_ports_print(const struct cli_ports *now, FILE *out);

#endif
