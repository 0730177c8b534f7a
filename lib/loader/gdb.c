// SPDX-License-Identifier: GPL-2.0
/*
 * Tell an attached gdb about modules, through the interface that it has for just-in-time compilers: a list of ELF files in memory,
 * whose section headers say where each section lies, and a function that gdb has a breakpoint in. Host world.
 */
#include "loader/internal.h"

#include <stdlib.h>
#include <string.h>

#include "loader/elf.h"

enum { GDB_NONE, GDB_REGISTER, GDB_UNREGISTER };

/* Layout and names are gdb's. */
struct jit_code_entry {
	struct jit_code_entry *next, *prev;
	const char *file;
	uint64_t size;
};

struct jit_descriptor {
	uint32_t version, action;
	struct jit_code_entry *relevant, *first;
};

struct gdb_entry {
	struct jit_code_entry jit;
	char file[];
};

/* Weak: the application may hold a compiler that has them too. */
extern struct jit_descriptor __jit_debug_descriptor;
void __jit_debug_register_code(void);

__attribute__((weak)) struct jit_descriptor __jit_debug_descriptor = { .version = 1 };

__attribute__((weak, noinline)) void __jit_debug_register_code(void)
{
	__asm__ volatile("" ::: "memory");
}

static void notify(struct gdb_entry *entry, uint32_t action)
{
	__jit_debug_descriptor.relevant = &entry->jit;
	__jit_debug_descriptor.action = action;
	__jit_debug_register_code();
}

struct gdb_entry *udf_gdb_add(const struct udf_elf *elf, const void *file, size_t len)
{
	struct gdb_entry *entry = malloc(sizeof(*entry) + len);
	Elf64_Ehdr eh;
	unsigned int i;

	if (!entry)
		return NULL;	/* the module runs without it */
	memcpy(entry->file, file, len);
	memcpy(&eh, file, sizeof(eh));
	for (i = 1; i < elf->nr_sec; i++) {
		Elf64_Shdr sh = elf->sec[i].hdr;

		sh.sh_addr = elf->sec[i].pub.part < UDF_PART_PERCPU ? elf->sec[i].pub.addr : 0;
		memcpy(entry->file + eh.e_shoff + (uint64_t)i * sizeof(sh), &sh, sizeof(sh));
	}
	entry->jit = (struct jit_code_entry){ __jit_debug_descriptor.first, NULL, entry->file, len };
	if (entry->jit.next)
		entry->jit.next->prev = &entry->jit;
	__jit_debug_descriptor.first = &entry->jit;
	notify(entry, GDB_REGISTER);
	return entry;
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
	free(entry);
}
