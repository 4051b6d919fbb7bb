/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rows.c - SQL from the rows of the model: statements, bound values, objects read back.
 * A field that is added to model.c and the schema needs no code here. */
#include "config/config_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/hex.h"

/* ---- the statement cache --------------------------------------------------------------------------- */
static uint32_t hash_text(const char *s)
{
	uint32_t h = 2166136261u;
	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h;
}

int stmt_get(struct config *c, const char *sql, sqlite3_stmt **ret_stmt, struct config_error *e)
{
	uint32_t at = hash_text(sql) % STMT_CACHE;
	struct stmt_slot *free_slot = NULL;
	for (unsigned i = 0; i < STMT_CACHE; i++, at = (at + 1) % STMT_CACHE) {
		struct stmt_slot *slot = &c->slot[at];
		if (!slot->sql) {
			free_slot = slot;
			break;
		}
		if (!slot->busy && strcmp(slot->sql, sql) == 0) {
			slot->busy = true;
			*ret_stmt = slot->stmt;
			return 0;
		}
	}
	sqlite3_stmt *s;
	if (sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK)
		return db_fail(c, e, "use the database");
	char *copy = free_slot ? strdup(sql) : NULL;
	if (copy)
		*free_slot = (struct stmt_slot){ .sql = copy, .stmt = s, .busy = true };
	*ret_stmt = s;
	return 0;
}

void stmt_done(struct config *c, sqlite3_stmt *s)
{
	const char *sql = sqlite3_sql(s);
	uint32_t at = hash_text(sql) % STMT_CACHE;
	for (unsigned i = 0; i < STMT_CACHE && c->slot[at].sql; i++, at = (at + 1) % STMT_CACHE)
		if (c->slot[at].stmt == s) {
			sqlite3_reset(s);
			sqlite3_clear_bindings(s);
			c->slot[at].busy = false;
			return;
		}
	sqlite3_finalize(s);
}

void stmt_close_all(struct config *c)
{
	for (unsigned i = 0; i < STMT_CACHE; i++) {
		sqlite3_finalize(c->slot[i].stmt);
		free(c->slot[i].sql);
		c->slot[i] = (struct stmt_slot){ 0 };
	}
}

int stmt_run(struct config *c, sqlite3_stmt *s, struct config_error *e, const char *doing)
{
	int rc = sqlite3_step(s);
	int r = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : db_fail(c, e, doing);
	stmt_done(c, s);
	return r;
}

/* ---- SQL from rows ---------------------------------------------------------------------------------- */
struct text {
	char *buf;
	size_t bytes, len;
};
static void _printf_(2, 3) add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(t->buf + t->len, t->bytes - t->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= t->bytes - t->len)
		abort();                 /* buffers are sized for the model, which is ours */
	t->len += (size_t)n;
}

const char *model_name_column(enum model_kind k)
{
	if (model_field(&models[k], "name"))
		return "name";
	return k == MODEL_SETTING ? "key" : NULL;
}

void sql_select(enum model_kind k, bool refs_as_ids, char *buf, size_t buf_bytes)
{
	const struct model *m = &models[k];
	struct text t = { buf, buf_bytes, 0 };
	add(&t, "SELECT t.id, t.revision, t.created_at, t.updated_at");
	for (size_t i = 0; i < m->field_count; i++) {
		const struct field *f = &m->fields[i];
		const char *ref = f->type == FIELD_REF || f->type == FIELD_REFS ? models[f->ref].table : NULL;
		if (!field_is_stored(f))
			continue;
		if (f->type == FIELD_SECRET)
			add(&t, ", t.\"%s\" IS NOT NULL", f->name);
		else if (f->type == FIELD_REF && !refs_as_ids)
			add(&t, ", (SELECT name FROM \"%s\" r WHERE r.id = t.\"%s\")", ref, f->name);
		else if (f->type == FIELD_REFS)
			add(&t, ", (SELECT json_group_array(x) FROM (SELECT r.\"%s\" AS x FROM \"%s_%s\" m JOIN \"%s\" r ON r.id = m.ref WHERE m.owner = t.id ORDER BY m.position))",
			    refs_as_ids ? "id" : "name", m->table, f->name, ref);
		else
			add(&t, ", t.\"%s\"", f->name);
	}
	add(&t, " FROM \"%s\" t", m->table);
}

void sql_insert(enum model_kind k, char *buf, size_t buf_bytes)
{
	const struct model *m = &models[k];
	struct text t = { buf, buf_bytes, 0 };
	size_t columns = 4;
	add(&t, "INSERT INTO \"%s\" (id, revision, created_at, updated_at", m->table);
	for (size_t i = 0; i < m->field_count; i++)
		if (field_is_column(&m->fields[i])) {
			add(&t, ", \"%s\"", m->fields[i].name);
			columns++;
		}
	add(&t, ") VALUES (");
	for (size_t i = 0; i < columns; i++)
		add(&t, i ? ", ?" : "?");
	add(&t, ")");
}

/* ---- values out -------------------------------------------------------------------------------------- */
static json_t *column_text(sqlite3_stmt *s, int at)
{
	return json_stringn((const char *)sqlite3_column_text(s, at), (size_t)sqlite3_column_bytes(s, at));
}

static json_t *column_json(sqlite3_stmt *s, int at, const struct field *f)
{
	if (f->type == FIELD_SECRET)
		return json_boolean(sqlite3_column_int(s, at));
	if (sqlite3_column_type(s, at) == SQLITE_NULL)
		return json_null();
	switch (f->type) {
	case FIELD_INT:
		return json_integer(sqlite3_column_int64(s, at));
	case FIELD_BOOL:
		return json_boolean(sqlite3_column_int(s, at));
	case FIELD_TEXTS:
	case FIELD_REFS:
	case FIELD_MAP:
	case FIELD_JSON:
		return json_loadb((const char *)sqlite3_column_text(s, at), (size_t)sqlite3_column_bytes(s, at), JSON_DECODE_ANY, NULL);
	default:
		return column_text(s, at);
	}
}

int row_read(sqlite3_stmt *s, enum model_kind k, json_t **ret_object)
{
	const struct model *m = &models[k];
	json_t *o = json_object();
	int at = 4, bad = 0;
	bad |= json_object_set_new_nocheck(o, "id", column_text(s, 0));
	bad |= json_object_set_new_nocheck(o, "revision", json_integer(sqlite3_column_int64(s, 1)));
	bad |= json_object_set_new_nocheck(o, "created_at", column_text(s, 2));
	bad |= json_object_set_new_nocheck(o, "updated_at", column_text(s, 3));
	for (size_t i = 0; i < m->field_count; i++)
		if (field_is_stored(&m->fields[i]))
			bad |= json_object_set_new_nocheck(o, m->fields[i].name, column_json(s, at++, &m->fields[i]));
	if (bad) {
		json_decref(o);
		return -ENOMEM;
	}
	*ret_object = o;
	return 0;
}

/* ---- values in --------------------------------------------------------------------------------------- */
int ref_resolve(struct config *c, const struct field *f, const char *name_or_id, char id[CONFIG_ID_BYTES], struct config_error *e)
{
	int r = object_id(c, f->ref, name_or_id, id, e);
	if (r == -ENOENT)
		config_fail(e, -EINVAL, f->name, "there is no %s called \"%.100s\"", models[f->ref].name, name_or_id);
	return r == -ENOENT ? -EINVAL : r;
}

static int bind_json_text(sqlite3_stmt *s, int at, const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	return text ? sqlite3_bind_text(s, at, text, -1, free) : SQLITE_NOMEM;
}

/* What an export sealed: it must open here, then it is stored as it is. */
static int bind_sealed(struct config *c, sqlite3_stmt *s, int at, enum model_kind k, const struct field *f, const char *id,
		       const char *text, struct config_error *e)
{
	uint8_t sealed[SECRET_MAX + 64], plain[SECRET_MAX];
	size_t len, plain_len = 0;
	if (hex_read_some(text, sealed, sizeof(sealed), &len))
		return config_fail(e, -EINVAL, f->name, "the sealed %s is not what an export wrote", f->name);
	int r = key_unseal(c, models[k].table, id, f->name, sealed, len, plain, sizeof(plain), &plain_len, e);
	wipe(plain, sizeof(plain));
	if (r == -ENOKEY)
		return r;
	if (r)
		return config_fail(e, -EINVAL, f->name, "the sealed %s does not open here: it was sealed with another secret.key, or for another object; give it in plain", f->name);
	return sqlite3_bind_blob(s, at, sealed, (int)len, SQLITE_TRANSIENT) == SQLITE_OK ? 0 : config_fail(e, -ENOMEM, f->name, "out of memory");
}

static int bind_secret(struct config *c, sqlite3_stmt *s, int at, enum model_kind k, const struct field *f, const char *id,
		       const json_t *value, struct config_error *e)
{
	uint8_t *sealed;
	size_t len;
	int r = key_seal(c, models[k].table, id, f->name, json_string_value(value), json_string_length(value), &sealed, &len, e);
	if (r)
		return r;
	return sqlite3_bind_blob(s, at, sealed, (int)len, free) == SQLITE_OK ? 0 : config_fail(e, -ENOMEM, f->name, "out of memory");
}

int field_bind(struct config *c, sqlite3_stmt *s, int at, enum model_kind k, const struct field *f, const char *id,
	       const json_t *value, struct config_error *e)
{
	char ref[CONFIG_ID_BYTES];
	int rc;
	if (!value || json_is_null(value)) {
		if (!(f->flags & FIELD_NULLABLE))
			return config_fail(e, -EINVAL, f->name, "%s must have a value", f->name);
		return 0;                /* an unbound parameter is NULL */
	}
	switch (f->type) {
	case FIELD_INT:
		rc = sqlite3_bind_int64(s, at, json_integer_value(value));
		break;
	case FIELD_BOOL:
		rc = sqlite3_bind_int(s, at, json_is_true(value));
		break;
	case FIELD_REF: {
		int r = ref_resolve(c, f, json_string_value(value), ref, e);
		if (r)
			return r;
		rc = sqlite3_bind_text(s, at, ref, -1, SQLITE_TRANSIENT);
		break;
	}
	case FIELD_TEXTS:
	case FIELD_MAP:
	case FIELD_JSON:
		rc = bind_json_text(s, at, value);
		break;
	case FIELD_SECRET:
		if (json_is_object(value))
			return bind_sealed(c, s, at, k, f, id, json_string_value(json_object_get(value, "sealed")), e);
		if (!json_is_string(value))
			return config_fail(e, -EINVAL, f->name, "%s must be given in full, nothing is stored yet", f->name);
		return bind_secret(c, s, at, k, f, id, value, e);
	default:
		rc = sqlite3_bind_text(s, at, json_string_value(value), (int)json_string_length(value), SQLITE_TRANSIENT);
	}
	return rc == SQLITE_OK ? 0 : config_fail(e, -ENOMEM, f->name, "out of memory");
}
