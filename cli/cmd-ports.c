// SPDX-License-Identifier: GPL-2.0
/* udf ports: the ports that udfd manages. Host world. */
#include <stdio.h>
#include <time.h>

#include "cli.h"
#include "ports.h"

CLI_SUMMARY(ports, "list the ports that udfd manages");

static const char help[] =
	"Usage: udf ports [OPTION...]\n\n"
	"Lists the ports that udfd manages: name, address, the driver that the device is bound to, state, disks, how often the driver was\n"
	"started again, since when it runs, and requests per second, measured for a moment.\n\n";

#define MEASURE_MS 200

int cmd_ports(int argc, char **argv)
{
	const struct timespec moment = { .tv_nsec = MEASURE_MS * 1000000l };
	struct cli_ports before = { 0 }, now = { 0 };
	struct cli_daemon d;
	size_t i;
	int status;

	if (!cli_daemon_parse(&d, argc, argv, 0, NULL, help, &status))
		return status;
	status = cli_ports_get(&d, &before);
	if (!status && before.nr) {
		nanosleep(&moment, NULL);
		status = cli_ports_get(&d, &now);
	}
	cli_ports_rates(&now, &before);
	if (!status && d.json)
		for (i = 0; i < now.nr; i++)
			cli_print_json(now.port[i]);
	else if (!status)
		status = cli_ports_print(&now, stdout);
	cli_ports_free(&before);
	cli_ports_free(&now);
	return status;
}
