/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Transports: how a driver process reaches its port. One operations table, one file for each transport.
 *
 *   kapi (PCI core, ioremap, IRQ chip)
 *      |  lib/host/linux/{pci,mmio,irq}.c
 *   virtual PCI function: vpci.h (BARs, MSI, MSI-X), insn.h (accesses that trap)
 *      |  struct udf_port_ops
 *   qemu.c (a QEMU process, over qtest)      kernel.c (the kernel module udf_port), later: vfio
 *
 * What a transport offers is the bare device: raw configuration space, BARs by number, vectors by number, DMA memory,
 * reset. Everything that a driver's kernel code expects of a bus (sizing BARs, writing MSI messages) is made from it above
 * the table, once for all transports.
 *
 * All functions return 0 or a negative errno unless said otherwise; -ENODEV from any of them means that the port is lost.
 * They may be called from several vCPU threads and from the SIGSEGV handler of a vCPU: no malloc, no lock that is held
 * across a signal; errors are plain codes.
 */
#ifndef UDF_PORT_PORT_H
#define UDF_PORT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define UDF_IRQ_IDLE UINT32_MAX	/* a word of irq_words() before its interrupt, and after it was taken */
#define UDF_PORT_BARS 6		/* BAR 0-5; the expansion ROM is not offered */

enum udf_irq_type { UDF_IRQ_INTX, UDF_IRQ_MSI, UDF_IRQ_MSIX };

struct udf_bar_info {
	uint64_t size;		/* bytes, a power of two; 0: no such BAR */
	uint64_t bus;		/* where it is on the device's own bus: some devices read their own memory. 0: anywhere */
	bool io, mem64, prefetch;
	bool mappable;		/* bar_map() works; otherwise accesses go through bar_read() and bar_write() */
};

struct udf_dma_range {
	uint64_t offset;	/* in the arena, bytes */
	uint64_t dev;		/* device address */
	uint64_t len;
};

struct udf_port;

/*
 * Block devices of the machine's kernel for the driver's disks. The structures are those of udf/port-abi.h, where all of this is told. Any
 * thread, also a vCPU's; bell() never waits, the others may.
 */
struct udf_port_block_start;
struct udf_port_block_disk;
struct udf_port_block_ops {
	/* Begin, at most once: fills in S, and *RINGS is where ring 0 is. -EOPNOTSUPP: the kernel module has no such thing. */
	int (*start)(struct udf_port *port, struct udf_port_block_start *s, void **rings);
	/* Map what memory of requests is at LEN bytes from device address DEV on, now and later, at the fixed address VA. */
	int (*map)(struct udf_port *port, uint64_t dev, uint64_t len, void *va);
	int (*eventfd)(struct udf_port *port, unsigned int queue, int fd);
	int (*disk)(struct udf_port *port, struct udf_port_block_disk *disk);
	int (*gone)(struct udf_port *port, unsigned int id);
	int (*bell)(struct udf_port *port, uint64_t queues);
};

/* What a transport tells its owner; called from the transport's own thread, never from a vCPU. They must not close the port. */
struct udf_port_events {
	/* Interrupt VECTOR of the enabled type arrived (edge). For INTx: vector 0, LEVEL says the line's new level. */
	void (*irq)(void *ctx, unsigned int vector, int level);
	/* The port is gone (QEMU died, device removed); WHY is one line. At most once. */
	void (*lost)(void *ctx, const char *why);
};

struct udf_port_ops {
	const char *name;			/* "qemu", "udf_port" */

	/* Release everything; quiesces the device first (bus mastering off, interrupts off, reset). */
	void (*close)(struct udf_port *port);

	/* Raw configuration space, SIZE 1, 2, 4; OFFSET < 4096. */
	int (*config_read)(struct udf_port *port, unsigned int offset, unsigned int size, uint32_t *value);
	int (*config_write)(struct udf_port *port, unsigned int offset, unsigned int size, uint32_t value);

	int (*bar_info)(struct udf_port *port, unsigned int bar, struct udf_bar_info *info);
	/* SIZE 1, 2, 4, 8. Writes are posted: they may return before the device has seen them, in order with all other accesses. */
	int (*bar_read)(struct udf_port *port, unsigned int bar, uint64_t offset, unsigned int size, uint64_t *value);
	int (*bar_write)(struct udf_port *port, unsigned int bar, uint64_t offset, unsigned int size, uint64_t value);
	/* Map LEN bytes (whole pages) of a mappable BAR at the fixed address VA. */
	int (*bar_map)(struct udf_port *port, unsigned int bar, uint64_t offset, uint64_t len, void *va, bool wc);

	/*
	 * The arena: a file descriptor that is mapped shared (from its dma_base on) and stays the transport's, and the device
	 * addresses of what of it may be used, ascending. RANGES has room for 64; *NR_RANGES is set.
	 */
	int (*dma_get)(struct udf_port *port, int *fd, uint64_t *size, struct udf_dma_range *ranges, unsigned int *nr_ranges);
	/*
	 * SIZE bytes more of it, whole MiB, behind what there is of it; all in all at most what udf_port_config.arena_max says. RANGES is as above.
	 * May block.
	 */
	int (*dma_more)(struct udf_port *port, uint64_t size, struct udf_dma_range *ranges, unsigned int *nr_ranges);

	/*
	 * Foreign memory: make the first LEN bytes of FD reachable for the device, contiguous from device address *DEV on. FD is a memory
	 * file that others write to, too, and that cannot shrink; the caller's, who may close it afterwards, as LEASE: a descriptor that is
	 * kept open, in whatever process, for as long as the device may reach the memory; -1: none. dma_remove() returns when the device
	 * does not reach it any more. May block. NULL where there is no such thing.
	 */
	int (*dma_add)(struct udf_port *port, int fd, uint64_t len, int lease, uint64_t *dev);
	int (*dma_remove)(struct udf_port *port, uint64_t dev);
	/* What dma_add()'s lengths are multiples of, a power of two of at least 256 KiB; device addresses are, too. */
	uint64_t dma_granule;

	/*
	 * Gather posted writes: while HOLD, they may wait for post_flush(), for a read, or for the end of HOLD. Both NULL where a write costs
	 * nothing. For one thread that does all accesses and knows when it has nothing more to write.
	 */
	void (*post_hold)(struct udf_port *port, bool hold);
	void (*post_flush)(struct udf_port *port);

	/*
	 * From ON to off, which may nest, the port is used without a pause by a thread that polls: it is worth a processor of the machine to have its answer sooner. NULL
	 * where nothing is gained.
	 */
	void (*keep_awake)(struct udf_port *port, bool on);

	/* How many vectors of a type the device has (0: none). */
	unsigned int (*irq_count)(struct udf_port *port, enum udf_irq_type type);
	/* Enable vectors 0 ... COUNT-1 of TYPE, masked; COUNT 0 disables the type. MSI-X is enabled at the device before returning. */
	int (*irq_enable)(struct udf_port *port, enum udf_irq_type type, unsigned int count);
	/* Mask or unmask one vector of the enabled type. INTx: unmasking reports the line's level again if it is asserted. */
	int (*irq_mask)(struct udf_port *port, unsigned int vector, bool masked);
	/*
	 * Interrupts by looking instead of being told, for MSI-X; both NULL where the transport has no such thing. While a vector is polled, its
	 * interrupt sets irq_words()[VECTOR] to something other than UDF_IRQ_IDLE and is not reported. When irq_poll(..., false) has returned, the word
	 * is not set any more. irq_enable() and reset() end it for all vectors.
	 */
	volatile uint32_t *(*irq_words)(struct udf_port *port);
	int (*irq_poll)(struct udf_port *port, unsigned int vector, bool polled);
	/*
	 * The same for who sleeps, too; both NULL where the transport has no such thing. From irq_signal() on VECTOR, which is masked now, is
	 * polled for good; and while irq_wakes()[VECTOR] is 1 its interrupt sets that to 0 and signals the eventfd FD. -1: it is reported again.
	 * irq_enable() and reset() end it for all vectors.
	 */
	volatile uint32_t *(*irq_wakes)(struct udf_port *port);
	int (*irq_signal)(struct udf_port *port, unsigned int vector, int fd);

	/* Reset the function; its configuration is lost except for BARs. */
	int (*reset)(struct udf_port *port);

	const struct udf_port_block_ops *block;	/* NULL where there is no kernel that could have block devices */
};

struct udf_port {
	const struct udf_port_ops *ops;
	const struct udf_port_events *events;
	void *ctx;				/* for events */
	uint64_t dma_base;			/* where the arena begins in dma_get()'s file, whole pages */
	uint16_t domain;
	uint8_t bus, devfn;
	char address[64];			/* for people: "qemu:nvme.0", "0000:03:00.0" */
};

struct udf_port_config {
	const char *spec;			/* "qemu:nvme,drive=d0,serial=x" */
	const char *const *backends;		/* further qemu options: "-blockdev", "...", NULL-terminated */
	uint64_t arena_size, arena_max;		/* bytes, whole MiB: at the start, and at most; see udf_arena_sizes() */
	unsigned int function;			/* which function of a multi-port card this process drives */
};

#define UDF_ARENA_SIZE	(48ull << 20)	/* by default */
#define UDF_ARENA_MAX	(256ull << 20)

/* What the sizes are really: 0 is the default, MAX is at least SIZE, and both are multiples of HOST_BLOCK_MAX, as only such memory can be more. */
void udf_arena_sizes(uint64_t *size, uint64_t *max);

/* Open the port that CONFIG names. Blocks until the device answers. */
int udf_port_open(const struct udf_port_config *config, const struct udf_port_events *events, void *ctx,
		  struct udf_port **port, struct udf_error *err);

#endif
