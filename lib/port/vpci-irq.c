// SPDX-License-Identifier: GPL-2.0
/*
 * The virtual PCI function: MSI-X table, MSI capability and INTx line. Host world.
 *
 * What the kernel code writes is kept here; the port is told only which type of interrupt is enabled and which vectors are masked. A vector
 * that arrives while it is masked (it was already under way) stays pending here, and is sent on when it is unmasked.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>

#include "port/vpci-int.h"

static bool bit_get(const uint64_t *map, unsigned int n)
{
	return map[n / 64] >> n % 64 & 1;
}

static void bit_set(uint64_t *map, unsigned int n, bool value)
{
	map[n / 64] = (map[n / 64] & ~(1ull << n % 64)) | (uint64_t)value << n % 64;
}

static uint32_t msi_flags(const struct udf_vpci *v)
{
	return v->msi ? vpci_get(v->shadow, v->msi + PCI_MSI_FLAGS, 2) : 0;
}

static uint32_t msix_flags(const struct udf_vpci *v)
{
	return v->msix ? vpci_get(v->shadow, v->msix + PCI_MSIX_FLAGS, 2) : 0;
}

/* What the kernel code has switched on. */
static enum udf_irq_type wanted_type(const struct udf_vpci *v, unsigned int *count)
{
	unsigned int max;

	if (msix_flags(v) & PCI_MSIX_FLAGS_ENABLE) {
		*count = v->nr_entries;
		return UDF_IRQ_MSIX;
	}
	if (msi_flags(v) & PCI_MSI_FLAGS_ENABLE) {
		*count = 1u << ((msi_flags(v) & PCI_MSI_FLAGS_QSIZE) >> 4);
		max = 1u << ((msi_flags(v) & PCI_MSI_FLAGS_QMASK) >> 1);
		if (*count > max)
			*count = max;
		return UDF_IRQ_MSI;
	}
	*count = 1;
	/* nobody has asked for the line yet: leave the port alone */
	return v->intx_masked || !v->port->ops->irq_count(v->port, UDF_IRQ_INTX) ? VPCI_NO_TYPE : UDF_IRQ_INTX;
}

static uint32_t msi_mask_bits(const struct udf_vpci *v)
{
	return v->msi_maskable ? vpci_get(v->shadow, v->msi + (v->msi64 ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32), 4) : 0;
}

static bool vector_masked(const struct udf_vpci *v, unsigned int vector)
{
	switch (v->type) {
	case UDF_IRQ_MSIX:
		return msix_flags(v) & PCI_MSIX_FLAGS_MASKALL || v->entry[vector].word[3] & PCI_MSIX_ENTRY_CTRL_MASKBIT;
	case UDF_IRQ_MSI:
		return msi_mask_bits(v) >> vector & 1;
	default:
		return v->intx_masked;
	}
}

static void note_pending(struct udf_vpci *v, unsigned int vector, bool pending);

/* The port polls nothing any more. */
static void poll_forget(struct udf_vpci *v)
{
	for (unsigned int i = 0; i < VPCI_POLLERS; i++)
		for (unsigned int m = atomic_exchange(&v->polled[i].nr_maps, 0); m-- > 0;)
			atomic_store(&v->polled[i].map[m], 0);
}

static int set_type(struct udf_vpci *v, enum udf_irq_type type, unsigned int count)
{
	const struct udf_port_ops *ops = v->port->ops;
	int ret = 0;

	if (v->type == type && (type == VPCI_NO_TYPE || v->type_count == count))
		return 0;
	/* the line stays enabled while it is merely masked: drivers mask it all the time */
	if (type == VPCI_NO_TYPE && v->type == UDF_IRQ_INTX)
		return 0;
	if (v->type != VPCI_NO_TYPE)
		ret = ops->irq_enable(v->port, v->type, 0);
	v->type = VPCI_NO_TYPE;
	poll_forget(v);
	memset(v->unmasked, 0, sizeof(v->unmasked));
	memset(v->pending, 0, sizeof(v->pending));
	if (!ret && type != VPCI_NO_TYPE)
		ret = ops->irq_enable(v->port, type, count);
	if (!ret) {
		v->type = type;
		v->type_count = count;
	}
	return ret;
}

static uint64_t entry_address(const struct udf_vpci *v, unsigned int vector)
{
	return (uint64_t)v->entry[vector].word[1] << 32 | v->entry[vector].word[0];
}

static void polled_set(struct vpci_polled *p, unsigned int vector)
{
	atomic_fetch_or(&p->map[vector / 64], 1ull << vector % 64);
	if (atomic_load(&p->nr_maps) <= vector / 64)
		atomic_store(&p->nr_maps, vector / 64 + 1);
}

static void polled_clear(struct vpci_polled *p, unsigned int vector)
{
	atomic_fetch_and(&p->map[vector / 64], ~(1ull << vector % 64));
}

/* Who sleeps for the interrupts of VECTOR; NULL: the transport reports them. */
static struct vpci_polled *sleeper(struct udf_vpci *v, unsigned int vector)
{
	for (unsigned int i = 0; v->type == UDF_IRQ_MSIX && i < VPCI_POLLERS; i++)
		if (v->polled[i].sleeps && v->polled[i].addr == entry_address(v, vector))
			return &v->polled[i];
	return NULL;
}

/* VECTOR was masked: what had come and not been seen stays pending. */
static void polled_end(struct udf_vpci *v, unsigned int vector)
{
	for (unsigned int i = 0; i < VPCI_POLLERS; i++)
		if (v->polled[i].sleeps)
			polled_clear(&v->polled[i], vector);
	if (v->wakes && __atomic_exchange_n(&v->words[vector], UDF_IRQ_IDLE, __ATOMIC_SEQ_CST) != UDF_IRQ_IDLE)
		note_pending(v, vector, true);
}

/* VECTOR is about to be unmasked: see to it that P is woken, NULL: that it is reported. */
static int polled_begin(struct udf_vpci *v, unsigned int vector, struct vpci_polled *p)
{
	int ret = v->wakes ? v->port->ops->irq_signal(v->port, vector, p ? p->fd : -1) : 0;

	if (ret || !p)
		return ret;
	__atomic_store_n(&v->wakes[vector], 1, __ATOMIC_SEQ_CST);	/* it may be asleep */
	polled_set(p, vector);
	return 0;
}

static int set_mask(struct udf_vpci *v, unsigned int vector, bool masked)
{
	struct vpci_polled *p = v->wakes && !masked ? sleeper(v, vector) : NULL;
	int ret = masked ? 0 : polled_begin(v, vector, p);

	if (!ret)
		ret = v->port->ops->irq_mask(v->port, vector, masked);
	if (ret)
		return ret;
	bit_set(v->unmasked, vector, !masked);
	if (masked)
		polled_end(v, vector);
	else if (p && v->words[vector] != UDF_IRQ_IDLE)
		eventfd_write(p->fd, 1);	/* counted before anybody looked */
	return 0;
}

static int update_mask(struct udf_vpci *v, unsigned int vector)
{
	bool masked = vector_masked(v, vector);

	return bit_get(v->unmasked, vector) != masked ? 0 : set_mask(v, vector, masked);
}

int udf_vpci_irq_update(struct udf_vpci *v)
{
	unsigned int count;
	enum udf_irq_type type = wanted_type(v, &count);
	int ret = set_type(v, type, count);

	if (v->type == VPCI_NO_TYPE)
		return ret;
	for (unsigned int i = 0; !ret && i < v->type_count; i++)
		ret = update_mask(v, i);
	return ret;
}

void udf_vpci_irq_reset(struct udf_vpci *v)
{
	v->type = VPCI_NO_TYPE;
	poll_forget(v);
	memset(v->unmasked, 0, sizeof(v->unmasked));
	memset(v->pending, 0, sizeof(v->pending));
	for (unsigned int i = 0; i < v->nr_entries; i++)
		v->entry[i] = (struct vpci_entry){ .word[3] = PCI_MSIX_ENTRY_CTRL_MASKBIT };
}

/* The message of VECTOR, as the kernel code wrote it. */
static void message(const struct udf_vpci *v, unsigned int vector, uint64_t *addr, uint32_t *data)
{
	if (v->type == UDF_IRQ_MSIX) {
		const struct vpci_entry *e = &v->entry[vector];

		*addr = (uint64_t)e->word[1] << 32 | e->word[0];
		*data = e->word[2];
		return;
	}
	*addr = vpci_get(v->shadow, v->msi + PCI_MSI_ADDRESS_LO, 4);
	if (v->msi64)
		*addr |= (uint64_t)vpci_get(v->shadow, v->msi + PCI_MSI_ADDRESS_HI, 4) << 32;
	*data = vpci_get(v->shadow, v->msi + (v->msi64 ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32), 2);
	*data = (*data & ~(v->type_count - 1)) | vector;
}

/* The pending register of the MSI capability shows what MSI-X has its pending bits for. */
static void note_pending(struct udf_vpci *v, unsigned int vector, bool pending)
{
	bit_set(v->pending, vector, pending);
	if (v->type == UDF_IRQ_MSI && v->msi_maskable)
		vpci_put(v->shadow, v->msi + (v->msi64 ? PCI_MSI_PENDING_64 : PCI_MSI_PENDING_32), 4, (uint32_t)v->pending[0]);
}

void udf_vpci_irq_deliver(struct udf_vpci *v)
{
	for (unsigned int i = 0; i < v->nr_entries || i < 32; i++) {
		uint64_t addr = 0;
		uint32_t data = 0;
		bool due;

		if (!__atomic_load_n(&v->pending[i / 64], __ATOMIC_RELAXED)) {
			i |= 63;
			continue;
		}
		udf_spin_lock(&v->lock);
		due = bit_get(v->pending, i) && (v->type == UDF_IRQ_MSIX || v->type == UDF_IRQ_MSI) && !vector_masked(v, i);
		if (due) {
			note_pending(v, i, false);
			message(v, i, &addr, &data);
		}
		udf_spin_unlock(&v->lock);
		if (due)
			v->events->msi(v->ctx, addr, data);
	}
}

void udf_vpci_irq(struct udf_vpci *v, unsigned int vector, int level)
{
	uint64_t addr = 0;
	uint32_t data = 0;
	bool msi = false, intx = false;

	udf_spin_lock(&v->lock);
	if (v->type == UDF_IRQ_INTX) {
		intx = level && !v->intx_masked;
	} else if (v->type != VPCI_NO_TYPE && vector < v->type_count) {
		msi = !vector_masked(v, vector);
		if (msi)
			message(v, vector, &addr, &data);
		else
			note_pending(v, vector, true);
	}
	udf_spin_unlock(&v->lock);
	if (msi)
		v->events->msi(v->ctx, addr, data);
	if (intx)
		v->events->intx(v->ctx);
}

unsigned int udf_vpci_poll_start(struct udf_vpci *v, unsigned int poller, uint64_t addr)
{
	const struct udf_port_ops *ops = v->port->ops;
	struct vpci_polled *p = &v->polled[poller];
	unsigned int n = 0;

	if (!ops->irq_words || !ops->irq_poll || p->sleeps)
		return 0;
	udf_spin_lock(&v->lock);
	if (!v->words)
		v->words = ops->irq_words(v->port);
	for (unsigned int i = 0; v->words && v->type == UDF_IRQ_MSIX && i < v->type_count; i++) {
		if (!bit_get(v->unmasked, i) || entry_address(v, i) != addr)
			continue;
		if (ops->irq_poll(v->port, i, true))
			break;
		polled_set(p, i);
		n++;
	}
	udf_spin_unlock(&v->lock);
	return n;
}

void udf_vpci_poll(struct udf_vpci *v, unsigned int poller)
{
	struct vpci_polled *p = &v->polled[poller];
	unsigned int n = atomic_load_explicit(&p->nr_maps, memory_order_acquire);

	for (unsigned int i = 0; i < n; i++)
		for (uint64_t bits = atomic_load_explicit(&p->map[i], memory_order_acquire); bits; bits &= bits - 1) {
			unsigned int vector = i * 64 + (unsigned int)__builtin_ctzll(bits);
			volatile uint32_t *word = &v->words[vector];

			if (*word != UDF_IRQ_IDLE && __atomic_exchange_n(word, UDF_IRQ_IDLE, __ATOMIC_SEQ_CST) != UDF_IRQ_IDLE)
				udf_vpci_irq(v, vector, 0);
		}
}

void udf_vpci_poll_stop(struct udf_vpci *v, unsigned int poller)
{
	struct vpci_polled *p = &v->polled[poller];
	unsigned int n = atomic_load(&p->nr_maps);

	if (p->sleeps)
		return;
	udf_spin_lock(&v->lock);
	/* a lost port is reported by its transport */
	for (unsigned int i = 0; i < n * 64; i++)
		if (atomic_load(&p->map[i / 64]) >> i % 64 & 1)
			(void)v->port->ops->irq_poll(v->port, i, false);
	udf_spin_unlock(&v->lock);
	udf_vpci_poll(v, poller);
	for (unsigned int i = 0; i < n; i++)
		atomic_store(&p->map[i], 0);
}

int udf_vpci_poll_own(struct udf_vpci *v, unsigned int poller, uint64_t addr, int fd)
{
	const struct udf_port_ops *ops = v->port->ops;
	struct vpci_polled *p = &v->polled[poller];
	int ret = 0;

	if (!ops->irq_words || !ops->irq_wakes || !ops->irq_signal)
		return -EOPNOTSUPP;
	udf_vpci_poll_stop(v, poller);
	udf_spin_lock(&v->lock);
	v->words = ops->irq_words(v->port);
	v->wakes = ops->irq_wakes(v->port);
	p->addr = addr;
	p->fd = fd;
	p->sleeps = true;
	for (unsigned int i = 0; v->type == UDF_IRQ_MSIX && i < v->type_count && !ret; i++) {
		if (!bit_get(v->unmasked, i) || entry_address(v, i) != addr)
			continue;
		ret = set_mask(v, i, true);
		if (!ret)
			ret = set_mask(v, i, false);
	}
	udf_spin_unlock(&v->lock);
	udf_vpci_irq_deliver(v);
	return ret;
}

void udf_vpci_poll_sleep(struct udf_vpci *v, unsigned int poller, bool sleep)
{
	struct vpci_polled *p = &v->polled[poller];
	unsigned int n = atomic_load(&p->nr_maps);

	for (unsigned int i = 0; i < n && p->sleeps; i++)
		for (uint64_t bits = atomic_load(&p->map[i]); bits; bits &= bits - 1)
			__atomic_store_n(&v->wakes[i * 64 + (unsigned int)__builtin_ctzll(bits)], sleep, __ATOMIC_SEQ_CST);
}

void udf_vpci_intx_mask(struct udf_vpci *v, bool masked)
{
	udf_spin_lock(&v->lock);
	v->intx_masked = masked;
	/* a lost port is reported by its transport */
	(void)udf_vpci_irq_update(v);
	udf_spin_unlock(&v->lock);
}

static bool in_region(const struct vpci_region *r, unsigned int bar, uint64_t offset)
{
	return r->bar == bar && offset - r->offset < r->len;
}

bool udf_vpci_is_table(struct udf_vpci *v, unsigned int bar, uint64_t offset, uint64_t size)
{
	return v->msix && size && size % 4 == 0 && offset % 4 == 0 && in_region(&v->table, bar, offset) &&
	       size <= v->table.len - (offset - v->table.offset);
}

bool udf_vpci_table_quiet(struct udf_vpci *v)
{
	bool quiet;

	udf_spin_lock(&v->lock);
	quiet = (msix_flags(v) & (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL)) != PCI_MSIX_FLAGS_ENABLE;
	udf_spin_unlock(&v->lock);
	return quiet;
}

bool udf_vpci_msix_covers(struct udf_vpci *v, unsigned int bar, uint64_t offset)
{
	return v->msix && (in_region(&v->table, bar, offset) || in_region(&v->pba, bar, offset));
}

int udf_vpci_msix_read(struct udf_vpci *v, unsigned int bar, uint64_t offset, unsigned int size, uint64_t *value)
{
	uint64_t raw = 0;
	uint8_t bytes[8] = { 0 };

	if (in_region(&v->table, bar, offset)) {
		uint64_t at = offset - v->table.offset;

		udf_spin_lock(&v->lock);
		if (size <= v->table.len - at)
			memcpy(bytes, (uint8_t *)v->entry + at, size);
		udf_spin_unlock(&v->lock);
	} else {
		uint64_t at = offset - v->pba.offset;

		/* what the device itself holds back because it is masked there */
		if (v->port->ops->bar_read(v->port, bar, offset, size, &raw))
			raw = 0;
		udf_spin_lock(&v->lock);
		if (size <= v->pba.len - at)
			memcpy(bytes, (uint8_t *)v->pending + at, size);
		udf_spin_unlock(&v->lock);
	}
	*value = 0;
	memcpy(value, bytes, size);
	*value |= raw;
	return 0;
}

int udf_vpci_msix_write(struct udf_vpci *v, unsigned int bar, uint64_t offset, unsigned int size, uint64_t value)
{
	uint64_t at = offset - v->table.offset;
	unsigned int first, last;
	int ret = 0;

	if (!in_region(&v->table, bar, offset) || size > v->table.len - at)
		return 0;	/* pending bits are read-only */
	first = (unsigned int)(at / PCI_MSIX_ENTRY_SIZE);
	last = (unsigned int)((at + size - 1) / PCI_MSIX_ENTRY_SIZE);
	udf_spin_lock(&v->lock);
	memcpy((uint8_t *)v->entry + at, &value, size);
	for (; first <= last; first++) {
		v->entry[first].word[3] &= PCI_MSIX_ENTRY_CTRL_MASKBIT;
		if (!ret && v->type == UDF_IRQ_MSIX)
			ret = update_mask(v, first);
	}
	udf_spin_unlock(&v->lock);
	udf_vpci_irq_deliver(v);
	return ret;
}

unsigned int udf_vpci_poll_words(struct udf_vpci *v, unsigned int poller, const volatile uint32_t **words, unsigned int max)
{
	struct vpci_polled *p = &v->polled[poller];
	unsigned int nr_maps = atomic_load_explicit(&p->nr_maps, memory_order_acquire), n = 0;

	for (unsigned int i = 0; i < nr_maps; i++)
		for (uint64_t bits = atomic_load_explicit(&p->map[i], memory_order_acquire); bits; bits &= bits - 1, n++)
			if (n < max)
				words[n] = &v->words[i * 64 + (unsigned int)__builtin_ctzll(bits)];
	return n;
}
