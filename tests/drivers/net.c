// SPDX-License-Identifier: GPL-2.0
/*
 * Does a network adapter pass frames: the other end of QEMU's dgram netdev. Host world.
 *
 * Inside, udf_netcheck.ko brings the interface up, sends one frame after the other and waits for each to come back with its
 * payload inverted. Its init function fails if one does not.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "drive.h"

#define ETHERTYPE 0x88b5	/* for local experiments; netcheck.c has it, too */
#define HEADER 14
#define SIGN 12			/* bytes at the payload's start that stay: mark, sequence number, length */

struct peer {
	struct drive *drive;
	int fd;
	int stop[2];
	struct sockaddr_un to;
	pthread_t thread;
	atomic_uint frames;
};

static int bind_to(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Send FRAME back to where it came from, if it is one of ours. */
static void answer(struct peer *p, unsigned char *frame, size_t n)
{
	unsigned char from[6];
	size_t i;

	if (n < HEADER + SIGN || frame[12] != ETHERTYPE >> 8 || frame[13] != (ETHERTYPE & 0xff))
		return;
	memcpy(from, frame + 6, 6);
	memcpy(frame + 6, "\x52\x54\x00\x00\x00\x01", 6);
	memcpy(frame, from, 6);
	for (i = HEADER + SIGN; i < n; i++)
		frame[i] ^= 0xff;
	if (sendto(p->fd, frame, n, 0, (struct sockaddr *)&p->to, sizeof(p->to)) == (ssize_t)n)
		atomic_fetch_add(&p->frames, 1);
}

static void *run(void *arg)
{
	struct peer *p = arg;
	struct pollfd fds[] = { { .fd = p->fd, .events = POLLIN }, { .fd = p->stop[0], .events = POLLIN } };
	unsigned char frame[16384];

	while (poll(fds, 2, -1) >= 0 && !fds[1].revents) {
		ssize_t n = recv(p->fd, frame, sizeof(frame), MSG_DONTWAIT);

		if (n > 0)
			answer(p, frame, (size_t)n);
	}
	return NULL;
}

static bool start(struct peer *p, struct drive *d)
{
	p->drive = d;
	p->to.sun_family = AF_UNIX;
	snprintf(p->to.sun_path, sizeof(p->to.sun_path), "%s", d->near);
	p->fd = bind_to(d->far);
	return p->fd >= 0 && !pipe(p->stop) && !pthread_create(&p->thread, NULL, run, p);
}

static void stop(struct peer *p)
{
	close(p->stop[1]);
	pthread_join(p->thread, NULL);
	close(p->stop[0]);
	close(p->fd);
	unlink(p->drive->far);
}

bool net_works(struct drive *d)
{
	struct peer p = { 0 };
	int err;

	if (!d->netcheck || !d->near || !d->far || !start(&p, d))
		return drive_fail(d, "the test has no other end: %s", strerror(errno));
	if (!events_wait(d->udf, "add,SUBSYSTEM=net", WAIT_S)) {
		stop(&p);
		return drive_fail(d, "no network interface after %u s", WAIT_S);
	}
	err = udf_load(d->udf, d->netcheck, NULL);
	if (!err)
		err = udf_unload(d->udf, "udf_netcheck");
	stop(&p);
	return !err || drive_fail(d, "%u frames were answered, then: %s", atomic_load(&p.frames), events_complaint());
}
