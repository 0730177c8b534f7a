// SPDX-License-Identifier: GPL-2.0
/*
 * The virtual PCI function over real device models: enumerated and set up in the order in which a kernel's PCI core does it, interrupts
 * with the messages that were written, function level reset and restore, several functions of a card in processes of their own.
 */
#define _GNU_SOURCE
#include <linux/pci_regs.h>
#include <unistd.h>

#include "port-test.h"
#include "port/vpci.h"

static struct test_port t;
static struct udf_vpci *vpci;
static unsigned int messages, lines;
static uint64_t last_addr;
static uint32_t last_data;

static void on_irq(void *ctx, unsigned int vector, int level)
{
	udf_vpci_irq(vpci, vector, level);
}

static void on_lost(void *ctx, const char *why)
{
	fprintf(stderr, "lost: %s\n", why);
	exit(1);
}

static void on_msi(void *ctx, uint64_t addr, uint32_t data)
{
	pthread_mutex_lock(&t.lock);
	last_addr = addr;
	last_data = data;
	messages++;
	pthread_cond_broadcast(&t.changed);
	pthread_mutex_unlock(&t.lock);
}

static void on_intx(void *ctx)
{
	pthread_mutex_lock(&t.lock);
	lines++;
	pthread_cond_broadcast(&t.changed);
	pthread_mutex_unlock(&t.lock);
}

static const struct udf_port_events events = { .irq = on_irq, .lost = on_lost };
static const struct udf_vpci_events vpci_events = { .msi = on_msi, .intx = on_intx };

static void start(const char *spec, const char *const *backends, unsigned int function)
{
	struct udf_port_config config = { .spec = spec, .backends = backends, .function = function };
	struct udf_error err = UDF_ERROR_INIT;

	if (udf_port_open(&config, &events, NULL, &t.port, &err) || udf_vpci_new(t.port, &vpci_events, NULL, &vpci, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
}

static void stop(void)
{
	udf_vpci_free(vpci);
	t.port->ops->close(t.port);
}

static uint32_t rd(unsigned int offset, unsigned int size)
{
	uint32_t v;

	CHECK_EQ(udf_vpci_config_read(vpci, offset, size, &v), 0);
	return v;
}

static void wr(unsigned int offset, unsigned int size, uint32_t value)
{
	CHECK_EQ(udf_vpci_config_write(vpci, offset, size, value), 0);
}

static uint32_t reg(uint64_t offset)
{
	uint64_t v;

	CHECK_EQ(udf_vpci_bar_read(vpci, 0, offset, 4, &v), 0);
	return (uint32_t)v;
}

static void set_reg(uint64_t offset, uint32_t value)
{
	CHECK_EQ(udf_vpci_bar_write(vpci, 0, offset, 4, value), 0);
}

static unsigned int find_cap(unsigned int id)
{
	unsigned int pos = rd(PCI_CAPABILITY_LIST, 1);

	while (pos && rd(pos, 1) != id)
		pos = rd(pos + 1, 1);
	CHECK(pos);
	return pos;
}

/* NVMe: vector 0 is the admin queue's; one command makes one interrupt. */
static void identify(uint8_t *ram, unsigned int n)
{
	uint32_t *sqe = (uint32_t *)(ram + 0x80200000 + n * 64);

	memset(sqe, 0, 64);
	sqe[0] = 6 | n << 16;
	sqe[6] = 0x80202000;
	sqe[10] = 1;
	set_reg(0x1000, n + 1);
}

static void start_controller(uint8_t *ram)
{
	set_reg(0x14, 0);
	set_reg(0x24, 31 << 16 | 31);
	set_reg(0x28, 0x80200000);
	set_reg(0x2c, 0);
	set_reg(0x30, 0x80201000);
	set_reg(0x34, 0);
	memset(ram + 0x80201000, 0, 4096);
	set_reg(0x14, 0x00460001);
	while (!(reg(0x1c) & 1))
		;
}

static void test_nvme(void)
{
	static const char *const disk[] = { "-blockdev", "driver=null-co,node-name=d0,size=1073741824", NULL };
	unsigned int msix, exp, table, bar, n;
	struct udf_dma_range range[64];
	uint64_t size, offset;
	char alias[128];
	uint8_t *ram;
	int fd;

	start("qemu:nvme,drive=d0,serial=x", disk, 0);
	CHECK_EQ(t.port->ops->dma_get(t.port, &fd, &size, range, &n), 0);
	ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)t.port->dma_base);
	CHECK(ram != MAP_FAILED);
	ram -= t.port->dma_base;	/* so that RAM + device address is in it */
	CHECK(udf_vpci_modalias(vpci, alias, sizeof(alias)) > 0);
	CHECK(!strcmp(alias, "pci:v00001B36d00000010sv00001AF4sd00001100bc01sc08i02"));
	msix = find_cap(PCI_CAP_ID_MSIX);
	exp = find_cap(PCI_CAP_ID_EXP);
	for (int round = 0; round < 2; round++) {
		unsigned int before;

		wr(PCI_BASE_ADDRESS_0, 4, 0x20000000);
		CHECK_EQ(udf_vpci_find_mem(vpci, 0x20001000, 4, &bar, &offset), 0);
		CHECK(bar == 0 && offset == 0x1000);
		wr(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
		wr(msix + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
		table = rd(msix + PCI_MSIX_TABLE, 4) & ~7u;
		set_reg(table + 12, 1);
		set_reg(table, 0xfee0100c);
		set_reg(table + 4, 0);
		set_reg(table + 8, 0x4021 + (uint32_t)round);
		set_reg(table + 12, 0);
		wr(msix + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
		start_controller(ram);
		before = test_count(&t, &messages);
		identify(ram, 0);
		CHECK(test_wait(&t, &messages, before + 1));
		CHECK(last_addr == 0xfee0100c && last_data == 0x4021 + (uint32_t)round);
		/* masked by the entry: nothing comes; unmasked: it does */
		set_reg(table + 12, 1);
		identify(ram, 1);
		while (!(__atomic_load_n((uint32_t *)(ram + 0x8020101c), __ATOMIC_ACQUIRE) >> 16 & 1))
			;
		CHECK_EQ(reg(table + 12), 1);
		CHECK_EQ(test_count(&t, &messages), before + 1);
		set_reg(table + 12, 0);
		CHECK(test_wait(&t, &messages, before + 2));
		/* reset as the kernel asks for it: all is gone, and can be set up again */
		wr(exp + PCI_EXP_DEVCTL, 2, rd(exp + PCI_EXP_DEVCTL, 2) | PCI_EXP_DEVCTL_BCR_FLR);
		CHECK_EQ(rd(PCI_COMMAND, 2), 0);
		CHECK_EQ(rd(msix + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_ENABLE, 0);
		CHECK_EQ(reg(table + 12), 1);
		CHECK_EQ(reg(0x1c) & 1, 0);
	}
	munmap(ram + t.port->dma_base, size);
	stop();
}

/* A SCSI adapter with a disk plugged into it, I/O ports, and an interrupt that is a line. */
static void test_scsi(void)
{
	static const char *const disk[] = { "-blockdev", "driver=null-co,node-name=d0,size=1073741824", "-device", "scsi-hd,drive=d0",
					    NULL };
	unsigned int bar;
	uint64_t offset, v;

	start("qemu:lsi53c895a", disk, 0);
	CHECK_EQ(rd(PCI_INTERRUPT_PIN, 1), 1);
	CHECK_EQ(rd(PCI_BASE_ADDRESS_0, 4) & 1, 1);
	CHECK_EQ(udf_vpci_find_io(vpci, (uint16_t)(rd(PCI_BASE_ADDRESS_0, 4) & ~3u) + 0x14, 1, &bar, &offset), 0);
	CHECK(bar == 0 && offset == 0x14);
	udf_vpci_intx_mask(vpci, false);
	/* SIEN0: interrupt on reset; SCNTL1: reset the SCSI bus */
	CHECK_EQ(udf_vpci_bar_write(vpci, 0, 0x40, 1, 0x02), 0);
	CHECK_EQ(udf_vpci_bar_write(vpci, 0, 0x01, 1, 0x08), 0);
	CHECK(test_wait(&t, &lines, 1));
	udf_vpci_intx_mask(vpci, true);
	/* unmasked while asserted: again */
	udf_vpci_intx_mask(vpci, false);
	CHECK(test_wait(&t, &lines, 2));
	udf_vpci_intx_mask(vpci, true);
	CHECK_EQ(udf_vpci_bar_read(vpci, 0, 0x42, 1, &v), 0);
	CHECK(v & 0x02);
	udf_vpci_intx_mask(vpci, false);
	CHECK_EQ(udf_vpci_bar_read(vpci, 0, 0x14, 1, &v), 0);
	CHECK_EQ(test_count(&t, &lines), 2);
	stop();
}

/* Function N of a card: alone in its QEMU, at its own place on the bus, seen as a device with one function. */
static void test_functions(void)
{
	static const char *const disk[] = { "-blockdev", "driver=null-co,node-name=d0,size=1073741824", NULL };

	for (unsigned int f = 0; f < 4; f++) {
		start("qemu:nvme,drive=d0,serial=x", disk, f);
		CHECK_EQ(t.port->devfn, 4 << 3 | f);
		CHECK_EQ(rd(PCI_HEADER_TYPE, 1), 0);
		CHECK_EQ(rd(PCI_CLASS_REVISION, 4) >> 8, 0x010802);
		stop();
	}
}

int main(void)
{
	pthread_mutex_init(&t.lock, NULL);
	pthread_cond_init(&t.changed, NULL);
	test_nvme();
	test_scsi();
	test_functions();
	return 0;
}
