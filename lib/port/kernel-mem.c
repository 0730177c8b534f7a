// SPDX-License-Identifier: GPL-2.0
/*
 * Foreign memory through udf_port.ko: pinned by the kernel where it is mapped, for which a mapping of the moment serves. It takes an
 * IOMMU. Host world; any thread but a vCPU's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "common/log.h"
#include "port/kernel-int.h"

int udf_kernel_dma_add(struct udf_port *port, int fd, uint64_t len, int lease, uint64_t *dev)
{
	struct udf_port_mem_add a = { .lease = lease, .size = len };
	void *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int ret;

	if (map == MAP_FAILED)
		return -errno;
	a.addr = (uintptr_t)map;
	ret = udf_kernel_ioctl(to_kernel(port), UDF_PORT_MEM_ADD, &a);
	munmap(map, len);
	if (ret == -EDQUOT)
		udf_log_warning("%s: an application's memory is refused: as much as RLIMIT_MEMLOCK allows is pinned", port->address);
	*dev = a.dev;
	return ret;
}

int udf_kernel_dma_remove(struct udf_port *port, uint64_t dev)
{
	struct udf_port_mem_remove r = { .dev = dev };

	return udf_kernel_ioctl(to_kernel(port), UDF_PORT_MEM_REMOVE, &r);
}
