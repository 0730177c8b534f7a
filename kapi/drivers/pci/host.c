// SPDX-License-Identifier: GPL-2.0
/*
 * The PCI bus of a driver process: one host bridge, one bus, one device: the port. Kernel world.
 *
 * Configuration space goes over the transport, which shows virtual BARs and MSI structures; scanning, sizing, assigning and
 * driver matching are the image's.
 */
#include <linux/async.h>
#include <linux/dma-direct.h>
#include <linux/ioport.h>
#include <linux/pci.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <asm/pci.h>

#include "kapi.h"
#include "layout.h"

extern struct bus_type pci_bus_type;
extern u8 pci_cache_line_size;

static struct pci_bus *kapi_bus;
static struct bus_dma_region *kapi_dma_map;

static bool kapi_is_port(struct pci_bus *bus, unsigned int devfn)
{
	int port = host_pci_present();

	return port >= 0 && bus->number == 0 && devfn == (port & 0xff);
}

static int kapi_pci_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	*value = ~0u;
	if (!kapi_is_port(bus, devfn))
		return PCIBIOS_DEVICE_NOT_FOUND;
	return host_pci_read(where, size, value) ? PCIBIOS_SET_FAILED : PCIBIOS_SUCCESSFUL;
}

static int kapi_pci_write(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 value)
{
	if (!kapi_is_port(bus, devfn))
		return PCIBIOS_DEVICE_NOT_FOUND;
	return host_pci_write(where, size, value) ? PCIBIOS_SET_FAILED : PCIBIOS_SUCCESSFUL;
}

static struct pci_ops kapi_pci_ops = {
	.read = kapi_pci_read,
	.write = kapi_pci_write,
};

static struct pci_sysdata kapi_sysdata = { .node = NUMA_NO_NODE };

/* BARs are at their addresses on the device's own bus: these are names here, which ioremap() looks up, and may be those of memory. */
static struct resource kapi_mem_window = {
	.name = "UDF PCI memory",
	.start = UDF_PCI_WINDOW_BASE,	/* where BARs go that are nowhere yet */
	.flags = IORESOURCE_MEM,
};

static struct resource kapi_io_window = {
	.name = "UDF PCI I/O",
	.start = 0x1000,
	.end = 0xffff,
	.flags = IORESOURCE_IO,
};

/*
 * Device addresses are arithmetic on physical ones: one range for each piece of the arena, one for the kernel's zero page, which lies
 * in the image and is read by the device from a page of zeroes in the arena, and one for all foreign memory (front/foreign.c).
 */
static unsigned int kapi_nr_ranges(void)
{
	return kapi_mem.nr_ranges + 3;	/* the last one is the end */
}

static struct bus_dma_region *kapi_dma_ranges(void)
{
	struct bus_dma_region *map = kcalloc(kapi_nr_ranges(), sizeof(*map), GFP_KERNEL);
	static unsigned long zero;
	unsigned int i, n = kapi_mem.nr_ranges;

	zero = zero ?: get_zeroed_page(GFP_KERNEL);
	if (!map || !zero) {
		kfree(map);
		return NULL;
	}
	for (i = 0; i < n; i++) {
		map[i].cpu_start = kapi_mem.range[i].phys;
		map[i].dma_start = kapi_mem.range[i].dev;
		map[i].size = kapi_mem.range[i].len;
		map[i].offset = (u64)map[i].cpu_start - (u64)map[i].dma_start;
	}
	for (i = 0; i < n; i++) {
		if (zero < map[i].cpu_start || zero - map[i].cpu_start >= map[i].size)
			continue;
		map[n].cpu_start = (unsigned long)empty_zero_page;
		map[n].dma_start = map[i].dma_start + (zero - map[i].cpu_start);
		map[n].size = PAGE_SIZE;
		map[n].offset = (u64)map[n].cpu_start - (u64)map[n].dma_start;
	}
	/* Last: device addresses of the arena are the arena's. */
	map[n + 1].cpu_start = UDF_FOREIGN_BASE;
	map[n + 1].size = UDF_FOREIGN_SIZE;
	map[n + 1].offset = UDF_FOREIGN_BASE;
	return map;
}

/*
 * A device that is bound has a copy of the ranges of its own, which the driver core frees when it is unbound. Where there are more of them it
 * gets another one: CPUs may still be looking at the one before, which stays as long as they could.
 */
static struct device *kapi_bound;
static const struct bus_dma_region *kapi_old_maps[HOST_DMA_RANGES_MAX];
static unsigned int kapi_nr_old_maps;

static const struct bus_dma_region *kapi_dma_copy(void)
{
	return kmemdup(kapi_dma_map, kapi_nr_ranges() * sizeof(*kapi_dma_map), GFP_KERNEL);
}

static int kapi_bind_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct device *dev = data;
	unsigned int noreclaim = memalloc_noreclaim_save();

	mutex_lock(&kapi_mem_lock);
	if (action == BUS_NOTIFY_BIND_DRIVER) {
		while (kapi_nr_old_maps)
			kfree(kapi_old_maps[--kapi_nr_old_maps]);
		dev->dma_range_map = kapi_dma_copy();
		kapi_bound = dev;
	} else if (action == BUS_NOTIFY_UNBIND_DRIVER || action == BUS_NOTIFY_DRIVER_NOT_BOUND) {
		kapi_bound = NULL;
	}
	/* the driver that goes would not know of more */
	if (action == BUS_NOTIFY_UNBIND_DRIVER || action == BUS_NOTIFY_UNBOUND_DRIVER)
		kapi_mem_still = action == BUS_NOTIFY_UNBIND_DRIVER;
	mutex_unlock(&kapi_mem_lock);
	memalloc_noreclaim_restore(noreclaim);
	return NOTIFY_OK;
}

static int kapi_bound_update(void)
{
	const struct bus_dma_region *copy;

	if (!kapi_bound || !kapi_bound->dma_range_map)
		return 0;
	copy = kapi_nr_old_maps < ARRAY_SIZE(kapi_old_maps) ? kapi_dma_copy() : NULL;
	if (!copy)
		return -ENOMEM;
	kapi_old_maps[kapi_nr_old_maps++] = kapi_bound->dma_range_map;
	smp_store_release(&kapi_bound->dma_range_map, copy);
	return 0;
}

int kapi_pci_ranges_add(const struct host_mem *piece)
{
	struct bus_dma_region *old = kapi_dma_map;
	unsigned int i, n = kapi_mem.nr_ranges;

	if (piece->nr_ranges > HOST_DMA_RANGES_MAX - n)
		return -ENOSPC;
	for (i = 0; i < piece->nr_ranges; i++) {
		struct host_dma_range *last = &kapi_mem.range[kapi_mem.nr_ranges - 1];
		const struct host_dma_range *r = &piece->range[i];

		if (last->dev + last->len == r->dev)
			last->len += r->len;
		else
			kapi_mem.range[kapi_mem.nr_ranges++] = *r;
	}
	kapi_mem.size += piece->size;
	if (!old)
		return 0;
	kapi_dma_map = kapi_dma_ranges();
	if (!kapi_dma_map) {
		kapi_dma_map = old;
		return -ENOMEM;
	}
	kfree(old);
	return kapi_bound_update();
}

static struct notifier_block kapi_bind = { .notifier_call = kapi_bind_notify };

int kapi_pci_scan(void)
{
	LIST_HEAD(windows);

	pci_cache_line_size = 64 / 4;
	iomem_resource.end = kapi_mem_window.end = (1ull << boot_cpu_data.x86_phys_bits) - 1;
	if (host_pci_present() < 0)
		return 0;
	kapi_dma_map = kapi_dma_ranges();
	if (!kapi_dma_map)
		return -ENOMEM;
	if (request_resource(&iomem_resource, &kapi_mem_window) || request_resource(&ioport_resource, &kapi_io_window))
		return -EBUSY;
	pci_add_resource(&windows, &kapi_io_window);
	pci_add_resource(&windows, &kapi_mem_window);
	bus_register_notifier(&pci_bus_type, &kapi_bind);
	kapi_bus = pci_scan_root_bus(NULL, 0, &kapi_pci_ops, &kapi_sysdata, &windows);
	if (!kapi_bus)
		return -ENODEV;
	pci_lock_rescan_remove();
	/* function N of a card stands alone here: a bus scan skips slots without a function 0 */
	pci_scan_single_device(kapi_bus, host_pci_present() & 0xff);
	pci_bus_claim_resources(kapi_bus);
	pci_assign_unassigned_bus_resources(kapi_bus);
	pci_unlock_rescan_remove();
	return 0;
}

/* Drivers that were loaded before there was a port have it when this returns, as with those that are loaded later. */
int kapi_pci_probe(void)
{
	if (!kapi_bus)
		return 0;
	pci_lock_rescan_remove();
	pci_bus_add_devices(kapi_bus);
	pci_unlock_rescan_remove();
	async_synchronize_full();
	return 0;
}

/* The driver's remove runs, then the device leaves the bus. */
void kapi_pci_remove(void)
{
	struct pci_dev *dev, *next;

	if (!kapi_bus)
		return;
	pci_lock_rescan_remove();
	list_for_each_entry_safe(dev, next, &kapi_bus->devices, bus_list)
		pci_stop_and_remove_bus_device(dev);
	pci_unlock_rescan_remove();
}

u64 kapi_pci_dma_mask(void)
{
	struct pci_dev *dev;
	u64 mask;

	if (!kapi_bus)
		return 0;
	pci_lock_rescan_remove();
	dev = list_first_entry_or_null(&kapi_bus->devices, struct pci_dev, bus_list);
	mask = dev ? min_not_zero(dma_get_mask(&dev->dev), dev->dev.bus_dma_limit) : 0;
	pci_unlock_rescan_remove();
	return mask;
}

int kapi_pci_reset(void)
{
	struct pci_dev *dev;

	if (!kapi_bus)
		return -ENODEV;
	dev = list_first_entry_or_null(&kapi_bus->devices, struct pci_dev, bus_list);
	return dev ? pci_reset_function(dev) : -ENODEV;
}
