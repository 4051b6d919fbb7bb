/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store.c - opening the database, the transaction, copies of it, and SQLite's errors in our words.
 *
 * One daemon owns a folder: holdfast.lock is locked while it runs.  SQLite runs in WAL mode with
 * synchronous=FULL, so a commit that returned is on disk. */
#include "config/config_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "core/library.h"

#define BUSY_MS 5000

static const char *sqlite_version(void)
{
	return sqlite3_libversion();
}
LIBRARY(sqlite, "SQLite", "public domain", sqlite_version)
static const char *json_version(void)
{
	return jansson_version_str();
}
LIBRARY(jansson, "Jansson", "MIT", json_version)

int config_schema_version(void)
{
	return db_migration_count;
}

/* ---- errors --------------------------------------------------------------------------------------- */
static bool errno_is_full(int err)
{
	return err == ENOSPC || err == EDQUOT || err == EFBIG;
}

/* errno behind the last error: SQLite keeps it for the connection, or only for the file (a quota that
 * is used up while the WAL is written). */
static int last_errno(sqlite3 *db)
{
	sqlite3_file *wal = NULL;
	int err = sqlite3_system_errno(db);
	if (!err)
		sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &err);
	if (!err && sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK && wal && wal->pMethods)
		wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &err);
	return err;
}

int db_fail(struct config *c, struct config_error *e, const char *doing)
{
	int rc = sqlite3_errcode(c->db), sys = last_errno(c->db);
	const char *text = sqlite3_errmsg(c->db);
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return config_fail(e, -EAGAIN, "", "cannot %s: another process holds the database in %s locked; end it and try again", doing, c->dir);
	case SQLITE_FULL:
		return config_fail(e, -ENOSPC, "", "cannot %s: the disk of %s is full; nothing was changed", doing, c->dir);
	case SQLITE_READONLY:
		return config_fail(e, -EROFS, "", "cannot %s: the database in %s is read-only (permissions or a read-only file system)", doing, c->dir);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return config_fail(e, -EUCLEAN, "",
				   "cannot %s: %s/holdfast.db is not a sound database (%s); move it away and copy the newest file of %s/backup back to its place",
				   doing, c->dir, text, c->dir);
	case SQLITE_NOMEM:
		return config_fail(e, -ENOMEM, "", "cannot %s: out of memory", doing);
	case SQLITE_CANTOPEN:
		return config_fail(e, sys == EACCES || sys == EROFS || sys == EPERM ? -EROFS : errno_is_full(sys) ? -ENOSPC : -EIO, "",
				   "cannot %s: %s/holdfast.db or a file beside it cannot be opened: %s", doing, c->dir, sys ? strerror(sys) : text);
	case SQLITE_IOERR:
		if (errno_is_full(sys))
			return config_fail(e, -ENOSPC, "", "cannot %s: the disk of %s is full (%s); nothing was changed", doing, c->dir, strerror(sys));
		return config_fail(e, -EIO, "", "cannot %s: the disk of %s answers: %s", doing, c->dir, sys ? strerror(sys) : text);
	default:
		return config_fail(e, -EIO, "", "cannot %s: %s", doing, text);
	}
}

int db_exec(struct config *c, const char *sql, struct config_error *e)
{
	if (sqlite3_exec(c->db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return db_fail(c, e, "change the database");
}

int dir_fsync(const char *dir)
{
	_cleanup_(closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

/* ---- opening --------------------------------------------------------------------------------------- */
static int lock_folder(struct config *c, struct config_error *e)
{
	char path[4200], pid[16] = "";
	snprintf(path, sizeof(path), "%s/holdfast.lock", c->dir);
	c->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (c->lock_fd < 0) {
		int err = errno;
		return config_fail(e, err == ENOENT ? -ENOENT : err == EACCES || err == EPERM || err == EROFS ? -EROFS : errno_is_full(err) ? -ENOSPC : -err, "",
				   "cannot write in the folder %s: %s", c->dir, strerror(err));
	}
	if (flock(c->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		ssize_t n = pread(c->lock_fd, pid, sizeof(pid) - 1, 0);
		pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
		return config_fail(e, -EAGAIN, "", "another daemon%s%s uses the folder %s; stop it, or give this one a folder of its own", *pid ? ", process " : "", pid, c->dir);
	}
	int n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(c->lock_fd, 0) < 0 || pwrite(c->lock_fd, pid, (size_t)n, 0) != n)
		log_debug(&log_config, "cannot note the process in the lock file", "path=%s", path);
	return 0;
}

static int pragma_text(struct config *c, const char *sql, char *buf, size_t buf_bytes, struct config_error *e)
{
	sqlite3_stmt *s;
	int r = 0;
	buf[0] = '\0';
	if (sqlite3_prepare_v2(c->db, sql, -1, &s, NULL) != SQLITE_OK)
		return db_fail(c, e, "read the database");
	int rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		snprintf(buf, buf_bytes, "%s", (const char *)sqlite3_column_text(s, 0));
	else if (rc != SQLITE_DONE)
		r = db_fail(c, e, "read the database");
	sqlite3_finalize(s);
	return r;
}

int config_open_path(struct config *c, const char *path, int busy_ms, struct config_error *e)
{
	char text[WHY_BYTES];
	struct stat st;
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return config_fail(e, -EUCLEAN, "", "%s is not a regular file", path);
	mode_t mask = umask(077);
	int rc = sqlite3_open_v2(path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL);
	umask(mask);
	if (!c->db)
		return config_fail(e, -ENOMEM, "", "out of memory");
	if (rc != SQLITE_OK)
		return db_fail(c, e, "open the database");
	sqlite3_extended_result_codes(c->db, 1);
	sqlite3_busy_timeout(c->db, busy_ms);
	if (sqlite3_db_readonly(c->db, "main") == 1)
		return config_fail(e, -EROFS, "", "%s is read-only (permissions or a read-only file system)", path);
	int r = pragma_text(c, "PRAGMA quick_check(1)", text, sizeof(text), e);
	if (r)
		return r;
	if (strcmp(text, "ok") != 0)
		return config_fail(e, -EUCLEAN, "", "%s is damaged (%.200s); move it away and copy the newest file of %s/backup back to its place", path, text, c->dir);
	r = pragma_text(c, "PRAGMA journal_mode = WAL", text, sizeof(text), e);
	if (r)
		return r;
	if (strcmp(text, "wal") != 0)
		return config_fail(e, -EIO, "", "the file system of %s cannot hold the database: it must be a local one with shared memory maps", c->dir);
	return db_exec(c, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON; PRAGMA secure_delete = ON;", e);
}

static int load_counters(struct config *c, struct config_error *e)
{
	static const char *const tables[] = { "audit", "event", "task" };
	char text[64];
	int r = pragma_text(c, "SELECT revision FROM store", text, sizeof(text), e);
	if (r)
		return r;
	c->revision = strtoull(text, NULL, 10);
	for (size_t i = 0; i < ARRAY_COUNT(tables); i++) {
		char sql[96];
		snprintf(sql, sizeof(sql), "SELECT ifnull(max(id), '') FROM %s", tables[i]);
		r = pragma_text(c, sql, text, sizeof(text), e);
		if (r)
			return r;
		if (text_is_uuid(text) && text[14] == '7') {
			uint64_t ms = strtoull(text, NULL, 16) << 16 | strtoull(text + 9, NULL, 16);
			if (ms >= c->id_ms)
				c->id_ms = ms + 1;
		}
	}
	return 0;
}

int config_open_with(const char *dir, const struct db_schema *schema, int busy_ms, struct config **ret_config,
		     struct config_error *e)
{
	char path[4200];
	*e = (struct config_error){ 0 };
	_cleanup_(config_closep) struct config *c = calloc(1, sizeof(*c));
	if (c) {
		c->lock_fd = -1;
		c->dir = strdup(dir);
	}
	if (!c || !c->dir)
		return config_fail(e, -ENOMEM, "", "out of memory");
	if (strlen(dir) > 4000)
		return config_fail(e, -ENAMETOOLONG, "", "the folder's name is too long");
	int r = lock_folder(c, e);
	if (r)
		return r;
	snprintf(path, sizeof(path), "%s/holdfast.db", dir);
	r = config_open_path(c, path, busy_ms, e);
	if (!r)
		r = db_migrate(c, schema, e);
	if (!r)
		r = load_counters(c, e);
	if (!r)
		r = key_load(c, e);
	if (r)
		return r;
	if (!c->key_ok)
		log_error(&log_config, "secrets cannot be used, continuing without them", "why=\"%s\"", c->key_why);
	*ret_config = TAKE(c);
	return 0;
}

int config_open(const char *dir, struct config **ret_config, struct config_error *e)
{
	return config_open_with(dir, &db_schema, BUSY_MS, ret_config, e);
}

void config_close(struct config *c)
{
	if (!c)
		return;
	if (c->in_tx)
		config_rollback(c);
	stmt_close_all(c);
	if (c->db)
		sqlite3_close(c->db);
	if (c->lock_fd >= 0)
		close(c->lock_fd);
	wipe(c->key, sizeof(c->key));
	free(c->dir);
	free(c);
}

uint64_t config_revision(struct config *c)
{
	return c->revision;
}

/* ---- the transaction ------------------------------------------------------------------------------ */
int config_begin(struct config *c, const struct config_actor *who, struct config_error *e)
{
	sqlite3_stmt *s;
	int r = stmt_get(c, "BEGIN IMMEDIATE", &s, e);
	if (!r)
		r = stmt_run(c, s, e, "begin a change");
	if (r)
		return r;
	c->in_tx = true;
	c->tx_changed = false;
	c->actor = *who;
	return 0;
}

/* SQLite takes the level between transactions only. */
static int sync_level(struct config *c, const char *sql, struct config_error *e)
{
	sqlite3_stmt *s;
	int r = stmt_get(c, sql, &s, e);
	return r ? r : stmt_run(c, s, e, "set how commits wait for the disk");
}

int config_begin_soon(struct config *c, struct config_error *e)
{
	static const struct config_actor self = { .name = "server", .source = "server" };
	int r = sync_level(c, "PRAGMA synchronous = NORMAL", e);
	if (r)
		return r;
	c->tx_soon = true;
	r = config_begin(c, &self, e);
	if (r)
		config_rollback(c);
	return r;
}

static void end_soon(struct config *c)
{
	struct config_error e;
	if (c->tx_soon && sync_level(c, "PRAGMA synchronous = FULL", &e))
		abort();                 /* later commits would promise what they do not keep */
	c->tx_soon = false;
}

int config_commit(struct config *c, struct config_error *e)
{
	sqlite3_stmt *s;
	int r = c->tx_soon && c->tx_changed ? config_fail(e, -EINVAL, "", "an audited change must wait for the disk") : 0;
	if (!r && c->tx_changed) {
		r = stmt_get(c, "UPDATE store SET revision = ?", &s, e);
		if (!r) {
			sqlite3_bind_int64(s, 1, (sqlite3_int64)(c->revision + 1));
			r = stmt_run(c, s, e, "count the change");
		}
	}
	if (!r)
		r = stmt_get(c, "COMMIT", &s, e);
	if (!r)
		r = stmt_run(c, s, e, "commit the change");
	if (r) {
		config_rollback(c);
		return r;
	}
	c->in_tx = false;
	end_soon(c);
	if (c->tx_changed)
		c->revision++;
	return 0;
}

void config_rollback(struct config *c)
{
	/* Some errors (disk full) have already ended the transaction. */
	if (!sqlite3_get_autocommit(c->db) && sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK)
		log_error(&log_config, "rollback failed, continuing", "why=\"%s\"", sqlite3_errmsg(c->db));
	c->in_tx = false;
	c->tx_changed = false;
	end_soon(c);
}

/* ---- copies --------------------------------------------------------------------------------------- */
static int copy_to(struct config *c, const char *path, struct config_error *e)
{
	sqlite3 *to = NULL;
	mode_t mask = umask(077);
	int rc = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	umask(mask);
	if (rc == SQLITE_OK) {
		sqlite3_exec(to, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
		sqlite3_backup *b = sqlite3_backup_init(to, "main", c->db, "main");
		rc = b ? sqlite3_backup_step(b, -1) : sqlite3_errcode(to);
		if (b && sqlite3_backup_finish(b) != SQLITE_OK && rc == SQLITE_DONE)
			rc = sqlite3_errcode(to);
		if (rc == SQLITE_DONE)
			rc = SQLITE_OK;
		/* The copy must stand alone: no WAL file beside it. */
		if (rc == SQLITE_OK)
			rc = sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
	}
	int sys = to ? sqlite3_system_errno(to) : 0;
	if (rc != SQLITE_OK)
		config_fail(e, (rc & 0xff) == SQLITE_FULL || errno_is_full(sys) ? -ENOSPC : -EIO, "", "cannot write the copy %s: %s", path,
			    to ? sqlite3_errmsg(to) : "out of memory");
	sqlite3_close(to);
	return rc == SQLITE_OK ? 0 : e->code;
}

int config_backup(struct config *c, const char *path, struct config_error *e)
{
	char tmp[4300], *slash;
	snprintf(tmp, sizeof(tmp), "%s.part", path);
	unlink(tmp);
	int r = copy_to(c, tmp, e);
	if (!r && rename(tmp, path) < 0)
		r = config_fail(e, -errno, "", "cannot write the copy %s: %s", path, strerror(errno));
	if (r) {
		unlink(tmp);
		return r;
	}
	snprintf(tmp, sizeof(tmp), "%s", path);
	slash = strrchr(tmp, '/');
	if (slash)
		*slash = '\0';
	r = dir_fsync(slash ? tmp : ".");
	return r ? config_fail(e, r, "", "cannot sync the folder of %s: %s", path, strerror(-r)) : 0;
}
