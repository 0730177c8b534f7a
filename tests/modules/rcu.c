// SPDX-License-Identifier: GPL-2.0
/* RCU and SRCU: a reader never sees an object after its grace period has ended. */
#include "udf_test.h"

#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/srcu.h>

#define ALIVE	0x11223344
#define DEAD	0x6b6b6b6b
#define READERS	3

struct object {
	struct rcu_head rcu;
	u32 state;
};

DEFINE_STATIC_SRCU(srcu);
static struct object __rcu *shared;
static atomic_t reads, dead_reads, freed;

/* A reader stays inside its section for a while, at times across a reschedule (SRCU only), and looks again. */
static int read_rcu(void *unused)
{
	while (!kthread_should_stop()) {
		struct object *o;

		rcu_read_lock();
		o = rcu_dereference(shared);
		if (READ_ONCE(o->state) != ALIVE)
			atomic_inc(&dead_reads);
		udelay(5);
		if (READ_ONCE(o->state) != ALIVE)
			atomic_inc(&dead_reads);
		rcu_read_unlock();
		if (atomic_inc_return(&reads) % 16 == 0)
			cond_resched();
	}
	return 0;
}

static int read_srcu(void *unused)
{
	while (!kthread_should_stop()) {
		int index = srcu_read_lock(&srcu);
		struct object *o = srcu_dereference(shared, &srcu);

		if (READ_ONCE(o->state) != ALIVE)
			atomic_inc(&dead_reads);
		if (atomic_inc_return(&reads) % 8 == 0)
			usleep_range(20, 40);
		if (READ_ONCE(o->state) != ALIVE)
			atomic_inc(&dead_reads);
		srcu_read_unlock(&srcu, index);
		cond_resched();
	}
	return 0;
}

static struct object *new_object(void)
{
	struct object *o = kzalloc(sizeof(*o), GFP_KERNEL);

	if (o)
		o->state = ALIVE;
	return o;
}

static void bury(struct rcu_head *head)
{
	struct object *o = container_of(head, struct object, rcu);

	WRITE_ONCE(o->state, DEAD);
	kfree(o);
	atomic_inc(&freed);
}

static struct object *replace_shared(void)
{
	struct object *o = new_object();

	if (!udf_check(o))
		return NULL;
	return rcu_replace_pointer(shared, o, true);
}

/* Run READ in several threads while WRITE replaces the shared object UPDATES times. */
static void torture(int (*read)(void *), void (*write)(void), int updates)
{
	struct task_struct *reader[READERS];
	int i;

	atomic_set(&reads, 0);
	atomic_set(&dead_reads, 0);
	RCU_INIT_POINTER(shared, new_object());
	udf_require(rcu_access_pointer(shared));
	for (i = 0; i < READERS; i++)
		reader[i] = kthread_run(read, NULL, "udf_reader/%d", i);
	udf_check(udf_eventually(atomic_read(&reads) > 100));
	for (i = 0; i < updates; i++)
		write();
	udf_check(udf_eventually(atomic_read(&reads) > 1000));
	for (i = 0; i < READERS; i++)
		if (udf_check(!IS_ERR(reader[i])))
			kthread_stop(reader[i]);
	kfree(rcu_replace_pointer(shared, NULL, true));
	udf_check(atomic_read(&dead_reads) == 0);
}

static void write_call_rcu(void)
{
	struct object *old = replace_shared();

	if (old)
		call_rcu(&old->rcu, bury);
	cond_resched();
}

static void write_synchronize_rcu(void)
{
	struct object *old = replace_shared();

	synchronize_rcu();
	if (old)
		bury(&old->rcu);
}

static void write_expedited(void)
{
	struct object *old = replace_shared();

	synchronize_rcu_expedited();
	if (old)
		bury(&old->rcu);
}

static void write_kfree_rcu(void)
{
	struct object *old = replace_shared();

	if (old)
		kfree_rcu(old, rcu);
}

static void write_call_srcu(void)
{
	struct object *old = replace_shared();

	if (old)
		call_srcu(&srcu, &old->rcu, bury);
	usleep_range(50, 100);
}

static void write_synchronize_srcu(void)
{
	struct object *old = replace_shared();

	synchronize_srcu(&srcu);
	if (old)
		bury(&old->rcu);
}

static void call_rcu_frees_later(void)
{
	atomic_set(&freed, 0);
	torture(read_rcu, write_call_rcu, 500);
	rcu_barrier();
	udf_check(atomic_read(&freed) == 500);
}

static void synchronize_rcu_waits(void)
{
	torture(read_rcu, write_synchronize_rcu, 5);
}

static void expedited_waits(void)
{
	torture(read_rcu, write_expedited, 20);
}

static void kfree_rcu_waits(void)
{
	torture(read_rcu, write_kfree_rcu, 200);
	rcu_barrier();
}

static void call_srcu_frees_later(void)
{
	atomic_set(&freed, 0);
	torture(read_srcu, write_call_srcu, 200);
	srcu_barrier(&srcu);
	udf_check(atomic_read(&freed) == 200);
}

static void synchronize_srcu_waits(void)
{
	torture(read_srcu, write_synchronize_srcu, 5);
}

static DECLARE_COMPLETION(in_section);
static DECLARE_COMPLETION(holder_ends);
static atomic_t section_left;

static int hold_section(void *unused)
{
	rcu_read_lock();
	complete(&in_section);
	mdelay(30);
	atomic_set(&section_left, 1);
	rcu_read_unlock();
	kthread_complete_and_exit(&holder_ends, 0);
}

/* The reader is inside before the writer begins to wait. */
static void grace_period_outlasts_its_readers(void)
{
	struct task_struct *holder;

	atomic_set(&section_left, 0);
	holder = kthread_run(hold_section, NULL, "udf_holder");
	udf_require(!IS_ERR(holder));
	udf_check(wait_for_completion_timeout(&in_section, UDF_PATIENCE));
	synchronize_rcu();
	udf_check(atomic_read(&section_left));
	udf_check(wait_for_completion_timeout(&holder_ends, UDF_PATIENCE));
}

static void dynamic_srcu_is_cleaned_up(void)
{
	struct srcu_struct dynamic;
	int index;

	udf_require(!init_srcu_struct(&dynamic));
	index = srcu_read_lock(&dynamic);
	srcu_read_unlock(&dynamic, index);
	synchronize_srcu(&dynamic);
	synchronize_srcu_expedited(&dynamic);
	cleanup_srcu_struct(&dynamic);
}

static const struct udf_test tests[] = {
	UDF_TEST(grace_period_outlasts_its_readers),
	UDF_TEST(call_rcu_frees_later),
	UDF_TEST(synchronize_rcu_waits),
	UDF_TEST(expedited_waits),
	UDF_TEST(kfree_rcu_waits),
	UDF_TEST(call_srcu_frees_later),
	UDF_TEST(synchronize_srcu_waits),
	UDF_TEST(dynamic_srcu_is_cleaned_up),
};

UDF_TEST_MODULE(tests, "UDF test: RCU and SRCU");
