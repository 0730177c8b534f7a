// SPDX-License-Identifier: GPL-2.0
/*
 * Threads, more than there are CPUs, that read and write registers of a device without a pause, from init to exit; each has a register of
 * its own. What is written is there when it is read, and nothing else of the thread changes meanwhile. Without a parameter the module does
 * nothing: the device may be somebody's.
 */
#include "udf_test.h"

#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/pci.h>

#define THREADS 5

static char *device = "";
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "name of the PCI function, whose memory BAR 0 has THREADS words that keep 32 bits");
static unsigned int first;
module_param(first, uint, 0444);
MODULE_PARM_DESC(first, "where these begin");

static struct pci_dev *pdev;
static void __iomem *regs;
static struct task_struct *threads[THREADS];

/* Short functions, with room beside them. */
static noinline void set(void __iomem *reg, u32 value)
{
	writel(value, reg);
}

static noinline u32 get(const void __iomem *reg)
{
	return readl(reg);
}

/* The generator's state lives in registers of the processor all the time: a lost one is seen. */
static int rings(void *arg)
{
	unsigned int number = (unsigned long)arg, rounds = 0;
	void __iomem *reg = regs + first + 4 * number;
	u64 a = number, b = ~a, c = 0, d = 0;

	while (!kthread_should_stop()) {
		u32 v;

		a = a * 6364136223846793005ull + 1442695040888963407ull;
		b = b * 6364136223846793005ull + 1442695040888963407ull;
		c += a;
		d += b;
		v = a >> 32;
		set(reg, v);
		udf_check(get(reg) == v);
		if (++rounds % 64 == 0)
			cond_resched();
	}
	/* both generators have made as many steps, so their distance is what the multiplier made of the first one */
	while (rounds--) {
		c -= a;
		d -= b;
		a = (a - 1442695040888963407ull) * 0xc097ef87329e28a5ull;
		b = (b - 1442695040888963407ull) * 0xc097ef87329e28a5ull;
	}
	udf_check(a == number && b == ~(u64)number && !c && !d);
	return 0;
}

static struct pci_dev *find(const char *name)
{
	struct pci_dev *p = NULL;

	for_each_pci_dev(p)
		if (!strcmp(pci_name(p), name))
			break;
	return p;
}

static int __init registers_init(void)
{
	unsigned int i;

	if (!device[0]) {
		pr_info("udf_test: %s: PASS\n", KBUILD_MODNAME);
		return 0;
	}
	pdev = find(device);
	if (!pdev || pci_enable_device_mem(pdev))
		return -ENODEV;
	regs = pci_iomap(pdev, 0, 0);
	if (!regs)
		return -ENOMEM;
	for (i = 0; i < THREADS; i++)
		threads[i] = kthread_run(rings, (void *)(unsigned long)i, "udf_registers/%u", i);
	return 0;
}

static void __exit registers_exit(void)
{
	unsigned int i;

	if (!pdev)
		return;
	for (i = 0; i < THREADS; i++)
		if (!IS_ERR(threads[i]))
			kthread_stop(threads[i]);
	pci_iounmap(pdev, regs);
	pci_disable_device(pdev);
	pci_dev_put(pdev);
	if (!atomic_read(&udf_failures))
		pr_info("udf_test: %s: PASS\n", KBUILD_MODNAME);
}

module_init(registers_init);
module_exit(registers_exit);
MODULE_DESCRIPTION("UDF test: registers, by many threads");
MODULE_LICENSE("GPL");
