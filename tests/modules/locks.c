// SPDX-License-Identifier: GPL-2.0
/* Locks, counters and wake-ups, fought over by several threads at once. */
#include "udf_test.h"

#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/percpu-rwsem.h>
#include <linux/percpu_counter.h>
#include <linux/rwsem.h>
#include <linux/semaphore.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#define THREADS	3

static DEFINE_SPINLOCK(spin);
static DEFINE_RWLOCK(rw);
static DEFINE_MUTEX(mutex);
static DECLARE_RWSEM(rwsem);
static DEFINE_SEMAPHORE(sem);
static DEFINE_SEQLOCK(seq);
static struct percpu_rw_semaphore percpu_sem;
static struct percpu_counter percpu_count;

/* Two halves that only the lock keeps equal: a plain increment would lose updates. */
static struct { unsigned long a, b; } shared;
static atomic_t torn;

static void update(void)
{
	unsigned long a = READ_ONCE(shared.a), b = READ_ONCE(shared.b);

	if (a != b)
		atomic_inc(&torn);
	WRITE_ONCE(shared.a, a + 1);
	cpu_relax();
	WRITE_ONCE(shared.b, b + 1);
}

static void look(void)
{
	if (READ_ONCE(shared.a) != READ_ONCE(shared.b))
		atomic_inc(&torn);
}

struct contest {
	void (*step)(int turn);
	int turns;
	struct completion go, done;
};

static int contend(void *arg)
{
	struct contest *c = arg;
	int i;

	wait_for_completion(&c->go);
	for (i = 0; i < c->turns; i++) {
		c->step(i);
		if (i % 64 == 0)
			cond_resched();
	}
	kthread_complete_and_exit(&c->done, 0);
}

/* THREADS threads, spread over the CPUs, do STEP TURNS times each. */
static void hold_contest(void (*step)(int), int turns)
{
	static struct contest c;	/* outlives this call, should a thread hang */
	int i, cpu = cpumask_first(cpu_online_mask);

	c = (struct contest){ .step = step, .turns = turns };
	init_completion(&c.go);
	init_completion(&c.done);
	shared.a = shared.b = 0;
	atomic_set(&torn, 0);
	for (i = 0; i < THREADS; i++) {
		struct task_struct *t = kthread_create(contend, &c, "udf_lock/%d", i);

		if (!udf_check(!IS_ERR(t)))
			continue;
		kthread_bind(t, cpu);
		wake_up_process(t);
		cpu = cpumask_next(cpu, cpu_online_mask);
		if (cpu >= nr_cpu_ids)
			cpu = cpumask_first(cpu_online_mask);
	}
	complete_all(&c.go);
	for (i = 0; i < THREADS; i++)
		udf_check(wait_for_completion_timeout(&c.done, 2 * UDF_PATIENCE));
	udf_check(atomic_read(&torn) == 0);
}

static void step_spin(int turn)
{
	spin_lock(&spin);
	update();
	spin_unlock(&spin);
}

static void step_spin_irq(int turn)
{
	unsigned long flags;

	if (turn % 3 == 0) {
		spin_lock_bh(&spin);
		update();
		spin_unlock_bh(&spin);
		return;
	}
	spin_lock_irqsave(&spin, flags);
	update();
	spin_unlock_irqrestore(&spin, flags);
}

static void step_trylock(int turn)
{
	while (!spin_trylock(&spin))
		cpu_relax();
	update();
	spin_unlock(&spin);
}

static void step_rwlock(int turn)
{
	if (turn % 4) {
		read_lock(&rw);
		look();
		read_unlock(&rw);
	} else {
		write_lock_irq(&rw);
		update();
		write_unlock_irq(&rw);
	}
}

static void step_seqlock(int turn)
{
	unsigned long a, b;
	unsigned int start;

	if (turn % 4 == 0) {
		write_seqlock(&seq);
		update();
		write_sequnlock(&seq);
		return;
	}
	do {
		start = read_seqbegin(&seq);
		a = READ_ONCE(shared.a);
		b = READ_ONCE(shared.b);
	} while (read_seqretry(&seq, start));
	if (a != b)
		atomic_inc(&torn);
}

static void step_mutex(int turn)
{
	mutex_lock(&mutex);
	update();
	if (turn % 512 == 0)
		usleep_range(10, 20);	/* so that others really sleep on it */
	mutex_unlock(&mutex);
}

static void step_semaphore(int turn)
{
	down(&sem);
	update();
	up(&sem);
}

static void step_rwsem(int turn)
{
	if (turn % 4) {
		down_read(&rwsem);
		look();
		if (turn % 511 == 0)
			usleep_range(10, 20);
		up_read(&rwsem);
	} else {
		down_write(&rwsem);
		update();
		if (turn % 128 == 0) {
			downgrade_write(&rwsem);
			look();
			up_read(&rwsem);
		} else {
			up_write(&rwsem);
		}
	}
}

static void step_percpu_rwsem(int turn)
{
	if (turn % 256) {
		percpu_down_read(&percpu_sem);
		look();
		percpu_up_read(&percpu_sem);
	} else {
		percpu_down_write(&percpu_sem);
		update();
		percpu_up_write(&percpu_sem);
	}
}

static void step_percpu_counter(int turn)
{
	percpu_counter_add(&percpu_count, 3);
	percpu_counter_dec(&percpu_count);
}

static atomic_long_t atomic_sum;
static unsigned long bits;

static void step_atomics(int turn)
{
	long old = atomic_long_read(&atomic_sum);

	while (!atomic_long_try_cmpxchg(&atomic_sum, &old, old + 2))
		cpu_relax();
	atomic_long_dec(&atomic_sum);
	while (test_and_set_bit_lock(7, &bits))
		cpu_relax();
	update();
	clear_bit_unlock(7, &bits);
}

static void spinlocks_exclude(void)
{
	hold_contest(step_spin, 50000);
	udf_check(shared.a == 50000 * THREADS);
	hold_contest(step_spin_irq, 50000);
	udf_check(shared.a == 50000 * THREADS);
}

/* Threads on one CPU must not hold the lock while preempted, hence few turns: a spinner burns its slice. */
static void trylock_excludes(void)
{
	hold_contest(step_trylock, 20000);
	udf_check(shared.a == 20000 * THREADS);
}

static void rwlocks_exclude(void)
{
	hold_contest(step_rwlock, 40000);
	udf_check(shared.a == 10000 * THREADS);
}

static void seqlock_readers_retry(void)
{
	hold_contest(step_seqlock, 40000);
	udf_check(shared.a == 10000 * THREADS);
}

static void mutexes_exclude(void)
{
	hold_contest(step_mutex, 10000);
	udf_check(shared.a == 10000 * THREADS);
	udf_check(!mutex_is_locked(&mutex));
}

static void semaphores_exclude(void)
{
	hold_contest(step_semaphore, 10000);
	udf_check(shared.a == 10000 * THREADS);
}

static void rwsems_exclude(void)
{
	hold_contest(step_rwsem, 10000);
	udf_check(shared.a == 2500 * THREADS);
	udf_check(!rwsem_is_locked(&rwsem));
}

/* Not a static one: RCU has its head for a while after the last writer, and freeing it is what waits for that. */
static void percpu_rwsems_exclude(void)
{
	udf_require(!percpu_init_rwsem(&percpu_sem));
	hold_contest(step_percpu_rwsem, 1024);
	udf_check(shared.a == 4 * THREADS);
	percpu_free_rwsem(&percpu_sem);
}

static void percpu_counters_add_up(void)
{
	udf_require(!percpu_counter_init(&percpu_count, 5, GFP_KERNEL));
	hold_contest(step_percpu_counter, 20000);
	udf_check(percpu_counter_sum(&percpu_count) == 5 + 2 * 20000 * THREADS);
	percpu_counter_destroy(&percpu_count);
}

static void atomics_add_up(void)
{
	atomic_long_set(&atomic_sum, 0);
	hold_contest(step_atomics, 20000);
	udf_check(atomic_long_read(&atomic_sum) == 20000 * THREADS);
	udf_check(shared.a == 20000 * THREADS);
}

struct ping_pong {
	wait_queue_head_t queue;
	int ball;
	struct completion done;
};

static int return_ball(void *arg)
{
	struct ping_pong *p = arg;
	int i;

	for (i = 0; i < 1000; i++) {
		if (!wait_event_timeout(p->queue, READ_ONCE(p->ball) == 1, UDF_PATIENCE))
			break;
		WRITE_ONCE(p->ball, 0);
		wake_up(&p->queue);
	}
	kthread_complete_and_exit(&p->done, 0);
}

static void wait_queues_ping_pong(void)
{
	static struct ping_pong p;
	struct task_struct *t;
	int i;

	p.ball = 0;
	init_waitqueue_head(&p.queue);
	init_completion(&p.done);
	t = kthread_run(return_ball, &p, "udf_pong");
	udf_require(!IS_ERR(t));
	for (i = 0; i < 1000; i++) {
		WRITE_ONCE(p.ball, 1);
		wake_up(&p.queue);
		if (!wait_event_timeout(p.queue, READ_ONCE(p.ball) == 0, UDF_PATIENCE))
			break;
	}
	udf_check(i == 1000);
	udf_check(wait_for_completion_timeout(&p.done, 2 * UDF_PATIENCE));
}

static void waits_time_out(void)
{
	DECLARE_COMPLETION_ONSTACK(never);
	DECLARE_WAIT_QUEUE_HEAD_ONSTACK(queue);
	unsigned long start = jiffies;

	udf_check(wait_for_completion_timeout(&never, 5) == 0);
	udf_check(jiffies - start >= 5);
	start = jiffies;
	udf_check(wait_event_timeout(queue, false, 5) == 0);
	udf_check(jiffies - start >= 5);
	udf_check(wait_for_completion_interruptible_timeout(&never, 2) == 0);
	udf_check(!try_wait_for_completion(&never));
	complete(&never);
	udf_check(completion_done(&never));
	udf_check(wait_for_completion_timeout(&never, 5) > 0);
	udf_check(down_timeout(&sem, 5) == 0);
	udf_check(down_timeout(&sem, 5) == -ETIME);
	up(&sem);
}

static atomic_t awake;
static DECLARE_COMPLETION(waiter_ends);

static int wait_exclusively(void *arg)
{
	wait_queue_head_t *queue = arg;
	DEFINE_WAIT(wait);

	prepare_to_wait_exclusive(queue, &wait, TASK_UNINTERRUPTIBLE);
	atomic_inc(&awake);
	schedule_timeout(UDF_PATIENCE);
	finish_wait(queue, &wait);
	atomic_dec(&awake);
	kthread_complete_and_exit(&waiter_ends, 0);
}

static int in_queue(wait_queue_head_t *queue)
{
	struct wait_queue_entry *entry;
	int n = 0;

	spin_lock_irq(&queue->lock);
	list_for_each_entry(entry, &queue->head, entry)
		n++;
	spin_unlock_irq(&queue->lock);
	return n;
}

static void exclusive_waiters_wake_one_by_one(void)
{
	static DECLARE_WAIT_QUEUE_HEAD(queue);
	int i;

	atomic_set(&awake, 0);
	for (i = 0; i < 3; i++)
		udf_check(!IS_ERR(kthread_run(wait_exclusively, &queue, "udf_waiter/%d", i)));
	udf_check(udf_eventually(in_queue(&queue) == 3));
	wake_up(&queue);
	udf_check(udf_eventually(atomic_read(&awake) == 2));
	udf_check(in_queue(&queue) == 2);
	wake_up_all(&queue);
	for (i = 0; i < 3; i++)
		udf_check(wait_for_completion_timeout(&waiter_ends, UDF_PATIENCE));
	udf_check(atomic_read(&awake) == 0);
	udf_check(!waitqueue_active(&queue));
}

static const struct udf_test tests[] = {
	UDF_TEST(spinlocks_exclude),
	UDF_TEST(trylock_excludes),
	UDF_TEST(rwlocks_exclude),
	UDF_TEST(seqlock_readers_retry),
	UDF_TEST(mutexes_exclude),
	UDF_TEST(semaphores_exclude),
	UDF_TEST(rwsems_exclude),
	UDF_TEST(percpu_rwsems_exclude),
	UDF_TEST(percpu_counters_add_up),
	UDF_TEST(atomics_add_up),
	UDF_TEST(wait_queues_ping_pong),
	UDF_TEST(waits_time_out),
	UDF_TEST(exclusive_waiters_wake_one_by_one),
};

UDF_TEST_MODULE(tests, "UDF test: locks, counters, wait queues");
