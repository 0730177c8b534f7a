// SPDX-License-Identifier: GPL-2.0
/*
 * Which modules must be loaded, in which order: modules.dep, modules.alias and modules.softdep through libkmod. Host world.
 *
 * Only what depmod wrote counts. The machine's modprobe.d is about the machine's own kernel: a driver that is blacklisted there is often
 * the very one that shall run here. Nor does it matter what the machine's kernel has loaded or built in.
 */
#include "loader/internal.h"

#include <errno.h>
#include <libkmod.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "loader/elf.h"

#define DEPTH_MAX 64

struct planner {
	struct udf_loader *loader;
	struct udf_plan *plan;
	struct udf_error *err;
	const char *pending[DEPTH_MAX];	/* names of the modules whose dependencies are being followed */
	unsigned int depth;
};

static int visit(struct planner *p, struct kmod_module *km, bool soft);

int udf_deps_open(struct udf_loader *loader, const char *modules_dir, struct udf_error *err)
{
	char softdeps[PATH_MAX], index[PATH_MAX];
	const char *config[] = { softdeps, NULL };

	if (!modules_dir)
		return 0;
	snprintf(index, sizeof(index), "%s/modules.dep.bin", modules_dir);
	if (access(index, R_OK))
		return udf_error_set(err, -errno, "%s: %s; 'depmod' makes it", index, strerror(errno));
	snprintf(softdeps, sizeof(softdeps), "%s/modules.softdep", modules_dir);
	if (access(softdeps, R_OK))
		config[0] = NULL;
	loader->kmod = kmod_new(modules_dir, config);
	if (!loader->kmod)
		return udf_error_set(err, -ENOMEM, "%s: libkmod cannot open it", modules_dir);
	kmod_set_log_priority(loader->kmod, LOG_CRIT);
	kmod_load_resources(loader->kmod);	/* only makes the look-ups faster */
	return 0;
}

void udf_deps_close(struct udf_loader *loader)
{
	if (loader->kmod)
		kmod_unref(loader->kmod);
	loader->kmod = NULL;
}

static struct udf_plan_entry *find_planned(const struct planner *p, const char *name)
{
	unsigned int i;

	for (i = 0; i < p->plan->nr; i++)
		if (udf_module_name_equal(p->plan->entry[i].name, name))
			return &p->plan->entry[i];
	return NULL;
}

/* Drop all but the first NR entries. */
static void truncate_plan(struct udf_plan *plan, unsigned int nr)
{
	while (plan->nr > nr) {
		plan->nr--;
		free(plan->entry[plan->nr].path);
		free(plan->entry[plan->nr].name);
	}
}

static int add(struct planner *p, const char *name, const char *path, bool soft)
{
	struct udf_plan *plan = p->plan;
	struct udf_plan_entry *entry = realloc(plan->entry, (plan->nr + 1) * sizeof(*entry));

	if (!entry)
		return udf_error_set(p->err, -ENOMEM, "%s: out of memory", name);
	plan->entry = entry;
	entry += plan->nr;
	*entry = (struct udf_plan_entry){ strdup(path), strdup(name), soft };
	plan->nr++;
	if (!entry->path || !entry->name)
		return udf_error_set(p->err, -ENOMEM, "%s: out of memory", name);
	return 0;
}

static bool is_open(const struct planner *p, const char *name)
{
	return !p->loader->plan_open && udf_loader_find(p->loader, name);
}

static int add_target(struct planner *p, const char *name)
{
	char **list = realloc(p->plan->target, (p->plan->nr_targets + 1) * sizeof(*list));

	if (list)
		p->plan->target = list;
	if (!list || !(list[p->plan->nr_targets] = strdup(name)))
		return udf_error_set(p->err, -ENOMEM, "%s: out of memory", name);
	p->plan->nr_targets++;
	return 0;
}

/* Follow modules in LIST; a soft dependency that fails is dropped, with what it brought. */
static int visit_list(struct planner *p, struct kmod_list *list, bool soft_list, bool soft)
{
	struct kmod_list *item;
	int ret;

	kmod_list_foreach(item, list) {
		struct kmod_module *km = kmod_module_get_module(item);
		struct udf_error ignored = UDF_ERROR_INIT, *err = p->err;
		unsigned int nr = p->plan->nr;

		if (soft_list)
			p->err = &ignored;
		ret = visit(p, km, soft || soft_list);
		p->err = err;
		kmod_module_unref(km);
		if (ret && !soft_list)
			return ret;
		if (ret)
			truncate_plan(p->plan, nr);
	}
	return 0;
}

/* Note that NAME is being followed; -EDEADLK when it is already. */
static int enter(struct planner *p, const char *name)
{
	unsigned int i;

	for (i = 0; i < p->depth; i++)
		if (!strcmp(p->pending[i], name))
			return udf_error_set(p->err, -EDEADLK, "circular dependency: %s needs %s, which needs %s", name,
					     p->pending[p->depth - 1], name);
	if (p->depth == DEPTH_MAX)
		return udf_error_set(p->err, -ELOOP, "%s: more than %u dependencies in a row", name, DEPTH_MAX);
	p->pending[p->depth++] = name;
	return 0;
}

/* Follow what must be loaded before KM: its soft dependencies PRE, and its dependencies. */
static int visit_dependencies(struct planner *p, struct kmod_module *km, struct kmod_list *pre, bool soft)
{
	struct kmod_list *deps = kmod_module_get_dependencies(km);
	int ret;

	ret = enter(p, kmod_module_get_name(km));
	if (!ret) {
		visit_list(p, pre, true, soft);
		ret = visit_list(p, deps, false, soft);
		p->depth--;
	}
	kmod_module_unref_list(deps);
	return ret;
}

static int visit(struct planner *p, struct kmod_module *km, bool soft)
{
	const char *name = kmod_module_get_name(km), *path = kmod_module_get_path(km);
	struct udf_plan_entry *entry = find_planned(p, name);
	struct kmod_list *pre = NULL, *post = NULL;
	int ret;

	if (is_open(p, name) || !path)
		return 0;	/* without a path: part of the image */
	if (entry && (soft || !entry->soft))
		return 0;
	if (entry) {		/* was merely welcome, is needed */
		entry->soft = false;
		return visit_dependencies(p, km, NULL, false);
	}
	kmod_module_get_softdeps(km, &pre, &post);
	ret = visit_dependencies(p, km, pre, soft);
	if (!ret)
		ret = add(p, name, path, soft);
	if (!ret)
		visit_list(p, post, true, soft);
	kmod_module_unref_list(pre);
	kmod_module_unref_list(post);
	return ret;
}

/* All modules that WHAT, a name or an alias, stands for. Returns how many there are, or a negative errno. */
static int visit_lookup(struct planner *p, const char *what, bool target)
{
	struct kmod_list *list = NULL, *item;
	int ret, n = 0;

	ret = kmod_module_new_from_lookup(p->loader->kmod, what, &list);
	if (ret < 0)
		return udf_error_set(p->err, ret, "%s: %s", what, strerror(-ret));
	ret = visit_list(p, list, false, false);
	kmod_list_foreach(item, list) {
		struct kmod_module *km = kmod_module_get_module(item);

		if (!ret && target && find_planned(p, kmod_module_get_name(km)))
			ret = add_target(p, kmod_module_get_name(km));
		kmod_module_unref(km);
		n++;
	}
	kmod_module_unref_list(list);
	return ret ? ret : n;
}

/* The next word of *S that a space or comma ends, at WORD; false when there is none. */
static bool next_word(const char **s, char *word, size_t size)
{
	size_t len;

	*s += strspn(*s, ", ");
	len = strcspn(*s, ", ");
	snprintf(word, size, "%.*s", (int)(len < size ? len : size - 1), *s);
	*s += len;
	return len != 0;
}

/* A file need not be one that modules.dep knows: it says itself what it depends on. */
static int visit_depends(struct planner *p, const struct udf_elf *elf, const char *path)
{
	const char *depends = udf_elf_modinfo(elf, "depends", 0);
	char name[64];
	int ret;

	while (depends && next_word(&depends, name, sizeof(name))) {
		if (is_open(p, name))
			continue;
		ret = p->loader->kmod ? visit_lookup(p, name, false) : 0;
		if (ret < 0)
			return ret;
		if (!ret)
			return udf_error_set(p->err, -ENOENT, "%s: needs module %s, which is neither loaded nor in %s", path, name,
					     p->loader->kmod ? kmod_get_dirname(p->loader->kmod) : "a modules directory");
	}
	return 0;
}

/* Soft dependencies of a file: "pre: a b post: c". */
static void visit_softdeps(struct planner *p, const struct udf_elf *elf, bool want_post)
{
	struct udf_error ignored = UDF_ERROR_INIT, *err = p->err;
	const char *s = NULL, *mode = want_post ? "post:" : "pre:", *words;
	char word[64];
	bool wanted;

	if (!p->loader->kmod)
		return;
	p->err = &ignored;
	while ((s = udf_elf_modinfo_next(elf, "softdep", s))) {
		for (words = s, wanted = false; next_word(&words, word, sizeof(word)); ) {
			if (!strcmp(word, "pre:") || !strcmp(word, "post:"))
				wanted = !strcmp(word, mode);
			else if (wanted)
				visit_lookup(p, word, false);
		}
	}
	p->err = err;
}

static void name_from_path(const char *path, char *name, size_t size)
{
	const char *base = strrchr(path, '/'), *dot;
	char *c;

	base = base ? base + 1 : path;
	dot = strchr(base, '.');
	snprintf(name, size, "%.*s", dot ? (int)(dot - base) : (int)strlen(base), base);
	for (c = name; *c; c++)
		if (*c == '-')
			*c = '_';
}

static int visit_file(struct planner *p, const char *path)
{
	struct udf_elf *elf;
	char name[64];
	void *data;
	size_t len;
	int ret;

	ret = udf_module_read(path, &data, &len, p->err);
	if (ret)
		return ret;
	ret = udf_elf_parse(data, len, path, &elf, p->err);
	if (ret)
		goto free_data;
	if (udf_elf_modinfo(elf, "name", 0))
		snprintf(name, sizeof(name), "%s", udf_elf_modinfo(elf, "name", 0));
	else
		name_from_path(path, name, sizeof(name));
	if (is_open(p, name))
		goto free_elf;
	ret = enter(p, name);
	if (ret)
		goto free_elf;
	visit_softdeps(p, elf, false);
	ret = visit_depends(p, elf, path);
	p->depth--;
	if (!ret)
		ret = add(p, name, path, false);
	if (!ret)
		ret = add_target(p, name);
	if (!ret)
		visit_softdeps(p, elf, true);
free_elf:
	udf_elf_free(elf);
free_data:
	free(data);
	return ret;
}

bool udf_is_module_path(const char *what)
{
	const char *suffix = strstr(what, ".ko");

	return strchr(what, '/') || (suffix && (!suffix[3] || suffix[3] == '.'));
}

static int plan_name(struct planner *p, const char *what)
{
	int ret;

	if (!p->loader->kmod)
		return udf_error_set(p->err, -ENOENT, "%s: there is no modules directory to look it up in", what);
	ret = visit_lookup(p, what, true);
	if (ret)
		return ret < 0 ? ret : 0;
	if (strchr(what, ':'))
		return udf_error_set(p->err, -ENOENT, "%s: no module of %s has an alias that matches", what,
				     kmod_get_dirname(p->loader->kmod));
	return udf_error_set(p->err, -ENOENT, "%s: no such module in %s", what, kmod_get_dirname(p->loader->kmod));
}

int udf_loader_plan(struct udf_loader *loader, const char *what, struct udf_plan *plan, struct udf_error *err)
{
	struct planner p = { .loader = loader, .plan = plan, .err = err };
	int ret;

	*plan = (struct udf_plan){ 0 };
	ret = udf_is_module_path(what) ? visit_file(&p, what) : plan_name(&p, what);
	if (ret)
		udf_plan_free(plan);
	return ret;
}

void udf_plan_free(struct udf_plan *plan)
{
	truncate_plan(plan, 0);
	while (plan->nr_targets)
		free(plan->target[--plan->nr_targets]);
	free(plan->target);
	free(plan->entry);
	*plan = (struct udf_plan){ 0 };
}
