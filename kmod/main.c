// SPDX-License-Identifier: GPL-2.0
/*
 * The PCI driver, the character device of each port, and a port's life:
 *
 *	probe ---> bound <-- reset, memory freed or kept (a work item) <--+
 *	             | open, also during the reset                        |
 *	           live ----- close, or the process dies -----------------+
 *	             | remove, suspend, bus error, somebody's reset
 *	           lost: quiet, ioctls fail, poll says POLLHUP; memory is there until close, or until remove has waited long enough
 *
 * Quiet is always made in this order: bus mastering off, interrupts off, registers unmapped; then reset, then memory freed.
 */
#include <linux/idr.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/pci.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "port.h"

#define PORT_MAX 1024
#define CLOSE_PATIENCE (2 * HZ)		/* for the process to close a port that is being removed, before its memory goes */

static dev_t first_dev;
static struct workqueue_struct *reset_wq;
static DEFINE_IDA(minors);
static struct class port_class = { .name = "udf" };

static struct udf_port *port_of(struct device *dev)
{
	return container_of(dev, struct udf_port, dev);
}

/* ---- the life of a session ---- */

/*
 * Reset the function, and give it the configuration space of probe. With the device's lock, and nobody else at it. Returns 0, -ENODEV, or
 * -EOPNOTSUPP when it has no reset that is trusted.
 */
static int reset_function(struct udf_port *port)
{
	struct pci_dev *pdev = port->pdev;
	int ret;

	if (!pci_device_is_present(pdev))
		return -ENODEV;
	pci_set_power_state(pdev, PCI_D0);
	pci_wait_for_pending_transaction(pdev);
	pci_cfg_access_lock(pdev);
	ret = __pci_reset_function_locked(pdev);
	pci_load_saved_state(pdev, port->saved);
	pci_restore_state(pdev);
	pci_cfg_access_unlock(pdev);
	return ret == -ENOTTY ? -EOPNOTSUPP : ret;
}

static void make_quiet(struct udf_port *port)
{
	pci_clear_master(port->pdev);
	udf_irq_disable(port);
	udf_bar_zap(port);
}

/* The session is over, whatever the process does. */
static void stop_session(struct udf_port *port)
{
	if (!port->live)
		return;
	port->live = false;
	udf_block_stop(port);
	make_quiet(port);
	wake_up_all(&port->wait);
}

/* The kernel's default is to let an IOMMU forget lazily, for drivers are trusted. */
void udf_flush_iotlb(struct udf_port *port)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(&port->pdev->dev);

	if (domain && port->isolated)
		iommu_flush_iotlb_all(domain);
}

/*
 * After stop_session() and udf_dma_detach(), with the device's lock and not the port's: nothing of the session is left. The next one may have
 * begun, with what was kept: all else of it waits.
 */
static void end_session(struct udf_port *port)
{
	int ret = reset_function(port);

	mutex_lock(&port->lock);
	if (ret && ret != -EOPNOTSUPP && ret != -ENODEV)
		pci_warn(port->pdev, "cannot be reset: error %d\n", ret);
	udf_block_end(port);
	if (port->resetting)
		udf_block_close(port);
	if (ret && port->dma_early)
		stop_session(port);
	udf_dma_end(port, !ret && port->bound);
	udf_mem_free(port);
	udf_flush_iotlb(port);
	udf_bar_release(port);
	port->resetting = false;
	mutex_unlock(&port->lock);
	wake_up_all(&port->wait);
}

/* Resetting takes a device 100 ms and more, in which its next process can begin. A device that is suspended is not reset: the work item is frozen. */
static void on_reset(struct work_struct *work)
{
	struct udf_port *port = container_of(work, struct udf_port, reset);

	device_lock(&port->pdev->dev);
	/* removing the port does it as well */
	if (READ_ONCE(port->resetting))
		end_session(port);
	device_unlock(&port->pdev->dev);
	put_device(&port->dev);
}

static int start_session(struct udf_port *port)
{
	int ret = udf_dma_set_bits(port, 32);

	udf_dma_open(port);
	if (!ret)
		ret = udf_irq_open(port);
	if (ret)
		udf_irq_close(port);
	else
		port->live = port->opened = true;
	return ret;
}

/* ---- the character device ---- */

static int port_open(struct inode *inode, struct file *file)
{
	struct udf_port *port = container_of(inode->i_cdev, struct udf_port, cdev);
	int ret = 0;

	if (!(file->f_mode & FMODE_READ) || !(file->f_mode & FMODE_WRITE))
		return -EACCES;
	/* its device can reach everything */
	if (!port->isolated && !capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (mutex_lock_killable(&port->lock))
		return -EINTR;
	if (!port->bound)
		ret = -ENODEV;
	else if (port->opened)
		ret = -EBUSY;
	else
		ret = start_session(port);
	if (!ret) {
		port->closing = false;
		port->mapping = file->f_mapping;
		file->private_data = port;
	}
	mutex_unlock(&port->lock);
	return ret;
}

/* No mapping is left, and nobody is in an ioctl. */
static int port_release(struct inode *inode, struct file *file)
{
	struct udf_port *port = file->private_data;

	/* remove may wait for this */
	WRITE_ONCE(port->closing, true);
	wake_up_all(&port->wait);
	/* the reset after the session before */
	wait_event(port->wait, !READ_ONCE(port->resetting));
	mutex_lock(&port->lock);
	stop_session(port);
	udf_dma_detach(port);
	udf_irq_close(port);
	port->mapping = NULL;
	port->opened = false;
	if (port->bound) {
		port->resetting = true;
		get_device(&port->dev);
		queue_work(reset_wq, &port->reset);
	} else {
		udf_block_close(port);
	}
	mutex_unlock(&port->lock);
	return 0;
}

static __poll_t port_poll(struct file *file, struct poll_table_struct *table)
{
	struct udf_port *port = file->private_data;

	poll_wait(file, &port->wait, table);
	return READ_ONCE(port->live) ? 0 : EPOLLHUP;
}

static int reset_ioctl(struct udf_port *port, void *arg)
{
	make_quiet(port);
	return reset_function(port);
}

static void describe_bar(struct udf_port *port, unsigned int i, struct udf_port_bar *bar)
{
	unsigned long flags = pci_resource_flags(port->pdev, i);

	if (!pci_resource_len(port->pdev, i))
		return;
	bar->size = pci_resource_len(port->pdev, i);
	bar->bus = pci_bus_address(port->pdev, i);
	bar->flags = (flags & IORESOURCE_IO ? UDF_PORT_BAR_IO : 0) | (flags & IORESOURCE_MEM_64 ? UDF_PORT_BAR_64 : 0) |
		     (flags & IORESOURCE_PREFETCH ? UDF_PORT_BAR_PREFETCH : 0) |
		     (udf_bar_mappable(port, i) ? UDF_PORT_BAR_MMAP : 0);
}

static int group_of(struct device *dev)
{
	struct iommu_group *group = iommu_group_get(dev);
	int id = group ? iommu_group_id(group) : -1;

	iommu_group_put(group);
	return id;
}

static int info_ioctl(struct udf_port *port, void *arg)
{
	struct pci_dev *pdev = port->pdev;
	struct udf_port_info *info = arg;
	unsigned int i;

	*info = (struct udf_port_info){
		.version = UDF_PORT_ABI_VERSION,
		.properties = (port->isolated ? UDF_PORT_ISOLATED : 0) | (port->resets ? UDF_PORT_RESETS : 0),
		.domain = pci_domain_nr(pdev->bus), .bus = pdev->bus->number, .devfn = pdev->devfn,
		.vendor = pdev->vendor, .device = pdev->device,
		.subvendor = pdev->subsystem_vendor, .subdevice = pdev->subsystem_device,
		.class = pdev->class, .revision = pdev->revision,
		.intx = port->intx, .msi = port->msi, .msix = port->msix, .msix_bar = port->msix_bar | port->pba_bar << 8,
		.iommu_group = group_of(&pdev->dev), .numa_node = dev_to_node(&pdev->dev),
		.dma_bits = port->dma_bits, .dma_limit = udf_dma_limit(), .dma_size = port->dma_size,
	};
	for (i = 0; i < UDF_PORT_BAR_COUNT; i++)
		describe_bar(port, i, &info->bar[i]);
	return 0;
}

enum udf_locking {
	LOCK_PORT,
	LOCK_DEVICE,		/* and the port */
	LOCK_NONE,		/* run() takes the port's lock itself */
	LOCK_EARLY,		/* the port, while it may still be reset after the session before */
};

static const struct udf_op {
	unsigned int cmd;
	u32 flags;		/* that are known */
	size_t used;		/* bytes of the structure: what is behind must be 0 */
	enum udf_locking locking;
	int (*run)(struct udf_port *port, void *arg);
} ops[] = {
	[_IOC_NR(UDF_PORT_INFO)] = { UDF_PORT_INFO, 0, offsetof(struct udf_port_info, reserved), LOCK_EARLY, info_ioctl },
	[_IOC_NR(UDF_PORT_CONFIG)] = { UDF_PORT_CONFIG, UDF_PORT_WRITE, offsetof(struct udf_port_config_access, reserved), LOCK_PORT, udf_config_ioctl },
	[_IOC_NR(UDF_PORT_ACCESS)] = { UDF_PORT_ACCESS, UDF_PORT_WRITE, sizeof(struct udf_port_bar_access), LOCK_PORT, udf_bar_access_ioctl },
	[_IOC_NR(UDF_PORT_DMA_MASK)] = { UDF_PORT_DMA_MASK, 0, sizeof(struct udf_port_dma_mask), LOCK_EARLY, udf_dma_mask_ioctl },
	[_IOC_NR(UDF_PORT_DMA_ALLOC)] = { UDF_PORT_DMA_ALLOC, UDF_PORT_DMA_KEEP, sizeof(struct udf_port_dma_alloc), LOCK_EARLY, udf_dma_alloc_ioctl },
	[_IOC_NR(UDF_PORT_MEM_ADD)] = { UDF_PORT_MEM_ADD, 0, offsetof(struct udf_port_mem_add, reserved), LOCK_NONE, udf_mem_add_ioctl },
	[_IOC_NR(UDF_PORT_MEM_REMOVE)] = { UDF_PORT_MEM_REMOVE, 0, offsetof(struct udf_port_mem_remove, reserved), LOCK_PORT, udf_mem_remove_ioctl },
	[_IOC_NR(UDF_PORT_IRQ_ENABLE)] = { UDF_PORT_IRQ_ENABLE, 0, offsetof(struct udf_port_irq_enable, reserved), LOCK_PORT, udf_irq_enable_ioctl },
	[_IOC_NR(UDF_PORT_IRQ_EVENTFD)] = { UDF_PORT_IRQ_EVENTFD, 0, sizeof(struct udf_port_irq_eventfd), LOCK_EARLY, udf_irq_eventfd_ioctl },
	[_IOC_NR(UDF_PORT_IRQ_MASK)] = { UDF_PORT_IRQ_MASK, UDF_PORT_MASKED, sizeof(struct udf_port_irq_mask), LOCK_PORT, udf_irq_mask_ioctl },
	[_IOC_NR(UDF_PORT_RESET)] = { UDF_PORT_RESET, 0, offsetof(struct udf_port_reset, reserved), LOCK_DEVICE, reset_ioctl },
	[_IOC_NR(UDF_PORT_BLOCK_START)] = { UDF_PORT_BLOCK_START, UDF_PORT_BLOCK_FAIL, offsetof(struct udf_port_block_start, reserved), LOCK_PORT, udf_block_start_ioctl },
	[_IOC_NR(UDF_PORT_BLOCK_EVENTFD)] = { UDF_PORT_BLOCK_EVENTFD, 0, offsetof(struct udf_port_block_eventfd, reserved), LOCK_PORT, udf_block_eventfd_ioctl },
	[_IOC_NR(UDF_PORT_BLOCK_DISK)] = { UDF_PORT_BLOCK_DISK, ~0u, offsetof(struct udf_port_block_disk, reserved), LOCK_NONE, udf_block_disk_ioctl },
	[_IOC_NR(UDF_PORT_BLOCK_GONE)] = { UDF_PORT_BLOCK_GONE, 0, offsetof(struct udf_port_block_gone, reserved), LOCK_NONE, udf_block_gone_ioctl },
	[_IOC_NR(UDF_PORT_BLOCK_BELL)] = { UDF_PORT_BLOCK_BELL, 0, sizeof(struct udf_port_block_bell), LOCK_NONE, udf_block_bell_ioctl },
};

static int run_op(struct udf_port *port, const struct udf_op *op, void *arg)
{
	int ret = -EINTR;

	if (op->locking != LOCK_EARLY && wait_event_killable(port->wait, !READ_ONCE(port->resetting)))
		return ret;
	/* whoever removes the device has its lock, and gives the process time to learn of it */
	if (!READ_ONCE(port->live))
		return -ENODEV;
	if (op->locking == LOCK_NONE)
		return op->run(port, arg);
	if (op->locking == LOCK_DEVICE)
		device_lock(&port->pdev->dev);
	if (!mutex_lock_killable(&port->lock)) {
		ret = port->live ? op->run(port, arg) : -ENODEV;
		mutex_unlock(&port->lock);
	}
	if (op->locking == LOCK_DEVICE)
		device_unlock(&port->pdev->dev);
	return ret;
}

/* ARG: a copy of the process's structure, made without a lock, as is the one back: what was checked is what is used. */
static long perform(struct file *file, const struct udf_op *op, void __user *user, void *arg)
{
	size_t size = _IOC_SIZE(op->cmd);
	long ret;

	if (*(u32 *)arg & ~op->flags || (op->used < size && memchr_inv(arg + op->used, 0, size - op->used)))
		return -EINVAL;
	ret = run_op(file->private_data, op, arg);
	return !ret && _IOC_DIR(op->cmd) & _IOC_READ && copy_to_user(user, arg, size) ? -EFAULT : ret;
}

static long port_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	const struct udf_op *op = &ops[array_index_nospec(_IOC_NR(cmd), ARRAY_SIZE(ops))];
	size_t size = _IOC_SIZE(cmd);
	u64 small[4] = { 0 };
	void *arg;
	long ret;

	if (op->cmd != cmd)
		return -ENOTTY;
	if (size <= sizeof(small))
		return copy_from_user(small, (void __user *)user, size) ? -EFAULT : perform(file, op, (void __user *)user, small);
	arg = memdup_user((void __user *)user, size);
	if (IS_ERR(arg))
		return PTR_ERR(arg);
	ret = perform(file, op, (void __user *)user, arg);
	kfree(arg);
	return ret;
}

static const struct file_operations port_fops = {
	.owner = THIS_MODULE,
	.open = port_open,
	.release = port_release,
	.poll = port_poll,
	.unlocked_ioctl = port_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = udf_mmap,
};

/* ---- the PCI driver ---- */

static void free_port(struct device *dev)
{
	struct udf_port *port = port_of(dev);

	udf_block_put(port);
	ida_free(&minors, MINOR(dev->devt) - MINOR(first_dev));
	pci_dev_put(port->pdev);
	kfree(port);
}

static struct udf_port *new_port(struct pci_dev *pdev)
{
	struct udf_port *port = kzalloc(sizeof(*port), GFP_KERNEL);
	int minor = port ? ida_alloc_max(&minors, PORT_MAX - 1, GFP_KERNEL) : -ENOMEM;

	if (minor < 0) {
		kfree(port);
		return ERR_PTR(minor);
	}
	port->pdev = pci_dev_get(pdev);
	mutex_init(&port->lock);
	INIT_LIST_HEAD(&port->mem);
	udf_dma_init(port);
	INIT_WORK(&port->reset, on_reset);
	init_waitqueue_head(&port->wait);
	device_initialize(&port->dev);
	port->dev.class = &port_class;
	port->dev.parent = &pdev->dev;
	port->dev.release = free_port;
	port->dev.devt = MKDEV(MAJOR(first_dev), MINOR(first_dev) + minor);
	cdev_init(&port->cdev, &port_fops);
	port->cdev.owner = THIS_MODULE;
	return port;
}

/* What the function has, once its configuration space is the kernel's. */
static int init_port(struct udf_port *port)
{
	struct pci_dev *pdev = port->pdev;
	struct iommu_domain *domain = iommu_get_domain_for_dev(&pdev->dev);
	int ret;

	port->isolated = domain && domain->type & __IOMMU_DOMAIN_PAGING;
	port->intx = pdev->pin && pdev->irq;
	port->intx_maskable = pci_intx_mask_supported(pdev);
	port->msi = max(pci_msi_vec_count(pdev), 0);
	port->msix = max(pci_msix_vec_count(pdev), 0);
	udf_config_init(port);
	udf_bar_init(port);
	pci_clear_master(pdev);
	pci_save_state(pdev);
	port->saved = pci_store_saved_state(pdev);
	if (!port->saved)
		return -ENOMEM;
	ret = reset_function(port);
	port->resets = !ret;
	return ret == -EOPNOTSUPP ? 0 : ret;
}

static int publish_port(struct udf_port *port)
{
	/* the exclamation mark becomes a slash in /dev */
	int ret = dev_set_name(&port->dev, "udf!%s", pci_name(port->pdev));

	return ret ? ret : cdev_device_add(&port->cdev, &port->dev);
}

static void put_hardware(struct udf_port *port, struct pci_dev *pdev)
{
	udf_bar_unmap(port);
	kfree(port->saved);
	port->saved = NULL;
	pdev->dev_flags = port->old_flags;
	pci_release_regions(pdev);
	pci_disable_device(pdev);
}

static int port_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct udf_port *port;
	int ret;

	/* an id that somebody added at run time */
	if (!id->override_only)
		return -ENODEV;
	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL || pci_num_vf(pdev))
		return -EOPNOTSUPP;
	port = new_port(pdev);
	if (IS_ERR(port))
		return PTR_ERR(port);
	ret = pci_enable_device(pdev);
	if (ret)
		goto put_port;
	ret = pci_request_regions(pdev, KBUILD_MODNAME);
	if (ret)
		goto disable_device;
	port->old_flags = pdev->dev_flags;
	/* the reset by way of D3hot: devices say that it works and then do nothing */
	pdev->dev_flags |= PCI_DEV_FLAGS_NO_PM_RESET;
	ret = init_port(port);
	if (ret)
		goto put_hardware;
	port->bound = true;
	pci_set_drvdata(pdev, port);
	ret = publish_port(port);
	if (ret)
		goto put_hardware;
	pci_info(pdev, "%s, %s\n", port->isolated ? "isolated by an IOMMU" : "not isolated: its DMA reaches all memory",
		 port->resets ? "has a reset" : "has no reset that is trusted");
	return 0;

put_hardware:
	put_hardware(port, pdev);
	goto put_port;
disable_device:
	pci_disable_device(pdev);
put_port:
	put_device(&port->dev);
	return ret;
}

static bool is_closing(struct udf_port *port)
{
	return !READ_ONCE(port->opened) || READ_ONCE(port->closing);
}

/* With the device's lock, as all that follows: closing waits for it. */
static void port_remove(struct pci_dev *pdev)
{
	struct udf_port *port = pci_get_drvdata(pdev);

	cdev_device_del(&port->cdev, &port->dev);
	mutex_lock(&port->lock);
	port->bound = false;
	stop_session(port);
	mutex_unlock(&port->lock);
	/* the end of the session before: the work item has not had the device's lock yet */
	if (READ_ONCE(port->resetting))
		end_session(port);
	wait_event_timeout(port->wait, is_closing(port), CLOSE_PATIENCE);
	mutex_lock(&port->lock);
	udf_dma_detach(port);
	mutex_unlock(&port->lock);
	end_session(port);
	udf_dma_remove(port);
	udf_block_remove(port);
	mutex_lock(&port->lock);
	put_hardware(port, pdev);
	mutex_unlock(&port->lock);
	put_device(&port->dev);
}

void udf_lose(struct udf_port *port, const char *why)
{
	mutex_lock(&port->lock);
	if (port->live)
		pci_warn(port->pdev, "taken from its process: %s\n", why);
	stop_session(port);
	mutex_unlock(&port->lock);
}

static void lose_session(struct pci_dev *pdev, const char *why)
{
	udf_lose(pci_get_drvdata(pdev), why);
}

static void port_shutdown(struct pci_dev *pdev)
{
	lose_session(pdev, "the machine shuts down");
}

static int port_suspend(struct device *dev)
{
	lose_session(to_pci_dev(dev), "the machine is suspended");
	return 0;
}

/* The PCI core has restored configuration space. */
static int port_resume(struct device *dev)
{
	return 0;
}

static DEFINE_SIMPLE_DEV_PM_OPS(port_pm, port_suspend, port_resume);

static pci_ers_result_t port_error(struct pci_dev *pdev, pci_channel_state_t state)
{
	lose_session(pdev, "bus error");
	return state == pci_channel_io_perm_failure ? PCI_ERS_RESULT_DISCONNECT : PCI_ERS_RESULT_NEED_RESET;
}

static pci_ers_result_t port_slot_reset(struct pci_dev *pdev)
{
	struct udf_port *port = pci_get_drvdata(pdev);

	pci_load_saved_state(pdev, port->saved);
	pci_restore_state(pdev);
	return PCI_ERS_RESULT_RECOVERED;
}

static void port_reset_prepare(struct pci_dev *pdev)
{
	lose_session(pdev, "somebody resets the function");
}

static const struct pci_error_handlers port_errors = {
	.error_detected = port_error,
	.slot_reset = port_slot_reset,
	.reset_prepare = port_reset_prepare,
};

/* Every function whose driver_override names this driver, and no other. */
static const struct pci_device_id port_ids[] = {
	{ PCI_DEVICE(PCI_ANY_ID, PCI_ANY_ID), .override_only = 1 },
	{ }
};

static struct pci_driver port_driver = {
	.name = KBUILD_MODNAME,
	.id_table = port_ids,
	.probe = port_probe,
	.remove = port_remove,
	.shutdown = port_shutdown,
	.err_handler = &port_errors,
	.driver.pm = pm_sleep_ptr(&port_pm),
};

static int __init udf_port_init(void)
{
	int ret = class_register(&port_class);

	if (ret)
		return ret;
	reset_wq = alloc_workqueue("udf_reset", WQ_UNBOUND | WQ_MEM_RECLAIM | WQ_FREEZABLE, 0);
	ret = reset_wq ? alloc_chrdev_region(&first_dev, 0, PORT_MAX, KBUILD_MODNAME) : -ENOMEM;
	if (ret)
		goto destroy_wq;
	ret = pci_register_driver(&port_driver);
	if (ret)
		goto unregister_region;
	return 0;

unregister_region:
	unregister_chrdev_region(first_dev, PORT_MAX);
destroy_wq:
	if (reset_wq)
		destroy_workqueue(reset_wq);
	class_unregister(&port_class);
	return ret;
}
module_init(udf_port_init);

static void __exit udf_port_exit(void)
{
	pci_unregister_driver(&port_driver);
	destroy_workqueue(reset_wq);
	unregister_chrdev_region(first_dev, PORT_MAX);
	class_unregister(&port_class);
	ida_destroy(&minors);
}
module_exit(udf_port_exit);

MODULE_DESCRIPTION("PCI functions for driver processes (UDF)");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
