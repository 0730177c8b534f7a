// SPDX-License-Identifier: GPL-2.0
/*
 * Writing the jumps that lead modules around accesses that trap (host_detour_next()). Kernel world.
 *
 * Hops lie where nothing executes, and can just be written. The instruction itself changes by the image's protocol, since other vCPUs may
 * be running it.
 */
#include <linux/memory.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>
#include <asm/text-patching.h>

#include "kapi.h"

static void kapi_detour_write(const struct host_detour *d)
{
	unsigned int i;

	for (i = 0; i < d->nr_hops; i++)
		text_poke_early((void *)d->hop[i].addr, d->hop[i].code, d->hop[i].len);
	mutex_lock(&text_mutex);
	text_poke_bp((void *)d->site, d->code, d->len, NULL);
	mutex_unlock(&text_mutex);
}

static void kapi_detour_work(struct work_struct *work)
{
	struct host_detour d;
	bool held;

	/* while a module comes or goes there are no detours: the host asks again */
	if (!kapi_modules_hold())
		return;
	while (host_detour_next(&d)) {
		held = kapi_module_of(d.site);
		if (held)
			kapi_detour_write(&d);
		host_detour_done(&d, held);
	}
	kapi_modules_release();
}

static DECLARE_WORK(kapi_detours, kapi_detour_work);

/* HOST_PEND_DETOUR, in interrupt context. */
void kapi_detour_pend(void)
{
	queue_work(system_unbound_wq, &kapi_detours);
}
