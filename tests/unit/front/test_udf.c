// SPDX-License-Identifier: GPL-2.0
/* libudf as an application uses it, over a driver that serves its rings from memory. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "front/fake_driver.h"
#include "front/internal.h"

struct env {
	struct udf *udf;
	struct udf_disk *disk;
	struct udf_queue *queue;
};

static int setup_with(void **state, const char *cpus)
{
	struct udf_options *o = udf_options_new();
	struct env *e = calloc(1, sizeof(*e));

	fake_reset();
	udf_options_set(o, "device", "fake:x");
	udf_options_set(o, "cpus", cpus);
	udf_options_set(o, "close-timeout", "1");
	assert_int_equal(udf_open(o, &e->udf), 0);
	udf_options_free(o);
	assert_int_equal(udf_disk_open(e->udf, NULL, &e->disk), 0);
	assert_int_equal(udf_queue_open(e->udf, -1, 8, 0, &e->queue), 0);
	*state = e;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, "2");
}

static int teardown(void **state)
{
	struct env *e = *state;

	udf_close(e->udf);
	assert_int_equal(fake_chunks(), 0);
	assert_int_equal(fake_rings(), 0);
	free(e);
	return 0;
}

struct result {
	int calls, result;
};

static void done(void *arg, int result)
{
	struct result *r = arg;

	r->calls++;
	r->result = result;
}

static void fill(unsigned char *p, size_t len, unsigned int seed)
{
	for (; len--; p++)
		*p = (seed = seed * 1103515245 + 12345) >> 16;
}

static void test_zero_copy(void **state)
{
	struct env *e = *state;
	unsigned char *buf = udf_buf_alloc(e->udf, 8192);
	struct result r = { 0 };
	struct udf_stats stats;

	fill(buf, 8192, 1);
	assert_int_equal(udf_write(e->queue, e->disk, buf, 8192, 4096, UDF_FUA, done, &r), 0);
	assert_int_equal(udf_poll(e->queue, 8, -1), 1);
	assert_int_equal(r.calls, 1);
	assert_int_equal(r.result, 0);
	assert_memory_equal(fake_disk_data() + 4096, buf, 8192);
	memset(buf, 0, 8192);
	assert_int_equal(udf_read(e->queue, e->disk, buf, 512, 4096, done, &r), 0);
	assert_int_equal(udf_wait(e->queue, -1), 0);
	assert_memory_equal(fake_disk_data() + 4096, buf, 512);
	udf_stats(e->udf, &stats);
	assert_int_equal(stats.bounced, 0);
	assert_int_equal(stats.requests, 2);
	assert_int_equal(stats.bytes_written, 8192);
	assert_int_equal(stats.bytes_read, 512);
	udf_buf_free(e->udf, buf);
}

static void test_module_list(void **state)
{
	struct env *e = *state;
	struct udf_module_info info[2];

	memset(info, 0xff, sizeof(info));
	assert_int_equal(udf_modules(e->udf, NULL, 0), 2);
	assert_int_equal(udf_modules(e->udf, info, 1), 2);
	assert_string_equal(info[0].name, "core_part");
	assert_string_equal(info[0].file, "/modules/core-part.ko");
	assert_int_equal((unsigned char)info[1].name[0], 0xff);	/* no more than there is room for */
	assert_int_equal(udf_modules(e->udf, info, 2), 2);
	assert_string_equal(info[1].file, "/modules/driver.ko.xz");
}

static void test_bounced(void **state)
{
	struct env *e = *state;
	unsigned char *mine = malloc(4096), *arena = udf_buf_alloc(e->udf, 8192);
	struct result r = { 0 };
	struct udf_stats stats;

	fill(fake_disk_data(), 16384, 2);
	assert_int_equal(udf_read(e->queue, e->disk, mine, 4096, 512, done, &r), 0);
	assert_int_equal(udf_wait(e->queue, -1), 0);
	assert_memory_equal(fake_disk_data() + 512, mine, 4096);
	/* The arena's, but not aligned for the device. */
	assert_int_equal(udf_write(e->queue, e->disk, arena + 1, 4096, 0, 0, done, &r), 0);
	assert_int_equal(udf_wait(e->queue, -1), 0);
	assert_memory_equal(fake_disk_data(), arena + 1, 4096);
	udf_stats(e->udf, &stats);
	assert_int_equal(stats.bounced, 2);
	assert_int_equal(r.calls, 2);
	udf_buf_free(e->udf, arena);
	free(mine);
	assert_int_equal(udf_heap_used(e->udf->heap), 0);
}

static void test_vectors(void **state)
{
	struct env *e = *state;
	unsigned char *arena = udf_buf_alloc(e->udf, 65536), *mine = malloc(65536);
	struct result r = { 0 };
	struct iovec iov[5];
	struct udf_stats stats;
	uint64_t bounced;
	int i;

	fill(fake_disk_data(), 65536, 3);
	for (i = 0; i < 5; i++)
		iov[i] = (struct iovec){ arena + i * 8192, 512 * (i + 1) };
	assert_int_equal(udf_readv(e->queue, e->disk, iov, 5, 0, done, &r), 0);
	assert_int_equal(udf_wait(e->queue, -1), 0);
	assert_int_equal(fake_indirect(), 1);
	assert_memory_equal(arena + 4 * 8192, fake_disk_data() + 512 * 10, 512 * 5);
	/* One piece of other memory: all are copied. */
	iov[4].iov_base = mine;
	assert_int_equal(udf_readv(e->queue, e->disk, iov, 5, 512, done, &r), 0);
	assert_int_equal(udf_wait(e->queue, -1), 0);
	assert_int_equal(fake_indirect(), 1);
	assert_memory_equal(mine, fake_disk_data() + 512 * 11, 512 * 5);
	assert_memory_equal(arena, fake_disk_data() + 512, 512);
	/* Pieces of less than a block: the same. */
	iov[0] = (struct iovec){ arena, 256 };
	iov[1] = (struct iovec){ arena + 8192, 256 };
	udf_stats(e->udf, &stats);
	bounced = stats.bounced;
	assert_int_equal(udf_readv(e->queue, e->disk, iov, 2, 0, done, &r), 0);
	assert_int_equal(udf_wait(e->queue, -1), 0);
	assert_memory_equal(arena + 8192, fake_disk_data() + 256, 256);
	udf_stats(e->udf, &stats);
	assert_int_equal(stats.bounced, bounced + 1);
	assert_int_equal(udf_writev(e->queue, e->disk, iov, 0, 0, 0, done, &r), -EINVAL);
	assert_int_equal(udf_writev(e->queue, e->disk, iov, 257, 0, 0, done, &r), -EINVAL);
	udf_buf_free(e->udf, arena);
	free(mine);
	assert_int_equal(udf_heap_used(e->udf->heap), 0);
}

static void test_errors_at_once(void **state)
{
	struct env *e = *state;
	unsigned char *b = udf_buf_alloc(e->udf, 4096);
	struct result r = { 0 };

	assert_int_equal(udf_read(e->queue, e->disk, b, 511, 0, done, &r), -EINVAL);
	assert_int_equal(udf_read(e->queue, e->disk, b, 512, 1, done, &r), -EINVAL);
	assert_int_equal(udf_read(e->queue, e->disk, b, 0, 0, done, &r), -EINVAL);
	assert_int_equal(udf_read(e->queue, e->disk, b, UDF_BUF_MAX + 512, 0, done, &r), -EINVAL);
	assert_int_equal(udf_read(e->queue, e->disk, b, 512, FAKE_DISK_SIZE, done, &r), -EIO);
	assert_int_equal(udf_read(e->queue, e->disk, b, 1024, FAKE_DISK_SIZE - 512, done, &r), -EIO);
	assert_int_equal(udf_write(e->queue, e->disk, b, 512, FAKE_DISK_SIZE, 0, done, &r), -ENOSPC);
	assert_int_equal(udf_write(e->queue, e->disk, b, 512, UINT64_MAX - 511, 0, done, &r), -ENOSPC);
	assert_int_equal(udf_discard(e->queue, e->disk, 0, FAKE_DISK_SIZE + 512, done, &r), -ENOSPC);
	assert_int_equal(udf_write(e->queue, e->disk, b, 512, 0, UDF_NO_UNMAP, done, &r), -EINVAL);
	assert_int_equal(r.calls, 0);
	assert_int_equal(udf_queue_in_flight(e->queue), 0);
	assert_int_equal(udf_poll(e->queue, 1, -1), 0);	/* nothing outstanding: returns */
	udf_buf_free(e->udf, b);
	assert_int_equal(udf_heap_used(e->udf->heap), 0);
}

static void test_device_error(void **state)
{
	struct env *e = *state;
	unsigned char b[512];
	struct result r = { 0 };

	fake_fail(-ETIMEDOUT);
	assert_int_equal(udf_read(e->queue, e->disk, b, 512, 0, done, &r), 0);
	assert_int_equal(udf_wait(e->queue, -1), 0);
	assert_int_equal(r.result, -ETIMEDOUT);
	assert_int_equal(udf_pread(NULL, e->disk, b, 512, 0), -ETIMEDOUT);
}

static void test_full_queue(void **state)
{
	struct env *e = *state;
	struct result r = { 0 };
	int i;

	fake_hold(true);
	for (i = 0; i < 8; i++)
		assert_int_equal(udf_flush(e->queue, e->disk, done, &r), 0);
	assert_int_equal(udf_flush(e->queue, e->disk, done, &r), -EAGAIN);
	assert_int_equal(udf_queue_in_flight(e->queue), 8);
	assert_int_equal(udf_poll(e->queue, 8, 0), 0);
	assert_int_equal(udf_poll(e->queue, 8, 1), 0);
	assert_int_equal(udf_wait(e->queue, 1), -ETIMEDOUT);
	fake_hold(false);
	assert_int_equal(udf_wait(e->queue, -1), 0);
	assert_int_equal(r.calls, 8);
	assert_int_equal(udf_flush(e->queue, e->disk, done, &r), 0);
	udf_wait(e->queue, -1);
}

/* A callback submits the next request, even with no room but its own. */
struct chain {
	struct env *e;
	int left;
};

static void chain_done(void *arg, int result)
{
	struct chain *c = arg;

	if (--c->left)
		assert_int_equal(udf_flush(c->e->queue, c->e->disk, chain_done, c), 0);
}

static void test_submit_from_callback(void **state)
{
	struct chain c = { .e = *state, .left = 100 };

	assert_int_equal(udf_flush(c.e->queue, c.e->disk, chain_done, &c), 0);
	assert_int_equal(udf_wait(c.e->queue, -1), 0);
	assert_int_equal(c.left, 0);
}

static void test_completions_nobody_asked_for(void **state)
{
	struct env *e = *state;
	struct result r = { 0 };

	fake_post_garbage(~0ul);
	assert_int_equal(udf_flush(e->queue, e->disk, done, &r), 0);
	assert_int_equal(udf_wait(e->queue, -1), 0);
	fake_post_garbage(1ul << 32);	/* the slot in use, but as it was the last time */
	assert_int_equal(udf_flush(e->queue, e->disk, done, &r), 0);
	assert_int_equal(udf_wait(e->queue, -1), 0);
	assert_int_equal(r.calls, 2);
	assert_int_equal(r.result, 0);
}

static void test_sync_long(void **state)
{
	struct env *e = *state;
	size_t len = FAKE_DISK_SIZE - 1024;
	unsigned char *mine = malloc(len);

	fill(mine, len, 4);
	assert_int_equal(udf_pwrite(NULL, e->disk, mine, len, 512, 0), 0);
	assert_memory_equal(fake_disk_data() + 512, mine, len);
	memset(mine, 0, len);
	assert_int_equal(udf_pread(e->queue, e->disk, mine, len, 512), 0);
	assert_memory_equal(fake_disk_data() + 512, mine, len);
	assert_int_equal(udf_pwrite_zeroes(NULL, e->disk, 512, len, UDF_FUA | UDF_FAST_ONLY), 0);
	assert_int_equal(udf_pread(NULL, e->disk, mine, 512, len), 0);
	assert_int_equal(mine[0] | mine[511], 0);
	assert_int_equal(udf_pflush(NULL, e->disk), 0);
	assert_int_equal(udf_pdiscard(NULL, e->disk, 0, FAKE_DISK_SIZE), 0);
	assert_int_equal(udf_pread(NULL, e->disk, mine, 513, 0), -EINVAL);
	free(mine);
}

/* Many threads on one queue that is smaller than they need, each with sectors of its own. */
struct worker {
	struct env *e;
	unsigned int index;
	int err;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	unsigned char out[1024], in[1024];
	int i;

	for (i = 0; i < 200 && !w->err; i++) {
		uint64_t at = (w->index * 200 + i) * 1024ull;

		fill(out, sizeof(out), at + 1);
		w->err = udf_pwrite(w->e->queue, w->e->disk, out, sizeof(out), at, 0);
		if (!w->err)
			w->err = udf_pread(w->e->queue, w->e->disk, in, sizeof(in), at);
		if (!w->err && memcmp(in, out, sizeof(in)))
			w->err = -EILSEQ;
	}
	return NULL;
}

static void test_threads_on_one_queue(void **state)
{
	struct worker w[12];
	pthread_t t[12];
	unsigned int i;

	for (i = 0; i < 12; i++) {
		w[i] = (struct worker){ .e = *state, .index = i };
		assert_int_equal(pthread_create(&t[i], NULL, work, &w[i]), 0);
	}
	for (i = 0; i < 12; i++) {
		pthread_join(t[i], NULL);
		assert_int_equal(w[i].err, 0);
	}
}

/* Of two threads that wait, the one that polls is served first: the other must poll from then on. */
static void *flush_once(void *arg)
{
	struct env *e = arg;

	return (void *)(long)udf_pflush(e->queue, e->disk);
}

static bool waits(struct udf_queue *q, bool follower)
{
	bool yes;

	pthread_mutex_lock(&q->wait_lock);
	yes = follower ? q->followers : q->leader;
	pthread_mutex_unlock(&q->wait_lock);
	return yes;
}

static void test_hand_over(void **state)
{
	struct env *e = *state;
	pthread_t leader, follower;
	void *result;

	fake_hold(true);
	assert_int_equal(pthread_create(&leader, NULL, flush_once, e), 0);
	while (!waits(e->queue, false))
		sched_yield();
	assert_int_equal(pthread_create(&follower, NULL, flush_once, e), 0);
	while (!waits(e->queue, true))
		sched_yield();
	fake_serve(1);
	pthread_join(leader, &result);
	assert_null(result);
	fake_serve(1);
	pthread_join(follower, &result);
	assert_null(result);
	fake_hold(false);
}

static void *read_two_pieces(void *arg)
{
	struct env *e = arg;
	void *buf = malloc(2 << 20);
	long err = udf_pread(e->queue, e->disk, buf, 2 << 20, 0);

	free(buf);
	return (void *)err;
}

static struct udf_waiter *first_follower(struct udf_queue *q)
{
	struct udf_waiter *w;

	pthread_mutex_lock(&q->wait_lock);
	w = q->followers;
	pthread_mutex_unlock(&q->wait_lock);
	return w;
}

/* Start RUN, and wait until it is the first follower. */
static struct udf_waiter *follow(struct env *e, pthread_t *t, void *(*run)(void *arg))
{
	struct udf_waiter *before = first_follower(e->queue), *now;

	assert_int_equal(pthread_create(t, NULL, run, e), 0);
	while ((now = first_follower(e->queue)) == before)
		sched_yield();
	return now;
}

static void join(pthread_t t)
{
	void *result;

	pthread_join(t, &result);
	assert_null(result);
}

/*
 * The one that polls ends together with the follower it hands over to: that one must hand on, or the third waits for ever. A
 * follower that one of several pieces woke is the first again.
 */
static void test_hand_over_to_one_that_is_done(void **state)
{
	struct env *e = *state;
	struct udf_waiter *last;
	pthread_t first, both, leader, third;
	int i;

	for (i = 0; i < 20; i++) {
		fake_hold(true);
		assert_int_equal(pthread_create(&first, NULL, flush_once, e), 0);
		while (!waits(e->queue, false))
			sched_yield();
		follow(e, &both, read_two_pieces);
		follow(e, &leader, flush_once);
		fake_serve(1);
		join(first);
		while (!waits(e->queue, false))
			sched_yield();
		last = follow(e, &third, flush_once);
		fake_serve(1);		/* half of the read */
		while (first_follower(e->queue) == last)
			sched_yield();
		fake_serve(2);		/* its other half, and the leader's */
		join(both);
		join(leader);
		fake_serve(1);
		join(third);
		fake_hold(false);
	}
}

/* A thread of libudf runs the callbacks. */
struct flag {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int n;
};

static void raise_flag(void *arg, int result)
{
	struct flag *f = arg;

	pthread_mutex_lock(&f->lock);
	f->n++;
	pthread_cond_signal(&f->cond);
	pthread_mutex_unlock(&f->lock);
}

static void test_queue_thread(void **state)
{
	struct env *e = *state;
	struct flag f = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };
	struct udf_queue *q;
	int i;

	assert_int_equal(udf_queue_open(e->udf, 1, 0, UDF_QUEUE_THREAD, &q), 0);
	for (i = 1; i <= 50; i++) {
		assert_int_equal(udf_flush(q, e->disk, raise_flag, &f), 0);
		pthread_mutex_lock(&f.lock);
		while (f.n < i)
			pthread_cond_wait(&f.cond, &f.lock);
		pthread_mutex_unlock(&f.lock);
	}
	assert_int_equal(udf_pflush(q, e->disk), 0);
	udf_queue_close(q);
}

static void test_disks(void **state)
{
	struct env *e = *state;
	struct udf_disk_info info[2];
	struct udf_disk *second;
	unsigned char b[512];
	unsigned int seen = 0;

	assert_int_equal(udf_wait_change(e->udf, &seen, 0), 0);
	assert_int_equal(udf_wait_change(e->udf, &seen, 0), -ETIMEDOUT);
	assert_int_equal(udf_wait_disks(e->udf, 2, 1), -ETIMEDOUT);
	fake_disk_add();
	assert_int_equal(udf_wait_disks(e->udf, 2, -1), 2);
	assert_int_equal(udf_wait_change(e->udf, &seen, 0), 0);
	assert_int_equal(udf_disks(e->udf, info, 2), 2);
	assert_string_equal(info[1].name, "fake1");
	assert_string_equal(info[1].serial, "S1");
	assert_int_equal(info[1].buffer_align, 4);
	assert_int_equal(udf_disk_open(e->udf, NULL, &second), -ENOTUNIQ);
	assert_int_equal(udf_disk_open(e->udf, "none", &second), -ENOENT);
	assert_int_equal(udf_disk_open(e->udf, "fake1", &second), 0);
	assert_int_equal(fake_opens(), 2);
	udf_disk_close(second);
	assert_int_equal(fake_opens(), 1);

	fake_disk_resize(4096);
	assert_int_equal(udf_pread(NULL, e->disk, b, 512, 4096), -EIO);
	assert_int_equal(udf_disk_info(e->disk, info), 0);
	assert_int_equal(info->size, 4096);
	fake_disk_remove();
	assert_int_equal(udf_pread(NULL, e->disk, b, 512, 0), -ENODEV);
	assert_int_equal(udf_disk_info(e->disk, info), -ENODEV);
}

/* A disk whose driver is another module: loaded once, as udev would. */
static void test_further_modules(void **state)
{
	struct env *e = *state;
	int i;

	fake_event("add", "MODALIAS=pci:v0001d0002");
	fake_event("add", "MODALIAS=bus:t-0x00");
	fake_event("change", "MODALIAS=bus:t-0x05");
	fake_event("add", "MODALIAS=bus:t-0x00");
	fake_event("add", "MODALIAS=bus:t-0x01");
	for (i = 0; i < 1000000 && !strstr(fake_loaded(), "t-0x01"); i++)
		sched_yield();
	assert_true(udf_modules_stop(e->udf->modules, 10));
	assert_string_equal(fake_loaded(), "pci:v00001234d00005678() bus:t-0x00() bus:t-0x01()");
}

static void test_loss(void **state)
{
	struct env *e = *state;
	struct result r = { 0 };
	unsigned char b[512];
	struct udf_disk *d;
	int i;

	assert_null(udf_lost(e->udf));
	fake_hold(true);
	for (i = 0; i < 5; i++)
		assert_int_equal(udf_read(e->queue, e->disk, b, 512, 0, done, &r), 0);
	fake_lose("pulled out");
	assert_int_equal(udf_poll(e->queue, 100, -1), 5);
	assert_int_equal(r.calls, 5);
	assert_int_equal(r.result, -ENODEV);
	assert_int_equal(udf_poll(e->queue, 100, -1), -ENODEV);
	assert_string_equal(udf_lost(e->udf), "pulled out");
	assert_int_equal(udf_read(e->queue, e->disk, b, 512, 0, done, &r), -ENODEV);
	assert_int_equal(udf_pread(NULL, e->disk, b, 512, 0), -ENODEV);
	assert_int_equal(udf_wait_disks(e->udf, 9, -1), -ENODEV);
	assert_int_equal(udf_disk_open(e->udf, NULL, &d), -ENODEV);
	fake_hold(false);
}

static atomic_int in_callback, callback_may_end;

static void linger(void *arg, int result)
{
	atomic_store(&in_callback, 1);
	while (!atomic_load(&callback_may_end))
		sched_yield();
	done(arg, result);
}

static void *poll_once(void *arg)
{
	struct env *e = arg;

	assert_int_equal(udf_poll(e->queue, 1, -1), 1);
	return NULL;
}

/* Nothing is left when the last callback has run, in whichever thread: not when it has been taken. */
static void test_loss_waits_for_callbacks(void **state)
{
	struct env *e = *state;
	struct result r = { 0 };
	unsigned char b[512];
	pthread_t t;

	fake_hold(true);
	assert_int_equal(udf_read(e->queue, e->disk, b, 512, 0, linger, &r), 0);
	fake_lose("while somebody else polls");
	assert_int_equal(pthread_create(&t, NULL, poll_once, e), 0);
	while (!atomic_load(&in_callback))
		sched_yield();
	assert_int_equal(udf_poll(e->queue, 1, 20), 0);
	assert_int_equal(udf_poll(e->queue, 1, 0), 0);
	atomic_store(&callback_may_end, 1);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(r.calls, 1);
	assert_int_equal(udf_poll(e->queue, 1, -1), -ENODEV);
	fake_hold(false);
}

static void *lose_later(void *arg)
{
	struct env *e = arg;

	while (!atomic_load(&e->queue->sleepers))
		sched_yield();
	fake_lose("later");
	return NULL;
}

/* A thread that sleeps in a request is woken by the loss. */
static void test_loss_wakes(void **state)
{
	struct env *e = *state;
	unsigned char b[512];
	pthread_t t;

	fake_hold(true);
	assert_int_equal(pthread_create(&t, NULL, lose_later, e), 0);
	assert_int_equal(udf_pread(e->queue, e->disk, b, 512, 0), -ENODEV);
	pthread_join(t, NULL);
	fake_hold(false);
}

/* Closing does not wait for ever for a device that does not answer. */
static void test_close_fails_outstanding(void **state)
{
	struct env *e = *state;
	struct result r = { 0 };
	unsigned char *b = malloc(512);

	fake_hold(true);
	assert_int_equal(udf_read(e->queue, e->disk, b, 512, 0, done, &r), 0);
	udf_close(e->udf);
	assert_int_equal(r.calls, 1);
	assert_int_equal(r.result, -ENODEV);
	free(b);
	e->udf = NULL;
}

static void test_one_port(void **state)
{
	struct udf_options *o = udf_options_new();
	struct udf *udf;

	assert_int_equal(udf_open(o, &udf), -EBUSY);
	assert_non_null(strstr(udf_options_error(o), "port already"));
	udf_options_free(o);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_zero_copy),
		CASE(test_module_list),
		CASE(test_bounced),
		CASE(test_vectors),
		CASE(test_errors_at_once),
		CASE(test_device_error),
		CASE(test_full_queue),
		CASE(test_submit_from_callback),
		CASE(test_completions_nobody_asked_for),
		CASE(test_sync_long),
		CASE(test_threads_on_one_queue),
		CASE(test_hand_over),
		CASE(test_hand_over_to_one_that_is_done),
		CASE(test_queue_thread),
		CASE(test_disks),
		CASE(test_further_modules),
		CASE(test_loss),
		CASE(test_loss_waits_for_callbacks),
		CASE(test_loss_wakes),
		CASE(test_close_fails_outstanding),
		CASE(test_one_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
