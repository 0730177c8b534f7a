// SPDX-License-Identifier: GPL-2.0
/* udf logs: the log of a port. Host world. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "daemon.h"

CLI_SUMMARY(logs, "show the log of a port of udfd's");

static const char help[] =
	"Usage: udf logs PORT [OPTION...]\n\n"
	"Prints the last lines that the driver of a port and udfd have written about it, oldest first.\n\n"
	"  -f, --follow         go on with new lines as they come\n"
	"  --all                debug messages, too: what the kernel code says while it starts\n";

static bool show(void *arg, struct json_object *answer)
{
	const struct cli_daemon *d = arg;
	struct json_object *line;
	int64_t ms, level;
	char time[32];

	if (!json_object_object_get_ex(answer, "line", &line))
		return true;
	level = udf_packet_number(line, "level", 6);
	if (level > 6 && !d->all)
		return true;
	if (d->json) {
		cli_print_json(line);
		return true;
	}
	ms = udf_packet_number(line, "ms", 0);
	printf("%s.%03lld <%lld> %s\n", cli_time(ms, time, sizeof(time)), (long long)(ms % 1000), (long long)level, udf_packet_text(line, "text", ""));
	fflush(stdout);
	return true;
}

int cmd_logs(int argc, char **argv)
{
	struct cli_daemon d;
	int status;

	if (!cli_daemon_parse(&d, argc, argv, CLI_DAEMON_FOLLOW | CLI_DAEMON_ALL | CLI_DAEMON_ARGUMENT, "the port", help, &status))
		return status;
	return cli_daemon_ask(&d, "logs", "port", d.argument, show, &d);
}
