// SPDX-License-Identifier: GPL-2.0
/* Find kernels, their modules, and the kapi object for a release. Host world. */
#define _GNU_SOURCE
#include "image/find.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/bzimage.h"

#define SERIES "6.1."		/* what "the newest" means where nobody names a release */

/* Directory of the running program, or "". */
static void program_dir(char *path, size_t len)
{
	ssize_t n = readlink("/proc/self/exe", path, len - 1);

	path[n > 0 ? n : 0] = 0;
	if (strrchr(path, '/'))
		*strrchr(path, '/') = 0;
}

/* Directory of this library, or "" when it is part of the program. */
static void library_dir(char *path, size_t len)
{
	Dl_info info;

	path[0] = 0;
	if (!dladdr((void *)udf_kapi_find, &info) || !info.dli_fname || info.dli_fname[0] != '/')
		return;
	snprintf(path, len, "%s", info.dli_fname);
	*strrchr(path, '/') = 0;
}

/* The N-th place where a root with boot/ and lib/modules/ may be. Returns false behind the last. */
static bool nth_root(unsigned int n, char *path, size_t len)
{
	const char *env = getenv("UDF_KERNEL_ROOT");
	char dir[PATH_MAX];

	path[0] = 0;
	switch (n) {
	case 0:
		snprintf(path, len, "%s", env ? env : "");
		return true;
	case 1:
	case 2:
		/* a build tree: beside the program, or beside the library when that is loaded by some other program */
		if (n == 1)
			program_dir(dir, sizeof(dir));
		else
			library_dir(dir, sizeof(dir));
		if (dir[0])
			snprintf(path, len, "%s/kernel/root", dir);
		return true;
	case 3:
		snprintf(path, len, "./build/kernel/root");
		return true;
	case 4:
		snprintf(path, len, "/");
		return true;
	}
	return false;
}

/* The vmlinuz of RELEASE below ROOT, if it is there. It need not be readable: an error that says so is better than "not found". */
static bool vmlinuz_of(const char *root, const char *release, char *path, size_t len)
{
	snprintf(path, len, "%s/boot/vmlinuz-%s", strcmp(root, "/") ? root : "", release);
	if (!access(path, F_OK))
		return true;
	snprintf(path, len, "%s/lib/modules/%s/vmlinuz", strcmp(root, "/") ? root : "", release);
	return !access(path, F_OK);
}

/* Take the newest release of the series that a directory of ROOT names, behind PREFIX, into BEST. */
static void newest_in(const char *root, const char *dir, const char *prefix, char *best, size_t len)
{
	char path[PATH_MAX];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", root, dir);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		const char *release = e->d_name + strlen(prefix);

		if (strncmp(e->d_name, prefix, strlen(prefix)) || strncmp(release, SERIES, strlen(SERIES)) ||
		    strlen(release) >= UDF_RELEASE_MAX || (best[0] && strverscmp(release, best) <= 0))
			continue;
		if (vmlinuz_of(root, release, path, sizeof(path)))
			snprintf(best, len, "%s", release);
	}
	if (d)
		closedir(d);
}

/* Look for RELEASE (NULL: the newest) below one root. */
static bool find_below(const char *root, const char *release, char *path, size_t path_len, char *found)
{
	found[0] = 0;
	if (release)
		snprintf(found, UDF_RELEASE_MAX, "%s", release);
	if (!release) {
		newest_in(root, "boot", "vmlinuz-", found, UDF_RELEASE_MAX);
		newest_in(root, "lib/modules", "", found, UDF_RELEASE_MAX);
	}
	return found[0] && vmlinuz_of(root, found, path, path_len);
}

int udf_image_find(const char *release, char *path, size_t path_len, char *modules, size_t modules_len,
		   char *found_release, size_t release_len, struct udf_error *err)
{
	char root[PATH_MAX], vmlinuz[PATH_MAX + 128], found[UDF_RELEASE_MAX];
	unsigned int i;

	if (release && strlen(release) >= sizeof(found))
		return udf_error_set(err, -ENOENT, "'%.80s' is no kernel release", release);
	for (i = 0; nth_root(i, root, sizeof(root)); i++) {
		if (!root[0] || !find_below(root, release, vmlinuz, sizeof(vmlinuz), found))
			continue;
		if (path)
			snprintf(path, path_len, "%s", vmlinuz);
		if (modules)
			snprintf(modules, modules_len, "%s/lib/modules/%s", strcmp(root, "/") ? root : "", found);
		if (found_release)
			snprintf(found_release, release_len, "%s", found);
		return 0;
	}
	if (release)
		return udf_error_set(err, -ENOENT, "kernel %s is not found, in /boot nor below build/kernel/root: install its package, or set "
				     "UDF_KERNEL_ROOT to where it is unpacked", release);
	return udf_error_set(err, -ENOENT, "no kernel " SERIES "* is found, in /boot nor below build/kernel/root: install linux-image-amd64 of "
			     "Debian 12, or set UDF_KERNEL_ROOT to where one is unpacked");
}

/* The N-th directory that may hold kapi/RELEASE/kapi.o; "" is none. Returns false behind the last. */
static bool nth_libdir(unsigned int n, char *path, size_t len)
{
	const char *env = getenv("UDF_LIBDIR");
	char dir[PATH_MAX];

	path[0] = 0;
	if (n == 0)
		snprintf(path, len, "%s", env ? env : "");
	else if (n <= 2) {
		program_dir(dir, sizeof(dir));
		if (dir[0])
			snprintf(path, len, "%s%s", dir, n == 1 ? "" : "/../lib/udf");
	} else if (n <= 4) {
		library_dir(dir, sizeof(dir));
		if (dir[0])
			snprintf(path, len, "%s%s", dir, n == 3 ? "" : "/udf");
	} else if (n == 5)
		snprintf(path, len, "/usr/lib/udf");
	else if (n == 6)
		snprintf(path, len, "./build");
	return n <= 6;
}

int udf_kapi_find(const char *release, char *path, size_t len, struct udf_error *err)
{
	char dir[PATH_MAX];
	unsigned int i;

	for (i = 0; nth_libdir(i, dir, sizeof(dir)); i++) {
		if (!dir[0])
			continue;
		snprintf(path, len, "%s/kapi/%s/kapi.o", dir, release);
		if (!access(path, R_OK))
			return 0;
	}
	return udf_error_set(err, -ENOENT, "UDF has no kernel-world object for kernel %s: 'make' builds it as build/kapi/%s/kapi.o, "
			     "--kapi names it elsewhere", release, release);
}
