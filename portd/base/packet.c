// SPDX-License-Identifier: GPL-2.0
/* Messages as JSON in packets; see packet.h. Host world. */
#define _GNU_SOURCE
#include "base/packet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- receive ---- */

static void take_fds(struct msghdr *h, struct udf_packet *m)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		size_t n, i;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (m->nr_fds < UDF_MESSAGE_FDS)
				m->fd[m->nr_fds++] = fd;
			else
				close(fd);
		}
	}
}

struct json_object *udf_packet_parse(const char *text, size_t len)
{
	struct json_tokener *t = json_tokener_new_ex(UDF_MESSAGE_DEPTH);
	struct json_object *o = NULL;

	if (!t)
		return NULL;
	json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	if (len && len <= UDF_MESSAGE_MAX)
		o = json_tokener_parse_ex(t, text, (int)len);
	if (o && (json_tokener_get_parse_end(t) != len || !json_object_is_type(o, json_type_object))) {
		json_object_put(o);
		o = NULL;
	}
	json_tokener_free(t);
	return o;
}

int udf_packet_receive(int sock, struct udf_packet *m)
{
	char control[CMSG_SPACE(sizeof(int) * UDF_MESSAGE_FDS)];
	char *text = malloc(UDF_MESSAGE_MAX);
	struct iovec iov = { .iov_base = text, .iov_len = UDF_MESSAGE_MAX };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t n;
	int ret;

	memset(m, 0, sizeof(*m));
	if (!text)
		return -ENOMEM;
	do {
		n = recvmsg(sock, &h, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	ret = n < 0 ? -errno : n > 0;
	if (n >= 0)
		take_fds(&h, m);
	if (n > 0 && !(h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		m->body = udf_packet_parse(text, (size_t)n);
	free(text);
	if (ret == 1 && !m->body)
		ret = -EBADMSG;
	if (ret != 1)
		udf_packet_release(m);
	return ret == -ECONNRESET || ret == -EPIPE ? 0 : ret;
}

void udf_packet_release(struct udf_packet *m)
{
	unsigned int i;

	json_object_put(m->body);
	for (i = 0; i < m->nr_fds; i++)
		if (m->fd[i] >= 0)
			close(m->fd[i]);
	memset(m, 0, sizeof(*m));
}

int udf_packet_take_fd(struct udf_packet *m, unsigned int i)
{
	int fd = i < m->nr_fds ? m->fd[i] : -1;

	if (i < m->nr_fds)
		m->fd[i] = -1;
	return fd;
}

/* ---- send ---- */

int udf_packet_send(int sock, struct json_object *body, const int *fds, unsigned int nr_fds)
{
	char control[CMSG_SPACE(sizeof(int) * UDF_MESSAGE_FDS)] = { 0 };
	struct msghdr h = { .msg_iovlen = 1 };
	struct iovec iov;
	size_t len = 0;
	ssize_t n;
	int ret = 0;

	if (!body || nr_fds > UDF_MESSAGE_FDS) {
		json_object_put(body);
		return body ? -EINVAL : -ENOMEM;
	}
	iov.iov_base = (void *)json_object_to_json_string_length(body, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
	iov.iov_len = len;
	h.msg_iov = &iov;
	if (nr_fds) {
		struct cmsghdr *c;

		h.msg_control = control;
		h.msg_controllen = CMSG_SPACE(sizeof(int) * nr_fds);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nr_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * nr_fds);
	}
	if (!iov.iov_base) {
		ret = -ENOMEM;
	} else if (len > UDF_MESSAGE_MAX) {
		ret = -EMSGSIZE;
	} else {
		do {
			n = sendmsg(sock, &h, MSG_NOSIGNAL);
		} while (n < 0 && errno == EINTR);
		ret = n < 0 ? -errno : 0;
	}
	json_object_put(body);
	return ret;
}

/* ---- members ---- */

const char *udf_packet_text(struct json_object *o, const char *key, const char *otherwise)
{
	struct json_object *v;

	/* one with a 0 within is none */
	if (!json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, json_type_string) ||
	    strlen(json_object_get_string(v)) != (size_t)json_object_get_string_len(v))
		return otherwise;
	return json_object_get_string(v);
}

int64_t udf_packet_number(struct json_object *o, const char *key, int64_t otherwise)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : otherwise;
}

bool udf_packet_bool(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_boolean) && json_object_get_boolean(v);
}

struct json_object *udf_packet_array(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_array) ? v : NULL;
}

/* How many bytes at P are one well-formed UTF-8 character; 0: none. */
static size_t utf8_len(const unsigned char *p, size_t left)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;
	size_t i;

	if (!n || n > left)
		return 0;
	for (i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates, beyond the last code point */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
		return 0;
	return n;
}

struct json_object *udf_packet_string(const char *text, size_t len)
{
	struct json_object *o;
	char *clean = malloc(len + 1);
	size_t i = 0, n;

	if (!clean)
		return NULL;
	while (i < len) {
		n = utf8_len((const unsigned char *)text + i, len - i);
		if (n > 1)
			memcpy(clean + i, text + i, n);
		else
			clean[i] = n && ((unsigned char)text[i] >= ' ' || text[i] == '\n' || text[i] == '\t') && text[i] != 0x7f ? text[i] : '?';
		i += n ? n : 1;
	}
	o = json_object_new_string_len(clean, (int)len);
	free(clean);
	return o;
}

struct json_object *udf_packet_new(const char *key, const char *value)
{
	struct json_object *o = json_object_new_object();

	if (o)
		udf_packet_add_text(o, key, value);
	return o;
}

void udf_packet_add_text(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, udf_packet_string(value, strlen(value)));
}

void udf_packet_add_number(struct json_object *o, const char *key, int64_t value)
{
	json_object_object_add(o, key, json_object_new_int64(value));
}

void udf_packet_add_bool(struct json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}
