/* SPDX-License-Identifier: GPL-3.0-or-later */
/* forget.c - a secret that was replaced leaves the files: the write-ahead log, and the copies made before migrations.
 * The database itself is overwritten in place (PRAGMA secure_delete). */
#include "config/config_priv.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static int forget_log(struct config *c, struct config_error *e)
{
	int frames = 0, done = 0;
	if (sqlite3_wal_checkpoint_v2(c->db, "main", SQLITE_CHECKPOINT_TRUNCATE, &frames, &done) == SQLITE_OK)
		return 0;
	return db_fail(c, e, "empty the log of the database");
}

/* A copy of an older schema, without that column, holds no such secret. */
static int forget_copy(const char *path, const char *table, const char *field, const char *id, struct config_error *e)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	char sql[160];
	int r = 0;
	snprintf(sql, sizeof(sql), "UPDATE \"%s\" SET \"%s\" = NULL WHERE id = ? AND \"%s\" IS NOT NULL", table, field, field);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
	    sqlite3_exec(db, "PRAGMA secure_delete = ON; PRAGMA synchronous = FULL", NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK) {
		sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
		if (sqlite3_step(s) != SQLITE_DONE)
			r = config_fail(e, -EIO, field, "the copy %.200s still holds the old %s (%.100s): remove that copy", path, field, sqlite3_errmsg(db));
	}
	sqlite3_finalize(s);
	sqlite3_close(db);
	return r;
}

int config_forget(struct config *c, enum model_kind k, const char *id, const char *field, struct config_error *e)
{
	char path[4400];
	int r = forget_log(c, e);
	snprintf(path, sizeof(path), "%s/backup", c->dir);
	DIR *d = r ? NULL : opendir(path);
	for (struct dirent *f; d && (f = readdir(d));) {
		size_t len = strlen(f->d_name);
		if (len < 4 || strcmp(f->d_name + len - 3, ".db") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/backup/%s", c->dir, f->d_name);
		int one = forget_copy(path, models[k].table, field, id, e);
		if (!r)
			r = one;
	}
	if (d)
		closedir(d);
	return r;
}
