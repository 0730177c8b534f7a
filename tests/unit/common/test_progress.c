// SPDX-License-Identifier: GPL-2.0
/* lib/common/progress.c: on a pseudo terminal, whose other side this test reads. */
#define _GNU_SOURCE
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/progress.h"

static int terminal;		/* the reading side */

/* Read what was drawn through TEXT; what follows is left for the next call. Nothing drawn would run into the time limit. */
static void read_through(const char *text)
{
	static char seen[65536];
	static size_t len;
	char *found;

	while (!(found = strstr(seen, text))) {
		ssize_t n = read(terminal, seen + len, sizeof(seen) - 1 - len);

		assert_true(n > 0);
		len += n;
		seen[len] = '\0';
	}
	found += strlen(text);
	len -= found - seen;
	memmove(seen, found, len + 1);
}

static void test_draws_and_clears(void **state)
{
	struct udf_progress *p = udf_progress_start("preparing");

	assert_non_null(p);
	udf_progress_update(p, "step one", 40);
	read_through("\r\033[Kudf: preparing: step one (40 %, ");
	udf_progress_update(p, NULL, UDF_PROGRESS_UNKNOWN);
	read_through("\r\033[Kudf: preparing (");
	udf_progress_end(p);
	read_through("s)\r\033[K");
}

static void test_short_work_shows_nothing(void **state)
{
	struct udf_progress *p = udf_progress_start("quick");
	char seen[100];

	udf_progress_update(p, "one", 1);
	udf_progress_end(p);
	assert_int_equal(write(STDERR_FILENO, "end", 3), 3);
	assert_int_equal(read(terminal, seen, sizeof(seen)), 3);	/* the first thing that arrives */
	assert_memory_equal(seen, "end", 3);
}

static void test_no_terminal(void **state)
{
	int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	assert_null(udf_progress_start("unseen"));
	udf_progress_update(NULL, "step", 1);
	udf_progress_end(NULL);
	dup2(saved, STDERR_FILENO);
	close(null);
	close(saved);
}

static int open_terminal(void **state)
{
	int other;

	terminal = posix_openpt(O_RDWR | O_NOCTTY);
	if (terminal < 0 || grantpt(terminal) || unlockpt(terminal))
		return -1;
	other = open(ptsname(terminal), O_RDWR | O_NOCTTY);
	return other < 0 || dup2(other, STDERR_FILENO) < 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_draws_and_clears),
		cmocka_unit_test(test_short_work_shows_nothing),
		cmocka_unit_test(test_no_terminal),
	};

	/* cmocka reports on stderr, which these tests take for themselves */
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_terminal, NULL);
}
