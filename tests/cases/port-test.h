/* SPDX-License-Identifier: GPL-2.0 */
/* For the tests of transports: a port with its events, checks that name what failed, waiting for events without sleeping. */
#ifndef UDF_TESTS_PORT_TEST_H
#define UDF_TESTS_PORT_TEST_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "port/port.h"

#define CHECK(what) do {							\
	if (!(what)) {								\
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);	\
		exit(1);							\
	}									\
} while (0)
#define CHECK_EQ(a, b) do {							\
	unsigned long long a_ = (unsigned long long)(a), b_ = (unsigned long long)(b);	\
	if (a_ != b_) {								\
		fprintf(stderr, "%s:%d: %s is %#llx, not %s = %#llx\n", __FILE__, __LINE__, #a, a_, #b, b_);	\
		exit(1);							\
	}									\
} while (0)

#define TEST_VECTORS 64

struct test_port {
	struct udf_port *port;
	uint8_t *map;				/* the arena */
	uint8_t *ram;				/* ... so that RAM + device address is in it */
	uint64_t ram_size;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int irqs[TEST_VECTORS];	/* how often each vector came; INTx: assertions */
	bool intx;				/* count assertions only */
	int level;				/* last reported */
	unsigned int lost;
	char why[600];
	pthread_t events_from;			/* the thread that reported last */
};

static inline double test_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_on_irq(void *ctx, unsigned int vector, int level)
{
	struct test_port *t = ctx;

	CHECK(vector < TEST_VECTORS);
	pthread_mutex_lock(&t->lock);
	t->level = level;
	t->events_from = pthread_self();
	if (level || !t->intx)
		t->irqs[vector]++;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

static void test_on_lost(void *ctx, const char *why)
{
	struct test_port *t = ctx;

	pthread_mutex_lock(&t->lock);
	t->lost++;
	snprintf(t->why, sizeof(t->why), "%s", why);
	printf("lost: %s\n", why);
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

static const struct udf_port_events test_events = { .irq = test_on_irq, .lost = test_on_lost };

/* Wait until COUNTER is at least WANT; false after five seconds. */
static inline bool test_wait(struct test_port *t, const unsigned int *counter, unsigned int want)
{
	struct timespec end;
	int ret = 0;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 5;
	pthread_mutex_lock(&t->lock);
	while (*counter < want && !ret)
		ret = pthread_cond_timedwait(&t->changed, &t->lock, &end);
	pthread_mutex_unlock(&t->lock);
	return !ret;
}

static inline unsigned int test_count(struct test_port *t, const unsigned int *counter)
{
	unsigned int n;

	pthread_mutex_lock(&t->lock);
	n = *counter;
	pthread_mutex_unlock(&t->lock);
	return n;
}

/* Start counting from 0; with INTX only assertions count. */
static inline void test_count_from_zero(struct test_port *t, bool intx)
{
	pthread_mutex_lock(&t->lock);
	t->intx = intx;
	memset(t->irqs, 0, sizeof(t->irqs));
	pthread_mutex_unlock(&t->lock);
}

static inline int test_open_error(struct test_port *t, const char *spec, const char *const *backends, struct udf_error *err)
{
	struct udf_port_config config = { .spec = spec, .backends = backends };

	memset(t, 0, sizeof(*t));
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->changed, NULL);
	return udf_port_open(&config, &test_events, t, &t->port, err);
}

static inline void test_open(struct test_port *t, const char *spec, const char *const *backends)
{
	struct udf_error err = UDF_ERROR_INIT;
	struct udf_dma_range range[4];
	unsigned int n = 4;
	int fd;

	if (test_open_error(t, spec, backends, &err)) {
		fprintf(stderr, "cannot open the port: %s\n", err.text);
		exit(1);
	}
	CHECK_EQ(t->port->ops->dma_get(t->port, &fd, &t->ram_size, range, &n), 0);
	CHECK_EQ(n, 1);
	CHECK(range[0].offset == 0 && range[0].dev == t->port->dma_base && range[0].len == t->ram_size);
	t->map = mmap(NULL, t->ram_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)t->port->dma_base);
	CHECK(t->map != MAP_FAILED);
	t->ram = t->map - t->port->dma_base;
}

static inline void test_close(struct test_port *t)
{
	munmap(t->map, t->ram_size);
	t->port->ops->close(t->port);
}

static inline uint32_t test_config(struct test_port *t, unsigned int offset, unsigned int size)
{
	uint32_t v;

	CHECK_EQ(t->port->ops->config_read(t->port, offset, size, &v), 0);
	return v;
}

static inline void test_bus_master(struct test_port *t)
{
	CHECK_EQ(t->port->ops->config_write(t->port, 4, 2, 7), 0);
}

static inline uint64_t test_read(struct test_port *t, uint64_t offset, unsigned int size)
{
	uint64_t v;

	CHECK_EQ(t->port->ops->bar_read(t->port, 0, offset, size, &v), 0);
	return v;
}

static inline void test_write(struct test_port *t, uint64_t offset, unsigned int size, uint64_t value)
{
	CHECK_EQ(t->port->ops->bar_write(t->port, 0, offset, size, value), 0);
}

#endif
