/* SPDX-License-Identifier: GPL-2.0 */
/*
 * QEMU's qtest protocol as a bus: reads and writes of guest-physical memory and I/O ports. Host world.
 *
 *   vCPU threads -- "writel 0xc0000014 0x1\n" -->  QEMU
 *                <-- "OK\n" ---------------------
 *
 * Writes are posted: sent at once, in order with everything else, and not waited for. Replies come in the order of the commands; whoever
 * waits for one reads and files those before it. QEMU puts lines "IRQ raise 20" between them, which are passed on as they are met.
 * Any thread may call; no malloc; after the connection is lost everything returns -ENODEV.
 *
 * Hardware takes posted writes late, too. But some of QEMU's models rely on the processor waiting, as a virtual machine's does: with
 * UDF_QEMU_SYNC=1 in the environment every write is waited for.
 */
#ifndef UDF_PORT_QTEST_H
#define UDF_PORT_QTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port/spin.h"

/* Commands without a reply: bounds what QEMU may have to buffer in our socket when nobody reads. */
#define UDF_QTEST_WINDOW 128

struct udf_qtest_reply;

struct udf_qtest {
	int fd;
	bool sync;			/* wait for writes */
	bool lost;
	struct udf_spin tx;		/* guards sent, waiters of commands being sent, and the socket's writing side */
	uint64_t sent;
	bool hold;			/* gather writes in OUT */
	size_t out_len;
	char out[2048];
	struct udf_spin rx;		/* guards buf and the socket's reading side */
	uint64_t received;
	bool poll_again;		/* udf_qtest_poll() found rx taken */
	size_t len;
	char buf[4096];
	struct udf_qtest_reply *waiters[UDF_QTEST_WINDOW];
	void (*irq)(void *ctx, unsigned int gsi, bool level);	/* called with rx held: must not use the connection */
	void *ctx;
};

/* FD is the connected stream socket; it remains the caller's. */
void udf_qtest_init(struct udf_qtest *q, int fd, void (*irq)(void *ctx, unsigned int gsi, bool level), void *ctx);

/* Memory; SIZE 1, 2, 4, 8. Writes are posted. */
int udf_qtest_read(struct udf_qtest *q, uint64_t addr, unsigned int size, uint64_t *value);
int udf_qtest_write(struct udf_qtest *q, uint64_t addr, unsigned int size, uint64_t value);
/* I/O ports; SIZE 1, 2, 4. */
int udf_qtest_in(struct udf_qtest *q, uint16_t port, unsigned int size, uint64_t *value);
int udf_qtest_out(struct udf_qtest *q, uint16_t port, unsigned int size, uint64_t value);

/* Any other command, without its newline; waits for "OK". -EIO when QEMU refuses it. */
int udf_qtest_command(struct udf_qtest *q, const char *command);

/* Wait until QEMU has performed everything that was sent before. */
int udf_qtest_sync(struct udf_qtest *q);

/*
 * While HOLD, writes are gathered, and sent together by udf_qtest_flush(), with the next command that is waited for, or when they are
 * many. Ending it sends them.
 */
void udf_qtest_hold(struct udf_qtest *q, bool hold);
void udf_qtest_flush(struct udf_qtest *q);

/* Take in what has arrived, without waiting. */
void udf_qtest_poll(struct udf_qtest *q);

#endif
