/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages between udfd, its clients and the driver processes: one JSON object in one packet, with descriptors. Host world.
 *
 * Who sends may be hostile: what is received is bounded in size, depth and number of descriptors, and is an object, or an error.
 */
#ifndef UDF_PORTD_PACKET_H
#define UDF_PORTD_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "udf/daemon.h"

struct udf_packet {
	struct json_object *body;	/* NULL: none */
	int fd[UDF_MESSAGE_FDS];	/* close-on-exec */
	unsigned int nr_fds;
};

/*
 * Receive a message. Returns 1; 0 when the peer has closed the connection; -EAGAIN when there is none (SOCK must be non-blocking for
 * that); -EBADMSG when it is no message, and then the connection is of no more use; another negative errno. M is to be released after 1.
 */
int udf_packet_receive(int sock, struct udf_packet *m);
void udf_packet_release(struct udf_packet *m);

/* The descriptor number I of M, which is the caller's from now on; -1: there is none. */
int udf_packet_take_fd(struct udf_packet *m, unsigned int i);

/*
 * Send BODY, which is released in any case (NULL: no memory), with FDS, which stay the caller's. Returns 0, -EAGAIN when the peer does not
 * receive, -EMSGSIZE when it is too long, or another negative errno.
 */
int udf_packet_send(int sock, struct json_object *body, const int *fds, unsigned int nr_fds);

/* What LEN bytes at TEXT say as an object, or NULL. */
struct json_object *udf_packet_parse(const char *text, size_t len);

/* Members of an object: their value, or what stands for it when there is none of that type. Texts are the object's. */
const char *udf_packet_text(struct json_object *o, const char *key, const char *otherwise);
int64_t udf_packet_number(struct json_object *o, const char *key, int64_t otherwise);
bool udf_packet_bool(struct json_object *o, const char *key);
struct json_object *udf_packet_array(struct json_object *o, const char *key);

/* { KEY: VALUE }. NULL: no memory. */
struct json_object *udf_packet_new(const char *key, const char *value);
/* Add a member to O. Texts that are not UTF-8 have the bytes that are not replaced by '?'. */
void udf_packet_add_text(struct json_object *o, const char *key, const char *value);
void udf_packet_add_number(struct json_object *o, const char *key, int64_t value);
void udf_packet_add_bool(struct json_object *o, const char *key, bool value);
/* TEXT as a JSON string, made UTF-8 and without control characters but newlines. */
struct json_object *udf_packet_string(const char *text, size_t len);

#endif
