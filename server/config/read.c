/* SPDX-License-Identifier: GPL-3.0-or-later */
/* read.c - one object, pages of objects, plain secrets. */
#include "config/config_priv.h"

#include <stdio.h>
#include <string.h>

#define SQL_BYTES 4096

/* ---- one -------------------------------------------------------------------------------------------- */
static int get_where(struct config *c, enum model_kind k, bool refs_as_ids, const char *column, const char *value,
		     json_t **ret_object, struct config_error *e)
{
	char sql[SQL_BYTES];
	sqlite3_stmt *s;
	sql_select(k, refs_as_ids, sql, sizeof(sql) - 64);
	snprintf(sql + strlen(sql), 64, " WHERE t.\"%s\" = ?", column);
	int r = stmt_get(c, sql, &s, e);
	if (r)
		return r;
	sqlite3_bind_text(s, 1, value, -1, SQLITE_STATIC);
	int rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		r = row_read(s, k, ret_object) ? config_fail(e, -EUCLEAN, "", "the stored %s %s cannot be read", models[k].name, value) : 0;
	else
		r = rc == SQLITE_DONE ? -ENOENT : db_fail(c, e, "read");
	stmt_done(c, s);
	return r;
}

int object_get(struct config *c, enum model_kind k, const char *id_or_name, bool refs_as_ids, json_t **ret_object,
	       struct config_error *e)
{
	int r = -ENOENT;
	if (text_is_uuid(id_or_name))
		r = get_where(c, k, refs_as_ids, "id", id_or_name, ret_object, e);
	if (r == -ENOENT && model_name_column(k))
		r = get_where(c, k, refs_as_ids, model_name_column(k), id_or_name, ret_object, e);
	if (r == -ENOENT)
		config_fail(e, -ENOENT, "", "there is no %s called \"%.100s\"", models[k].name, id_or_name);
	return r;
}

int config_get(struct config *c, enum model_kind k, const char *id_or_name, json_t **ret_object, struct config_error *e)
{
	return object_get(c, k, id_or_name, false, ret_object, e);
}

static int id_where(struct config *c, enum model_kind k, const char *column, const char *value, char id[CONFIG_ID_BYTES],
		    struct config_error *e)
{
	char sql[128];
	sqlite3_stmt *s;
	snprintf(sql, sizeof(sql), "SELECT id FROM \"%s\" WHERE \"%s\" = ?", models[k].table, column);
	int r = stmt_get(c, sql, &s, e);
	if (r)
		return r;
	sqlite3_bind_text(s, 1, value, -1, SQLITE_STATIC);
	int rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		snprintf(id, CONFIG_ID_BYTES, "%s", (const char *)sqlite3_column_text(s, 0));
	else
		r = rc == SQLITE_DONE ? -ENOENT : db_fail(c, e, "read");
	stmt_done(c, s);
	return r;
}

int object_id(struct config *c, enum model_kind k, const char *id_or_name, char id[CONFIG_ID_BYTES], struct config_error *e)
{
	int r = -ENOENT;
	if (text_is_uuid(id_or_name))
		r = id_where(c, k, "id", id_or_name, id, e);
	if (r == -ENOENT && model_name_column(k))
		r = id_where(c, k, model_name_column(k), id_or_name, id, e);
	if (r == -ENOENT)
		config_fail(e, -ENOENT, "", "there is no %s called \"%.100s\"", models[k].name, id_or_name);
	return r;
}

/* ---- pages ------------------------------------------------------------------------------------------ */
struct filter {
	const char *field, *value;
};

static int filter_sql(enum model_kind k, const struct filter *f, char *sql, size_t bytes, struct config_error *e)
{
	const struct field *row = model_field(&models[k], f->field);
	bool fixed = strcmp(f->field, "id") == 0;
	if (!fixed && (!row || !field_is_column(row) || row->type == FIELD_SECRET || row->type == FIELD_JSON))
		return config_fail(e, -EINVAL, f->field, "a list of %s cannot be filtered by \"%.40s\"", models[k].plural, f->field);
	snprintf(sql + strlen(sql), bytes - strlen(sql), f->value ? " AND t.\"%s\" = ?" : " AND t.\"%s\" IS NULL", f->field);
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
	char sql[SQL_BYTES];
	sqlite3_stmt *s;
	if (!q)
		q = &all;
	struct filter filters[] = { { q->where_field, q->where_value }, { q->where_field2, q->where_value2 } };
	sql_select(k, q->refs_as_ids, sql, sizeof(sql) - 512);
	strncat(sql, " WHERE 1", sizeof(sql) - strlen(sql) - 1);
	for (size_t i = 0; i < ARRAY_COUNT(filters); i++) {
		int r = filters[i].field ? filter_sql(k, &filters[i], sql, sizeof(sql), e) : 0;
		if (r)
			return r;
	}
	snprintf(sql + strlen(sql), sizeof(sql) - strlen(sql), "%s ORDER BY t.id %s LIMIT ?",
		 !q->after_id ? "" : q->newest_first ? " AND t.id < ?" : " AND t.id > ?", q->newest_first ? "DESC" : "ASC");
	int r = stmt_get(c, sql, &s, e);
	if (r)
		return r;
	int at = 1, none = 0;
	for (size_t i = 0; i < ARRAY_COUNT(filters) && none == 0; i++)
		none = filters[i].field ? filter_bind(c, s, &at, k, &filters[i], e) : 0;
	if (q->after_id)
		sqlite3_bind_text(s, at++, q->after_id, -1, SQLITE_STATIC);
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

/* ---- secrets: how they are stored, and plain ---------------------------------------------------------------------------------------- */
int config_secret(struct config *c, enum model_kind k, const char *id, const char *field, uint8_t *buf, size_t buf_bytes,
		  size_t *ret_len, struct config_error *e)
{
	const struct field *f = model_field(&models[k], field);
	char sql[160];
	sqlite3_stmt *s;
	if (!f || f->type != FIELD_SECRET)
		return config_fail(e, -EINVAL, field, "%s is not a secret", field);
	snprintf(sql, sizeof(sql), "SELECT \"%s\" FROM \"%s\" WHERE id = ? AND \"%s\" IS NOT NULL", field, models[k].table, field);
	int r = stmt_get(c, sql, &s, e);
	if (r)
		return r;
	sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
	int rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		r = key_unseal(c, models[k].table, id, field, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0), buf, buf_bytes, ret_len, e);
	else
		r = rc == SQLITE_DONE ? config_fail(e, -ENOENT, field, "%s is not set", field) : db_fail(c, e, "read");
	stmt_done(c, s);
	return r;
}

int config_secret_sealed(struct config *c, enum model_kind k, const char *id, const char *field, char **ret_text,
			 struct config_error *e)
{
	const struct field *f = model_field(&models[k], field);
	char sql[160];
	sqlite3_stmt *s;
	if (!f || f->type != FIELD_SECRET)
		return config_fail(e, -EINVAL, field, "%s is not a secret", field);
	snprintf(sql, sizeof(sql), "SELECT lower(hex(\"%s\")) FROM \"%s\" WHERE id = ? AND \"%s\" IS NOT NULL", field, models[k].table, field);
	int r = stmt_get(c, sql, &s, e);
	if (r)
		return r;
	sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
	int rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*ret_text = strdup((const char *)sqlite3_column_text(s, 0));
	r = rc == SQLITE_DONE ? -ENOENT : rc != SQLITE_ROW ? db_fail(c, e, "read") : *ret_text ? 0 : -ENOMEM;
	stmt_done(c, s);
	return r;
}
