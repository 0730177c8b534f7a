// SPDX-License-Identifier: GPL-2.0
/*
 * Lines of a trace, as text or as JSON. Host world; in the reader's thread, so nothing here is on a driver's path.
 *
 *      0.134567 1 kworker/u4:1-11    api    image      nvme_reset_work+0x1a3 [nvme] pci_enable_device_mem(dev=0x80213000)
 *      seconds  vCPU, task-pid       what   who did it code that asked for it       what it asked for
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "debug/trace-int.h"
#include "layout.h"

#define OPEN_MAX 256		/* calls that are under way, of all tasks */

/* A call that has not returned: accesses to the transport are counted to those of their task. */
struct open_call {
	uint32_t pid;
	uint8_t context;
	uint64_t start;
	unsigned int accesses;
};

struct udf_trace_format {
	bool json;
	uint64_t start;
	struct open_call open[OPEN_MAX];
	unsigned int nr_open;
};

struct udf_trace_format *udf_trace_format_new(bool json, uint64_t start)
{
	struct udf_trace_format *f = calloc(1, sizeof(*f));

	if (f) {
		f->json = json;
		f->start = start;
	}
	return f;
}

void udf_trace_format_free(struct udf_trace_format *f)
{
	free(f);
}

/* ---- names and values ---- */

/* "function+0x12 [module]"; the number alone when it is nobody's. */
static void add_place(struct udf_strbuf *sb, uint64_t addr)
{
	const char *module = NULL, *name = NULL;
	uint64_t offset = 0;

	if (udf_host.loader && addr >= UDF_MODULE_BASE && addr < UDF_MODULE_END)
		name = udf_loader_symbolize(udf_host.loader, addr, &offset, &module);
	else if (udf_host.image && addr >= UDF_KAPI_BASE && addr < UDF_IMAGE_END)
		name = udf_image_symbolize(udf_host.image, addr, &offset);
	if (!name) {
		udf_strbuf_addf(sb, "%#" PRIx64, addr);
		return;
	}
	udf_strbuf_add(sb, name);
	if (offset)
		udf_strbuf_addf(sb, "+%#" PRIx64, offset);
	if (module)
		udf_strbuf_addf(sb, " [%s]", module);
}

/* Text that cannot change: of the image or of a module. Anything else may have been reused since the call. */
static bool is_constant(uint64_t addr)
{
	return addr >= UDF_MODULE_BASE && addr < UDF_IMAGE_END;
}

static void add_text(struct udf_strbuf *sb, uint64_t addr)
{
	char text[64];
	struct iovec to = { text, sizeof(text) - 1 }, from = { (void *)addr, sizeof(text) - 1 };
	ssize_t n = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
	size_t i;

	if (n <= 0) {
		udf_strbuf_addf(sb, "%#" PRIx64, addr);
		return;
	}
	text[n] = 0;
	udf_strbuf_addc(sb, '"');
	for (i = 0; text[i]; i++)
		udf_strbuf_addc(sb, text[i] >= ' ' && text[i] < 127 && text[i] != '"' && text[i] != '\\' ? text[i] : '.');
	udf_strbuf_add(sb, i == sizeof(text) - 1 ? "\"..." : "\"");
}

static int64_t sign_extend(uint64_t value, unsigned int size)
{
	return size && size < 8 ? (int64_t)(value << (64 - size * 8)) >> (64 - size * 8) : (int64_t)value;
}

static uint64_t zero_extend(uint64_t value, unsigned int size)
{
	return size && size < 8 ? value & ((1ull << size * 8) - 1) : value;
}

static void add_number(struct udf_strbuf *sb, uint64_t value)
{
	udf_strbuf_addf(sb, value < 10 ? "%" PRIu64 : value < 1 << 20 ? "%" PRIu64 : "%#" PRIx64, value);
}

static void add_value(struct udf_strbuf *sb, const struct udf_btf *types, const struct udf_btf_value *v, uint64_t value)
{
	const char *name;

	switch (v->class) {
	case UDF_BTF_BOOL:
		udf_strbuf_add(sb, value & 0xff ? "true" : "false");
		break;
	case UDF_BTF_SIGNED:
		udf_strbuf_addf(sb, "%" PRId64, sign_extend(value, v->size));
		break;
	case UDF_BTF_ENUM:
		name = udf_btf_enum(types, v->type, sign_extend(value, v->size));
		if (name)
			udf_strbuf_add(sb, name);
		else
			udf_strbuf_addf(sb, "%" PRId64, sign_extend(value, v->size));
		break;
	case UDF_BTF_UNSIGNED:
		add_number(sb, zero_extend(value, v->size));
		break;
	case UDF_BTF_STRING:
	case UDF_BTF_POINTER:
		if (!value)
			udf_strbuf_add(sb, "NULL");
		else if (v->class == UDF_BTF_STRING && is_constant(value))
			add_text(sb, value);
		else if (is_constant(value))
			add_place(sb, value);
		else if (value >= -4095ull)
			udf_strbuf_addf(sb, "%" PRId64, (int64_t)value);	/* an error pointer */
		else
			udf_strbuf_addf(sb, "%#" PRIx64, value);
		break;
	default:
		udf_strbuf_addf(sb, "%#" PRIx64, value);
	}
}

static void add_call(struct udf_strbuf *sb, const struct udf_trace_record *r)
{
	const struct udf_trace_fn *fn = r->fn;
	const struct udf_btf_func *p = &fn->proto;
	unsigned int i;

	udf_strbuf_addf(sb, "%s(", fn->name);
	if (!fn->known) {
		udf_strbuf_addf(sb, "rdi=%#" PRIx64 ", rsi=%#" PRIx64 ", rdx=%#" PRIx64, r->call.arg[0], r->call.arg[1], r->call.arg[2]);
	} else {
		for (i = 0; i < p->nr_params && i < 6; i++) {
			udf_strbuf_addf(sb, "%s%s=", i ? ", " : "", p->param[i].name);
			/* structures are not in the register that one would look into, and shift those behind them */
			if (p->param[i].class == UDF_BTF_OTHER)
				break;
			add_value(sb, fn->types, &p->param[i], r->call.arg[i]);
		}
		if (i < p->nr_params || p->varargs)
			udf_strbuf_add(sb, i && p->param[i - 1].name[0] ? ", ..." : "...");
	}
	udf_strbuf_addc(sb, ')');
}

/* ---- which calls caused accesses ---- */

static void call_begins(struct udf_trace_format *f, const struct udf_trace_record *r)
{
	if (!r->fn->whole)
		return;
	if (f->nr_open == OPEN_MAX)		/* calls that never return, of tasks that ended in them */
		memmove(f->open, f->open + 1, --f->nr_open * sizeof(f->open[0]));
	f->open[f->nr_open++] = (struct open_call){ .pid = r->pid, .context = r->context, .start = r->time };
}

static void access_happens(struct udf_trace_format *f, const struct udf_trace_record *r)
{
	unsigned int i;

	for (i = 0; i < f->nr_open; i++)
		if (f->open[i].pid == r->pid && f->open[i].context == r->context)
			f->open[i].accesses++;
}

/* How many accesses there were since the call that R is the return of. */
static unsigned int call_ends(struct udf_trace_format *f, const struct udf_trace_record *r)
{
	unsigned int i, n;

	for (i = f->nr_open; i--;) {
		if (f->open[i].pid != r->pid || f->open[i].start != r->call.start)
			continue;
		n = f->open[i].accesses;
		memmove(&f->open[i], &f->open[i + 1], (--f->nr_open - i) * sizeof(f->open[0]));
		return n;
	}
	return 0;
}

/* ---- lines ---- */

/* What a line consists of. */
struct line {
	const char *category, *who;
	bool has_place;
	struct udf_strbuf *text;
};

static const char *microseconds(uint64_t ns, char *buf, size_t len)
{
	snprintf(buf, len, "%" PRIu64 ".%" PRIu64 " us", ns / 1000, ns % 1000 / 100);
	return buf;
}

static bool describe_access(const struct udf_trace_record *r, struct line *l)
{
	char time[32];

	l->category = r->access.bar < 0 ? "pci" : "mmio";
	l->who = "transport";
	l->has_place = r->ip;
	if (r->access.bar < 0)
		udf_strbuf_add(l->text, "config");
	else
		udf_strbuf_addf(l->text, "%s %d", r->access.port ? "port BAR" : "BAR", r->access.bar);
	udf_strbuf_addf(l->text, "+%#" PRIx64 " %s%u %s %#" PRIx64 " (%s)", r->access.offset, r->access.write ? "write" : "read",
			r->access.size * 8, r->access.write ? "<-" : "->", r->access.value,
			microseconds(r->time - r->access.start, time, sizeof(time)));
	return true;
}

static bool describe_return(struct udf_trace_format *f, const struct udf_trace_record *r, struct line *l)
{
	const struct udf_btf_func *p = &r->fn->proto;
	unsigned int accesses = call_ends(f, r);
	char time[32];

	if (p->result.class == UDF_BTF_VOID && !accesses)
		return false;
	l->who = accesses ? "transport" : r->fn->provider;
	udf_strbuf_add(l->text, r->fn->name);
	if (p->result.class != UDF_BTF_VOID) {
		udf_strbuf_add(l->text, " = ");
		add_value(l->text, r->fn->types, &p->result, r->call.result);
	} else {
		udf_strbuf_add(l->text, " returns");
	}
	if (r->call.handle)
		udf_strbuf_addf(l->text, ", %s -> %#" PRIx64, p->param[r->fn->handle].name, r->call.handle);
	udf_strbuf_addf(l->text, " (%s", microseconds(r->time - r->call.start, time, sizeof(time)));
	if (accesses)
		udf_strbuf_addf(l->text, ", %u access%s", accesses, accesses == 1 ? "" : "es");
	udf_strbuf_addc(l->text, ')');
	return true;
}

static void describe_enter(const struct udf_trace_record *r, struct line *l)
{
	char time[32];

	l->category = "irq";
	l->who = "image";
	udf_strbuf_addf(l->text, "handler of irq %" PRIu64 " '%s': ", r->event.a, r->event.text);
	add_place(l->text, r->event.c);
	if (r->event.latency)
		udf_strbuf_addf(l->text, " (vector %" PRIu64 ", raised %s ago)", r->event.b,
				microseconds(r->event.latency, time, sizeof(time)));
}

static void describe_switch(const struct udf_trace_record *r, struct line *l)
{
	static const char letters[] = "SDTtXZPI";
	unsigned int state = (unsigned int)r->event.b, i;

	l->category = "sched";
	l->who = "image";
	udf_strbuf_addf(l->text, "%s-%" PRIu64 " runs, %s stays ", r->event.text, r->event.a, r->comm);
	for (i = 0; letters[i] && !(state >> i & 1); i++)
		;
	if ((state & 0x402) == 0x402)		/* uninterruptible, but no load: TASK_IDLE */
		udf_strbuf_addc(l->text, 'I');
	else
		udf_strbuf_addc(l->text, state ? (letters[i] ? letters[i] : '?') : 'R');
}

static bool describe(struct udf_trace_format *f, const struct udf_trace_record *r, unsigned int categories, struct line *l)
{
	switch (r->kind) {
	case UDF_TRACE_CALL:
	case UDF_TRACE_RETURN:
		l->category = r->fn->dma && categories & UDF_TRACE_DMA ? "dma" : "api";
		l->who = r->fn->provider;
		l->has_place = true;
		if (r->kind == UDF_TRACE_RETURN)
			return describe_return(f, r, l);
		call_begins(f, r);
		add_call(l->text, r);
		return true;
	case UDF_TRACE_ACCESS:
		access_happens(f, r);
		return categories & (r->access.bar < 0 ? UDF_TRACE_PCI : UDF_TRACE_MMIO) && describe_access(r, l);
	case UDF_TRACE_INTX:
		l->category = "pci";
		l->who = "transport";
		access_happens(f, r);
		udf_strbuf_addf(l->text, "INTx line %s", r->event.a ? "masked" : "unmasked");
		return categories & UDF_TRACE_PCI;
	case UDF_TRACE_RAISED:
		l->category = "irq";
		l->who = "transport";
		if (r->event.b == HOST_IRQ_INTX)
			udf_strbuf_addf(l->text, "INTx line raised for vCPU %" PRIu64, r->event.a);
		else
			udf_strbuf_addf(l->text, "vector %" PRIu64 " raised for vCPU %" PRIu64, r->event.b, r->event.a);
		return true;
	case UDF_TRACE_ENTER:
		describe_enter(r, l);
		return true;
	case UDF_TRACE_EXIT:
		l->category = "irq";
		l->who = "image";
		udf_strbuf_addf(l->text, "handler of irq %" PRIu64 " '%s' done: %s", r->event.a, r->event.text,
				r->event.b & 2 ? "wakes its thread" : r->event.b & 1 ? "handled" : "not its own");
		return true;
	case UDF_TRACE_SWITCH:
		describe_switch(r, l);
		return true;
	}
	return false;
}

static void add_json(struct udf_strbuf *sb, const char *key, const char *value)
{
	udf_strbuf_addf(sb, ",\"%s\":\"", key);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			udf_strbuf_addf(sb, "\\%c", *value);
		else if ((unsigned char)*value < ' ')
			udf_strbuf_addf(sb, "\\u%04x", *value);
		else
			udf_strbuf_addc(sb, *value);
	}
	udf_strbuf_addc(sb, '"');
}

static void write_line(struct udf_trace_format *f, const struct udf_trace_record *r, const struct line *l, struct udf_strbuf *out)
{
	static const char *const contexts[] = { "", "softirq", "irq", "irq" };
	uint64_t ns = r->time > f->start ? r->time - f->start : 0;
	struct udf_strbuf place = UDF_STRBUF_INIT;
	char task[40] = "-", cpu[8] = "-";

	if (l->has_place)
		add_place(&place, r->ip);
	if (r->cpu != UDF_TRACE_NO_CPU) {
		snprintf(task, sizeof(task), "%s-%u", r->comm, r->pid);
		snprintf(cpu, sizeof(cpu), "%u", r->cpu);
	}
	if (f->json) {
		udf_strbuf_addf(out, "{\"time\":%" PRIu64 ".%09" PRIu64, ns / 1000000000, ns % 1000000000);
		if (r->cpu != UDF_TRACE_NO_CPU)
			udf_strbuf_addf(out, ",\"cpu\":%u,\"pid\":%u", r->cpu, r->pid);
		if (r->cpu != UDF_TRACE_NO_CPU)
			add_json(out, "task", r->comm);
		add_json(out, "context", contexts[r->context & 3]);
		add_json(out, "category", l->category);
		add_json(out, "by", l->who);
		add_json(out, "caller", udf_strbuf_str(&place));
		add_json(out, "event", udf_strbuf_str(l->text));
		udf_strbuf_add(out, "}\n");
	} else {
		udf_strbuf_addf(out, "%5" PRIu64 ".%06" PRIu64 " %s %-20s%c %-5s %-9s ", ns / 1000000000, ns % 1000000000 / 1000, cpu, task,
				" shh"[r->context & 3], l->category, l->who);
		if (place.len)
			udf_strbuf_addf(out, "%s: ", place.data);
		udf_strbuf_addf(out, "%s\n", udf_strbuf_str(l->text));
	}
	udf_strbuf_free(&place);
}

void udf_trace_format(struct udf_trace_format *f, const struct udf_trace_record *r, unsigned int categories, struct udf_strbuf *out)
{
	struct udf_strbuf text = UDF_STRBUF_INIT;
	struct line l = { .text = &text };

	if (describe(f, r, categories, &l))
		write_line(f, r, &l, out);
	udf_strbuf_free(&text);
}

void udf_trace_format_lost(struct udf_trace_format *f, uint64_t lost, uint64_t time, struct udf_strbuf *out)
{
	uint64_t ns = time > f->start ? time - f->start : 0;

	if (f->json)
		udf_strbuf_addf(out, "{\"time\":%" PRIu64 ".%09" PRIu64 ",\"lost\":%" PRIu64 "}\n", ns / 1000000000, ns % 1000000000, lost);
	else
		udf_strbuf_addf(out, "%5" PRIu64 ".%06" PRIu64 " - %" PRIu64 " events lost before this one: the reader did not keep up\n",
				ns / 1000000000, ns % 1000000000 / 1000, lost);
}
