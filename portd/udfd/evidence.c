// SPDX-License-Identifier: GPL-2.0
/* What is left to see of a driver process that hangs, before it is killed: into its port's log, and so into the record. Host world. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "udfd/udfd.h"

#define THREADS_MAX 32		/* that are described */
#define FRAMES_MAX 12		/* of the machine's kernel, of each */

/* The start of the file NAME of a thread in /proc, without its last newline. Returns its length. */
static size_t read_of(int tasks, const char *tid, const char *name, char *text, size_t len)
{
	char path[64];
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "%.20s/%s", tid, name);
	fd = openat(tasks, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, len - 1);
	if (fd >= 0)
		close(fd);
	if (n > 0 && text[n - 1] == '\n')
		n--;
	text[n > 0 ? n : 0] = 0;
	return n > 0 ? (size_t)n : 0;
}

/* "[<0>] futex_wait_queue+0x60/0x90\n[<0>] ..." as "futex_wait_queue+0x60 < ..." */
static void add_stack(struct udf_strbuf *sb, char *stack)
{
	char *line, *save, *name;
	unsigned int n = 0;

	for (line = strtok_r(stack, "\n", &save); line && n < FRAMES_MAX; line = strtok_r(NULL, "\n", &save)) {
		name = strchr(line, ' ');
		if (!name)
			continue;
		udf_strbuf_addf(sb, "%s%.*s", n++ ? " < " : ", in ", (int)strcspn(name + 1, "/"), name + 1);
	}
}

/* System call, its arguments, stack pointer and instruction; "running" for a thread that is in none. */
static void add_call(struct udf_strbuf *sb, const char *call)
{
	const char *sp = strrchr(call, ' '), *ip = sp;

	while (sp && sp > call && sp[-1] != ' ')
		sp--;
	if (ip && sp > call)
		udf_strbuf_addf(sb, ", system call %.*s, instruction %s, stack %.*s", (int)strcspn(call, " "), call, ip + 1, (int)(ip - sp), sp);
	else if (*call)
		udf_strbuf_addf(sb, ", %s", call);
}

/* A thread names itself. */
static void clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			*text = '?';
}

static void note_thread(struct port *port, int tasks, const char *tid)
{
	char comm[32], stat[512], text[4096];
	struct udf_strbuf sb = UDF_STRBUF_INIT;
	const char *paren;

	read_of(tasks, tid, "comm", comm, sizeof(comm));
	clean(comm);
	read_of(tasks, tid, "stat", stat, sizeof(stat));
	paren = strrchr(stat, ')');
	udf_strbuf_addf(&sb, "thread %s (%s) %.1s", tid, comm, paren && paren[1] == ' ' ? paren + 2 : "?");
	read_of(tasks, tid, "syscall", text, sizeof(text));
	add_call(&sb, text);
	read_of(tasks, tid, "stack", text, sizeof(text));
	add_stack(&sb, text);
	if (sb.data && !sb.failed)
		port_note(port, 4, "%s", sb.data);
	udf_strbuf_free(&sb);
}

static int is_number(const struct dirent *e)
{
	return e->d_name[0] >= '0' && e->d_name[0] <= '9';
}

void evidence_note(struct process *p)
{
	struct dirent **list;
	char path[64];
	int tasks, n, i;

	snprintf(path, sizeof(path), "/proc/%d/task", p->pid);
	tasks = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tasks < 0)
		return;
	n = scandirat(tasks, ".", &list, is_number, versionsort);
	if (n >= 0)
		port_note(p->port, 4, "process %d has %d threads:", p->pid, n);
	for (i = 0; i < n; i++) {
		if (i < THREADS_MAX)
			note_thread(p->port, tasks, list[i]->d_name);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	close(tasks);
}
