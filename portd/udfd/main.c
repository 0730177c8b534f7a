// SPDX-License-Identifier: GPL-2.0
/* udfd: options, start and end; see udfd.h. Host world. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "udfd/udfd.h"

static const char help[] =
	"Usage: udfd [OPTION...]\n\n"
	"The port manager: runs the driver of each configured port in a process of its own, and starts it again when it fails.\n"
	"'udf ports' and its relatives speak to it. See udfd(8) and udf.conf(5).\n\n"
	"  --config FILE        the configuration (default /etc/udf/udf.conf, with /etc/udf/udf.conf.d/*.conf)\n"
	"  --runtime-dir DIR    where sockets are (default /run/udf)\n"
	"  --state-dir DIR      where failures are recorded (default /var/lib/udf)\n"
	"  --socket FILE        the control socket (default: udfd.sock in the runtime directory)\n"
	"  --check              read the configuration, say what is wrong with it, and end\n"
	"  --verbose            debug messages of the drivers, too\n"
	"  --help, --version\n\n"
	"SIGHUP has it read the configuration again. SIGTERM ends it; the drivers go on, and the next udfd takes them over.\n";

struct udfd udfd = {
	.config_file = "/etc/udf/udf.conf", .runtime_dir = "/run/udf", .state_dir = "/var/lib/udf", .lock_fd = -1, .ports_dir = -1, .attach_dir = -1,
	.listener = -1,
};

int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int fail(const struct udf_error *err)
{
	fprintf(stderr, "udfd: %s\n", err->text);
	return 1;
}

/* ---- places ---- */

static int make_dir(const char *path, mode_t mode, struct udf_error *err)
{
	if (mkdir(path, mode) && errno != EEXIST)
		return udf_error_set(err, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

/* One udfd for each runtime folder. */
static int take_lock(struct udf_error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/lock", udfd.runtime_dir);
	udfd.lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (udfd.lock_fd < 0)
		return udf_error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (flock(udfd.lock_fd, LOCK_EX | LOCK_NB))
		return udf_error_set(err, -errno, "%s: another udfd runs there", udfd.runtime_dir);
	return 0;
}

static int open_dir(const char *name, mode_t mode, int *fd, struct udf_error *err)
{
	char path[PATH_MAX];
	int ret;

	snprintf(path, sizeof(path), "%s/%s", udfd.runtime_dir, name);
	ret = make_dir(path, mode, err);
	if (ret)
		return ret;
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *fd < 0 ? udf_error_set(err, -errno, "%s: %s", path, strerror(errno)) : 0;
}

static int open_places(struct udf_error *err)
{
	int ret = make_dir(udfd.runtime_dir, 0755, err);

	if (!ret)
		ret = take_lock(err);
	if (!ret)
		ret = open_dir("ports", 0700, &udfd.ports_dir, err);
	/* everybody finds the sockets; who may connect is a matter of their modes */
	if (!ret)
		ret = open_dir("attach", 0755, &udfd.attach_dir, err);
	return ret;
}

/* udf-driver: where UDF_DRIVER says, beside us, or where it is installed. */
static const char *find_driver(void)
{
	static const char *const places[] = { "/udf-driver", "/../lib/udf/udf-driver" };
	static char path[PATH_MAX + 64];
	const char *given = getenv("UDF_DRIVER");
	char dir[PATH_MAX];
	ssize_t n;
	size_t i;

	if (given && *given)
		return given;
	n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	dir[n > 0 ? n : 0] = 0;
	if (strrchr(dir, '/'))
		*strrchr(dir, '/') = 0;
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", dir, places[i]);
		if (!access(path, X_OK))
			return path;
	}
	return "/usr/lib/udf/udf-driver";
}

/* ---- signals ---- */

static int on_end_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *arg)
{
	port_note(NULL, 5, "ending; the drivers go on");
	return sd_event_exit(udfd.event, 0);
}

static int on_hangup(sd_event_source *s, const struct signalfd_siginfo *si, void *arg)
{
	struct udf_error err = UDF_ERROR_INIT;

	sd_notify(0, "RELOADING=1");
	if (ports_configure(&err))
		port_note(NULL, 3, "the configuration is not taken: %s", err.text);
	else
		ports_start();
	sd_notify(0, "READY=1");
	return 0;
}

static int open_event_loop(void)
{
	sigset_t set;
	int ret;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	ret = sd_event_default(&udfd.event);
	if (ret >= 0)
		ret = sd_event_add_signal(udfd.event, NULL, SIGTERM, on_end_signal, NULL);
	if (ret >= 0)
		ret = sd_event_add_signal(udfd.event, NULL, SIGINT, on_end_signal, NULL);
	if (ret >= 0)
		ret = sd_event_add_signal(udfd.event, NULL, SIGHUP, on_hangup, NULL);
	if (ret >= 0)
		ret = sd_event_set_watchdog(udfd.event, true);
	return ret < 0 ? ret : 0;
}

/* ---- start ---- */

static int parse(int argc, char **argv, bool *check)
{
	enum { CONFIG, RUNTIME, STATE, SOCKET, CHECK, VERBOSE, HELP, VERSION };
	static const struct option options[] = {
		{ "config", required_argument, NULL, CONFIG }, { "runtime-dir", required_argument, NULL, RUNTIME },
		{ "state-dir", required_argument, NULL, STATE }, { "socket", required_argument, NULL, SOCKET },
		{ "check", no_argument, NULL, CHECK }, { "verbose", no_argument, NULL, VERBOSE },
		{ "help", no_argument, NULL, HELP }, { "version", no_argument, NULL, VERSION }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case CONFIG: udfd.config_file = optarg; break;
		case RUNTIME: udfd.runtime_dir = optarg; break;
		case STATE: udfd.state_dir = optarg; break;
		case SOCKET: udfd.socket_path = optarg; break;
		case CHECK: *check = true; break;
		case VERBOSE: udfd.verbose = true; break;
		case HELP:
			fputs(help, stdout);
			exit(0);
		case VERSION:
			printf("udfd %s\n", UDF_VERSION);
			exit(0);
		default:
			fprintf(stderr, "Try 'udfd --help'.\n");
			return 2;
		}
	}
	if (optind == argc)
		return 0;
	fprintf(stderr, "udfd: '%s' is no option\nTry 'udfd --help'.\n", argv[optind]);
	return 2;
}

static int check_config(void)
{
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_config *config;

	if (udf_config_read(udfd.config_file, &config, &err))
		return fail(&err);
	printf("%s: %u ports\n", udfd.config_file, config->nr_ports);
	udf_config_free(config);
	return 0;
}

static int start(struct udf_error *err)
{
	int ret = open_places(err);

	if (!ret)
		ret = open_event_loop();
	if (ret)
		return udf_error_set(err, ret, "the event loop: %s", strerror(-ret));
	ret = ports_configure(err);
	if (!ret)
		ret = server_start(err);
	if (ret)
		return ret;
	spawn_adopt_all();
	ports_start();
	sd_notify(0, "READY=1");
	port_note(NULL, 5, "UDF %s: %u ports in %s", UDF_VERSION, udfd.config->nr_ports, udfd.config_file);
	return 0;
}

int main(int argc, char **argv)
{
	struct udf_error err = UDF_ERROR_INIT;
	char socket_path[PATH_MAX];
	bool check = false;
	int ret = parse(argc, argv, &check);

	if (ret)
		return ret;
	if (check)
		return check_config();
	if (!udfd.socket_path) {
		snprintf(socket_path, sizeof(socket_path), "%s/udfd.sock", udfd.runtime_dir);
		udfd.socket_path = socket_path;
	}
	udfd.driver_path = find_driver();
	udfd.started_ms = now_ms();
	ret = start(&err);
	if (ret)
		return fail(&err);
	ret = sd_event_loop(udfd.event);
	sd_notify(0, "STOPPING=1");
	server_stop();
	ports_release();
	sd_event_unref(udfd.event);
	return ret ? 1 : 0;
}
