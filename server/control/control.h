/* SPDX-License-Identifier: GPL-3.0-or-later */
/* control.h - the door of control/: from what the database says to what runs.
 *
 * Every change goes one way: check, SQLite transaction, plan, apply step by step, commit; a step that
 * fails undoes those before it and the transaction.  Changes are ordered by the control thread.
 * Calls here come from any thread but a reactor's and wait for the control thread. */
#ifndef HOLDFAST_CONTROL_CONTROL_H
#define HOLDFAST_CONTROL_CONTROL_H

#include "config/config.h"
#include "core/core.h"

struct control_opts {
	const char *state_dir;
	struct reactor *const *reactors; /* of the data path, running */
	unsigned reactor_count;
	/* Listening sockets handed over by systemd or an older daemon: name "iscsi/192.0.2.1:3260";
	 * returns the descriptor (ours from then on) or -1. */
	int (*take_listen_fd)(void *arg, const char *name);
	/* Puts a listening socket up for the next daemon (fd borrowed); fd -1: we no longer listen there. */
	void (*keep_listen_fd)(void *arg, const char *name, int fd);
	/* HTTPS portals belong to http/: control asks for them through these. 0 or -errno. */
	int (*https_open)(void *arg, const char *address, uint16_t port, int listen_fd, void **ret_portal);
	void (*https_close)(void *arg, void *portal);
	/* What HTTPS is served with, from the next connection on; and, while an authority looks, what is shown to
	 * who asks for a name by tls-alpn-01 (cert_pem NULL: no longer; any thread).  0 or -errno. */
	int (*set_certificate)(void *arg, const char *chain_pem, const char *key_pem);
	int (*tls_alpn)(void *arg, const char *name, const char *cert_pem, const char *key_pem);
	void *arg;
	uint16_t first_https_port;       /* a new store gets an HTTPS portal on all addresses there; 0: none */
};
/* main.c has started block/ and scsi/; control starts iscsi/ (its events and settings are ours).
 * Opens the store, starts the control thread, reconciles from nothing; returns when all is served
 * that can be.  e tells why the store cannot be used. */
int control_start(const struct control_opts *opts, struct config_error *e) _must_check_;
bool control_stop(void);                 /* also iscsi/ and nvmf/; block/ and scsi/ stay.  False: a backend hangs and still needs all there is: leave by _exit() */
/* The thread that all changes run on, to see whether it answers; NULL before the start. */
struct reactor *control_reactor(void);

/* ---- changes --------------------------------------------------------------------------------------- */
enum control_verb { CONTROL_CREATE, CONTROL_UPDATE, CONTROL_DELETE };
struct control_change {
	enum control_verb verb;
	enum model_kind kind;
	const char *id;                  /* id or name; NULL for CREATE */
	const json_t *body;              /* CREATE: fields; UPDATE: merge patch; DELETE: NULL */
	uint64_t if_match;               /* revision the caller saw; 0: any */
	bool dry_run;                    /* answer with the plan, change nothing */
	bool force;                      /* DELETE: also what depends on it (LUNs, access) */
	bool keep_data;                  /* DELETE of a volume: leave its files */
	bool delete_data;                /* DELETE of a share: its folder, too */
	bool by_server;                  /* not from outside: a certificate that was issued, .. */
	bool shrink;                     /* UPDATE of a volume: a smaller size is meant, and what lies beyond is lost */
	const json_t *own;               /* import: members that only the server writes, stored with it; NULL otherwise */
	struct config_actor actor;
};
/* What came of it; control_result_done() frees. */
struct control_result {
	struct config_error error;       /* code 0: done.  Beside config.h's: -ESTALE if_match is old */
	json_t *object;                  /* as it is now; NULL after DELETE */
	json_t *plan;                    /* dry run: {"steps":[{"action","object","text"}],"sessions_touched":n,"sessions_closed":n} */
	uint64_t revision;               /* of the store with this change in it: control_undo() takes it back; 0: nothing was changed */
};
int control_change(const struct control_change *c, struct control_result *r);
/* Several, all or none, one transaction; results has count entries, the failing one has its error. */
int control_change_many(const struct control_change *c, size_t count, struct control_result *results);
void control_result_done(struct control_result *r);

/* ---- reading: objects with their live fields; returns owned ---------------------------------------- */
int control_get(enum model_kind k, const char *id, json_t **ret_object, struct config_error *e);
int control_list(enum model_kind k, const struct config_query *q, json_t **ret_array, struct config_error *e);
/* How many there are in all pages of a query. */
int control_count(enum model_kind k, const struct config_query *q, uint64_t *ret_count, struct config_error *e);
/* {"version","started_at","engine","reactors":[..],"sessions":n,"volumes":n,"alerts":[..],"crc32c",..} */
json_t *control_status(void);
/* [{"id","initiator","target","host","peer",..}] from iscsi_session_info and its NVMe twin later. */
json_t *control_sessions(void);
/* ban_s: so many seconds the initiator or NVMe host may not come to the target again; 0: it may. */
int control_session_close(uint64_t id, uint64_t ban_s, struct config_error *e);
/* [{"id","initiator","target","since","until"}]; they end by themselves. */
json_t *control_bans(void);
int control_ban_lift(uint64_t id, struct config_error *e);
/* Plugins with their options. */
json_t *control_plugins(void);
/* For `holdfastd --describe`, before control_start: JSON text, owned (free); NULL: no such plugin.
 * name NULL: all plugins. */
char *control_describe_plugin(const char *name);
char *control_describe_models(void);
char *control_describe_settings(void);
/* Prometheus text of the whole server; returns owned (free). */
char *control_metrics(void);
/* All configuration as one JSON document; secrets are left out (true: was set). */
json_t *control_export(void);
/* The same with secrets, sealed with the key file: for a restore beside the same secret.key. */
json_t *control_export_sealed(void);
/* The same with accounts and with secrets, sealed by a passphrase: for a restore anywhere. */
json_t *control_export_passphrase(const char *passphrase);
/* Opens the secrets of such a document in place; does nothing to another.  Wipe it after use. */
int control_unseal(json_t *doc, const char *passphrase, struct config_error *e);
/* Makes the configuration what the document says: adds, changes; removes only with prune. */
int control_import(const json_t *doc, bool prune, bool dry_run, const struct config_actor *actor, struct control_result *r);
int control_task_cancel(const char *id, struct config_error *e);
/* Each starts a task; returns it owned.  reason: RFC 5280 5.3.1. */
int control_certificate_renew(const char *id, json_t **ret_task, struct config_error *e);
int control_certificate_revoke(const char *id, unsigned reason, json_t **ret_task, struct config_error *e);
enum control_account_action { CONTROL_ACCOUNT_REGISTER, CONTROL_ACCOUNT_ROLLOVER, CONTROL_ACCOUNT_DEACTIVATE };
int control_account_do(enum control_account_action what, const char *id, json_t **ret_task, struct config_error *e);
/* Sends a message through a channel and waits: {"ok","message","transcript"}, owned. */
int control_channel_test(const char *id, json_t **ret_result, struct config_error *e);

/* ---- the store for auth/, which may not include this room nor this room it ----------------------------- */
/* Runs fn with the store on the control thread and waits; returns what fn did. */
int control_with_store(int (*fn)(struct config *db, void *arg), void *arg);
/* The number that a setting has now; on the control thread only. */
int64_t control_setting_int(const char *key);
/* Its text; any thread. */
void control_setting_text(const char *key, char *buf, size_t buf_bytes);

/* ---- events ---------------------------------------------------------------------------------------- */
/* Event types on the stream: "event" (a MODEL_EVENT), "config" ({"kind","id","verb","revision"}),
 * "task".  fn runs on the control thread, must not block and not call control_*; json is borrowed. */
struct control_subscriber {
	struct list link;
	void (*fn)(struct control_subscriber *s, uint64_t seq, const char *type, const json_t *data);
};
void control_subscribe(struct control_subscriber *s);
void control_unsubscribe(struct control_subscriber *s);  /* fn will not run after it */
/* Any thread, any room above core, also reactors: copies and returns at once. */
void control_event(int level, bool alert, const char *type, const char *object, const char *fmt, ...) _printf_(5, 6);

#endif
