// SPDX-License-Identifier: GPL-2.0
/* A driver process without a kernel: see fake_driver.h. One thread serves all rings. */
#include "front/fake_driver.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/driver.h"
#include "port/port.h"
#include "front.h"
#include "udf/ring.h"

#define RINGS	16
#define CHUNKS	64
#define FOREIGN	64

struct udf_driver {
	struct udf_driver_config config;
	pthread_t thread;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t kicked;
	struct udf_driver *driver;
	bool hold, stop;
	bool hold_detach;	/* requests of a ring do not end */
	unsigned int some;	/* to serve although on hold */
	int fail;
	struct ring {
		bool used, broken, gathered;
		struct udf_ring view;
		unsigned long cookie;
		unsigned int domain;
		const char *lists;
		unsigned long lists_size;
	} ring[RINGS];
	struct region {
		unsigned long base, len;
	} region[HOST_FRONT_DOMAINS][HOST_FRONT_REGIONS];
	struct foreign {
		void *map;
		size_t len;
		int lease;
	} foreign[FOREIGN];
	void *chunk[CHUNKS];
	unsigned int opens, indirect;
	unsigned char *data;
	bool garbage;
	unsigned long garbage_data;
	char loaded[1000];
	const struct udf_port_block_ops *block;
	int doorbell;
	pthread_t listener;
	unsigned int looked_at;
	struct udf_port *port;
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER, .kicked = PTHREAD_COND_INITIALIZER };

/* ---- what tests ask for ---- */

void fake_reset(void)
{
	fake.hold = fake.hold_detach = fake.stop = fake.garbage = false;
	fake.fail = 0;
	fake.indirect = fake.opens = fake.some = 0;
	fake.loaded[0] = 0;
	fake.block = NULL;
}

void fake_block(const struct udf_port_block_ops *ops, struct udf_port *port)
{
	fake.block = ops;
	fake.port = port;
}

static void set_and_kick(void *field, const void *value, size_t len)
{
	pthread_mutex_lock(&fake.lock);
	memcpy(field, value, len);
	pthread_cond_broadcast(&fake.kicked);
	pthread_mutex_unlock(&fake.lock);
}

void fake_hold_detach(bool hold)
{
	set_and_kick(&fake.hold_detach, &hold, sizeof(hold));
}

void fake_hold(bool hold)
{
	set_and_kick(&fake.hold, &hold, sizeof(hold));
}

void fake_serve(unsigned int n)
{
	set_and_kick(&fake.some, &n, sizeof(n));
}

void fake_fail(int err)
{
	set_and_kick(&fake.fail, &err, sizeof(err));
}

void fake_lose(const char *why)
{
	fake.driver->config.lost(fake.driver->config.ctx, why);
}

void fake_post_garbage(unsigned long user_data)
{
	pthread_mutex_lock(&fake.lock);
	fake.garbage = true;
	fake.garbage_data = user_data;
	pthread_mutex_unlock(&fake.lock);
}

const char *fake_loaded(void)
{
	return fake.loaded;
}

void fake_event(const char *action, const char *env)
{
	const char *const list[] = { "SUBSYSTEM=fake", env };

	fake.driver->config.event(fake.driver->config.ctx, action, "/devices/fake", list, 2);
}

unsigned int fake_chunks(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < CHUNKS; i++)
		n += !!fake.chunk[i];
	return n;
}

unsigned int fake_rings(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < RINGS; i++)
		n += fake.ring[i].used;
	return n;
}

unsigned int fake_opens(void)
{
	return fake.opens;
}

unsigned int fake_indirect(void)
{
	return fake.indirect;
}

unsigned char *fake_disk_data(void)
{
	return fake.data;
}

/* ---- disks ---- */

static void publish(unsigned int slot, const struct host_front_disk *r)
{
	struct host_front_table *table = host_front_table();

	__atomic_store_n(&table->seq, table->seq + 1, __ATOMIC_SEQ_CST);
	table->disk[slot] = *r;
	__atomic_store_n(&table->seq, table->seq + 1, __ATOMIC_SEQ_CST);
	host_front_changed();
}

static void add_disk(unsigned int slot, unsigned long size)
{
	struct host_front_disk r = {
		.id = HOST_FRONT_DISKS + slot, .size = size, .flags = HOST_DISK_WRITE_CACHE, .logical_block = 512,
		.physical_block = 4096, .max_bytes = 1 << 20, .max_segments = 128, .max_segment_size = 1 << 20, .dma_alignment = 3,
		.max_discard = 1ul << 32, .discard_granularity = 512,
	};

	snprintf(r.name, sizeof(r.name), "fake%u", slot);
	snprintf(r.serial, sizeof(r.serial), "S%u", slot);
	publish(slot, &r);
}

void fake_disk_resize(unsigned long size)
{
	add_disk(0, size);
}

void fake_disk_add(void)
{
	add_disk(1, FAKE_DISK_SIZE);
}

void fake_disk_set(struct host_front_disk *r)
{
	r->id = HOST_FRONT_DISKS + 1;
	publish(1, r);
}

void fake_disk_remove(void)
{
	struct host_front_disk none = { .id = 0 };

	publish(0, &none);
}

/* ---- requests ---- */

/* The memory that a request of DOMAIN names; NULL: it may not. */
static void *memory(unsigned int domain, unsigned long addr, unsigned long len)
{
	unsigned long region = addr >> UDF_RING_REGION_SHIFT, offset = addr & ((1ul << UDF_RING_REGION_SHIFT) - 1);
	const struct region *m;

	if (!domain)
		return (void *)addr;
	if (region >= HOST_FRONT_REGIONS)
		return NULL;
	m = &fake.region[domain][region];
	return len <= m->len && offset <= m->len - len ? (void *)(m->base + offset) : NULL;
}

static const struct udf_ring_segment *list_of(const struct ring *r, const struct udf_ring_sqe *e)
{
	unsigned long addr = e->segment[0].addr, len = e->nr_segments * sizeof(struct udf_ring_segment);

	if (!r->lists)
		return memory(r->domain, addr, len);
	return len <= r->lists_size && addr <= r->lists_size - len ? (const void *)(r->lists + addr) : NULL;
}

static int perform(const struct ring *r, const struct udf_ring_sqe *e)
{
	unsigned int domain = r->domain;
	const struct udf_ring_segment *s = e->segment;
	unsigned char *at = fake.data + e->sector * 512;
	unsigned long sum = 0;
	unsigned int i;

	if (fake.fail)
		return fake.fail;
	if (domain && (e->disk != HOST_FRONT_DISKS || e->sector > FAKE_DISK_SIZE / 512 || e->length > FAKE_DISK_SIZE - e->sector * 512))
		return -EINVAL;
	if (e->op == UDF_RING_FLUSH || e->op == UDF_RING_DISCARD)
		return 0;
	if (e->op == UDF_RING_WRITE_ZEROES) {
		memset(at, 0, e->length);
		return 0;
	}
	if (e->nr_segments > UDF_RING_INLINE) {
		s = list_of(r, e);
		if (!s || (unsigned long)s % 8)
			return -EFAULT;
		fake.indirect++;
	}
	for (i = 0; i < e->nr_segments; i++) {
		struct udf_ring_segment one = *(const volatile struct udf_ring_segment *)&s[i];
		void *data = memory(domain, one.addr, one.len);

		if (!data)
			return -EFAULT;
		if (one.len > e->length - sum)
			return -EINVAL;
		if (e->op == UDF_RING_READ)
			memcpy(data, at + sum, one.len);
		else
			memcpy(at + sum, data, one.len);
		sum += one.len;
	}
	return sum == e->length ? 0 : -EINVAL;
}

/* Serve one request of R. Returns whether there was one. Under the lock, as nothing here waits. */
static bool serve(struct ring *r)
{
	struct udf_ring_sqe e;
	bool notify = false;

	int got = r->used && !r->broken ? udf_ring_take(&r->view, &e) : 0;

	r->broken |= got < 0;
	if (got <= 0)
		return false;
	if (fake.garbage)
		notify = udf_ring_post(&r->view, fake.garbage_data, -EIO);
	fake.garbage = false;
	notify |= udf_ring_post(&r->view, e.user_data, perform(r, &e));
	if (notify)
		host_front_notify(r->cookie);
	if (r->gathered)
		host_front_ring();
	return true;
}

static bool serve_all(void)
{
	bool busy = false;
	unsigned int i;

	for (i = 0; i < RINGS; i++)
		busy |= serve(&fake.ring[i]);
	for (i = 0; !busy && i < RINGS; i++)
		busy |= fake.ring[i].used && !fake.ring[i].broken && udf_ring_wait_sq(&fake.ring[i].view);
	return busy;
}

static void serve_some(void)
{
	unsigned int i;

	for (i = 0; i < RINGS && fake.some; i++)
		while (fake.some && serve(&fake.ring[i]))
			fake.some--;
}

static void *run(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&fake.lock);
	while (!fake.stop) {
		serve_some();
		if (fake.hold || !serve_all())
			pthread_cond_wait(&fake.kicked, &fake.lock);
	}
	pthread_mutex_unlock(&fake.lock);
	return NULL;
}

/* ---- commands ---- */

static long attach(struct host_front_command *c)
{
	unsigned int i;

	for (i = 0; i < RINGS; i++) {
		struct ring *r = &fake.ring[i];

		if (r->used)
			continue;
		if (udf_ring_attach(&r->view, c->ring, c->ring_size))
			return -EINVAL;
		r->cookie = c->cookie;
		r->domain = c->domain;
		r->gathered = c->flags & HOST_FRONT_GATHERED;
		r->lists = c->lists;
		r->lists_size = c->lists_size;
		r->used = true;
		r->broken = false;
		c->queue = i + 1;
		return 0;
	}
	return -EBUSY;
}

static long alloc_chunk(struct host_front_command *c)
{
	unsigned int i;

	for (i = 0; i < CHUNKS; i++) {
		if (fake.chunk[i])
			continue;
		fake.chunk[i] = aligned_alloc(4096ul << c->order, 4096ul << c->order);
		c->addr = (unsigned long)fake.chunk[i];
		return c->addr ? 0 : -ENOMEM;
	}
	return -ENOMEM;
}

static long free_chunk(unsigned long addr)
{
	unsigned int i;

	for (i = 0; i < CHUNKS; i++) {
		if (fake.chunk[i] != (void *)addr)
			continue;
		free(fake.chunk[i]);
		fake.chunk[i] = NULL;
		return 0;
	}
	return -EINVAL;
}

static long add_region(struct host_front_command *c)
{
	struct region *m = &fake.region[c->domain][c->region];

	if (m->len)
		return -EEXIST;
	*m = (struct region){ .base = c->addr, .len = c->mem_size };
	return 0;
}

static long command(struct host_front_command *c)
{
	switch (c->op) {
	case HOST_FRONT_ATTACH:
		return attach(c);
	case HOST_FRONT_DETACH:
		while (fake.hold_detach)
			pthread_cond_wait(&fake.kicked, &fake.lock);
		fake.ring[c->queue - 1].used = false;
		c->addr = c->queue;
		return 0;
	case HOST_FRONT_DRAIN:
		return c->addr ? 0 : -EINVAL;
	case HOST_FRONT_OPEN:
		fake.opens++;
		return 0;
	case HOST_FRONT_CLOSE:
		fake.opens--;
		return 0;
	case HOST_FRONT_ALLOC:
		return alloc_chunk(c);
	case HOST_FRONT_FREE:
		return free_chunk(c->addr);
	case HOST_FRONT_MEM_ADD:
		return add_region(c);
	case HOST_FRONT_MEM_REMOVE:
		fake.region[c->domain][c->region].len = 0;
		return 0;
	case HOST_FRONT_MASK:
		c->addr = FAKE_MASK;
		return 0;
	}
	return -EINVAL;
}

/* ---- lib/core/driver.h ---- */

long udf_driver_control(struct udf_driver *driver, enum host_command cmd, const char *arg, void *data, size_t len, int timeout_ms)
{
	long ret;

	if (cmd != HOST_CMD_FRONT)
		return -EINVAL;
	pthread_mutex_lock(&fake.lock);
	ret = command(data);
	pthread_cond_broadcast(&fake.kicked);
	pthread_mutex_unlock(&fake.lock);
	return ret;
}

void udf_driver_kick(struct udf_driver *driver, unsigned int cpu)
{
	pthread_mutex_lock(&fake.lock);
	pthread_cond_broadcast(&fake.kicked);
	pthread_mutex_unlock(&fake.lock);
}

int udf_driver_mem_add(struct udf_driver *driver, int fd, uint64_t len, int lease, uint64_t *dev)
{
	unsigned int i;
	int ret = -ENOSPC;

	pthread_mutex_lock(&fake.lock);
	for (i = 0; i < FOREIGN && ret; i++) {
		struct foreign *m = &fake.foreign[i];

		if (m->map)
			continue;
		m->map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (m->map == MAP_FAILED) {
			m->map = NULL;
			ret = -errno;
			break;
		}
		m->len = len;
		m->lease = lease < 0 ? -1 : dup(lease);
		*dev = (uint64_t)m->map;
		ret = 0;
	}
	pthread_mutex_unlock(&fake.lock);
	return ret;
}

uint64_t udf_driver_mem_granule(struct udf_driver *driver)
{
	return 2 << 20;
}

int udf_driver_mem_remove(struct udf_driver *driver, uint64_t dev)
{
	unsigned int i;
	int ret = -ENOENT;

	pthread_mutex_lock(&fake.lock);
	for (i = 0; i < FOREIGN; i++) {
		struct foreign *m = &fake.foreign[i];

		if (!m->map || (uint64_t)m->map != dev)
			continue;
		munmap(m->map, m->len);
		if (m->lease >= 0)
			close(m->lease);
		m->map = NULL;
		ret = 0;
	}
	pthread_mutex_unlock(&fake.lock);
	return ret;
}

const struct udf_port_block_ops *udf_driver_block(struct udf_driver *driver, struct udf_port **port)
{
	*port = fake.port;
	return fake.block;
}

int udf_driver_block_start(struct udf_driver *driver, struct udf_port_block_start *s, void **rings)
{
	return fake.block->start(fake.port, s, rings);
}

/* The fake has a thread that is woken: this one does so. */
static void *listen_to(void *arg)
{
	uint64_t n;

	while (read(fake.doorbell, &n, sizeof(n)) == sizeof(n))
		udf_driver_kick(NULL, 0);
	return NULL;
}

int udf_driver_rings_begin(struct udf_driver *driver)
{
	if (fake.doorbell)
		return 0;
	fake.doorbell = eventfd(0, EFD_CLOEXEC);
	return -pthread_create(&fake.listener, NULL, listen_to, NULL);
}

int udf_driver_rings_add(struct udf_driver *driver, unsigned int cpu, struct udf_ring_shared *ring)
{
	fake.looked_at++;
	return fake.doorbell;
}

void udf_driver_rings_remove(struct udf_driver *driver, unsigned int cpu, struct udf_ring_shared *ring)
{
	fake.looked_at--;
}

unsigned int fake_looked_at(void)
{
	return fake.looked_at;
}

unsigned int fake_foreign(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < FOREIGN; i++)
		n += !!fake.foreign[i].map;
	return n;
}

/* The fake's kernel code has a thread of its own: it cannot be driven. */
int udf_driver_drive(struct udf_driver *driver, unsigned int cpu, bool (*until)(void *arg), void *arg, uint64_t spin_ns)
{
	return -EBUSY;
}

void udf_driver_release(struct udf_driver *driver, unsigned int cpu)
{
}

int udf_driver_start(const struct udf_driver_config *config, struct udf_driver **driver, struct udf_error *err)
{
	if (config->port.spec && !strcmp(config->port.spec, "fake:broken"))
		return udf_error_set(err, -EIO, "the fake is broken");
	fake.driver = calloc(1, sizeof(*fake.driver));
	fake.driver->config = *config;
	fake.data = calloc(1, FAKE_DISK_SIZE);
	fake.stop = false;
	*driver = fake.driver;
	add_disk(0, FAKE_DISK_SIZE);
	return -pthread_create(&fake.driver->thread, NULL, run, NULL);
}

int udf_driver_probe(struct udf_driver *driver)
{
	return 0;
}

int udf_driver_stop(struct udf_driver *driver, struct udf_error *err)
{
	unsigned int i;
	bool stop = true;

	set_and_kick(&fake.stop, &stop, sizeof(stop));
	pthread_join(driver->thread, NULL);
	for (i = 0; i < RINGS; i++)
		fake.ring[i].used = false;
	for (i = 0; i < CHUNKS; i++)
		free_chunk((unsigned long)fake.chunk[i]);
	/* the port is closed: nothing is reached any more */
	for (i = 0; i < FOREIGN; i++)
		if (fake.foreign[i].map)
			udf_driver_mem_remove(driver, (uint64_t)fake.foreign[i].map);
	memset(fake.region, 0, sizeof(fake.region));
	free(fake.data);
	free(driver);
	fake.driver = NULL;
	return 0;
}

int udf_driver_load(struct udf_driver *driver, const char *module, const char *params, struct udf_error *err)
{
	size_t len;

	pthread_mutex_lock(&fake.lock);
	len = strlen(fake.loaded);
	snprintf(fake.loaded + len, sizeof(fake.loaded) - len, "%s%s(%s)", len ? " " : "", module, params ? params : "");
	pthread_mutex_unlock(&fake.lock);
	return strcmp(module, "missing") ? 0 : udf_error_set(err, -ENOENT, "there is no module missing");
}

bool udf_driver_has(const char *module)
{
	return true;
}

int udf_driver_unload(struct udf_driver *driver, const char *module, struct udf_error *err)
{
	return 0;
}

void udf_driver_modules(struct udf_driver *driver, void (*each)(void *arg, const char *name, const char *file), void *arg)
{
	each(arg, "core_part", "/modules/core-part.ko");
	each(arg, "driver", "/modules/driver.ko.xz");
}

int udf_driver_modalias(struct udf_driver *driver, char *buf, size_t len)
{
	snprintf(buf, len, "pci:v00001234d00005678");
	return 0;
}

unsigned int udf_driver_cpus(const struct udf_driver *driver)
{
	return driver->config.cpus;
}

struct udf_image *udf_driver_image(struct udf_driver *driver)
{
	return NULL;
}

void udf_driver_stats(const struct udf_driver *driver, struct udf_driver_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
}
