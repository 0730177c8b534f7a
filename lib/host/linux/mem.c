// SPDX-License-Identifier: GPL-2.0
/* Memory of the kernel world: the arena, its pages in the vmalloc area, struct pages, code. Host world; implements mem.h. */
#define _GNU_SOURCE
#include "host/linux/host.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/log.h"
#include "layout.h"

#define SPARSE (1ul << 30)		/* mappings of which most is never touched */
#define ARENA_HOLE (1ul << 20)		/* address 0 of the device is never handed out */

static pthread_mutex_t udf_text_lock = PTHREAD_MUTEX_INITIALIZER;

/* Where OFFSET of the arena lies in its file. */
static off_t udf_arena_file(uint64_t offset)
{
	return (off_t)(offset + (udf_host.port ? udf_host.port->dma_base : 0));
}

/*
 * All of the arena, as a port's, with gaps wherever that port's memory may have some: what kernel code gets by then does not reach across. See
 * udf_mem_move().
 */
static void pretend_gaps(void)
{
	struct udf_host *h = &udf_host;
	uint64_t piece = HOST_BLOCK_MAX, at;

	while (h->arena_size / piece >= HOST_DMA_RANGES_MAX)
		piece *= 2;
	for (at = 0, h->nr_ranges = 0; at < h->arena_size; at += piece)
		h->ranges[h->nr_ranges++] = (struct udf_dma_range){
			.offset = at, .dev = 2 * at, .len = piece < h->arena_size - at ? piece : h->arena_size - at,
		};
}

static int udf_arena_open(struct udf_error *err)
{
	struct udf_host *h = &udf_host;
	int ret;

	if (h->port) {
		ret = h->port->ops->dma_get(h->port, &h->arena_fd, &h->arena_size, h->ranges, &h->nr_ranges);
		return ret ? udf_error_set(err, ret, "%s: no DMA memory: %s", h->port->address, strerror(-ret)) : 0;
	}
	h->arena_fd = memfd_create(h->ahead ? "udf-ahead" : "udf-arena", MFD_CLOEXEC);
	if (h->arena_fd < 0 || ftruncate(h->arena_fd, (off_t)h->arena_max))
		return udf_error_set(err, -errno, "no memory for the arena: %s", strerror(errno));
	h->arena_own = true;
	if (h->ahead) {
		pretend_gaps();
		return 0;
	}
	h->ranges[0] = (struct udf_dma_range){ .offset = ARENA_HOLE, .dev = ARENA_HOLE, .len = h->arena_size - ARENA_HOLE };
	h->nr_ranges = 1;
	return 0;
}

/* What is in its file from OFFSET on. */
static int map_arena(uint64_t offset, uint64_t len)
{
	void *at = (void *)(uintptr_t)(UDF_ARENA_BASE + offset);

	return mmap(at, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, udf_host.arena_fd, udf_arena_file(offset)) == MAP_FAILED ? -errno : 0;
}

int udf_mem_map(struct udf_error *err)
{
	struct udf_host *h = &udf_host;
	void *room;
	int ret = udf_arena_open(err);

	if (ret)
		return ret;
	if (!h->arena_size || h->arena_size > UDF_ARENA_END - UDF_ARENA_BASE || !h->nr_ranges)
		return udf_error_set(err, -EINVAL, "an arena of %lu MiB is not possible: 1 ... 2047", (unsigned long)(h->arena_size >> 20));
	/* all that it may ever be */
	room = mmap((void *)(uintptr_t)UDF_ARENA_BASE, UDF_ARENA_END - UDF_ARENA_BASE, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (room != (void *)(uintptr_t)UDF_ARENA_BASE)
		return udf_error_set(err, room == MAP_FAILED ? -errno : -EEXIST,
				     "the arena's address range at 0x%lx is in use in this process", (unsigned long)UDF_ARENA_BASE);
	ret = map_arena(0, h->arena_size);
	return ret ? udf_error_set(err, ret, "the arena cannot be mapped: %s", strerror(-ret)) : 0;
}

void udf_mem_unmap(void)
{
	struct udf_host *h = &udf_host;

	munmap((void *)(uintptr_t)UDF_ARENA_BASE, UDF_ARENA_END - UDF_ARENA_BASE);
	munmap((void *)UDF_VMEMMAP_BASE, UDF_VMALLOC_BASE - UDF_VMEMMAP_BASE);
	munmap((void *)UDF_VMALLOC_BASE, UDF_VMALLOC_END - UDF_VMALLOC_BASE);
	if (h->arena_own)
		close(h->arena_fd);
	h->arena_own = false;
	h->arena_fd = -1;
}

/* ---- moving ---- */

/* Memory of the port's, which may become the arena. */
struct target {
	int fd;
	uint64_t size;
	struct udf_dma_range ranges[HOST_DMA_RANGES_MAX];
	unsigned int nr_ranges;
};

/* Whether it has gaps only where pretend_gaps() had some. */
static bool fits(const struct target *t)
{
	const uint64_t piece = udf_host.ranges[0].len;
	uint64_t end = 0;
	unsigned int i;

	for (i = 0; i < t->nr_ranges; i++) {
		const struct udf_dma_range *r = &t->ranges[i];

		if (r->offset != end || (i && r->dev != r[-1].dev + r[-1].len && r->offset % piece))
			return false;
		end += r->len;
	}
	return t->size == udf_host.arena_size && end == t->size;
}

/* What has ever been touched of our own arena. */
static int copy_arena(const struct target *t)
{
	const int own = udf_host.arena_fd;
	uint8_t *to = mmap(NULL, t->size, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, (off_t)udf_host.port->dma_base);
	off_t at = 0, end;
	int ret;

	if (to == MAP_FAILED)
		return -errno;
	while ((at = lseek(own, at, SEEK_DATA)) >= 0 && (end = lseek(own, at, SEEK_HOLE)) > at) {
		memcpy(to + at, (const uint8_t *)(uintptr_t)UDF_ARENA_BASE + at, (size_t)(end - at));
		at = end;
	}
	ret = errno == ENXIO ? 0 : -errno;
	munmap(to, t->size);
	return ret;
}

/* A mapping of pages of the arena. */
struct piece {
	uint64_t start, end, offset;
};

/* All of them, the arena itself included. Returns how many, or a negative errno. */
static int find_pieces(struct piece **list)
{
	FILE *f = fopen("/proc/self/maps", "re");
	struct piece *p = NULL, *grown;
	char *line = NULL;
	size_t room = 0;
	int n = 0;

	if (!f)
		return -errno;
	while (getline(&line, &room, f) > 0) {
		struct piece is;

		if (!strstr(line, " /memfd:udf-ahead") ||
		    sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &is.start, &is.end, &is.offset) != 3)
			continue;
		grown = n % 64 ? p : reallocarray(p, (size_t)n + 64, sizeof(*p));
		if (!grown) {
			n = -ENOMEM;
			break;
		}
		p = grown;
		p[n++] = is;
	}
	free(line);
	fclose(f);
	*list = p;
	return n;
}

static int map_pieces(const struct target *t)
{
	struct piece *p = NULL;
	int n = find_pieces(&p), i, ret = n < 0 ? n : 0;

	for (i = 0; i < n && !ret; i++)
		if (mmap((void *)(uintptr_t)p[i].start, p[i].end - p[i].start, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, t->fd,
			 (off_t)(udf_host.port->dma_base + p[i].offset)) == MAP_FAILED)
			ret = -errno;
	free(p);
	return ret;
}

int udf_mem_move(struct udf_error *err)
{
	struct udf_host *h = &udf_host;
	struct target t = { .fd = -1 };
	int ret = h->port->ops->dma_get(h->port, &t.fd, &t.size, t.ranges, &t.nr_ranges);

	if (!ret && !fits(&t))
		return -EOPNOTSUPP;
	if (!ret)
		ret = copy_arena(&t);
	if (!ret)
		ret = map_pieces(&t);
	if (ret)
		return udf_error_set(err, ret, "%s: no DMA memory: %s", h->port->address, strerror(-ret));
	close(h->arena_fd);
	h->arena_own = false;
	h->arena_fd = t.fd;
	memcpy(h->ranges, t.ranges, sizeof(h->ranges));
	h->nr_ranges = t.nr_ranges;
	return 0;
}

static void describe(struct host_mem *mem, const struct udf_dma_range *ranges, unsigned int n)
{
	unsigned int i;

	memset(mem, 0, sizeof(*mem));
	mem->base = UDF_ARENA_BASE + ranges[0].offset;
	mem->size = ranges[n - 1].offset + ranges[n - 1].len - ranges[0].offset;
	mem->max = udf_host.arena_max - ranges[0].offset;
	mem->nr_ranges = n;
	for (i = 0; i < n; i++)
		mem->range[i] = (struct host_dma_range){
			.phys = UDF_ARENA_BASE + ranges[i].offset, .dev = ranges[i].dev, .len = ranges[i].len,
		};
}

void host_mem_get(struct host_mem *mem)
{
	describe(mem, udf_host.ranges, udf_host.nr_ranges);
}

/* ---- more of it ---- */

#define PIECE_MIN (16ul << 20)
#define PIECE_MAX (128ul << 20)

static const char *udf_port_name(void)
{
	return udf_host.port ? udf_host.port->address : "(no port)";
}

/* SIZE more bytes from AT on, from whoever has them. */
static int get_more(uint64_t at, uint64_t size, struct udf_dma_range *ranges, unsigned int *nr_ranges)
{
	struct udf_port *port = udf_host.port;

	if (port)
		return port->ops->dma_more ? port->ops->dma_more(port, size, ranges, nr_ranges) : -ENOSPC;
	ranges[0] = (struct udf_dma_range){ .offset = at, .dev = at, .len = size };
	*nr_ranges = 1;
	return 0;
}

int host_mem_grow(struct host_mem *piece)
{
	static struct udf_dma_range ranges[HOST_DMA_RANGES_MAX];	/* the kernel world asks once at a time */
	static bool told;
	struct udf_host *h = &udf_host;
	const uint64_t at = h->arena_size, block = HOST_BLOCK_MAX;
	uint64_t size = at / 4;
	unsigned int n = 0;
	int ret;

	/* who moves to the port's memory has as much as that */
	if (h->ahead)
		return -EAGAIN;
	if (at >= h->arena_max) {
		udf_log_warning("%s: the driver's memory is used up, %lu MiB, and memory-max is no more", udf_port_name(),
				(unsigned long)(at >> 20));
		return -ENOSPC;
	}
	size = size < PIECE_MIN ? PIECE_MIN : size > PIECE_MAX ? PIECE_MAX : size;
	size = (size < h->arena_max - at ? size : h->arena_max - at) & -block;
	while ((ret = get_more(at, size, ranges, &n)) && ret != -ENODEV && size > block)
		size = (size / 2 + block - 1) & -block;
	if (!ret) {
		ret = n && ranges[0].offset == at ? map_arena(at, size) : -EPROTO;
		/* then the port's memory ends elsewhere than the arena */
		h->arena_max = ret ? at : h->arena_max;
	}
	if (ret) {
		if (!told && ret != -ENODEV)
			udf_log_warning("%s: the driver's memory is used up, %lu MiB, and there is no more, though memory-max is %lu MiB: %s",
					udf_port_name(), (unsigned long)(at >> 20), (unsigned long)(h->arena_max >> 20), strerror(-ret));
		told = true;
		return ret == -ENOSPC ? -ENOMEM : ret;
	}
	told = false;
	__atomic_store_n(&h->arena_size, at + size, __ATOMIC_RELAXED);
	udf_log_info("%s: the driver's memory has grown to %lu MiB", udf_port_name(), (unsigned long)(h->arena_size >> 20));
	describe(piece, ranges, n);
	return 0;
}

static bool udf_in_arena(unsigned long phys, unsigned long len)
{
	return phys >= UDF_ARENA_BASE && phys - UDF_ARENA_BASE < udf_host.arena_size &&
	       len <= udf_host.arena_size - (phys - UDF_ARENA_BASE);
}

static bool udf_in_vmalloc(unsigned long va, unsigned long len)
{
	return va >= UDF_VMALLOC_BASE && va < UDF_VMALLOC_END && len <= UDF_VMALLOC_END - va;
}

static bool udf_in_vmemmap(unsigned long va, unsigned long len)
{
	return va >= UDF_VMEMMAP_BASE && va < UDF_VMALLOC_BASE && len <= UDF_VMALLOC_BASE - va;
}

int host_mem_map(unsigned long va, unsigned long phys, unsigned long len)
{
	if (!udf_in_arena(phys, len) || !udf_in_vmalloc(va, len))
		return -EINVAL;
	if (mmap((void *)va, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, udf_host.arena_fd,
		 udf_arena_file(phys - UDF_ARENA_BASE)) == MAP_FAILED)
		return -errno;
	return 0;
}

void host_mem_unmap(unsigned long va, unsigned long len)
{
	if (udf_in_vmalloc(va, len) || udf_in_vmemmap(va, len))
		munmap((void *)va, len);
}

/* With vm.overcommit_memory=2 all of a private mapping is charged, used or not; of a memory file only what is used. */
static int sparse_populate(unsigned long va, unsigned long len)
{
	int fd = memfd_create("udf-pages", MFD_CLOEXEC), err = 0;

	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)len) ||
	    mmap((void *)va, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		err = errno;
	close(fd);
	errno = err;
	return err ? -1 : 0;
}

int host_mem_populate(unsigned long va, unsigned long len)
{
	if (!udf_in_vmemmap(va, len))
		return -EINVAL;
	if (mmap((void *)va, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED &&
	    (len < SPARSE || sparse_populate(va, len)))
		return -errno;
	/* zeroes, and hours of them in a core dump that goes through a pipe */
	if (len >= SPARSE)
		madvise((void *)va, len, MADV_DONTDUMP);
	return 0;
}

/* Other vCPUs go on executing the pages: they stay executable all the time. */
/*
 * The kernel changes its code by way of a breakpoint, int3, and a debugger would take that for one of its own making. So another
 * instruction of one byte stands in for it, that traps just as well: hlt. The signal handler knows.
 */
static const void *udf_breakpoint(const void *src, unsigned long len)
{
	static const uint8_t int3 = 0xcc, hlt = 0xf4;

	return len == 1 && *(const uint8_t *)src == int3 ? &hlt : src;
}

int host_text_write(unsigned long addr, const void *src, unsigned long len)
{
	unsigned long start = addr & -4096ul, end = (addr + len + 4095) & -4096ul;
	int err = 0;

	if (addr < UDF_MODULE_BASE || addr + len > UDF_IMAGE_END)
		return -EINVAL;
	pthread_mutex_lock(&udf_text_lock);
	if (mprotect((void *)start, end - start, PROT_READ | PROT_WRITE | PROT_EXEC)) {
		err = -errno;
	} else {
		memcpy((void *)addr, udf_breakpoint(src, len), len);
		if (mprotect((void *)start, end - start, PROT_READ | PROT_EXEC))
			err = -errno;
	}
	pthread_mutex_unlock(&udf_text_lock);
	return err;
}

void host_random(void *buf, unsigned long len)
{
	unsigned char *p = buf;

	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n > 0) {
			p += n;
			len -= (unsigned long)n;
		} else if (errno != EINTR) {
			host_die("the machine has no random numbers");
		}
	}
}
