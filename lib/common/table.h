/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A table of text with aligned columns, as the command's lists are shown. Host world.
 *
 *	struct udf_table *t = udf_table_new("MODULE", ">SYMBOLS", NULL);
 *	udf_table_cell(t, "%s", name);
 *	udf_table_cell(t, "%u", symbols);
 *	udf_table_print(t, stdout);
 *	udf_table_free(t);
 *
 * Cells fill rows from left to right. Memory that runs out is remembered and reported by udf_table_print().
 */
#ifndef UDF_COMMON_TABLE_H
#define UDF_COMMON_TABLE_H

#include <stdio.h>

struct udf_table;

/* The heads of the columns, then NULL; a head that begins with '>' has its column aligned to the right. NULL: no memory. */
struct udf_table *udf_table_new(const char *head, ...) __attribute__((sentinel));

/* Add one cell (printf-style, may be empty). T may be NULL. */
void udf_table_cell(struct udf_table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* How many whole rows there are, heads not counted. */
unsigned int udf_table_rows(const struct udf_table *t);

/* Print heads and rows to OUT, two spaces between columns, none at a line's end. Returns 0 or -ENOMEM. T may be NULL: -ENOMEM. */
int udf_table_print(const struct udf_table *t, FILE *out);

void udf_table_free(struct udf_table *t);

#endif
