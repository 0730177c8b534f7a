/* SPDX-License-Identifier: GPL-2.0 */
/* Memory: the arena, mappings of its pages elsewhere, code, registers. Contract, both worlds. */
#ifndef UDF_HOST_MEM_H
#define UDF_HOST_MEM_H

#define HOST_DMA_RANGES_MAX 64

/* LEN bytes at physical address PHYS (= virtual address in the arena) are DEV for the device. */
struct host_dma_range {
	unsigned long phys;
	unsigned long dev;
	unsigned long len;
};

struct host_mem {
	unsigned long base;		/* arena: first byte that kernel code may use, page aligned */
	unsigned long size;		/* bytes, whole pages */
	unsigned int nr_ranges;		/* the arena in device addresses, ascending by phys */
	struct host_dma_range range[HOST_DMA_RANGES_MAX];
};

/* Describe the arena. Called once, at start. */
void host_mem_get(struct host_mem *mem);

/*
 * Map LEN bytes (whole pages) of the arena that start at physical address PHYS at VA, readable and writable,
 * replacing what was there. VA lies in the vmalloc area. Returns 0 or -ENOMEM.
 */
int host_mem_map(unsigned long va, unsigned long phys, unsigned long len);

/* Undo host_mem_map(): VA ... VA+LEN faults again. */
void host_mem_unmap(unsigned long va, unsigned long len);

/* Back VA ... VA+LEN (outside the arena: the struct page array) with zeroed private memory. Returns 0 or -ENOMEM. */
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

#endif
