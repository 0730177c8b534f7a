/* SPDX-License-Identifier: GPL-2.0 */
/* What the commands that speak to udfd share: options, asking, showing ports. Host world. */
#ifndef UDF_CLI_DAEMON_H
#define UDF_CLI_DAEMON_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/daemon.h"

struct cli_daemon {
	const char *verb;
	const char *socket;		/* NULL: the usual */
	bool json, follow, all;
	unsigned int interval_ms;	/* of udf top */
	const char *argument;		/* the port or address, if the command takes one */
};

/* Which options a command has, beside --socket, --json and --help. */
enum { CLI_DAEMON_FOLLOW = 1, CLI_DAEMON_ALL = 2, CLI_DAEMON_INTERVAL = 4, CLI_DAEMON_ARGUMENT = 8 };

/* The lines of a command's help that all have. */
extern const char cli_daemon_help[];

/* Parse the command line. Returns true to go on, or false to end with *STATUS. */
bool cli_daemon_parse(struct cli_daemon *d, int argc, char **argv, unsigned int options, const char *what, const char *help, int *status);

/* Ask, and end with an exit status; what went wrong has been shown. NAME and VALUE: a further member of the request, or NULL. */
int cli_daemon_ask(struct cli_daemon *d, const char *request, const char *name, const char *value,
		   bool (*each)(void *arg, struct json_object *answer), void *arg);

/* Do what needs no answer: "start", "bind", ... for a port or an address (KEY says which). */
int cli_daemon_do(int argc, char **argv, const char *key, const char *what, const char *help);

/* Print O on a line. */
void cli_print_json(struct json_object *o);

/* "nvme0n1,nvme0n2": a port's disks. */
void cli_port_disks(struct json_object *port, char *buf, size_t len);
/* "3 d 04:05", "04:05:06": how long ago MS of real time was. */
const char *cli_ago(int64_t ms, char *buf, size_t len);
/* Of real time, local: "2024-01-31 12:34:56". */
const char *cli_time(int64_t ms, char *buf, size_t len);

#endif
