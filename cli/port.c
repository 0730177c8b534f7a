// SPDX-License-Identifier: GPL-2.0
/* What the commands that drive a port share; see port.h. Host world. */
#include "port.h"

#include <ctype.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "common/progress.h"
#include "common/table.h"

#define SETTLE_MS 200	/* no new disk for so long: the driver has found them all, as far as one can tell */

const char cli_port_help[] =
	"The port:\n"
	"  --device SPEC        what to drive: pci:ADDRESS, or qemu:MODEL,KEY=VALUE,...\n"
	"  --port SOCKET        or use a port whose driver runs in another process (udf run --serve SOCKET); of what\n"
	"                       follows only --memory and the timeouts are for this\n"
	"  --on-loss wait|fail  what becomes of requests when that process ends (default wait: for another one)\n"
	"  --loss-timeout SECONDS\n"
	"                       how long to wait for it (default: for ever)\n"
	"  --backend ARGS       for QEMU, repeatable: one further argument; ARGS that begin with '-' are\n"
	"                       divided at blanks, as in '-blockdev driver=...'\n"
	"  --drive FILE[,format=FORMAT]\n"
	"                       for QEMU: a disk image to back the device (raw, unless said otherwise)\n"
	"  --size SIZE          for QEMU: back the device with SIZE bytes that read as zeroes and keep nothing\n"
	"  --function N         which function of a multi-port card\n"
	"The driver:\n"
	"  --module NAME        its module, a name or a file (default: found by the device's modalias)\n"
	"  --param NAME=VALUE   repeatable: a parameter of the module, or MODULE.NAME=VALUE for one that it\n"
	"                       depends on\n"
	"  --cpus N             vCPUs, 1 to 8 (default 1)\n"
	"  --memory MIB         the driver's memory, at the start\n"
	"  --memory-max MIB     and at most: it grows when it runs short\n"
	"  --firmware DIR       look for firmware files there before /lib/firmware\n"
	"  --release RELEASE    kernel release (default: the newest there is)\n"
	"  --image FILE         kernel image to use instead (vmlinuz)\n"
	"  --modules DIR        directory of modules.dep (default: the release's own)\n"
	"  --kapi FILE          UDF's kernel-world object (default: the one for the release)\n"
	"  --cache DIR          where prepared images are kept\n"
	"  --timeout SECONDS    how long to wait for disks (default 10)\n"
	"  --close-timeout SECONDS\n"
	"                       how long to wait for outstanding requests at the end (default 30)\n"
	"For people who debug drivers (see also 'udf help gdb'):\n"
	"  --trace WHAT[=FILE]  print what the driver asks for and what comes of it, a line each, to stderr or FILE.\n"
	"                       WHAT: api, dma, mmio, pci, irq, sched, with commas between them, or all\n"
	"  --trace-only LIST    calls of which functions api and dma show: 'pci_*,request_*', or '!*lock*'\n"
	"  --trace-format text|json\n"
	"  --perf-map           name the kernel's and the modules' code for perf, in /tmp/perf-PID.map\n";

/* ---- log ---- */

static const char *colour(int level)
{
	if (level <= 3)
		return "\033[31m";	/* red */
	if (level == 4)
		return "\033[33m";	/* yellow */
	return level >= 7 ? "\033[2m" : "";
}

static int quiet = 4, normal = 6, all = 7;	/* the highest level to show */

static void log_line(void *arg, int level, const char *text)
{
	if (level > *(int *)arg)
		return;
	if (isatty(STDERR_FILENO) && *colour(level))
		fprintf(stderr, "%s%s\033[0m\n", colour(level), text);
	else
		fprintf(stderr, "%s\n", text);
}

void cli_port_show_log(struct cli_port *p, bool debug)
{
	udf_options_log(p->options, log_line, debug ? &all : &normal);
}

/* ---- options ---- */

bool cli_port_init(struct cli_port *p, const char *verb)
{
	memset(p, 0, sizeof(*p));
	p->verb = verb;
	p->timeout_s = 10;
	p->options = udf_options_new();
	if (!p->options) {
		fprintf(stderr, "udf: no memory\n");
		return false;
	}
	udf_options_log(p->options, log_line, &quiet);
	return true;
}

void cli_port_free(struct cli_port *p)
{
	udf_options_free(p->options);
}

static bool end(struct cli_port *p, int status)
{
	p->status = status;
	return false;
}

static bool set_timeout(struct cli_port *p, const char *value)
{
	char *rest;
	unsigned long n = strtoul(value, &rest, 10);

	if (!isdigit((unsigned char)*value) || *rest || n > 86400)
		return end(p, cli_usage(p->verb, "timeout is '%s', but must be a number of seconds", value));
	p->timeout_s = n;
	return true;
}

bool cli_port_option(struct cli_port *p, int c, const struct option *o, const char *help)
{
	switch (c) {
	case CLI_PORT_VALUE:
		if (!strcmp(o->name, "device") || !strcmp(o->name, "port"))
			p->has_device = true;
		if (!strcmp(o->name, "port"))
			p->attached = true;
		if (udf_options_set(p->options, o->name, o->has_arg ? optarg : "on"))
			return end(p, cli_usage(p->verb, "%s", udf_options_error(p->options)));
		return true;
	case CLI_PORT_TIMEOUT:
		return set_timeout(p, optarg);
	case CLI_PORT_JSON:
		p->json = true;
		return true;
	case CLI_PORT_HELP:
		printf("%s\n%s", help, cli_port_help);
		return end(p, CLI_OK);
	default:	/* getopt_long() has said what is wrong */
		fprintf(stderr, "Try 'udf help %s'.\n", p->verb);
		return end(p, CLI_USAGE);
	}
}

/* ---- open and close ---- */

int cli_port_open(struct cli_port *p)
{
	struct udf_progress *progress = udf_progress_start("starting the driver");
	int err;

	udf_options_progress(p->options, udf_progress_update, progress);
	err = udf_open(p->options, &p->udf);
	udf_progress_end(progress);
	if (!err)
		return CLI_OK;
	fprintf(stderr, "udf: %s\n", *udf_options_error(p->options) ? udf_options_error(p->options) : strerror(-err));
	return CLI_FAILED;
}

int cli_port_close(struct cli_port *p, int status)
{
	struct udf_progress *progress = udf_progress_start("shutting the device down");
	int err = udf_close(p->udf);

	udf_progress_end(progress);
	p->udf = NULL;
	return err ? CLI_FAILED : status;
}

/* ---- disks ---- */

static int lost(struct cli_port *p)
{
	fprintf(stderr, "udf: the port is lost: %s\n", udf_lost(p->udf) ? udf_lost(p->udf) : "?");
	return CLI_FAILED;
}

unsigned int cli_port_settle(struct cli_port *p)
{
	struct udf_progress *progress = udf_progress_start("waiting for disks");
	unsigned int seen = 0;
	int n = udf_wait_disks(p->udf, 1, (int)p->timeout_s * 1000);

	if (n > 0) {
		udf_wait_change(p->udf, &seen, 0);
		while (!udf_wait_change(p->udf, &seen, SETTLE_MS))
			;
		n = udf_disks(p->udf, NULL, 0);
	}
	udf_progress_end(progress);
	if (n > 0)
		return n;
	if (n == -ENODEV)
		lost(p);
	else
		fprintf(stderr, "udf: the driver offers no disk after %u s; 'udf run' shows its log\n", p->timeout_s);
	return 0;
}

static const char *size_text(uint64_t size, char *buf, size_t len)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double n = size;
	unsigned int unit = 0;

	for (; n >= 1024; unit++)
		n /= 1024;
	snprintf(buf, len, n == (uint64_t)n ? "%.0f %s" : "%.1f %s", n, units[unit]);
	return buf;
}

static const struct {
	uint32_t flag;
	const char *name;
} flag_names[] = {
	{ UDF_DISK_READ_ONLY, "read-only" }, { UDF_DISK_WRITE_CACHE, "write-cache" }, { UDF_DISK_FUA, "fua" },
	{ UDF_DISK_ROTATIONAL, "rotational" }, { UDF_DISK_ZONED, "zoned" }, { UDF_DISK_REMOVABLE, "removable" },
};

#define NR_FLAGS (sizeof(flag_names) / sizeof(flag_names[0]))

static const char *flags_text(const struct udf_disk_info *d, char *buf, size_t len)
{
	unsigned int i;
	size_t n = 0;

	buf[0] = 0;
	for (i = 0; i < NR_FLAGS; i++)
		if (d->flags & flag_names[i].flag && n < len)
			n += snprintf(buf + n, len - n, "%s%s", n ? "," : "", flag_names[i].name);
	if (d->max_discard && n < len)
		snprintf(buf + n, len - n, "%sdiscard", n ? "," : "");
	return buf;
}

static int print_table(const struct udf_disk_info *d, unsigned int n)
{
	struct udf_table *t = udf_table_new("DISK", ">SIZE", ">BLOCK", ">MAX", "MODEL", "SERIAL", "FEATURES", NULL);
	char size[32], max[32], flags[128];
	int err;

	for (; n--; d++) {
		udf_table_cell(t, "%s", d->name);
		udf_table_cell(t, "%s", size_text(d->size, size, sizeof(size)));
		udf_table_cell(t, "%u", d->logical_block);
		udf_table_cell(t, "%s", size_text(d->max_bytes, max, sizeof(max)));
		udf_table_cell(t, "%s", d->model);
		udf_table_cell(t, "%s", d->serial);
		udf_table_cell(t, "%s", flags_text(d, flags, sizeof(flags)));
	}
	err = udf_table_print(t, stdout);
	udf_table_free(t);
	return err ? CLI_FAILED : CLI_OK;
}

static struct json_object *disk_json(const struct udf_disk_info *d)
{
	struct json_object *o = json_object_new_object();
	unsigned int i;

	json_object_object_add(o, "name", json_object_new_string(d->name));
	json_object_object_add(o, "size", json_object_new_uint64(d->size));
	json_object_object_add(o, "model", json_object_new_string(d->model));
	json_object_object_add(o, "serial", json_object_new_string(d->serial));
	json_object_object_add(o, "wwid", json_object_new_string(d->wwid));
	json_object_object_add(o, "logical_block", json_object_new_uint64(d->logical_block));
	json_object_object_add(o, "physical_block", json_object_new_uint64(d->physical_block));
	json_object_object_add(o, "io_min", json_object_new_uint64(d->io_min));
	json_object_object_add(o, "io_opt", json_object_new_uint64(d->io_opt));
	json_object_object_add(o, "max_bytes", json_object_new_uint64(d->max_bytes));
	json_object_object_add(o, "max_segments", json_object_new_uint64(d->max_segments));
	json_object_object_add(o, "buffer_align", json_object_new_uint64(d->buffer_align));
	json_object_object_add(o, "max_discard", json_object_new_uint64(d->max_discard));
	json_object_object_add(o, "discard_granularity", json_object_new_uint64(d->discard_granularity));
	json_object_object_add(o, "max_write_zeroes", json_object_new_uint64(d->max_write_zeroes));
	for (i = 0; i < NR_FLAGS; i++)
		json_object_object_add(o, flag_names[i].name, json_object_new_boolean(d->flags & flag_names[i].flag));
	return o;
}

static int print_json(const struct udf_disk_info *d, unsigned int n)
{
	struct json_object *list = json_object_new_array();

	for (; n--; d++)
		json_object_array_add(list, disk_json(d));
	printf("%s\n", json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(list);
	return CLI_OK;
}

int cli_port_print_disks(struct cli_port *p)
{
	int n = udf_disks(p->udf, NULL, 0), got, status;
	struct udf_disk_info *list;

	if (n < 0)
		return lost(p);
	list = calloc(n + 1, sizeof(*list));
	got = list ? udf_disks(p->udf, list, n) : -ENOMEM;
	if (got < 0) {
		free(list);
		return CLI_FAILED;
	}
	n = got < n ? got : n;
	status = p->json ? print_json(list, n) : print_table(list, n);
	free(list);
	fflush(stdout);
	return status;
}

bool cli_parse_size(const char *text, uint64_t *size)
{
	static const char units[] = "KMGT";
	const char *unit;
	unsigned int shift = 0;
	uint64_t n;
	char *rest;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	n = strtoull(text, &rest, 0);
	unit = *rest ? strchr(units, toupper((unsigned char)*rest)) : NULL;
	if (unit) {
		shift = 10 * (unit - units + 1);
		rest++;
	}
	if (*rest || errno || n > UINT64_MAX >> shift)
		return false;
	*size = n << shift;
	return true;
}
