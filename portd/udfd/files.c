// SPDX-License-Identifier: GPL-2.0
/*
 * Modules and firmware for drivers that cannot open files themselves. Host world.
 *
 * Who asks may be hostile: it gets regular files below the folders that modules and firmware of its port come from, and nothing else; and
 * a link that leads out of them leads nowhere.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "image/image.h"
#include "loader/modules.h"
#include "udfd/udfd.h"

const char *port_option(const struct port *port, const char *key)
{
	unsigned int i;

	for (i = 0; i < port->settings.nr_options; i++)
		if (!strcmp(port->settings.option[i].key, key))
			return port->settings.option[i].value;
	return NULL;
}

/* Where PORT's modules are; "" when that cannot be told. */
static void modules_folder(const struct port *port, char *path, size_t len)
{
	struct udf_error ignored = UDF_ERROR_INIT;
	const char *given = port_option(port, "modules");

	path[0] = 0;
	if (given)
		snprintf(path, len, "%s", given);
	else if (udf_image_find(port_option(port, "release"), NULL, 0, path, len, NULL, 0, &ignored))
		path[0] = 0;
}

/* The N-th folder that PORT's driver may have files of; "" is none. Returns false behind the last. */
static bool nth_folder(const struct port *port, unsigned int n, char *path, size_t len)
{
	const char *given;

	path[0] = 0;
	switch (n) {
	case 0:
		modules_folder(port, path, len);
		return true;
	case 1:
		given = port_option(port, "firmware");
		snprintf(path, len, "%s", given ? given : "");
		return true;
	case 2:
		snprintf(path, len, "/lib/firmware");
		return true;
	}
	return false;
}

/* Open what lies at REST below FOLDER. Returns a descriptor or a negative errno. */
static int open_below(const char *folder, const char *rest)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, ret;
	struct stat st;

	if (dir < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, dir, rest, &how, sizeof(how));
	ret = fd < 0 ? -errno : fd;
	close(dir);
	if (ret >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) {
		close(fd);
		ret = -EACCES;
	}
	return ret;
}

static int open_for(const struct port *port, const char *path)
{
	char folder[PATH_MAX];
	unsigned int n;

	for (n = 0; nth_folder(port, n, folder, sizeof(folder)); n++) {
		size_t len = strlen(folder);

		while (len && folder[len - 1] == '/')
			folder[--len] = 0;
		if (len && !strncmp(path, folder, len) && path[len] == '/')
			return open_below(folder, path + len + strspn(path + len, "/"));
	}
	return -EACCES;
}

void files_answer(struct process *p, int64_t id, const char *path)
{
	int fd = open_for(p->port, path);
	struct json_object *o = udf_packet_new("do", "file");

	if (o)
		udf_packet_add_number(o, "id", id);
	if (o && fd < 0)
		udf_packet_add_number(o, "errno", -fd);
	if (fd < 0 && fd != -ENOENT)
		port_note(p->port, 4, "the driver wants %.300s: %s", path, fd == -EACCES ? "it may not have that" : strerror(-fd));
	else
		port_note(p->port, 7, "the driver wants %.300s: %s", path, fd < 0 ? "there is no such file" : "it has it");
	process_send(p, o, &fd, fd >= 0);
	if (fd >= 0)
		close(fd);
}

/* ---- plans ---- */

/* The loader plans over any kernel: what the image has does not matter for what depends on what. */
static uint64_t no_symbol(void *ctx, const char *name)
{
	return 0;
}

static int plan_for(const struct port *port, const char *what, struct udf_plan *plan, struct udf_error *err)
{
	const struct udf_kernel kernel = { .symbol = no_symbol, .kapi = no_symbol };
	struct udf_loader *loader;
	char folder[PATH_MAX];
	int ret;

	*plan = (struct udf_plan){ 0 };
	modules_folder(port, folder, sizeof(folder));
	if (!*what || strchr(what, '/') || strstr(what, ".ko"))	/* by name or alias only: a path could be any file's */
		return udf_error_set(err, -EACCES, "'%.80s' is neither a module's name nor an alias", what);
	ret = udf_loader_new_kernel(&kernel, *folder ? folder : NULL, &loader, err);
	if (ret)
		return ret;
	ret = udf_loader_plan(loader, what, plan, err);
	udf_loader_free(loader);
	return ret;
}

static struct json_object *entry_json(const struct udf_plan_entry *e)
{
	struct json_object *o = udf_packet_new("name", e->name);

	if (o) {
		udf_packet_add_text(o, "path", e->path);
		udf_packet_add_bool(o, "soft", e->soft);
	}
	return o;
}

void files_plan(struct process *p, int64_t id, const char *what)
{
	struct json_object *o = udf_packet_new("do", "plan"), *entries = json_object_new_array();
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_plan plan;
	unsigned int i;

	if (plan_for(p->port, what, &plan, &err)) {
		udf_packet_add_number(o, "errno", -err.code);
		udf_packet_add_text(o, "why", err.text);
	}
	for (i = 0; i < plan.nr; i++)
		json_object_array_add(entries, entry_json(&plan.entry[i]));
	port_note(p->port, 7, "the driver wants module %.200s: %s", what, err.code ? err.text : "udfd says what that takes");
	udf_plan_free(&plan);
	json_object_object_add(o, "entries", entries);
	udf_packet_add_number(o, "id", id);
	process_send(p, o, NULL, 0);
}
