// SPDX-License-Identifier: GPL-2.0
/*
 * udf gdb: gdb on a driver: one that it starts, one that runs, or the core dump of one. Host world.
 *
 * gdb gets the symbol file of the image, the modules' files (a driver that is started under it tells of them itself), settings for the
 * signals that a driver process lives by, and some commands (gdb.py).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "common/strbuf.h"
#include "debug/image.h"
#include "debug/target.h"
#include "host/linux/host.h"

CLI_SUMMARY(gdb, "debug a driver with gdb");

static const char help[] =
	"Usage: udf gdb [OPTION...] --device SPEC [OPTION of udf run...]\n"
	"       udf gdb [OPTION...] --pid PID\n"
	"       udf gdb [OPTION...] --core FILE [--program FILE]\n\n"
	"Starts gdb on a driver: on 'udf run' with the options that follow, on a process that runs a driver already\n"
	"(udf, nbdkit or any program with libudf), or on a core dump. gdb knows the functions of the kernel image and of the\n"
	"modules, and source lines of what has debug information; back traces go through all of it.\n\n"
	"  --pid PID, -p PID    attach to process PID\n"
	"  --core FILE          look at a core dump\n"
	"  --program FILE       the program that dumped it (default: this one)\n"
	"  --ex COMMAND         repeatable: a command for gdb, before the driver is started\n"
	"  --batch              end gdb after these commands\n"
	"  --gdb FILE           the gdb to run (default: gdb, or $UDF_GDB_PROGRAM)\n"
	"  --help\n\n"
	"In gdb, beside its own commands:\n"
	"  udf-tasks [NAME]     the kernel's tasks, each with its back trace\n"
	"  udf-modules          the modules and where they lie\n"
	"  udf-log [LINES]      the last of the driver's log\n"
	"Type 'run' to start the driver; breakpoints on a module's functions can be set before it is loaded.\n";

/* Commands that every session begins with. */
static const char *const settings[] = {
	"set confirm off",
	"set breakpoint pending on",
	"set pagination off",
	/* register accesses, fix-ups, WARN and patched code are the driver's daily life */
	"handle SIGSEGV SIGBUS SIGILL SIGFPE nostop noprint pass",
};

struct session {
	pid_t pid;
	const char *core, *program, *gdb, *release, *image;
	bool batch;
	struct udf_strbuf dir;		/* temporary files; empty while there are none */
	char **arg;			/* of gdb */
	unsigned int nr, room;
	char **run;			/* of udf run */
	int nr_run;
	char **ex;
	unsigned int nr_ex;
};

/* ---- arguments ---- */

static int add(struct session *s, const char *text)
{
	if (s->nr + 2 > s->room) {
		char **grown = reallocarray(s->arg, s->room + 32, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		s->arg = grown;
		s->room += 32;
	}
	s->arg[s->nr] = strdup(text);
	if (!s->arg[s->nr])
		return -ENOMEM;
	s->arg[++s->nr] = NULL;
	return 0;
}

static int add_ex(struct session *s, const char *command)
{
	return add(s, "-ex") ?: add(s, command);
}

static int add_symbol_file(void *ctx, const char *path)
{
	char command[PATH_MAX + 32];

	snprintf(command, sizeof(command), "add-symbol-file %s", path);
	return add_ex(ctx, command);
}

static bool is_option(const char *arg, const char *name, char ***next, const char **value)
{
	size_t n = strlen(name);

	if (strncmp(arg, name, n) || (arg[n] && arg[n] != '='))
		return false;
	if (arg[n] == '=')
		*value = arg + n + 1;
	else if ((*next)[1])
		*value = *++*next;
	else
		*value = NULL;
	return true;
}

/* Take what is ours; the rest is udf run's, in its order. Returns false when the command is to end with *STATUS. */
static bool parse(struct session *s, char **argv, int *status)
{
	char **arg;

	*status = CLI_USAGE;
	for (arg = argv + 1; *arg; arg++) {
		const char *name = *arg, *value = "";

		if (!strcmp(name, "--help")) {
			printf("%s", help);
			*status = CLI_OK;
			return false;
		}
		if (!strcmp(name, "--batch")) {
			s->batch = true;
		} else if (is_option(name, "--pid", &arg, &value) || is_option(name, "-p", &arg, &value)) {
			s->pid = value ? atoi(value) : 0;
			if (s->pid <= 0)
				value = NULL;
		} else if (is_option(name, "--core", &arg, &value)) {
			s->core = value;
		} else if (is_option(name, "--program", &arg, &value)) {
			s->program = value;
		} else if (is_option(name, "--gdb", &arg, &value)) {
			s->gdb = value;
		} else if (is_option(name, "--ex", &arg, &value)) {
			s->ex[s->nr_ex++] = (char *)value;
		} else {
			s->run[s->nr_run++] = *arg;
			/* which image udf run is going to use */
			if (!is_option(name, "--release", &(char **){ arg }, &s->release))
				is_option(name, "--image", &(char **){ arg }, &s->image);
			continue;
		}
		if (!value) {
			cli_usage("gdb", "%s needs a value", name);
			return false;
		}
	}
	if ((s->pid != 0) + (s->core != NULL) + (s->nr_run != 0) == 1)
		return true;
	if (s->pid || s->core)
		cli_usage("gdb", "--pid, --core and a device exclude each other");
	else
		cli_usage("gdb", "what is to be debugged? --device, --pid or --core is missing");
	return false;
}

/* ---- what gdb is told ---- */

static int make_dir(struct session *s, struct udf_error *err)
{
	const char *tmp = getenv("TMPDIR");
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s/udf-gdb-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return udf_error_set(err, -errno, "%s: %s", dir, strerror(errno));
	udf_strbuf_addf(&s->dir, "%s/", dir);
	return s->dir.failed ? -ENOMEM : 0;
}

static void remove_dir(struct session *s)
{
	char *command = NULL;

	if (s->dir.len && asprintf(&command, "rm -rf '%s'", udf_strbuf_str(&s->dir)) > 0 && system(command))
		fprintf(stderr, "udf: %s could not be removed\n", udf_strbuf_str(&s->dir));
	free(command);
	udf_strbuf_free(&s->dir);
}

/* The helper commands, which are part of this program (gdb-script.S). */
static int add_script(struct session *s, struct udf_error *err)
{
	extern const char cli_gdb_script[], cli_gdb_script_end[];
	size_t len = (size_t)(cli_gdb_script_end - cli_gdb_script);
	char path[PATH_MAX], command[PATH_MAX + 16];
	FILE *f;

	snprintf(path, sizeof(path), "%sudf.py", udf_strbuf_str(&s->dir));
	f = fopen(path, "we");
	if (!f || fwrite(cli_gdb_script, 1, len, f) != len || fclose(f))
		return udf_error_set(err, -EIO, "%s: %s", path, strerror(errno));
	snprintf(command, sizeof(command), "source %s", path);
	return add_ex(s, command);
}

static int add_settings(struct session *s, struct udf_error *err)
{
	char command[64];
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < sizeof(settings) / sizeof(settings[0]); i++)
		ret = add_ex(s, settings[i]);
	/* gdb's SIG<number> of real-time signals is the kernel's number */
	snprintf(command, sizeof(command), "handle SIG%d nostop noprint pass", UDF_KICK_SIGNAL);
	ret = ret ?: add_ex(s, command);
	return ret ?: add_script(s, err);
}

static int add_image(struct session *s, const char *file, struct udf_error *err)
{
	struct udf_image_options opts = { .release = s->release, .vmlinuz = s->image };
	char found[512], vmlinuz[512], path[PATH_MAX];
	struct udf_image *image;
	int ret = 0;

	if (!file && !s->image) {
		ret = udf_image_find(s->release, vmlinuz, sizeof(vmlinuz), NULL, 0, found, sizeof(found), err);
		opts.vmlinuz = vmlinuz;
		opts.release = found;
	}
	if (!ret)
		ret = file ? udf_image_open_file(file, &image, err) : udf_image_open(&opts, &image, err);
	if (ret)
		return ret;
	ret = udf_debug_image_file(image, path, sizeof(path), err);
	udf_image_close(image);
	return ret ?: add_symbol_file(s, path);
}

static int add_target(struct session *s, struct udf_error *err)
{
	struct udf_target *target;
	int ret = udf_target_open(s->pid, s->core, &target, err);

	if (ret)
		return ret;
	ret = add_image(s, udf_target_record(target)->image, err);
	if (!ret)
		ret = udf_target_modules(target, udf_strbuf_str(&s->dir), add_symbol_file, s, err);
	if (!ret && s->pid)
		ret = udf_target_set_jit(target) ? udf_error_set(err, -EPERM, "process %d cannot be written to", (int)s->pid) : 0;
	udf_target_close(target);
	return ret;
}

static int add_program(struct session *s, struct udf_error *err)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int i, ret;

	if (n < 0)
		return udf_error_set(err, -errno, "/proc/self/exe: %s", strerror(errno));
	self[n] = 0;
	if (s->pid) {
		snprintf(self, sizeof(self), "%d", (int)s->pid);
		return add(s, "-p") ?: add(s, self);
	}
	if (s->core)
		return add(s, s->program ? s->program : self) ?: add(s, s->core);
	setenv("UDF_GDB", "1", 1);
	ret = add(s, "--args") ?: add(s, self) ?: add(s, "run");
	for (i = 0; !ret && i < s->nr_run; i++)
		ret = add(s, s->run[i]);
	return ret;
}

static int prepare(struct session *s, struct udf_error *err)
{
	const char *program = s->gdb ? s->gdb : getenv("UDF_GDB_PROGRAM");
	unsigned int i;
	int ret = make_dir(s, err);

	if (!ret)
		ret = add(s, program && *program ? program : "gdb") ?: add(s, "-q");
	if (!ret && s->batch)
		ret = add(s, "-batch");
	ret = ret ?: add_settings(s, err);
	if (!ret)
		ret = s->pid || s->core ? add_target(s, err) : add_image(s, NULL, err);
	for (i = 0; !ret && i < s->nr_ex; i++)
		ret = add_ex(s, s->ex[i]);
	ret = ret ?: add_program(s, err);
	if (ret && !err->code)
		udf_error_set(err, ret, "%s", strerror(-ret));
	return ret;
}

/* gdb's terminal is ours, and so are the signals that are typed: they are gdb's to handle. */
static int run_gdb(struct session *s)
{
	int status = 0;
	pid_t child;

	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	fflush(NULL);
	child = fork();
	if (!child) {
		signal(SIGINT, SIG_DFL);
		signal(SIGQUIT, SIG_DFL);
		execvp(s->arg[0], s->arg);
		fprintf(stderr, "udf: %s cannot be run: %s%s\n", s->arg[0], strerror(errno),
			errno == ENOENT ? "; the package gdb has it" : "");
		_exit(127);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return child > 0 && WIFEXITED(status) && !WEXITSTATUS(status) ? CLI_OK : CLI_FAILED;
}

int cmd_gdb(int argc, char **argv)
{
	struct udf_error err = UDF_ERROR_INIT;
	struct session s = { .dir = UDF_STRBUF_INIT };
	int status = CLI_FAILED;
	unsigned int i;

	s.run = calloc((size_t)argc + 1, sizeof(*s.run));
	s.ex = calloc((size_t)argc + 1, sizeof(*s.ex));
	if (!s.run || !s.ex)
		fprintf(stderr, "udf: no memory\n");
	else if (parse(&s, argv, &status))
		status = prepare(&s, &err) ? cli_fail(&err) : run_gdb(&s);
	remove_dir(&s);
	for (i = 0; i < s.nr; i++)
		free(s.arg[i]);
	free(s.arg);
	free(s.run);
	free(s.ex);
	return status;
}
