/* SPDX-License-Identifier: GPL-3.0-or-later */
/* auth_priv.h - what the files of auth/ share. */
#ifndef HOLDFAST_AUTH_AUTH_PRIV_H
#define HOLDFAST_AUTH_AUTH_PRIV_H

#include <pthread.h>

#include "auth/auth.h"
#include "core/hex.h"
#include "core/log.h"

extern struct log_topic log_auth;

#define HASH_BYTES 32
#define SECRET_BYTES 32
#define SECRET_HEX (2 * SECRET_BYTES)
#define LOGINS_MAX 1024
#define LOGINS_PER_ACCOUNT 64
#define FLUSH_S 60                       /* last_seen_at and last_used_at are this old at most */
#define RECOVERY_CODES 10
#define TOTP_SECRET_BYTES 20

struct account {
	struct list link;
	char id[CONFIG_ID_BYTES], name[64];
	enum auth_role role;
	bool enabled, has_totp;
};
struct token {
	struct list link;
	char id[CONFIG_ID_BYTES], name[64], account_id[CONFIG_ID_BYTES];
	enum auth_role role;
	char scopes[AUTH_SCOPES_BYTES];
	uint8_t hash[HASH_BYTES];
	bool has_hash;
	int64_t expires_at_s;            /* 0: never */
	int64_t used_at_s;               /* last flushed */
};
struct login {
	struct list link;                /* oldest first */
	char id[CONFIG_ID_BYTES], account_id[CONFIG_ID_BYTES];
	uint8_t hash[HASH_BYTES];        /* SHA-256 of the cookie */
	int64_t created_at_s, seen_at_s, flushed_at_s, confirmed_at_s;
	char source[96], agent[128];
	uint8_t new_totp[TOTP_SECRET_BYTES]; /* begun, not confirmed */
	int64_t new_totp_until_s;
};
struct auth {
	struct auth_opts opts;
	pthread_mutex_t lock;            /* everything below; never held while waiting */
	bool is_running;
	struct list accounts, tokens, logins;
	size_t login_count;
	int64_t idle_s, absolute_s, confirm_s; /* settings */
	_Atomic(bool) is_stale;
};
extern struct auth auth;
/* Reads accounts, tokens and settings again when they have changed.  Waits for the store. */
int auth_refresh(void);
/* With the lock held. */
struct account *account_by_id(const char *id);
const char *auth_role_name(enum auth_role r);

/* ---- text.c ------------------------------------------------------------------------------------------------ */
void base32_write(const uint8_t *p, size_t len, char *out);    /* RFC 4648 6, without padding */
int base32_read(const char *text, uint8_t *out, size_t room, size_t *ret_len);
void time_write(int64_t unix_s, char out[25]);                 /* RFC 3339 */
int64_t time_read(const char *text);                           /* 0: none */
int64_t auth_now_s(void);
extern int64_t (*auth_clock_hook)(void);                       /* tests */
/* For log lines and the audit: what others sent, without control characters, quotes and bounded. */
void tame(const char *text, char *out, size_t out_bytes);
int sha256(const void *p, size_t len, uint8_t out[HASH_BYTES]);

/* ---- origin.c: did our own page make this request? ----------------------------------------------------------- */
/* Pure.  0; -EACCES with why. */
int origin_check(const struct auth_credentials *c, bool has_cookie, char *why, size_t why_bytes);
/* The value of a cookie in a Cookie header; false: it is not there, or there twice. */
bool cookie_find(const char *header, const char *name, char *out, size_t out_bytes);

/* ---- throttle.c: attempts per account and per address --------------------------------------------------------- */
#define THROTTLE_CAP_S 900
/* Seconds to wait before this address and account may try; 0: now.  Takes one attempt from the address. */
unsigned throttle_try(const char *address, const char *account);
/* After an attempt. */
void throttle_failed(const char *account);
void throttle_passed(const char *address, const char *account);
unsigned throttle_account_wait_s(const char *account);
void throttle_reset(void);

/* ---- password.c ------------------------------------------------------------------------------------------------ */
/* Compares, in the same time whether there is a hash (NULL: none) or not.  0 equal, -EACCES, -EBUSY no place to hash. */
int password_verify(const char *password, const char *hash);

/* ---- totp.c ------------------------------------------------------------------------------------------------------ */
/* RFC 6238 with SHA-1, 30 s, six digits. */
int totp_code(const uint8_t *secret, size_t len, uint64_t counter, char out[7]);
/* The counter that the code belongs to, within one step of now and after last; -EACCES. */
int totp_match(const uint8_t *secret, size_t len, const char *code, int64_t now_s, uint64_t last, uint64_t *ret_counter);
/* On the store's thread: is it a fresh code, or an unused recovery code, of this account?  Uses it up. */
int factor_use(struct config *db, const char *account_id, const char *code, const char *recovery_code, struct config_error *e);

/* ---- qr.c ---------------------------------------------------------------------------------------------------------- */
char *qr_svg(const char *text);          /* owned; NULL: built without */

/* ---- session.c ------------------------------------------------------------------------------------------------------- */
struct login *login_by_id(const char *id);                     /* lock held */
struct login *login_by_cookie(const char *cookie);             /* lock held; not expired */
bool login_is_expired(const struct login *l, int64_t now_s);
int logins_load(struct config *db, struct config_error *e);
void logins_free(void);
/* Those of accounts that are gone or disabled; lock held. */
void logins_drop_orphans(void);
/* New, in memory and in the store. */
int login_new(const struct auth_caller *caller, const char *account_id, struct auth_session *ret);
void login_touch(const char *id);        /* seen now; writes now and then */

/* ---- setup.c ----------------------------------------------------------------------------------------------------------- */
void setup_announce(void);               /* at the start, when there is no account */

#endif
