/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libudf: drive a port with the stock Linux driver for it, and use its disks; or use those of a driver in another process.
 *
 *	udf_options_set(o, "device", "qemu:nvme,serial=a");	what to drive, and how
 *	udf_open(o, &udf);					starts the driver
 *	udf_wait_disks(udf, 1, 10000);
 *	udf_disk_open(udf, NULL, &disk);
 *	udf_queue_open(udf, -1, 0, 0, &queue);
 *	udf_read(queue, disk, buf, 4096, 0, done, arg);		any number, from any thread
 *	udf_poll(queue, 16, -1);				runs done(arg, result)
 *	udf_close(udf);
 *
 * All functions that return int return 0 or a count, or a negative errno. Sizes, offsets and lengths are bytes. A function may be
 * called from any thread unless it says otherwise; it never blocks unless it says so.
 *
 * In this process (option "device"): one port at a time in a process, since kernel code has fixed addresses. When the port is lost (its
 * device is gone, or the kernel code in this process has come to an end) every outstanding request fails with -ENODEV, and so
 * does everything else from then on; nothing hangs.
 *
 * Attached (option "port"): the driver runs in another process, which serves this one (serve.h, udf run --serve). Any number of
 * ports; the driver can do no harm here. Everything is as above, with these differences:
 *
 * - The driver process ends, however it does: outstanding requests stay, new ones are taken, and all are issued to its successor, which
 *   libudf connects to as soon as it is there. "on-loss" and "loss-timeout" limit that: then the port is lost, as above. A disk
 *   of the successor's takes the place of an open one only if it is the same (serial number and WWID, or name and model where there are
 *   none; size, format); as long as there is none, requests wait for it, and the log says why.
 * - A request may so be performed twice. No order was promised among requests that are outstanding together, and what has completed is
 *   never performed again, so that this is not noticed. What was written and completed but not flushed when the driver
 *   ended is in the device or its cache, which a reset of the device does not empty; a flush that was outstanding is issued again and covers
 *   it. As with a kernel's driver, only a loss of power loses it.
 * - udf_open() waits until the writes (discards, zeroes) of applications that have ended before, even by SIGKILL, are no longer in flight: none
 *   of them comes later than this one's. What an application that is still attached has in flight is between the two.
 * - Nothing fails or is completed before the old driver and its device no longer reach this process's memory.
 * - Functions that need a driver for their own sake (opening disks and queues) block until there is one again.
 * - udf_reset(), udf_load(), udf_unload() and udf_modules() return -EOPNOTSUPP.
 */
#ifndef UDF_UDF_H
#define UDF_UDF_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct udf;		/* a running driver with its port */
struct udf_options;
struct udf_disk;	/* a disk that is open */
struct udf_queue;	/* a way to its vCPU: requests there, completions back */

/* ---- options ---- */

struct udf_options *udf_options_new(void);	/* NULL: no memory */
void udf_options_free(struct udf_options *o);

/*
 * Set one option; VALUE is text and is copied. Returns 0, -EINVAL (udf_options_error() says why) or -ENOMEM.
 *
 *	device		the port: "pci:ADDRESS" (udf_port(4)), or "qemu:MODEL,KEY=VALUE,..."; without it no port is opened
 *	port		attach: the path (with a '/') of the socket at which the driver process serves, or the name of a port of udfd's, the
 *			port manager, whose socket is in the folder attach/ beside $UDF_SOCKET or in /run/udf. Of the rest only memory (for
 *			buffers; default and most: 2 GiB, which cost what is used of them) and close-timeout apply
 *	on-loss		attached: "wait" (default) for a successor of the driver process, or "fail"
 *	loss-timeout	attached: seconds to wait for a successor and its disks at most, from the loss on; default 0: for ever
 *	backend		for QEMU, repeatable: one further argument; a value that begins with '-' is divided at its blanks
 *	drive		for QEMU, short for a back end: "FILE" or "FILE,format=FORMAT". The first drive is named udf-drive0, and is the
 *			device's if neither that nor another back end says drive=
 *	size		for QEMU, short for a back end: a disk of so many bytes (K, M, G, T) that holds nothing and reads as zeroes
 *	function	which function of a multi-port card, from 0
 *	cpus		vCPUs, 1 to 8; default 1
 *	memory		MiB of the driver's memory; default: the transport's
 *	module		the driver: a module's name or a file; default: found by the device's modalias, "none" loads nothing
 *	param		repeatable: a parameter of the module, "NAME=VALUE", or of one that it depends on, "MODULE.NAME=VALUE"
 *	release		kernel release; default: the newest that is found
 *	firmware	a folder that is searched for firmware files before /lib/firmware
 *	image		kernel image (vmlinuz) to use instead
 *	modules		directory of modules.dep; default: the release's own
 *	kapi, cache	UDF's kernel-world object, and where prepared images are kept; default: as udf-image(1) says
 *	trace		print what the driver asks for and what comes of it: "api,dma,mmio,pci,irq,sched" or some of them, or "all", with
 *			"=FILE" behind it to write there instead of to stderr
 *	trace-only	functions whose calls api and dma show: patterns as "pci_*,request_*" or "!*lock*"
 *	trace-format	"text" or "json"
 *	perf-map	"on": name the kernel's and the modules' code for perf, in /tmp/perf-PID.map
 *	close-timeout	seconds that udf_close() waits for outstanding requests, default 30
 */
int udf_options_set(struct udf_options *o, const char *name, const char *value);

/* Receives the driver's log, a line at a time without newline; LEVEL is printk's, 0 to 7. From any thread, must not call libudf. */
void udf_options_log(struct udf_options *o, void (*log)(void *arg, int level, const char *text), void *arg);

/* Hears what udf_open() is doing, PERCENT of STEP done (over 100: unknown). From the thread that calls udf_open(). */
void udf_options_progress(struct udf_options *o, void (*progress)(void *arg, const char *step, unsigned int percent), void *arg);

/*
 * Have each vCPU count in BEATS[vCPU] (room for 8) every INTERVAL_MS, as long as its kernel code gets on: a word that stands still
 * means a vCPU that spins, is deadlocked, or whose process is stopped. And lose the port when a kernel task sleeps uninterruptibly for
 * HUNG_TASK_S seconds (0: any time). BEATS, which may be shared memory, must stay until udf_close().
 */
void udf_options_heartbeat(struct udf_options *o, uint64_t *beats, unsigned int interval_ms, unsigned int hung_task_s);

/* What the last udf_options_set() or udf_open() with these options failed of: one line, "" when it did not. Valid until the next. */
const char *udf_options_error(const struct udf_options *o);

/* ---- the port ---- */

/*
 * Start the driver of the port that O describes. O may be freed afterwards. Blocks until the driver's module is loaded; its disks
 * may come later. -EBUSY: this process has a port open already.
 */
int udf_open(struct udf_options *o, struct udf **udf);

/*
 * End everything, in this order: no new requests; outstanding ones are completed, or fail with -ENODEV when close-timeout is over
 * (callbacks run in the calling thread); disks and queues are closed; the device is shut down; the driver's memory goes. Handles
 * of disks and queues, and buffers, are invalid afterwards. Blocks. No other thread may use the port. Returns 0, or what went
 * wrong; all is released in either case.
 */
int udf_close(struct udf *udf);

/* Why the port was lost, NULL while it is not. Valid until udf_close(). */
const char *udf_lost(struct udf *udf);

/* Reset the port's function as the kernel's PCI core does; the driver recovers or not. Blocks. -EOPNOTSUPP: attached. */
int udf_reset(struct udf *udf);

/*
 * Load a further module, a name or a file, with what it depends on and with parameters "NAME=VALUE NAME=VALUE" (or NULL); unload
 * one, by name. What goes wrong is logged. Block. A module of that name that is loaded already stays as it is, and that is no error.
 * -EBUSY: the module is in use, by an open disk for instance. -EOPNOTSUPP: attached.
 */
int udf_load(struct udf *udf, const char *module, const char *params);
int udf_unload(struct udf *udf, const char *module);

struct udf_module_info {
	char name[64];		/* as the kernel names it */
	char file[1024];	/* what was loaded */
};

/*
 * Describe up to MAX modules that are loaded, in the order of loading. Returns how many there are, which may be more than MAX;
 * -EOPNOTSUPP: attached.
 */
int udf_modules(struct udf *udf, struct udf_module_info *info, unsigned int max);

unsigned int udf_cpus(const struct udf *udf);

struct udf_stats {
	uint64_t start_ns;		/* from udf_open()'s start of the driver until it took commands */
	uint64_t privileged_calls;	/* what went through the transport: config space, trapped registers, interrupt masks */
	uint64_t interrupts;
	uint64_t idle_sleeps;		/* times that a vCPU went to sleep */
	uint64_t requests;		/* completed, of all queues */
	uint64_t bytes_read, bytes_written;
	uint64_t bounced;		/* requests whose data was copied */
	uint64_t kicks;			/* times that a vCPU had to be told of new requests */
	uint64_t traps;			/* register and port accesses that faulted; those of the data path soon do not any more */
	uint64_t memory, memory_max;	/* bytes that the driver has, and may have; 0 for one in another process */
	uint64_t reserved[4];
};
void udf_stats(struct udf *udf, struct udf_stats *stats);

/* ---- disks ---- */

enum udf_disk_flags {
	UDF_DISK_READ_ONLY = 1,
	UDF_DISK_WRITE_CACHE = 2,	/* volatile: only udf_flush() or UDF_FUA makes writes last */
	UDF_DISK_FUA = 4,		/* in the device; without, UDF_FUA flushes after the write */
	UDF_DISK_ROTATIONAL = 8,
	UDF_DISK_ZONED = 16,
	UDF_DISK_REMOVABLE = 32,
};

/* What the driver's request queue says of a disk. Texts end with a 0, and are empty when the driver does not tell. */
struct udf_disk_info {
	char name[32];			/* as the kernel names it */
	char serial[64], model[64], wwid[160];
	uint64_t size;
	uint32_t flags;			/* enum udf_disk_flags */
	uint32_t logical_block;		/* offsets and lengths of requests are multiples of it */
	uint32_t physical_block;
	uint32_t io_min, io_opt;	/* preferred sizes, 0: none */
	uint32_t max_bytes;		/* longer requests are divided on their way to the driver */
	uint32_t max_segments;
	uint32_t buffer_align;		/* of arena buffers, a power of two; others are copied anyway */
	uint64_t max_discard;		/* 0: no discard; longer ones are divided */
	uint32_t discard_granularity, discard_alignment;
	uint64_t max_write_zeroes;	/* 0: zeroes are written as data */
	uint64_t reserved[8];
};

/* Describe up to MAX disks that there are now. Returns how many there are, which may be more than MAX. */
int udf_disks(struct udf *udf, struct udf_disk_info *info, unsigned int max);

/*
 * Wait until there are at least COUNT disks, for at most TIMEOUT_MS (-1: for ever). Disks come one by one as the driver finds them.
 * Blocks. Returns how many there are, -ETIMEDOUT when they stay fewer, -ENODEV when the port is lost.
 */
int udf_wait_disks(struct udf *udf, unsigned int count, int timeout_ms);

/*
 * Wait until the disks may differ from what they were at *SEEN (0 at first), and set it. Blocks. Returns 0, -ETIMEDOUT or -ENODEV.
 */
int udf_wait_change(struct udf *udf, unsigned int *seen, int timeout_ms);
/* Make udf_wait_change() return 0 in all threads that wait in it. May be called in a signal handler. */
void udf_wake(struct udf *udf);

/* Open the disk NAME; NULL: the only one, -ENOTUNIQ if there are several. -ENOENT: no such disk. Blocks. */
int udf_disk_open(struct udf *udf, const char *name, struct udf_disk **disk);
/* No request on it may be outstanding. Blocks. */
void udf_disk_close(struct udf_disk *disk);

/* The disk as it is now: its size may change. -ENODEV when it is gone. */
int udf_disk_info(struct udf_disk *disk, struct udf_disk_info *info);

/* ---- memory ---- */

#define UDF_BUF_MAX	(4u << 20)	/* longest buffer, and longest read or write at once */

/*
 * Memory that the device reaches: requests with it are not copied. SIZE is 1 to UDF_BUF_MAX, rounded up to a power of two of at
 * least 4096, and the buffer is aligned to that; the contents are undefined. Valid until udf_buf_free() or udf_close(). May block
 * (for the driver, when it must give more memory). NULL: none left.
 */
void *udf_buf_alloc(struct udf *udf, size_t size);
void udf_buf_free(struct udf *udf, void *buf);

/* ---- queues ---- */

/*
 * The threads that poll run the driver themselves while they wait, in udf_poll() and the functions that wait, instead of waking its
 * vCPU's thread for each step: the fastest, where one thread submits and polls all the time. Attached they look for completions longer
 * before they sleep. Not with UDF_QUEUE_THREAD.
 */
#define UDF_QUEUE_POLLED 2u
#define UDF_QUEUE_THREAD 1u	/* a thread of libudf runs the callbacks as completions come; udf_poll() is not needed */

/*
 * Open a queue to vCPU VCPU (-1: the next in turn) for up to DEPTH requests at a time (rounded up to a power of two of at most 4096;
 * 0: 256). Several threads may use one queue; with a queue for each they never wait for each other. Blocks.
 */
int udf_queue_open(struct udf *udf, int vcpu, unsigned int depth, unsigned int flags, struct udf_queue **queue);
/* Waits for outstanding requests, as udf_close() does. Blocks. No other thread may use the queue. */
void udf_queue_close(struct udf_queue *queue);

/* Requests submitted and not yet completed. */
unsigned int udf_queue_in_flight(struct udf_queue *queue);

/*
 * Run the callbacks of up to MAX completed requests, in the calling thread; if there are none, wait for the first for at most
 * TIMEOUT_MS (-1: for ever, 0: do not wait). It returns at once when nothing is outstanding. Returns how many ran; -ENODEV when the
 * port is lost and none is left. May be called by several threads at a time, and from a callback with TIMEOUT_MS 0.
 */
int udf_poll(struct udf_queue *queue, unsigned int max, int timeout_ms);

/* udf_poll() until nothing is outstanding. Returns 0, -ETIMEDOUT, or -ENODEV. Blocks. */
int udf_wait(struct udf_queue *queue, int timeout_ms);

/* ---- requests ---- */

/* A request is completed: RESULT is 0 or a negative errno. May submit further requests; must not block. */
typedef void udf_done(void *arg, int result);

#define UDF_FUA		1u	/* on stable media before completion */
#define UDF_NO_UNMAP	2u	/* udf_write_zeroes(): keep the blocks allocated */
#define UDF_FAST_ONLY	4u	/* udf_write_zeroes(): -EOPNOTSUPP rather than writing zeroes as data */

/*
 * Submit a request. Returns 0, and then DONE (may be NULL) runs exactly once; or an error at once, and then it does not run:
 *	-EINVAL	not whole blocks of the disk, longer than UDF_BUF_MAX, or unknown flags
 *	-EIO	a read beyond the end		-ENOSPC	a write, discard or write-zeroes beyond the end
 *	-EROFS	the disk cannot be written	-ENODEV	the disk is gone or the port is lost
 *	-EAGAIN	DEPTH requests are outstanding	-ENOMEM	no memory to copy through	-ESHUTDOWN	being closed
 * Errors of the device come with completion: -EIO, -ENOSPC, -ETIMEDOUT, -EOPNOTSUPP, ... as the driver reports them.
 *
 * A buffer belongs to the request until it completes. Memory from udf_buf_alloc(), aligned to buffer_align and in
 * pieces of whole blocks, is used in place; other memory is copied through such memory. Requests on a queue may be performed in any
 * order. With UDF_QUEUE_THREAD or several pollers DONE may run before the function returns.
 */
int udf_read(struct udf_queue *queue, struct udf_disk *disk, void *buf, size_t len, uint64_t offset, udf_done *done, void *arg);
int udf_write(struct udf_queue *queue, struct udf_disk *disk, const void *buf, size_t len, uint64_t offset, unsigned int flags,
	      udf_done *done, void *arg);
/* With 1 to 256 pieces of memory, in place if all of them can be. IOV need not outlive the call. */
int udf_readv(struct udf_queue *queue, struct udf_disk *disk, const struct iovec *iov, int n, uint64_t offset, udf_done *done,
	      void *arg);
int udf_writev(struct udf_queue *queue, struct udf_disk *disk, const struct iovec *iov, int n, uint64_t offset, unsigned int flags,
	       udf_done *done, void *arg);
/* What was completed before is on stable media when this completes. */
int udf_flush(struct udf_queue *queue, struct udf_disk *disk, udf_done *done, void *arg);
/* The contents of LEN bytes are not needed any more; advice. LEN is not limited. */
int udf_discard(struct udf_queue *queue, struct udf_disk *disk, uint64_t offset, uint64_t len, udf_done *done, void *arg);
/* LEN bytes read as zeroes afterwards. LEN is not limited. FLAGS: all of the above. */
int udf_write_zeroes(struct udf_queue *queue, struct udf_disk *disk, uint64_t offset, uint64_t len, unsigned int flags, udf_done *done,
		     void *arg);

/*
 * The same, waiting: of any length, divided as needed. QUEUE NULL: a queue of libudf's own. Threads that wait on one queue help each
 * other; callbacks of others may run in the calling thread. Return 0 or the first error. Block.
 */
int udf_pread(struct udf_queue *queue, struct udf_disk *disk, void *buf, size_t len, uint64_t offset);
int udf_pwrite(struct udf_queue *queue, struct udf_disk *disk, const void *buf, size_t len, uint64_t offset, unsigned int flags);
int udf_pflush(struct udf_queue *queue, struct udf_disk *disk);
int udf_pdiscard(struct udf_queue *queue, struct udf_disk *disk, uint64_t offset, uint64_t len);
int udf_pwrite_zeroes(struct udf_queue *queue, struct udf_disk *disk, uint64_t offset, uint64_t len, unsigned int flags);

#ifdef __cplusplus
}
#endif
#endif
