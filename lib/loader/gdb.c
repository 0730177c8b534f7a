// SPDX-License-Identifier: GPL-2.0
/*
 * Tell an attached gdb about modules, through the interface that it has for just-in-time compilers: a list of ELF files in memory,
 * whose section headers say where each section lies, and a function that gdb has a breakpoint in. Host world.
 */
#include "loader/internal.h"

#include <stdlib.h>

#include "loader/elf.h"
#include "loader/symfile.h"

enum { GDB_NONE, GDB_REGISTER, GDB_UNREGISTER };

/* Layout and names are gdb's. */
struct jit_code_entry {
	struct jit_code_entry *next, *prev;
	const void *file;
	uint64_t size;
};

struct jit_descriptor {
	uint32_t version, action;
	struct jit_code_entry *relevant, *first;
};

struct gdb_entry {
	struct jit_code_entry jit;
	void *file;
};

/* Weak: the application may hold a compiler that has them too. */
extern struct jit_descriptor __jit_debug_descriptor;
void __jit_debug_register_code(void);

__attribute__((weak)) struct jit_descriptor __jit_debug_descriptor = { .version = 1 };

__attribute__((weak, noinline)) void __jit_debug_register_code(void)
{
	__asm__ volatile("" ::: "memory");
}

/* What gdb was told is gone; reachable, for whoever looks for leaks. */
static struct jit_code_entry *gone;

static void notify(struct gdb_entry *entry, uint32_t action)
{
	__jit_debug_descriptor.relevant = &entry->jit;
	__jit_debug_descriptor.action = action;
	__jit_debug_register_code();
}

struct gdb_entry *udf_gdb_tell(void *file, size_t len)
{
	struct gdb_entry *entry = calloc(1, sizeof(*entry));

	if (!entry) {
		free(file);
		return NULL;
	}
	entry->file = file;
	entry->jit = (struct jit_code_entry){ __jit_debug_descriptor.first, NULL, file, len };
	if (entry->jit.next)
		entry->jit.next->prev = &entry->jit;
	__jit_debug_descriptor.first = &entry->jit;
	notify(entry, GDB_REGISTER);
	return entry;
}

struct gdb_entry *udf_gdb_add(const struct udf_elf *elf, const struct udf_elf_place *place, bool init)
{
	void *file;
	size_t len;

	/* without memory the module runs, unknown to gdb */
	return udf_elf_symfile(elf, place, init, &file, &len) ? NULL : udf_gdb_tell(file, len);
}

void udf_gdb_remove(struct gdb_entry *entry)
{
	if (!entry)
		return;
	if (entry->jit.prev)
		entry->jit.prev->next = entry->jit.next;
	else
		__jit_debug_descriptor.first = entry->jit.next;
	if (entry->jit.next)
		entry->jit.next->prev = entry->jit.prev;
	notify(entry, GDB_UNREGISTER);
	/*
	 * Not freed: gdb looks through the list at moments of its own as well, so that it may have found the entry twice, and then reads
	 * from the one that it does not forget now.
	 */
	entry->jit.next = gone;
	gone = &entry->jit;
}
