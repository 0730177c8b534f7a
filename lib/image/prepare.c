// SPDX-License-Identifier: GPL-2.0
/*
 * Preparing an image, and opening one that is prepared already or not. Host world.
 *
 *   options --> what is wanted --> cache: there is one that fits ----------------------------> open
 *                                    \--> lock, look again, unpack ... patch, write, rename --/
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/cache.h"
#include "image/find.h"
#include "image/kapi.h"
#include "image/patch.h"
#include "image/prepared.h"
#include "image/write.h"

#define KAPI_MAX	(256ull << 20)
#define SYSTEM_CACHE	"/var/cache/udf"

/* A preparation in progress. */
struct job {
	const struct udf_image_options *opts;
	struct udf_want want;
	char dir[UDF_FILE_PATH];
	uint8_t head[UDF_BZIMAGE_HEAD];
	struct udf_kernel kernel;
	struct udf_kapi kapi;
	struct udf_thunks thunks;
	struct udf_file_header header;
};

static void progress(const struct job *job, const char *step, unsigned int percent)
{
	if (job->opts->progress)
		job->opts->progress(job->opts->progress_ctx, step, percent);
}

static void waiting(void *ctx)
{
	progress(ctx, "waiting for another process that prepares it", 0);
}

/* The file's name without symbolic links: what it is known by in the cache. */
static int full_path(const char *path, char *full, size_t len, struct udf_error *err)
{
	char *real = realpath(path, NULL);
	int ret = 0;

	if (!real)
		return udf_error_set(err, -errno, "%s cannot be read: %s", path, strerror(errno));
	if (strlen(real) >= len)
		ret = udf_error_set(err, -ENAMETOOLONG, "the name of %.80s... is too long", real);
	else
		strcpy(full, real);
	free(real);
	return ret;
}

/* Find the two files that the options mean. */
static int find_sources(struct job *job, struct udf_error *err)
{
	const struct udf_image_options *opts = job->opts;
	struct udf_want *want = &job->want;
	char path[PATH_MAX + 128], release[UDF_RELEASE_MAX] = "";
	struct udf_bzimage bz;
	int n, ret = 0;

	if (opts->vmlinuz)
		snprintf(path, sizeof(path), "%s", opts->vmlinuz);
	else
		ret = udf_image_find(opts->release, path, sizeof(path), NULL, 0, release, sizeof(release), err);
	if (!ret)
		ret = full_path(path, want->vmlinuz_path, sizeof(want->vmlinuz_path), err);
	if (ret)
		return ret;
	n = udf_want_source(want, job->head, sizeof(job->head), err);
	ret = n < 0 ? n : udf_bzimage_parse(job->head, (size_t)n, true, path, &bz, err);
	if (ret)
		return ret;
	if (bz.release[0])
		snprintf(release, sizeof(release), "%s", bz.release);
	if (opts->release && release[0] && strcmp(release, opts->release))
		return udf_error_set(err, -EINVAL, "%s is kernel %s, not %s", path, release, opts->release);
	if (!release[0] && opts->release)
		snprintf(release, sizeof(release), "%s", opts->release);
	if (!opts->kapi && !release[0])
		return udf_error_set(err, -EINVAL, "%s does not say which kernel it is: name its release (--release) or the object (--kapi)", path);
	if (!opts->kapi) {
		ret = udf_kapi_find(release, path, sizeof(path), err);
		if (!ret)
			ret = full_path(path, want->kapi_path, sizeof(want->kapi_path), err);
	} else if (opts->kapi[0]) {
		ret = full_path(opts->kapi, want->kapi_path, sizeof(want->kapi_path), err);
	}
	return ret ? ret : udf_want_kapi(want, err);
}

static int load_kernel(struct job *job, struct udf_error *err)
{
	struct udf_kernel *k = &job->kernel;
	struct udf_bzimage bz;
	uint8_t *data;
	size_t len;
	int ret;

	k->what = job->want.vmlinuz_path;
	progress(job, "unpacking", 0);
	ret = udf_read_file(k->what, UDF_VMLINUX_MAX, &data, &len, err);
	if (ret)
		return ret;
	ret = udf_bzimage_parse(data, len, false, k->what, &bz, err);
	if (!ret)
		ret = udf_bzimage_unpack(&bz, UDF_VMLINUX_MAX, k->what, &k->elf, err);
	free(data);
	progress(job, "relocating", 65);
	if (!ret)
		ret = udf_kernel_load(k, err);
	if (!ret)
		ret = udf_kernel_relocate(k, err);
	return ret;
}

static int link_kapi(struct job *job, struct udf_error *err)
{
	uint8_t *data = NULL;
	size_t len = 0;
	int ret = 0;

	if (job->want.kapi_path[0]) {
		ret = udf_read_file(job->want.kapi_path, KAPI_MAX, &data, &len, err);
		if (!ret)
			ret = udf_kapi_link(&job->kernel, &job->thunks, data, len, job->want.kapi_path, &job->kapi, err);
		if (!ret)
			ret = udf_kapi_hook(&job->kernel, &job->kapi, err);
	}
	job->header.kapi_hash = udf_kapi_hash(data, len);
	free(data);
	return ret;
}

static int make_image(struct job *job, struct udf_error *err)
{
	struct udf_kernel *k = &job->kernel;
	int ret = load_kernel(job, err);

	if (!ret) {
		progress(job, "reading symbols", 75);
		ret = udf_kernel_symbols(k, err);
	}
	if (!ret)
		ret = udf_kernel_identify(k, err);
	if (!ret && job->opts->release && strcmp(job->opts->release, k->release))
		ret = udf_error_set(err, -EINVAL, "%s is kernel %s, not %s", k->what, k->release, job->opts->release);
	if (!ret)
		ret = udf_kernel_exports(k, err);
	if (ret)
		return ret;
	progress(job, "linking", 80);
	udf_thunks_find(k, &job->thunks);
	udf_patch_kernel(k, &job->thunks);
	ret = link_kapi(job, err);
	if (!ret && udf_kernel_tables(k, &job->kapi))
		ret = udf_error_set(err, -ENOMEM, "%s: %s", k->what, strerror(ENOMEM));
	return ret;
}

static int write_image(struct job *job, char *path, size_t len, struct udf_error *err)
{
	struct udf_file_header *h = &job->header;
	struct udf_cache_file file;
	int ret;

	h->vmlinuz = job->want.vmlinuz;
	h->kapi = job->want.kapi;
	strcpy(h->vmlinuz_path, job->want.vmlinuz_path);
	strcpy(h->kapi_path, job->want.kapi_path);
	progress(job, "writing", 85);
	ret = udf_cache_create(job->dir, &file, err);
	if (ret)
		return ret;
	ret = udf_file_write(file.fd, &job->kernel, &job->kapi, h);
	if (ret) {
		udf_cache_write_error(&file, ret, h->file_size, err);
		udf_cache_abandon(&file);
		return ret;
	}
	ret = udf_cache_publish(&file, h, path, len, err);
	progress(job, "done", 100);
	return ret;
}

/* Prepare, under the lock; someone else may have done so while this process waited for it. */
static int prepare(struct job *job, bool force, char *path, size_t len, struct udf_error *err)
{
	int lock = udf_cache_lock(job->dir, waiting, job, err), ret;

	if (lock < 0)
		return lock;
	ret = force ? -ENOENT : udf_cache_find(job->dir, &job->want, true, path, len);
	if (ret) {
		ret = make_image(job, err);
		if (!ret)
			ret = write_image(job, path, len, err);
	}
	close(lock);
	return ret;
}

/* Find an image that fits, in the cache or in the system's. */
static int find_prepared(struct job *job, char *path, size_t len)
{
	int ret = udf_cache_find(job->dir, &job->want, true, path, len);

	if (ret && !job->opts->cache_dir && strcmp(job->dir, SYSTEM_CACHE))
		ret = udf_cache_find(SYSTEM_CACHE, &job->want, true, path, len);
	return ret;
}

int udf_image_prepare(const struct udf_image_options *opts, bool force, char *path, size_t len, struct udf_error *err)
{
	struct job *job = calloc(1, sizeof(*job));
	int ret;

	if (!job)
		return udf_error_set(err, -ENOMEM, "not enough memory to prepare a kernel image");
	job->opts = opts;
	ret = udf_image_cache_dir(opts->cache_dir, job->dir, sizeof(job->dir), err);
	if (!ret)
		ret = find_sources(job, err);
	if (!ret && (force || find_prepared(job, path, len)))
		ret = prepare(job, force, path, len, err);
	udf_kapi_free(&job->kapi);
	udf_kernel_free(&job->kernel);
	free(job);
	return ret;
}

int udf_image_open(const struct udf_image_options *opts, struct udf_image **image, struct udf_error *err)
{
	char path[UDF_FILE_PATH + NAME_MAX];
	struct udf_error first = UDF_ERROR_INIT;
	int ret = udf_image_prepare(opts, false, path, sizeof(path), err);

	if (ret || !udf_image_open_file(path, image, &first))
		return ret;
	/* removed between finding and opening it: once more, under the lock if need be */
	ret = udf_image_prepare(opts, false, path, sizeof(path), err);
	return ret ? ret : udf_image_open_file(path, image, err);
}
