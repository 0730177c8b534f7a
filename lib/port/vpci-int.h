/* SPDX-License-Identifier: GPL-2.0 */
/* Inside the virtual PCI function: its state, shared by vpci.c, vpci-config.c and vpci-irq.c. Host world. */
#ifndef UDF_PORT_VPCI_INT_H
#define UDF_PORT_VPCI_INT_H

#include <stdatomic.h>

#include "port/spin.h"
#include "port/vpci.h"

#define VPCI_CONFIG	4096
#define VPCI_VECTORS	2048
#define VPCI_NO_TYPE	((enum udf_irq_type)-1)

struct vpci_entry {
	uint32_t word[4];	/* address low and high, data, vector control */
};

/* A piece of a BAR that is emulated. */
struct vpci_region {
	unsigned int bar;
	uint64_t offset, len;	/* len 0: none */
};

#define VPCI_POLLERS 8		/* as many as there can be vCPUs */

struct udf_vpci {
	struct udf_port *port;
	const struct udf_vpci_events *events;
	void *ctx;
	struct udf_spin lock;

	/*
	 * Configuration space, bit by bit: where VIRT is set, reads give SHADOW, and writes change the SHADOW bits that WRITABLE
	 * has; elsewhere both go to the device.
	 */
	uint8_t virt[VPCI_CONFIG], shadow[VPCI_CONFIG], writable[VPCI_CONFIG];
	uint8_t reset_value[VPCI_CONFIG];	/* SHADOW after a reset */

	struct udf_bar_info bar[UDF_PORT_BARS];

	/* offsets of capabilities, 0: absent */
	unsigned int msi, msix, devctl_flr, af_flr, pm;
	unsigned int pm_state;			/* D0 ... D3hot, as last written */
	bool msi64, msi_maskable;

	/* interrupts */
	unsigned int nr_entries;		/* of the MSI-X table */
	struct vpci_region table, pba;
	struct vpci_entry entry[VPCI_VECTORS];
	uint64_t pending[VPCI_VECTORS / 64];	/* masked when they came; MSI-X or MSI */
	uint64_t unmasked[VPCI_VECTORS / 64];	/* at the port */
	enum udf_irq_type type;			/* enabled at the port, or VPCI_NO_TYPE */
	unsigned int type_count;
	bool intx_masked;

	/* vectors that a thread looks at; see udf_vpci_poll() */
	volatile uint32_t *words, *wakes;
	struct vpci_polled {
		_Atomic unsigned int nr_maps;	/* of MAP's words may have bits */
		_Atomic uint64_t map[VPCI_VECTORS / 64];
		bool sleeps;			/* udf_vpci_poll_own() */
		uint64_t addr;			/* then: messages to here are its own */
		int fd;
	} polled[VPCI_POLLERS];
};

/* Little-endian values in an array of bytes. */
static inline uint32_t vpci_get(const uint8_t *bytes, unsigned int offset, unsigned int size)
{
	uint32_t v = 0;

	for (unsigned int i = size; i-- > 0;)
		v = v << 8 | bytes[offset + i];
	return v;
}

static inline void vpci_put(uint8_t *bytes, unsigned int offset, unsigned int size, uint32_t value)
{
	for (unsigned int i = 0; i < size; i++)
		bytes[offset + i] = (uint8_t)(value >> 8 * i);
}

/* vpci-config.c. Decide for every bit of configuration space who answers. */
int udf_vpci_config_init(struct udf_vpci *v);

/* vpci-irq.c. Called with the lock held: make the port's interrupts what MSI, MSI-X and the INTx mask say. */
int udf_vpci_irq_update(struct udf_vpci *v);
/* Without the lock: send the messages that were pending and no longer are masked. */
void udf_vpci_irq_deliver(struct udf_vpci *v);
/* Called with the lock held: the function was reset. */
void udf_vpci_irq_reset(struct udf_vpci *v);
/* The emulated table and pending bits: true when OFFSET of BAR belongs to them. */
bool udf_vpci_msix_covers(struct udf_vpci *v, unsigned int bar, uint64_t offset);
int udf_vpci_msix_read(struct udf_vpci *v, unsigned int bar, uint64_t offset, unsigned int size, uint64_t *value);
int udf_vpci_msix_write(struct udf_vpci *v, unsigned int bar, uint64_t offset, unsigned int size, uint64_t value);

#endif
