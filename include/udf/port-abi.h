/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The ABI of udf_port.ko: how a process drives a PCI function (a port) that is bound to that module. For both sides of the border.
 *
 *	/dev/udf/0000:03:00.0		one character device for each port, one opener at a time
 *
 *	ioctl	what only the kernel may do: configuration space, DMA memory, interrupts, reset
 *	mmap	offset UDF_PORT_MMAP_SHARED	struct udf_port_shared: interrupt counters, read and written without a system call
 *		offset UDF_PORT_MMAP_DMA + x	DMA memory, as UDF_PORT_DMA_ALLOC placed it
 *		offset UDF_PORT_MMAP_RINGS	rings of the kernel's block devices, see UDF_PORT_BLOCK_START
 *		offset UDF_PORT_MMAP_REQUESTS + x	memory of requests that are in flight, x: its device address
 *		offset UDF_PORT_MMAP_BAR(n)	registers of BAR n; or'ed with UDF_PORT_MMAP_WC: write-combining
 *	poll	POLLHUP once the port is lost (removed, suspended, a bus error): every ioctl fails with -ENODEV from then on
 *	close	bus mastering off, interrupts off; so does the process's death. Then the function is reset, and DMA memory freed or kept for the
 *		next opener. The port can be opened meanwhile: what needs the function waits for the end of the reset, and only UDF_PORT_INFO,
 *		UDF_PORT_DMA_MASK, UDF_PORT_DMA_ALLOC, UDF_PORT_IRQ_EVENTFD, and mapping all but registers, do not
 *
 * Rules that hold for every structure: it begins with FLAGS; flags that are not listed, and bytes named reserved that are not 0, are
 * refused with -EINVAL; it is written back only if the ioctl succeeds. Sizes and offsets are bytes, numbers are little-endian, the
 * layout is the same for 32-bit processes. An ioctl that is not listed fails with -ENOTTY. -EINTR: the caller is being killed.
 */
#ifndef UDF_PORT_ABI_H
#define UDF_PORT_ABI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define UDF_PORT_ABI_VERSION	1	/* rises when the meaning of something changes; what is new shows by its ioctl or flag */
#define UDF_PORT_DIR		"/dev/udf/"

#define UDF_PORT_BAR_COUNT	6	/* BAR 0 ... 5; the expansion ROM is not offered */
#define UDF_PORT_VECTOR_MAX	2048	/* as many as MSI-X can have */
#define UDF_PORT_RANGE_MAX	64	/* in one UDF_PORT_DMA_ALLOC */

/* mmap offsets. Mappings must be shared, and are never executable. They fault with SIGBUS once the port is lost. */
#define UDF_PORT_MMAP_SHARED	0ull
#define UDF_PORT_MMAP_DMA	(1ull << 44)
#define UDF_PORT_MMAP_RINGS	(2ull << 44)
#define UDF_PORT_MMAP_REQUESTS	(3ull << 44)
#define UDF_PORT_MMAP_BAR(n)	((16ull + (n)) << 44)
#define UDF_PORT_MMAP_WC	(1ull << 43)

/**
 * struct udf_port_shared - interrupts, as far as they need no system call
 * @count: one counter for each vector. The module adds 1 to it for each interrupt and never reads it: the process may write whatever
 *	it likes, such as a value that says "seen".
 * @wake: for each vector, whether the process wants to be woken for its next interrupt. The process sets it to 1 before it sleeps, and
 *	looks at @count once more; the module sets it to 0 and signals the vector's eventfd.
 *
 * All accesses are atomic and sequentially consistent on both sides. The memory outlives the loss of the port.
 */
struct udf_port_shared {
	__u32 count[UDF_PORT_VECTOR_MAX];
	__u32 wake[UDF_PORT_VECTOR_MAX];
};

/* struct udf_port_bar: flags */
#define UDF_PORT_BAR_IO		1u	/* I/O ports, otherwise memory */
#define UDF_PORT_BAR_64		2u	/* the BAR has 64 bits (and the next number is not a BAR) */
#define UDF_PORT_BAR_PREFETCH	4u
#define UDF_PORT_BAR_MMAP	8u	/* its whole pages can be mapped, but for those with MSI-X structures */

/**
 * struct udf_port_bar - a BAR
 * @flags: UDF_PORT_BAR_*
 * @reserved: 0
 * @size: bytes, 0: there is none of this number
 * @bus: its address on the device's own bus, for devices that read their own memory; nothing else can be done with it
 */
struct udf_port_bar {
	__u32 flags;
	__u32 reserved;
	__u64 size;
	__u64 bus;
};

/* struct udf_port_info: properties */
#define UDF_PORT_ISOLATED	1u	/* an IOMMU confines the device to the port's DMA memory; without, it reaches all of memory */
#define UDF_PORT_RESETS		2u	/* the function has a reset that is trusted (function level, or of a bus that it has alone) */

/**
 * struct udf_port_info - UDF_PORT_INFO: describe the port
 * @flags: 0
 * @version: UDF_PORT_ABI_VERSION of the module
 * @properties: UDF_PORT_ISOLATED, UDF_PORT_RESETS
 * @domain: PCI address
 * @bus: PCI address
 * @devfn: PCI address: device << 3 | function
 * @vendor: PCI id
 * @device: PCI id
 * @subvendor: PCI id
 * @subdevice: PCI id
 * @class: base class << 16 | sub-class << 8 | programming interface
 * @revision: revision id
 * @intx: number of INTx lines: 0 or 1
 * @msi: most vectors with MSI, 0: it has none
 * @msix: most vectors with MSI-X, 0: it has none
 * @msix_bar: BAR of the MSI-X table, and of the pending bits << 8; such pages cannot be mapped
 * @iommu_group: ports with the same number are not isolated from each other; -1: none
 * @numa_node: where the device is, -1: unknown
 * @dma_bits: the DMA mask in force, see UDF_PORT_DMA_MASK
 * @dma_limit: bytes of DMA memory that the module grants, in all
 * @dma_size: bytes of DMA memory allocated so far: the next begins at this offset
 * @bar: the BARs
 * @reserved: 0
 */
struct udf_port_info {
	__u32 flags;
	__u32 version;
	__u32 properties;
	__u32 domain;
	__u8 bus;
	__u8 devfn;
	__u16 vendor;
	__u16 device;
	__u16 subvendor;
	__u16 subdevice;
	__u16 revision;
	__u32 class;
	__u16 intx;
	__u16 msi;
	__u16 msix;
	__u16 msix_bar;
	__s32 iommu_group;
	__s32 numa_node;
	__u32 dma_bits;
	__u64 dma_limit;
	__u64 dma_size;
	struct udf_port_bar bar[UDF_PORT_BAR_COUNT];
	__u64 reserved[8];
};

#define UDF_PORT_WRITE		1u	/* flag of struct udf_port_config_access, struct udf_port_bar_access: write instead of read */

/**
 * struct udf_port_config_access - UDF_PORT_CONFIG: read or write configuration space
 * @flags: UDF_PORT_WRITE
 * @offset: below 4096, a multiple of @size
 * @size: 1, 2 or 4
 * @value: what was read, or is to be written
 *
 * Everything can be read. A write changes the bits that are the process's and leaves the others as they are, without an error:
 * the module's are BARs, the expansion ROM, in the command register all but bus mastering and memory-write-invalidate, and all
 * capabilities but the status bits of PCI Express, reads of VPD, and those that are vendor-specific. doc/kmod.md has the list.
 */
struct udf_port_config_access {
	__u32 flags;
	__u16 offset;
	__u16 size;
	__u32 value;
	__u32 reserved;
};

/**
 * struct udf_port_bar_access - UDF_PORT_ACCESS: read or write registers, where they cannot be mapped
 * @flags: UDF_PORT_WRITE
 * @bar: which BAR
 * @size: 1, 2, 4, and 8 in memory
 * @offset: in the BAR, a multiple of @size
 * @value: what was read, or is to be written
 *
 * -EPERM: a write to the MSI-X table or its pending bits. -ERANGE: not within the BAR.
 */
struct udf_port_bar_access {
	__u32 flags;
	__u16 bar;
	__u16 size;
	__u64 offset;
	__u64 value;
};

/**
 * struct udf_port_dma_mask - UDF_PORT_DMA_MASK: say which addresses the device can reach
 * @flags: 0
 * @bits: 24 ... 64; 32 when the port is opened
 *
 * Before the first UDF_PORT_DMA_ALLOC; -EBUSY afterwards. -EIO: the machine cannot serve such a device.
 */
struct udf_port_dma_mask {
	__u32 flags;
	__u32 bits;
};

/**
 * struct udf_port_range - a piece of DMA memory
 * @offset: in the DMA memory (mmap offset minus UDF_PORT_MMAP_DMA)
 * @dev: its address for the device
 * @len: bytes
 */
struct udf_port_range {
	__u64 offset;
	__u64 dev;
	__u64 len;
};

/* struct udf_port_dma_alloc: flags */
#define UDF_PORT_DMA_KEEP	1u	/* need not be zeroed, and may be kept for the next session */
#define UDF_PORT_DMA_KEEP_S	10

/**
 * struct udf_port_dma_alloc - UDF_PORT_DMA_ALLOC: get more DMA memory
 * @flags: UDF_PORT_DMA_KEEP
 * @nr_ranges: set to the number of @range
 * @size: bytes, a multiple of UDF_PORT_DMA_GRAIN
 * @range: set: the new memory, ascending by offset and by device address. It begins where the last allocation ended.
 *
 * The memory is zeroed, coherent, and the port's until it is closed. Pieces that are neighbours for the device are reported as one.
 *
 * It can be called at any time; the device reaches the new memory when it returns.
 *
 * UDF_PORT_DMA_KEEP spares the time to free, allocate and zero it between two sessions of the port. If the first call of a session has the flag, what
 * that allocated is kept when the session ends, provided that the function could be reset: for UDF_PORT_DMA_KEEP_S seconds. The next session gets it,
 * with what is in it, if its first call has the flag, and asks for as much, with the same DMA mask, and if the port was opened by the same
 * effective user. Else what is kept is freed by that call; by opening, if the user is another; and when the port is unbound. With later calls the
 * flag means nothing: what they allocated is freed.
 * What is kept can be had while the function is still being reset. Should that fail, the new session is lost.
 *
 * -ENOMEM: no memory, or more than @udf_port_info.dma_limit in all. -ENOSPC: memory is so scattered that UDF_PORT_RANGE_MAX do not suffice.
 */
struct udf_port_dma_alloc {
	__u32 flags;
	__u32 nr_ranges;
	__u64 size;
	struct udf_port_range range[UDF_PORT_RANGE_MAX];
};

#define UDF_PORT_DMA_GRAIN	0x10000ull	/* 64 KiB */

#define UDF_PORT_MEM_GRAIN	0x40000ull	/* 256 KiB */
#define UDF_PORT_MEM_MAX	(4ull << 30)

/**
 * struct udf_port_mem_add - UDF_PORT_MEM_ADD: let the device reach memory of the process's own, such as a mapped memory file
 * @flags: 0
 * @lease: an end of a pipe, which the module holds open for as long as the device may reach the memory, -1: none. Who has the other
 *	end learns when that is over, however it came about. (Nothing but a pipe: a port that held itself open would never be closed.)
 * @addr: address in the process, whole pages, writable
 * @size: bytes, a multiple of UDF_PORT_MEM_GRAIN, at most UDF_PORT_MEM_MAX
 * @dev: set: its device address, a multiple of UDF_PORT_MEM_GRAIN; it is contiguous for the device
 * @reserved: 0
 *
 * The memory is pinned, also if it is unmapped from the process. -EOPNOTSUPP: the port is not isolated by an IOMMU, without which scattered
 * pages cannot be made contiguous. -EDQUOT: more than RLIMIT_MEMLOCK, without CAP_IPC_LOCK.
 */
struct udf_port_mem_add {
	__u32 flags;
	__s32 lease;
	__u64 addr;
	__u64 size;
	__u64 dev;
	__u64 reserved;
};

/**
 * struct udf_port_mem_remove - UDF_PORT_MEM_REMOVE: undo UDF_PORT_MEM_ADD
 * @flags: 0
 * @reserved0: 0
 * @dev: the device address that it gave
 * @reserved: 0
 *
 * The device does not reach the memory any more when this returns. -ENOENT: there is none at @dev.
 */
struct udf_port_mem_remove {
	__u32 flags;
	__u32 reserved0;
	__u64 dev;
	__u64 reserved;
};

enum udf_port_irq_type { UDF_PORT_INTX, UDF_PORT_MSI, UDF_PORT_MSIX };

/**
 * struct udf_port_irq_enable - UDF_PORT_IRQ_ENABLE: switch interrupts on or off
 * @flags: 0
 * @type: enum udf_port_irq_type
 * @count: how many vectors, MSI: a power of two; 0: switch off whatever is on
 *
 * All vectors are masked. What was enabled before is disabled, and its interrupts are in the counters when the call returns.
 * A vector takes up resources of the machine from its first unmasking on. -ENOSPC: the machine has not so many vectors.
 */
struct udf_port_irq_enable {
	__u32 flags;
	__u32 type;
	__u32 count;
	__u32 reserved;
};

/**
 * struct udf_port_irq_eventfd - UDF_PORT_IRQ_EVENTFD: what is signalled when a vector's @udf_port_shared.wake says so
 * @flags: 0
 * @first: the first vector
 * @count: how many vectors; they may be ones that are not enabled yet
 * @fd: an eventfd, or -1 for none
 *
 * Stays until it is replaced or the port is closed. -EBUSY: one of the vectors is not masked.
 */
struct udf_port_irq_eventfd {
	__u32 flags;
	__u32 first;
	__u32 count;
	__s32 fd;
};

#define UDF_PORT_MASKED		1u	/* flag of struct udf_port_irq_mask: mask instead of unmask */

/**
 * struct udf_port_irq_mask - UDF_PORT_IRQ_MASK: mask or unmask a vector that is enabled
 * @flags: UDF_PORT_MASKED
 * @vector: which
 *
 * When masking returns, the vector's counter does not change any more. A message that arrives while its vector is masked is counted
 * when it is unmasked. INTx is masked at the device by each of its interrupts; to unmask it is the acknowledgement, and counts at
 * once if the line is still asserted.
 */
struct udf_port_irq_mask {
	__u32 flags;
	__u32 vector;
};

/**
 * struct udf_port_reset - UDF_PORT_RESET: reset the function
 * @flags: 0
 * @reserved: 0
 *
 * Interrupts are disabled, bus mastering is off, configuration space is as it was when the port was opened. Registers are
 * not accessible meanwhile: accesses wait. DMA memory stays. -EOPNOTSUPP: the function has no reset that is trusted; all else was done.
 */
struct udf_port_reset {
	__u32 flags;
	__u32 reserved;
};

/* ---- the kernel's block devices ---- */

#define UDF_PORT_REQUEST_BITS	43	/* device addresses of requests are below 1 << this */
#define UDF_PORT_QUEUES_MAX	64
#define UDF_PORT_DISKS_MAX	64	/* of one port */
#define UDF_PORT_ZONES_MAX	(1u << 20)	/* of one disk */
#define UDF_PORT_DISK_NAME_MAX	13	/* bytes: what a block device's name has room for behind "udf-0000:03:00.0-" */
#define UDF_PORT_DISK_NAME_CHARS	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

#define UDF_PORT_BLOCK_FAIL	1u	/* flag of struct udf_port_block_start: when the session ends requests fail, with EIO, instead of waiting */

/**
 * struct udf_port_block_start - UDF_PORT_BLOCK_START: begin to perform the requests of the kernel's block devices
 * @flags: UDF_PORT_BLOCK_FAIL
 * @queues: how many rings, 1 ... UDF_PORT_QUEUES_MAX, such as one for each vCPU; set to how many there are: as many as in the port's
 *	first session, and no more than the machine has processors
 * @entries: of each ring, a power of two, 2 ... 1024; set, as @queues
 * @dma_bits: which device addresses the driver can use for requests, 24 ... 64
 * @wait_ms: how long requests wait, once the session has ended, for one in which their disk is announced; then they fail. 0: for ever
 * @segments: set: the most segments of a request
 * @ring_size: set: bytes of a ring, see udf/ring.h
 * @ring_stride: set: ring n is at mmap offset UDF_PORT_MMAP_RINGS + n * ring_stride
 * @list_offset: set: where, from the begin of a ring, its segment lists are: a request with more than UDF_RING_INLINE segments has its list
 *	@segment[0].addr bytes behind that
 * @reserved: 0
 *
 * Once in a session. Producer is the kernel. Segments have device addresses, which the device reaches until the request is completed;
 * the process reaches the memory as well, for as long, through a mapping of UDF_PORT_MMAP_REQUESTS (SIGBUS otherwise). @user_data is to be
 * given back as it is. A process that breaks a ring loses the port.
 */
struct udf_port_block_start {
	__u32 flags;
	__u32 queues;
	__u32 entries;
	__u32 dma_bits;
	__u32 wait_ms;
	__u32 segments;
	__u64 ring_size;
	__u64 ring_stride;
	__u64 list_offset;
	__u64 reserved[2];
};

/**
 * struct udf_port_block_eventfd - UDF_PORT_BLOCK_EVENTFD: what is signalled when a ring passes its sq_event, or is about to
 * @flags: 0
 * @queue: which ring
 * @fd: an eventfd, or -1 for none
 * @reserved: 0
 */
struct udf_port_block_eventfd {
	__u32 flags;
	__u32 queue;
	__s32 fd;
	__u32 reserved;
};

/* struct udf_port_block_disk: flags */
#define UDF_PORT_DISK_READ_ONLY		1u
#define UDF_PORT_DISK_WRITE_CACHE	2u	/* volatile: flush means something */
#define UDF_PORT_DISK_FUA		4u
#define UDF_PORT_DISK_ROTATIONAL	8u
#define UDF_PORT_DISK_REMOVABLE		16u
#define UDF_PORT_DISK_ZONED		32u	/* host-managed: zones are written from their begin to their end */

/* struct udf_port_block_disk: differs */
#define UDF_PORT_DIFFERS_SERIAL		1u	/* serial, model or wwid */
#define UDF_PORT_DIFFERS_SIZE		2u
#define UDF_PORT_DIFFERS_FORMAT		4u	/* logical block, size of zones, or read-only though it was not */

/**
 * struct udf_port_block_disk - UDF_PORT_BLOCK_DISK: announce a disk, or a change of its size
 * @flags: UDF_PORT_DISK_*
 * @id: what requests shall name it by, not 0
 * @differs: set: 0, the disk is a block device of the kernel now, /dev/udf-ADDRESS-NAME; else what distinguishes it from the one that
 *	was there by this name and waits for it: the block device is not coupled
 * @logical_block: bytes
 * @physical_block: bytes
 * @io_min: bytes, 0: not told
 * @io_opt: bytes, 0: not told
 * @max_bytes: of a read or write
 * @max_segments: of a read or write
 * @max_segment_size: bytes
 * @dma_alignment: mask: addresses and lengths of segments have these bits clear
 * @discard_granularity: bytes
 * @discard_alignment: bytes
 * @virt_boundary: mask: between segments, addresses have these bits clear; 0: no such rule
 * @size: bytes
 * @max_discard: bytes, 0: no discard
 * @max_write_zeroes: bytes, 0: none
 * @name: the driver's: UDF_PORT_DISK_NAME_CHARS, 1 ... UDF_PORT_DISK_NAME_MAX bytes, and a 0
 * @serial: printable, ends with a 0, as the next two
 * @model: for people
 * @wwid: world-wide id
 * @zone_size: bytes, a power of two, of all zones but the last, which may be smaller; at most UDF_PORT_ZONES_MAX zones. This and the next four:
 *	0 if the disk is not zoned
 * @zone_max_append: bytes, of one append
 * @zone_max_open: zones, 0: any number
 * @zone_max_active: zones, 0: any number
 * @zone_write_granularity: bytes, of which writes are multiples
 * @reserved: 0
 *
 * The block device stays until UDF_PORT_BLOCK_GONE or until the port is unbound: its requests wait while no process has announced it. It
 * shows up soon after the call, and is read for partitions; if the session ends before that is done, the disk is removed. -EEXIST: @name is
 * announced already, by another id. -EMFILE: UDF_PORT_DISKS_MAX.
 * -EOPNOTSUPP: the module has no zoned disks with this kernel; or a zoned disk's size has changed, which has no effect.
 */
struct udf_port_block_disk {
	__u32 flags;
	__u32 id;
	__u32 differs;
	__u32 logical_block;
	__u32 physical_block;
	__u32 io_min;
	__u32 io_opt;
	__u32 max_bytes;
	__u32 max_segments;
	__u32 max_segment_size;
	__u32 dma_alignment;
	__u32 discard_granularity;
	__u32 discard_alignment;
	__u32 virt_boundary;
	__u64 size;
	__u64 max_discard;
	__u64 max_write_zeroes;
	char name[32];
	char serial[64];
	char model[64];
	char wwid[160];
	__u64 zone_size;
	__u32 zone_max_append;
	__u32 zone_max_open;
	__u32 zone_max_active;
	__u32 zone_write_granularity;
	__u64 reserved;
};

/**
 * struct udf_port_block_gone - UDF_PORT_BLOCK_GONE: a disk is no more; so is its block device, whose requests fail
 * @flags: 0
 * @id: the disk's
 * @reserved: 0
 */
struct udf_port_block_gone {
	__u32 flags;
	__u32 id;
	__u64 reserved;
};

/**
 * struct udf_port_block_bell - UDF_PORT_BLOCK_BELL: rings have completions, and have passed their cq_event
 * @flags: 0
 * @reserved: 0
 * @queues: bit n: ring n
 */
struct udf_port_block_bell {
	__u32 flags;
	__u32 reserved;
	__u64 queues;
};

#define UDF_PORT_IOC		0xdf
#define UDF_PORT_INFO		_IOWR(UDF_PORT_IOC, 0, struct udf_port_info)
#define UDF_PORT_CONFIG		_IOWR(UDF_PORT_IOC, 1, struct udf_port_config_access)
#define UDF_PORT_ACCESS		_IOWR(UDF_PORT_IOC, 2, struct udf_port_bar_access)
#define UDF_PORT_DMA_MASK	_IOW(UDF_PORT_IOC, 3, struct udf_port_dma_mask)
#define UDF_PORT_DMA_ALLOC	_IOWR(UDF_PORT_IOC, 4, struct udf_port_dma_alloc)
#define UDF_PORT_IRQ_ENABLE	_IOW(UDF_PORT_IOC, 5, struct udf_port_irq_enable)
#define UDF_PORT_IRQ_EVENTFD	_IOW(UDF_PORT_IOC, 6, struct udf_port_irq_eventfd)
#define UDF_PORT_IRQ_MASK	_IOW(UDF_PORT_IOC, 7, struct udf_port_irq_mask)
#define UDF_PORT_RESET		_IOW(UDF_PORT_IOC, 8, struct udf_port_reset)
#define UDF_PORT_MEM_ADD	_IOWR(UDF_PORT_IOC, 9, struct udf_port_mem_add)
#define UDF_PORT_MEM_REMOVE	_IOW(UDF_PORT_IOC, 10, struct udf_port_mem_remove)
#define UDF_PORT_BLOCK_START	_IOWR(UDF_PORT_IOC, 11, struct udf_port_block_start)
#define UDF_PORT_BLOCK_EVENTFD	_IOW(UDF_PORT_IOC, 12, struct udf_port_block_eventfd)
#define UDF_PORT_BLOCK_DISK	_IOWR(UDF_PORT_IOC, 13, struct udf_port_block_disk)
#define UDF_PORT_BLOCK_GONE	_IOW(UDF_PORT_IOC, 14, struct udf_port_block_gone)
#define UDF_PORT_BLOCK_BELL	_IOW(UDF_PORT_IOC, 15, struct udf_port_block_bell)

#endif
