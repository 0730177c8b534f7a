/* SPDX-License-Identifier: GPL-2.0 */
/*
 * udf-driver: the driver process of one port, run by udfd. Host world.
 *
 *   main.c    start, the loop over control socket and rendezvous      port.c    the thread that drives libudf
 *   control.c messages to and from udfd                               files.c   modules and firmware, asked of udfd
 *   walls.c   what it locks itself up with                            filter.c  system calls that it may still make
 *
 *   udfd --- control socket (SOCK_SEQPACKET, inherited) ---> "prepare", "start", "stop", "show", "client", "file", "plan"
 *        <-------------------------------------------------- "hello", "ready", "state", "failed", "lost", "stopped", "shown", "child",
 *                                                           "file", "plan", "log"
 *        --- rendezvous: a listening socket that the driver process inherits; the next udfd connects to it, hears "hello" and goes on
 *   struct udf_shared: log, signs of life, counters
 *
 * Two threads of our own: the main one never waits for the driver; the other opens, watches and closes it.
 */
#ifndef UDF_DRIVER_H
#define UDF_DRIVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/packet.h"
#include "base/shared.h"
#include "common/error.h"
#include "udf/udf.h"

/* Exit statuses; udfd decodes them. */
enum {
	UDF_EXIT_STOPPED = 0,
	UDF_EXIT_USAGE = 2,
	UDF_EXIT_LOST = 70,	/* "lost" said why */
	UDF_EXIT_FAILED = 71,	/* it did not start: "failed" said why */
	UDF_EXIT_HUNG = 72,	/* it was to stop, and kernel code did not end */
	UDF_EXIT_ABORTED = 73,	/* abort() */
};

struct driver {
	int control;			/* to udfd; -1: there is none */
	pthread_mutex_t send_lock;	/* CONTROL, and what is sent to it */
	int listener;			/* the rendezvous */
	int clients;			/* where applications connect; -1: nowhere */
	int wake;			/* eventfd: ends the main thread's poll */
	int shared_fd;
	struct udf_shared *shared;
	uid_t owner;			/* whom udfd runs as */
	bool prepared;			/* the driver's thread runs */

	int device;			/* the port's device file, if udfd has opened it; it becomes libudf's */

	/* what udfd asked for */
	struct json_object *start;	/* the "start" message; NULL while standing by */
	bool walls;
	bool block, block_fail;		/* make kernel block devices; they fail requests when this process is gone, instead of keeping them */
	int64_t block_wait_ms;		/* ... for so long; 0: for ever */
	pthread_mutex_t lock;
	pthread_cond_t started;		/* START is there, or STOPPING */
	atomic_bool stopping;

	struct udf_options *options;
	_Atomic(struct udf *) udf;
	pthread_t thread;
	struct json_object *state;	/* the last "state", under SEND_LOCK; for the next udfd */
	int child;			/* pidfd of the transport's process, or -1 */
};

extern struct driver driver;

/* port.c */
/* Begin: map the image, and wait for driver.start. M is the "prepare" message. Returns 0 or a negative errno. */
int driver_prepare(struct udf_packet *m);
/* A client's connection, which is taken over. */
void driver_client(int fd);
/* A client connects. */
void driver_client_accept(void);
/* Bring driver.shared's counters up to date. */
void driver_count(void);

/* control.c */
/* Take the message that is there, or notice that udfd has gone. */
void driver_control_receive(void);
/* Another udfd is at the rendezvous. */
void driver_control_accept(void);
/* Send to udfd, if there is one. BODY is released. Any thread. */
void driver_send(struct json_object *body, const int *fds, unsigned int nr_fds);
/* { "is": WHAT, KEY: TEXT } */
void driver_say(const char *what, const char *key, const char *text);
/* Log a line of the driver, or one of ours. Any thread. */
void driver_log(void *arg, int level, const char *text);
void driver_note(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Keep STATE as what is told to the next udfd, and tell this one. STATE is taken over. */
void driver_set_state(struct json_object *state);
/* The transport's process is to be known to udfd. */
void driver_set_child(int pidfd);

/* files.c */
/* From now on files are asked of udfd. */
void driver_files_begin(void);
/* udfd has answered. */
void driver_files_answer(struct udf_packet *m);
/* There is a new udfd: ask again for what is outstanding. */
void driver_files_again(void);

/* walls.c */
/* While there is one thread: namespaces of our own; and what else can be had ready. Returns 0 or a negative errno. */
int driver_walls_prepare(void);
/* Go behind the walls: all threads, for good. UID 0: no other user. What cannot be had is noted. Returns 0 or a negative errno. */
int driver_walls_raise(uid_t uid, struct udf_error *err);
/* Which walls stand, as the kernel says. */
struct json_object *driver_walls_json(void);

/* filter.c */
/* Allow no system call but those that a driver process needs, in all threads. Returns 0 or a negative errno. */
int driver_filter_load(void);
/* Compile what that loads, in the process that it is for. Returns 0 or a negative errno. */
int driver_filter_prepare(void);

#endif
