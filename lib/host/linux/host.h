/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host world over Linux and libc: state that the contract's functions share. Host world; used by lib/core and this folder.
 *
 * There is one driver in a process (kernel code has fixed addresses), so there is one struct udf_host.
 */
#ifndef UDF_HOST_LINUX_HOST_H
#define UDF_HOST_LINUX_HOST_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "common/error.h"
#include "contract.h"
#include "image/image.h"
#include "loader/modules.h"
#include "port/port.h"
#include "port/vpci.h"

/*
 * Who has a vCPU. Its own thread runs its kernel code, spins or sleeps when it is idle. A thread of the application may take it while
 * it is idle (hold it), run its kernel code (drive it), and give it back: see drive.c.
 *
 *   RUNNING <-> SPINNING -> SLEEPING -> RUNNING     the vCPU's own thread
 *               SPINNING, SLEEPING -> HELD          udf_vcpu_hold()
 *               HELD -> RUNNING <-> DRIVEN -> HELD  udf_vcpu_drive(): RUNNING on the application's thread
 *               HELD -> SLEEPING                    udf_vcpu_release()
 *               HELD -> RUNNING                     its own thread, when the holder leaves work undone
 */
enum udf_vcpu_state { UDF_VCPU_RUNNING, UDF_VCPU_SPINNING, UDF_VCPU_SLEEPING, UDF_VCPU_HELD, UDF_VCPU_DRIVEN };

struct udf_ring_shared;
#define UDF_VCPU_RINGS 64	/* that one vCPU looks at */

/* One vCPU's thread. */
struct udf_vcpu {
	/* for enter.S; vcpu-offsets.h knows where they are */
	unsigned long enter_sp;			/* the own thread's stack, where udf_vcpu_enter() left it */
	unsigned long drive_sp;			/* the driving thread's, where udf_vcpu_drive_enter() left it */
	unsigned long idle[7];			/* registers that the kernel code goes on with where it was left */

	unsigned int cpu;
	pthread_t thread;
	pid_t own_tid;
	_Atomic pid_t tid;			/* of the thread that runs it now */
	bool started;
	_Atomic(struct host_vcpu *) area;	/* the kernel's per-CPU area, struct host_vcpu at its head */
	_Atomic int state;			/* enum udf_vcpu_state */
	_Atomic uint32_t wake;			/* futex word: counts wake-ups of a sleeping vCPU */
	_Atomic bool stop;			/* leave kernel code at the next idle */
	unsigned long vectors[HOST_VECTORS / 64];
	timer_t timer;
	_Atomic uint64_t deadline, armed;	/* nanoseconds; 0: none */
	uint64_t spin_ns;			/* how long to spin before sleeping: adapts */
	uint64_t sleeps;
	_Atomic uint64_t held_at;		/* when it was last taken by the application, 0: not lately */
	bool (*until)(void *arg);		/* the driving thread's */
	void *until_arg;
	uint64_t until_ns, until_start;
	unsigned int turns;
	bool turned;				/* left in host_front_turn(), not idle: there is work for it. Of who has the vCPU */
	_Atomic bool polling;			/* interrupts of this vCPU are looked for, not reported */
	_Atomic bool show;			/* say where it is, at the next signal */
	/* see rings.c */
	_Atomic int fd;				/* eventfd that it sleeps on instead of WAKE, -1: none */
	_Atomic unsigned int nr_rings;
	struct udf_seen_ring {
		_Atomic(struct udf_ring_shared *) ring;	/* NULL: not any more */
		unsigned int tail;		/* that it was woken for */
	} ring[UDF_VCPU_RINGS];
	/* first kernel code */
	unsigned long percpu, stack;
	void (*entry)(unsigned int cpu);
};

/* Parameters for the module at PATH, while it is being loaded. */
struct udf_params {
	const char *path, *text;
	struct udf_error err;		/* why the loader refuses it */
	struct udf_params *next;
};

struct udf_command {
	struct host_control control;
	struct udf_command *next;
	bool done;
	long result;
};

/* See ahead.c. */
enum udf_ahead { UDF_AHEAD_NO, UDF_AHEAD_BOOTING, UDF_AHEAD_WAITING, UDF_AHEAD_MOVING, UDF_AHEAD_LEAVE };

struct udf_host {
	unsigned int cpus;
	struct udf_vcpu vcpu[HOST_CPUS_MAX];
	_Atomic unsigned int parked;		/* vCPUs that are ready to stop */
	struct host_entry entry;
	struct udf_image *image;
	struct udf_loader *loader;
	struct udf_port *port;			/* NULL: no port */
	struct udf_vpci *vpci;

	int arena_fd;
	bool arena_own;				/* the file is ours, and not the port's */
	uint64_t arena_size;			/* what there is of it */
	uint64_t arena_max;			/* and may be, at most */
	struct udf_dma_range ranges[HOST_DMA_RANGES_MAX];
	unsigned int nr_ranges;

	/* where the application wants to hear from the driver */
	void (*log)(void *ctx, int level, const char *text);
	void (*event)(void *ctx, const char *action, const char *devpath, const char *const *env, unsigned int n);
	void (*lost)(void *ctx, const char *why);
	void *ctx;

	bool one_processor;			/* the machine has no other */
	pthread_mutex_t lock;			/* commands, started, ahead, halted */
	struct udf_command *head, **tail;
	bool started;
	enum udf_ahead ahead;
	_Atomic unsigned int halt;		/* not 0: vCPUs that become idle stay so until it is another */
	unsigned int halted;			/* that have since it was set */
	pthread_cond_t changed;			/* started, ahead, halt, halted, dead, or a command is done */
	_Atomic bool dead;			/* kernel code stopped for good, or the port is lost */
	char why[256];

	const char *firmware_dir;		/* searched first; NULL: none */
	struct udf_params *params;		/* of modules that are being loaded; under lock */

	_Atomic uint64_t privileged, interrupts, traps, detours;
};

extern struct udf_host udf_host;

/* A thread that runs kernel code, for the time that it does and afterwards. */
struct udf_thread {
	struct udf_vcpu *vcpu;			/* that it runs now, NULL: none */
	pid_t tid;				/* 0: not set up */
	bool driving;				/* it is the application's thread */
	stack_t alt_stack;			/* where faults of kernel code are served */
	sigset_t mask;				/* signals that it blocks */
};

/* The calling thread's, and the vCPU that it runs (NULL: none). Async-signal-safe. */
struct udf_thread *udf_thread_self(void);
struct udf_vcpu *udf_vcpu_self(void);

/* vcpu.c */
int udf_vcpus_start(struct udf_error *err);	/* boots the kernel code on vCPU 0 */
int udf_vcpus_stop(int timeout_ms);		/* 0, or -ETIMEDOUT when one does not get idle */
uint64_t udf_host_now(void);
struct timespec udf_after_ms(unsigned int ms);	/* from now on, for pthread_cond_timedwait() */
void udf_timer_arm(struct udf_vcpu *vcpu, uint64_t when);

/* enter.S: run ENTRY(ARG) on the kernel stack whose top is STACK; returns when udf_vcpu_leave() is called. */
void udf_vcpu_enter(unsigned long stack, void (*entry)(unsigned int), unsigned int arg, struct udf_vcpu *vcpu);
void udf_vcpu_leave(struct udf_vcpu *vcpu) __attribute__((noreturn));
/* enter.S: go on with the kernel code of VCPU where it was left; returns when udf_vcpu_idle() or udf_vcpu_turn() says so, or by udf_vcpu_drive_leave(). */
void udf_vcpu_drive_enter(struct udf_vcpu *vcpu);
void udf_vcpu_drive_leave(struct udf_vcpu *vcpu) __attribute__((noreturn));
/* For host_cpu_idle() in enter.S: 0: kernel code goes on, on this thread; 1: this thread leaves it. */
int udf_vcpu_idle(struct udf_vcpu *vcpu);
/* For host_front_turn(): likewise, and 2: kernel code goes on on this thread, which is the application's. */
int udf_vcpu_turn(struct udf_vcpu *vcpu, int how);
/* This thread leaves the vCPU's kernel code, whatever it is doing. */
void udf_vcpu_quit(struct udf_vcpu *vcpu) __attribute__((noreturn));

/* vcpu.c, for drive.c */
bool udf_vcpu_pending(struct udf_vcpu *vcpu);
void udf_vcpu_wake(struct udf_vcpu *vcpu);
/*
 * Log where each vCPU is, and the tasks that sleep uninterruptibly, within TIMEOUT_MS. The process has to be killed afterwards: kernel code may
 * not get on any more. Any thread but a vCPU's.
 */
void udf_vcpus_show(int timeout_ms);
/* On the vCPU's own thread, in its signal handler: FRAME is the kernel code that was interrupted, or NULL. */
void udf_vcpu_show(struct udf_vcpu *vcpu, struct host_frame *frame);
void udf_vcpu_wake_futex(struct udf_vcpu *vcpu);	/* though it is to sleep on its eventfd from now on */
int udf_thread_set_up(struct udf_thread *t);
void udf_gs_write(unsigned long base);

/* drive.c */
void udf_vcpu_release(unsigned int cpu);
int udf_vcpu_drive(unsigned int cpu, bool (*until)(void *arg), void *arg, uint64_t spin_ns);
int udf_vcpu_idle_driven(struct udf_vcpu *vcpu);
void udf_vcpu_poll_stop(struct udf_vcpu *vcpu);
void udf_vcpu_post_flush(void);

/* rings.c */
/* As udf_driver_rings_begin(), _add() and _remove(). */
int udf_rings_begin(void);
int udf_rings_add(unsigned int cpu, struct udf_ring_shared *ring);
void udf_rings_remove(unsigned int cpu, struct udf_ring_shared *ring);
/* Close what vCPUs slept on; they have ended. */
void udf_rings_reset(void);
/* VCPU, which is idle or at a turn, looks for its interrupts and for entries of its rings itself, if that is its way. Its thread. */
void udf_vcpu_look(struct udf_vcpu *vcpu);
bool udf_rings_busy(const struct udf_vcpu *vcpu);	/* whether requests of its rings are in flight */
/*
 * What changes when there is something to look for, for a loop that does little else: words and what they are now. Returns how many; more than
 * UDF_WATCHES: too many to say.
 */
#define UDF_WATCHES 16
struct udf_watch {
	const volatile uint32_t *word;
	uint32_t is;
};
unsigned int udf_vcpu_watch(struct udf_vcpu *vcpu, struct udf_watch *watch);
/* Announce that it is about to sleep on its eventfd, and must be woken; or that it has woken up. */
void udf_vcpu_doze(struct udf_vcpu *vcpu, bool sleep);
/* Sleep on it, for at most TIMEOUT (NULL: for ever); may return early. */
void udf_vcpu_doze_on(int fd, const struct timespec *timeout);

/* bridge.c */
int udf_bridges_map(struct udf_error *err);
void udf_bridges_unmap(void);
struct udf_symfile;
struct udf_frames;
/* Names and frames of the bridges, for debuggers; no driver need run. */
void udf_bridges_describe(struct udf_symfile *file, struct udf_frames *frames);
uint64_t udf_bridge_mmio_access(void);		/* the bridge of host_mmio_access() */
bool udf_bridge_interruptible(uint64_t ip);	/* IP is in a bridge, on the way back to kernel code */

/* signal.c */
#define UDF_KICK_SIGNAL (SIGRTMAX - 3)
int udf_signals_install(struct udf_error *err);
void udf_signals_restore(void);
bool udf_kernel_text(uint64_t ip);

/* mmio.c */
void udf_mmio_reset(void);
/* SHOW: the MSI-X table becomes memory, since the function is quiet; else it traps again, with what was written to it. Not during a trap. */
void udf_mmio_tables(bool show);
/* Perform the access at which kernel code trapped. Returns 0, -ENOENT when ADDR is no register, or what it failed with; TEXT says why. */
int udf_mmio_trap(ucontext_t *uc, uint64_t addr, bool protection, char *text, size_t len);

/* detour.c */
/* The module's instruction at IP has trapped. In the signal handler of the vCPU. */
void udf_detour_note(uint64_t ip);
/* The instruction of a module that IP is the copy of, in its detour; any other IP as it is. Async-signal-safe, as those above. */
uint64_t udf_detour_home(uint64_t ip);
/* Names and frames, for debuggers; no driver need run. */
void udf_detours_describe(struct udf_symfile *file, struct udf_frames *frames);
/* Code at ADDR, LEN bytes, is not there any more. */
void udf_detours_drop(uint64_t addr, uint64_t len);
void udf_detours_reset(void);

/* ahead.c */
#define UDF_START_TIMEOUT_S 60
extern unsigned int udf_ahead_turn_ms;		/* for so long the vCPU waits before it takes interrupts; tests have it do so more often */
/* Wait until kernel code waits for a port. MOVE: it stays there until udf_ahead_end(). */
int udf_ahead_wait(bool move, struct udf_error *err);
/* It goes on; or LEAVE: the threads leave it for good. */
void udf_ahead_end(bool leave);
/* VCPU, whose thread calls, is idle, and is to stay so: udf_host.halt. */
void udf_ahead_halt(struct udf_vcpu *vcpu);

/* mem.c */
int udf_mem_map(struct udf_error *err);
/*
 * The arena is the port's from now on, with what was in our own. No kernel code may run. Returns 0; -EOPNOTSUPP when the port's memory has
 * another size, or gaps for the device that do not begin at a block of the page allocator: then nothing has changed.
 */
int udf_mem_move(struct udf_error *err);
void udf_mem_unmap(void);

/* foreign.c */
/* As udf_driver_mem_add() and udf_driver_mem_remove(). */
int udf_foreign_add(int fd, uint64_t len, int lease, uint64_t *dev);
int udf_foreign_remove(uint64_t dev);
/* Map all of the window, but for that, for requests of the machine's kernel, as its port_ops.block does. Once. */
int udf_foreign_window(void);
/* Forget all of it, before the port is closed. */
void udf_foreign_reset(void);
/* Kernel code touched ADDR: map it if it is foreign memory. Returns whether it is mapped now. Async-signal-safe. */
bool udf_foreign_fault(uint64_t addr);

/* pci.c */
extern const struct udf_port_events udf_host_port_events;
extern const struct udf_vpci_events udf_host_vpci_events;

/* module.c */
/* Call EACH for every module, in the order of loading; it must not call the driver. */
/* udf_loader_gaps(); returns whether ADDR lies in code that a module keeps. */
bool udf_host_gaps(uint64_t addr, uint64_t low, uint64_t high, void (*each)(void *ctx, uint64_t addr, uint64_t len), void *ctx);

void udf_host_modules(void (*each)(void *arg, const char *name, const char *file), void *arg);

/* module.c: udf_loader_plan() while kernel code may be loading modules, too */
int udf_host_plan(const char *what, struct udf_plan *plan, struct udf_error *err);
/*
 * Have plans made by PLANNER from now on, for a process that will not see the modules' directory any more; what is loaded already may be
 * in them. It may block. When this returns, no plan is being made by looking there.
 */
typedef int udf_planner(void *ctx, const char *what, struct udf_plan *plan, struct udf_error *err);
void udf_host_set_planner(udf_planner *planner, void *ctx);

/* control.c */
void udf_host_fail(const char *why);	/* the driver is lost: everything that waits fails */

#endif
