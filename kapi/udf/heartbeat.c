// SPDX-License-Identifier: GPL-2.0
/*
 * Signs of life, for who watches the driver process (HOST_CMD_HEARTBEAT). Kernel world.
 *
 * Each vCPU has a delayed work item of its own, which counts and queues itself again. Only a vCPU whose kernel code gets on does: the
 * timer's interrupt must be delivered, its softirq run, the scheduler switch, and a worker of the vCPU's own pool take the item, which
 * it does not while another item spins there. What this cannot see, tasks that wait for each other for ever, is khungtaskd's.
 */
#include <linux/sched/sysctl.h>
#include <linux/workqueue.h>

#include "kapi.h"

extern int hung_task_init(void);
extern unsigned int sysctl_hung_task_panic;
extern unsigned long sysctl_hung_task_timeout_secs;

static struct host_heartbeat kapi_beat_config;
static struct delayed_work kapi_beat_work[HOST_CPUS_MAX];

static void kapi_beat(struct work_struct *work)
{
	unsigned int cpu = smp_processor_id();	/* a bound worker's */

	WRITE_ONCE(kapi_beat_config.beats[cpu], kapi_beat_config.beats[cpu] + 1);
	queue_delayed_work_on(cpu, system_wq, to_delayed_work(work), msecs_to_jiffies(kapi_beat_config.interval_ms));
}

int kapi_heartbeat(const struct host_heartbeat *config)
{
	unsigned int cpu;

	if (!config->beats || !config->interval_ms)
		return -EINVAL;
	if (kapi_beat_config.beats)
		return -EBUSY;
	kapi_beat_config = *config;
	for_each_online_cpu(cpu) {
		INIT_DELAYED_WORK(&kapi_beat_work[cpu], kapi_beat);
		queue_delayed_work_on(cpu, system_wq, &kapi_beat_work[cpu], 0);
	}
	/* a vCPU that has not counted yet is not missed: each does before a driver can have it */
	for_each_online_cpu(cpu)
		flush_delayed_work(&kapi_beat_work[cpu]);
	if (!config->hung_task_s)
		return 0;
	sysctl_hung_task_panic = 1;
	sysctl_hung_task_timeout_secs = config->hung_task_s;
	return hung_task_init();
}
