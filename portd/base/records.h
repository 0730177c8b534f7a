/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records of what went wrong with a port: DIR/PORT/NUMBER.json, the newest KEEP of them. Host world.
 *
 * A record is an object of at most UDF_RECORD_MAX bytes as text, so that it fits a message.
 */
#ifndef UDF_PORTD_RECORDS_H
#define UDF_PORTD_RECORDS_H

#include <json-c/json.h>

#include "common/error.h"

#define UDF_RECORD_MAX 60000

/* Write RECORD, which stays the caller's, and remove what is more than KEEP. Appears whole or not at all. Returns 0 or a negative errno. */
int udf_records_add(const char *dir, const char *port, unsigned int keep, struct json_object *record, struct udf_error *err);

/* Call EACH with every record, oldest first; what is damaged is skipped. The record is EACH's. */
void udf_records_each(const char *dir, const char *port, void (*each)(void *arg, struct json_object *record), void *arg);

#endif
