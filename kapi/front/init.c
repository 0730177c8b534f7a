// SPDX-License-Identifier: GPL-2.0
/* The front ends' start and their commands. Kernel world. */
#include <linux/workqueue.h>

#include "kapi.h"
#include "kapi_front.h"

/* For requests that may take long: discards, write-zeroes. */
struct workqueue_struct *kapi_front_wq;

void kapi_front_init(void)
{
	kapi_front_wq = alloc_workqueue("udf-front", WQ_UNBOUND | WQ_MEM_RECLAIM, 16);
	BUG_ON(!kapi_front_wq);
	kapi_disks_init();
	kapi_queues_init();
}

long kapi_front_command(struct host_front_command *c)
{
	switch (c->op) {
	case HOST_FRONT_ATTACH:
		return kapi_queue_attach(c);
	case HOST_FRONT_DETACH:
		return kapi_queue_detach(c);
	case HOST_FRONT_DRAIN:
		return kapi_queue_drain(c->addr);
	case HOST_FRONT_OPEN:
		return kapi_disk_open(c->disk);
	case HOST_FRONT_CLOSE:
		return kapi_disk_close(c->disk);
	case HOST_FRONT_ALLOC:
		return kapi_chunk_alloc(c);
	case HOST_FRONT_FREE:
		return kapi_chunk_free(c->addr);
	case HOST_FRONT_MEM_ADD:
		return kapi_region_add(c);
	case HOST_FRONT_MEM_REMOVE:
		return kapi_region_remove(c);
	case HOST_FRONT_MASK:
		c->addr = kapi_pci_dma_mask();
		return 0;
	}
	return -EINVAL;
}
