/* SPDX-License-Identifier: GPL-2.0 */
/*
 * udf_port.ko: a PCI function in the hands of a process. What its files share. See include/udf/port-abi.h for what the process sees and
 * doc/kmod.md for why it is safe.
 *
 *   main.c    PCI driver, character device, the life of a port
 *   config.c  configuration space and its filter
 *   bar.c     registers: mappings and single accesses
 *   dma.c     DMA memory
 *   mem.c     memory of the process's own, for DMA
 *   irq.c     interrupts
 *   block*.c  the kernel's block devices, whose requests the process performs
 *
 * Locks, in this order: the PCI device's (device_lock()), udf_port.lock. With the latter held, user memory is not touched and
 * mmap_lock not taken: page faults take it.
 */
#ifndef UDF_KMOD_PORT_H
#define UDF_KMOD_PORT_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/wait.h>

#include "udf/port-abi.h"

#define UDF_WC_MAX 16		/* write-combining mappings of different ranges */
#define UDF_CONFIG_SIZE 4096

/* A vector that is enabled, or will be. */
struct udf_vector {
	struct udf_port *port;
	struct eventfd_ctx *eventfd;
	int irq;			/* Linux's number, 0: not requested yet */
	bool masked;
};

/* Contiguous DMA memory. */
struct udf_chunk {
	struct page *page;
	dma_addr_t dev;
	u64 offset;			/* in the port's DMA memory */
	size_t len;
};

/* DMA memory that a session has left, for the next one if that wants it: the device is quiet, and nothing maps it. */
struct udf_kept {
	struct udf_chunk *chunk;	/* NULL: none */
	unsigned int nr_chunks, nr_keep;	/* the first of them are for the next one: SIZE bytes */
	bool refused, taken;		/* nobody wants these; somebody has these. All others are freed once the device has been reset */
	unsigned int bits;		/* allocated for a mask of so many bits */
	u64 size;
	kuid_t opener;			/* of that session */
	struct delayed_work expire;
};

/* Registers that are mapped write-combining. */
struct udf_wc {
	resource_size_t start, len;
};

struct udf_port {
	struct device dev;
	struct cdev cdev;
	struct pci_dev *pdev;
	wait_queue_head_t wait;		/* for the end of live, and for closing */
	struct mutex lock;

	/* from probe to remove */
	bool bound;
	bool isolated, resets;
	bool intx_maskable;		/* in the command register; else the line must not be shared */
	unsigned int intx, msi, msix;	/* how many vectors it has */
	pci_dev_flags_t old_flags;	/* pci_dev.dev_flags as they were */
	struct pci_saved_state *saved;	/* configuration space at probe */
	u8 writable[UDF_CONFIG_SIZE];	/* bits of configuration space that are the process's */
	unsigned int vpd;		/* offset of that capability, 0: none */
	unsigned int msix_bar, pba_bar;
	u64 msix_start, msix_end;	/* bytes in the BAR */
	u64 pba_start, pba_end;
	void __iomem *regs[UDF_PORT_BAR_COUNT];		/* mapped at the first UDF_PORT_ACCESS */
	struct udf_kept kept;

	/* from close to the end of the reset that follows, whether or not it has been opened again; see udf_port.reset */
	bool resetting;
	struct work_struct reset;

	/* from open to close; live becomes false earlier if the port is lost */
	bool opened, closing, live;
	kuid_t opener;			/* effective user */
	struct address_space *mapping;	/* where mappings of the device are found */
	struct udf_port_shared *shared;
	enum udf_port_irq_type irq_type;
	unsigned int nr_vectors;	/* that are enabled */
	unsigned int max_vectors;
	struct udf_vector *vector;
	struct udf_chunk *chunk;	/* by offset */
	unsigned int nr_chunks;
	u64 dma_size;
	unsigned int dma_keep;		/* chunks that may be: those of the first allocation */
	bool dma_early;			/* it was taken before the reset had succeeded */
	unsigned int dma_bits;
	struct list_head mem;		/* struct udf_mem */
	struct udf_block *block;	/* from the first UDF_PORT_BLOCK_START to the end of the port */
	struct udf_wc wc[UDF_WC_MAX];
	unsigned int nr_wc;
};

/* All run with the port's lock held, and return 0 or a negative errno. ARG is the ioctl's structure, in kernel memory. */

/* main.c */
void udf_lose(struct udf_port *port, const char *why);		/* without the lock: end the session */
void udf_flush_iotlb(struct udf_port *port);			/* what was unmapped is out of the device's reach now, not some time later */

/* config.c */
void udf_config_init(struct udf_port *port);			/* decide whose each bit is */
int udf_config_ioctl(struct udf_port *port, void *arg);

/* bar.c */
void udf_bar_init(struct udf_port *port);			/* find the MSI-X structures */
bool udf_bar_mappable(struct udf_port *port, unsigned int bar);
int udf_bar_access_ioctl(struct udf_port *port, void *arg);
int udf_mmap(struct file *file, struct vm_area_struct *vma);	/* without the lock */
void udf_bar_zap(struct udf_port *port);			/* mappings of registers fault from now on */
void udf_bar_release(struct udf_port *port);			/* the session's; udf_bar_unmap(): the port's */
void udf_bar_unmap(struct udf_port *port);

/* dma.c */
u64 udf_dma_limit(void);
int udf_dma_set_bits(struct udf_port *port, unsigned int bits);
int udf_dma_mask_ioctl(struct udf_port *port, void *arg);
int udf_dma_alloc_ioctl(struct udf_port *port, void *arg);
const struct udf_chunk *udf_dma_find(struct udf_port *port, u64 offset);
void udf_dma_open(struct udf_port *port);			/* what is kept is none of another user's */
void udf_dma_detach(struct udf_port *port);			/* mappings fault from now on; the device must be quiet */
void udf_dma_end(struct udf_port *port, bool keep);		/* what is detached is kept, if the device has been reset, or freed */
void udf_dma_remove(struct udf_port *port);			/* without the lock */
void udf_dma_init(struct udf_port *port);

/* mem.c */
int udf_mem_add_ioctl(struct udf_port *port, void *arg);	/* without the lock: pins user memory */
int udf_mem_remove_ioctl(struct udf_port *port, void *arg);
void udf_mem_free(struct udf_port *port);			/* the device must be quiet */

/* irq.c */
int udf_irq_open(struct udf_port *port);
void udf_irq_close(struct udf_port *port);
void udf_irq_disable(struct udf_port *port);
int udf_irq_enable_ioctl(struct udf_port *port, void *arg);
int udf_irq_eventfd_ioctl(struct udf_port *port, void *arg);
int udf_irq_mask_ioctl(struct udf_port *port, void *arg);

/* block.c; what ends a port or a session, and is void, does nothing if the port has no block devices */
int udf_block_start_ioctl(struct udf_port *port, void *arg);
int udf_block_eventfd_ioctl(struct udf_port *port, void *arg);
int udf_block_disk_ioctl(struct udf_port *port, void *arg);	/* without the lock, as the next two */
int udf_block_gone_ioctl(struct udf_port *port, void *arg);
int udf_block_bell_ioctl(struct udf_port *port, void *arg);
int udf_block_mmap(struct udf_port *port, struct vm_area_struct *vma);
vm_fault_t udf_block_fault(struct udf_port *port, struct vm_fault *vmf);	/* without the lock */
void udf_block_stop(struct udf_port *port);			/* no request reaches the process any more */
void udf_block_end(struct udf_port *port);			/* what was in flight waits, or fails; the device must be quiet */
void udf_block_close(struct udf_port *port);			/* no mapping is left */
void udf_block_remove(struct udf_port *port);			/* without the lock: the port is unbound */
void udf_block_put(struct udf_port *port);

#endif
