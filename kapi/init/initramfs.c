// SPDX-License-Identifier: GPL-2.0
/* Replaces init/initramfs.c: wait_for_initramfs(): firmware files are the host's, there is none to unpack first. Kernel world. */
#include <linux/init.h>
#include <linux/types.h>
#include <linux/initrd.h>

void wait_for_initramfs(void)
{
}
