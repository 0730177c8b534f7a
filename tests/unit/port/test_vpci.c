// SPDX-License-Identifier: GPL-2.0
/* The virtual PCI function over a scripted transport: a device that is an array of bytes and writes down what it is told. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/pci_regs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "layout.h"
#include "port/vpci.h"

/* Where the device's capabilities are. */
#define PM	0x40
#define SHPC	0x48
#define MSI	0x50
#define EXP	0x70
#define MSIX	0xb0
#define EA	0xc0
#define TABLE	0x2000		/* in BAR 0 */
#define PBA	0x3000
#define VECTORS	9

struct fake {
	struct udf_port port;
	uint8_t config[4096];
	uint8_t bar[0x4000];
	struct udf_bar_info info[UDF_PORT_BARS];
	unsigned int config_reads, resets;
	char log[4096];			/* irq_enable and irq_mask calls */
	uint64_t msi_addr[16];
	uint32_t msi_data[16];
	unsigned int messages, lines;
	uint32_t words[VECTORS], wakes[VECTORS];
	int fds[VECTORS];		/* eventfds that vectors signal */
	struct udf_vpci *vpci;
};

static struct fake *to_fake(struct udf_port *port)
{
	return (struct fake *)port;
}

static int config_read(struct udf_port *port, unsigned int offset, unsigned int size, uint32_t *value)
{
	to_fake(port)->config_reads++;
	*value = 0;
	memcpy(value, to_fake(port)->config + offset, size);
	return 0;
}

static int config_write(struct udf_port *port, unsigned int offset, unsigned int size, uint32_t value)
{
	memcpy(to_fake(port)->config + offset, &value, size);
	return 0;
}

static int bar_info(struct udf_port *port, unsigned int bar, struct udf_bar_info *info)
{
	*info = to_fake(port)->info[bar];
	return 0;
}

static int bar_read(struct udf_port *port, unsigned int bar, uint64_t offset, unsigned int size, uint64_t *value)
{
	assert_int_equal(bar, 0);
	*value = 0;
	memcpy(value, to_fake(port)->bar + offset, size);
	return 0;
}

static int bar_write(struct udf_port *port, unsigned int bar, uint64_t offset, unsigned int size, uint64_t value)
{
	assert_int_equal(bar, 0);
	memcpy(to_fake(port)->bar + offset, &value, size);
	return 0;
}

static unsigned int irq_count(struct udf_port *port, enum udf_irq_type type)
{
	return type == UDF_IRQ_INTX ? 1 : type == UDF_IRQ_MSI ? 4 : VECTORS;
}

static void note(struct udf_port *port, const char *what, unsigned int a, unsigned int b)
{
	char *log = to_fake(port)->log;
	size_t n = strlen(log);

	snprintf(log + n, sizeof(to_fake(port)->log) - n, "%s %u %u; ", what, a, b);
}

static int irq_enable(struct udf_port *port, enum udf_irq_type type, unsigned int count)
{
	note(port, type == UDF_IRQ_INTX ? "intx" : type == UDF_IRQ_MSI ? "msi" : "msix", count, 0);
	return 0;
}

static int irq_mask(struct udf_port *port, unsigned int vector, bool masked)
{
	note(port, masked ? "mask" : "unmask", vector, 0);
	return 0;
}

static int reset(struct udf_port *port)
{
	to_fake(port)->resets++;
	to_fake(port)->config[PCI_COMMAND] = PCI_COMMAND_IO | PCI_COMMAND_MEMORY;
	return 0;
}

static volatile uint32_t *irq_words(struct udf_port *port)
{
	return to_fake(port)->words;
}

static volatile uint32_t *irq_wakes(struct udf_port *port)
{
	return to_fake(port)->wakes;
}

static int irq_poll(struct udf_port *port, unsigned int vector, bool polled)
{
	note(port, polled ? "poll" : "report", vector, 0);
	return 0;
}

static int irq_signal(struct udf_port *port, unsigned int vector, int fd)
{
	if (to_fake(port)->fds[vector] != fd)
		note(port, fd < 0 ? "report" : "signal", vector, fd < 0 ? 0 : 1);
	to_fake(port)->fds[vector] = fd;
	to_fake(port)->wakes[vector] = 0;
	return 0;
}

/* The device sends its message VECTOR, which is polled; returns whether somebody is woken. */
static bool count(struct fake *f, unsigned int vector)
{
	bool wake = f->wakes[vector];

	f->words[vector]++;
	f->wakes[vector] = 0;
	return wake;
}

static const struct udf_port_ops fake_ops = {
	.name = "fake", .config_read = config_read, .config_write = config_write, .bar_info = bar_info, .bar_read = bar_read,
	.bar_write = bar_write, .irq_count = irq_count, .irq_enable = irq_enable, .irq_mask = irq_mask, .irq_words = irq_words,
	.irq_wakes = irq_wakes, .irq_poll = irq_poll, .irq_signal = irq_signal, .reset = reset,
};

static void on_msi(void *ctx, uint64_t addr, uint32_t data)
{
	struct fake *f = ctx;

	f->msi_addr[f->messages] = addr;
	f->msi_data[f->messages++] = data;
}

static void on_intx(void *ctx)
{
	((struct fake *)ctx)->lines++;
}

static const struct udf_vpci_events events = { .msi = on_msi, .intx = on_intx };

static void put32(struct fake *f, unsigned int offset, uint32_t value)
{
	memcpy(f->config + offset, &value, 4);
}

static int setup(void **state)
{
	struct fake *f = calloc(1, sizeof(*f));
	struct udf_error err = UDF_ERROR_INIT;

	f->port.ops = &fake_ops;
	memset(f->words, 0xff, sizeof(f->words));
	memset(f->fds, 0xff, sizeof(f->fds));
	f->info[0] = (struct udf_bar_info){ .size = 0x4000, .mem64 = true, .mappable = true };
	f->info[2] = (struct udf_bar_info){ .size = 0x20, .io = true };
	f->info[3] = (struct udf_bar_info){ .size = 0x100000, .bus = 0xc0100000, .prefetch = true, .mappable = true };
	f->info[4] = (struct udf_bar_info){ .size = 0x80 };
	put32(f, PCI_VENDOR_ID, 0x10d38086);
	put32(f, PCI_COMMAND, 0x00100003);		/* capability list; memory and I/O on */
	put32(f, PCI_CLASS_REVISION, 0x02000001);
	put32(f, 0x0c, 0x00800010);			/* multifunction */
	put32(f, PCI_SUBSYSTEM_VENDOR_ID, 0xa01f8086);
	put32(f, PCI_ROM_ADDRESS, 0xfffe0001);
	f->config[PCI_CAPABILITY_LIST] = PM;
	f->config[PCI_INTERRUPT_PIN] = 1;
	put32(f, PM, SHPC << 8 | PCI_CAP_ID_PM);
	put32(f, SHPC, MSI << 8 | 0x0c);
	put32(f, MSI, (PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT | 2 << 1) << 16 | EXP << 8 | PCI_CAP_ID_MSI);
	put32(f, EXP, 0x00020000 | MSIX << 8 | PCI_CAP_ID_EXP);
	put32(f, EXP + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_FLR);
	put32(f, MSIX, (VECTORS - 1) << 16 | EA << 8 | PCI_CAP_ID_MSIX);
	put32(f, MSIX + 4, TABLE);
	put32(f, MSIX + 8, PBA);
	put32(f, EA, 0x14);
	put32(f, 0x100, 0x14010000 | PCI_EXT_CAP_ID_ARI);	/* hidden, first */
	put32(f, 0x140, 0x18010000 | PCI_EXT_CAP_ID_ERR);
	put32(f, 0x180, 0x1c010000 | PCI_EXT_CAP_ID_SRIOV);	/* hidden */
	put32(f, 0x1c0, 0x20010000 | PCI_EXT_CAP_ID_ATS);	/* hidden */
	put32(f, 0x200, 0x00010000 | PCI_EXT_CAP_ID_DSN);
	assert_int_equal(udf_vpci_new(&f->port, &events, f, &f->vpci, &err), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fake *f = *state;

	udf_vpci_free(f->vpci);
	free(f);
	return 0;
}

static uint32_t rd(struct fake *f, unsigned int offset, unsigned int size)
{
	uint32_t v;

	assert_int_equal(udf_vpci_config_read(f->vpci, offset, size, &v), 0);
	return v;
}

static void wr(struct fake *f, unsigned int offset, unsigned int size, uint32_t value)
{
	assert_int_equal(udf_vpci_config_write(f->vpci, offset, size, value), 0);
}

static void table(struct fake *f, unsigned int vector, unsigned int word, uint32_t value)
{
	assert_int_equal(udf_vpci_bar_write(f->vpci, 0, TABLE + vector * 16 + word * 4, 4, value), 0);
}

static const char *take_log(struct fake *f)
{
	static char log[sizeof(f->log)];

	strcpy(log, f->log);
	f->log[0] = 0;
	return log;
}

static void test_header(void **state)
{
	struct fake *f = *state;
	char alias[80];

	assert_int_equal(rd(f, PCI_VENDOR_ID, 4), 0x10d38086);
	assert_int_equal(rd(f, PCI_HEADER_TYPE, 1), 0);
	assert_int_equal(rd(f, 0x0c, 4), 0x10);
	assert_int_equal(rd(f, PCI_ROM_ADDRESS, 4), 0);
	wr(f, PCI_ROM_ADDRESS, 4, ~0u);
	assert_int_equal(rd(f, PCI_ROM_ADDRESS, 4), 0);
	wr(f, PCI_INTERRUPT_LINE, 1, 11);
	assert_int_equal(rd(f, PCI_INTERRUPT_LINE, 2), 0x010b);
	assert_int_equal(f->config[PCI_INTERRUPT_LINE], 0);
	assert_int_equal(udf_vpci_modalias(f->vpci, alias, sizeof(alias)), 53);
	assert_string_equal(alias, "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00");
	assert_int_equal(udf_vpci_modalias(f->vpci, alias, 53), -ENOSPC);
}

static void test_invalid(void **state)
{
	struct fake *f = *state;
	uint32_t v = 0;

	assert_int_equal(udf_vpci_config_read(f->vpci, 4096, 1, &v), -EINVAL);
	assert_int_equal(v, ~0u);
	assert_int_equal(udf_vpci_config_read(f->vpci, 2, 4, &v), -EINVAL);
	assert_int_equal(udf_vpci_config_read(f->vpci, 0, 3, &v), -EINVAL);
	assert_int_equal(udf_vpci_config_write(f->vpci, 1, 2, 0), -EINVAL);
}

/* The kernel code sees what it wrote; the device keeps decoding; bus mastering and INTx disable go through. */
static void test_command(void **state)
{
	struct fake *f = *state;

	assert_int_equal(rd(f, PCI_COMMAND, 2), 0);
	wr(f, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_int_equal(rd(f, PCI_COMMAND, 2), PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_int_equal(f->config[PCI_COMMAND], PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	wr(f, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
	assert_int_equal(rd(f, PCI_COMMAND, 2), PCI_COMMAND_INTX_DISABLE);
	assert_int_equal(f->config[PCI_COMMAND], PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	assert_int_equal(f->config[PCI_COMMAND + 1], PCI_COMMAND_INTX_DISABLE >> 8);
}

static void test_bars(void **state)
{
	struct fake *f = *state;
	uint32_t addr = rd(f, 0x10, 4), big = rd(f, 0x1c, 4), io = rd(f, 0x18, 4);
	unsigned int bar;
	uint64_t offset;

	/* assigned, within the window, aligned, apart, with their flags */
	assert_int_equal(addr & 15, 4);
	assert_true((addr & ~15u) >= UDF_PCI_WINDOW_BASE && (addr & ~15u) + 0x4000 <= UDF_PCI_WINDOW_END);
	assert_int_equal(addr & 0x3ff0, 0);
	assert_int_equal(rd(f, 0x14, 4), 0);
	/* but for the one that has its place */
	assert_int_equal(big, 0xc0100008);
	assert_int_equal(io & 31, 1);
	/* sizing: all ones, and what comes back */
	wr(f, 0x10, 4, ~0u);
	wr(f, 0x14, 4, ~0u);
	assert_int_equal(rd(f, 0x10, 4), 0xffffc004);
	assert_int_equal(rd(f, 0x14, 4), ~0u);
	wr(f, 0x18, 4, ~0u);
	assert_int_equal(rd(f, 0x18, 4), 0xffffffe1);
	wr(f, 0x1c, 4, ~0u);
	assert_int_equal(rd(f, 0x1c, 4), 0xfff00008);
	wr(f, 0x24, 4, ~0u);
	assert_int_equal(rd(f, 0x24, 4), 0);
	/* moved: found at the new place only; nothing reached the device */
	wr(f, 0x10, 4, 0x20004000);
	wr(f, 0x14, 4, 0);
	wr(f, 0x18, 4, 0x3000);
	assert_int_equal(udf_vpci_find_mem(f->vpci, 0x20004010, 4, &bar, &offset), 0);
	assert_int_equal(bar, 0);
	assert_int_equal(offset, 0x10);
	assert_int_equal(udf_vpci_find_mem(f->vpci, 0x20007ffc, 8, &bar, &offset), -ENOENT);
	assert_int_equal(udf_vpci_find_mem(f->vpci, addr & ~15u, 4, &bar, &offset), -ENOENT);
	assert_int_equal(udf_vpci_find_io(f->vpci, 0x301c, 4, &bar, &offset), 0);
	assert_int_equal(bar, 2);
	assert_int_equal(offset, 0x1c);
	assert_int_equal(udf_vpci_find_io(f->vpci, 0x301e, 4, &bar, &offset), -ENOENT);
	assert_int_equal(udf_vpci_find_mem(f->vpci, 0x3000, 4, &bar, &offset), -ENOENT);
	for (unsigned int i = 0x10; i < 0x28; i++)
		assert_int_equal(f->config[i], 0);
}

static void test_mappable(void **state)
{
	struct fake *f = *state;

	assert_true(udf_vpci_mappable(f->vpci, 0, 0, 0x2000));
	assert_false(udf_vpci_mappable(f->vpci, 0, 0, 0x3000));
	assert_false(udf_vpci_mappable(f->vpci, 0, 0x2000, 0x1000));
	assert_false(udf_vpci_mappable(f->vpci, 0, 0x3000, 0x1000));
	assert_true(udf_vpci_mappable(f->vpci, 3, 0, 0x100000));
	assert_false(udf_vpci_mappable(f->vpci, 4, 0, 0x1000));
	assert_false(udf_vpci_mappable(f->vpci, 6, 0, 0x1000));
}

/* Hidden capabilities are gone from the list, the others are there, in order. */
static void test_capabilities(void **state)
{
	static const unsigned int visible[] = { PCI_CAP_ID_PM, PCI_CAP_ID_MSI, PCI_CAP_ID_EXP, PCI_CAP_ID_MSIX };
	struct fake *f = *state;
	unsigned int pos = rd(f, PCI_CAPABILITY_LIST, 1), n = 0;

	for (; pos; pos = rd(f, pos + 1, 1)) {
		assert_true(n < 4);
		assert_int_equal(rd(f, pos, 1), visible[n++]);
	}
	assert_int_equal(n, 4);
	assert_int_equal(rd(f, 0x100, 4), 0x14000000);
	assert_int_equal(rd(f, 0x140, 4), 0x20010000 | PCI_EXT_CAP_ID_ERR);
	assert_int_equal(rd(f, 0x200, 4), 0x00010000 | PCI_EXT_CAP_ID_DSN);
	assert_int_equal(PCI_EXT_CAP_NEXT(rd(f, 0x100, 4)), 0x140);
}

static void test_msix(void **state)
{
	struct fake *f = *state;
	uint64_t v;

	/* as the kernel does it: enable with all masked, mask each, write a message, unmask */
	assert_int_equal(rd(f, MSIX + 2, 2), VECTORS - 1);
	wr(f, MSIX + 2, 2, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL | 0x3ff);
	assert_int_equal(rd(f, MSIX + 2, 2), (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL) | (VECTORS - 1));
	assert_string_equal(take_log(f), "msix 9 0; ");
	assert_int_equal(udf_vpci_bar_read(f->vpci, 0, TABLE + 8 * 16 + 12, 4, &v), 0);
	assert_int_equal(v, 1);
	table(f, 2, 0, 0xfee01000);
	table(f, 2, 1, 0x1);
	table(f, 2, 2, 0x4022);
	table(f, 2, 3, 0);
	assert_string_equal(take_log(f), "");
	wr(f, MSIX + 2, 2, PCI_MSIX_FLAGS_ENABLE);
	assert_string_equal(take_log(f), "unmask 2 0; ");
	assert_int_equal(f->config[MSIX + 3], 0);

	udf_vpci_irq(f->vpci, 2, 0);
	assert_int_equal(f->messages, 1);
	assert_int_equal(f->msi_addr[0], 0x1fee01000);
	assert_int_equal(f->msi_data[0], 0x4022);
	/* one that was under way when the vector was masked waits for the unmask */
	table(f, 2, 3, 1);
	assert_string_equal(take_log(f), "mask 2 0; ");
	udf_vpci_irq(f->vpci, 2, 0);
	udf_vpci_irq(f->vpci, 2, 0);
	assert_int_equal(f->messages, 1);
	assert_int_equal(udf_vpci_bar_read(f->vpci, 0, PBA, 8, &v), 0);
	assert_int_equal(v, 4);
	/* what the device holds back itself shows, too */
	f->bar[PBA] = 0x10;
	assert_int_equal(udf_vpci_bar_read(f->vpci, 0, PBA, 4, &v), 0);
	assert_int_equal(v, 0x14);
	f->bar[PBA] = 0;
	table(f, 2, 2, 0x4033);
	table(f, 2, 3, 0);
	assert_string_equal(take_log(f), "unmask 2 0; ");
	assert_int_equal(f->messages, 2);
	assert_int_equal(f->msi_data[1], 0x4033);
	assert_int_equal(udf_vpci_bar_read(f->vpci, 0, PBA, 8, &v), 0);
	assert_int_equal(v, 0);
	/* the same with the mask of the whole function */
	wr(f, MSIX + 2, 2, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	udf_vpci_irq(f->vpci, 2, 0);
	assert_int_equal(f->messages, 2);
	wr(f, MSIX + 2, 2, PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(f->messages, 3);
	/* vectors that do not exist, and 8-byte writes */
	udf_vpci_irq(f->vpci, VECTORS, 0);
	assert_int_equal(udf_vpci_bar_write(f->vpci, 0, TABLE + 16, 8, 0x1122334455667788), 0);
	assert_int_equal(udf_vpci_bar_read(f->vpci, 0, TABLE + 20, 4, &v), 0);
	assert_int_equal(v, 0x11223344);
	/* the device's own table was left alone */
	for (unsigned int i = 0; i < VECTORS * 16; i++)
		assert_int_equal(f->bar[TABLE + i], 0);
	take_log(f);
	wr(f, MSIX + 2, 2, 0);
	assert_string_equal(take_log(f), "msix 0 0; ");
	udf_vpci_irq(f->vpci, 2, 0);
	assert_int_equal(f->messages, 3);
}

static void message(struct fake *f, unsigned int vector, unsigned int cpu)
{
	table(f, vector, 0, 0xfee00000 | cpu << 12);
	table(f, vector, 1, 0);
	table(f, vector, 2, 100 + vector);
}

/* For as long as one polls, its vectors are not reported. */
static void test_poll(void **state)
{
	struct fake *f = *state;

	wr(f, MSIX + 2, 2, PCI_MSIX_FLAGS_ENABLE);
	message(f, 1, 3);
	table(f, 1, 3, 0);
	message(f, 2, 4);
	table(f, 2, 3, 0);
	take_log(f);
	assert_int_equal(udf_vpci_poll_start(f->vpci, 3, 0xfee03000), 1);
	assert_string_equal(take_log(f), "poll 1 0; ");
	udf_vpci_poll(f->vpci, 3);
	assert_int_equal(f->messages, 0);
	count(f, 1);
	count(f, 2);
	udf_vpci_poll(f->vpci, 3);
	assert_int_equal(f->messages, 1);
	assert_int_equal(f->msi_data[0], 101);
	count(f, 1);
	udf_vpci_poll_stop(f->vpci, 3);
	assert_string_equal(take_log(f), "report 1 0; ");
	assert_int_equal(f->messages, 2);
	count(f, 1);
	udf_vpci_poll(f->vpci, 3);
	assert_int_equal(f->messages, 2);
}

/* One that sleeps owns its vectors for good, wherever they come from and go to. */
static void test_poll_own(void **state)
{
	struct fake *f = *state;
	int fd[2] = { eventfd(0, EFD_NONBLOCK), eventfd(0, EFD_NONBLOCK) };
	const volatile uint32_t *words[2];
	eventfd_t n;

	wr(f, MSIX + 2, 2, PCI_MSIX_FLAGS_ENABLE);
	message(f, 1, 0);
	table(f, 1, 3, 0);
	take_log(f);
	assert_int_equal(udf_vpci_poll_own(f->vpci, 0, 0xfee00000, fd[0]), 0);
	assert_string_equal(take_log(f), "mask 1 0; signal 1 1; unmask 1 0; ");
	assert_int_equal(udf_vpci_poll_own(f->vpci, 1, 0xfee01000, fd[1]), 0);
	assert_string_equal(take_log(f), "");
	assert_int_equal(f->fds[1], fd[0]);
	/* nobody's before, asleep for all that is known */
	assert_true(count(f, 1));
	udf_vpci_poll(f->vpci, 1);
	assert_int_equal(f->messages, 0);
	udf_vpci_poll(f->vpci, 0);
	assert_int_equal(f->messages, 1);
	assert_false(count(f, 1));
	udf_vpci_poll(f->vpci, 0);
	assert_int_equal(f->messages, 2);
	udf_vpci_poll_sleep(f->vpci, 0, true);
	assert_true(count(f, 1));
	udf_vpci_poll_sleep(f->vpci, 0, true);
	udf_vpci_poll_sleep(f->vpci, 0, false);
	assert_false(count(f, 1));
	udf_vpci_poll(f->vpci, 0);
	assert_int_equal(f->messages, 3);

	assert_int_equal(udf_vpci_poll_words(f->vpci, 0, words, 2), 1);
	assert_ptr_equal(words[0], &f->words[1]);
	assert_int_equal(udf_vpci_poll_words(f->vpci, 0, words, 0), 1);
	assert_int_equal(udf_vpci_poll_words(f->vpci, 1, words, 2), 0);

	/* a vector that comes later, and one that moves: what was counted before goes with it */
	message(f, 7, 1);
	table(f, 7, 3, 0);
	assert_int_equal(f->fds[7], fd[1]);
	count(f, 1);
	table(f, 1, 3, 1);
	assert_int_equal(f->words[1], UDF_IRQ_IDLE);
	message(f, 1, 1);
	table(f, 1, 3, 0);
	assert_int_equal(f->fds[1], fd[1]);
	assert_int_equal(f->messages, 4);
	assert_int_equal(f->msi_addr[3], 0xfee01000);
	udf_vpci_poll(f->vpci, 0);
	count(f, 1);
	udf_vpci_poll(f->vpci, 0);
	assert_int_equal(f->messages, 4);
	udf_vpci_poll(f->vpci, 1);
	assert_int_equal(f->messages, 5);
	/* to a place that is nobody's: reported */
	table(f, 1, 3, 1);
	message(f, 1, 5);
	table(f, 1, 3, 0);
	assert_int_equal(f->fds[1], -1);
	/* counted while it is unmasked: its owner is woken */
	table(f, 1, 3, 1);
	message(f, 1, 0);
	f->words[1] = 3;
	assert_int_equal(eventfd_read(fd[0], &n), -1);
	table(f, 1, 3, 0);
	assert_int_equal(eventfd_read(fd[0], &n), 0);
	/* who owns needs not poll for a while */
	take_log(f);
	assert_int_equal(udf_vpci_poll_start(f->vpci, 0, 0xfee00000), 0);
	udf_vpci_poll_stop(f->vpci, 0);
	assert_string_equal(take_log(f), "");
	/* off and on again */
	wr(f, MSIX + 2, 2, 0);
	wr(f, MSIX + 2, 2, PCI_MSIX_FLAGS_ENABLE);
	memset(f->fds, 0xff, sizeof(f->fds));
	message(f, 3, 0);
	table(f, 3, 3, 0);
	assert_int_equal(f->fds[3], fd[0]);
	close(fd[0]);
	close(fd[1]);
}

static void test_msi(void **state)
{
	struct fake *f = *state;

	wr(f, MSI + 4, 4, 0xfee00000);
	wr(f, MSI + 8, 4, 0);
	wr(f, MSI + 12, 2, 0x41f0);
	wr(f, MSI + 16, 4, 0xe);
	wr(f, MSI + 2, 2, PCI_MSI_FLAGS_ENABLE | 2 << 4);
	assert_int_equal(rd(f, MSI + 2, 2), PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT | 2 << 1 | PCI_MSI_FLAGS_ENABLE | 2 << 4);
	assert_string_equal(take_log(f), "msi 4 0; unmask 0 0; ");
	udf_vpci_irq(f->vpci, 0, 0);
	assert_int_equal(f->msi_addr[0], 0xfee00000);
	assert_int_equal(f->msi_data[0], 0x41f0);
	udf_vpci_irq(f->vpci, 3, 0);
	assert_int_equal(f->messages, 1);
	assert_int_equal(rd(f, MSI + 20, 4), 8);
	wr(f, MSI + 16, 4, 0);
	assert_string_equal(take_log(f), "unmask 1 0; unmask 2 0; unmask 3 0; ");
	assert_int_equal(f->messages, 2);
	assert_int_equal(f->msi_data[1], 0x41f3);
	assert_int_equal(rd(f, MSI + 20, 4), 0);
	assert_int_equal(f->config[MSI + 4], 0);
}

static void test_intx(void **state)
{
	struct fake *f = *state;

	udf_vpci_irq(f->vpci, 0, 1);		/* nobody has asked */
	udf_vpci_intx_mask(f->vpci, false);
	assert_string_equal(take_log(f), "intx 1 0; unmask 0 0; ");
	udf_vpci_irq(f->vpci, 0, 1);
	assert_int_equal(f->lines, 1);
	udf_vpci_intx_mask(f->vpci, true);
	assert_string_equal(take_log(f), "mask 0 0; ");
	udf_vpci_irq(f->vpci, 0, 1);
	udf_vpci_irq(f->vpci, 0, 0);
	assert_int_equal(f->lines, 1);
	udf_vpci_intx_mask(f->vpci, false);
	udf_vpci_irq(f->vpci, 0, 1);
	assert_int_equal(f->lines, 2);
	take_log(f);
	/* MSI-X takes its place, and gives it back */
	wr(f, MSIX + 2, 2, PCI_MSIX_FLAGS_ENABLE);
	assert_string_equal(take_log(f), "intx 0 0; msix 9 0; ");
	wr(f, MSIX + 2, 2, 0);
	assert_string_equal(take_log(f), "msix 0 0; intx 1 0; unmask 0 0; ");
}

static void test_resets(void **state)
{
	struct fake *f = *state;
	uint64_t v;

	wr(f, PCI_COMMAND, 2, 7);
	wr(f, MSIX + 2, 2, PCI_MSIX_FLAGS_ENABLE);
	table(f, 1, 3, 0);
	take_log(f);
	wr(f, EXP + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR | 0x10);
	assert_int_equal(f->resets, 1);
	assert_int_equal(f->config[EXP + PCI_EXP_DEVCTL + 1], 0);
	assert_int_equal(rd(f, EXP + PCI_EXP_DEVCTL, 2), 0x10);
	/* nothing is left of the configuration, as after a real one */
	assert_int_equal(rd(f, PCI_COMMAND, 2), 0);
	assert_int_equal(rd(f, 0x10, 4), 4);
	assert_int_equal(rd(f, MSIX + 2, 2), VECTORS - 1);
	assert_int_equal(udf_vpci_bar_read(f->vpci, 0, TABLE + 16 + 12, 4, &v), 0);
	assert_int_equal(v, 1);
	assert_string_equal(take_log(f), "");
	/* from D3hot to D0 a function without No_Soft_Reset resets itself */
	wr(f, PM + PCI_PM_CTRL, 2, 3);
	assert_int_equal(f->resets, 1);
	wr(f, PM + PCI_PM_CTRL, 2, 0);
	assert_int_equal(f->resets, 2);
	wr(f, PM + PCI_PM_CTRL, 2, 0);
	assert_int_equal(f->resets, 2);
}

/* What cannot change is not asked of the device again. */
static void test_constants_are_kept(void **state)
{
	struct fake *f = *state;
	unsigned int before = f->config_reads;

	rd(f, PCI_VENDOR_ID, 4);
	rd(f, PCI_CLASS_REVISION, 4);
	rd(f, 0x10, 4);
	rd(f, MSIX + 2, 2);
	rd(f, MSI + 16, 4);
	rd(f, PCI_CAPABILITY_LIST, 1);
	assert_int_equal(f->config_reads, before);
	rd(f, PCI_STATUS, 2);
	assert_int_equal(f->config_reads, before + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_header, setup, teardown),
		cmocka_unit_test_setup_teardown(test_invalid, setup, teardown),
		cmocka_unit_test_setup_teardown(test_command, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bars, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mappable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_capabilities, setup, teardown),
		cmocka_unit_test_setup_teardown(test_msix, setup, teardown),
		cmocka_unit_test_setup_teardown(test_poll, setup, teardown),
		cmocka_unit_test_setup_teardown(test_poll_own, setup, teardown),
		cmocka_unit_test_setup_teardown(test_msi, setup, teardown),
		cmocka_unit_test_setup_teardown(test_intx, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_constants_are_kept, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
