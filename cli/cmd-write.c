// SPDX-License-Identifier: GPL-2.0
/* udf write: bytes from a file or stdin to a disk. Host world. */
#include "cli.h"
#include "copy.h"

CLI_SUMMARY(write, "copy a file or stdin to a disk; zero or discard parts of it");

int cmd_write(int argc, char **argv)
{
	return cli_copy(true, argc, argv);
}
