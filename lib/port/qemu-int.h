/* SPDX-License-Identifier: GPL-2.0 */
/* Inside the transport to QEMU: its state, and what its files offer each other. Host world. */
#ifndef UDF_PORT_QEMU_INT_H
#define UDF_PORT_QEMU_INT_H

#include <pthread.h>
#include <semaphore.h>
#include <sys/types.h>

#include "port/ivshmem.h"
#include "port/port.h"
#include "port/qmp.h"
#include "port/qtest.h"

#define QEMU_ARGS_MAX 128
#define QEMU_MEM_SLOTS 256		/* foreign memory: as many pieces as QEMU has slots, ... */
#define QEMU_MEM_MAX (64ull << 30)	/* ... of so many bytes in all; each may waste a GiB of device addresses */

/* Descriptors of the child, by number: what the command line refers to. */
enum qemu_fd { QEMU_FD_QTEST = 3, QEMU_FD_QMP, QEMU_FD_IVSHMEM, QEMU_FD_RAM, QEMU_FD_BIOS, QEMU_FD_END };

/* The command line. */
struct qemu_args {
	char *argv[QEMU_ARGS_MAX];
	unsigned int argc;
	uint8_t devfn;		/* of the driven device */
	uint8_t helper_devfn;	/* of the ivshmem device */
	char model[40];
};

/* Build the command line for SPEC (without "qemu:") and CONFIG. Free with udf_qemu_args_free(), also after an error. */
int udf_qemu_args(struct qemu_args *args, const char *spec, const struct udf_port_config *config, uint64_t ram_size, struct udf_error *err);
void udf_qemu_args_free(struct qemu_args *args);

/* A child process. Its death is to be looked for at PIDFD, its words at OUTPUT. */
struct qemu_proc {
	pid_t pid;		/* 0: none */
	int pidfd, output;
	size_t tail_len;
	char tail[2048];	/* the last that it said */
};

/* Start PATH with ARGV; FDS[i] becomes descriptor 3 + i of the child. The child is killed when the calling thread ends. */
int udf_qemu_spawn(struct qemu_proc *proc, const char *path, char *const *argv, const int *fds, unsigned int nr_fds, struct udf_error *err);
/* Take in what it has said. */
void udf_qemu_listen(struct qemu_proc *proc);
/* It has ended: reap it, and say in one line how it ended. */
void udf_qemu_reap(struct qemu_proc *proc, char *why, size_t len);
/* End it: asks, waits for at most two seconds, kills; reaps. */
void udf_qemu_stop(struct qemu_proc *proc);
/* The program's path: $UDF_QEMU, or searched in PATH. */
int udf_qemu_find(char *path, size_t len, struct udf_error *err);

struct qemu_bar {
	struct udf_bar_info info;
	uint64_t addr;		/* guest-physical, or I/O port */
};

struct qemu_port {
	struct udf_port port;
	struct qemu_args args;
	struct qemu_proc proc;
	struct udf_qtest qtest;
	struct udf_qmp qmp;
	struct udf_ivshmem ivshmem;
	int qtest_fd, qmp_fd, ram_fd;
	uint64_t ram_size, arena_size;		/* of the latter, what is in use */

	/* PCI */
	bool pcie;				/* has 4096 bytes of configuration space */
	struct qemu_bar bar[UDF_PORT_BARS];
	uint64_t doorbell;			/* guest-physical address of the ivshmem register */
	unsigned int msi, msix, exp, af;	/* capabilities; 0: absent */
	unsigned int msi_count, msix_count;
	uint64_t msix_table;			/* guest-physical */
	bool intx_pin;

	/* interrupts */
	struct udf_spin irq_lock;		/* guards what irq_enable() and irq_mask() change */
	uint32_t irq_live;			/* enabled type << 16 | its vectors; 0 vectors: none. See qemu_irq_live() */
	unsigned int epoll_vectors;		/* eventfds that the thread listens to */
	bool intercepted;			/* QEMU reports interrupt lines */
	uint32_t intx_lines;			/* bit n: GSI n is asserted */
	unsigned int intx_news;			/* counts assertions and unmaskings: reasons to report an asserted line */
	bool intx_masked;
	unsigned int intx_told;			/* thread's own: INTX_NEWS at the last report */
	bool intx_high;				/* thread's own: the level last reported */
	uint32_t msi_masked, msi_pending;	/* plain MSI is masked here */
	volatile uint32_t *words;		/* polled vectors write here; NULL: not mapped yet */

	struct udf_spin awake_lock;
	unsigned int awake;			/* how many want it kept awake */
	/* foreign memory */
	pthread_mutex_t mem_lock;
	uint64_t mem[QEMU_MEM_SLOTS];		/* device address, 0: the slot is free */

	/* the thread */
	pthread_t thread;
	sem_t spawned;
	struct udf_error *spawn_err;		/* of udf_qemu_open(), until spawned is posted */
	int child_fds[QEMU_FD_END - QEMU_FD_QTEST];
	const char *path;
	int epoll, kick;
	bool stop;
	pthread_mutex_t state_lock;
	bool opened, dead;
	char why[512];				/* of the death */
};

static inline struct qemu_port *to_qemu(struct udf_port *port)
{
	return (struct qemu_port *)port;
}

/* How many vectors are enabled, and of which type. */
static inline unsigned int qemu_irq_live(struct qemu_port *q, enum udf_irq_type *type)
{
	uint32_t live = __atomic_load_n(&q->irq_live, __ATOMIC_ACQUIRE);

	*type = (enum udf_irq_type)(live >> 16);
	return live & 0xffff;
}

/* qemu-pci.c. Find the device, assign its BARs, read its capabilities. */
int udf_qemu_pci_init(struct qemu_port *q, struct udf_error *err);
int udf_qemu_config_read(struct udf_port *port, unsigned int offset, unsigned int size, uint32_t *value);
int udf_qemu_config_write(struct udf_port *port, unsigned int offset, unsigned int size, uint32_t value);
int udf_qemu_bar_info(struct udf_port *port, unsigned int bar, struct udf_bar_info *info);
int udf_qemu_bar_read(struct udf_port *port, unsigned int bar, uint64_t offset, unsigned int size, uint64_t *value);
int udf_qemu_bar_write(struct udf_port *port, unsigned int bar, uint64_t offset, unsigned int size, uint64_t value);
int udf_qemu_reset(struct udf_port *port);

/* qemu-awake.c */
void udf_qemu_keep_awake(struct udf_port *port, bool on);
/* qemu-mem.c */
int udf_qemu_dma_add(struct udf_port *port, int fd, uint64_t len, int lease, uint64_t *dev);
int udf_qemu_dma_remove(struct udf_port *port, uint64_t dev);

/* qemu-irq.c */
unsigned int udf_qemu_irq_count(struct udf_port *port, enum udf_irq_type type);
int udf_qemu_irq_enable(struct udf_port *port, enum udf_irq_type type, unsigned int count);
int udf_qemu_irq_mask(struct udf_port *port, unsigned int vector, bool masked);
volatile uint32_t *udf_qemu_irq_words(struct udf_port *port);
int udf_qemu_irq_poll(struct udf_port *port, unsigned int vector, bool polled);
void udf_qemu_irq_release(struct qemu_port *q);
/* The device was reset: no type is enabled. */
void udf_qemu_irq_forget(struct qemu_port *q);
/* From qtest: a line of the interrupt controller has changed. */
void udf_qemu_irq_line(void *ctx, unsigned int gsi, bool level);

/* qemu-thread.c. Start the thread and, in it, QEMU. */
int udf_qemu_thread_start(struct qemu_port *q, struct udf_error *err);
/* End QEMU and the thread. */
void udf_qemu_thread_stop(struct qemu_port *q);
/* Make the thread look at the interrupt state. */
void udf_qemu_thread_kick(struct qemu_port *q);
/* Listen to the eventfds that the thread does not know yet; to qtest once lines are intercepted; to the monitor, whose events nobody reads. */
int udf_qemu_thread_watch(struct qemu_port *q, unsigned int vectors);
int udf_qemu_thread_watch_lines(struct qemu_port *q);
int udf_qemu_thread_watch_monitor(struct qemu_port *q);

#endif
