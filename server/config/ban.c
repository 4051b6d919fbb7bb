/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ban.c - bans that stay in force over a restart. */
#include "config/config_priv.h"

int config_ban_put(struct config *c, const struct config_ban *b, struct config_error *e)
{
	sqlite3_stmt *s;
	int r = stmt_get(c, "INSERT OR REPLACE INTO ban (id, initiator, target, since_s, until_s) VALUES (?, ?, ?, ?, ?)", &s, e);
	if (r)
		return r;
	sqlite3_bind_int64(s, 1, b->id);
	sqlite3_bind_text(s, 2, b->initiator, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(s, 3, b->target, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(s, 4, b->since_s);
	sqlite3_bind_int64(s, 5, b->until_s);
	return stmt_run(c, s, e, "keep a ban");
}

int config_ban_drop(struct config *c, int64_t id, struct config_error *e)
{
	sqlite3_stmt *s;
	int r = stmt_get(c, "DELETE FROM ban WHERE id = ?", &s, e);
	if (r)
		return r;
	sqlite3_bind_int64(s, 1, id);
	return stmt_run(c, s, e, "forget a ban");
}

int config_ban_each(struct config *c, int64_t now_s, void (*fn)(void *arg, const struct config_ban *b), void *arg, struct config_error *e)
{
	sqlite3_stmt *s;
	int r = stmt_get(c, "DELETE FROM ban WHERE until_s <= ?", &s, e);
	if (r)
		return r;
	sqlite3_bind_int64(s, 1, now_s);
	r = stmt_run(c, s, e, "forget old bans");
	if (!r)
		r = stmt_get(c, "SELECT id, initiator, target, since_s, until_s FROM ban ORDER BY id", &s, e);
	if (r)
		return r;
	while ((r = sqlite3_step(s)) == SQLITE_ROW)
		fn(arg, &(struct config_ban){
			.id = sqlite3_column_int64(s, 0),
			.initiator = (const char *)sqlite3_column_text(s, 1),
			.target = (const char *)sqlite3_column_text(s, 2),
			.since_s = sqlite3_column_int64(s, 3),
			.until_s = sqlite3_column_int64(s, 4),
		});
	r = r == SQLITE_DONE ? 0 : db_fail(c, e, "read bans");
	stmt_done(c, s);
	return r;
}
