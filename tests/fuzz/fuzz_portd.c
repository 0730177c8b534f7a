// SPDX-License-Identifier: GPL-2.0
/*
 * Any bytes as a message to udfd, as its configuration, as what a driver process has written to its log: parsed or refused, nothing else.
 * The first byte says which.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/packet.h"
#include "base/pci.h"
#include "base/shared.h"

static void message(const char *text, size_t len)
{
	struct json_object *o = udf_packet_parse(text, len), *again;

	if (!o)
		return;
	udf_packet_text(o, "do", "");
	udf_packet_number(o, "id", 0);
	udf_packet_array(o, "options");
	/* what was taken can be said again */
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	again = udf_packet_parse(text, strlen(text));
	if (!again && strlen(text) <= UDF_MESSAGE_MAX)
		abort();
	json_object_put(again);
	json_object_put(o);
}

static void configuration(const char *data, size_t len)
{
	struct udf_error err = UDF_ERROR_INIT;
	char *text = strndup(data, len);
	struct udf_config *config;
	unsigned int i;

	if (!udf_config_parse("f", text, &config, &err)) {
		for (i = 0; i < config->nr_ports; i++)
			if (!udf_port_name_valid(config->port[i].name) || !config->port[i].device)
				abort();
		udf_config_free(config);
	} else if (!err.text[0]) {
		abort();
	}
	free(text);
}

static void address(const char *data, size_t len)
{
	char *text = strndup(data, len), full[UDF_PCI_ADDRESS_LEN];
	struct udf_pci_match match;

	udf_pci_match_parse(text, &match);
	if (udf_pci_address(text, full) && strlen(full) != 12)
		abort();
	free(text);
}

static void string(const char *data, size_t len)
{
	struct json_object *o = udf_packet_string(data, len);
	const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	char *wrapped = malloc(strlen(text) + 10);
	struct json_object *again;

	sprintf(wrapped, "{\"a\":%s}", text);
	again = udf_packet_parse(wrapped, strlen(wrapped));
	if (!again && strlen(wrapped) <= UDF_MESSAGE_MAX)
		abort();	/* it was to be made UTF-8 */
	json_object_put(again);
	json_object_put(o);
	free(wrapped);
}

/* DATA: how far the writer says that it is, then what is in the ring, then how far the reader was. */
static void log_ring(const uint8_t *data, size_t len)
{
	static struct udf_shared *s;
	struct udf_strbuf sb = UDF_STRBUF_INIT;
	uint64_t pos;

	if (!s)
		s = calloc(1, sizeof(*s));
	if (len < 16)
		return;
	memcpy(&s->logged, data, 8);
	memcpy(&pos, data + 8, 8);
	memcpy(s->log + (pos % UDF_SHARED_LOG < UDF_SHARED_LOG - 4096 ? pos % UDF_SHARED_LOG : 0), data + 16,
	       len - 16 < 4096 ? len - 16 : 4096);
	udf_shared_read_log(s, &pos, &sb);
	if (sb.len && sb.data[sb.len - 1] != '\n')
		abort();
	udf_strbuf_free(&sb);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data + 1;

	if (!len)
		return 0;
	switch (data[0] % 5) {
	case 0: message(text, len - 1); break;
	case 1: configuration(text, len - 1); break;
	case 2: address(text, len - 1); break;
	case 3: string(text, len - 1); break;
	case 4: log_ring(data + 1, len - 1); break;
	}
	return 0;
}
