// SPDX-License-Identifier: GPL-2.0
/* udf start: have udfd start a port's driver. Host world. */
#include "cli.h"
#include "daemon.h"

CLI_SUMMARY(start, "start the driver of a port of udfd's");

static const char help[] =
	"Usage: udf start PORT [OPTION...]\n\n"
	"Has udfd start the driver of a port, at once even if it is waiting to do so, and waits until it runs.\n\n";

int cmd_start(int argc, char **argv)
{
	return cli_daemon_do(argc, argv, "port", "the port", help);
}
