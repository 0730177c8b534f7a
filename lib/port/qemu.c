// SPDX-License-Identifier: GPL-2.0
/* The transport to QEMU's device models: opening, closing, the operations table; see qemu.h and qemu-int.h. Host world. */
#define _GNU_SOURCE
#include "layout.h"
#include "port/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "port/qemu-int.h"

#define MIB (1ull << 20)
/*
 * The arena is the RAM behind its first 2 GiB, so that a device address is the physical address of the kernel code: some devices are
 * driven without the DMA API and are told the latter. What lies before is never touched, but for the words of polled interrupts.
 */
#define RAM_BASE ((uint64_t)UDF_ARENA_BASE)
#define RAM_MAX (767 * MIB)	/* with 768, a q35 machine puts some of it elsewhere */
#define BIOS_SIZE 65536
#define START_SECONDS 30	/* QEMU takes 50 ms; its back ends may have to wait for something */

static const struct udf_port_ops ops;

/* What the CPU runs: cli; hlt; jmp to hlt. The reset vector is 16 bytes before the end. */
static int make_bios(int *fd)
{
	static const unsigned char code[] = { 0xfa, 0xf4, 0xeb, 0xfd };

	*fd = memfd_create("udf-bios", MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, BIOS_SIZE) || pwrite(*fd, code, sizeof(code), BIOS_SIZE - 16) != sizeof(code))
		return -errno;
	return 0;
}

/* All that the arena may become: what is not touched costs nothing. */
static int make_ram(struct qemu_port *q, const struct udf_port_config *config, struct udf_error *err)
{
	const uint64_t max = config->arena_max;

	if (max % MIB || max > RAM_MAX)
		return udf_error_set(err, -EINVAL, "the arena's size must be 1 to %llu whole MiB, not %llu bytes", RAM_MAX / MIB,
				     (unsigned long long)max);
	q->arena_size = config->arena_size;
	q->ram_size = RAM_BASE + max;
	q->port.dma_base = RAM_BASE;
	q->ram_fd = memfd_create("udf-arena", MFD_CLOEXEC);
	if (q->ram_fd < 0 || ftruncate(q->ram_fd, (off_t)q->ram_size))
		return udf_error_set(err, -errno, "cannot make the arena: %s", strerror(errno));
	return 0;
}

static int make_pair(int *ours, int *theirs)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	*ours = pair[0];
	*theirs = pair[1];
	return 0;
}

static void close_child_fds(struct qemu_port *q)
{
	for (unsigned int i = 0; i < QEMU_FD_END - QEMU_FD_QTEST; i++) {
		if (q->child_fds[i] >= 0 && q->child_fds[i] != q->ram_fd)
			close(q->child_fds[i]);
		q->child_fds[i] = -1;
	}
}

/* Everything that QEMU is given, before it runs. */
static int make_channels(struct qemu_port *q, struct udf_error *err)
{
	int *theirs = q->child_fds, ivshmem = -1;
	const char *step = "a socket pair";
	int ret = make_pair(&q->qtest_fd, &theirs[QEMU_FD_QTEST - QEMU_FD_QTEST]);

	if (!ret)
		ret = make_pair(&q->qmp_fd, &theirs[QEMU_FD_QMP - QEMU_FD_QTEST]);
	if (!ret)
		ret = make_pair(&ivshmem, &theirs[QEMU_FD_IVSHMEM - QEMU_FD_QTEST]);
	if (!ret) {
		step = "the interrupt server";
		ret = udf_ivshmem_init(&q->ivshmem, ivshmem);
	}
	if (!ret) {
		step = "the firmware";
		ret = make_bios(&theirs[QEMU_FD_BIOS - QEMU_FD_QTEST]);
	}
	theirs[QEMU_FD_RAM - QEMU_FD_QTEST] = q->ram_fd;
	if (!ret) {
		step = "an event queue";
		q->epoll = epoll_create1(EPOLL_CLOEXEC);
		q->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		ret = q->epoll < 0 || q->kick < 0 ? -errno : 0;
	}
	return ret ? udf_error_set(err, ret, "cannot make %s for QEMU: %s", step, strerror(-ret)) : 0;
}

static void set_timeout(int fd, int seconds)
{
	struct timeval tv = { .tv_sec = seconds };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
}

/* First contact. When it fails QEMU has most often ended, with a message that says why. */
static int handshake(struct qemu_port *q)
{
	int ret;

	set_timeout(q->qtest_fd, START_SECONDS);
	set_timeout(q->qmp_fd, START_SECONDS);
	udf_qtest_init(&q->qtest, q->qtest_fd, udf_qemu_irq_line, q);
	ret = udf_qtest_command(&q->qtest, "endianness");
	if (!ret)
		ret = udf_qmp_start(&q->qmp, q->qmp_fd);
	set_timeout(q->qtest_fd, 0);
	set_timeout(q->qmp_fd, 0);
	return ret;
}

static void free_port(struct qemu_port *q)
{
	const int fds[] = { q->qtest_fd, q->qmp_fd, q->ram_fd, q->epoll, q->kick };

	close_child_fds(q);
	udf_ivshmem_close(&q->ivshmem);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	udf_qemu_args_free(&q->args);
	pthread_mutex_destroy(&q->state_lock);
	pthread_mutex_destroy(&q->mem_lock);
	udf_qmp_destroy(&q->qmp);
	free(q);
}

/* The error of a QEMU that did not start or did not answer: its own words, if it has ended. */
static int start_failed(struct qemu_port *q, const char *spec, int ret, struct udf_error *err)
{
	bool dead;

	/* its end of the connection closes an instant before the process has ended */
	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&q->state_lock);
		dead = q->dead;
		pthread_mutex_unlock(&q->state_lock);
		if (dead || !__atomic_load_n(&q->qtest.lost, __ATOMIC_ACQUIRE))
			break;
		usleep(5000);
	}
	if (dead)
		return udf_error_set(err, -ENODEV, "qemu:%s: %s", spec, q->why);
	return udf_error_set(err, ret, "qemu:%s: QEMU does not answer: %s", spec, strerror(-ret));
}

static struct qemu_port *new_port(const struct udf_port_events *events, void *ctx)
{
	struct qemu_port *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->port.ops = &ops;
	q->port.events = events;
	q->port.ctx = ctx;
	q->qtest_fd = q->qmp_fd = q->ram_fd = q->epoll = q->kick = q->ivshmem.sock = -1;
	for (unsigned int i = 0; i < QEMU_FD_END - QEMU_FD_QTEST; i++)
		q->child_fds[i] = -1;
	pthread_mutex_init(&q->state_lock, NULL);
	pthread_mutex_init(&q->mem_lock, NULL);
	udf_qmp_init(&q->qmp);
	udf_qemu_irq_forget(q);
	udf_qemu_irq_release(q);
	return q;
}

/* From here on events are the owner's. */
static int go_live(struct qemu_port *q)
{
	int ret = udf_qemu_thread_watch_monitor(q);

	if (ret)
		return ret;
	pthread_mutex_lock(&q->state_lock);
	q->opened = !q->dead;
	ret = q->dead ? -ENODEV : 0;
	pthread_mutex_unlock(&q->state_lock);
	return ret;
}

int udf_qemu_open(const struct udf_port_config *config, const char *spec, const struct udf_port_events *events, void *ctx,
		  struct udf_port **port, struct udf_error *err)
{
	struct qemu_port *q = new_port(events, ctx);
	char path[4096];
	int ret;

	if (!q)
		return udf_error_set(err, -ENOMEM, "qemu:%s: %s", spec, strerror(ENOMEM));
	ret = udf_qemu_find(path, sizeof(path), err);
	if (!ret)
		ret = make_ram(q, config, err);
	if (!ret)
		ret = udf_qemu_args(&q->args, spec, config, q->ram_size, err);
	if (!ret)
		ret = make_channels(q, err);
	if (ret)
		goto free;
	q->port.devfn = q->args.devfn;
	snprintf(q->port.address, sizeof(q->port.address), "qemu:%s.%u", q->args.model, q->args.devfn & 7u);
	q->path = path;
	ret = udf_qemu_thread_start(q, err);
	if (ret)
		goto free;
	close_child_fds(q);
	ret = handshake(q);
	if (!ret)
		ret = udf_qemu_pci_init(q, err);
	if (!ret)
		ret = go_live(q);
	if (ret) {
		if (!err->code)
			ret = start_failed(q, spec, ret, err);
		goto stop;
	}
	*port = &q->port;
	return 0;

stop:
	udf_qemu_thread_stop(q);
free:
	free_port(q);
	return err->code;
}

/* Bus mastering and interrupts first, so that nothing is written to the arena any more when this returns. */
static void qemu_close(struct udf_port *port)
{
	struct qemu_port *q = to_qemu(port);
	enum udf_irq_type type;

	pthread_mutex_lock(&q->state_lock);
	q->opened = false;
	pthread_mutex_unlock(&q->state_lock);
	udf_qemu_config_write(port, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
	if (qemu_irq_live(q, &type))
		udf_qemu_irq_enable(port, type, 0);
	udf_qtest_sync(&q->qtest);
	/* a process that has become another user since cannot send it signals: it is asked over its monitor */
	if (q->proc.pid && syscall(SYS_pidfd_send_signal, q->proc.pidfd, 0, NULL, 0) && errno == EPERM)
		udf_qmp_command(&q->qmp, "{\"execute\": \"quit\"}", NULL, 0);
	udf_qemu_thread_stop(q);
	free_port(q);
}

static void qemu_post_hold(struct udf_port *port, bool hold)
{
	udf_qtest_hold(&to_qemu(port)->qtest, hold);
}

static void qemu_post_flush(struct udf_port *port)
{
	udf_qtest_flush(&to_qemu(port)->qtest);
}

static int qemu_dma_get(struct udf_port *port, int *fd, uint64_t *size, struct udf_dma_range *ranges, unsigned int *nr_ranges)
{
	struct qemu_port *q = to_qemu(port);

	*fd = q->ram_fd;
	*size = q->arena_size;
	ranges[0] = (struct udf_dma_range){ .offset = 0, .dev = RAM_BASE, .len = *size };
	*nr_ranges = 1;
	return 0;
}

static int qemu_dma_more(struct udf_port *port, uint64_t size, struct udf_dma_range *ranges, unsigned int *nr_ranges)
{
	struct qemu_port *q = to_qemu(port);

	if (size > q->ram_size - RAM_BASE - q->arena_size)
		return -ENOMEM;
	ranges[0] = (struct udf_dma_range){ .offset = q->arena_size, .dev = RAM_BASE + q->arena_size, .len = size };
	*nr_ranges = 1;
	q->arena_size += size;
	return 0;
}

static int qemu_bar_map(struct udf_port *port, unsigned int bar, uint64_t offset, uint64_t len, void *va, bool wc)
{
	return -ENOTSUP;
}

/* Also behind a table of operations that a test has put in front of ours. */
static bool is_qemu(const struct udf_port *port)
{
	return port->ops->close == qemu_close;
}

int udf_port_qemu_monitor(struct udf_port *port, const char *command, char *reply, size_t len)
{
	return is_qemu(port) ? udf_qmp_command(&to_qemu(port)->qmp, command, reply, len) : -EINVAL;
}

int udf_port_qemu_pid(struct udf_port *port)
{
	struct qemu_port *q = to_qemu(port);
	int pid;

	if (!is_qemu(port))
		return -EINVAL;
	pthread_mutex_lock(&q->state_lock);
	pid = q->proc.pid;
	pthread_mutex_unlock(&q->state_lock);
	return pid;
}

static const struct udf_port_ops ops = {
	.name = "qemu",
	.close = qemu_close,
	.config_read = udf_qemu_config_read,
	.config_write = udf_qemu_config_write,
	.bar_info = udf_qemu_bar_info,
	.bar_read = udf_qemu_bar_read,
	.bar_write = udf_qemu_bar_write,
	.bar_map = qemu_bar_map,
	.post_hold = qemu_post_hold,
	.post_flush = qemu_post_flush,
	.keep_awake = udf_qemu_keep_awake,
	.dma_get = qemu_dma_get,
	.dma_more = qemu_dma_more,
	.dma_add = udf_qemu_dma_add,
	.dma_remove = udf_qemu_dma_remove,
	.dma_granule = 2 * MIB,
	.irq_count = udf_qemu_irq_count,
	.irq_enable = udf_qemu_irq_enable,
	.irq_mask = udf_qemu_irq_mask,
	.irq_words = udf_qemu_irq_words,
	.irq_poll = udf_qemu_irq_poll,
	.reset = udf_qemu_reset,
};
