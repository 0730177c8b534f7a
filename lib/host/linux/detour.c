// SPDX-License-Identifier: GPL-2.0
/*
 * Detours: register accesses of modules that do not trap any more. Host world; the last part of mem.h.
 *
 * Where registers cannot be mapped an access costs a fault, a signal and its return: some 3 us. A driver's data path has two or three
 * places that do so all the time. Such an instruction is overwritten with a jump to code of ours, made for it, which performs the access by
 * a call of the host world:
 *
 *   module:   mov %eax,(%rdx)  -->  jmp gap          two bytes, within 127 bytes of it
 *   gap:      ret; 4 dead bytes     jmp next gap, or jmp detour: bytes that nothing executes (udf_loader_gaps())
 *   detour:   general registers and flags kept; %rdi = address, %rsi = value; call host_mmio_access() by its bridge; back behind the
 *             instruction. When that is not the one to perform it: all as it was, and a copy of the instruction
 *
 * Only the instruction itself changes, so nobody can be in the middle of what is changed, nor jump there. The kernel world writes it, by
 * the protocol for code that other vCPUs run. An instruction without a gap in reach goes on trapping.
 *
 * A detour is the module's code to everyone: interrupts are delivered in it, its task may be switched and go on on another vCPU, its module
 * is in use, a fault of the copy is the instruction's.
 *
 * A site is noted by the signal handler, without a lock; everything else happens in one kernel thread, or with udf_detour_lock held.
 */
#define _GNU_SOURCE
#include "host/linux/host.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "debug/frames.h"
#include "debug/symfile.h"
#include "host/linux/detour-code.h"
#include "layout.h"

#define SITES UDF_DETOUR_MAX	/* as many as detours; a power of two */
#define WORTH_IT 32		/* traps at one place before it is led around */
#define LATER 1024		/* as many more while its module is being loaded */
#define ASK_AGAIN 4096		/* traps between two reminders of the kernel world */
#define PROBES 8u		/* places that a site may have in the table */
#define REACH 127		/* of a jump of two bytes */

enum site_state { SITE_NOTED, SITE_DONE, SITE_REFUSED };

struct site {
	_Atomic uint64_t ip;		/* 0: free */
	_Atomic int hits;
	_Atomic int state;		/* enum site_state */
	struct host_detour detour;	/* its hops are in use once DONE */
};

#define DETOURS_SIZE (SITES * UDF_DETOUR_SLOT)

static struct site sites[SITES];
static pthread_mutex_t udf_detour_lock = PTHREAD_MUTEX_INITIALIZER;
static bool mapped;
static unsigned int drops;		/* times that code has gone */

static struct site *site_slot(uint64_t ip, unsigned int i)
{
	return &sites[((ip ^ ip >> 8) + i) % SITES];
}

static struct site *site_find(uint64_t ip)
{
	for (unsigned int i = 0; i < PROBES; i++)
		if (atomic_load(&site_slot(ip, i)->ip) == ip)
			return site_slot(ip, i);
	return NULL;
}

/* NULL: there is no room for it. */
static struct site *site_get(uint64_t ip)
{
	struct site *s = site_find(ip);

	for (unsigned int i = 0; !s && i < PROBES; i++) {
		uint64_t was = 0;

		if (atomic_compare_exchange_strong(&site_slot(ip, i)->ip, &was, ip) || was == ip)
			s = site_slot(ip, i);
	}
	return s;
}

void udf_detour_note(uint64_t ip)
{
	struct site *s = ip >= UDF_MODULE_BASE && ip < UDF_DETOUR_BASE ? site_get(ip) : NULL;
	int hits;

	if (!s || atomic_load(&s->state) != SITE_NOTED)
		return;
	hits = atomic_fetch_add(&s->hits, 1) + 1;
	if (hits != WORTH_IT && (hits < WORTH_IT || hits % ASK_AGAIN))
		return;
	host_cpu_pend(udf_vcpu_self()->cpu, HOST_PEND_DETOUR);
}

uint64_t udf_detour_home(uint64_t ip)
{
	uint64_t offset = ip - UDF_DETOUR_BASE, original = 0;

	if (offset < DETOURS_SIZE && mapped)
		original = udf_detour_original((const uint8_t *)(ip - offset % UDF_DETOUR_SLOT), offset % UDF_DETOUR_SLOT);
	return original ? original : ip;
}

void udf_detours_describe(struct udf_symfile *file, struct udf_frames *frames)
{
	for (uint64_t at = UDF_DETOUR_BASE; at < UDF_DETOUR_BASE + DETOURS_SIZE; at += UDF_DETOUR_SLOT) {
		udf_symfile_symbol(file, "detour", at, UDF_DETOUR_SLOT, true, false);
		udf_detour_describe(frames, at);
	}
}

/* ---- the way there ---- */

struct gap {
	uint64_t addr, len;
};

struct gaps {
	struct gap gap[64];
	unsigned int nr;
};

/* Whether a detour goes through ADDR ... ADDR+LEN already. */
static bool in_use(uint64_t addr, uint64_t len)
{
	for (unsigned int i = 0; i < SITES; i++)
		for (unsigned int hop = 0; hop < sites[i].detour.nr_hops; hop++) {
			uint64_t at = sites[i].detour.hop[hop].addr;

			if (at < addr + len && at + sites[i].detour.hop[hop].len > addr)
				return true;
		}
	return false;
}

static void take_gap(void *ctx, uint64_t addr, uint64_t len)
{
	struct gaps *g = ctx;

	/* functions that end alike have the same padding */
	for (unsigned int i = 0; i < g->nr; i++)
		if (g->gap[i].addr < addr + len && g->gap[i].addr + g->gap[i].len > addr)
			return;
	if (g->nr < sizeof(g->gap) / sizeof(g->gap[0]) && !in_use(addr, len))
		g->gap[g->nr++] = (struct gap){ addr, len };
}

static bool reaches(uint64_t from, uint64_t to)
{
	int64_t distance = (int64_t)(to - (from + UDF_JMP8));

	return distance <= REACH && distance >= -REACH - 1;
}

static void put_jump8(uint8_t *code, uint64_t from, uint64_t to)
{
	code[0] = 0xeb;
	code[1] = (uint8_t)(to - (from + UDF_JMP8));
}

static void put_jump32(uint8_t *code, uint64_t from, uint64_t to)
{
	int32_t distance = (int32_t)(to - (from + UDF_JMP32));

	code[0] = 0xe9;
	memcpy(code + 1, &distance, sizeof(distance));
}

/* Find a way from a jump at FROM to TO through gaps that are not USED, with HOPS hops left. Writes the hops from the last to the first. */
static bool find_way(struct host_detour *d, const struct gaps *g, uint64_t used, uint64_t from, uint64_t to, unsigned int hops)
{
	for (unsigned int pass = 0; pass < 2; pass++) {
		for (unsigned int i = 0; i < g->nr; i++) {
			const struct gap *gap = &g->gap[i];
			struct host_detour_hop *hop;
			bool last = pass == 0;

			if (used >> i & 1 || !reaches(from, gap->addr) || (last && gap->len < UDF_JMP32))
				continue;
			if (!last && (hops < 2 || !find_way(d, g, used | 1ull << i, gap->addr, to, hops - 1)))
				continue;
			hop = &d->hop[d->nr_hops++];
			hop->addr = gap->addr;
			hop->len = last ? UDF_JMP32 : UDF_JMP8;
			if (last)
				put_jump32(hop->code, gap->addr, to);
			else
				put_jump8(hop->code, gap->addr, d->hop[d->nr_hops - 2].addr);
			return true;
		}
	}
	return false;
}

/* ---- what the kernel world asks ---- */

static int map_detours(void)
{
	if (mapped)
		return 0;
	if (mmap((void *)UDF_DETOUR_BASE, DETOURS_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
	    MAP_FAILED)
		return -errno;
	mapped = true;
	return 0;
}

/* Lead S around its trap: everything but the writing of its module's code. With the lock held. */
static bool prepare(struct site *s, const struct gaps *g)
{
	uint64_t ip = atomic_load(&s->ip), to = UDF_DETOUR_BASE + (uint64_t)(s - sites) * UDF_DETOUR_SLOT;
	struct host_detour d = { .site = ip };
	struct udf_insn_op op;
	uint8_t mem[UDF_DETOUR_SLOT];
	unsigned int len;

	if (udf_insn_decode((const uint8_t *)ip, 15, &op) || !udf_detour_suits(&op) || map_detours())
		return false;
	if (op.len >= UDF_JMP32) {
		d.len = UDF_JMP32;
		put_jump32(d.code, ip, to);
	} else if (find_way(&d, g, 0, ip, to, HOST_DETOUR_HOPS)) {
		d.len = UDF_JMP8;
		put_jump8(d.code, ip, d.hop[d.nr_hops - 1].addr);
	} else {
		return false;
	}
	len = udf_detour_put(mem, to, &op, ip, udf_bridge_mmio_access());
	if (host_text_write(to, mem, len))
		return false;
	s->detour = d;
	return true;
}

/* Its module may not be held now, and soon is. Or it never is: code of an init function runs once. */
static void put_off(struct site *s)
{
	s->detour.nr_hops = 0;
	atomic_store(&s->hits, WORTH_IT - LATER);
	atomic_store(&s->state, SITE_NOTED);
}

static struct site *next_site(void)
{
	for (unsigned int i = 0; i < SITES; i++)
		if (atomic_load(&sites[i].ip) && atomic_load(&sites[i].state) == SITE_NOTED && atomic_load(&sites[i].hits) >= WORTH_IT)
			return &sites[i];
	return NULL;
}

int host_detour_next(struct host_detour *d)
{
	const int64_t far = (int64_t)HOST_DETOUR_HOPS * REACH;
	struct site *s;
	int found = 0;

	while (!found && (s = next_site())) {
		struct gaps gaps = { .nr = 0 };
		unsigned int before;
		uint64_t ip;
		bool kept;

		pthread_mutex_lock(&udf_detour_lock);
		before = drops;
		ip = atomic_load(&s->ip);
		pthread_mutex_unlock(&udf_detour_lock);
		kept = udf_host_gaps(ip, ip - (uint64_t)far, ip + (uint64_t)far, take_gap, &gaps);
		pthread_mutex_lock(&udf_detour_lock);
		if (drops != before) {		/* what was there then may not be there now */
			pthread_mutex_unlock(&udf_detour_lock);
			continue;
		}
		found = kept && prepare(s, &gaps);
		if (kept)
			atomic_store(&s->state, found ? SITE_DONE : SITE_REFUSED);
		else
			put_off(s);
		*d = s->detour;
		pthread_mutex_unlock(&udf_detour_lock);
	}
	return found;
}

void host_detour_done(const struct host_detour *d, int written)
{
	struct site *s;

	pthread_mutex_lock(&udf_detour_lock);
	s = site_find(d->site);
	if (written) {
		atomic_fetch_add(&udf_host.detours, 1);
	} else if (s) {
		put_off(s);
	}
	pthread_mutex_unlock(&udf_detour_lock);
}

static void forget(struct site *s)
{
	s->detour.nr_hops = 0;
	atomic_store(&s->hits, 0);
	atomic_store(&s->state, SITE_NOTED);
	atomic_store(&s->ip, 0);
}

void udf_detours_drop(uint64_t addr, uint64_t len)
{
	pthread_mutex_lock(&udf_detour_lock);
	drops++;
	for (unsigned int i = 0; i < SITES; i++)
		if (atomic_load(&sites[i].ip) - addr < len)
			forget(&sites[i]);
	pthread_mutex_unlock(&udf_detour_lock);
}

void udf_detours_reset(void)
{
	udf_detours_drop(UDF_MODULE_BASE, UDF_MODULE_END - UDF_MODULE_BASE);
	if (mapped)
		munmap((void *)UDF_DETOUR_BASE, DETOURS_SIZE);
	mapped = false;
}
