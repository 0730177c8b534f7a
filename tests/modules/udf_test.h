/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the test modules have in common. Kernel world, but nothing of UDF: they must load into a stock kernel as well.
 *
 * A module is a list of test functions; its init runs them and returns 0 when all of them passed, else -EIO. The log says
 *
 *	udf_test: <module>: ok <function> (<n> ms)
 *	udf_test: <module>: FAIL <condition> at <file>:<line>
 *	udf_test: <module>: PASS				(the last line, if there was no FAIL)
 *
 * The parameter only=<function> runs just that one. Nothing here waits for ever: a wait that should end has UDF_PATIENCE.
 */
#ifndef UDF_TEST_H
#define UDF_TEST_H

#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/string.h>

#define UDF_PATIENCE	(20 * HZ)	/* so long that only a hang exceeds it, on a machine however loaded */

struct udf_test {
	const char *name;
	void (*run)(void);
};

#define UDF_TEST(fn)	{ .name = #fn, .run = fn }

static atomic_t udf_failures = ATOMIC_INIT(0);
static char *only;
module_param(only, charp, 0444);
MODULE_PARM_DESC(only, "run only this test function");

static inline void udf_fail(const char *what, const char *file, int line)
{
	if (atomic_inc_return(&udf_failures) <= 20)
		pr_err("udf_test: %s: FAIL %s at %s:%d\n", KBUILD_MODNAME, what, kbasename(file), line);
}

/* Note a failure unless COND holds; has COND's truth as its value. Any context, any CPU. */
#define udf_check(cond) ({						\
	bool __ok = !!(cond);						\
	if (!__ok)							\
		udf_fail(#cond, __FILE__, __LINE__);			\
	__ok;								\
})

/* The test function makes no sense without COND: note the failure and return. */
#define udf_require(cond) do { if (!udf_check(cond)) return; } while (0)

#define udf_skip(why)	pr_info("udf_test: %s: skip %s: %s\n", KBUILD_MODNAME, __func__, why)

/* Poll until COND holds or patience ends; has COND's truth. For what nobody can be told to signal. May sleep. */
#define udf_eventually(cond) ({						\
	unsigned long __end = jiffies + UDF_PATIENCE;			\
	while (!(cond) && time_before(jiffies, __end))			\
		usleep_range(200, 400);					\
	!!(cond);							\
})

static inline int udf_run_tests(const struct udf_test *tests, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		int before = atomic_read(&udf_failures);
		ktime_t start = ktime_get();

		if (only && strcmp(only, tests[i].name))
			continue;
		tests[i].run();
		if (atomic_read(&udf_failures) == before)
			pr_info("udf_test: %s: ok %s (%lld ms)\n", KBUILD_MODNAME, tests[i].name,
				ktime_ms_delta(ktime_get(), start));
	}
	if (atomic_read(&udf_failures))
		return -EIO;
	pr_info("udf_test: %s: PASS\n", KBUILD_MODNAME);
	return 0;
}

/* Makes a module of the array TESTS. */
#define UDF_TEST_MODULE(tests, about)					\
static int __init udf_test_init(void)					\
{									\
	return udf_run_tests(tests, ARRAY_SIZE(tests));			\
}									\
static void __exit udf_test_exit(void)					\
{									\
}									\
module_init(udf_test_init);						\
module_exit(udf_test_exit);						\
MODULE_DESCRIPTION(about);						\
MODULE_LICENSE("GPL")

#endif
