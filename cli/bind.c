// SPDX-License-Identifier: GPL-2.0
/* udf bind and udf unbind; see bind.h. Host world. */
#include "bind.h"

#include <stdio.h>
#include <unistd.h>

#include "base/pci.h"
#include "cli.h"
#include "daemon.h"

static bool nothing(void *arg, struct json_object *answer)
{
	return true;
}

int cli_bind(int argc, char **argv, const char *help, int (*locally)(const char *address, struct udf_error *err))
{
	struct udf_error err = UDF_ERROR_INIT, unreachable = UDF_ERROR_INIT;
	char address[UDF_PCI_ADDRESS_LEN];
	struct cli_daemon d;
	int status, sock;

	if (!cli_daemon_parse(&d, argc, argv, CLI_DAEMON_ARGUMENT, "the address of a PCI function, as in 0000:03:00.0", help, &status))
		return status;
	if (!udf_pci_address(d.argument, address))
		return cli_usage(d.verb, "'%s' is no PCI address, as in 0000:03:00.0", d.argument);
	sock = udf_daemon_connect(d.socket, &unreachable);
	if (sock >= 0) {
		close(sock);
		status = cli_daemon_ask(&d, d.verb, "address", address, nothing, NULL);
	} else {
		status = locally(address, &err) ? cli_fail(&err) : CLI_OK;
	}
	if (d.json && !status)
		printf("{\"%s\":\"ok\"}\n", d.verb);
	return status;
}
