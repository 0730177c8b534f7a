/* SPDX-License-Identifier: GPL-2.0 */
/*
 * udfd, the port manager: one driver process for each port, watched and replaced. Host world.
 *
 *   main.c     options, start, end             ports.c    which ports there are; configuration
 *   port.c     the life of a port              log.c      a port's log, and our own messages
 *   process.c  driver processes: talk, watch   failure.c  what a driver process died of, recorded
 *   spawn.c    start or adopt one              files.c    modules and firmware for locked-up drivers
 *   evidence.c where one that hangs is         requests.c what clients ask for
 *   server.c   clients and their connections
 *
 * One thread, one event loop (sd-event); nothing in it waits for a driver.
 *
 *             start                 "state"                stop
 *   STOPPED ---------> STARTING ------------> RUNNING ------------> STOPPING --> STOPPED
 *                      ^   |  dead               | dead, or hung: killed   | dead
 *                      |   v                     v
 *                      |  ENDING: until the transport's process is gone, too
 *                      |   |
 *                      +- WAITING: the back-off's delay
 */
#ifndef UDFD_H
#define UDFD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "base/backoff.h"
#include "base/config.h"
#include "base/packet.h"
#include "base/shared.h"
#include "common/error.h"

struct client;
struct port;

/* One line of a port's log. */
struct log_line {
	uint64_t number;
	int64_t ms;			/* real time */
	int level;
	char *text;
};

#define LOG_LINES 4096

struct port_log {
	struct log_line line[LOG_LINES];	/* a ring: number N is at N % LOG_LINES */
	uint64_t next;				/* the number that the next line gets */
};

/* A driver process. */
struct process {
	struct port *port;		/* NULL: it stands by */
	pid_t pid;			/* as we see it */
	int pidfd, control;
	int child;			/* pidfd of the transport's process, or -1 */
	int shared_fd;
	struct udf_shared *shared;
	uint64_t log_pos;
	sd_event_source *on_end, *on_message, *on_child, *on_hello, *on_shown;
	bool adopted, ready, walls, dying;
	char *lost, *failed;		/* what it said itself */
	bool stopped;			/* it said that it has stopped in order */
	char *hung;			/* why it was killed */
	siginfo_t how;			/* waitid()'s; si_pid 0: it was not ours to wait for */
	char *image_options;		/* that it was prepared with */
	int64_t started_ms;		/* monotonic */
	uint64_t beats[UDF_SHARED_CPUS];
	unsigned int silent[UDF_SHARED_CPUS];	/* checks since a vCPU last counted */
};

enum port_state { PORT_STOPPED, PORT_STARTING, PORT_RUNNING, PORT_STOPPING, PORT_ENDING, PORT_WAITING };

struct port {
	struct port *next;
	struct udf_port_settings settings;
	bool configured;		/* it is in the configuration as it is now */
	bool outdated;			/* it was adopted, and runs with an older configuration */
	bool has_pending;		/* it runs with SETTINGS; PENDING is what it is started with next */
	struct udf_port_settings pending;
	bool wanted;			/* it is to run */
	bool restarting;		/* it is being stopped in order to be started */
	enum port_state state;
	unsigned int slot;		/* its user id is uid-base + SLOT */
	struct process *process;
	int clients;			/* where applications connect, or -1; the driver accepts */
	struct udf_backoff backoff;
	sd_event_source *timer;		/* the state's: start-timeout, stop-timeout, back-off, when another process is to stand by */
	sd_event_source *watch;		/* signs of life */
	struct json_object *reported;	/* the driver's last "state" */
	struct json_object *modules;	/* that it had when it last began to run: names, unchecked */
	struct port_log log;
	uint64_t restarts, failures;
	int64_t since_ms;		/* real time at which this driver process got to run */
	int64_t lost_ms;		/* monotonic: when the last driver died; 0: none has */
	int64_t gap_ms;			/* from its death until the next one ran; -1: none yet */
	char *why;			/* of the last failure */
	struct json_object *unsaved;	/* array: records that could not be written */
	bool told_unsaved;
};

struct udfd {
	sd_event *event;
	const char *config_file, *runtime_dir, *state_dir, *socket_path, *driver_path;
	bool verbose;
	int lock_fd, ports_dir;		/* ports_dir: where rendezvous are */
	int attach_dir;			/* where applications connect */
	int listener;
	struct udf_config *config;
	struct port *ports;
	struct process *standby;
	struct client *clients;
	int64_t started_ms;
};

extern struct udfd udfd;

/* ---- ports.c ---- */
/* Read the configuration and bring the ports in line with it. With an error nothing changes. */
int ports_configure(struct udf_error *err);
struct port *ports_find(const char *name);
/* Start those that are to run by themselves and do not yet. */
void ports_start(void);
/* The manager ends: forget all, leave the drivers alone. */
void ports_release(void);

/* ---- port.c ---- */
extern const char *const port_state_names[];
struct port *port_new(const struct udf_port_settings *settings);
/* WANTED, which is taken over, is how it is to be: what concerns its driver process, from the next one on. */
void port_reconfigure(struct port *port, struct udf_port_settings *wanted);
/* Stopped, and without a process. */
void port_free(struct port *port);
int port_start(struct port *port, struct udf_error *err);
void port_stop(struct port *port);
void port_restart(struct port *port);
/* A driver process that runs already becomes PORT's. */
void port_adopt(struct port *port, struct process *p);
/* Its driver process said STATE; takes it over. */
void port_reported(struct port *port, struct json_object *state);
/* Its driver process has ended; the transport's, if there is one, is being waited for. */
void port_process_ending(struct port *port);
/* Now that has ended, too; P is about to be released. FAILURE as failure_of() says. */
void port_process_ended(struct port *port, struct process *p, struct json_object *failure);
struct json_object *port_json(const struct port *port);

/* ---- process.c ---- */
struct process *process_new(void);
/* P has a process and a control socket: watch both. */
int process_watch(struct process *p);
void process_release(struct process *p);
/* Send a message; BODY is released. */
int process_send(struct process *p, struct json_object *body, const int *fds, unsigned int nr_fds);
/* Kill it; HUNG (may be NULL) says why. */
void process_kill(struct process *p, const char *hung);
/* It hangs, as WHY says: have it and /proc say where, for the record, and kill it, all within a second. */
void process_kill_hung(struct process *p, const char *why);
/* Whether a signal or a debugger has stopped it. */
bool process_is_stopped(const struct process *p);
/* Take what is in its log. */
void process_read_log(struct process *p);
/* Look whether every vCPU that is up has counted since the last look. Kills P when one has not for CHECKS looks in a row, HANG_MS in all. */
void process_check_beats(struct process *p, unsigned int checks, unsigned int hang_ms);

/* ---- spawn.c ---- */
/* Start a process and have it prepare itself; AHEAD: of what is most likely that port, or NULL. NULL with ERR. */
struct process *spawn_process(const struct udf_port_settings *settings, const struct port *ahead, struct udf_error *err);
/* One for PORT: the one that stands by, if it fits, or a new one; told to start. */
struct process *spawn_for(struct port *port, struct udf_error *err);
/* Have one stand by, for a port like that. */
void spawn_standby(const struct port *port);
/* Take over the driver processes that an earlier udfd has left. */
void spawn_adopt_all(void);
/* "hello": P, which is being adopted, introduces itself. */
void spawn_hello(struct process *p, struct udf_packet *m);
/* Remove PORT's rendezvous, and where applications connect to it. */
void spawn_forget(struct port *port);

/* ---- log.c ---- */
void port_log_add(struct port *port, int level, int64_t ms, const char *text);
/* A message of udfd about PORT (NULL: about itself): to its log, and to ours. */
void port_note(struct port *port, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* To the journal or to stderr. */
void log_write(const struct port *port, int level, const char *text);
struct json_object *log_line_json(const struct log_line *line);
void port_log_free(struct port_log *log);

/* ---- failure.c ---- */
/* What P died of, as a record; SI is waitid()'s, si_pid 0: it was not ours to wait for. NULL: it stopped as it should. */
struct json_object *failure_of(struct port *port, struct process *p, const siginfo_t *si);
/* Keep RECORD, which is taken over. */
void failure_keep(struct port *port, struct json_object *record);

/* ---- evidence.c ---- */
/* What each thread of P is at, as the machine's kernel sees it, to the port's log. */
void evidence_note(struct process *p);

/* ---- files.c ---- */
/* The value of PORT's setting KEY, NULL: it has none. */
const char *port_option(const struct port *port, const char *key);
/* P's driver asks for the file PATH, as number ID. */
void files_answer(struct process *p, int64_t id, const char *path);
/* ... or what has to be loaded for WHAT, a module's name or a modalias. */
void files_plan(struct process *p, int64_t id, const char *what);

/* ---- server.c ---- */
int server_start(struct udf_error *err);
void server_stop(void);
/* Queue a message for C; BODY is released. */
void client_send(struct client *c, struct json_object *body);
void client_end(struct client *c);
void client_error(struct client *c, int error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* What C waits for. */
enum client_wait { WAIT_NOTHING, WAIT_RUNNING, WAIT_STOPPED };
void client_wait(struct client *c, enum client_wait wait, struct port *port);
/* C hears PORT's log from now on. */
void client_follow(struct client *c, struct port *port);
/* PORT has another state. */
void clients_port_changed(struct port *port);
void clients_log_line(const struct port *port, const struct log_line *line);
/* PORT goes away. */
void clients_port_gone(const struct port *port);
bool client_may_change(const struct client *c);
bool client_may_attach(const struct client *c);

/* ---- requests.c ---- */
void request_handle(struct client *c, struct udf_packet *m);

/* Milliseconds of monotonic time. */
int64_t now_ms(void);
/* printf into memory of its own; NULL: no memory. */
char *text_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
