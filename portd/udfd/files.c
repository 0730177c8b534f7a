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
#include "udfd/udfd.h"

static const char *option(const struct port *port, const char *key)
{
	unsigned int i;

	for (i = 0; i < port->settings.nr_options; i++)
		if (!strcmp(port->settings.option[i].key, key))
			return port->settings.option[i].value;
	return NULL;
}

/* The N-th folder that PORT's driver may have files of; "" is none. Returns false behind the last. */
static bool nth_folder(const struct port *port, unsigned int n, char *path, size_t len)
{
	struct udf_error ignored = UDF_ERROR_INIT;
	const char *given;

	path[0] = 0;
	switch (n) {
	case 0:
		given = option(port, "modules");
		if (given)
			snprintf(path, len, "%s", given);
		else if (udf_image_find(option(port, "release"), NULL, 0, path, len, NULL, 0, &ignored))
			path[0] = 0;
		return true;
	case 1:
		given = option(port, "firmware");
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
	struct json_object *o = udf_msg_new("do", "file");

	if (o)
		udf_msg_add_number(o, "id", id);
	if (o && fd < 0)
		udf_msg_add_number(o, "errno", -fd);
	if (fd < 0 && fd != -ENOENT)
		port_note(p->port, 4, "the driver wants %.300s: %s", path, fd == -EACCES ? "it may not have that" : strerror(-fd));
	else
		port_note(p->port, 7, "the driver wants %.300s: %s", path, fd < 0 ? "there is no such file" : "it has it");
	process_send(p, o, &fd, fd >= 0);
	if (fd >= 0)
		close(fd);
}
