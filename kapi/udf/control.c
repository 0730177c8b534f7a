// SPDX-License-Identifier: GPL-2.0
/*
 * Commands of the host world. Kernel world. A kernel thread runs one after the other; those that are performed beside the others, as they
 * may be, are work items.
 */
#include <linux/kthread.h>
#include <linux/sched/debug.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "kapi.h"
#include "front/kapi_front.h"

extern void show_state_filter(unsigned int state_filter);

static DECLARE_WAIT_QUEUE_HEAD(kapi_control_wait);
static bool kapi_control_due;

static void kapi_control_dispatch(struct work_struct *work);
static DECLARE_WORK(kapi_control_beside, kapi_control_dispatch);

/* HOST_PEND_CONTROL, in interrupt context. */
void kapi_control_pend(void)
{
	queue_work(system_unbound_wq, &kapi_control_beside);
	WRITE_ONCE(kapi_control_due, true);
	wake_up(&kapi_control_wait);
}

static long kapi_control_run(const struct host_control *c)
{
	switch (c->cmd) {
	case HOST_CMD_MODULE_LOAD:
		return kapi_module_load(c->arg);
	case HOST_CMD_MODULE_UNLOAD:
		return kapi_module_unload(c->arg);
	case HOST_CMD_SHUTDOWN:
		kapi_pci_remove();
		return 0;
	case HOST_CMD_RESET:
		return kapi_pci_reset();
	case HOST_CMD_TASKS:
		show_state_filter(0);
		return 0;
	case HOST_CMD_FRONT:
		return kapi_front_command(c->data);
	case HOST_CMD_TRACE:
		return kapi_trace(c->arg[0] - '0');
	case HOST_CMD_HEARTBEAT:
		return kapi_heartbeat(c->data);
	case HOST_CMD_PROBE:
		return kapi_pci_probe();
	default:
		return -EINVAL;
	}
}

/* A command beside the others: it may wait for the device, while other applications want theirs done. */
struct kapi_deferred {
	struct work_struct work;
	struct host_control control;
};

static void kapi_control_work(struct work_struct *work)
{
	struct kapi_deferred *d = container_of(work, struct kapi_deferred, work);

	host_control_done(&d->control, kapi_control_run(&d->control));
	kfree(d);
}

/* One at a time takes commands; they run at once. */
static void kapi_control_dispatch(struct work_struct *work)
{
	static struct host_control c;

	while (host_control_next(&c, true)) {
		struct kapi_deferred *d = kmalloc(sizeof(*d), GFP_KERNEL);

		if (!d) {
			host_control_done(&c, -ENOMEM);
			continue;
		}
		INIT_WORK(&d->work, kapi_control_work);
		d->control = c;
		queue_work(system_unbound_wq, &d->work);
	}
}

void kapi_control_perform(void)
{
	static struct host_control c;

	while (host_control_next(&c, false))
		host_control_done(&c, kapi_control_run(&c));
}

static int kapi_control_thread(void *unused)
{
	for (;;) {
		wait_event_idle(kapi_control_wait, xchg(&kapi_control_due, false));
		kapi_control_perform();
	}
	return 0;
}

void kapi_control_init(void)
{
	if (IS_ERR(kthread_run(kapi_control_thread, NULL, "udf-control")))
		kapi_die("the control thread cannot be started");
}
