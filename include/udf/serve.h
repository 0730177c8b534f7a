/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libudf in a driver process: let applications in other processes use its disks. They set the option "port" of udf.h.
 *
 *	udf_open(o, &udf);				a driver in this process
 *	fd = accept(listening, NULL, NULL);		a socket of type SOCK_SEQPACKET
 *	udf_serve_client(udf, fd);			any number of them, at any time
 *	udf_close(udf);					ends them all
 *
 * An application's buffers and rings lie in memory of its own, which the device and the driver's kernel code are given access to: data
 * is not copied. It cannot name other memory than its own in a request. Whatever it sends, or when it ends, concerns it alone.
 * An application that attaches when another one has ended, however it ended, is answered when no write of that one is in flight any more.
 */
#ifndef UDF_SERVE_H
#define UDF_SERVE_H

#include "udf/udf.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Serve the application at the other end of FD, a connected socket of type SOCK_SEQPACKET, in threads of libudf. Who may connect is the
 * caller's decision. Returns 0, and FD is libudf's; or -EINVAL (no such socket), -EOPNOTSUPP (UDF is attached itself), -ENODEV, -EMFILE,
 * -ENOMEM: then it is the caller's still.
 */
int udf_serve_client(struct udf *udf, int fd);

/* How many applications are attached now. */
unsigned int udf_serve_clients(struct udf *udf);

#ifdef __cplusplus
}
#endif
#endif
