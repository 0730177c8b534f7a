/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kapi: what the kernel image needs from UDF. Kernel world.
 *
 * UDF is to the image what an architecture is to the kernel. The functions here are either called at boot in the order of
 * init/main.c, or stand in for a function of the image (series/<release>/replace.h lists them), or are pointers that the
 * kernel has for its architectures (pv_ops, smp_ops, x86_platform, pci_ops).
 */
#ifndef KAPI_H
#define KAPI_H

#include <linux/compiler.h>
#include <linux/types.h>
#include <linux/cpumask.h>
#include <linux/mutex.h>
#include "contract.h"

struct pt_regs;
struct pci_dev;
struct irq_domain;
struct kobject;

/* arch/x86/setup.c */
void kapi_setup_arch(void);		/* first of all: CPU data, pv_ops, memory */
void kapi_setup_percpu(void);		/* after memory, before anything per CPU is allocated */
void kapi_setup_smp(void);		/* smp_ops and the topology masks, which are per CPU: after kapi_setup_percpu() */

/* arch/x86/irq.c */
extern struct irq_domain *kapi_vector_domain;
void kapi_init_irq(void);		/* init thread, before the PCI scan */
void kapi_deliver(struct pt_regs *regs);

/* arch/x86/entry.S */
void kapi_irq_enable(void);
void kapi_irq_disable(void);
void kapi_save_fl(void);

/* arch/x86/time.c */
void kapi_time_init(void);		/* this vCPU's clock event device */
void kapi_time_wallclock(void);		/* x86_platform.get_wallclock */
void kapi_timer_interrupt(void);

/* arch/x86/traps.c */
int kapi_trap(unsigned int trap, unsigned long error, unsigned long addr, struct host_frame *frame);
void kapi_oops(const char *why, struct host_frame *frame);

/* mm/init.c */
void kapi_mem_init(void);
void kapi_mem_moved(void);		/* after host_port_wait() */
extern struct host_mem kapi_mem;

/* mm/grow.c */
void kapi_grow_init(void);		/* from now on there is more memory when it runs short */
/*
 * Held while memory becomes more; while kapi_mem_still it does not. It is taken while memory is reclaimed: who holds it must not wait for memory
 * (memalloc_noreclaim_save()).
 */
extern struct mutex kapi_mem_lock;
extern bool kapi_mem_still;

/* drivers/pci/host.c */
int kapi_pci_scan(void);
int kapi_pci_probe(void);
void kapi_pci_remove(void);
int kapi_pci_reset(void);
int kapi_pci_ranges_add(const struct host_mem *piece);	/* more of kapi_mem's, for the port's driver, too; with kapi_mem_lock */
u64 kapi_pci_dma_mask(void);		/* the device addresses that the port's driver said it can use; 0: no port */

/* kernel/module/main.c */
void kapi_module_init(void);		/* register kapi itself, so that its traces, bugs and fix-ups are found */
int kapi_module_load(const char *path);
int kapi_module_unload(const char *name);

/* No module that has been loaded goes until kapi_modules_release(). Returns false while one is going. */
bool kapi_modules_hold(void);
void kapi_modules_release(void);
/* Whether ADDR lies in such a module's code. */
bool kapi_module_of(unsigned long addr);

/* arch/x86/detour.c */
void kapi_detour_pend(void);

/* udf/trace.c */
int kapi_trace(unsigned long what);

/* udf/heartbeat.c */
int kapi_heartbeat(const struct host_heartbeat *config);

/* udf/control.c */
void kapi_control_init(void);
void kapi_control_perform(void);
void kapi_control_pend(void);

/* The end of the driver process, said in a way that objtool understands. */
#define kapi_die(text)			\
	do {				\
		host_die(text);		\
		unreachable();		\
	} while (0)

/* The interrupt flag and pending bits of this vCPU, and who it is. */
static inline unsigned long kapi_pending(void)
{
	unsigned long v;

	asm volatile("movq %%gs:%c1, %0" : "=r"(v) : "i"(HOST_VCPU_PENDING) : "memory");
	return v;
}

static inline unsigned long kapi_pending_take(void)
{
	unsigned long v = 0;

	asm volatile("xchgq %0, %%gs:%c1" : "+r"(v) : "i"(HOST_VCPU_PENDING) : "memory");
	return v;
}

static inline unsigned long kapi_flag(void)
{
	unsigned long v;

	asm volatile("movq %%gs:%c1, %0" : "=r"(v) : "i"(HOST_VCPU_IRQ_FLAG) : "memory");
	return v;
}

static inline void kapi_flag_set(unsigned long v)
{
	asm volatile("movq %0, %%gs:%c1" : : "r"(v), "i"(HOST_VCPU_IRQ_FLAG) : "memory");
}

#endif
