// SPDX-License-Identifier: GPL-2.0
/* portd/base/packet.c */
#define _GNU_SOURCE
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/packet.h"

static int pair[2];

static int set_up(void **state)
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair);
}

static int tear_down(void **state)
{
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static void refuse(const void *bytes, size_t len)
{
	struct udf_packet m;

	assert_int_equal(send(pair[0], bytes, len, 0), len);
	assert_int_equal(udf_packet_receive(pair[1], &m), -EBADMSG);
	assert_null(m.body);
}

static void test_there_and_back(void **state)
{
	struct json_object *o = udf_packet_new("do", "it");
	int fds[2] = { STDERR_FILENO, STDERR_FILENO }, fd;
	struct udf_packet m;

	udf_packet_add_number(o, "n", -5);
	udf_packet_add_bool(o, "yes", true);
	assert_int_equal(udf_packet_send(pair[0], o, fds, 2), 0);
	assert_int_equal(udf_packet_receive(pair[1], &m), 1);
	assert_string_equal(udf_packet_text(m.body, "do", ""), "it");
	assert_string_equal(udf_packet_text(m.body, "n", "none"), "none");
	assert_int_equal(udf_packet_number(m.body, "n", 0), -5);
	assert_int_equal(udf_packet_number(m.body, "do", 7), 7);
	assert_true(udf_packet_bool(m.body, "yes"));
	assert_false(udf_packet_bool(m.body, "do"));
	assert_null(udf_packet_array(m.body, "do"));
	assert_int_equal(m.nr_fds, 2);
	fd = udf_packet_take_fd(&m, 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(udf_packet_take_fd(&m, 0), -1);
	assert_int_equal(udf_packet_take_fd(&m, 5), -1);
	close(fd);
	udf_packet_release(&m);
	assert_int_equal(udf_packet_receive(pair[1], &m), -EAGAIN);
	close(pair[0]);
	assert_int_equal(udf_packet_receive(pair[1], &m), 0);
	assert_int_equal(udf_packet_send(pair[1], udf_packet_new("a", "b"), NULL, 0), -EPIPE);
}

static void test_refused(void **state)
{
	char *big = malloc(UDF_MESSAGE_MAX + 100);

	refuse("x", 1);
	refuse("[1]", 3);
	refuse("\"x\"", 3);
	refuse("{\"a\":1", 6);
	refuse("{\"a\":1}x", 8);
	refuse("{\"a\":\"\xff\"}", 9);
	refuse("{\"a\":[[[[[[[[[[[]]]]]]]]]]]}", 28);
	memset(big, ' ', UDF_MESSAGE_MAX + 100);
	memcpy(big, "{}", 2);
	refuse(big, UDF_MESSAGE_MAX + 100);	/* cut off */
	free(big);
	assert_null(udf_packet_parse("", 0));
	assert_int_equal(udf_packet_send(pair[0], NULL, NULL, 0), -ENOMEM);
}

static void test_too_long(void **state)
{
	char *text = malloc(UDF_MESSAGE_MAX + 1);
	struct json_object *o;

	memset(text, 'x', UDF_MESSAGE_MAX);
	text[UDF_MESSAGE_MAX] = 0;
	o = udf_packet_new("text", text);
	assert_int_equal(udf_packet_send(pair[0], o, NULL, 0), -EMSGSIZE);
	free(text);
}

static void test_more_descriptors_than_are_taken(void **state)
{
	char control[CMSG_SPACE(sizeof(int) * 20)] = { 0 }, text[] = "{}";
	struct iovec iov = { .iov_base = text, .iov_len = 2 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	int before = dup(0), after, i, fd = STDERR_FILENO;
	struct udf_packet m;

	close(before);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * 20);
	for (i = 0; i < 20; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(fd));
	assert_int_equal(sendmsg(pair[0], &h, 0), 2);
	assert_int_equal(udf_packet_receive(pair[1], &m), -EBADMSG);
	after = dup(0);
	assert_int_equal(after, before);	/* none is left open */
	close(after);
}

static void string_is(const char *text, const char *want)
{
	struct json_object *o = udf_packet_string(text, strlen(text));

	assert_string_equal(json_object_get_string(o), want);
	json_object_put(o);
}

static void test_strings_are_utf8(void **state)
{
	string_is("plain", "plain");
	string_is("a\tb\nc", "a\tb\nc");
	string_is("\x1b[31mred\x7f", "?[31mred?");
	string_is("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
	string_is("\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80");
	string_is("\xff\xc3", "??");
	string_is("\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80", "?????????");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_there_and_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_more_descriptors_than_are_taken, set_up, tear_down),
		cmocka_unit_test(test_strings_are_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
