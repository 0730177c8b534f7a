// SPDX-License-Identifier: GPL-2.0
/* udf read and udf write; see copy.h. Host world. */
#include "copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "common/progress.h"
#include "port.h"

static const char help_read[] =
	"Usage: udf read --device SPEC [--disk NAME] [--offset N] [--length N] [--file FILE] [OPTION...]\n\n"
	"Starts the driver of the port, copies bytes of a disk to stdout or a file, and shuts the device down.\n\n"
	"  --disk NAME          which disk, if the driver offers several\n"
	"  --offset N           where to begin, a multiple of the disk's block size (default 0)\n"
	"  --length N           how much, a multiple of the block size (default: to the end)\n"
	"  --file FILE          where to write (default: stdout)\n"
	"  N may end with K, M, G or T.\n";
static const char help_write[] =
	"Usage: udf write --device SPEC [--disk NAME] [--offset N] [--length N] [--file FILE] [OPTION...]\n\n"
	"Starts the driver of the port, copies stdin or a file to a disk, flushes it, and shuts the device down.\n\n"
	"  --disk NAME          which disk, if the driver offers several\n"
	"  --offset N           where to begin, a multiple of the disk's block size (default 0)\n"
	"  --length N           how much, a multiple of the block size (default: all that can be read)\n"
	"  --file FILE          what to read (default: stdin)\n"
	"  --fua                each write is on stable media before the next part is read\n"
	"  --zeroes             write zeroes instead, --length bytes\n"
	"  --discard            discard instead, --length bytes\n"
	"  N may end with K, M, G or T.\n";

struct copy {
	struct cli_port port;
	bool write, has_length, zeroes, discard;
	unsigned int flags;
	const char *disk_name, *file;
	uint64_t offset, length;
	struct udf_disk *disk;
	struct udf_disk_info info;
	struct udf_progress *progress;
	int fd;
};

enum { OPT_DISK, OPT_OFFSET, OPT_LENGTH, OPT_FILE, OPT_FUA, OPT_ZEROES, OPT_DISCARD };

#define COMMON_OPTIONS								\
	CLI_PORT_OPTIONS,							\
	{ "disk", required_argument, NULL, OPT_DISK },				\
	{ "offset", required_argument, NULL, OPT_OFFSET },			\
	{ "length", required_argument, NULL, OPT_LENGTH },			\
	{ "file", required_argument, NULL, OPT_FILE }

static const struct option read_options[] = { COMMON_OPTIONS, { 0 } };
static const struct option write_options[] = {
	COMMON_OPTIONS,
	{ "fua", no_argument, NULL, OPT_FUA },
	{ "zeroes", no_argument, NULL, OPT_ZEROES },
	{ "discard", no_argument, NULL, OPT_DISCARD },
	{ 0 }
};

static bool set_size(struct copy *k, const char *name, const char *value, uint64_t *out)
{
	if (cli_parse_size(value, out))
		return true;
	k->port.status = cli_usage(k->port.verb, "%s is '%s', but must be a number of bytes", name, value);
	return false;
}

static bool take_option(struct copy *k, int c, const struct option *o)
{
	switch (c) {
	case OPT_DISK:
		k->disk_name = optarg;
		return true;
	case OPT_OFFSET:
		return set_size(k, "offset", optarg, &k->offset);
	case OPT_LENGTH:
		k->has_length = true;
		return set_size(k, "length", optarg, &k->length);
	case OPT_FILE:
		k->file = optarg;
		return true;
	case OPT_FUA:
		k->flags |= UDF_FUA;
		return true;
	case OPT_ZEROES:
		k->zeroes = true;
		return true;
	case OPT_DISCARD:
		k->discard = true;
		return true;
	}
	return cli_port_option(&k->port, c, o, k->write ? help_write : help_read);
}

static bool parse(struct copy *k, int argc, char **argv)
{
	const struct option *options = k->write ? write_options : read_options;
	const char *verb = k->port.verb;
	int c, i = 0;

	while ((c = getopt_long(argc, argv, "", options, &i)) != -1)
		if (!take_option(k, c, &options[i]))
			return false;
	k->port.status = CLI_USAGE;
	if (optind < argc)
		cli_usage(verb, "'%s' is not an option", argv[optind]);
	else if (!k->port.has_device)
		cli_usage(verb, "--device or --port is missing");
	else if (k->zeroes && k->discard)
		cli_usage(verb, "--zeroes and --discard exclude each other");
	else if ((k->zeroes || k->discard) && (k->file || !k->has_length))
		cli_usage(verb, "--zeroes and --discard need --length, and no --file");
	else
		return true;
	return false;
}

static int fail(const char *what, const char *name, int err)
{
	fprintf(stderr, "udf: %s %s: %s\n", what, name, strerror(-err));
	return CLI_FAILED;
}

static int open_file(struct copy *k)
{
	k->fd = k->write ? STDIN_FILENO : STDOUT_FILENO;
	if (!k->file)
		return CLI_OK;
	k->fd = k->write ? open(k->file, O_RDONLY | O_CLOEXEC) : open(k->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return k->fd < 0 ? fail("cannot open", k->file, -errno) : CLI_OK;
}

static int open_disk(struct copy *k)
{
	int err;

	if (!cli_port_settle(&k->port))
		return CLI_FAILED;
	err = udf_disk_open(k->port.udf, k->disk_name, &k->disk);
	if (err == -ENOTUNIQ) {
		fprintf(stderr, "udf: the driver offers several disks; --disk says which ('udf disks' lists them)\n");
		return CLI_FAILED;
	}
	if (!err)
		err = udf_disk_info(k->disk, &k->info);
	return err ? fail("cannot open disk", k->disk_name ? k->disk_name : "", err) : CLI_OK;
}

/* Blocks of the disk, within it. */
static int check_range(struct copy *k)
{
	const char *name = k->info.name;
	uint32_t block = k->info.logical_block;

	if (k->offset % block || k->length % block) {
		fprintf(stderr, "udf: offset and length must be multiples of %u, the block size of %s\n", block, name);
		return CLI_FAILED;
	}
	if (k->offset > k->info.size || k->length > k->info.size - k->offset) {
		fprintf(stderr, "udf: %s ends at %llu\n", name, (unsigned long long)k->info.size);
		return CLI_FAILED;
	}
	if (!k->has_length)
		k->length = k->info.size - k->offset;
	return CLI_OK;
}

static void show_progress(struct copy *k, uint64_t at)
{
	udf_progress_update(k->progress, NULL, k->has_length || !k->write ? at * 100 / (k->length ? k->length : 1) : UDF_PROGRESS_UNKNOWN);
}

/* An error of the disk: when its port is lost, with the reason. */
static int fail_disk(struct copy *k, const char *what, int err)
{
	const char *why = udf_lost(k->port.udf);

	if (err == -ENODEV && why) {
		fprintf(stderr, "udf: %s %s: the port is lost: %s\n", what, k->info.name, why);
		return CLI_FAILED;
	}
	return fail(what, k->info.name, err);
}

static int read_disk(struct copy *k, char *buf)
{
	uint64_t at = 0;

	while (at < k->length) {
		size_t n = k->length - at < UDF_BUF_MAX ? k->length - at : UDF_BUF_MAX, written = 0;
		int err = udf_pread(NULL, k->disk, buf, n, k->offset + at);

		if (err)
			return fail_disk(k, "cannot read", err);
		while (written < n) {
			ssize_t w = write(k->fd, buf + written, n - written);

			if (w < 0 && errno == EINTR)
				continue;
			if (w < 0)
				return fail("cannot write", k->file ? k->file : "stdout", -errno);
			written += w;
		}
		at += n;
		show_progress(k, at);
	}
	return CLI_OK;
}

/* Fill BUF from the file, as far as it goes. Returns bytes or a negative errno. */
static ssize_t fill(struct copy *k, char *buf, size_t len)
{
	size_t n = 0;

	while (n < len) {
		ssize_t r = read(k->fd, buf + n, len - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (!r)
			break;
		n += r;
	}
	return n;
}

static int write_disk(struct copy *k, char *buf)
{
	const char *from = k->file ? k->file : "stdin";
	uint64_t at = 0;

	while (at < k->length) {
		size_t want = k->length - at < UDF_BUF_MAX ? k->length - at : UDF_BUF_MAX;
		ssize_t n = fill(k, buf, want);
		int err;

		if (n < 0)
			return fail("cannot read", from, n);
		if (k->has_length ? (size_t)n < want : n % k->info.logical_block) {
			fprintf(stderr, "udf: %s ends after %llu bytes, which %s\n", from, (unsigned long long)(at + n),
				k->has_length ? "is less than --length" : "is no whole number of blocks");
			return CLI_FAILED;
		}
		err = n ? udf_pwrite(NULL, k->disk, buf, n, k->offset + at, k->flags) : 0;
		if (err)
			return fail_disk(k, "cannot write", err);
		at += n;
		if ((size_t)n < want)
			return CLI_OK;
		show_progress(k, at);
	}
	if (!k->has_length && fill(k, buf, 1) > 0) {
		fprintf(stderr, "udf: %s is longer than %s\n", from, k->info.name);
		return CLI_FAILED;
	}
	return CLI_OK;
}

static int copy_data(struct copy *k)
{
	char *buf = udf_buf_alloc(k->port.udf, UDF_BUF_MAX);
	int status;

	if (!buf)
		return fail("no buffer for", k->info.name, -ENOMEM);
	status = k->write ? write_disk(k, buf) : read_disk(k, buf);
	udf_buf_free(k->port.udf, buf);
	return status;
}

static int perform(struct copy *k)
{
	int status = CLI_OK, err = 0;

	if (k->zeroes)
		err = udf_pwrite_zeroes(NULL, k->disk, k->offset, k->length, k->flags);
	else if (k->discard)
		err = udf_pdiscard(NULL, k->disk, k->offset, k->length);
	else
		status = copy_data(k);
	if (!err && !status && k->write)
		err = udf_pflush(NULL, k->disk);
	return err ? fail_disk(k, k->discard ? "cannot discard on" : "cannot write", err) : status;
}

static int run(struct copy *k)
{
	int status = open_disk(k);

	if (!status)
		status = check_range(k);
	if (status)
		return status;
	k->progress = udf_progress_start(k->write ? "writing" : "reading");
	status = perform(k);
	udf_progress_end(k->progress);
	return status;
}

int cli_copy(bool write, int argc, char **argv)
{
	struct copy k = { .write = write, .fd = -1 };

	if (!cli_port_init(&k.port, write ? "write" : "read"))
		return CLI_FAILED;
	if (!parse(&k, argc, argv))
		goto out;
	k.port.status = open_file(&k);
	if (!k.port.status)
		k.port.status = cli_port_open(&k.port);
	if (k.port.udf)
		k.port.status = cli_port_close(&k.port, run(&k));
	if (k.file && k.fd >= 0 && close(k.fd))
		k.port.status = fail("cannot write", k.file, -errno);
out:
	cli_port_free(&k.port);
	return k.port.status;
}
