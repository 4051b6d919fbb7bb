/* SPDX-License-Identifier: GPL-3.0-or-later */
/* migrate.c - one schema: migrations from nothing and from every golden database end in schema.sql,
 * and schema.sql has the columns that the rows of the model say. */
#include "help.h"

static char dir[64];
static int setup(void **state)
{
	(void)state;
	help_mkdir(dir);
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	help_rmdir(dir);
	return 0;
}

/* Everything that matters about a schema, as text: tables, columns, keys, indexes; and the CREATE
 * statements without comments and blanks. */
static char *describe(sqlite3 *db)
{
	static const char *const queries[] = {
		"SELECT m.name, c.name, c.type, c.\"notnull\", ifnull(c.dflt_value, ''), c.pk FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY 1, c.cid",
		"SELECT m.name, f.\"table\", f.\"from\", f.\"to\", f.on_delete, f.on_update FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY 1, 3",
		"SELECT m.name, i.\"unique\", i.origin, x.name, x.seqno, '' FROM sqlite_master m, pragma_index_list(m.name) i, pragma_index_info(i.name) x WHERE m.type = 'table' ORDER BY 1, i.name, 5",
		"SELECT type, name, replace(replace(replace(sql, ' ', ''), char(10), ''), char(9), ''), '', '', '' FROM sqlite_master WHERE sql IS NOT NULL ORDER BY 1, 2",
	};
	char *text = NULL;
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);
	for (size_t i = 0; i < ARRAY_COUNT(queries); i++) {
		sqlite3_stmt *s;
		assert_int_equal(sqlite3_prepare_v2(db, queries[i], -1, &s, NULL), SQLITE_OK);
		while (sqlite3_step(s) == SQLITE_ROW) {
			for (int k = 0; k < 6; k++)
				fprintf(f, "%s|", (const char *)sqlite3_column_text(s, k));
			fputc('\n', f);
		}
		sqlite3_finalize(s);
	}
	fclose(f);
	return text;
}

static void same_text(const char *what, char *a, char *b)
{
	size_t at = 0;
	while (a[at] && a[at] == b[at])
		at++;
	if (a[at] != b[at])
		fail_msg("%s differs from schema.sql at:\n%.200s\nschema.sql:\n%.200s", what, a + (at > 60 ? at - 60 : 0), b + (at > 60 ? at - 60 : 0));
	free(a);
}

static sqlite3 *memory_db(const char *sql)
{
	sqlite3 *db;
	char *err = NULL;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &err) != SQLITE_OK)
		fail_msg("SQL: %s", err);
	return db;
}

static char *read_golden(int version)
{
	char path[512];
	const char *src = getenv("HF_SRCDIR");
	static char text[1 << 20];
	snprintf(path, sizeof(path), "%s/tests/unit/config/golden/schema-%d.sql", src ? src : HF_SRCDIR, version);
	FILE *f = fopen(path, "r");
	if (!f)
		fail_msg("every schema version needs a golden database: %s", path);
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static void from_nothing(void **state)
{
	struct db_schema old = { .fresh_sql = NULL, .migrations = db_migrations, .version = db_migration_count };
	struct config_error e;
	struct config *c;
	sqlite3 *fresh = memory_db(db_schema_sql);
	char *want = describe(fresh);
	(void)state;
	if (config_open_with(dir, &old, 1000, &c, &e))
		fail_msg("%s", e.why);
	same_text("the result of all migrations", describe(c->db), want);
	config_close(c);
	free(want);
	sqlite3_close(fresh);
}

/* Tables came with time. */
static bool golden_knows(int version, const char *table)
{
	char create[96];
	snprintf(create, sizeof(create), "CREATE TABLE %s (", table);
	return strstr(read_golden(version), create) != NULL;
}

/* A database of every released schema opens, keeps its rows, and ends in schema.sql. */
static void from_golden(void **state)
{
	sqlite3 *fresh = memory_db(db_schema_sql);
	char *want = describe(fresh), path[128];
	(void)state;
	for (int v = 1; v <= db_migration_count; v++) {
		sqlite3 *db;
		char *err = NULL;
		help_path(path, sizeof(path), dir, "holdfast.db");
		unlink(path);
		assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
		if (sqlite3_exec(db, read_golden(v), NULL, NULL, &err) != SQLITE_OK)
			fail_msg("golden database %d: %s", v, err);
		sqlite3_close(db);
		struct config *c = help_open(dir);
		same_text("a migrated golden database", describe(c->db), want);
		for (size_t k = 0; k < MODEL_KINDS; k++)
			if (golden_knows(v, models[k].table) && help_count(c, (enum model_kind)k) == 0)
				fail_msg("golden database %d has no %s, or lost it", v, models[k].name);
		config_close(c);
	}
	free(want);
	sqlite3_close(fresh);
}

/* An old schema, a new one, one that is too new; a migration that fails changes nothing. */
static const struct db_migration later[] = {
	{ 1, "0001-a", "CREATE TABLE store (one INTEGER PRIMARY KEY, revision INTEGER NOT NULL, key_check BLOB); INSERT INTO store VALUES (1, 5, NULL);"
		       "CREATE TABLE audit (id TEXT); CREATE TABLE event (id TEXT); CREATE TABLE task (id TEXT); CREATE TABLE host (id TEXT PRIMARY KEY, chap_secret BLOB, mutual_secret BLOB, dhchap_key BLOB, dhchap_ctrl_key BLOB, tls_psk BLOB); CREATE TABLE account (password BLOB, totp_secret BLOB, recovery_codes BLOB); CREATE TABLE token (secret_hash BLOB);"
		       "CREATE TABLE acme_account (eab_hmac BLOB, key_pem BLOB); CREATE TABLE certificate (dns_secret BLOB, key_pem BLOB); CREATE TABLE channel (secret BLOB, password BLOB); CREATE TABLE target (chap_secret BLOB, mutual_secret BLOB); CREATE TABLE nas_user (password BLOB); CREATE TABLE volume (encryption_key BLOB)" },
	{ 2, "0002-b", "CREATE TABLE extra (x); INSERT INTO extra VALUES (1)" },
	{ 3, "0003-c", "CREATE TABLE child (p TEXT REFERENCES host (id)); INSERT INTO extra VALUES (2); INSERT INTO child VALUES ('gone')" },
};
static void steps(void **state)
{
	struct db_schema v1 = { .migrations = later, .version = 1 }, v2 = { .migrations = later, .version = 2 },
			 v3 = { .migrations = later, .version = 3 };
	struct config_error e;
	struct config *c;
	char path[128];
	(void)state;
	assert_int_equal(config_open_with(dir, &v1, 100, &c, &e), 0);
	config_close(c);
	assert_false(help_exists(dir, "backup"));
	assert_int_equal(config_open_with(dir, &v2, 100, &c, &e), 0);
	assert_int_equal(config_revision(c), 5);
	config_close(c);
	assert_true(help_exists(dir, "backup"));
	/* 3 leaves a reference to nothing: refused, and the database is still version 2. */
	assert_int_equal(config_open_with(dir, &v3, 100, &c, &e), -EUCLEAN);
	assert_non_null(strstr(e.why, "0003-c"));
	assert_int_equal(config_open_with(dir, &v2, 100, &c, &e), 0);
	sqlite3_stmt *s;
	assert_int_equal(stmt_get(c, "SELECT count(*) FROM extra", &s, &e), 0);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(s, 0), 1);
	stmt_done(c, s);
	config_close(c);
	/* Version 1 must not touch it, and says the way back. */
	assert_int_equal(config_open_with(dir, &v1, 100, &c, &e), -EPROTO);
	assert_non_null(strstr(e.why, "newer"));
	const char *copy = strstr(e.why, "/backup/schema-1-");
	assert_non_null(copy);
	/* The way back works. */
	char from[256];
	snprintf(from, sizeof(from), "%s%.*s", dir, (int)strcspn(copy, " "), copy);
	help_path(path, sizeof(path), dir, "holdfast.db");
	assert_int_equal(rename(from, path), 0);
	assert_int_equal(config_open_with(dir, &v1, 100, &c, &e), 0);
	config_close(c);
}

static const char *sql_type(enum field_type t)
{
	return t == FIELD_INT || t == FIELD_BOOL ? "INTEGER" : t == FIELD_SECRET ? "BLOB" : "TEXT";
}

/* Row by row: the column is there, typed, nullable or not, unique or not, and refers where it should. */
static void rows_and_columns(void **state)
{
	sqlite3 *db = memory_db(db_schema_sql);
	(void)state;
	for (size_t k = 0; k < MODEL_KINDS; k++) {
		const struct model *m = &models[k];
		int columns = 4;
		for (size_t i = 0; i < m->field_count; i++) {
			const struct field *f = &m->fields[i];
			sqlite3_stmt *s;
			if (!field_is_column(f))
				continue;
			columns++;
			sqlite3_prepare_v2(db, "SELECT type, \"notnull\" FROM pragma_table_info(?) WHERE name = ?", -1, &s, NULL);
			sqlite3_bind_text(s, 1, m->table, -1, SQLITE_STATIC);
			sqlite3_bind_text(s, 2, f->name, -1, SQLITE_STATIC);
			if (sqlite3_step(s) != SQLITE_ROW)
				fail_msg("%s.%s is not in schema.sql", m->table, f->name);
			if (strcmp((const char *)sqlite3_column_text(s, 0), sql_type(f->type)) != 0)
				fail_msg("%s.%s has type %s", m->table, f->name, (const char *)sqlite3_column_text(s, 0));
			if (sqlite3_column_int(s, 1) == !!(f->flags & FIELD_NULLABLE))
				fail_msg("%s.%s: NOT NULL and NULLABLE disagree", m->table, f->name);
			sqlite3_finalize(s);
			sqlite3_prepare_v2(db, "SELECT \"table\" FROM pragma_foreign_key_list(?) WHERE \"from\" = ?", -1, &s, NULL);
			sqlite3_bind_text(s, 1, m->table, -1, SQLITE_STATIC);
			sqlite3_bind_text(s, 2, f->name, -1, SQLITE_STATIC);
			bool has = sqlite3_step(s) == SQLITE_ROW;
			if (has != (f->type == FIELD_REF) || (has && strcmp((const char *)sqlite3_column_text(s, 0), models[f->ref].table) != 0))
				fail_msg("%s.%s: wrong reference", m->table, f->name);
			sqlite3_finalize(s);
			sqlite3_prepare_v2(db, "SELECT count(*) FROM pragma_index_list(?) l WHERE l.\"unique\" AND (SELECT group_concat(name) FROM pragma_index_info(l.name)) = ?", -1, &s, NULL);
			sqlite3_bind_text(s, 1, m->table, -1, SQLITE_STATIC);
			sqlite3_bind_text(s, 2, f->name, -1, SQLITE_STATIC);
			assert_int_equal(sqlite3_step(s), SQLITE_ROW);
			if (sqlite3_column_int(s, 0) != !!(f->flags & FIELD_UNIQUE))
				fail_msg("%s.%s: UNIQUE disagrees", m->table, f->name);
			sqlite3_finalize(s);
		}
		sqlite3_stmt *s;
		sqlite3_prepare_v2(db, "SELECT count(*) FROM pragma_table_info(?)", -1, &s, NULL);
		sqlite3_bind_text(s, 1, m->table, -1, SQLITE_STATIC);
		assert_int_equal(sqlite3_step(s), SQLITE_ROW);
		if (sqlite3_column_int(s, 0) != columns)
			fail_msg("%s has columns that no row names", m->table);
		sqlite3_finalize(s);
	}
	sqlite3_close(db);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { T(from_nothing), T(from_golden), T(steps), T(rows_and_columns) };
	return cmocka_run_group_tests_name("migrate", tests, NULL, NULL);
}
