// SPDX-License-Identifier: GPL-2.0
/* Which ports there are: the configuration, and the PCI functions that it means. Host world. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pci.h"
#include "udfd/udfd.h"

struct port *ports_find(const char *name)
{
	struct port *port;

	for (port = udfd.ports; port && strcmp(port->settings.name, name); port = port->next)
		;
	return port;
}

/* A section of the configuration, for the port NAME. */
static int configure(const struct udf_port_settings *settings, const char *name, const char *device)
{
	struct udf_port_settings wanted;
	struct port *port = ports_find(name), **at;

	if (!udf_port_settings_copy(&wanted, settings, name, device))
		return -ENOMEM;
	if (!port) {
		port = port_new(&wanted);
		if (port)
			port->configured = true;
		for (at = &udfd.ports; *at; at = &(*at)->next)
			;
		*at = port;
		udf_port_settings_free(&wanted);
		return port ? 0 : -ENOMEM;
	}
	port->configured = true;
	port_reconfigure(port, &wanted);
	return 0;
}

/* A section that means PCI functions stands for as many ports as there are of them; their names are the section's and the address. */
static int configure_functions(const struct udf_port_settings *settings, struct udf_error *err)
{
	char (*list)[UDF_PCI_ADDRESS_LEN], name[UDF_PORT_NAME_MAX + 1], device[256];
	struct udf_pci_match match;
	unsigned int n, i;
	int ret;

	if (!udf_pci_match_parse(settings->device + 4, &match))
		return udf_error_set(err, -EINVAL, "%s: %s", settings->where, settings->device);
	if (match.address[0]) {
		snprintf(device, sizeof(device), "pci:%s%.200s", match.address, match.options);
		return configure(settings, settings->name, device);
	}
	ret = udf_pci_find(&match, &list, &n, err);
	for (i = 0; !ret && i < n; i++) {
		snprintf(device, sizeof(device), "pci:%s", list[i]);
		if (snprintf(name, sizeof(name), "%.48s-%s", settings->name, list[i]) < (int)sizeof(name))
			ret = configure(settings, name, device);
	}
	free(list);
	return ret;
}

/* Ports that are not configured any more are stopped, and forgotten once they are. */
static void drop_unconfigured(void)
{
	struct port **at = &udfd.ports, *port;

	while ((port = *at)) {
		if (!port->configured && port->state == PORT_STOPPED) {
			*at = port->next;
			port_free(port);
			continue;
		}
		if (!port->configured) {
			port_note(port, 5, "is not configured any more: stopping");
			port_stop(port);
		}
		at = &port->next;
	}
}

int ports_configure(struct udf_error *err)
{
	struct udf_config *config;
	struct port *port;
	unsigned int i;
	int ret = udf_config_read(udfd.config_file, &config, err);

	if (ret)
		return ret;
	udf_config_free(udfd.config);
	udfd.config = config;
	for (port = udfd.ports; port; port = port->next)
		port->configured = false;
	for (i = 0; !ret && i < config->nr_ports; i++) {
		if (strncmp(config->port[i].device, "pci:", 4))
			ret = configure(&config->port[i], config->port[i].name, NULL);
		else
			ret = configure_functions(&config->port[i], err);
	}
	drop_unconfigured();
	return ret ? udf_error_set(err, ret, "no memory for the ports") : 0;
}

void ports_start(void)
{
	struct udf_error ignored = UDF_ERROR_INIT;
	struct port *port;

	for (port = udfd.ports; port; port = port->next)
		if (port->configured && port->settings.start && port->state == PORT_STOPPED)
			port_start(port, &ignored);
}

void ports_release(void)
{
	struct port *port;

	while ((port = udfd.ports)) {
		udfd.ports = port->next;
		if (port->process)
			process_release(port->process);
		port_free(port);
	}
	if (udfd.standby)
		process_release(udfd.standby);
	udf_config_free(udfd.config);
}
