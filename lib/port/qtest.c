// SPDX-License-Identifier: GPL-2.0
/* QEMU's qtest protocol as a bus; see qtest.h. Host world. */
#define _GNU_SOURCE
#include "port/qtest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* On the stack of the thread that waits. */
struct udf_qtest_reply {
	int result;		/* 0 or -EIO */
	uint64_t value;
	bool done;
};

#define COMMAND_MAX 64		/* "writeq 0x... 0x...\n" has 45 */

void udf_qtest_init(struct udf_qtest *q, int fd, void (*irq)(void *ctx, unsigned int gsi, bool level), void *ctx)
{
	const char *sync = getenv("UDF_QEMU_SYNC");

	memset(q, 0, sizeof(*q));
	q->fd = fd;
	q->sync = sync && *sync && strcmp(sync, "0");
	q->irq = irq;
	q->ctx = ctx;
}

static bool is_lost(struct udf_qtest *q)
{
	return __atomic_load_n(&q->lost, __ATOMIC_ACQUIRE);
}

static void set_lost(struct udf_qtest *q)
{
	__atomic_store_n(&q->lost, true, __ATOMIC_RELEASE);
}

static uint64_t received(struct udf_qtest *q)
{
	return __atomic_load_n(&q->received, __ATOMIC_ACQUIRE);
}

/* One line from QEMU, without its newline, 0-terminated. Called with rx held. */
static void take_line(struct udf_qtest *q, char *line)
{
	struct udf_qtest_reply *reply;

	if (!strncmp(line, "IRQ raise ", 10) || !strncmp(line, "IRQ lower ", 10)) {
		if (q->irq)
			q->irq(q->ctx, (unsigned int)strtoul(line + 10, NULL, 10), line[4] == 'r');
		return;
	}
	reply = __atomic_load_n(&q->waiters[q->received % UDF_QTEST_WINDOW], __ATOMIC_ACQUIRE);
	if (reply) {
		reply->result = strncmp(line, "OK", 2) ? -EIO : 0;
		reply->value = line[0] == 'O' && line[2] == ' ' ? strtoull(line + 3, NULL, 0) : 0;
		__atomic_store_n(&reply->done, true, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&q->received, q->received + 1, __ATOMIC_RELEASE);
}

/* Receive once and take all whole lines. FLAGS: MSG_DONTWAIT or 0. Called with rx held. Returns whether something came. */
static bool receive(struct udf_qtest *q, int flags)
{
	char *start = q->buf, *end;
	ssize_t n;

	do {
		n = recv(q->fd, q->buf + q->len, sizeof(q->buf) - 1 - q->len, flags);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && flags && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	if (n <= 0) {
		set_lost(q);
		return false;
	}
	q->len += (size_t)n;
	while ((end = memchr(start, '\n', q->len - (size_t)(start - q->buf)))) {
		*end = 0;
		take_line(q, start);
		start = end + 1;
	}
	q->len -= (size_t)(start - q->buf);
	memmove(q->buf, start, q->len);
	if (q->len == sizeof(q->buf) - 1)	/* no reply is that long */
		set_lost(q);
	return true;
}

void udf_qtest_poll(struct udf_qtest *q)
{
	do {
		if (!udf_spin_trylock(&q->rx)) {
			__atomic_store_n(&q->poll_again, true, __ATOMIC_SEQ_CST);
			/* the owner may have let go before it could see that */
			if (!udf_spin_trylock(&q->rx))
				return;
		}
		while (!is_lost(q) && receive(q, MSG_DONTWAIT))
			;
		udf_spin_unlock(&q->rx);
	} while (__atomic_exchange_n(&q->poll_again, false, __ATOMIC_SEQ_CST));
}

static bool arrived(struct udf_qtest *q, uint64_t count, struct udf_qtest_reply *reply)
{
	return reply ? __atomic_load_n(&reply->done, __ATOMIC_ACQUIRE) : received(q) >= count;
}

/* Wait until COUNT replies have come; REPLY is the last one's if that is waited for. */
static int wait_for(struct udf_qtest *q, uint64_t count, struct udf_qtest_reply *reply)
{
	while (!arrived(q, count, reply)) {
		if (is_lost(q)) {
			/* nobody may be filing into REPLY any more when the caller's stack goes */
			udf_spin_lock(&q->rx);
			udf_spin_unlock(&q->rx);
			return arrived(q, count, reply) ? 0 : -ENODEV;
		}
		if (!udf_spin_trylock(&q->rx)) {
			sched_yield();
			continue;
		}
		if (!arrived(q, count, reply) && !is_lost(q))
			receive(q, 0);
		udf_spin_unlock(&q->rx);
		if (__atomic_exchange_n(&q->poll_again, false, __ATOMIC_SEQ_CST))
			udf_qtest_poll(q);
	}
	return 0;
}

static int send_all(struct udf_qtest *q, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(q->fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -ENODEV;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Called with tx held. */
static int send_gathered(struct udf_qtest *q)
{
	size_t len = q->out_len;

	__atomic_store_n(&q->out_len, 0, __ATOMIC_RELEASE);
	return len ? send_all(q, q->out, len) : 0;
}

/* Keep the number of outstanding replies bounded. Called with tx held. */
static int make_room(struct udf_qtest *q)
{
	uint64_t outstanding = q->sent - received(q);
	int ret;

	if (outstanding >= UDF_QTEST_WINDOW) {
		ret = send_gathered(q);
		return ret ? ret : wait_for(q, q->sent - UDF_QTEST_WINDOW / 2, NULL);
	}
	if (outstanding > UDF_QTEST_WINDOW / 2 && outstanding % 16 == 0)
		udf_qtest_poll(q);
	return 0;
}

/* Called with tx held. Posted commands may be gathered, those that are waited for take the gathered ones along. */
static int send_command(struct udf_qtest *q, const char *text, size_t len, bool posted)
{
	int ret = 0;

	if (q->out_len + len > sizeof(q->out))
		ret = send_gathered(q);
	if (ret || (!q->out_len && !(q->hold && posted)))
		return ret ? ret : send_all(q, text, len);
	memcpy(q->out + q->out_len, text, len);
	__atomic_store_n(&q->out_len, q->out_len + len, __ATOMIC_RELEASE);
	return q->hold && posted ? 0 : send_gathered(q);
}

void udf_qtest_flush(struct udf_qtest *q)
{
	if (!__atomic_load_n(&q->out_len, __ATOMIC_ACQUIRE))
		return;
	udf_spin_lock(&q->tx);
	if (send_gathered(q))
		set_lost(q);
	udf_spin_unlock(&q->tx);
}

void udf_qtest_hold(struct udf_qtest *q, bool hold)
{
	udf_spin_lock(&q->tx);
	q->hold = hold;
	udf_spin_unlock(&q->tx);
	if (!hold)
		udf_qtest_flush(q);
}

/* Send a command; REPLY, if any, is filled when its answer comes. *NUMBER: how many replies there are then. */
static int submit(struct udf_qtest *q, const char *text, size_t len, struct udf_qtest_reply *reply, uint64_t *number)
{
	int ret = -ENODEV;

	udf_spin_lock(&q->tx);
	if (!is_lost(q))
		ret = make_room(q);
	if (!ret) {
		__atomic_store_n(&q->waiters[q->sent % UDF_QTEST_WINDOW], reply, __ATOMIC_RELEASE);
		__atomic_store_n(&q->sent, q->sent + 1, __ATOMIC_RELEASE);
		*number = q->sent;
		ret = send_command(q, text, len, !reply);
		if (ret)
			set_lost(q);
	}
	udf_spin_unlock(&q->tx);
	return ret;
}

static char *put_hex(char *p, uint64_t value)
{
	int digits = value ? (67 - __builtin_clzll(value)) / 4 : 1;

	*p++ = ' ';
	*p++ = '0';
	*p++ = 'x';
	for (int i = digits - 1; i >= 0; i--)
		*p++ = "0123456789abcdef"[value >> 4 * i & 15];
	return p;
}

static char suffix(unsigned int size)
{
	return size == 1 ? 'b' : size == 2 ? 'w' : size == 4 ? 'l' : 'q';
}

static uint64_t low_bytes(uint64_t value, unsigned int size)
{
	return size == 8 ? value : value & ((1ull << size * 8) - 1);
}

static int roundtrip(struct udf_qtest *q, const char *text, size_t len, uint64_t *value)
{
	struct udf_qtest_reply reply = { .done = false };
	uint64_t number;
	int ret = submit(q, text, len, &reply, &number);

	if (!ret)
		ret = wait_for(q, number, &reply);
	if (!ret)
		ret = reply.result;
	if (!ret && value)
		*value = reply.value;
	return ret;
}

static int get(struct udf_qtest *q, const char *verb, uint64_t addr, unsigned int size, uint64_t *value)
{
	char text[COMMAND_MAX], *p = stpcpy(text, verb);

	*p++ = suffix(size);
	p = put_hex(p, addr);
	*p++ = '\n';
	return roundtrip(q, text, (size_t)(p - text), value);
}

static int put(struct udf_qtest *q, const char *verb, uint64_t addr, unsigned int size, uint64_t value)
{
	char text[COMMAND_MAX], *p = stpcpy(text, verb);
	uint64_t number;

	*p++ = suffix(size);
	p = put_hex(p, addr);
	p = put_hex(p, low_bytes(value, size));
	*p++ = '\n';
	if (q->sync)
		return roundtrip(q, text, (size_t)(p - text), NULL);
	return submit(q, text, (size_t)(p - text), NULL, &number);
}

int udf_qtest_read(struct udf_qtest *q, uint64_t addr, unsigned int size, uint64_t *value)
{
	return get(q, "read", addr, size, value);
}

int udf_qtest_write(struct udf_qtest *q, uint64_t addr, unsigned int size, uint64_t value)
{
	return put(q, "write", addr, size, value);
}

int udf_qtest_in(struct udf_qtest *q, uint16_t port, unsigned int size, uint64_t *value)
{
	return get(q, "in", port, size, value);
}

int udf_qtest_out(struct udf_qtest *q, uint16_t port, unsigned int size, uint64_t value)
{
	return put(q, "out", port, size, value);
}

int udf_qtest_command(struct udf_qtest *q, const char *command)
{
	char text[COMMAND_MAX];
	size_t len = strlen(command);

	if (len + 1 > sizeof(text))
		return -EINVAL;
	memcpy(text, command, len);
	text[len] = '\n';
	return roundtrip(q, text, len + 1, NULL);
}

int udf_qtest_sync(struct udf_qtest *q)
{
	udf_qtest_flush(q);
	return wait_for(q, __atomic_load_n(&q->sent, __ATOMIC_ACQUIRE), NULL);
}
