/* SPDX-License-Identifier: GPL-3.0-or-later */
/* auth.h - the door of auth/: who a caller is.  Accounts, logins (signed-in browsers), API tokens, TOTP,
 * the setup code, throttling.
 *
 * What decides a request is kept in memory and read from the store again when accounts, tokens or
 * settings change, so the check of a request does not wait for the control thread.  Calls come from any
 * thread but a reactor's; those that say so wait for the store. */
#ifndef HOLDFAST_AUTH_AUTH_H
#define HOLDFAST_AUTH_AUTH_H

#include "config/config.h"

struct auth_opts {
	/* Runs fn with the store on its thread and waits; returns what fn did. */
	int (*with_store)(int (*fn)(struct config *db, void *arg), void *arg);
	/* A number among the settings; called on the store's thread only. */
	int64_t (*setting)(const char *key);
	/* SHA-256 of the certificate that browsers see, "AB:CD:..". */
	void (*fingerprint)(char out[96]);
};
/* Loads accounts, tokens and logins; without an account a setup code is made and logged. */
int auth_start(const struct auth_opts *opts, struct config_error *e) _must_check_;
void auth_stop(void);
/* Accounts, tokens or settings have changed.  Any thread; cheap. */
void auth_changed(enum model_kind k);

/* ---- who asks ------------------------------------------------------------------------------------------ */
enum auth_role { AUTH_NOBODY, AUTH_VIEWER, AUTH_OPERATOR, AUTH_ADMIN };
enum auth_via { AUTH_VIA_NONE, AUTH_VIA_SOCKET, AUTH_VIA_COOKIE, AUTH_VIA_TOKEN };
#define AUTH_SCOPES_BYTES 1024
struct auth_caller {
	enum auth_role role;
	enum auth_via via;
	char account_id[CONFIG_ID_BYTES]; /* "" for nobody and for users of the machine */
	char account[64];
	char login_id[CONFIG_ID_BYTES];  /* COOKIE */
	char token_id[CONFIG_ID_BYTES];  /* TOKEN */
	char scopes[AUTH_SCOPES_BYTES];  /* TOKEN: "*" or ",volumes,pools," */
	int64_t confirmed_until_s;       /* COOKIE: Unix time until which the password counts as just given */
	char actor[160], source[96];     /* for the audit: "anna", "anna (token backup)"; "https 192.0.2.7" */
	char address[64];                /* for throttling; "" on the local socket */
	char agent[128];                 /* User-Agent, tamed */
};
/* Headers of a request over HTTPS; NULL: not there. */
struct auth_credentials {
	const char *method, *cookie, *authorization, *marker /* X-Holdfast */;
	const char *origin, *host, *fetch_site /* Sec-Fetch-Site */;
};
/* Fills role, via, account .. of a caller whose source, address and agent are set.  An unknown or ended
 * cookie makes nobody; so does nothing at all.  May wait for the store.
 * 0; -EINVAL two kinds of credentials at once; -EACCES a request that another page may have made;
 * -EKEYREJECTED a token that is not good.  why: a sentence. */
int auth_identify(const struct auth_credentials *c, struct auth_caller *caller, char *why, size_t why_bytes) _must_check_;
/* May this token ask for addresses of this scope (first word after /api/v1/)? */
bool auth_scope_allows(const char *scopes, const char *scope);
/* Is this login still good?  For what lives longer than a request. */
bool auth_login_is_alive(const char *login_id);
/* The same of a token, by its id. */
bool auth_token_is_alive(const char *token_id);

/* ---- logging in ---------------------------------------------------------------------------------------- */
enum auth_result {
	AUTH_DONE,
	AUTH_WRONG,                      /* name, password or code; not said which */
	AUTH_NEEDS_TOTP,                 /* the password is right; ask again with a code */
	AUTH_WAIT,                       /* too many attempts, or too many at once: see retry_after_s */
	AUTH_FAILED,                     /* see error */
};
struct auth_attempt {
	const char *name, *password;
	const char *totp, *recovery_code;/* or NULL */
};
struct auth_session {                    /* what a good login gives */
	char cookie[65];                 /* the secret: goes to the browser, is stored nowhere */
	int64_t expires_at_s;
	unsigned retry_after_s;          /* AUTH_WAIT */
	struct config_error error;       /* AUTH_FAILED */
	json_t *account;                 /* {"name","role","totp_enabled"}; owned */
};
/* Waits for the store and for a place to hash (two at once).  caller: for throttle and audit; a cookie that
 * it came with is ended, so that the id is new with each login. */
enum auth_result auth_login(const struct auth_attempt *a, const struct auth_caller *caller, struct auth_session *ret);
/* The password (and code) of a caller that is logged in, once more. */
enum auth_result auth_confirm(const struct auth_attempt *a, const struct auth_caller *caller, struct auth_session *ret);
int auth_logout(const struct auth_caller *caller, struct config_error *e);
/* [{"id","account","source","agent","created_at","last_seen_at","expires_at","current"}], of one account or
 * (NULL) of all; owned. */
json_t *auth_logins(const char *account_id, const char *current_id);
/* Ends a login; account_id NULL: anybody's.  -ENOENT */
int auth_login_end(const char *id, const char *account_id, const struct auth_caller *caller, struct config_error *e);
/* Ends all logins of an account but one (NULL: all). */
int auth_logins_end(const char *account_id, const char *but_id, struct config_error *e);
/* Facts of the caller for GET /me; owned. */
json_t *auth_me(const struct auth_caller *caller);

/* ---- accounts ------------------------------------------------------------------------------------------ */
/* Is the password fit for this account?  -EINVAL with why. */
int auth_password_check(const char *name, const char *password, char *why, size_t why_bytes);
/* What is stored for it, owned; waits for a place to hash.  -EBUSY: too many at once. */
int auth_password_hash(const char *password, char **ret_hash);
/* Changes the caller's own password after checking the old one. */
enum auth_result auth_password_change(const char *old_password, const char *new_password, const struct auth_caller *caller,
				      struct auth_session *ret);
/* Live members of account objects: totp_enabled, locked_until. */
void auth_account_fill(json_t *objects);

/* ---- TOTP: second factor ------------------------------------------------------------------------------- */
/* A new secret for the caller, not in force until confirmed: {"secret","uri","qr_svg"}; owned, NULL: no memory. */
json_t *auth_totp_begin(const struct auth_caller *caller);
/* code 0..: puts it in force.  ret_codes: array of recovery codes, shown once; owned.  -ENOENT nothing begun,
 * -EACCES wrong code. */
int auth_totp_confirm(const char *code, const struct auth_caller *caller, json_t **ret_codes, struct config_error *e);
/* Takes the second factor away; by: who does it, account_id: whose. */
int auth_totp_remove(const char *account_id, const struct auth_caller *by, struct config_error *e);
int auth_recovery_codes(const struct auth_caller *caller, json_t **ret_codes, struct config_error *e);

/* ---- tokens -------------------------------------------------------------------------------------------- */
/* A new secret: what the owner gets ("hf_ID_SECRET", owned) and what is stored (hex SHA-256). */
int auth_token_new(const char *id, char **ret_token, char hash[65]);

/* ---- the first account --------------------------------------------------------------------------------- */
bool auth_setup_is_needed(void);
/* A new code, valid for 30 minutes and 5 attempts; the one before ends.  -EALREADY there are accounts. */
int auth_setup_code(char code[40], int64_t *ret_expires_at_s, char fingerprint[96]);
void auth_setup_fingerprint(char out[96]);
/* Facts for whoever opens the page of a new server. */
int64_t auth_setup_expires_at_s(void);   /* 0: no code is valid */
/* Is this the code?  0; -EALREADY; -ETIMEDOUT none is valid any more; -EACCES wrong, ret_left attempts are left. */
int auth_setup_try(const char *code, const struct auth_caller *caller, unsigned *ret_left, unsigned *ret_retry_after_s);
void auth_setup_done(void);              /* the account is made: the code ends */

/* ---- the audit ----------------------------------------------------------------------------------------- */
/* A row about something that changes no object: "login", "refuse", "export" ..  Never fails the caller.
 * takes facts; may be NULL. */
void auth_audit(const struct auth_caller *by, const char *verb, const char *kind, const char *object, const char *object_name,
		json_t *facts);

#endif
