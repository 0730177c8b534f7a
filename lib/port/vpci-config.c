// SPDX-License-Identifier: GPL-2.0
/*
 * The virtual PCI function: who answers for which bit of configuration space. Host world.
 *
 * Hidden are capabilities that describe what the port does not have here: further functions (ARI, SR-IOV, MR-IOV), services of an
 * IOMMU that kernel code would have to talk to (ATS, PRI, PASID), BARs that move or grow (Enhanced Allocation, Resizable BAR), slots
 * and ports (SHPC, DPC), and AGP. A hidden capability is taken out of the list; its registers are not in the way of anything.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stddef.h>
#include <string.h>

#include "layout.h"
#include "port/vpci-int.h"

#define IO_BASE		0x1000u		/* below lie the ports of a PC's own devices */
#define IO_END		0x10000u
#define PAGE		4096u
#define CAP_SHPC	0x0c
#define CAP_EA		0x14
#define EXT_CAP_VF_REBAR 0x25

static int raw_read(struct udf_vpci *v, unsigned int offset, unsigned int size, uint32_t *value)
{
	return v->port->ops->config_read(v->port, offset, size, value);
}

/* SIZE bytes at OFFSET are virtual: they are VALUE, of which the kernel code may change WRITABLE. */
static void make_virtual(struct udf_vpci *v, unsigned int offset, unsigned int size, uint32_t value, uint32_t writable)
{
	vpci_put(v->virt, offset, size, ~0u);
	vpci_put(v->shadow, offset, size, value);
	vpci_put(v->writable, offset, size, writable);
}

/* Only the bits of MASK are virtual. */
static void make_bits_virtual(struct udf_vpci *v, unsigned int offset, unsigned int size, uint32_t mask, uint32_t value, uint32_t writable)
{
	vpci_put(v->virt, offset, size, vpci_get(v->virt, offset, size) | mask);
	vpci_put(v->shadow, offset, size, (vpci_get(v->shadow, offset, size) & ~mask) | (value & mask));
	vpci_put(v->writable, offset, size, (vpci_get(v->writable, offset, size) & ~mask) | (writable & mask));
}

/* What never changes is read once. */
static int make_constant(struct udf_vpci *v, unsigned int offset, unsigned int size)
{
	uint32_t value;
	int ret = raw_read(v, offset, size, &value);

	if (!ret)
		make_virtual(v, offset, size, value, 0);
	return ret;
}

static uint32_t bar_flags(const struct udf_bar_info *info)
{
	if (info->io)
		return PCI_BASE_ADDRESS_SPACE_IO;
	return (info->mem64 ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0) | (info->prefetch ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0);
}

static void init_bar(struct udf_vpci *v, unsigned int bar, uint64_t addr)
{
	const struct udf_bar_info *info = &v->bar[bar];
	unsigned int offset = PCI_BASE_ADDRESS_0 + 4 * bar;
	uint64_t mask = ~(info->size - 1);

	make_virtual(v, offset, 4, (uint32_t)addr | bar_flags(info), (uint32_t)mask & (info->io ? ~3u : ~15u));
	if (info->mem64)
		make_virtual(v, offset + 4, 4, (uint32_t)(addr >> 32), (uint32_t)(mask >> 32));
}

/* The largest BAR of the kind IO that has no address yet and is not larger than MAX; -1: none. */
static int next_bar(struct udf_vpci *v, bool io, uint32_t done)
{
	int best = -1;

	for (int i = 0; i < UDF_PORT_BARS; i++)
		if (v->bar[i].size && v->bar[i].io == io && !(done & 1u << i) && (best < 0 || v->bar[i].size > v->bar[best].size))
			best = i;
	return best;
}

/*
 * Where the transport has them, else as firmware would, the largest first. A BAR for which there is no room gets no address; the PCI core
 * copes.
 */
static void assign_bars(struct udf_vpci *v, bool io)
{
	uint64_t next = io ? IO_BASE : UDF_PCI_WINDOW_BASE, end = io ? IO_END : UDF_PCI_WINDOW_END;
	uint32_t done = 0;
	int bar;

	while ((bar = next_bar(v, io, done)) >= 0) {
		uint64_t size = v->bar[bar].size, align = io || size > PAGE ? size : PAGE, addr = (next + align - 1) & ~(align - 1);

		done |= 1u << bar;
		if (v->bar[bar].bus)
			addr = v->bar[bar].bus;
		else if (addr >= end || size > end - addr)
			addr = 0;
		else
			next = addr + size;
		init_bar(v, (unsigned int)bar, addr);
	}
}

static int init_header(struct udf_vpci *v)
{
	uint32_t header, line;
	int ret = make_constant(v, PCI_VENDOR_ID, 4);

	if (!ret)
		ret = make_constant(v, PCI_CLASS_REVISION, 4);
	if (!ret)
		ret = make_constant(v, PCI_SUBSYSTEM_VENDOR_ID, 4);
	if (!ret)
		ret = make_constant(v, PCI_CAPABILITY_LIST, 1);
	if (!ret)
		ret = make_constant(v, PCI_INTERRUPT_PIN, 1);
	if (!ret)
		ret = raw_read(v, PCI_HEADER_TYPE, 1, &header);
	if (!ret)
		ret = raw_read(v, PCI_INTERRUPT_LINE, 1, &line);
	if (ret)
		return ret;
	if ((header & 0x7f) != PCI_HEADER_TYPE_NORMAL)
		return -EOPNOTSUPP;
	make_virtual(v, PCI_HEADER_TYPE, 1, PCI_HEADER_TYPE_NORMAL, 0);
	make_virtual(v, PCI_INTERRUPT_LINE, 1, line, 0xff);
	make_virtual(v, PCI_ROM_ADDRESS, 4, 0, 0);
	make_bits_virtual(v, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 0, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	for (unsigned int i = 0; i < UDF_PORT_BARS; i++) {
		ret = v->port->ops->bar_info(v->port, i, &v->bar[i]);
		if (ret)
			return ret;
		make_virtual(v, PCI_BASE_ADDRESS_0 + 4 * i, 4, 0, 0);
	}
	assign_bars(v, false);
	assign_bars(v, true);
	return 0;
}

static int init_msi(struct udf_vpci *v, unsigned int pos)
{
	uint32_t flags, mask_offset, vectors;
	int ret = raw_read(v, pos + PCI_MSI_FLAGS, 2, &flags);

	if (ret)
		return ret;
	if (!v->port->ops->irq_count(v->port, UDF_IRQ_MSI))
		return -ENOENT;		/* hidden: the transport cannot */
	v->msi = pos;
	v->msi64 = flags & PCI_MSI_FLAGS_64BIT;
	v->msi_maskable = flags & PCI_MSI_FLAGS_MASKBIT;
	vectors = 1u << ((flags & PCI_MSI_FLAGS_QMASK) >> 1);
	make_virtual(v, pos + PCI_MSI_FLAGS, 2, flags & (PCI_MSI_FLAGS_QMASK | PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT),
		     PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
	make_virtual(v, pos + PCI_MSI_ADDRESS_LO, 4, 0, ~3u);
	if (v->msi64)
		make_virtual(v, pos + PCI_MSI_ADDRESS_HI, 4, 0, ~0u);
	make_virtual(v, pos + (v->msi64 ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32), 2, 0, 0xffff);
	if (!v->msi_maskable)
		return 0;
	mask_offset = pos + (v->msi64 ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32);
	make_virtual(v, mask_offset, 4, 0, vectors == 32 ? ~0u : (1u << vectors) - 1);
	make_virtual(v, mask_offset + 4, 4, 0, 0);
	return 0;
}

static int init_msix(struct udf_vpci *v, unsigned int pos)
{
	uint32_t flags, table, pba;
	int ret = raw_read(v, pos + PCI_MSIX_FLAGS, 2, &flags);

	if (!ret)
		ret = raw_read(v, pos + PCI_MSIX_TABLE, 4, &table);
	if (!ret)
		ret = raw_read(v, pos + PCI_MSIX_PBA, 4, &pba);
	if (ret)
		return ret;
	v->nr_entries = (flags & PCI_MSIX_FLAGS_QSIZE) + 1;
	if (v->port->ops->irq_count(v->port, UDF_IRQ_MSIX) < v->nr_entries)
		return -ENOENT;
	v->msix = pos;
	make_virtual(v, pos + PCI_MSIX_FLAGS, 2, flags & PCI_MSIX_FLAGS_QSIZE, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	make_virtual(v, pos + PCI_MSIX_TABLE, 4, table, 0);
	make_virtual(v, pos + PCI_MSIX_PBA, 4, pba, 0);
	v->table = (struct vpci_region){ .bar = table & PCI_MSIX_TABLE_BIR, .offset = table & PCI_MSIX_TABLE_OFFSET,
					 .len = (uint64_t)v->nr_entries * PCI_MSIX_ENTRY_SIZE };
	v->pba = (struct vpci_region){ .bar = pba & PCI_MSIX_PBA_BIR, .offset = pba & PCI_MSIX_PBA_OFFSET,
				       .len = (v->nr_entries + 63ull) / 64 * 8 };
	return 0;
}

/* Resets that are asked for by a bit which never reads as set: ours, the transport's reset stands behind it. */
static int init_resets(struct udf_vpci *v, unsigned int id, unsigned int pos)
{
	uint32_t value;
	int ret = 0;

	if (id == PCI_CAP_ID_EXP) {
		ret = raw_read(v, pos + PCI_EXP_DEVCAP, 4, &value);
		if (!ret && value & PCI_EXP_DEVCAP_FLR) {
			v->devctl_flr = pos + PCI_EXP_DEVCTL;
			make_bits_virtual(v, v->devctl_flr, 2, PCI_EXP_DEVCTL_BCR_FLR, 0, 0);
		}
	} else if (id == PCI_CAP_ID_AF) {
		ret = raw_read(v, pos + PCI_AF_CAP, 1, &value);
		if (!ret && value & PCI_AF_CAP_FLR) {
			v->af_flr = pos + PCI_AF_CTRL;
			make_bits_virtual(v, v->af_flr, 1, PCI_AF_CTRL_FLR, 0, 0);
		}
	} else if (id == PCI_CAP_ID_PM) {
		ret = raw_read(v, pos + PCI_PM_CTRL, 2, &value);
		if (!ret && !(value & PCI_PM_CTRL_NO_SOFT_RESET))
			v->pm = pos;
		v->pm_state = value & PCI_PM_CTRL_STATE_MASK;
	}
	return ret;
}

/* Set up the capability ID at POS. Returns -ENOENT when it is to be hidden. */
static int init_cap(struct udf_vpci *v, unsigned int id, unsigned int pos)
{
	switch (id) {
	case PCI_CAP_ID_MSI:
		return init_msi(v, pos);
	case PCI_CAP_ID_MSIX:
		return init_msix(v, pos);
	case PCI_CAP_ID_AGP:
	case CAP_SHPC:
	case CAP_EA:
		return -ENOENT;
	default:
		return init_resets(v, id, pos);
	}
}

static int init_caps(struct udf_vpci *v)
{
	unsigned int link = PCI_CAPABILITY_LIST, pos;	/* link: where the pointer to the next visible one is */
	uint32_t status, head;
	int ret = raw_read(v, PCI_STATUS, 2, &status);

	if (ret || !(status & PCI_STATUS_CAP_LIST))
		return ret;
	pos = v->shadow[link] & ~3u;
	for (int ttl = 48; pos >= 0x40 && ttl; ttl--) {
		ret = raw_read(v, pos, 2, &head);
		if (!ret)
			ret = init_cap(v, head & 0xff, pos);
		if (ret && ret != -ENOENT)
			return ret;
		make_virtual(v, link, 1, pos, 0);
		if (!ret) {
			link = pos + PCI_CAP_LIST_NEXT;
			make_virtual(v, pos, 1, head & 0xff, 0);
		}
		pos = head >> 8 & 0xfc;
		make_virtual(v, link, 1, pos, 0);
	}
	return 0;
}

static bool ext_cap_hidden(unsigned int id)
{
	switch (id) {
	case PCI_EXT_CAP_ID_ARI:
	case PCI_EXT_CAP_ID_ATS:
	case PCI_EXT_CAP_ID_SRIOV:
	case PCI_EXT_CAP_ID_MRIOV:
	case PCI_EXT_CAP_ID_PRI:
	case PCI_EXT_CAP_ID_REBAR:
	case EXT_CAP_VF_REBAR:
	case PCI_EXT_CAP_ID_PASID:
	case PCI_EXT_CAP_ID_DPC:
		return true;
	default:
		return false;
	}
}

static int init_ext_caps(struct udf_vpci *v)
{
	unsigned int pos = 256, link = 0;	/* link: the last visible one */
	uint32_t head;

	for (int ttl = 960; pos >= 256 && pos < VPCI_CONFIG && ttl; ttl--) {
		int ret = raw_read(v, pos & ~3u, 4, &head);

		if (ret)
			return ret;
		if (!head || head == ~0u)
			break;
		if (!ext_cap_hidden(PCI_EXT_CAP_ID(head))) {
			link = pos;
		} else if (pos == 256) {
			/* the list begins here in any case: a capability that is none */
			make_bits_virtual(v, pos, 4, 0xfffff, 0, 0);
			link = pos;
		}
		pos = PCI_EXT_CAP_NEXT(head);
		if (link)
			make_bits_virtual(v, link, 4, 0xfff00000, pos << 20, 0);
	}
	return 0;
}

int udf_vpci_config_init(struct udf_vpci *v)
{
	int ret = init_header(v);

	if (!ret)
		ret = init_caps(v);
	if (!ret)
		ret = init_ext_caps(v);
	/* a reset leaves what the kernel code cannot write, and zeroes what it can */
	for (unsigned int i = 0; i < VPCI_CONFIG; i++)
		v->reset_value[i] = v->shadow[i] & (uint8_t)~v->writable[i];
	return ret;
}
