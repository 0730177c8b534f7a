/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtual PCI function: what the kernel's PCI core sees of a port, on top of any transport. Host world.
 *
 *   kernel code             config access     BAR access (traps)      message or line
 *                                        |                  |                       ^
 *   virtual function        shadow BARs, MSI, MSI-X    MSI-X table, PBA      virtual message
 *                                        |                  |                       |
 *   struct udf_port_ops             raw config         raw registers          vector number
 *
 * Virtual: BARs (where the device has them, or within UDF_PCI_WINDOW; sizing works; never forwarded), expansion ROM (absent),
 * memory and I/O enable (always on at the device), interrupt line, multifunction bit (hidden), MSI and MSI-X altogether.
 * Hidden capabilities: SHPC, AGP, Enhanced Allocation; extended: ARI, ATS, SR-IOV, MR-IOV, PRI, Resizable BAR, VF Resizable BAR, PASID,
 * DPC. A reset that the kernel asks for in config space (PCIe or AF function level reset, or D3hot to D0 where the function says
 * that it loses its state) becomes the transport's reset. All else is forwarded as it is.
 *
 * Every function may be called from any thread, also from a vCPU's SIGSEGV handler with signals blocked: no malloc, short spinlock.
 */
#ifndef UDF_PORT_VPCI_H
#define UDF_PORT_VPCI_H

#include <stdbool.h>
#include <stdint.h>

#include "port/port.h"

struct udf_vpci;

/* What the virtual function tells its owner. Called without a lock, from the transport's thread or from a thread that is in udf_vpci_*(). */
struct udf_vpci_events {
	/* The function sends a message: what the kernel code wrote into the MSI capability or the MSI-X table. */
	void (*msi)(void *ctx, uint64_t addr, uint32_t data);
	/* The INTx line is asserted and not masked. The owner masks it, or it is told again only after an unmask or a new assertion. */
	void (*intx)(void *ctx);
};

/*
 * Make the virtual function of PORT. Reads its config space, assigns bus addresses to its BARs. The owner passes what the transport
 * reports in udf_port_events.irq on to udf_vpci_irq(). EVENTS and PORT must outlive it.
 */
int udf_vpci_new(struct udf_port *port, const struct udf_vpci_events *events, void *ctx, struct udf_vpci **vpci, struct udf_error *err);

/* Release it; interrupts of the port are disabled. The port stays open. */
void udf_vpci_free(struct udf_vpci *vpci);

/* The transport reports interrupt VECTOR; LEVEL is for INTx. To be called from udf_port_events.irq, with its arguments. */
void udf_vpci_irq(struct udf_vpci *vpci, unsigned int vector, int level);

/*
 * Poll interrupts: POLLER (0 ... 7) looks itself, by udf_vpci_poll(), for those whose message goes to ADDR, as long as it has nothing
 * better to do; they are not reported by anybody else meanwhile. Returns how many vectors that are; 0 when the transport cannot.
 */
unsigned int udf_vpci_poll_start(struct udf_vpci *vpci, unsigned int poller, uint64_t addr);
void udf_vpci_poll(struct udf_vpci *vpci, unsigned int poller);
/* They are reported again. What came meanwhile is reported before this returns. */
void udf_vpci_poll_stop(struct udf_vpci *vpci, unsigned int poller);

/*
 * POLLER looks itself for what goes to ADDR, for good, whatever the kernel code changes; nobody else does. When it goes to sleep on the eventfd
 * FD it calls udf_vpci_poll_sleep(..., true), and then udf_vpci_poll() once more; awake again, the same with false. -EOPNOTSUPP: the
 * transport cannot.
 */
int udf_vpci_poll_own(struct udf_vpci *vpci, unsigned int poller, uint64_t addr, int fd);
void udf_vpci_poll_sleep(struct udf_vpci *vpci, unsigned int poller, bool sleep);
/* Where POLLER looks: at most MAX words into WORDS, which are UDF_IRQ_IDLE while there is nothing. Returns how many there are. */
unsigned int udf_vpci_poll_words(struct udf_vpci *vpci, unsigned int poller, const volatile uint32_t **words, unsigned int max);

/* Configuration space: SIZE 1, 2, 4, naturally aligned, OFFSET < 4096. On error *VALUE is all ones. Returns 0, -EINVAL, -ENODEV. */
int udf_vpci_config_read(struct udf_vpci *vpci, unsigned int offset, unsigned int size, uint32_t *value);
int udf_vpci_config_write(struct udf_vpci *vpci, unsigned int offset, unsigned int size, uint32_t value);

/* Registers of a BAR, or the virtual MSI-X table or PBA where they lie in it. SIZE 1, 2, 4, 8. On error *VALUE is all ones. */
int udf_vpci_bar_read(struct udf_vpci *vpci, unsigned int bar, uint64_t offset, unsigned int size, uint64_t *value);
int udf_vpci_bar_write(struct udf_vpci *vpci, unsigned int bar, uint64_t offset, unsigned int size, uint64_t value);

/* The memory BAR that SIZE bytes at bus address ADDR lie in, and where in it. Returns 0, or -ENOENT when not within one BAR. */
int udf_vpci_find_mem(struct udf_vpci *vpci, uint64_t addr, uint64_t size, unsigned int *bar, uint64_t *offset);
/* The same for SIZE bytes at I/O port PORT. */
int udf_vpci_find_io(struct udf_vpci *vpci, uint16_t port, unsigned int size, unsigned int *bar, uint64_t *offset);

/* Whether the pages of OFFSET ... OFFSET+LEN of BAR may be mapped: the transport can, and no virtual MSI-X structure lies in them. */
bool udf_vpci_mappable(struct udf_vpci *vpci, unsigned int bar, uint64_t offset, uint64_t len);

/*
 * The virtual MSI-X table: whether SIZE bytes at OFFSET of BAR are in it, and nothing else; whether writing SIZE bytes of configuration space at OFFSET
 * may switch MSI-X on or off, or mask it; whether it is off or masked as a whole, so that what is written to the table has no effect yet.
 */
bool udf_vpci_is_table(struct udf_vpci *vpci, unsigned int bar, uint64_t offset, uint64_t size);
bool udf_vpci_is_msix(struct udf_vpci *vpci, unsigned int offset, unsigned int size);
bool udf_vpci_table_quiet(struct udf_vpci *vpci);

/* Mask or unmask the INTx line. Masked at start. Unmasking a line that is still asserted leads to events->intx again. */
void udf_vpci_intx_mask(struct udf_vpci *vpci, bool masked);

/*
 * Modalias of the function as udev builds it ("pci:v00001B36d..."), from its config space. Returns its length, or a negative errno
 * (-ENOSPC when LEN is too small).
 */
int udf_vpci_modalias(struct udf_vpci *vpci, char *buf, size_t len);

#endif
