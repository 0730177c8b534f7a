// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that runs short becomes more, however it is asked for, up to a limit.
 */
#include "udf_test.h"

#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

static LIST_HEAD(held);
static DEFINE_SPINLOCK(held_lock);

static unsigned long total(void)
{
	return NODE_DATA(0)->node_present_pages;
}

static unsigned long unused(void)
{
	struct sysinfo info;

	si_meminfo(&info);
	return info.freeram;
}

/* Pages that know their address. */
static bool hold(gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_pages(gfp, order);
	unsigned long *word, i;

	if (!page)
		return false;
	page->private = order;
	for (i = 0; i < 1ul << order; i++) {
		word = page_address(page + i);
		word[1] = (unsigned long)word;
	}
	spin_lock(&held_lock);
	list_add(&page->lru, &held);
	spin_unlock(&held_lock);
	return true;
}

static void release(void)
{
	struct page *page, *next;
	unsigned long *word, i;

	list_for_each_entry_safe(page, next, &held, lru) {
		unsigned int order = page->private;

		for (i = 0; i < 1ul << order; i++) {
			word = page_address(page + i);
			udf_check(word[1] == (unsigned long)word);
		}
		list_del(&page->lru);
		page->private = 0;
		__free_pages(page, order);
	}
}

/* One by one, by two threads at a time, each as much as there was at first. */
static int holder(void *arg)
{
	unsigned long n = total() * 2 / 3;

	while (n-- && hold(GFP_KERNEL, 0))
		cond_resched();
	*(long *)arg = n == -1ul;
	while (!kthread_should_stop())
		msleep(1);
	return 0;
}

static void pages_of_two_threads(void)
{
	unsigned long before = total();
	long enough[2] = { -1, -1 };
	struct task_struct *t[2];
	int i;

	for (i = 0; i < 2; i++)
		t[i] = kthread_run(holder, &enough[i], "udf-holder");
	for (i = 0; i < 2; i++) {
		while (READ_ONCE(enough[i]) < 0)
			msleep(1);
		kthread_stop(t[i]);
		udf_check(enough[i] == 1);
	}
	udf_check(total() > before);
	release();
	udf_check(unused() > before / 2);
}

static void large_blocks(void)
{
	unsigned long before = total(), n;

	for (n = 0; n <= before; n += 1 << 10)
		udf_require(hold(GFP_KERNEL | __GFP_NORETRY, 10));
	udf_check(total() > before);
	release();
}

static void vmalloc_of_all(void)
{
	unsigned long size = total() * PAGE_SIZE + (4ul << 20), i, bad = 0;
	char *p = vmalloc(size);

	udf_require(p);
	for (i = 0; i < size; i += PAGE_SIZE)
		*(unsigned long *)(p + i) = i;
	for (i = 0; i < size; i += PAGE_SIZE)
		bad += *(unsigned long *)(p + i) != i;
	udf_check(!bad);
	vfree(p);
}

/* Who cannot wait gets it when kswapd has seen to it. */
static void atomic_pages(void)
{
	unsigned long before = total(), n, failed = 0;

	for (n = 0; n <= before && failed < 1000; ) {
		bool done;

		spin_lock_bh(&held_lock);
		spin_unlock_bh(&held_lock);
		preempt_disable();
		done = hold(GFP_ATOMIC | __GFP_NOWARN, 0);
		preempt_enable();
		n += done;
		failed += !done;
		if (!done)
			msleep(1);
	}
	udf_check(n > before && total() > before);
	release();
}

/* And then it fails, and does no harm. */
static void it_ends(void)
{
	unsigned long size;

	while (hold(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, 4))
		cond_resched();
	size = total();
	udf_check(!hold(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, 10));
	udf_check(total() == size && size >= totalram_pages() && size - totalram_pages() < 512);
	release();
	udf_check(unused() > size / 2);
	udf_check(hold(GFP_KERNEL, 10));
	release();
}

static const struct udf_test tests[] = {
	UDF_TEST(pages_of_two_threads),
	UDF_TEST(large_blocks),
	UDF_TEST(vmalloc_of_all),
	UDF_TEST(atomic_pages),
	UDF_TEST(it_ends),
};

UDF_TEST_MODULE(tests, "UDF test: memory that grows");
