// SPDX-License-Identifier: GPL-2.0
/* All ports at a moment; see ports.h. Host world. */
#include "ports.h"

#include <stdlib.h>
#include <string.h>

#include "base/shared.h"
#include "cli.h"
#include "common/table.h"

static bool take(void *arg, struct json_object *answer)
{
	struct cli_ports *p = arg;
	struct json_object *port, **grown;

	if (!json_object_object_get_ex(answer, "port", &port))
		return true;
	grown = reallocarray(p->port, p->nr + 1, sizeof(*grown));
	if (!grown)
		return false;
	p->port = grown;
	p->port[p->nr++] = json_object_get(port);
	return true;
}

int cli_ports_get(struct cli_daemon *d, struct cli_ports *p)
{
	memset(p, 0, sizeof(*p));
	p->ms = udf_real_ms();
	return cli_daemon_ask(d, "ports", NULL, NULL, take, p);
}

void cli_ports_free(struct cli_ports *p)
{
	while (p->nr)
		json_object_put(p->port[--p->nr]);
	free(p->port);
	p->port = NULL;
}

static struct json_object *find(const struct cli_ports *p, const char *name)
{
	size_t i;

	for (i = 0; i < p->nr; i++)
		if (!strcmp(udf_packet_text(p->port[i], "name", ""), name))
			return p->port[i];
	return NULL;
}

static int64_t rate(struct json_object *now, struct json_object *before, const char *key, int64_t ms)
{
	int64_t n = udf_packet_number(now, key, 0) - udf_packet_number(before, key, 0);

	return n > 0 && ms > 0 ? n * 1000 / ms : 0;	/* less than before: another process counts */
}

void cli_ports_rates(struct cli_ports *now, const struct cli_ports *before)
{
	static const struct {
		const char *counter, *rate;
	} rates[] = { { "requests", "iops" }, { "bytes-read", "read-rate" }, { "bytes-written", "write-rate" } };
	size_t i, r;

	for (i = 0; i < now->nr; i++) {
		struct json_object *old = find(before, udf_packet_text(now->port[i], "name", ""));

		for (r = 0; old && r < sizeof(rates) / sizeof(rates[0]); r++)
			udf_packet_add_number(now->port[i], rates[r].rate, rate(now->port[i], old, rates[r].counter, now->ms - before->ms));
	}
}

static void add_row(struct udf_table *t, struct json_object *p)
{
	int64_t since = udf_packet_number(p, "since-ms", 0);
	char disks[200], ago[32];

	cli_port_disks(p, disks, sizeof(disks));
	udf_table_cell(t, "%s", udf_packet_text(p, "name", "?"));
	udf_table_cell(t, "%s", udf_packet_text(p, "address", udf_packet_text(p, "device", "")));
	udf_table_cell(t, "%s", udf_packet_text(p, "driver", "-"));
	udf_table_cell(t, "%s", udf_packet_text(p, "state", "?"));
	udf_table_cell(t, "%s", *disks ? disks : "-");
	udf_table_cell(t, "%lld", (long long)udf_packet_number(p, "restarts", 0));
	udf_table_cell(t, "%s", since ? cli_ago(since, ago, sizeof(ago)) : "-");
	udf_table_cell(t, "%lld", (long long)udf_packet_number(p, "iops", 0));
}

int cli_ports_print(const struct cli_ports *now, FILE *out)
{
	struct udf_table *t = udf_table_new("NAME", "ADDRESS", "DRIVER", "STATE", "DISKS", ">RESTARTS", ">UP", ">I/O PER S", NULL);
	size_t i;
	int ret;

	for (i = 0; i < now->nr; i++)
		add_row(t, now->port[i]);
	ret = udf_table_print(t, out);
	udf_table_free(t);
	return ret ? CLI_FAILED : CLI_OK;
}
