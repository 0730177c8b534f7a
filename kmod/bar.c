// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings of the device, and single accesses to registers that cannot be mapped: I/O ports, BARs smaller than a page, pages with MSI-X
 * structures (a process that wrote those could send any message; the module reserves them for the kernel's MSI code).
 *
 * Registers and DMA memory are mapped by page faults, under the port's lock: what is taken back is not mapped again, and
 * accesses during a reset wait for its end.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/pci.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "port.h"

#define BAR_SHIFT 44		/* UDF_PORT_MMAP_BAR() */

void udf_bar_init(struct udf_port *port)
{
	struct pci_dev *pdev = port->pdev;
	unsigned int cap = pci_find_capability(pdev, PCI_CAP_ID_MSIX);
	u32 table, pba;

	if (!cap || !port->msix)
		return;
	pci_read_config_dword(pdev, cap + PCI_MSIX_TABLE, &table);
	pci_read_config_dword(pdev, cap + PCI_MSIX_PBA, &pba);
	port->msix_bar = table & PCI_MSIX_TABLE_BIR;
	port->msix_start = table & PCI_MSIX_TABLE_OFFSET;
	port->msix_end = port->msix_start + port->msix * PCI_MSIX_ENTRY_SIZE;
	port->pba_bar = pba & PCI_MSIX_PBA_BIR;
	port->pba_start = pba & PCI_MSIX_PBA_OFFSET;
	port->pba_end = port->pba_start + DIV_ROUND_UP(port->msix, 64) * 8;
}

/* Whether bytes START ... END of BAR, in whole units of UNIT, have MSI-X structures in them. */
static bool has_msix(struct udf_port *port, unsigned int bar, u64 start, u64 end, u64 unit)
{
	if (!port->msix)
		return false;
	if (bar == port->msix_bar && start < round_up(port->msix_end, unit) && round_down(port->msix_start, unit) < end)
		return true;
	return bar == port->pba_bar && start < round_up(port->pba_end, unit) && round_down(port->pba_start, unit) < end;
}

bool udf_bar_mappable(struct udf_port *port, unsigned int bar)
{
	return pci_resource_flags(port->pdev, bar) & IORESOURCE_MEM && PAGE_ALIGNED(pci_resource_start(port->pdev, bar)) &&
	       pci_resource_len(port->pdev, bar) >= PAGE_SIZE;
}

static void access_ports(void __iomem *at, struct udf_port_bar_access *a)
{
	bool write = a->flags & UDF_PORT_WRITE;

	if (a->size == 1)
		write ? iowrite8(a->value, at) : (void)(a->value = ioread8(at));
	else if (a->size == 2)
		write ? iowrite16(a->value, at) : (void)(a->value = ioread16(at));
	else if (a->size == 4)
		write ? iowrite32(a->value, at) : (void)(a->value = ioread32(at));
	else
		write ? writeq(a->value, at) : (void)(a->value = readq(at));
}

int udf_bar_access_ioctl(struct udf_port *port, void *arg)
{
	struct udf_port_bar_access *a = arg;
	unsigned int bar = a->bar;
	resource_size_t len;

	if (bar >= UDF_PORT_BAR_COUNT || !a->size || a->size > 8 || !is_power_of_2(a->size) || a->offset & (a->size - 1))
		return -EINVAL;
	bar = array_index_nospec(bar, UDF_PORT_BAR_COUNT);
	if (a->size == 8 && !(pci_resource_flags(port->pdev, bar) & IORESOURCE_MEM))
		return -EINVAL;
	len = pci_resource_len(port->pdev, bar);
	if (a->offset >= len || a->size > len - a->offset)
		return -ERANGE;
	if (a->flags & UDF_PORT_WRITE && has_msix(port, bar, a->offset, a->offset + a->size, 1))
		return -EPERM;
	if (!port->regs[bar])
		port->regs[bar] = pci_iomap(port->pdev, bar, 0);
	if (!port->regs[bar])
		return -ENOMEM;
	access_ports(port->regs[bar] + a->offset, a);
	return 0;
}

void udf_bar_unmap(struct udf_port *port)
{
	unsigned int i;

	for (i = 0; i < UDF_PORT_BAR_COUNT; i++) {
		if (port->regs[i])
			pci_iounmap(port->pdev, port->regs[i]);
		port->regs[i] = NULL;
	}
}

static vm_fault_t fault_dma(struct udf_port *port, struct vm_fault *vmf)
{
	const unsigned long grain = UDF_PORT_DMA_GRAIN >> PAGE_SHIFT;
	struct vm_area_struct *vma = vmf->vma;
	/* a whole grain: it lies in one chunk */
	pgoff_t first = max(round_down(vmf->pgoff, grain), vma->vm_pgoff);
	pgoff_t end = min(round_down(vmf->pgoff, grain) + grain, vma->vm_pgoff + vma_pages(vma)), at;
	u64 offset = ((u64)first << PAGE_SHIFT) - UDF_PORT_MMAP_DMA;
	const struct udf_chunk *c = udf_dma_find(port, offset);
	vm_fault_t ret = VM_FAULT_SIGBUS;

	for (at = first; c && at < end; at++) {
		unsigned long pfn = page_to_pfn(c->page) + ((offset - c->offset) >> PAGE_SHIFT) + (at - first);

		ret = vmf_insert_pfn(vma, vma->vm_start + ((at - vma->vm_pgoff) << PAGE_SHIFT), pfn);
		if (ret != VM_FAULT_NOPAGE)
			break;
	}
	return ret;
}

static vm_fault_t fault_bar(struct udf_port *port, struct vm_fault *vmf)
{
	u64 offset = ((u64)vmf->pgoff << PAGE_SHIFT) & ~UDF_PORT_MMAP_WC;
	unsigned int bar = (offset >> BAR_SHIFT) - 16;
	resource_size_t at = pci_resource_start(port->pdev, bar) + (offset & (UDF_PORT_MMAP_WC - 1));

	if (!port->live)
		return VM_FAULT_SIGBUS;
	return vmf_insert_pfn(vmf->vma, vmf->address, at >> PAGE_SHIFT);
}

static vm_fault_t on_fault(struct vm_fault *vmf)
{
	struct udf_port *port = vmf->vma->vm_private_data;
	vm_fault_t ret;

	if (vmf->pgoff >= UDF_PORT_MMAP_REQUESTS >> PAGE_SHIFT && vmf->pgoff < UDF_PORT_MMAP_BAR(0) >> PAGE_SHIFT)
		return udf_block_fault(port, vmf);
	mutex_lock(&port->lock);
	if (vmf->pgoff >= UDF_PORT_MMAP_BAR(0) >> PAGE_SHIFT)
		ret = fault_bar(port, vmf);
	else
		ret = fault_dma(port, vmf);
	mutex_unlock(&port->lock);
	return ret;
}

static const struct vm_operations_struct vm_ops = { .fault = on_fault };

/* Make a range of registers one that the processor maps write-combining. */
static int reserve_wc(struct udf_port *port, resource_size_t start, resource_size_t len)
{
	unsigned int i;
	int ret;

	for (i = 0; i < port->nr_wc; i++)
		if (port->wc[i].start == start && port->wc[i].len == len)
			return 0;
	if (port->nr_wc == UDF_WC_MAX)
		return -ENOSPC;
	ret = arch_io_reserve_memtype_wc(start, len);
	if (!ret)
		port->wc[port->nr_wc++] = (struct udf_wc){ .start = start, .len = len };
	return ret;
}

static int mmap_bar(struct udf_port *port, struct vm_area_struct *vma, u64 offset, u64 len)
{
	unsigned int bar = (offset >> BAR_SHIFT) - 16;
	bool wc = offset & UDF_PORT_MMAP_WC;
	u64 start = offset & (UDF_PORT_MMAP_WC - 1), size;
	int ret;

	if (bar >= UDF_PORT_BAR_COUNT || !port->live || !udf_bar_mappable(port, bar))
		return -EINVAL;
	size = round_down(pci_resource_len(port->pdev, bar), PAGE_SIZE);
	if (start >= size || len > size - start)
		return -EINVAL;
	if (has_msix(port, bar, start, start + len, PAGE_SIZE))
		return -EPERM;
	if (wc) {
		ret = reserve_wc(port, pci_resource_start(port->pdev, bar) + start, len);
		if (ret)
			return ret;
	}
	vma->vm_page_prot = wc ? pgprot_writecombine(vma->vm_page_prot) : pgprot_noncached(vma->vm_page_prot);
	vm_flags_mod(vma, VM_IO, 0);
	return 0;
}

int udf_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct udf_port *port = file->private_data;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT, len = vma->vm_end - vma->vm_start;
	int ret = 0;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	vm_flags_mod(vma, 0, VM_MAYEXEC);
	if (offset < UDF_PORT_MMAP_DMA)		/* checks the range */
		return remap_vmalloc_range(vma, port->shared, vma->vm_pgoff);
	if (offset < 2 * UDF_PORT_MMAP_DMA) {
		if (len > udf_dma_limit() || offset - UDF_PORT_MMAP_DMA > udf_dma_limit() - len)
			return -EINVAL;
	} else if (offset < UDF_PORT_MMAP_REQUESTS) {
		mutex_lock(&port->lock);
		ret = udf_block_mmap(port, vma);
		mutex_unlock(&port->lock);
		return ret;
	} else if (offset < UDF_PORT_MMAP_BAR(0)) {
		if (offset - UDF_PORT_MMAP_REQUESTS + len > 1ull << UDF_PORT_REQUEST_BITS)
			return -EINVAL;
	} else if (wait_event_killable(port->wait, !READ_ONCE(port->resetting))) {
		return -EINTR;
	} else {
		mutex_lock(&port->lock);
		ret = mmap_bar(port, vma, offset, len);
		mutex_unlock(&port->lock);
	}
	if (ret)
		return ret;
	vm_flags_mod(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY, 0);
	vma->vm_private_data = port;
	vma->vm_ops = &vm_ops;
	return 0;
}

void udf_bar_zap(struct udf_port *port)
{
	if (port->mapping)
		unmap_mapping_range(port->mapping, UDF_PORT_MMAP_BAR(0), UDF_PORT_MMAP_BAR(UDF_PORT_BAR_COUNT) - UDF_PORT_MMAP_BAR(0), 1);
}

void udf_bar_release(struct udf_port *port)
{
	while (port->nr_wc) {
		port->nr_wc--;
		arch_io_free_memtype_wc(port->wc[port->nr_wc].start, port->wc[port->nr_wc].len);
	}
}
