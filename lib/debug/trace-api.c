// SPDX-License-Identifier: GPL-2.0
/*
 * Trace the calls of modules: link them to trampolines instead of the functions. Host world.
 *
 * Only calls and tail calls are changed, not function pointers: the kernel compares those. Each module has its trampolines in a piece of the
 * modules' area, released with it. A tail call has a stub of its own, as its caller could not be told from the stack.
 */
#define _GNU_SOURCE
#include "debug/trace-int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "debug/frames.h"
#include "debug/symfile.h"
#include "layout.h"
#include "loader/elf.h"
#include "loader/internal.h"

#define WRITER __attribute__((target("general-regs-only")))
#define STUB 16			/* bytes */
#define FUNCTIONS (1u << 16)
#define REGISTER_ARGS 6

extern const uint8_t udf_trampoline[], udf_trampoline_end[], udf_trampoline_jump[], udf_trampoline_call[], udf_trampoline_vectors[];

/* Registers of a call as the trampolines save them. */
struct args {
	uint64_t r9, r8, rcx, rdx, rsi, rdi;
};

extern const uint8_t udf_trampoline_jump_framed[], udf_trampoline_jump_left[], udf_trampoline_call_framed[], udf_trampoline_call_left[];

/* One module's trampolines. */
struct region {
	const struct udf_module *mod;
	uint64_t addr, size, next;
	struct gdb_entry *gdb;
};

static struct udf_trace_fn **udf_fn;	/* by number; grows only by entries */
static unsigned int udf_nr_fn;
static struct region udf_region[LOADER_MODULES_MAX];

/* Types of the modules that offer functions. */
static struct {
	const struct udf_module *mod;
	void *data;
	struct udf_btf *btf;
} udf_types[LOADER_MODULES_MAX];

/* ---- what the trampolines call: on the task's stack, in the middle of kernel code ---- */

static WRITER uint64_t enter(const struct args *a, uint64_t number, uint64_t caller, uint64_t *start)
{
	const struct udf_trace_fn *fn = udf_fn[number];
	struct udf_trace_record *r;

	if (!udf_tracing(UDF_TRACE_CALLS))
		return fn->target;
	r = udf_trace_get(UDF_TRACE_CALL, fn->site ? fn->site : caller);
	if (start)
		*start = r ? r->time : 0;	/* a return without its call is not shown */
	if (!r)
		return fn->target;
	r->fn = fn;
	r->call.arg[0] = a->rdi;
	r->call.arg[1] = a->rsi;
	r->call.arg[2] = a->rdx;
	r->call.arg[3] = a->rcx;
	r->call.arg[4] = a->r8;
	r->call.arg[5] = a->r9;
	udf_trace_put(r);
	return fn->target;
}

static WRITER void leave(const struct args *a, uint64_t number, uint64_t caller, uint64_t result, uint64_t start)
{
	const struct udf_trace_fn *fn = udf_fn[number];
	const uint64_t args[REGISTER_ARGS] = { a->rdi, a->rsi, a->rdx, a->rcx, a->r8, a->r9 };
	struct udf_trace_record *r;

	if (!start || !udf_tracing(UDF_TRACE_CALLS))
		return;
	r = udf_trace_get(UDF_TRACE_RETURN, fn->site ? fn->site : caller);
	if (!r)
		return;
	r->fn = fn;
	r->call.result = result;
	r->call.start = start;
	r->call.handle = 0;
	if (fn->handle >= 0 && result && args[fn->handle])
		r->call.handle = *(const uint64_t *)args[fn->handle];
	udf_trace_put(r);
}

/* ---- functions ---- */

static bool starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* What compilers and the kernel's build put into the code: no calls of a driver's. */
static bool is_plumbing(const char *name)
{
	return starts_with(name, "__x86_") || starts_with(name, "__SCT__") || starts_with(name, "__fentry__") ||
	       starts_with(name, "__stack_chk") || starts_with(name, "__sanitizer") || starts_with(name, "__cfi_");
}

static bool is_dma(const char *name)
{
	return starts_with(name, "dma_") || starts_with(name, "dmam_");
}

static bool is_wanted(const char *name)
{
	unsigned int traced = atomic_load(&udf_traced);

	return !is_plumbing(name) && (traced & UDF_TRACE_API || is_dma(name)) && udf_trace_is_wanted(name);
}

static bool is_code(const struct udf_image *image, uint64_t addr)
{
	const struct udf_range *text;
	unsigned int i, n = udf_image_text(image, &text);

	for (i = 0; i < n; i++)
		if (addr >= text[i].start && addr < text[i].end)
			return true;
	return addr >= UDF_MODULE_BASE && addr < UDF_MODULE_END;
}

/* All arguments in registers, and as many as are said: then the trampoline can make the call itself. */
static bool can_call(const struct udf_btf_func *proto)
{
	unsigned int i;

	if (proto->varargs || proto->nr_params > REGISTER_ARGS || proto->result.class == UDF_BTF_OTHER)
		return false;
	for (i = 0; i < proto->nr_params; i++)
		if (proto->param[i].class == UDF_BTF_OTHER)
			return false;
	return true;
}

static const struct udf_btf *types_of(const struct udf_module *mod)
{
	unsigned int i;

	for (i = 0; mod && i < LOADER_MODULES_MAX; i++)
		if (udf_types[i].mod == mod)
			return udf_types[i].btf;
	return mod ? NULL : udf_trace_btf;
}

/* Keep MOD's types: those who call its functions come later, when its file is gone. */
static void keep_types(const struct udf_module *mod)
{
	unsigned int i, j;
	const void *data;
	size_t len;

	for (i = 0; i < LOADER_MODULES_MAX && udf_types[i].data; i++)
		;
	for (j = 1; j < mod->elf->nr_sec && strcmp(mod->elf->sec[j].pub.name, ".BTF"); j++)
		;
	data = j < mod->elf->nr_sec ? udf_elf_section_data(mod->elf, j, &len) : NULL;
	if (i == LOADER_MODULES_MAX || !data || !mod->nr_exports || !udf_trace_btf)
		return;
	udf_types[i].data = malloc(len);
	if (!udf_types[i].data)
		return;
	memcpy(udf_types[i].data, data, len);
	udf_types[i].btf = udf_btf_new(udf_types[i].data, len, udf_trace_btf);
	udf_types[i].mod = mod;
}

static void drop_types(unsigned int i)
{
	udf_btf_free(udf_types[i].btf);
	free(udf_types[i].data);
	memset(&udf_types[i], 0, sizeof(udf_types[i]));
}

static void learn(struct udf_trace_fn *fn, const struct udf_module *provider)
{
	const struct udf_btf *types = types_of(provider);
	unsigned int i;

	fn->handle = -1;
	fn->types = types;
	fn->known = types && udf_btf_func(types, fn->name, &fn->proto);
	fn->whole = fn->known && can_call(&fn->proto);
	for (i = 0; fn->whole && i < fn->proto.nr_params; i++)
		if (fn->proto.param[i].class == UDF_BTF_DMA_HANDLE)
			fn->handle = (int)i;
}

/* The number of the function that IMPORT is, as it is called from SITE (0: by an ordinary call); -1: no memory. */
static int function(const struct loader_import *import, uint64_t site, uint64_t target)
{
	struct udf_trace_fn *fn;
	unsigned int i;

	for (i = 0; i < udf_nr_fn; i++)
		if (udf_fn[i]->target == target && udf_fn[i]->site == site && !strcmp(udf_fn[i]->name, import->name))
			return (int)i;
	if (!udf_fn)
		udf_fn = calloc(FUNCTIONS, sizeof(*udf_fn));
	fn = udf_fn && udf_nr_fn < FUNCTIONS ? calloc(1, sizeof(*fn)) : NULL;
	if (!fn)
		return -1;
	fn->target = target;
	fn->site = site;
	fn->dma = is_dma(import->name);
	snprintf(fn->name, sizeof(fn->name), "%s", import->name);
	snprintf(fn->provider, sizeof(fn->provider), "%s", import->export ? import->export->mod->host.name :
		 import->from == IMPORT_KAPI ? "kapi" : "image");
	learn(fn, import->export ? import->export->mod : NULL);
	udf_fn[udf_nr_fn] = fn;
	return (int)udf_nr_fn++;
}

/* ---- trampolines ---- */

static void put_stub(uint8_t *at, unsigned int number, uint64_t region)
{
	const uint8_t *to = udf_fn[number]->whole ? udf_trampoline_call : udf_trampoline_jump;
	int32_t rel = (int32_t)(region + (uint64_t)(to - udf_trampoline) - ((uint64_t)at + 10));

	at[0] = 0x68;				/* push $number */
	memcpy(at + 1, &number, 4);
	at[5] = 0xe9;				/* jmp */
	memcpy(at + 6, &rel, 4);
}

static int make_region(struct udf_loader *loader, struct udf_module *mod, unsigned int calls, struct region **out, struct udf_error *err)
{
	uint64_t code = (uint64_t)(udf_trampoline_end - udf_trampoline), pending;
	uint64_t vectors[3] = { (uint64_t)enter, (uint64_t)leave };
	struct region *g = udf_region;

	while (g < udf_region + LOADER_MODULES_MAX && g->addr)
		g++;
	pending = udf_image_kapi_symbol(udf_host.image, "kapi_irq_pending");
	if (g == udf_region + LOADER_MODULES_MAX || !pending)
		return udf_error_set(err, -ENOSPC, "%s: its calls cannot be traced", mod->host.name);
	code = (code + STUB - 1) & ~(uint64_t)(STUB - 1);
	g->size = udf_page_up(code + (uint64_t)calls * STUB);
	g->addr = udf_space_get(&loader->space, g->size);
	if (!g->addr)
		return udf_error_set(err, -ENOMEM, "%s: no memory to trace its calls", mod->host.name);
	g->mod = mod;
	g->next = g->addr + code;
	memset((void *)g->addr, 0xcc, g->size);
	memcpy((void *)g->addr, udf_trampoline, (size_t)(udf_trampoline_end - udf_trampoline));
	vectors[2] = pending;
	memcpy((void *)(g->addr + (uint64_t)(udf_trampoline_vectors - udf_trampoline)), vectors, sizeof(vectors));
	*out = g;
	return 0;
}

/* The stub of a function in a region; it is made when it is wanted for the first time. 0: no memory. */
static uint64_t stub(struct region *g, int number)
{
	uint64_t at;

	for (at = g->addr; number >= 0 && at < g->next; at += STUB) {
		const uint8_t *code = (const uint8_t *)at;
		unsigned int n;

		memcpy(&n, code + 1, 4);
		if (at >= g->addr + (uint64_t)(udf_trampoline_end - udf_trampoline) && code[0] == 0x68 && n == (unsigned int)number)
			return at;
	}
	if (number < 0 || g->next + STUB > g->addr + g->size)
		return 0;
	put_stub((uint8_t *)g->next, (unsigned int)number, g->addr);
	g->next += STUB;
	return g->next - STUB;
}

static uint64_t in_region(const struct region *g, const uint8_t *label)
{
	return g->addr + (uint64_t)(label - udf_trampoline);
}

static void describe_stubs(const struct region *g, struct udf_symfile *f, struct udf_frames *frames)
{
	static const struct udf_orc entered = { .sp_reg = UDF_ORC_SP, .sp_offset = 8 };
	static const struct udf_orc pushed = { .sp_reg = UDF_ORC_SP, .sp_offset = 16 };
	uint64_t at = in_region(g, udf_trampoline_end);

	for (at = (at + STUB - 1) & -(uint64_t)STUB; at < g->next; at += STUB) {
		char name[80];
		uint32_t number;

		memcpy(&number, (const void *)(at + 1), sizeof(number));
		snprintf(name, sizeof(name), "trace_%s", udf_fn[number]->name);
		udf_symfile_symbol(f, name, at, STUB, true, false);
		udf_frames_row(frames, at, at + 5, &entered);
		udf_frames_row(frames, at + 5, at + STUB, &pushed);
	}
}

/* Let gdb walk through calls that are traced. */
static void tell_gdb(struct region *g)
{
	static const struct udf_orc jump = { .sp_reg = UDF_ORC_BP, .sp_offset = 104, .bp_reg = UDF_ORC_PREV_SP, .bp_offset = -104 };
	static const struct udf_orc call = { .sp_reg = UDF_ORC_BP, .sp_offset = 16, .bp_reg = UDF_ORC_PREV_SP, .bp_offset = -16 };
	static const struct udf_orc left = { .sp_reg = UDF_ORC_SP, .sp_offset = 8 };
	struct udf_strbuf bytes = UDF_STRBUF_INIT;
	struct udf_symfile *f = udf_symfile_new();
	struct udf_frames *frames = f ? udf_frames_new(&bytes) : NULL;
	void *file;
	size_t len;

	if (!frames) {
		udf_symfile_free(f);
		return;
	}
	udf_symfile_section(f, ".text", g->addr, g->size, true);
	udf_symfile_symbol(f, "trace_jump", in_region(g, udf_trampoline_jump), (uint64_t)(udf_trampoline_call - udf_trampoline_jump), true, false);
	udf_symfile_symbol(f, "trace_call", in_region(g, udf_trampoline_call), (uint64_t)(udf_trampoline_end - udf_trampoline_call), true, false);
	udf_frames_row(frames, in_region(g, udf_trampoline_jump_framed), in_region(g, udf_trampoline_jump_left), &jump);
	udf_frames_row(frames, in_region(g, udf_trampoline_call_framed), in_region(g, udf_trampoline_call_left), &call);
	udf_frames_row(frames, in_region(g, udf_trampoline_call_left), in_region(g, udf_trampoline_call_left) + 1, &left);
	describe_stubs(g, f, frames);
	udf_frames_end(frames);
	udf_symfile_debug(f, ".debug_frame", &bytes, 0, 0);
	if (!udf_symfile_finish(f, &file, &len))
		g->gdb = udf_gdb_tell(file, len);
}

bool udf_trace_trampolines(unsigned int i, uint64_t *start, uint64_t *end)
{
	for (; i < LOADER_MODULES_MAX; i++) {
		if (!udf_region[i].addr)
			continue;
		*start = udf_region[i].addr;
		*end = *start + udf_region[i].size;
		return true;
	}
	return false;
}

/* ---- calls ---- */

struct call {
	uint8_t *operand;		/* the distance, as it is in memory */
	uint64_t addr;			/* of it */
	const struct loader_import *import;
	bool tail;
};

/* Whether RELA is the operand of a call or jump to an import that is a function and wanted. */
static bool find_call(const struct udf_module *mod, const struct elf_section *s, const Elf64_Rela *rela, struct call *call)
{
	const struct udf_elf *elf = mod->elf;
	uint32_t type = ELF64_R_TYPE(rela->r_info), nr = ELF64_R_SYM(rela->r_info);
	uint8_t op;

	if ((type != R_X86_64_PLT32 && type != R_X86_64_PC32) || rela->r_addend != -4 || nr >= elf->nr_sym ||
	    elf->sym[nr].shndx != SHN_UNDEF || !rela->r_offset || rela->r_offset > s->pub.size - 4)
		return false;
	call->addr = s->pub.addr + rela->r_offset;
	call->operand = (uint8_t *)mod->place[s->pub.part].mem + s->offset + rela->r_offset;
	op = call->operand[-1];
	call->tail = op != 0xe8;
	if (op != 0xe8 && op != 0xe9 && !((op & 0xf0) == 0x80 && rela->r_offset > 1 && call->operand[-2] == 0x0f))
		return false;
	call->import = udf_imports_lookup(mod, elf->sym[nr].name);
	return call->import && elf->sym[nr].value && is_wanted(call->import->name) && is_code(udf_host.image, elf->sym[nr].value);
}

static int each_call(const struct udf_module *mod, int (*what)(void *ctx, const struct call *call), void *ctx)
{
	const struct udf_elf *elf = mod->elf;
	unsigned int i;
	int ret = 0;

	for (i = 1; i < elf->nr_sec; i++) {
		const struct elf_section *s;
		uint64_t n, nr = elf->sec[i].pub.size / sizeof(Elf64_Rela);

		if (elf->sec[i].hdr.sh_type != SHT_RELA)
			continue;
		s = &elf->sec[elf->sec[i].hdr.sh_info];
		if (s->pub.part != UDF_PART_TEXT && s->pub.part != UDF_PART_INIT_TEXT)
			continue;
		for (n = 0; !ret && n < nr; n++) {
			struct call call;
			Elf64_Rela rela;

			udf_elf_get_rela(elf, i, n, &rela);
			if (find_call(mod, s, &rela, &call))
				ret = what(ctx, &call);
		}
	}
	return ret;
}

static int count(void *ctx, const struct call *call)
{
	++*(unsigned int *)ctx;
	return 0;
}

static int redirect(void *ctx, const struct call *call)
{
	int32_t rel;
	uint64_t target, to;

	memcpy(&rel, call->operand, sizeof(rel));
	target = call->addr + 4 + (uint64_t)(int64_t)rel;
	to = stub(ctx, function(call->import, call->tail ? call->addr - 1 : 0, target));
	if (!to)
		return -ENOMEM;
	rel = (int32_t)(to - (call->addr + 4));
	memcpy(call->operand, &rel, sizeof(rel));
	return 0;
}

int udf_trace_interpose(struct udf_loader *loader, struct udf_module *mod, struct udf_error *err)
{
	unsigned int calls = 0;
	struct region *g = NULL;
	int ret;

	if (!udf_tracing(UDF_TRACE_CALLS))
		return 0;
	keep_types(mod);
	each_call(mod, count, &calls);
	if (!calls)
		return 0;
	ret = make_region(loader, mod, calls, &g, err);
	if (ret)
		return ret;
	ret = each_call(mod, redirect, g);
	if (!ret && mprotect((void *)g->addr, g->size, PROT_READ | PROT_EXEC))
		ret = -errno;
	if (!ret && loader->gdb)
		tell_gdb(g);
	return ret ? udf_error_set(err, ret, "%s: its calls cannot be traced: %s", mod->host.name, strerror(-ret)) : 0;
}

/* No code of MOD runs any more. */
static void release(struct udf_loader *loader, struct region *g)
{
	udf_gdb_remove(g->gdb);
	if (loader)
		udf_space_put(&loader->space, g->addr);
	memset(g, 0, sizeof(*g));
}

void udf_trace_api_closing(struct udf_loader *loader, const struct udf_module *mod)
{
	unsigned int i;

	for (i = 0; i < LOADER_MODULES_MAX; i++) {
		if (udf_region[i].addr && udf_region[i].mod == mod)
			release(loader, &udf_region[i]);
		if (udf_types[i].mod == mod)
			udf_types[i].mod = NULL;	/* records may still refer to the types */
	}
}

static void drop_all_types(void)
{
	unsigned int i;

	for (i = 0; i < LOADER_MODULES_MAX; i++)
		drop_types(i);
}

void udf_trace_api_end(struct udf_loader *loader)
{
	unsigned int i;

	for (i = 0; i < LOADER_MODULES_MAX; i++)
		if (udf_region[i].addr)
			release(loader, &udf_region[i]);
	drop_all_types();
	for (i = 0; i < udf_nr_fn; i++)
		free(udf_fn[i]);
	free(udf_fn);
	udf_fn = NULL;
	udf_nr_fn = 0;
}
