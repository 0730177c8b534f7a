// SPDX-License-Identifier: GPL-2.0
/* udf read: bytes of a disk to a file or stdout. Host world. */
#include "cli.h"
#include "copy.h"

CLI_SUMMARY(read, "copy bytes of a disk to a file or stdout");

int cmd_read(int argc, char **argv)
{
	return cli_copy(false, argc, argv);
}
