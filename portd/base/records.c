// SPDX-License-Identifier: GPL-2.0
/* Records of failures, as files; see records.h. Host world. */
#define _GNU_SOURCE
#include "base/records.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/packet.h"

static int is_record(const struct dirent *e)
{
	return strspn(e->d_name, "0123456789") == 8 && !strcmp(e->d_name + 8, ".json");
}

/* The folder of PORT, made if need be. Returns a descriptor or a negative errno. */
static int open_dir(const char *dir, const char *port, bool make)
{
	char path[PATH_MAX], *p;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s/", dir, port) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	for (p = path + 1; make && (p = strchr(p, '/')); p++) {
		*p = 0;
		/* logs may tell more than everybody is to know: who asks for them is checked, who reads files is not */
		if (mkdir(path, 0700) && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int write_file(int dir, const char *name, const char *text, size_t len)
{
	char temp[32];
	int fd, ret = 0;
	ssize_t n;

	snprintf(temp, sizeof(temp), ".%s", name);
	fd = openat(dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	while (len && !ret) {
		n = write(fd, text, len);
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		} else if (n < 0 && errno != EINTR) {
			ret = -errno;
		}
	}
	if (close(fd) && !ret)
		ret = -errno;
	if (!ret && renameat(dir, temp, dir, name))
		ret = -errno;
	if (ret)
		unlinkat(dir, temp, 0);
	return ret;
}

int udf_records_add(const char *dir, const char *port, unsigned int keep, struct json_object *record, struct udf_error *err)
{
	struct dirent **list = NULL;
	int fd = open_dir(dir, port, true), n = 0, i, ret = fd < 0 ? fd : 0;
	unsigned int next = 1;
	char name[32];

	if (!ret && (n = scandirat(fd, ".", &list, is_record, alphasort)) < 0)
		ret = -errno;
	if (!ret) {
		size_t len;
		const char *text;

		if (n)
			next = (unsigned int)strtoul(list[n - 1]->d_name, NULL, 10) + 1;
		snprintf(name, sizeof(name), "%08u.json", next % 100000000);
		/* first make room: on a disk that is full that may be what it takes */
		for (i = 0; i + (int)keep <= n; i++)
			unlinkat(fd, list[i]->d_name, 0);
		text = json_object_to_json_string_length(record, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
		ret = text ? write_file(fd, name, text, len) : -ENOMEM;
	}
	for (i = 0; i < n; i++)
		free(list[i]);
	free(list);
	if (fd >= 0)
		close(fd);
	return ret ? udf_error_set(err, ret, "%s/%s: the failure cannot be recorded: %s", dir, port, strerror(-ret)) : 0;
}

static struct json_object *read_record(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char *text = fd < 0 ? NULL : malloc(UDF_MESSAGE_MAX);
	struct json_object *o = NULL;
	ssize_t n;

	if (text) {
		n = read(fd, text, UDF_MESSAGE_MAX);
		o = n > 0 ? udf_packet_parse(text, (size_t)n) : NULL;
	}
	if (fd >= 0)
		close(fd);
	free(text);
	return o;
}

void udf_records_each(const char *dir, const char *port, void (*each)(void *arg, struct json_object *record), void *arg)
{
	int fd = open_dir(dir, port, false), n, i;
	struct dirent **list;

	if (fd < 0)
		return;
	n = scandirat(fd, ".", &list, is_record, alphasort);
	for (i = 0; i < n; i++) {
		struct json_object *o = read_record(fd, list[i]->d_name);

		if (o)
			each(arg, o);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	close(fd);
}
