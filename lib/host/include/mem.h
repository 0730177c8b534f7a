/* SPDX-License-Identifier: GPL-2.0 */
/* Memory: the arena, mappings of its pages elsewhere, code, registers. Contract, both worlds. */
#ifndef UDF_HOST_MEM_H
#define UDF_HOST_MEM_H

#define HOST_DMA_RANGES_MAX 256
#define HOST_BLOCK_MAX (4ul << 20)	/* of the page allocator's, aligned to its size */

/* LEN bytes at physical address PHYS (= virtual address in the arena) are DEV for the device. */
struct host_dma_range {
	unsigned long phys;
	unsigned long dev;
	unsigned long len;
};

struct host_mem {
	unsigned long base;		/* arena: first byte that kernel code may use, page aligned */
	unsigned long size;		/* bytes, whole pages */
	unsigned long max;		/* what host_mem_grow() may make of it */
	unsigned int nr_ranges;		/* the arena in device addresses, ascending by phys */
	struct host_dma_range range[HOST_DMA_RANGES_MAX];
};

/* Describe the arena. Called at start; and after host_port_wait(), which may have changed the ranges. */
void host_mem_get(struct host_mem *mem);

/*
 * Get another piece of memory, which goes on where the arena ends; both its ends are multiples of HOST_BLOCK_MAX. Describes it in PIECE. Returns
 * 0; -ENOSPC when the arena is as large as it may become, and the host has said so; any other error: not now. Blocks, for some milliseconds.
 */
int host_mem_grow(struct host_mem *piece);

/*
 * Map LEN bytes (whole pages) of the arena that start at physical address PHYS at VA, readable and writable,
 * replacing what was there. VA lies in the vmalloc area. Returns 0 or -ENOMEM.
 */
int host_mem_map(unsigned long va, unsigned long phys, unsigned long len);

/* Undo host_mem_map() or host_mem_populate(): VA ... VA+LEN faults again. */
void host_mem_unmap(unsigned long va, unsigned long len);

/*
 * Back VA ... VA+LEN (outside the arena: the struct page array) with zeroed private memory, which costs what is touched of it, and may be
 * far more than the machine has. Returns 0 or -ENOMEM.
 */
int host_mem_populate(unsigned long va, unsigned long len);

/* Write LEN bytes of code at ADDR, in the image, kapi or a module; other vCPUs may be running it. Returns 0 or a negative errno. */
int host_text_write(unsigned long addr, const void *src, unsigned long len);

/* Fill BUF with random bytes of the machine's generator. */
void host_random(void *buf, unsigned long len);

/*
 * Make SIZE bytes of registers at bus address PHYS (in a BAR of the port) accessible. FLAGS: HOST_MMIO_WC.
 * The result is ordinary memory, or inaccessible pages whose accesses trap and are performed by the transport.
 * Returns the address, 0 when PHYS ... PHYS+SIZE is not within one BAR.
 */
#define HOST_MMIO_WC 1u
unsigned long host_mmio_map(unsigned long phys, unsigned long size, unsigned int flags);

/* Undo host_mmio_map(); ADDR is what it returned. */
void host_mmio_unmap(unsigned long addr);

/*
 * An instruction of a module that accesses registers which trap, and does so often, can be led around the trap: to a piece of the host's code
 * that performs it. Jumps of two bytes do not reach that far: they go from gap to gap of the module's code, which nothing else executes.
 */
#define HOST_DETOUR_HOPS 4
struct host_detour {
	unsigned long site;
	unsigned int len;		/* bytes of CODE, as many as the instruction has */
	unsigned char code[15];
	unsigned int nr_hops;
	struct host_detour_hop {
		unsigned long addr;
		unsigned int len;
		unsigned char code[5];
	} hop[HOST_DETOUR_HOPS];	/* to be written before CODE */
};

/*
 * Describe the next one that is worth it (HOST_PEND_DETOUR says that there may be one). Returns 1, or 0 when there is none. Its module may be
 * about to go: it must be held while its code is written. host_detour_done() follows, which tells whether it was. May block.
 */
int host_detour_next(struct host_detour *d);
void host_detour_done(const struct host_detour *d, int written);

/*
 * For the code that detours lead to, nobody else. HOW: bits 0-3 size, 4-7 bytes of the destination register, HOST_MMIO_WRITE, HOST_MMIO_SIGN;
 * IP: the instruction. DONE is 0 when ADDR is no register that traps: then the instruction performs itself.
 */
#define HOST_MMIO_WRITE 0x100u
#define HOST_MMIO_SIGN 0x200u
struct host_mmio_result { unsigned long value, done; };
struct host_mmio_result host_mmio_access(unsigned long addr, unsigned long value, unsigned int how, unsigned int ip);

#endif
