// SPDX-License-Identifier: GPL-2.0
/* Tables with aligned columns; see table.h. Host world. */
#define _GNU_SOURCE
#include "common/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/strbuf.h"

#define COLUMNS_MAX 16

struct udf_table {
	struct udf_strbuf text;		/* all cells, each with its final 0, the heads first */
	unsigned int columns, cells;
	int width[COLUMNS_MAX];
	bool right[COLUMNS_MAX];
};

/* A cell that starts at byte START of the text is complete. */
static void end_cell(struct udf_table *t, size_t start)
{
	unsigned int column = t->cells % t->columns;
	int width = t->text.len - start;

	if (width > t->width[column])
		t->width[column] = width;
	udf_strbuf_addc(&t->text, '\0');
	t->cells++;
}

static void add_head(struct udf_table *t, unsigned int column, const char *head)
{
	size_t start = t->text.len;

	t->right[column] = *head == '>';
	udf_strbuf_add(&t->text, head + t->right[column]);
	end_cell(t, start);
}

struct udf_table *udf_table_new(const char *head, ...)
{
	const char *heads[COLUMNS_MAX];
	struct udf_table *t = calloc(1, sizeof(*t));
	unsigned int i;
	va_list args;

	if (!t)
		return NULL;
	va_start(args, head);
	for (; head && t->columns < COLUMNS_MAX; head = va_arg(args, const char *))
		heads[t->columns++] = head;
	va_end(args);
	for (i = 0; i < t->columns; i++)
		add_head(t, i, heads[i]);
	return t;
}

void udf_table_cell(struct udf_table *t, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;
	size_t start;
	int n;

	if (!t)
		return;
	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0) {
		t->text.failed = true;
		return;
	}
	start = t->text.len;
	udf_strbuf_add(&t->text, text);
	end_cell(t, start);
	free(text);
}

unsigned int udf_table_rows(const struct udf_table *t)
{
	return t->cells / t->columns - 1;
}

int udf_table_print(const struct udf_table *t, FILE *out)
{
	const char *cell;
	unsigned int i;

	if (!t || t->text.failed)
		return -ENOMEM;
	cell = udf_strbuf_str(&t->text);
	for (i = 0; i < t->cells; i++) {
		unsigned int column = i % t->columns;
		bool last = column == t->columns - 1 || i == t->cells - 1;
		int width = t->width[column];

		if (t->right[column])
			fprintf(out, "%*s", width, cell);
		else
			fprintf(out, "%-*s", last ? 0 : width, cell);
		fputs(last ? "\n" : "  ", out);
		cell += strlen(cell) + 1;
	}
	return 0;
}

void udf_table_free(struct udf_table *t)
{
	if (!t)
		return;
	udf_strbuf_free(&t->text);
	free(t);
}
