/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Verified load for test programs: threads that read, write, flush, discard and zero random ranges of a disk.
 *
 * Each block written carries its number, a generation and a checksum; a model says which generation each block has. Ranges in
 * flight do not overlap, unless all of them are read. A read is compared with the model, and so is the backing file at the end.
 *
 *	load_init(&l, udf, disk, seed);
 *	load_start(&l, queue, depth);		a thread; any number, each with a queue of its own or sharing one
 *	load_run(&l, seconds);			fails when nothing completes for a while
 *	load_stop(&l);
 *	load_check_file(&l, path);		after udf_close()
 *	load_free(&l);
 */
#ifndef UDF_TESTS_LOAD_H
#define UDF_TESTS_LOAD_H

#include <sys/mman.h>

#include "udf-test.h"
#include "front/internal.h"

#define LOAD_MAGIC	0x55446c6f61642e31ull
#define LOAD_UNKNOWN	UINT32_MAX	/* generation of a block that may hold anything */
#define LOAD_WRITER	UINT16_MAX
#define LOAD_THREADS	8
#define LOAD_PIECES	24
#define LOAD_STALL_S	20.0		/* nothing completed for so long: a stall, on a machine however loaded */

struct load_thread;

struct load {
	struct udf *udf;
	struct udf_disk *disk;
	uint32_t block, align;
	uint64_t first, blocks;		/* of the disk, that belong to this load */
	uint64_t max_bytes;		/* of a request */
	uint64_t seed;
	bool may_fail;			/* requests may fail, as the test provokes it */
	bool gentle;			/* only reads and writes */
	bool full;			/* always as many in flight as there may be */
	pthread_mutex_t lock;
	uint32_t *gen, next_gen;
	uint16_t *users;		/* readers of a block in flight, or LOAD_WRITER */
	unsigned int threads;
	struct load_thread *thread[LOAD_THREADS];
	atomic_bool stop;
	atomic_ulong done, failed, refused, bytes, in_place, kinds[5];
	atomic_int last_error;
};

struct load_thread {
	struct load *l;
	struct udf_queue *queue;
	unsigned int depth, target;
	atomic_uint in_flight;
	uint64_t random;
	pthread_t thread;
};

enum load_kind { LOAD_READ, LOAD_WRITE, LOAD_FLUSH, LOAD_DISCARD, LOAD_ZEROES };

/* How a request's memory lies. */
enum load_memory {
	LOAD_ARENA,		/* one piece, as the device likes it */
	LOAD_ARENA_OFFSET,	/* as little aligned as the disk allows */
	LOAD_ARENA_BLOCKS,	/* pieces of whole blocks */
	LOAD_ARENA_PIECES,	/* pieces of any length that the disk allows */
	LOAD_HEAP,		/* malloc()ed, at an odd address */
	LOAD_HEAP_PIECES,
	LOAD_MEMORIES
};

struct load_op {
	struct load_thread *t;
	enum load_kind kind;
	enum load_memory memory;
	uint64_t first, n;	/* blocks */
	uint32_t gen;
	char *area, *data;	/* AREA was allocated; the data begins at DATA */
	struct iovec iov[LOAD_PIECES];
	int pieces;
	char *linear;		/* what the pieces are gathered into */
};

static inline uint64_t load_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* ---- what a block holds: number, generation, checksum, and a sequence that follows from the first two ---- */

static inline uint64_t load_fill_block(uint64_t *w, uint64_t number, uint32_t gen, uint32_t size)
{
	uint64_t state = number << 32 ^ gen, base = load_random(&state), sum = 0;

	for (unsigned int i = 3; i < size / 8; i++) {
		w[i] = base + i * 0x9e3779b97f4a7c15ull;
		sum += w[i];
	}
	w[0] = LOAD_MAGIC ^ number;
	w[1] = gen;
	w[2] = sum;
	return sum;
}

static inline void load_fill(const struct load *l, char *to, uint64_t first, uint64_t n, uint32_t gen)
{
	for (uint64_t i = 0; i < n; i++)
		load_fill_block((uint64_t *)(to + i * l->block), first + i, gen, l->block);
}

static inline bool load_is_zero(const uint64_t *w, uint32_t size)
{
	uint64_t any = 0;

	for (unsigned int i = 0; i < size / 8; i++)
		any |= w[i];
	return !any;
}

/* Says what a wrong block holds instead. */
static inline void load_explain(const struct load *l, const uint64_t *w, uint64_t number, uint32_t want, const char *where)
{
	uint64_t sum = 0;

	for (unsigned int i = 3; i < l->block / 8; i++)
		sum += w[i];
	fprintf(stderr, "%s: block %llu must have generation %u, but ", where, (unsigned long long)number, want);
	if (load_is_zero(w, l->block))
		fprintf(stderr, "is zero\n");
	else if (w[2] == sum && (w[0] ^ LOAD_MAGIC) < l->blocks)
		fprintf(stderr, "is block %llu of generation %llu\n", (unsigned long long)(w[0] ^ LOAD_MAGIC), (unsigned long long)w[1]);
	else
		fprintf(stderr, "is broken: %016llx %016llx %016llx %016llx ... %016llx\n", (unsigned long long)w[0],
			(unsigned long long)w[1], (unsigned long long)w[2], (unsigned long long)w[3],
			(unsigned long long)w[l->block / 8 - 1]);
}

static inline bool load_block_is(const uint64_t *w, uint64_t number, uint32_t gen, uint32_t size)
{
	uint64_t expected[4096 / 8];

	if (!gen)
		return load_is_zero(w, size);
	load_fill_block(expected, number, gen, size);
	return !memcmp(w, expected, size);
}

/* ---- ranges ---- */

static inline bool load_range_free(const struct load *l, uint64_t first, uint64_t n, bool write)
{
	for (uint64_t i = first; i < first + n; i++)
		if (write ? l->users[i] : l->users[i] == LOAD_WRITER)
			return false;
	return true;
}

static inline void load_range_take(struct load *l, struct load_op *op, bool write)
{
	for (uint64_t i = op->first; i < op->first + op->n; i++)
		l->users[i] = write ? LOAD_WRITER : l->users[i] + 1;
	if (op->kind == LOAD_WRITE)
		op->gen = ++l->next_gen;
}

/* A range that nothing in flight touches, of a size whose logarithm is evenly distributed. */
static inline bool load_pick(struct load_op *op)
{
	struct load_thread *t = op->t;
	struct load *l = t->l;
	bool write = op->kind != LOAD_READ, got = false;
	unsigned int shift = 0;

	while ((uint64_t)l->block << (shift + 1) <= l->max_bytes)
		shift++;
	op->n = 1ull << load_random(&t->random) % (shift + 1);
	op->n += load_random(&t->random) % op->n;
	if (op->n * l->block > l->max_bytes)
		op->n = l->max_bytes / l->block;
	pthread_mutex_lock(&l->lock);
	for (int tries = 0; tries < 16 && !got; tries++) {
		op->first = load_random(&t->random) % (l->blocks - op->n + 1);
		got = load_range_free(l, op->first, op->n, write);
	}
	if (got)
		load_range_take(l, op, write);
	pthread_mutex_unlock(&l->lock);
	return got;
}

/* The range's request is over. */
static inline void load_release(struct load_op *op, int result)
{
	struct load *l = op->t->l;
	bool write = op->kind != LOAD_READ;
	uint32_t gen = result || op->kind == LOAD_DISCARD ? LOAD_UNKNOWN : op->gen;

	pthread_mutex_lock(&l->lock);
	for (uint64_t i = op->first; i < op->first + op->n; i++) {
		l->users[i] = write ? 0 : l->users[i] - 1;
		if (write)
			l->gen[i] = gen;
	}
	pthread_mutex_unlock(&l->lock);
}

/* Nobody writes to the range: the model does not change under us. */
static inline void load_verify(struct load_op *op, const char *data)
{
	struct load *l = op->t->l;

	for (uint64_t i = 0; i < op->n; i++) {
		const uint64_t *w = (const uint64_t *)(data + i * l->block);
		uint64_t number = op->first + i, aligned[4096 / 8];
		uint32_t gen = l->gen[number];

		if (gen == LOAD_UNKNOWN)
			continue;
		if ((uintptr_t)w & 7)
			w = memcpy(aligned, w, l->block);
		if (load_block_is(w, number, gen, l->block))
			continue;
		load_explain(l, w, number, gen, "read");
		FAIL("mismatch in a read of %llu blocks from %llu, memory %d, %d pieces", (unsigned long long)op->n,
		     (unsigned long long)op->first, op->memory, op->pieces);
	}
}

/* ---- memory ---- */

static inline bool load_in_arena(enum load_memory memory)
{
	return memory <= LOAD_ARENA_PIECES;
}

/* Divide the area at random. Pieces are multiples of UNIT and lie GAP apart. */
static inline void load_divide(struct load_op *op, uint64_t len, uint64_t unit, uint64_t gap)
{
	char *at = op->data;

	op->pieces = 0;
	while (len) {
		uint64_t piece = len;

		if (op->pieces < LOAD_PIECES - 1)
			piece = (1 + load_random(&op->t->random) % (len / unit < 64 ? len / unit : 64)) * unit;
		op->iov[op->pieces++] = (struct iovec){ .iov_base = at, .iov_len = piece };
		at += piece + gap;
		len -= piece;
	}
}

static inline bool load_memory_get(struct load_op *op)
{
	struct load *l = op->t->l;
	uint64_t len = op->n * l->block, room = len + LOAD_PIECES * 64 + 512;
	bool divided = op->memory == LOAD_ARENA_BLOCKS || op->memory == LOAD_ARENA_PIECES || op->memory == LOAD_HEAP_PIECES;

	op->area = load_in_arena(op->memory) ? udf_buf_alloc(l->udf, op->memory == LOAD_ARENA ? len : room) : malloc(room);
	if (!op->area)
		return false;
	op->data = op->area;
	if (op->memory == LOAD_ARENA_OFFSET)
		op->data += l->align * (1 + load_random(&op->t->random) % 7);
	if (!load_in_arena(op->memory))
		op->data += load_random(&op->t->random) % 64;
	op->iov[0] = (struct iovec){ .iov_base = op->data, .iov_len = len };
	op->pieces = 1;
	if (op->memory == LOAD_ARENA_BLOCKS)
		load_divide(op, len, l->block, l->align);
	else if (op->memory == LOAD_ARENA_PIECES)
		load_divide(op, len, l->align, l->align);
	else if (op->memory == LOAD_HEAP_PIECES)
		load_divide(op, len, 1, 3);
	/* the stamps are written and read in one piece at an even address */
	op->linear = divided || (uintptr_t)op->data & 7 ? malloc(len) : NULL;
	return true;
}

static inline void load_memory_put(struct load_op *op)
{
	if (op->area && load_in_arena(op->memory))
		udf_buf_free(op->t->l->udf, op->area);
	else
		free(op->area);
	free(op->linear);
}

static inline void load_gather(struct load_op *op, bool into_pieces)
{
	char *at = op->linear;

	for (int i = 0; i < op->pieces; i++) {
		if (into_pieces)
			memcpy(op->iov[i].iov_base, at, op->iov[i].iov_len);
		else
			memcpy(at, op->iov[i].iov_base, op->iov[i].iov_len);
		at += op->iov[i].iov_len;
	}
}

/* ---- requests ---- */

static inline void load_op_end(struct load_op *op)
{
	struct load_thread *t = op->t;

	load_memory_put(op);
	free(op);
	atomic_fetch_sub(&t->in_flight, 1);
}

static inline void load_done(void *arg, int result)
{
	struct load_op *op = arg;
	struct load *l = op->t->l;

	if (result && !l->may_fail)
		FAIL("request %d of %llu blocks from %llu failed: %s", op->kind, (unsigned long long)op->n,
		     (unsigned long long)op->first, strerror(-result));
	if (!result && op->kind == LOAD_READ) {
		if (op->linear)
			load_gather(op, false);
		load_verify(op, op->linear ? op->linear : op->data);
	}
	if (op->kind != LOAD_FLUSH)
		load_release(op, result);
	if (result) {
		atomic_store(&l->last_error, result);
		atomic_fetch_add(&l->failed, 1);
	} else {
		atomic_fetch_add(&l->bytes, op->n * l->block);
	}
	atomic_fetch_add(&l->kinds[op->kind], 1);
	atomic_fetch_add(&l->done, 1);
	load_op_end(op);
}

static inline enum load_kind load_pick_kind(struct load_thread *t)
{
	unsigned int p = load_random(&t->random) % 100;

	if (t->l->gentle)
		return p < 50 ? LOAD_READ : LOAD_WRITE;
	return p < 46 ? LOAD_READ : p < 92 ? LOAD_WRITE : p < 95 ? LOAD_FLUSH : p < 97 ? LOAD_DISCARD : LOAD_ZEROES;
}

static inline int load_submit(struct load_op *op)
{
	struct load_thread *t = op->t;
	struct load *l = t->l;
	uint64_t offset = (l->first + op->first) * l->block, len = op->n * l->block;
	unsigned int flags = load_random(&t->random) % 8 ? 0 : UDF_FUA;

	switch (op->kind) {
	case LOAD_READ:
		if (op->pieces > 1)
			return udf_readv(t->queue, l->disk, op->iov, op->pieces, offset, load_done, op);
		return udf_read(t->queue, l->disk, op->data, len, offset, load_done, op);
	case LOAD_WRITE:
		load_fill(l, op->linear ? op->linear : op->data, op->first, op->n, op->gen);
		if (op->linear)
			load_gather(op, true);
		if (op->pieces > 1)
			return udf_writev(t->queue, l->disk, op->iov, op->pieces, offset, flags, load_done, op);
		return udf_write(t->queue, l->disk, op->data, len, offset, flags, load_done, op);
	case LOAD_FLUSH:
		return udf_flush(t->queue, l->disk, load_done, op);
	case LOAD_DISCARD:
		return udf_discard(t->queue, l->disk, offset, len, load_done, op);
	case LOAD_ZEROES:
		return udf_write_zeroes(t->queue, l->disk, offset, len, flags | (flags ? UDF_NO_UNMAP : 0), load_done, op);
	}
	return -EINVAL;
}

/* Submit one request. Returns 0 or why not: then nothing has changed. */
static inline int load_one(struct load_thread *t)
{
	struct load_op *op = calloc(1, sizeof(*op));
	int ret = -EAGAIN;

	CHECK(op);
	op->t = t;
	op->kind = load_pick_kind(t);
	op->memory = load_random(&t->random) % LOAD_MEMORIES;
	atomic_fetch_add(&t->in_flight, 1);
	if (op->kind != LOAD_FLUSH && !load_pick(op))
		goto end;
	ret = op->kind <= LOAD_WRITE && !load_memory_get(op) ? -ENOMEM : load_submit(op);
	if (!ret)
		return 0;
	/* nothing was written, but the model needs no finer distinction */
	if (op->kind != LOAD_FLUSH)
		load_release(op, op->kind == LOAD_READ ? 0 : ret);
end:
	load_op_end(op);
	return ret;
}

static inline void *load_thread_main(void *arg)
{
	struct load_thread *t = arg;
	struct load *l = t->l;
	unsigned int n = 0;
	int ret;

	while (!atomic_load(&l->stop)) {
		if (n++ % 64 == 0)
			t->target = l->full ? t->depth : 1 + load_random(&t->random) % t->depth;
		ret = atomic_load(&t->in_flight) < t->target ? load_one(t) : -EAGAIN;
		if (!ret)
			continue;
		if (ret != -EAGAIN && ret != -ENOMEM) {
			if (!l->may_fail)
				FAIL("a request was refused: %s", strerror(-ret));
			atomic_fetch_add(&l->refused, 1);
			atomic_store(&l->last_error, ret);
			break;
		}
		ret = udf_poll(t->queue, 16, 100);
		if (ret < 0 && !l->may_fail)
			FAIL("udf_poll: %s", strerror(-ret));
	}
	while (atomic_load(&t->in_flight) && (ret = udf_poll(t->queue, 16, 100)) >= 0)
		;
	return NULL;
}

/* ---- what a test calls ---- */

static inline void load_init(struct load *l, struct udf *udf, struct udf_disk *disk, uint64_t seed)
{
	struct udf_disk_info info = test_info(disk);

	memset(l, 0, sizeof(*l));
	l->udf = udf;
	l->disk = disk;
	l->block = info.logical_block;
	l->align = info.buffer_align;
	l->blocks = info.size / info.logical_block;
	l->max_bytes = 1 << 20;
	l->seed = seed;
	pthread_mutex_init(&l->lock, NULL);
	l->gen = malloc(l->blocks * sizeof(*l->gen));
	l->users = malloc(l->blocks * sizeof(*l->users));
	CHECK(l->gen && l->users && l->block <= 4096);
	/* touched now, so that the process does not grow by them later */
	memset(l->gen, 0, l->blocks * sizeof(*l->gen));
	memset(l->users, 0, l->blocks * sizeof(*l->users));
}

/* Start a thread that keeps 1 to DEPTH requests in flight in QUEUE. */
static inline void load_start(struct load *l, struct udf_queue *queue, unsigned int depth)
{
	struct load_thread *t = calloc(1, sizeof(*t));

	CHECK(t && l->threads < LOAD_THREADS);
	t->l = l;
	t->queue = queue;
	t->depth = depth;
	t->random = l->seed * 1000 + l->threads;
	l->thread[l->threads++] = t;
	CHECK_OK(-pthread_create(&t->thread, NULL, load_thread_main, t));
}

struct load_watch {
	unsigned long seen;
	double last, quiet, longest;	/* seconds: when the last look was; without a completion */
};

/* A longer time between two looks is the machine's, which may stand still for minutes: not all of it counts. */
#define LOAD_LOOK_S	0.1

/* What the vCPUs, the tasks and the requests are doing, for who has to find out why they do nothing. */
static inline void load_show(struct load *l)
{
	for (unsigned int i = 0; i < l->threads; i++) {
		struct load_thread *t = l->thread[i];
		const struct udf_ring_shared *r = t->queue->sq.shared;

		fprintf(stderr, "thread %u: %u of %u requests in flight; its queue, of vCPU %u: submitted %u, taken %u, completed %u, seen %u\n",
			i, atomic_load(&t->in_flight), t->depth, t->queue->cpu, r->sq_tail, r->sq_head, r->cq_tail, r->cq_head);
	}
	test_show_tasks();
}

/* Whether requests complete; to be called often. Fails the test when they do not for LOAD_STALL_S. */
static inline void load_look(struct load *l, struct load_watch *w)
{
	unsigned long done = atomic_load(&l->done);
	double now = test_now(), since = w->last ? now - w->last : 0;

	w->last = now;
	w->quiet = done == w->seen ? w->quiet + (since < LOAD_LOOK_S ? since : LOAD_LOOK_S) : 0;
	w->seen = done;
	if (w->quiet > w->longest)
		w->longest = w->quiet;
	if (w->longest > LOAD_STALL_S) {
		load_show(l);
		FAIL("stalled: nothing completed for %.0f s after %lu requests", w->longest, done);
	}
}

/* A moment between two looks. */
static inline void load_pause(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

/* Let it run. Returns the longest time in which nothing completed. */
static inline double load_run(struct load *l, double seconds)
{
	struct load_watch w = { 0 };
	double end = test_now() + seconds;

	while (test_now() < end) {
		load_look(l, &w);
		load_pause();
	}
	return w.longest;
}

static inline void load_stop(struct load *l)
{
	atomic_store(&l->stop, true);
	for (unsigned int i = 0; i < l->threads; i++) {
		pthread_join(l->thread[i]->thread, NULL);
		CHECK_EQ(atomic_load(&l->thread[i]->in_flight), 0);
		free(l->thread[i]);
	}
	l->threads = 0;
	atomic_store(&l->stop, false);
}

static inline void load_free(struct load *l)
{
	free(l->gen);
	free(l->users);
	pthread_mutex_destroy(&l->lock);
}

static inline void load_report(struct load *l)
{
	printf("%lu requests (%lu reads, %lu writes, %lu flushes, %lu discards, %lu zeroed), %lu MiB, %lu failed\n",
	       atomic_load(&l->done), atomic_load(&l->kinds[0]), atomic_load(&l->kinds[1]), atomic_load(&l->kinds[2]),
	       atomic_load(&l->kinds[3]), atomic_load(&l->kinds[4]), atomic_load(&l->bytes) >> 20, atomic_load(&l->failed));
}

/* Every block of the backing file is as the model says; a raw image. */
static inline void load_check_file(struct load *l, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t size = l->blocks * l->block, unknown = 0, stamped = 0;
	const char *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	CHECK(fd >= 0 && p != MAP_FAILED);
	for (uint64_t i = 0; i < l->blocks; i++) {
		const uint64_t *w = (const uint64_t *)(p + i * l->block);

		unknown += l->gen[i] == LOAD_UNKNOWN;
		stamped += l->gen[i] && l->gen[i] != LOAD_UNKNOWN;
		if (l->gen[i] == LOAD_UNKNOWN || load_block_is(w, i, l->gen[i], l->block))
			continue;
		load_explain(l, w, i, l->gen[i], path);
		FAIL("the backing file is wrong");
	}
	munmap((void *)p, size);
	close(fd);
	CHECK(stamped);
	printf("%s: %llu blocks stamped, %llu zero, %llu discarded\n", path, (unsigned long long)stamped,
	       (unsigned long long)(l->blocks - stamped - unknown), (unsigned long long)unknown);
}

/* A short verified load, until WAIT(UDF, &LOAD, ARG) returns. The disk is there, and closed again afterwards. N: the load's seed. */
static inline void load_until(struct udf *udf, unsigned int n, void (*wait)(struct udf *udf, struct load *l, unsigned long arg), unsigned long arg)
{
	struct udf_disk *disk = test_disk(udf);
	struct udf_queue *q;
	struct load l;

	load_init(&l, udf, disk, n);
	l.max_bytes = 65536;
	/* what earlier rounds have written */
	memset(l.gen, 0xff, l.blocks * sizeof(*l.gen));
	CHECK_OK(udf_queue_open(udf, -1, 16, 0, &q));
	load_start(&l, q, 16);
	wait(udf, &l, arg);
	load_stop(&l);
	udf_queue_close(q);
	udf_disk_close(disk);
	load_free(&l);
}

static inline void load_wait_done(struct udf *udf, struct load *l, unsigned long requests)
{
	struct load_watch w = { 0 };

	while (atomic_load(&l->done) < requests) {
		load_look(l, &w);
		load_pause();
	}
}

/* REQUESTS or some more. */
static inline void load_some(struct udf *udf, unsigned int n, unsigned int requests)
{
	load_until(udf, n, load_wait_done, requests);
}

#endif
