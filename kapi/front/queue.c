// SPDX-License-Identifier: GPL-2.0
/*
 * Rings and the kernel threads that serve them, one thread for each vCPU. Kernel world.
 *
 *   kapi_front_pend() --wakes--> udf-front/N: take entries of all rings of vCPU N under one plug --> bios
 *   bi_end_io, any vCPU -------> kapi_queue_complete(): post under the ring's lock --> host_front_notify()
 *
 * A thread of the application may drive the vCPU while it waits (host_front_turn()): then the kernel thread takes turns with it, and neither
 * is woken by the other. Reads and writes of such an application are polled for if their driver can (REQ_POLLED).
 *
 * A ring is in its vCPU's array from attach to detach; only the thread takes it out, so it needs no lock to go through them.
 */
#include <linux/blk-mq.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/stat.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "contract.h"
#include "kapi_front.h"

#define BATCH 32	/* entries of one ring before the next ring has its turn */
#define GATHERED 32	/* completions before they are posted in any case */
#define BURST 16	/* looks at the devices, of some 100 ns each, before anything else has its turn */
#define POLLS 1250	/* fruitless bursts before the thread sleeps between two of them */

struct kapi_queue {
	/* The thread's. */
	struct udf_ring ring;		/* its .cq belongs to whoever holds the lock */
	struct kapi_request *ready;	/* free requests that the thread has to itself */
	unsigned int cpu, slot;
	bool closing, broken;
	struct kapi_queue_traits traits;
	struct list_head polled;	/* requests that are polled for, until they are reclaimed */
	unsigned int nr_polled;
	const char *lists;		/* of segments; NULL: in the domain's memory */
	unsigned long lists_size;

	raw_spinlock_t lock ____cacheline_aligned;	/* completions and the list of freed requests */
	struct kapi_request *freed;
	unsigned long cookie;
	struct llist_node due;		/* its owner is to be told at the end of a run */
	unsigned long is_due;
	atomic_t in_flight;		/* 1 more while attached, and while due */
	struct completion stopped, drained;
	struct kapi_request *requests;
};

struct front_cpu {
	struct task_struct *task;
	unsigned int nr;		/* slots of QUEUES that have been used */
	unsigned int nr_polled;		/* of all queues */
	unsigned int gathering;		/* kapi_front_gather() calls that have not ended */
	unsigned int nr_done;		/* about how many there are in DONE */
	struct llist_head done;		/* completions that are gathered */
	struct llist_head due;		/* queues whose owners are to be told */
	struct kapi_queue *queues[HOST_FRONT_QUEUES];
};

static struct front_cpu cpus[HOST_CPUS_MAX];
static DEFINE_MUTEX(attach_lock);

static void queue_put_many(struct kapi_queue *q, int n)
{
	if (atomic_sub_and_test(n, &q->in_flight))
		complete(&q->drained);
}

static void queue_put(struct kapi_queue *q)
{
	queue_put_many(q, 1);
}

static void tell_due(struct front_cpu *c)
{
	struct kapi_queue *q, *next;

	llist_for_each_entry_safe(q, next, llist_del_all(&c->due), due) {
		clear_bit(0, &q->is_due);
		smp_mb__after_atomic();	/* what is posted from now on makes it due again */
		host_front_notify(q->cookie);
		queue_put(q);
	}
}

/* First free, then show: who sees a completion may send the next request at once. */
static void put(struct kapi_queue *q, struct kapi_request *r, int result)
{
	unsigned long user_data = r->sqe.user_data;
	unsigned int value = 0;

	if (r->sqe.op == UDF_RING_ZONE_WHERE && !result)
		value = r->sqe.length;
	WRITE_ONCE(r->sqe.op, 0);	/* see writes() */
	r->next = q->freed;
	q->freed = r;
	udf_ring_put_value(&q->ring, user_data, result, value);
}

/* From NODE on, those of the first one's queue and disk, under one lock. Returns the next one. */
static struct llist_node *post_some(struct llist_node *node, bool *notified)
{
	struct kapi_request *r = llist_entry(node, struct kapi_request, done);
	struct kapi_queue *q = r->queue;
	struct kapi_disk *disk = r->disk;
	unsigned long flags;
	unsigned int n = 0;
	bool notify;

	raw_spin_lock_irqsave(&q->lock, flags);
	do {
		node = node->next;
		put(q, r, r->result);
		n++;
		r = llist_entry(node, struct kapi_request, done);
	} while (node && r->queue == q && r->disk == disk);
	notify = udf_ring_show(&q->ring, n);
	raw_spin_unlock_irqrestore(&q->lock, flags);

	if (disk)
		kapi_disk_put_many(disk, n);
	if (notify) {
		host_front_notify(q->cookie);
		*notified = true;
	}
	queue_put_many(q, n);
	return node;
}

/* The end of a run. An interrupt in the midst of this may post and tell before us. */
static void ring(struct front_cpu *c)
{
	struct llist_node *node;
	bool notified = false;

	if (!llist_empty(&c->due))
		tell_due(c);
	if (llist_empty(&c->done))
		return;
	WRITE_ONCE(c->nr_done, 0);
	for (node = llist_reverse_order(llist_del_all(&c->done)); node;)
		node = post_some(node, &notified);
	if (notified)
		host_front_ring();
}

void kapi_front_gather(bool begin)
{
	struct front_cpu *c = &cpus[smp_processor_id()];

	if (begin)
		c->gathering++;
	else if (!--c->gathering)
		ring(c);
}

/* A completion that is posted and told of with others, at the end of a run of interrupts. A task does not wait for more: it may have to for long. */
static void gather(struct kapi_request *r, int result)
{
	struct front_cpu *c;

	r->result = result;
	preempt_disable();
	c = &cpus[smp_processor_id()];
	llist_add(&r->done, &c->done);
	WRITE_ONCE(c->nr_done, c->nr_done + 1);
	if (c->nr_done >= GATHERED || !c->gathering)
		ring(c);
	preempt_enable();
}

/* An owner that sleeps is told at the end of a run, too, but by a call of its own. */
static void tell(struct kapi_queue *q)
{
	struct front_cpu *c;

	preempt_disable();
	c = &cpus[smp_processor_id()];
	if (!c->gathering) {
		host_front_notify(q->cookie);
	} else if (!test_and_set_bit(0, &q->is_due)) {
		atomic_inc(&q->in_flight);
		llist_add(&q->due, &c->due);
	}
	preempt_enable();
}

void kapi_queue_complete(struct kapi_request *r, int result)
{
	struct kapi_queue *q = r->queue;
	unsigned long flags;
	bool notify;

	if (r->list)
		kfree(r->list);
	if (r->traits->gathered) {
		gather(r, result);
		return;
	}
	if (r->disk && !r->polled)
		kapi_disk_put(r->disk);

	raw_spin_lock_irqsave(&q->lock, flags);
	put(q, r, result);
	notify = udf_ring_show(&q->ring, 1);
	raw_spin_unlock_irqrestore(&q->lock, flags);

	if (notify)
		tell(q);
	queue_put(q);
}

/* Make freed requests ready. One that was polled for has kept its disk, since the thread may have been asking it. */
static void reclaim(struct kapi_queue *q)
{
	struct kapi_request *r, *next;
	unsigned long flags;

	raw_spin_lock_irqsave(&q->lock, flags);
	r = q->freed;
	q->freed = NULL;
	raw_spin_unlock_irqrestore(&q->lock, flags);
	for (; r; r = next) {
		next = r->next;
		if (r->polled) {
			list_del(&r->poll);
			q->nr_polled--;
			cpus[q->cpu].nr_polled--;
			r->polled = false;
			if (r->again) {
				queue_work(kapi_front_wq, &r->work);
				continue;
			}
			kapi_disk_put(r->disk);
		}
		r->next = q->ready;
		q->ready = r;
	}
}

void kapi_queue_again(struct kapi_request *r)
{
	struct kapi_queue *q = r->queue;
	unsigned long flags;

	r->again = true;
	if (!r->polled) {
		queue_work(kapi_front_wq, &r->work);
		return;
	}
	/* the thread takes it off its list first */
	raw_spin_lock_irqsave(&q->lock, flags);
	r->next = q->freed;
	q->freed = r;
	raw_spin_unlock_irqrestore(&q->lock, flags);
}

const struct udf_ring_segment *kapi_queue_list(const struct kapi_queue *q, unsigned long addr, unsigned int n)
{
	unsigned long len = n * sizeof(struct udf_ring_segment);

	if (addr % sizeof(unsigned long))
		return NULL;
	if (!q->lists)
		return (const struct udf_ring_segment *)kapi_memory(q->traits.domain, addr, len);
	return len <= q->lists_size && addr <= q->lists_size - len ? (const struct udf_ring_segment *)(q->lists + addr) : NULL;
}

static struct kapi_request *request_get(struct kapi_queue *q)
{
	struct kapi_request *r;

	if (!q->ready)
		reclaim(q);
	r = q->ready;
	if (r)
		q->ready = r->next;
	return r;
}

static void queue_break(struct kapi_queue *q, const char *why)
{
	q->broken = true;
	pr_err("udf: a front-end ring on CPU %u is broken (%s); no more requests are taken from it\n", q->cpu, why);
}

/* Take at most BATCH requests. Returns whether there were any. */
static bool queue_run(struct kapi_queue *q)
{
	struct kapi_request *r;
	unsigned int n;
	int got;

	for (n = 0; n < BATCH && udf_ring_peek(&q->ring) && !q->broken; n++) {
		r = request_get(q);
		if (!r) {
			queue_break(q, "more requests in flight than it has entries");
			break;
		}
		got = udf_ring_take(&q->ring, &r->sqe);
		if (got <= 0) {
			r->next = q->ready;
			q->ready = r;
			if (got < 0)
				queue_break(q, "its indices make no sense");
			break;
		}
		atomic_inc(&q->in_flight);
		kapi_request_start(r);
	}
	return n > 0;
}

bool kapi_queue_poll(struct kapi_request *r)
{
	struct kapi_queue *q = r->queue;

	if (!test_bit(QUEUE_FLAG_POLL, &bdev_get_queue(r->disk->bdev)->queue_flags))
		return false;
	r->polled = true;
	list_add_tail(&r->poll, &q->polled);
	q->nr_polled++;
	cpus[q->cpu].nr_polled++;
	return true;
}

/*
 * Ask the device of the request that is in flight for longest, and of another one next time if nothing has come: they may be of several
 * disks. What the block layer had to divide is not polled for after all: its interrupt comes.
 */
static void queue_poll(struct kapi_queue *q)
{
	DEFINE_IO_COMP_BATCH(batch);

	bio_poll(&list_first_entry(&q->polled, struct kapi_request, poll)->bio, &batch, BLK_POLL_ONESHOT);
	if (!rq_list_empty(batch.req_list))
		batch.complete(&batch);
	if (READ_ONCE(q->freed))
		reclaim(q);
	else
		list_rotate_left(&q->polled);
}

/* Look once at each queue. Returns whether a ring has something new. */
static bool poll_once(struct front_cpu *c)
{
	bool more = false;
	unsigned int i;

	for (i = 0; i < c->nr; i++) {
		struct kapi_queue *q = READ_ONCE(c->queues[i]);

		if (q && q->nr_polled)
			queue_poll(q);
		more |= q && udf_ring_peek(&q->ring);
	}
	cpu_relax();	/* the device's model may be on the other thread of the core */
	return more;
}

/* Look for completions of what is polled for until there is one, or something else to do. */
static void poll_all(struct front_cpu *c)
{
	unsigned int before = c->nr_polled, burst;

	for (burst = 0; burst < BURST && before && c->nr_polled == before && !poll_once(c) && !need_resched(); burst++)
		;
}

/* How many requests a turn takes, at most: the block layer allocates so many at once. */
static unsigned int count_all(const struct front_cpu *c)
{
	unsigned int n = 0, i;

	for (i = 0; i < c->nr; i++) {
		struct kapi_queue *q = READ_ONCE(c->queues[i]);

		n += q ? min_t(unsigned int, udf_ring_pending(&q->ring), BATCH) : 0;
	}
	return n;
}

/* One turn through the rings of this vCPU. Returns whether anything was done. */
static bool run_all(struct front_cpu *c)
{
	struct blk_plug plug;
	bool busy = false;
	unsigned int i;

	blk_start_plug_nr_ios(&plug, count_all(c));
	for (i = 0; i < c->nr; i++) {
		struct kapi_queue *q = READ_ONCE(c->queues[i]);

		if (!q || (READ_ONCE(q->closing) && q->nr_polled))
			continue;
		if (READ_ONCE(q->closing)) {
			WRITE_ONCE(c->queues[i], NULL);
			complete(&q->stopped);
		} else if (queue_run(q)) {
			busy = true;
		}
	}
	blk_finish_plug(&plug);
	ring(c);
	return busy;
}

/*
 * Before sleeping: ask every producer for a wake-up. Returns whether one of them has something already. IN_FLIGHT: whether requests of this
 * vCPU's rings are.
 */
static bool wait_all(struct front_cpu *c, bool *in_flight)
{
	bool busy = false;
	unsigned int i;

	*in_flight = false;

	for (i = 0; i < c->nr; i++) {
		struct kapi_queue *q = READ_ONCE(c->queues[i]);

		if (!q)
			continue;
		/* the kernel's rings are the host's to look at, and to ask for a wake-up */
		if (READ_ONCE(q->closing) || (!q->broken && (q->traits.gathered ? udf_ring_peek(&q->ring) : udf_ring_wait_sq(&q->ring))))
			busy = true;
		if (atomic_read(&q->in_flight) > 1)
			*in_flight = true;
	}
	return busy;
}

static void sleep(struct front_cpu *c, long timeout)
{
	bool in_flight;

	set_current_state(TASK_IDLE);
	if (!wait_all(c, &in_flight))
		schedule_timeout(timeout);
	__set_current_state(TASK_RUNNING);
}

static int front_thread(void *data)
{
	struct front_cpu *c = data;
	unsigned int last = 0, polls = 0;

	for (;;) {
		bool busy = run_all(c), in_flight, idle = !wait_all(c, &in_flight) && !busy;
		unsigned int polled = c->nr_polled;

		polls = idle && polled == last ? polls + 1 : 0;
		last = polled;
		/* others want this vCPU: they get it before the application does */
		if (idle && !single_task_running())
			polled ? yield() : sleep(c, MAX_SCHEDULE_TIMEOUT);
		else if (host_front_turn((idle && !polled ? HOST_TURN_WAIT : 0) | (in_flight ? 0 : HOST_TURN_SEND)))
			polls = 0;
		else if (idle && (!polled || polls > POLLS))
			sleep(c, polled ? 1 : MAX_SCHEDULE_TIMEOUT);
		cond_resched();
		poll_all(c);
		ring(c);
	}
	return 0;
}

void kapi_front_pend(void)
{
	struct task_struct *task = READ_ONCE(cpus[smp_processor_id()].task);

	if (task)
		wake_up_process(task);
}

bool kapi_front_busy(unsigned int cpu)
{
	unsigned int i;

	for (i = 0; i < HOST_FRONT_QUEUES; i++) {
		struct kapi_queue *q = READ_ONCE(cpus[cpu].queues[i]);

		if (q && udf_ring_peek(&q->ring) && !q->broken)
			return true;
	}
	return false;
}

void kapi_queues_init(void)
{
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		struct task_struct *task = kthread_create_on_cpu(front_thread, &cpus[cpu], cpu, "udf-front/%u");

		BUG_ON(IS_ERR(task));
		WRITE_ONCE(cpus[cpu].task, task);
		wake_up_process(task);
	}
}

static struct kapi_queue *queue_new(struct host_front_command *c)
{
	struct kapi_queue *q = kzalloc(sizeof(*q), GFP_KERNEL);
	unsigned int i, n;

	if (!q)
		return ERR_PTR(-ENOMEM);
	if (udf_ring_attach(&q->ring, c->ring, c->ring_size)) {
		kfree(q);
		return ERR_PTR(-EINVAL);
	}
	n = q->ring.mask + 1;
	q->requests = kvcalloc(n, sizeof(*q->requests), GFP_KERNEL);
	if (!q->requests) {
		kfree(q);
		return ERR_PTR(-ENOMEM);
	}
	for (i = 0; i < n; i++) {
		struct kapi_request *r = &q->requests[i];

		r->queue = q;
		r->traits = &q->traits;
		r->next = q->ready;
		q->ready = r;
		INIT_WORK(&r->work, kapi_request_slow);
	}
	raw_spin_lock_init(&q->lock);
	INIT_LIST_HEAD(&q->polled);
	q->traits.polls = c->flags & HOST_FRONT_POLLED;
	q->traits.gathered = c->flags & HOST_FRONT_GATHERED;
	q->traits.nr_polled = &cpus[c->cpu].nr_polled;
	q->traits.domain = kapi_domain_get(c->domain);
	atomic_set(&q->in_flight, 1);
	init_completion(&q->stopped);
	init_completion(&q->drained);
	q->cpu = c->cpu;
	q->cookie = c->cookie;
	q->lists = c->lists;
	q->lists_size = c->lists_size;
	return q;
}

static void queue_free(struct kapi_queue *q)
{
	kvfree(q->requests);
	kfree(q);
}

int kapi_queue_attach(struct host_front_command *c)
{
	struct kapi_queue *q;
	int err = -EBUSY;
	unsigned int i;

	if (c->cpu >= HOST_CPUS_MAX || !cpus[c->cpu].task || c->flags & ~(HOST_FRONT_POLLED | HOST_FRONT_GATHERED) ||
	    c->flags == (HOST_FRONT_POLLED | HOST_FRONT_GATHERED) || c->domain >= HOST_FRONT_DOMAINS ||
	    (unsigned long)c->lists % sizeof(unsigned long))
		return -EINVAL;
	q = queue_new(c);
	if (IS_ERR(q))
		return PTR_ERR(q);

	mutex_lock(&attach_lock);
	for (i = 0; i < HOST_FRONT_QUEUES; i++) {
		if (cpus[c->cpu].queues[i])
			continue;
		q->slot = i;
		c->queue = 1 + c->cpu * HOST_FRONT_QUEUES + i;
		smp_store_release(&cpus[c->cpu].queues[i], q);
		if (i >= cpus[c->cpu].nr)
			WRITE_ONCE(cpus[c->cpu].nr, i + 1);
		wake_up_process(cpus[c->cpu].task);	/* it asks for the first wake-up */
		err = 0;
		break;
	}
	mutex_unlock(&attach_lock);
	if (err)
		queue_free(q);
	return err;
}

/* Whether requests are in flight that change what is on a disk. */
static bool writes(const struct kapi_queue *q)
{
	unsigned int i;

	for (i = 0; i <= q->ring.mask; i++) {
		unsigned int op = READ_ONCE(q->requests[i].sqe.op);

		if (op && kapi_op_writes(op))
			return true;
	}
	return false;
}

static void drain(struct kapi_queue *q)
{
	if (!atomic_dec_and_test(&q->in_flight))
		wait_for_completion(&q->drained);
	queue_free(q);
}

int kapi_queue_drain(unsigned long handle)
{
	if (!handle)
		return -EINVAL;
	drain((struct kapi_queue *)handle);
	return 0;
}

int kapi_queue_detach(struct host_front_command *c)
{
	unsigned long id = c->queue;
	unsigned int cpu = (id - 1) / HOST_FRONT_QUEUES, slot = (id - 1) % HOST_FRONT_QUEUES;
	struct kapi_queue *q = NULL;

	if (!id || id > HOST_CPUS_MAX * HOST_FRONT_QUEUES || c->flags & ~HOST_FRONT_WRITES)
		return -EINVAL;
	mutex_lock(&attach_lock);
	q = cpus[cpu].queues[slot];
	if (q && q->closing)
		q = NULL;
	if (q)
		WRITE_ONCE(q->closing, true);
	mutex_unlock(&attach_lock);
	if (!q)
		return -EINVAL;

	wake_up_process(cpus[cpu].task);
	wait_for_completion(&q->stopped);
	if (!(c->flags & HOST_FRONT_WRITES)) {
		drain(q);
		return 0;
	}
	/* nobody is told of the last one: that would cost each request something, and this happens once in an application's life */
	while (writes(q))
		schedule_timeout_uninterruptible(1);
	c->addr = (unsigned long)q;
	return 0;
}
