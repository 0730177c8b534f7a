// SPDX-License-Identifier: GPL-2.0
/* What the commands that speak to udfd share; see daemon.h. Host world. */
#include "daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/shared.h"
#include "cli.h"

const char cli_daemon_help[] =
	"  --json               print JSON, an object a line\n"
	"  --socket FILE        udfd's socket (default: what UDF_SOCKET says, or " UDF_DAEMON_SOCKET ")\n";

static int print_help(const char *help)
{
	printf("%s%s", help, cli_daemon_help);
	return CLI_OK;
}

static bool end(int *status, int value)
{
	*status = value;
	return false;
}

static bool parse_interval(struct cli_daemon *d, int *status)
{
	char *rest;
	double s = strtod(optarg, &rest);

	if (*optarg < '0' || *optarg > '9' || *rest || s < 0.1 || s > 3600)
		return end(status, cli_usage(d->verb, "interval is '%s', but must be seconds, from 0.1 to 3600", optarg));
	d->interval_ms = (unsigned int)(s * 1000);
	return true;
}

bool cli_daemon_parse(struct cli_daemon *d, int argc, char **argv, unsigned int options, const char *what, const char *help, int *status)
{
	static const struct option all[] = {
		{ "socket", required_argument, NULL, 's' }, { "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' },
		{ "follow", no_argument, NULL, 'f' }, { "all", no_argument, NULL, 'a' }, { "interval", required_argument, NULL, 'i' }, { 0 },
	};
	int c;

	memset(d, 0, sizeof(*d));
	d->verb = argv[0];
	d->interval_ms = 1000;
	while ((c = getopt_long(argc, argv, options & CLI_DAEMON_FOLLOW ? "fh" : "h", all, NULL)) != -1) {
		if ((c == 'f' && !(options & CLI_DAEMON_FOLLOW)) || (c == 'a' && !(options & CLI_DAEMON_ALL)) ||
		    (c == 'i' && !(options & CLI_DAEMON_INTERVAL)))
			return end(status, cli_usage(d->verb, "there is no such option here"));
		switch (c) {
		case 's': d->socket = optarg; break;
		case 'j': d->json = true; break;
		case 'f': d->follow = true; break;
		case 'a': d->all = true; break;
		case 'i':
			if (!parse_interval(d, status))
				return false;
			break;
		case 'h':
			return end(status, print_help(help));
		default:
			fprintf(stderr, "Try 'udf help %s'.\n", d->verb);
			return end(status, CLI_USAGE);
		}
	}
	if (options & CLI_DAEMON_ARGUMENT) {
		if (optind == argc)
			return end(status, cli_usage(d->verb, "name %s", what));
		d->argument = argv[optind++];
	}
	if (optind < argc)
		return end(status, cli_usage(d->verb, "'%s' is more than it takes", argv[optind]));
	return true;
}

int cli_daemon_ask(struct cli_daemon *d, const char *request, const char *name, const char *value,
		   bool (*each)(void *arg, struct json_object *answer), void *arg)
{
	struct udf_error err = UDF_ERROR_INIT;
	int sock = udf_daemon_connect(d->socket, &err);
	struct json_object *o;

	if (sock < 0)
		return cli_fail(&err);
	o = udf_packet_new("do", request);
	if (o && name)
		udf_packet_add_text(o, name, value);
	if (o && d->follow)
		udf_packet_add_bool(o, "follow", true);
	udf_daemon_ask(sock, o, -1, each, arg, &err);
	close(sock);
	return err.code ? cli_fail(&err) : CLI_OK;
}

static bool nothing(void *arg, struct json_object *answer)
{
	return true;
}

int cli_daemon_do(int argc, char **argv, const char *key, const char *what, const char *help)
{
	struct cli_daemon d;
	int status;

	if (!cli_daemon_parse(&d, argc, argv, CLI_DAEMON_ARGUMENT, what, help, &status))
		return status;
	status = cli_daemon_ask(&d, d.verb, key, d.argument, nothing, NULL);
	if (d.json && !status)
		printf("{\"%s\":\"ok\"}\n", d.verb);
	return status;
}

/* ---- as text ---- */

void cli_print_json(struct json_object *o)
{
	printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	fflush(stdout);
}

void cli_port_disks(struct json_object *port, char *buf, size_t len)
{
	struct json_object *disks = udf_packet_array(port, "disks");
	size_t i, n = 0;

	buf[0] = 0;
	for (i = 0; disks && i < json_object_array_length(disks) && n < len; i++)
		n += (size_t)snprintf(buf + n, len - n, "%s%s", i ? "," : "",
				      udf_packet_text(json_object_array_get_idx(disks, i), "name", "?"));
}

const char *cli_ago(int64_t ms, char *buf, size_t len)
{
	int64_t s = (udf_real_ms() - ms) / 1000;

	if (s < 0)
		s = 0;
	if (s >= 86400)
		snprintf(buf, len, "%lld d %02lld:%02lld", (long long)(s / 86400), (long long)(s / 3600 % 24), (long long)(s / 60 % 60));
	else
		snprintf(buf, len, "%02lld:%02lld:%02lld", (long long)(s / 3600), (long long)(s / 60 % 60), (long long)(s % 60));
	return buf;
}

const char *cli_time(int64_t ms, char *buf, size_t len)
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(buf, len, "%Y-%m-%d %H:%M:%S", &tm);
	return buf;
}
