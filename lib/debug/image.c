// SPDX-License-Identifier: GPL-2.0
/* Make the symbol file of a prepared image; see image.h. Host world. */
#define _GNU_SOURCE
#include "debug/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "debug/frames.h"
#include "debug/symfile.h"
#include "host/linux/host.h"
#include "layout.h"
#include "loader/symfile.h"

#define SUFFIX "-3.udfsym"	/* the number changes with what is in the file */
#define IMAGE_SUFFIX ".udfimg"

/* ---- symbols ---- */

static int by_value(const void *a, const void *b)
{
	const struct udf_image_symbol *x = a, *y = b;

	return x->value < y->value ? -1 : x->value > y->value;
}

static bool is_replaced(const struct udf_image *image, const struct udf_image_symbol *sym)
{
	const struct udf_replacement *list;
	unsigned int i, n = udf_image_replacements(image, &list);

	for (i = 0; i < n; i++)
		if (sym->value == list[i].image_addr && !strcmp(sym->name, list[i].name))
			return true;
	return false;
}

/* The end of the segment that ADDR lies in, or 0. */
static uint64_t segment_end(const struct udf_image *image, uint64_t addr)
{
	struct udf_range r;
	unsigned int i;
	bool exec;

	for (i = 0; udf_image_segment(image, i, &r, &exec); i++)
		if (addr >= r.start && addr < r.end)
			return r.end;
	return 0;
}

static void add_symbol(const struct udf_image *image, const struct udf_image_symbol *sym, uint64_t next, struct udf_symfile *f)
{
	uint64_t end = sym->absolute ? 0 : segment_end(image, sym->value);
	char name[600];

	/* what kapi replaces jumps there at once: a breakpoint on the name is not meant for it */
	if (sym->code && !sym->kapi && is_replaced(image, sym)) {
		snprintf(name, sizeof(name), "image_%s", sym->name);
		udf_symfile_symbol(f, name, sym->value, next - sym->value, true, false);
		return;
	}
	if (next < end)
		end = next;
	udf_symfile_symbol(f, sym->name, sym->value, end ? end - sym->value : 0, sym->code, sym->global);
}

static int add_symbols(const struct udf_image *image, struct udf_symfile *f)
{
	struct udf_image_symbol one, *sym = NULL;
	uint64_t i, j, n = 0;

	while (udf_image_symbol_at(image, n, &one))
		n++;
	sym = calloc(n + 1, sizeof(*sym));
	if (!sym)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		udf_image_symbol_at(image, i, &sym[i]);
	qsort(sym, n, sizeof(*sym), by_value);
	for (i = 0; i < n; i++) {
		for (j = i + 1; j < n && sym[j].value == sym[i].value; j++)
			;
		add_symbol(image, &sym[i], j < n ? sym[j].value : sym[i].value, f);
	}
	free(sym);
	return 0;
}

static void add_sections(const struct udf_image *image, struct udf_symfile *f)
{
	struct udf_range r;
	unsigned int i, nr_text = 0;
	char name[32];
	bool exec;

	for (i = 0; udf_image_segment(image, i, &r, &exec); i++) {
		/* debuggers expect one that is called .text */
		if (exec && r.start >= UDF_IMAGE_BASE && !nr_text++)
			snprintf(name, sizeof(name), ".text");
		else
			snprintf(name, sizeof(name), "%s.%s%u", r.start < UDF_IMAGE_BASE ? ".kapi" : ".image", exec ? "text" : "data", i);
		udf_symfile_section(f, name, r.start, r.end - r.start, exec);
	}
	udf_symfile_section(f, ".bridges", UDF_BRIDGE_BASE, UDF_BRIDGE_MAX * UDF_BRIDGE_SLOT, true);
	udf_symfile_section(f, ".detours", UDF_DETOUR_BASE, UDF_DETOUR_MAX * UDF_DETOUR_SLOT, true);
}

/* ---- frames ---- */

static int add_table(const struct udf_image *image, uint64_t entry, uint64_t ip, uint64_t nr, struct udf_frames *frames)
{
	const struct udf_range *text;
	unsigned int i, n = udf_image_text(image, &text);
	uint8_t *entries = malloc(nr * 6 + 1), *ips = malloc(nr * 4 + 1);
	const struct udf_orc_table table = { .entry = entries, .ip = ips, .ip_addr = ip, .nr = nr };
	struct udf_span *code = calloc(n + 1, sizeof(*code));
	int ret = entries && ips && code ? 0 : -ENOMEM;

	for (i = 0; !ret && i < n; i++)
		code[i] = (struct udf_span){ text[i].start, text[i].end };
	if (!ret)
		ret = udf_image_read(image, entry, entries, nr * 6);
	if (!ret)
		ret = udf_image_read(image, ip, ips, nr * 4);
	if (!ret)
		ret = udf_frames_orc(frames, &table, code, n);
	free(entries);
	free(ips);
	free(code);
	return ret;
}

static int add_frames(const struct udf_image *image, struct udf_frames *frames)
{
	uint64_t ip = udf_image_symbol(image, "__start_orc_unwind_ip"), ip_end = udf_image_symbol(image, "__stop_orc_unwind_ip");
	uint64_t entry = udf_image_symbol(image, "__start_orc_unwind"), size;
	int ret = 0;

	if (ip && entry && ip_end > ip)
		ret = add_table(image, entry, ip, (ip_end - ip) / 4, frames);
	if (!ret && !udf_image_kapi_section(image, ".orc_unwind_ip", &ip, &size) &&
	    !udf_image_kapi_section(image, ".orc_unwind", &entry, &ip_end))
		ret = add_table(image, entry, ip, size / 4, frames);
	return ret;
}

/* ---- kapi's debug information ---- */

static uint64_t kapi_section(void *ctx, const char *name)
{
	uint64_t addr = 0, size;

	udf_image_kapi_section(ctx, name, &addr, &size);
	return addr;
}

static void add_kapi(const struct udf_image *image, struct udf_symfile *f, struct udf_strbuf *frames)
{
	struct udf_error ignored = UDF_ERROR_INIT;
	struct udf_elf *elf;
	void *data;
	size_t len;

	if (udf_image_kapi_object(image, &data, &len))
		return;
	if (!udf_elf_parse(data, len, "kapi", &elf, &ignored)) {
		udf_elf_assume(elf, kapi_section, (void *)image);
		udf_elf_add_debug(elf, f, frames);
		udf_elf_free(elf);
	}
	free(data);
}

static int make(const struct udf_image *image, void **data, size_t *len)
{
	struct udf_symfile *f = udf_symfile_new();
	struct udf_strbuf bytes = UDF_STRBUF_INIT;
	struct udf_frames *frames;
	int ret;

	if (!f)
		return -ENOMEM;
	add_sections(image, f);
	add_kapi(image, f, &bytes);
	frames = udf_frames_new(&bytes);
	ret = frames ? add_symbols(image, f) : -ENOMEM;
	if (!ret)
		ret = add_frames(image, frames);
	if (frames) {
		udf_bridges_describe(f, frames);
		udf_detours_describe(f, frames);
		udf_frames_end(frames);
	}
	if (ret) {
		udf_strbuf_free(&bytes);
		udf_symfile_free(f);
		return ret;
	}
	udf_symfile_debug(f, ".debug_frame", &bytes, 0, 0);
	return udf_symfile_finish(f, data, len);
}

/* ---- the file ---- */

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Under another name first, so that nobody sees half of it. */
static int write_file(const char *path, const void *data, size_t len)
{
	char tmp[PATH_MAX];
	int fd, ret;

	if (snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write_all(fd, data, len);
	fchmod(fd, 0644);
	if (close(fd) && !ret)
		ret = -errno;
	if (!ret && rename(tmp, path))
		ret = -errno;
	if (ret)
		unlink(tmp);
	return ret;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n > m && !strcmp(name + n - m, suffix);
}

/* Symbol files beside PATH whose images are gone, or that another version made. */
static void remove_orphans(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct dirent *e;
	char dir[PATH_MAX], name[PATH_MAX * 2];
	DIR *d;

	snprintf(dir, sizeof(dir), "%.*s", (int)(slash ? slash - path : 1), slash ? path : ".");
	d = opendir(dir);
	while (d && (e = readdir(d))) {
		if (!has_suffix(e->d_name, ".udfsym"))
			continue;
		snprintf(name, sizeof(name), "%s/%.*s" IMAGE_SUFFIX, dir, (int)(strlen(e->d_name) - strlen(SUFFIX)), e->d_name);
		if (has_suffix(e->d_name, SUFFIX) && !access(name, F_OK))
			continue;
		snprintf(name, sizeof(name), "%s/%s", dir, e->d_name);
		unlink(name);
	}
	if (d)
		closedir(d);
}

int udf_debug_image_file(const struct udf_image *image, char *path, size_t path_len, struct udf_error *err)
{
	struct udf_image_info info;
	const char *tmp = getenv("TMPDIR"), *base;
	size_t len;
	void *data;
	int ret;

	udf_image_info(image, &info);
	snprintf(path, path_len, "%.*s" SUFFIX, (int)(strlen(info.file) - strlen(IMAGE_SUFFIX)), info.file);
	if (!access(path, R_OK))
		return 0;
	ret = make(image, &data, &len);
	if (ret)
		return udf_error_set(err, ret, "the symbols of %s cannot be collected: %s", info.file, strerror(-ret));
	remove_orphans(path);
	ret = write_file(path, data, len);
	if (ret) {			/* the cache may be another user's */
		base = strrchr(info.file, '/');
		snprintf(path, path_len, "%s/udf-%u-%s" SUFFIX, tmp && *tmp ? tmp : "/tmp", getuid(), base ? base + 1 : info.file);
		ret = write_file(path, data, len);
	}
	free(data);
	return ret ? udf_error_set(err, ret, "%s cannot be written: %s", path, strerror(-ret)) : 0;
}
