/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The prepared image file. Written once, mapped by every driver process; native byte order. Private to lib/image.
 *
 *   | header (one page) | tables | segments, page aligned, zero pages are holes |
 *
 * Opening checks the header, which has a checksum of its own, and the file's size; look-ups check each index they use. The checksums of
 * tables and segments are for `udf image verify`.
 */
#ifndef UDF_IMAGE_FORMAT_H
#define UDF_IMAGE_FORMAT_H

#include <stdint.h>

#define UDF_FILE_MAGIC		"UDFimage"
#define UDF_FILE_FORMAT		2		/* raise it when anything in this file, or what preparation does, changes */
#define UDF_FILE_SUFFIX		".udfimg"
#define UDF_FILE_SEGMENTS	24
#define UDF_FILE_PATH		512

enum udf_file_table {
	UDF_TABLE_STRINGS,		/* bytes; the first and the last are NUL */
	UDF_TABLE_SYMBOLS,		/* struct udf_file_symbol, by name, then in the order in which a look-up prefers them */
	UDF_TABLE_ADDRESSES,		/* uint32_t: indices of symbols, by address, one for each address */
	UDF_TABLE_EXPORTS,		/* struct udf_file_export, by name */
	UDF_TABLE_REPLACED,		/* struct udf_file_replaced */
	UDF_TABLE_TEXT,			/* struct udf_range, ascending */
	UDF_TABLE_KAPI_SECTIONS,	/* struct udf_file_section */
	UDF_TABLE_COUNT
};

struct udf_file_symbol {
	uint64_t value;
	uint32_t name;
	uint8_t type;			/* nm's letter */
	uint8_t flags;
	uint16_t zero;
};
#define UDF_SYMBOL_KAPI		1
#define UDF_SYMBOL_ABSOLUTE	2	/* per-CPU offset or number */
#define UDF_SYMBOL_GLOBAL	4

struct udf_file_export {
	uint64_t addr;
	uint32_t name, ns, crc;
	uint32_t flags;
};
#define UDF_EXPORT_GPL		1
#define UDF_EXPORT_PERCPU	2
#define UDF_EXPORT_REPLACED	4
#define UDF_EXPORT_UNSUPPORTED	8

struct udf_file_replaced {
	uint64_t image_addr, kapi_addr;
	uint32_t name, path, why;
	uint32_t flags;
};
#define UDF_REPLACED_NOOP	1
#define UDF_REPLACED_UNSUPPORTED 2

struct udf_file_section {
	uint64_t addr, size;
	uint32_t name, zero;
};

/* ADDR ... ADDR+SIZE; the first FILE_SIZE bytes come from the file, the rest is zero. */
struct udf_file_segment {
	uint64_t addr, size;
	uint64_t file_offset, file_size;
	uint32_t exec;			/* read and execute; else read and write */
	uint32_t zero;
};

/* What a file looked like, so that it is known again without reading it all. */
struct udf_file_source {
	uint64_t size;
	uint32_t head_crc, tail_crc;	/* vmlinuz: of its first and last bytes (the build puts a CRC of it all at its end) */
	int64_t mtime_sec, mtime_nsec, ctime_sec, ctime_nsec;	/* kapi */
	uint64_t dev, ino;
};

struct udf_file_header {
	char magic[8];
	uint32_t format, contract;
	uint32_t header_crc;		/* of the header's page with this field 0 */
	uint32_t tables_crc, data_crc;
	uint32_t nr_segments;
	uint64_t file_size;
	uint64_t tables_offset, tables_size;
	struct { uint64_t offset, count; } table[UDF_TABLE_COUNT];
	struct udf_file_segment segment[UDF_FILE_SEGMENTS];
	struct udf_file_source vmlinuz, kapi;
	uint64_t kapi_hash;		/* of kapi's bytes, with format and contract; as in the file's name */
	uint32_t returns, retpolines, fentry, unknown_sites;
	char release[72], build_id[48], vermagic[128];
	char vmlinuz_path[UDF_FILE_PATH], kapi_path[UDF_FILE_PATH];
};

_Static_assert(sizeof(struct udf_file_header) <= 4096, "the header is one page");

/* Bytes of an entry of each table. */
extern const uint32_t udf_file_entry_size[UDF_TABLE_COUNT];

/* Whether the header and the file's size are right. Cheap. Returns NULL, or what is wrong. */
const char *udf_file_check(const struct udf_file_header *header, uint64_t file_size);
uint32_t udf_file_header_crc(const struct udf_file_header *header);

#endif
