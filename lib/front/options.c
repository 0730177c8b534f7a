// SPDX-License-Identifier: GPL-2.0
/* Options of a port, as text: one place for the command, the nbdkit plugin and applications. Host world. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/strbuf.h"
#include "front/internal.h"

struct udf_options *udf_options_new(void)
{
	struct udf_options *o = calloc(1, sizeof(*o));

	if (o) {
		o->cpus = 1;
		o->close_timeout = 30;
	}
	return o;
}

void udf_options_free_list(char **list, unsigned int n)
{
	while (n)
		free(list[--n]);
	free(list);
}

void udf_options_free(struct udf_options *o)
{
	if (!o)
		return;
	free(o->device);
	free(o->port);
	free(o->module);
	free(o->release);
	free(o->image);
	free(o->kapi);
	free(o->firmware);
	free(o->cache);
	free(o->modules);
	free(o->trace);
	free(o->trace_only);
	free(o->trace_format);
	udf_options_free_list(o->backends, o->nr_backends);
	udf_options_free_list(o->params, o->nr_params);
	udf_options_free_list(o->ahead_modules, o->nr_ahead_modules);
	free(o);
}

void udf_options_log(struct udf_options *o, void (*log)(void *arg, int level, const char *text), void *arg)
{
	o->log = log;
	o->log_arg = arg;
}

void udf_options_progress(struct udf_options *o, void (*progress)(void *arg, const char *step, unsigned int percent), void *arg)
{
	o->progress = progress;
	o->progress_arg = arg;
}

const char *udf_options_error(const struct udf_options *o)
{
	return o->err.text;
}

static int no_memory(struct udf_options *o)
{
	return udf_error_set(&o->err, -ENOMEM, "no memory for options");
}

static int set_text(struct udf_options *o, char **field, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return no_memory(o);
	free(*field);
	*field = copy;
	return 0;
}

/* Append VALUE to a list that ends with NULL; takes VALUE over. */
static int append(struct udf_options *o, char ***list, unsigned int *n, char *value)
{
	char **grown = value ? reallocarray(*list, *n + 2, sizeof(*grown)) : NULL;

	if (!grown) {
		free(value);
		return no_memory(o);
	}
	grown[(*n)++] = value;
	grown[*n] = NULL;
	*list = grown;
	return 0;
}

static int set_number(struct udf_options *o, const char *name, const char *value, unsigned long min, unsigned long max,
		      unsigned long *out)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (!isdigit((unsigned char)*value) || *end || errno || n < min || n > max)
		return udf_error_set(&o->err, -EINVAL, "%s is '%s', but must be a number from %lu to %lu", name, value, min, max);
	*out = n;
	return 0;
}

static int set_unsigned(struct udf_options *o, const char *name, const char *value, unsigned long min, unsigned long max,
			unsigned int *out)
{
	unsigned long n;
	int err = set_number(o, name, value, min, max, &n);

	if (!err)
		*out = n;
	return err;
}

static int set_device(struct udf_options *o, const char *value)
{
	const char *colon = strchr(value, ':');

	if (!colon || colon == value || !colon[1])
		return udf_error_set(&o->err, -EINVAL, "device is '%s', but must be TRANSPORT:NAME, as in qemu:MODEL,KEY=VALUE", value);
	return set_text(o, &o->device, value);
}

static int set_on_loss(struct udf_options *o, const char *value)
{
	if (strcmp(value, "wait") && strcmp(value, "fail"))
		return udf_error_set(&o->err, -EINVAL, "on-loss is '%s', but must be wait or fail", value);
	o->loss_fails = !strcmp(value, "fail");
	return 0;
}

static int set_memory(struct udf_options *o, const char *name, const char *value, uint64_t *bytes)
{
	unsigned long mib;
	int err = set_number(o, name, value, 16, 2047, &mib);

	if (!err)
		*bytes = (uint64_t)mib << 20;
	return err;
}

static int add_param(struct udf_options *o, const char *value)
{
	const char *equals = strchr(value, '=');
	size_t name = equals ? (size_t)(equals - value) : strlen(value);

	if (!name || value[0] == '.' || value[name - 1] == '.' || strcspn(value, " \t\n") < name)
		return udf_error_set(&o->err, -EINVAL, "param is '%s', but must be NAME=VALUE or MODULE.NAME=VALUE", value);
	return append(o, &o->params, &o->nr_params, strdup(value));
}

/* One word, which ends at a blank outside quotes; the quotes go. Moves *P behind it. NULL: none left, or no memory. */
static char *next_word(const char **p, bool *unclosed)
{
	struct udf_strbuf word = UDF_STRBUF_INIT;
	char quote = 0;

	*p += strspn(*p, " \t\n");
	if (!**p)
		return NULL;
	for (; **p && (quote || !isspace((unsigned char)**p)); (*p)++) {
		if (quote ? **p == quote : **p == '"' || **p == '\'')
			quote = quote ? 0 : **p;
		else
			udf_strbuf_addc(&word, **p);
	}
	*unclosed = quote;
	if (!word.data)
		udf_strbuf_addn(&word, "", 0);
	return word.data ? udf_strbuf_detach(&word) : strdup("");
}

static int add_backend(struct udf_options *o, const char *value)
{
	bool unclosed = false;
	char *word;
	int err = 0;

	if (*value != '-')
		return append(o, &o->backends, &o->nr_backends, strdup(value));
	while (!err && (word = next_word(&value, &unclosed))) {
		if (unclosed) {
			free(word);
			return udf_error_set(&o->err, -EINVAL, "backend has a quote that is not closed");
		}
		err = append(o, &o->backends, &o->nr_backends, word);
	}
	return err;
}

static int add_blockdev(struct udf_options *o, struct udf_strbuf *args)
{
	char *text = udf_strbuf_detach(args);
	int err = append(o, &o->backends, &o->nr_backends, strdup("-blockdev"));

	if (err) {
		free(text);
		return err;
	}
	err = append(o, &o->backends, &o->nr_backends, text);
	if (!err)
		o->nr_drives++;
	return err;
}

/* QEMU's rule for a comma within a value: twice. */
static void add_escaped(struct udf_strbuf *sb, const char *text, size_t len)
{
	for (; len--; text++) {
		if (*text == ',')
			udf_strbuf_addc(sb, ',');
		udf_strbuf_addc(sb, *text);
	}
}

static int add_drive(struct udf_options *o, const char *value)
{
	static const char key[] = ",format=";
	struct udf_strbuf args = UDF_STRBUF_INIT;
	const char *format = "raw", *p, *found = NULL;
	size_t file = strlen(value);

	for (p = value; (p = strstr(p, key)); p++)
		found = p;	/* the last one: a file name may contain anything */
	if (found) {
		file = found - value;
		format = found + strlen(key);
	}
	if (!file || !*format || strspn(format, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(format))
		return udf_error_set(&o->err, -EINVAL, "drive is '%s', but must be FILE or FILE,format=FORMAT", value);
	udf_strbuf_addf(&args, "driver=%s,node-name=udf-drive%u,discard=unmap,file.driver=file,file.filename=", format, o->nr_drives);
	add_escaped(&args, value, file);
	return add_blockdev(o, &args);
}

/* "10", "512M", "1G": bytes. 0: not a size. */
static uint64_t parse_size(const char *text)
{
	static const char units[] = "KMGT";
	unsigned int shift = 0;
	const char *unit;
	uint64_t n;
	char *end;

	if (!isdigit((unsigned char)*text))
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	if (unit) {
		shift = 10 * (unit - units + 1);
		end++;
	}
	return *end || errno || n > (uint64_t)INT64_MAX >> shift ? 0 : n << shift;
}

static int add_size(struct udf_options *o, const char *value)
{
	struct udf_strbuf args = UDF_STRBUF_INIT;
	uint64_t size = parse_size(value);

	if (!size || size % 512)
		return udf_error_set(&o->err, -EINVAL, "size is '%s', but must be a multiple of 512 bytes, as in 64M or 1G", value);
	udf_strbuf_addf(&args, "driver=null-co,node-name=udf-drive%u,read-zeroes=on,size=%llu", o->nr_drives, (unsigned long long)size);
	return add_blockdev(o, &args);
}

void udf_options_standby(struct udf_options *o, int (*standby)(void *arg, struct udf_options *o), void *arg)
{
	o->standby = standby;
	o->standby_arg = arg;
}

void udf_options_ahead(struct udf_options *o)
{
	o->ahead = true;
}

int udf_options_ahead_module(struct udf_options *o, const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	if (!len || name[len] || len >= 64 || o->nr_ahead_modules >= 64)
		return -EINVAL;
	return append(o, &o->ahead_modules, &o->nr_ahead_modules, strdup(name));
}

void udf_options_heartbeat(struct udf_options *o, uint64_t *beats, unsigned int interval_ms, unsigned int hung_task_s)
{
	o->beats = beats;
	o->beat_ms = interval_ms;
	o->hung_task_s = hung_task_s;
}

/* The options whose value is kept as it is. */
static char **text_field(struct udf_options *o, const char *name)
{
	const struct {
		const char *name;
		char **field;
	} fields[] = {
		{ "module", &o->module }, { "release", &o->release }, { "image", &o->image },
		{ "kapi", &o->kapi }, { "cache", &o->cache }, { "modules", &o->modules },
		{ "firmware", &o->firmware }, { "port", &o->port },
		{ "trace", &o->trace }, { "trace-only", &o->trace_only }, { "trace-format", &o->trace_format },
	};
	unsigned int i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (!strcmp(fields[i].name, name))
			return fields[i].field;
	return NULL;
}

static int set_switch(struct udf_options *o, const char *name, const char *value, bool *out)
{
	if (strcmp(value, "on") && strcmp(value, "off"))
		return udf_error_set(&o->err, -EINVAL, "%s is '%s', but must be on or off", name, value);
	*out = !strcmp(value, "on");
	return 0;
}

static int set_trace(struct udf_options *o, char **field, const char *value)
{
	struct udf_trace_config config = { 0 };
	int err;

	if (field == &o->trace)
		config.what = value;
	else if (field == &o->trace_format)
		config.format = value;
	err = udf_trace_check(&config, &o->err);
	return err ? err : set_text(o, field, value);
}

int udf_options_set(struct udf_options *o, const char *name, const char *value)
{
	char **text = text_field(o, name);

	o->err = (struct udf_error)UDF_ERROR_INIT;
	if (text && !strncmp(name, "trace", 5))
		return set_trace(o, text, value);
	if (text)
		return set_text(o, text, value);
	if (!strcmp(name, "device"))
		return set_device(o, value);
	if (!strcmp(name, "backend"))
		return add_backend(o, value);
	if (!strcmp(name, "drive"))
		return add_drive(o, value);
	if (!strcmp(name, "size"))
		return add_size(o, value);
	if (!strcmp(name, "function"))
		return set_unsigned(o, name, value, 0, 255, &o->function);
	if (!strcmp(name, "cpus"))
		return set_unsigned(o, name, value, 1, HOST_CPUS_MAX, &o->cpus);
	if (!strcmp(name, "memory"))
		return set_memory(o, name, value, &o->memory);
	if (!strcmp(name, "memory-max"))
		return set_memory(o, name, value, &o->memory_max);
	if (!strcmp(name, "param"))
		return add_param(o, value);
	if (!strcmp(name, "perf-map"))
		return set_switch(o, name, value, &o->perf_map);
	if (!strcmp(name, "close-timeout"))
		return set_unsigned(o, name, value, 0, 86400, &o->close_timeout);
	if (!strcmp(name, "on-loss"))
		return set_on_loss(o, value);
	if (!strcmp(name, "loss-timeout"))
		return set_unsigned(o, name, value, 0, 86400, &o->loss_timeout);
	return udf_error_set(&o->err, -EINVAL, "there is no option '%s'", name);
}

/* Whether a back end, such as a disk behind the port, has the drive already. */
static bool drive_is_used(const struct udf_options *o)
{
	unsigned int i;

	for (i = 0; i < o->nr_backends; i++)
		if (strstr(o->backends[i], ",drive=udf-drive0"))
			return true;
	return strstr(o->device, ",drive=");
}

char *udf_options_spec(const struct udf_options *o)
{
	struct udf_strbuf spec = UDF_STRBUF_INIT;

	udf_strbuf_add(&spec, o->device);
	if (o->nr_drives == 1 && !drive_is_used(o))
		udf_strbuf_add(&spec, ",drive=udf-drive0");
	return udf_strbuf_detach(&spec);
}
