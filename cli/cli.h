/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The udf command. Each verb is a file cli/cmd-<verb>.c that defines cmd_<verb>() (a '-' in the verb is a '_' in C), and
 * may define its line of `udf --help` with CLI_SUMMARY(). The Makefile collects the verbs. Host world.
 */
#ifndef UDF_CLI_H
#define UDF_CLI_H

#include "common/error.h"

/*
 * Run the verb; ARGV[0] is the verb, so that getopt_long() serves as usual. `--help` must print the verb's help on stdout and
 * return CLI_OK. Returns an exit status.
 */
typedef int cli_command(int argc, char **argv);

enum {
	CLI_OK = 0,
	CLI_FAILED = 1,		/* it was tried and failed */
	CLI_USAGE = 2,		/* it was asked for wrongly; nothing was done */
};

#define CLI_SUMMARY(verb, text) const char cmd_##verb##_summary[] = text

#define VERB(ident, name) int cmd_##ident(int argc, char **argv); extern const char cmd_##ident##_summary[] __attribute__((weak));
#include "verbs.inc"
#undef VERB

/* Print "udf: TEXT" on stderr. Returns CLI_FAILED. */
int cli_fail(const struct udf_error *err);

/* Print "udf VERB: <printf-style text>" and where to find help, on stderr. Returns CLI_USAGE. */
int cli_usage(const char *verb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
