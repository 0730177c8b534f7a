// SPDX-License-Identifier: GPL-2.0
/*
 * udf run: the driver of a port in the foreground, with its log and its disks; or, with --once, a module that is loaded and unloaded
 * again. Host world.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "common/strbuf.h"
#include "front/block.h"
#include "port.h"
#include "serve.h"

CLI_SUMMARY(run, "run the driver of a port in the foreground");

static const char help[] =
	"Usage: udf run --device SPEC [OPTION...]\n"
	"       udf run --no-device --once FILE.ko [NAME=VALUE...]\n\n"
	"Runs the driver of a port until SIGINT or SIGTERM, then shuts the device down. The driver's log goes to stderr; the disks\n"
	"are printed to stdout whenever they change.\n\n"
	"  --verbose            show debug messages, too: what the kernel code says while it starts\n"
	"  --serve SOCKET       let applications in other processes use the disks: udf_open() with port=SOCKET\n"
	"  --block              make block devices of the kernel of the disks, /dev/udf-ADDRESS-NAME; for --device pci:ADDRESS\n"
	"  --json               print the disks as JSON, a line whenever they change\n"
	"  --no-device          run without a port\n"
	"  --once               load the module that is named, unload it, and end with 0 if both went well\n"
	"  --keep SECONDS       with --once: how long to keep it loaded\n"
	"  --repeat N           with --once: do so N times\n";

struct run {
	struct cli_port port;
	bool no_device, once, verbose, block;
	unsigned int keep_s, repeat;
	char *params;
	const char *serve;
	struct cli_serve *server;
	pthread_t thread;
};

enum { OPT_NO_DEVICE, OPT_ONCE, OPT_KEEP, OPT_REPEAT, OPT_VERBOSE, OPT_SERVE, OPT_BLOCK };

static atomic_int ending;	/* the signal that said so */
static _Atomic(struct udf *) running;

#define END_SECONDS 25	/* longer than udf_close() waits for a driver that does not shut its device down */

/* The next signal; once the end has begun, it has to be over in time. */
static int next_signal(const sigset_t *set)
{
	static const struct timespec limit = { .tv_sec = END_SECONDS };
	int first = atomic_load(&ending), sig;

	do {
		sig = first ? sigtimedwait(set, NULL, &limit) : sigwaitinfo(set, NULL);
	} while (sig < 0 && errno == EINTR);
	if (sig > 0)
		return sig;
	fprintf(stderr, "udf: the driver does not end within %u s: its process ends now\n", END_SECONDS);
	_exit(128 + first);
}

/*
 * Signals end the driver in order. They are taken by a thread of their own, since they must not interrupt kernel code; a second one
 * ends the process at once, and so does a driver that hangs.
 */
static void *take_signals(void *arg)
{
	int sig;

	while ((sig = next_signal(arg)) != SIGUSR1) {	/* the end: see stop_signals() */
		struct udf *udf;

		if (atomic_load(&ending))
			_exit(128 + sig);
		atomic_store(&ending, sig);
		udf = atomic_load(&running);
		if (udf)
			udf_wake(udf);
	}
	return NULL;
}

static int start_signals(struct run *r)
{
	static sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return -pthread_create(&r->thread, NULL, take_signals, &set);
}

static void stop_signals(struct run *r)
{
	pthread_kill(r->thread, SIGUSR1);
	pthread_join(r->thread, NULL);
}

static bool set_number(struct run *r, const char *name, unsigned int *out)
{
	char *rest;
	unsigned long n = strtoul(optarg, &rest, 10);

	if (*optarg < '0' || *optarg > '9' || *rest || n > 1000000) {
		r->port.status = cli_usage("run", "%s is '%s', but must be a number", name, optarg);
		return false;
	}
	*out = n;
	return true;
}

static bool take_option(struct run *r, int c, const struct option *o)
{
	switch (c) {
	case OPT_NO_DEVICE:
		r->no_device = true;
		return true;
	case OPT_ONCE:
		r->once = true;
		return true;
	case OPT_VERBOSE:
		r->verbose = true;
		return true;
	case OPT_SERVE:
		r->serve = optarg;
		return true;
	case OPT_BLOCK:
		r->block = true;
		return true;
	case OPT_KEEP:
		return set_number(r, "keep", &r->keep_s);
	case OPT_REPEAT:
		return set_number(r, "repeat", &r->repeat);
	}
	return cli_port_option(&r->port, c, o, help);
}

static bool parse(struct run *r, int argc, char **argv)
{
	/* Parameters of --once's module follow it, and are no options. */
	static const struct option options[] = {
		CLI_PORT_OPTIONS,
		{ "no-device", no_argument, NULL, OPT_NO_DEVICE },
		{ "once", no_argument, NULL, OPT_ONCE },
		{ "verbose", no_argument, NULL, OPT_VERBOSE },
		{ "serve", required_argument, NULL, OPT_SERVE },
		{ "block", no_argument, NULL, OPT_BLOCK },
		{ "keep", required_argument, NULL, OPT_KEEP },
		{ "repeat", required_argument, NULL, OPT_REPEAT },
		{ 0 }
	};
	int c, i = 0;

	while ((c = getopt_long(argc, argv, "", options, &i)) != -1)
		if (!take_option(r, c, &options[i]))
			return false;
	r->port.status = CLI_USAGE;
	if (r->port.attached)
		cli_usage("run", "--port is for commands that use a driver; this one runs it");
	else if (r->no_device == r->port.has_device)
		cli_usage("run", r->no_device ? "--device and --no-device exclude each other" : "--device is missing");
	else if (r->once && optind == argc)
		cli_usage("run", "--once needs a module");
	else if (r->serve && r->no_device)
		cli_usage("run", "--serve needs a device");
	else if (r->block && r->no_device)
		cli_usage("run", "--block needs a device");
	else if (!r->once && optind < argc)
		cli_usage("run", "'%s' is not an option", argv[optind]);
	else
		return true;
	return false;
}

/* Print the disks now and whenever they change, until a signal or the loss of the port. */
static int watch(struct run *r)
{
	unsigned int seen = 0;
	int status = CLI_OK, had = 0;

	while (!atomic_load(&ending) && !status) {
		int n = udf_disks(r->port.udf, NULL, 0);

		if (n > 0 || had)
			status = cli_port_print_disks(&r->port);
		had = n;
		if (udf_wait_change(r->port.udf, &seen, -1) == -ENODEV) {
			fprintf(stderr, "udf: the port is lost: %s\n", udf_lost(r->port.udf));
			status = CLI_FAILED;
		}
	}
	return status;
}

/* "dir/my-module.ko.xz" is known to the kernel as my_module. */
static char *module_name(const char *file)
{
	const char *slash = strrchr(file, '/');
	char *name = strdup(slash ? slash + 1 : file), *p;

	if (!name)
		return NULL;
	p = strstr(name, ".ko");
	if (p)
		*p = 0;
	for (p = name; *p; p++)
		if (*p == '-')
			*p = '_';
	return name;
}

/* Keep the module for a while; a signal or the port's loss ends that. */
static void keep(struct run *r)
{
	unsigned int seen = 0;

	udf_wait_change(r->port.udf, &seen, 0);
	while (!atomic_load(&ending) && !udf_wait_change(r->port.udf, &seen, (int)r->keep_s * 1000))
		;
}

static int load_and_unload(struct run *r, const char *file)
{
	char *name = module_name(file);
	unsigned int i;
	int err = name ? 0 : -ENOMEM;

	for (i = 0; !err && i < r->repeat && !atomic_load(&ending); i++) {
		err = udf_load(r->port.udf, file, r->params);
		if (err)
			break;
		if (r->keep_s)
			keep(r);
		err = udf_unload(r->port.udf, name);
	}
	free(name);
	if (!err && udf_lost(r->port.udf)) {
		fprintf(stderr, "udf: %s\n", udf_lost(r->port.udf));
		err = -ENODEV;
	}
	return err ? CLI_FAILED : CLI_OK;
}

static char *join(char **words, int n)
{
	struct udf_strbuf sb = UDF_STRBUF_INIT;

	udf_strbuf_addn(&sb, "", 0);
	for (; n--; words++)
		udf_strbuf_addf(&sb, "%s%s", sb.len ? " " : "", *words);
	return udf_strbuf_detach(&sb);
}

/* Let others use the disks, as far as that is wanted. */
static int serve(struct run *r)
{
	const struct udf_block_options o = { .fail = false };
	int err = r->block ? udf_block_serve(r->port.udf, &o) : 0;

	if (err) {
		fprintf(stderr, "udf: no block devices for the kernel: %s\n",
			err == -EOPNOTSUPP ? "only a port of udf_port.ko has them, as in --device pci:ADDRESS" : strerror(-err));
		return CLI_FAILED;
	}
	if (!r->serve)
		return CLI_OK;
	r->server = cli_serve_start(r->port.udf, r->serve);
	return r->server ? CLI_OK : CLI_FAILED;
}

static int run_port(struct run *r, const char *file)
{
	int status;

	if (r->once)
		udf_options_set(r->port.options, "module", "none");
	if (r->block)	/* memory for the driver must not come from writing to its own disks; takes root */
		prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	cli_port_show_log(&r->port, r->verbose);
	status = cli_port_open(&r->port);
	if (status)
		return status;
	atomic_store(&running, r->port.udf);
	status = serve(r);
	if (!status)
		status = r->once ? load_and_unload(r, file) : watch(r);
	atomic_store(&running, NULL);
	cli_serve_stop(r->server);
	return cli_port_close(&r->port, status);
}

int cmd_run(int argc, char **argv)
{
	struct run r = { .repeat = 1 };

	if (!cli_port_init(&r.port, "run"))
		return CLI_FAILED;
	if (!parse(&r, argc, argv))
		goto out;
	r.params = r.once ? join(argv + optind + 1, argc - optind - 1) : NULL;
	r.port.status = CLI_FAILED;
	if ((r.once && !r.params) || start_signals(&r)) {
		fprintf(stderr, "udf: no memory\n");
		goto out;
	}
	r.port.status = run_port(&r, argv[optind]);
	stop_signals(&r);
out:
	free(r.params);
	cli_port_free(&r.port);
	return r.port.status;
}
