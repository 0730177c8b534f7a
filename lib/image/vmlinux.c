// SPDX-License-Identifier: GPL-2.0
/*
 * The ELF payload of a kernel image: check it, and lay its bytes out as they will run. Host world; hostile input is an error.
 *
 * vmlinux has three kinds of loaded segments: text and read-only data, data, and the per-CPU template. The last is linked
 * at address 0, and its bytes stand where its physical address says: there __per_cpu_load points.
 */
#include "image/kernel.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SEGMENTS_MAX	64
#define SECTIONS_MAX	4096

static int check_header(const struct udf_kernel *k, Elf64_Ehdr *eh, struct udf_error *err)
{
	if (k->elf.len < sizeof(*eh) || memcmp(k->elf.data, ELFMAG, SELFMAG))
		return udf_kernel_damaged(k, err, "what it holds is no ELF file");
	memcpy(eh, k->elf.data, sizeof(*eh));
	if (eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_ident[EI_DATA] != ELFDATA2LSB || eh->e_machine != EM_X86_64)
		return udf_error_set(err, -ENOEXEC, "%s is not a kernel for x86-64: UDF runs the drivers of no other architecture", k->what);
	if (eh->e_type != ET_EXEC)
		return udf_error_set(err, -ENOEXEC, "%s is an ELF file, but no kernel: name a vmlinuz, such as /boot/vmlinuz-6.1.*", k->what);
	if (eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_shentsize != sizeof(Elf64_Shdr) || !eh->e_phnum || !eh->e_shnum ||
	    eh->e_phnum > SEGMENTS_MAX || eh->e_shnum > SECTIONS_MAX || eh->e_shstrndx >= eh->e_shnum ||
	    eh->e_phoff > k->elf.len || eh->e_phnum * sizeof(Elf64_Phdr) > k->elf.len - eh->e_phoff ||
	    eh->e_shoff > k->elf.len || eh->e_shnum * sizeof(Elf64_Shdr) > k->elf.len - eh->e_shoff)
		return udf_kernel_damaged(k, err, "the tables of its ELF header lie outside of it");
	return 0;
}

static void get_phdr(const struct udf_kernel *k, const Elf64_Ehdr *eh, unsigned int i, Elf64_Phdr *ph)
{
	memcpy(ph, k->elf.data + eh->e_phoff + i * sizeof(*ph), sizeof(*ph));
}

static void get_shdr(const struct udf_kernel *k, const Elf64_Ehdr *eh, unsigned int i, Elf64_Shdr *sh)
{
	memcpy(sh, k->elf.data + eh->e_shoff + i * sizeof(*sh), sizeof(*sh));
}

static void note_end(struct udf_kernel *k, uint64_t end)
{
	if (end > k->elf_end)
		k->elf_end = end;
}

static int check_segment(const struct udf_kernel *k, const Elf64_Phdr *ph, struct udf_error *err)
{
	if (ph->p_offset > k->elf.len || ph->p_filesz > k->elf.len - ph->p_offset)
		return udf_kernel_damaged(k, err, "a segment lies outside of the file");
	if (ph->p_memsz < ph->p_filesz || ph->p_memsz > UDF_VMLINUX_MAX)
		return udf_kernel_damaged(k, err, "a segment has an impossible size");
	return 0;
}

/* Find the extent of the image, and the distance of link addresses from physical ones. */
static int measure(struct udf_kernel *k, const Elf64_Ehdr *eh, uint64_t *phys_delta, struct udf_error *err)
{
	uint64_t low = UINT64_MAX, high = 0, room = UDF_IMAGE_END - UDF_IMAGE_BASE;
	unsigned int i;

	for (i = 0; i < eh->e_phnum; i++) {
		Elf64_Phdr ph;
		int ret;

		get_phdr(k, eh, i, &ph);
		if (ph.p_type != PT_LOAD)
			continue;
		ret = check_segment(k, &ph, err);
		if (ret)
			return ret;
		if (ph.p_vaddr < UDF_LINK_BASE)
			continue;
		if (ph.p_vaddr - UDF_LINK_BASE > room || ph.p_memsz > room - (ph.p_vaddr - UDF_LINK_BASE))
			return udf_error_set(err, -EFBIG, "%s does not fit: a segment ends at %#llx, and there is room for %llu MiB",
					     k->what, (unsigned long long)(ph.p_vaddr + ph.p_memsz), (unsigned long long)room >> 20);
		if (ph.p_vaddr < low) {
			low = ph.p_vaddr;
			*phys_delta = ph.p_vaddr - ph.p_paddr;
		}
		if (ph.p_vaddr + ph.p_memsz > high)
			high = ph.p_vaddr + ph.p_memsz;
	}
	if (low != UDF_LINK_BASE)
		return udf_error_set(err, -ENOEXEC, "%s is not linked at %#llx: UDF supports kernels with the usual CONFIG_PHYSICAL_START",
				     k->what, UDF_LINK_BASE);
	k->image.addr = UDF_IMAGE_BASE;
	k->image.size = udf_page_up(high - low);
	return 0;
}

/* Copy segment PH to where it runs; one below the link address is the per-CPU template. */
static int load_segment(struct udf_kernel *k, const Elf64_Phdr *ph, uint64_t phys_delta, struct udf_error *err)
{
	uint64_t addr = ph->p_vaddr + UDF_LINK_DELTA;
	uint8_t *to;

	note_end(k, ph->p_offset + ph->p_filesz);
	if (ph->p_vaddr < UDF_LINK_BASE) {
		addr = ph->p_paddr + phys_delta + UDF_LINK_DELTA;
		if (ph->p_vaddr || k->percpu_size)
			return udf_kernel_damaged(k, err, "a segment is linked at %#llx", (unsigned long long)ph->p_vaddr);
		k->percpu_load = addr;
		k->percpu_size = ph->p_memsz;
	}
	to = udf_memory_at(&k->image, addr, ph->p_memsz);
	if (!to)
		return udf_kernel_damaged(k, err, "the per-CPU segment lies outside of the image");
	memcpy(to, k->elf.data + ph->p_offset, ph->p_filesz);
	return 0;
}

static int load_segments(struct udf_kernel *k, const Elf64_Ehdr *eh, struct udf_error *err)
{
	uint64_t phys_delta = 0;
	unsigned int i;
	int ret = measure(k, eh, &phys_delta, err);

	if (ret)
		return ret;
	k->image.mem = calloc(1, k->image.size);
	if (!k->image.mem)
		return udf_error_set(err, -ENOMEM, "not enough memory to prepare %s", k->what);
	for (i = 0; !ret && i < eh->e_phnum; i++) {
		Elf64_Phdr ph;

		get_phdr(k, eh, i, &ph);
		if (ph.p_type == PT_LOAD)
			ret = load_segment(k, &ph, phys_delta, err);
	}
	return ret;
}

/* The names' own section must end with a NUL; it starts at *NAMES. */
static int check_names(const struct udf_kernel *k, const Elf64_Ehdr *eh, Elf64_Shdr *names, struct udf_error *err)
{
	get_shdr(k, eh, eh->e_shstrndx, names);
	if (names->sh_type != SHT_STRTAB || !names->sh_size || names->sh_offset > k->elf.len ||
	    names->sh_size > k->elf.len - names->sh_offset || k->elf.data[names->sh_offset + names->sh_size - 1])
		return udf_kernel_damaged(k, err, "its section names lie outside of it");
	return 0;
}

static int add_section(struct udf_kernel *k, const Elf64_Shdr *sh, const char *name, struct udf_error *err)
{
	struct udf_ksection *s = &k->sec[k->nr_sec];

	s->name = name;
	s->size = sh->sh_size;
	s->flags = sh->sh_flags;
	s->nobits = sh->sh_type == SHT_NOBITS;
	s->percpu = sh->sh_addr < UDF_LINK_BASE;
	s->addr = s->percpu ? sh->sh_addr : sh->sh_addr + UDF_LINK_DELTA;
	if (s->percpu ? s->addr > k->percpu_size || s->size > k->percpu_size - s->addr : !udf_memory_at(&k->image, s->addr, s->size))
		return udf_kernel_damaged(k, err, "section %.40s lies outside of the image", name);
	k->nr_sec++;
	return 0;
}

static int load_sections(struct udf_kernel *k, const Elf64_Ehdr *eh, struct udf_error *err)
{
	Elf64_Shdr names;
	unsigned int i;
	int ret = check_names(k, eh, &names, err);

	if (ret)
		return ret;
	k->sec = calloc(eh->e_shnum, sizeof(*k->sec));
	if (!k->sec)
		return udf_error_set(err, -ENOMEM, "not enough memory to prepare %s", k->what);
	note_end(k, eh->e_shoff + eh->e_shnum * sizeof(Elf64_Shdr));
	for (i = 1; !ret && i < eh->e_shnum; i++) {
		Elf64_Shdr sh;

		get_shdr(k, eh, i, &sh);
		if (sh.sh_type != SHT_NOBITS && sh.sh_offset <= k->elf.len && sh.sh_size <= k->elf.len - sh.sh_offset)
			note_end(k, sh.sh_offset + sh.sh_size);
		if (!(sh.sh_flags & SHF_ALLOC) || sh.sh_type == SHT_NULL)
			continue;
		if (sh.sh_name >= names.sh_size)
			return udf_kernel_damaged(k, err, "a section has no name");
		ret = add_section(k, &sh, (const char *)k->elf.data + names.sh_offset + sh.sh_name, err);
	}
	return ret;
}

int udf_kernel_load(struct udf_kernel *k, struct udf_error *err)
{
	Elf64_Ehdr eh;
	int ret = check_header(k, &eh, err);

	if (!ret)
		ret = load_segments(k, &eh, err);
	if (!ret)
		ret = load_sections(k, &eh, err);
	/* offset 0 of the strings is the empty one */
	if (!ret && udf_bytes_add(&k->strings, "", 1))
		ret = udf_error_set(err, -ENOMEM, "not enough memory to prepare %s", k->what);
	return ret;
}

void udf_kernel_free(struct udf_kernel *k)
{
	udf_bytes_free(&k->elf);
	udf_bytes_free(&k->strings);
	free(k->image.mem);
	free(k->sec);
	free(k->sym);
	free(k->exports);
	memset(k, 0, sizeof(*k));
}

const struct udf_ksection *udf_kernel_section(const struct udf_kernel *k, const char *name)
{
	unsigned int i;

	for (i = 0; i < k->nr_sec; i++)
		if (!strcmp(k->sec[i].name, name))
			return &k->sec[i];
	return NULL;
}

bool udf_ksection_runs(const struct udf_ksection *s)
{
	return s->flags & SHF_EXECINSTR && s->size && !s->percpu && !s->nobits && strcmp(s->name, ".altinstr_replacement");
}

bool udf_kernel_is_text(const struct udf_kernel *k, uint64_t addr)
{
	unsigned int i;

	for (i = 0; i < k->nr_sec; i++)
		if (udf_ksection_runs(&k->sec[i]) && addr >= k->sec[i].addr && addr - k->sec[i].addr < k->sec[i].size)
			return true;
	return false;
}

/* The GNU build id among the notes, as hex. */
static int find_build_id(struct udf_kernel *k, struct udf_error *err)
{
	const struct udf_ksection *s = udf_kernel_section(k, ".notes");
	const uint8_t *p = s && !s->percpu ? udf_memory_at(&k->image, s->addr, s->size) : NULL;
	uint64_t left = p ? s->size : 0;

	while (left >= 12) {
		uint64_t name = udf_get32(p), desc = udf_get32(p + 4), i;
		uint64_t size = 12 + ((name + 3) & ~3ull) + ((desc + 3) & ~3ull);

		if (size > left)
			break;
		if (udf_get32(p + 8) == NT_GNU_BUILD_ID && name == 4 && !memcmp(p + 12, "GNU", 4) && desc && desc <= UDF_BUILD_ID_MAX) {
			for (i = 0; i < desc; i++)
				snprintf(k->build_id + 2 * i, 3, "%02x", p[16 + i]);
			return 0;
		}
		p += size;
		left -= size;
	}
	return udf_kernel_damaged(k, err, "it has no build id");
}

/* The string that the symbol NAME stands for, or NULL. */
static const char *symbol_string(const struct udf_kernel *k, const char *name)
{
	const struct udf_ksym *sym = udf_kernel_symbol(k, name, NULL);

	return sym && !sym->absolute ? udf_memory_string(&k->image, sym->value) : NULL;
}

int udf_kernel_identify(struct udf_kernel *k, struct udf_error *err)
{
	static const char start[] = "Linux version ";
	const char *banner = symbol_string(k, "linux_banner"), *vermagic = symbol_string(k, "vermagic");
	size_t n;

	if (!banner || strncmp(banner, start, strlen(start)))
		return udf_kernel_damaged(k, err, "it has no version string");
	banner += strlen(start);
	n = strcspn(banner, " ");
	if (!n || n >= sizeof(k->release) || memchr(banner, '/', n))
		return udf_kernel_damaged(k, err, "its version string names no release");
	memcpy(k->release, banner, n);
	if (!vermagic || strncmp(vermagic, k->release, n) || vermagic[n] != ' ' || strlen(vermagic) >= sizeof(k->vermagic))
		return udf_error_set(err, -ENOEXEC, "%s is a kernel without loadable modules: there are no driver modules for it", k->what);
	strcpy(k->vermagic, vermagic);
	return find_build_id(k, err);
}
