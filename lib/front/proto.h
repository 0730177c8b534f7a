/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an application in another process and the driver process say to each other. Host world.
 *
 *   application                                     driver process
 *     HELLO (lease)                     --->          REPLY: versions, limits (the doorbell)
 *     MEM_ADD (memory file)             --->          the device reaches it: a region of the application's domain
 *     QUEUE_ADD (ring's file)           --->          requests are taken from that ring
 *     DISK_OPEN, DISK_CLOSE, QUEUE_REMOVE, STATS
 *                                       <---          DISK: a slot of the table of disks, at first and whenever it changes
 *                                       <---          LOST: the driver has come to an end; why
 *   ring: requests, completions        <--->
 *   doorbell: an eventfd                --->          a ring has entries, and its vCPU sleeps
 *   futex: cq_wake in the ring         <---           a ring has completions, and somebody waits for them
 *
 * A message is one packet of a SOCK_SEQPACKET socket: struct udf_msg as long as its type says, with a descriptor where noted. The
 * driver process believes nothing of it. The application's memory files can grow but not shrink (F_SEAL_SHRINK), so that nobody who maps
 * them runs into a hole.
 *
 * The lease is a descriptor that is kept open for as long as the device may reach the application's memory, by the driver
 * process and, if that is another one, by the process of the device. When the last copy is closed the application knows that nobody
 * writes to its memory any more, whatever has happened to the driver: requests can be issued to its successor, or fail.
 */
#ifndef UDF_FRONT_PROTO_H
#define UDF_FRONT_PROTO_H

#include <stddef.h>
#include <stdint.h>

#include "front.h"

#define UDF_PROTO_MAGIC		0x48435441464455ull	/* "UDFATCH" */
#define UDF_PROTO_VERSION	3u
#define UDF_PROTO_QUEUES	64u			/* of one application */
#define UDF_PROTO_REGIONS	HOST_FRONT_REGIONS
#define UDF_PROTO_REGION_MAX	(1ull << 30)		/* bytes of one */
#define UDF_PROTO_FDS		1u			/* with one message */

enum udf_msg_type {
	UDF_MSG_HELLO = 1,	/* with the lease */
	UDF_MSG_MEM_ADD,	/* with the memory file */
	UDF_MSG_QUEUE_ADD,	/* with the file that the ring is at the beginning of */
	UDF_MSG_QUEUE_REMOVE,	/* answered when nothing of the ring is in flight any more */
	UDF_MSG_DISK_OPEN,
	UDF_MSG_DISK_CLOSE,
	UDF_MSG_STATS,

	UDF_MSG_REPLY = 0x100,	/* to HELLO with the doorbell, unless it fails */
	UDF_MSG_DISK,
	UDF_MSG_LOST,
};

struct udf_msg {
	uint32_t type;		/* enum udf_msg_type */
	uint32_t id;		/* of a request, and of its reply */
	union {
		struct {
			uint64_t magic;
			uint32_t version, reserved;
		} hello;
		struct {
			uint32_t region, reserved;
			uint64_t len;		/* bytes, a multiple of the reply's mem_granule */
		} mem;
		struct {
			uint32_t queue;		/* any that is not in use, below UDF_PROTO_QUEUES */
			uint32_t cpu;
			uint64_t len;		/* bytes of the ring's file that are to be mapped */
		} queue;
		struct {
			uint32_t disk;		/* id */
			uint32_t reserved;
		} disk;
		struct {
			int32_t result;		/* 0 or a negative errno; what follows is zero then, but for the version */
			uint32_t version;
			uint32_t cpus, reserved;
			uint64_t mem_granule;
			uint64_t privileged_calls, traps, interrupts, idle_sleeps, start_ns;	/* STATS */
		} reply;
		struct {
			uint32_t slot, reserved;
			struct host_front_disk disk;	/* id 0: there is none any more */
		} news;
		char lost[400];
	};
};

/* Bytes of a message of TYPE, 0: there is no such type. */
size_t udf_msg_size(uint32_t type);

/*
 * Send M, with descriptor FD (-1: none). FLAGS: MSG_DONTWAIT or 0. Returns 0, -EAGAIN when it would wait, or what the
 * connection failed with.
 */
int udf_msg_send(int sock, const struct udf_msg *m, int fd, int flags);

/*
 * Receive a message into M, which is zero behind its end, and its descriptor into *FD (-1: none), the caller's to close. Waits unless
 * FLAGS has MSG_DONTWAIT. Returns 0, -EAGAIN, -ECONNRESET when the other side is gone, -EPROTO when it is no message.
 */
int udf_msg_receive(int sock, struct udf_msg *m, int *fd, int flags);

/* A memory file of LEN bytes that can be given to the other side. Returns a descriptor or a negative errno. */
int udf_memory_file(const char *name, size_t len);
/* Whether FD, from the other side, is one with at least LEN bytes. 0 or a negative errno. */
int udf_memory_check(int fd, uint64_t len);

#endif
