// SPDX-License-Identifier: GPL-2.0
/* The udf command: finds the verb and runs it. Host world. */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct verb {
	const char *name;
	cli_command *run;
	const char *summary;
} verbs[] = {
#define VERB(ident, name) { name, cmd_##ident, cmd_##ident##_summary },
#include "verbs.inc"
#undef VERB
	{ NULL, NULL, NULL }
};

int cli_fail(const struct udf_error *err)
{
	fprintf(stderr, "udf: %s\n", err->text);
	return CLI_FAILED;
}

int cli_usage(const char *verb, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "udf %s: ", verb);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\nTry 'udf help %s'.\n", verb);
	return CLI_USAGE;
}

static const struct verb *find_verb(const char *name)
{
	const struct verb *v;

	for (v = verbs; v->name; v++)
		if (!strcmp(v->name, name))
			return v;
	return NULL;
}

/* How many letters must be inserted, removed or replaced to make B of A: the last row of the usual table is enough. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[32], cols = strlen(b), i, j;

	if (cols >= sizeof(row) / sizeof(row[0]))
		return (size_t)-1;
	for (j = 0; j <= cols; j++)
		row[j] = j;
	for (i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (j = 1; j <= cols; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[cols];
}

static int unknown_verb(const char *name)
{
	const struct verb *v, *nearest = NULL;
	size_t best = 3;	/* further away is no typing error */

	for (v = verbs; v->name; v++) {
		size_t distance = edit_distance(name, v->name);

		if (distance < best && distance < strlen(v->name)) {
			best = distance;
			nearest = v;
		}
	}
	fprintf(stderr, "udf: there is no command '%s'", name);
	if (nearest)
		fprintf(stderr, "; did you mean '%s'?\n", nearest->name);
	else
		fprintf(stderr, "; 'udf --help' lists them\n");
	return CLI_USAGE;
}

static int print_help(void)
{
	const struct verb *v;

	printf("Usage: udf COMMAND [ARGUMENT...]\n\n"
	       "Runs stock Linux driver modules in ordinary processes.\n\nCommands:\n");
	for (v = verbs; v->name; v++)
		printf("  %-12s%s\n", v->name, v->summary ? v->summary : "");
	printf("  %-12s%s\n\n", "help", "show the help of a command");
	printf("'udf help COMMAND' tells more about one of them; 'udf --version' prints the version.\n");
	return CLI_OK;
}

static int run_verb(const char *name, int argc, char **argv)
{
	const struct verb *v = find_verb(name);

	return v ? v->run(argc, argv) : unknown_verb(name);
}

static int help_verb(char *name)
{
	char option[] = "--help", *argv[] = { name, option, NULL };

	return run_verb(name, 2, argv);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		print_help();
		return CLI_USAGE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("udf %s\n", UDF_VERSION);
		return CLI_OK;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return print_help();
	if (!strcmp(argv[1], "help"))
		return argc > 2 ? help_verb(argv[2]) : print_help();
	return run_verb(argv[1], argc - 1, argv + 1);
}
