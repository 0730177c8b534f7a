/* SPDX-License-Identifier: GPL-2.0 */
/* What the commands that drive a port share: its options, opening it, its log, its disks. Host world. */
#ifndef UDF_CLI_PORT_H
#define UDF_CLI_PORT_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "udf/udf.h"

struct cli_port {
	const char *verb;
	struct udf_options *options;
	struct udf *udf;
	unsigned int timeout_s;		/* for disks to appear */
	bool json, has_device, attached;
	int status;			/* what cli_port_option() wants the command to return, if it returned false */
};

/* Values of the long options in CLI_PORT_OPTIONS; a command's own begin at 0 or are letters. */
enum { CLI_PORT_VALUE = 0x1000, CLI_PORT_TIMEOUT, CLI_PORT_JSON, CLI_PORT_HELP };

#define CLI_PORT_OPTIONS							\
	{ "device", required_argument, NULL, CLI_PORT_VALUE },			\
	{ "port", required_argument, NULL, CLI_PORT_VALUE },			\
	{ "on-loss", required_argument, NULL, CLI_PORT_VALUE },			\
	{ "loss-timeout", required_argument, NULL, CLI_PORT_VALUE },		\
	{ "backend", required_argument, NULL, CLI_PORT_VALUE },			\
	{ "drive", required_argument, NULL, CLI_PORT_VALUE },			\
	{ "size", required_argument, NULL, CLI_PORT_VALUE },			\
	{ "function", required_argument, NULL, CLI_PORT_VALUE },		\
	{ "cpus", required_argument, NULL, CLI_PORT_VALUE },			\
	{ "memory", required_argument, NULL, CLI_PORT_VALUE },			\
	{ "memory-max", required_argument, NULL, CLI_PORT_VALUE },		\
	{ "module", required_argument, NULL, CLI_PORT_VALUE },			\
	{ "param", required_argument, NULL, CLI_PORT_VALUE },			\
	{ "release", required_argument, NULL, CLI_PORT_VALUE },			\
	{ "firmware", required_argument, NULL, CLI_PORT_VALUE },		\
	{ "image", required_argument, NULL, CLI_PORT_VALUE },			\
	{ "modules", required_argument, NULL, CLI_PORT_VALUE },			\
	{ "kapi", required_argument, NULL, CLI_PORT_VALUE },			\
	{ "cache", required_argument, NULL, CLI_PORT_VALUE },			\
	{ "close-timeout", required_argument, NULL, CLI_PORT_VALUE },		\
	{ "trace", required_argument, NULL, CLI_PORT_VALUE },			\
	{ "trace-only", required_argument, NULL, CLI_PORT_VALUE },		\
	{ "trace-format", required_argument, NULL, CLI_PORT_VALUE },		\
	{ "perf-map", no_argument, NULL, CLI_PORT_VALUE },			\
	{ "timeout", required_argument, NULL, CLI_PORT_TIMEOUT },		\
	{ "json", no_argument, NULL, CLI_PORT_JSON },				\
	{ "help", no_argument, NULL, CLI_PORT_HELP }

/* The lines of a command's help that describe them. */
extern const char cli_port_help[];

/* Begin. Returns false when there is no memory. */
bool cli_port_init(struct cli_port *p, const char *verb);
void cli_port_free(struct cli_port *p);

/*
 * Take what getopt_long() returned, if it is one of CLI_PORT_OPTIONS or an error; O is the option's entry. Returns false when the
 * command is to end with p->status.
 */
bool cli_port_option(struct cli_port *p, int c, const struct option *o, const char *help);

/* Send the driver's log to stderr, with or without debug messages; otherwise only what is worse than a notice is shown. */
void cli_port_show_log(struct cli_port *p, bool debug);

/* Open the port, with a progress line when it takes long. Returns an exit status; errors are shown. */
int cli_port_open(struct cli_port *p);
/* Close it; returns STATUS, or CLI_FAILED if that went wrong. */
int cli_port_close(struct cli_port *p, int status);

/* Wait for a disk, and until no more come for a moment. Returns how many there are; errors are shown, and are 0. */
unsigned int cli_port_settle(struct cli_port *p);
/* Print the disks there are as a table or as JSON. Returns an exit status. */
int cli_port_print_disks(struct cli_port *p);

/* "4096", "64K", "1G": bytes. */
bool cli_parse_size(const char *text, uint64_t *size);

#endif
