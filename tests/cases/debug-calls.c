// SPDX-License-Identifier: GPL-2.0
/*
 * A trace that is off costs calls nothing: every call of a stock module's code goes to the very function that the kernel exports. And with
 * one, every call that it asks for goes to a trampoline, no other does, and function pointers never do.
 */
#include "debug/trace-int.h"
#include "loader/elf.h"
#include "udf-test.h"

struct counts {
	unsigned int direct, traced, pointers;
};

static bool in_trampolines(uint64_t addr)
{
	uint64_t start, end;
	unsigned int i;

	for (i = 0; i < 256 && udf_trace_trampolines(i, &start, &end); i++)
		if (addr >= start && addr < end)
			return true;
	return false;
}

/* Where what RELA has relocated in a section of code leads; 0 when that is no import of the image. */
static uint64_t target_of(const struct udf_elf *elf, const struct elf_section *s, uint64_t text, const Elf64_Rela *rela,
			  struct udf_export *export)
{
	const struct udf_elf_symbol *sym = udf_elf_symbol(elf, ELF64_R_SYM(rela->r_info));
	uint64_t at = text + s->offset + rela->r_offset;
	uint32_t type = ELF64_R_TYPE(rela->r_info);
	int32_t rel;

	if (!sym || sym->shndx != SHN_UNDEF || !strncmp(sym->name, "__x86_", 6) || !strncmp(sym->name, "__SCT__", 7) ||
	    !strcmp(sym->name, "__fentry__") || !strncmp(sym->name, "__stack_chk", 11) || udf_image_export(udf_host.image, sym->name, export) || export->percpu)
		return 0;
	memcpy(&rel, (void *)at, sizeof(rel));
	if (type == R_X86_64_PLT32)
		return at + 4 + (uint64_t)(int64_t)rel;
	return type == R_X86_64_32S && rela->r_addend == 0 ? (uint32_t)rel : 0;
}

static void count_section(const struct udf_elf *elf, unsigned int rela_sec, uint64_t text, const char *wanted, struct counts *n)
{
	const struct elf_section *s = &elf->sec[elf->sec[rela_sec].hdr.sh_info];
	uint64_t i;

	for (i = 0; i < elf->sec[rela_sec].pub.size / sizeof(Elf64_Rela); i++) {
		struct udf_export export;
		Elf64_Rela rela;
		uint64_t to;
		const char *name;

		udf_elf_get_rela(elf, rela_sec, i, &rela);
		to = target_of(elf, s, text, &rela, &export);
		if (!to)
			continue;
		name = udf_elf_symbol(elf, ELF64_R_SYM(rela.r_info))->name;
		if (ELF64_R_TYPE(rela.r_info) != R_X86_64_PLT32) {
			CHECK_EQ(to, export.addr);
			n->pointers++;
		} else if (to == export.addr) {
			if (wanted && udf_trace_matches(wanted, name))
				FAIL("the call of %s is not traced", name);
			n->direct++;
		} else {
			if (!in_trampolines(to))
				FAIL("a call of %s goes to %#lx, not to %#lx", name, to, export.addr);
			if (!wanted || !udf_trace_matches(wanted, name))
				FAIL("the call of %s is traced", name);
			n->traced++;
		}
	}
}

static struct counts count(const char *module, const char *wanted)
{
	struct udf_module *mod = udf_loader_find(udf_host.loader, module);
	struct udf_error err = UDF_ERROR_INIT;
	struct counts n = { 0 };
	struct host_module host;
	struct udf_elf *elf;
	unsigned int i;
	void *data;
	size_t len;

	CHECK(mod);
	udf_module_describe(mod, &host);
	CHECK(!udf_module_read(udf_module_path(mod), &data, &len, &err) && !udf_elf_parse(data, len, module, &elf, &err));
	for (i = 1; i < elf->nr_sec; i++)
		if (elf->sec[i].hdr.sh_type == SHT_RELA && elf->sec[elf->sec[i].hdr.sh_info].pub.part == UDF_PART_TEXT)
			count_section(elf, i, host.core_text.addr, wanted, &n);
	udf_elf_free(elf);
	free(data);
	return n;
}

/* CALLS: patterns of the functions whose calls are to be traced, NULL: none. */
static struct counts run(const char *trace, const char *only, const char *calls)
{
	struct udf *udf = test_open("device", "qemu:nvme,serial=calls", "size", "16M", "trace-only", only ? only : "*",
				    trace ? "trace" : NULL, trace, NULL);
	struct counts n;

	CHECK_EQ(udf_wait_disks(udf, 1, 20000), 1);
	n = count("nvme", calls);
	CHECK_OK(udf_close(udf));
	printf("%s %s: %u calls direct, %u traced, %u pointers\n", trace ? trace : "no trace", only ? only : "", n.direct, n.traced,
	       n.pointers);
	return n;
}

int main(void)
{
	struct counts off = run(NULL, NULL, NULL), others = run("mmio,irq,sched,pci=/dev/null", NULL, NULL);
	struct counts api = run("api=/dev/null", NULL, "*"), some = run("api=/dev/null", "pci_*", "pci_*");
	struct counts dma = run("dma=/dev/null", NULL, "dma_*,dmam_*");

	CHECK(off.direct > 100 && off.pointers > 0);
	CHECK_EQ(off.traced, 0);
	CHECK_EQ(others.traced, 0);
	CHECK_EQ(others.direct, off.direct);
	CHECK_EQ(api.traced, off.direct);
	CHECK_EQ(api.direct, 0);
	CHECK(some.traced > 0 && some.traced < api.traced && some.traced + some.direct == off.direct);
	CHECK(dma.traced > 0 && dma.traced + dma.direct == off.direct);
	return 0;
}
