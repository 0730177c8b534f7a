// SPDX-License-Identifier: GPL-2.0
/* Makes DEVICE of the kernel's nbd the export of the server behind a Unix socket, until it is killed: nbd DEVICE SOCKET. Host world. */
#include <endian.h>
#include <fcntl.h>
#include <linux/nbd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NBD_OPT_EXPORT_NAME 1
#define NBD_NO_ZEROES 2
#define IHAVEOPT 0x49484156454f5054ull

struct greeting {
	char magic[8];
	uint64_t option;
	uint16_t flags;
} __attribute__((packed));

struct option {
	uint32_t flags;
	uint64_t magic;
	uint32_t option, len;
} __attribute__((packed));

struct answer {
	uint64_t size;
	uint16_t flags;
} __attribute__((packed));

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct option o = { htobe32(NBD_NO_ZEROES | 1), htobe64(IHAVEOPT), htobe32(NBD_OPT_EXPORT_NAME), 0 };
	struct greeting g;
	struct answer a;
	int disk, sock;

	if (argc != 3)
		return 2;
	disk = open(argv[1], O_RDWR);
	sock = socket(AF_UNIX, SOCK_STREAM, 0);
	strncpy(addr.sun_path, argv[2], sizeof(addr.sun_path) - 1);
	if (disk < 0 || connect(sock, (struct sockaddr *)&addr, sizeof(addr)) || recv(sock, &g, sizeof(g), MSG_WAITALL) != sizeof(g) ||
	    write(sock, &o, sizeof(o)) != sizeof(o) || recv(sock, &a, sizeof(a), MSG_WAITALL) != sizeof(a)) {
		perror("nbd: negotiation");
		return 1;
	}
	if (ioctl(disk, NBD_SET_BLKSIZE, 4096ul) || ioctl(disk, NBD_SET_SIZE_BLOCKS, (unsigned long)(be64toh(a.size) / 4096)) ||
	    ioctl(disk, NBD_SET_FLAGS, (unsigned long)be16toh(a.flags)) || ioctl(disk, NBD_SET_SOCK, (unsigned long)sock)) {
		perror("nbd: set-up");
		return 1;
	}
	return ioctl(disk, NBD_DO_IT) ? 1 : 0;
}
