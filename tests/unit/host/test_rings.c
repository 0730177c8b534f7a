// SPDX-License-Identifier: GPL-2.0
/*
 * lib/host/linux/rings.c: a vCPU that sleeps on its eventfd is signalled for the entries of its rings, one that is awake is not, and none sleeps
 * over an entry. Against stubs of what else a vCPU is.
 */
#define _GNU_SOURCE
#include "unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/linux/host.h"
#include "udf/ring.h"

#define ENTRIES 8
#define FRONT_PENDS() (area.pending & HOST_PEND_FRONT)

struct udf_host udf_host;
static struct host_vcpu area;
static struct udf_vcpu *const vcpu = &udf_host.vcpu[0];
static struct udf_ring producer, consumer;
static void *memory;
static unsigned int pends, wakes, polls;
static bool asleep;		/* as the virtual function was told */

void host_cpu_pend(unsigned int cpu, unsigned long bits)
{
	pends += cpu == 0 && bits == HOST_PEND_FRONT;
}

void udf_vcpu_wake_futex(struct udf_vcpu *v)
{
	wakes += v == vcpu;
}

int udf_vpci_poll_own(struct udf_vpci *vpci, unsigned int poller, uint64_t addr, int fd)
{
	assert_int_equal(addr, 0xfee00000u);
	assert_int_equal(fd, atomic_load(&vcpu->fd));
	return 0;
}

void udf_vpci_poll(struct udf_vpci *vpci, unsigned int poller)
{
	polls++;
}

void udf_vpci_poll_sleep(struct udf_vpci *vpci, unsigned int poller, bool sleep)
{
	asleep = sleep;
}

unsigned int udf_vpci_poll_words(struct udf_vpci *vpci, unsigned int poller, const volatile uint32_t **words, unsigned int max)
{
	return 0;
}

static int set_up(void **state)
{
	memset(&udf_host, 0, sizeof(udf_host));
	memset(&area, 0, sizeof(area));
	udf_host.cpus = 1;
	udf_host.vpci = (struct udf_vpci *)1;
	atomic_store(&vcpu->area, &area);
	atomic_store(&vcpu->fd, -1);
	memory = aligned_alloc(64, (udf_ring_size(ENTRIES) + 63) & ~63ul);
	assert_non_null(memory);
	memset(memory, 0, udf_ring_size(ENTRIES));
	assert_int_equal(udf_ring_create(&producer, memory, udf_ring_size(ENTRIES), ENTRIES), 0);
	assert_int_equal(udf_ring_attach(&consumer, memory, udf_ring_size(ENTRIES)), 0);
	pends = wakes = polls = 0;
	assert_int_equal(udf_rings_begin(), 0);
	assert_true(atomic_load(&vcpu->fd) >= 0);
	assert_int_equal(udf_rings_add(0, memory), atomic_load(&vcpu->fd));
	return 0;
}

static int tear_down(void **state)
{
	udf_rings_reset();
	assert_int_equal(atomic_load(&vcpu->fd), -1);
	free(memory);
	return 0;
}

/* Returns whether the vCPU has to be signalled. */
static int submit(unsigned int n)
{
	const struct udf_ring_sqe e = { 0 };

	while (n--)
		udf_ring_push(&producer, &e);
	return udf_ring_publish(&producer);
}

/* As the front end's thread does, when it runs. Returns how many there were. */
static unsigned int take_all(void)
{
	struct udf_ring_sqe e;
	unsigned int n = 0;

	__atomic_fetch_and(&area.pending, ~HOST_PEND_FRONT, __ATOMIC_SEQ_CST);
	for (; udf_ring_take(&consumer, &e) > 0; n++)
		udf_ring_put(&consumer, 0, 0);
	udf_ring_show(&consumer, n);
	return n;
}

/* A vCPU that was not asleep when a ring came has to look. */
static void test_begins(void **state)
{
	assert_int_equal(wakes, 1);
	assert_int_equal(pends, 1);
}

static void test_awake_is_not_signalled(void **state)
{
	struct udf_ring_cqe c;

	udf_vcpu_doze(vcpu, true);
	udf_vcpu_doze(vcpu, false);
	assert_false(asleep);
	for (unsigned int i = 0; i < 1000; i++) {
		assert_int_equal(submit(1 + i % ENTRIES), 0);
		udf_vcpu_look(vcpu);
		assert_true(FRONT_PENDS());
		assert_int_equal(take_all(), 1 + i % ENTRIES);
		while (udf_ring_reap(&producer, &c))
			;
		/* it has seen all there is */
		udf_vcpu_look(vcpu);
		assert_false(FRONT_PENDS());
		/* and goes on being awake: what it would not be signalled for any more after a sleep */
		if (i % 10 == 0) {
			udf_vcpu_doze(vcpu, true);
			assert_false(FRONT_PENDS());
			udf_vcpu_doze(vcpu, false);
		}
	}
	assert_true(polls > 1000);
}

static void test_asleep_is_signalled_once(void **state)
{
	udf_vcpu_doze(vcpu, true);
	assert_true(asleep);
	assert_false(FRONT_PENDS());
	assert_int_equal(submit(2), 1);
	assert_int_equal(submit(1), 0);
	assert_int_equal(submit(1), 0);
	/* it wakes up, and finds them */
	udf_vcpu_doze(vcpu, true);
	assert_true(FRONT_PENDS());
	udf_vcpu_doze(vcpu, false);
	assert_int_equal(take_all(), 4);
	assert_int_equal(submit(1), 0);
}

/* The last look. */
static void test_does_not_sleep_over_an_entry(void **state)
{
	udf_vcpu_doze(vcpu, true);
	udf_vcpu_doze(vcpu, false);
	assert_int_equal(submit(1), 0);
	udf_vcpu_doze(vcpu, true);
	assert_true(FRONT_PENDS());
}

static void test_a_ring_that_goes(void **state)
{
	udf_rings_remove(0, memory);
	udf_vcpu_doze(vcpu, true);
	udf_vcpu_doze(vcpu, false);
	submit(1);
	udf_vcpu_look(vcpu);
	udf_vcpu_doze(vcpu, true);
	assert_false(FRONT_PENDS());
}

#define ROUNDS 200000u

static _Atomic unsigned int signals;
static atomic_bool over;

static void *submit_all(void *arg)
{
	const uint64_t one = 1;
	struct udf_ring_cqe c;
	unsigned int sent = 0, done = 0;

	while (done < ROUNDS) {
		if (sent < ROUNDS && sent - done < ENTRIES) {
			unsigned int n = 1 + sent % 3;

			n = n < ENTRIES - (sent - done) ? n : ENTRIES - (sent - done);
			n = n < ROUNDS - sent ? n : ROUNDS - sent;
			if (submit(n)) {
				atomic_fetch_add(&signals, 1);
				assert_int_equal(write(atomic_load(&vcpu->fd), &one, sizeof(one)), sizeof(one));
			}
			sent += n;
		}
		while (udf_ring_reap(&producer, &c))
			done++;
	}
	atomic_store(&over, true);
	assert_int_equal(write(atomic_load(&vcpu->fd), &one, sizeof(one)), sizeof(one));
	return NULL;
}

/* A thread that sleeps whenever it has nothing to do: all of them come, with a signal for a sleep at most, and none is slept over. */
static void test_race(void **state)
{
	const struct timespec patience = { .tv_sec = 20 };
	unsigned int taken = 0, sleeps = 0;
	pthread_t thread;

	atomic_store(&signals, 0);
	atomic_store(&over, false);
	assert_int_equal(pthread_create(&thread, NULL, submit_all, NULL), 0);
	while (!atomic_load(&over)) {
		struct timespec from, to;

		udf_vcpu_look(vcpu);
		if (!FRONT_PENDS())
			udf_vcpu_doze(vcpu, true);
		if (!FRONT_PENDS()) {
			sleeps++;
			clock_gettime(CLOCK_MONOTONIC, &from);
			udf_vcpu_doze_on(atomic_load(&vcpu->fd), &patience);
			clock_gettime(CLOCK_MONOTONIC, &to);
			assert_true(to.tv_sec - from.tv_sec < patience.tv_sec - 1);
			udf_vcpu_doze(vcpu, true);	/* looks, as the loop of the vCPU does */
		}
		udf_vcpu_doze(vcpu, false);
		taken += take_all();
	}
	pthread_join(thread, NULL);
	assert_int_equal(taken + take_all(), ROUNDS);
	assert_true(atomic_load(&signals) <= 2 * sleeps + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_begins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_awake_is_not_signalled, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_asleep_is_signalled_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_does_not_sleep_over_an_entry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_ring_that_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_race, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
