// SPDX-License-Identifier: GPL-2.0
/*
 * The port as a PCI function of QEMU's root bus: configuration space, BARs, reset. Host world.
 *
 * Guest-physical addresses that this file lays out; nothing but the device and its helper uses them:
 *
 *   0000_0000  RAM, the arena          c000_0000  memory BARs of up to 256 MiB
 *   b000_0000  configuration space     80_0000_0000  larger 64-bit BARs
 * 1_0000_0000  foreign memory             I/O ports c000 ... ffff: BARs in I/O space
 *
 * Memory and I/O decoding stay enabled from the start; bus mastering is the driver's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "port/qemu-int.h"

#define ECAM_BASE	0xb0000000ull
#define HOST_BRIDGE_PCIEXBAR 0x60	/* of the q35 host bridge: address of configuration space, bit 0 enables */
#define MEM_BASE	0xc0000000ull
#define MEM_END		0xfe000000ull
#define MEM_LARGE	(256ull << 20)
#define MEM_HIGH_BASE	0x8000000000ull
#define IO_BASE		0xc000u
#define IO_END		0x10000u
#define PAGE		4096u
#define CONFIG_ADDRESS	0xcf8
#define CONFIG_DATA	0xcfc

struct layout { uint64_t mem, high, io; };

static uint64_t ecam(uint8_t devfn, unsigned int offset)
{
	return ECAM_BASE + ((uint64_t)devfn << 12) + offset;
}

static int cfg_read(struct qemu_port *q, uint8_t devfn, unsigned int offset, unsigned int size, uint32_t *value)
{
	uint64_t v = 0;
	int ret = udf_qtest_read(&q->qtest, ecam(devfn, offset), size, &v);

	*value = ret ? ~0u : (uint32_t)v;
	return ret;
}

static int cfg_write(struct qemu_port *q, uint8_t devfn, unsigned int offset, unsigned int size, uint32_t value)
{
	return udf_qtest_write(&q->qtest, ecam(devfn, offset), size, value);
}

static bool config_valid(unsigned int offset, unsigned int size)
{
	return (size == 1 || size == 2 || size == 4) && !(offset & (size - 1)) && offset < 4096;
}

int udf_qemu_config_read(struct udf_port *port, unsigned int offset, unsigned int size, uint32_t *value)
{
	struct qemu_port *q = to_qemu(port);

	*value = ~0u >> (32 - 8 * (size & 7 ? size & 7 : 4));
	if (!config_valid(offset, size))
		return -EINVAL;
	if (offset >= 256 && !q->pcie)
		return 0;
	return cfg_read(q, q->args.devfn, offset, size, value);
}

int udf_qemu_config_write(struct udf_port *port, unsigned int offset, unsigned int size, uint32_t value)
{
	struct qemu_port *q = to_qemu(port);

	if (!config_valid(offset, size))
		return -EINVAL;
	if (offset >= 256 && !q->pcie)
		return 0;
	return cfg_write(q, q->args.devfn, offset, size, value);
}

int udf_qemu_bar_info(struct udf_port *port, unsigned int bar, struct udf_bar_info *info)
{
	memset(info, 0, sizeof(*info));
	if (bar >= UDF_PORT_BARS)
		return -EINVAL;
	*info = to_qemu(port)->bar[bar].info;
	return 0;
}

static const struct qemu_bar *find_bar(struct qemu_port *q, unsigned int bar, uint64_t offset, unsigned int size)
{
	const struct qemu_bar *b = &q->bar[bar];

	if (bar >= UDF_PORT_BARS || offset >= b->info.size || size > b->info.size - offset)
		return NULL;
	return size == 1 || size == 2 || size == 4 || (size == 8 && !b->info.io) ? b : NULL;
}

int udf_qemu_bar_read(struct udf_port *port, unsigned int bar, uint64_t offset, unsigned int size, uint64_t *value)
{
	struct qemu_port *q = to_qemu(port);
	const struct qemu_bar *b = find_bar(q, bar, offset, size);

	*value = ~0ull;
	if (!b)
		return -EINVAL;
	if (b->info.io)
		return udf_qtest_in(&q->qtest, (uint16_t)(b->addr + offset), size, value);
	return udf_qtest_read(&q->qtest, b->addr + offset, size, value);
}

int udf_qemu_bar_write(struct udf_port *port, unsigned int bar, uint64_t offset, unsigned int size, uint64_t value)
{
	struct qemu_port *q = to_qemu(port);
	const struct qemu_bar *b = find_bar(q, bar, offset, size);

	if (!b)
		return -EINVAL;
	if (b->info.io)
		return udf_qtest_out(&q->qtest, (uint16_t)(b->addr + offset), size, value);
	return udf_qtest_write(&q->qtest, b->addr + offset, size, value);
}

/* Give the bus its memory-mapped configuration space, through the two ports that are always there. */
static int enable_ecam(struct qemu_port *q)
{
	int ret = udf_qtest_out(&q->qtest, CONFIG_ADDRESS, 4, 1u << 31 | (HOST_BRIDGE_PCIEXBAR + 4));

	if (!ret)
		ret = udf_qtest_out(&q->qtest, CONFIG_DATA, 4, ECAM_BASE >> 32);
	if (!ret)
		ret = udf_qtest_out(&q->qtest, CONFIG_ADDRESS, 4, 1u << 31 | HOST_BRIDGE_PCIEXBAR);
	return ret ? ret : udf_qtest_out(&q->qtest, CONFIG_DATA, 4, (ECAM_BASE & ~0u) | 1);
}

/* Put a BAR of SIZE bytes somewhere; BARs are as aligned as they are large, and have their pages for themselves. */
static int place(struct layout *l, const struct udf_bar_info *info, uint64_t *addr)
{
	uint64_t *next = info->io ? &l->io : info->mem64 && info->size > MEM_LARGE ? &l->high : &l->mem;
	uint64_t end = info->io ? IO_END : next == &l->mem ? MEM_END : ~0ull;

	uint64_t align = info->io || info->size > PAGE ? info->size : PAGE;

	*addr = (*next + align - 1) & ~(align - 1);
	if (*addr >= end || info->size > end - *addr)
		return -ENOSPC;
	*next = *addr + info->size;
	return 0;
}

/* Size one BAR, and fill B. */
static int probe_bar(struct qemu_port *q, unsigned int bar, struct qemu_bar *b)
{
	unsigned int offset = PCI_BASE_ADDRESS_0 + 4 * bar;
	uint32_t low, high = ~0u;
	uint64_t mask;
	int ret;

	memset(b, 0, sizeof(*b));
	ret = cfg_write(q, q->args.devfn, offset, 4, ~0u);
	if (!ret)
		ret = cfg_read(q, q->args.devfn, offset, 4, &low);
	if (ret || !low)
		return ret;
	b->info.io = low & PCI_BASE_ADDRESS_SPACE_IO;
	if (b->info.io) {
		mask = (low & PCI_BASE_ADDRESS_IO_MASK & 0xffff) | 0xffffffffffff0000;
	} else {
		b->info.mem64 = (low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;
		b->info.prefetch = low & PCI_BASE_ADDRESS_MEM_PREFETCH;
		if (b->info.mem64) {
			ret = cfg_write(q, q->args.devfn, offset + 4, 4, ~0u);
			if (!ret)
				ret = cfg_read(q, q->args.devfn, offset + 4, 4, &high);
			if (ret)
				return ret;
		}
		mask = (uint64_t)high << 32 | (low & (uint32_t)PCI_BASE_ADDRESS_MEM_MASK);
	}
	b->info.size = ~mask + 1;
	return 0;
}

/* What a reset loses: addresses and decoding. Bus mastering and all interrupts are off afterwards. */
static int restore_bars(struct qemu_port *q)
{
	int ret = cfg_write(q, q->args.devfn, PCI_COMMAND, 2, 0);

	for (unsigned int i = 0; !ret && i < UDF_PORT_BARS; i++) {
		const struct qemu_bar *b = &q->bar[i];

		if (!b->info.size)
			continue;
		ret = cfg_write(q, q->args.devfn, PCI_BASE_ADDRESS_0 + 4 * i, 4, (uint32_t)b->addr);
		if (!ret && b->info.mem64)
			ret = cfg_write(q, q->args.devfn, PCI_BASE_ADDRESS_0 + 4 * i + 4, 4, (uint32_t)(b->addr >> 32));
	}
	return ret ? ret : cfg_write(q, q->args.devfn, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
}

/* The ivshmem device's registers; its other BARs stay where nothing reaches them. */
static int restore_helper(struct qemu_port *q)
{
	int ret = cfg_write(q, q->args.helper_devfn, PCI_BASE_ADDRESS_0, 4, (uint32_t)(q->doorbell - UDF_IVSHMEM_DOORBELL));

	return ret ? ret : cfg_write(q, q->args.helper_devfn, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
}

static int assign_bars(struct qemu_port *q, struct udf_error *err)
{
	static const struct udf_bar_info helper = { .size = 256 };
	struct layout l = { .mem = MEM_BASE, .high = MEM_HIGH_BASE, .io = IO_BASE };
	int ret = cfg_write(q, q->args.devfn, PCI_COMMAND, 2, 0);

	place(&l, &helper, &q->doorbell);
	q->doorbell += UDF_IVSHMEM_DOORBELL;
	for (unsigned int i = 0; !ret && i < UDF_PORT_BARS; i++) {
		struct qemu_bar *b = &q->bar[i];

		ret = probe_bar(q, i, b);
		if (!ret && b->info.size && place(&l, &b->info, &b->addr))
			return udf_error_set(err, -ENOSPC, "%s: no room for BAR %u of %llu bytes", q->port.address, i,
					     (unsigned long long)b->info.size);
		b->info.bus = b->addr;
		if (b->info.mem64)
			i++;
	}
	if (!ret)
		ret = restore_bars(q);
	return ret ? ret : restore_helper(q);
}

/* Capability ID of the driven device, 0 if it has none. */
static unsigned int find_cap(struct qemu_port *q, unsigned int id)
{
	uint32_t status, pos, head;

	if (cfg_read(q, q->args.devfn, PCI_STATUS, 2, &status) || !(status & PCI_STATUS_CAP_LIST) ||
	    cfg_read(q, q->args.devfn, PCI_CAPABILITY_LIST, 1, &pos))
		return 0;
	for (int ttl = 48; (pos &= ~3u) >= 0x40 && ttl--; pos = head >> 8 & 0xff) {
		if (cfg_read(q, q->args.devfn, pos, 2, &head))
			return 0;
		if ((head & 0xff) == id)
			return pos;
	}
	return 0;
}

/* A function level reset: through the PCI Express capability, or the Advanced Features one. */
static int read_caps(struct qemu_port *q)
{
	uint32_t value = 0, table = 0, pin = 0;
	int ret;

	q->msi = find_cap(q, PCI_CAP_ID_MSI);
	q->msix = find_cap(q, PCI_CAP_ID_MSIX);
	q->exp = find_cap(q, PCI_CAP_ID_EXP);
	q->af = find_cap(q, PCI_CAP_ID_AF);
	q->pcie = q->exp;
	ret = cfg_read(q, q->args.devfn, PCI_INTERRUPT_PIN, 1, &pin);
	q->intx_pin = pin >= 1 && pin <= 4;
	if (!ret && q->exp) {
		ret = cfg_read(q, q->args.devfn, q->exp + PCI_EXP_DEVCAP, 4, &value);
		if (!(value & PCI_EXP_DEVCAP_FLR))
			q->exp = 0;
	}
	if (!ret && q->af) {
		ret = cfg_read(q, q->args.devfn, q->af + PCI_AF_CAP, 1, &value);
		if (!(value & PCI_AF_CAP_FLR))
			q->af = 0;
	}
	if (!ret && q->msi) {
		ret = cfg_read(q, q->args.devfn, q->msi + PCI_MSI_FLAGS, 2, &value);
		q->msi_count = 1u << ((value & PCI_MSI_FLAGS_QMASK) >> 1);
	}
	if (!ret && q->msix) {
		ret = cfg_read(q, q->args.devfn, q->msix + PCI_MSIX_FLAGS, 2, &value);
		if (!ret)
			ret = cfg_read(q, q->args.devfn, q->msix + PCI_MSIX_TABLE, 4, &table);
		q->msix_count = (value & PCI_MSIX_FLAGS_QSIZE) + 1;
		if ((table & PCI_MSIX_TABLE_BIR) < UDF_PORT_BARS)
			q->msix_table = q->bar[table & PCI_MSIX_TABLE_BIR].addr + (table & PCI_MSIX_TABLE_OFFSET);
	}
	return ret;
}

int udf_qemu_pci_init(struct qemu_port *q, struct udf_error *err)
{
	uint32_t id, header;
	int ret;

	ret = enable_ecam(q);
	if (!ret)
		ret = cfg_read(q, q->args.devfn, PCI_VENDOR_ID, 4, &id);
	if (!ret)
		ret = cfg_read(q, q->args.devfn, PCI_HEADER_TYPE, 1, &header);
	if (!ret && id == ~0u)
		return udf_error_set(err, -ENODEV, "%s: %s is not a PCI device, or does not sit on the root bus", q->port.address, q->args.model);
	if (!ret && (header & 0x7f) != PCI_HEADER_TYPE_NORMAL)
		return udf_error_set(err, -EINVAL, "%s: %s is a bridge, not a device", q->port.address, q->args.model);
	if (!ret)
		ret = assign_bars(q, err);
	return ret ? ret : read_caps(q);
}

/* The whole machine: the device has no reset of its own. RAM keeps its contents. */
static int reset_machine(struct qemu_port *q)
{
	int ret = udf_qtest_sync(&q->qtest);

	if (!ret)
		ret = udf_qmp_system_reset(&q->qmp);
	if (!ret)
		ret = enable_ecam(q);
	return ret ? ret : restore_helper(q);
}

int udf_qemu_reset(struct udf_port *port)
{
	struct qemu_port *q = to_qemu(port);
	uint32_t control;
	int ret;

	if (q->exp) {
		ret = cfg_read(q, q->args.devfn, q->exp + PCI_EXP_DEVCTL, 2, &control);
		if (!ret)
			ret = cfg_write(q, q->args.devfn, q->exp + PCI_EXP_DEVCTL, 2, control | PCI_EXP_DEVCTL_BCR_FLR);
	} else if (q->af) {
		ret = cfg_write(q, q->args.devfn, q->af + PCI_AF_CTRL, 1, PCI_AF_CTRL_FLR);
	} else {
		ret = reset_machine(q);
	}
	if (!ret)
		ret = restore_bars(q);
	udf_qemu_irq_forget(q);
	return ret ? ret : udf_qtest_sync(&q->qtest);
}
