// SPDX-License-Identifier: GPL-2.0
/* The ring: order, wrapping, wake-ups, and a producer that lies. */
#include "unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "udf/ring.h"

#define ENTRIES 8u

struct pair {
	void *mem;
	size_t len;
	struct udf_ring app, drv;
};

static int setup(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));

	p->len = udf_ring_size(ENTRIES);
	p->mem = aligned_alloc(64, (p->len + 63) & ~63ul);
	memset(p->mem, 0, p->len);
	assert_int_equal(udf_ring_create(&p->app, p->mem, p->len, ENTRIES), 0);
	assert_int_equal(udf_ring_attach(&p->drv, p->mem, p->len), 0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;

	free(p->mem);
	free(p);
	return 0;
}

static int push(struct pair *p, unsigned long user_data)
{
	struct udf_ring_sqe e = { .op = UDF_RING_READ, .user_data = user_data };

	udf_ring_push(&p->app, &e);
	return udf_ring_publish(&p->app);
}

static void test_sizes(void **state)
{
	assert_int_equal(udf_ring_size(0), 0);
	assert_int_equal(udf_ring_size(1), 0);
	assert_int_equal(udf_ring_size(3), 0);
	assert_int_equal(udf_ring_size(UDF_RING_ENTRIES_MAX * 2), 0);
	assert_int_equal(udf_ring_size(2), 320 + 2 * 80);
}

static void test_round_trip_wraps(void **state)
{
	struct pair *p = *state;
	struct udf_ring_sqe e;
	struct udf_ring_cqe c;
	unsigned long i, j;

	for (i = 0; i < 100; i += 5) {
		for (j = i; j < i + 5; j++)
			push(p, j);
		for (j = i; j < i + 5; j++) {
			assert_int_equal(udf_ring_take(&p->drv, &e), 1);
			assert_int_equal(e.user_data, j);
			udf_ring_post(&p->drv, e.user_data, -(int)j);
		}
		assert_int_equal(udf_ring_take(&p->drv, &e), 0);
		for (j = i; j < i + 5; j++) {
			assert_int_equal(udf_ring_reap(&p->app, &c), 1);
			assert_int_equal(c.user_data, j);
			assert_int_equal(c.result, -(int)j);
		}
		assert_int_equal(udf_ring_reap(&p->app, &c), 0);
	}
}

/* The indices are 32 bits wide and wrap. */
static void test_index_overflow(void **state)
{
	struct pair *p = *state;
	struct udf_ring_sqe e;
	struct udf_ring_cqe c;
	unsigned int start = -3u, i;

	p->app.sq = p->app.sq_published = p->app.cq = p->drv.sq = p->drv.cq = start;
	p->drv.shared->sq_tail = p->drv.shared->cq_head = p->drv.shared->cq_tail = start;
	for (i = 0; i < ENTRIES; i++)
		push(p, i);
	for (i = 0; i < ENTRIES; i++) {
		assert_int_equal(udf_ring_take(&p->drv, &e), 1);
		udf_ring_post(&p->drv, e.user_data, 0);
	}
	for (i = 0; i < ENTRIES; i++) {
		assert_int_equal(udf_ring_reap(&p->app, &c), 1);
		assert_int_equal(c.user_data, i);
	}
}

static void test_kick_only_when_asked(void **state)
{
	struct pair *p = *state;
	struct udf_ring_sqe e;

	assert_int_equal(udf_ring_wait_sq(&p->drv), 0);
	assert_int_equal(push(p, 1), 1);		/* the consumer sleeps */
	assert_int_equal(push(p, 2), 0);		/* and was told */
	assert_int_equal(udf_ring_take(&p->drv, &e), 1);
	assert_int_equal(push(p, 3), 0);
	assert_int_equal(udf_ring_wait_sq(&p->drv), 1);	/* there is more: it must not sleep */
	assert_int_equal(udf_ring_take(&p->drv, &e), 1);
	assert_int_equal(udf_ring_take(&p->drv, &e), 1);
	assert_int_equal(udf_ring_wait_sq(&p->drv), 0);
	assert_int_equal(push(p, 4), 1);
}

static void test_notify_only_when_asked(void **state)
{
	struct pair *p = *state;
	struct udf_ring_sqe e;
	struct udf_ring_cqe c;
	int i;

	for (i = 0; i < 4; i++) {
		push(p, i);
		assert_int_equal(udf_ring_take(&p->drv, &e), 1);
	}
	assert_int_equal(udf_ring_post(&p->drv, 0, 0), 0);
	assert_int_equal(udf_ring_wait_cq(&p->app), 1);	/* there is one */
	assert_int_equal(udf_ring_reap(&p->app, &c), 1);
	assert_int_equal(udf_ring_wait_cq(&p->app), 0);
	assert_int_equal(udf_ring_post(&p->drv, 1, 0), 1);
	assert_int_equal(udf_ring_post(&p->drv, 2, 0), 0);
}

/* Completions that were put are not there before they are shown, and then with one wake-up, whichever of them the producer waits for. */
static void test_shown_together(void **state)
{
	struct pair *p = *state;
	struct udf_ring_sqe e;
	struct udf_ring_cqe c;
	unsigned long i;

	for (i = 0; i < 4; i++)
		push(p, i);
	for (i = 0; i < 4; i++)
		assert_int_equal(udf_ring_take(&p->drv, &e), 1);
	udf_ring_put(&p->drv, 0, 0);
	assert_int_equal(udf_ring_show(&p->drv, 1), 0);
	assert_int_equal(udf_ring_reap(&p->app, &c), 1);
	assert_int_equal(udf_ring_wait_cq(&p->app), 0);
	for (i = 1; i < 4; i++)
		udf_ring_put_value(&p->drv, i, -(int)i, 7 * (unsigned int)i);
	assert_int_equal(udf_ring_reap(&p->app, &c), 0);
	assert_int_equal(udf_ring_show(&p->drv, 3), 1);
	for (i = 1; i < 4; i++) {
		assert_int_equal(udf_ring_reap(&p->app, &c), 1);
		assert_int_equal(c.user_data, i);
		assert_int_equal(c.result, -(int)i);
		assert_int_equal(c.value, 7 * i);
	}
	assert_int_equal(udf_ring_reap(&p->app, &c), 0);
}

/* What the producer sees of a consumer that sleeps. */
static void test_sleeps(void **state)
{
	struct pair *p = *state;
	struct udf_ring_sqe e;

	assert_true(udf_ring_sleeps(&p->app));	/* it has never been there */
	assert_int_equal(push(p, 0), 1);
	assert_false(udf_ring_sleeps(&p->app));
	assert_int_equal(udf_ring_take(&p->drv, &e), 1);
	assert_int_equal(udf_ring_wait_sq(&p->drv), 0);
	assert_true(udf_ring_sleeps(&p->app));
	/* it asks for no more wake-ups: the index before */
	p->drv.shared->sq_event = p->drv.sq - 1;
	assert_false(udf_ring_sleeps(&p->app));
	assert_int_equal(push(p, 1), 0);
}

static void test_hostile_tail(void **state)
{
	struct pair *p = *state;
	struct udf_ring_sqe e;

	push(p, 1);
	p->drv.shared->sq_tail = ENTRIES + 1;
	assert_int_equal(udf_ring_take(&p->drv, &e), -1);
	p->drv.shared->sq_tail = -1u;
	assert_int_equal(udf_ring_take(&p->drv, &e), -1);
	p->drv.shared->sq_tail = 1;
	assert_int_equal(udf_ring_take(&p->drv, &e), 1);
}

/* More in flight than the completion ring holds, or completions reaped that were never posted. */
static void test_hostile_head(void **state)
{
	struct pair *p = *state;
	struct udf_ring_sqe e;
	unsigned int i;

	for (i = 0; i < ENTRIES; i++) {
		push(p, i);
		assert_int_equal(udf_ring_take(&p->drv, &e), 1);
	}
	push(p, i);
	assert_int_equal(udf_ring_take(&p->drv, &e), -1);
	p->drv.shared->cq_head = 1000;
	assert_int_equal(udf_ring_take(&p->drv, &e), -1);
	/* Both indices lie, in agreement. */
	p->drv.shared->sq_tail = 1000;
	assert_int_equal(udf_ring_take(&p->drv, &e), -1);
}

static void test_hostile_constants(void **state)
{
	struct pair *p = *state;
	struct udf_ring_shared *s = p->mem, good = *s;
	struct udf_ring r;

	s->entries = 2 * ENTRIES;
	assert_int_equal(udf_ring_attach(&r, p->mem, p->len), -1);
	s->entries = ENTRIES - 1;
	assert_int_equal(udf_ring_attach(&r, p->mem, p->len), -1);
	*s = good;
	s->cq_offset += 64;
	assert_int_equal(udf_ring_attach(&r, p->mem, p->len), -1);
	*s = good;
	s->magic++;
	assert_int_equal(udf_ring_attach(&r, p->mem, p->len), -1);
	*s = good;
	assert_int_equal(udf_ring_attach(&r, p->mem, 100), -1);
	assert_int_equal(udf_ring_attach(&r, p->mem, p->len - 1), -1);
	assert_int_equal(udf_ring_attach(&r, NULL, p->len), -1);
	assert_int_equal(udf_ring_attach(&r, p->mem, p->len), 0);
	/* Constants that change afterwards are not looked at. */
	s->entries = 1 << 20;
	assert_int_equal(r.mask, ENTRIES - 1);
}

/* A ring that is not aligned would share cache lines between its writers. */
static void test_alignment(void **state)
{
	size_t len = udf_ring_size(2);
	char *mem = aligned_alloc(64, 1024), *at = mem + 8;
	struct udf_ring r;

	memset(mem, 0, 1024);
	assert_int_equal(udf_ring_create(&r, mem, len, 2), 0);
	memmove(at, mem, len);
	assert_int_equal(udf_ring_attach(&r, at, len), -1);
	free(mem);
}

/* Two threads, sleeping whenever there is nothing: a lost wake-up hangs. */
struct bell {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int rung;
};

static void ring_bell(struct bell *b)
{
	pthread_mutex_lock(&b->lock);
	b->rung = 1;
	pthread_cond_signal(&b->cond);
	pthread_mutex_unlock(&b->lock);
}

static void wait_bell(struct bell *b)
{
	pthread_mutex_lock(&b->lock);
	while (!b->rung)
		pthread_cond_wait(&b->cond, &b->lock);
	b->rung = 0;
	pthread_mutex_unlock(&b->lock);
}

#define MANY 20000ul
static struct bell sq_bell = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };
static struct bell cq_bell = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };

static void *serve(void *arg)
{
	struct pair *p = arg;
	struct udf_ring_sqe e;
	unsigned long served = 0;

	while (served < MANY) {
		if (udf_ring_take(&p->drv, &e) != 1) {
			if (!udf_ring_wait_sq(&p->drv))
				wait_bell(&sq_bell);
			continue;
		}
		if (udf_ring_post(&p->drv, e.user_data, 0))
			ring_bell(&cq_bell);
		served++;
	}
	return NULL;
}

static void test_no_lost_wake_up(void **state)
{
	struct pair *p = *state;
	struct udf_ring_cqe c;
	unsigned long sent = 0, got = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, serve, p), 0);
	while (got < MANY) {
		while (sent < MANY && sent - got < (sent % ENTRIES) + 1)
			if (push(p, sent++))
				ring_bell(&sq_bell);
		if (udf_ring_reap(&p->app, &c)) {
			assert_int_equal(c.user_data, got);
			got++;
		} else if (!udf_ring_wait_cq(&p->app)) {
			wait_bell(&cq_bell);
		}
	}
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test_setup_teardown(test_round_trip_wraps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_index_overflow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kick_only_when_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_notify_only_when_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shown_together, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sleeps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_tail, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_head, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_constants, setup, teardown),
		cmocka_unit_test(test_alignment),
		cmocka_unit_test_setup_teardown(test_no_lost_wake_up, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
