// SPDX-License-Identifier: GPL-2.0
/* udf stop: have udfd stop a port's driver. Host world. */
#include "cli.h"
#include "daemon.h"

CLI_SUMMARY(stop, "stop the driver of a port of udfd's");

static const char help[] =
	"Usage: udf stop PORT [OPTION...]\n\n"
	"Has udfd stop the driver of a port: the device is shut down in order. Waits for that. It stays stopped until 'udf start'.\n\n";

int cmd_stop(int argc, char **argv)
{
	return cli_daemon_do(argc, argv, "port", "the port", help);
}
