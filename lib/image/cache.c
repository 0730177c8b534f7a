// SPDX-License-Identifier: GPL-2.0
/* The cache of prepared images; see cache.h. Host world. */
#define _GNU_SOURCE
#include "image/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "contract.h"
#include "image/prepared.h"

#define TEMP_PREFIX	".tmp-"
#define LOCK_NAME	".lock"
#define TAIL		16384		/* bytes looked at at the end of vmlinuz */
#define KAPI_MAX	(256ull << 20)
#define SYSTEM_CACHE	"/var/cache/udf"

int udf_read_file(const char *path, uint64_t max, uint8_t **data, size_t *len, struct udf_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret = fd < 0 ? -errno : 0;
	struct stat st = { 0 };
	size_t done = 0;

	*data = NULL;
	if (!ret && fstat(fd, &st))
		ret = -errno;
	if (!ret && !S_ISREG(st.st_mode))
		ret = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (!ret && (uint64_t)st.st_size > max)
		ret = -EFBIG;
	if (!ret) {
		*data = malloc((size_t)st.st_size + 1);
		ret = *data ? 0 : -ENOMEM;
	}
	while (!ret && done < (size_t)st.st_size) {
		ssize_t n = read(fd, *data + done, (size_t)st.st_size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			ret = -errno;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	*len = done;
	if (!ret)
		return 0;
	free(*data);
	*data = NULL;
	return udf_error_set(err, ret, "%s cannot be read: %s", path, strerror(-ret));
}

static void note_stat(struct udf_file_source *s, const struct stat *st)
{
	s->size = (uint64_t)st->st_size;
	s->dev = st->st_dev;
	s->ino = st->st_ino;
	s->mtime_sec = st->st_mtim.tv_sec;
	s->mtime_nsec = st->st_mtim.tv_nsec;
	s->ctime_sec = st->st_ctim.tv_sec;
	s->ctime_nsec = st->st_ctim.tv_nsec;
}

int udf_want_source(struct udf_want *want, uint8_t *head, size_t len, struct udf_error *err)
{
	int fd = open(want->vmlinuz_path, O_RDONLY | O_CLOEXEC);
	uint8_t tail[TAIL];
	struct stat st;
	ssize_t n = -1;

	if (fd < 0 || fstat(fd, &st))
		goto fail;
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		goto fail;
	}
	want->vmlinuz.size = (uint64_t)st.st_size;
	n = pread(fd, tail, sizeof(tail), st.st_size > TAIL ? st.st_size - TAIL : 0);
	if (n < 0)
		goto fail;
	want->vmlinuz.tail_crc = (uint32_t)crc32(0, tail, (uInt)n);
	n = pread(fd, head, len, 0);
	if (n < 0)
		goto fail;
	want->vmlinuz.head_crc = (uint32_t)crc32(0, head, (uInt)n);
	close(fd);
	return (int)n;
fail:
	n = -errno;
	if (fd >= 0)
		close(fd);
	return udf_error_set(err, (int)n, "%s cannot be read: %s", want->vmlinuz_path, strerror((int)-n));
}

int udf_want_kapi(struct udf_want *want, struct udf_error *err)
{
	struct stat st;

	want->kapi_hash = udf_kapi_hash(NULL, 0);
	want->hashed = !want->kapi_path[0];
	if (!want->kapi_path[0])
		return 0;
	if (stat(want->kapi_path, &st))
		return udf_error_set(err, -errno, "%s cannot be read: %s", want->kapi_path, strerror(errno));
	note_stat(&want->kapi, &st);
	return 0;
}

uint64_t udf_kapi_hash(const void *data, size_t len)
{
	const uint32_t version[2] = { UDF_FILE_FORMAT, UDF_CONTRACT_VERSION };

	return lzma_crc64(data, len, lzma_crc64((const uint8_t *)version, sizeof(version), 0));
}

static bool same_source(const struct udf_file_source *a, const struct udf_file_source *b)
{
	return a->size == b->size && a->head_crc == b->head_crc && a->tail_crc == b->tail_crc && a->dev == b->dev && a->ino == b->ino &&
	       a->mtime_sec == b->mtime_sec && a->mtime_nsec == b->mtime_nsec && a->ctime_sec == b->ctime_sec &&
	       a->ctime_nsec == b->ctime_nsec;
}

/* Whether the bytes of kapi are those that H was made with; they are read once. */
static bool same_bytes(const struct udf_file_header *h, struct udf_want *want)
{
	struct udf_error ignored = UDF_ERROR_INIT;
	uint8_t *data;
	size_t len;

	if (!want->hashed) {
		if (udf_read_file(want->kapi_path, KAPI_MAX, &data, &len, &ignored))
			return false;
		want->kapi_hash = udf_kapi_hash(data, len);
		want->hashed = true;
		free(data);
	}
	return h->kapi_hash == want->kapi_hash;
}

static bool fits(const struct udf_file_header *h, struct udf_want *want, bool hashing)
{
	if (!same_source(&h->vmlinuz, &want->vmlinuz) || !h->kapi_path[0] != !want->kapi_path[0])
		return false;
	return same_source(&h->kapi, &want->kapi) || (hashing && same_bytes(h, want));
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n > m && !strcmp(name + n - m, suffix);
}

/* Read the header of NAME in the directory DFD. Returns as udf_file_read_header(). */
static int header_of(int dfd, const char *name, struct udf_file_header *header)
{
	int fd = openat(dfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), ret;
	const char *why;

	if (fd < 0)
		return -errno;
	ret = udf_file_read_header(fd, header, &why);
	close(fd);
	return ret;
}

int udf_cache_find(const char *dir, struct udf_want *want, bool hashing, char *path, size_t len)
{
	DIR *d = opendir(dir);
	struct udf_file_header header;
	struct dirent *e;
	int ret = -ENOENT;

	while (d && ret && (e = readdir(d))) {
		if (!has_suffix(e->d_name, UDF_FILE_SUFFIX) || header_of(dirfd(d), e->d_name, &header) || !fits(&header, want, hashing))
			continue;
		snprintf(path, len, "%s/%s", dir, e->d_name);
		ret = 0;
	}
	if (d)
		closedir(d);
	return ret;
}

int udf_image_cache_dir(const char *cache_dir, char *path, size_t len, struct udf_error *err)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int n;

	if (cache_dir)
		n = snprintf(path, len, "%s", cache_dir);
	else if (xdg && xdg[0] == '/')
		n = snprintf(path, len, "%s/udf", xdg);
	else if (!geteuid())
		n = snprintf(path, len, SYSTEM_CACHE);
	else if (home && home[0] == '/')
		n = snprintf(path, len, "%s/.cache/udf", home);
	else
		return udf_error_set(err, -ENOENT, "there is no place for prepared images: HOME is not set; name one with --cache DIR");
	if (n < 0 || (size_t)n >= len || n >= UDF_FILE_PATH - NAME_MAX)
		return udf_error_set(err, -ENAMETOOLONG, "the name of the cache, %.80s..., is too long: name another with --cache DIR", path);
	return 0;
}

static int make_dirs(const char *dir)
{
	char path[UDF_FILE_PATH];
	char *p;

	snprintf(path, sizeof(path), "%s", dir);
	for (p = path + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		if (mkdir(path, 0755) && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return mkdir(path, 0755) && errno != EEXIST ? -errno : 0;
}

int udf_cache_lock(const char *dir, void (*waiting)(void *ctx), void *ctx, struct udf_error *err)
{
	char path[UDF_FILE_PATH + 16];
	int fd, ret = make_dirs(dir);

	snprintf(path, sizeof(path), "%s/%s", dir, LOCK_NAME);
	fd = ret ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (!ret && fd < 0)
		ret = -errno;
	if (!ret && flock(fd, LOCK_EX | LOCK_NB)) {
		if (waiting)
			waiting(ctx);
		while ((ret = flock(fd, LOCK_EX) ? -errno : 0) == -EINTR)
			;
	}
	if (!ret)
		return fd;
	if (fd >= 0)
		close(fd);
	if (ret == -ENOSPC || ret == -EDQUOT)
		return udf_error_set(err, ret, "the disk that holds the cache %s is full: free some of it, or name another place with --cache DIR", dir);
	return udf_error_set(err, ret, "the cache %s cannot be written: %s; name another place with --cache DIR", dir, strerror(-ret));
}

/* What processes left that died while they wrote; nobody else writes while the lock is held. */
static void remove_leftovers(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (!strncmp(e->d_name, TEMP_PREFIX, strlen(TEMP_PREFIX)))
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}

int udf_cache_create(const char *dir, struct udf_cache_file *file, struct udf_error *err)
{
	remove_leftovers(dir);
	snprintf(file->dir, sizeof(file->dir), "%s", dir);
	snprintf(file->temp, sizeof(file->temp), "%s/" TEMP_PREFIX "%ld", dir, (long)getpid());
	file->fd = open(file->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return file->fd < 0 ? udf_cache_write_error(file, -errno, 0, err) : 0;
}

void udf_cache_abandon(struct udf_cache_file *file)
{
	if (file->fd < 0)
		return;
	close(file->fd);
	unlink(file->temp);
	file->fd = -1;
}

int udf_cache_write_error(const struct udf_cache_file *file, int code, uint64_t need, struct udf_error *err)
{
	if (code == -EFBIG)
		return udf_error_set(err, code, "a prepared image of %" PRIu64 " MiB is larger than a file in the cache %s may be: raise the limit "
				     "(ulimit -f), or name another place with --cache DIR", need ? (need >> 20) + 1 : 64, file->dir);
	if (code == -ENOSPC || code == -EDQUOT)
		return udf_error_set(err, code, "the disk that holds the cache %s is full: a prepared image needs %" PRIu64 " MiB; free as much, or "
				     "name another place with --cache DIR", file->dir, need ? (need >> 20) + 1 : 64);
	return udf_error_set(err, code, "the cache %s cannot be written: %s; name another place with --cache DIR", file->dir, strerror(-code));
}

/* Remove what H supersedes: files made from the same paths, except NAME. */
static void remove_superseded(const char *dir, const struct udf_file_header *h, const char *name)
{
	DIR *d = opendir(dir);
	struct udf_file_header other;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		int ret;

		if (!has_suffix(e->d_name, UDF_FILE_SUFFIX) || !strcmp(e->d_name, name))
			continue;
		ret = header_of(dirfd(d), e->d_name, &other);
		if (!ret && !strcmp(other.vmlinuz_path, h->vmlinuz_path) && !strcmp(other.kapi_path, h->kapi_path))
			unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
}

static int sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = fsync(fd) ? -errno : 0;
	close(fd);
	/* some file systems have no fsync for directories */
	return ret == -EINVAL ? 0 : ret;
}

int udf_cache_publish(struct udf_cache_file *file, const struct udf_file_header *header, char *path, size_t len, struct udf_error *err)
{
	char name[NAME_MAX + 1];
	int ret = fsync(file->fd) ? -errno : 0;

	snprintf(name, sizeof(name), "%s-%s-%016" PRIx64 UDF_FILE_SUFFIX, header->release, header->build_id, header->kapi_hash);
	snprintf(path, len, "%s/%s", file->dir, name);
	if (!ret && rename(file->temp, path))
		ret = -errno;
	if (ret) {
		udf_cache_abandon(file);
		return udf_cache_write_error(file, ret, header->file_size, err);
	}
	close(file->fd);
	file->fd = -1;
	ret = sync_dir(file->dir);
	if (ret)
		return udf_cache_write_error(file, ret, header->file_size, err);
	remove_superseded(file->dir, header, name);
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	const struct udf_image_entry *x = a, *y = b;

	return strverscmp(x->path, y->path);
}

/* Describe the file NAME of the directory DFD, called DIR. Returns false if it has gone. */
static bool describe(int dfd, const char *dir, const char *name, struct udf_image_entry *entry)
{
	struct udf_file_header header;
	struct stat st;
	int ret;

	memset(entry, 0, sizeof(*entry));
	if (fstatat(dfd, name, &st, AT_SYMLINK_NOFOLLOW))
		return false;
	ret = header_of(dfd, name, &header);
	snprintf(entry->path, sizeof(entry->path), "%s/%s", dir, name);
	entry->file_size = (uint64_t)st.st_size;
	entry->disk_size = (uint64_t)st.st_blocks * 512;
	entry->mtime = st.st_mtim.tv_sec;
	entry->outdated = ret == -ESTALE;
	entry->damaged = ret && !entry->outdated;
	if (!ret) {
		snprintf(entry->release, sizeof(entry->release), "%s", header.release);
		snprintf(entry->build_id, sizeof(entry->build_id), "%s", header.build_id);
	}
	return true;
}

int udf_image_list(const char *cache_dir, struct udf_image_entry **list, unsigned int *n, struct udf_error *err)
{
	char dir[UDF_FILE_PATH];
	struct dirent *e;
	DIR *d;
	int ret = udf_image_cache_dir(cache_dir, dir, sizeof(dir), err);

	*list = NULL;
	*n = 0;
	if (ret)
		return ret;
	d = opendir(dir);
	if (!d && errno != ENOENT)
		return udf_error_set(err, -errno, "the cache %s cannot be read: %s", dir, strerror(errno));
	while (!ret && d && (e = readdir(d))) {
		struct udf_image_entry *more;

		if (!has_suffix(e->d_name, UDF_FILE_SUFFIX))
			continue;
		more = reallocarray(*list, *n + 1, sizeof(*more));
		if (!more) {
			ret = udf_error_set(err, -ENOMEM, "not enough memory to list %s", dir);
			break;
		}
		*list = more;
		*n += describe(dirfd(d), dir, e->d_name, &more[*n]);
	}
	if (d)
		closedir(d);
	if (ret) {
		free(*list);
		*list = NULL;
		*n = 0;
	} else if (*n) {
		qsort(*list, *n, sizeof(**list), compare_entries);
	}
	return ret;
}

int udf_image_remove(const char *cache_dir, const char *release, unsigned int *n, struct udf_error *err)
{
	struct udf_image_entry *list;
	unsigned int i, count;
	int ret = udf_image_list(cache_dir, &list, &count, err);

	*n = 0;
	for (i = 0; !ret && i < count; i++) {
		const char *name = strrchr(list[i].path, '/') + 1;
		bool named = release && !strncmp(name, release, strlen(release)) && name[strlen(release)] == '-';

		/* a damaged file still has its release in its name; what follows is the build id, without another '-' in front */
		if (release && strcmp(list[i].release, release) && !(named && !list[i].release[0]))
			continue;
		if (!unlink(list[i].path))
			(*n)++;
		else if (errno != ENOENT)
			ret = udf_error_set(err, -errno, "%s cannot be removed: %s", list[i].path, strerror(errno));
	}
	free(list);
	return ret;
}
