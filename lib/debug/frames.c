// SPDX-License-Identifier: GPL-2.0
/* ORC rows to .debug_frame; see frames.h. Host world; pure. */
#include "debug/frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 32		/* in one description: what a debugger runs through to find the last of them */

/* Numbers of DWARF and of the x86-64 ABI. */
enum { DW_RDX = 1, DW_RBX = 3, DW_RDI = 5, DW_RBP = 6, DW_RSP = 7, DW_R10 = 10, DW_R13 = 13, DW_RA = 16 };
enum {
	DW_CFA_advance_loc = 0x40, DW_CFA_offset = 0x80, DW_CFA_advance_loc1 = 0x02, DW_CFA_advance_loc2 = 0x03,
	DW_CFA_advance_loc4 = 0x04, DW_CFA_undefined = 0x07, DW_CFA_same_value = 0x08, DW_CFA_def_cfa = 0x0c,
	DW_CFA_def_cfa_expression = 0x0f, DW_CFA_expression = 0x10, DW_CFA_offset_extended_sf = 0x11, DW_CFA_def_cfa_sf = 0x12,
};
enum { DW_OP_deref = 0x06, DW_OP_consts = 0x11, DW_OP_plus = 0x22, DW_OP_breg0 = 0x70 };

#define CFA_FACTOR (-8)		/* data alignment of our CIEs */

struct udf_frames {
	struct udf_strbuf *out;
	struct udf_span *covered;	/* by what was there, ascending */
	unsigned int nr_covered;
	uint64_t cie[2];		/* offsets of the CIEs: plain, signal frame */
	/* the description that is being made; none while ROWS is 0 */
	struct udf_strbuf body;
	uint64_t start, at, end;
	unsigned int rows;
	bool signal;
};

/* Registers in struct pt_regs, by their DWARF numbers; -1: not in it. */
static const int regs_offset[] = {
	80, 96, 88, 40, 104, 112, 32, -1, 72, 64, 56, 48, 24, 16, 8, 0,
};
#define REGS_IP 128
#define REGS_SP 152

static void put(struct udf_strbuf *sb, uint64_t value, unsigned int bytes)
{
	udf_strbuf_addn(sb, &value, bytes);
}

static void put_u(struct udf_strbuf *sb, uint64_t value)
{
	do {
		udf_strbuf_addc(sb, (char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0)));
		value >>= 7;
	} while (value);
}

static void put_s(struct udf_strbuf *sb, int64_t value)
{
	bool more;

	do {
		uint8_t byte = value & 0x7f;

		value >>= 7;
		more = !((value == 0 && !(byte & 0x40)) || (value == -1 && (byte & 0x40)));
		udf_strbuf_addc(sb, (char)(byte | (more ? 0x80 : 0)));
	} while (more);
}

static void align(struct udf_strbuf *sb, size_t from)
{
	while ((sb->len - from) % 8)
		udf_strbuf_addc(sb, 0);		/* DW_CFA_nop */
}

/* A length, then what follows it; padded so that the next one is aligned. */
static void put_entry(struct udf_strbuf *out, const struct udf_strbuf *body)
{
	size_t pad = (8 - (body->len + 4) % 8) % 8;

	put(out, body->len + pad, 4);
	udf_strbuf_addn(out, body->data, body->len);
	put(out, 0, (unsigned int)pad);
}

static uint64_t put_cie(struct udf_strbuf *out, bool signal)
{
	struct udf_strbuf b = UDF_STRBUF_INIT;
	uint64_t at = out->len;

	put(&b, 0xffffffff, 4);
	put(&b, 1, 1);					/* version */
	udf_strbuf_addn(&b, signal ? "zS" : "", signal ? 3 : 1);
	put_u(&b, 1);					/* code alignment */
	put_s(&b, CFA_FACTOR);
	put_u(&b, DW_RA);
	if (signal)
		put_u(&b, 0);				/* bytes of augmentation data */
	put(&b, DW_CFA_def_cfa, 1);
	put_u(&b, DW_RSP);
	put_u(&b, 8);
	put(&b, DW_CFA_offset | DW_RA, 1);
	put_u(&b, 1);
	put_entry(out, &b);
	out->failed |= b.failed;
	udf_strbuf_free(&b);
	return at;
}

/* ---- what the section holds already ---- */

static int by_start(const void *a, const void *b)
{
	const struct udf_span *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* The spans of its descriptions: 32-bit lengths and 8-byte addresses, as compilers make them for this machine. */
static bool read_covered(struct udf_frames *f, const uint8_t *data, size_t len)
{
	size_t at = 0;

	while (len - at >= 24) {
		uint64_t start, size;
		uint32_t n, cie;

		memcpy(&n, data + at, 4);
		memcpy(&cie, data + at + 4, 4);
		if (n > len - at - 4 || n >= 0xfffffff0)
			break;
		if (cie != 0xffffffff && n >= 20) {
			struct udf_span *grown = reallocarray(f->covered, f->nr_covered + 1, sizeof(*grown));

			if (!grown)
				return false;
			f->covered = grown;
			memcpy(&start, data + at + 8, 8);
			memcpy(&size, data + at + 16, 8);
			f->covered[f->nr_covered++] = (struct udf_span){ start, start + size };
		}
		at += 4 + (size_t)n;
	}
	if (f->nr_covered)
		qsort(f->covered, f->nr_covered, sizeof(*f->covered), by_start);
	return true;
}

/* The first span that ends behind ADDR, or NULL. */
static const struct udf_span *next_covered(const struct udf_frames *f, uint64_t addr)
{
	unsigned int low = 0, high = f->nr_covered;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (f->covered[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low < f->nr_covered ? &f->covered[low] : NULL;
}

struct udf_frames *udf_frames_new(struct udf_strbuf *bytes)
{
	struct udf_frames *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->out = bytes;
	if (!read_covered(f, (const uint8_t *)bytes->data, bytes->len)) {
		free(f->covered);
		free(f);
		return NULL;
	}
	align(bytes, 0);
	f->cie[0] = put_cie(bytes, false);
	f->cie[1] = put_cie(bytes, true);
	return f;
}

/* ---- rows ---- */

static void flush(struct udf_frames *f)
{
	struct udf_strbuf b = UDF_STRBUF_INIT;

	if (!f->rows)
		return;
	put(&b, f->cie[f->signal], 4);
	put(&b, f->start, 8);
	put(&b, f->end - f->start, 8);
	if (f->signal)
		put_u(&b, 0);
	udf_strbuf_addn(&b, f->body.data, f->body.len);
	put_entry(f->out, &b);
	f->out->failed |= b.failed | f->body.failed;
	udf_strbuf_free(&b);
	udf_strbuf_reset(&f->body);
	f->rows = 0;
}

static int dwarf_reg(uint8_t reg)
{
	switch (reg) {
	case UDF_ORC_DX:
		return DW_RDX;
	case UDF_ORC_DI:
		return DW_RDI;
	case UDF_ORC_BP:
	case UDF_ORC_BP_INDIRECT:
		return DW_RBP;
	case UDF_ORC_SP:
	case UDF_ORC_SP_INDIRECT:
		return DW_RSP;
	case UDF_ORC_R10:
		return DW_R10;
	case UDF_ORC_R13:
		return DW_R13;
	}
	return -1;
}

/* "REG + OFFSET", on an expression's stack. */
static void op_breg(struct udf_strbuf *x, int reg, int64_t offset)
{
	udf_strbuf_addc(x, (char)(DW_OP_breg0 + reg));
	put_s(x, offset);
}

/* The value that ORC calls sp_reg + sp_offset. */
static void op_base(struct udf_strbuf *x, const struct udf_orc *o)
{
	switch (o->sp_reg) {
	case UDF_ORC_BP_INDIRECT:
		op_breg(x, DW_RBP, o->sp_offset);
		udf_strbuf_addc(x, DW_OP_deref);
		break;
	case UDF_ORC_SP_INDIRECT:
		op_breg(x, DW_RSP, 0);
		udf_strbuf_addc(x, DW_OP_deref);
		udf_strbuf_addc(x, DW_OP_consts);
		put_s(x, o->sp_offset);
		udf_strbuf_addc(x, DW_OP_plus);
		break;
	default:
		op_breg(x, dwarf_reg(o->sp_reg), o->sp_offset);
	}
}

static void put_block(struct udf_strbuf *sb, struct udf_strbuf *x)
{
	put_u(sb, x->len);
	udf_strbuf_addn(sb, x->data, x->len);
	sb->failed |= x->failed;
	udf_strbuf_free(x);
}

/* REG was saved at base + OFFSET. */
static void rule_saved_at(struct udf_strbuf *sb, const struct udf_orc *o, int reg, int64_t offset)
{
	struct udf_strbuf x = UDF_STRBUF_INIT;

	put(sb, DW_CFA_expression, 1);
	put_u(sb, (uint64_t)reg);
	op_base(&x, o);
	if (offset) {
		udf_strbuf_addc(&x, DW_OP_consts);
		put_s(&x, offset);
		udf_strbuf_addc(&x, DW_OP_plus);
	}
	put_block(sb, &x);
}

/* The frame of an exception or interrupt: the registers are saved in a struct pt_regs at BASE. */
static void rules_regs(struct udf_strbuf *sb, const struct udf_orc *o)
{
	/* a partial one is an iret frame alone, and BASE is where that begins */
	int64_t shift = o->type == UDF_ORC_REGS ? 0 : -REGS_IP;
	struct udf_strbuf x = UDF_STRBUF_INIT;
	unsigned int reg;

	put(sb, DW_CFA_def_cfa_expression, 1);
	op_base(&x, o);
	udf_strbuf_addc(&x, DW_OP_consts);
	put_s(&x, REGS_SP + shift);
	udf_strbuf_addc(&x, DW_OP_plus);
	udf_strbuf_addc(&x, DW_OP_deref);
	put_block(sb, &x);
	rule_saved_at(sb, o, DW_RA, REGS_IP + shift);
	for (reg = 0; o->type == UDF_ORC_REGS && reg < sizeof(regs_offset) / sizeof(regs_offset[0]); reg++)
		if (regs_offset[reg] >= 0)
			rule_saved_at(sb, o, (int)reg, regs_offset[reg]);
}

static void rule_cfa(struct udf_strbuf *sb, const struct udf_orc *o)
{
	struct udf_strbuf x = UDF_STRBUF_INIT;

	if (o->sp_reg == UDF_ORC_BP_INDIRECT || o->sp_reg == UDF_ORC_SP_INDIRECT) {
		put(sb, DW_CFA_def_cfa_expression, 1);
		op_base(&x, o);
		put_block(sb, &x);
	} else if (o->sp_offset < 0) {
		put(sb, DW_CFA_def_cfa_sf, 1);
		put_u(sb, (uint64_t)dwarf_reg(o->sp_reg));
		put_s(sb, o->sp_offset / CFA_FACTOR);
	} else {
		put(sb, DW_CFA_def_cfa, 1);
		put_u(sb, (uint64_t)dwarf_reg(o->sp_reg));
		put_u(sb, (uint64_t)o->sp_offset);
	}
}

static void rule_rbp(struct udf_strbuf *sb, const struct udf_orc *o)
{
	struct udf_strbuf x = UDF_STRBUF_INIT;

	switch (o->bp_reg) {
	case UDF_ORC_PREV_SP:
		put(sb, DW_CFA_offset_extended_sf, 1);
		put_u(sb, DW_RBP);
		put_s(sb, o->bp_offset / CFA_FACTOR);
		break;
	case UDF_ORC_BP:
		put(sb, DW_CFA_expression, 1);
		put_u(sb, DW_RBP);
		op_breg(&x, DW_RBP, o->bp_offset);
		put_block(sb, &x);
		break;
	default:
		put(sb, DW_CFA_same_value, 1);
		put_u(sb, DW_RBP);
	}
}

static void put_rules(struct udf_strbuf *sb, const struct udf_orc *o)
{
	if (o->sp_reg == UDF_ORC_UNDEFINED) {		/* the bottom of a stack */
		put(sb, DW_CFA_undefined, 1);
		put_u(sb, DW_RA);
		return;
	}
	if (o->type == UDF_ORC_REGS || o->type == UDF_ORC_REGS_PARTIAL) {
		rules_regs(sb, o);
		return;
	}
	rule_cfa(sb, o);
	rule_rbp(sb, o);
	put(sb, DW_CFA_offset | DW_RA, 1);
	put_u(sb, 1);
}

static bool is_known(const struct udf_orc *o)
{
	return o->sp_reg == UDF_ORC_UNDEFINED ? o->end : dwarf_reg(o->sp_reg) >= 0;
}

static void advance(struct udf_strbuf *sb, uint64_t by)
{
	if (!by)
		return;
	if (by < 64) {
		put(sb, DW_CFA_advance_loc | by, 1);
	} else if (by < 256) {
		put(sb, DW_CFA_advance_loc1, 1);
		put(sb, by, 1);
	} else if (by < 65536) {
		put(sb, DW_CFA_advance_loc2, 1);
		put(sb, by, 2);
	} else {
		put(sb, DW_CFA_advance_loc4, 1);
		put(sb, by, 4);
	}
}

static void emit(struct udf_frames *f, uint64_t start, uint64_t end, const struct udf_orc *o)
{
	/* the caller of a signal frame was interrupted: its address is not behind a call */
	bool signal = o->sp_reg != UDF_ORC_UNDEFINED && o->type != UDF_ORC_CALL;

	if (f->rows && (f->end != start || f->rows == ROWS_MAX || f->signal || signal || end - f->start > UINT32_MAX))
		flush(f);
	if (!f->rows) {
		f->start = f->at = start;
		f->signal = signal;
	}
	advance(&f->body, start - f->at);
	put_rules(&f->body, o);
	f->at = start;
	f->end = end;
	f->rows++;
}

void udf_frames_row(struct udf_frames *f, uint64_t start, uint64_t end, const struct udf_orc *orc)
{
	if (!is_known(orc))
		return;
	while (start < end) {
		const struct udf_span *c = next_covered(f, start);
		uint64_t stop = c && c->start < end ? c->start : end;

		if (start < stop)
			emit(f, start, stop, orc);
		start = c && c->start < end ? c->end : end;
	}
}

/* ---- tables ---- */

struct row {
	uint64_t addr;
	struct udf_orc orc;
};

static struct udf_orc unpack(const uint8_t *e)
{
	struct udf_orc o;

	memcpy(&o.sp_offset, e, 2);
	memcpy(&o.bp_offset, e + 2, 2);
	o.sp_reg = e[4] & 15;
	o.bp_reg = e[4] >> 4;
	o.type = e[5] & 3;
	o.end = e[5] >> 2 & 1;
	return o;
}

/* Of two at one address the one that ends a section comes first: the other is the next section's, and counts. */
static int by_addr(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return (int)is_known(&x->orc) - (int)is_known(&y->orc);
}

static const struct udf_span *span_of(const struct udf_span *code, unsigned int n, uint64_t addr)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (addr >= code[i].start && addr < code[i].end)
			return &code[i];
	return NULL;
}

int udf_frames_orc(struct udf_frames *f, const struct udf_orc_table *table, const struct udf_span *code, unsigned int n)
{
	struct row *rows = calloc(table->nr + 1, sizeof(*rows));
	bool sorted = true;
	uint64_t i;

	if (!rows)
		return -ENOMEM;
	for (i = 0; i < table->nr; i++) {
		int32_t rel;

		memcpy(&rel, table->ip + i * 4, 4);
		rows[i].addr = table->ip_addr + i * 4 + (uint64_t)(int64_t)rel;
		rows[i].orc = unpack(table->entry + i * 6);
		sorted &= !i || by_addr(&rows[i - 1], &rows[i]) <= 0;
	}
	if (!sorted)
		qsort(rows, table->nr, sizeof(*rows), by_addr);
	for (i = 0; i < table->nr; i++) {
		const struct udf_span *s = span_of(code, n, rows[i].addr);
		uint64_t end = i + 1 < table->nr ? rows[i + 1].addr : UINT64_MAX;

		if (s)
			udf_frames_row(f, rows[i].addr, end < s->end ? end : s->end, &rows[i].orc);
	}
	free(rows);
	return 0;
}

void udf_frames_end(struct udf_frames *f)
{
	flush(f);
	udf_strbuf_free(&f->body);
	free(f->covered);
	free(f);
}
