// SPDX-License-Identifier: GPL-2.0
/* udf failures: what went wrong with a port. Host world. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "daemon.h"

CLI_SUMMARY(failures, "show what went wrong with a port of udfd's");

static const char help[] =
	"Usage: udf failures PORT [OPTION...]\n\n"
	"Prints what udfd has recorded of each failure of a port, oldest first: when, how long the driver had run, what it died of, and the\n"
	"end of its log from the kernel's report on.\n\n"
	"  --all                the whole log that was kept of each\n";

/* Where the kernel begins to report that something is wrong. */
static size_t first_of_report(struct json_object *log)
{
	static const char *const words[] = { "cut here", "BUG: ", "kernel BUG at", "Kernel panic", "Oops", "blocked for more than", " threads:" };
	size_t n = json_object_array_length(log), i, w;

	for (i = 0; i < n; i++)
		for (w = 0; w < sizeof(words) / sizeof(words[0]); w++)
			if (strstr(udf_packet_text(json_object_array_get_idx(log, i), "text", ""), words[w]))
				return i;
	return n > 5 ? n - 5 : 0;
}

static void show_log(struct json_object *log, bool all)
{
	size_t i;

	for (i = all ? 0 : first_of_report(log); i < json_object_array_length(log); i++) {
		struct json_object *line = json_object_array_get_idx(log, i);

		if (all || udf_packet_number(line, "level", 6) < 7)
			printf("    <%lld> %s\n", (long long)udf_packet_number(line, "level", 6), udf_packet_text(line, "text", ""));
	}
}

static bool show(void *arg, struct json_object *answer)
{
	const struct cli_daemon *d = arg;
	struct json_object *f, *log;
	char time[32];
	double ran;

	if (!json_object_object_get_ex(answer, "failure", &f))
		return true;
	if (d->json) {
		cli_print_json(f);
		return true;
	}
	ran = (double)udf_packet_number(f, "ran-ms", 0) / 1000;
	printf("%s  %s", cli_time(udf_packet_number(f, "ms", 0), time, sizeof(time)), udf_packet_text(f, "kind", "?"));
	if (ran)
		printf("  after %.1f s", ran);
	printf("  (process %lld)\n  %s\n", (long long)udf_packet_number(f, "pid", 0), udf_packet_text(f, "why", "?"));
	log = udf_packet_array(f, "log");
	if (log)
		show_log(log, d->all);
	return true;
}

int cmd_failures(int argc, char **argv)
{
	struct cli_daemon d;
	int status;

	if (!cli_daemon_parse(&d, argc, argv, CLI_DAEMON_ALL | CLI_DAEMON_ARGUMENT, "the port", help, &status))
		return status;
	return cli_daemon_ask(&d, "failures", "port", d.argument, show, &d);
}
