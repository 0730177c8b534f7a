// SPDX-License-Identifier: GPL-2.0
/* udf-driver: start, and the loop over what may come from udfd; see driver.h. Host world. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver/driver.h"

#define COUNT_MS 1000	/* how often the counters are brought up to date */

static const char help[] =
	"Usage: udf-driver --control FD\n\n"
	"Runs the driver of one port for udfd, which starts it: FD is one end of a SOCK_SEQPACKET socket pair, over which it says\n"
	"what to run. See udfd(8). To run a driver by hand: 'udf help run'.\n\n"
	"  --control FD     the socket\n"
	"  --help           this text\n"
	"  --version        UDF's version\n";

struct driver driver = {
	.control = -1, .listener = -1, .clients = -1, .wake = -1, .shared_fd = -1, .child = -1,
	.send_lock = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER, .started = PTHREAD_COND_INITIALIZER,
};

static int usage(const char *text)
{
	fprintf(stderr, "udf-driver: %s\nTry 'udf-driver --help'.\n", text);
	return UDF_EXIT_USAGE;
}

/* The first process of a namespace does not die of a signal of its own: abort() would end as some other signal. */
static void aborted(int sig)
{
	_exit(UDF_EXIT_ABORTED);
}

/* Signals are taken in the main thread's loop: no handler interrupts kernel code. */
static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (getpid() == 1)
		signal(SIGABRT, aborted);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* End, as asked: the driver's thread does it. */
static void stop(void)
{
	struct udf *udf;

	pthread_mutex_lock(&driver.lock);
	atomic_store(&driver.stopping, true);
	pthread_cond_broadcast(&driver.started);
	pthread_mutex_unlock(&driver.lock);
	udf = atomic_load(&driver.udf);
	if (udf)
		udf_wake(udf);
	if (!driver.prepared)
		_exit(UDF_EXIT_STOPPED);
}

static void take_signal(int fd)
{
	struct signalfd_siginfo si;

	if (read(fd, &si, sizeof(si)) != sizeof(si) || si.ssi_signo == SIGHUP)
		return;
	driver_note(5, "stopping: signal %u (%s)", si.ssi_signo, strsignal((int)si.ssi_signo));
	stop();
}

static void take_wake(void)
{
	uint64_t n;

	if (read(driver.wake, &n, sizeof(n)) == sizeof(n) && atomic_load(&driver.stopping))
		stop();
}

static int loop(int signals)
{
	enum { CONTROL, LISTENER, CLIENTS, SIGNALS, WAKE, COUNT };

	for (;;) {
		struct pollfd p[COUNT] = {
			[CONTROL] = { .fd = driver.control, .events = POLLIN }, [LISTENER] = { .fd = driver.listener, .events = POLLIN },
			/* until the driver runs they wait in the socket's queue */
			[CLIENTS] = { .fd = atomic_load(&driver.udf) ? driver.clients : -1, .events = POLLIN },
			[SIGNALS] = { .fd = signals, .events = POLLIN }, [WAKE] = { .fd = driver.wake, .events = POLLIN },
		};

		if (poll(p, COUNT, driver.start ? COUNT_MS : -1) < 0 && errno != EINTR)
			return 1;
		if (p[CONTROL].revents)
			driver_control_receive();
		if (p[LISTENER].revents)
			driver_control_accept();
		if (p[CLIENTS].revents)
			driver_client_accept();
		if (p[SIGNALS].revents)
			take_signal(signals);
		if (p[WAKE].revents)
			take_wake();
		driver_count();
	}
}

/*
 * The kernel's block devices may be served: memory that this process wants must not come from writing to one of them. For all threads, those to
 * come; takes CAP_SYS_RESOURCE.
 */
static void be_io_flusher(void)
{
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
}

static int parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "control", required_argument, NULL, 'c' }, { "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' }, { 0 },
	};
	int c, type;
	socklen_t len = sizeof(type);

	while ((c = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			driver.control = *optarg >= '0' && *optarg <= '9' ? atoi(optarg) : -1;
			break;
		case 'h':
			fputs(help, stdout);
			exit(0);
		case 'V':
			printf("udf-driver %s\n", UDF_VERSION);
			exit(0);
		default:
			return usage("an option is wrong");
		}
	}
	if (optind < argc || driver.control < 0)
		return usage("it is started by udfd, with --control FD");
	if (getsockopt(driver.control, SOL_SOCKET, SO_TYPE, &type, &len) || type != SOCK_SEQPACKET)
		return usage("--control is no SOCK_SEQPACKET socket");
	return 0;
}

int main(int argc, char **argv)
{
	int signals, ret = parse(argc, argv);

	if (ret)
		return ret;
	driver.owner = geteuid();
	be_io_flusher();
	driver.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	signals = open_signals();
	if (driver.wake < 0 || signals < 0) {
		perror("udf-driver");
		return 1;
	}
	return loop(signals);
}
