/* SPDX-License-Identifier: GPL-3.0-or-later */
/* audit.c - who changed what: a row per change, in the transaction of the change. */
#include "config/config_priv.h"

#include <stdio.h>
#include <string.h>

static const char *text_in(const json_t *o, const char *member)
{
	const char *s = json_string_value(json_object_get(o, member));
	return s ? s : "";
}

/* What people call it: its name, or for what has none the names of what it joins. */
static const char *object_name(enum model_kind k, const json_t *o, char *buf, size_t buf_bytes)
{
	const char *column = model_name_column(k);
	if (column)
		return json_string_value(json_object_get(o, column));
	switch (k) {
	case MODEL_LUN:
		snprintf(buf, buf_bytes, "%s LUN %d (%s)", text_in(o, "target"), (int)json_integer_value(json_object_get(o, "lun")), text_in(o, "volume"));
		return buf;
	case MODEL_PORTAL:
		snprintf(buf, buf_bytes, strchr(text_in(o, "address"), ':') ? "%s [%s]:%d" : "%s %s:%d", text_in(o, "protocol"), text_in(o, "address"),
			 (int)json_integer_value(json_object_get(o, "port")));
		return buf;
	case MODEL_ACCESS:
		snprintf(buf, buf_bytes, *text_in(o, "host") ? "%s for %s" : "%s for group %s", text_in(o, "target"),
			 *text_in(o, "host") ? text_in(o, "host") : text_in(o, "group"));
		return buf;
	default:
		return NULL;
	}
}

static int bind_object(sqlite3_stmt *s, int at, const json_t *o)
{
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	if (o && !text)
		return -ENOMEM;
	return text && sqlite3_bind_text(s, at, text, -1, free) != SQLITE_OK ? -ENOMEM : 0;
}

static int write_row(struct config *c, const char *verb, const char *kind, const char *id, const char *name, const json_t *before, const json_t *after, struct config_error *e)
{
	char audit_id[CONFIG_ID_BYTES], now[TIME_BYTES];
	sqlite3_stmt *s;
	int r = stmt_get(c,
			 "INSERT INTO audit (id, revision, created_at, updated_at, at, actor, source, verb, kind, object, object_name, before, after) "
			 "VALUES (?1, ?2, ?3, ?3, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
			 &s, e);
	if (r)
		return r;
	config_new_id(c, audit_id);
	time_now(now);
	sqlite3_bind_text(s, 1, audit_id, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)(c->revision + 1));
	sqlite3_bind_text(s, 3, now, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(s, 4, c->actor.name ? c->actor.name : "server", -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(s, 5, c->actor.source ? c->actor.source : "", -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(s, 6, verb, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(s, 7, kind, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(s, 8, id, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(s, 9, name, -1, SQLITE_TRANSIENT);
	if (bind_object(s, 10, before) || bind_object(s, 11, after)) {
		stmt_done(c, s);
		return config_fail(e, -ENOMEM, "", "out of memory");
	}
	return stmt_run(c, s, e, "write the audit row");
}

int audit_write(struct config *c, const char *verb, enum model_kind k, const char *id, const json_t *before,
		const json_t *after, struct config_error *e)
{
	char name[256];
	return write_row(c, verb, models[k].name, id, object_name(k, after ? after : before, name, sizeof(name)), before, after, e);
}

int config_audit(struct config *c, const char *verb, const char *kind, const char *name, const json_t *before, const json_t *after, struct config_error *e)
{
	return write_row(c, verb, kind, name, name, before, after, e);
}
