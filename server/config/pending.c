/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pending.c - what has to be finished after a crash; see the table's words in db/schema.sql. */
#include "config/config_priv.h"

#include <string.h>

int config_pending_put(struct config *c, const char *id, const char *action, const json_t *spec, struct config_error *e)
{
	sqlite3_stmt *s;
	char *text = json_dumps(spec, JSON_COMPACT);
	if (!text)
		return config_fail(e, -ENOMEM, "", "out of memory");
	int r = stmt_get(c, "INSERT OR REPLACE INTO pending (id, action, spec) VALUES (?, ?, ?)", &s, e);
	if (r) {
		free(text);
		return r;
	}
	sqlite3_bind_text(s, 1, id, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(s, 2, action, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(s, 3, text, -1, free);
	return stmt_run(c, s, e, "note pending work");
}

int config_pending_drop(struct config *c, const char *id, struct config_error *e)
{
	sqlite3_stmt *s;
	int r = stmt_get(c, "DELETE FROM pending WHERE id = ?", &s, e);
	if (r)
		return r;
	sqlite3_bind_text(s, 1, id, -1, SQLITE_TRANSIENT);
	return stmt_run(c, s, e, "forget pending work");
}

int config_pending_list(struct config *c, json_t **ret_array, struct config_error *e)
{
	sqlite3_stmt *s;
	int rc, r = stmt_get(c, "SELECT id, action, spec FROM pending ORDER BY id", &s, e);
	if (r)
		return r;
	json_t *list = json_array();
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "id", sqlite3_column_text(s, 0), "action", sqlite3_column_text(s, 1), "spec",
						      json_loads((const char *)sqlite3_column_text(s, 2), 0, NULL)));
	if (rc != SQLITE_DONE)
		r = db_fail(c, e, "read pending work");
	stmt_done(c, s);
	if (r) {
		json_decref(list);
		return r;
	}
	*ret_array = list;
	return 0;
}
