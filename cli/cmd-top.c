// SPDX-License-Identifier: GPL-2.0
/* udf top: the ports that udfd manages, live. Host world. */
#include <poll.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "cli.h"
#include "common/table.h"
#include "ports.h"

CLI_SUMMARY(top, "watch the ports that udfd manages");

static const char help[] =
	"Usage: udf top [OPTION...]\n\n"
	"Shows the ports that udfd manages and what goes on at each, again and again. 'q' or Ctrl-C ends it.\n\n"
	"  --interval SECONDS   how often (default 1)\n";

static struct termios before_raw;
static bool raw;

/* Keys come one by one. */
static void begin_keys(void)
{
	struct termios t;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before_raw))
		return;
	t = before_raw;
	t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw = !tcsetattr(STDIN_FILENO, TCSANOW, &t);
}

static void end_keys(void)
{
	if (raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &before_raw);
}

/* Wait for the interval to end. Returns false when the user has had enough. */
static bool pause_for(unsigned int ms)
{
	struct pollfd p = { .fd = raw ? STDIN_FILENO : -1, .events = POLLIN };
	char c;

	if (poll(&p, 1, (int)ms) != 1)
		return true;
	return read(STDIN_FILENO, &c, 1) == 1 && c != 'q' && c != 4;
}

static void add_row(struct udf_table *t, struct json_object *p)
{
	struct json_object *disks = udf_packet_array(p, "disks");

	udf_table_cell(t, "%s", udf_packet_text(p, "name", "?"));
	udf_table_cell(t, "%s", udf_packet_text(p, "driver", "-"));
	udf_table_cell(t, "%s", udf_packet_text(p, "state", "?"));
	udf_table_cell(t, "%zu", disks ? json_object_array_length(disks) : 0);
	udf_table_cell(t, "%lld", (long long)udf_packet_number(p, "iops", 0));
	udf_table_cell(t, "%.1f", (double)udf_packet_number(p, "read-rate", 0) / 1e6);
	udf_table_cell(t, "%.1f", (double)udf_packet_number(p, "write-rate", 0) / 1e6);
	udf_table_cell(t, "%lld", (long long)udf_packet_number(p, "restarts", 0));
	if (udf_packet_number(p, "gap-ms", -1) >= 0)
		udf_table_cell(t, "%lld", (long long)udf_packet_number(p, "gap-ms", 0));
	else
		udf_table_cell(t, "-");
	udf_table_cell(t, "%s", udf_packet_text(p, "why", ""));
}

static void show(const struct cli_ports *now, bool terminal)
{
	struct udf_table *t = udf_table_new("NAME", "DRIVER", "STATE", ">DISKS", ">I/O PER S", ">MB/s IN", ">MB/s OUT", ">RESTARTS",
					    ">LAST GAP MS", "LAST FAILURE", NULL);
	char time[32];
	size_t i;

	for (i = 0; i < now->nr; i++)
		add_row(t, now->port[i]);
	if (terminal)
		printf("\033[H\033[J");
	printf("udf top  %s  %zu ports\n\n", cli_time(now->ms, time, sizeof(time)), now->nr);
	udf_table_print(t, stdout);
	if (!terminal)
		printf("\n");
	fflush(stdout);
	udf_table_free(t);
}

int cmd_top(int argc, char **argv)
{
	struct cli_ports before = { 0 }, now = { 0 };
	struct cli_daemon d;
	int status;
	size_t i;

	if (!cli_daemon_parse(&d, argc, argv, CLI_DAEMON_INTERVAL, NULL, help, &status))
		return status;
	status = cli_ports_get(&d, &before);
	begin_keys();
	while (!status && pause_for(d.interval_ms) && !(status = cli_ports_get(&d, &now))) {
		cli_ports_rates(&now, &before);
		for (i = 0; d.json && i < now.nr; i++)
			cli_print_json(now.port[i]);
		if (!d.json)
			show(&now, isatty(STDOUT_FILENO));
		cli_ports_free(&before);
		before = now;
		now = (struct cli_ports){ 0 };
	}
	end_keys();
	cli_ports_free(&before);
	cli_ports_free(&now);
	return status;
}
