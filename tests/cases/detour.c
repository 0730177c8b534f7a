// SPDX-License-Identifier: GPL-2.0
/*
 * Register accesses of a driver's data path are led around their traps: while a verified load that starts cold is running, with one vCPU
 * and with two; each time anew when the modules are loaded twenty times at the same addresses; a disk behind another driver; and a trace
 * sees every access, trapped or not. QEMU's controller has no shadow doorbells here: each request rings some.
 * timeout: 300
 */
#define _GNU_SOURCE
#include <ucontext.h>

#include "host/linux/detour-code.h"
#include "layout.h"
#include "load.h"
#include "nvme-plain.h"

#define SIZE	(16ull << 20)
#define QUIET	500		/* requests in a row without a trap */
#define RELOADS	20
#define SECONDS	60.0		/* until they are there, on a machine however loaded */

static uint64_t traps(struct udf *udf)
{
	struct udf_stats s;

	udf_stats(udf, &s);
	return s.traps;
}

static uint64_t detours(void)
{
	return atomic_load(&udf_host.detours);
}

static struct udf *open_plain(const char *cpus, const char *trace)
{
	struct udf *udf = test_open("device", "qemu:nvme,serial=a", "drive", "disk.img", "cpus", cpus, "module", "none",
				    trace ? "trace" : NULL, trace, NULL);

	plain_load(udf, NULL, NULL);
	return udf;
}

/* Until so many REQUESTS of the load go by without a trap; their accesses go to the device all the same. */
static void wait_quiet(struct udf *udf, struct load *l, unsigned long requests)
{
	struct udf_stats before, after;
	struct load_watch w = { 0 };
	double end = test_now() + SECONDS;

	do {
		unsigned long done = atomic_load(&l->done);

		udf_stats(udf, &before);
		while (atomic_load(&l->done) < done + requests) {
			load_look(l, &w);
			load_pause();
		}
		udf_stats(udf, &after);
		if (test_now() > end)
			FAIL("%llu traps in %lu requests, with %llu detours", (unsigned long long)(after.traps - before.traps), requests,
			     (unsigned long long)detours());
	} while (after.traps != before.traps);
	/* several requests may share a doorbell */
	CHECK(after.privileged_calls - before.privileged_calls > requests / 50);
}

/* ---- what the signal handler makes of a detour ---- */

/* The detour number I, or NULL. */
static const uint8_t *detour_at(unsigned int i)
{
	const uint8_t *code = (const uint8_t *)(uintptr_t)(UDF_DETOUR_BASE + i * UDF_DETOUR_SLOT);

	return *code ? code : NULL;
}

/* The instruction that CODE is the detour of. *COPY: the offset of its copy. */
static uint64_t site_of(const uint8_t *code, uint64_t *copy)
{
	for (*copy = 0; *copy < UDF_DETOUR_SLOT; ++*copy)
		if (udf_detour_original(code, *copy))
			return udf_detour_original(code, *copy);
	FAIL("no instruction has its copy in a detour");
}

/*
 * The handler of a fault may find the code changed that has faulted: it is to run again. And what a copy does when it faults, the
 * instruction in the module has done.
 */
static void check_handler(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < UDF_DETOUR_MAX; i++) {
		const uint8_t *code = detour_at(i);
		uint64_t copy, site = code ? site_of(code, &copy) : 0;
		ucontext_t uc = { 0 };
		char text[300] = "";

		if (!site)
			continue;
		n++;
		CHECK(*(const uint8_t *)site == 0xeb || *(const uint8_t *)site == 0xe9);
		uc.uc_mcontext.gregs[REG_RIP] = (greg_t)site;
		uc.uc_mcontext.gregs[REG_RBX] = 1;
		if (udf_mmio_trap(&uc, UDF_MMIO_BASE, false, text, sizeof(text)))
			FAIL("code that another vCPU has just changed: %s", text);
		CHECK_EQ(uc.uc_mcontext.gregs[REG_RIP], site);
		CHECK_EQ(uc.uc_mcontext.gregs[REG_RBX], 1);
		CHECK_EQ(udf_detour_home((uint64_t)code + copy), site);
		CHECK_EQ(udf_detour_home((uint64_t)code + copy - 1), (uint64_t)code + copy - 1);
		CHECK_EQ(udf_detour_home(site), site);
		CHECK(udf_kernel_text((uint64_t)code + copy));
	}
	CHECK(n);
}

/* ---- the cases ---- */

static void test_cold(const char *cpus, unsigned int threads)
{
	struct udf_queue *q[4];
	struct udf_disk *disk;
	struct udf *udf;
	struct load l;

	test_file("disk.img", SIZE);
	udf = open_plain(cpus, NULL);
	disk = test_disk(udf);
	load_init(&l, udf, disk, 3);
	l.max_bytes = 65536;
	for (unsigned int i = 0; i < threads; i++) {
		CHECK_OK(udf_queue_open(udf, (int)i % atoi(cpus), 32, i & 2 ? UDF_QUEUE_POLLED : 0, &q[i]));
		load_start(&l, q[i], 32);
	}
	wait_quiet(udf, &l, QUIET);
	printf("%s vCPUs: %llu traps until there were %llu detours, then none in %d requests\n", cpus, (unsigned long long)traps(udf),
	       (unsigned long long)detours(), QUIET);
	CHECK(detours());
	check_handler();
	/* and on, for a while: task switches and interrupts in them */
	load_run(&l, test_seconds(3, 60));
	load_stop(&l);
	CHECK_OK(udf_pflush(q[0], disk));
	CHECK_OK(udf_close(udf));
	load_report(&l);
	CHECK_EQ(atomic_load(&l.failed), 0);
	load_check_file(&l, "disk.img");
	load_free(&l);
}

static uint64_t address(const char *module, const char *name)
{
	struct udf_module *mod = udf_loader_find(udf_host.loader, module);

	CHECK(mod);
	return udf_module_symbol(mod, name);
}

static void test_reload(const char *cpus)
{
	uint64_t nvme, core, before;
	struct udf *udf;

	test_file("disk.img", SIZE);
	udf = open_plain(cpus, NULL);
	nvme = address("nvme", "nvme_irq");
	core = address("nvme_core", "nvme_setup_cmd");
	before = 0;
	for (unsigned int i = 0; i < RELOADS; i++) {
		load_until(udf, i, wait_quiet, QUIET);
		CHECK(detours() > before);
		before = detours();
		CHECK_OK(udf_unload(udf, "nvme"));
		CHECK_OK(udf_unload(udf, "nvme_core"));
		udf_host.port->ops = plain.real;
		plain_load(udf, NULL, NULL);
		CHECK_EQ(address("nvme", "nvme_irq"), nvme);
		CHECK_EQ(address("nvme_core", "nvme_setup_cmd"), core);
	}
	load_until(udf, RELOADS, wait_quiet, QUIET);
	printf("%s vCPUs, %d times: %llu detours\n", cpus, RELOADS, (unsigned long long)detours());
	CHECK_OK(udf_close(udf));
}

/* ---- an interrupt at every instruction ---- */

static const struct sigaction *others(int sig)
{
	static struct sigaction old[65];

	return &old[sig];
}

static atomic_ulong steps, entries;

#define TRAP_FLAG 0x100
#define ZERO_FLAG 0x40

/*
 * Breakpoints stand at the beginning of each detour, which is a push of 32 bits, and where the call of the host world comes back, which is
 * test %rdx, %rdx; jz. These are performed here.
 */
static void perform(greg_t *g)
{
	int32_t pushed;

	if ((g[REG_RIP] - 1) % UDF_DETOUR_SLOT) {
		g[REG_RIP] += 2;
		g[REG_EFL] = (g[REG_EFL] & ~ZERO_FLAG) | (g[REG_RDX] ? 0 : ZERO_FLAG);
		return;
	}
	memcpy(&pushed, (const void *)g[REG_RIP], sizeof(pushed));
	g[REG_RSP] -= 8;
	*(int64_t *)g[REG_RSP] = pushed;
	g[REG_RIP] += sizeof(pushed);
	atomic_fetch_add(&entries, 1);
}

/*
 * In place of the driver's handler for SIGTRAP: from a breakpoint on single steps are taken, and at each a signal is pending: the vCPU's,
 * with something for its kernel code to look at.
 */
static void on_step(int sig, siginfo_t *si, void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
	uint64_t offset = (uint64_t)g[REG_RIP] - UDF_DETOUR_BASE;
	bool breakpoint = si->si_code == SI_KERNEL;

	if (offset >= UDF_DETOUR_MAX * UDF_DETOUR_SLOT || !udf_vcpu_self()) {
		if (breakpoint)
			others(sig)->sa_sigaction(sig, si, context);
		else
			g[REG_EFL] &= ~TRAP_FLAG;
		return;
	}
	if (breakpoint)
		perform(g);
	g[REG_EFL] |= TRAP_FLAG;
	atomic_fetch_add(&steps, 1);
	host_cpu_pend(udf_vcpu_self()->cpu, HOST_PEND_RESCHED);
	pthread_kill(pthread_self(), UDF_KICK_SIGNAL);
}

/* Put the breakpoints, or take them away again. */
static void break_detours(bool on)
{
	uint8_t *code = (uint8_t *)(uintptr_t)UDF_DETOUR_BASE;

	/* not by host_text_write(), which puts another instruction in the place of breakpoints */
	CHECK(!mprotect(code, UDF_DETOUR_MAX * UDF_DETOUR_SLOT, PROT_READ | PROT_WRITE | PROT_EXEC));
	for (unsigned int i = 0; i < UDF_DETOUR_MAX; i++)
		if (detour_at(i)) {
			uint8_t *start = code + i * UDF_DETOUR_SLOT;
			uint8_t *back = memmem(start, UDF_DETOUR_SLOT, "\x85\xd2\x74", 3);

			CHECK(back && back[-1] == (on ? 0x48 : 0xcc));
			__atomic_store_n(start, on ? 0xcc : 0x68, __ATOMIC_SEQ_CST);
			__atomic_store_n(back - 1, on ? 0xcc : 0x48, __ATOMIC_SEQ_CST);
		}
	CHECK(!mprotect(code, UDF_DETOUR_MAX * UDF_DETOUR_SLOT, PROT_READ | PROT_EXEC));
}

static void wait_for(atomic_ulong *count, unsigned long n)
{
	unsigned long end = atomic_load(count) + n;
	double until = test_now() + SECONDS;

	while (atomic_load(count) < end) {
		if (test_now() > until)
			FAIL("%lu instead of %lu within %.0f s", atomic_load(count), end, SECONDS);
		load_pause();
	}
}

/*
 * More threads than vCPUs that do nothing but access registers, and can be preempted wherever they are; first as fast as they can, then
 * with an interrupt between any two instructions of their detours. They end when their module is unloaded, and it comes again.
 */
static void test_threads(const char *cpus)
{
	struct sigaction step = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	struct udf *udf = test_open("device", "qemu:nvme,serial=a", "drive", "disk.img", "cpus", cpus, "module", "none", NULL);
	unsigned int passed = test_log_count("udf_registers: PASS");
	struct udf_stats before, after;
	char path[4096];

	snprintf(path, sizeof(path), "%s/tests/modules/udf_registers.ko", getenv("UDF_BUILD"));
	sigemptyset(&step.sa_mask);
	sigaddset(&step.sa_mask, UDF_KICK_SIGNAL);
	for (unsigned int i = 0; i < 3; i++) {
		double end = test_now() + SECONDS;

		/* AQA, ASQ and ACQ of a controller that is not enabled */
		CHECK_OK(udf_load(udf, path, "device=0000:00:04.0 first=0x24"));
		do {
			udf_stats(udf, &before);
			load_pause();
			udf_stats(udf, &after);
			if (test_now() > end)
				FAIL("%llu traps", (unsigned long long)(after.traps - before.traps));
		} while (after.traps != before.traps || after.privileged_calls < before.privileged_calls + 100);
		CHECK_EQ(sigaction(SIGTRAP, &step, (struct sigaction *)others(SIGTRAP)), 0);
		break_detours(true);
		wait_for(&entries, 2000);
		break_detours(false);
		CHECK_OK(udf_unload(udf, "udf_registers"));
		CHECK_EQ(sigaction(SIGTRAP, others(SIGTRAP), NULL), 0);
		CHECK_EQ(test_log_count("udf_registers: PASS"), passed + i + 1);
	}
	printf("%s vCPUs: %lu single steps in %lu passages\n", cpus, atomic_load(&steps), atomic_load(&entries));
	CHECK(atomic_load(&steps) > 40 * atomic_load(&entries));
	CHECK_OK(udf_close(udf));
}

/* Another driver, whose requests begin with a register and end with an interrupt on the line. */
static void test_megasas(const char *cpus)
{
	struct udf_queue *q;
	struct udf_disk *disk;
	struct udf *udf;
	struct load l;

	test_file("disk.img", SIZE);
	udf = test_open("device", "qemu:megasas", "module", "megaraid_sas", "cpus", cpus,
			"backend", "-drive if=none,id=d0,format=raw,file=disk.img,discard=unmap",
			"backend", "-device scsi-hd,drive=d0,bus=udf0.0", NULL);
	disk = test_disk(udf);
	load_init(&l, udf, disk, 5);
	l.max_bytes = 65536;
	l.gentle = true;
	CHECK_OK(udf_queue_open(udf, -1, 16, 0, &q));
	load_start(&l, q, 16);
	wait_quiet(udf, &l, QUIET);
	CHECK(detours());
	check_handler();
	printf("megaraid_sas, %s vCPUs: %llu traps until there were %llu detours, then none in %d requests\n", cpus,
	       (unsigned long long)traps(udf), (unsigned long long)detours(), QUIET);
	load_stop(&l);
	CHECK_OK(udf_pflush(q, disk));
	CHECK_OK(udf_close(udf));
	CHECK_EQ(atomic_load(&l.failed), 0);
	load_check_file(&l, "disk.img");
	load_free(&l);
}

/* Lines of FILE with each of the texts in them, which are to be N, all from a module's function. */
static unsigned int count_lines(const char *file, const char *text)
{
	FILE *f = fopen(file, "r");
	unsigned int n = 0;
	char line[1024];

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, "events lost"))
			FAIL("%s", line);
		if (!strstr(line, text))
			continue;
		n++;
		if (!strstr(line, " [nvme]: "))
			FAIL("an access from nowhere: %s", line);
	}
	fclose(f);
	return n;
}

/* One request after the other rings each doorbell of its queue once. */
static void test_trace(void)
{
	enum { READS = 600 };
	uint64_t after;
	struct udf_queue *q;
	struct udf_disk *disk;
	struct udf *udf;
	unsigned int n, start;
	void *buf;

	test_file("disk.img", SIZE);
	udf = open_plain("1", "mmio=trace.txt");
	disk = test_disk(udf);
	CHECK_OK(udf_queue_open(udf, 0, 1, 0, &q));
	buf = udf_buf_alloc(udf, 4096);
	CHECK(buf);
	/* the driver's own reads of a new disk are over */
	CHECK_OK(udf_pread(q, disk, buf, 4096, 0));
	start = (unsigned int)traps(udf);
	for (unsigned int i = 0; i < READS; i++)
		CHECK_OK(udf_pread(q, disk, buf, 4096, 4096 * (i % 64)));
	after = traps(udf);
	udf_queue_close(q);
	CHECK_OK(udf_close(udf));
	n = count_lines("trace.txt", ": BAR 0+0x1008 write32 <- ");
	printf("%d reads: %u doorbells traced, %u traps\n", READS, n, (unsigned int)after - start);
	CHECK(detours());
	CHECK((unsigned int)after - start < READS);
	CHECK(n >= READS + 1);
	CHECK(count_lines("trace.txt", ": BAR 0+0x100c write32 <- ") >= READS);
}

int main(void)
{
	test_file("disk.img", SIZE);
	test_threads("1");
	test_threads("2");
	test_cold("1", 2);
	test_cold("2", 4);
	test_reload("1");
	test_reload("2");
	test_megasas("1");
	test_megasas("2");
	test_trace();
	test_no_complaints();
	return 0;
}
