// SPDX-License-Identifier: GPL-2.0
/* udf bind: hand a PCI function over to UDF. Host world. */
#include "base/pci.h"
#include "bind.h"
#include "cli.h"

CLI_SUMMARY(bind, "hand a PCI function over to UDF");

static const char help[] =
	"Usage: udf bind ADDRESS [OPTION...]\n\n"
	"Takes the PCI function at ADDRESS (as in 0000:03:00.0) from the kernel driver that has it, and binds it to udf_port, so that a\n"
	"driver process can drive it. What uses it now (mounted file systems, network addresses) must have let go of it before.\n"
	"Takes root.\n\n";

int cmd_bind(int argc, char **argv)
{
	return cli_bind(argc, argv, help, udf_pci_bind);
}
