// SPDX-License-Identifier: GPL-2.0
/*
 * Would a module load; see check.h. Host world.
 *
 * Each file is examined once, for most drivers share what they depend on: its findings are kept, its exports stay in the loader's
 * table, its contents go. Only the exports of a module's own dependencies count when its imports are looked up.
 */
#include "loader/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/elf.h"
#include "loader/internal.h"

struct checker_set {
	struct udf_loader *loader;
	struct checker_set *next;
};

struct udf_checker {
	struct udf_kernel kernel;
	const char *modules_dir;
	bool instructions;
	struct checker_set *set;	/* all; a file gets one of its own, for its name may be a stock module's */
	struct checker_set *shared;	/* for modules that are asked for by name */
	struct udf_check **check;	/* findings, in the order of examination */
	unsigned int nr, room;
};

static const char *const verdict_names[UDF_VERDICT_COUNT] = {
	"ok", "not found", "broken file", "wrong kernel", "missing symbols", "CRC mismatch", "refused", "dependency fails",
};

const char *udf_verdict_name(enum udf_verdict verdict)
{
	return verdict < UDF_VERDICT_COUNT ? verdict_names[verdict] : "?";
}

static int add_set(struct udf_checker *checker, struct checker_set **out, struct udf_error *err)
{
	struct checker_set *set = calloc(1, sizeof(*set));
	int ret;

	if (!set)
		return udf_error_set(err, -ENOMEM, "out of memory");
	ret = udf_loader_new_kernel(&checker->kernel, checker->modules_dir, &set->loader, err);
	if (ret) {
		free(set);
		return ret;
	}
	set->loader->plan_open = true;
	set->next = checker->set;
	checker->set = *out = set;
	return 0;
}

int udf_checker_new(const struct udf_kernel *kernel, const char *modules_dir, bool instructions, struct udf_checker **out,
		    struct udf_error *err)
{
	struct udf_checker *checker = calloc(1, sizeof(*checker));
	int ret;

	if (!checker)
		return udf_error_set(err, -ENOMEM, "out of memory");
	checker->kernel = *kernel;
	checker->modules_dir = modules_dir;
	checker->instructions = instructions;
	ret = add_set(checker, &checker->shared, err);
	if (ret)
		free(checker);
	else
		*out = checker;
	return ret;
}

static void free_check(struct udf_check *c)
{
	unsigned int i;

	for (i = 0; i < c->nr_dependencies; i++)
		free(c->dependency[i].name);
	for (i = 0; i < c->nr_complaints; i++) {
		free(c->complaint[i].symbol);
		free(c->complaint[i].source);
	}
	for (i = 0; i < c->nr_insns; i++)
		free(c->insn[i].function);
	for (i = 0; i < c->nr_unsupported; i++)
		free(c->unsupported[i]);
	free(c->unsupported);
	free(c->dependency);
	free(c->complaint);
	free(c->insn);
	free(c->name);
	free(c->path);
	free(c->text);
	free(c);
}

void udf_checker_free(struct udf_checker *checker)
{
	if (!checker)
		return;
	while (checker->set) {
		struct checker_set *set = checker->set;

		checker->set = set->next;
		udf_loader_free(set->loader);
		free(set);
	}
	while (checker->nr)
		free_check(checker->check[--checker->nr]);
	free(checker->check);
	free(checker);
}

/* A new, empty finding that CHECKER keeps. NULL: out of memory. */
static struct udf_check *new_check(struct udf_checker *checker, const char *name, const char *path)
{
	struct udf_check *c;

	if (checker->nr == checker->room) {
		struct udf_check **list = realloc(checker->check, (checker->room + 256) * sizeof(*list));

		if (!list)
			return NULL;
		checker->check = list;
		checker->room += 256;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->name = strdup(name);
	c->path = strdup(path);
	c->text = strdup("");
	if (!c->name || !c->path || !c->text) {
		free_check(c);
		return NULL;
	}
	checker->check[checker->nr++] = c;
	return c;
}

static int set_verdict(struct udf_check *c, enum udf_verdict verdict, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(c->text);
	c->text = copy;
	c->verdict = verdict;
	return 0;
}

static int complain(struct udf_check *c, const struct loader_import *import)
{
	static const enum udf_complaint_kind kinds[] = {
		[IMPORT_MISSING] = UDF_COMPLAINT_MISSING, [IMPORT_CRC] = UDF_COMPLAINT_CRC,
		[IMPORT_LICENCE] = UDF_COMPLAINT_LICENCE, [IMPORT_NAMESPACE] = UDF_COMPLAINT_NAMESPACE,
	};
	struct udf_complaint *list = realloc(c->complaint, (c->nr_complaints + 1) * sizeof(*list));

	if (!list)
		return -ENOMEM;
	c->complaint = list;
	list += c->nr_complaints++;
	*list = (struct udf_complaint){
		.kind = kinds[import->flaw], .symbol = strdup(import->name),
		.source = strdup(import->export ? import->export->mod->host.name : ""),
		.want_crc = import->want_crc, .have_crc = import->have_crc,
	};
	return list->symbol && list->source ? 0 : -ENOMEM;
}

static int note_unsupported(struct udf_check *c, const char *name)
{
	char **list = realloc(c->unsupported, (c->nr_unsupported + 1) * sizeof(*list));

	if (!list)
		return -ENOMEM;
	c->unsupported = list;
	list[c->nr_unsupported] = strdup(name);
	return list[c->nr_unsupported++] ? 0 : -ENOMEM;
}

static int count_imports(struct udf_check *c, const struct udf_module *mod)
{
	unsigned int i;

	for (i = 0; i < mod->nr_imports; i++) {
		const struct loader_import *import = &mod->import[i];

		if (import->flaw && complain(c, import))
			return -ENOMEM;
		if (import->unsupported && note_unsupported(c, import->name))
			return -ENOMEM;
		if (import->version_only || import->flaw == IMPORT_MISSING)
			continue;
		c->from_modules += import->from == IMPORT_MODULE;
		c->from_kapi += import->from == IMPORT_KAPI;
		c->from_image += import->from == IMPORT_IMAGE;
	}
	return 0;
}

static int judge_module(struct udf_check *c, const struct udf_loader *loader, const struct udf_module *mod)
{
	struct udf_error err = UDF_ERROR_INIT;
	unsigned int i;

	if (count_imports(c, mod))
		return -ENOMEM;
	if (udf_loader_check_vermagic(loader, mod, &err))
		return set_verdict(c, UDF_VERDICT_WRONG_KERNEL, err.text);
	if (!udf_imports_check(mod, &err))
		return 0;
	for (i = 0; i < c->nr_complaints; i++)		/* in the order in which udf_imports_check() speaks */
		if (c->complaint[i].kind == UDF_COMPLAINT_MISSING)
			return set_verdict(c, UDF_VERDICT_MISSING, err.text);
	for (i = 0; i < c->nr_complaints; i++)
		if (c->complaint[i].kind == UDF_COMPLAINT_CRC)
			return set_verdict(c, UDF_VERDICT_CRC, err.text);
	return set_verdict(c, UDF_VERDICT_REFUSED, err.text);
}

struct insn_list {
	struct udf_check *check;
	unsigned int room;
	bool failed;
};

static void note_insn(void *ctx, const struct udf_insn *insn)
{
	struct insn_list *l = ctx;
	struct udf_check *c = l->check;
	struct udf_check_insn *entry;

	if (c->nr_insns == l->room) {
		entry = realloc(c->insn, (l->room * 2 + 16) * sizeof(*entry));
		if (!entry) {
			l->failed = true;
			return;
		}
		c->insn = entry;
		l->room = l->room * 2 + 16;
	}
	entry = &c->insn[c->nr_insns];
	*entry = (struct udf_check_insn){ insn->name, insn->handled, strdup(insn->function), insn->offset };
	if (entry->function)
		c->nr_insns++;
	else
		l->failed = true;
}

static int note_insns(struct udf_check *c, const struct udf_module *mod)
{
	struct insn_list list = { .check = c };

	if (udf_insns_scan(mod->elf, note_insn, &list) || list.failed)
		return -ENOMEM;
	return 0;
}

/* The finding for PATH in this set, made now if it is the first time. */
static int examine(struct udf_checker *checker, struct udf_loader *loader, const struct udf_plan_entry *entry,
		   struct udf_check **out)
{
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_module *mod = udf_loader_find(loader, entry->name);
	struct udf_check *c;

	if (mod) {
		mod->hidden = false;
		*out = mod->check;
		return 0;
	}
	c = *out = new_check(checker, entry->name, entry->path);
	if (!c)
		return -ENOMEM;
	if (udf_loader_examine(loader, entry->path, NULL, &mod, &err))
		return err.code == -ENOMEM ? -ENOMEM : set_verdict(c, err.code == -ENOENT ? UDF_VERDICT_NOT_FOUND : UDF_VERDICT_BROKEN,
								   err.text);
	mod->check = c;
	udf_exports_add(loader, mod);
	if (judge_module(c, loader, mod) || (checker->instructions && note_insns(c, mod)))
		return -ENOMEM;
	udf_module_drop_file(mod);
	return 0;
}

static int add_dependency(struct udf_check *c, const struct udf_check *dep, bool soft)
{
	struct udf_dependency *list = realloc(c->dependency, (c->nr_dependencies + 1) * sizeof(*list));

	if (!list)
		return -ENOMEM;
	c->dependency = list;
	list += c->nr_dependencies;
	*list = (struct udf_dependency){ strdup(dep->name), soft, dep->verdict };
	if (!list->name)
		return -ENOMEM;
	c->nr_dependencies++;
	return 0;
}

/* C comes last in PLAN; FOUND are the findings for the plan's entries before it. */
static int add_dependencies(struct udf_check *c, const struct udf_plan *plan, struct udf_check *const *found)
{
	const struct udf_check *failed = NULL;
	unsigned int i;
	char text[700];

	if (c->nr_dependencies)		/* asked for twice */
		return 0;
	for (i = 0; i < plan->nr; i++) {
		if (found[i] == c)
			continue;
		if (add_dependency(c, found[i], plan->entry[i].soft))
			return -ENOMEM;
		if (found[i]->verdict && !plan->entry[i].soft && !failed)
			failed = found[i];
	}
	/* A missing symbol is explained by the dependency that should have had it. */
	if (!failed || (c->verdict && c->verdict != UDF_VERDICT_MISSING))
		return 0;
	snprintf(text, sizeof(text), "%s: needs %s: %s", c->name, failed->name, failed->text);
	return set_verdict(c, UDF_VERDICT_DEPENDENCY, text);
}

/* All of what stands in PLAN, for the one module that it was made for. */
static int run_plan(struct udf_checker *checker, struct udf_loader *loader, const struct udf_plan *plan, const char *name,
		    struct udf_check **out)
{
	struct udf_check **found = calloc(plan->nr, sizeof(*found));
	unsigned int i;
	int ret = 0;

	if (!found)
		return -ENOMEM;
	for (i = 0; i < loader->nr_mods; i++)
		loader->mod[i]->hidden = true;
	*out = NULL;
	for (i = 0; i < plan->nr && !ret; i++) {
		ret = examine(checker, loader, &plan->entry[i], &found[i]);
		if (udf_module_name_equal(plan->entry[i].name, name))
			*out = found[i];
	}
	if (!ret && *out)
		ret = add_dependencies(*out, plan, found);
	free(found);
	return ret;
}

static int report_failure(struct udf_checker *checker, const char *what, const struct udf_error *why,
			  void (*report)(void *ctx, const struct udf_check *check), void *ctx)
{
	struct udf_check *c = new_check(checker, what, "");

	if (!c || set_verdict(c, why->code == -ENOEXEC || why->code == -EBADMSG ? UDF_VERDICT_BROKEN : UDF_VERDICT_NOT_FOUND, why->text))
		return -ENOMEM;
	report(ctx, c);
	return 0;
}

/* One module that WHAT, its name or path, stands for. */
static int run_one(struct udf_checker *checker, struct udf_loader *loader, const char *what, const char *name,
		   void (*report)(void *ctx, const struct udf_check *check), void *ctx)
{
	struct udf_error why = UDF_ERROR_INIT;
	struct udf_check *c = NULL;
	struct udf_plan plan;
	int ret;

	ret = udf_loader_plan(loader, what, &plan, &why);
	if (ret)
		return report_failure(checker, what, &why, report, ctx);
	ret = run_plan(checker, loader, &plan, name, &c);
	if (!ret && c)
		report(ctx, c);
	udf_plan_free(&plan);
	return ret;
}

static int report_builtin(struct udf_checker *checker, const char *what,
			  void (*report)(void *ctx, const struct udf_check *check), void *ctx)
{
	struct udf_check *c = new_check(checker, what, "");

	if (!c || set_verdict(c, UDF_VERDICT_OK, "part of the kernel image"))
		return -ENOMEM;
	report(ctx, c);
	return 0;
}

int udf_checker_run(struct udf_checker *checker, const char *what, void (*report)(void *ctx, const struct udf_check *check),
		    void *ctx, struct udf_error *err)
{
	struct udf_error why = UDF_ERROR_INIT;
	struct checker_set *set = checker->shared;
	bool file = udf_is_module_path(what);
	struct udf_plan plan;
	unsigned int i;
	int ret = 0;

	if (file && add_set(checker, &set, err))
		return err->code;
	if (udf_loader_plan(set->loader, what, &plan, &why))
		ret = report_failure(checker, what, &why, report, ctx);
	else if (!plan.nr)
		ret = report_builtin(checker, what, report, ctx);
	for (i = 0; i < plan.nr_targets && !ret; i++)
		ret = run_one(checker, set->loader, file ? what : plan.target[i], plan.target[i], report, ctx);
	udf_plan_free(&plan);
	return ret ? udf_error_set(err, ret, "out of memory") : 0;
}

const struct udf_check *const *udf_checker_findings(const struct udf_checker *checker, unsigned int *n)
{
	*n = checker->nr;
	return (const struct udf_check *const *)checker->check;
}

unsigned int udf_checker_examined(const struct udf_checker *checker)
{
	const struct checker_set *set;
	unsigned int n = 0;

	for (set = checker->set; set; set = set->next)
		n += set->loader->nr_mods;
	return n;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "alias pci:v0000... module" */
static char *pci_module(char *line)
{
	char *save, *word = strtok_r(line, " \n", &save);

	if (!word || strcmp(word, "alias"))
		return NULL;
	word = strtok_r(NULL, " \n", &save);
	if (!word || strncmp(word, "pci:", 4))
		return NULL;
	return strtok_r(NULL, " \n", &save);
}

static int read_aliases(FILE *f, char ***names)
{
	char **list = NULL, *line = NULL, *name;
	unsigned int n = 0, kept = 0, i;
	size_t room = 0;

	while (getline(&line, &room, f) >= 0) {
		name = pci_module(line);
		if (!name || (n && !strcmp(list[n - 1], name)))	/* a driver's aliases stand together */
			continue;
		if (!(n % 1024)) {
			char **bigger = realloc(list, (n + 1024) * sizeof(*list));

			if (!bigger)
				break;
			list = bigger;
		}
		list[n] = strdup(name);
		if (!list[n])
			break;
		n++;
	}
	free(line);
	qsort(list, n, sizeof(*list), by_text);
	for (i = 0; i < n; i++) {
		if (kept && !strcmp(list[kept - 1], list[i]))
			free(list[i]);
		else
			list[kept++] = list[i];
	}
	*names = list;
	return kept;
}

int udf_check_pci_modules(const char *modules_dir, char ***names, struct udf_error *err)
{
	char path[4096];
	FILE *f;
	int ret;

	snprintf(path, sizeof(path), "%s/modules.alias", modules_dir);
	f = fopen(path, "re");
	if (!f)
		return udf_error_set(err, -errno, "%s: %s; 'depmod' makes it", path, strerror(errno));
	ret = read_aliases(f, names);
	fclose(f);
	return ret;
}
