/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The cache of prepared images: a directory of files <release>-<build id>-<hash of kapi, format, contract>.udfimg. Private to lib/image.
 *
 * A file is known again by what its header says of its sources, so that a hit reads neither vmlinuz nor kapi. Files appear by
 * rename, whole; a lock file keeps two processes from preparing the same thing.
 */
#ifndef UDF_IMAGE_CACHE_H
#define UDF_IMAGE_CACHE_H

#include "image/format.h"
#include "image/image.h"

/* What an image is wanted from. */
struct udf_want {
	char vmlinuz_path[UDF_FILE_PATH];
	char kapi_path[UDF_FILE_PATH];		/* "": none */
	struct udf_file_source vmlinuz, kapi;
	uint64_t kapi_hash;			/* valid once hashed */
	bool hashed;
};

/* Look at the two files; the first LEN bytes of vmlinuz are left in HEAD, how many there are is the return value. */
int udf_want_source(struct udf_want *want, uint8_t *head, size_t len, struct udf_error *err);
int udf_want_kapi(struct udf_want *want, struct udf_error *err);
/* The hash of kapi's bytes, FORMAT and contract; DATA NULL with LEN 0: without kapi. */
uint64_t udf_kapi_hash(const void *data, size_t len);

/* Name of the file in DIR that fits, or -ENOENT. With HASHING kapi is read when its times have changed but its bytes may not. */
int udf_cache_find(const char *dir, struct udf_want *want, bool hashing, char *path, size_t len);

/* Make DIR if need be, and wait for its lock. Returns a descriptor whose closing unlocks, or a negative errno. */
int udf_cache_lock(const char *dir, void (*waiting)(void *ctx), void *ctx, struct udf_error *err);

/* A file being written: under its final name only after udf_cache_publish(). Holding the lock. */
struct udf_cache_file {
	int fd;
	char dir[UDF_FILE_PATH], temp[UDF_FILE_PATH + 64];
};
int udf_cache_create(const char *dir, struct udf_cache_file *file, struct udf_error *err);
/* Write it through to the disk and give it its name; it takes the place of what it supersedes. On error it is gone. */
int udf_cache_publish(struct udf_cache_file *file, const struct udf_file_header *header, char *path, size_t len, struct udf_error *err);
void udf_cache_abandon(struct udf_cache_file *file);
/* "The disk is full", or what else CODE says about writing to FILE. */
int udf_cache_write_error(const struct udf_cache_file *file, int code, uint64_t need, struct udf_error *err);

/* Read a whole regular file of at most MAX bytes. */
int udf_read_file(const char *path, uint64_t max, uint8_t **data, size_t *len, struct udf_error *err);

#endif
