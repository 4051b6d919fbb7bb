/* SPDX-License-Identifier: GPL-3.0-or-later */
/* history.c - history.db.  WAL with synchronous=NORMAL: what is committed outlives the process at once, and a power
 * loss when it has been checkpointed; the file stays sound in both.
 *
 * Points are ordered by tier and time, so a minute's worth is appended in one place, the oldest go from the other end,
 * and one series is read by a look-up per tick. */
#include "config/history.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "config/config_priv.h"

#define HISTORY_APPLICATION_ID 0x484c4448 /* "HLDH" */
#define HISTORY_VERSION 1

static const char schema[] = "CREATE TABLE series (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, object TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (kind, object));"
			     "CREATE TABLE tick (tier INTEGER NOT NULL, at INTEGER NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (tier, at)) WITHOUT ROWID;"
			     "CREATE TABLE point (tier INTEGER NOT NULL, at INTEGER NOT NULL, series INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (tier, at, series)) WITHOUT ROWID;"
			     "CREATE TABLE note (key TEXT PRIMARY KEY NOT NULL, text TEXT NOT NULL) WITHOUT ROWID;";

enum statement { SERIES_FIND, SERIES_ADD, SERIES_NAME, TICK_ADD, POINT_PUT, POINT_GET, READ, POINTS, COVERED, TRIM_POINTS, TRIM_TICKS, NOTE_PUT, NOTE_GET, STATEMENTS };
static const char *const sql_of[STATEMENTS] = {
	[SERIES_FIND] = "SELECT id, name FROM series WHERE kind = ? AND object = ?",
	[SERIES_ADD] = "INSERT INTO series (kind, object, name) VALUES (?, ?, ?)",
	[SERIES_NAME] = "UPDATE series SET name = ? WHERE id = ?",
	[TICK_ADD] = "INSERT INTO tick (tier, at, seconds) VALUES (?, ?, ?) ON CONFLICT (tier, at) DO UPDATE SET seconds = seconds + excluded.seconds",
	[POINT_PUT] = "INSERT OR REPLACE INTO point (tier, at, series, data) VALUES (?, ?, ?, ?)",
	[POINT_GET] = "SELECT data FROM point WHERE tier = ? AND at = ? AND series = ?",
	[READ] = ("SELECT t.at, t.seconds, p.data FROM tick t LEFT JOIN point p ON p.tier = t.tier AND p.at = t.at AND p.series = ? "
		  "WHERE t.tier = ? AND t.at >= ? AND t.at < ? ORDER BY t.at"),
	[POINTS] = "SELECT at, series, data FROM point WHERE tier = ? AND at >= ? AND at < ? ORDER BY at",
	[COVERED] = "SELECT total(seconds) FROM tick WHERE tier = ? AND at >= ? AND at < ?",
	[TRIM_POINTS] = "DELETE FROM point WHERE tier = ?1 AND at <= (SELECT at FROM tick WHERE tier = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)",
	[TRIM_TICKS] = "DELETE FROM tick WHERE tier = ?1 AND at <= (SELECT at FROM tick WHERE tier = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)",
	[NOTE_PUT] = "INSERT OR REPLACE INTO note (key, text) VALUES (?, ?)",
	[NOTE_GET] = "SELECT text FROM note WHERE key = ?",
};

struct history {
	sqlite3 *db;
	sqlite3_stmt *stmt[STATEMENTS];
	char problem[WHY_BYTES];
};

/* ---- statements ---------------------------------------------------------------------------------------- */
static int error_of(const struct history *h)
{
	int rc = sqlite3_errcode(h->db) & 0xff;
	return rc == SQLITE_FULL ? -ENOSPC : rc == SQLITE_NOMEM ? -ENOMEM : rc == SQLITE_READONLY ? -EROFS : rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB ? -EUCLEAN : -EIO;
}

static sqlite3_stmt *get(struct history *h, enum statement s)
{
	if (!h->stmt[s] && sqlite3_prepare_v3(h->db, sql_of[s], -1, SQLITE_PREPARE_PERSISTENT, &h->stmt[s], NULL) != SQLITE_OK)
		return NULL;
	return h->stmt[s];
}

static void done(sqlite3_stmt *s)
{
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
}

/* Runs one that gives no rows, and gives it back. */
static int run(struct history *h, sqlite3_stmt *s)
{
	int rc = sqlite3_step(s), r = rc == SQLITE_DONE ? 0 : error_of(h);
	done(s);
	return r;
}

static int exec(struct history *h, const char *sql)
{
	return sqlite3_exec(h->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : error_of(h);
}

static int64_t number(struct history *h, const char *sql)
{
	sqlite3_stmt *s;
	int64_t n = -1;
	if (sqlite3_prepare_v2(h->db, sql, -1, &s, NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

/* ---- open ------------------------------------------------------------------------------------------------ */
static int make_schema(struct history *h)
{
	char sql[sizeof(schema) + 160];
	snprintf(sql, sizeof(sql), "BEGIN; %s PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", schema, HISTORY_APPLICATION_ID, HISTORY_VERSION);
	return exec(h, sql);
}

/* -EUCLEAN: not ours, or damaged. */
static int open_at(struct history *h, const char *path)
{
	if (sqlite3_open_v2(path, &h->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return h->db ? error_of(h) : -ENOMEM;
	sqlite3_busy_timeout(h->db, 1000);
	int r = exec(h, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY");
	if (r)
		return r;
	int64_t app = number(h, "PRAGMA application_id"), version = number(h, "PRAGMA user_version"), tables = number(h, "SELECT count(*) FROM sqlite_master");
	if (tables == 0)
		return make_schema(h);
	if (app != HISTORY_APPLICATION_ID || version != HISTORY_VERSION || tables < 0)
		return -EUCLEAN;
	sqlite3_stmt *s;
	if (sqlite3_prepare_v2(h->db, "PRAGMA quick_check(1)", -1, &s, NULL) != SQLITE_OK)
		return error_of(h);
	bool sound = sqlite3_step(s) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(s, 0), "ok") == 0;
	sqlite3_finalize(s);
	return sound ? 0 : -EUCLEAN;
}

static void close_db(struct history *h)
{
	for (size_t i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(TAKE(h->stmt[i]));
	sqlite3_close(TAKE(h->db));
}

/* The old file stays beside the new one, once, for whoever wants to look. */
static int put_aside(const char *path)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char from[4300], to[4300];
	int r = 0;
	for (size_t i = 0; i < ARRAY_COUNT(ends); i++) {
		snprintf(from, sizeof(from), "%s%s", path, ends[i]);
		snprintf(to, sizeof(to), "%s.damaged%s", path, ends[i]);
		if (rename(from, to) && errno != ENOENT)
			r = -errno;
	}
	return r;
}

int history_open(const char *dir, struct history **ret_history, struct config_error *e)
{
	char path[4200];
	struct history *h = calloc(1, sizeof(*h));
	if (!h)
		return config_fail(e, -ENOMEM, "", "out of memory");
	snprintf(path, sizeof(path), "%s/history.db", dir);
	int r, fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* SQLite would let others read it */
	if (fd >= 0)
		close(fd);
	r = open_at(h, path);
	if (r == -EUCLEAN) {
		log_warn(&log_config, "history.db is damaged or of another version: put aside, beginning a new one", "path=%s", path);
		close_db(h);
		r = put_aside(path);
		if (!r)
			r = open_at(h, path);
	}
	if (r) {
		snprintf(h->problem, sizeof(h->problem), "%s cannot be used (%s): the history is kept in memory until the next start", path, strerror(-r));
		close_db(h);
		r = open_at(h, ":memory:");
	}
	if (r) {
		close_db(h);
		free(h);
		return config_fail(e, r, "", "the history cannot be kept: %s", strerror(-r));
	}
	*ret_history = h;
	return 0;
}

void history_close(struct history *h)
{
	if (!h)
		return;
	close_db(h);
	free(h);
}

const char *history_problem(const struct history *h)
{
	return *h->problem ? h->problem : NULL;
}

/* ---- series ---------------------------------------------------------------------------------------------------- */
static int find(struct history *h, const char *kind, const char *object_id, const char *name, int64_t *ret_series, bool *ret_same_name)
{
	sqlite3_stmt *s = get(h, SERIES_FIND);
	if (!s)
		return error_of(h);
	sqlite3_bind_text(s, 1, kind, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, object_id, -1, SQLITE_STATIC);
	int rc = sqlite3_step(s), r = rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? -ENOENT : error_of(h);
	if (!r) {
		*ret_series = sqlite3_column_int64(s, 0);
		*ret_same_name = name && strcmp((const char *)sqlite3_column_text(s, 1), name) == 0;
	}
	done(s);
	return r;
}

int history_series_find(struct history *h, const char *kind, const char *object_id, int64_t *ret_series)
{
	bool same;
	return find(h, kind, object_id, NULL, ret_series, &same);
}

int history_series(struct history *h, const char *kind, const char *object_id, const char *name, int64_t *ret_series)
{
	bool same;
	int r = find(h, kind, object_id, name, ret_series, &same);
	if (r == 0 && !same) {
		sqlite3_stmt *s = get(h, SERIES_NAME);
		if (!s)
			return error_of(h);
		sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
		sqlite3_bind_int64(s, 2, *ret_series);
		return run(h, s);
	}
	if (r != -ENOENT)
		return r;
	sqlite3_stmt *s = get(h, SERIES_ADD);
	if (!s)
		return error_of(h);
	sqlite3_bind_text(s, 1, kind, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, object_id, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 3, name, -1, SQLITE_STATIC);
	r = run(h, s);
	if (!r)
		*ret_series = sqlite3_last_insert_rowid(h->db);
	return r;
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */
int history_begin(struct history *h)
{
	return exec(h, "BEGIN IMMEDIATE");
}
int history_commit(struct history *h)
{
	return exec(h, "COMMIT");
}
void history_rollback(struct history *h)
{
	if (!sqlite3_get_autocommit(h->db))
		exec(h, "ROLLBACK");
}

int history_tick(struct history *h, enum history_tier tier, int64_t at, double seconds)
{
	sqlite3_stmt *s = get(h, TICK_ADD);
	if (!s)
		return error_of(h);
	sqlite3_bind_int(s, 1, (int)tier);
	sqlite3_bind_int64(s, 2, at);
	sqlite3_bind_double(s, 3, seconds);
	return run(h, s);
}

int history_put(struct history *h, enum history_tier tier, int64_t at, int64_t series, const void *data, size_t len)
{
	sqlite3_stmt *s = get(h, POINT_PUT);
	if (!s)
		return error_of(h);
	sqlite3_bind_int(s, 1, (int)tier);
	sqlite3_bind_int64(s, 2, at);
	sqlite3_bind_int64(s, 3, series);
	sqlite3_bind_blob64(s, 4, data, len, SQLITE_STATIC);
	return run(h, s);
}

/* ---- reading ------------------------------------------------------------------------------------------------------- */
int history_get(struct history *h, enum history_tier tier, int64_t at, int64_t series, void *buf, size_t buf_bytes, size_t *ret_len)
{
	sqlite3_stmt *s = get(h, POINT_GET);
	if (!s)
		return error_of(h);
	sqlite3_bind_int(s, 1, (int)tier);
	sqlite3_bind_int64(s, 2, at);
	sqlite3_bind_int64(s, 3, series);
	int rc = sqlite3_step(s), r = rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? -ENOENT : error_of(h);
	if (!r) {
		size_t len = (size_t)sqlite3_column_bytes(s, 0);
		if (len > buf_bytes)
			r = -E2BIG;
		else if (len)
			memcpy(buf, sqlite3_column_blob(s, 0), len);
		*ret_len = len;
	}
	done(s);
	return r;
}

int history_read(struct history *h, enum history_tier tier, int64_t series, int64_t from, int64_t to, history_row_fn *fn, void *arg)
{
	sqlite3_stmt *s = get(h, READ);
	int rc;
	if (!s)
		return error_of(h);
	sqlite3_bind_int64(s, 1, series);
	sqlite3_bind_int(s, 2, (int)tier);
	sqlite3_bind_int64(s, 3, from);
	sqlite3_bind_int64(s, 4, to);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		const void *data = sqlite3_column_type(s, 2) == SQLITE_BLOB ? sqlite3_column_blob(s, 2) : NULL;
		fn(arg, sqlite3_column_int64(s, 0), sqlite3_column_double(s, 1), data, data ? (size_t)sqlite3_column_bytes(s, 2) : 0);
	}
	int r = rc == SQLITE_DONE ? 0 : error_of(h);
	done(s);
	return r;
}

int history_points(struct history *h, enum history_tier tier, int64_t from, int64_t to, history_point_fn *fn, void *arg)
{
	sqlite3_stmt *s = get(h, POINTS);
	int rc;
	if (!s)
		return error_of(h);
	sqlite3_bind_int(s, 1, (int)tier);
	sqlite3_bind_int64(s, 2, from);
	sqlite3_bind_int64(s, 3, to);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		fn(arg, sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1), sqlite3_column_blob(s, 2), (size_t)sqlite3_column_bytes(s, 2));
	int r = rc == SQLITE_DONE ? 0 : error_of(h);
	done(s);
	return r;
}

double history_covered(struct history *h, enum history_tier tier, int64_t from, int64_t to)
{
	sqlite3_stmt *s = get(h, COVERED);
	double seconds = 0;
	if (!s)
		return 0;
	sqlite3_bind_int(s, 1, (int)tier);
	sqlite3_bind_int64(s, 2, from);
	sqlite3_bind_int64(s, 3, to);
	if (sqlite3_step(s) == SQLITE_ROW)
		seconds = sqlite3_column_double(s, 0);
	done(s);
	return seconds;
}

/* ---- bounds ----------------------------------------------------------------------------------------------------------- */
int history_trim(struct history *h, enum history_tier tier, int64_t keep_ticks)
{
	static const enum statement both[] = { TRIM_POINTS, TRIM_TICKS }; /* points first: ticks say which */
	for (size_t i = 0; i < ARRAY_COUNT(both); i++) {
		sqlite3_stmt *s = get(h, both[i]);
		if (!s)
			return error_of(h);
		sqlite3_bind_int(s, 1, (int)tier);
		sqlite3_bind_int64(s, 2, keep_ticks);
		int r = run(h, s);
		if (r)
			return r;
	}
	return 0;
}

int64_t history_bytes(struct history *h)
{
	return (number(h, "PRAGMA page_count") - number(h, "PRAGMA freelist_count")) * number(h, "PRAGMA page_size");
}

/* ---- notes ------------------------------------------------------------------------------------------------------------- */
int history_note_put(struct history *h, const char *key, const char *text)
{
	sqlite3_stmt *s = get(h, NOTE_PUT);
	if (!s)
		return error_of(h);
	sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, text, -1, SQLITE_STATIC);
	return run(h, s);
}

int history_note_get(struct history *h, const char *key, char **ret_text)
{
	sqlite3_stmt *s = get(h, NOTE_GET);
	if (!s)
		return error_of(h);
	sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
	int rc = sqlite3_step(s), r = rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? -ENOENT : error_of(h);
	if (!r) {
		*ret_text = strdup((const char *)sqlite3_column_text(s, 0));
		r = *ret_text ? 0 : -ENOMEM;
	}
	done(s);
	return r;
}
