// SPDX-License-Identifier: GPL-2.0
/*
 * udfd's configuration, read and checked; see config.h. Host world.
 *
 *	[udfd]			settings of the manager itself
 *	[defaults]		of all ports, wherever they are
 *	[port NAME]		a port; a second section of that name adds to the first
 *	KEY = VALUE
 */
#define _GNU_SOURCE
#include "base/config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pci.h"
#include "common/strbuf.h"
#include "udf/udf.h"

#define FILE_MAX (1u << 20)	/* bytes of one file */
#define UID_BASE 1879048192u	/* 0x70000000: systemd's table of user ids has it and what follows as unused */

struct parser {
	struct udf_config *config;
	struct udf_error *err;
	const char *file;
	unsigned int line;
	enum { IN_NONE, IN_UDFD, IN_DEFAULTS, IN_PORT } section;
	struct udf_port_settings *port;		/* what settings go to: a port, or DEFAULTS */
	struct udf_port_settings defaults;
};

static int bad(struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int bad(struct parser *p, const char *fmt, ...)
{
	char text[600];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return udf_error_set(p->err, -EINVAL, "%s:%u: %s", p->file, p->line, text);
}

static int no_memory(struct parser *p)
{
	return udf_error_set(p->err, -ENOMEM, "%s: no memory", p->file);
}

/* ---- values ---- */

bool udf_port_name_valid(const char *name)
{
	size_t len = strlen(name);

	return len && len <= UDF_PORT_NAME_MAX && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-") == len;
}

bool udf_parse_cpus(const char *text, cpu_set_t *set)
{
	CPU_ZERO(set);
	for (;;) {
		unsigned long first, last;
		char *end;

		if (!isdigit((unsigned char)*text))
			return false;
		first = last = strtoul(text, &end, 10);
		if (*end == '-') {
			if (!isdigit((unsigned char)end[1]))
				return false;
			last = strtoul(end + 1, &end, 10);
		}
		if (first > last || last >= CPU_SETSIZE)
			return false;
		for (; first <= last; first++)
			CPU_SET(first, set);
		if (!*end)
			return true;
		if (*end != ',')
			return false;
		text = end + 1;
	}
}

/* One of two words; the second is true. */
static int set_word(struct parser *p, const char *key, const char *value, const char *no, const char *yes, bool *out)
{
	if (strcmp(value, no) && strcmp(value, yes))
		return bad(p, "%s is '%s', but must be %s or %s", key, value, yes, no);
	*out = !strcmp(value, yes);
	return 0;
}

static int set_bool(struct parser *p, const char *key, const char *value, bool *out)
{
	return set_word(p, key, value, "off", "on", out);
}

static int set_number(struct parser *p, const char *key, const char *value, long long min, long long max, long long *out)
{
	char *end;

	errno = 0;
	*out = strtoll(value, &end, 10);
	if ((!isdigit((unsigned char)*value) && !(*value == '-' && isdigit((unsigned char)value[1]))) || *end || errno || *out < min ||
	    *out > max)
		return bad(p, "%s is '%s', but must be a number from %lld to %lld", key, value, min, max);
	return 0;
}

/* "10", "0.5": seconds, as milliseconds. */
static int set_seconds(struct parser *p, const char *key, const char *value, unsigned int max_s, unsigned int *out)
{
	char *end;
	double s = strtod(value, &end);

	if (!isdigit((unsigned char)*value) || *end || !(s <= max_s))
		return bad(p, "%s is '%s', but must be seconds, as in 0.5 or 10, at most %u", key, value, max_s);
	*out = (unsigned int)(s * 1000);
	return 0;
}

static int set_group(struct parser *p, const char *key, const char *value, char *out, size_t len)
{
	if (strlen(value) >= len)
		return bad(p, "%s is '%s', which is no group", key, value);
	strcpy(out, value);
	return 0;
}

/* ---- settings ---- */

static bool is_option(const char *key)
{
	static const char *const options[] = {
		"device", "backend", "drive", "size", "function", "cpus", "memory", "memory-max", "module", "param", "release", "firmware",
		"image", "modules", "kapi", "cache", "close-timeout",
	};
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!strcmp(options[i], key))
			return true;
	return false;
}

static bool repeats(const char *key)
{
	return !strcmp(key, "backend") || !strcmp(key, "drive") || !strcmp(key, "size") || !strcmp(key, "param");
}

static struct udf_setting *find_option(struct udf_port_settings *port, const char *key)
{
	unsigned int i;

	for (i = 0; i < port->nr_options; i++)
		if (!strcmp(port->option[i].key, key))
			return &port->option[i];
	return NULL;
}

static bool add_option(struct udf_port_settings *port, const char *key, const char *value)
{
	struct udf_setting *old = repeats(key) ? NULL : find_option(port, key), *grown;
	char *copy = strdup(value), *name;

	if (copy && old) {
		free(old->value);
		old->value = copy;
		return true;
	}
	name = strdup(key);
	grown = copy && name ? reallocarray(port->option, port->nr_options + 1, sizeof(*grown)) : NULL;
	if (!grown) {
		free(copy);
		free(name);
		return false;
	}
	grown[port->nr_options++] = (struct udf_setting){ .key = name, .value = copy };
	port->option = grown;
	return true;
}

/* What libudf or, for PCI addresses, we do not take is an error now, and not when the port is to start. */
static int set_option(struct parser *p, const char *key, const char *value)
{
	struct udf_options *o = udf_options_new();
	struct udf_pci_match match;
	int ret = 0;

	if (!o)
		return no_memory(p);
	if (!strcmp(key, "device") && !strncmp(value, "pci:", 4)) {
		if (!udf_pci_match_parse(value + 4, &match))
			ret = bad(p, "device is '%s', but must be pci:0000:03:00.0, pci:class=0108 or pci:id=8086:0953", value);
	} else if (udf_options_set(o, key, value)) {
		ret = bad(p, "%s", udf_options_error(o));
	}
	udf_options_free(o);
	if (!ret && !add_option(p->port, key, value))
		ret = no_memory(p);
	return ret;
}

static int set_uid(struct parser *p, const char *value)
{
	long long n;
	int ret;

	if (!strcmp(value, "own")) {
		p->port->uid = -1;
		return 0;
	}
	ret = set_number(p, "uid", value, 1, UINT32_MAX - 1ll, &n);
	if (!ret)
		p->port->uid = n;
	return ret;
}

static int set_unsigned(struct parser *p, const char *key, const char *value, long long min, long long max, unsigned int *out)
{
	long long n;
	int ret = set_number(p, key, value, min, max, &n);

	if (!ret)
		*out = (unsigned int)n;
	return ret;
}

static int set_affinity(struct parser *p, const char *value)
{
	p->port->has_affinity = true;
	return udf_parse_cpus(value, &p->port->affinity) ? 0 : bad(p, "affinity is '%s', but must be CPUs, as in 0,2-3", value);
}

static int set_nice(struct parser *p, const char *value)
{
	long long n;
	int ret = set_number(p, "nice", value, -20, 19, &n);

	if (!ret)
		p->port->nice = (int)n;
	return ret;
}

/* The kernel block devices of the driver's disks. */
static int set_block(struct parser *p, const char *key, const char *value)
{
	if (!strcmp(key, "block"))
		return set_word(p, key, value, "no", "yes", &p->port->block);
	if (!strcmp(key, "on-failure"))
		return set_word(p, key, value, "wait", "fail", &p->port->block_fail);
	if (!strcmp(key, "wait-limit"))
		return set_seconds(p, key, value, 86400, &p->port->block_wait_ms);
	return bad(p, "a port has no setting '%s'", key);
}

static int set_port(struct parser *p, const char *key, const char *value)
{
	struct udf_port_settings *port = p->port;

	if (is_option(key))
		return set_option(p, key, value);
	if (!strcmp(key, "start"))
		return set_bool(p, key, value, &port->start);
	if (!strcmp(key, "walls"))
		return set_bool(p, key, value, &port->walls);
	if (!strcmp(key, "nice"))
		return set_nice(p, value);
	if (!strcmp(key, "affinity"))
		return set_affinity(p, value);
	if (!strcmp(key, "uid"))
		return set_uid(p, value);
	if (!strcmp(key, "hang-timeout"))
		return set_seconds(p, key, value, 86400, &port->hang_ms);
	if (!strcmp(key, "hung-task-timeout"))
		return set_unsigned(p, key, value, 0, 86400, &port->hung_task_s);
	if (!strcmp(key, "start-timeout"))
		return set_unsigned(p, key, value, 0, 86400, &port->start_s);
	if (!strcmp(key, "stop-timeout"))
		return set_unsigned(p, key, value, 1, 86400, &port->stop_s);
	if (!strcmp(key, "backoff-min"))
		return set_seconds(p, key, value, 3600, &port->backoff_min_ms);
	if (!strcmp(key, "backoff-max"))
		return set_seconds(p, key, value, 86400, &port->backoff_max_ms);
	if (!strcmp(key, "stable"))
		return set_seconds(p, key, value, 86400, &port->stable_ms);
	if (!strcmp(key, "failures"))
		return set_unsigned(p, key, value, 1, 1000, &port->failures);
	if (!strcmp(key, "attach-memory"))
		return set_unsigned(p, key, value, 0, 1 << 20, &port->attach_mib);
	if (!strcmp(key, "core-limit"))
		return set_unsigned(p, key, value, 0, 1 << 20, &port->core_mib);
	return set_block(p, key, value);
}

static int set_udfd(struct parser *p, const char *key, const char *value)
{
	struct udf_config *c = p->config;
	long long n;
	int ret;

	if (!strcmp(key, "admin-group"))
		return set_group(p, key, value, c->admin_group, sizeof(c->admin_group));
	if (!strcmp(key, "attach-group"))
		return set_group(p, key, value, c->attach_group, sizeof(c->attach_group));
	if (!strcmp(key, "standby"))
		return set_bool(p, key, value, &c->standby);
	if (!strcmp(key, "uid-base")) {
		ret = set_number(p, key, value, 1, UINT32_MAX - UDF_CONFIG_PORTS_MAX - 1ll, &n);
		if (!ret)
			c->uid_base = (uint32_t)n;
		return ret;
	}
	return bad(p, "[udfd] has no setting '%s'", key);
}

/* ---- sections ---- */

void udf_port_settings_free(struct udf_port_settings *p)
{
	while (p->nr_options) {
		p->nr_options--;
		free(p->option[p->nr_options].key);
		free(p->option[p->nr_options].value);
	}
	free(p->option);
	p->option = NULL;
	p->device = NULL;
}

bool udf_port_settings_copy(struct udf_port_settings *to, const struct udf_port_settings *p, const char *name, const char *device)
{
	unsigned int i;

	*to = *p;
	to->option = NULL;
	to->nr_options = 0;
	if (name)
		snprintf(to->name, sizeof(to->name), "%s", name);
	for (i = 0; i < p->nr_options; i++) {
		bool is_device = !strcmp(p->option[i].key, "device");

		if (!add_option(to, p->option[i].key, is_device && device ? device : p->option[i].value)) {
			udf_port_settings_free(to);
			return false;
		}
	}
	to->device = find_option(to, "device") ? find_option(to, "device")->value : NULL;
	return true;
}

bool udf_port_settings_equal(const struct udf_port_settings *a, const struct udf_port_settings *b)
{
	unsigned int i;

	if (a->nr_options != b->nr_options || a->walls != b->walls || a->nice != b->nice || a->uid != b->uid ||
	    a->block != b->block || a->block_fail != b->block_fail || a->block_wait_ms != b->block_wait_ms ||
	    a->core_mib != b->core_mib || a->attach_mib != b->attach_mib || a->hang_ms != b->hang_ms || a->hung_task_s != b->hung_task_s || a->has_affinity != b->has_affinity ||
	    (a->has_affinity && !CPU_EQUAL(&a->affinity, &b->affinity)))
		return false;
	for (i = 0; i < a->nr_options; i++)
		if (strcmp(a->option[i].key, b->option[i].key) || strcmp(a->option[i].value, b->option[i].value))
			return false;
	return true;
}

const struct udf_port_settings *udf_config_port(const struct udf_config *config, const char *name)
{
	unsigned int i;

	for (i = 0; i < config->nr_ports; i++)
		if (!strcmp(config->port[i].name, name))
			return &config->port[i];
	return NULL;
}

/* [port NAME]: the section of that name if there is one, else a new one with what the defaults are so far. */
static int begin_port(struct parser *p, const char *name)
{
	struct udf_config *c = p->config;
	struct udf_port_settings *grown, *old = (struct udf_port_settings *)udf_config_port(c, name);

	if (!udf_port_name_valid(name))
		return bad(p, "'%s' is no name for a port: use at most %d letters, digits and ._:-", name, UDF_PORT_NAME_MAX);
	p->section = IN_PORT;
	p->port = old;
	if (old)
		return 0;
	if (c->nr_ports == UDF_CONFIG_PORTS_MAX)
		return bad(p, "more than %d ports", UDF_CONFIG_PORTS_MAX);
	grown = reallocarray(c->port, c->nr_ports + 1, sizeof(*grown));
	if (!grown)
		return no_memory(p);
	c->port = grown;
	p->port = &grown[c->nr_ports];
	if (!udf_port_settings_copy(p->port, &p->defaults, name, NULL))
		return no_memory(p);
	c->nr_ports++;
	snprintf(p->port->where, sizeof(p->port->where), "%.280s:%u", p->file, p->line);
	return 0;
}

static int begin_section(struct parser *p, char *line)
{
	char *end = strchr(line, ']'), *name;

	if (!end || end[1 + strspn(end + 1, " \t")])
		return bad(p, "a section begins as [port NAME]");
	*end = 0;
	name = line + 1;
	if (!strcmp(name, "udfd")) {
		p->section = IN_UDFD;
	} else if (!strcmp(name, "defaults")) {
		if (p->config->nr_ports)
			return bad(p, "[defaults] has to come before the first [port NAME]");
		p->section = IN_DEFAULTS;
		p->port = &p->defaults;
	} else if (!strncmp(name, "port ", 5)) {
		return begin_port(p, name + 5 + strspn(name + 5, " \t"));
	} else {
		return bad(p, "there is no section [%s]: [udfd], [defaults] and [port NAME] are known", name);
	}
	return 0;
}

static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && isspace((unsigned char)end[-1]))
		*--end = 0;
	return text + strspn(text, " \t");
}

static int parse_line(struct parser *p, char *line)
{
	char *equals, *key, *value;

	line = trim(line);
	if (!*line || *line == '#' || *line == ';')
		return 0;
	if (*line == '[')
		return begin_section(p, line);
	equals = strchr(line, '=');
	if (!equals)
		return bad(p, "'%.60s' is neither [SECTION] nor KEY = VALUE", line);
	*equals = 0;
	key = trim(line);
	value = trim(equals + 1);
	switch (p->section) {
	case IN_UDFD:
		return set_udfd(p, key, value);
	case IN_DEFAULTS:
		if (!strcmp(key, "device"))
			return bad(p, "each port has a device of its own");
		return set_port(p, key, value);
	case IN_PORT:
		return set_port(p, key, value);
	default:
		return bad(p, "'%s' stands before any [SECTION]", key);
	}
}

static int parse_text(struct parser *p, const char *file, char *text)
{
	char *line = text, *next;
	int ret = 0;

	p->file = file;
	p->line = 0;
	p->section = IN_NONE;
	for (; line && !ret; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		p->line++;
		ret = parse_line(p, line);
	}
	return ret;
}

/* ---- files ---- */

static int parse_file(struct parser *p, const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC), ret = 0;
	struct udf_strbuf sb = UDF_STRBUF_INIT;
	char buf[4096];
	ssize_t n = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : udf_error_set(p->err, -errno, "%s: %s", file, strerror(errno));
	while (sb.len <= FILE_MAX && (n = read(fd, buf, sizeof(buf))) > 0)
		udf_strbuf_addn(&sb, buf, (size_t)n);
	if (n < 0)
		ret = udf_error_set(p->err, -errno, "%s: %s", file, strerror(errno));
	else if (sb.len > FILE_MAX)
		ret = udf_error_set(p->err, -EFBIG, "%s: longer than %u bytes", file, FILE_MAX);
	else if (sb.len && memchr(sb.data, 0, sb.len))
		ret = udf_error_set(p->err, -EINVAL, "%s: has a 0 byte: it is no text", file);
	else if (sb.failed)
		ret = no_memory(p);
	close(fd);
	if (!ret && sb.data)
		ret = parse_text(p, file, sb.data);
	udf_strbuf_free(&sb);
	return ret;
}

static int is_conf(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return e->d_name[0] != '.' && len > 5 && !strcmp(e->d_name + len - 5, ".conf");
}

static int parse_drop_ins(struct parser *p, const char *file)
{
	char dir[PATH_MAX], path[PATH_MAX + 300];
	struct dirent **list;
	int n, i, ret = 0;

	snprintf(dir, sizeof(dir), "%s.d", file);
	n = scandir(dir, &list, is_conf, alphasort);
	if (n < 0)
		return errno == ENOENT ? 0 : udf_error_set(p->err, -errno, "%s: %s", dir, strerror(errno));
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
		if (!ret)
			ret = parse_file(p, path);
		free(list[i]);
	}
	free(list);
	return ret;
}

/* What can be said only at the end. */
static int finish(struct parser *p)
{
	unsigned int i;

	for (i = 0; i < p->config->nr_ports; i++) {
		struct udf_port_settings *port = &p->config->port[i];
		const struct udf_setting *device = find_option(port, "device");

		if (!device)
			return udf_error_set(p->err, -EINVAL, "%s: port %s has no device", port->where, port->name);
		port->device = device->value;
		if (port->backoff_max_ms < port->backoff_min_ms)
			return udf_error_set(p->err, -EINVAL, "%s: port %s: backoff-max is less than backoff-min", port->where, port->name);
	}
	return 0;
}

static bool parser_init(struct parser *p, struct udf_error *err)
{
	memset(p, 0, sizeof(*p));
	p->err = err;
	p->config = calloc(1, sizeof(*p->config));
	if (!p->config)
		return false;
	p->config->uid_base = UID_BASE;
	p->config->standby = true;
	p->defaults = (struct udf_port_settings){
		.start = true, .walls = true, .uid = -1, .hang_ms = 10000, .hung_task_s = 120, .start_s = 60, .stop_s = 45,
		.backoff_min_ms = 200, .backoff_max_ms = 30000, .stable_ms = 60000, .failures = 16,
		.block = true, .attach_mib = 1024,
	};
	return true;
}

static int parser_end(struct parser *p, int ret, struct udf_config **config)
{
	if (!ret)
		ret = finish(p);
	udf_port_settings_free(&p->defaults);
	if (ret)
		udf_config_free(p->config);
	else
		*config = p->config;
	return ret;
}

int udf_config_read(const char *file, struct udf_config **config, struct udf_error *err)
{
	struct parser p;
	int ret;

	if (!parser_init(&p, err))
		return udf_error_set(err, -ENOMEM, "%s: no memory", file);
	ret = parse_file(&p, file);
	if (!ret)
		ret = parse_drop_ins(&p, file);
	return parser_end(&p, ret, config);
}

int udf_config_parse(const char *file, const char *text, struct udf_config **config, struct udf_error *err)
{
	char *copy = strdup(text);
	struct parser p;
	int ret;

	if (!copy || !parser_init(&p, err)) {
		free(copy);
		return udf_error_set(err, -ENOMEM, "%s: no memory", file);
	}
	ret = parse_text(&p, file, copy);
	free(copy);
	return parser_end(&p, ret, config);
}

void udf_config_free(struct udf_config *config)
{
	if (!config)
		return;
	while (config->nr_ports)
		udf_port_settings_free(&config->port[--config->nr_ports]);
	free(config->port);
	free(config);
}
