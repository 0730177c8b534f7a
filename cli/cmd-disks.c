// SPDX-License-Identifier: GPL-2.0
/* udf disks: the disks that a port's driver offers. Host world. */
#include <stdio.h>

#include "cli.h"
#include "port.h"

CLI_SUMMARY(disks, "list the disks that a port's driver offers");

static const char help[] =
	"Usage: udf disks --device SPEC [OPTION...]\n\n"
	"Starts the driver of the port, lists the disks that it finds, and shuts the device down again.\n\n"
	"  --json               print the list as JSON, with all that the driver tells\n";

int cmd_disks(int argc, char **argv)
{
	static const struct option options[] = { CLI_PORT_OPTIONS, { 0 } };
	struct cli_port p;
	int c, i = 0, status;

	if (!cli_port_init(&p, "disks"))
		return CLI_FAILED;
	while ((c = getopt_long(argc, argv, "", options, &i)) != -1)
		if (!cli_port_option(&p, c, &options[i], help))
			goto out;
	p.status = CLI_USAGE;
	if (optind < argc)
		cli_usage("disks", "'%s' is not an option", argv[optind]);
	else if (!p.has_device)
		cli_usage("disks", "--device or --port is missing");
	else
		p.status = cli_port_open(&p);
	if (!p.udf)
		goto out;
	status = cli_port_settle(&p) ? cli_port_print_disks(&p) : CLI_FAILED;
	p.status = cli_port_close(&p, status);
out:
	cli_port_free(&p);
	return p.status;
}
