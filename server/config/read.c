/* SPDX-License-Identifier: GPL-3.0-or-later */
/* read.c - one object, plain secrets; list.c has the lists. */
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
