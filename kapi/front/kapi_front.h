/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Front ends: what Linux or an application sees of the driver, at the class-device boundary. Kernel world.
 *
 * The first part is what the rest of kapi calls; the second is shared by the files of this folder.
 */
#ifndef KAPI_FRONT_KAPI_FRONT_H
#define KAPI_FRONT_KAPI_FRONT_H

#include <linux/kobject.h>
#include <linux/types.h>

#include "front.h"	/* lib/host/include */

/* At boot, after the block layer's init functions and after all vCPUs are up, from a kernel thread. Once. */
int kapi_front_init(void);

/* HOST_PEND_FRONT was pending on the calling vCPU; hard-interrupt context. */
void kapi_front_pend(void);

/* Whether a ring of vCPU CPU has entries that nobody has taken: for an idle loop that polls. Any context. */
bool kapi_front_busy(unsigned int cpu);

/* From the replacement of kobject_uevent_env(), before the event leaves the kernel world; process context. */
void kapi_front_uevent(struct kobject *kobj, enum kobject_action action, char *envp[]);

/* HOST_CMD_FRONT: perform C (memory of the host world) and return its result. May sleep; kernel thread. */
long kapi_front_command(struct host_front_command *c);

#endif
