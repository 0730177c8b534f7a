// SPDX-License-Identifier: GPL-2.0
/* udf check: would a module load, where do its symbols come from, what is missing. Host world. */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/progress.h"
#include "common/strbuf.h"
#include "common/table.h"
#include "image/image.h"
#include "loader/check.h"

CLI_SUMMARY(check, "tell whether modules would load, and what they need");

static const char help[] =
	"Usage: udf check [OPTION...] MODULE|FILE...\n"
	"       udf check [OPTION...] --all\n"
	"\n"
	"Checks modules against the kernel image without running anything: what they depend on, where their\n"
	"symbols come from (other modules, UDF's replacements, the kernel image), what is missing or has\n"
	"another CRC, which instructions they hold that an ordinary process may not execute, and which\n"
	"functions they import that UDF does not support: a call of one stops the driver, with a trace.\n"
	"A MODULE is a name or a modalias; anything with a '/' or ending in .ko, .ko.xz, ... is a FILE.\n"
	"\n"
	"  --all           every stock module for a PCI device\n"
	"  --instructions  with --all: look for privileged instructions too (slower)\n"
	"  --verbose       name each function with a privileged instruction, and each dependency\n"
	"  --json          print JSON\n"
	"\n"
	"  --image FILE    a vmlinuz (default: found in /boot, or below build/kernel/root)\n"
	"  --release R     kernel release (default: the newest 6.1)\n"
	"  --modules DIR   directory of modules.dep (default: the release's own)\n"
	"  --kapi FILE     UDF's kernel-world object (default: the one for the release, if there is one)\n"
	"  --cache DIR     where prepared images are kept\n"
	"\n"
	"Exit status: 0 all would load, 1 some would not, 2 wrong usage.\n";

struct args {
	struct udf_image_options image;
	const char *modules;
	bool all, instructions, verbose, json;
	char **name;
	int nr_names;
};

/* What is summed up while modules are reported. */
struct totals {
	const struct args *args;
	unsigned int modules, verdict[UDF_VERDICT_COUNT], unsupported;
	uint64_t from_modules, from_kapi, from_image, missing, crc, trapped, privileged;
	char **pci;			/* --all: their names, ascending */
	int nr_pci;
	struct json_object *array;	/* --json */
	struct udf_table *table;	/* --all */
};

static unsigned int count_complaints(const struct udf_check *c, enum udf_complaint_kind kind)
{
	unsigned int i, n = 0;

	for (i = 0; i < c->nr_complaints; i++)
		n += c->complaint[i].kind == kind;
	return n;
}

static unsigned int count_insns(const struct udf_check *c, bool handled)
{
	unsigned int i, n = 0;

	for (i = 0; i < c->nr_insns; i++)
		n += c->insn[i].handled == handled;
	return n;
}

static void add_up(struct totals *t, const struct udf_check *c)
{
	t->modules++;
	t->verdict[c->verdict]++;
	t->unsupported += c->nr_unsupported > 0;
	t->from_modules += c->from_modules;
	t->from_kapi += c->from_kapi;
	t->from_image += c->from_image;
	t->missing += count_complaints(c, UDF_COMPLAINT_MISSING);
	t->crc += count_complaints(c, UDF_COMPLAINT_CRC);
	t->trapped += count_insns(c, true);
	t->privileged += count_insns(c, false);
}

/* One module, for people. */

static void print_dependencies(const struct udf_check *c, bool verbose)
{
	unsigned int i, shown = 0;

	if (!c->nr_dependencies)
		return;
	printf("  depends on  ");
	for (i = 0; i < c->nr_dependencies; i++) {
		const struct udf_dependency *d = &c->dependency[i];

		if (d->soft && !verbose && !d->verdict)
			continue;
		printf("%s%s%s", shown++ ? ", " : "", d->name, d->soft ? " (soft)" : "");
		if (d->verdict)
			printf(" (%s)", udf_verdict_name(d->verdict));
	}
	printf("%s\n", shown ? "" : "nothing");
}

static void print_complaints(const struct udf_check *c)
{
	static const char *const labels[] = {
		[UDF_COMPLAINT_MISSING] = "missing", [UDF_COMPLAINT_CRC] = "CRC", [UDF_COMPLAINT_LICENCE] = "GPL only",
		[UDF_COMPLAINT_NAMESPACE] = "name space",
	};
	unsigned int i;

	for (i = 0; i < c->nr_complaints; i++) {
		const struct udf_complaint *p = &c->complaint[i];

		printf("  %-10s  %s", labels[p->kind], p->symbol);
		if (p->kind == UDF_COMPLAINT_CRC)
			printf(": wants %#010" PRIx32 ", %s has %#010" PRIx32, p->want_crc, p->source[0] ? p->source : "image", p->have_crc);
		printf("\n");
	}
}

/* "2 in, 1 out (port I/O, trapped); 1 rdmsr": kinds in the order of their first occurrence. */
static void add_kinds(struct udf_strbuf *sb, const struct udf_check *c, bool handled)
{
	unsigned int i, j, n, kinds = 0;

	for (i = 0; i < c->nr_insns; i++) {
		if (c->insn[i].handled != handled)
			continue;
		for (j = 0; j < i && c->insn[j].name != c->insn[i].name; j++)
			;
		if (j < i)
			continue;
		for (n = 0; j < c->nr_insns; j++)
			n += c->insn[j].name == c->insn[i].name;
		udf_strbuf_addf(sb, "%s%u %s", kinds++ ? ", " : sb->len ? "; " : "", n, c->insn[i].name);
	}
	if (handled && kinds)
		udf_strbuf_add(sb, " (port I/O, trapped)");
}

static void print_insns(const struct udf_check *c, bool verbose)
{
	struct udf_strbuf sb = UDF_STRBUF_INIT;
	unsigned int i;

	add_kinds(&sb, c, true);
	add_kinds(&sb, c, false);
	printf("  privileged  %s\n", c->nr_insns ? udf_strbuf_str(&sb) : "none");
	udf_strbuf_free(&sb);
	for (i = 0; verbose && i < c->nr_insns; i++)
		printf("              %-8s %s+%#" PRIx64 "\n", c->insn[i].name, c->insn[i].function, c->insn[i].offset);
}

/* "remap_pfn_range, vm_insert_page" behind BEFORE; "" when there is none. To be freed. */
static char *unsupported_text(const struct udf_check *c, const char *before)
{
	struct udf_strbuf sb = UDF_STRBUF_INIT;
	unsigned int i;

	udf_strbuf_add(&sb, c->nr_unsupported ? before : "");
	for (i = 0; i < c->nr_unsupported; i++)
		udf_strbuf_addf(&sb, "%s%s", i ? ", " : "", c->unsupported[i]);
	return udf_strbuf_detach(&sb);
}

static void print_module(const struct totals *t, const struct udf_check *c)
{
	printf("%s%s\n", t->modules > 1 ? "\n" : "", c->name);
	if (c->path[0])
		printf("  file        %s\n", c->path);
	print_dependencies(c, t->args->verbose);
	if (c->path[0] && c->verdict != UDF_VERDICT_BROKEN && c->verdict != UDF_VERDICT_NOT_FOUND) {
		printf("  symbols     %u from modules, %u from kapi, %u from the image\n", c->from_modules, c->from_kapi, c->from_image);
		print_complaints(c);
		print_insns(c, t->args->verbose);
		if (c->nr_unsupported) {
			char *text = unsupported_text(c, "");

			printf("  stops in    %s\n", text ? text : "");
			free(text);
		}
	}
	printf("  verdict     %s%s%s\n", udf_verdict_name(c->verdict), c->text[0] ? ": " : "", c->text);
}

/* --json */

static void add_string(struct json_object *to, const char *key, const char *value)
{
	json_object_object_add(to, key, json_object_new_string(value));
}

static void add_number(struct json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_int64((int64_t)value));
}

static void add_bool(struct json_object *to, const char *key, bool value)
{
	json_object_object_add(to, key, json_object_new_boolean(value));
}

static struct json_object *dependencies_json(const struct udf_check *c)
{
	struct json_object *array = json_object_new_array();
	unsigned int i;

	for (i = 0; i < c->nr_dependencies; i++) {
		struct json_object *o = json_object_new_object();

		add_string(o, "name", c->dependency[i].name);
		add_bool(o, "soft", c->dependency[i].soft);
		add_string(o, "verdict", udf_verdict_name(c->dependency[i].verdict));
		json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *complaints_json(const struct udf_check *c)
{
	static const char *const kinds[] = { "missing", "crc", "gpl-only", "namespace" };
	struct json_object *array = json_object_new_array();
	unsigned int i;

	for (i = 0; i < c->nr_complaints; i++) {
		const struct udf_complaint *p = &c->complaint[i];
		struct json_object *o = json_object_new_object();

		add_string(o, "kind", kinds[p->kind]);
		add_string(o, "symbol", p->symbol);
		if (p->source[0])
			add_string(o, "module", p->source);
		if (p->kind == UDF_COMPLAINT_CRC) {
			add_number(o, "want_crc", p->want_crc);
			add_number(o, "have_crc", p->have_crc);
		}
		json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *insns_json(const struct udf_check *c)
{
	struct json_object *array = json_object_new_array();
	unsigned int i;

	for (i = 0; i < c->nr_insns; i++) {
		struct json_object *o = json_object_new_object();

		add_string(o, "instruction", c->insn[i].name);
		add_bool(o, "trapped", c->insn[i].handled);
		add_string(o, "function", c->insn[i].function);
		add_number(o, "offset", c->insn[i].offset);
		json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *unsupported_json(const struct udf_check *c)
{
	struct json_object *array = json_object_new_array();
	unsigned int i;

	for (i = 0; i < c->nr_unsupported; i++)
		json_object_array_add(array, json_object_new_string(c->unsupported[i]));
	return array;
}

static void add_module_json(struct totals *t, const struct udf_check *c)
{
	struct json_object *o = json_object_new_object(), *symbols = json_object_new_object();

	add_string(o, "name", c->name);
	if (c->path[0])
		add_string(o, "file", c->path);
	add_string(o, "verdict", udf_verdict_name(c->verdict));
	if (c->text[0])
		add_string(o, "text", c->text);
	json_object_object_add(o, "dependencies", dependencies_json(c));
	add_number(symbols, "modules", c->from_modules);
	add_number(symbols, "kapi", c->from_kapi);
	add_number(symbols, "image", c->from_image);
	json_object_object_add(o, "symbols", symbols);
	json_object_object_add(o, "complaints", complaints_json(c));
	json_object_object_add(o, "unsupported", unsupported_json(c));
	if (!t->args->all || t->args->instructions)
		json_object_object_add(o, "privileged", insns_json(c));
	json_object_array_add(t->array, o);
}

static void print_json(struct totals *t, const struct udf_image *image, unsigned int examined)
{
	struct json_object *o = json_object_new_object(), *sum = json_object_new_object();

	add_string(o, "release", udf_image_release(image));
	add_number(o, "replaced_functions", udf_image_replacements(image, &(const struct udf_replacement *){ NULL }));
	json_object_object_add(o, "modules", t->array);
	add_number(sum, "modules", t->modules);
	add_number(sum, "ok", t->verdict[UDF_VERDICT_OK]);
	add_number(sum, "failed", t->modules - t->verdict[UDF_VERDICT_OK]);
	add_number(sum, "examined", examined);
	add_number(sum, "from_modules", t->from_modules);
	add_number(sum, "from_kapi", t->from_kapi);
	add_number(sum, "from_image", t->from_image);
	add_number(sum, "missing", t->missing);
	add_number(sum, "crc_mismatches", t->crc);
	add_number(sum, "with_unsupported", t->unsupported);
	json_object_object_add(o, "totals", sum);
	printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
	t->array = NULL;
}

/* --all */

static void add_row(struct totals *t, const struct udf_check *c)
{
	char *text;

	udf_table_cell(t->table, "%s", c->name);
	udf_table_cell(t->table, "%u", c->nr_dependencies);
	udf_table_cell(t->table, "%u", c->from_modules);
	udf_table_cell(t->table, "%u", c->from_kapi);
	udf_table_cell(t->table, "%u", c->from_image);
	udf_table_cell(t->table, "%u", count_complaints(c, UDF_COMPLAINT_MISSING));
	udf_table_cell(t->table, "%u", count_complaints(c, UDF_COMPLAINT_CRC));
	if (t->args->instructions) {
		udf_table_cell(t->table, "%u", count_insns(c, true));
		udf_table_cell(t->table, "%u", count_insns(c, false));
	}
	text = unsupported_text(c, "; stops in ");
	udf_table_cell(t->table, "%s%s%s%s", udf_verdict_name(c->verdict), c->text[0] ? ": " : "", c->text, text ? text : "");
	free(text);
}

static bool is_pci_module(const struct totals *t, const char *name)
{
	int i;

	for (i = 0; i < t->nr_pci; i++)
		if (!strcmp(t->pci[i], name))
			return true;
	return false;
}

/* Modules that others depend on have no row of their own. */
static void print_unsupported_below(const struct totals *t, const struct udf_checker *checker)
{
	const struct udf_check *const *c;
	unsigned int i, n, shown = 0;

	c = udf_checker_findings(checker, &n);
	for (i = 0; i < n; i++) {
		char *text;

		if (!c[i]->nr_unsupported || is_pci_module(t, c[i]->name))
			continue;
		text = unsupported_text(c[i], "");
		printf("%s%s (%s)", shown++ ? ", " : "so do these, which others depend on: ", c[i]->name, text ? text : "");
		free(text);
	}
	if (shown)
		printf("\n");
}

static void print_totals(const struct totals *t, unsigned int examined)
{
	unsigned int i;

	printf("\n%u PCI modules of the release, %u with what they depend on: %u ok", t->modules, examined, t->verdict[UDF_VERDICT_OK]);
	for (i = UDF_VERDICT_OK + 1; i < UDF_VERDICT_COUNT; i++)
		if (t->verdict[i])
			printf(", %u %s", t->verdict[i], udf_verdict_name(i));
	printf("\nimported symbols: %" PRIu64 " from modules, %" PRIu64 " from kapi, %" PRIu64 " from the image; %" PRIu64 " missing, %"
	       PRIu64 " with another CRC\n", t->from_modules, t->from_kapi, t->from_image, t->missing, t->crc);
	printf("%u import functions that stop the driver if they are ever called: UDF does not support them (udf image show)\n",
	       t->unsupported);
	if (t->args->instructions)
		printf("privileged instructions: %" PRIu64 " of port I/O (trapped), %" PRIu64 " others\n", t->trapped, t->privileged);
}

static void report(void *ctx, const struct udf_check *c)
{
	struct totals *t = ctx;

	add_up(t, c);
	if (t->array)
		add_module_json(t, c);
	else if (t->table)
		add_row(t, c);
	else
		print_module(t, c);
}

static int check_all(struct udf_checker *checker, const char *modules_dir, struct totals *t, struct udf_error *err)
{
	struct udf_progress *line = udf_progress_start("checking modules");
	int i, n, ret = 0;

	n = t->nr_pci = udf_check_pci_modules(modules_dir, &t->pci, err);
	for (i = 0; i < n && !ret; i++) {
		udf_progress_update(line, t->pci[i], (unsigned int)(i * 100 / n));
		ret = udf_checker_run(checker, t->pci[i], report, t, err);
	}
	udf_progress_end(line);
	if (n < 0) {
		t->nr_pci = 0;
		return n;
	}
	return ret;
}

static struct udf_table *new_table(const struct args *args)
{
	if (args->instructions)
		return udf_table_new("MODULE", ">DEPENDS", ">MODULES", ">KAPI", ">IMAGE", ">MISSING", ">CRC", ">I/O", ">PRIVILEGED",
				     "VERDICT", NULL);
	return udf_table_new("MODULE", ">DEPENDS", ">MODULES", ">KAPI", ">IMAGE", ">MISSING", ">CRC", "VERDICT", NULL);
}

static int run(const struct args *args, const struct udf_image *image, const char *modules_dir, struct udf_error *err)
{
	const struct udf_kernel kernel = udf_kernel_of_image(image);
	struct totals t = { .args = args };
	struct udf_checker *checker;
	int ret, i;

	ret = udf_checker_new(&kernel, modules_dir, !args->all || args->instructions, &checker, err);
	if (ret)
		return ret;
	if (args->json)
		t.array = json_object_new_array();
	else if (args->all)
		t.table = new_table(args);
	if (args->all)
		ret = check_all(checker, modules_dir, &t, err);
	for (i = 0; i < args->nr_names && !ret; i++)
		ret = udf_checker_run(checker, args->name[i], report, &t, err);
	if (!ret && t.array)
		print_json(&t, image, udf_checker_examined(checker));
	if (!ret && t.table && !udf_table_print(t.table, stdout)) {
		print_totals(&t, udf_checker_examined(checker));
		print_unsupported_below(&t, checker);
	}
	while (t.nr_pci)
		free(t.pci[--t.nr_pci]);
	free(t.pci);
	udf_table_free(t.table);
	json_object_put(t.array);
	udf_checker_free(checker);
	return ret ? ret : t.verdict[UDF_VERDICT_OK] < t.modules;
}

/* Without a kapi object modules can be checked all the same: then nothing is replaced. */
static int open_image(const struct args *args, struct udf_image **image, struct udf_error *err)
{
	struct udf_progress *line = udf_progress_start("preparing the kernel image");
	struct udf_image_options opts = args->image;
	struct udf_error first = UDF_ERROR_INIT;
	int ret;

	opts.progress = udf_progress_update;
	opts.progress_ctx = line;
	ret = udf_image_open(&opts, image, &first);
	if (ret == -ENOENT && !opts.kapi) {
		opts.kapi = "";
		ret = udf_image_open(&opts, image, err);
	} else if (ret) {
		*err = first;
	}
	udf_progress_end(line);
	return ret;
}

static int check(const struct args *args)
{
	char vmlinuz[PATH_MAX], modules[PATH_MAX], release[128];
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_image *image;
	int ret;

	if (open_image(args, &image, &err))
		return cli_fail(&err);
	if (args->modules)
		snprintf(modules, sizeof(modules), "%s", args->modules);
	else if (udf_image_find(udf_image_release(image), vmlinuz, sizeof(vmlinuz), modules, sizeof(modules), release, sizeof(release),
				&err)) {
		udf_image_close(image);
		return cli_fail(&err);
	}
	ret = run(args, image, modules, &err);
	udf_image_close(image);
	if (ret < 0)
		return cli_fail(&err);
	return ret ? CLI_FAILED : CLI_OK;
}

/* Parse the options. Returns CLI_OK, CLI_USAGE, or -1 when help was printed. */
static int parse(int argc, char **argv, struct args *args)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' }, { "instructions", no_argument, NULL, 'I' }, { "verbose", no_argument, NULL, 'v' },
		{ "json", no_argument, NULL, 'j' }, { "image", required_argument, NULL, 'i' },
		{ "release", required_argument, NULL, 'r' }, { "modules", required_argument, NULL, 'm' },
		{ "kapi", required_argument, NULL, 'k' }, { "cache", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "hv", options, NULL)) != -1) {
		switch (c) {
		case 'a': args->all = true; break;
		case 'I': args->instructions = true; break;
		case 'v': args->verbose = true; break;
		case 'j': args->json = true; break;
		case 'i': args->image.vmlinuz = optarg; break;
		case 'r': args->image.release = optarg; break;
		case 'm': args->modules = optarg; break;
		case 'k': args->image.kapi = optarg; break;
		case 'c': args->image.cache_dir = optarg; break;
		case 'h':
			fputs(help, stdout);
			return -1;
		default:
			return CLI_USAGE;
		}
	}
	args->name = argv + optind;
	args->nr_names = argc - optind;
	return CLI_OK;
}

int cmd_check(int argc, char **argv)
{
	struct args args = { 0 };
	int ret = parse(argc, argv, &args);

	if (ret)
		return ret < 0 ? CLI_OK : ret;
	if (args.all && args.nr_names)
		return cli_usage("check", "--all takes no module");
	if (!args.all && !args.nr_names)
		return cli_usage("check", "name a module or a file, or --all");
	return check(&args);
}
