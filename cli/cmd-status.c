// SPDX-License-Identifier: GPL-2.0
/* udf status: all about one port of udfd's. Host world. */
#include <stdarg.h>
#include <stdio.h>

#include "cli.h"
#include "daemon.h"

CLI_SUMMARY(status, "show all about a port of udfd's");

static const char help[] =
	"Usage: udf status PORT [OPTION...]\n\n"
	"Shows what udfd knows of a port: its driver process, its modules and disks, what it has done, what went wrong last, whether\n"
	"an IOMMU isolates its device, and which walls stand around the driver process.\n\n";

static void row(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void row(const char *name, const char *fmt, ...)
{
	va_list args;

	printf("%-12s", name);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
}

static void show_state(struct json_object *p)
{
	int64_t since = udf_packet_number(p, "since-ms", 0), gap = udf_packet_number(p, "gap-ms", -1);
	const char *state = udf_packet_text(p, "state", "?");
	char ago[32];

	if (since)
		row("state", "%s, for %s", state, cli_ago(since, ago, sizeof(ago)));
	else
		row("state", "%s", state);
	if (udf_packet_number(p, "pid", 0))
		row("process", "%lld%s", (long long)udf_packet_number(p, "pid", 0),
		    udf_packet_bool(p, "adopted") ? ", taken over from an earlier udfd" : "");
	row("restarts", "%lld, %lld failures", (long long)udf_packet_number(p, "restarts", 0), (long long)udf_packet_number(p, "failures", 0));
	if (udf_packet_text(p, "why", NULL))
		row("failed last", "%s", udf_packet_text(p, "why", ""));
	if (gap >= 0)
		row("last gap", "%lld ms from the end of one driver process until the next one ran", (long long)gap);
	if (udf_packet_bool(p, "changed"))
		row("changed", "it runs with an earlier configuration; 'udf restart %s' applies the present one", udf_packet_text(p, "name", ""));
	if (!udf_packet_bool(p, "configured"))
		row("configured", "not any more");
}

static void show_modules(struct json_object *p)
{
	struct json_object *list = udf_packet_array(p, "modules");
	size_t i;

	if (!list)
		return;
	printf("%-12s", "modules");
	for (i = 0; i < json_object_array_length(list); i++)
		printf("%s%s", i ? ", " : "", json_object_get_string(json_object_array_get_idx(list, i)));
	printf("\n");
}

/* What the machine's kernel has of disk D. */
static void show_block_device(struct json_object *d)
{
	const char *text;

	if ((text = udf_packet_text(d, "block-device", NULL)))
		row("", "  %s", text);
	else if ((text = udf_packet_text(d, "not-coupled", NULL)))
		row("", "  not coupled: %s", text);
	else if ((text = udf_packet_text(d, "no-block-device", NULL)))
		row("", "  no block device: %s", text);
}

static void show_disks(struct json_object *p)
{
	struct json_object *list = udf_packet_array(p, "disks");
	size_t i;

	for (i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *d = json_object_array_get_idx(list, i);

		row(i ? "" : "disks", "%s: %.1f MiB, blocks of %lld, %s, serial %s%s", udf_packet_text(d, "name", "?"),
		    (double)udf_packet_number(d, "size", 0) / (1 << 20), (long long)udf_packet_number(d, "block", 0), udf_packet_text(d, "model", "?"),
		    udf_packet_text(d, "serial", "?"), udf_packet_bool(d, "read-only") ? ", read-only" : "");
		show_block_device(d);
	}
}

/* "stands: user seccomp ..." and what does not. */
static void show_walls(struct json_object *p)
{
	struct json_object *walls;
	bool any = false;

	if (!json_object_object_get_ex(p, "walls", &walls) || !json_object_is_type(walls, json_type_object))
		return;
	printf("%-12s", "walls");
	json_object_object_foreach(walls, name, value) {
		if (!json_object_get_boolean(value))
			continue;
		printf("%s%s", any ? ", " : "", name);
		any = true;
	}
	printf("%s\n", any ? "" : "none");
	any = false;
	json_object_object_foreach(walls, missing, down) {
		if (json_object_get_boolean(down))
			continue;
		printf("%s%s", any ? ", " : "without     ", missing);
		any = true;
	}
	if (any)
		printf("\n");
}

/* Of a PCI function; QEMU's device models reach nothing of the machine. */
static void show_isolation(struct json_object *p)
{
	struct json_object *isolated;

	if (json_object_object_get_ex(p, "isolated", &isolated))
		row("isolation", "%s", json_object_get_boolean(isolated) ? "by an IOMMU" : "not isolated: its device reaches all memory");
}

static bool show(void *arg, struct json_object *answer)
{
	const struct cli_daemon *d = arg;
	struct json_object *p;

	if (!json_object_object_get_ex(answer, "port", &p))
		return true;
	if (d->json) {
		cli_print_json(p);
		return true;
	}
	row("port", "%s", udf_packet_text(p, "name", "?"));
	row("device", "%s", udf_packet_text(p, "device", "?"));
	if (udf_packet_text(p, "driver", NULL))
		row("driver", "%s, at %s", udf_packet_text(p, "driver", ""), udf_packet_text(p, "address", "?"));
	show_state(p);
	show_modules(p);
	show_disks(p);
	if (udf_packet_number(p, "pid", 0))
		row("requests", "%lld, %.1f MB read, %.1f MB written, %lld interrupts", (long long)udf_packet_number(p, "requests", 0),
		    (double)udf_packet_number(p, "bytes-read", 0) / 1e6, (double)udf_packet_number(p, "bytes-written", 0) / 1e6,
		    (long long)udf_packet_number(p, "interrupts", 0));
	if (udf_packet_number(p, "memory", 0))
		row("memory", "%lld MiB, at most %lld MiB", (long long)udf_packet_number(p, "memory", 0) >> 20,
		    (long long)udf_packet_number(p, "memory-max", 0) >> 20);
	show_isolation(p);
	show_walls(p);
	return true;
}

int cmd_status(int argc, char **argv)
{
	struct cli_daemon d;
	int status;

	if (!cli_daemon_parse(&d, argc, argv, CLI_DAEMON_ARGUMENT, "the port", help, &status))
		return status;
	return cli_daemon_ask(&d, "status", "port", d.argument, show, &d);
}
