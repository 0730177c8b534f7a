// SPDX-License-Identifier: GPL-2.0
/*
 * What cannot be survived ends the driver process, with a trace that names this module's functions. Without a parameter the
 * module does nothing, since a stock kernel would be lost as well.
 *
 * run: die=bug | dies: kernel BUG at | dies: the_very_place
 * run: die=null | dies: the_very_place
 * run: die=panic | dies: panicked on purpose
 * run: die=exec | dies: the_very_place
 * run: die=unsupported | dies: get_user_pages_fast() is not supported | dies: the_very_place
 */
#include "udf_test.h"

#include <linux/bug.h>
#include <linux/mm.h>
#include <linux/panic.h>
#include <linux/workqueue.h>

static char *die = "";
module_param(die, charp, 0444);
MODULE_PARM_DESC(die, "bug, null, panic, exec or unsupported");

static unsigned int after_ms;
module_param(after_ms, uint, 0444);
MODULE_PARM_DESC(after_ms, "die so long after the module was loaded");

static noinline void the_very_place(void)
{
	static int *volatile nowhere;
	static void (*volatile jump_nowhere)(void);
	struct page *page;

	if (!strcmp(die, "bug"))
		BUG();
	if (!strcmp(die, "null"))
		*nowhere = 1;
	if (!strcmp(die, "exec"))
		jump_nowhere();
	if (!strcmp(die, "unsupported"))
		get_user_pages_fast(PAGE_SIZE, 1, 0, &page);
	if (!strcmp(die, "panic"))
		panic("panicked on purpose");
}

static void die_later(struct work_struct *work)
{
	the_very_place();
}

static DECLARE_DELAYED_WORK(later, die_later);

static void dies_on_request(void)
{
	if (after_ms) {
		__module_get(THIS_MODULE);
		schedule_delayed_work(&later, msecs_to_jiffies(after_ms));
		return;
	}
	the_very_place();
	udf_check(!die[0]);
}

static const struct udf_test tests[] = {
	UDF_TEST(dies_on_request),
};

UDF_TEST_MODULE(tests, "UDF test: what ends the process");
