// SPDX-License-Identifier: GPL-2.0
/* How far does the stock driver of one device get; see drive.h. Host world. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/strbuf.h"
#include "drive.h"
#include "front/internal.h"
#include "host/linux/host.h"
#include "loader/internal.h"

static const char help[] =
	"Usage: drive --device SPEC [OPTION...] [CHECK...]\n\n"
	"Starts the stock driver of one device and prints, a line each as they are known:\n\n"
	"  device MODALIAS\n"
	"  module NAME         the one that is loaded\n"
	"  driver NAME         that the device was bound to\n"
	"  reached LEVEL       loaded, probed, working: each as it is reached\n"
	"  also NAME...        modules that the driver's devices needed in turn\n"
	"  unload ok|REASON    with everything working\n"
	"  why REASON          why it did not get further\n\n"
	"Each CHECK must pass for `working':\n"
	"  disk                a disk keeps what is written\n"
	"  net                 an Ethernet interface passes frames each way\n"
	"  event:WORD,...      a uevent with all these words, as in event:add,SUBSYSTEM=sound\n\n"
	"  --module NAME       what to load; without it the device's modules are listed, and none is loaded\n"
	"  --backend ARGS      further arguments for QEMU, repeatable\n"
	"  --cpus N            vCPUs\n"
	"  --file FILE         what backs the disk\n"
	"  --netcheck FILE     udf_netcheck.ko\n"
	"  --near S, --far S   sockets of QEMU's netdev and of its peer\n"
	"  --expect LEVEL      exit with 1 if it reaches less (or cannot be unloaded)\n";

enum level { STARTED, LOADED, PROBED, WORKING };
static const char *const level_names[] = { "started", "loaded", "probed", "working" };

bool drive_fail(struct drive *d, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(d->why, sizeof(d->why), fmt, args);
	va_end(args);
	return false;
}

/* A line of the result. At once: the driver may take the process with it. */
static void say(const char *key, const char *value)
{
	printf("%s %s\n", key, value);
	fflush(stdout);
}

/* Names of all modules for the device. Some match it more than once. */
static void list(const char *alias)
{
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_plan plan;
	unsigned int i, j;

	if (udf_loader_plan(udf_host.loader, alias, &plan, &err))
		return;
	for (i = 0; i < plan.nr_targets; i++) {
		for (j = 0; strcmp(plan.target[j], plan.target[i]); j++)
			;
		if (i == j)
			say("module", plan.target[i]);
	}
	udf_plan_free(&plan);
}

static bool passes(struct drive *d, const char *check)
{
	if (!strcmp(check, "disk"))
		return disk_works(d);
	if (!strcmp(check, "net"))
		return net_works(d);
	if (strncmp(check, "event:", 6))
		return drive_fail(d, "there is no check '%s'", check);
	return events_wait(d->udf, check + 6, WAIT_S) || drive_fail(d, "no event %s after %u s", check + 6, WAIT_S);
}

/* The port's own function is bound; DRIVER gets to whom. */
static bool is_bound(char *driver, size_t len)
{
	char slot[64];

	snprintf(slot, sizeof(slot), "bind,PCI_SLOT_NAME=0000:00:%02x.%x", udf_host.port->devfn >> 3, udf_host.port->devfn & 7);
	return events_seen(slot, "DRIVER", driver, len);
}

static enum level climb(struct drive *d, char **checks, int n)
{
	char driver[64];
	struct udf_error err = UDF_ERROR_INIT;
	int i;

	say("module", d->module);
	events_forget();
	if (udf_driver_load(d->udf->driver, d->module, NULL, &err)) {
		drive_fail(d, "%s%s%s", err.text, *events_complaint() ? ": " : "", events_complaint());
		return STARTED;
	}
	d->needed = udf_host.loader->nr_mods;
	say("reached", level_names[LOADED]);
	if (!is_bound(driver, sizeof(driver))) {
		drive_fail(d, "the driver does not take the device%s%s", *events_complaint() ? ": " : "", events_complaint());
		return LOADED;
	}
	say("driver", driver);
	say("reached", level_names[PROBED]);
	for (i = 0; i < n; i++)
		if (!passes(d, checks[i]))
			return PROBED;
	if (!n) {
		drive_fail(d, "no check known");
		return PROBED;
	}
	say("reached", level_names[WORKING]);
	return WORKING;
}

/* What was loaded by and by, as devices of further buses appeared. */
static void say_also(struct drive *d)
{
	struct udf_strbuf sb = UDF_STRBUF_INIT;
	unsigned int i;

	for (i = d->needed; i < udf_host.loader->nr_mods; i++)
		if (!udf_host.loader->mod[i]->users)	/* others are there for these */
			udf_strbuf_addf(&sb, "%s%s", sb.len ? " " : "", udf_host.loader->mod[i]->host.name);
	if (sb.len)
		say("also", udf_strbuf_str(&sb));
	udf_strbuf_free(&sb);
}

static bool unload(struct drive *d)
{
	int err = udf_unload(d->udf, d->module);

	say("unload", err ? strerror(-err) : "ok");
	return !err;
}

static int run(struct drive *d, struct udf_options *o, enum level expect, char **checks, int n)
{
	enum level level = STARTED;
	char alias[256] = "";
	bool ok = true;

	udf_options_set(o, "module", "none");
	udf_options_set(o, "close-timeout", "5");
	if (udf_open(o, &d->udf)) {
		say("why", udf_options_error(o));
		return 2;
	}
	events_watch();
	udf_vpci_modalias(udf_host.vpci, alias, sizeof(alias));
	say("device", alias);
	if (!d->module) {
		list(alias);
	} else {
		level = climb(d, checks, n);
		if (udf_lost(d->udf)) {
			drive_fail(d, "%s", udf_lost(d->udf));
		} else if (level > STARTED) {
			say_also(d);
			ok = unload(d);
		}
		if (d->why[0])
			say("why", d->why);
		if (udf_lost(d->udf))
			_Exit(3);
	}
	if (udf_close(d->udf)) {
		say("why", "the device does not shut down");
		ok = false;
	}
	return level >= expect && (ok || !expect) ? 0 : 1;
}

static enum level parse_level(const char *name)
{
	enum level l;

	for (l = STARTED; l < WORKING && strcmp(name, level_names[l]); l++)
		;
	return l;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "device", required_argument, NULL, 'O' }, { "backend", required_argument, NULL, 'O' },
		{ "cpus", required_argument, NULL, 'O' }, { "file", required_argument, NULL, 'f' },
		{ "netcheck", required_argument, NULL, 'k' }, { "near", required_argument, NULL, 'n' },
		{ "far", required_argument, NULL, 'r' }, { "expect", required_argument, NULL, 'e' },
		{ "module", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	struct udf_options *o = udf_options_new();
	enum level expect = STARTED;
	struct drive d = { 0 };
	int c, i = 0;

	udf_options_log(o, events_log, NULL);
	while ((c = getopt_long(argc, argv, "h", options, &i)) != -1) {
		switch (c) {
		case 'O':
			if (udf_options_set(o, options[i].name, optarg)) {
				fprintf(stderr, "%s\n", udf_options_error(o));
				return 2;
			}
			break;
		case 'f': d.file = optarg; break;
		case 'k': d.netcheck = optarg; break;
		case 'n': d.near = optarg; break;
		case 'r': d.far = optarg; break;
		case 'e': expect = parse_level(optarg); break;
		case 'm': d.module = optarg; break;
		case 'h': printf("%s", help); return 0;
		default: return 2;
		}
	}
	if (!d.module && optind < argc) {
		fprintf(stderr, "drive: a check needs --module\n");
		return 2;
	}
	i = run(&d, o, expect, argv + optind, argc - optind);
	udf_options_free(o);
	return i;
}
