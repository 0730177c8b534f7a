// SPDX-License-Identifier: GPL-2.0
/* Driver processes: what they say, whether they live, and their end. Host world. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "udfd/udfd.h"

#define SHOW_MS 700		/* for one that hangs to say where */

struct process *process_new(void)
{
	struct process *p = calloc(1, sizeof(*p));

	if (p)
		p->pidfd = p->control = p->child = p->shared_fd = -1;
	return p;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void process_release(struct process *p)
{
	sd_event_source_disable_unref(p->on_end);
	sd_event_source_disable_unref(p->on_message);
	sd_event_source_disable_unref(p->on_child);
	sd_event_source_disable_unref(p->on_hello);
	sd_event_source_disable_unref(p->on_shown);
	close_fd(&p->pidfd);
	close_fd(&p->control);
	close_fd(&p->child);
	close_fd(&p->shared_fd);
	udf_shared_unmap(p->shared);
	free(p->lost);
	free(p->failed);
	free(p->hung);
	free(p->image_options);
	free(p);
}

int process_send(struct process *p, struct json_object *body, const int *fds, unsigned int nr_fds)
{
	if (p->control >= 0)
		return udf_packet_send(p->control, body, fds, nr_fds);
	json_object_put(body);
	return -ENOTCONN;
}

/* ---- killing ---- */

/* "T": stopped by a signal; "R", "S", "D", ... as /proc says. */
static char state_of(pid_t pid)
{
	char path[64], text[512];
	const char *paren;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	close_fd(&fd);
	text[n > 0 ? n : 0] = 0;
	paren = strrchr(text, ')');
	return paren && paren[1] == ' ' ? paren[2] : '?';
}

bool process_is_stopped(const struct process *p)
{
	char state = state_of(p->pid);

	return state == 'T' || state == 't';
}

static const char *explain(char state)
{
	switch (state) {
	case 'T':
		return ": its process is stopped";
	case 't':
		return ": its process is stopped by a debugger";
	case 'D':
		return ": its process waits in the machine's kernel";
	default:
		return "";
	}
}

void process_kill(struct process *p, const char *hung)
{
	if (hung && !p->hung)
		p->hung = strdup(hung);
	syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
}

static int on_not_shown(sd_event_source *s, uint64_t usec, void *arg)
{
	process_kill(arg, NULL);
	return 0;
}

void process_kill_hung(struct process *p, const char *why)
{
	char state = state_of(p->pid);
	char *explained;

	if (p->hung)
		return;
	explained = text_of("%s%s", why, explain(state));
	p->hung = explained ? explained : strdup(why);
	evidence_note(p);
	/* its kernel code can say more, if it can say anything */
	if (process_is_stopped(p) || process_send(p, udf_packet_new("do", "show"), NULL, 0) ||
	    sd_event_add_time_relative(udfd.event, &p->on_shown, CLOCK_MONOTONIC, SHOW_MS * 1000ull, 1000, on_not_shown, p) < 0)
		process_kill(p, NULL);
}

/* ---- log ---- */

/* "LEVEL MILLISECONDS TEXT", if it is that. */
static void take_line(struct port *port, char *line)
{
	char *rest, *text;
	long long ms;

	if (line[0] < '0' || line[0] > '7' || line[1] != ' ')
		return;
	ms = strtoll(line + 2, &rest, 10);
	if (rest == line + 2 || *rest != ' ')
		return;
	text = rest + 1;
	for (rest = text; *rest; rest++)
		if ((unsigned char)*rest < ' ' && *rest != '\t')
			*rest = '?';
	port_log_add(port, line[0] - '0', ms, text);
}

void process_read_log(struct process *p)
{
	struct udf_strbuf sb = UDF_STRBUF_INIT;
	char *line, *next;

	if (!p->shared || !p->port)
		return;
	udf_shared_read_log(p->shared, &p->log_pos, &sb);
	for (line = sb.len ? sb.data : NULL; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		take_line(p->port, line);
	}
	udf_strbuf_free(&sb);
}

/* ---- messages ---- */

static void keep(char **where, struct udf_packet *m)
{
	free(*where);
	*where = strdup(udf_packet_text(m->body, "why", "it did not say why"));
}

/* The transport's process, which has to be gone before the port can be opened again. */
static void take_child(struct process *p, struct udf_packet *m)
{
	int fd = udf_packet_take_fd(m, 0);

	/* nothing else may be waited for, or killed: is it a pidfd? */
	if (fd >= 0 && syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) && errno == EBADF)
		close_fd(&fd);
	if (fd < 0)
		return;
	close_fd(&p->child);
	p->child = fd;
}

static void take_message(struct process *p, struct udf_packet *m)
{
	const char *what = udf_packet_text(m->body, "is", "");

	if (!strcmp(what, "hello")) {
		spawn_hello(p, m);
	} else if (!p->shared) {
		return;		/* it has to introduce itself first */
	} else if (!strcmp(what, "log")) {
		process_read_log(p);
	} else if (!strcmp(what, "ready")) {
		p->ready = true;
		if (!p->port)
			port_note(NULL, 7, "process %d stands by", p->pid);
	} else if (!p->port && strcmp(what, "failed")) {
		return;		/* it stands by: nothing else can be true */
	} else if (!strcmp(what, "state")) {
		process_read_log(p);
		port_reported(p->port, json_object_get(m->body));
	} else if (!strcmp(what, "lost")) {
		keep(&p->lost, m);
	} else if (!strcmp(what, "failed")) {
		keep(&p->failed, m);
	} else if (!strcmp(what, "shown")) {
		if (p->hung)
			process_kill(p, NULL);
	} else if (!strcmp(what, "stopped")) {
		p->stopped = true;
	} else if (!strcmp(what, "child")) {
		take_child(p, m);
	} else if (!strcmp(what, "file")) {
		files_answer(p, udf_packet_number(m->body, "id", 0), udf_packet_text(m->body, "path", ""));
	} else if (!strcmp(what, "plan")) {
		files_plan(p, udf_packet_number(m->body, "id", 0), udf_packet_text(m->body, "what", ""));
	} else {
		port_note(p->port, 4, "the driver process says '%.40s', which is not known here", what);
	}
}

/* Take what is there, at most LIMIT messages. Returns false when no more will come. */
static bool receive(struct process *p, unsigned int limit)
{
	struct udf_packet m;
	int ret = 1;

	while (p->control >= 0 && limit-- && (ret = udf_packet_receive(p->control, &m)) == 1) {
		take_message(p, &m);
		udf_packet_release(&m);
	}
	return ret == 1 || ret == -EAGAIN || ret == -ENOMEM;
}

static int on_message(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
	struct process *p = arg;

	if (receive(p, 64))
		return 0;
	/* it ends, which its pidfd tells; or it talks nonsense, and then it is not to be trusted with a port */
	p->on_message = sd_event_source_disable_unref(p->on_message);
	close_fd(&p->control);
	if (!p->dying && !p->lost && !p->failed && !p->stopped)
		process_kill(p, NULL);
	return 0;
}

/* ---- signs of life ---- */

void process_check_beats(struct process *p, unsigned int checks, unsigned int hang_ms)
{
	unsigned int cpu;

	for (cpu = 0; cpu < UDF_SHARED_CPUS; cpu++) {
		uint64_t beats = udf_shared_get(&p->shared->beats[cpu]);
		char why[200];

		if (!beats)	/* it is not up yet, or there is none: for that there is start-timeout */
			continue;
		if (beats != p->beats[cpu]) {
			p->beats[cpu] = beats;
			p->silent[cpu] = 0;
			continue;
		}
		/* looks are counted, not time: if it is we who were stopped, nobody is to blame */
		if (++p->silent[cpu] < checks)
			continue;
		snprintf(why, sizeof(why), "the driver hangs: vCPU %u has not got on for %u.%u s", cpu, hang_ms / 1000, hang_ms / 100 % 10);
		process_kill_hung(p, why);
		return;
	}
}

/* ---- the end ---- */

#define CHILD_MS 10000		/* how long the transport's process may take to end */

/* Everything about P is over. */
static void end(struct process *p)
{
	struct port *port = p->port;

	process_read_log(p);
	if (port)
		port_process_ended(port, p, failure_of(port, p, &p->how));
	else if (udfd.standby == p)
		udfd.standby = NULL;
	process_release(p);
}

static int on_child_end(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
	end(arg);
	return 0;
}

static int on_child_timeout(sd_event_source *s, uint64_t usec, void *arg)
{
	struct process *p = arg;

	port_note(p->port, 3, "the transport's process does not end; going on without waiting for it");
	end(p);
	return 0;
}

static bool has_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* Returns whether the end of the transport's process is to be waited for. */
static bool wait_for_child(struct process *p)
{
	if (p->child < 0 || has_ended(p->child))
		return false;
	syscall(SYS_pidfd_send_signal, p->child, SIGKILL, NULL, 0);
	if (sd_event_add_io(udfd.event, &p->on_child, p->child, EPOLLIN, on_child_end, p) < 0)
		return false;
	sd_event_add_time_relative(udfd.event, &p->on_hello, CLOCK_MONOTONIC, CHILD_MS * 1000ull, 0, on_child_timeout, p);
	return true;
}

static int on_end(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
	struct process *p = arg;

	p->dying = true;
	/* what it said last comes before its end */
	receive(p, 10000);
	if (!p->adopted)
		waitid(P_PIDFD, (id_t)p->pidfd, &p->how, WEXITED | WNOHANG);
	p->on_end = sd_event_source_disable_unref(p->on_end);
	p->on_message = sd_event_source_disable_unref(p->on_message);
	p->on_hello = sd_event_source_disable_unref(p->on_hello);
	if (p->port)
		port_process_ending(p->port);
	if (!wait_for_child(p))
		end(p);
	return 0;
}

int process_watch(struct process *p)
{
	int ret = sd_event_add_io(udfd.event, &p->on_end, p->pidfd, EPOLLIN, on_end, p);

	p->started_ms = now_ms();
	if (ret >= 0) {
		fcntl(p->control, F_SETFL, O_NONBLOCK);
		ret = sd_event_add_io(udfd.event, &p->on_message, p->control, EPOLLIN, on_message, p);
	}
	return ret < 0 ? ret : 0;
}
