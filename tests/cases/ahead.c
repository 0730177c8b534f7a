// SPDX-License-Identifier: GPL-2.0
/*
 * timeout: 200
 *
 * Booting before the port is known: kernel code that has booted in memory of its own goes on in the port's; if the port wants other CPUs, or has other
 * memory, it boots once more; and it ends if there is no port after all. Modules are loaded meanwhile, and those that the port does not have are unloaded.
 * Each time the disk works, and nothing is left behind.
 */
#include <dirent.h>

#include "front/internal.h"
#include "load.h"

#define OF_NVME "crct10dif_common crc64 crct10dif_pclmul crct10dif_generic crc_t10dif crc64_rocksoft crc64_rocksoft_generic t10_pi nvme_core nvme"

static const struct {
	const char *what;
	const char *cpus, *memory;		/* that are booted with; NULL: as they are */
	const char *port_cpus, *port_memory;	/* of the port, NULL: the same */
	bool cancelled, waits;
	bool again;				/* it has to boot once more */
	const char *modules, *port_modules;	/* to be loaded ahead; that the port is said to have */
	const char *kept, *unloaded;		/* one of the first, afterwards */
	bool not_ahead;				/* modules are not loaded */
} cases[] = {
	{ "one vCPU", .cpus = "1" },
	{ "two vCPUs", .cpus = "2" },
	{ "less memory", .cpus = "1", .memory = "48" },
	{ "a long wait", .cpus = "1", .waits = true },
	{ "a long wait of two", .cpus = "2", .waits = true },
	{ "more vCPUs", .cpus = "1", .port_cpus = "2", .again = true },
	{ "fewer vCPUs", .cpus = "2", .port_cpus = "1", .again = true },
	{ "other memory", .cpus = "1", .memory = "64", .port_memory = "48", .again = true },
	{ "its modules", .cpus = "1", .modules = "nvme crc7", .port_modules = OF_NVME " crc7", .kept = "crc7" },
	{ "its modules and a long wait", .cpus = "1", .waits = true, .modules = "crc7 nvme", .port_modules = "crc7", .kept = "crc7" },
	{ "another's modules", .cpus = "1", .modules = "e1000e nvme", .port_modules = OF_NVME, .unloaded = "e1000e" },
	{ "modules of who knows", .cpus = "1", .modules = "crc7 nvme", .unloaded = "crc7" },
	{ "no modules", .cpus = "1", .modules = "nonesuch" },
	{ "its modules, other memory", .cpus = "1", .memory = "64", .port_memory = "48", .again = true, .modules = "nvme crc7", .unloaded = "crc7" },
	{ "its modules with two vCPUs", .cpus = "2", .modules = "nvme", .not_ahead = true },
	{ "its modules, cancelled", .cpus = "1", .cancelled = true, .modules = "nvme" },
	{ "cancelled", .cpus = "1", .cancelled = true },
	{ "cancelled with two", .cpus = "2", .cancelled = true },
};

/* What is mapped of memory of our own. */
static unsigned int own_mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[4096];
	unsigned int n = 0;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, "memfd:udf-ahead") != NULL;
	fclose(f);
	return n;
}

static unsigned int entries(const char *path)
{
	DIR *d = opendir(path);
	unsigned int n = 0;

	CHECK(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static unsigned int current;

struct has {
	const char *name;
	bool found;
};

static void compare_name(void *arg, const char *name, const char *file)
{
	struct has *has = arg;

	has->found = has->found || !strcmp(name, has->name);
}

static bool is_loaded(const char *name)
{
	struct has has = { .name = name };

	udf_driver_modules(NULL, compare_name, &has);
	return has.found;
}

static void set_modules(struct udf_options *o, const char *names)
{
	char *copy = strdup(names ?: ""), *rest = copy, *name;

	while ((name = strsep(&rest, " ")))
		if (*name)
			CHECK_OK(udf_options_ahead_module(o, name));
	free(copy);
}

static int stand_by(void *arg, struct udf_options *o)
{
	struct udf_error err = UDF_ERROR_INIT;

	/* it may have gone back for a moment */
	CHECK_OK(udf_ahead_wait(false, &err));
	CHECK_EQ(is_loaded("nvme"), cases[current].modules && strstr(cases[current].modules, "nvme") && !cases[current].not_ahead);
	if (cases[current].unloaded)
		CHECK(is_loaded(cases[current].unloaded));
	set_modules(o, cases[current].port_modules);
	/* the arena, and at least the stacks of the kernel's threads */
	CHECK(own_mappings() > 5);
	if (cases[current].waits)
		usleep(300000);		/* many turns */
	if (cases[current].cancelled)
		return -ECANCELED;
	CHECK(!udf_options_set(o, "device", "qemu:nvme,serial=a") && !udf_options_set(o, "drive", "disk.img"));
	if (cases[current].port_cpus)
		CHECK(!udf_options_set(o, "cpus", cases[current].port_cpus));
	if (cases[current].port_memory)
		CHECK(!udf_options_set(o, "memory", cases[current].port_memory));
	return 0;
}

static void run(void)
{
	struct udf_options *o = udf_options_new();
	struct udf *udf;
	int ret;

	CHECK(o);
	udf_options_log(o, test_on_log, &test_log);
	udf_options_standby(o, stand_by, NULL);
	udf_options_ahead(o);
	CHECK(!udf_options_set(o, "cpus", cases[current].cpus));
	if (cases[current].memory)
		CHECK(!udf_options_set(o, "memory", cases[current].memory));
	set_modules(o, cases[current].modules);
	udf_ahead_turn_ms = cases[current].waits ? 20 : 600000;
	ret = udf_open(o, &udf);
	if (cases[current].cancelled) {
		CHECK_EQ(ret, -ECANCELED);
	} else {
		if (ret)
			FAIL("%s: %s", cases[current].what, udf_options_error(o));
		CHECK_EQ(own_mappings(), 0);
		CHECK_EQ(udf_host.ahead, UDF_AHEAD_NO);
		CHECK_EQ(udf_cpus(udf), atoi(cases[current].port_cpus ?: cases[current].cpus));
		CHECK_EQ(udf_host.arena_own, 0);
		CHECK(is_loaded("nvme"));
		if (cases[current].kept)
			CHECK(is_loaded(cases[current].kept));
		if (cases[current].unloaded)
			CHECK(!is_loaded(cases[current].unloaded));
		load_some(udf, current, 300);
		CHECK_OK(udf_close(udf));
	}
	udf_options_free(o);
	CHECK_EQ(own_mappings(), 0);
}

int main(void)
{
	unsigned int files = 0, threads = 0;

	test_find_build();
	test_file("disk.img", 8ull << 20);
	for (unsigned int round = 0; round < 2; round++) {
		for (current = 0; current < sizeof(cases) / sizeof(cases[0]); current++) {
			double start = test_now();

			run();
			printf("%s: %.0f ms\n", cases[current].what, (test_now() - start) * 1000);
			if (!current && !round) {
				files = entries("/proc/self/fd");
				threads = entries("/proc/self/task");
			}
			CHECK_EQ(entries("/proc/self/fd"), files);
			CHECK_EQ(entries("/proc/self/task"), threads);
		}
	}
	test_no_complaints();
	return 0;
}
