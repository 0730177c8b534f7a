/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The contract between the worlds: every function that kernel-world code (kapi/) may call in the host
 * world, and the version of the whole. Plain C types only: neither libc nor kernel headers.
 *
 * A host function runs on the vCPU's host stack, with the caller's task suspended beneath it: it may use
 * libc freely, may block the vCPU unless its comment says otherwise, and must never call kernel code.
 * An interrupt that arrives meanwhile stays pending and is delivered on the way back. Callers hold no
 * spinlock across a function marked `blocks`.
 *
 * UDF_CONTRACT lists the functions in the order of their bridge slots: append only, and raise
 * UDF_CONTRACT_VERSION when a signature or a meaning changes; the prepared image records the version.
 */
#ifndef UDF_HOST_CONTRACT_H
#define UDF_HOST_CONTRACT_H

#define UDF_CONTRACT_VERSION 5

#include "cpu.h"
#include "log.h"
#include "mem.h"
#include "module.h"
#include "control.h"
#include "front.h"
#include "pci.h"
#include "time.h"
#include "trace.h"

#define UDF_CONTRACT(fn)							\
	/* cpu.h */								\
	fn(host_cpu_start) fn(host_cpu_pend) fn(host_cpu_idle)			\
	fn(host_cpu_yield) fn(host_cpu_count) fn(host_cpu_cap)			\
	/* time.h */								\
	fn(host_time_now) fn(host_time_real) fn(host_timer_set)			\
	/* log.h */								\
	fn(host_log_write) fn(host_die) fn(host_event)				\
	/* mem.h */								\
	fn(host_mem_get) fn(host_mem_map) fn(host_mem_unmap)			\
	fn(host_mem_populate) fn(host_text_write) fn(host_random)		\
	fn(host_mmio_map) fn(host_mmio_unmap)					\
	/* pci.h */								\
	fn(host_pci_present) fn(host_pci_read) fn(host_pci_write)		\
	fn(host_irq_mask) fn(host_irq_unmask)					\
	/* module.h */								\
	fn(host_module_open) fn(host_module_link) fn(host_module_free_init)	\
	fn(host_module_close) fn(host_module_live) fn(host_file_read)		\
	/* control.h */								\
	fn(host_control_next) fn(host_control_done) fn(host_started)		\
	/* front.h */								\
	fn(host_front_table) fn(host_front_changed) fn(host_front_notify)	\
	/* cpu.h, module.h */							\
	fn(host_cpu_area) fn(host_entry) fn(host_kapi_get)			\
	fn(host_module_next)							\
	/* trace.h */								\
	fn(host_trace)								\
	/* front.h */								\
	fn(host_front_turn)							\
	/* mem.h */								\
	fn(host_detour_next) fn(host_detour_done) fn(host_mmio_access)		\
	/* front.h */								\
	fn(host_front_ring)							\
	/* pci.h */								\
	fn(host_port_wait)							\
	/* module.h */								\
	fn(host_module_used)							\
	/* mem.h */								\
	fn(host_mem_grow)

#endif
