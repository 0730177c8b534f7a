// SPDX-License-Identifier: GPL-2.0
/*
 * A companion of nvme.ko for tests and the demonstration: as a port's module it has nvme.ko loaded first, and then dies of a BUG when it
 * is told to, in a work item, in the middle of whatever the driver does. It is told by a byte of its memory, which somebody outside
 * writes (/proc/PID/mem of the driver process); the log says where that is. Left alone it does nothing.
 */
#include "udf_test.h"

#include <linux/bug.h>
#include <linux/workqueue.h>

#define LOOK_MS 20

static unsigned char doom;

static noinline void the_end_that_was_asked_for(void)
{
	BUG();
}

static void look(struct work_struct *work)
{
	if (READ_ONCE(doom))
		the_end_that_was_asked_for();
	schedule_delayed_work(to_delayed_work(work), msecs_to_jiffies(LOOK_MS));
}

static DECLARE_DELAYED_WORK(looking, look);

static void lives_until_told(void)
{
	udf_check(!READ_ONCE(doom));
	/* an address, in full: it is no secret here */
	pr_info("udf_doomed: write 1 to %px\n", &doom);
	schedule_delayed_work(&looking, 0);
	msleep(3 * LOOK_MS);
}

static const struct udf_test tests[] = {
	UDF_TEST(lives_until_told),
};

static int __init doomed_init(void)
{
	return udf_run_tests(tests, ARRAY_SIZE(tests));
}

static void __exit doomed_exit(void)
{
	cancel_delayed_work_sync(&looking);
}

module_init(doomed_init);
module_exit(doomed_exit);
MODULE_SOFTDEP("pre: nvme");
MODULE_DESCRIPTION("UDF test: a BUG on request");
MODULE_LICENSE("GPL");
