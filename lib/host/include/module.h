/* SPDX-License-Identifier: GPL-2.0 */
/* Driver modules and firmware files, for the kernel world's module core. Contract, both worlds. */
#ifndef UDF_HOST_MODULE_H
#define UDF_HOST_MODULE_H

/* A section of a linked module: address and bytes, 0 and 0 when the module has no such section. */
struct host_section {
	unsigned long addr;
	unsigned long size;
};

enum host_module_section {
	HOST_SEC_THIS_MODULE, HOST_SEC_PARAM, HOST_SEC_KSYMTAB, HOST_SEC_KSYMTAB_GPL, HOST_SEC_KCRCTAB,
	HOST_SEC_KCRCTAB_GPL, HOST_SEC_EX_TABLE, HOST_SEC_BUG_TABLE, HOST_SEC_JUMP_TABLE, HOST_SEC_STATIC_CALL,
	HOST_SEC_TRACEPOINTS_PTRS, HOST_SEC_ORC_UNWIND, HOST_SEC_ORC_UNWIND_IP, HOST_SEC_ALTINSTRUCTIONS,
	HOST_SEC_PARAINSTRUCTIONS, HOST_SEC_RETPOLINE_SITES, HOST_SEC_RETURN_SITES, HOST_SEC_MCOUNT_LOC,
	HOST_SEC_SYMTAB, HOST_SEC_STRTAB, HOST_SEC_MODINFO, HOST_SEC_CTORS, HOST_SEC_BPF_RAW_EVENTS,
	HOST_SEC_TRACE_EVENTS, HOST_SEC_TRACE_EVAL_MAPS, HOST_SEC_PRINTK_INDEX, HOST_SEC_ERROR_INJECTION,
	HOST_SEC_CALL_SITES, HOST_SEC_NOINSTR_TEXT, HOST_SEC_SRCU_PTRS,
	HOST_SEC_COUNT
};

struct host_module {
	char name[64];			/* as in .modinfo, with underscores */
	unsigned long percpu_size;	/* bytes that the module's per-CPU data needs; 0 if none */
	unsigned long percpu_align;
	unsigned long percpu_init;	/* after linking: address of the initial contents */
	struct host_section core, core_text, core_ro;	/* core_text is the head of core, core_ro the head that is never written */
	struct host_section init, init_text;
	struct host_section sec[HOST_SEC_COUNT];
	char args[1024];		/* parameters, as "name=value name=value" */
	unsigned long handle;		/* the host world's own */
};

/*
 * Read, check and parse the module NAME (already in dependency order; a path or a name). Fills everything of MOD that is
 * known before linking. blocks. Returns 0, or a negative errno after logging one line that says why.
 */
int host_module_open(const char *name, struct host_module *mod);

/*
 * What has to be loaded next so that WHAT (a name or an alias) becomes available: fills PATH. Returns 1, 0 when nothing is missing,
 * or a negative errno (-ENOENT: there is no such module). blocks.
 */
int host_module_next(const char *what, char *path, unsigned long len);

/*
 * Place and link MOD; PERCPU is the per-CPU offset that the caller allocated for it. Symbols come from modules that are
 * live, then kapi, then the image. blocks. Returns as host_module_open().
 */
int host_module_link(struct host_module *mod, unsigned long percpu);

/* kapi itself, which is linked into the prepared image: its sections, as of a linked module. */
void host_kapi_get(struct host_module *mod);

/* The module's init sections are done with: release them. */
void host_module_free_init(struct host_module *mod);

/* Release the module altogether; no code of it runs any more and no live module uses its symbols. */
void host_module_close(struct host_module *mod);

/* Whether another module that is open uses symbols of MOD: then it stays. */
int host_module_used(const struct host_module *mod);

/* The module's exports may be used by modules linked from now on. */
void host_module_live(struct host_module *mod);

/*
 * Read a firmware file NAME (searched as the kernel does). With BUF NULL returns its size. Otherwise fills at most LEN bytes.
 * blocks. Returns bytes or a negative errno.
 */
long host_file_read(const char *name, void *buf, unsigned long len);

#endif
