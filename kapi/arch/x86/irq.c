// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupt delivery and the vectors' irq_domain: what arch/x86/kernel/{irq,apic/vector,apic/msi}.c do on hardware. Kernel world.
 *
 *   device --transport--> host: vectors bitmap + HOST_PEND_DEVICE --> kapi_deliver() --> vector domain --> PCI/MSI domain --> driver
 *
 * The message of vector N for vCPU C is address 0xfee00000 | C << 12, data N, as an APIC would have it: the transport's virtual
 * MSI-X table gives it back when the device raises it. Masking happens where the kernel does it: in the MSI-X table.
 */
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/irq_work.h>
#include <linux/msi.h>
#include <linux/pci.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <asm/irq_regs.h>
#include <asm/x86_init.h>

#include "kapi.h"
#include "front/kapi_front.h"

extern void show_state_filter(unsigned int state_filter);

extern void irq_enter(void);
extern void irq_exit(void);
extern void irq_work_run(void);
extern void scheduler_ipi(void);
extern void generic_smp_call_function_single_interrupt(void);
extern asmlinkage void preempt_schedule_irq(void);
extern struct irq_domain *x86_pci_msi_default_domain;
extern int (*pcibios_enable_irq)(struct pci_dev *dev);
extern void (*pcibios_disable_irq)(struct pci_dev *dev);

struct irq_domain *kapi_vector_domain;
static DECLARE_BITMAP(kapi_vectors, HOST_VECTORS);
static unsigned short kapi_vector_cpu[HOST_VECTORS];
static DEFINE_RAW_SPINLOCK(kapi_vector_lock);
static unsigned int kapi_intx_irq;

static void kapi_device_interrupts(void)
{
	unsigned long *map;
	unsigned int word;

	asm volatile("movq %%gs:%c1, %0" : "=r"(map) : "i"(HOST_VCPU_VECTORS));
	for (word = 0; word < HOST_VECTORS / BITS_PER_LONG; word++) {
		unsigned long bits;

		if (!READ_ONCE(map[word]))
			continue;
		bits = xchg(&map[word], 0);
		while (bits) {
			unsigned int hwirq = word * BITS_PER_LONG + __ffs(bits);

			bits &= bits - 1;
			if (hwirq == HOST_IRQ_INTX)
				generic_handle_irq(kapi_intx_irq);
			else
				generic_handle_domain_irq(kapi_vector_domain, hwirq);
		}
	}
}

static void kapi_handle_pending(unsigned long pending)
{
	if (pending & HOST_PEND_TIMER)
		kapi_timer_interrupt();
	if (pending & HOST_PEND_DEVICE)
		kapi_device_interrupts();
	if (pending & HOST_PEND_RESCHED)
		scheduler_ipi();
	if (pending & HOST_PEND_CALL)
		generic_smp_call_function_single_interrupt();
	if (pending & HOST_PEND_IRQ_WORK)
		irq_work_run();
	if (pending & HOST_PEND_FRONT)
		kapi_front_pend();
	if (pending & HOST_PEND_DETOUR)
		kapi_detour_pend();
	if (pending & HOST_PEND_CONTROL)
		kapi_control_pend();
	if (pending & HOST_PEND_TASKS)
		show_state_filter(TASK_UNINTERRUPTIBLE);
}

/*
 * Take everything that is pending, as one interrupt: entered with the virtual flag on, by kapi_irq_pending (entry.S) or by the
 * signal that interrupted kernel code. REGS is the interrupted code. Preempts its task if a more urgent one is ready, so
 * this can return on another vCPU.
 */
void kapi_deliver(struct pt_regs *regs)
{
	do {
		struct pt_regs *old;
		unsigned long pending;

		kapi_flag_set(0);
		old = set_irq_regs(regs);
		kapi_front_gather(true);
		irq_enter();
		while ((pending = kapi_pending_take()))
			kapi_handle_pending(pending);
		irq_exit();
		kapi_front_gather(false);
		set_irq_regs(old);
		if (!preempt_count() && need_resched())
			preempt_schedule_irq();
		kapi_flag_set(X86_EFLAGS_IF);
	} while (kapi_pending());
}

void arch_irq_work_raise(void)
{
	host_cpu_pend(raw_smp_processor_id(), HOST_PEND_IRQ_WORK);
}

static void kapi_vector_nop(struct irq_data *data)
{
}

static int kapi_vector_set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	unsigned int cpu = cpumask_any_and_distribute(mask, cpu_online_mask);

	if (cpu >= nr_cpu_ids)
		return -EINVAL;
	kapi_vector_cpu[data->hwirq] = cpu;
	irq_data_update_effective_affinity(data, cpumask_of(cpu));
	return IRQ_SET_MASK_OK;
}

static void kapi_vector_compose(struct irq_data *data, struct msi_msg *msg)
{
	msg->address_hi = 0;
	msg->address_lo = 0xfee00000 | kapi_vector_cpu[data->hwirq] << 12;
	msg->data = data->hwirq;
}

static struct irq_chip kapi_vector_chip = {
	.name = "UDF",
	.irq_ack = kapi_vector_nop,
	.irq_mask = kapi_vector_nop,
	.irq_unmask = kapi_vector_nop,
	.irq_set_affinity = kapi_vector_set_affinity,
	.irq_compose_msi_msg = kapi_vector_compose,
};

/* N vectors in a row, aligned to their number: multiple MSI messages differ in the low bits of their data. */
static int kapi_vector_alloc(struct irq_domain *domain, unsigned int virq, unsigned int n, void *arg)
{
	unsigned long align = roundup_pow_of_two(n) - 1, flags, first;
	unsigned int i;

	raw_spin_lock_irqsave(&kapi_vector_lock, flags);
	/* vector 0 and the INTx line's stay free */
	first = bitmap_find_next_zero_area(kapi_vectors, HOST_VECTORS - 1, 1, n, align);
	if (first < HOST_VECTORS - 1)
		bitmap_set(kapi_vectors, first, n);
	raw_spin_unlock_irqrestore(&kapi_vector_lock, flags);
	if (first >= HOST_VECTORS - 1)
		return -ENOSPC;
	for (i = 0; i < n; i++) {
		irq_domain_set_info(domain, virq + i, first + i, &kapi_vector_chip, NULL, handle_edge_irq, NULL, NULL);
		irqd_set_single_target(irq_get_irq_data(virq + i));
	}
	return 0;
}

static void kapi_vector_free(struct irq_domain *domain, unsigned int virq, unsigned int n)
{
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct irq_data *data = irq_domain_get_irq_data(domain, virq + i);

		if (!data)
			continue;
		raw_spin_lock_irqsave(&kapi_vector_lock, flags);
		__clear_bit(data->hwirq, kapi_vectors);
		raw_spin_unlock_irqrestore(&kapi_vector_lock, flags);
		irq_domain_reset_irq_data(data);
	}
}

static const struct irq_domain_ops kapi_vector_ops = {
	.alloc = kapi_vector_alloc,
	.free = kapi_vector_free,
};

static struct irq_chip kapi_msi_chip = {
	.name = "UDF-PCI-MSI",
	.irq_ack = irq_chip_ack_parent,
	.irq_retrigger = irq_chip_retrigger_hierarchy,
	.flags = IRQCHIP_SKIP_SET_WAKE,
};

static struct msi_domain_info kapi_msi_info = {
	.flags = MSI_FLAG_USE_DEF_DOM_OPS | MSI_FLAG_USE_DEF_CHIP_OPS | MSI_FLAG_MULTI_PCI_MSI | MSI_FLAG_PCI_MSIX,
	.chip = &kapi_msi_chip,
	.handler = handle_edge_irq,
	.handler_name = "edge",
};

/* The INTx line is level triggered: masked at the port while its handlers run. */
static void kapi_intx_mask(struct irq_data *data)
{
	host_irq_mask(HOST_IRQ_INTX);
}

static void kapi_intx_unmask(struct irq_data *data)
{
	host_irq_unmask(HOST_IRQ_INTX);
}

static struct irq_chip kapi_intx_chip = {
	.name = "UDF-INTx",
	.irq_mask = kapi_intx_mask,
	.irq_unmask = kapi_intx_unmask,
};

static int kapi_intx_map(struct irq_domain *domain, unsigned int virq, irq_hw_number_t hwirq)
{
	irq_set_chip_and_handler_name(virq, &kapi_intx_chip, handle_level_irq, "level");
	irq_set_status_flags(virq, IRQ_LEVEL);
	return 0;
}

static const struct irq_domain_ops kapi_intx_ops = {
	.map = kapi_intx_map,
};

static int kapi_enable_irq(struct pci_dev *dev)
{
	if (dev->pin)
		dev->irq = kapi_intx_irq;
	return 0;
}

static void kapi_disable_irq(struct pci_dev *dev)
{
}

void kapi_init_irq(void)
{
	struct fwnode_handle *fwnode = irq_domain_alloc_named_fwnode("UDF-VECTOR");
	struct irq_domain *msi;

	kapi_vector_domain = irq_domain_create_tree(fwnode, &kapi_vector_ops, NULL);
	msi = pci_msi_create_irq_domain(irq_domain_alloc_named_fwnode("UDF-MSI"), &kapi_msi_info, kapi_vector_domain);
	if (!kapi_vector_domain || !msi)
		kapi_die("the interrupt domains cannot be created");
	x86_pci_msi_default_domain = msi;

	kapi_intx_irq = irq_create_mapping(irq_domain_add_linear(NULL, 1, &kapi_intx_ops, NULL), 0);
	if (!kapi_intx_irq)
		kapi_die("no interrupt for the INTx line");
	pcibios_enable_irq = kapi_enable_irq;
	pcibios_disable_irq = kapi_disable_irq;
}
