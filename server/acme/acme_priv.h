/* SPDX-License-Identifier: GPL-3.0-or-later */
/* acme_priv.h - what the files of acme/ share: a conversation with one authority, challenges, DNS. */
#ifndef HOLDFAST_ACME_PRIV_H
#define HOLDFAST_ACME_PRIV_H

#include <jansson.h>

#include "acme/acme.h"
#include "core/log.h"
#include "outbound/outbound.h"

extern struct log_topic log_acme;

#define ACME_URL_MAX 2048
#define ACME_NONCE_MAX 512

/* ---- one conversation, session.c -------------------------------------------------------------------- */
struct session {
	const struct acme_ca *ca;
	const struct acme_hooks *hooks;
	struct acme_error *e;
	struct tls_key *key;             /* of the account */
	json_t *directory;
	char kid[ACME_URL_MAX];          /* the account's address; "" as long as it is not known */
	char nonce[ACME_NONCE_MAX];
	uint64_t deadline_ms;            /* of the whole conversation */
};
struct reply {
	long status;
	json_t *json;                    /* owned; NULL: no JSON */
	struct outbound_answer raw;
};
/* Reads the directory. */
int session_open(struct session *s, const struct acme_ca *ca, const struct acme_hooks *h, struct acme_error *e);
void session_close(struct session *s);
/* The address of a resource ("newOrder"); NULL: the directory has none. */
const char *session_resource(const struct session *s, const char *name);
/* Signed with the account's key.  payload NULL: POST-as-GET.  Success: a status below 400. */
int session_post(struct session *s, const char *url, const json_t *payload, struct reply *ret_reply);
/* The same for a resource of the directory; signer NULL: the account's key; with_jwk: name the key, not the account. */
int session_post_signed(struct session *s, const char *url, const json_t *payload, const struct tls_key *signer, bool with_jwk,
			struct reply *ret_reply);
int session_get(struct session *s, const char *url, struct reply *ret_reply); /* unsigned */
void reply_done(struct reply *r);
/* -ECANCELED, -ETIMEDOUT (the conversation's deadline). */
int session_wait(struct session *s, unsigned ms);
int session_fail(struct session *s, int code, const char *fmt, ...) _printf_(3, 4);
/* A problem document becomes e's words. */
void problem_tell(struct acme_error *e, const json_t *problem, long status, const char *doing);
bool problem_is(const struct acme_error *e, const char *type);
void session_progress(struct session *s, int percent, const char *fmt, ...) _printf_(3, 4);
uint64_t acme_now_ms(void);

/* ---- account.c ---- */
int account_ensure(struct session *s);   /* sets kid */

/* ---- jws.c: pure ------------------------------------------------------------------------------------- */
struct jws {
	const struct tls_key *key;
	const char *kid;                 /* NULL: the key itself is named */
	const char *nonce;               /* NULL: none (inner signatures) */
	const char *url;
	const char *payload;             /* text; "" for POST-as-GET */
};
char *jws_sign(const struct jws *j);     /* returns owned JSON text; NULL: no memory, or a key that cannot */
/* External account binding, RFC 8555 7.3.4; returns owned.  -EINVAL: the key is not base64url. */
int jws_eab(const struct tls_key *account, const char *kid, const char *hmac, const char *url, json_t **ret_json);
/* "token.thumbprint"; owned. */
char *jws_key_authorization(const struct tls_key *account, const char *token);

/* ---- challenges ---------------------------------------------------------------------------------------- */
/* http01.c: answers for token on the port until taken back; the listener lives while any token does. */
int http01_show(uint16_t port, const char *token, const char *key_auth, char *why, size_t why_bytes);
void http01_hide(const char *token);

/* dns.c: sets and removes one TXT record by the method of d. */
int dns_set(struct session *s, const struct acme_dns *d, const char *record, const char *value);
void dns_unset(struct session *s, const struct acme_dns *d, const char *record, const char *value);

/* ---- DNS UPDATE, dns_message.c: pure ------------------------------------------------------------------- */
#define DNS_MESSAGE_MAX 4096
struct dns_tsig {
	const char *key_name, *algorithm;
	uint8_t secret[256];
	size_t secret_len;
	uint8_t mac[64];                 /* of the request, for the check of the answer */
	size_t mac_len;
};
/* RFC 2136 UPDATE that adds (or deletes) record TXT value in zone; signed when tsig is not NULL (RFC 8945).
 * Length, or -EINVAL: a name that DNS does not take. */
int dns_update_build(uint16_t id, const char *zone, const char *record, const char *value, bool add, uint64_t now_unix_s,
		     struct dns_tsig *tsig, uint8_t out[DNS_MESSAGE_MAX]);
struct dns_verdict {
	unsigned rcode;
	unsigned tsig_error;             /* 16 BADSIG, 17 BADKEY, 18 BADTIME */
};
/* -EBADMSG: no answer to that, or its signature is missing or wrong. */
int dns_answer_parse(const uint8_t *msg, size_t len, uint16_t id, const struct dns_tsig *tsig, struct dns_verdict *ret_verdict);
const char *dns_rcode_text(unsigned rcode);
bool dns_algorithm_known(const char *algorithm);

/* ---- child processes, child.c ------------------------------------------------------------------------- */
struct child {
	const char *path;
	const char *const *argv, *const *envp; /* NULL-terminated */
	unsigned timeout_s;
	bool ignores_cancel;             /* cleaning up */
	char output[8192];               /* its last words, both streams */
};
/* Exit status, or -errno (-ECANCELED, -ETIMEDOUT: it was killed). */
int child_run(struct session *s, struct child *c);

/* ---- lego.c ---- */
int lego_order(struct session *s, const struct acme_wish *w, const struct tls_key *key, char **ret_chain);

#endif
