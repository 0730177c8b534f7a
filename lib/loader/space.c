// SPDX-License-Identifier: GPL-2.0
/* Addresses for modules: first fit in a fixed area, an unmapped page behind each piece. Host world. */
#include "loader/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define GUARD		4096u
#define STEP		65536u		/* past memory that is not ours, of unknown extent */

/* Lowest address at or above FROM where SIZE bytes and a guard fit; *AT is where the range goes in the list. 0: none. */
static uint64_t find_gap(const struct space *space, uint64_t from, uint64_t size, unsigned int *at)
{
	uint64_t addr = from;
	unsigned int i;

	for (i = 0; i < space->nr; i++) {
		const struct space_range *r = &space->range[i];

		if (r->addr >= addr && r->addr - addr >= size + GUARD)
			break;
		if (r->addr + r->size + GUARD > addr)
			addr = r->addr + r->size + GUARD;
	}
	*at = i;
	return addr < space->end && space->end - addr >= size + GUARD ? addr : 0;
}

static bool make_room(struct space *space)
{
	struct space_range *range;

	if (space->nr < space->room)
		return true;
	range = realloc(space->range, (space->room + 64) * sizeof(*range));
	if (!range)
		return false;
	space->range = range;
	space->room += 64;
	return true;
}

static bool map_at(uint64_t addr, uint64_t size, bool *occupied)
{
	void *want = (void *)(uintptr_t)addr;
	void *p = mmap(want, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	*occupied = p == MAP_FAILED && errno == EEXIST;
	if (p != MAP_FAILED && p != want) {	/* a kernel older than 4.17 takes the address for a hint */
		munmap(p, size);
		*occupied = true;
		return false;
	}
	return p != MAP_FAILED;
}

uint64_t udf_space_get(struct space *space, uint64_t size)
{
	uint64_t addr = space->base;
	bool occupied;
	unsigned int at;

	if (!size || size > space->end - space->base || !make_room(space))
		return 0;
	while ((addr = find_gap(space, addr, size, &at))) {
		if (map_at(addr, size, &occupied)) {
			memmove(&space->range[at + 1], &space->range[at], (space->nr - at) * sizeof(*space->range));
			space->range[at] = (struct space_range){ addr, size };
			space->nr++;
			return addr;
		}
		if (!occupied)
			return 0;
		addr += STEP;
	}
	return 0;
}

void udf_space_put(struct space *space, uint64_t addr)
{
	unsigned int i;

	for (i = 0; i < space->nr; i++) {
		if (space->range[i].addr != addr)
			continue;
		munmap((void *)(uintptr_t)addr, space->range[i].size);
		space->nr--;
		memmove(&space->range[i], &space->range[i + 1], (space->nr - i) * sizeof(*space->range));
		return;
	}
}
