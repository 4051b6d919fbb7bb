/* SPDX-License-Identifier: GPL-3.0-or-later */
/* audit.c - the audit as a spreadsheet: GET /api/v1/audit with Accept: text/csv.  RFC 4180. */
#include "api/api_priv.h"

#include <stdio.h>
#include <string.h>

#define ROWS_MAX 100000
#define PAGE 1000

/* Quoted; what a spreadsheet would run as a formula gets a quote in front. */
static void csv_field(FILE *f, const char *text)
{
	fputc('"', f);
	if (*text && strchr("=+-@\t\r", *text))
		fputc('\'', f);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', f);
		fputc(*text, f);
	}
	fputc('"', f);
}

static void csv_row(FILE *f, const json_t *row)
{
	static const char *const columns[] = { "at", "actor", "source", "verb", "kind", "object", "object_name", "before", "after" };

	for (size_t i = 0; i < ARRAY_COUNT(columns); i++) {
		json_t *v = json_object_get(row, columns[i]);
		char *dumped = v && !json_is_string(v) && !json_is_null(v) ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

		if (i)
			fputc(',', f);
		csv_field(f, dumped ? dumped : json_is_string(v) ? json_string_value(v) : "");
		free(dumped);
	}
	fputs("\r\n", f);
}

void answer_csv(struct api_call *c, struct config_query *q)
{
	char *text = NULL, cursor[CONFIG_ID_BYTES] = "";
	size_t bytes = 0, rows = 0;
	struct config_error e = { 0 };
	FILE *f = open_memstream(&text, &bytes);
	int r = f ? 0 : -ENOMEM;
	size_t got = PAGE;

	if (f)
		fputs("at,actor,source,verb,kind,object,object_name,before,after\r\n", f);
	q->limit = PAGE;
	q->sort_field = NULL;                    /* newest first, as it was written */
	q->after_id = NULL;
	while (r == 0 && got == PAGE && rows < ROWS_MAX) {
		json_t *items = NULL, *row;
		size_t i;

		r = control_list(c->route->kind, q, &items, &e);
		got = json_array_size(items);
		json_array_foreach(items, i, row)
			csv_row(f, row);
		if (got)
			snprintf(cursor, sizeof(cursor), "%s", json_string_value(json_object_get(json_array_get(items, got - 1), "id")));
		q->after_id = cursor;
		rows += got;
		json_decref(items);
	}
	if (f && fclose(f) != 0 && r == 0)
		r = -ENOMEM;
	if (r < 0) {
		free(text);
		if (!e.code)
			e.code = r;
		answer_error(c->rs, &e, "");
		return;
	}
	answer_text(c->rs, 200, "text/csv; charset=utf-8", text, bytes);
	answer_header(c->rs, "Content-Disposition", "attachment; filename=\"holdfast-audit.csv\"");
}
