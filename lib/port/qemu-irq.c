// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts of the emulated device: MSI-X and MSI as eventfds (ivshmem.h), INTx as lines that QEMU reports on its qtest connection. Host world.
 *
 * MSI-X vectors are masked in the device's own table. Plain MSI is masked here: not all devices can. The INTx line is
 * watched at the interrupt controller's inputs 16 to 23, which only PCI devices use; ours is the only one that is ever set up.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "port/qemu-int.h"

#define RING_TRIES 20000		/* about a second; QEMU needs one or two unless it ran out of descriptors */
#define PCI_LINES 0x00ff0000u	/* GSIs 16 ... 23 of a q35 machine */
#define WORDS 0x1000u			/* in RAM, below what is handed out as the arena */
#define WORDS_LEN 0x2000u		/* a word for each of 2,048 vectors */

unsigned int udf_qemu_irq_count(struct udf_port *port, enum udf_irq_type type)
{
	struct qemu_port *q = to_qemu(port);

	switch (type) {
	case UDF_IRQ_INTX:
		return q->intx_pin;
	case UDF_IRQ_MSI:
		return q->msi_count;
	case UDF_IRQ_MSIX:
		return q->msix_count;
	}
	return 0;
}

void udf_qemu_irq_line(void *ctx, unsigned int gsi, bool level)
{
	struct qemu_port *q = ctx;
	uint32_t bit = gsi < 32 ? PCI_LINES & 1u << gsi : 0;

	if (!bit)
		return;
	if (level) {
		__atomic_fetch_add(&q->intx_news, 1, __ATOMIC_SEQ_CST);
		__atomic_fetch_or(&q->intx_lines, bit, __ATOMIC_SEQ_CST);
	} else {
		__atomic_fetch_and(&q->intx_lines, ~bit, __ATOMIC_SEQ_CST);
	}
	if (!__atomic_load_n(&q->intx_masked, __ATOMIC_SEQ_CST))
		udf_qemu_thread_kick(q);
}

/*
 * Make sure that QEMU knows the eventfds of COUNT vectors, which it takes in some time after they were sent: ring the last one's
 * doorbell until it answers.
 */
static int ready_vectors(struct qemu_port *q, unsigned int count)
{
	unsigned int tries = RING_TRIES;
	int ret;

	if (count <= q->ivshmem.count)
		return 0;
	ret = udf_ivshmem_grow(&q->ivshmem, count);
	if (ret)
		return ret == -EPIPE || ret == -ECONNRESET ? -ENODEV : ret;
	do {
		ret = tries-- ? udf_qtest_write(&q->qtest, q->doorbell, 4, udf_ivshmem_data(count - 1)) : -EIO;
		if (!ret)
			ret = udf_qtest_sync(&q->qtest);
	} while (!ret && !udf_ivshmem_rung(&q->ivshmem, count - 1));
	return ret ? ret : udf_qemu_thread_watch(q, count);
}

static int config_update(struct qemu_port *q, unsigned int offset, uint32_t clear, uint32_t set)
{
	uint32_t value;
	int ret = udf_qemu_config_read(&q->port, offset, 2, &value);

	return ret ? ret : udf_qemu_config_write(&q->port, offset, 2, (value & ~clear) | set);
}

static int write_entry(struct qemu_port *q, unsigned int vector)
{
	uint64_t entry = q->msix_table + vector * PCI_MSIX_ENTRY_SIZE;
	int ret = udf_qtest_write(&q->qtest, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 4, PCI_MSIX_ENTRY_CTRL_MASKBIT);

	if (!ret)
		ret = udf_qtest_write(&q->qtest, entry + PCI_MSIX_ENTRY_LOWER_ADDR, 4, (uint32_t)q->doorbell);
	if (!ret)
		ret = udf_qtest_write(&q->qtest, entry + PCI_MSIX_ENTRY_UPPER_ADDR, 4, (uint32_t)(q->doorbell >> 32));
	return ret ? ret : udf_qtest_write(&q->qtest, entry + PCI_MSIX_ENTRY_DATA, 4, udf_ivshmem_data(vector));
}

static int enable_msix(struct qemu_port *q, unsigned int count)
{
	int ret = config_update(q, q->msix + PCI_MSIX_FLAGS, 0, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);

	for (unsigned int i = 0; !ret && i < count; i++)
		ret = write_entry(q, i);
	return ret ? ret : config_update(q, q->msix + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_MASKALL, 0);
}

/* The device puts the vector's number into the low bits of the data, so vector 0's data must have them clear: it is 0. */
static int enable_msi(struct qemu_port *q, unsigned int count)
{
	uint32_t flags, order = 0;
	int ret = udf_qemu_config_read(&q->port, q->msi + PCI_MSI_FLAGS, 2, &flags);

	while (1u << order < count)
		order++;
	if (!ret)
		ret = udf_qemu_config_write(&q->port, q->msi + PCI_MSI_ADDRESS_LO, 4, (uint32_t)q->doorbell);
	if (!ret && flags & PCI_MSI_FLAGS_64BIT)
		ret = udf_qemu_config_write(&q->port, q->msi + PCI_MSI_ADDRESS_HI, 4, (uint32_t)(q->doorbell >> 32));
	if (!ret)
		ret = udf_qemu_config_write(&q->port, q->msi + (flags & PCI_MSI_FLAGS_64BIT ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32), 2,
					    udf_ivshmem_data(0));
	if (!ret && flags & PCI_MSI_FLAGS_MASKBIT)
		ret = udf_qemu_config_write(&q->port, q->msi + (flags & PCI_MSI_FLAGS_64BIT ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32), 4, 0);
	return ret ? ret : config_update(q, q->msi + PCI_MSI_FLAGS, PCI_MSI_FLAGS_QSIZE, PCI_MSI_FLAGS_ENABLE | order << 4);
}

static int enable_intx(struct qemu_port *q)
{
	int ret;

	if (q->intercepted)
		return 0;
	ret = udf_qtest_command(&q->qtest, "irq_intercept_in ioapic");
	if (ret)
		return ret;
	q->intercepted = true;
	return udf_qemu_thread_watch_lines(q);
}

static int disable(struct qemu_port *q, enum udf_irq_type type)
{
	if (type == UDF_IRQ_MSIX)
		return config_update(q, q->msix + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 0);
	if (type == UDF_IRQ_MSI)
		return config_update(q, q->msi + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE, 0);
	return 0;
}

void udf_qemu_irq_forget(struct qemu_port *q)
{
	__atomic_store_n(&q->irq_live, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&q->intx_masked, true, __ATOMIC_SEQ_CST);
	__atomic_store_n(&q->msi_masked, ~0u, __ATOMIC_SEQ_CST);
	__atomic_store_n(&q->msi_pending, 0, __ATOMIC_SEQ_CST);
}

static int irq_enable_locked(struct qemu_port *q, enum udf_irq_type type, unsigned int count)
{
	enum udf_irq_type old;
	int ret = 0;

	if (qemu_irq_live(q, &old) && (old != type || !count)) {
		ret = disable(q, old);
		udf_qemu_irq_forget(q);
	}
	if (ret || !count)
		return ret;
	if (type == UDF_IRQ_INTX) {
		ret = enable_intx(q);
	} else {
		ret = ready_vectors(q, count);
		if (!ret)
			ret = type == UDF_IRQ_MSIX ? enable_msix(q, count) : enable_msi(q, count);
	}
	if (!ret)
		ret = udf_qtest_sync(&q->qtest);
	if (!ret)
		__atomic_store_n(&q->irq_live, (uint32_t)type << 16 | count, __ATOMIC_RELEASE);
	return ret;
}

int udf_qemu_irq_enable(struct udf_port *port, enum udf_irq_type type, unsigned int count)
{
	struct qemu_port *q = to_qemu(port);
	int ret;

	if (count > udf_qemu_irq_count(port, type))
		return -EINVAL;
	udf_spin_lock(&q->irq_lock);
	ret = irq_enable_locked(q, type, count);
	udf_spin_unlock(&q->irq_lock);
	return ret;
}

static int mask_msix(struct qemu_port *q, unsigned int vector, bool masked)
{
	return udf_qtest_write(&q->qtest, q->msix_table + vector * PCI_MSIX_ENTRY_SIZE + PCI_MSIX_ENTRY_VECTOR_CTRL, 4,
			       masked ? PCI_MSIX_ENTRY_CTRL_MASKBIT : 0);
}

static int mask_msi(struct qemu_port *q, unsigned int vector, bool masked)
{
	uint32_t bit = 1u << vector;

	if (masked) {
		__atomic_fetch_or(&q->msi_masked, bit, __ATOMIC_SEQ_CST);
		return 0;
	}
	__atomic_fetch_and(&q->msi_masked, ~bit, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&q->msi_pending, __ATOMIC_SEQ_CST) & bit)
		udf_qemu_thread_kick(q);
	return 0;
}

static int mask_intx(struct qemu_port *q, bool masked)
{
	__atomic_store_n(&q->intx_masked, masked, __ATOMIC_SEQ_CST);
	if (masked)
		return 0;
	__atomic_fetch_add(&q->intx_news, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&q->intx_lines, __ATOMIC_SEQ_CST))
		udf_qemu_thread_kick(q);
	return 0;
}

volatile uint32_t *udf_qemu_irq_words(struct udf_port *port)
{
	struct qemu_port *q = to_qemu(port);
	void *words;

	udf_spin_lock(&q->irq_lock);
	if (!q->words) {
		words = mmap(NULL, WORDS_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, q->ram_fd, WORDS);
		q->words = words == MAP_FAILED ? NULL : memset(words, 0xff, WORDS_LEN);
	}
	udf_spin_unlock(&q->irq_lock);
	return q->words;
}

void udf_qemu_irq_release(struct qemu_port *q)
{
	if (q->words)
		munmap((void *)q->words, WORDS_LEN);
	q->words = NULL;
}

/* A message is a write to memory: to the doorbell, or to a word of RAM. Its data is not UDF_IRQ_IDLE in either case. */
int udf_qemu_irq_poll(struct udf_port *port, unsigned int vector, bool polled)
{
	struct qemu_port *q = to_qemu(port);
	enum udf_irq_type type;
	uint64_t entry;
	int ret = -EINVAL;

	udf_spin_lock(&q->irq_lock);
	if (vector < qemu_irq_live(q, &type) && type == UDF_IRQ_MSIX && vector < WORDS_LEN / 4) {
		entry = q->msix_table + vector * PCI_MSIX_ENTRY_SIZE;
		ret = udf_qtest_write(&q->qtest, entry + PCI_MSIX_ENTRY_LOWER_ADDR, 4,
				      polled ? WORDS + 4 * vector : (uint32_t)q->doorbell);
		if (!ret && !polled)
			ret = udf_qtest_sync(&q->qtest);
	}
	udf_spin_unlock(&q->irq_lock);
	return ret;
}

int udf_qemu_irq_mask(struct udf_port *port, unsigned int vector, bool masked)
{
	struct qemu_port *q = to_qemu(port);
	enum udf_irq_type type;

	if (vector >= qemu_irq_live(q, &type))
		return -EINVAL;
	switch (type) {
	case UDF_IRQ_MSIX:
		return mask_msix(q, vector, masked);
	case UDF_IRQ_MSI:
		return mask_msi(q, vector, masked);
	case UDF_IRQ_INTX:
		return mask_intx(q, masked);
	}
	return -EINVAL;
}
