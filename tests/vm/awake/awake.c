// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps the virtual machine's virtio devices out of a suspend: its files come over 9p, whose driver does not survive one. For suspend.sh, in the guest.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm.h>

static int keep_child(struct device *dev, void *awake)
{
	dev_pm_syscore_device(dev, awake != NULL);
	return 0;
}

static void keep(bool awake)
{
	struct pci_dev *pdev = NULL;

	for_each_pci_dev(pdev) {
		if (pdev->vendor != PCI_VENDOR_ID_REDHAT_QUMRANET)
			continue;
		dev_pm_syscore_device(&pdev->dev, awake);
		device_for_each_child(&pdev->dev, awake ? pdev : NULL, keep_child);
	}
}

static int __init awake_init(void)
{
	keep(true);
	return 0;
}
module_init(awake_init);

static void __exit awake_exit(void)
{
	keep(false);
}
module_exit(awake_exit);

MODULE_DESCRIPTION("virtio devices that stay awake (UDF's tests)");
MODULE_LICENSE("GPL");
