// SPDX-License-Identifier: GPL-2.0
/* The cache of prepared images: hits, damage, full disks, processes that die or come at once. */
#define _GNU_SOURCE
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/fake_image.h"
#include "image/fake_kapi.h"
#include "image/format.h"
#include "image/image.h"

struct world {
	char folder[256], cache[300], vmlinuz[300], kapi[300];
	unsigned int prepared;		/* how often something was unpacked */
	unsigned int waited;
};

static void write_kapi(struct world *w, int version)
{
	const struct fake_kapi what = { .version = version };
	size_t len;
	void *object = fake_kapi(&what, &len);

	fake_file(w->folder, "kapi.o", object, len, w->kapi, sizeof(w->kapi));
	free(object);
}

static void write_vmlinuz(struct world *w, const struct fake_options *opts)
{
	size_t len;
	uint8_t *file = fake_vmlinuz(opts, FAKE_XZ, &len);

	fake_file(w->folder, "vmlinuz", file, len, w->vmlinuz, sizeof(w->vmlinuz));
	free(file);
}

static int setup(void **state)
{
	static struct world w;
	const struct fake_options opts = { 0 };

	memset(&w, 0, sizeof(w));
	fake_folder(w.folder, sizeof(w.folder));
	snprintf(w.cache, sizeof(w.cache), "%s/a/b", w.folder);
	write_vmlinuz(&w, &opts);
	write_kapi(&w, 1);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	fake_folder_remove(w->folder);
	return 0;
}

static void count_steps(void *ctx, const char *step, unsigned int percent)
{
	struct world *w = ctx;

	w->prepared += !strcmp(step, "unpacking");
	w->waited += !strncmp(step, "waiting", 7);
	assert_true(percent <= 100);
}

static struct udf_image_options options(struct world *w)
{
	return (struct udf_image_options){
		.vmlinuz = w->vmlinuz, .kapi = w->kapi, .cache_dir = w->cache, .progress = count_steps, .progress_ctx = w,
	};
}

static int prepare(struct world *w, char *path, struct udf_error *err)
{
	struct udf_image_options opts = options(w);

	return udf_image_prepare(&opts, false, path, 1024, err);
}

static void prepare_good(struct world *w, char *path)
{
	struct udf_error err = UDF_ERROR_INIT;

	if (prepare(w, path, &err))
		fail_msg("%s", err.text);
}

/* How many files the cache has, the lock aside. */
static unsigned int files(const struct world *w)
{
	DIR *d = opendir(w->cache);
	struct dirent *e;
	unsigned int n = 0;

	while (d && (e = readdir(d)))
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && strcmp(e->d_name, ".lock");
	if (d)
		closedir(d);
	return n;
}

static void test_prepared_once(void **state)
{
	struct world *w = *state;
	char first[1024], second[1024];

	prepare_good(w, first);
	assert_non_null(strstr(first, "/" FAKE_RELEASE "-" FAKE_BUILD_ID "-"));
	prepare_good(w, second);
	assert_string_equal(first, second);
	assert_int_equal(w->prepared, 1);
	assert_int_equal(files(w), 1);
}

static void test_force(void **state)
{
	struct world *w = *state;
	struct udf_image_options opts = options(w);
	struct udf_error err = UDF_ERROR_INIT;
	char path[1024];

	prepare_good(w, path);
	assert_int_equal(udf_image_prepare(&opts, true, path, sizeof(path), &err), 0);
	assert_int_equal(w->prepared, 2);
	assert_int_equal(files(w), 1);
}

static void test_changed_kapi(void **state)
{
	struct world *w = *state;
	char first[1024], second[1024];

	prepare_good(w, first);
	write_kapi(w, 1);	/* a new file with the same bytes */
	prepare_good(w, second);
	assert_string_equal(first, second);
	assert_int_equal(w->prepared, 1);
	write_kapi(w, 2);
	prepare_good(w, second);
	assert_string_not_equal(first, second);
	assert_int_equal(w->prepared, 2);
	/* the file for the old one has gone */
	assert_int_equal(files(w), 1);
}

static void test_changed_kernel(void **state)
{
	struct world *w = *state;
	const struct fake_options opts = { .release = "6.1.100-fake" };
	char path[1024];

	prepare_good(w, path);
	write_vmlinuz(w, &opts);
	prepare_good(w, path);
	assert_non_null(strstr(path, "6.1.100-fake"));
	assert_int_equal(w->prepared, 2);
	assert_int_equal(files(w), 1);
}

static void change_byte(const char *path, off_t at)
{
	int fd = open(path, O_RDWR);
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x40;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

/* A damaged file is found when it is opened, and prepared again. */
static void test_damaged_file(void **state)
{
	static const off_t header[] = { 0, 8, 12, 20, 100, 2000 };
	struct world *w = *state;
	struct udf_image *image;
	struct stat st;
	char path[1024];
	unsigned int i;

	prepare_good(w, path);
	assert_int_equal(stat(path, &st), 0);
	for (i = 0; i < sizeof(header) / sizeof(header[0]) + 4; i++) {
		struct udf_error err = UDF_ERROR_INIT;
		struct udf_image_options opts = options(w);

		w->prepared = 0;
		if (i < sizeof(header) / sizeof(header[0]))
			change_byte(path, header[i]);
		else
			assert_int_equal(truncate(path, i % 4 == 0 ? 0 : i % 4 == 1 ? 100 : i % 4 == 2 ? 4096 : st.st_size - 1), 0);
		assert_int_not_equal(udf_image_open_file(path, &image, &err), 0);
		assert_non_null(strstr(err.text, path));
		err = (struct udf_error)UDF_ERROR_INIT;
		assert_int_equal(udf_image_open(&opts, &image, &err), 0);
		assert_int_equal(w->prepared, 1);
		udf_image_close(image);
		assert_int_equal(udf_image_verify(path, &err), 0);
	}
	assert_int_equal(files(w), 1);
}

/* What the header does not vouch for: found by verify; look-ups stay inside. */
static void test_damaged_tables(void **state)
{
	struct world *w = *state;
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_image *image;
	struct udf_export x;
	char path[1024];
	struct udf_file_header header;
	uint64_t offset, value, start, size;
	struct stat st;
	uint8_t *rubbish;
	int fd;

	prepare_good(w, path);
	assert_int_equal(stat(path, &st), 0);
	change_byte(path, st.st_size - 4000);
	assert_int_equal(udf_image_verify(path, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "checksum of its contents"));
	change_byte(path, st.st_size - 4000);
	err = (struct udf_error)UDF_ERROR_INIT;
	assert_int_equal(udf_image_verify(path, &err), 0);
	change_byte(path, 4096 + 100);
	assert_int_equal(udf_image_verify(path, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "checksum of its tables"));

	/* all of the tables overwritten but for the strings, while they are mapped */
	err = (struct udf_error)UDF_ERROR_INIT;
	assert_int_equal(udf_image_open_file(path, &image, &err), 0);
	fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
	start = header.table[UDF_TABLE_SYMBOLS].offset;
	size = header.tables_offset + header.tables_size - start;
	rubbish = malloc(size);
	memset(rubbish, 0xa7, size);
	assert_int_equal(pwrite(fd, rubbish, size, (off_t)start), size);
	close(fd);
	free(rubbish);
	udf_image_lookup(image, "func_plain", &value);
	udf_image_export(image, "func_plain", &x);
	udf_image_symbolize(image, FAKE_RUN + FAKE_PLAIN, &offset);
	udf_image_kapi_section(image, "__bug_table", &value, &offset);
	udf_image_close(image);
}

static void test_outdated(void **state)
{
	struct world *w = *state;
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_image_entry *list;
	struct udf_image *image;
	char path[1024];
	unsigned int n;

	prepare_good(w, path);
	change_byte(path, offsetof(struct udf_file_header, contract));
	assert_int_equal(udf_image_open_file(path, &image, &err), -ESTALE);
	assert_non_null(strstr(err.text, "another version of UDF"));
	err = (struct udf_error)UDF_ERROR_INIT;
	assert_int_equal(udf_image_list(w->cache, &list, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_true(list[0].outdated && !list[0].damaged);
	free(list);
	prepare_good(w, path);
	assert_int_equal(w->prepared, 2);
}

/* Files may not be that large: one error, no signal, and nothing is left. */
static void test_file_limit(void **state)
{
	static const rlim_t limit[] = { 0, 4096, 50000 };
	struct world *w = *state;
	struct rlimit old, small;
	char path[1024];
	unsigned int i;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	for (i = 0; i < 3; i++) {
		struct udf_error err = UDF_ERROR_INIT;
		int ret;

		small = (struct rlimit){ .rlim_cur = limit[i], .rlim_max = old.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		ret = prepare(w, path, &err);
		setrlimit(RLIMIT_FSIZE, &old);
		assert_int_equal(ret, -EFBIG);
		assert_non_null(strstr(err.text, "ulimit -f"));
		assert_non_null(strstr(err.text, w->cache));
		assert_int_equal(files(w), 0);
	}
	prepare_good(w, path);
}

/* The release is known from the file's head: kapi is looked for before anything is unpacked. */
static void test_no_kapi(void **state)
{
	struct world *w = *state;
	struct udf_image_options opts = options(w);
	struct udf_error err = UDF_ERROR_INIT;
	char path[1024];

	opts.kapi = NULL;
	assert_int_equal(udf_image_prepare(&opts, false, path, sizeof(path), &err), -ENOENT);
	assert_non_null(strstr(err.text, "no kernel-world object for kernel " FAKE_RELEASE));
	assert_int_equal(w->prepared, 0);
	assert_int_equal(files(w), 0);
}

static void test_unwritable(void **state)
{
	struct world *w = *state;
	struct udf_error err = UDF_ERROR_INIT;
	char path[1024];

	/* a file where the directory should be */
	strcpy(w->cache, w->vmlinuz);
	assert_int_equal(prepare(w, path, &err), -ENOTDIR);
	assert_non_null(strstr(err.text, "--cache"));
}

/* What a process that died while it wrote left behind goes with the next preparation. */
static void test_leftovers(void **state)
{
	struct world *w = *state;
	char path[1024], temp[1024];

	prepare_good(w, path);
	fake_file(w->cache, ".tmp-12345", "x", 1, temp, sizeof(temp));
	write_kapi(w, 2);
	prepare_good(w, path);
	assert_int_equal(access(temp, F_OK), -1);
	assert_int_equal(files(w), 1);
}

/* One process prepares, the others wait for it and find its file. */
static void test_at_once(void **state)
{
	enum { PROCESSES = 3 };
	struct world *w = *state;
	char lock_path[1024], path[1024];
	int pipe_fd[2], ready[2], lock, i, total = 0;

	prepare_good(w, path);
	assert_int_equal(unlink(path), 0);
	snprintf(lock_path, sizeof(lock_path), "%s/.lock", w->cache);
	lock = open(lock_path, O_RDWR);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(pipe(pipe_fd) | pipe(ready), 0);
	for (i = 0; i < PROCESSES; i++) {
		if (!fork()) {
			struct udf_error err = UDF_ERROR_INIT;
			uint8_t result;

			close(lock);
			w->prepared = 0;
			assert_int_equal(write(ready[1], "r", 1), 1);
			result = prepare(w, path, &err) ? 100 : (uint8_t)w->prepared;
			assert_int_equal(write(pipe_fd[1], &result, 1), 1);
			_exit(0);
		}
	}
	for (i = 0; i < PROCESSES; i++)
		assert_int_equal(read(ready[0], path, 1), 1);
	close(lock);		/* all are on their way: let them */
	for (i = 0; i < PROCESSES; i++) {
		uint8_t result;

		assert_int_equal(read(pipe_fd[0], &result, 1), 1);
		total += result;
	}
	while (wait(NULL) > 0)
		;
	assert_int_equal(total, 1);
	assert_int_equal(files(w), 1);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	close(ready[0]);
	close(ready[1]);
}

static void test_list_and_remove(void **state)
{
	struct world *w = *state;
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_image_entry *list;
	char path[1024], other[1024];
	unsigned int n;

	assert_int_equal(udf_image_list(w->cache, &list, &n, &err), 0);
	assert_int_equal(n, 0);
	free(list);
	prepare_good(w, path);
	fake_file(w->cache, "6.1.7-abc-0.udfimg", "rubbish", 7, other, sizeof(other));
	assert_int_equal(udf_image_list(w->cache, &list, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_true(list[0].damaged);
	assert_string_equal(list[0].release, "");
	assert_string_equal(list[1].release, FAKE_RELEASE);
	assert_string_equal(list[1].build_id, FAKE_BUILD_ID);
	assert_string_equal(list[1].path, path);
	assert_true(list[1].file_size > list[1].disk_size || list[1].disk_size > 0);
	free(list);
	assert_int_equal(udf_image_remove(w->cache, "6.1", &n, &err), 0);
	assert_int_equal(n, 0);
	assert_int_equal(udf_image_remove(w->cache, "6.1.7", &n, &err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(udf_image_remove(w->cache, FAKE_RELEASE, &n, &err), 0);
	assert_int_equal(n, 1);
	prepare_good(w, path);
	assert_int_equal(udf_image_remove(w->cache, NULL, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(files(w), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_prepared_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_force, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changed_kapi, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changed_kernel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_tables, setup, teardown),
		cmocka_unit_test_setup_teardown(test_outdated, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_kapi, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unwritable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_leftovers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_list_and_remove, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
