// SPDX-License-Identifier: GPL-2.0
/* The virtual PCI function: configuration accesses, registers, addresses; see vpci.h. Host world. */
#define _GNU_SOURCE
#include "port/vpci.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port/vpci-int.h"

#define PAGE 4096ull

int udf_vpci_new(struct udf_port *port, const struct udf_vpci_events *events, void *ctx, struct udf_vpci **vpci, struct udf_error *err)
{
	struct udf_vpci *v = calloc(1, sizeof(*v));
	int ret = v ? 0 : -ENOMEM;

	if (v) {
		v->port = port;
		v->events = events;
		v->ctx = ctx;
		v->intx_masked = true;
		ret = udf_vpci_config_init(v);
		udf_vpci_irq_reset(v);
	}
	if (ret) {
		free(v);
		return udf_error_set(err, ret, "%s: cannot read its configuration space: %s", port->address, strerror(-ret));
	}
	*vpci = v;
	return 0;
}

void udf_vpci_free(struct udf_vpci *v)
{
	if (!v)
		return;
	udf_spin_lock(&v->lock);
	if (v->type != VPCI_NO_TYPE)
		v->port->ops->irq_enable(v->port, v->type, 0);
	v->type = VPCI_NO_TYPE;
	udf_spin_unlock(&v->lock);
	free(v);
}

static uint32_t size_mask(unsigned int size)
{
	return ~0u >> (32 - 8 * size);
}

static bool config_valid(unsigned int offset, unsigned int size)
{
	return (size == 1 || size == 2 || size == 4) && !(offset & (size - 1)) && offset < VPCI_CONFIG;
}

int udf_vpci_config_read(struct udf_vpci *v, unsigned int offset, unsigned int size, uint32_t *value)
{
	uint32_t virt, raw = 0;
	int ret = 0;

	*value = ~0u;
	if (!config_valid(offset, size))
		return -EINVAL;
	virt = vpci_get(v->virt, offset, size);
	if (virt != size_mask(size))
		ret = v->port->ops->config_read(v->port, offset, size, &raw);
	if (ret)
		return ret;
	udf_spin_lock(&v->lock);
	*value = (raw & ~virt) | (vpci_get(v->shadow, offset, size) & virt);
	udf_spin_unlock(&v->lock);
	return 0;
}

static bool overlaps(unsigned int offset, unsigned int size, unsigned int start, unsigned int len)
{
	return start && offset < start + len && start < offset + size;
}

/* The bits of the register at START that a write of VALUE to OFFSET sets. */
static uint32_t bits_of(unsigned int start, unsigned int offset, uint32_t value)
{
	return start >= offset ? value >> 8 * (start - offset) : value << 8 * (offset - start);
}

/* Whether this write asks for a reset. Called with the lock held. */
static bool asks_reset(struct udf_vpci *v, unsigned int offset, unsigned int size, uint32_t value)
{
	unsigned int state, old;

	if (overlaps(offset, size, v->devctl_flr, 2) && bits_of(v->devctl_flr, offset, value) & PCI_EXP_DEVCTL_BCR_FLR)
		return true;
	if (overlaps(offset, size, v->af_flr, 1) && bits_of(v->af_flr, offset, value) & PCI_AF_CTRL_FLR)
		return true;
	if (!v->pm || !overlaps(offset, size, v->pm + PCI_PM_CTRL, 1))
		return false;
	old = v->pm_state;
	state = bits_of(v->pm + PCI_PM_CTRL, offset, value) & PCI_PM_CTRL_STATE_MASK;
	v->pm_state = state;
	return old == 3 && state == 0;
}

/* Called with the lock held. */
static int reset(struct udf_vpci *v)
{
	int ret = v->port->ops->reset(v->port);

	memcpy(v->shadow, v->reset_value, sizeof(v->shadow));
	v->pm_state = 0;
	udf_vpci_irq_reset(v);
	/* the INTx mask is the interrupt controller's, not the function's: it has survived */
	return ret ? ret : udf_vpci_irq_update(v);
}

static int forward(struct udf_vpci *v, unsigned int offset, unsigned int size, uint32_t value, uint32_t virt)
{
	uint32_t decode = 0;

	if (virt == size_mask(size))
		return 0;
	/* decoding stays on at the device: its BARs are the transport's */
	if (overlaps(offset, size, PCI_COMMAND, 1))
		decode = PCI_COMMAND_IO | PCI_COMMAND_MEMORY;
	return v->port->ops->config_write(v->port, offset, size, (value & ~virt) | decode);
}

int udf_vpci_config_write(struct udf_vpci *v, unsigned int offset, unsigned int size, uint32_t value)
{
	uint32_t virt, writable, old;
	int ret;

	if (!config_valid(offset, size))
		return -EINVAL;
	value &= size_mask(size);
	virt = vpci_get(v->virt, offset, size);
	udf_spin_lock(&v->lock);
	old = vpci_get(v->shadow, offset, size);
	writable = vpci_get(v->writable, offset, size);
	vpci_put(v->shadow, offset, size, (old & ~writable) | (value & writable));
	ret = forward(v, offset, size, value, virt);
	if (!ret && asks_reset(v, offset, size, value))
		ret = reset(v);
	else if (!ret && (overlaps(offset, size, v->msi, 24) || overlaps(offset, size, v->msix, 12)))
		ret = udf_vpci_irq_update(v);
	udf_spin_unlock(&v->lock);
	udf_vpci_irq_deliver(v);
	return ret;
}

int udf_vpci_bar_read(struct udf_vpci *v, unsigned int bar, uint64_t offset, unsigned int size, uint64_t *value)
{
	if (udf_vpci_msix_covers(v, bar, offset))
		return udf_vpci_msix_read(v, bar, offset, size, value);
	return v->port->ops->bar_read(v->port, bar, offset, size, value);
}

int udf_vpci_bar_write(struct udf_vpci *v, unsigned int bar, uint64_t offset, unsigned int size, uint64_t value)
{
	if (udf_vpci_msix_covers(v, bar, offset))
		return udf_vpci_msix_write(v, bar, offset, size, value);
	return v->port->ops->bar_write(v->port, bar, offset, size, value);
}

/* The address that the kernel code (or assign_bars()) gave a BAR. */
static uint64_t bar_address(struct udf_vpci *v, unsigned int bar)
{
	unsigned int offset = PCI_BASE_ADDRESS_0 + 4 * bar;
	uint64_t addr = vpci_get(v->shadow, offset, 4) & (v->bar[bar].io ? ~3u : ~15u);

	if (v->bar[bar].mem64)
		addr |= (uint64_t)vpci_get(v->shadow, offset + 4, 4) << 32;
	return addr;
}

static int find(struct udf_vpci *v, bool io, uint64_t addr, uint64_t size, unsigned int *bar, uint64_t *offset)
{
	int ret = -ENOENT;

	udf_spin_lock(&v->lock);
	for (unsigned int i = 0; ret && i < UDF_PORT_BARS; i++) {
		const struct udf_bar_info *info = &v->bar[i];
		uint64_t base = info->size && info->io == io ? bar_address(v, i) : 0;

		if (!base || addr - base >= info->size || size > info->size - (addr - base))
			continue;
		*bar = i;
		*offset = addr - base;
		ret = 0;
	}
	udf_spin_unlock(&v->lock);
	return ret;
}

int udf_vpci_find_mem(struct udf_vpci *v, uint64_t addr, uint64_t size, unsigned int *bar, uint64_t *offset)
{
	return find(v, false, addr, size, bar, offset);
}

int udf_vpci_find_io(struct udf_vpci *v, uint16_t port, unsigned int size, unsigned int *bar, uint64_t *offset)
{
	return find(v, true, port, size, bar, offset);
}

static bool shares_page(const struct vpci_region *r, unsigned int bar, uint64_t offset, uint64_t len)
{
	uint64_t start = r->offset & ~(PAGE - 1), end = (r->offset + r->len + PAGE - 1) & ~(PAGE - 1);

	return r->len && r->bar == bar && offset < end && start < offset + len;
}

bool udf_vpci_mappable(struct udf_vpci *v, unsigned int bar, uint64_t offset, uint64_t len)
{
	if (bar >= UDF_PORT_BARS || !v->bar[bar].mappable)
		return false;
	return !v->msix || (!shares_page(&v->table, bar, offset, len) && !shares_page(&v->pba, bar, offset, len));
}

bool udf_vpci_is_msix(struct udf_vpci *v, unsigned int offset, unsigned int size)
{
	return v->msix && overlaps(offset, size, v->msix + PCI_MSIX_FLAGS, 2);
}

int udf_vpci_modalias(struct udf_vpci *v, char *buf, size_t len)
{
	int n = snprintf(buf, len, "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X", vpci_get(v->shadow, PCI_VENDOR_ID, 2),
			 vpci_get(v->shadow, PCI_DEVICE_ID, 2), vpci_get(v->shadow, PCI_SUBSYSTEM_VENDOR_ID, 2),
			 vpci_get(v->shadow, PCI_SUBSYSTEM_ID, 2), v->shadow[PCI_CLASS_DEVICE + 1], v->shadow[PCI_CLASS_DEVICE],
			 v->shadow[PCI_CLASS_PROG]);

	return (size_t)n < len ? n : -ENOSPC;
}
