/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The block front end between the worlds: what disks there are, who may use them, and commands. Contract, both worlds.
 *
 * Requests and completions do not pass here: they travel over rings (udf/ring.h). This header is their set-up:
 *
 *   host world                                         kernel world
 *   udf_driver_control(HOST_CMD_FRONT, command)  --->  kapi_front_command()   rings, memory, opening of disks
 *   struct host_front_table                      <---  written as disks come, change and go; host_front_changed()
 *   ring, then udf_driver_kick()                 --->  kapi_front_pend()
 *   ring                                         <---  completion, then host_front_notify()
 *
 * Memory of requests. An application in this process has chunks of the arena (HOST_FRONT_ALLOC). Who is outside has memory of its own,
 * which the transport has made reachable for the device: foreign memory. The kernel world gets its device address, and takes
 * UDF_FOREIGN_BASE + device address for its physical address, so that mapping it for DMA is arithmetic as for the arena. A CPU that
 * touches it (most never do) takes a fault, and the host world maps it then.
 *
 * A domain is one such owner: its memory, by regions, and its rings. A request in a domain's ring names memory by region and offset
 * (UDF_RING_REGION_SHIFT) and so can reach nothing else, wherever the regions lie, in this driver process or its successor.
 */
#ifndef UDF_HOST_FRONT_H
#define UDF_HOST_FRONT_H

#define HOST_FRONT_DISKS	256		/* disks of one driver process at a time */
#define HOST_FRONT_QUEUES	64		/* rings bound to one vCPU at a time */
#define HOST_FRONT_CHUNK_ORDER	10		/* largest chunk that HOST_FRONT_ALLOC gives: 4 KiB << 10 */
#define HOST_FRONT_GRANULE	(1ul << 20)	/* chunks are at least so large, and aligned to their size */

#define HOST_FRONT_DOMAINS	256		/* owners of foreign memory; 0 stands for the application in this process */
#define HOST_FRONT_REGIONS	64		/* of each */

enum host_front_flag {
	HOST_DISK_READ_ONLY	= 1u << 0,
	HOST_DISK_WRITE_CACHE	= 1u << 1,	/* volatile: flush means something */
	HOST_DISK_FUA		= 1u << 2,	/* the device does it; without, the block layer flushes after the write */
	HOST_DISK_ROTATIONAL	= 1u << 3,
	HOST_DISK_ZONED		= 1u << 4,
	HOST_DISK_REMOVABLE	= 1u << 5,
};

/* One disk. Sizes in bytes; strings end with a 0, empty when the driver does not tell. */
struct host_front_disk {
	unsigned int id;			/* 0: free slot. Slot number + HOST_FRONT_DISKS * generation, never used twice */
	unsigned int flags;			/* enum host_front_flag */
	char name[32];				/* as the kernel names it: the gendisk's name */
	char serial[64], model[64], wwid[160];
	unsigned long size;
	unsigned int logical_block, physical_block;
	unsigned int io_min, io_opt;
	unsigned int max_bytes;			/* largest request that reaches the driver in one piece */
	unsigned int max_segments;
	unsigned int max_segment_size;
	unsigned int dma_alignment;		/* mask: a buffer's address and length must have these bits clear */
	unsigned long max_discard;		/* 0: no discard */
	unsigned int discard_granularity, discard_alignment;
	unsigned long max_write_zeroes;		/* 0: the block layer writes pages of zeroes instead */
	unsigned long virt_boundary;		/* mask: where two segments meet, addresses have these bits clear; 0: no such rule */
	unsigned long zone_size;		/* 0: not zoned, or zones need not be heeded; and so are the others */
	unsigned int zone_max_append;
	unsigned int zone_max_open, zone_max_active;	/* zones; 0: no limit */
	unsigned int zone_write_granularity;
};

/* Written by the kernel world only. SEQ is odd while it writes; a reader copies what it needs and reads SEQ again. */
struct host_front_table {
	unsigned int seq;
	unsigned int pad[15];
	struct host_front_disk disk[HOST_FRONT_DISKS];
};

enum host_front_op {
	HOST_FRONT_ATTACH = 1,	/* take requests from RING (RING_SIZE bytes) on vCPU CPU; sets QUEUE. COOKIE goes to host_front_notify() */
	HOST_FRONT_DETACH,	/* QUEUE: stop taking requests, wait until those in flight are completed, forget the ring */
	HOST_FRONT_DRAIN,	/* the rest of a HOST_FRONT_DETACH with HOST_FRONT_WRITES, which has set ADDR */
	HOST_FRONT_OPEN,	/* open DISK (an id), as open(2) of the block device does; counts */
	HOST_FRONT_CLOSE,	/* undo one open */
	HOST_FRONT_ALLOC,	/* a chunk of arena memory of at most ORDER; sets ADDR and ORDER. Zeroed */
	HOST_FRONT_FREE,	/* give the chunk at ADDR back; no request uses it any more */
	HOST_FRONT_MEM_ADD,	/* REGION of DOMAIN is MEM_SIZE bytes at device address ADDR. -ERANGE: beyond what the device reaches */
	HOST_FRONT_MEM_REMOVE,	/* forget REGION of DOMAIN; no request uses it any more */
	HOST_FRONT_MASK,	/* sets ADDR to the DMA mask that the port's driver has set; 0: no port */
};

/*
 * HOST_FRONT_ATTACH: the ring's owner runs the vCPU itself while it waits. Reads and writes whose driver has queues for that are polled
 * for then, and cause no interrupt.
 */
#define HOST_FRONT_POLLED 1u

/*
 * HOST_FRONT_ATTACH: telling the ring's owner of completions is dear. host_front_notify() only notes it; host_front_ring() follows, for all that
 * came in one run of interrupts, or of the thread that takes requests.
 */
#define HOST_FRONT_GATHERED 4u

/* HOST_FRONT_DETACH: wait only for requests that change what is on a disk, and set ADDR; HOST_FRONT_DRAIN does the rest. */
#define HOST_FRONT_WRITES 8u

/*
 * HOST_FRONT_MEM_ADD: the owner sees to it that the device reaches what its requests name, as a kernel does that maps the pages of each
 * request for the device. Then one region may be all of UDF_FOREIGN_SIZE from address 0 on: offsets in it are device addresses.
 */
#define HOST_FRONT_ANY 2u

/* The data of HOST_CMD_FRONT; the command's result is 0 or a negative errno. */
struct host_front_command {
	enum host_front_op op;
	unsigned int cpu;
	void *ring;
	unsigned long ring_size;
	unsigned long cookie;
	unsigned long queue;
	unsigned int disk;
	unsigned int order;		/* HOST_FRONT_ALLOC: 4 KiB << order, 8 ... HOST_FRONT_CHUNK_ORDER */
	unsigned long addr;
	unsigned int flags;		/* HOST_FRONT_ATTACH: HOST_FRONT_POLLED, _GATHERED; _DETACH: _WRITES; _MEM_ADD: _ANY */
	unsigned int domain;		/* HOST_FRONT_ATTACH, too: whose ring it is */
	unsigned int region;
	unsigned long mem_size;		/* whole pages */
	/*
	 * HOST_FRONT_ATTACH: memory of this process where requests have their lists of segments, which they name by offset; NULL: in the
	 * memory of the ring's owner, as data. Stays until the ring is detached.
	 */
	const void *lists;
	unsigned long lists_size;
};

/* The table that the kernel world writes; lives as long as the process. Called once, at start. */
struct host_front_table *host_front_table(void);

/* The table has changed. Never blocks. */
void host_front_changed(void);

/* The ring attached with COOKIE has completions that its owner waits for. Any context. Never blocks. */
void host_front_notify(unsigned long cookie);

/* Tell owners what host_front_notify() has noted. Any context; does not wait for anything that takes long. */
void host_front_ring(void);

/*
 * The calling kernel thread has done for the application what there is to do now. If a thread of the application drives the calling vCPU,
 * and has completions to see or has waited for long, it goes to see them: the kernel thread stays suspended here until the vCPU is run
 * again. Otherwise posted writes are sent, and with HOST_TURN_WAIT the vCPU looks out for interrupts for as long as its driver has
 * patience. HOST_TURN_SEND: posted writes are sent in any case, since the device has nothing else to do.
 * Returns 1 when the application drives the vCPU now: call again soon; 0 when it does not: the thread may sleep. Called with
 * interrupts on and no lock held; a ring that is to be served meanwhile must have asked for a wake-up.
 */
#define HOST_TURN_WAIT 1
#define HOST_TURN_SEND 2
int host_front_turn(int how);

#endif
