// SPDX-License-Identifier: GPL-2.0
/* udf restart: have udfd stop a port's driver and start it again. Host world. */
#include "cli.h"
#include "daemon.h"

CLI_SUMMARY(restart, "stop and start the driver of a port of udfd's");

static const char help[] =
	"Usage: udf restart PORT [OPTION...]\n\n"
	"Has udfd stop the driver of a port in order and start it again, with the configuration as it is now, and waits until it runs.\n\n";

int cmd_restart(int argc, char **argv)
{
	return cli_daemon_do(argc, argv, "port", "the port", help);
}
