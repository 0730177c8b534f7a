// SPDX-License-Identifier: GPL-2.0
/* udf reload: have udfd read its configuration again. Host world. */
#include <stdio.h>

#include "cli.h"
#include "daemon.h"

CLI_SUMMARY(reload, "have udfd read its configuration again");

static const char help[] =
	"Usage: udf reload [OPTION...]\n\n"
	"Has udfd read its configuration again and look for PCI functions that it means. New ports are started, and ports that are gone\n"
	"from it are stopped. One that runs goes on as it is; 'udf status' says if its configuration has changed, and 'udf restart' applies\n"
	"that. If anything is wrong with the configuration nothing changes.\n\n";

static bool nothing(void *arg, struct json_object *answer)
{
	return true;
}

int cmd_reload(int argc, char **argv)
{
	struct cli_daemon d;
	int status;

	if (!cli_daemon_parse(&d, argc, argv, 0, NULL, help, &status))
		return status;
	status = cli_daemon_ask(&d, "reload", NULL, NULL, nothing, NULL);
	if (d.json && !status)
		printf("{\"reload\":\"ok\"}\n");
	return status;
}
