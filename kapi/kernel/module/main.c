// SPDX-License-Identifier: GPL-2.0
/*
 * Modules in the kernel's eyes: what kernel/module/main.c: load_module() does after linking, do_init_module(), and
 * delete_module(). Kernel world.
 *
 * The host has read, checked, placed and linked the file (lib/loader/). Here the module joins the image's own list, so
 * that back traces, kallsyms, bug and exception tables, jump labels, static calls and tracepoints find it; its parameters are
 * parsed and its init function runs. Replaces __request_module().
 */
#include <linux/async.h>
#include <linux/bug.h>
#include <linux/jump_label.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/notifier.h>
#include <linux/rbtree_latch.h>
#include <linux/sched/debug.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/unwind.h>

#include "kapi.h"

/* kernel/module/internal.h: what mod_sysfs_setup() wants to know of the file; here a file without sections. */
struct load_info {
	const char *name;
	struct module *mod;
	Elf_Ehdr *hdr;
	unsigned long len;
	Elf_Shdr *sechdrs;
	char *secstrings, *strtab;
	unsigned long room[24];
};

/* kernel/module/internal.h */
struct mod_tree_root {
	struct latch_tree_root root;
	unsigned long addr_min, addr_max;
};

extern void sort_extable(struct exception_table_entry *start, struct exception_table_entry *finish);
extern struct mod_tree_root mod_tree;
extern struct list_head modules;
extern struct mutex module_mutex;
extern struct list_head module_bug_list;
extern struct blocking_notifier_head module_notify_list;
extern void mod_tree_insert(struct module *mod);
extern void mod_tree_remove_init(struct module *mod);
extern void mod_tree_remove(struct module *mod);
extern int mod_sysfs_setup(struct module *mod, const struct load_info *info, struct kernel_param *kparam, unsigned int num);
extern void mod_sysfs_teardown(struct module *mod);
extern int do_one_initcall(int (*fn)(void));
extern void module_bug_cleanup(struct module *mod);

/* kapi is a module in the kernel's eyes, too. */
struct module __this_module __section(".gnu.linkonce.this_module") __visible = { .name = "kapi" };

/* What the host keeps of a module, beside the kernel's own record. */
struct kapi_module {
	struct list_head list;
	struct module *mod;
	struct host_module host;
};

static LIST_HEAD(kapi_modules);
static DEFINE_MUTEX(kapi_modules_lock);

#define SECTION(hm, id, type, array, count)						\
	do {										\
		(array) = (void *)(hm)->sec[id].addr;					\
		(count) = (hm)->sec[id].size / sizeof(type);				\
	} while (0)

static void kapi_module_sections(struct module *mod, const struct host_module *hm)
{
	SECTION(hm, HOST_SEC_PARAM, *mod->kp, mod->kp, mod->num_kp);
	SECTION(hm, HOST_SEC_KSYMTAB, *mod->syms, mod->syms, mod->num_syms);
	SECTION(hm, HOST_SEC_KSYMTAB_GPL, *mod->gpl_syms, mod->gpl_syms, mod->num_gpl_syms);
	SECTION(hm, HOST_SEC_EX_TABLE, *mod->extable, mod->extable, mod->num_exentries);
	SECTION(hm, HOST_SEC_BUG_TABLE, *mod->bug_table, mod->bug_table, mod->num_bugs);
	SECTION(hm, HOST_SEC_JUMP_TABLE, *mod->jump_entries, mod->jump_entries, mod->num_jump_entries);
	SECTION(hm, HOST_SEC_STATIC_CALL, *mod->static_call_sites, mod->static_call_sites, mod->num_static_call_sites);
	SECTION(hm, HOST_SEC_TRACEPOINTS_PTRS, *mod->tracepoints_ptrs, mod->tracepoints_ptrs, mod->num_tracepoints);
	SECTION(hm, HOST_SEC_SRCU_PTRS, *mod->srcu_struct_ptrs, mod->srcu_struct_ptrs, mod->num_srcu_structs);
	mod->crcs = (void *)hm->sec[HOST_SEC_KCRCTAB].addr;
	mod->gpl_crcs = (void *)hm->sec[HOST_SEC_KCRCTAB_GPL].addr;
	mod->noinstr_text_start = (void *)hm->sec[HOST_SEC_NOINSTR_TEXT].addr;
	mod->noinstr_text_size = hm->sec[HOST_SEC_NOINSTR_TEXT].size;
}

static void kapi_module_layout(struct module *mod, const struct host_module *hm)
{
	mod->core_layout.base = (void *)hm->core.addr;
	mod->core_layout.size = hm->core.size;
	mod->core_layout.text_size = hm->core_text.size;
	mod->core_layout.ro_size = hm->core_ro.size;
	mod->core_layout.mtn.mod = mod;
	mod->init_layout.base = (void *)hm->init.addr;
	mod->init_layout.size = hm->init.size;
	mod->init_layout.text_size = hm->init_text.size;
	mod->init_layout.mtn.mod = mod;
}

/* Symbols for traces. The type letters are not in the file: only text and other is told apart. */
static int kapi_module_symbols(struct module *mod, const struct host_module *hm)
{
	struct mod_kallsyms *k = &mod->core_kallsyms;
	unsigned int i;

	SECTION(hm, HOST_SEC_SYMTAB, *k->symtab, k->symtab, k->num_symtab);
	k->strtab = (void *)hm->sec[HOST_SEC_STRTAB].addr;
	k->typetab = kvmalloc(k->num_symtab ?: 1, GFP_KERNEL);
	if (!k->typetab)
		return -ENOMEM;
	for (i = 0; i < k->num_symtab; i++)
		k->typetab[i] = ELF_ST_TYPE(k->symtab[i].st_info) == STT_FUNC ? 't' : 'd';
	rcu_assign_pointer(mod->kallsyms, k);
	return 0;
}

static void kapi_module_publish(struct module *mod, const struct host_module *hm)
{
	unwind_module_init(mod, (void *)hm->sec[HOST_SEC_ORC_UNWIND_IP].addr, hm->sec[HOST_SEC_ORC_UNWIND_IP].size,
			   (void *)hm->sec[HOST_SEC_ORC_UNWIND].addr, hm->sec[HOST_SEC_ORC_UNWIND].size);
	sort_extable(mod->extable, mod->extable + mod->num_exentries);
	mutex_lock(&module_mutex);
	mod_tree.addr_min = min(mod_tree.addr_min, hm->core.addr);
	mod_tree.addr_max = max(mod_tree.addr_max, hm->core.addr + hm->core.size);
	if (hm->init.size) {
		mod_tree.addr_min = min(mod_tree.addr_min, hm->init.addr);
		mod_tree.addr_max = max(mod_tree.addr_max, hm->init.addr + hm->init.size);
	}
	list_add_rcu(&mod->bug_list, &module_bug_list);
	list_add_rcu(&mod->list, &modules);
	mod_tree_insert(mod);
	mutex_unlock(&module_mutex);
}

static void kapi_module_unpublish(struct module *mod)
{
	mutex_lock(&module_mutex);
	list_del_rcu(&mod->list);
	mod_tree_remove(mod);
	list_del_rcu(&mod->bug_list);
	mutex_unlock(&module_mutex);
	synchronize_rcu();
}

static void kapi_module_set_up(struct module *mod, struct host_module *hm)
{
	mod->state = MODULE_STATE_COMING;
	INIT_LIST_HEAD(&mod->source_list);
	INIT_LIST_HEAD(&mod->target_list);
	atomic_set(&mod->refcnt, 2);	/* the base, and one while it loads */
	mutex_init(&mod->param_lock);
	mod->sig_ok = true;
	mod->percpu_size = hm->percpu_size;
	kapi_module_sections(mod, hm);
	kapi_module_layout(mod, hm);
}

static int kapi_module_unknown_param(char *param, char *val, const char *modname, void *arg)
{
	struct module *mod = arg;

	if (!strcmp(param, "async_probe"))
		return mod->async_probe_requested = true, 0;
	pr_warn("%s: unknown parameter '%s' ignored\n", modname, param);
	return 0;
}

/* From here on the module's code runs. */
static int kapi_module_start(struct module *mod)
{
	struct load_info info = { .name = mod->name, .mod = mod };
	Elf_Ehdr no_sections = { .e_shnum = 0 };
	char *rest;
	int err;

	info.hdr = &no_sections;
	info.secstrings = info.strtab = "";
	err = blocking_notifier_call_chain_robust(&module_notify_list, MODULE_STATE_COMING, MODULE_STATE_GOING, mod);
	err = notifier_to_errno(err);
	if (err)
		return err;
	rest = parse_args(mod->name, mod->args, mod->kp, mod->num_kp, -32768, 32767, mod, kapi_module_unknown_param);
	if (IS_ERR(rest)) {
		err = PTR_ERR(rest);
		goto going;
	}
	err = mod_sysfs_setup(mod, &info, mod->kp, mod->num_kp);
	if (err)
		goto going;
	if (mod->init)
		err = do_one_initcall(mod->init);
	if (err >= 0)
		return 0;
	mod->state = MODULE_STATE_GOING;
	mod_sysfs_teardown(mod);
going:
	mod->state = MODULE_STATE_GOING;
	synchronize_rcu();
	blocking_notifier_call_chain(&module_notify_list, MODULE_STATE_GOING, mod);
	return err;
}

static void kapi_module_started(struct kapi_module *km)
{
	struct module *mod = km->mod;

	mod->state = MODULE_STATE_LIVE;
	blocking_notifier_call_chain(&module_notify_list, MODULE_STATE_LIVE, mod);
	if (!mod->async_probe_requested)
		async_synchronize_full();
	mutex_lock(&module_mutex);
	module_put(mod);
	mod_tree_remove_init(mod);
	mod->init_layout.base = NULL;
	mod->init_layout.size = 0;
	mutex_unlock(&module_mutex);
	synchronize_rcu();
	host_module_free_init(&km->host);
}

static void kapi_module_release(struct kapi_module *km)
{
	struct module *mod = km->mod;
	void __percpu *percpu = mod ? mod->percpu : NULL;

	if (mod)
		kvfree(mod->core_kallsyms.typetab);
	host_module_close(&km->host);
	free_percpu(percpu);
	kfree(km);
}

/* Read, link and register. On success the module is in the kernel's lists, not started. */
static int kapi_module_link(struct kapi_module *km, const char *path)
{
	struct host_module *hm = &km->host;
	void __percpu *percpu = NULL;
	struct module *mod;
	int err;

	err = host_module_open(path, hm);
	if (err)
		return err;
	if (find_module(hm->name))
		return -EEXIST;
	if (hm->percpu_size) {
		percpu = __alloc_reserved_percpu(hm->percpu_size, hm->percpu_align);
		if (!percpu)
			return -ENOMEM;
	}
	err = host_module_link(hm, (unsigned long)percpu);
	if (err) {
		free_percpu(percpu);
		return err;
	}
	mod = (struct module *)hm->sec[HOST_SEC_THIS_MODULE].addr;
	km->mod = mod;
	mod->percpu = percpu;
	if (hm->percpu_size) {
		int cpu;

		for_each_possible_cpu(cpu)
			memcpy(per_cpu_ptr(percpu, cpu), (void *)hm->percpu_init, hm->percpu_size);
	}
	kapi_module_set_up(mod, hm);
	mod->args = hm->args;
	err = kapi_module_symbols(mod, hm);
	if (!err)
		kapi_module_publish(mod, hm);
	return err;
}

/*
 * No lock is held while the module's init function runs: it may ask for further modules. The host refuses to open a module
 * twice, so two tasks that load the same one do not meet.
 */
int kapi_module_load(const char *path)
{
	struct kapi_module *km = kzalloc(sizeof(*km), GFP_KERNEL);
	int err;

	if (!km)
		return -ENOMEM;
	err = kapi_module_link(km, path);
	if (!err) {
		err = kapi_module_start(km->mod);
		if (err)
			kapi_module_unpublish(km->mod);
	}
	if (err) {
		kapi_module_release(km);
		return err;
	}
	host_module_live(&km->host);
	mutex_lock(&kapi_modules_lock);
	list_add(&km->list, &kapi_modules);
	mutex_unlock(&kapi_modules_lock);
	kapi_module_started(km);
	return 0;
}

static struct kapi_module *kapi_module_find(const char *name)
{
	struct kapi_module *km;

	list_for_each_entry(km, &kapi_modules, list)
		if (!strcmp(km->mod->name, name))
			return km;
	return NULL;
}

static int kapi_module_stop(struct kapi_module *km)
{
	struct module *mod = km->mod;

	if (mod->init && !mod->exit)
		return -EBUSY;		/* it cannot be unloaded, by its own choice */
	/* by symbols, which the host counts */
	if (host_module_used(&km->host))
		return -EBUSY;
	/* the base reference is the last one, or somebody uses it */
	if (atomic_cmpxchg(&mod->refcnt, 1, 0) != 1)
		return -EBUSY;
	mod->state = MODULE_STATE_GOING;
	if (mod->exit)
		mod->exit();
	blocking_notifier_call_chain(&module_notify_list, MODULE_STATE_GOING, mod);
	async_synchronize_full();
	mod_sysfs_teardown(mod);
	kapi_module_unpublish(mod);
	return 0;
}

int kapi_module_unload(const char *name)
{
	struct kapi_module *km;
	int err = -ENOENT;

	mutex_lock(&kapi_modules_lock);
	km = kapi_module_find(name);
	if (km)
		err = kapi_module_stop(km);
	if (!err) {
		list_del(&km->list);
		kapi_module_release(km);
	}
	mutex_unlock(&kapi_modules_lock);
	return err;
}

bool kapi_modules_hold(void)
{
	return mutex_trylock(&kapi_modules_lock);
}

void kapi_modules_release(void)
{
	mutex_unlock(&kapi_modules_lock);
}

bool kapi_module_of(unsigned long addr)
{
	struct kapi_module *km;

	list_for_each_entry(km, &kapi_modules, list)
		if (addr - km->host.core_text.addr < km->host.core_text.size)
			return true;
	return false;
}

void kapi_module_init(void)
{
	static struct host_module hm;
	struct module *mod = &__this_module;

	host_kapi_get(&hm);
	kapi_module_set_up(mod, &hm);
	mod->state = MODULE_STATE_LIVE;
	if (kapi_module_symbols(mod, &hm))
		return;
	kapi_module_publish(mod, &hm);
}

/* The kernel asks for a module by name or alias. What cannot be had is no error here: its asker looks whether it is there. */
int __request_module(bool wait, const char *fmt, ...)
{
	char what[MODULE_NAME_LEN], *path;
	va_list args;
	int ret;

	va_start(args, fmt);
	vscnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	path = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!path)
		return -ENOMEM;
	while ((ret = host_module_next(what, path, PATH_MAX)) > 0) {
		ret = kapi_module_load(path);
		if (ret)
			break;
	}
	kfree(path);
	return ret;
}
