// SPDX-License-Identifier: GPL-2.0
/* The trace's ring, its writers and its reader; see trace.h. Host world. */
#define _GNU_SOURCE
#include "debug/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "debug/trace-int.h"

#define RING (1u << 16)		/* records */
#define PERIOD_NS 5000000	/* of the reader, when it has found nothing */

/* Kernel code keeps the vector registers to itself while it uses them: writers must not touch these. */
#define WRITER __attribute__((target("general-regs-only")))

_Atomic unsigned int udf_traced;
struct udf_btf *udf_trace_btf;

static struct {
	struct udf_trace_record *ring;
	_Atomic uint64_t tail, lost;
	uint64_t head, told;		/* the reader's: next record, losses that were reported */
	unsigned int shown;		/* categories that are printed */
	struct host_trace_layout layout;
	FILE *out;
	char *only;
	struct udf_trace_format *format;
	pthread_t thread;
	bool running;
	atomic_bool stop;
	pthread_mutex_t lock;		/* of the reader's side */
	_Atomic uint64_t raised[HOST_VECTORS];
} udf_trace = { .lock = PTHREAD_MUTEX_INITIALIZER };

bool udf_trace_is_wanted(const char *name)
{
	return udf_trace_matches(udf_trace.only, name);
}

/* ---- writers ---- */

WRITER uint64_t udf_trace_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline WRITER uint64_t read_gs(unsigned long offset)
{
	uint64_t v;

	__asm__ volatile("movq %%gs:(%1), %0" : "=r"(v) : "r"(offset));
	return v;
}

static WRITER void copy(char *to, const char *from, unsigned int n)
{
	while (--n && *from)
		*to++ = *from++;
	*to = 0;
}

/* Who is running: %gs is the kernel code's on a vCPU's thread, in whatever code that is. */
static WRITER void set_task(struct udf_trace_record *r)
{
	struct udf_vcpu *vcpu = udf_vcpu_self();
	const char *task;
	uint64_t count;

	r->cpu = UDF_TRACE_NO_CPU;
	r->pid = 0;
	r->context = 0;
	r->comm[0] = 0;
	if (!vcpu || !atomic_load(&vcpu->area))
		return;
	r->cpu = (uint8_t)vcpu->cpu;
	task = (const char *)read_gs(udf_trace.layout.current_task);
	count = read_gs(udf_trace.layout.preempt_count);
	r->context = (uint8_t)((count & 0xff00 ? 1 : 0) | (count & 0xf0000 ? 2 : 0));
	if (!task)
		return;
	r->pid = *(const uint32_t *)(task + udf_trace.layout.pid);
	copy(r->comm, task + udf_trace.layout.comm, sizeof(r->comm));
}

/*
 * Any number of writers: each takes the next slot by one exchange, fills it, and publishes it by its sequence number. The image's
 * scheduler never suspends a task in here, so that a slot is filled soon: this is no kernel code, which alone is interrupted.
 */
WRITER struct udf_trace_record *udf_trace_get(enum udf_trace_kind kind, uint64_t ip)
{
	uint64_t at = atomic_load_explicit(&udf_trace.tail, memory_order_relaxed);
	struct udf_trace_record *r;

	for (;;) {
		int64_t ahead;

		r = &udf_trace.ring[at % RING];
		ahead = (int64_t)(atomic_load_explicit(&r->seq, memory_order_acquire) - at);
		if (ahead < 0) {
			atomic_fetch_add_explicit(&udf_trace.lost, 1, memory_order_relaxed);
			return NULL;
		}
		if (ahead > 0)
			at = atomic_load_explicit(&udf_trace.tail, memory_order_relaxed);
		else if (atomic_compare_exchange_weak_explicit(&udf_trace.tail, &at, at + 1, memory_order_relaxed, memory_order_relaxed))
			break;
	}
	r->time = udf_trace_now();
	r->ip = ip;
	r->kind = (uint8_t)kind;
	set_task(r);
	return r;
}

WRITER void udf_trace_put(struct udf_trace_record *r)
{
	atomic_store_explicit(&r->seq, atomic_load_explicit(&r->seq, memory_order_relaxed) + 1, memory_order_release);
}

void udf_trace_access(int bar, bool port, bool write, uint64_t ip, uint64_t offset, unsigned int size, uint64_t value, uint64_t start)
{
	struct udf_trace_record *r = udf_trace_get(UDF_TRACE_ACCESS, ip);

	if (!r)
		return;
	r->access.bar = (int16_t)bar;
	r->access.port = port;
	r->access.write = write;
	r->access.offset = offset;
	r->access.size = (uint8_t)size;
	r->access.value = size < 8 ? value & ((1ull << size * 8) - 1) : value;
	r->access.start = start;
	udf_trace_put(r);
}

void udf_trace_intx(bool masked)
{
	struct udf_trace_record *r = udf_trace_get(UDF_TRACE_INTX, 0);

	if (!r)
		return;
	r->event.a = masked;
	udf_trace_put(r);
}

void udf_trace_raised(unsigned int cpu, unsigned int hwirq)
{
	struct udf_trace_record *r = udf_trace_get(UDF_TRACE_RAISED, 0);

	if (!r)
		return;
	atomic_store_explicit(&udf_trace.raised[hwirq], r->time, memory_order_relaxed);
	r->event.a = cpu;
	r->event.b = hwirq;
	udf_trace_put(r);
}

static const uint8_t kinds[] = {
	[HOST_TRACE_SWITCH] = UDF_TRACE_SWITCH, [HOST_TRACE_IRQ_ENTER] = UDF_TRACE_ENTER, [HOST_TRACE_IRQ_EXIT] = UDF_TRACE_EXIT,
};

void host_trace(unsigned int event, unsigned long a, unsigned long b, unsigned long c, const char *text)
{
	struct udf_trace_record *r;
	uint64_t raised;

	if (!udf_trace.ring || event >= sizeof(kinds))
		return;
	r = udf_trace_get(kinds[event], 0);
	if (!r)
		return;
	r->event.a = a;
	r->event.b = b;
	r->event.c = c;
	r->event.latency = 0;
	if (event == HOST_TRACE_IRQ_ENTER && b < HOST_VECTORS) {
		raised = atomic_exchange_explicit(&udf_trace.raised[b], 0, memory_order_relaxed);
		r->event.latency = raised && raised < r->time ? r->time - raised : 0;
	}
	copy(r->event.text, text ? text : "", sizeof(r->event.text));
	udf_trace_put(r);
}

/* ---- the reader ---- */

static bool read_one(struct udf_strbuf *line)
{
	struct udf_trace_record *r = &udf_trace.ring[udf_trace.head % RING];
	uint64_t lost = atomic_load_explicit(&udf_trace.lost, memory_order_relaxed);

	if (atomic_load_explicit(&r->seq, memory_order_acquire) != udf_trace.head + 1)
		return false;
	udf_strbuf_reset(line);
	/* where the first of them would have been is not known: somewhere before the next that found room */
	if (lost != udf_trace.told)
		udf_trace_format_lost(udf_trace.format, lost - udf_trace.told, r->time, line);
	udf_trace.told = lost;
	udf_trace_format(udf_trace.format, r, udf_trace.shown, line);
	atomic_store_explicit(&r->seq, udf_trace.head + RING, memory_order_release);
	udf_trace.head++;
	if (line->len)
		fwrite(line->data, 1, line->len, udf_trace.out);
	return true;
}

static bool drain(void)
{
	static struct udf_strbuf line;
	bool found = false;

	pthread_mutex_lock(&udf_trace.lock);
	while (udf_trace.ring && read_one(&line))
		found = true;
	if (udf_trace.out && !found)
		fflush(udf_trace.out);
	pthread_mutex_unlock(&udf_trace.lock);
	return found;
}

static void *reader(void *arg)
{
	const struct timespec period = { .tv_nsec = PERIOD_NS };

	pthread_setname_np(pthread_self(), "udf-trace");
	while (!atomic_load(&udf_trace.stop))
		if (!drain())
			nanosleep(&period, NULL);
	return NULL;
}

void udf_trace_flush(void)
{
	if (!udf_trace.ring)
		return;
	while (drain())
		;
}

/* ---- start and end ---- */

static int open_output(const char *file, struct udf_error *err)
{
	udf_trace.out = file ? fopen(file, "we") : stderr;
	return udf_trace.out ? 0 : udf_error_set(err, -errno, "%s cannot be written: %s", file, strerror(errno));
}

static int make_ring(struct udf_error *err)
{
	void *ring = mmap(NULL, RING * sizeof(*udf_trace.ring), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t i;

	if (ring == MAP_FAILED)
		return udf_error_set(err, -ENOMEM, "no memory for a trace");
	udf_trace.ring = ring;
	for (i = 0; i < RING; i++)
		atomic_store(&udf_trace.ring[i].seq, i);
	atomic_store(&udf_trace.tail, 0);
	atomic_store(&udf_trace.lost, 0);
	udf_trace.head = udf_trace.told = 0;
	return 0;
}

static int start_reader(struct udf_error *err)
{
	sigset_t all, old;
	int ret;

	atomic_store(&udf_trace.stop, false);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = -pthread_create(&udf_trace.thread, NULL, reader, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	udf_trace.running = !ret;
	return ret ? udf_error_set(err, ret, "a thread cannot be started: %s", strerror(-ret)) : 0;
}

static void open_btf(void)
{
	uint64_t start = udf_image_symbol(udf_host.image, "__start_BTF"), end = udf_image_symbol(udf_host.image, "__stop_BTF");

	/* without it, arguments are shown as registers */
	if (start && end > start)
		udf_trace_btf = udf_btf_new((const void *)start, end - start, NULL);
}

int udf_trace_start(const struct udf_trace_config *c, struct udf_error *err)
{
	uint64_t layout = udf_image_kapi_symbol(udf_host.image, "kapi_trace_layout");
	const char *file;
	unsigned int bits;
	int ret;

	if (!c->what)
		return 0;
	if ((ret = udf_trace_check(c, err)) || (ret = udf_trace_parse(c->what, &bits, &file, err)))
		return ret;
	if (!layout)
		return udf_error_set(err, -EINVAL, "the prepared image has no kapi_trace_layout; 'udf image prepare' makes it anew");
	udf_trace.layout = *(const struct host_trace_layout *)layout;
	udf_trace.shown = bits;
	udf_trace.format = udf_trace_format_new(c->format && !strcmp(c->format, "json"), udf_trace_now());
	udf_trace.only = c->only ? strdup(c->only) : NULL;
	if (!udf_trace.format || (c->only && !udf_trace.only))
		return udf_error_set(err, -ENOMEM, "no memory for a trace");
	if (bits & UDF_TRACE_CALLS)
		open_btf();
	if ((ret = open_output(file, err)) || (ret = make_ring(err)) || (ret = start_reader(err)))
		return ret;
	atomic_store(&udf_traced, bits);
	return 0;
}

/* Those behind the last record that found room. */
static void report_last_losses(void)
{
	uint64_t lost = atomic_load(&udf_trace.lost);
	struct udf_strbuf line = UDF_STRBUF_INIT;

	if (!udf_trace.ring || lost == udf_trace.told)
		return;
	udf_trace_format_lost(udf_trace.format, lost - udf_trace.told, udf_trace_now(), &line);
	fputs(udf_strbuf_str(&line), udf_trace.out);
	udf_strbuf_free(&line);
}

void udf_trace_stop(void)
{
	atomic_store(&udf_traced, 0);
	if (udf_trace.running) {
		atomic_store(&udf_trace.stop, true);
		pthread_join(udf_trace.thread, NULL);
		udf_trace.running = false;
	}
	udf_trace_flush();
	pthread_mutex_lock(&udf_trace.lock);
	report_last_losses();
	if (udf_trace.ring)
		munmap(udf_trace.ring, RING * sizeof(*udf_trace.ring));
	udf_trace.ring = NULL;
	if (udf_trace.out && udf_trace.out != stderr)
		fclose(udf_trace.out);
	udf_trace.out = NULL;
	pthread_mutex_unlock(&udf_trace.lock);
	udf_trace_api_end(udf_host.loader);
	udf_trace_format_free(udf_trace.format);
	udf_trace.format = NULL;
	udf_btf_free(udf_trace_btf);
	udf_trace_btf = NULL;
	free(udf_trace.only);
	udf_trace.only = NULL;
}
