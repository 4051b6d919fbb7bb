/* SPDX-License-Identifier: GPL-3.0-or-later */
/* acme.h - the door of acme/: an ACME client (RFC 8555) that gets certificates from an authority.
 *
 * Calls block (an order takes seconds to minutes) and run on a thread that may wait.  Nothing is stored
 * here and nothing that serves is touched: what was issued is handed back, and a failure leaves no trace
 * but its words.  Any number of calls may run at once. */
#ifndef HOLDFAST_ACME_ACME_H
#define HOLDFAST_ACME_ACME_H

#include "core/base.h"
#include "tls/pki.h"

struct acme_error {
	int code;                        /* -errno; 0: none */
	char why[1024];                  /* a sentence, with the authority's own words */
	char problem[4096];              /* the authority's problem document (JSON text), or "" */
	unsigned retry_after_s;          /* the authority asks to wait this long; 0: it did not say */
};

struct acme_hooks {
	void *arg;
	bool (*is_cancelled)(void *arg);
	void (*progress)(void *arg, int percent, const char *text);
	/* Show this certificate to whoever asks for name by tls-alpn-01; cert_pem NULL: no longer. */
	int (*tls_alpn)(void *arg, const char *name, const char *cert_pem, const char *key_pem, char *why, size_t why_bytes);
};

/* An authority and our account there.  Everything is borrowed during a call. */
struct acme_ca {
	const char *directory;           /* a known name ("letsencrypt") or an https:// address */
	const char *ca_pem;              /* trust for the directory itself; NULL: the system's */
	const char *key_pem;             /* the account's key */
	const char *account_url;         /* NULL: not known */
	const char *email;               /* NULL: none */
	const char *eab_kid, *eab_hmac;  /* external account binding; NULL: none */
	bool terms_agreed;
};
/* The address behind a name; an address is itself; NULL: neither. */
const char *acme_directory_url(const char *directory);
/* The directory to rehearse with: of the same operator, where nothing counts against limits; NULL: none. */
const char *acme_staging_of(const char *directory);

enum acme_challenge { ACME_HTTP_01, ACME_TLS_ALPN_01, ACME_DNS_01 };
enum acme_dns_method { ACME_DNS_RFC2136, ACME_DNS_SCRIPT, ACME_DNS_LEGO };
struct acme_dns {
	enum acme_dns_method method;
	const char *server;              /* RFC2136: name or address of the primary server */
	uint16_t port;                   /* 0: 53 */
	const char *zone;                /* NULL: found by asking for shorter and shorter names */
	const char *key_name;            /* of TSIG; NULL: unsigned */
	const char *algorithm;           /* "hmac-sha256" (also when NULL), "hmac-sha384", "hmac-sha512" */
	const char *alias;               /* where _acme-challenge.NAME is a CNAME to; NULL: itself */
	unsigned wait_s;                 /* from the record being set to asking the authority to look */
	const char *script;              /* SCRIPT: absolute path of the program */
	const char *provider, *resolvers; /* LEGO */
	const char *secret;              /* TSIG key in base64; SCRIPT: its DNS_SECRET; LEGO: lines NAME=VALUE */
};

struct acme_wish {
	const char *const *names;
	size_t name_count;
	enum acme_challenge challenge;
	struct acme_dns dns;
	uint16_t http_port;              /* where http-01 is answered: 80, but for tests */
	enum tls_key_type key_type;
	const char *profile, *preferred_chain, *replaces; /* NULL: none; replaces: acme id of the one before */
	const char *work_dir;            /* a folder of our own for lego */
};
struct acme_issued {
	char *chain_pem, *key_pem;       /* owned */
	char *account_url;               /* as it is now; owned, NULL with lego */
};
/* Account, order, authorizations, challenges, request of a fresh key, chain, checked against the wish. */
int acme_order(const struct acme_ca *ca, const struct acme_wish *w, const struct acme_hooks *h, struct acme_issued *ret_issued,
	       struct acme_error *e) _must_check_;
void acme_issued_done(struct acme_issued *i);

/* Makes the account, or finds it by its key; owned address. */
int acme_register(const struct acme_ca *ca, const struct acme_hooks *h, char **ret_url, struct acme_error *e) _must_check_;
/* The account answers to new_key_pem from then on. */
int acme_rollover(const struct acme_ca *ca, const char *new_key_pem, const struct acme_hooks *h, struct acme_error *e) _must_check_;
int acme_deactivate(const struct acme_ca *ca, const struct acme_hooks *h, struct acme_error *e) _must_check_;
/* reason: RFC 5280 5.3.1.  Signed by the certificate's own key. */
int acme_revoke(const struct acme_ca *ca, const char *chain_pem, const char *cert_key_pem, unsigned reason, const struct acme_hooks *h,
		struct acme_error *e) _must_check_;

struct acme_window {
	int64_t start_unix_s, end_unix_s;
	unsigned ask_again_s;
	char explanation[512];           /* address of a page, or "" */
};
/* When the authority wants a certificate renewed, RFC 9773.  -ENOTSUP: it does not say. */
int acme_renewal_info(const struct acme_ca *ca, const char *chain_pem, const struct acme_hooks *h, struct acme_window *ret_window,
		      struct acme_error *e) _must_check_;

/* For whoever checks input: NULL, or what is wrong with it. */
const char *acme_name_wrong(const char *name, enum acme_challenge c);

#endif
