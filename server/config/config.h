/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config.h - the door of config/: the SQLite store.  Objects are jansson objects whose members are
 * the rows of config/model.h, plus id (UUID text), revision, created_at, updated_at.
 *
 * Threads: one thread (control) uses a struct config.  Errors: 0 or -errno, and a sentence that says
 * what to do in why.  -ENOENT; -EEXIST a unique field is taken; -EBUSY still referred to; -ENOSPC
 * disk full; -EROFS; -EUCLEAN the file is not a sound database; -EPROTO its schema is newer than
 * this program; -EAGAIN locked by another process; -EINVAL value. */
#ifndef HOLDFAST_CONFIG_CONFIG_H
#define HOLDFAST_CONFIG_CONFIG_H

#include <jansson.h>

#include "config/model.h"

#define WHY_BYTES 512
struct config;
struct config_error {
	int code;                        /* -errno */
	char why[WHY_BYTES];             /* a sentence for the person */
	char field[64];                  /* the member it is about, or "" */
};

/* How secrets are sealed: tls/'s functions, installed once before config_open() (this room stands
 * beside tls/ and may not include it).  Without them secrets are refused.  random, seal and open as
 * tls_random(), tls_seal(), tls_open(). */
struct config_sealer {
	int (*random)(void *buf, size_t len_bytes);
	int (*seal)(const uint8_t key[32], const void *aad, size_t aad_len, const void *plain, size_t len, uint8_t *out);
	int (*open)(const uint8_t key[32], const void *aad, size_t aad_len, const uint8_t *sealed, size_t sealed_len, uint8_t *out);
	size_t overhead_bytes;
};
void config_set_sealer(const struct config_sealer *s);   /* borrows for ever */

/* dir/holdfast.db, dir/secret.key (made when new, mode 0600).  Migrates, after a backup to
 * dir/backup/; checks soundness. */
int config_open(const char *dir, struct config **ret_config, struct config_error *e) _must_check_;
void config_close(struct config *c);
DEFINE_FREEP(struct config, config_close)
int config_schema_version(void);
/* Why secrets cannot be used (key file missing, another key), or NULL.  The rest works all the same. */
const char *config_key_problem(const struct config *c);

/* Reading.  id_or_name: id first, then the name (or key).  Returns owned. */
int config_get(struct config *c, enum model_kind k, const char *id_or_name, json_t **ret_object, struct config_error *e);
struct config_query {
	const char *after_id;            /* page cursor: objects that come after this one; NULL: first page */
	const char *after_value;         /* sorted: what this one's value was, "" for none; it may be gone */
	const char *sort_field;          /* a stored field, created_at or updated_at; NULL: by creation */
	bool sort_descending;
	const char *text;                /* only those that have it in a name, comment, .., case aside; NULL: all */
	size_t limit;                    /* 0: all */
	const char *where_field;         /* equality filters, up to two; NULL: none */
	const char *where_value;
	const char *where_field2, *where_value2;
	bool newest_first;               /* audit, event, task */
	const char *since, *until;       /* kinds with a time "at": from then on, and before then; RFC 3339 */
	bool refs_as_ids;                /* REF and REFS fields hold ids, not names */
};
/* Can a list be sorted by this? */
bool config_can_sort(enum model_kind k, const char *field);
/* How many a query without its page would give. */
int config_count(struct config *c, enum model_kind k, const struct config_query *q, uint64_t *ret_count, struct config_error *e);
/* Ordered by creation, or as the query asks.  Returns an array, owned. */
int config_list(struct config *c, enum model_kind k, const struct config_query *q, json_t **ret_array, struct config_error *e);
/* The plain value of a secret field, wiped by the caller; -ENOENT when not set. */
int config_secret(struct config *c, enum model_kind k, const char *id, const char *field,
		  uint8_t *buf, size_t buf_bytes, size_t *ret_len, struct config_error *e);
/* The same as it is stored, in hexadecimal, returns owned: {"sealed": text} in a body puts it back, in the same
 * field of an object with the same id, under the same key file; anywhere else it is refused. */
int config_secret_sealed(struct config *c, enum model_kind k, const char *id, const char *field, char **ret_text, struct config_error *e);
/* A text sealed with the same key, in hexadecimal, returns owned: for what is kept beside the store.  place, id and field say what
 * it is, and it opens only as that.  The plain one is wiped by the caller. */
int config_seal(struct config *c, const char *place, const char *id, const char *field, const char *plain, char **ret_text, struct config_error *e);
int config_unseal(struct config *c, const char *place, const char *id, const char *field, const char *text, char **ret_plain, struct config_error *e);
uint64_t config_revision(struct config *c);              /* of the whole store: grows with each commit */

/* Changing: one transaction at a time; each change writes its audit row. */
struct config_actor {
	const char *name, *source;
};
int config_begin(struct config *c, const struct config_actor *who, struct config_error *e) _must_check_;
int config_commit(struct config *c, struct config_error *e) _must_check_;
void config_rollback(struct config *c);
/* As config_begin(), but what it commits outlives the process at once and a power loss only when a later
 * commit has: for notes and events, which are not worth a wait for the disk each.  No audited changes. */
int config_begin_soon(struct config *c, struct config_error *e) _must_check_;
/* body: the fields given, checked by the rows; defaults are filled in.  Returns the whole object. */
int config_insert(struct config *c, enum model_kind k, const json_t *body, json_t **ret_object, struct config_error *e);
/* The same under an id that is known before (-EEXIST when it is taken). */
int config_insert_as(struct config *c, enum model_kind k, const char *id, const json_t *body, json_t **ret_object, struct config_error *e);
#define CONFIG_ID_BYTES 37               /* UUID text with its NUL */
void config_new_id(struct config *c, char id[CONFIG_ID_BYTES]);
/* patch: JSON merge patch (RFC 7396) on the object. */
int config_update(struct config *c, enum model_kind k, const char *id, const json_t *patch, json_t **ret_object, struct config_error *e);
int config_delete(struct config *c, enum model_kind k, const char *id, struct config_error *e);
/* A row of the audit for what has no row in the store: verb as in the schema, kind and name in words. */
int config_audit(struct config *c, const char *verb, const char *kind, const char *name, const json_t *before, const json_t *after, struct config_error *e);

/* Server-written rows without audit: events, tasks, a volume's reservations. Own transaction when
 * none is open. */
int config_put(struct config *c, enum model_kind k, const char *id_or_null, const json_t *fields, json_t **ret_object, struct config_error *e);
/* A new row under an id that is known before. */
int config_put_new(struct config *c, enum model_kind k, const char *id, const json_t *fields, struct config_error *e);
/* Takes such a row away; one that is not there is no error. */
int config_drop(struct config *c, enum model_kind k, const char *id, struct config_error *e);
/* Keeps at most this many of audit, events, finished tasks. */
int config_trim(struct config *c, enum model_kind k, size_t keep);

/* After a secret got another value, in no transaction: the old one goes from the log of the database and from the copies in
 * backup/ too. */
int config_forget(struct config *c, enum model_kind k, const char *id, const char *field, struct config_error *e) _must_check_;

/* Work on backing stores that must survive a crash; see db/schema.sql.  In the open transaction, or in
 * one of their own.  The list is an array of {"id","action","spec"}, owned. */
int config_pending_put(struct config *c, const char *id, const char *action, const json_t *spec, struct config_error *e);
int config_pending_drop(struct config *c, const char *id, struct config_error *e);
int config_pending_list(struct config *c, json_t **ret_array, struct config_error *e);

/* Who may not log in for a while, in force over a restart.  since, until: seconds since 1970. */
struct config_ban {
	int64_t id, since_s, until_s;
	const char *initiator, *target;
};
int config_ban_put(struct config *c, const struct config_ban *b, struct config_error *e);
int config_ban_drop(struct config *c, int64_t id, struct config_error *e);
/* Those that are not over at now_s; the others are forgotten.  Texts are lent during the call. */
int config_ban_each(struct config *c, int64_t now_s, void (*fn)(void *arg, const struct config_ban *b), void *arg, struct config_error *e);

/* A consistent copy of the database to a file (SQLite backup). */
int config_backup(struct config *c, const char *path, struct config_error *e);
/* Writes code, field and sentence; returns code. */
int config_fail(struct config_error *e, int code, const char *field, const char *fmt, ...) _printf_(4, 5);
/* Checks a body against the rows without storing it. at_creation: required fields count. */
int model_check(enum model_kind k, const json_t *body, bool at_creation, struct config_error *e);

#endif
