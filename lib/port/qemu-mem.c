// SPDX-License-Identifier: GPL-2.0
/*
 * Foreign memory in QEMU: a piece of another process's memory file becomes a memory module that is plugged into the running machine, so
 * that the device reaches it where it is. Host world; any thread but a vCPU's.
 *
 * QEMU gets the file over its monitor and maps it. The modules need the slots that a machine with ACPI has; there is no system here
 * that would notice them. It would also have to let a module go, which is a command in the slots' registers: the transport writes it.
 * The lease goes into the same set of descriptors and is closed with it: by command, or when QEMU ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port/qemu-int.h"

#define SLOT_REGISTERS	0xa00	/* of q35: which slot; at + 0x14 its state, and commands */
#define SLOT_STATE	(SLOT_REGISTERS + 0x14)
#define SLOT_EJECT	0x08

/* The number that follows KEY in QEMU's REPLY. */
static int number_in(const char *reply, const char *key, uint64_t *value)
{
	const char *p = strstr(reply, key);
	char *end;

	if (!p)
		return -EPROTO;
	p += strlen(key);
	*value = strtoull(p, &end, 10);
	return end == p ? -EPROTO : 0;
}

static int command(struct qemu_port *q, const char *text)
{
	return udf_qmp_command(&q->qmp, text, NULL, 0);
}

/* Give QEMU the descriptor FD, in the set of SLOT; *NUMBER is what it is there. */
static int give_fd(struct qemu_port *q, unsigned int slot, int fd, uint64_t *number)
{
	char text[96], reply[256];
	int ret;

	snprintf(text, sizeof(text), "{\"execute\": \"add-fd\", \"arguments\": {\"fdset-id\": %u}}", slot);
	ret = udf_qmp_command_fd(&q->qmp, text, fd, reply, sizeof(reply));
	return ret ? ret : number_in(reply, "\"fd\": ", number);
}

static void take_fds(struct qemu_port *q, unsigned int slot)
{
	char text[96];

	snprintf(text, sizeof(text), "{\"execute\": \"remove-fd\", \"arguments\": {\"fdset-id\": %u}}", slot);
	command(q, text);
}

static int add_backend(struct qemu_port *q, unsigned int slot, uint64_t number, uint64_t len)
{
	char text[320];

	snprintf(text, sizeof(text), "{\"execute\": \"object-add\", \"arguments\": {\"qom-type\": \"memory-backend-file\", \"id\": \"udfmem%u\", "
		 "\"size\": %llu, \"mem-path\": \"/proc/self/fd/%llu\", \"share\": true}}", slot, (unsigned long long)len,
		 (unsigned long long)number);
	return command(q, text);
}

static int remove_backend(struct qemu_port *q, unsigned int slot)
{
	char text[96];

	snprintf(text, sizeof(text), "{\"execute\": \"object-del\", \"arguments\": {\"id\": \"udfmem%u\"}}", slot);
	return command(q, text);
}

static int plug(struct qemu_port *q, unsigned int slot, uint64_t *addr)
{
	char text[256], reply[256];
	int ret;

	snprintf(text, sizeof(text), "{\"execute\": \"device_add\", \"arguments\": {\"driver\": \"pc-dimm\", \"id\": \"udfdimm%u\", "
		 "\"memdev\": \"udfmem%u\", \"slot\": %u}}", slot, slot, slot);
	ret = command(q, text);
	if (ret)
		return ret;
	snprintf(text, sizeof(text), "{\"execute\": \"qom-get\", \"arguments\": {\"path\": \"/machine/peripheral/udfdimm%u\", "
		 "\"property\": \"addr\"}}", slot);
	ret = udf_qmp_command(&q->qmp, text, reply, sizeof(reply));
	return ret ? ret : number_in(reply, "\"return\": ", addr);
}

static int unplug(struct qemu_port *q, unsigned int slot)
{
	char text[96];
	int ret;

	snprintf(text, sizeof(text), "{\"execute\": \"device_del\", \"arguments\": {\"id\": \"udfdimm%u\"}}", slot);
	ret = command(q, text);
	if (!ret)
		ret = udf_qtest_out(&q->qtest, SLOT_REGISTERS, 4, slot);
	if (!ret)
		ret = udf_qtest_out(&q->qtest, SLOT_STATE, 1, SLOT_EJECT);
	return ret ? ret : udf_qtest_sync(&q->qtest);
}

static int add_slot(struct qemu_port *q, unsigned int slot, int fd, uint64_t len, int lease, uint64_t *dev)
{
	uint64_t number, ignored, addr;
	int ret = give_fd(q, slot, fd, &number);

	if (ret)
		return ret;
	if (lease >= 0)
		ret = give_fd(q, slot, lease, &ignored);
	if (ret)
		goto take_fds;
	ret = add_backend(q, slot, number, len);
	if (ret)
		goto take_fds;
	ret = plug(q, slot, &addr);
	if (ret)
		goto remove_backend;
	q->mem[slot] = *dev = addr;
	return 0;

remove_backend:
	remove_backend(q, slot);
take_fds:
	take_fds(q, slot);
	return ret;
}

int udf_qemu_dma_add(struct udf_port *port, int fd, uint64_t len, int lease, uint64_t *dev)
{
	struct qemu_port *q = to_qemu(port);
	unsigned int slot;
	int ret = -ENOSPC;

	pthread_mutex_lock(&q->mem_lock);
	for (slot = 0; slot < QEMU_MEM_SLOTS && q->mem[slot]; slot++)
		;
	if (slot < QEMU_MEM_SLOTS)
		ret = add_slot(q, slot, fd, len, lease, dev);
	pthread_mutex_unlock(&q->mem_lock);
	return ret;
}

int udf_qemu_dma_remove(struct udf_port *port, uint64_t dev)
{
	struct qemu_port *q = to_qemu(port);
	unsigned int slot;
	int ret = -ENOENT;

	pthread_mutex_lock(&q->mem_lock);
	for (slot = 0; slot < QEMU_MEM_SLOTS && q->mem[slot] != dev; slot++)
		;
	if (slot < QEMU_MEM_SLOTS) {
		ret = unplug(q, slot);
		if (!ret)
			ret = remove_backend(q, slot);
		/* a module that does not go keeps its slot, and its lease */
		if (!ret) {
			q->mem[slot] = 0;
			take_fds(q, slot);
		}
	}
	pthread_mutex_unlock(&q->mem_lock);
	return ret;
}
