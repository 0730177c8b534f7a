/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Address space of a driver process: what lies where. Plain macros, for both worlds and for assembly.
 *
 *   0x0000_1000_0000  PCI memory window    bus addresses that BARs get if they have none; nothing is mapped here
 *   0x0000_3f00_0000  bridges              kernel world -> host world calls, 64 bytes each
 *   0x0000_3f80_0000  debugger's record    which modules lie where, and the last of the log
 *   0x0000_4000_0000  modules              .ko files
 *   0x0000_6ff0_0000  detours              register accesses of modules that do not trap any more
 *   0x0000_7000_0000  kapi                 UDF's own kernel-world object, linked into the prepared image
 *   0x0000_7100_0000  image                the distribution's vmlinux
 *   0x0000_8000_0000  arena                all kernel memory, and room for more; physical address = virtual address
 *   0x0800_0000_0000  foreign memory       what the device reaches and others own: device address + this (front.h); mapped when touched
 *   0x1800_0000_0000  vmemmap              struct page array, of the arena and of foreign memory
 *   0x2000_0000_0000  vmalloc              vmalloc, vmap, kernel stacks, dynamic per-CPU chunks (32 TiB)
 *   0x4800_0000_0000  MMIO                 ioremap: mapped BARs, or inaccessible pages that trap
 *
 * Kernel code is built for the last 2 GiB of the address space (-mcmodel=kernel): sign-extended 32-bit
 * addresses. The first 2 GiB do as well, hence everything that is linked lies below 0x80000000.
 */
#ifndef UDF_HOST_LAYOUT_H
#define UDF_HOST_LAYOUT_H

#define UDF_PCI_WINDOW_BASE	0x10000000
#define UDF_PCI_WINDOW_END	0x3f000000	/* exclusive */
#define UDF_BRIDGE_BASE		0x3f000000
#define UDF_BRIDGE_SLOT		64		/* bytes for each bridge */
#define UDF_BRIDGE_MAX		1024		/* slots */
#define UDF_DEBUG_BASE		0x3f800000
#define UDF_MODULE_BASE		0x40000000
#define UDF_MODULE_END		0x70000000	/* exclusive */
#define UDF_DETOUR_BASE		0x6ff00000	/* its last MiB: code that modules are led to, see detour.c */
#define UDF_DETOUR_SLOT		256		/* bytes for each detour */
#define UDF_DETOUR_MAX		256		/* slots */
#define UDF_KAPI_BASE		0x70000000
#define UDF_KAPI_END		0x71000000	/* exclusive */
#define UDF_IMAGE_BASE		0x71000000	/* where link address 0xffffffff81000000 goes */
#define UDF_IMAGE_END		0x80000000	/* exclusive */
#define UDF_ARENA_BASE		0x80000000
#define UDF_ARENA_END		0x100000000	/* exclusive */
#define UDF_FOREIGN_BASE	0x080000000000
#define UDF_FOREIGN_SIZE	0x080000000000	/* device addresses of 43 bits */
#define UDF_VMEMMAP_BASE	0x180000000000
#define UDF_VMALLOC_BASE	0x200000000000
#define UDF_VMALLOC_END		0x400000000000	/* exclusive: VMALLOC_SIZE_TB is 32 */
#define UDF_MMIO_BASE		0x480000000000
#define UDF_MMIO_END		0x490000000000	/* exclusive */

#endif
