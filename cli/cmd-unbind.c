// SPDX-License-Identifier: GPL-2.0
/* udf unbind: give a PCI function back to the kernel's own driver. Host world. */
#include "base/pci.h"
#include "bind.h"
#include "cli.h"

CLI_SUMMARY(unbind, "give a PCI function back to the kernel");

static const char help[] =
	"Usage: udf unbind ADDRESS [OPTION...]\n\n"
	"Takes the PCI function at ADDRESS (as in 0000:03:00.0) from udf_port, and lets the kernel's own driver have it again. A port of\n"
	"udfd's that runs on it is to be stopped first, with 'udf stop'. Takes root.\n\n";

int cmd_unbind(int argc, char **argv)
{
	return cli_bind(argc, argv, help, udf_pci_unbind);
}
