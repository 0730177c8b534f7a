// SPDX-License-Identifier: GPL-2.0
/*
 * abi WHAT DEVICE-FILE [ARGUMENT]: the ABI of udf_port.ko without anything of libudf. For the cases of this folder, in the guest.
 *
 *	good	what every function has; for QEMU's "edu" device also DMA, MSI and INTx, which it can be told to do
 *	bad	everything that must be refused, and with which error
 *	fuzz N	N random ioctls and mappings, of which the process must survive all
 *	busy	all kinds of calls from several threads, for ever: to be killed
 *	die	edu: begins a transfer into memory and is killed before the device gets to it
 *	leave	MIB of DMA memory for the next session, with a pattern in it
 *	left	whether that memory is there, and the pattern in what has not been used since
 *	kept	when memory of a session is the next one's, and when not
 *	early	a session that begins while the function is still being reset after the one before
 *	overtaken	MIB of DMA memory: the port is unbound and bound again when a session has begun, but the reset after the one before has not
 *	scatter	OTHER-DEVICE-FILE MIB: leaves so much of free memory in pieces of 4 MiB, none beside another; says "ready" and waits
 *	hold	everything in use; says "ready", waits until the port is lost, says "lost", checks what is left and closes
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/capability.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "udf/port-abi.h"

#define MIB (1ull << 20)
#define PATIENCE_MS 10000

#define CHECK(what) do {							\
	if (!(what)) {								\
		fprintf(stderr, "abi.c:%d: %s (errno %d)\n", __LINE__, #what, errno);	\
		exit(1);							\
	}									\
} while (0)
#define OK(call) CHECK(!(call))
#define REFUSED(call, error) do { errno = 0; CHECK((call) == -1 && errno == (error)); } while (0)

static int fd;
static struct udf_port_info info;
static struct udf_port_shared *shared;

static int config(unsigned int flags, unsigned int offset, unsigned int size, uint32_t *value)
{
	struct udf_port_config_access c = { .flags = flags, .offset = (__u16)offset, .size = (__u16)size, .value = *value };
	int ret = ioctl(fd, UDF_PORT_CONFIG, &c);

	*value = c.value;
	return ret;
}

static uint32_t config_read(unsigned int offset, unsigned int size)
{
	uint32_t value = 0;

	OK(config(0, offset, size, &value));
	return value;
}

static void config_write(unsigned int offset, unsigned int size, uint32_t value)
{
	OK(config(UDF_PORT_WRITE, offset, size, &value));
}

static int dma_mask(unsigned int bits)
{
	struct udf_port_dma_mask m = { .bits = bits };

	return ioctl(fd, UDF_PORT_DMA_MASK, &m);
}

static int dma_alloc(uint64_t size, struct udf_port_dma_alloc *a)
{
	*a = (struct udf_port_dma_alloc){ .size = size };
	return ioctl(fd, UDF_PORT_DMA_ALLOC, a);
}

static int irq_enable(unsigned int type, unsigned int count)
{
	struct udf_port_irq_enable e = { .type = type, .count = count };

	return ioctl(fd, UDF_PORT_IRQ_ENABLE, &e);
}

static int irq_mask(unsigned int flags, unsigned int vector)
{
	struct udf_port_irq_mask m = { .flags = flags, .vector = vector };

	return ioctl(fd, UDF_PORT_IRQ_MASK, &m);
}

static int irq_eventfd(unsigned int first, unsigned int count, int event)
{
	struct udf_port_irq_eventfd e = { .first = first, .count = count, .fd = event };

	return ioctl(fd, UDF_PORT_IRQ_EVENTFD, &e);
}

static int reset(void)
{
	struct udf_port_reset r = { 0 };

	return ioctl(fd, UDF_PORT_RESET, &r);
}

static void *map(uint64_t offset, size_t len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
}

static uint32_t count(unsigned int vector)
{
	return __atomic_load_n(&shared->count[vector], __ATOMIC_SEQ_CST);
}

static void start(const char *path)
{
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		perror(path);
		exit(1);
	}
	OK(ioctl(fd, UDF_PORT_INFO, &info));
	shared = map(UDF_PORT_MMAP_SHARED, sizeof(*shared));
	CHECK(shared != MAP_FAILED);
}

/* ---- accesses that fault ---- */

static sigjmp_buf bus_error;

static void on_sigbus(int sig)
{
	siglongjmp(bus_error, 1);
}

/* Whether the byte at P can be read. */
static bool readable(const volatile void *p)
{
	signal(SIGBUS, on_sigbus);
	if (sigsetjmp(bus_error, 1))
		return false;
	(void)*(const volatile uint32_t *)p;
	return true;
}

/* ---- good ---- */

static void good_config(void)
{
	uint32_t bar = config_read(0x10, 4), before = config_read(4, 2), command;

	CHECK(config_read(0, 4) == ((uint32_t)info.device << 16 | info.vendor));
	CHECK(config_read(1, 1) == info.vendor >> 8);
	CHECK(config_read(8, 4) == (info.class << 8 | info.revision));
	config_write(0x10, 4, ~0u);
	CHECK(config_read(0x10, 4) == bar);
	config_write(4, 2, 0xffff);
	command = config_read(4, 2);
	CHECK(command & 4 && !((command ^ before) & ~0x14u));	/* bus mastering is ours, and memory-write-invalidate */
	config_write(4, 2, 0);
	command = config_read(4, 2);
	CHECK(!(command & 4) && command & 2);		/* memory decoding stays on */
	config_write(0x0c, 1, 0x10);
	CHECK(config_read(0x0c, 1) == 0x10);
	OK(reset());
	CHECK(config_read(0x0c, 1) != 0x10);
	CHECK(config_read(0x10, 4) == bar);
}

static void good_dma(void)
{
	struct udf_port_dma_alloc a, b;
	uint64_t next = 0;
	uint8_t *mem;

	OK(dma_mask(64));
	OK(dma_mask(32));
	OK(dma_alloc(12 * MIB + UDF_PORT_DMA_GRAIN, &a));
	for (unsigned int i = 0; i < a.nr_ranges; i++) {
		CHECK(a.range[i].offset == next && a.range[i].len && a.range[i].dev);
		CHECK(a.range[i].dev + a.range[i].len <= 1ull << 32);
		CHECK(!i || a.range[i].dev > a.range[i - 1].dev + a.range[i - 1].len);
		next += a.range[i].len;
	}
	CHECK(next == a.size);
	REFUSED(dma_mask(32), EBUSY);
	/* more later, in the same mapping */
	mem = map(UDF_PORT_MMAP_DMA, 16 * MIB);
	CHECK(mem != MAP_FAILED);
	CHECK(readable(mem) && readable(mem + a.size - 4) && !readable(mem + a.size));
	for (uint64_t i = 0; i < a.size; i++)
		CHECK(!mem[i]);
	for (uint64_t i = 0; i < a.size; i += 4096)
		*(uint64_t *)(mem + i) = i;
	OK(dma_alloc(2 * MIB, &b));
	CHECK(b.range[0].offset == a.size && readable(mem + a.size));
	for (uint64_t i = 0; i < a.size; i += 4096)
		CHECK(*(uint64_t *)(mem + i) == i);
	OK(ioctl(fd, UDF_PORT_INFO, &info));
	CHECK(info.dma_size == a.size + b.size);
	munmap(mem, 16 * MIB);
}

/* What can be read by ioctl and by mapping is the same. */
static void good_bars(void)
{
	unsigned int mapped = 0;

	for (unsigned int i = 0; i < UDF_PORT_BAR_COUNT; i++) {
		struct udf_port_bar_access a = { .bar = (__u16)i, .size = 4 };
		volatile uint32_t *regs;

		if (!info.bar[i].size)
			continue;
		OK(ioctl(fd, UDF_PORT_ACCESS, &a));
		if (!(info.bar[i].flags & UDF_PORT_BAR_MMAP))
			continue;
		regs = map(UDF_PORT_MMAP_BAR(i), 4096);
		if (regs == MAP_FAILED && errno == EPERM)
			continue;	/* MSI-X */
		CHECK(regs != MAP_FAILED && *regs == a.value);
		OK(reset());		/* takes the mapping away, and it comes back */
		(void)*regs;
		munmap((void *)regs, 4096);
		mapped++;
	}
	CHECK(mapped);
}

/* QEMU's edu device: registers, and a buffer of its own. */
#define EDU_ID 0x11e81234u
enum { EDU_IRQ_STATUS = 0x24, EDU_IRQ_RAISE = 0x60, EDU_IRQ_ACK = 0x64, EDU_DMA_SRC = 0x80, EDU_DMA_DST = 0x88, EDU_DMA_COUNT = 0x90,
       EDU_DMA_COMMAND = 0x98, EDU_BUFFER = 0x40000, EDU_LEN = 2048 /* half of it: the device refuses the whole */ };
enum { EDU_DMA_RUN = 1, EDU_DMA_FROM_DEVICE = 2 };

static volatile uint8_t *edu;

static void edu_write(unsigned int reg, uint32_t value)
{
	*(volatile uint32_t *)(edu + reg) = value;
}

static void edu_write8(unsigned int reg, uint64_t value)
{
	*(volatile uint64_t *)(edu + reg) = value;
}

/* The device begins 100 ms later. */
static void edu_dma_start(uint64_t src, uint64_t dst, uint64_t len, unsigned int command)
{
	edu_write8(EDU_DMA_SRC, src);
	edu_write8(EDU_DMA_DST, dst);
	edu_write8(EDU_DMA_COUNT, len);
	edu_write8(EDU_DMA_COMMAND, EDU_DMA_RUN | command);
}

static void edu_dma_wait(void)
{
	while (*(volatile uint64_t *)(edu + EDU_DMA_COMMAND) & EDU_DMA_RUN)
		usleep(1000);
}

static void edu_dma(uint64_t src, uint64_t dst, uint64_t len, unsigned int command)
{
	edu_dma_start(src, dst, len, command);
	edu_dma_wait();
}

/* What a session before has begun goes on after a reset of this device, and would be this session's as soon as it may master the bus. */
static void edu_settle(void)
{
	edu = map(UDF_PORT_MMAP_BAR(0), info.bar[0].size);
	CHECK(edu != MAP_FAILED);
	edu_dma_wait();
	munmap((void *)edu, info.bar[0].size);
}

static void await(int event, unsigned int vector, uint32_t want)
{
	struct pollfd p = { .fd = event, .events = POLLIN };
	uint64_t n;

	while (count(vector) != want) {
		__atomic_store_n(&shared->wake[vector], 1, __ATOMIC_SEQ_CST);
		if (count(vector) == want)
			break;
		CHECK(poll(&p, 1, PATIENCE_MS) == 1);
		CHECK(read(event, &n, 8) == 8);
	}
}

static void edu_msi(int event)
{
	OK(irq_enable(UDF_PORT_MSI, 1));
	OK(irq_eventfd(0, 1, event));
	OK(irq_mask(0, 0));
	REFUSED(irq_eventfd(0, 1, event), EBUSY);
	shared->count[0] = 0;
	for (uint32_t i = 1; i <= 100; i++) {
		edu_write(EDU_IRQ_RAISE, 1);
		await(event, 0, i);
		edu_write(EDU_IRQ_ACK, 1);
	}
	/* what comes while it is masked comes when it is not */
	OK(irq_mask(UDF_PORT_MASKED, 0));
	edu_write(EDU_IRQ_RAISE, 1);
	(void)*(volatile uint32_t *)(edu + EDU_IRQ_STATUS);
	usleep(20000);
	CHECK(count(0) == 100);
	OK(irq_mask(0, 0));
	await(event, 0, 101);
	edu_write(EDU_IRQ_ACK, 1);
	OK(irq_enable(0, 0));
}

static void edu_intx(int event)
{
	OK(irq_enable(UDF_PORT_INTX, 1));
	shared->count[0] = 0;
	OK(irq_mask(0, 0));
	for (uint32_t i = 1; i <= 100; i++) {
		edu_write(EDU_IRQ_RAISE, 1);
		await(event, 0, i);
		edu_write(EDU_IRQ_ACK, 1);
		OK(irq_mask(0, 0));
	}
	/* masked at the device until it is acknowledged; then, as it is still asserted, once more */
	edu_write(EDU_IRQ_RAISE, 1);
	await(event, 0, 101);
	usleep(20000);
	CHECK(count(0) == 101 && config_read(4, 2) & 0x400);
	OK(irq_mask(0, 0));
	CHECK(count(0) == 102);
	OK(irq_mask(UDF_PORT_MASKED, 0));
	edu_write(EDU_IRQ_ACK, 1);
	OK(irq_mask(0, 0));
	CHECK(count(0) == 102 && !(config_read(4, 2) & 0x400));
	OK(irq_enable(0, 0));
	CHECK(config_read(4, 2) & 0x400);
}

/* The device reads and writes memory where it is told, and with an IOMMU nowhere else. */
static void edu_memory(void)
{
	struct udf_port_dma_alloc a;
	uint8_t *mem;

	OK(dma_mask(28));
	OK(dma_alloc(4 * UDF_PORT_DMA_GRAIN, &a));
	for (unsigned int i = 0; i < a.nr_ranges; i++)
		CHECK(a.range[i].dev + a.range[i].len <= 1u << 28);
	mem = map(UDF_PORT_MMAP_DMA, a.size);
	CHECK(mem != MAP_FAILED);
	memset(mem, 0x5a, EDU_LEN);
	config_write(4, 2, 4);
	edu_dma(a.range[0].dev, EDU_BUFFER, EDU_LEN, 0);
	edu_dma(EDU_BUFFER, a.range[a.nr_ranges - 1].dev + a.range[a.nr_ranges - 1].len - EDU_LEN, EDU_LEN, EDU_DMA_FROM_DEVICE);
	CHECK(!memcmp(mem, mem + a.size - EDU_LEN, EDU_LEN));
	if (info.properties & UDF_PORT_ISOLATED) {
		edu_dma(0x100000, EDU_BUFFER, EDU_LEN, 0);	/* the kernel's memory: the case looks for the fault in its log */
		printf("tried to reach the kernel's memory\n");
	}
	/* without bus mastering nothing moves */
	config_write(4, 2, 0);
	memset(mem, 0, EDU_LEN);
	edu_dma(EDU_BUFFER, a.range[0].dev, EDU_LEN, EDU_DMA_FROM_DEVICE);
	CHECK(!mem[0] && !mem[EDU_LEN - 1]);
}

static int mem_add(void *addr, uint64_t size, int lease, uint64_t *dev)
{
	struct udf_port_mem_add a = { .addr = (uintptr_t)addr, .size = size, .lease = lease };
	int ret = ioctl(fd, UDF_PORT_MEM_ADD, &a);

	*dev = a.dev;
	return ret;
}

static int mem_remove(uint64_t dev)
{
	struct udf_port_mem_remove r = { .dev = dev };

	return ioctl(fd, UDF_PORT_MEM_REMOVE, &r);
}

/* The write end of a pipe was the lease. */
static bool ended(int pipe_fd)
{
	struct pollfd p = { .fd = pipe_fd };

	return poll(&p, 1, 0) == 1 && p.revents & POLLHUP;
}

/* Memory of our own: a file that is mapped, and unmapped again while the device works with it. */
static void edu_own_memory(void)
{
	const size_t len = 4 * UDF_PORT_MEM_GRAIN;
	int file = memfd_create("own", 0), lease[2];
	uint8_t *mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	uint64_t dev, more;

	OK(ftruncate(file, (off_t)len));
	CHECK(mem != MAP_FAILED && !pipe(lease));
	if (!(info.properties & UDF_PORT_ISOLATED)) {
		REFUSED(mem_add(mem, len, -1, &dev), EOPNOTSUPP);
		return;
	}
	REFUSED(mem_add(mem, len - 4096, -1, &dev), EINVAL);
	REFUSED(mem_add(mem + 1, len, -1, &dev), EINVAL);
	REFUSED(mem_add(mem, 2 * len, -1, &dev), EFAULT);
	REFUSED(mem_add((void *)edu, len, -1, &dev), EFAULT);		/* registers are no memory */
	REFUSED(mem_add(mem, len, 1000, &dev), EBADF);
	REFUSED(mem_add(mem, len, fd, &dev), EINVAL);			/* the port would never be closed */
	REFUSED(mem_add(mem, len, file, &dev), EINVAL);
	OK(mem_add(mem, len, lease[1], &dev));
	OK(mem_add(mem, len, lease[1], &more));				/* twice is no mistake */
	OK(close(lease[1]));
	CHECK(!(dev % UDF_PORT_MEM_GRAIN) && dev + len <= 1u << 28 && more != dev);
	memset(mem, 0x77, len);
	config_write(4, 2, 4);
	edu_dma(dev + len - EDU_LEN, EDU_BUFFER, EDU_LEN, 0);
	munmap(mem, len);
	edu_dma(EDU_BUFFER, dev + 4096, EDU_LEN, EDU_DMA_FROM_DEVICE);
	mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	CHECK(mem[4096] == 0x77 && mem[4096 + EDU_LEN - 1] == 0x77);
	OK(mem_remove(dev));
	REFUSED(mem_remove(dev), ENOENT);
	CHECK(!ended(lease[0]));
	OK(mem_remove(more));
	CHECK(ended(lease[0]));
	/* what was removed is out of reach: the case looks for the fault */
	memset(mem, 0x55, len);
	edu_dma(EDU_BUFFER, dev, EDU_LEN, EDU_DMA_FROM_DEVICE);
	CHECK(mem[0] == 0x55);
	OK(mem_add(mem, len, -1, &dev));				/* left to the end of the session */
}

static void die(void)
{
	struct udf_port_dma_alloc a;

	edu = map(UDF_PORT_MMAP_BAR(0), info.bar[0].size);
	CHECK(edu != MAP_FAILED);
	OK(dma_mask(28));
	OK(dma_alloc(UDF_PORT_DMA_GRAIN, &a));
	config_write(4, 2, 4);
	edu_dma_start(EDU_BUFFER, a.range[0].dev, EDU_LEN, EDU_DMA_FROM_DEVICE);
	raise(SIGKILL);
}

static void good_edu(const char *path)
{
	int event = eventfd(0, EFD_CLOEXEC);

	close(fd);
	munmap(shared, sizeof(*shared));
	start(path);
	edu = map(UDF_PORT_MMAP_BAR(0), info.bar[0].size);
	CHECK(edu != MAP_FAILED && info.msi == 1 && info.intx == 1);
	config_write(4, 2, 4);
	edu_msi(event);
	edu_intx(event);
	edu_memory();
	edu_own_memory();
}

static void good(const char *path)
{
	good_config();
	good_dma();
	good_bars();
	if (config_read(0, 4) == EDU_ID)
		good_edu(path);
}

/* ---- bad ---- */

static void bad_structures(void)
{
	struct udf_port_info i = { .flags = 1 };
	struct udf_port_config_access c = { .size = 4, .reserved = 1 };
	struct udf_port_irq_enable e = { .reserved = 1 };
	struct udf_port_reset r = { .reserved = 1 };

	REFUSED(ioctl(fd, UDF_PORT_INFO, &i), EINVAL);
	i = (struct udf_port_info){ .reserved = { [7] = 1ull << 63 } };
	REFUSED(ioctl(fd, UDF_PORT_INFO, &i), EINVAL);
	REFUSED(ioctl(fd, UDF_PORT_INFO, NULL), EFAULT);
	REFUSED(ioctl(fd, UDF_PORT_INFO, (void *)-4096l), EFAULT);
	REFUSED(ioctl(fd, UDF_PORT_CONFIG, &c), EINVAL);
	c = (struct udf_port_config_access){ .size = 4, .flags = 2 };
	REFUSED(ioctl(fd, UDF_PORT_CONFIG, &c), EINVAL);
	REFUSED(ioctl(fd, UDF_PORT_IRQ_ENABLE, &e), EINVAL);
	REFUSED(ioctl(fd, UDF_PORT_RESET, &r), EINVAL);
	REFUSED(ioctl(fd, _IOWR(UDF_PORT_IOC, 0, uint32_t), &i), ENOTTY);	/* right number, wrong size */
	REFUSED(ioctl(fd, _IO(UDF_PORT_IOC, 99), &i), ENOTTY);
	REFUSED(ioctl(fd, TIOCGWINSZ, &i), ENOTTY);
}

static void bad_accesses(void)
{
	struct udf_port_bar_access a = { .bar = UDF_PORT_BAR_COUNT, .size = 4 };
	unsigned int bar = info.msix ? info.msix_bar & 0xff : 0;
	uint32_t v = 0;

	REFUSED(config(0, 4096, 4, &v), EINVAL);
	REFUSED(config(0, 2, 4, &v), EINVAL);
	REFUSED(config(0, 0, 3, &v), EINVAL);
	REFUSED(config(0, 0, 0, &v), EINVAL);
	REFUSED(ioctl(fd, UDF_PORT_ACCESS, &a), EINVAL);
	a = (struct udf_port_bar_access){ .size = 16 };
	REFUSED(ioctl(fd, UDF_PORT_ACCESS, &a), EINVAL);
	a = (struct udf_port_bar_access){ .size = 4, .offset = 2 };
	REFUSED(ioctl(fd, UDF_PORT_ACCESS, &a), EINVAL);
	a = (struct udf_port_bar_access){ .size = 4, .offset = info.bar[0].size };
	REFUSED(ioctl(fd, UDF_PORT_ACCESS, &a), ERANGE);
	a = (struct udf_port_bar_access){ .size = 8, .offset = -8ull };
	REFUSED(ioctl(fd, UDF_PORT_ACCESS, &a), ERANGE);
	a = (struct udf_port_bar_access){ .bar = 5, .size = 4 };
	if (!info.bar[5].size)
		REFUSED(ioctl(fd, UDF_PORT_ACCESS, &a), ERANGE);
	/* somewhere in the BAR there is the MSI-X table, and it refuses */
	a = (struct udf_port_bar_access){ .flags = UDF_PORT_WRITE, .bar = (__u16)bar, .size = 4 };
	for (errno = 0; info.msix && errno != EPERM; a.offset += 4096) {
		CHECK(a.offset < info.bar[bar].size);
		if (map(UDF_PORT_MMAP_BAR(bar) + a.offset, 4096) == MAP_FAILED) {
			CHECK(errno == EPERM);
			REFUSED(ioctl(fd, UDF_PORT_ACCESS, &a), EPERM);
		}
	}
}

static void bad_dma(void)
{
	struct udf_port_dma_alloc a;

	REFUSED(dma_mask(23), EINVAL);
	REFUSED(dma_mask(65), EINVAL);
	REFUSED(dma_alloc(0, &a), EINVAL);
	REFUSED(dma_alloc(4096, &a), EINVAL);
	REFUSED(dma_alloc(info.dma_limit + UDF_PORT_DMA_GRAIN, &a), ENOMEM);
	REFUSED(dma_alloc(-UDF_PORT_DMA_GRAIN, &a), ENOMEM);
	/* more than the machine has */
	if (info.dma_limit > (uint64_t)sysconf(_SC_PHYS_PAGES) * 4096)
		REFUSED(dma_alloc(info.dma_limit, &a), ENOMEM);
}

static void bad_irqs(void)
{
	REFUSED(irq_enable(3, 1), EINVAL);
	REFUSED(irq_enable(UDF_PORT_MSIX, info.msix + 1u), EINVAL);
	REFUSED(irq_enable(UDF_PORT_MSI, info.msi * 2u + 3), EINVAL);
	REFUSED(irq_enable(UDF_PORT_INTX, 2), EINVAL);
	REFUSED(irq_mask(0, 0), EINVAL);
	REFUSED(irq_mask(0, UDF_PORT_VECTOR_MAX), EINVAL);
	REFUSED(irq_eventfd(0, 1, -2), EINVAL);
	REFUSED(irq_eventfd(0, 1, 1000), EBADF);
	REFUSED(irq_eventfd(0, 1, fd), EINVAL);
	REFUSED(irq_eventfd(-1u, 2, -1), EINVAL);
	REFUSED(irq_eventfd(1, -1u, -1), EINVAL);
}

static void bad_map(uint64_t offset, size_t len, int prot, int flags, int error)
{
	errno = 0;
	CHECK(mmap(NULL, len, prot, flags, fd, (off_t)offset) == MAP_FAILED && errno == error);
}

static void bad_maps(void)
{
	const int rw = PROT_READ | PROT_WRITE;
	void *p;

	bad_map(UDF_PORT_MMAP_DMA, 4096, rw, MAP_PRIVATE, EINVAL);
	bad_map(UDF_PORT_MMAP_SHARED, 4096, rw, MAP_PRIVATE, EINVAL);
	bad_map(UDF_PORT_MMAP_DMA, 4096, rw | PROT_EXEC, MAP_SHARED, EPERM);
	bad_map(UDF_PORT_MMAP_SHARED + 4096 * 1024, 4096, rw, MAP_SHARED, EINVAL);
	bad_map(UDF_PORT_MMAP_SHARED, 4096 * 64, rw, MAP_SHARED, EINVAL);
	bad_map(UDF_PORT_MMAP_DMA + info.dma_limit, 4096, rw, MAP_SHARED, EINVAL);
	bad_map(UDF_PORT_MMAP_BAR(0) + info.bar[0].size, 4096, rw, MAP_SHARED, EINVAL);
	bad_map(UDF_PORT_MMAP_BAR(0), info.bar[0].size + 4096, rw, MAP_SHARED, EINVAL);
	bad_map(UDF_PORT_MMAP_BAR(5), 4096, rw, MAP_SHARED, EINVAL);
	bad_map(UDF_PORT_MMAP_BAR(6), 4096, rw, MAP_SHARED, EINVAL);
	bad_map(1ull << 62, 4096, rw, MAP_SHARED, EINVAL);
	p = map(UDF_PORT_MMAP_SHARED, 4096);
	CHECK(p != MAP_FAILED && mprotect(p, 4096, rw | PROT_EXEC));
}

static void bad(const char *path)
{
	REFUSED(open(path, O_RDWR), EBUSY);
	REFUSED(open(path, O_RDONLY), EACCES);
	bad_structures();
	bad_accesses();
	bad_dma();
	bad_irqs();
	bad_maps();
}

/* ---- fuzz ---- */

static uint64_t seed = 88172645463325252ull;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Mostly small numbers and limits, since those get furthest. */
static uint64_t interesting(void)
{
	static const uint64_t values[] = { 0, 1, 2, 3, 4, 8, 64, 65, 0xfff, 0x1000, 0x10000, 0x100000, 2047, 2048, ~0ull, 1ull << 31, 1ull << 63 };
	uint64_t r = random64();

	if (r % 4 == 0)
		return random64();
	return r % 4 == 1 ? random64() % 16 : values[(r >> 8) % (sizeof(values) / sizeof(values[0]))];
}

static uint8_t *fuzz_memory;

static void fuzz_ioctl(void)
{
	static const unsigned long cmds[] = { UDF_PORT_INFO, UDF_PORT_CONFIG, UDF_PORT_ACCESS, UDF_PORT_DMA_MASK, UDF_PORT_DMA_ALLOC,
					      UDF_PORT_IRQ_ENABLE, UDF_PORT_IRQ_EVENTFD, UDF_PORT_IRQ_MASK, UDF_PORT_RESET, UDF_PORT_MEM_ADD,
					      UDF_PORT_MEM_REMOVE, UDF_PORT_BLOCK_EVENTFD, UDF_PORT_BLOCK_GONE, UDF_PORT_BLOCK_BELL };
	unsigned long cmd = cmds[random64() % (sizeof(cmds) / sizeof(cmds[0]))];
	static uint64_t arg[1024];

	if (cmd == UDF_PORT_RESET && random64() % 32)
		return;		/* takes long */
	memset(arg, 0, sizeof(arg));
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t v = interesting();

		if (random64() % 2)
			v = (uint32_t)interesting() | (uint64_t)interesting() << 32;
		memcpy((char *)arg + i * 8, &v, 8);
	}
	if (random64() % 4)
		arg[0] &= ~0xfffffffeull;	/* flags */
	if (cmd == UDF_PORT_DMA_ALLOC && random64() % 4)
		arg[1] = (random64() % 32) * UDF_PORT_DMA_GRAIN;
	if (cmd == UDF_PORT_MEM_ADD && random64() % 4) {
		arg[1] = (uintptr_t)fuzz_memory + (random64() % 4) * UDF_PORT_MEM_GRAIN;
		arg[2] = random64() % 4 * UDF_PORT_MEM_GRAIN;
		arg[4] = 0;
	}
	/* registers: reads only, and not too many vectors that a device has no use for */
	if (cmd == UDF_PORT_ACCESS)
		arg[0] &= ~(uint64_t)UDF_PORT_WRITE;
	if (random64() % 64 == 0)
		cmd ^= 1u << random64() % 32;
	ioctl(fd, cmd, random64() % 64 ? (void *)arg : (void *)interesting());
}

/*
 * The kernel's block devices: a session with them that is right but for some words of it; then disks that are, and nobody performs their
 * requests; then rings that anything is written to.
 */
static void fuzz_block(void)
{
	static const struct udf_port_block_disk good = {
		.id = 1, .logical_block = 512, .physical_block = 512, .max_bytes = 65536, .max_segments = 8, .max_segment_size = 65536,
		.size = 1u << 20, .name = "fuzz0", .serial = "x",
	};
	struct udf_port_block_start s = { .queues = 1, .entries = 8, .dma_bits = 64, .wait_ms = 50 };
	struct udf_port_block_disk d = good;
	struct udf_port_block_bell bell = { .queues = ~0ull };
	uint32_t *words, *rings;

	switch (random64() % 4) {
	case 0:
		words = (uint32_t *)&s;
		if (random64() % 2)
			words[random64() % (sizeof(s) / 4)] = (uint32_t)interesting();
		/* nobody is to wait for long for a process that is not there */
		s.wait_ms = 1 + s.wait_ms % 64;
		ioctl(fd, UDF_PORT_BLOCK_START, &s);
		return;
	case 1:
		words = (uint32_t *)&d;
		d.name[4] = (char)('0' + random64() % 8);
		d.id = 1 + (uint32_t)(random64() % 8);
		if (random64() % 4 == 0) {
			d.flags = UDF_PORT_DISK_ZONED;
			d.zone_size = 65536;
			d.zone_max_append = 4096;
			d.zone_write_granularity = 512;
		}
		for (uint64_t i = random64() % 3; i; i--)
			words[random64() % (sizeof(d) / 4)] = (uint32_t)interesting();
		ioctl(fd, UDF_PORT_BLOCK_DISK, &d);
		return;
	}
	rings = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)UDF_PORT_MMAP_RINGS);
	if (rings == MAP_FAILED)
		return;
	/* small steps, or the port is lost at once */
	for (uint64_t i = random64() % 4; i; i--)
		rings[random64() % 1024] = random64() % 16 ? (uint32_t)(random64() % 8) : (uint32_t)interesting();
	ioctl(fd, UDF_PORT_BLOCK_BELL, &bell);
	munmap(rings, 4096);
}

static void fuzz_map(void)
{
	uint64_t where = (random64() % 24) << 44 | (random64() % 2) << 43;
	uint64_t offset = where + (interesting() % (1ull << 40) & -4096ull), len = (interesting() % (1 << 22) & -4096ull) + 4096;
	uint8_t *p = mmap(NULL, len, PROT_READ | PROT_WRITE, random64() % 8 ? MAP_SHARED : MAP_PRIVATE, fd, (off_t)offset);

	if (p == MAP_FAILED)
		return;
	readable(p);
	readable(p + (random64() % len & -4ull));
	munmap(p, len);
}

/* N calls; others with another WHICH */
static void fuzz(unsigned long n, unsigned long which, const char *path)
{
	seed += which * 0x9e3779b97f4a7c15ull;
	fuzz_memory = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	while (n--) {
		unsigned int what = random64() % 64;

		if (what < 8)
			fuzz_map();
		else if (what < 16)
			fuzz_block();
		else
			fuzz_ioctl();
		/* a new session: DMA memory has an end, and so has a port whose rings are broken */
		if (random64() % 1024 == 0 || (ioctl(fd, UDF_PORT_INFO, &info) && errno == ENODEV)) {
			munmap(shared, sizeof(*shared));
			close(fd);
			start(path);
		}
	}
}

/* ---- busy, hold ---- */

static void *busy_thread(void *arg)
{
	struct udf_port_dma_alloc a;
	uint32_t v = 4;
	uint8_t *p;

	for (;;) {
		switch ((uintptr_t)arg) {
		case 0:
			reset();
			break;
		case 1:
			irq_enable(info.msix ? UDF_PORT_MSIX : UDF_PORT_MSI, info.msix ? info.msix : 1);
			irq_mask(0, 0);
			irq_mask(UDF_PORT_MASKED, 0);
			break;
		case 2:
			dma_alloc(UDF_PORT_DMA_GRAIN * 16, &a);
			p = map(UDF_PORT_MMAP_DMA, MIB);
			memset(p, 1, MIB);
			munmap(p, MIB);
			break;
		case 3:
			config(UDF_PORT_WRITE, 4, 2, &v);
			p = map(UDF_PORT_MMAP_BAR(0), 4096);
			if (p != MAP_FAILED) {
				(void)*(volatile uint32_t *)p;
				munmap(p, 4096);
			}
			break;
		}
	}
	return NULL;
}

static void busy(void)
{
	struct udf_port_dma_alloc a;
	pthread_t thread;

	OK(dma_alloc(MIB, &a));
	for (uintptr_t i = 0; i < 4; i++)
		CHECK(!pthread_create(&thread, NULL, busy_thread, (void *)i));
	printf("ready\n");
	fflush(stdout);
	pause();
}

/* ---- memory that is kept ---- */

#define PATTERN 0x5a5a1234u

static int dma_keep(uint64_t size, struct udf_port_dma_alloc *a)
{
	*a = (struct udf_port_dma_alloc){ .flags = UDF_PORT_DMA_KEEP, .size = size };
	return ioctl(fd, UDF_PORT_DMA_ALLOC, a);
}

/* How many of the first words of the pages of SIZE bytes are VALUE; then each is NEXT. */
static uint64_t exchange(uint64_t size, uint32_t value, uint32_t next)
{
	uint8_t *mem = map(UDF_PORT_MMAP_DMA, size);
	uint64_t i, n = 0;

	CHECK(mem != MAP_FAILED);
	for (i = 0; i < size; i += 4096) {
		n += *(uint32_t *)(mem + i) == value;
		*(uint32_t *)(mem + i) = next;
	}
	munmap(mem, size);
	return n;
}

static void leave(uint64_t size)
{
	struct udf_port_dma_alloc a;

	OK(dma_keep(size, &a));
	exchange(size, 0, PATTERN);
}

static void left(uint64_t size)
{
	struct udf_port_dma_alloc a;
	uint64_t n;

	OK(dma_keep(size, &a));
	n = exchange(size, PATTERN, 0);
	printf("left: %llu of %llu pages\n", (unsigned long long)n, (unsigned long long)size / 4096);
	CHECK(n);
}

static void anew(const char *path)
{
	munmap(shared, sizeof(*shared));
	close(fd);
	start(path);
}

static bool is_zero(uint64_t size)
{
	return exchange(size, 0, PATTERN) == size / 4096;
}

static bool is_kept(uint64_t size)
{
	return exchange(size, PATTERN, PATTERN) == size / 4096;
}

/* The opener is another user; without an IOMMU it needs the capability. The effective user is root again afterwards. */
static void anew_as(const char *path, uid_t uid)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	munmap(shared, sizeof(*shared));
	close(fd);
	OK(syscall(SYS_capget, &head, data));
	OK(seteuid(uid));
	data[0].effective = 1u << CAP_SYS_RAWIO | 1u << CAP_DAC_OVERRIDE;
	data[1].effective = 0;
	OK(syscall(SYS_capset, &head, data));
	start(path);
	OK(seteuid(0));
}

static void kept(const char *path, bool resets)
{
	struct udf_port_dma_alloc a, b;
	const uint64_t size = 4 * MIB;

	CHECK(!(info.properties & UDF_PORT_RESETS) == !resets);
	OK(dma_keep(size, &a));
	CHECK(is_zero(size));
	anew(path);
	OK(dma_keep(size, &b));
	if (!resets) {		/* the device may still write to it */
		CHECK(is_zero(size));
		return;
	}
	CHECK(is_kept(size));
	CHECK(a.nr_ranges == b.nr_ranges && !memcmp(a.range, b.range, sizeof(a.range)));
	/* a session that only looks on does not matter */
	anew(path);
	anew(path);
	OK(dma_keep(size, &a));
	CHECK(is_kept(size));
	/* more memory of that session is not, with the flag or without, in one piece or in several */
	OK(dma_keep(size, &a));
	OK(dma_alloc(3 * size, &b));
	CHECK(!is_zero(5 * size));
	anew(path);
	OK(dma_keep(size, &a));
	CHECK(is_kept(size));
	OK(dma_keep(size, &b));
	CHECK(b.nr_ranges && b.range[0].offset == size && exchange(2 * size, PATTERN, PATTERN) == size / 4096);
	/* without the flag */
	anew(path);
	OK(dma_alloc(2 * size, &a));
	CHECK(is_zero(2 * size));
	anew(path);
	OK(dma_keep(2 * size, &a));
	CHECK(is_zero(2 * size));
	/* another size, and then nothing is kept of the first */
	anew(path);
	OK(dma_keep(size, &a));
	CHECK(is_zero(size));
	anew(path);
	OK(dma_keep(3 * size, &a));
	CHECK(is_zero(3 * size));
	/* not the first of the session */
	anew(path);
	OK(dma_alloc(size, &a));
	OK(dma_keep(3 * size, &a));
	CHECK(is_zero(4 * size));
	anew(path);
	OK(dma_keep(4 * size, &a));
	CHECK(is_zero(4 * size));
	/* another mask */
	anew(path);
	OK(dma_keep(size, &a));
	CHECK(is_zero(size));
	anew(path);
	OK(dma_mask(40));
	OK(dma_keep(size, &a));
	CHECK(is_zero(size));
	anew(path);
	OK(dma_mask(40));
	OK(dma_keep(size, &a));
	CHECK(is_kept(size));
	/* another user */
	anew_as(path, 1000);
	anew(path);
	OK(dma_mask(40));
	OK(dma_keep(size, &a));
	CHECK(is_zero(size));
	anew_as(path, 1000);
	OK(dma_keep(size, &a));
	CHECK(is_zero(size));
	anew_as(path, 1000);
	OK(dma_keep(size, &a));
	CHECK(is_kept(size));
	anew(path);
	OK(dma_keep(size, &a));
	CHECK(is_zero(size));
}

/* ---- the reset that follows a session ---- */

static atomic_int reads;	/* of configuration space, that are done */
static atomic_int reader;	/* thread id */

static void *read_config(void *arg)
{
	uint32_t *id = arg;

	atomic_store(&reader, (int)syscall(SYS_gettid));
	*id = config_read(0, 4);
	atomic_fetch_add(&reads, 1);
	return NULL;
}

static bool waits_uninterruptibly(int tid)
{
	char path[64], text[512];
	const char *state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "r");
	if (!f)
		return false;
	state = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
	fclose(f);
	return state && state[2] == 'D';
}

/* Returns whether the memory of the session before was there while who wants the function itself still waited. */
static bool begins_early(const char *path, uint64_t size, uint32_t id)
{
	struct udf_port_dma_alloc a;
	uint32_t got = 0;
	pthread_t thread;
	bool waits, early;

	anew(path);
	atomic_store(&reader, 0);
	atomic_store(&reads, 0);
	CHECK(!pthread_create(&thread, NULL, read_config, &got));
	while (!(waits = atomic_load(&reader) && waits_uninterruptibly(atomic_load(&reader))) && !atomic_load(&reads))
		;
	OK(dma_keep(size, &a));
	CHECK(is_kept(size));
	OK(irq_eventfd(0, 1, -1));
	early = waits && !atomic_load(&reads);
	OK(pthread_join(thread, NULL));
	/* not that of a function in reset */
	CHECK(got == id);
	return early;
}

static void early(const char *path)
{
	const uint64_t size = 4 * MIB;
	const uint32_t id = config_read(0, 4);
	struct udf_port_dma_alloc a;
	unsigned int i, n = 0;
	void *regs;

	OK(dma_keep(size, &a));
	exchange(size, 0, PATTERN);
	for (i = 0; i < 10; i++)
		n += begins_early(path, size, id);
	printf("early: %u of 10\n", n);
	CHECK(n);
	/* registers are mapped when they are there */
	anew(path);
	regs = map(UDF_PORT_MMAP_BAR(0), 4096);
	CHECK(regs != MAP_FAILED && readable(regs));
	munmap(regs, 4096);
	/* what is refused meanwhile is freed after it, and not before */
	for (i = 0; i < 10; i++) {
		anew(path);
		OK(dma_keep(size, &a));
		is_kept(size);
		anew(path);
		OK(dma_keep((2 + i % 2) * size, &a));
		CHECK(is_zero((2 + i % 2) * size));
		anew(path);
	}
}

/* A thread that writes VALUE to FILE, which takes until who has the device lets go of it. */
struct writer {
	const char *file, *value;
	atomic_int tid;
	pthread_t thread;
};

static void *write_file(void *arg)
{
	struct writer *w = arg;
	int to = open(w->file, O_WRONLY | O_CLOEXEC);

	CHECK(to >= 0);
	atomic_store(&w->tid, (int)syscall(SYS_gettid));
	CHECK(write(to, w->value, strlen(w->value)) == (ssize_t)strlen(w->value));
	close(to);
	atomic_store(&w->tid, -1);
	return NULL;
}

/* Returns when it waits, or is done. */
static void start_writer(struct writer *w)
{
	int tid;

	CHECK(!pthread_create(&w->thread, NULL, write_file, w));
	while ((tid = atomic_load(&w->tid)) != -1 && !(tid && waits_uninterruptibly(tid)))
		;
}

/*
 * The device is somebody's, who resets it; who unbinds it waits, and behind him the reset at the end of our session. Returns whether the next
 * session had begun, with memory of its own, when it was unbound.
 */
static bool is_overtaken(const char *path, uint64_t size)
{
	const char *address = strrchr(path, '/') + 1;
	char reset_file[128];
	struct writer reset = { .file = reset_file, .value = "1" };
	struct writer unbind = { .file = "/sys/bus/pci/drivers/udf_port/unbind", .value = address };
	struct writer bind = { .file = "/sys/bus/pci/drivers/udf_port/bind", .value = address };
	struct udf_port_dma_alloc a;
	bool begun;

	snprintf(reset_file, sizeof(reset_file), "/sys/bus/pci/devices/%s/reset", address);
	OK(dma_keep(size, &a));
	start_writer(&reset);
	start_writer(&unbind);
	munmap(shared, sizeof(*shared));
	close(fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	begun = fd >= 0 && !dma_alloc(size, &a);
	close(fd);
	pthread_join(reset.thread, NULL);
	pthread_join(unbind.thread, NULL);
	start_writer(&bind);
	pthread_join(bind.thread, NULL);
	start(path);
	return begun;
}

static void overtaken(const char *path, uint64_t size)
{
	unsigned int i, n = 0;

	for (i = 0; i < 5; i++)
		n += is_overtaken(path, size);
	printf("overtaken: %u of 5\n", n);
	CHECK(n);
}

static void scatter(const char *path, uint64_t size)
{
	int ours = fd, theirs = open(path, O_RDWR | O_CLOEXEC);
	struct udf_port_dma_alloc a;

	CHECK(theirs >= 0);
	for (uint64_t i = 0; i < size; i += 4 * MIB) {
		OK(dma_alloc(4 * MIB, &a));
		fd = theirs;
		OK(dma_alloc(4 * MIB, &a));
		fd = ours;
	}
	munmap(shared, sizeof(*shared));
	close(ours);
	printf("ready\n");
	fflush(stdout);
	pause();
}

static void hold(void)
{
	struct pollfd p = { .fd = fd };
	struct udf_port_dma_alloc a;
	volatile uint8_t *mem, *regs;
	uint32_t v;

	OK(dma_alloc(8 * MIB, &a));
	mem = map(UDF_PORT_MMAP_DMA, a.size);
	regs = map(UDF_PORT_MMAP_BAR(0), 4096);
	CHECK(mem != MAP_FAILED && regs != MAP_FAILED);
	memset((void *)mem, 7, a.size);
	CHECK(readable(regs));
	if (info.msix || info.msi)
		OK(irq_enable(info.msix ? UDF_PORT_MSIX : UDF_PORT_MSI, 1) || irq_mask(0, 0));
	config_write(4, 2, 4);
	printf("ready\n");
	fflush(stdout);
	CHECK(poll(&p, 1, -1) == 1 && p.revents == POLLHUP);
	REFUSED(config(0, 0, 4, &v), ENODEV);
	REFUSED(ioctl(fd, UDF_PORT_INFO, &info), ENODEV);
	REFUSED(reset(), ENODEV);
	REFUSED(irq_mask(0, 0), ENODEV);
	CHECK(!readable(regs));
	CHECK(readable(shared));
	/* for a while, so that a driver can end in an orderly way */
	CHECK(readable(mem) && mem[a.size - 1] == 7);
	bad_map(UDF_PORT_MMAP_BAR(0), 4096, PROT_READ | PROT_WRITE, MAP_SHARED, EINVAL);
	printf("lost\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: abi good|bad|fuzz|busy|die|leave|left|kept|early|overtaken|scatter|hold DEVICE-FILE [ARGUMENT...]\n");
		return 2;
	}
	start(argv[2]);
	if (config_read(0, 4) == EDU_ID)
		edu_settle();
	if (!strcmp(argv[1], "good"))
		good(argv[2]);
	else if (!strcmp(argv[1], "bad"))
		bad(argv[2]);
	else if (!strcmp(argv[1], "fuzz"))
		fuzz(argc > 3 ? strtoul(argv[3], NULL, 10) : 1000, argc > 4 ? strtoul(argv[4], NULL, 10) : 0, argv[2]);
	else if (!strcmp(argv[1], "busy"))
		busy();
	else if (!strcmp(argv[1], "die"))
		die();
	else if (!strcmp(argv[1], "leave"))
		leave(strtoul(argv[3], NULL, 10) * MIB);
	else if (!strcmp(argv[1], "left"))
		left(strtoul(argv[3], NULL, 10) * MIB);
	else if (!strcmp(argv[1], "kept"))
		kept(argv[2], argc == 3);
	else if (!strcmp(argv[1], "early"))
		early(argv[2]);
	else if (!strcmp(argv[1], "overtaken"))
		overtaken(argv[2], strtoul(argv[3], NULL, 10) * MIB);
	else if (!strcmp(argv[1], "scatter") && argc == 5)
		scatter(argv[3], strtoul(argv[4], NULL, 10) * MIB);
	else if (!strcmp(argv[1], "hold"))
		hold();
	printf("%s: done\n", argv[1]);
	return 0;
}
