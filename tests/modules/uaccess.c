// SPDX-License-Identifier: GPL-2.0
/* Accesses that may fault: the exception table's fix-ups must be taken. */
#include "udf_test.h"

#include <linux/uaccess.h>
#include <linux/vmalloc.h>

/* Nothing is ever mapped there. */
#define BAD ((void __user *)0x10)

static void get_user_faults(void)
{
	u8 b = 1;
	u16 w = 1;
	u32 l = 1;
	u64 q = 1;

	udf_check(get_user(b, (u8 __user *)BAD) == -EFAULT && b == 0);
	udf_check(get_user(w, (u16 __user *)BAD) == -EFAULT && w == 0);
	udf_check(get_user(l, (u32 __user *)BAD) == -EFAULT && l == 0);
	udf_check(get_user(q, (u64 __user *)BAD) == -EFAULT && q == 0);
	l = 1;
	udf_check(__get_user(l, (u32 __user *)BAD) == -EFAULT && l == 0);
}

static void put_user_faults(void)
{
	udf_check(put_user((u8)1, (u8 __user *)BAD) == -EFAULT);
	udf_check(put_user((u32)1, (u32 __user *)BAD) == -EFAULT);
	udf_check(put_user((u64)1, (u64 __user *)BAD) == -EFAULT);
}

static void copies_fault(void)
{
	char buf[100];

	memset(buf, 1, sizeof(buf));
	udf_check(copy_from_user(buf, BAD, sizeof(buf)) == sizeof(buf));
	udf_check(!memchr_inv(buf, 0, sizeof(buf)));	/* nothing stale may stay in it */
	udf_check(copy_to_user(BAD, buf, sizeof(buf)) == sizeof(buf));
	udf_check(clear_user(BAD, 64) == 64);
	udf_check(strncpy_from_user(buf, BAD, sizeof(buf)) == -EFAULT);
}

static void noncanonical_is_refused(void)
{
	u32 l = 1;

	udf_check(get_user(l, (u32 __user *)0x8000000000000000ul) == -EFAULT);
	udf_check(copy_from_user(&l, (void __user *)0xfffffffffffff000ul, 4) == 4);
}

static void faults_with_preemption_off(void)
{
	u32 l;

	pagefault_disable();
	udf_check(__copy_from_user_inatomic(&l, BAD, 4) == 4);
	pagefault_enable();
}

static void nofault_reads_kernel_memory(void)
{
	static const u64 value = 0x1122334455667788ul;
	u64 copy = 0;

	udf_check(copy_from_kernel_nofault(&copy, &value, sizeof(copy)) == 0);
	udf_check(copy == value);
	udf_check(get_kernel_nofault(copy, &value) == 0);
}

/* The page after a vmalloc area is a guard: nothing is mapped there. */
static void nofault_survives_a_bad_pointer(void)
{
	char *p = vmalloc(PAGE_SIZE);
	u64 copy;

	udf_require(p);
	udf_check(copy_from_kernel_nofault(&copy, p + PAGE_SIZE, sizeof(copy)) < 0);
	udf_check(copy_from_kernel_nofault(&copy, (void *)8, sizeof(copy)) < 0);
	udf_check(copy_from_kernel_nofault(&copy, p + PAGE_SIZE - 8, sizeof(copy)) == 0);
	vfree(p);
}

/* Faults must be cheap enough to be ordinary and leave nothing behind. */
static void many_faults(void)
{
	int i, faults = 0;
	u32 l;

	for (i = 0; i < 10000; i++)
		faults += get_user(l, (u32 __user *)BAD) == -EFAULT;
	udf_check(faults == 10000);
}

static const struct udf_test tests[] = {
	UDF_TEST(get_user_faults),
	UDF_TEST(put_user_faults),
	UDF_TEST(copies_fault),
	UDF_TEST(noncanonical_is_refused),
	UDF_TEST(faults_with_preemption_off),
	UDF_TEST(nofault_reads_kernel_memory),
	UDF_TEST(nofault_survives_a_bad_pointer),
	UDF_TEST(many_faults),
};

UDF_TEST_MODULE(tests, "UDF test: accesses that may fault");
