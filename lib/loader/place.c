// SPDX-License-Identifier: GPL-2.0
/*
 * A module's memory: two pieces of the modules' area, each with an unmapped page behind.
 *
 *   core   text (r-x) | read-only data | data, symbol table, names (rw-)
 *   init   text (r-x) | data, initial per-CPU contents (rw-)                freed after the init function
 *
 * Host world.
 */
#include "loader/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "loader/elf.h"

#define ALIGN_UP(n, to) (((n) + (to) - 1) & ~((uint64_t)(to) - 1))

/* Where the kernel world finds a section; a second name is the same thing on other kernels. */
static const struct { enum host_module_section id; const char *name; } section_names[] = {
	{ HOST_SEC_THIS_MODULE, ".gnu.linkonce.this_module" },
	{ HOST_SEC_PARAM, "__param" },
	{ HOST_SEC_KSYMTAB, "__ksymtab" },
	{ HOST_SEC_KSYMTAB_GPL, "__ksymtab_gpl" },
	{ HOST_SEC_KCRCTAB, "__kcrctab" },
	{ HOST_SEC_KCRCTAB_GPL, "__kcrctab_gpl" },
	{ HOST_SEC_EX_TABLE, "__ex_table" },
	{ HOST_SEC_BUG_TABLE, "__bug_table" },
	{ HOST_SEC_JUMP_TABLE, "__jump_table" },
	{ HOST_SEC_STATIC_CALL, ".static_call_sites" },
	{ HOST_SEC_TRACEPOINTS_PTRS, "__tracepoints_ptrs" },
	{ HOST_SEC_ORC_UNWIND, ".orc_unwind" },
	{ HOST_SEC_ORC_UNWIND_IP, ".orc_unwind_ip" },
	{ HOST_SEC_ALTINSTRUCTIONS, ".altinstructions" },
	{ HOST_SEC_PARAINSTRUCTIONS, ".parainstructions" },
	{ HOST_SEC_RETPOLINE_SITES, ".retpoline_sites" },
	{ HOST_SEC_RETURN_SITES, ".return_sites" },
	{ HOST_SEC_MCOUNT_LOC, "__mcount_loc" },
	{ HOST_SEC_MODINFO, ".modinfo" },
	{ HOST_SEC_CTORS, ".ctors" },
	{ HOST_SEC_CTORS, ".init_array" },
	{ HOST_SEC_BPF_RAW_EVENTS, "__bpf_raw_tp_map" },
	{ HOST_SEC_TRACE_EVENTS, "_ftrace_events" },
	{ HOST_SEC_TRACE_EVAL_MAPS, "_ftrace_eval_map" },
	{ HOST_SEC_PRINTK_INDEX, ".printk_index" },
	{ HOST_SEC_ERROR_INJECTION, "_error_injection_whitelist" },
	{ HOST_SEC_CALL_SITES, ".call_sites" },
	{ HOST_SEC_NOINSTR_TEXT, ".noinstr.text" },
	{ HOST_SEC_SRCU_PTRS, "___srcu_struct_ptrs" },
};

uint64_t udf_page_up(uint64_t n)
{
	return ALIGN_UP(n, ELF_PAGE);
}

static void describe_sections(struct udf_module *mod)
{
	unsigned int i, j;

	memset(mod->host.sec, 0, sizeof(mod->host.sec));
	for (i = 1; i < mod->elf->nr_sec; i++) {
		const struct elf_section *s = &mod->elf->sec[i];

		for (j = 0; j < sizeof(section_names) / sizeof(section_names[0]); j++) {
			struct host_section *h = &mod->host.sec[section_names[j].id];

			if (h->size || strcmp(s->pub.name, section_names[j].name))
				continue;
			if (s->pub.part != UDF_PART_COUNT)
				*h = (struct host_section){ s->pub.addr, s->pub.size };
			else if (i == mod->elf->modinfo)
				*h = (struct host_section){ (uintptr_t)mod->elf->data + s->hdr.sh_offset, s->pub.size };
		}
	}
	mod->host.sec[HOST_SEC_SYMTAB].size = mod->symtab_size;
	mod->host.sec[HOST_SEC_STRTAB].size = mod->strtab_size;
}

void udf_place_measure(struct udf_module *mod)
{
	uint64_t *size;

	udf_elf_layout(mod->elf, &mod->layout);
	size = mod->layout.size;
	udf_symtab_size(mod->elf, &mod->symtab_size, &mod->strtab_size);
	mod->host.core_text.size = udf_page_up(size[UDF_PART_TEXT]);
	mod->host.core_ro.size = mod->host.core_text.size + udf_page_up(size[UDF_PART_RODATA]);
	mod->symtab_offset = mod->host.core_ro.size + ALIGN_UP(size[UDF_PART_DATA], 8);
	mod->host.core.size = udf_page_up(mod->symtab_offset + mod->symtab_size + mod->strtab_size);
	mod->host.init_text.size = udf_page_up(size[UDF_PART_INIT_TEXT]);
	mod->host.init.size = mod->host.init_text.size + udf_page_up(size[UDF_PART_INIT_DATA]) + udf_page_up(size[UDF_PART_PERCPU]);
	mod->host.percpu_size = size[UDF_PART_PERCPU];
	mod->host.percpu_align = mod->layout.percpu_align;
	describe_sections(mod);
}

static void set_place(struct udf_module *mod, enum udf_part part, uint64_t addr)
{
	mod->place[part] = (struct udf_elf_place){ addr, (void *)(uintptr_t)addr };
}

static int get_memory(struct udf_loader *loader, struct udf_module *mod, uint64_t percpu, struct udf_error *err)
{
	struct host_module *h = &mod->host;

	h->core.addr = udf_space_get(&loader->space, h->core.size);
	if (h->core.addr && h->init.size)
		h->init.addr = udf_space_get(&loader->space, h->init.size);
	if (!h->core.addr || (h->init.size && !h->init.addr))
		return udf_error_set(err, -ENOMEM, "%s: no memory for %llu KiB of module", h->name,
				     (unsigned long long)(h->core.size + h->init.size) >> 10);
	h->core_text.addr = h->core_ro.addr = h->core.addr;
	h->init_text.addr = h->init.addr;
	set_place(mod, UDF_PART_TEXT, h->core.addr);
	set_place(mod, UDF_PART_RODATA, h->core.addr + h->core_text.size);
	set_place(mod, UDF_PART_DATA, h->core.addr + h->core_ro.size);
	set_place(mod, UDF_PART_INIT_TEXT, h->init.addr);
	set_place(mod, UDF_PART_INIT_DATA, h->init.addr + h->init_text.size);
	set_place(mod, UDF_PART_PERCPU, h->init.addr + h->init_text.size + udf_page_up(mod->layout.size[UDF_PART_INIT_DATA]));
	h->percpu_init = h->percpu_size ? mod->place[UDF_PART_PERCPU].addr : 0;
	mod->place[UDF_PART_PERCPU].addr = percpu;
	return 0;
}

static int resolve(void *ctx, const char *name, bool weak, uint64_t *value, struct udf_error *err)
{
	const struct udf_module *mod = ctx;
	const struct loader_import *import = udf_imports_lookup(mod, name);

	(void)weak;
	if (!import || import->flaw)
		return udf_error_set(err, -ENOENT, "%s: symbol %s is missing", mod->host.name, name);
	*value = import->export ? import->export->addr : import->addr;
	return 0;
}

static void patch(struct udf_loader *loader, struct udf_module *mod, struct udf_loader_stats *stats)
{
	const struct udf_patch_text text[] = {
		{ mod->place[UDF_PART_TEXT].addr, mod->place[UDF_PART_TEXT].mem, mod->layout.size[UDF_PART_TEXT] },
		{ mod->place[UDF_PART_INIT_TEXT].addr, mod->place[UDF_PART_INIT_TEXT].mem, mod->layout.size[UDF_PART_INIT_TEXT] },
	};
	const struct { enum udf_patch_kind kind; enum host_module_section sec; unsigned long *patched; } tables[] = {
		{ UDF_PATCH_RETURNS, HOST_SEC_RETURN_SITES, &stats->returns },
		{ UDF_PATCH_RETPOLINES, HOST_SEC_RETPOLINE_SITES, &stats->retpolines },
		{ UDF_PATCH_FENTRY, HOST_SEC_MCOUNT_LOC, &stats->fentries },
	};
	unsigned int i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		const struct host_section *h = &mod->host.sec[tables[i].sec];
		struct udf_patch_sites sites = { h->addr, (void *)h->addr, h->size };
		struct udf_patch_count count = { 0 };

		udf_patch_sites(tables[i].kind, text, 2, &loader->thunks, &sites, &count);
		*tables[i].patched += count.patched;
		stats->left += count.left;
	}
}

static int write_symtab(struct udf_module *mod, struct udf_error *err)
{
	uint64_t addr = mod->host.core.addr + mod->symtab_offset;
	Elf64_Sym *symbols = (void *)(uintptr_t)addr;
	char *strings = (char *)symbols + mod->symtab_size;

	udf_symtab_write(mod->elf, symbols, strings);
	mod->host.sec[HOST_SEC_SYMTAB].addr = addr;
	mod->host.sec[HOST_SEC_STRTAB].addr = addr + mod->symtab_size;
	if (udf_symtab_index(&mod->symtab, symbols, mod->symtab_size, strings, mod->strtab_size))
		return udf_error_set(err, -ENOMEM, "%s: out of memory", mod->host.name);
	return 0;
}

static void set_export_addresses(struct udf_module *mod)
{
	unsigned int i;

	for (i = 0; i < mod->nr_exports; i++)
		mod->export[i].addr = mod->elf->sym[mod->export[i].symbol].value + (uint64_t)mod->export[i].addend;
}

static int protect(uint64_t addr, uint64_t size, int prot, const struct udf_module *mod, struct udf_error *err)
{
	if (size && mprotect((void *)(uintptr_t)addr, size, prot))
		return udf_error_set(err, -errno, "%s: cannot protect its memory: %s", mod->host.name, strerror(errno));
	return 0;
}

int udf_place_link(struct udf_loader *loader, struct udf_module *mod, uint64_t percpu, struct udf_error *err)
{
	struct udf_loader_stats stats = { 0 };
	int ret;

	ret = get_memory(loader, mod, percpu, err);
	if (!ret)
		ret = udf_elf_link(mod->elf, mod->place, resolve, mod, err);
	if (ret)
		goto free_place;
	describe_sections(mod);
	ret = write_symtab(mod, err);
	if (ret)
		goto free_place;
	patch(loader, mod, &stats);
	ret = loader->observer->linking ? loader->observer->linking(loader, mod, err) : 0;
	if (ret)
		goto free_place;
	ret = protect(mod->host.core_text.addr, mod->host.core_text.size, PROT_READ | PROT_EXEC, mod, err);
	if (!ret)
		ret = protect(mod->host.init_text.addr, mod->host.init_text.size, PROT_READ | PROT_EXEC, mod, err);
	if (ret)
		goto free_place;
	set_export_addresses(mod);
	loader->stats.returns += stats.returns;
	loader->stats.retpolines += stats.retpolines;
	loader->stats.fentries += stats.fentries;
	loader->stats.left += stats.left;
	loader->stats.bytes += mod->host.core.size + mod->host.init.size;
	return 0;

free_place:
	udf_place_free(loader, mod);
	return ret;
}

void udf_place_free_init(struct udf_loader *loader, struct udf_module *mod)
{
	struct host_module *h = &mod->host;

	if (!h->init.addr)
		return;
	udf_symtab_forget((void *)h->sec[HOST_SEC_SYMTAB].addr, h->sec[HOST_SEC_SYMTAB].size, h->init.addr, h->init.size);
	loader->stats.bytes -= h->init.size;
	udf_space_put(&loader->space, h->init.addr);
	h->init = h->init_text = (struct host_section){ 0 };
	h->percpu_init = 0;
}

void udf_place_free(struct udf_loader *loader, struct udf_module *mod)
{
	struct host_module *h = &mod->host;

	udf_space_put(&loader->space, h->init.addr);
	udf_space_put(&loader->space, h->core.addr);
	h->core.addr = h->init.addr = 0;
	udf_symtab_free(&mod->symtab);
}
