// SPDX-License-Identifier: GPL-2.0
/* Start driver processes, keep one standing by, adopt those of an earlier udfd. Host world. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "udfd/udfd.h"

#define CONTROL_FD 3		/* the driver process's */
#define PREPARE_MS 60000	/* how long one that stands by may take to be ready: the first of all makes the image */
#define HELLO_MS 5000		/* how long one that is to be adopted may take to answer */
#define BEAT_MAX_MS 1000

/* ---- a process ---- */

/* Between fork and exec. */
static void child(int control)
{
	char fd[] = "3", program[] = "udf-driver", option[] = "--control", *argv[] = { program, option, fd, NULL };
	sigset_t none;
	int sig;

	_Static_assert(CONTROL_FD == 3, "the argument says so");
	/* Ctrl-C at udfd's terminal, and the end of its session, are not for drivers */
	setsid();
	if (control == CONTROL_FD)
		fcntl(control, F_SETFD, 0);
	else
		dup2(control, CONTROL_FD);
	close(STDIN_FILENO);
	open("/dev/null", O_RDWR);
	syscall(SYS_close_range, CONTROL_FD + 1, ~0u, 0);
	for (sig = 1; sig < 32; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(udfd.driver_path, argv);
	_exit(127);
}

/*
 * Fork, with a pidfd; into a process id namespace of its own if the machine permits. All that a driver process starts ends with it then,
 * before its own end is reported.
 */
static pid_t fork_driver(int control, bool own_pids, int *pidfd)
{
	unsigned long flags = CLONE_PIDFD | SIGCHLD;
	pid_t pid = -1;

	if (own_pids)
		pid = (pid_t)syscall(SYS_clone, flags | CLONE_NEWPID, NULL, pidfd, NULL, 0);
	if (pid < 0)
		pid = (pid_t)syscall(SYS_clone, flags, NULL, pidfd, NULL, 0);
	if (!pid)
		child(control);
	return pid < 0 ? -errno : pid;
}

/* The options of what a process does while it stands by, mapping the image and booting (IMAGE), or the others. */
static struct json_object *options_json(const struct udf_port_settings *s, bool image)
{
	static const char *const of_image[] = { "release", "image", "modules", "kapi", "cache", "cpus", "memory" };
	struct json_object *list = json_object_new_array();
	unsigned int i, j;

	for (i = 0; list && i < s->nr_options; i++) {
		struct json_object *pair;
		bool is = false;

		for (j = 0; j < sizeof(of_image) / sizeof(of_image[0]); j++)
			is = is || !strcmp(s->option[i].key, of_image[j]);
		if (is != image)
			continue;
		pair = json_object_new_array();
		json_object_array_add(pair, json_object_new_string(s->option[i].key));
		json_object_array_add(pair, json_object_new_string(s->option[i].value));
		json_object_array_add(list, pair);
	}
	return list;
}

/* Modules that PORT had the last time, unless it is to have them in a way of its own. */
static void add_modules(struct json_object *o, const struct port *port)
{
	if (port && port->modules && !port_option(port, "module") && !port_option(port, "param"))
		json_object_object_add(o, "ahead-modules", json_object_get(port->modules));
}

/* AHEAD: of which port it will be likely, NULL: it is to begin at once. */
static int send_prepare(struct process *p, const struct udf_port_settings *s, const struct port *ahead)
{
	struct json_object *o = udf_packet_new("do", "prepare"), *options = options_json(s, true);

	if (!o || !options) {
		json_object_put(o);
		json_object_put(options);
		return -ENOMEM;
	}
	p->walls = s->walls;
	p->image_options = strdup(json_object_to_json_string(options));
	json_object_object_add(o, "options", options);
	udf_packet_add_bool(o, "walls", s->walls);
	udf_packet_add_bool(o, "ahead", ahead != NULL);
	add_modules(o, ahead);
	return process_send(p, o, &p->shared_fd, 1);
}

struct process *spawn_process(const struct udf_port_settings *settings, const struct port *ahead, struct udf_error *err)
{
	struct process *p = process_new();
	int pair[2] = { -1, -1 }, ret = p ? 0 : -ENOMEM;
	const char *step = "memory";

	if (!ret) {
		step = "shared memory";
		p->shared = udf_shared_new(&p->shared_fd);
		ret = p->shared ? 0 : -errno;
	}
	if (!ret) {
		step = "a socket pair";
		ret = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) ? -errno : 0;
	}
	if (!ret) {
		step = "a process";
		p->control = pair[0];
		p->pid = fork_driver(pair[1], settings->walls && !geteuid(), &p->pidfd);
		ret = p->pid < 0 ? p->pid : 0;
	}
	if (!ret) {
		step = "a watch";
		ret = process_watch(p);
	}
	if (!ret) {
		step = "a message";
		ret = send_prepare(p, settings, ahead);
	}
	if (pair[1] >= 0)
		close(pair[1]);
	if (!ret)
		return p;
	udf_error_set(err, ret, "the driver process cannot be started: %s: %s", step, strerror(-ret));
	if (p && p->pid > 0) {
		process_kill(p, NULL);
		waitid(P_PIDFD, (id_t)p->pidfd, &p->how, WEXITED);
	}
	if (p)
		process_release(p);
	return NULL;
}

/* ---- sockets of a port ---- */

/* The socket NAME in the folder DIR; short however long the folder's name is. */
static void address_of(int dir, const char *name, struct sockaddr_un *sa)
{
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/%s", dir, name);
}

void spawn_forget(struct port *port)
{
	unlinkat(udfd.ports_dir, port->settings.name, 0);
	unlinkat(udfd.attach_dir, port->settings.name, 0);
	if (port->clients >= 0)
		close(port->clients);
	port->clients = -1;
}

/* Listen as NAME in DIR. Returns a descriptor or a negative errno. */
static int listen_at(int dir, const char *name, mode_t mode)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), ret;
	struct sockaddr_un sa;

	if (fd < 0)
		return -errno;
	unlinkat(dir, name, 0);
	address_of(dir, name, &sa);
	if (!bind(fd, (struct sockaddr *)&sa, sizeof(sa)) && !fchmodat(dir, name, mode, 0) && !listen(fd, 64))
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

/*
 * Where applications connect, whichever driver process is there to accept: they wait while there is none. Who may write to the socket's
 * file may connect.
 */
static int listen_for_clients(struct port *port)
{
	const struct group *g = *udfd.config->attach_group ? getgrnam(udfd.config->attach_group) : NULL;
	const char *name = port->settings.name;

	if (port->clients < 0)
		port->clients = listen_at(udfd.attach_dir, name, 0600);
	if (port->clients < 0)
		return port->clients;
	if (g && (fchownat(udfd.attach_dir, name, (uid_t)-1, g->gr_gid, 0) || fchmodat(udfd.attach_dir, name, 0660, 0)))
		port_note(port, 4, "%s/attach/%s: group %s: %s", udfd.runtime_dir, name, g->gr_name, strerror(errno));
	return 0;
}

/* ---- for a port ---- */

static unsigned int beat_ms(const struct port *port)
{
	unsigned int ms = port->settings.hang_ms / 25;

	return !ms ? BEAT_MAX_MS : ms < 10 ? 10 : ms > BEAT_MAX_MS ? BEAT_MAX_MS : ms;
}

static const char *affinity_text(const cpu_set_t *set, char *text, size_t len)
{
	size_t n = 0;
	int cpu;

	*text = 0;
	for (cpu = 0; cpu < CPU_SETSIZE && n + 8 < len; cpu++)
		if (CPU_ISSET(cpu, set))
			n += (size_t)snprintf(text + n, len - n, "%s%d", n ? "," : "", cpu);
	return text;
}

static struct json_object *start_message(const struct port *port)
{
	const struct udf_port_settings *s = &port->settings;
	struct json_object *o = udf_packet_new("do", "start");
	char affinity[5000];

	if (!o)
		return NULL;
	udf_packet_add_text(o, "name", s->name);
	json_object_object_add(o, "options", options_json(s, false));
	json_object_object_add(o, "image-options", options_json(s, true));
	udf_packet_add_number(o, "uid", geteuid() ? 0 : s->uid >= 0 ? s->uid : (int64_t)udfd.config->uid_base + port->slot);
	udf_packet_add_number(o, "slot", port->slot);
	udf_packet_add_number(o, "nice", s->nice);
	if (s->has_affinity)
		udf_packet_add_text(o, "affinity", affinity_text(&s->affinity, affinity, sizeof(affinity)));
	udf_packet_add_number(o, "beat-ms", beat_ms(port));
	udf_packet_add_number(o, "hung-task-s", s->hung_task_s);
	udf_packet_add_number(o, "core-mib", s->core_mib);
	udf_packet_add_number(o, "attach-mib", s->attach_mib);
	udf_packet_add_bool(o, "block", s->block && !strncmp(s->device, "pci:", 4));
	udf_packet_add_bool(o, "block-fail", s->block_fail);
	udf_packet_add_number(o, "block-wait-ms", s->block_wait_ms);
	add_modules(o, port);
	return o;
}

/* One that does not get ready, or that is stopped, is of no use; when it has ended the next can stand by. */
static bool check_standby(struct process *p)
{
	if (!process_is_stopped(p) && (p->ready || now_ms() - p->started_ms < PREPARE_MS))
		return true;
	process_kill(p, NULL);
	return false;
}

/* The one that stands by, if it is as PORT needs it. */
static struct process *take_standby(const struct udf_port_settings *s)
{
	struct process *p = udfd.standby && check_standby(udfd.standby) ? udfd.standby : NULL;
	struct json_object *options = p ? options_json(s, true) : NULL;
	bool fits = p && p->ready && !p->dying && p->walls == s->walls && options && p->image_options &&
		    !strcmp(p->image_options, json_object_to_json_string(options));

	json_object_put(options);
	if (!fits)
		return NULL;
	udfd.standby = NULL;
	return p;
}

/* The device file of a PCI function: the driver process cannot open it, nor any other. -1: the port has none. */
static int open_device(const struct port *port, struct udf_error *err)
{
	const char *device = port->settings.device;
	char path[64];
	int fd;

	if (strncmp(device, "pci:", 4))
		return -1;
	snprintf(path, sizeof(path), "/dev/udf/%.*s", (int)strcspn(device + 4, ","), device + 4);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? udf_error_set(err, -errno, "%s: %s", path, strerror(errno)) : fd;
}

static int send_start(struct process *p, const struct port *port, int listener, int device)
{
	const int fds[] = { listener, port->clients, device };

	return process_send(p, start_message(port), fds, device >= 0 ? 3 : 2);
}

struct process *spawn_for(struct port *port, struct udf_error *err)
{
	int listener = listen_at(udfd.ports_dir, port->settings.name, 0600), ret = listener < 0 ? listener : 0, device = -1;
	struct process *p = NULL;

	if (!ret)
		ret = listen_for_clients(port);
	if (ret)
		udf_error_set(err, ret, "%s: sockets for %s: %s", udfd.runtime_dir, port->settings.name, strerror(-ret));
	else
		device = open_device(port, err);
	if (!err->code) {
		p = take_standby(&port->settings);
		if (!p)
			p = spawn_process(&port->settings, NULL, err);
	}
	if (p) {
		p->port = port;
		if (send_start(p, port, listener, device))	/* its end is being watched */
			process_kill(p, "the driver process does not listen to udfd");
	}
	if (listener >= 0)
		close(listener);
	if (device >= 0)
		close(device);
	return p;
}

void spawn_standby(const struct port *port)
{
	struct udf_error err = UDF_ERROR_INIT;

	if (udfd.standby)
		check_standby(udfd.standby);
	if (udfd.standby || !udfd.config->standby)
		return;
	udfd.standby = spawn_process(&port->settings, port, &err);
	if (!udfd.standby)
		port_note(NULL, 4, "no process stands by: %s", err.text);
}

/* ---- adoption ---- */

static void not_adopted(struct process *p, const char *why)
{
	port_note(NULL, 4, "driver process %d: %s: it is ended", p->pid, why);
	/* its port, if it is configured, is started once it is gone */
	process_kill(p, why);
}

static int on_hello_timeout(sd_event_source *s, uint64_t usec, void *arg)
{
	struct process *p = arg;

	p->on_hello = sd_event_source_disable_unref(p->on_hello);
	not_adopted(p, "it does not answer");
	return 0;
}

/* The port's settings as they were when the driver was started. */
static void note_changes(struct port *port, struct json_object *start)
{
	struct json_object *now = start_message(port), *a, *b;
	static const char *const keys[] = { "options", "image-options", "nice", "hung-task-s", "beat-ms", "core-mib", "attach-mib", "block", "block-fail", "block-wait-ms" };
	size_t i;

	for (i = 0; now && i < sizeof(keys) / sizeof(keys[0]); i++)
		if (json_object_object_get_ex(now, keys[i], &a) &&
		    (!json_object_object_get_ex(start, keys[i], &b) || !json_object_equal(a, b)))
			port->outdated = true;
	json_object_put(now);
	port->slot = (unsigned int)udf_packet_number(start, "slot", port->slot);
}

/* "hello" of a driver process that goes on from an earlier udfd. */
void spawn_hello(struct process *p, struct udf_packet *m)
{
	struct json_object *start = NULL;

	if (p->shared || !p->on_hello)
		return;
	p->on_hello = sd_event_source_disable_unref(p->on_hello);
	p->shared_fd = udf_packet_take_fd(m, 0);
	p->shared = p->shared_fd >= 0 ? udf_shared_map(p->shared_fd) : NULL;
	if (!json_object_object_get_ex(m->body, "start", &start) || !p->shared) {
		not_adopted(p, "it does not say what it runs");
		return;
	}
	if (udf_packet_bool(m->body, "stopping")) {
		not_adopted(p, "it was being stopped");
		return;
	}
	if (p->port->clients < 0)
		p->port->clients = udf_packet_take_fd(m, 1);
	note_changes(p->port, start);
	p->ready = true;
	port_adopt(p->port, p);
	process_read_log(p);
	if (!p->port->configured) {
		port_note(p->port, 5, "is not configured any more: stopping");
		port_stop(p->port);
	}
}

static int connect_to(const char *port)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa;

	if (fd < 0)
		return -errno;
	address_of(udfd.ports_dir, port, &sa);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa))) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	return fd;
}

/* The driver process behind PORT's rendezvous. Returns 0, or a negative errno when there is none. */
static int adopt(struct port *port)
{
	struct process *p = process_new();
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int ret;

	if (!p)
		return -ENOMEM;
	ret = p->control = connect_to(port->settings.name);
	if (ret >= 0)
		ret = getsockopt(p->control, SOL_SOCKET, SO_PEERCRED, &peer, &len) ? -errno : 0;
	if (ret >= 0) {
		p->pid = peer.pid;
		p->adopted = true;
		p->pidfd = (int)syscall(SYS_pidfd_open, peer.pid, 0);
		ret = p->pidfd < 0 ? -errno : process_watch(p);
	}
	if (ret >= 0)
		ret = sd_event_add_time_relative(udfd.event, &p->on_hello, CLOCK_MONOTONIC, HELLO_MS * 1000ull, 0, on_hello_timeout, p);
	if (ret < 0) {
		process_release(p);
		return ret;
	}
	p->port = port;
	port->process = p;
	port->state = PORT_STARTING;
	port->wanted = true;
	return 0;
}

static int is_port(const struct dirent *e)
{
	return udf_port_name_valid(e->d_name);
}

void spawn_adopt_all(void)
{
	struct dirent **list;
	int n = scandirat(udfd.ports_dir, ".", &list, is_port, alphasort), i;

	for (i = 0; i < n; i++) {
		const char *name = list[i]->d_name;
		struct udf_port_settings none = { .uid = -1, .stop_s = 45, .start_s = 60, .failures = 16, .walls = true };
		struct port *port = ports_find(name);

		if (!port) {
			/* it runs, though it is not configured any more: it is adopted in order to be stopped */
			snprintf(none.name, sizeof(none.name), "%s", name);
			none.device = "";
			port = port_new(&none);
			if (port) {
				port->settings.device = "";
				port->next = udfd.ports;
				udfd.ports = port;
			}
		}
		if (port && adopt(port))
			spawn_forget(port);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}
