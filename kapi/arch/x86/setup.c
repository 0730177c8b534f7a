// SPDX-License-Identifier: GPL-2.0
/*
 * What arch/x86/kernel/{setup,setup_percpu,smpboot}.c do on hardware: CPU data, paravirtual operations, per-CPU areas,
 * SMP operations and topology of the vCPUs. Kernel world.
 */
#include <linux/cpu.h>
#include <linux/kernel_stat.h>
#include <linux/memblock.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/smp.h>
#include <linux/topology.h>
#include <asm/paravirt.h>
#include <asm/processor.h>
#include <asm/smp.h>
#include <asm/x86_init.h>

#include "kapi.h"

/* Of the image, not exported. */
extern struct paravirt_patch_template pv_ops;
extern struct smp_ops smp_ops;
extern int arch_task_struct_size;
extern int acpi_disabled;
extern int pcpu_embed_first_chunk(size_t reserved_size, size_t dyn_size, size_t atom_size,
				  int (*distance)(unsigned int from, unsigned int to), int (*node)(int cpu));
extern unsigned long __per_cpu_offset[];
extern void *pcpu_base_addr;
extern const unsigned long *pcpu_unit_offsets;
extern void notify_cpu_starting(unsigned int cpu);
extern void set_cpu_online(unsigned int cpu, bool online);
extern cpumask_var_t node_to_cpumask_map[];
extern void cpu_startup_entry(enum cpuhp_state state);

DECLARE_PER_CPU_PAGE_ALIGNED(struct irq_stack, irq_stack_backing_store);

static struct cpumask kapi_cpus;

static void kapi_setup_cpu_data(void)
{
	struct cpuinfo_x86 *c = &boot_cpu_data;

	c->x86_vendor = X86_VENDOR_UNKNOWN;
	c->x86 = 6;
	c->x86_phys_bits = 46;
	c->x86_virt_bits = 48;
	c->x86_cache_bits = 46;
	c->x86_clflush_size = 64;
	c->x86_cache_alignment = 64;
	c->x86_max_cores = host_cpu_count();
	c->x86_model_id[0] = 'U';
	c->x86_model_id[1] = 'D';
	c->x86_model_id[2] = 'F';
	/* static_cpu_has() and alternatives go by this; only what works in user space is there */
	host_cpu_cap(c->x86_capability, NCAPINTS);
}

/* A preempted thread may hold the lock: give the processor away instead of spinning for its time slice. */
static void kapi_spin_lock_slowpath(struct qspinlock *lock, u32 val)
{
	unsigned int spins = 0;

	while (atomic_read(&lock->val) || atomic_cmpxchg_acquire(&lock->val, 0, _Q_LOCKED_VAL)) {
		cpu_relax();
		if (++spins < 200)
			continue;
		spins = 0;
		host_cpu_yield();
	}
}

static void kapi_io_delay(void)
{
}

static void kapi_setup_paravirt(void)
{
	pv_ops.irq.save_fl.func = kapi_save_fl;
	pv_ops.irq.irq_disable.func = kapi_irq_disable;
	pv_ops.irq.irq_enable.func = kapi_irq_enable;
	pv_ops.cpu.io_delay = kapi_io_delay;
	pv_ops.lock.queued_spin_lock_slowpath = kapi_spin_lock_slowpath;
}

void kapi_setup_arch(void)
{
	unsigned int cpu, n = host_cpu_count();

	kapi_setup_cpu_data();
	kapi_setup_paravirt();
	acpi_disabled = 1;
	arch_task_struct_size = sizeof(struct task_struct);
	for (cpu = 0; cpu < n; cpu++)
		cpumask_set_cpu(cpu, &kapi_cpus);
	init_cpu_possible(&kapi_cpus);
	init_cpu_present(&kapi_cpus);
	nr_cpu_ids = n;
}

void kapi_setup_percpu(void)
{
	unsigned int cpu;
	int err;

	/* modules need the reserved part: their per-CPU data must lie within reach of 32-bit relocations */
	err = pcpu_embed_first_chunk(32 << 10, 40 << 10, PAGE_SIZE, NULL, NULL);
	if (err)
		kapi_die("the first per-CPU chunk cannot be allocated");
	for_each_possible_cpu(cpu) {
		/* per-CPU symbols are linked at 0: an offset is an area's address */
		unsigned long area = (unsigned long)pcpu_base_addr + pcpu_unit_offsets[cpu];

		__per_cpu_offset[cpu] = area;
		per_cpu(this_cpu_off, cpu) = area;
		per_cpu(cpu_number, cpu) = cpu;
		per_cpu(hardirq_stack_ptr, cpu) =
			per_cpu(irq_stack_backing_store, cpu).stack + IRQ_STACK_SIZE - 8;
		memset((void *)area, 0, sizeof(struct host_vcpu));
	}
	host_cpu_area(__per_cpu_offset[0]);
}

static void kapi_send_reschedule(int cpu)
{
	host_cpu_pend(cpu, HOST_PEND_RESCHED);
}

static void kapi_send_call_single(int cpu)
{
	host_cpu_pend(cpu, HOST_PEND_CALL);
}

static void kapi_send_call(const struct cpumask *mask)
{
	int cpu;

	for_each_cpu(cpu, mask)
		host_cpu_pend(cpu, HOST_PEND_CALL);
}

/* A further vCPU's first kernel code, on its idle task's stack. */
static void kapi_start_secondary(unsigned int cpu)
{
	notify_cpu_starting(cpu);
	set_cpu_online(cpu, true);
	kapi_time_init();
	local_irq_enable();
	cpu_startup_entry(CPUHP_AP_ONLINE_IDLE);
}

static int kapi_cpu_up(unsigned int cpu, struct task_struct *idle)
{
	unsigned long stack = (unsigned long)task_stack_page(idle) + THREAD_SIZE - 64;
	int err;

	per_cpu(current_task, cpu) = idle;
	per_cpu(fixed_percpu_data, cpu).stack_canary = idle->stack_canary;
	err = host_cpu_start(cpu, per_cpu_offset(cpu), stack, kapi_start_secondary);
	if (err)
		return err;
	while (!cpu_online(cpu))
		host_cpu_yield();
	return 0;
}

static void kapi_smp_nop(void)
{
}

static void kapi_smp_nop_uint(unsigned int n)
{
}

void kapi_setup_smp(void)
{
	unsigned int cpu, other;

	smp_ops.smp_send_reschedule = kapi_send_reschedule;
	smp_ops.send_call_func_single_ipi = kapi_send_call_single;
	smp_ops.send_call_func_ipi = kapi_send_call;
	smp_ops.cpu_up = kapi_cpu_up;
	smp_ops.smp_prepare_cpus = kapi_smp_nop_uint;
	smp_ops.smp_cpus_done = kapi_smp_nop_uint;
	smp_ops.smp_prepare_boot_cpu = kapi_smp_nop;

	/* one package whose cores share a cache, no hyperthreads: the scheduler wakes tasks on the idle vCPU */
	node_to_cpumask_map[0] = memblock_alloc(cpumask_size(), SMP_CACHE_BYTES);
	for_each_possible_cpu(cpu) {
		cpumask_var_t *maps[] = {
			&per_cpu(cpu_sibling_map, cpu), &per_cpu(cpu_core_map, cpu), &per_cpu(cpu_die_map, cpu),
			&per_cpu(cpu_llc_shared_map, cpu), &per_cpu(cpu_l2c_shared_map, cpu),
		};
		unsigned int i;

		cpumask_set_cpu(cpu, node_to_cpumask_map[0]);
		for (i = 0; i < ARRAY_SIZE(maps); i++) {
			bool shared = maps[i] != &per_cpu(cpu_sibling_map, cpu) &&
				      maps[i] != &per_cpu(cpu_l2c_shared_map, cpu);

			*maps[i] = memblock_alloc(cpumask_size(), SMP_CACHE_BYTES);
			for_each_possible_cpu(other)
				if (other == cpu || shared)
					cpumask_set_cpu(other, *maps[i]);
		}
	}
}
