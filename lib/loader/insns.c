// SPDX-License-Identifier: GPL-2.0
/*
 * Find privileged instructions; see insns.h. Host world; pure.
 *
 * Code is decoded from function to function: where one starts the decoder starts anew, so that padding and data between functions
 * cannot lead it astray.
 */
#include "loader/insns.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loader/elf.h"

struct function {
	unsigned int section;
	uint64_t start;
	const char *name;
};

struct scan {
	const struct udf_elf *elf;
	struct function *function;	/* by section and start */
	unsigned int nr;
	ZydisDecoder decoder;
	void (*found)(void *ctx, const struct udf_insn *insn);
	void *ctx;
};

#define INSN(mnemonic, text)	[ZYDIS_MNEMONIC_##mnemonic] = { text, false }
#define IO(mnemonic, text)	[ZYDIS_MNEMONIC_##mnemonic] = { text, true }

static const struct { const char *name; bool handled; } privileged[ZYDIS_MNEMONIC_MAX_VALUE + 1] = {
	IO(IN, "in"), IO(OUT, "out"), IO(INSB, "ins"), IO(INSW, "ins"), IO(INSD, "ins"),
	IO(OUTSB, "outs"), IO(OUTSW, "outs"), IO(OUTSD, "outs"),
	INSN(CLI, "cli"), INSN(STI, "sti"), INSN(HLT, "hlt"), INSN(MONITOR, "monitor"), INSN(MWAIT, "mwait"),
	INSN(RDMSR, "rdmsr"), INSN(WRMSR, "wrmsr"), INSN(RDPMC, "rdpmc"), INSN(XSETBV, "xsetbv"),
	INSN(LGDT, "lgdt"), INSN(LIDT, "lidt"), INSN(LLDT, "lldt"), INSN(LTR, "ltr"), INSN(LMSW, "lmsw"), INSN(CLTS, "clts"),
	INSN(SGDT, "sgdt"), INSN(SIDT, "sidt"), INSN(SLDT, "sldt"), INSN(STR, "str"), INSN(SMSW, "smsw"),
	INSN(INVLPG, "invlpg"), INSN(INVLPGA, "invlpga"), INSN(INVLPGB, "invlpgb"), INSN(TLBSYNC, "tlbsync"),
	INSN(INVPCID, "invpcid"), INSN(INVD, "invd"), INSN(WBINVD, "wbinvd"),
	INSN(CLAC, "clac"), INSN(STAC, "stac"), INSN(SWAPGS, "swapgs"),
	INSN(XSAVES, "xsaves"), INSN(XSAVES64, "xsaves"), INSN(XRSTORS, "xrstors"), INSN(XRSTORS64, "xrstors"),
	INSN(IRET, "iret"), INSN(IRETD, "iret"), INSN(IRETQ, "iret"), INSN(SYSRET, "sysret"), INSN(SYSEXIT, "sysexit"),
	INSN(SYSCALL, "syscall"), INSN(SYSENTER, "sysenter"), INSN(RSM, "rsm"), INSN(GETSEC, "getsec"), INSN(PCONFIG, "pconfig"),
	INSN(ENCLS, "encls"), INSN(ENCLV, "enclv"),
};

#undef INSN
#undef IO

static const char *privileged_name(const ZydisDecodedInstruction *insn, bool *handled)
{
	*handled = privileged[insn->mnemonic].handled;
	if (privileged[insn->mnemonic].name)
		return privileged[insn->mnemonic].name;
	if (insn->opcode_map == ZYDIS_OPCODE_MAP_0F && insn->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY) {
		if (insn->opcode == 0x20 || insn->opcode == 0x22)
			return "mov cr";
		if (insn->opcode == 0x21 || insn->opcode == 0x23)
			return "mov dr";
	}
	if (insn->meta.category == ZYDIS_CATEGORY_VTX)
		return "vmx";
	return NULL;
}

static int by_place(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

static int collect_functions(struct scan *s)
{
	const struct udf_elf *elf = s->elf;
	unsigned int i;

	s->function = calloc(elf->nr_sym, sizeof(*s->function));
	if (!s->function)
		return -ENOMEM;
	for (i = 1; i < elf->nr_sym; i++) {
		const struct udf_elf_symbol *sym = &elf->sym[i];
		Elf64_Sym raw;

		if (sym->type != STT_FUNC || sym->shndx == SHN_UNDEF || sym->shndx >= elf->nr_sec)
			continue;
		udf_elf_get_sym(elf, i, &raw);
		s->function[s->nr++] = (struct function){ sym->shndx, raw.st_value, sym->name };
	}
	qsort(s->function, s->nr, sizeof(*s->function), by_place);
	return 0;
}

/* Decode [START, END) of CODE; FUNCTION starts at START unless it is NULL. */
static void scan_piece(struct scan *s, const uint8_t *code, uint64_t start, uint64_t end, const struct function *function)
{
	uint64_t pos = start;

	while (pos < end) {
		ZydisDecodedInstruction insn;
		struct udf_insn out;

		if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&s->decoder, NULL, code + pos, end - pos, &insn))) {
			pos++;
			continue;
		}
		out.name = privileged_name(&insn, &out.handled);
		if (out.name) {
			out.function = function ? function->name : "";
			out.offset = function ? pos - start : pos;
			s->found(s->ctx, &out);
		}
		pos += insn.length;
	}
}

static void scan_section(struct scan *s, unsigned int section, unsigned int *next)
{
	uint64_t size = s->elf->sec[section].pub.size, start = 0;
	const struct function *current = NULL;
	const uint8_t *code;
	size_t len;

	code = udf_elf_section_data(s->elf, section, &len);
	for (; *next < s->nr && s->function[*next].section == section; (*next)++) {
		const struct function *f = &s->function[*next];

		if (f->start > start)
			scan_piece(s, code, start, f->start, current);
		start = f->start;
		current = f;
	}
	scan_piece(s, code, start, size, current);
}

int udf_insns_scan(const struct udf_elf *elf, void (*found)(void *ctx, const struct udf_insn *insn), void *ctx)
{
	struct scan s = { .elf = elf, .found = found, .ctx = ctx };
	unsigned int i, next = 0;

	if (collect_functions(&s))
		return -ENOMEM;
	ZydisDecoderInit(&s.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ZydisDecoderEnableMode(&s.decoder, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
	for (i = 1; i < elf->nr_sec; i++) {
		const struct elf_section *sec = &elf->sec[i];
		bool code = sec->pub.part == UDF_PART_TEXT || sec->pub.part == UDF_PART_INIT_TEXT;

		if (code && sec->hdr.sh_type != SHT_NOBITS && strcmp(sec->pub.name, ".altinstr_replacement"))
			scan_section(&s, i, &next);
		while (next < s.nr && s.function[next].section <= i)
			next++;
	}
	free(s.function);
	return 0;
}
