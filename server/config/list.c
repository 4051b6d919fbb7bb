/* SPDX-License-Identifier: GPL-3.0-or-later */
/* list.c - pages of objects: filtered by equality, searched by text, sorted.
 *
 * A page begins after the last object of the one before, by that object's value and id, both of which the caller
 * remembers: it stays right when the object is deleted in between. */
#include "config/config_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SQL_BYTES 8192

struct filter {
	const char *field, *value;
};
/* A statement being written. */
struct query_sql {
	char text[SQL_BYTES];
	size_t len;
};

_printf_(2, 3) static void add(struct query_sql *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(s->text + s->len, sizeof(s->text) - s->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		s->len = min_u64(s->len + (size_t)n, sizeof(s->text) - 1);
}

/* ---- filters ---------------------------------------------------------------------------------------- */
static int filter_sql(struct query_sql *sql, enum model_kind k, const struct filter *f, struct config_error *e)
{
	const struct field *row = model_field(&models[k], f->field);
	bool fixed = strcmp(f->field, "id") == 0 || strcmp(f->field, "revision") == 0;
	if (!fixed && (!row || !field_is_column(row) || row->type == FIELD_SECRET || row->type == FIELD_JSON))
		return config_fail(e, -EINVAL, f->field, "a list of %s cannot be filtered by \"%.40s\"", models[k].plural, f->field);
	add(sql, f->value ? " AND t.\"%s\" = ?" : " AND t.\"%s\" IS NULL", f->field);
	return 0;
}

/* 1: nothing can match (the object referred to does not exist). */
static int filter_bind(struct config *c, sqlite3_stmt *s, int *at, enum model_kind k, const struct filter *f, struct config_error *e)
{
	const struct field *row = model_field(&models[k], f->field);
	char id[CONFIG_ID_BYTES];
	if (!f->value)
		return 0;
	if (row && row->type == FIELD_REF) {
		int r = object_id(c, row->ref, f->value, id, e);
		if (r)
			return r == -ENOENT ? 1 : r;
		sqlite3_bind_text(s, (*at)++, id, -1, SQLITE_TRANSIENT);
	} else if (row && row->type == FIELD_BOOL) {
		sqlite3_bind_int(s, (*at)++, strcmp(f->value, "true") == 0 || strcmp(f->value, "1") == 0);
	} else if (row && row->type == FIELD_INT) {
		sqlite3_bind_int64(s, (*at)++, strtoll(f->value, NULL, 10));
	} else {
		sqlite3_bind_text(s, (*at)++, f->value, -1, SQLITE_TRANSIENT);
	}
	return 0;
}

/* ---- search ------------------------------------------------------------------------------------------ */
static bool is_searched(const struct field *f)
{
	return field_is_column(f) && (f->type == FIELD_TEXT || f->type == FIELD_ENUM || f->type == FIELD_TEXTS || f->type == FIELD_REF);
}

/* Every searched column holds the text; ?N is the same for all. */
static void search_sql(struct query_sql *sql, enum model_kind k, int at)
{
	const struct model *m = &models[k];
	bool any = false;
	add(sql, " AND (");
	for (size_t i = 0; i < m->field_count; i++) {
		const struct field *f = &m->fields[i];
		if (!is_searched(f))
			continue;
		add(sql, "%s", any ? " OR " : "");
		if (f->type == FIELD_REF)
			add(sql, "(SELECT name FROM \"%s\" r WHERE r.id = t.\"%s\")", models[f->ref].table, f->name);
		else
			add(sql, "t.\"%s\"", f->name);
		add(sql, " LIKE ?%d ESCAPE '\\'", at);
		any = true;
	}
	add(sql, any ? ")" : "0)");
}

/* %text%, with the letters that LIKE takes for its own taken as they are. */
static int search_bind(sqlite3_stmt *s, int at, const char *text)
{
	size_t n = 0, len = strlen(text);
	char *like = malloc(2 * len + 3);
	if (!like)
		return -ENOMEM;
	like[n++] = '%';
	for (; *text; text++) {
		if (strchr("%_\\", *text))
			like[n++] = '\\';
		like[n++] = *text;
	}
	like[n++] = '%';
	sqlite3_bind_text(s, at, like, (int)n, free);
	return 0;
}

/* ---- order ------------------------------------------------------------------------------------------- */
bool config_can_sort(enum model_kind k, const char *field)
{
	const struct field *f = model_field(&models[k], field);
	if (strcmp(field, "created_at") == 0 || strcmp(field, "updated_at") == 0)
		return true;
	return f && field_is_column(f) && f->type != FIELD_SECRET && f->type != FIELD_JSON && f->type != FIELD_MAP && f->type != FIELD_TEXTS;
}

/* Nothing sorts before everything: "" for texts, the least number for numbers. */
static void order_expression(struct query_sql *sql, enum model_kind k, const char *field)
{
	const struct field *f = model_field(&models[k], field);
	if (f && f->type == FIELD_REF)
		add(sql, "ifnull((SELECT name FROM \"%s\" r WHERE r.id = t.\"%s\"), '') COLLATE NOCASE", models[f->ref].table, field);
	else if (f && (f->type == FIELD_INT || f->type == FIELD_BOOL))
		add(sql, "ifnull(t.\"%s\", -9223372036854775808)", field);
	else
		add(sql, "ifnull(t.\"%s\", '') COLLATE NOCASE", field);
}

static void after_bind(sqlite3_stmt *s, int *at, enum model_kind k, const struct config_query *q)
{
	const struct field *f = q->sort_field ? model_field(&models[k], q->sort_field) : NULL;
	if (q->sort_field && f && (f->type == FIELD_INT || f->type == FIELD_BOOL)) {
		const char *v = q->after_value;
		sqlite3_bind_int64(s, (*at)++, strcmp(v, "true") == 0 ? 1 : strcmp(v, "false") == 0 ? 0 : *v ? strtoll(v, NULL, 10) : INT64_MIN);
	} else if (q->sort_field) {
		sqlite3_bind_text(s, (*at)++, q->after_value, -1, SQLITE_STATIC);
	}
	sqlite3_bind_text(s, (*at)++, q->after_id, -1, SQLITE_STATIC);
}

static void order_by(struct query_sql *sql, enum model_kind k, const struct config_query *q, bool down)
{
	add(sql, " ORDER BY ");
	if (q->sort_field) {
		order_expression(sql, k, q->sort_field);
		add(sql, " %s, ", down ? "DESC" : "ASC");
	}
	add(sql, "t.id %s", down ? "DESC" : "ASC");
}

static void order_sql(struct query_sql *sql, enum model_kind k, const struct config_query *q)
{
	bool down = q->sort_field ? q->sort_descending : q->newest_first;
	if (q->after_id && q->sort_field) {
		add(sql, " AND (");
		order_expression(sql, k, q->sort_field);
		add(sql, ", t.id) %s (?, ?)", down ? "<" : ">");
	} else if (q->after_id) {
		add(sql, " AND t.id %s ?", down ? "<" : ">");
	}
	order_by(sql, k, q, down);
	add(sql, " LIMIT ?");
}

/* ---- all ----------------------------------------------------------------------------------------------- */
static int where_sql(struct query_sql *sql, enum model_kind k, const struct config_query *q, struct config_error *e)
{
	struct filter filters[] = { { q->where_field, q->where_value }, { q->where_field2, q->where_value2 } };
	int at = 1;
	add(sql, " WHERE 1");
	for (size_t i = 0; i < ARRAY_COUNT(filters); i++) {
		int r = filters[i].field ? filter_sql(sql, k, &filters[i], e) : 0;
		if (r)
			return r;
		at += filters[i].field && filters[i].value;
	}
	if (q->text)
		search_sql(sql, k, at);
	if ((q->since || q->until) && !model_field(&models[k], "at"))
		return config_fail(e, -EINVAL, q->since ? "since" : "until", "%s have no time to look for", models[k].plural);
	add(sql, "%s%s", q->since ? " AND t.at >= ?" : "", q->until ? " AND t.at < ?" : "");
	return 0;
}

/* 1: nothing can match. */
static int where_bind(struct config *c, sqlite3_stmt *s, int *at, enum model_kind k, const struct config_query *q, struct config_error *e)
{
	struct filter filters[] = { { q->where_field, q->where_value }, { q->where_field2, q->where_value2 } };
	int r = 0;
	for (size_t i = 0; i < ARRAY_COUNT(filters) && r == 0; i++)
		r = filters[i].field ? filter_bind(c, s, at, k, &filters[i], e) : 0;
	if (r == 0 && q->text)
		r = search_bind(s, (*at)++, q->text);
	if (r == 0 && q->since)
		sqlite3_bind_text(s, (*at)++, q->since, -1, SQLITE_STATIC);
	if (r == 0 && q->until)
		sqlite3_bind_text(s, (*at)++, q->until, -1, SQLITE_STATIC);
	return r;
}

static int read_page(struct config *c, sqlite3_stmt *s, enum model_kind k, json_t *array, struct config_error *e)
{
	int rc;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		json_t *o;
		if (row_read(s, k, &o))
			return config_fail(e, -EUCLEAN, "", "a stored %s cannot be read", models[k].name);
		if (json_array_append_new(array, o))
			return config_fail(e, -ENOMEM, "", "out of memory");
	}
	return rc == SQLITE_DONE ? 0 : db_fail(c, e, "read");
}

int config_list(struct config *c, enum model_kind k, const struct config_query *q, json_t **ret_array, struct config_error *e)
{
	static const struct config_query all;
	struct query_sql sql = { .len = 0 };
	sqlite3_stmt *s;
	q = q ? q : &all;
	if (q->sort_field && !config_can_sort(k, q->sort_field))
		return config_fail(e, -EINVAL, "sort", "a list of %s cannot be sorted by \"%.40s\"", models[k].plural, q->sort_field);
	if (q->sort_field && q->after_id && !q->after_value)
		return config_fail(e, -EINVAL, "cursor", "the cursor is of a list in another order");
	sql_select(k, q->refs_as_ids, sql.text, sizeof(sql.text));
	sql.len = strlen(sql.text);
	/* Sorting moves ids only; whole rows are read for the page alone. */
	if (q->sort_field)
		add(&sql, " WHERE t.id IN (SELECT t.id FROM \"%s\" t", models[k].table);
	int r = where_sql(&sql, k, q, e);
	if (r)
		return r;
	order_sql(&sql, k, q);
	if (q->sort_field) {
		add(&sql, ")");
		order_by(&sql, k, q, q->sort_descending);
	}
	r = stmt_get(c, sql.text, &s, e);
	if (r)
		return r;
	int at = 1, none = where_bind(c, s, &at, k, q, e);
	if (q->after_id && none == 0)
		after_bind(s, &at, k, q);
	sqlite3_bind_int64(s, at, q->limit ? (sqlite3_int64)q->limit : -1);
	json_t *array = none < 0 ? NULL : json_array();
	r = none < 0 ? none : !array ? config_fail(e, -ENOMEM, "", "out of memory") : none ? 0 : read_page(c, s, k, array, e);
	stmt_done(c, s);
	if (r) {
		json_decref(array);
		return r;
	}
	*ret_array = array;
	return 0;
}

int config_count(struct config *c, enum model_kind k, const struct config_query *q, uint64_t *ret_count, struct config_error *e)
{
	struct query_sql sql = { .len = 0 };
	sqlite3_stmt *s;
	add(&sql, "SELECT count(*) FROM \"%s\" t", models[k].table);
	int r = where_sql(&sql, k, q, e);
	if (!r)
		r = stmt_get(c, sql.text, &s, e);
	if (r)
		return r;
	int at = 1, none = where_bind(c, s, &at, k, q, e);
	if (none < 0)
		r = none;
	else if (none)
		*ret_count = 0;
	else if (sqlite3_step(s) == SQLITE_ROW)
		*ret_count = (uint64_t)sqlite3_column_int64(s, 0);
	else
		r = db_fail(c, e, "count");
	stmt_done(c, s);
	return r;
}
