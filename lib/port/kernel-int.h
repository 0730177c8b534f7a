/* SPDX-License-Identifier: GPL-2.0 */
/* The transport through udf_port.ko, between its files. Host world. */
#ifndef UDF_PORT_KERNEL_INT_H
#define UDF_PORT_KERNEL_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "port/kernel.h"
#include "udf/port-abi.h"

struct kernel_port {
	struct udf_port port;
	int fd;					/* the port's device file */
	struct udf_port_info info;
	struct udf_port_dma_alloc arena;

	/* interrupts: kernel-irq.c */
	struct udf_port_shared *shared;
	enum udf_irq_type type;
	_Atomic uint64_t watched[UDF_PORT_VECTOR_MAX / 64];	/* vectors that the thread reports: unmasked and not polled */
	_Atomic uint64_t signalled[UDF_PORT_VECTOR_MAX / 64];	/* those that signal others' eventfds, see irq_signal() */
	pthread_t thread;
	bool started;
	int epoll, irq, stop;			/* descriptors; the last two are eventfds */
	atomic_bool ending;

	/* rings of the kernel's block devices: kernel-block.c */
	void *rings;
	size_t rings_size;
};

static inline struct kernel_port *to_kernel(struct udf_port *port)
{
	return (struct kernel_port *)port;
}

/* An ioctl of the port's. Returns 0 or a negative errno. */
int udf_kernel_ioctl(struct kernel_port *k, unsigned long cmd, void *arg);

/* kernel-mem.c */
int udf_kernel_dma_add(struct udf_port *port, int fd, uint64_t len, int lease, uint64_t *dev);
int udf_kernel_dma_remove(struct udf_port *port, uint64_t dev);

/* kernel-irq.c */
int udf_kernel_irq_start(struct kernel_port *k, const char **step);
void udf_kernel_irq_stop(struct kernel_port *k);
void udf_kernel_irq_forget(struct kernel_port *k);		/* nothing is enabled any more */
unsigned int udf_kernel_irq_count(struct udf_port *port, enum udf_irq_type type);
int udf_kernel_irq_enable(struct udf_port *port, enum udf_irq_type type, unsigned int count);
int udf_kernel_irq_mask(struct udf_port *port, unsigned int vector, bool masked);
volatile uint32_t *udf_kernel_irq_words(struct udf_port *port);
int udf_kernel_irq_poll(struct udf_port *port, unsigned int vector, bool polled);
volatile uint32_t *udf_kernel_irq_wakes(struct udf_port *port);
int udf_kernel_irq_signal(struct udf_port *port, unsigned int vector, int fd);

/* kernel-block.c */
extern const struct udf_port_block_ops udf_kernel_block_ops;
void udf_kernel_block_stop(struct kernel_port *k);

#endif
