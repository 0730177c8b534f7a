// SPDX-License-Identifier: GPL-2.0
/*
 * Names of a module's addresses, twice: as an ELF symbol table in the module's memory, for the kernel's kallsyms, and as a sorted
 * array in ours, for traces that are made when that memory can no longer be trusted. Host world.
 */
#include "loader/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loader/elf.h"

static bool is_wanted(const struct udf_elf *elf, const struct udf_elf_symbol *sym)
{
	enum udf_part part;

	if (!sym->name[0] || sym->shndx == SHN_UNDEF || sym->shndx >= elf->nr_sec)
		return false;
	if (sym->type != STT_FUNC && sym->type != STT_OBJECT && sym->type != STT_NOTYPE)
		return false;
	part = elf->sec[sym->shndx].pub.part;
	return part != UDF_PART_COUNT && part != UDF_PART_PERCPU;
}

void udf_symtab_size(const struct udf_elf *elf, uint64_t *symbols, uint64_t *strings)
{
	unsigned int i;

	*symbols = sizeof(Elf64_Sym);
	*strings = 1;
	for (i = 1; i < elf->nr_sym; i++) {
		if (!is_wanted(elf, &elf->sym[i]))
			continue;
		*symbols += sizeof(Elf64_Sym);
		*strings += strlen(elf->sym[i].name) + 1;
	}
	/* Names may share their text in the file, so that the copies are bigger than it. */
	if (*strings > ELF_PART_MAX / 4) {
		*symbols = sizeof(Elf64_Sym);
		*strings = 1;
	}
}

/* As nm prints it. */
static char letter(const struct udf_elf *elf, const struct udf_elf_symbol *sym)
{
	const struct elf_section *s = &elf->sec[sym->shndx];
	char c = 'r';

	if (s->hdr.sh_flags & SHF_EXECINSTR)
		c = 't';
	else if (s->hdr.sh_type == SHT_NOBITS)
		c = 'b';
	else if (s->hdr.sh_flags & SHF_WRITE)
		c = 'd';
	if (sym->bind == STB_WEAK)
		return sym->type == STT_OBJECT ? 'V' : 'W';
	return sym->bind == STB_GLOBAL ? c - 'a' + 'A' : c;
}

void udf_symtab_write(const struct udf_elf *elf, Elf64_Sym *symbols, char *strings)
{
	uint64_t size, strings_size, n = 0, used = 1;
	unsigned int i;

	udf_symtab_size(elf, &size, &strings_size);
	memset(symbols, 0, size);
	strings[0] = 0;
	for (i = 1; i < elf->nr_sym && (n + 2) * sizeof(*symbols) <= size; i++) {
		const struct udf_elf_symbol *sym = &elf->sym[i];

		if (!is_wanted(elf, sym))
			continue;
		symbols[++n] = (Elf64_Sym){ .st_name = used, .st_info = ELF64_ST_INFO(sym->bind, sym->type),
					    .st_other = letter(elf, sym), .st_shndx = sym->shndx, .st_value = sym->value,
					    .st_size = sym->size };
		strcpy(strings + used, sym->name);
		used += strlen(sym->name) + 1;
	}
}

void udf_symtab_forget(Elf64_Sym *symbols, uint64_t size, uint64_t addr, uint64_t len)
{
	uint64_t i;

	for (i = 1; i < size / sizeof(*symbols); i++)
		if (symbols[i].st_value - addr < len)
			symbols[i].st_shndx = SHN_UNDEF;
}

/* Ascending; of several at one address the one that says most comes last, where the search finds it. */
static int by_addr(const void *a, const void *b)
{
	const struct symtab_entry *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return strcmp(y->name, x->name);
}

int udf_symtab_index(struct module_symtab *tab, const Elf64_Sym *symbols, uint64_t size, const char *strings,
		     uint64_t strings_size)
{
	unsigned int i, n = size / sizeof(*symbols);

	tab->strings = malloc(strings_size);
	tab->entry = calloc(n, sizeof(*tab->entry));
	if (!tab->strings || !tab->entry) {
		udf_symtab_free(tab);
		return -ENOMEM;
	}
	memcpy(tab->strings, strings, strings_size);
	for (i = 1; i < n; i++)
		tab->entry[tab->nr++] = (struct symtab_entry){ symbols[i].st_value, symbols[i].st_size,
							       tab->strings + symbols[i].st_name };
	qsort(tab->entry, tab->nr, sizeof(*tab->entry), by_addr);
	return 0;
}

void udf_symtab_free(struct module_symtab *tab)
{
	free(tab->entry);
	free(tab->strings);
	memset(tab, 0, sizeof(*tab));
}

const struct symtab_entry *udf_symtab_lookup(const struct module_symtab *tab, uint64_t addr)
{
	unsigned int low = 0, high = tab->nr;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (tab->entry[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? &tab->entry[low - 1] : NULL;
}
