/* SPDX-License-Identifier: GPL-2.0 */
/* The port as a PCI function: configuration space and the INTx line. Contract, both worlds. */
#ifndef UDF_HOST_PCI_H
#define UDF_HOST_PCI_H

/* The hardware interrupt number, in the vectors bitmap, that stands for the port's INTx line. */
#define HOST_IRQ_INTX (HOST_VECTORS - 1)

/* Address of the port's function as domain << 16 | bus << 8 | devfn; -1 when there is no port. */
int host_pci_present(void);

/*
 * Wait until it is known which port that is, and the arena is its own. On vCPU 0, while it is the only one; for as long as a process stands by.
 * Returns 0, or 1 now and then: to be called again, when interrupts have been taken, and commands if there are some. blocks.
 */
int host_port_wait(void);

/*
 * Read or write SIZE (1, 2, 4) bytes at OFFSET of the port's configuration space. BARs and MSI structures are
 * the transport's: what is read and written there is virtual. Returns 0 or a negative errno (then *VALUE is all ones).
 */
int host_pci_read(unsigned int offset, unsigned int size, unsigned int *value);
int host_pci_write(unsigned int offset, unsigned int size, unsigned int value);

/* Mask or unmask the INTx line at the port. Unmasking a line that is still asserted makes it pending again. */
void host_irq_mask(unsigned int hwirq);
void host_irq_unmask(unsigned int hwirq);

#endif
