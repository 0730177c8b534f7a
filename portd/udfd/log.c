// SPDX-License-Identifier: GPL-2.0
/* A port's log: the last lines of its drivers and of us about it; and our own messages, to the journal or to stderr. Host world. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "udfd/udfd.h"

char *text_of(const char *fmt, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	return n < 0 ? NULL : text;
}

/* Whether stderr goes to the journal: systemd says so by its device and inode. */
static bool to_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 && !fstat(STDERR_FILENO, &st) && st.st_dev == dev && st.st_ino == ino;
}

void log_write(const struct port *port, int level, const char *text)
{
	static int journal = -1;

	if (level > (udfd.verbose ? 7 : 6))
		return;
	if (journal < 0)
		journal = to_journal();
	if (journal && port)
		sd_journal_send("MESSAGE=%s: %s", port->settings.name, text, "PRIORITY=%i", level, "UDF_PORT=%s", port->settings.name, NULL);
	else if (journal)
		sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", level, NULL);
	else if (port)
		fprintf(stderr, "udfd: %s: <%d> %s\n", port->settings.name, level, text);
	else
		fprintf(stderr, "udfd: %s\n", text);
}

void port_log_add(struct port *port, int level, int64_t ms, const char *text)
{
	struct log_line *line = &port->log.line[port->log.next % LOG_LINES];
	char *copy = strdup(text);

	if (!copy)
		return;
	free(line->text);
	*line = (struct log_line){ .number = port->log.next++, .ms = ms, .level = level, .text = copy };
	log_write(port, level, text);
	clients_log_line(port, line);
}

void port_note(struct port *port, int level, const char *fmt, ...)
{
	char text[1200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (port)
		port_log_add(port, level, udf_real_ms(), text);
	else
		log_write(NULL, level, text);
}

struct json_object *log_line_json(const struct log_line *line)
{
	struct json_object *o = json_object_new_object();

	if (o) {
		udf_packet_add_number(o, "number", (int64_t)line->number);
		udf_packet_add_number(o, "ms", line->ms);
		udf_packet_add_number(o, "level", line->level);
		udf_packet_add_text(o, "text", line->text);
	}
	return o;
}

void port_log_free(struct port_log *log)
{
	unsigned int i;

	for (i = 0; i < LOG_LINES; i++)
		free(log->line[i].text);
}
