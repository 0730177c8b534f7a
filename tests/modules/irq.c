// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts: hard, threaded and shared handlers. The interrupt is a descriptor without hardware, whose flow handler this
 * module calls itself from an irq_work, that is in real interrupt context.
 */
#include "udf_test.h"

#include <linux/completion.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irq_work.h>

static int irq;
static struct irq_work trigger;
static atomic_t hard, hard_in_irq, threaded, thread_in_task, second;
static struct completion thread_started, thread_may_end;
static int cookie, other_cookie;

static void raise(struct irq_work *work)
{
	generic_handle_irq(irq);
}

static void fire(void)
{
	irq_work_queue(&trigger);
	irq_work_sync(&trigger);
}

static irqreturn_t count_hard(int number, void *dev)
{
	atomic_inc(&hard);
	if (number == irq && in_hardirq() && irqs_disabled())
		atomic_inc(&hard_in_irq);
	return IRQ_HANDLED;
}

static irqreturn_t wake_thread(int number, void *dev)
{
	atomic_inc(&hard);
	return IRQ_WAKE_THREAD;
}

static irqreturn_t count_thread(int number, void *dev)
{
	if (!in_interrupt() && !irqs_disabled() && (current->flags & PF_KTHREAD))
		atomic_inc(&thread_in_task);
	usleep_range(50, 100);		/* a thread may sleep */
	atomic_inc(&threaded);
	return IRQ_HANDLED;
}

static irqreturn_t not_mine(int number, void *dev)
{
	atomic_inc(&second);
	return IRQ_NONE;
}

static irqreturn_t linger(int number, void *dev)
{
	complete(&thread_started);
	wait_for_completion_timeout(&thread_may_end, UDF_PATIENCE);
	msleep(5);
	atomic_inc(&threaded);
	return IRQ_HANDLED;
}

static void reset_counts(void)
{
	atomic_set(&hard, 0);
	atomic_set(&hard_in_irq, 0);
	atomic_set(&threaded, 0);
	atomic_set(&thread_in_task, 0);
	atomic_set(&second, 0);
	init_completion(&thread_started);
	init_completion(&thread_may_end);
}

static bool new_irq(void)
{
	reset_counts();
	init_irq_work(&trigger, raise);
	irq = irq_alloc_desc(NUMA_NO_NODE);
	if (!udf_check(irq > 0))
		return false;
	irq_set_chip_and_handler(irq, &dummy_irq_chip, handle_simple_irq);
	irq_modify_status(irq, IRQ_NOREQUEST, IRQ_NOPROBE);
	return true;
}

static void hard_handler_runs(void)
{
	int i;

	if (!new_irq())
		return;
	if (udf_check(!request_irq(irq, count_hard, 0, "udf_hard", &cookie))) {
		for (i = 0; i < 100; i++)
			fire();
		udf_check(atomic_read(&hard) == 100);
		udf_check(atomic_read(&hard_in_irq) == 100);
		udf_check(request_irq(irq, count_hard, 0, "udf_again", &other_cookie) == -EBUSY);
		free_irq(irq, &cookie);
	}
	irq_free_desc(irq);
}

static void threaded_handler_runs(void)
{
	int i;

	if (!new_irq())
		return;
	if (udf_check(!request_threaded_irq(irq, wake_thread, count_thread, 0, "udf_thread", &cookie))) {
		for (i = 1; i <= 20; i++) {
			fire();
			udf_check(udf_eventually(atomic_read(&threaded) == i));
		}
		udf_check(atomic_read(&hard) == 20);
		udf_check(atomic_read(&thread_in_task) == 20);
		free_irq(irq, &cookie);
	}
	irq_free_desc(irq);
}

static void shared_handlers_all_run(void)
{
	if (!new_irq())
		return;
	if (udf_check(!request_irq(irq, not_mine, IRQF_SHARED, "udf_second", &other_cookie))) {
		if (udf_check(!request_irq(irq, count_hard, IRQF_SHARED, "udf_first", &cookie))) {
			fire();
			fire();
			udf_check(atomic_read(&hard) == 2 && atomic_read(&second) == 2);
			free_irq(irq, &cookie);
			fire();
			udf_check(atomic_read(&hard) == 2 && atomic_read(&second) == 3);
		}
		free_irq(irq, &other_cookie);
	}
	irq_free_desc(irq);
}

static void disabled_irq_is_delivered_later(void)
{
	if (!new_irq())
		return;
	if (udf_check(!request_irq(irq, count_hard, 0, "udf_disable", &cookie))) {
		disable_irq(irq);
		disable_irq(irq);	/* it nests */
		fire();
		udf_check(atomic_read(&hard) == 0);
		enable_irq(irq);
		udf_check(atomic_read(&hard) == 0);
		enable_irq(irq);
		udf_check(udf_eventually(atomic_read(&hard) == 1));
		fire();
		udf_check(atomic_read(&hard) == 2);
		free_irq(irq, &cookie);
	}
	irq_free_desc(irq);
}

static void synchronize_waits_for_the_thread(void)
{
	if (!new_irq())
		return;
	if (udf_check(!request_threaded_irq(irq, wake_thread, linger, 0, "udf_sync", &cookie))) {
		fire();
		udf_check(wait_for_completion_timeout(&thread_started, UDF_PATIENCE));
		udf_check(atomic_read(&threaded) == 0);
		complete(&thread_may_end);
		synchronize_irq(irq);
		udf_check(atomic_read(&threaded) == 1);
		free_irq(irq, &cookie);
	}
	irq_free_desc(irq);
}

static void free_irq_waits_for_the_thread(void)
{
	if (!new_irq())
		return;
	if (udf_check(!request_threaded_irq(irq, wake_thread, linger, 0, "udf_free", &cookie))) {
		fire();
		udf_check(wait_for_completion_timeout(&thread_started, UDF_PATIENCE));
		complete(&thread_may_end);
		free_irq(irq, &cookie);
		udf_check(atomic_read(&threaded) == 1);
	}
	irq_free_desc(irq);
}

static atomic_t works;

static void count_work(struct irq_work *work)
{
	if (in_hardirq())
		atomic_inc(&works);
}

static void irq_work_runs_in_interrupt_context(void)
{
	struct irq_work work = IRQ_WORK_INIT_HARD(count_work);
	unsigned long flags;

	local_irq_save(flags);
	udf_check(irq_work_queue(&work));
	udf_check(!irq_work_queue(&work));
	udf_check(atomic_read(&works) == 0);	/* not while interrupts are off */
	local_irq_restore(flags);
	irq_work_sync(&work);
	udf_check(atomic_read(&works) == 1);
}

static const struct udf_test tests[] = {
	UDF_TEST(irq_work_runs_in_interrupt_context),
	UDF_TEST(hard_handler_runs),
	UDF_TEST(threaded_handler_runs),
	UDF_TEST(shared_handlers_all_run),
	UDF_TEST(disabled_irq_is_delivered_later),
	UDF_TEST(synchronize_waits_for_the_thread),
	UDF_TEST(free_irq_waits_for_the_thread),
};

UDF_TEST_MODULE(tests, "UDF test: interrupts");
