// SPDX-License-Identifier: GPL-2.0
/*
 * Signs of life: every vCPU counts as long as its kernel code gets on, idle and busy; one that spins with preemption off, or whose
 * workers are held by one that spins, does not, while the other goes on; a task that is stuck ends the driver.
 */
#include <sys/wait.h>

#include "udf-test.h"

#define BEAT_MS 20
#define BEATS 8

static uint64_t beats[8];

static struct udf *start(unsigned int hung_task_s)
{
	struct udf_options *o = udf_options_new();
	struct udf *udf;

	test_find_build();
	memset(beats, 0, sizeof(beats));
	udf_options_log(o, test_on_log, &test_log);
	CHECK_OK(udf_options_set(o, "cpus", "2"));
	CHECK_OK(udf_options_set(o, "module", "none"));
	udf_options_heartbeat(o, beats, BEAT_MS, hung_task_s);
	if (udf_open(o, &udf))
		FAIL("udf_open: %s", udf_options_error(o));
	udf_options_free(o);
	/* of a vCPU that a driver hangs before its first sign of life nobody would know that it had one */
	CHECK(beats[0] && beats[1]);
	return udf;
}

static uint64_t count(unsigned int cpu)
{
	return __atomic_load_n(&beats[cpu], __ATOMIC_RELAXED);
}

/* Wait until vCPU CPU has counted on by BEATS. */
static void check_beats(unsigned int cpu)
{
	uint64_t from = count(cpu);
	double start = test_now();

	while (count(cpu) < from + BEATS) {
		CHECK(test_now() - start < 20);
		usleep(1000);
	}
}

static void *load_module(void *arg)
{
	char path[4096], params[64];
	void **args = arg;

	snprintf(path, sizeof(path), "%s/tests/modules/udf_hang.ko", getenv("UDF_BUILD"));
	snprintf(params, sizeof(params), "hang=%s", (char *)args[1]);
	udf_load(args[0], path, params);
	return NULL;
}

/* Hang vCPU 1 in the way HOW; it has to fall silent, and vCPU 0 has not to. In a process of its own: it cannot be closed. */
static void spin(char *how)
{
	struct udf *udf = start(0);
	void *args[] = { udf, how };
	pthread_t thread;
	uint64_t at;

	check_beats(1);
	CHECK_OK(-pthread_create(&thread, NULL, load_module, args));	/* it may never come back */
	test_log_wait("udf_hang: hangs", 0, 20);
	check_beats(0);
	at = count(1);
	check_beats(0);
	check_beats(0);
	CHECK(count(1) <= at);
	printf("%s: vCPU 1 is silent, vCPU 0 counts\n", how);
}

static void sleeps(void)
{
	char how[] = "sleep";
	struct udf *udf = start(1);
	void *args[] = { udf, how };
	unsigned int seen = 0;

	load_module(args);
	while (udf_wait_change(udf, &seen, 30000) == 0)
		;
	CHECK(udf_lost(udf));
	CHECK(strstr(udf_lost(udf), "hung_task"));
	CHECK(test_log_count("blocked for more than 1 seconds"));
}

static void alive(void)
{
	struct udf *udf = start(1);

	check_beats(0);
	check_beats(1);
	CHECK(!udf_lost(udf));
	CHECK_OK(udf_close(udf));
	test_no_complaints();
}

static void apart(void (*run)(char *how), char *how)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (!pid) {
		run(how);
		fflush(NULL);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void run_sleeps(char *how)
{
	sleeps();
}

static void run_alive(char *how)
{
	alive();
}

int main(void)
{
	char preempt[] = "preempt", work[] = "work", irqs[] = "irqs";

	apart(run_alive, NULL);
	apart(spin, preempt);
	apart(spin, irqs);
	apart(spin, work);
	apart(run_sleeps, NULL);
	return 0;
}
