/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Series 6.1: the image's functions that kapi replaces, REPLACE(function, kernel path, why). NOOP() marks one that deliberately
 * does nothing. Kernel world; included by series/table.c alone. `udf image show` prints the list.
 */

/* tasks and vCPUs */
REPLACE(__switch_to_asm, "arch/x86/entry/entry_64.S", "switches by registers and stack alone: there is no user state, segment or FPU register")
REPLACE(exit_mm_release, "kernel/fork.c", "the image's loads %fs and %gs selectors")
REPLACE(arch_cpu_idle, "arch/x86/kernel/process.c", "hlt is privileged: the host waits")
REPLACE(arch_cpu_idle_enter, "arch/x86/kernel/process.c", "callbacks that wait for a grace period need not wait for ticks")
REPLACE(arch_irq_work_raise, "arch/x86/kernel/irq_work.c", "there is no APIC: a pending bit of the vCPU")
REPLACE(this_cpu_cmpxchg16b_emu, "arch/x86/lib/cmpxchg16b_emu.S", "cli is privileged")
REPLACE(kernel_fpu_begin_mask, "arch/x86/kernel/fpu/core.c", "xsaves is privileged; nothing lives in the registers")
REPLACE(kernel_fpu_end, "arch/x86/kernel/fpu/core.c", "pairs with kernel_fpu_begin_mask()")
REPLACE(irq_fpu_usable, "arch/x86/kernel/fpu/core.c", "pairs with kernel_fpu_begin_mask()")

/* code */
REPLACE(__text_poke, "arch/x86/kernel/alternative.c", "the image writes through page tables of its own")
REPLACE(text_poke_early, "arch/x86/kernel/alternative.c", "text is not writable")
REPLACE(arch_static_call_transform, "arch/x86/kernel/static_call.c", "changes trampolines only, so that text stays shared")

/* time */
REPLACE(sched_clock, "arch/x86/kernel/tsc.c", "the host's clock")
REPLACE(clocksource_default_clock, "kernel/time/jiffies.c", "timekeeping starts with the host's clock")
REPLACE(__udelay, "arch/x86/lib/delay.c", "by the clock, without calibration")
REPLACE(__const_udelay, "arch/x86/lib/delay.c", "by the clock, without calibration")
REPLACE(__ndelay, "arch/x86/lib/delay.c", "by the clock, without calibration")
REPLACE(__delay, "arch/x86/lib/delay.c", "by the clock, without calibration")

/* memory */
REPLACE(vmemmap_populate, "arch/x86/mm/init_64.c", "the host maps the struct page array")
REPLACE(vmap_small_pages_range_noflush, "mm/vmalloc.c", "the host maps pages, no processor reads the image's page tables")
REPLACE(vmap_range_noflush, "mm/vmalloc.c", "the host maps pages")
REPLACE(__vunmap_range_noflush, "mm/vmalloc.c", "the host unmaps pages")
REPLACE(vmalloc_to_page, "mm/vmalloc.c", "the area's list of pages instead of page tables")
REPLACE(ioremap, "arch/x86/mm/ioremap.c", "registers are reached through the transport")
REPLACE(ioremap_uc, "arch/x86/mm/ioremap.c", "registers are reached through the transport")
REPLACE(ioremap_wc, "arch/x86/mm/ioremap.c", "registers are reached through the transport")
REPLACE(ioremap_wt, "arch/x86/mm/ioremap.c", "registers are reached through the transport")
REPLACE(ioremap_cache, "arch/x86/mm/ioremap.c", "registers are reached through the transport")
REPLACE(iounmap, "arch/x86/mm/ioremap.c", "registers are reached through the transport")
REPLACE(copy_from_kernel_nofault_allowed, "arch/x86/mm/maccess.c", "kernel addresses are low addresses here")
REPLACE(try_to_compact_pages, "mm/compaction.c", "pages of drivers cannot be moved; there is more memory instead")
REPLACE(out_of_memory, "mm/oom_kill.c", "there is no user process to kill: an allocation fails")
NOOP(flush_tlb_kernel_range, "arch/x86/mm/tlb.c", "a mapping changes for all vCPUs in the host's call")
NOOP(flush_tlb_all, "arch/x86/mm/tlb.c", "a mapping changes for all vCPUs in the host's call")
NOOP(change_page_attr_set_clr, "arch/x86/mm/pat/set_memory.c", "memory of a process has no caching attributes; protection is the host's")
NOOP(__change_page_attr_set_clr, "arch/x86/mm/pat/set_memory.c", "the same, for set_direct_map_*()")
REPLACE(dma_map_page_attrs, "kernel/dma/mapping.c", "a look at the ranges, the one of foreign memory first")
NOOP(dma_unmap_page_attrs, "kernel/dma/mapping.c", "a mapping is arithmetic, memory is coherent, nothing is bounced")
NOOP(dma_unmap_sg_attrs, "kernel/dma/mapping.c", "the same")
NOOP(dma_sync_single_for_cpu, "kernel/dma/mapping.c", "the same")
NOOP(dma_sync_single_for_device, "kernel/dma/mapping.c", "the same")
NOOP(dma_sync_sg_for_cpu, "kernel/dma/mapping.c", "the same")
NOOP(dma_sync_sg_for_device, "kernel/dma/mapping.c", "the same")
NOOP(wbt_enable_default, "block/blk-wbt.c", "who writes back is somebody else, and is throttled there if at all")
NOOP(blk_cgroup_bio_start, "block/blk-cgroup.c", "statistics of the only group")
REPLACE(bdev_disk_changed, "block/partitions/core.c", "partitions are a matter of who has the disk")
NOOP(ptp_classifier_init, "net/core/ptp_classifier.c", "wants 2 MiB of BPF code, for time stamps by PHYs alone")

/* order */
REPLACE(sort, "lib/sort.c", "leaves alone what is in order: the image's tables are, since it was prepared")
REPLACE(sort_r, "lib/sort.c", "the same")

/* messages, failures, files, events */
REPLACE(vprintk_emit, "kernel/printk/printk.c", "the log is the host's")
REPLACE(__show_regs, "arch/x86/kernel/process_64.c", "reads control and model-specific registers")
REPLACE(show_opcodes, "arch/x86/kernel/dumpstack.c", "takes low addresses for a user program's")
REPLACE(arch_trigger_cpumask_backtrace, "arch/x86/kernel/apic/hw_nmi.c", "there is no interrupt that cannot be masked")
REPLACE(is_valid_bugaddr, "arch/x86/kernel/traps.c", "kernel addresses are low addresses here")
REPLACE(panic, "kernel/panic.c", "ends the driver process with a trace")
REPLACE(kobject_uevent_env, "lib/kobject_uevent.c", "events go to the host and the front ends")
REPLACE(kernel_read_file_from_path_initns, "fs/kernel_read_file.c", "firmware files are the host's")
REPLACE(__request_module, "kernel/kmod.c", "there is no modprobe in a driver process")
NOOP(wait_for_initramfs, "init/initramfs.c", "there is no initial file system to wait for")
