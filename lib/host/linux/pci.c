// SPDX-License-Identifier: GPL-2.0
/* The port's configuration space and interrupts between transport and vCPUs. Host world; implements pci.h. */
#include "host/linux/host.h"

#include <errno.h>
#include <string.h>

#include "debug/trace.h"

int host_pci_present(void)
{
	const struct udf_port *port = udf_host.port;

	/* the one device of bus 0: slot 0 is left to what a host bridge would be */
	return port ? (port->devfn ? port->devfn : 1 << 3) : -1;
}

int host_pci_read(unsigned int offset, unsigned int size, unsigned int *value)
{
	bool traced = udf_tracing(UDF_TRACE_PCI | UDF_TRACE_CALLS);
	uint64_t start = traced ? udf_trace_now() : 0;
	int err;

	atomic_fetch_add_explicit(&udf_host.privileged, 1, memory_order_relaxed);
	err = udf_vpci_config_read(udf_host.vpci, offset, size, value);
	if (traced)
		udf_trace_access(-1, false, false, 0, offset, size, *value, start);
	return err;
}

int host_pci_write(unsigned int offset, unsigned int size, unsigned int value)
{
	bool traced = udf_tracing(UDF_TRACE_PCI | UDF_TRACE_CALLS);
	uint64_t start = traced ? udf_trace_now() : 0;
	int err;

	atomic_fetch_add_explicit(&udf_host.privileged, 1, memory_order_relaxed);
	if (udf_vpci_is_msix(udf_host.vpci, offset, size))
		udf_mmio_tables(false);
	err = udf_vpci_config_write(udf_host.vpci, offset, size, value);
	if (udf_vpci_is_msix(udf_host.vpci, offset, size) && udf_vpci_table_quiet(udf_host.vpci))
		udf_mmio_tables(true);
	if (traced)
		udf_trace_access(-1, false, true, 0, offset, size, value, start);
	return err;
}

static void udf_intx(bool mask)
{
	if (udf_tracing(UDF_TRACE_PCI | UDF_TRACE_CALLS))
		udf_trace_intx(mask);
	udf_vpci_intx_mask(udf_host.vpci, mask);
}

void host_irq_mask(unsigned int hwirq)
{
	if (hwirq == HOST_IRQ_INTX && udf_host.vpci)
		udf_intx(true);
}

void host_irq_unmask(unsigned int hwirq)
{
	if (hwirq == HOST_IRQ_INTX && udf_host.vpci)
		udf_intx(false);
}

static void udf_raise(unsigned int cpu, unsigned int hwirq)
{
	struct udf_vcpu *vcpu = &udf_host.vcpu[cpu];

	atomic_fetch_add_explicit(&udf_host.interrupts, 1, memory_order_relaxed);
	if (udf_tracing(UDF_TRACE_IRQ))
		udf_trace_raised(cpu, hwirq);
	__atomic_fetch_or(&vcpu->vectors[hwirq / 64], 1ul << (hwirq % 64), __ATOMIC_SEQ_CST);
	host_cpu_pend(cpu, HOST_PEND_DEVICE);
}

/* A message as kapi's vector domain composed it: address 0xfee00000 | vCPU << 12, data = hardware interrupt. */
static void udf_on_msi(void *ctx, uint64_t addr, uint32_t data)
{
	unsigned int cpu = (addr >> 12) & 0xff;

	if ((addr & ~0xff000ull) != 0xfee00000 || cpu >= udf_host.cpus || data >= HOST_VECTORS)
		return;		/* not a message of ours: a device that lies, or a table entry that was never written */
	udf_raise(cpu, data);
}

static void udf_on_intx(void *ctx)
{
	udf_raise(0, HOST_IRQ_INTX);
}

static void udf_on_irq(void *ctx, unsigned int vector, int level)
{
	if (udf_host.vpci)
		udf_vpci_irq(udf_host.vpci, vector, level);
}

static void udf_on_lost(void *ctx, const char *why)
{
	udf_host_fail(why);
}

const struct udf_port_events udf_host_port_events = { .irq = udf_on_irq, .lost = udf_on_lost };
const struct udf_vpci_events udf_host_vpci_events = { .msi = udf_on_msi, .intx = udf_on_intx };
