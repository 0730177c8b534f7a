// SPDX-License-Identifier: GPL-2.0
/* What clients ask for, and what comes of it. include/udf/daemon.h has the list. Host world. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pci.h"
#include "base/records.h"
#include "udfd/udfd.h"

static struct json_object *wrap(const char *key, struct json_object *value)
{
	struct json_object *o = json_object_new_object();

	if (o && value)
		json_object_object_add(o, key, value);
	else
		json_object_put(value);
	return o;
}

/* The port that the request names; if there is none the client has been told. */
static struct port *named(struct client *c, struct udf_packet *m)
{
	const char *name = udf_packet_text(m->body, "port", "");
	struct port *port = ports_find(name);

	if (!port)
		client_error(c, ENOENT, "there is no port '%.80s'; 'udf ports' lists them", name);
	return port;
}

static void do_ports(struct client *c, struct udf_packet *m)
{
	const struct port *port;

	for (port = udfd.ports; port; port = port->next)
		client_send(c, wrap("port", port_json(port)));
	client_end(c);
}

static void do_status(struct client *c, struct udf_packet *m)
{
	struct port *port = named(c, m);

	if (!port)
		return;
	client_send(c, wrap("port", port_json(port)));
	client_end(c);
}

static void do_logs(struct client *c, struct udf_packet *m)
{
	struct port *port = named(c, m);
	uint64_t i;

	if (!port)
		return;
	for (i = port->log.next > LOG_LINES ? port->log.next - LOG_LINES : 0; i < port->log.next; i++)
		client_send(c, wrap("line", log_line_json(&port->log.line[i % LOG_LINES])));
	if (udf_packet_bool(m->body, "follow"))
		client_follow(c, port);
	else
		client_end(c);
}

static void send_failure(void *arg, struct json_object *record)
{
	client_send(arg, wrap("failure", record));
}

static void do_failures(struct client *c, struct udf_packet *m)
{
	struct port *port = named(c, m);
	char dir[4096];
	size_t i;

	if (!port)
		return;
	snprintf(dir, sizeof(dir), "%s/failures", udfd.state_dir);
	udf_records_each(dir, port->settings.name, send_failure, c);
	for (i = 0; port->unsaved && i < json_object_array_length(port->unsaved); i++)
		client_send(c, wrap("failure", json_object_get(json_object_array_get_idx(port->unsaved, i))));
	client_end(c);
}

static void do_daemon(struct client *c, struct udf_packet *m)
{
	struct json_object *o = udf_packet_new("version", UDF_VERSION);

	if (o) {
		udf_packet_add_number(o, "pid", getpid());
		udf_packet_add_text(o, "config", udfd.config_file);
		udf_packet_add_bool(o, "standby", udfd.standby && udfd.standby->ready);
		if (udfd.standby)
			udf_packet_add_number(o, "standby-pid", udfd.standby->pid);
		udf_packet_add_number(o, "up-ms", now_ms() - udfd.started_ms);
	}
	client_send(c, wrap("daemon", o));
	client_end(c);
}

static void do_start(struct client *c, struct udf_packet *m)
{
	struct port *port = named(c, m);
	struct udf_error err = UDF_ERROR_INIT;

	if (!port)
		return;
	/* a reason of earlier is none for this start */
	if (port->state == PORT_STOPPED || port->state == PORT_WAITING) {
		free(port->why);
		port->why = NULL;
	}
	if (port_start(port, &err))
		client_error(c, err.code, "%s", err.text);
	else
		client_wait(c, WAIT_RUNNING, port);
}

static void do_stop(struct client *c, struct udf_packet *m)
{
	struct port *port = named(c, m);

	if (!port)
		return;
	port_stop(port);
	client_wait(c, WAIT_STOPPED, port);
}

static void do_restart(struct client *c, struct udf_packet *m)
{
	struct port *port = named(c, m);

	if (!port)
		return;
	free(port->why);
	port->why = NULL;
	port_restart(port);
	client_wait(c, WAIT_RUNNING, port);
}

/* The address that the request names, in full. */
static bool addressed(struct client *c, struct udf_packet *m, char *address)
{
	const char *text = udf_packet_text(m->body, "address", "");

	if (udf_pci_address(text, address))
		return true;
	client_error(c, EINVAL, "'%.40s' is no PCI address, as in 0000:03:00.0", text);
	return false;
}

static void finish(struct client *c, int ret, const struct udf_error *err)
{
	if (ret)
		client_error(c, ret, "%s", err->text);
	else
		client_end(c);
}

static void do_bind(struct client *c, struct udf_packet *m)
{
	struct udf_error err = UDF_ERROR_INIT;
	char address[UDF_PCI_ADDRESS_LEN];

	if (addressed(c, m, address))
		finish(c, udf_pci_bind(address, &err), &err);
}

static void do_unbind(struct client *c, struct udf_packet *m)
{
	struct udf_error err = UDF_ERROR_INIT;
	char address[UDF_PCI_ADDRESS_LEN];
	const struct port *port;

	if (!addressed(c, m, address))
		return;
	for (port = udfd.ports; port; port = port->next)
		if (!strncmp(port->settings.device, "pci:", 4) && !strncmp(port->settings.device + 4, address, strlen(address)) &&
		    port->wanted) {
			client_error(c, EBUSY, "%s is in use by port %s; 'udf stop %s' ends that", address, port->settings.name,
				     port->settings.name);
			return;
		}
	finish(c, udf_pci_unbind(address, &err), &err);
}

static void do_reload(struct client *c, struct udf_packet *m)
{
	struct udf_error err = UDF_ERROR_INIT;
	int ret = ports_configure(&err);

	if (ret)
		port_note(NULL, 3, "the configuration is not taken: %s", err.text);
	else
		ports_start();
	finish(c, ret, &err);
}

static void do_attach(struct client *c, struct udf_packet *m)
{
	struct port *port = named(c, m);
	int fd, ret;

	if (!port)
		return;
	fd = udf_packet_take_fd(m, 0);
	if (fd < 0)
		client_error(c, EINVAL, "attach needs a socket with the message");
	else if (port->state != PORT_RUNNING)
		client_error(c, EAGAIN, "%s does not run: it is %s", port->settings.name, port_state_names[port->state]);
	else if ((ret = process_send(port->process, udf_packet_new("do", "client"), &fd, 1)))
		client_error(c, ret, "%s: its driver process does not take the connection: %s", port->settings.name, strerror(-ret));
	else
		client_end(c);
	if (fd >= 0)
		close(fd);
}

enum right { LOOK, ATTACH, CHANGE };

static const struct {
	const char *name;
	enum right right;
	void (*handle)(struct client *c, struct udf_packet *m);
} requests[] = {
	{ "ports", LOOK, do_ports }, { "status", LOOK, do_status }, { "logs", LOOK, do_logs }, { "failures", LOOK, do_failures },
	{ "daemon", LOOK, do_daemon }, { "start", CHANGE, do_start }, { "stop", CHANGE, do_stop }, { "restart", CHANGE, do_restart },
	{ "bind", CHANGE, do_bind }, { "unbind", CHANGE, do_unbind }, { "reload", CHANGE, do_reload }, { "attach", ATTACH, do_attach },
};

static bool may(const struct client *c, enum right right)
{
	return right == LOOK || (right == ATTACH ? client_may_attach(c) : client_may_change(c));
}

void request_handle(struct client *c, struct udf_packet *m)
{
	const char *name = udf_packet_text(m->body, "do", "");
	size_t i;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (strcmp(requests[i].name, name))
			continue;
		if (may(c, requests[i].right))
			requests[i].handle(c, m);
		else
			client_error(c, EPERM, "you may not %s ports: root may, and members of the group that udf.conf names", name);
		return;
	}
	client_error(c, ENOSYS, "udfd knows no request '%.40s'", name);
}
