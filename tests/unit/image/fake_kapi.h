/* SPDX-License-Identifier: GPL-2.0 */
/* Makes kernel-world objects for the tests of lib/image, and a place for files of a test. */
#ifndef TESTS_UNIT_IMAGE_FAKE_KAPI_H
#define TESTS_UNIT_IMAGE_FAKE_KAPI_H

#include <stddef.h>
#include <stdint.h>

struct fake_kapi {
	const char *replace[8];		/* functions of the image to replace */
	const char *import[8];		/* imported by a table of pointers, kapi_imports */
	const char *weak;		/* the same, weak */
	int percpu;			/* has per-CPU data */
	int thunks;			/* has code that wants patching */
	int version;			/* any number: changes the bytes */
};

/* An object whose function kapi_func stands for all replacements. For the caller to free(). */
void *fake_kapi(const struct fake_kapi *what, size_t *len);

/* A new empty folder below $TMPDIR, and its removal with all in it. */
void fake_folder(char *path, size_t len);
void fake_folder_remove(const char *path);
/* Write a file in FOLDER; PATH gets its name. */
void fake_file(const char *folder, const char *name, const void *data, size_t len, char *path, size_t path_len);

#endif
