// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts: each adds one to a counter that the process sees, and signals an eventfd if the process has said that it sleeps.
 *
 * A vector is requested when it is unmasked for the first time: a function may have 2,048 of them and a driver use two. Masking is
 * disable_irq(): the kernel masks the vector at the device if it fires nevertheless, and delivers it when it is enabled again.
 */
#include <linux/interrupt.h>
#include <linux/nospec.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "port.h"

/* From interrupt handlers. What is in the shared memory may be anything at any time: it is only written, or makes us signal. */
static void signal_vector(struct udf_vector *v)
{
	struct udf_port_shared *shared = v->port->shared;
	size_t i = v - v->port->vector;

	atomic_inc((atomic_t *)&shared->count[i]);
	/* the process sets wake, then looks at count; we the other way round */
	smp_mb__after_atomic();
	if (READ_ONCE(shared->wake[i]) && xchg(&shared->wake[i], 0) && v->eventfd)
		udf_eventfd_signal(v->eventfd);
}

static irqreturn_t on_message(int irq, void *arg)
{
	signal_vector(arg);
	return IRQ_HANDLED;
}

static irqreturn_t on_line(int irq, void *arg)
{
	struct udf_vector *v = arg;

	if (v->port->intx_maskable) {
		if (!pci_check_and_mask_intx(v->port->pdev))
			return IRQ_NONE;
	} else {
		disable_irq_nosync(irq);
	}
	WRITE_ONCE(v->masked, true);
	signal_vector(v);
	return IRQ_HANDLED;
}

int udf_irq_open(struct udf_port *port)
{
	unsigned int i;

	port->max_vectors = max3(port->intx, port->msi, port->msix);
	port->shared = vmalloc_user(sizeof(*port->shared));
	port->vector = kvcalloc(max(port->max_vectors, 1u), sizeof(*port->vector), GFP_KERNEL_ACCOUNT);
	if (!port->shared || !port->vector)
		return -ENOMEM;
	for (i = 0; i < port->max_vectors; i++)
		port->vector[i] = (struct udf_vector){ .port = port, .masked = true };
	return 0;
}

void udf_irq_close(struct udf_port *port)
{
	unsigned int i;

	for (i = 0; port->vector && i < port->max_vectors; i++)
		if (port->vector[i].eventfd)
			eventfd_ctx_put(port->vector[i].eventfd);
	kvfree(port->vector);
	vfree(port->shared);
	port->vector = NULL;
	port->shared = NULL;
}

void udf_irq_disable(struct udf_port *port)
{
	unsigned int i;

	if (port->nr_vectors && port->irq_type == UDF_PORT_INTX && port->intx_maskable)
		pci_intx(port->pdev, 0);
	for (i = 0; i < port->nr_vectors; i++) {
		struct udf_vector *v = &port->vector[i];

		if (v->irq)
			free_irq(v->irq, v);
		v->irq = 0;
		v->masked = true;
	}
	if (port->nr_vectors && port->irq_type != UDF_PORT_INTX)
		pci_free_irq_vectors(port->pdev);
	port->nr_vectors = 0;
}

int udf_irq_enable_ioctl(struct udf_port *port, void *arg)
{
	const struct udf_port_irq_enable *e = arg;
	unsigned int most;
	int ret = 0;

	switch (e->type) {
	case UDF_PORT_INTX:
		most = port->intx;
		break;
	case UDF_PORT_MSI:
		most = is_power_of_2(e->count) ? port->msi : 0;
		break;
	case UDF_PORT_MSIX:
		most = port->msix;
		break;
	default:
		return -EINVAL;
	}
	if (e->count > most)
		return -EINVAL;
	udf_irq_disable(port);
	if (!e->count)
		return 0;
	if (e->type != UDF_PORT_INTX)
		ret = pci_alloc_irq_vectors(port->pdev, e->count, e->count, e->type == UDF_PORT_MSI ? PCI_IRQ_MSI : PCI_IRQ_MSIX);
	else if (port->intx_maskable)
		pci_intx(port->pdev, 0);
	if (ret < 0)
		return ret;
	port->irq_type = e->type;
	port->nr_vectors = e->count;
	return 0;
}

int udf_irq_eventfd_ioctl(struct udf_port *port, void *arg)
{
	const struct udf_port_irq_eventfd *e = arg;
	struct eventfd_ctx *ctx;
	unsigned int i;

	if (e->first > port->max_vectors || e->count > port->max_vectors - e->first || e->fd < -1)
		return -EINVAL;
	for (i = e->first; i < e->first + e->count; i++)
		if (!READ_ONCE(port->vector[i].masked))
			return -EBUSY;
	for (i = e->first; i < e->first + e->count; i++) {
		struct udf_vector *v = &port->vector[i];

		ctx = e->fd >= 0 ? eventfd_ctx_fdget(e->fd) : NULL;
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
		/* the handler that has masked INTx may not have ended */
		if (v->irq)
			synchronize_irq(v->irq);
		if (v->eventfd)
			eventfd_ctx_put(v->eventfd);
		v->eventfd = ctx;
	}
	return 0;
}

/* Masked at first. A line that is shared cannot be requested so: it is masked at the device. */
static int request_vector(struct udf_port *port, struct udf_vector *v, unsigned int index)
{
	bool line = port->irq_type == UDF_PORT_INTX, shared = line && port->intx_maskable;
	int irq = line ? port->pdev->irq : pci_irq_vector(port->pdev, index), ret;

	if (irq <= 0)
		return -EINVAL;
	ret = request_irq(irq, line ? on_line : on_message, shared ? IRQF_SHARED : IRQF_NO_AUTOEN, dev_name(&port->dev), v);
	if (!ret)
		v->irq = irq;
	return ret;
}

static void mask_line(struct udf_port *port, struct udf_vector *v)
{
	if (port->intx_maskable) {
		pci_intx(port->pdev, 0);
		synchronize_irq(v->irq);
		WRITE_ONCE(v->masked, true);
	} else {
		disable_irq(v->irq);
		/* the handler may have done so just before */
		if (xchg(&v->masked, true))
			enable_irq(v->irq);
	}
}

static void unmask_line(struct udf_port *port, struct udf_vector *v)
{
	/* before the line is: its handler says that it has masked it */
	WRITE_ONCE(v->masked, false);
	if (!port->intx_maskable) {
		enable_irq(v->irq);
	} else if (!pci_check_and_unmask_intx(port->pdev)) {
		WRITE_ONCE(v->masked, true);
		signal_vector(v);
	}
}

int udf_irq_mask_ioctl(struct udf_port *port, void *arg)
{
	const struct udf_port_irq_mask *m = arg;
	bool masked = m->flags & UDF_PORT_MASKED, line = port->irq_type == UDF_PORT_INTX;
	struct udf_vector *v;
	int ret = 0;

	if (m->vector >= port->nr_vectors)
		return -EINVAL;
	v = &port->vector[array_index_nospec(m->vector, port->nr_vectors)];
	if (READ_ONCE(v->masked) == masked)
		return 0;
	if (!v->irq)
		ret = request_vector(port, v, m->vector);
	if (ret)
		return ret;
	if (line) {
		masked ? mask_line(port, v) : unmask_line(port, v);
		return 0;
	}
	masked ? disable_irq(v->irq) : enable_irq(v->irq);
	v->masked = masked;
	return 0;
}
