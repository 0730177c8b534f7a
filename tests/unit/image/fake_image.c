// SPDX-License-Identifier: GPL-2.0
/* Small kernel images for tests; see fake_image.h. */
#include "image/fake_image.h"

#include <elf.h>
#include <lz4.h>
#include <lzma.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define RODATA		0x2000
#define RODATA_SIZE	0x4000
#define KSYMTAB		0x6000
#define KSYMTAB_GPL	0x6100
#define KCRCTAB		0x6200
#define KCRCTAB_GPL	0x6280
#define KSTRINGS	0x6300
#define NOTES		0x6400
#define INIT_TEXT	0xa000
#define INIT_DATA	0xb000
#define MCOUNT		0xb000
#define RETPOLINES	0xb100
#define RETURNS		0xb200
#define FILE_END	0xc000
#define FILE_START	0x1000		/* of the image in the ELF file */
#define SYMBOLS		1024

struct builder {
	uint8_t img[FAKE_SPAN];
	struct { char name[300]; uint64_t value; char type; } sym[SYMBOLS];
	unsigned int nr_sym;
	int32_t rel[3][64];		/* 32-bit, inverse, 64-bit */
	unsigned int nr_rel[3];
	uint32_t rodata, strings;	/* used so far */
	uint32_t base;			/* of kallsyms, for its relocation */
};

static void put(struct builder *b, uint32_t at, const void *data, size_t len) { memcpy(b->img + at, data, len); }
static void put32(struct builder *b, uint32_t at, uint32_t v) { put(b, at, &v, sizeof(v)); }
static void put64(struct builder *b, uint32_t at, uint64_t v) { put(b, at, &v, sizeof(v)); }

static void symbol_at(struct builder *b, const char *name, uint64_t value, char type)
{
	snprintf(b->sym[b->nr_sym].name, sizeof(b->sym[0].name), "%s", name);
	b->sym[b->nr_sym].value = value;
	b->sym[b->nr_sym++].type = type;
}

static void symbol(struct builder *b, const char *name, uint32_t at, char type)
{
	symbol_at(b, name, FAKE_LINK + at, type);
}

static void reloc(struct builder *b, unsigned int kind, uint32_t at)
{
	b->rel[kind][b->nr_rel[kind]++] = (int32_t)(uint32_t)(FAKE_LINK + at);
}

/* OP rel32 at AT to TO. */
static void branch(struct builder *b, uint32_t at, uint8_t op, uint32_t to)
{
	b->img[at] = op;
	put32(b, at + 1, to - (at + 5));
}

static void pointer(struct builder *b, uint32_t at, uint32_t to)
{
	put64(b, at, FAKE_LINK + to);
	reloc(b, 2, at);
}

static void make_text(struct builder *b)
{
	static const char *const reg[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
					   "r13", "r14", "r15" };
	char name[64];
	uint32_t i;

	memset(b->img, 0x90, 0x1300);
	symbol(b, "_text", 0, 'T');
	symbol(b, "startup_64", 0, 'T');
	symbol(b, "func_plain", FAKE_PLAIN, 'T');
	branch(b, FAKE_PLAIN, 0xe8, FAKE_FENTRY);
	put(b, FAKE_PLAIN + 5, "\xb8\x2a\0\0", 5);
	branch(b, FAKE_PLAIN + 10, 0xe9, FAKE_RETURN_THUNK);
	symbol(b, "func_calls", FAKE_CALLS, 'T');
	branch(b, FAKE_CALLS, 0xe8, FAKE_THUNK(0));
	b->img[FAKE_CALLS + 5] = 0x2e;
	branch(b, FAKE_CALLS + 6, 0xe8, FAKE_THUNK(11));
	branch(b, FAKE_CALLS + 11, 0xe9, FAKE_THUNK(7));
	b->img[FAKE_CALLS + 16] = 0x2e;
	branch(b, FAKE_CALLS + 17, 0xe9, FAKE_THUNK(8));
	branch(b, FAKE_CALLS + 22, 0xe8, FAKE_PLAIN);	/* listed as a retpoline, and none */
	symbol(b, "func_short", FAKE_SHORT, 't');
	symbol(b, "func_next", FAKE_SHORT + 2, 't');
	symbol(b, "func_endbr", FAKE_ENDBR, 'T');
	put(b, FAKE_ENDBR, "\xf3\x0f\x1e\xfa", 4);
	symbol(b, "func_label", FAKE_LABEL, 'T');
	put(b, FAKE_LABEL, "\x0f\x1f\x44\0", 5);
	symbol(b, "func_static_call", FAKE_STATIC_CALL, 'T');
	branch(b, FAKE_STATIC_CALL, 0xe9, FAKE_PLAIN);
	symbol(b, "func_behind", FAKE_STATIC_CALL + 8, 't');
	symbol(b, "func_twice", FAKE_TWICE_A, 't');
	symbol(b, "func_twice", FAKE_TWICE_B, 't');
	symbol(b, "func_mixed", FAKE_MIXED_STATIC, 't');
	symbol(b, "func_mixed", FAKE_MIXED, 'T');
	symbol(b, "func_relocated", FAKE_RELOCATED, 'T');
	b->img[FAKE_RELOCATED] = 0xb8;
	put32(b, FAKE_RELOCATED + 1, (uint32_t)FAKE_LINK + FAKE_DATA);
	reloc(b, 0, FAKE_RELOCATED + 1);
	put32(b, FAKE_RELOCATED + 0x10, FAKE_PERCPU_VAR - ((uint32_t)FAKE_LINK + FAKE_RELOCATED + 0x14));
	reloc(b, 1, FAKE_RELOCATED + 0x10);
	for (i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "__x86_indirect_thunk_%s", reg[i]);
		symbol(b, name, FAKE_THUNK(i), 'T');
	}
	symbol(b, "__x86_return_thunk", FAKE_RETURN_THUNK, 'T');
	symbol(b, "__fentry__", FAKE_FENTRY, 'T');
	symbol(b, "init_func", INIT_TEXT, 't');
	memset(b->img + INIT_TEXT, 0xc3, 16);
}

static void make_data(struct builder *b)
{
	static const uint32_t retpolines[] = { FAKE_CALLS, FAKE_CALLS + 5, FAKE_CALLS + 11, FAKE_CALLS + 16, FAKE_CALLS + 22 };
	uint32_t i;

	symbol(b, "data_var", FAKE_DATA, 'D');
	pointer(b, FAKE_DATA, FAKE_PLAIN);
	pointer(b, FAKE_DATA + 8, FAKE_DATA);
	symbol(b, "__start___jump_table", FAKE_LABELS, 'D');
	symbol(b, "__stop___jump_table", FAKE_LABELS + 16, 'D');
	put32(b, FAKE_LABELS, FAKE_LABEL - FAKE_LABELS);
	symbol(b, "__start_static_call_sites", FAKE_CALL_SITES, 'D');
	symbol(b, "__stop_static_call_sites", FAKE_CALL_SITES + 8, 'D');
	put32(b, FAKE_CALL_SITES, (uint32_t)(FAKE_STATIC_CALL - FAKE_CALL_SITES));
	symbol(b, "__per_cpu_load", FAKE_PERCPU, 'D');
	symbol_at(b, "__per_cpu_start", 0, 'A');
	symbol_at(b, "__per_cpu_end", FAKE_PERCPU_SIZE, 'A');
	symbol_at(b, "percpu_var", FAKE_PERCPU_VAR, 'A');
	put64(b, FAKE_PERCPU + FAKE_PERCPU_VAR, 0x1234);
	symbol(b, "__start_mcount_loc", MCOUNT, 'D');
	symbol(b, "__stop_mcount_loc", MCOUNT + 8, 'D');
	pointer(b, MCOUNT, FAKE_PLAIN);
	for (i = 0; i < 5; i++)
		put32(b, RETPOLINES + 4 * i, retpolines[i] - (RETPOLINES + 4 * i));
	put32(b, RETURNS, FAKE_PLAIN + 10 - RETURNS);
	symbol(b, "bss_var", FAKE_BSS, 'B');
}

static uint32_t add_string(struct builder *b, const char *s)
{
	uint32_t at = KSTRINGS + b->strings;

	put(b, at, s, strlen(s) + 1);
	b->strings += (uint32_t)strlen(s) + 1;
	return at;
}

static void add_export(struct builder *b, uint32_t entry, uint64_t value, const char *name, const char *ns, uint32_t crc_at, uint32_t crc)
{
	put32(b, entry, (uint32_t)(value - (FAKE_LINK + entry)));
	if (value < FAKE_LINK)
		reloc(b, 1, entry);
	put32(b, entry + 4, add_string(b, name) - (entry + 4));
	put32(b, entry + 8, add_string(b, ns) - (entry + 8));
	put32(b, crc_at, crc);
}

static void make_exports(struct builder *b)
{
	add_export(b, KSYMTAB, FAKE_LINK + FAKE_PLAIN, "func_plain", "", KCRCTAB, 0x11111111);
	add_export(b, KSYMTAB + 12, FAKE_PERCPU_VAR, "percpu_var", "", KCRCTAB + 4, 0x22222222);
	add_export(b, KSYMTAB_GPL, FAKE_LINK + FAKE_DATA, "data_var", "FAKE_NS", KCRCTAB_GPL, 0x33333333);
}

static uint32_t add_rodata(struct builder *b, const void *data, size_t len)
{
	uint32_t at = RODATA + ((b->rodata + 7) & ~7u);

	put(b, at, data, len);
	b->rodata = at - RODATA + (uint32_t)len;
	return at;
}

static void make_identity(struct builder *b, const struct fake_options *opts)
{
	static const uint8_t head[] = { 4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0 };
	const char *release = opts->release ? opts->release : FAKE_RELEASE;
	char text[300];
	uint8_t i;

	snprintf(text, sizeof(text), "Linux version %s (nobody@nowhere) #1 SMP\n", release);
	symbol(b, "linux_banner", add_rodata(b, text, strlen(text) + 1), 'R');
	snprintf(text, sizeof(text), "%s SMP preempt mod_unload modversions ", release);
	if (!opts->no_vermagic)
		symbol(b, "vermagic", add_rodata(b, text, strlen(text) + 1), 'r');
	put(b, NOTES, head, sizeof(head));
	for (i = 0; i < 20; i++)
		b->img[NOTES + 16 + i] = opts->no_build_id ? 0 : i;
	if (opts->no_build_id)
		b->img[NOTES + 8] = 1;
}

/* Tokens stand for themselves. */
static void make_tokens(struct builder *b)
{
	uint8_t table[2 * 256];
	uint16_t index[256];
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < 256; i++) {
		index[i] = (uint16_t)len;
		if (i)
			table[len++] = (uint8_t)i;
		table[len++] = 0;
	}
	add_rodata(b, table, len);
	add_rodata(b, index, sizeof(index));
}

static void make_offsets(struct builder *b)
{
	int32_t offset[SYMBOLS];
	uint64_t base = FAKE_LINK;
	unsigned int i;

	for (i = 0; i < b->nr_sym; i++)
		offset[i] = b->sym[i].type == 'A' ? (int32_t)b->sym[i].value : (int32_t)(FAKE_LINK - 1 - b->sym[i].value);
	add_rodata(b, offset, 4 * b->nr_sym);
	b->base = add_rodata(b, &base, sizeof(base));
	reloc(b, 2, b->base);
}

static void make_names(struct builder *b, bool sequence)
{
	uint8_t *names = calloc(b->nr_sym, 304), zero[3 * SYMBOLS] = { 0 };
	uint32_t marker[SYMBOLS / 256 + 1], pos = 0, count[2] = { b->nr_sym, 0 };
	unsigned int i;

	for (i = 0; i < b->nr_sym; i++) {
		size_t len = strlen(b->sym[i].name) + 1;

		if (i % 256 == 0)
			marker[i / 256] = pos;
		if (len > 127) {
			names[pos++] = (uint8_t)(0x80 | (len & 0x7f));
			names[pos++] = (uint8_t)(len >> 7);
		} else {
			names[pos++] = (uint8_t)len;
		}
		names[pos++] = (uint8_t)b->sym[i].type;
		memcpy(names + pos, b->sym[i].name, len - 1);
		pos += (uint32_t)len - 1;
	}
	add_rodata(b, count, sizeof(count));
	add_rodata(b, names, pos);
	add_rodata(b, marker, 4 * ((b->nr_sym + 255) / 256));
	if (sequence)
		add_rodata(b, zero, 3 * b->nr_sym);
	free(names);
}

static void make_kallsyms(struct builder *b, const struct fake_options *opts)
{
	char name[300];
	int i;

	if (opts->kallsyms == FAKE_KALLSYMS_NONE)
		return;
	/* more than one marker, and a name whose length takes two bytes */
	for (i = 0; i < (opts->many_symbols ? 600 : 0); i++) {
		snprintf(name, sizeof(name), "filler_%d", i);
		symbol(b, name, 0x1400 + (uint32_t)i, 't');
	}
	memset(name, 'x', 200);
	name[200] = 0;
	symbol(b, name, 0x1f00, 't');
	if (opts->kallsyms != FAKE_KALLSYMS_612)
		make_offsets(b);
	make_names(b, opts->kallsyms == FAKE_KALLSYMS_61_SEQUENCE);
	make_tokens(b);
	if (opts->kallsyms == FAKE_KALLSYMS_612)
		make_offsets(b);
}

static const struct section {
	const char *name;
	uint32_t type;
	uint64_t flags;
	uint32_t at, size;
	bool percpu;
} sections[] = {
	{ ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0, RODATA, false },
	{ ".rodata", SHT_PROGBITS, SHF_ALLOC, RODATA, RODATA_SIZE, false },
	{ "__ksymtab", SHT_PROGBITS, SHF_ALLOC, KSYMTAB, 24, false },
	{ "__ksymtab_gpl", SHT_PROGBITS, SHF_ALLOC, KSYMTAB_GPL, 12, false },
	{ "__kcrctab", SHT_PROGBITS, SHF_ALLOC, KCRCTAB, 8, false },
	{ "__kcrctab_gpl", SHT_PROGBITS, SHF_ALLOC, KCRCTAB_GPL, 4, false },
	{ "__ksymtab_strings", SHT_PROGBITS, SHF_ALLOC, KSTRINGS, 0x100, false },
	{ ".notes", SHT_NOTE, SHF_ALLOC, NOTES, 36, false },
	{ ".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, FAKE_DATA, 0x1000, false },
	{ ".data..percpu", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, FAKE_PERCPU, FAKE_PERCPU_SIZE, true },
	{ ".init.text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, INIT_TEXT, 0x800, false },
	{ ".init.data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, INIT_DATA, 0x100, false },
	{ ".retpoline_sites", SHT_PROGBITS, SHF_ALLOC, RETPOLINES, 20, false },
	{ ".return_sites", SHT_PROGBITS, SHF_ALLOC, RETURNS, 4, false },
	{ ".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, FAKE_BSS, FAKE_SPAN - FAKE_BSS, false },
};
#define NR_SECTIONS (sizeof(sections) / sizeof(sections[0]))

static const struct { uint32_t at, file, mem; uint32_t flags; bool percpu; } segments[] = {
	{ 0, FAKE_DATA, FAKE_DATA, PF_R | PF_X, false },
	{ FAKE_DATA, 0x1000, 0x1000, PF_R | PF_W, false },
	{ FAKE_PERCPU, FAKE_PERCPU_SIZE, FAKE_PERCPU_SIZE, PF_R | PF_W, true },
	{ INIT_TEXT, FILE_END - INIT_TEXT, FAKE_SPAN - INIT_TEXT, PF_R | PF_W | PF_X, false },
};
#define NR_SEGMENTS (sizeof(segments) / sizeof(segments[0]))

static void write_headers(uint8_t *file, uint32_t shoff)
{
	Elf64_Ehdr eh = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_EXEC,
		.e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_phoff = sizeof(eh), .e_shoff = shoff, .e_ehsize = sizeof(eh),
		.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = NR_SEGMENTS, .e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = NR_SECTIONS + 2, .e_shstrndx = NR_SECTIONS + 1,
	};
	size_t i;

	memcpy(file, &eh, sizeof(eh));
	for (i = 0; i < NR_SEGMENTS; i++) {
		Elf64_Phdr ph = {
			.p_type = PT_LOAD, .p_flags = segments[i].flags, .p_offset = FILE_START + segments[i].at,
			.p_vaddr = segments[i].percpu ? 0 : FAKE_LINK + segments[i].at, .p_paddr = 0x1000000 + segments[i].at,
			.p_filesz = segments[i].file, .p_memsz = segments[i].mem, .p_align = 0x1000,
		};

		memcpy(file + sizeof(eh) + i * sizeof(ph), &ph, sizeof(ph));
	}
}

/* Section headers at SHOFF, their names behind them. Returns where those end. */
static uint32_t write_sections(uint8_t *file, uint32_t shoff)
{
	uint32_t names = shoff + (uint32_t)(NR_SECTIONS + 2) * sizeof(Elf64_Shdr), len = 1;
	Elf64_Shdr sh;
	size_t i;

	for (i = 0; i < NR_SECTIONS; i++) {
		sh = (Elf64_Shdr){
			.sh_name = len, .sh_type = sections[i].type, .sh_flags = sections[i].flags,
			.sh_addr = sections[i].percpu ? 0 : FAKE_LINK + sections[i].at, .sh_offset = FILE_START + sections[i].at,
			.sh_size = sections[i].size, .sh_addralign = 1,
		};
		memcpy(file + shoff + (i + 1) * sizeof(sh), &sh, sizeof(sh));
		strcpy((char *)file + names + len, sections[i].name);
		len += (uint32_t)strlen(sections[i].name) + 1;
	}
	sh = (Elf64_Shdr){ .sh_name = 0, .sh_type = SHT_STRTAB, .sh_offset = names, .sh_size = len, .sh_addralign = 1 };
	memcpy(file + shoff + (NR_SECTIONS + 1) * sizeof(sh), &sh, sizeof(sh));
	return names + len;
}

/* The tables that KASLR uses, at AT; see relocs.c. Returns where they end. */
static size_t write_relocs(const struct builder *b, uint8_t *file, size_t at)
{
	int kind;

	at = (at + 3) & ~3ul;
	for (kind = 2; kind >= 0; kind--) {
		memset(file + at, 0, 4);
		at += 4;
		memcpy(file + at, b->rel[kind], 4 * b->nr_rel[kind]);
		at += 4 * b->nr_rel[kind];
	}
	return at;
}

uint8_t *fake_vmlinux(const struct fake_options *opts, size_t *len)
{
	struct builder *b = calloc(1, sizeof(*b));
	uint8_t *file = calloc(1, FILE_START + FILE_END + 0x4000);
	uint32_t end;

	make_text(b);
	make_data(b);
	make_exports(b);
	make_identity(b, opts);
	make_kallsyms(b, opts);
	if (opts->bad_reloc)
		reloc(b, 0, FAKE_SPAN - 2);
	if (opts->bad_value) {
		put64(b, FAKE_DATA + 0x18, 0x123456789abcdef);
		reloc(b, 2, FAKE_DATA + 0x18);
	}
	memcpy(file + FILE_START, b->img, FILE_END);
	write_headers(file, FILE_START + FILE_END);
	end = write_sections(file, FILE_START + FILE_END);
	if (opts->bad_crcs)
		file[FILE_START + FILE_END + 6 * sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_size)]++;
	*len = write_relocs(b, file, end);
	free(b);
	return file;
}

static size_t pack_lz4(const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
	static const uint8_t magic[4] = { 0x02, 0x21, 0x4c, 0x18 };
	size_t at = 4, pos, block = 8 << 20;

	memcpy(out, magic, 4);
	for (pos = 0; pos < len; pos += block) {
		size_t part = len - pos < block ? len - pos : block;
		int n = LZ4_compress_default((const char *)in + pos, (char *)out + at + 4, (int)part, (int)(room - at - 4));
		uint32_t size = (uint32_t)n;

		memcpy(out + at, &size, 4);
		at += 4 + size;
	}
	return at;
}

static size_t pack_gzip(const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
	z_stream s = { .next_in = (Bytef *)in, .avail_in = (uInt)len, .next_out = out, .avail_out = (uInt)room };

	deflateInit2(&s, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	deflate(&s, Z_FINISH);
	deflateEnd(&s);
	return s.total_out;
}

/* As the kernel's build does: xz with the x86 filter. */
static size_t pack_xz(const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
	lzma_options_lzma lzma;
	lzma_filter filters[] = { { LZMA_FILTER_X86, NULL }, { LZMA_FILTER_LZMA2, &lzma }, { LZMA_VLI_UNKNOWN, NULL } };
	size_t pos = 0;

	lzma_lzma_preset(&lzma, 6);
	return lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, in, len, out, &pos, room) == LZMA_OK ? pos : 0;
}

static size_t pack(const uint8_t *in, size_t len, enum fake_compression how, uint8_t *out, size_t room)
{
	uint32_t size = (uint32_t)len;
	size_t n;

	switch (how) {
	case FAKE_XZ: n = pack_xz(in, len, out, room); break;
	case FAKE_ZSTD: n = ZSTD_compress(out, room, in, len, 3); break;
	case FAKE_LZ4: n = pack_lz4(in, len, out, room); break;
	case FAKE_GZIP: return pack_gzip(in, len, out, room);
	default:
		memcpy(out, in, len);
		return len;
	}
	/* the build puts the unpacked size behind it; gzip has it at its own end */
	memcpy(out + n, &size, 4);
	return n + 4;
}

uint8_t *fake_bzimage(const uint8_t *payload, size_t payload_len, enum fake_compression how, const char *release, size_t *len)
{
	size_t room = payload_len + payload_len / 8 + 4096, head = FAKE_PAYLOAD, packed;
	uint8_t *file = calloc(1, head + room + 8);
	uint16_t v16;
	uint32_t v32;

	file[0x1f1] = FAKE_PAYLOAD / 512 - 1;
	memcpy(file + 0x1fe, "\x55\xaa", 2);
	memcpy(file + 0x202, "HdrS", 4);
	v16 = 0x20f;
	memcpy(file + 0x206, &v16, 2);
	/* as far back as in real ones */
	v16 = FAKE_PAYLOAD - 0x100 - 0x200 - 0x100;
	memcpy(file + 0x20e, &v16, 2);
	snprintf((char *)file + 0x200 + v16, 200, "%s (nobody@nowhere) #1 SMP", release ? release : FAKE_RELEASE);
	v16 = 1;
	memcpy(file + 0x236, &v16, 2);
	v32 = 0x100;
	memcpy(file + 0x248, &v32, 4);
	packed = pack(payload, payload_len, how, file + head, room);
	v32 = (uint32_t)packed;
	memcpy(file + 0x24c, &v32, 4);
	v32 = (0x100 + (uint32_t)packed) / 16;
	memcpy(file + 0x1f4, &v32, 4);
	/* the CRC of the whole that the build puts at the end */
	v32 = (uint32_t)crc32(0, file, (uInt)(head + packed));
	memcpy(file + head + packed, &v32, 4);
	*len = head + packed + 4;
	return file;
}

uint8_t *fake_vmlinuz(const struct fake_options *opts, enum fake_compression how, size_t *len)
{
	size_t elf_len;
	uint8_t *elf = fake_vmlinux(opts, &elf_len), *file = fake_bzimage(elf, elf_len, how, opts->release, len);

	free(elf);
	return file;
}
