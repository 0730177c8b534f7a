/* SPDX-License-Identifier: GPL-2.0 */
/* Sending bytes with a descriptor over a Unix socket. Host world. */
#ifndef UDF_COMMON_SEND_FD_H
#define UDF_COMMON_SEND_FD_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Send LEN bytes at DATA over SOCK, with the descriptor FD if it is not -1; it remains the caller's. FLAGS: of send(2), beside MSG_NOSIGNAL.
 * Returns how many bytes were sent, on a stream perhaps fewer than LEN, or a negative errno.
 */
ssize_t udf_send_fd(int sock, const void *data, size_t len, int fd, int flags);

#endif
