// SPDX-License-Identifier: GPL-2.0
/* Look into another driver process; see target.h. Host world. */
#define _GNU_SOURCE
#include "debug/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layout.h"
#include "loader/symfile.h"

struct udf_target {
	int fd;
	bool core;
	pid_t pid;
	struct udf_debug_record record;
};

/* Where the LEN bytes at ADDR are in a core dump: the segment that has them, or -1. */
static off_t core_offset(int fd, uint64_t addr, size_t len)
{
	Elf64_Ehdr eh;
	unsigned int i;

	if (pread(fd, &eh, sizeof(eh), 0) != sizeof(eh) || memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_type != ET_CORE)
		return -1;
	for (i = 0; i < eh.e_phnum; i++) {
		Elf64_Phdr ph;

		if (pread(fd, &ph, sizeof(ph), (off_t)(eh.e_phoff + i * sizeof(ph))) != sizeof(ph))
			return -1;
		if (ph.p_type == PT_LOAD && addr >= ph.p_vaddr && addr - ph.p_vaddr <= ph.p_filesz &&
		    len <= ph.p_filesz - (addr - ph.p_vaddr))
			return (off_t)(ph.p_offset + (addr - ph.p_vaddr));
	}
	return -1;
}

static bool read_record(struct udf_target *t)
{
	off_t at = t->core ? core_offset(t->fd, UDF_DEBUG_BASE, sizeof(t->record)) : UDF_DEBUG_BASE;
	size_t done = 0;

	if (at < 0)
		return false;
	while (done < sizeof(t->record)) {
		ssize_t n = pread(t->fd, (char *)&t->record + done, sizeof(t->record) - done, at + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return !memcmp(t->record.magic, UDF_DEBUG_MAGIC, sizeof(t->record.magic));
}

int udf_target_open(pid_t pid, const char *core, struct udf_target **target, struct udf_error *err)
{
	struct udf_target *t = calloc(1, sizeof(*t));
	char path[PATH_MAX];

	if (!t)
		return udf_error_set(err, -ENOMEM, "no memory");
	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	else
		snprintf(path, sizeof(path), "%s", core);
	t->core = !pid;
	t->pid = pid;
	t->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (t->fd < 0) {
		udf_error_set(err, -errno, "%s: %s", path, strerror(errno));
	} else if (!read_record(t)) {
		if (pid)
			udf_error_set(err, -ESRCH, "process %d runs no driver", (int)pid);
		else
			udf_error_set(err, -ESRCH, "%s is no core dump of a process that ran a driver", core);
	} else if (t->record.version != UDF_DEBUG_VERSION) {
		udf_error_set(err, -ESTALE, "%s: the driver was started by another version of UDF", path);
	}
	if (err->code) {
		udf_target_close(t);
		return err->code;
	}
	*target = t;
	return 0;
}

void udf_target_close(struct udf_target *t)
{
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}

const struct udf_debug_record *udf_target_record(const struct udf_target *t)
{
	return &t->record;
}

int udf_target_set_jit(struct udf_target *t)
{
	const uint32_t one = 1;
	char path[64];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)t->pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pwrite(fd, &one, sizeof(one), UDF_DEBUG_BASE + (off_t)offsetof(struct udf_debug_record, jit)) != sizeof(one))
		ret = -errno;
	close(fd);
	return ret;
}

/* What a module imports is of no interest: its own code and data are where they are. */
static int resolve(void *ctx, const char *name, bool weak, uint64_t *value, struct udf_error *err)
{
	*value = UDF_IMAGE_BASE;
	return 0;
}

/* Link the file once more, into memory of ours but for the other process's addresses: only its tables are looked at. */
static int symbols_of(const struct udf_debug_module *m, const void *file, size_t len, void **data, size_t *data_len,
		      struct udf_error *err)
{
	struct udf_elf_place place[UDF_PART_COUNT];
	struct udf_elf_layout layout;
	struct udf_elf *elf;
	unsigned int i;
	int ret = udf_elf_parse(file, len, m->path, &elf, err);

	if (ret)
		return ret;
	udf_elf_layout(elf, &layout);
	for (i = 0; i < UDF_PART_COUNT; i++) {
		place[i] = (struct udf_elf_place){ m->place[i], calloc(1, layout.size[i] + 1) };
		if (!place[i].mem)
			ret = udf_error_set(err, -ENOMEM, "no memory");
	}
	if (!ret)
		ret = udf_elf_link(elf, place, resolve, NULL, err);
	if (!ret)
		ret = udf_elf_symfile(elf, place, m->state == UDF_DEBUG_LINKED, data, data_len);
	for (i = 0; i < UDF_PART_COUNT; i++)
		free(place[i].mem);
	udf_elf_free(elf);
	return ret;
}

static int write_file(const char *path, const void *data, size_t len, struct udf_error *err)
{
	FILE *f = fopen(path, "we");

	if (f && fwrite(data, 1, len, f) == len && !fclose(f))
		return 0;
	return udf_error_set(err, -EIO, "%s cannot be written: %s", path, strerror(errno));
}

static int module_file(const struct udf_debug_module *m, const char *path, struct udf_error *err)
{
	void *file, *data;
	size_t len, data_len;
	int ret = udf_module_read(m->path, &file, &len, err);

	if (ret)
		return ret;
	ret = symbols_of(m, file, len, &data, &data_len, err);
	free(file);
	if (ret)
		return ret;
	ret = write_file(path, data, data_len, err);
	free(data);
	return ret;
}

int udf_target_modules(struct udf_target *t, const char *prefix, int (*add)(void *ctx, const char *path), void *ctx,
		       struct udf_error *err)
{
	char path[PATH_MAX];
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < UDF_DEBUG_MODULES; i++) {
		struct udf_debug_module *m = &t->record.module[i];
		struct udf_error e = UDF_ERROR_INIT;

		/* a dump of a process has no JIT interface that could be asked again, but what was told lies in it */
		if (m->state == UDF_DEBUG_FREE || m->told)
			continue;
		m->name[sizeof(m->name) - 1] = m->path[sizeof(m->path) - 1] = 0;
		snprintf(path, sizeof(path), "%s%s.ko", prefix, m->name);
		if (module_file(m, path, &e))
			fprintf(stderr, "udf: no symbols of module %s: %s\n", m->name, e.text);
		else if (add(ctx, path))
			ret = udf_error_set(err, -ENOMEM, "no memory");
	}
	return ret;
}
