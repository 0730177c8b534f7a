// SPDX-License-Identifier: GPL-2.0
/*
 * Modules by modalias: what udev does on a whole system. Host world.
 *
 * The first is the port's. Its driver may then register devices of further buses (SCSI, virtio, USB), whose uevents name a
 * modalias; each is loaded once, in a thread, since an event arrives on a vCPU that the load itself needs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "common/strbuf.h"
#include "front/internal.h"

struct udf_modules {
	struct udf_driver *driver;
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_t thread;
	bool has_thread, stop;
	char **aliases;			/* all that were ever asked for */
	unsigned int nr, done;
};

struct udf_modules *udf_modules_new(void)
{
	struct udf_modules *m = calloc(1, sizeof(*m));

	if (m) {
		pthread_mutex_init(&m->lock, NULL);
		pthread_cond_init(&m->more, NULL);
	}
	return m;
}

static void load(struct udf_driver *driver, const char *alias)
{
	struct udf_error err = UDF_ERROR_INIT;
	int ret = udf_driver_load(driver, alias, NULL, &err);

	if (ret && ret != -ENOENT)	/* most devices need no module of their own */
		udf_log_warning("%s", err.text);
}

static void *run(void *arg)
{
	struct udf_modules *m = arg;

	pthread_mutex_lock(&m->lock);
	while (!m->stop) {
		const char *alias;

		if (m->done == m->nr) {
			pthread_cond_wait(&m->more, &m->lock);
			continue;
		}
		alias = m->aliases[m->done++];
		pthread_mutex_unlock(&m->lock);
		load(m->driver, alias);
		pthread_mutex_lock(&m->lock);
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

int udf_modules_start(struct udf_modules *m, struct udf_driver *driver)
{
	int err;

	m->driver = driver;
	err = udf_thread_start(&m->thread, run, m);
	m->has_thread = !err;
	return err;
}

static void add(struct udf_modules *m, const char *alias)
{
	char *copy, **grown;
	unsigned int i;

	for (i = 0; i < m->nr; i++)
		if (!strcmp(m->aliases[i], alias))
			return;
	copy = strdup(alias);
	grown = copy ? reallocarray(m->aliases, m->nr + 1, sizeof(*grown)) : NULL;
	if (!grown) {
		free(copy);
		udf_log_error("no memory to load %s", alias);
		return;
	}
	m->aliases = grown;
	m->aliases[m->nr++] = copy;
	pthread_cond_signal(&m->more);
}

void udf_modules_event(struct udf_modules *m, const char *action, const char *const *env, unsigned int n)
{
	static const char key[] = "MODALIAS=";
	unsigned int i;

	if (strcmp(action, "add"))
		return;
	for (i = 0; i < n; i++) {
		/* The port's own function is what udf_modules_load_first() is for. */
		if (strncmp(env[i], key, strlen(key)) || !strncmp(env[i] + strlen(key), "pci:", 4))
			continue;
		pthread_mutex_lock(&m->lock);
		add(m, env[i] + strlen(key));
		pthread_mutex_unlock(&m->lock);
	}
}

void udf_modules_prune(struct udf_modules *m)
{
	pthread_mutex_lock(&m->lock);
	for (; m->done < m->nr && !udf_driver_has(m->aliases[m->done]); m->done++)
		;
	pthread_mutex_unlock(&m->lock);
}

bool udf_modules_stop(struct udf_modules *m, unsigned int timeout_s)
{
	struct timespec until;

	if (!m->has_thread)
		return true;
	pthread_mutex_lock(&m->lock);
	m->stop = true;
	pthread_cond_signal(&m->more);
	pthread_mutex_unlock(&m->lock);

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_s;
	if (pthread_timedjoin_np(m->thread, NULL, &until)) {
		pthread_mutex_lock(&m->lock);
		udf_log_error("%s is still being loaded after %u s", m->aliases[m->done - 1], timeout_s);
		pthread_mutex_unlock(&m->lock);
		return false;
	}
	m->has_thread = false;
	return true;
}

void udf_modules_free(struct udf_modules *m)
{
	if (!m)
		return;
	if (m->has_thread) {	/* it never came back, and may yet look at M */
		pthread_detach(m->thread);
		return;
	}
	while (m->nr)
		free(m->aliases[--m->nr]);
	free(m->aliases);
	pthread_mutex_destroy(&m->lock);
	pthread_cond_destroy(&m->more);
	free(m);
}

/* ---- ahead of the port ---- */

void udf_modules_load_ahead(struct udf_driver *driver, struct udf_options *o)
{
	unsigned int i;

	for (i = 0; i < o->nr_ahead_modules; i++)
		load(driver, o->ahead_modules[i]);
	udf_options_free_list(o->ahead_modules, o->nr_ahead_modules);
	o->ahead_modules = NULL;
	o->nr_ahead_modules = 0;
}

struct names {
	char *name[64];
	unsigned int n;
};

static void add_name(void *arg, const char *name, const char *file)
{
	struct names *list = arg;

	if (list->n < sizeof(list->name) / sizeof(list->name[0]))
		list->name[list->n] = strdup(name);
	list->n += list->n < sizeof(list->name) / sizeof(list->name[0]) && list->name[list->n];
}

static bool is_of_port(const struct udf_options *o, const char *name)
{
	unsigned int i;

	for (i = 0; i < o->nr_ahead_modules; i++)
		if (!strcmp(o->ahead_modules[i], name))
			return true;
	return false;
}

/* The last one first. Returns how many could be unloaded. */
static unsigned int unload_others(struct udf_driver *driver, const struct udf_options *o)
{
	struct names loaded = { .n = 0 };
	unsigned int n = 0;

	udf_driver_modules(driver, add_name, &loaded);
	while (loaded.n) {
		struct udf_error err = UDF_ERROR_INIT;
		char *name = loaded.name[--loaded.n];

		if (!is_of_port(o, name) && !udf_driver_unload(driver, name, &err))
			n++;
		else if (err.code)
			udf_log_debug("%s", err.text);
		free(name);
	}
	return n;
}

void udf_modules_unload_others(struct udf_driver *driver, struct udf_options *o)
{
	/* one may have loaded, and may use, another that came after it */
	while (unload_others(driver, o))
		;
}

/* ---- the port's own ---- */

/* Length of the module's name in "MODULE.NAME=VALUE", 0 in "NAME=VALUE". */
static size_t prefix_len(const char *param)
{
	size_t len = strcspn(param, ".=");

	return param[len] == '.' ? len : 0;
}

static bool same_prefix(const char *a, const char *b)
{
	return prefix_len(a) == prefix_len(b) && !strncmp(a, b, prefix_len(a));
}

/* The parameters of the I-th one's module, without its name, as the loader takes them. To be freed. */
static char *join_params(const struct udf_options *o, unsigned int i)
{
	struct udf_strbuf sb = UDF_STRBUF_INIT;
	unsigned int j;

	for (j = 0; j < o->nr_params; j++) {
		size_t len = prefix_len(o->params[j]);

		if (same_prefix(o->params[i], o->params[j]))
			udf_strbuf_addf(&sb, "%s%s", sb.len ? " " : "", o->params[j] + (len ? len + 1 : 0));
	}
	return udf_strbuf_detach(&sb);
}

/* Load NAME with the parameters that the I-th one is of. */
static int load_with(struct udf_driver *driver, const struct udf_options *o, const char *name, unsigned int i,
		     struct udf_error *err)
{
	char *params = join_params(o, i);
	int ret;

	if (!params)
		return udf_error_set(err, -ENOMEM, "no memory for module parameters");
	ret = udf_driver_load(driver, name, params, err);
	free(params);
	return ret;
}

/* Load the modules that have parameters by name, each once: a later module that depends on them finds them as they should be. */
static int load_prefixed(struct udf_driver *driver, const struct udf_options *o, struct udf_error *err)
{
	unsigned int i, j;
	int ret = 0;

	for (i = 0; i < o->nr_params && !ret; i++) {
		char *name;

		for (j = 0; j < i && !same_prefix(o->params[i], o->params[j]); j++)
			;
		if (j < i || !prefix_len(o->params[i]))
			continue;
		name = strndup(o->params[i], prefix_len(o->params[i]));
		ret = name ? load_with(driver, o, name, i, err) : udf_error_set(err, -ENOMEM, "no memory for module parameters");
		free(name);
	}
	return ret;
}

int udf_modules_load_first(struct udf_driver *driver, const struct udf_options *o, struct udf_error *err)
{
	const char *name = o->module;
	char alias[256];
	unsigned int i;
	int ret;

	if (name ? !strcmp(name, "none") : !o->device)
		return 0;
	if (!name) {
		ret = udf_driver_modalias(driver, alias, sizeof(alias));
		if (ret < 0)
			return udf_error_set(err, ret, "%s does not say what device it is", o->device);
		name = alias;
	}
	ret = load_prefixed(driver, o, err);
	if (ret)
		return ret;
	for (i = 0; i < o->nr_params; i++)
		if (!prefix_len(o->params[i]))
			return load_with(driver, o, name, i, err);
	return udf_driver_load(driver, name, NULL, err);
}
