/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How to speak to udfd, the port manager. What cannot be done with the udf command can be done with this.
 *
 * udfd listens on a Unix socket of type SOCK_SEQPACKET. A message is one packet with one JSON object of at most UDF_MESSAGE_MAX bytes,
 * not nested deeper than UDF_MESSAGE_DEPTH. A client sends requests, one at a time:
 *
 *	{ "do": "ports" }				all ports
 *	{ "do": "status", "port": NAME }		one
 *	{ "do": "logs", "port": NAME, "follow": BOOL }	its log; with FOLLOW until the client closes the connection
 *	{ "do": "failures", "port": NAME }		records of what went wrong, oldest first
 *	{ "do": "daemon" }				udfd itself
 *	{ "do": "start" | "stop" | "restart", "port": NAME }
 *	{ "do": "bind" | "unbind", "address": "0000:03:00.0" }
 *	{ "do": "reload" }				read the configuration again
 *	{ "do": "attach", "port": NAME }		with a connected SOCK_SEQPACKET socket as SCM_RIGHTS, whose peer is the
 *							caller's: the port's driver process takes it over
 *
 * and receives any number of answers, { "port": {...} }, { "line": {...} }, { "failure": {...} } or { "daemon": {...} }, and then
 * { "end": true }, or { "error": TEXT, "errno": N } at any time. start, stop and restart are answered when the port has got there.
 *
 * Who may do what, by the peer credentials of the connection: everybody may look (ports, status, logs, failures, daemon); root, the
 * user that udfd runs as, and members of admin-group (see udf.conf(5)) may do everything; members of attach-group may attach.
 */
#ifndef UDF_DAEMON_H
#define UDF_DAEMON_H

#define UDF_DAEMON_SOCKET	"/run/udf/udfd.sock"	/* or what UDF_SOCKET says in the environment */
#define UDF_MESSAGE_MAX		65536			/* bytes */
#define UDF_MESSAGE_DEPTH	8
#define UDF_MESSAGE_FDS		4			/* descriptors with one message */

#endif
