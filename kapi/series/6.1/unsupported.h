/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Series 6.1: the image's functions that a driver process cannot serve, UNSUPPORTED(function, kernel path, why). A call ends the
 * process with the function's name and a back trace, where the image's own code would go wrong in silence, or fault somewhere else.
 * `udf check` marks the modules that import one. Kernel world; included by series/table.c alone.
 *
 * Not here is what fails in order, as on a machine without the thing, and which drivers are used to: ACPI, IOMMU domains,
 * cpufreq, peer-to-peer DMA, model-specific registers read with *_safe(), helper programs.
 */

/* user memory */
#define NO_USERS "a driver process has no user address space"
UNSUPPORTED(remap_pfn_range, "mm/memory.c", NO_USERS)
UNSUPPORTED(remap_vmalloc_range, "mm/vmalloc.c", NO_USERS)
UNSUPPORTED(vm_iomap_memory, "mm/memory.c", NO_USERS)
UNSUPPORTED(vm_insert_page, "mm/memory.c", NO_USERS)
UNSUPPORTED(vm_insert_pages, "mm/memory.c", NO_USERS)
UNSUPPORTED(vm_map_pages, "mm/memory.c", NO_USERS)
UNSUPPORTED(vm_map_pages_zero, "mm/memory.c", NO_USERS)
UNSUPPORTED(vmf_insert_pfn, "mm/memory.c", NO_USERS)
UNSUPPORTED(vmf_insert_pfn_prot, "mm/memory.c", NO_USERS)
UNSUPPORTED(vmf_insert_mixed, "mm/memory.c", NO_USERS)
UNSUPPORTED(zap_vma_ptes, "mm/memory.c", NO_USERS)
UNSUPPORTED(vm_mmap, "mm/util.c", NO_USERS)
UNSUPPORTED(find_vma, "mm/mmap.c", NO_USERS)
UNSUPPORTED(get_user_pages, "mm/gup.c", NO_USERS)
UNSUPPORTED(get_user_pages_unlocked, "mm/gup.c", NO_USERS)
UNSUPPORTED(get_user_pages_remote, "mm/gup.c", NO_USERS)
UNSUPPORTED(get_user_pages_fast, "mm/gup.c", NO_USERS)
UNSUPPORTED(pin_user_pages, "mm/gup.c", NO_USERS)
UNSUPPORTED(pin_user_pages_unlocked, "mm/gup.c", NO_USERS)
UNSUPPORTED(pin_user_pages_remote, "mm/gup.c", NO_USERS)
UNSUPPORTED(pin_user_pages_fast, "mm/gup.c", NO_USERS)
UNSUPPORTED(hmm_range_fault, "mm/hmm.c", NO_USERS)
UNSUPPORTED(mmu_notifier_register, "mm/mmu_notifier.c", NO_USERS)
UNSUPPORTED(mmu_interval_notifier_insert, "mm/mmu_notifier.c", NO_USERS)
UNSUPPORTED(kthread_use_mm, "kernel/kthread.c", NO_USERS)

/* the processor */
UNSUPPORTED(wbinvd_on_cpu, "arch/x86/lib/cache-smp.c", "wbinvd is privileged")
UNSUPPORTED(wbinvd_on_all_cpus, "arch/x86/lib/cache-smp.c", "wbinvd is privileged")
UNSUPPORTED(rdmsr_on_cpu, "arch/x86/lib/msr-smp.c", "rdmsr is privileged")
UNSUPPORTED(rdmsrl_on_cpu, "arch/x86/lib/msr-smp.c", "rdmsr is privileged")
UNSUPPORTED(wrmsr_on_cpu, "arch/x86/lib/msr-smp.c", "wrmsr is privileged")
UNSUPPORTED(wrmsrl_on_cpu, "arch/x86/lib/msr-smp.c", "wrmsr is privileged")
UNSUPPORTED(add_cpu, "kernel/cpu.c", "vCPUs neither come nor go")
UNSUPPORTED(remove_cpu, "kernel/cpu.c", "vCPUs neither come nor go")

/* the machine */
UNSUPPORTED(emergency_restart, "kernel/reboot.c", "a driver process does not restart the machine")
UNSUPPORTED(kernel_restart, "kernel/reboot.c", "a driver process does not restart the machine")
UNSUPPORTED(kernel_halt, "kernel/reboot.c", "a driver process does not stop the machine")
UNSUPPORTED(kernel_power_off, "kernel/reboot.c", "a driver process does not stop the machine")
UNSUPPORTED(orderly_poweroff, "kernel/reboot.c", "a driver process does not stop the machine")
UNSUPPORTED(orderly_reboot, "kernel/reboot.c", "a driver process does not restart the machine")
UNSUPPORTED(pm_suspend, "kernel/power/suspend.c", "a driver process does not suspend the machine")

/* code */
UNSUPPORTED(register_kprobe, "kernel/kprobes.c", "code is shared by all driver processes")
UNSUPPORTED(register_kretprobe, "kernel/kprobes.c", "code is shared by all driver processes")
UNSUPPORTED(register_ftrace_function, "kernel/trace/ftrace.c", "calls of the function tracer are patched out")
UNSUPPORTED(bpf_prog_create, "net/core/filter.c", "compiled programs would lie in memory that is not executable")
UNSUPPORTED(bpf_prog_create_from_user, "net/core/filter.c", "compiled programs would lie in memory that is not executable")
#undef NO_USERS
