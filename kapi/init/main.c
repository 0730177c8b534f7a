// SPDX-License-Identifier: GPL-2.0
/*
 * Boot: what init/main.c: start_kernel() and kernel_init() do, with the image's own init functions in the order of
 * series/<release>/init.h. Kernel world.
 *
 *   host: boot vCPU's thread --> kapi_boot() on init_task's stack --> start_kernel part --> idle loop of vCPU 0
 *                                         `--> kapi_init() thread --> other vCPUs, initcalls, PCI scan, control thread
 */
#include <linux/cgroup.h>
#include <linux/cpu.h>
#include <linux/init_task.h>
#include <linux/kthread.h>
#include <linux/mmzone.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/version.h>

#include "kapi.h"
#include "front/kapi_front.h"

#define SERIES_INIT "series/6.1/init.h"

/* The image's init functions have many types, some of them declared in its headers: only their addresses count here. */
#define INIT(fn) extern char kapi_init_##fn[] __asm__(#fn);
#define STEP(fn)
#define INIT_LIST_START_KERNEL
#define INIT_LIST_BEFORE_SMP
#define INIT_LIST_AFTER_SMP
#include SERIES_INIT
#undef INIT
#undef STEP
#undef INIT_LIST_START_KERNEL
#undef INIT_LIST_BEFORE_SMP
#undef INIT_LIST_AFTER_SMP

#define KAPI_CALL(fn) (((long (*)(void))kapi_init_##fn)())

extern pid_t kernel_thread(int (*fn)(void *), void *arg, unsigned long flags);
extern int kthreadd(void *unused);
extern struct task_struct *kthreadd_task;
extern struct task_struct *find_task_by_pid_ns(pid_t nr, struct pid_namespace *ns);
extern void unwind_init(void);
extern void rcu_cpu_stall_reset(void);
extern int rcu_cpu_stall_suppress;
extern bool orc_init;
extern void cpu_startup_entry(enum cpuhp_state state);
extern void schedule_preempt_disabled(void);
extern void build_all_zonelists(pg_data_t *pgdat);
extern void smp_init(void);
extern void sched_init_smp(void);
extern void rcu_set_runtime_mode(void);
extern int preempt_dynamic_mode;
extern int cgroup_disable(char *names);
extern bool early_boot_irqs_disabled;
extern bool static_key_initialized;
extern unsigned long loops_per_jiffy;
extern bool psi_enable;
extern unsigned long dhash_entries, ihash_entries;
extern char *saved_command_line;
extern bool notests;
extern int fb_console_setup(char *options);

void kapi_boot(void);

/* The unwinder's table of blocks was made when the image was prepared. */
static void kapi_unwind_init(void)
{
	if (!orc_init)
		unwind_init();
}

static void kapi_build_zonelists(void)
{
	build_all_zonelists(NULL);
}

/* What a kernel command line would say. */
static void kapi_command_line(void)
{
	static char none[1], console[] = "map:9", disabled[] = "memory,io,pids,rdma,misc,hugetlb,perf_event,net_cls,net_prio";

	preempt_dynamic_mode = 2;	/* full: a busy kernel thread does not stop the others */
	psi_enable = false;
	dhash_entries = ihash_entries = 1024;
	saved_command_line = none;
	notests = true;			/* cryptomgr.notests: ciphers are the distribution's, tested on its kernel */
	fb_console_setup(console);	/* no virtual terminal takes a picture's device: there is none */
	cgroup_disable(disabled);
}

static void kapi_random_init(void)
{
	u8 seed[64];

	random_init_early("udf");
	random_init();
	host_random(seed, sizeof(seed));
	add_bootloader_randomness(seed, sizeof(seed));
	memzero_explicit(seed, sizeof(seed));
}

static void kapi_irqs_on(void)
{
	early_boot_irqs_disabled = false;
	local_irq_enable();
	loops_per_jiffy = NSEC_PER_SEC / HZ;	/* __delay() counts nanoseconds */
}

/* An initcall that fails is reported: its subsystem is missing, which may matter later. */
static void kapi_initcall(long (*fn)(void), const char *name, bool returns)
{
	long ret = fn();

	if (returns && (int)ret < 0 && (int)ret > -MAX_ERRNO)
		pr_warn("initcall %s failed: %d\n", name, (int)ret);
}

/* What follows needs the port: its memory, which is the arena then, and its function. */
static void kapi_wait_port(void)
{
	/* time passes, and no grace period ends: nobody hangs */
	rcu_cpu_stall_suppress = 1;
	while (host_port_wait()) {
		kapi_control_perform();
		cond_resched();
	}
	rcu_cpu_stall_reset();
	rcu_cpu_stall_suppress = 0;
	kapi_mem_moved();
}

static int kapi_init(void *unused)
{
#define INIT(fn) kapi_initcall((long (*)(void))kapi_init_##fn, #fn, true);
#define STEP(fn) fn();
#define INIT_LIST_BEFORE_SMP
#include SERIES_INIT
#undef INIT_LIST_BEFORE_SMP
	smp_init();
	sched_init_smp();
#define INIT_LIST_AFTER_SMP
#include SERIES_INIT
#undef INIT_LIST_AFTER_SMP
#undef INIT
#undef STEP
	system_state = SYSTEM_RUNNING;
	rcu_set_runtime_mode();
	/* not rcu_end_inkernel_boot(): grace periods stay expedited, which with a few vCPUs costs little and saves 20 ms each */
	kapi_front_init();
	kapi_wait_port();
	kapi_grow_init();
	if (kapi_pci_scan())
		kapi_die("the port's PCI function cannot be set up");
	kapi_control_init();
	host_started();
	set_current_state(TASK_UNINTERRUPTIBLE | TASK_NOLOAD);
	for (;;)
		schedule();
}

static void kapi_rest_init(void)
{
	pid_t pid;

	rcu_scheduler_starting();
	kernel_thread(kapi_init, NULL, CLONE_FS);
	pid = kernel_thread(kthreadd, NULL, CLONE_FS | CLONE_FILES);
	rcu_read_lock();
	kthreadd_task = find_task_by_pid_ns(pid, &init_pid_ns);
	rcu_read_unlock();
	system_state = SYSTEM_SCHEDULING;
	schedule_preempt_disabled();
	cpu_startup_entry(CPUHP_ONLINE);
}

/* The boot vCPU's first kernel code: on the stack of init_task, %gs at the image's per-CPU template, interrupts off. */
void kapi_boot(void)
{
	static const struct host_entry entry = {
		.deliver = (void (*)(struct host_frame *))kapi_deliver,
		.trap = kapi_trap,
		.oops = kapi_oops,
	};

	host_entry(&entry);
	set_task_stack_end_magic(&init_task);
#define INIT(fn) KAPI_CALL(fn);
#define STEP(fn) fn();
#define INIT_LIST_START_KERNEL
#include SERIES_INIT
#undef INIT_LIST_START_KERNEL
#undef INIT
#undef STEP
	kapi_rest_init();
}
