// SPDX-License-Identifier: GPL-2.0
/*
 * Configuration space: everything can be read; for each bit it is decided once, at probe, whether the process may write it.
 *
 * The rule is to refuse. What a device does within itself is the process's: registers that no capability claims below offset 256, and
 * vendor-specific capabilities. What concerns the bus, the slot, power, errors or other functions is the kernel's.
 */
#include <linux/pci.h>

#include "port.h"

#define CAP_SATA	0x12	/* a window to the function's own BAR */
#define COMMAND_BITS	(PCI_COMMAND_MASTER | PCI_COMMAND_INVALIDATE)

static void allow(struct udf_port *port, unsigned int offset, unsigned int len, u8 bits)
{
	while (len-- && offset < UDF_CONFIG_SIZE)
		port->writable[offset++] = bits;
}

/* How far the registers of a capability reach at most; what is behind belongs to nobody. */
static unsigned int cap_length(unsigned int id)
{
	switch (id) {
	case PCI_CAP_ID_PM:
	case PCI_CAP_ID_VPD:
	case PCI_CAP_ID_SSVID:
	case CAP_SATA:
		return 8;
	case PCI_CAP_ID_MSI:
		return 24;
	case PCI_CAP_ID_MSIX:
		return 12;
	case PCI_CAP_ID_EXP:
		return 0x3c;
	case PCI_CAP_ID_AF:
		return 6;
	default:
		return 256;
	}
}

/* A capability at POS that ends before END: the kernel's, with these exceptions. */
static void init_cap(struct udf_port *port, unsigned int id, unsigned int pos, unsigned int end)
{
	u8 len = 0;

	allow(port, pos, min(end - pos, cap_length(id)), 0);
	switch (id) {
	case PCI_CAP_ID_EXP:
		/* bits that a 1 clears */
		allow(port, pos + PCI_EXP_DEVSTA, 2, 0xff);
		break;
	case PCI_CAP_ID_VPD:
		port->vpd = pos;
		allow(port, pos + PCI_VPD_ADDR, 2, 0xff);
		break;
	case PCI_CAP_ID_VNDR:
		pci_read_config_byte(port->pdev, pos + 2, &len);
		if (len > 3)
			allow(port, pos + 3, min(end - pos - 3, len - 3u), 0xff);
		break;
	case CAP_SATA:
		allow(port, pos + 4, min(end - pos, 8u) - 4, 0xff);
		break;
	}
}

static void init_caps(struct udf_port *port)
{
	unsigned int ttl = 48, end;
	u8 start[48], id[48], pos, n = 0, i, k;
	u16 status, head;

	pci_read_config_word(port->pdev, PCI_STATUS, &status);
	if (!(status & PCI_STATUS_CAP_LIST))
		return;
	pci_read_config_byte(port->pdev, PCI_CAPABILITY_LIST, &pos);
	for (pos &= ~3; pos >= 0x40 && ttl--; pos = (head >> 8) & ~3) {
		pci_read_config_word(port->pdev, pos, &head);
		start[n] = pos;
		id[n++] = head & 0xff;
	}
	for (i = 0; i < n; i++) {
		for (end = 256, k = 0; k < n; k++)
			if (start[k] > start[i] && start[k] < end)
				end = start[k];
		init_cap(port, id[i], start[i], end);
	}
}

/* Extended space: vendor-specific capabilities only. */
static void init_ext_caps(struct udf_port *port)
{
	unsigned int pos = 256, ttl = 960;
	u32 head, vsec;

	while (pos >= 256 && pos < port->pdev->cfg_size && ttl--) {
		pci_read_config_dword(port->pdev, pos, &head);
		if (!head || head == ~0u)
			return;
		if (PCI_EXT_CAP_ID(head) == PCI_EXT_CAP_ID_VNDR) {
			pci_read_config_dword(port->pdev, pos + 4, &vsec);
			if (vsec >> 20 > 8)
				allow(port, pos + 8, (vsec >> 20) - 8, 0xff);
		}
		pos = PCI_EXT_CAP_NEXT(head) & ~3;
	}
}

void udf_config_init(struct udf_port *port)
{
	memset(port->writable, 0, sizeof(port->writable));
	allow(port, PCI_COMMAND, 1, COMMAND_BITS);
	allow(port, PCI_STATUS, 2, 0xff);		/* bits that a 1 clears */
	allow(port, PCI_CACHE_LINE_SIZE, 2, 0xff);	/* and latency timer */
	allow(port, 0x40, 256 - 0x40, 0xff);
	init_ext_caps(port);
	init_caps(port);
}

static int config_read(struct pci_dev *pdev, unsigned int offset, unsigned int size, u32 *value)
{
	u16 word = 0;
	u8 byte = 0;
	int ret;

	if (size == 4)
		return pci_user_read_config_dword(pdev, offset, value);
	if (size == 2) {
		ret = pci_user_read_config_word(pdev, offset, &word);
		*value = word;
	} else {
		ret = pci_user_read_config_byte(pdev, offset, &byte);
		*value = byte;
	}
	return ret;
}

static int config_write(struct udf_port *port, unsigned int offset, unsigned int size, u32 value)
{
	u32 mask = 0, old = 0, full = ~0u >> (32 - 8 * size);
	unsigned int i;
	int ret;

	for (i = 0; i < size; i++)
		mask |= (u32)port->writable[offset + i] << (8 * i);
	if (!mask)
		return 0;
	if (mask != full) {
		ret = config_read(port->pdev, offset, size, &old);
		if (ret)
			return ret;
		value = (old & ~mask) | (value & mask);
	}
	/* this bit would make it a write to the device's VPD */
	if (port->vpd && (offset & ~3u) == port->vpd && offset + size == port->vpd + 4)
		value &= ~(1u << (8 * size - 1));
	if (size == 4)
		return pci_user_write_config_dword(port->pdev, offset, value);
	if (size == 2)
		return pci_user_write_config_word(port->pdev, offset, value);
	return pci_user_write_config_byte(port->pdev, offset, value);
}

int udf_config_ioctl(struct udf_port *port, void *arg)
{
	struct udf_port_config_access *c = arg;

	if ((c->size != 1 && c->size != 2 && c->size != 4) || c->offset & (c->size - 1) || c->offset >= UDF_CONFIG_SIZE)
		return -EINVAL;
	if (c->offset >= port->pdev->cfg_size) {
		/* a conventional device has 256 bytes, and nobody answers behind them */
		c->value = c->flags & UDF_PORT_WRITE ? c->value : ~0u >> (32 - 8 * c->size);
		return 0;
	}
	if (c->flags & UDF_PORT_WRITE)
		return config_write(port, c->offset, c->size, c->value);
	return config_read(port->pdev, c->offset, c->size, &c->value);
}
