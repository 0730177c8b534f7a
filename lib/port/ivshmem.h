/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interrupt messages of an emulated device as eventfds. Host world.
 *
 * QEMU's ivshmem-doorbell device has a register at BAR 0 + 12: writing peer << 16 | vector signals an eventfd that its server handed to QEMU.
 * A device's interrupt message is such a write. We are the server: vector V of the driven device has the message
 * (doorbell, V / 256 << 16 | V % 256), so the lower 16 bits, all that plain MSI can send, name the vectors of peer 0.
 */
#ifndef UDF_PORT_IVSHMEM_H
#define UDF_PORT_IVSHMEM_H

#include <stdbool.h>
#include <stdint.h>

#define UDF_IVSHMEM_VECTORS	2048	/* an MSI-X table has at most so many */
#define UDF_IVSHMEM_PER_PEER	256	/* the register has 8 bits for the vector */
#define UDF_IVSHMEM_DOORBELL	12	/* offset in BAR 0 */

struct udf_ivshmem {
	int sock;		/* our end of QEMU's chardev */
	unsigned int count;	/* vectors that QEMU has */
	int eventfd[UDF_IVSHMEM_VECTORS];
};

/* Greet QEMU over SOCK, even before it runs. SOCK becomes the server's. */
int udf_ivshmem_init(struct udf_ivshmem *iv, int sock);
void udf_ivshmem_close(struct udf_ivshmem *iv);

/* Hand eventfds to QEMU until there are COUNT. QEMU takes notice some time later. */
int udf_ivshmem_grow(struct udf_ivshmem *iv, unsigned int count);

/*
 * Whether VECTOR's doorbell has been rung since the last call. Never blocks, whatever QEMU has made of the descriptor: it clears
 * O_NONBLOCK of those that it receives, and that is a property of the open file, which is ours as well.
 */
bool udf_ivshmem_rung(struct udf_ivshmem *iv, unsigned int vector);

static inline uint32_t udf_ivshmem_data(unsigned int vector)
{
	return vector / UDF_IVSHMEM_PER_PEER << 16 | vector % UDF_IVSHMEM_PER_PEER;
}

#endif
