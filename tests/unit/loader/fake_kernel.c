// SPDX-License-Identifier: GPL-2.0
/* A kernel for the loader's tests; see fake_kernel.h. */
#include "loader/fake_kernel.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct fake_symbol *)a)->name, ((const struct fake_symbol *)b)->name);
}

static const struct fake_symbol *find(const struct fake_kernel *fake, const char *name)
{
	struct fake_symbol key = { .name = name };
	unsigned int i;

	if (fake->text)
		return bsearch(&key, fake->symbol, fake->nr, sizeof(key), by_name);
	for (i = 0; i < fake->nr; i++)
		if (!strcmp(fake->symbol[i].name, name))
			return &fake->symbol[i];
	return NULL;
}

static const char *vermagic(void *ctx)
{
	return ((const struct fake_kernel *)ctx)->vermagic;
}

static int find_export(void *ctx, const char *name, struct udf_export *out)
{
	const struct fake_symbol *s = find(ctx, name);

	if (!s || !s->exported)
		return -ENOENT;
	*out = s->export;
	if (!out->namespace)
		out->namespace = "";
	return 0;
}

static uint64_t kapi(void *ctx, const char *name)
{
	const struct fake_symbol *s = find(ctx, name);

	return s && s->kapi ? s->export.addr : 0;
}

static uint64_t symbol(void *ctx, const char *name)
{
	const struct fake_symbol *s = find(ctx, name);

	return s ? s->export.addr : 0;
}

struct udf_kernel fake_kernel_ops(struct fake_kernel *fake)
{
	return (struct udf_kernel){ .ctx = fake, .vermagic = vermagic, .export = find_export, .kapi = kapi, .symbol = symbol };
}

/* "0xcrc NAME vmlinux EXPORT_SYMBOL[_GPL] NAMESPACE", tabs between: cut into pieces where it lies. */
static void read_symvers(struct fake_kernel *fake)
{
	uint64_t addr = 0x71000000;
	char *line, *rest = fake->text;

	while ((line = strsep(&rest, "\n"))) {
		char *crc = strsep(&line, "\t"), *name = strsep(&line, "\t"), *from = strsep(&line, "\t");
		char *kind = strsep(&line, "\t"), *namespace = strsep(&line, "\t");

		if (!kind || strcmp(from, "vmlinux"))
			continue;
		if (!(fake->nr % 4096))
			fake->symbol = realloc(fake->symbol, (fake->nr + 4096) * sizeof(*fake->symbol));
		fake->symbol[fake->nr++] = (struct fake_symbol){
			.name = name, .exported = true,
			.export = { .addr = addr, .crc = strtoul(crc, NULL, 16), .gpl = !!strstr(kind, "_GPL"), .namespace = namespace },
		};
		addr += 16;
	}
	qsort(fake->symbol, fake->nr, sizeof(*fake->symbol), by_name);
}

static char *read_text(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text;
	long len;

	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	len = ftell(f);
	rewind(f);
	text = calloc(1, len + 1);
	if (fread(text, 1, len, f) != (size_t)len)
		text[0] = 0;
	fclose(f);
	return text;
}

int fake_kernel_load(struct fake_kernel *fake)
{
	const char *build = getenv("UDF_BUILD"), *root = getenv("UDF_TEST_KERNEL"), *release;
	char pattern[600], path[1200];
	glob_t found;

	memset(fake, 0, sizeof(*fake));
	if (root)
		snprintf(pattern, sizeof(pattern), "%s/lib/modules/*/modules.dep.bin", root);
	else
		snprintf(pattern, sizeof(pattern), "%s/kernel/root/lib/modules/*/modules.dep.bin", build ? build : "build");
	if (glob(pattern, 0, NULL, &found))
		return -1;
	snprintf(fake->modules, sizeof(fake->modules), "%s", found.gl_pathv[0]);
	globfree(&found);
	*strrchr(fake->modules, '/') = 0;
	release = strrchr(fake->modules, '/') + 1;
	snprintf(path, sizeof(path), "%.*s/../../usr/src/linux-headers-%s/Module.symvers", (int)(release - 1 - fake->modules),
		 fake->modules, release);
	fake->text = read_text(path);
	if (!fake->text)
		return -1;
	snprintf(fake->magic, sizeof(fake->magic), "%s SMP preempt mod_unload modversions ", release);
	fake->vermagic = fake->magic;
	read_symvers(fake);
	return 0;
}

void fake_kernel_free(struct fake_kernel *fake)
{
	if (fake->text)
		free(fake->symbol);
	free(fake->text);
	memset(fake, 0, sizeof(*fake));
}
