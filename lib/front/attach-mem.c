// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of an attached application that the device reaches. Host world.
 *
 * It lies in files of our own, of which the driver process is given descriptors, a region at a time: what is not touched costs nothing. All
 * regions lie side by side in our address space, so that an address tells its region. None is given back before the end.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "front/attach.h"

#define CHUNK (4096ul << HOST_FRONT_CHUNK_ORDER)

_Static_assert(UDF_ATTACH_REGIONS <= UDF_PROTO_REGIONS && UDF_ATTACH_REGION <= UDF_PROTO_REGION_MAX, "the driver process takes them");
_Static_assert(UDF_ATTACH_REGION % CHUNK == 0, "a chunk lies in one region");

#define RESERVED (UDF_ATTACH_REGIONS * UDF_ATTACH_REGION + CHUNK)

int udf_attach_mem_init(struct udf_attach *a, uint64_t max)
{
	a->max_regions = (max + UDF_ATTACH_REGION - 1) / UDF_ATTACH_REGION;
	if (!max || a->max_regions > UDF_ATTACH_REGIONS)
		a->max_regions = UDF_ATTACH_REGIONS;
	a->reserved = mmap(NULL, RESERVED, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (a->reserved == MAP_FAILED) {
		a->reserved = NULL;
		return -ENOMEM;
	}
	/* chunks are aligned to their size */
	a->va = (char *)(((unsigned long)a->reserved + CHUNK - 1) & ~(CHUNK - 1));
	return 0;
}

void udf_attach_mem_free(struct udf_attach *a)
{
	if (a->reserved)
		munmap(a->reserved, RESERVED);
	while (a->nr_regions)
		close(a->region[--a->nr_regions].fd);
}

static int tell(struct udf_attach *a, unsigned int region)
{
	struct udf_msg m = { .type = UDF_MSG_MEM_ADD, .mem = { .region = region, .len = UDF_ATTACH_REGION } };
	int err = udf_attach_call(a, &m, a->region[region].fd);

	if (!err)
		a->region[region].told = true;
	return err;
}

int udf_attach_mem_tell(struct udf_attach *a)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < a->nr_regions; i++)
		a->region[i].told = false;
	for (i = 0; i < a->nr_regions && !err; i++)
		err = tell(a, i);
	return err;
}

/* In the connection's thread, so that it is in the list before or after a successor is told of all. */
static int add_region(struct udf_attach *a, void *unused)
{
	unsigned int n = a->nr_regions;
	int fd = udf_memory_file("udf-buffers", UDF_ATTACH_REGION);

	if (fd < 0)
		return fd;
	if (mmap(a->va + n * UDF_ATTACH_REGION, UDF_ATTACH_REGION, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
		close(fd);
		return -ENOMEM;
	}
	a->region[n].fd = fd;
	a->region[n].told = false;
	a->nr_regions++;
	return 0;
}

static void drop_last(struct udf_attach *a)
{
	unsigned int n = --a->nr_regions;

	close(a->region[n].fd);
	mmap(a->va + n * UDF_ATTACH_REGION, UDF_ATTACH_REGION, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

static int add_and_tell(struct udf_attach *a, void *unused)
{
	int err = add_region(a, NULL);

	if (err)
		return err;
	err = tell(a, a->nr_regions - 1);
	if (err)	/* after -ECONNRESET it is added again */
		drop_last(a);
	return err;
}

int udf_attach_command(struct udf_attach *a, struct host_front_command *c)
{
	struct udf_attach_job job = { .run = add_and_tell, .run_offline = add_region };
	unsigned long per_region = UDF_ATTACH_REGION / CHUNK;
	int err = 0;

	if (c->op == HOST_FRONT_FREE)
		return 0;
	if (c->op != HOST_FRONT_ALLOC)
		return -EOPNOTSUPP;
	/* one at a time: under the heap's lock */
	if (a->nr_chunks == a->nr_regions * per_region)
		err = a->nr_regions < a->max_regions ? udf_attach_do(a, &job) : -ENOMEM;
	if (err)
		return err;
	c->order = HOST_FRONT_CHUNK_ORDER;
	c->addr = (unsigned long)a->va + a->nr_chunks++ * CHUNK;
	return 0;
}
