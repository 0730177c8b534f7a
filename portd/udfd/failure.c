// SPDX-License-Identifier: GPL-2.0
/* What a driver process died of, put into words and kept. Host world. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/records.h"
#include "driver/driver.h"
#include "udfd/udfd.h"

#define TAIL_LINES 200
#define TAIL_BYTES 40000	/* of a record, which has to fit a message however its text is escaped */
#define UNSAVED_MAX 16

/* The last lines of the port's log. */
static struct json_object *log_tail(const struct port_log *log)
{
	struct json_object *list = json_object_new_array();
	uint64_t from = log->next > TAIL_LINES ? log->next - TAIL_LINES : 0, i;
	size_t bytes = 0;

	for (i = log->next; i > from; i--) {
		bytes += strlen(log->line[(i - 1) % LOG_LINES].text) + 60;
		if (bytes > TAIL_BYTES)
			break;
	}
	for (; i < log->next; i++)
		json_object_array_add(list, log_line_json(&log->line[i % LOG_LINES]));
	return list;
}

/* What the driver process itself said is the best there is; it knows more than its exit status. OTHERWISE: none of these words is there. */
static const char *kind_of(const char *why, const char *otherwise)
{
	static const struct {
		const char *word, *kind;
	} kinds[] = {
		{ "was killed by signal", "device" }, { "QEMU (process", "device" }, { "was removed, suspended or reset", "device" }, { "() is not supported", "unsupported" },
		{ "hung_task: ", "hang" }, { "kernel BUG", "bug" }, { "in kernel code", "oops" }, { "kernel code accessed", "oops" },
		{ "Kernel panic", "panic" }, { "kernel panic", "panic" },
	};
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strstr(why, kinds[i].word))
			return kinds[i].kind;
	return otherwise;
}

static char *describe_exit(int status, const char **kind)
{
	*kind = "exit";
	switch (status) {
	case UDF_EXIT_HUNG:
		*kind = "hang";
		return text_of("the driver did not shut its device down in time");
	case UDF_EXIT_ABORTED:
		*kind = "signal";
		return text_of("the driver process has aborted: a check of its own or of a library's failed");
	case UDF_EXIT_LOST:
		return text_of("the port was lost, and the driver process could not say why");
	case UDF_EXIT_FAILED:
		*kind = "start";
		return text_of("the driver did not start, and could not say why");
	case 127:
		*kind = "start";
		return text_of("%s cannot be run", udfd.driver_path);
	default:
		return text_of("the driver process ended by itself with status %d", status);
	}
}

static char *describe(const struct process *p, const siginfo_t *si, const char **kind)
{
	if (p->hung) {
		*kind = "hang";
		return strdup(p->hung);
	}
	if (p->lost) {
		*kind = kind_of(p->lost, "oops");
		return strdup(p->lost);
	}
	if (p->failed) {
		*kind = kind_of(p->failed, "start");
		return strdup(p->failed);
	}
	if (!si->si_pid) {
		*kind = "unknown";
		return text_of("the driver process has ended; it is an earlier udfd's child, so how it ended is not known");
	}
	if (si->si_code == CLD_EXITED)
		return describe_exit(si->si_status, kind);
	*kind = "signal";
	return text_of("the driver process was killed by signal %d (%s)%s", si->si_status, strsignal(si->si_status),
		       si->si_code == CLD_DUMPED ? ", with a core dump" : "");
}

struct json_object *failure_of(struct port *port, struct process *p, const siginfo_t *si)
{
	struct json_object *o;
	const char *kind;
	char *why;

	if (!p->hung && !p->lost && !p->failed && (p->stopped || (si->si_pid && si->si_code == CLD_EXITED && !si->si_status)) &&
	    port->state == PORT_STOPPING)
		return NULL;
	why = describe(p, si, &kind);
	o = why ? udf_packet_new("why", why) : NULL;
	if (o) {
		udf_packet_add_text(o, "kind", kind);
		udf_packet_add_number(o, "ms", udf_real_ms());
		udf_packet_add_number(o, "pid", p->pid);
		udf_packet_add_number(o, "ran-ms", port->since_ms ? udf_real_ms() - port->since_ms : 0);
		if (si->si_pid && si->si_code != CLD_EXITED) {
			udf_packet_add_number(o, "signal", si->si_status);
			udf_packet_add_bool(o, "core", si->si_code == CLD_DUMPED);
		}
		port_note(port, 2, "failed: %s", why);
		json_object_object_add(o, "log", log_tail(&port->log));
	}
	free(why);
	return o;
}

/* On a full disk the last records are kept in memory; a port is not kept waiting for any of this. */
void failure_keep(struct port *port, struct json_object *record)
{
	struct udf_error err = UDF_ERROR_INIT;
	char dir[4096];

	snprintf(dir, sizeof(dir), "%s/failures", udfd.state_dir);
	if (!udf_records_add(dir, port->settings.name, port->settings.failures, record, &err)) {
		json_object_put(record);
		port->told_unsaved = false;
		return;
	}
	if (!port->told_unsaved)
		port_note(port, 3, "%s; it is kept in memory", err.text);
	port->told_unsaved = true;
	if (!port->unsaved)
		port->unsaved = json_object_new_array();
	json_object_array_add(port->unsaved, record);
	if (json_object_array_length(port->unsaved) > UNSAVED_MAX)
		json_object_array_del_idx(port->unsaved, 0, 1);
}
