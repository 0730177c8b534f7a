/* SPDX-License-Identifier: GPL-2.0 */
/* udfd's configuration: /etc/udf/udf.conf and its drop-ins; udf.conf(5) tells what it means. Host world. */
#ifndef UDF_PORTD_CONFIG_H
#define UDF_PORTD_CONFIG_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define UDF_PORT_NAME_MAX 64
#define UDF_CONFIG_PORTS_MAX 4096

struct udf_setting {
	char *key, *value;
};

/* One [port NAME], with what [defaults] says. */
struct udf_port_settings {
	char name[UDF_PORT_NAME_MAX + 1];
	char where[300];			/* "FILE:LINE", for messages */
	struct udf_setting *option;		/* for udf_options_set(), in order; the device is among them */
	unsigned int nr_options;
	const char *device;
	bool start;				/* by itself */
	bool walls;				/* lock the driver process up */
	int nice;
	bool has_affinity;
	cpu_set_t affinity;
	int64_t uid;				/* -1: one of its own from uid-base on */
	unsigned int hang_ms, hung_task_s, start_s, stop_s;
	unsigned int backoff_min_ms, backoff_max_ms, stable_ms;
	unsigned int failures;			/* records that are kept */
	unsigned int core_mib;			/* the most that a core dump may have; 0: none is made */
	unsigned int attach_mib;		/* the most memory of applications that is pinned for a PCI function */
	/* of kernel block devices, for pci: alone: whether there are any; when the driver is gone requests fail, or wait, WAIT_MS at most (0: for ever) */
	bool block, block_fail;
	unsigned int block_wait_ms;
};

struct udf_config {
	char admin_group[64], attach_group[64];	/* "": none */
	uint32_t uid_base;
	bool standby;
	struct udf_port_settings *port;
	unsigned int nr_ports;
};

/*
 * Read FILE and, in the order of their names, the files FILE.d/NAME.conf. A file that is not there is as an empty one. Every line is checked, the ports'
 * options too; the first error is reported with file and line. Returns 0 or a negative errno.
 */
int udf_config_read(const char *file, struct udf_config **config, struct udf_error *err);
/* The same with the text of one file. */
int udf_config_parse(const char *file, const char *text, struct udf_config **config, struct udf_error *err);
void udf_config_free(struct udf_config *config);

const struct udf_port_settings *udf_config_port(const struct udf_config *config, const char *name);

/* A copy of P with another name and device, for one of several ports that a section stands for. False: no memory. */
bool udf_port_settings_copy(struct udf_port_settings *to, const struct udf_port_settings *p, const char *name, const char *device);
void udf_port_settings_free(struct udf_port_settings *p);
/* Whether a driver that runs with A's settings runs as B's would have it. */
bool udf_port_settings_equal(const struct udf_port_settings *a, const struct udf_port_settings *b);

/* 1 to UDF_PORT_NAME_MAX letters, digits and any of "._:-", not '.' or '-' first: it is part of file names. */
bool udf_port_name_valid(const char *name);

/* "0,2-3". */
bool udf_parse_cpus(const char *text, cpu_set_t *set);

#endif
