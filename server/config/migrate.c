/* SPDX-License-Identifier: GPL-3.0-or-later */
/* migrate.c - from the schema that a database has to the one this program knows.
 *
 * user_version counts migrations.  A new file gets schema.sql at once; an old one gets the
 * migrations it lacks, each in a transaction of its own, after a copy to backup/.  A newer one is
 * refused: old code must not write what it does not understand. */
#include "config/config_priv.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

const struct db_schema db_schema = {
	.fresh_sql = db_schema_sql,
	.migrations = db_migrations,
	.version = -1,                   /* the compiled-in count; see schema_version() */
};

static int schema_version(const struct db_schema *schema)
{
	return schema->version >= 0 ? schema->version : db_migration_count;
}

static int read_int(struct config *c, const char *sql, int64_t *ret_value, struct config_error *e)
{
	sqlite3_stmt *s;
	if (sqlite3_prepare_v2(c->db, sql, -1, &s, NULL) != SQLITE_OK)
		return db_fail(c, e, "read the schema");
	int rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return rc == SQLITE_ROW ? 0 : db_fail(c, e, "read the schema");
}

/* The newest copy that this program can read, for the way back. */
static void newest_backup(const char *dir, int version, char *buf, size_t buf_bytes)
{
	char path[4200], best[256] = "";
	snprintf(path, sizeof(path), "%s/backup", dir);
	DIR *d = opendir(path);
	for (struct dirent *f; d && (f = readdir(d));) {
		int v = 0;
		char stamp[32];
		if (sscanf(f->d_name, "schema-%d-%31[0-9TZ.].db", &v, stamp) == 2 && v <= version && strlen(f->d_name) < sizeof(best)) {
			const char *mine = strrchr(f->d_name, '-'), *other = strrchr(best, '-');
			if (!other || strcmp(mine, other) > 0)
				snprintf(best, sizeof(best), "%s", f->d_name);
		}
	}
	if (d)
		closedir(d);
	if (*best)
		snprintf(buf, buf_bytes, "copy %s/%s over holdfast.db (changes made since then are lost)", path, best);
	else
		snprintf(buf, buf_bytes, "there is no copy in %s that this one can read", path);
}

static int set_version(struct config *c, int version, struct config_error *e)
{
	char sql[96];
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d; PRAGMA application_id = %d", version, DB_APPLICATION_ID);
	return db_exec(c, sql, e);
}

/* One transaction: the SQL, the check of all references, the new number. */
static int run_step(struct config *c, const char *sql, int version, const char *name, struct config_error *e)
{
	sqlite3_stmt *s = NULL;
	int r = db_exec(c, "BEGIN IMMEDIATE", e);
	if (r)
		return r;
	r = db_exec(c, sql, e);
	if (!r)
		r = set_version(c, version, e);
	if (!r) {
		int rc = sqlite3_prepare_v2(c->db, "PRAGMA foreign_key_check", -1, &s, NULL);
		if (rc == SQLITE_OK)
			rc = sqlite3_step(s);
		if (rc == SQLITE_ROW)
			r = config_fail(e, -EUCLEAN, "", "the migration %s would leave a reference to nothing in table %s; nothing was changed", name,
					(const char *)sqlite3_column_text(s, 0));
		else if (rc != SQLITE_DONE)
			r = db_fail(c, e, "check the references");
	}
	sqlite3_finalize(s);
	if (!r)
		r = db_exec(c, "COMMIT", e);
	if (r && !sqlite3_get_autocommit(c->db))
		sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static int backup_before(struct config *c, int version, struct config_error *e)
{
	char path[4200], stamp[TIME_BYTES];
	snprintf(path, sizeof(path), "%s/backup", c->dir);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return config_fail(e, -errno, "", "cannot make the folder %s for a copy before the migration: %s", path, strerror(errno));
	file_time_stamp(stamp);
	snprintf(path, sizeof(path), "%s/backup/schema-%d-%s.db", c->dir, version, stamp);
	int r = config_backup(c, path, e);
	if (!r)
		log_info(&log_config, "copied the database before a migration", "path=%s", path);
	return r;
}

static int run_migrations(struct config *c, const struct db_schema *schema, int from, struct config_error *e)
{
	int r = from > 0 ? backup_before(c, from, e) : 0;
	if (r)
		return r;
	/* A migration may rebuild tables; references are checked at its end instead. */
	r = db_exec(c, "PRAGMA foreign_keys = OFF", e);
	for (int v = from; !r && v < schema_version(schema); v++) {
		const struct db_migration *m = &schema->migrations[v];
		r = run_step(c, m->sql, m->to, m->name, e);
		if (!r)
			log_info(&log_config, "migrated the database", "step=%s", m->name);
	}
	struct config_error ignored;
	int on = db_exec(c, "PRAGMA foreign_keys = ON", r ? &ignored : e);
	return r ? r : on;
}

int db_migrate(struct config *c, const struct db_schema *schema, struct config_error *e)
{
	int64_t have = 0, app = 0, tables = 0;
	int want = schema_version(schema);
	int r = read_int(c, "PRAGMA user_version", &have, e);
	if (!r)
		r = read_int(c, "PRAGMA application_id", &app, e);
	if (!r)
		r = read_int(c, "SELECT count(*) FROM sqlite_master", &tables, e);
	if (r)
		return r;
	if (tables == 0)
		return schema->fresh_sql ? run_step(c, schema->fresh_sql, want, "schema.sql", e) : run_migrations(c, schema, 0, e);
	if (app != DB_APPLICATION_ID || have < 1)
		return config_fail(e, -EUCLEAN, "", "%s/holdfast.db is a database of another program; move it away", c->dir);
	if (have > want) {
		char back[4400];
		newest_backup(c->dir, want, back, sizeof(back));
		return config_fail(e, -EPROTO, "", "%s/holdfast.db was made by a newer version (schema %d, this one knows up to %d): start that version again, or go back: %s",
				   c->dir, (int)have, want, back);
	}
	return have < want ? run_migrations(c, schema, (int)have, e) : 0;
}
