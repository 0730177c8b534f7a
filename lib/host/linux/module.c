// SPDX-License-Identifier: GPL-2.0
/* Modules and firmware files for the kernel world, over lib/loader. Host world; implements module.h. */
#define _GNU_SOURCE
#include "host/linux/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "layout.h"

/* The loader serves one thread at a time; kernel tasks on several vCPUs may load modules. */
static pthread_mutex_t udf_loader_lock = PTHREAD_MUTEX_INITIALIZER;

static int udf_report(const struct udf_error *err)
{
	host_log_write(3, err->text, strlen(err->text));
	return err->code;
}

static struct udf_module *udf_module_of(const struct host_module *mod)
{
	return (struct udf_module *)mod->handle;
}

/* Under udf_host.lock. */
static struct udf_params *udf_params_of(const char *path)
{
	struct udf_params *p;

	for (p = udf_host.params; p && strcmp(p->path, path); p = p->next)
		;
	return p;
}

/* The module at PATH is refused: tell whoever wants it loaded, or else the log. */
static int udf_refuse(const char *path, const struct udf_error *err)
{
	struct udf_params *p;

	if (!err->code)
		return 0;
	pthread_mutex_lock(&udf_host.lock);
	p = udf_params_of(path);
	if (p)
		p->err = *err;
	pthread_mutex_unlock(&udf_host.lock);
	return p ? err->code : udf_report(err);
}

int host_module_open(const char *name, struct host_module *mod)
{
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_module *m;
	struct udf_params *p;

	pthread_mutex_lock(&udf_host.lock);
	p = udf_params_of(name);
	pthread_mutex_unlock(&udf_host.lock);
	mod->handle = 0;
	pthread_mutex_lock(&udf_loader_lock);
	if (!udf_loader_open(udf_host.loader, name, p ? p->text : NULL, &m, &err)) {
		udf_module_describe(m, mod);
		mod->handle = (unsigned long)m;
	}
	pthread_mutex_unlock(&udf_loader_lock);
	return udf_refuse(name, &err);
}

bool udf_host_gaps(uint64_t addr, uint64_t low, uint64_t high, void (*each)(void *ctx, uint64_t addr, uint64_t len), void *ctx)
{
	bool kept;

	pthread_mutex_lock(&udf_loader_lock);
	kept = udf_loader_gaps(udf_host.loader, addr, low, high, each, ctx);
	pthread_mutex_unlock(&udf_loader_lock);
	return kept;
}

/* Under udf_loader_lock: who plans instead of the loader. */
static udf_planner *udf_plan_by;
static void *udf_plan_ctx;

void udf_host_set_planner(udf_planner *planner, void *ctx)
{
	pthread_mutex_lock(&udf_loader_lock);
	udf_plan_by = planner;
	udf_plan_ctx = ctx;
	pthread_mutex_unlock(&udf_loader_lock);
}

/* Another's plan lists what is loaded already as well: leave that out. Under udf_loader_lock. */
static void udf_plan_skip_open(struct udf_plan *plan)
{
	unsigned int i, kept = 0;

	for (i = 0; i < plan->nr; i++) {
		if (!udf_loader_find(udf_host.loader, plan->entry[i].name)) {
			plan->entry[kept++] = plan->entry[i];
			continue;
		}
		free(plan->entry[i].path);
		free(plan->entry[i].name);
	}
	plan->nr = kept;
}

int udf_host_plan(const char *what, struct udf_plan *plan, struct udf_error *err)
{
	udf_planner *planner;
	int ret = 0;

	pthread_mutex_lock(&udf_loader_lock);
	planner = udf_plan_by;
	if (!planner)
		ret = udf_loader_plan(udf_host.loader, what, plan, err);
	pthread_mutex_unlock(&udf_loader_lock);
	if (!planner)
		return ret;
	ret = planner(udf_plan_ctx, what, plan, err);
	if (ret)
		return ret;
	pthread_mutex_lock(&udf_loader_lock);
	udf_plan_skip_open(plan);
	pthread_mutex_unlock(&udf_loader_lock);
	return 0;
}

int host_module_next(const char *what, char *path, unsigned long len)
{
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_plan plan = { 0 };
	int ret = udf_host_plan(what, &plan, &err);

	if (!ret && plan.nr) {
		ret = strlen(plan.entry[0].path) < len ? 1 : -ENAMETOOLONG;
		snprintf(path, len, "%s", plan.entry[0].path);
	}
	udf_plan_free(&plan);
	return ret;
}

int host_module_link(struct host_module *mod, unsigned long percpu)
{
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_module *m = udf_module_of(mod);

	pthread_mutex_lock(&udf_loader_lock);
	if (!udf_loader_link(udf_host.loader, m, percpu, &err)) {
		udf_module_describe(m, mod);
		mod->handle = (unsigned long)m;
	}
	pthread_mutex_unlock(&udf_loader_lock);
	return udf_refuse(udf_module_path(m), &err);
}

void host_module_free_init(struct host_module *mod)
{
	pthread_mutex_lock(&udf_loader_lock);
	udf_detours_drop(mod->init.addr, mod->init.size);
	udf_loader_free_init(udf_host.loader, udf_module_of(mod));
	pthread_mutex_unlock(&udf_loader_lock);
}

void host_module_live(struct host_module *mod)
{
	struct udf_error err = UDF_ERROR_INIT;

	pthread_mutex_lock(&udf_loader_lock);
	udf_loader_live(udf_host.loader, udf_module_of(mod), &err);
	pthread_mutex_unlock(&udf_loader_lock);
	if (err.code)
		udf_report(&err);
}

void host_module_close(struct host_module *mod)
{
	struct udf_error err = UDF_ERROR_INIT;

	pthread_mutex_lock(&udf_loader_lock);
	udf_detours_drop(mod->core.addr, mod->core.size);
	if (mod->handle)
		udf_loader_close(udf_host.loader, udf_module_of(mod), &err);
	pthread_mutex_unlock(&udf_loader_lock);
	mod->handle = 0;
	if (err.code)
		udf_report(&err);
}

int host_module_used(const struct host_module *mod)
{
	bool used;

	pthread_mutex_lock(&udf_loader_lock);
	used = mod->handle && udf_loader_used((const struct udf_module *)mod->handle);
	pthread_mutex_unlock(&udf_loader_lock);
	return used;
}

void udf_host_modules(void (*each)(void *arg, const char *name, const char *file), void *arg)
{
	struct udf_module *m;
	unsigned int i;

	pthread_mutex_lock(&udf_loader_lock);
	for (i = 0; (m = udf_loader_get(udf_host.loader, i)); i++)
		each(arg, udf_module_name(m), udf_module_path(m));
	pthread_mutex_unlock(&udf_loader_lock);
}

static const struct {
	const char *name;
	enum host_module_section id;
} udf_kapi_sections[] = {
	{ "__param", HOST_SEC_PARAM }, { "__ex_table", HOST_SEC_EX_TABLE }, { "__bug_table", HOST_SEC_BUG_TABLE },
	{ "__jump_table", HOST_SEC_JUMP_TABLE }, { ".static_call_sites", HOST_SEC_STATIC_CALL },
	{ ".orc_unwind", HOST_SEC_ORC_UNWIND }, { ".orc_unwind_ip", HOST_SEC_ORC_UNWIND_IP },
	{ ".symtab", HOST_SEC_SYMTAB }, { ".strtab", HOST_SEC_STRTAB },
};

void host_kapi_get(struct host_module *mod)
{
	const struct udf_range *text;
	uint64_t addr, size;
	size_t i, n;

	memset(mod, 0, sizeof(*mod));
	snprintf(mod->name, sizeof(mod->name), "kapi");
	for (i = 0; i < sizeof(udf_kapi_sections) / sizeof(udf_kapi_sections[0]); i++) {
		if (udf_image_kapi_section(udf_host.image, udf_kapi_sections[i].name, &addr, &size))
			continue;
		mod->sec[udf_kapi_sections[i].id] = (struct host_section){ .addr = addr, .size = size };
	}
	n = udf_image_text(udf_host.image, &text);
	for (i = 0; i < n; i++)
		if (text[i].start >= UDF_KAPI_BASE && text[i].end <= UDF_KAPI_END && text[i].end - UDF_KAPI_BASE > mod->core_text.size)
			mod->core_text.size = text[i].end - UDF_KAPI_BASE;
	mod->core = (struct host_section){ .addr = UDF_KAPI_BASE, .size = UDF_KAPI_END - UDF_KAPI_BASE };
	mod->core_text.addr = mod->core_ro.addr = UDF_KAPI_BASE;
	mod->core_ro.size = mod->core_text.size;
}

/*
 * The kernel's firmware loader tries a list of folders of its own and asks for whole paths, "/lib/firmware/..." last. The file's name
 * is what follows; the folder that the owner named comes before them all.
 */
static int udf_firmware_open(const char *path)
{
	static const char last[] = "/lib/firmware/";
	char own[1024];
	int fd = -ENOENT;

	if (udf_host.firmware_dir && !strncmp(path, last, sizeof(last) - 1)) {
		snprintf(own, sizeof(own), "%s/%s", udf_host.firmware_dir, path + sizeof(last) - 1);
		fd = udf_file_open(own);
	}
	return fd >= 0 ? fd : udf_file_open(path);
}

long host_file_read(const char *name, void *buf, unsigned long len)
{
	struct stat st;
	unsigned long done = 0;
	int fd = udf_firmware_open(name);

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	while (buf && done < len) {
		ssize_t n = read(fd, (char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (unsigned long)n;
	}
	close(fd);
	return buf ? (long)done : (long)st.st_size;
}
