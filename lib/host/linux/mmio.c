// SPDX-License-Identifier: GPL-2.0
/*
 * Registers of the port in the address space: mapped BARs, or inaccessible pages whose accesses trap. Host world; the MMIO half of
 * mem.h, and I/O ports.
 *
 * A mapping that traps keeps its bus address: the SIGSEGV handler finds it by the faulting address without a lock. Slots are
 * written once while unused and published by their end address.
 *
 * The MSI-X table, as the PCI core maps it, traps only while the function can send messages. Otherwise (MSI-X is off, or all of it masked) it is plain
 * memory: the core writes all entries then, twice, and a trap for each would be a good part of what it takes to start a driver.
 */
#define _GNU_SOURCE
#include "host/linux/host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "debug/trace.h"
#include "host/linux/detour-code.h"
#include "layout.h"
#include "port/insn.h"

#define MMIO_MAPS 256		/* registers mapped at a time */
#define MMIO_GAP 4096ul		/* faults between two mappings are the kernel code's mistakes */

struct udf_mmio_map {
	uint64_t start;		/* of the first page */
	_Atomic uint64_t end;	/* 0: slot is free */
	unsigned int bar;
	uint64_t offset;	/* in the BAR, of START */
	bool trapped;
	uint64_t table, table_len;	/* bytes of the MSI-X table, which is all that it was mapped for; 0: none */
	bool plain;			/* these are memory at present */
};

static struct udf_mmio_map udf_maps[MMIO_MAPS];
static uint64_t udf_mmio_next = UDF_MMIO_BASE;
static pthread_mutex_t udf_mmio_lock = PTHREAD_MUTEX_INITIALIZER;

void udf_mmio_reset(void)
{
	udf_detours_reset();
	memset(udf_maps, 0, sizeof(udf_maps));
	munmap((void *)UDF_MMIO_BASE, udf_mmio_next - UDF_MMIO_BASE);
	udf_mmio_next = UDF_MMIO_BASE;
}

static struct udf_mmio_map *udf_mmio_find(uint64_t addr)
{
	unsigned int i;

	for (i = 0; i < MMIO_MAPS; i++) {
		uint64_t end = atomic_load_explicit(&udf_maps[i].end, memory_order_acquire);

		if (addr < end && addr >= udf_maps[i].start)
			return &udf_maps[i];
	}
	return NULL;
}

static struct udf_mmio_map *udf_mmio_free_slot(void)
{
	unsigned int i;

	for (i = 0; i < MMIO_MAPS; i++)
		if (!atomic_load(&udf_maps[i].end))
			return &udf_maps[i];
	return NULL;
}

/* Pages of a BAR at VA: as they are where the transport can map them, else inaccessible. */
static int udf_mmio_place(struct udf_mmio_map *map, uint64_t va, uint64_t len, bool wc)
{
	struct udf_port *port = udf_host.port;

	map->trapped = udf_trace_wants_traps() || !udf_vpci_mappable(udf_host.vpci, map->bar, map->offset, len);
	if (!map->trapped)
		return port->ops->bar_map(port, map->bar, map->offset, len, (void *)va, wc);
	return mmap((void *)va, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) ==
		       MAP_FAILED ? -errno : 0;
}

/* The table becomes memory, with what is in it. */
static void table_show(struct udf_mmio_map *map)
{
	const uint64_t len = atomic_load(&map->end) - map->start;
	uint64_t at, value;

	if (mprotect((void *)map->start, len, PROT_READ | PROT_WRITE))
		return;		/* then it traps */
	for (at = 0; at < map->table_len; at += 4) {
		udf_vpci_bar_read(udf_host.vpci, map->bar, map->offset + map->table + at, 4, &value);
		*(uint32_t *)(map->start + map->table + at) = (uint32_t)value;
	}
	map->plain = true;
}

/* It traps again, and what was written meanwhile is made good. */
static void table_take(struct udf_mmio_map *map)
{
	const uint64_t len = atomic_load(&map->end) - map->start;
	uint64_t at, was;

	mprotect((void *)map->start, len, PROT_READ);
	map->plain = false;
	for (at = 0; at < map->table_len; at += 4) {
		const uint64_t offset = map->offset + map->table + at;
		const uint32_t is = *(uint32_t *)(map->start + map->table + at);

		if (!udf_vpci_bar_read(udf_host.vpci, map->bar, offset, 4, &was) && was != is)
			udf_vpci_bar_write(udf_host.vpci, map->bar, offset, 4, is);
	}
	mprotect((void *)map->start, len, PROT_NONE);
}

void udf_mmio_tables(bool show)
{
	unsigned int i;

	pthread_mutex_lock(&udf_mmio_lock);
	for (i = 0; i < MMIO_MAPS; i++) {
		struct udf_mmio_map *map = &udf_maps[i];

		if (!atomic_load(&map->end) || !map->table_len || map->plain == show)
			continue;
		if (show)
			table_show(map);
		else
			table_take(map);
	}
	pthread_mutex_unlock(&udf_mmio_lock);
}

unsigned long host_mmio_map(unsigned long phys, unsigned long size, unsigned int flags)
{
	struct udf_mmio_map *map;
	uint64_t offset, va, len;
	unsigned int bar;

	if (!udf_host.vpci || udf_vpci_find_mem(udf_host.vpci, phys, size, &bar, &offset))
		return 0;
	pthread_mutex_lock(&udf_mmio_lock);
	map = udf_mmio_free_slot();
	va = udf_mmio_next;
	len = ((offset & 4095) + size + 4095) & -4096ul;
	if (!map || va + len + MMIO_GAP > UDF_MMIO_END)
		goto fail;
	map->bar = bar;
	map->offset = offset & -4096ul;
	map->start = va;
	map->table = offset & 4095;
	map->table_len = !udf_trace_wants_traps() && udf_vpci_is_table(udf_host.vpci, bar, offset, size) ? size : 0;
	map->plain = false;
	if (udf_mmio_place(map, va, len, flags & HOST_MMIO_WC))
		goto fail;
	udf_mmio_next = va + len + MMIO_GAP;
	atomic_store_explicit(&map->end, va + len, memory_order_release);
	if (map->table_len && udf_vpci_table_quiet(udf_host.vpci))
		table_show(map);
	pthread_mutex_unlock(&udf_mmio_lock);
	return va + (offset & 4095);
fail:
	pthread_mutex_unlock(&udf_mmio_lock);
	return 0;
}

void host_mmio_unmap(unsigned long addr)
{
	struct udf_mmio_map *map;

	pthread_mutex_lock(&udf_mmio_lock);
	map = udf_mmio_find(addr);
	if (map) {
		uint64_t end = atomic_exchange(&map->end, 0);

		munmap((void *)map->start, end - map->start);
		if (end + MMIO_GAP == udf_mmio_next)
			udf_mmio_next = map->start;	/* the usual order: the last mapped is unmapped first */
	}
	pthread_mutex_unlock(&udf_mmio_lock);
}

static bool udf_bus_covers(void *ctx, uint64_t addr)
{
	return udf_mmio_find(addr) != NULL;
}

/* The transport's part, asked for by the code at IP. */
static int udf_bar_access(uint64_t ip, unsigned int bar, bool port, uint64_t offset, unsigned int size, uint64_t *value, bool write)
{
	bool traced = udf_tracing(UDF_TRACE_MMIO | UDF_TRACE_CALLS);
	uint64_t start = traced ? udf_trace_now() : 0;
	int err;

	atomic_fetch_add_explicit(&udf_host.privileged, 1, memory_order_relaxed);
	if (write)
		err = udf_vpci_bar_write(udf_host.vpci, bar, offset, size, *value);
	else
		err = udf_vpci_bar_read(udf_host.vpci, bar, offset, size, value);
	if (traced)
		udf_trace_access((int)bar, port, write, ip, offset, size, *value, start);
	return err;
}

static int udf_bus_access(uint64_t ip, uint64_t addr, unsigned int size, uint64_t *value, bool write)
{
	struct udf_mmio_map *map = udf_mmio_find(addr);
	uint64_t offset;

	if (!map)
		return -ENOENT;
	offset = map->offset + (addr - map->start);
	return udf_bar_access(ip, map->bar, false, offset, size, value, write);
}

/* A device that is gone reads as all ones, as on a bus; the driver notices. The transport reports the loss. */
static int udf_bus_result(int err)
{
	return err == -ENODEV ? 0 : err;
}

static int udf_bus_read(void *ctx, uint64_t addr, unsigned int size, uint64_t *value)
{
	return udf_bus_result(udf_bus_access(*(uint64_t *)ctx, addr, size, value, false));
}

static int udf_bus_write(void *ctx, uint64_t addr, unsigned int size, uint64_t value)
{
	return udf_bus_result(udf_bus_access(*(uint64_t *)ctx, addr, size, &value, true));
}

struct host_mmio_result host_mmio_access(unsigned long addr, unsigned long value, unsigned int how, unsigned int ip)
{
	struct udf_mmio_map *map = udf_mmio_find(addr);
	unsigned int size = how & 15;
	uint64_t v = how & HOST_MMIO_WRITE ? value : ~0ull;	/* what a device that is gone reads as */

	/* what goes wrong goes wrong again, in the signal handler, which can say so */
	if (!map || !map->trapped || size > atomic_load(&map->end) - addr ||
	    udf_bus_result(udf_bar_access(ip, map->bar, false, map->offset + (addr - map->start), size, &v, how & HOST_MMIO_WRITE)))
		return (struct host_mmio_result){ .done = 0 };
	return (struct host_mmio_result){ .value = udf_detour_extend(v, how), .done = 1 };
}

/* Ports that are not the device's: nobody answers. */
static int udf_bus_in(void *ctx, uint16_t port, unsigned int size, uint32_t *value)
{
	uint64_t offset, v = ~0ull;
	unsigned int bar;

	*value = ~0u;
	if (!udf_host.vpci || udf_vpci_find_io(udf_host.vpci, port, size, &bar, &offset))
		return 0;
	if (!udf_bar_access(*(uint64_t *)ctx, bar, true, offset, size, &v, false))
		*value = (uint32_t)v;
	return 0;
}

static int udf_bus_out(void *ctx, uint16_t port, unsigned int size, uint32_t value)
{
	uint64_t offset, v = value;
	unsigned int bar;

	if (!udf_host.vpci || udf_vpci_find_io(udf_host.vpci, port, size, &bar, &offset))
		return 0;
	return udf_bus_result(udf_bar_access(*(uint64_t *)ctx, bar, true, offset, size, &v, true));
}

static const struct udf_insn_bus udf_bus = {
	.covers = udf_bus_covers, .read = udf_bus_read, .write = udf_bus_write, .in = udf_bus_in, .out = udf_bus_out,
};

static const int udf_gregs[16] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

/* in, out, ins, outs with any prefix; what else raises a protection fault is not for us. */
static bool udf_is_port_insn(const uint8_t *code)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		uint8_t op = code[i];

		if ((op >= 0xe4 && op <= 0xe7) || (op >= 0xec && op <= 0xef) || (op >= 0x6c && op <= 0x6f))
			return true;
		if (op != 0x66 && op != 0xf2 && op != 0xf3 && (op & 0xf0) != 0x40)
			return false;
	}
	return false;
}

/*
 * What an instruction that accessed memory a moment ago becomes when another vCPU leads it around its trap: no access of memory at all. The
 * protocol does not go on before this vCPU is back in kernel code.
 */
static bool udf_has_changed(const uint8_t *code)
{
	return code[0] == 0xf4 || code[0] == 0xeb || code[0] == 0xe9;	/* hlt, in the breakpoint's place; jmp */
}

int udf_mmio_trap(ucontext_t *uc, uint64_t addr, bool protection, char *text, size_t len)
{
	greg_t *g = uc->uc_mcontext.gregs;
	const uint8_t *code = (const uint8_t *)g[REG_RIP];
	char insn[UDF_INSN_TEXT] = "";
	struct udf_insn_bus bus = udf_bus;
	struct udf_insn_regs regs;
	unsigned int i;
	uint64_t ip;
	int err;

	if (protection ? !udf_is_port_insn(code) : !udf_mmio_find(addr))
		return -ENOENT;
	for (i = 0; i < 16; i++)
		regs.gpr[i] = (uint64_t)g[udf_gregs[i]];
	regs.rip = udf_detour_home((uint64_t)g[REG_RIP]);
	regs.rflags = (uint64_t)g[REG_EFL];
	ip = regs.rip;
	bus.ctx = &ip;
	err = udf_insn_emulate(&regs, code, 15, addr, &bus, insn);
	if (err && !protection && udf_has_changed(code))
		return 0;
	if (err) {
		snprintf(text, len, "register access by '%s' cannot be performed: %s", insn, strerror(-err));
		return err;
	}
	for (i = 0; i < 16; i++)
		g[udf_gregs[i]] = (greg_t)regs.gpr[i];
	atomic_fetch_add_explicit(&udf_host.traps, 1, memory_order_relaxed);
	if (!protection)
		udf_detour_note(ip);
	g[REG_RIP] = (greg_t)regs.rip;
	g[REG_EFL] = (greg_t)regs.rflags;
	return 0;
}
