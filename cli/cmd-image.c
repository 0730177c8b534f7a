// SPDX-License-Identifier: GPL-2.0
/* udf image: prepare kernel images, list, show, check and remove them. Host world. */
#include "cli.h"

#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/progress.h"
#include "common/table.h"
#include "image/image.h"

CLI_SUMMARY(image, "prepare kernel images, list, show, check and remove them");

static const char help[] =
	"Usage: udf image prepare [--image FILE] [--release R] [--kapi FILE] [--cache DIR] [--force]\n"
	"       udf image list    [--cache DIR] [--json]\n"
	"       udf image show    [--image FILE] [--release R] [--kapi FILE] [--cache DIR] [--json]\n"
	"       udf image verify  [--cache DIR] [FILE...]\n"
	"       udf image remove  [--cache DIR] RELEASE... | --all\n"
	"\n"
	"Stock driver modules run over the kernel image of their own release. It is unpacked from vmlinuz,\n"
	"relocated, linked with UDF's kernel-world object and kept in a cache, once; commands that need it\n"
	"prepare it by themselves.\n"
	"\n"
	"  prepare  prepare an image unless the cache has it; print the file's name\n"
	"  list     what the cache holds\n"
	"  show     release, build id, sizes, and which kernel functions UDF replaces, and why\n"
	"  verify   check every byte of prepared files (all of the cache, or those named)\n"
	"  remove   remove the images of a release; processes that use one keep it\n"
	"\n"
	"  --image FILE   a vmlinuz (default: found in /boot, or below build/kernel/root)\n"
	"  --release R    kernel release (default: the newest 6.1)\n"
	"  --kapi FILE    UDF's kernel-world object (default: the one for the release; \"\": none)\n"
	"  --cache DIR    where prepared images are kept (default: $XDG_CACHE_HOME/udf, /var/cache/udf for root)\n"
	"  --force        prepare even if the cache has it\n"
	"  --all          every release\n"
	"  --json         print JSON\n";

struct args {
	struct udf_image_options image;
	bool force, all, json;
	char **rest;			/* what is not an option */
	int nr_rest;
};

static void print_json(struct json_object *object)
{
	printf("%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

static void add_string(struct json_object *to, const char *key, const char *value)
{
	json_object_object_add(to, key, json_object_new_string(value));
}

static void add_number(struct json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_int64((int64_t)value));
}

static double mib(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

static int prepare(const struct args *args)
{
	struct udf_image_options opts = args->image;
	struct udf_progress *line = udf_progress_start("preparing the kernel image");
	struct udf_error err = UDF_ERROR_INIT;
	char path[1024];
	int ret;

	opts.progress = udf_progress_update;
	opts.progress_ctx = line;
	ret = udf_image_prepare(&opts, args->force, path, sizeof(path), &err);
	udf_progress_end(line);
	if (ret)
		return cli_fail(&err);
	printf("%s\n", path);
	return CLI_OK;
}

static const char *state(const struct udf_image_entry *e)
{
	return e->damaged ? "damaged" : e->outdated ? "outdated" : "ready";
}

static void list_json(const struct udf_image_entry *list, unsigned int n)
{
	struct json_object *array = json_object_new_array();
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct json_object *o = json_object_new_object();

		add_string(o, "file", list[i].path);
		add_string(o, "state", state(&list[i]));
		add_string(o, "release", list[i].release);
		add_string(o, "build_id", list[i].build_id);
		add_number(o, "size", list[i].file_size);
		add_number(o, "disk_size", list[i].disk_size);
		add_number(o, "mtime", (uint64_t)list[i].mtime);
		json_object_array_add(array, o);
	}
	print_json(array);
}

static int list_table(const struct udf_image_entry *list, unsigned int n)
{
	struct udf_table *t = udf_table_new("RELEASE", "STATE", ">MIB", "PREPARED", "FILE", NULL);
	unsigned int i;
	int ret;

	for (i = 0; i < n; i++) {
		time_t mtime = (time_t)list[i].mtime;
		char when[32] = "";
		struct tm tm;

		if (localtime_r(&mtime, &tm))
			strftime(when, sizeof(when), "%F %R", &tm);
		udf_table_cell(t, "%s", list[i].release[0] ? list[i].release : "-");
		udf_table_cell(t, "%s", state(&list[i]));
		udf_table_cell(t, "%.1f", mib(list[i].disk_size));
		udf_table_cell(t, "%s", when);
		udf_table_cell(t, "%s", list[i].path);
	}
	ret = udf_table_print(t, stdout);
	udf_table_free(t);
	return ret ? CLI_FAILED : CLI_OK;
}

static int list(const struct args *args)
{
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_image_entry *entries;
	unsigned int n;
	int ret = CLI_OK;

	if (udf_image_list(args->image.cache_dir, &entries, &n, &err))
		return cli_fail(&err);
	if (args->json)
		list_json(entries, n);
	else
		ret = list_table(entries, n);
	free(entries);
	return ret;
}

static void show_json(const struct udf_image *image, const struct udf_image_info *info)
{
	struct json_object *o = json_object_new_object(), *array = json_object_new_array();
	const struct udf_replacement *r;
	unsigned int i, n = udf_image_replacements(image, &r);

	add_string(o, "release", udf_image_release(image));
	add_string(o, "build_id", udf_image_build_id(image));
	add_string(o, "vermagic", udf_image_vermagic(image));
	add_string(o, "file", info->file);
	add_string(o, "vmlinuz", info->vmlinuz);
	add_string(o, "kapi", info->kapi);
	add_number(o, "disk_size", info->disk_size);
	add_number(o, "text_size", info->text_size);
	add_number(o, "data_size", info->data_size);
	add_number(o, "zero_size", info->zero_size);
	add_number(o, "kapi_size", info->kapi_size);
	add_number(o, "symbols", info->symbols);
	add_number(o, "exports", info->exports);
	add_number(o, "patched_returns", info->returns);
	add_number(o, "patched_retpolines", info->retpolines);
	add_number(o, "patched_fentry", info->fentry);
	add_number(o, "unknown_sites", info->unknown_sites);
	for (i = 0; i < n; i++) {
		struct json_object *f = json_object_new_object();

		add_string(f, "function", r[i].name);
		add_string(f, "path", r[i].path);
		add_string(f, "why", r[i].why);
		json_object_object_add(f, "noop", json_object_new_boolean(r[i].noop));
		json_object_object_add(f, "unsupported", json_object_new_boolean(r[i].unsupported));
		json_object_array_add(array, f);
	}
	json_object_object_add(o, "replaced", array);
	print_json(o);
}

static int show_table(const struct udf_image *image, const struct udf_image_info *info)
{
	const struct udf_replacement *r;
	unsigned int i, n = udf_image_replacements(image, &r);
	struct udf_table *t;
	int ret;

	printf("release    %s\n", udf_image_release(image));
	printf("build id   %s\n", udf_image_build_id(image));
	printf("vermagic   %s\n", udf_image_vermagic(image));
	printf("kernel     %s\n", info->vmlinuz);
	printf("kapi       %s\n", info->kapi[0] ? info->kapi : "none");
	printf("file       %s, %.1f MiB on disk\n", info->file, mib(info->disk_size));
	printf("mapped     text %.1f MiB, data %.1f MiB, zero %.1f MiB, kapi %.1f KiB\n", mib(info->text_size), mib(info->data_size),
	       mib(info->zero_size), (double)info->kapi_size / 1024);
	printf("symbols    %u, of which %u are exported to modules\n", info->symbols, info->exports);
	printf("patched    %u returns, %u indirect branches, %u tracing calls; %u sites left as they are\n", info->returns,
	       info->retpolines, info->fentry, info->unknown_sites);
	printf("\n%u functions of the kernel are replaced:\n", n);
	if (!n)
		return CLI_OK;
	t = udf_table_new("FUNCTION", "KERNEL PATH", "WHY", NULL);
	for (i = 0; i < n; i++) {
		udf_table_cell(t, "%s", r[i].name);
		udf_table_cell(t, "%s", r[i].path);
		udf_table_cell(t, "%s%s", r[i].noop ? "does nothing: " : r[i].unsupported ? "not supported: " : "", r[i].why);
	}
	ret = udf_table_print(t, stdout);
	udf_table_free(t);
	return ret ? CLI_FAILED : CLI_OK;
}

static int show(const struct args *args)
{
	struct udf_image_options opts = args->image;
	struct udf_progress *line = udf_progress_start("preparing the kernel image");
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_image_info info;
	struct udf_image *image;
	int ret;

	opts.progress = udf_progress_update;
	opts.progress_ctx = line;
	ret = udf_image_open(&opts, &image, &err);
	udf_progress_end(line);
	if (ret)
		return cli_fail(&err);
	udf_image_info(image, &info);
	ret = CLI_OK;
	if (args->json)
		show_json(image, &info);
	else
		ret = show_table(image, &info);
	udf_image_close(image);
	return ret;
}

static int verify_file(const char *path)
{
	struct udf_error err = UDF_ERROR_INIT;

	if (udf_image_verify(path, &err))
		return cli_fail(&err);
	printf("%s: good\n", path);
	return CLI_OK;
}

static int verify(const struct args *args)
{
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_image_entry *entries;
	unsigned int i, n;
	int ret = CLI_OK, j;

	for (j = 0; j < args->nr_rest; j++)
		ret |= verify_file(args->rest[j]);
	if (args->nr_rest)
		return ret;
	if (udf_image_list(args->image.cache_dir, &entries, &n, &err))
		return cli_fail(&err);
	for (i = 0; i < n; i++)
		ret |= verify_file(entries[i].path);
	free(entries);
	return ret;
}

static int remove_release(const struct args *args, const char *release)
{
	struct udf_error err = UDF_ERROR_INIT;
	unsigned int n;

	if (udf_image_remove(args->image.cache_dir, release, &n, &err))
		return cli_fail(&err);
	if (!n && release) {
		fprintf(stderr, "udf: the cache has no image of kernel %s\n", release);
		return CLI_FAILED;
	}
	printf("%u removed\n", n);
	return CLI_OK;
}

static int remove_images(const struct args *args)
{
	int ret = CLI_OK, i;

	if (args->all == (args->nr_rest > 0))
		return cli_usage("image", "remove: name releases, or --all");
	if (args->all)
		return remove_release(args, NULL);
	for (i = 0; i < args->nr_rest; i++)
		ret |= remove_release(args, args->rest[i]);
	return ret;
}

static const struct action {
	const char *name;
	int (*run)(const struct args *args);
	bool takes_names;
} actions[] = {
	{ "prepare", prepare, false }, { "list", list, false }, { "show", show, false }, { "verify", verify, true },
	{ "remove", remove_images, true },
};

/* Parse the options. Returns CLI_OK, CLI_USAGE, or -1 when help was printed. */
static int parse(int argc, char **argv, struct args *args)
{
	static const struct option options[] = {
		{ "image", required_argument, NULL, 'i' }, { "release", required_argument, NULL, 'r' },
		{ "kapi", required_argument, NULL, 'k' }, { "cache", required_argument, NULL, 'c' },
		{ "force", no_argument, NULL, 'f' }, { "all", no_argument, NULL, 'a' }, { "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'i': args->image.vmlinuz = optarg; break;
		case 'r': args->image.release = optarg; break;
		case 'k': args->image.kapi = optarg; break;
		case 'c': args->image.cache_dir = optarg; break;
		case 'f': args->force = true; break;
		case 'a': args->all = true; break;
		case 'j': args->json = true; break;
		case 'h':
			fputs(help, stdout);
			return -1;
		default:
			return CLI_USAGE;
		}
	}
	args->rest = argv + optind;
	args->nr_rest = argc - optind;
	return CLI_OK;
}

int cmd_image(int argc, char **argv)
{
	struct args args = { 0 };
	const char *name;
	size_t i;
	int ret = parse(argc, argv, &args);

	if (ret)
		return ret < 0 ? CLI_OK : ret;
	if (!args.nr_rest)
		return cli_usage("image", "say what to do: prepare, list, show, verify or remove");
	name = *args.rest++;
	args.nr_rest--;
	for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(actions[i].name, name))
			continue;
		if (args.nr_rest && !actions[i].takes_names)
			return cli_usage("image", "%s takes no '%s'", name, args.rest[0]);
		return actions[i].run(&args);
	}
	return cli_usage("image", "there is no '%s': prepare, list, show, verify or remove", name);
}
