/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_priv.h - what the files of config/ share. */
#ifndef HOLDFAST_CONFIG_PRIV_H
#define HOLDFAST_CONFIG_PRIV_H

#include <sqlite3.h>

#include "config/config.h"
#include "core/log.h"

extern struct log_topic log_config;

#define DB_APPLICATION_ID 0x484c4446     /* "HLDF": a file of ours */
#define KEY_BYTES 32
#define SECRET_MAX 16384                 /* the longest that a row allows */
#define STMT_CACHE 256
#define TIME_BYTES 25                    /* "2026-11-02T12:34:56.789Z" and NUL */

/* ---- schema_gen.c, made from db/ at build ------------------------------------------------------- */
struct db_migration {
	int to;                          /* schema version after it */
	const char *name, *sql;
};
extern const char db_schema_sql[];
extern const struct db_migration db_migrations[];
extern const int db_migration_count;
struct db_schema {
	const char *fresh_sql;
	const struct db_migration *migrations;
	int version;                     /* = number of migrations */
};
extern const struct db_schema db_schema; /* migrate.c: the one compiled in */

struct stmt_slot {
	char *sql;                       /* owned */
	sqlite3_stmt *stmt;
	bool busy;
};
struct config {
	sqlite3 *db;
	char *dir;                       /* owned */
	int lock_fd;                     /* dir/holdfast.lock, locked while we live */
	uint64_t revision;               /* of the last commit */
	bool in_tx, tx_changed, tx_soon;
	struct config_actor actor;       /* borrowed until commit or rollback */
	struct stmt_slot slot[STMT_CACHE]; /* open hash by SQL text */
	uint64_t id_ms;                  /* last time stamp given out in an id */
	unsigned id_count;
	bool key_ok;
	uint8_t key[KEY_BYTES];
	char key_why[WHY_BYTES];
};

/* ---- store.c ------------------------------------------------------------------------------------- */
/* Errors of SQLite as ours.  doing: "open the database". Returns the code. */
int db_fail(struct config *c, struct config_error *e, const char *doing);
int db_exec(struct config *c, const char *sql, struct config_error *e);
/* The schema and the busy time are parameters for the tests. */
int config_open_with(const char *dir, const struct db_schema *schema, int busy_ms, struct config **ret_config,
		     struct config_error *e) _must_check_;
int config_open_path(struct config *c, const char *path, int busy_ms, struct config_error *e);
void file_time_stamp(char buf[TIME_BYTES]); /* "20261102T123456.789Z" */
int dir_fsync(const char *dir);

/* ---- migrate.c ----------------------------------------------------------------------------------- */
int db_migrate(struct config *c, const struct db_schema *schema, struct config_error *e);

/* ---- key.c --------------------------------------------------------------------------------------- */
int key_load(struct config *c, struct config_error *e);
/* aad: "table/id/field".  Returns owned bytes. */
int key_seal(struct config *c, const char *table, const char *id, const char *field, const char *plain, size_t len,
	     uint8_t **ret_sealed, size_t *ret_len, struct config_error *e);
int key_unseal(struct config *c, const char *table, const char *id, const char *field, const uint8_t *sealed,
	       size_t sealed_len, uint8_t *buf, size_t buf_bytes, size_t *ret_len, struct config_error *e);
void wipe(void *p, size_t len_bytes);

/* ---- rows.c: statements from the rows of the model ------------------------------------------------ */
/* A cached statement, reset and without bindings; give it back with stmt_done(). */
int stmt_get(struct config *c, const char *sql, sqlite3_stmt **ret_stmt, struct config_error *e);
void stmt_done(struct config *c, sqlite3_stmt *s);
void stmt_close_all(struct config *c);
/* Runs a statement that gives no rows, and gives it back. */
int stmt_run(struct config *c, sqlite3_stmt *s, struct config_error *e, const char *doing);
/* "SELECT id, revision, .. FROM table t"; columns in the order of the rows. */
void sql_select(enum model_kind k, bool refs_as_ids, char *buf, size_t buf_bytes);
void sql_insert(enum model_kind k, char *buf, size_t buf_bytes);
int row_read(sqlite3_stmt *s, enum model_kind k, json_t **ret_object);
/* Binds a value for a field at a position; REF by name is resolved before. */
int field_bind(struct config *c, sqlite3_stmt *s, int at, enum model_kind k, const struct field *f, const char *id,
	       const json_t *value, struct config_error *e);
int ref_resolve(struct config *c, const struct field *f, const char *name_or_id, char id[CONFIG_ID_BYTES],
		struct config_error *e);
static inline bool field_is_stored(const struct field *f)
{
	return !(f->flags & FIELD_LIVE);
}
static inline bool field_is_column(const struct field *f)
{
	return field_is_stored(f) && f->type != FIELD_REFS;
}
const char *model_name_column(enum model_kind k); /* "name", "key" or NULL */

/* ---- read.c -------------------------------------------------------------------------------------- */
int object_get(struct config *c, enum model_kind k, const char *id_or_name, bool refs_as_ids, json_t **ret_object,
	       struct config_error *e);
int object_id(struct config *c, enum model_kind k, const char *id_or_name, char id[CONFIG_ID_BYTES], struct config_error *e);

/* ---- audit.c ------------------------------------------------------------------------------------- */
int audit_write(struct config *c, const char *verb, enum model_kind k, const char *id, const json_t *before,
		const json_t *after, struct config_error *e);

/* ---- check.c, check_nas.c: what is wrong with a value, or NULL ------------------------------------- */
const char *check_cidr(const char *s);
const char *check_posix_name(const char *s);
const char *check_posix_owner(const char *s);
const char *check_file_mode(const char *s);
const char *check_full_name(const char *s);
const char *check_no_control(const char *s);
const char *check_sub_path(const char *s);
const char *check_share_access(const char *s);
const char *check_nfs_client(const char *s);
const char *check_nfs_version(const char *s);
const char *check_nfs_security(const char *s);

/* ---- text.c -------------------------------------------------------------------------------------- */
bool text_is_uuid(const char *s);
void time_now(char buf[TIME_BYTES]);

#endif
