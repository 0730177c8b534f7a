// SPDX-License-Identifier: GPL-2.0
/*
 * A handler of the kernel's target_core_user with nothing behind it: tcmu UIO-DEVICE MAP-SIZE BLOCKS. Reads succeed and leave the data area as
 * it is: the least that such a handler can do. Host world.
 */
#include <linux/target_core_user.h>
#define __iovec_defined 1	/* there, and again in libc's headers */
#include <endian.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK 4096

static struct tcmu_mailbox *box;
static uint64_t blocks;

static void answer(const struct tcmu_cmd_entry *e, const void *data, size_t len)
{
	for (unsigned int i = 0; i < e->req.iov_cnt && len; i++) {
		size_t n = len < e->req.iov[i].iov_len ? len : e->req.iov[i].iov_len;

		memcpy((char *)box + (uintptr_t)e->req.iov[i].iov_base, data, n);
		data = (const char *)data + n;
		len -= n;
	}
}

static void read_capacity_10(const struct tcmu_cmd_entry *e)
{
	uint32_t a[2] = { htobe32((uint32_t)(blocks - 1)), htobe32(BLOCK) };

	answer(e, a, sizeof(a));
}

static void read_capacity_16(const struct tcmu_cmd_entry *e)
{
	char a[32] = { 0 };
	uint64_t last = htobe64(blocks - 1);
	uint32_t block = htobe32(BLOCK);

	memcpy(a, &last, 8);
	memcpy(a + 8, &block, 4);
	answer(e, a, sizeof(a));
}

static void perform(struct tcmu_cmd_entry *e)
{
	const uint8_t *cdb = (uint8_t *)box + e->req.cdb_off;
	static const char inquiry[36] = "\0\0\6\2\37\0\0\2" "UDF     " "null            " "0   ";
	static const char vpd[4] = { 0 };
	static const char mode[8] = { 0, 6 };

	switch (cdb[0]) {
	case 0x12:
		cdb[1] & 1 ? answer(e, vpd, sizeof(vpd)) : answer(e, inquiry, sizeof(inquiry));
		break;
	case 0x25:
		read_capacity_10(e);
		break;
	case 0x9e:
		read_capacity_16(e);
		break;
	case 0x1a:
		answer(e, "\3\0\0\0", 4);
		break;
	case 0x5a:
		answer(e, mode, sizeof(mode));
		break;
	}
	e->rsp.scsi_status = 0;		/* in the place of the request */
}

static void run_all(void)
{
	uint32_t tail = box->cmd_tail;

	while (tail != __atomic_load_n(&box->cmd_head, __ATOMIC_ACQUIRE)) {
		struct tcmu_cmd_entry *e = (void *)((char *)box + box->cmdr_off + tail);

		if (tcmu_hdr_get_op(e->hdr.len_op) == TCMU_OP_CMD)
			perform(e);
		else if (tcmu_hdr_get_op(e->hdr.len_op) != TCMU_OP_PAD)
			e->hdr.uflags |= TCMU_UFLAG_UNKNOWN_OP;
		tail = (tail + tcmu_hdr_get_len(e->hdr.len_op)) % box->cmdr_size;
		__atomic_store_n(&box->cmd_tail, tail, __ATOMIC_RELEASE);
	}
}

int main(int argc, char **argv)
{
	uint32_t n = 0;
	int fd;

	if (argc != 4)
		return 2;
	fd = open(argv[1], O_RDWR);
	blocks = strtoull(argv[3], NULL, 0);
	box = mmap(NULL, strtoull(argv[2], NULL, 0), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || box == MAP_FAILED) {
		perror(argv[1]);
		return 1;
	}
	for (;;) {
		run_all();
		if (write(fd, &n, 4) != 4 || read(fd, &n, 4) != 4)
			return 1;
		n = 0;
	}
}
