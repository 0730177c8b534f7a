// SPDX-License-Identifier: GPL-2.0
/* Static keys and static calls: code that is patched while other CPUs run it. */
#include "udf_test.h"

#include <linux/completion.h>
#include <linux/jump_label.h>
#include <linux/kthread.h>
#include <linux/smp.h>
#include <linux/static_call.h>

static DEFINE_STATIC_KEY_FALSE(off_key);
static DEFINE_STATIC_KEY_TRUE(on_key);
static DEFINE_STATIC_KEY_FALSE(counted_key);

/* Several sites for one key, of both likelihoods. */
static noinline int count_off_key(void)
{
	int n = 0;

	if (static_branch_unlikely(&off_key))
		n++;
	if (static_branch_likely(&off_key))
		n++;
	if (static_branch_unlikely(&off_key))
		n++;
	if (static_branch_likely(&off_key))
		n++;
	return n;
}

static noinline int count_on_key(void)
{
	int n = 0;

	if (static_branch_unlikely(&on_key))
		n++;
	if (static_branch_likely(&on_key))
		n++;
	return n;
}

static void keys_start_as_defined(void)
{
	udf_check(count_off_key() == 0);
	udf_check(count_on_key() == 2);
	udf_check(!static_key_enabled(&off_key) && static_key_enabled(&on_key));
}

static void keys_flip(void)
{
	int i;

	for (i = 0; i < 20; i++) {
		static_branch_enable(&off_key);
		static_branch_disable(&on_key);
		udf_check(count_off_key() == 4);
		udf_check(count_on_key() == 0);
		static_branch_disable(&off_key);
		static_branch_enable(&on_key);
		udf_check(count_off_key() == 0);
		udf_check(count_on_key() == 2);
	}
}

static void keys_count(void)
{
	static_branch_inc(&counted_key);
	static_branch_inc(&counted_key);
	udf_check(static_branch_unlikely(&counted_key));
	static_branch_dec(&counted_key);
	udf_check(static_branch_unlikely(&counted_key));
	static_branch_dec(&counted_key);
	udf_check(!static_branch_unlikely(&counted_key));
}

static atomic_t seen_on, seen_off, runs;

static int run_branches(void *unused)
{
	while (!kthread_should_stop()) {
		int i;

		for (i = 0; i < 1000; i++) {
			int n = count_off_key();

			if (n == 4)
				atomic_inc(&seen_on);
			else if (n == 0)
				atomic_inc(&seen_off);
			atomic_inc(&runs);
		}
		cond_resched();
	}
	return 0;
}

static void see_key(void *expected)
{
	udf_check(count_off_key() == (expected ? 4 : 0));
}

/* Once a flip has returned, every CPU takes the new branch. */
static void keys_flip_while_others_run_them(void)
{
	struct task_struct *t[2];
	int i;

	for (i = 0; i < 2; i++)
		t[i] = kthread_run(run_branches, NULL, "udf_branch/%d", i);
	udf_check(udf_eventually(atomic_read(&seen_off) > 1000));
	for (i = 0; i < 100; i++) {
		static_branch_enable(&off_key);
		on_each_cpu(see_key, (void *)1, 1);
		cond_resched();
		static_branch_disable(&off_key);
		on_each_cpu(see_key, NULL, 1);
	}
	static_branch_enable(&off_key);
	udf_check(udf_eventually(atomic_read(&seen_on) > 1000));
	static_branch_disable(&off_key);
	for (i = 0; i < 2; i++)
		if (udf_check(!IS_ERR(t[i])))
			kthread_stop(t[i]);
	pr_info("udf_test: %s: %d runs, %d on, %d off\n", KBUILD_MODNAME, atomic_read(&runs), atomic_read(&seen_on),
		atomic_read(&seen_off));
}

static int one(int x)
{
	return x + 1;
}

static int two(int x)
{
	return x + 2;
}

DEFINE_STATIC_CALL(step, one);
static atomic_t wrong_steps;

static void static_calls_change(void)
{
	udf_check(static_call(step)(10) == 11);
	static_call_update(step, two);
	udf_check(static_call(step)(10) == 12);
	static_call_update(step, one);
	udf_check(static_call(step)(10) == 11);
}

static noinline int tail_step(int x)
{
	return static_call(step)(x);
}

static int run_steps(void *unused)
{
	while (!kthread_should_stop()) {
		int i;

		for (i = 0; i < 1000; i++) {
			int a = static_call(step)(i), b = tail_step(i);

			if (a < i + 1 || a > i + 2 || b < i + 1 || b > i + 2)
				atomic_inc(&wrong_steps);
		}
		atomic_inc(&runs);
		cond_resched();
	}
	return 0;
}

static void static_calls_change_while_others_run_them(void)
{
	struct task_struct *t[2];
	int i;

	atomic_set(&runs, 0);
	for (i = 0; i < 2; i++)
		t[i] = kthread_run(run_steps, NULL, "udf_step/%d", i);
	udf_check(udf_eventually(atomic_read(&runs) > 10));
	for (i = 0; i < 100; i++) {
		static_call_update(step, two);
		udf_check(tail_step(1) == 3);
		cond_resched();
		static_call_update(step, one);
		udf_check(tail_step(1) == 2);
	}
	for (i = 0; i < 2; i++)
		if (udf_check(!IS_ERR(t[i])))
			kthread_stop(t[i]);
	udf_check(atomic_read(&wrong_steps) == 0);
}

static const struct udf_test tests[] = {
	UDF_TEST(keys_start_as_defined),
	UDF_TEST(keys_flip),
	UDF_TEST(keys_count),
	UDF_TEST(keys_flip_while_others_run_them),
	UDF_TEST(static_calls_change),
	UDF_TEST(static_calls_change_while_others_run_them),
};

UDF_TEST_MODULE(tests, "UDF test: static keys and static calls");
