/* SPDX-License-Identifier: GPL-3.0-or-later */
/* object.c - changing objects: insert, merge patch, delete, and rows that the server writes. */
#include "config/config_priv.h"

#include <stdio.h>
#include <string.h>

#define SQL_BYTES 4096

/* ---- refused by the database: say it in words of the model -------------------------------------------- */
static int unique_fail(struct config *c, enum model_kind k, const json_t *body, struct config_error *e)
{
	const char *msg = sqlite3_errmsg(c->db), *p = strchr(msg, ':');
	char fields[128] = "", first[64] = "";
	/* "UNIQUE constraint failed: lun.target, lun.lun" */
	while (p && (p = strchr(p, '.'))) {
		size_t len = strcspn(++p, ", ");
		if (!*first)
			snprintf(first, sizeof(first), "%.*s", (int)len, p);
		snprintf(fields + strlen(fields), sizeof(fields) - strlen(fields), "%s%.*s", *fields ? " and " : "", (int)len, p);
	}
	const char *value = json_string_value(json_object_get(body, first));
	if (strcmp(fields, "name") == 0 && value)
		return config_fail(e, -EEXIST, "name", "there is a %s called \"%.100s\" already", models[k].name, value);
	return config_fail(e, -EEXIST, first, "another %s has the same %s already", models[k].name, *fields ? fields : "values");
}

/* A CHECK over several columns failed; SQLite cites it, and it starts with the column it is about. */
static int check_fail(struct config *c, enum model_kind k, struct config_error *e)
{
	static const char cites[] = "constraint failed: ";
	const char *msg = sqlite3_errmsg(c->db), *at = strstr(msg, cites);
	char name[64] = "";
	if (at) {
		at += sizeof(cites) - 1;
		snprintf(name, sizeof(name), "%.*s", (int)strspn(at, "abcdefghijklmnopqrstuvwxyz_"), at);
	}
	const struct field *f = model_field(&models[k], name);
	if (f)
		return config_fail(e, -EINVAL, f->name, "%s does not fit the other values of the %s: %s", f->name, models[k].name, f->help);
	return config_fail(e, -EINVAL, "", "the values of this %s do not fit together (%s)", models[k].name, msg);
}

static int change_fail(struct config *c, enum model_kind k, const json_t *body, struct config_error *e)
{
	int rc = sqlite3_extended_errcode(c->db);
	if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY)
		return unique_fail(c, k, body, e);
	if (rc == SQLITE_CONSTRAINT_FOREIGNKEY)
		return config_fail(e, -EBUSY, "", "the %s is still used by another object", models[k].name);
	if ((rc & 0xff) == SQLITE_CONSTRAINT)
		return check_fail(c, k, e);
	return db_fail(c, e, "store the change");
}

static int run_change(struct config *c, sqlite3_stmt *s, enum model_kind k, const json_t *body, struct config_error *e)
{
	int rc = sqlite3_step(s);
	int r = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : change_fail(c, k, body, e);
	stmt_done(c, s);
	return r;
}

/* ---- lists of references -------------------------------------------------------------------------------- */
static int refs_write(struct config *c, enum model_kind k, const struct field *f, const char *id, const json_t *value,
		      struct config_error *e)
{
	char sql[160], ref[CONFIG_ID_BYTES];
	sqlite3_stmt *s;
	size_t i;
	json_t *item;
	snprintf(sql, sizeof(sql), "DELETE FROM \"%s_%s\" WHERE owner = ?", models[k].table, f->name);
	int r = stmt_get(c, sql, &s, e);
	if (r)
		return r;
	sqlite3_bind_text(s, 1, id, -1, SQLITE_TRANSIENT);
	r = stmt_run(c, s, e, "store the list");
	snprintf(sql, sizeof(sql), "INSERT INTO \"%s_%s\" (owner, position, ref) VALUES (?, ?, ?)", models[k].table, f->name);
	json_array_foreach((json_t *)value, i, item) {
		if (!r)
			r = ref_resolve(c, f, json_string_value(item), ref, e);
		if (!r)
			r = stmt_get(c, sql, &s, e);
		if (r)
			return r;
		sqlite3_bind_text(s, 1, id, -1, SQLITE_TRANSIENT);
		sqlite3_bind_int64(s, 2, (sqlite3_int64)i);
		sqlite3_bind_text(s, 3, ref, -1, SQLITE_TRANSIENT);
		r = run_change(c, s, k, NULL, e);
	}
	return r;
}

/* ---- insert --------------------------------------------------------------------------------------------- */
/* The given fields and the defaults of the others; returns owned. */
static json_t *with_defaults(enum model_kind k, const json_t *body)
{
	const struct model *m = &models[k];
	json_t *full = json_object();
	for (size_t i = 0; i < m->field_count; i++) {
		const struct field *f = &m->fields[i];
		json_t *v = json_object_get(body, f->name);
		if (v && !json_is_null(v))
			json_object_set(full, f->name, v);
		else if (f->default_json)
			json_object_set_new(full, f->name, json_loads(f->default_json, JSON_DECODE_ANY, NULL));
	}
	return full;
}

static int insert_row(struct config *c, enum model_kind k, const char *id, const json_t *full, struct config_error *e)
{
	const struct model *m = &models[k];
	char sql[SQL_BYTES], now[TIME_BYTES];
	sqlite3_stmt *s;
	sql_insert(k, sql, sizeof(sql));
	int r = stmt_get(c, sql, &s, e);
	if (r)
		return r;
	time_now(now);
	sqlite3_bind_text(s, 1, id, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)(c->revision + c->in_tx));
	sqlite3_bind_text(s, 3, now, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(s, 4, now, -1, SQLITE_TRANSIENT);
	int at = 5;
	for (size_t i = 0; !r && i < m->field_count; i++)
		if (field_is_column(&m->fields[i]))
			r = field_bind(c, s, at++, k, &m->fields[i], id, json_object_get(full, m->fields[i].name), e);
	if (r) {
		stmt_done(c, s);
		return r;
	}
	r = run_change(c, s, k, full, e);
	for (size_t i = 0; !r && i < m->field_count; i++)
		if (m->fields[i].type == FIELD_REFS)
			r = refs_write(c, k, &m->fields[i], id, json_object_get(full, m->fields[i].name), e);
	return r;
}

int config_insert_as(struct config *c, enum model_kind k, const char *id, const json_t *body, json_t **ret_object,
		     struct config_error *e)
{
	json_t *o = NULL;
	if (!text_is_uuid(id))
		return config_fail(e, -EINVAL, "id", "id must be a UUID in lower case");
	int r = model_check(k, body, true, e);
	if (r)
		return r;
	json_t *full = with_defaults(k, body);
	r = insert_row(c, k, id, full, e);
	json_decref(full);
	if (!r)
		r = config_get(c, k, id, &o, e);
	if (!r)
		r = audit_write(c, "create", k, id, NULL, o, e);
	if (r) {
		json_decref(o);
		return r;
	}
	c->tx_changed = true;
	if (ret_object)
		*ret_object = o;
	else
		json_decref(o);
	return 0;
}

int config_insert(struct config *c, enum model_kind k, const json_t *body, json_t **ret_object, struct config_error *e)
{
	char id[CONFIG_ID_BYTES];
	config_new_id(c, id);
	return config_insert_as(c, k, id, body, ret_object, e);
}

/* ---- update --------------------------------------------------------------------------------------------- */
/* RFC 7396 on a map of texts; returns owned. */
static json_t *merge_map(const json_t *old, const json_t *patch)
{
	json_t *merged = json_deep_copy(old), *v;
	const char *key;
	json_object_foreach((json_t *)patch, key, v) {
		if (json_is_null(v))
			json_object_del(merged, key);
		else
			json_object_set(merged, key, v);
	}
	return merged;
}

/* What field f becomes; NULL: it stays.  returns owned. */
static int patched_value(const struct field *f, const json_t *old, const json_t *patch, json_t **ret_value, struct config_error *e)
{
	json_t *v = json_object_get(patch, f->name), *was = json_object_get(old, f->name), *now;
	*ret_value = NULL;
	if (!v)
		return 0;
	if (f->type == FIELD_SECRET && json_is_boolean(v)) {
		if (json_is_true(v) == json_is_true(was))
			return 0;
		return config_fail(e, -EINVAL, f->name, json_is_true(v) ? "%s must be given in full, nothing is stored yet" : "%s is set; null clears it", f->name);
	}
	if (json_is_null(v))
		now = f->default_json ? json_loads(f->default_json, JSON_DECODE_ANY, NULL) : json_null();
	else
		now = f->type == FIELD_MAP ? merge_map(was, v) : json_incref(v);
	bool same = f->type == FIELD_SECRET ? json_is_null(now) && !json_is_true(was) : json_equal(now, was);
	if (same || ((f->flags & FIELD_FIXED) && json_is_null(now) && json_is_null(v))) {
		json_decref(now);
		now = NULL;              /* null for a fixed field means "as it was made" */
	} else if (f->flags & FIELD_FIXED) {
		json_decref(now);
		return config_fail(e, -EINVAL, f->name, "%s cannot change after creation", f->name);
	}
	*ret_value = now;
	return 0;
}

/* UPDATE of the members of set, those that are columns. */
static int update_row(struct config *c, enum model_kind k, const char *id, const json_t *set, bool count, struct config_error *e)
{
	const struct model *m = &models[k];
	char sql[SQL_BYTES], now[TIME_BYTES];
	sqlite3_stmt *s;
	int n = snprintf(sql, sizeof(sql), "UPDATE \"%s\" SET updated_at = ?, revision = %s?", m->table, count ? "" : "revision + ");
	for (size_t i = 0; i < m->field_count; i++)
		if (field_is_column(&m->fields[i]) && json_object_get(set, m->fields[i].name))
			n += snprintf(sql + n, sizeof(sql) - (size_t)n, ", \"%s\" = ?", m->fields[i].name);
	snprintf(sql + n, sizeof(sql) - (size_t)n, " WHERE id = ?");
	int r = stmt_get(c, sql, &s, e);
	if (r)
		return r;
	time_now(now);
	sqlite3_bind_text(s, 1, now, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(s, 2, count ? (sqlite3_int64)(c->revision + 1) : 0);
	int at = 3;
	for (size_t i = 0; !r && i < m->field_count; i++)
		if (field_is_column(&m->fields[i]) && json_object_get(set, m->fields[i].name))
			r = field_bind(c, s, at++, k, &m->fields[i], id, json_object_get(set, m->fields[i].name), e);
	sqlite3_bind_text(s, at, id, -1, SQLITE_TRANSIENT);
	if (r) {
		stmt_done(c, s);
		return r;
	}
	r = run_change(c, s, k, set, e);
	for (size_t i = 0; !r && i < m->field_count; i++)
		if (m->fields[i].type == FIELD_REFS && json_object_get(set, m->fields[i].name))
			r = refs_write(c, k, &m->fields[i], id, json_object_get(set, m->fields[i].name), e);
	return r;
}

static int collect_patch(enum model_kind k, const json_t *old, const json_t *patch, json_t *set, struct config_error *e)
{
	for (size_t i = 0; i < models[k].field_count; i++) {
		json_t *v;
		int r = patched_value(&models[k].fields[i], old, patch, &v, e);
		if (r)
			return r;
		if (v)
			json_object_set_new(set, models[k].fields[i].name, v);
	}
	return 0;
}

/* A secret reads as set before and after: the audit says that it is another one. */
static int audit_update(struct config *c, enum model_kind k, const char *id, const json_t *old, const json_t *now, const json_t *set,
			struct config_error *e)
{
	json_t *after = json_copy((json_t *)now);
	for (size_t i = 0; after && i < models[k].field_count; i++) {
		const struct field *f = &models[k].fields[i];
		if (f->type == FIELD_SECRET && json_is_true(json_object_get(now, f->name)) && json_object_get(set, f->name))
			json_object_set_new(after, f->name, json_string("changed"));
	}
	int r = after ? audit_write(c, "update", k, id, old, after, e) : config_fail(e, -ENOMEM, "", "out of memory");
	json_decref(after);
	return r;
}

int config_update(struct config *c, enum model_kind k, const char *id, const json_t *patch, json_t **ret_object,
		  struct config_error *e)
{
	json_t *old = NULL, *now = NULL, *set = json_object();
	int r = model_check(k, patch, false, e);
	if (!r)
		r = config_get(c, k, id, &old, e);
	if (!r)
		r = collect_patch(k, old, patch, set, e);
	const char *real_id = json_string_value(json_object_get(old, "id"));
	if (!r && json_object_size(set)) {
		r = update_row(c, k, real_id, set, true, e);
		if (!r)
			r = config_get(c, k, real_id, &now, e);
		if (!r)
			r = audit_update(c, k, real_id, old, now, set, e);
		if (!r)
			c->tx_changed = true;
	} else if (!r) {
		now = json_incref(old);  /* nothing new: no revision, no audit */
	}
	json_decref(old);
	json_decref(set);
	if (!r && ret_object)
		*ret_object = now;
	else
		json_decref(now);
	return r;
}

/* ---- delete --------------------------------------------------------------------------------------------- */
/* -EBUSY with the names of up to three that refer to it. */
static int check_unused(struct config *c, enum model_kind k, const char *id, const char *name, struct config_error *e)
{
	for (size_t i = 0; i < MODEL_KINDS; i++)
		for (size_t j = 0; j < models[i].field_count; j++) {
			const struct field *f = &models[i].fields[j];
			char sql[320], who[160] = "";
			sqlite3_stmt *s;
			if ((f->type != FIELD_REF && f->type != FIELD_REFS) || f->ref != k)
				continue;
			const char *shown = model_name_column((enum model_kind)i) ? model_name_column((enum model_kind)i) : "id";
			if (f->type == FIELD_REF)
				snprintf(sql, sizeof(sql), "SELECT \"%s\" FROM \"%s\" WHERE \"%s\" = ? LIMIT 3", shown, models[i].table, f->name);
			else
				snprintf(sql, sizeof(sql), "SELECT o.\"%s\" FROM \"%s_%s\" m JOIN \"%s\" o ON o.id = m.owner WHERE m.ref = ? LIMIT 3",
					 shown, models[i].table, f->name, models[i].table);
			int r = stmt_get(c, sql, &s, e);
			if (r)
				return r;
			sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
			while (sqlite3_step(s) == SQLITE_ROW)
				snprintf(who + strlen(who), sizeof(who) - strlen(who), "%s%s", *who ? ", " : "", (const char *)sqlite3_column_text(s, 0));
			stmt_done(c, s);
			if (*who)
				return config_fail(e, -EBUSY, "", "the %s %s is still used by %s %s", models[k].name, name ? name : id, models[i].name, who);
		}
	return 0;
}

int config_delete(struct config *c, enum model_kind k, const char *id, struct config_error *e)
{
	char sql[96];
	json_t *old = NULL;
	sqlite3_stmt *s;
	int r = config_get(c, k, id, &old, e);
	if (r)
		return r;
	const char *real_id = json_string_value(json_object_get(old, "id"));
	const char *column = model_name_column(k);
	r = check_unused(c, k, real_id, column ? json_string_value(json_object_get(old, column)) : NULL, e);
	snprintf(sql, sizeof(sql), "DELETE FROM \"%s\" WHERE id = ?", models[k].table);
	if (!r)
		r = stmt_get(c, sql, &s, e);
	if (!r) {
		sqlite3_bind_text(s, 1, real_id, -1, SQLITE_TRANSIENT);
		r = run_change(c, s, k, NULL, e);
	}
	if (!r)
		r = audit_write(c, "delete", k, real_id, old, NULL, e);
	if (!r)
		c->tx_changed = true;
	json_decref(old);
	return r;
}

/* ---- rows that the server writes --------------------------------------------------------------------------- */
int config_put(struct config *c, enum model_kind k, const char *id_or_null, const json_t *fields, json_t **ret_object,
	       struct config_error *e)
{
	char id[CONFIG_ID_BYTES];
	int r;
	if (id_or_null) {
		r = object_id(c, k, id_or_null, id, e);
		if (!r)
			r = update_row(c, k, id, fields, false, e);
	} else {
		config_new_id(c, id);
		r = insert_row(c, k, id, fields, e);
	}
	return r || !ret_object ? r : config_get(c, k, id, ret_object, e);
}

int config_put_new(struct config *c, enum model_kind k, const char *id, const json_t *fields, struct config_error *e)
{
	return text_is_uuid(id) ? insert_row(c, k, id, fields, e) : config_fail(e, -EINVAL, "id", "id must be a UUID in lower case");
}

int config_drop(struct config *c, enum model_kind k, const char *id, struct config_error *e)
{
	char sql[96];
	sqlite3_stmt *s;
	snprintf(sql, sizeof(sql), "DELETE FROM \"%s\" WHERE id = ?", models[k].table);
	int r = stmt_get(c, sql, &s, e);
	if (r)
		return r;
	sqlite3_bind_text(s, 1, id, -1, SQLITE_TRANSIENT);
	return run_change(c, s, k, NULL, e);
}

int config_trim(struct config *c, enum model_kind k, size_t keep)
{
	const char *extra = k == MODEL_EVENT ? " AND NOT (alert = 1 AND resolved_at IS NULL)" : k == MODEL_TASK ? " AND state <> 'running'" : "";
	char sql[320];
	struct config_error e;
	sqlite3_stmt *s;
	if (k != MODEL_AUDIT && k != MODEL_EVENT && k != MODEL_TASK && k != MODEL_ACME_HISTORY)
		return -EINVAL;
	snprintf(sql, sizeof(sql), "DELETE FROM \"%s\" WHERE id <= (SELECT id FROM \"%s\" ORDER BY id DESC LIMIT 1 OFFSET ?)%s", models[k].table,
		 models[k].table, extra);
	int r = stmt_get(c, sql, &s, &e);
	if (r)
		return r;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)keep);
	return stmt_run(c, s, &e, "forget old rows");
}
