/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cert.c - the certificate that portals serve with, swapped while connections live; and those that answer
 * tls-alpn-01 while an authority looks (RFC 8737).
 *
 * Each handshake gets copies that GnuTLS frees itself, so a swap never pulls a key from under one.
 * Nothing is stored here: control has the certificates and installs the active one before a portal opens. */
#include "http/http_priv.h"

#include <stdio.h>
#include <string.h>

#include "tls/pki.h"
#include "tls/tls.h"

#define ALPN_HTTP "http/1.1"
#define ALPN_ACME "acme-tls/1"
#define TEMPORARY_DAYS 30u

struct pair {
	char *cert_pem, *key_pem;        /* owned */
};
struct challenge {
	struct list link;
	char *name;                      /* owned */
	struct pair pair;
};
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct pair served;               /* under lock */
static _Atomic(bool) served_is_public;
static struct list challenges = LIST_INIT(challenges); /* under lock */
static _Atomic(unsigned) challenge_count;

static void pair_done(struct pair *p)
{
	free(p->cert_pem);
	if (p->key_pem)
		tls_wipe(p->key_pem, strlen(p->key_pem));
	free(p->key_pem);
	*p = (struct pair){ 0 };
}

/* By the machine's own list of authorities. */
static bool is_public(const char *cert)
{
	gnutls_x509_trust_list_t list = NULL;
	gnutls_x509_crt_t *chain = NULL;
	const gnutls_datum_t text = { (unsigned char *)(uintptr_t)cert, cert ? (unsigned)strlen(cert) : 0 };
	unsigned count = 0, status = 1;

	if (!cert || gnutls_x509_trust_list_init(&list, 0) < 0)
		return false;
	if (gnutls_x509_trust_list_add_system_trust(list, 0, 0) <= 0 ||
	    gnutls_x509_crt_list_import2(&chain, &count, &text, GNUTLS_X509_FMT_PEM, 0) < 0 ||
	    gnutls_x509_trust_list_verify_crt(list, chain, count, 0, &status, NULL) < 0)
		status = 1;
	for (unsigned i = 0; chain && i < count; i++)
		gnutls_x509_crt_deinit(chain[i]);
	gnutls_free(chain);
	gnutls_x509_trust_list_deinit(list, 1);
	return status == 0;
}

bool cert_is_public(void)
{
	return atomic_load(&served_is_public);
}

/* takes both */
static void install(char *cert, char *key)
{
	atomic_store(&served_is_public, is_public(cert));
	pthread_rwlock_wrlock(&lock);
	pair_done(&served);
	served = (struct pair){ cert, key };
	pthread_rwlock_unlock(&lock);
}

/* Until control says which: who comes that early gets one that nobody knows. */
int cert_init(char *why, size_t why_bytes)
{
	static const char *const names[] = { "localhost" };
	char *cert, *key;
	int r = tls_self_signed(names, 1, TEMPORARY_DAYS, &cert, &key);

	if (r < 0)
		snprintf(why, why_bytes, "No certificate could be made: %s.", strerror(-r));
	else
		install(cert, key);
	return r;
}

int http_set_certificate(const char *cert, const char *key)
{
	char fingerprint[96] = "";
	int64_t until;

	if (tls_cert_matches_key(cert, key) < 0)
		return -EINVAL;
	char *cert_copy = strdup(cert), *key_copy = strdup(key);
	if (!cert_copy || !key_copy) {
		free(cert_copy);
		free(key_copy);
		return -ENOMEM;
	}
	install(cert_copy, key_copy);
	if (tls_cert_info(cert, &until, fingerprint) == 0)
		log_info(&log_http, "certificate installed", "sha256=%s", fingerprint);
	return 0;
}

/* ---- tls-alpn-01 ---------------------------------------------------------------------------------------------- */
static void challenge_free(struct challenge *c)
{
	list_del(&c->link);
	free(c->name);
	pair_done(&c->pair);
	free(c);
	atomic_fetch_sub(&challenge_count, 1);
}

static void challenge_remove(const char *name)
{
	struct challenge *c;

	list_for_each(c, &challenges, link)
		if (!name || strcasecmp(c->name, name) == 0)
			challenge_free(c);
}

int http_set_challenge(const char *name, const char *cert, const char *key)
{
	struct challenge *c = NULL;

	if (cert) {
		c = calloc(1, sizeof(*c));
		if (!c)
			return -ENOMEM;
		c->name = strdup(name);
		c->pair = (struct pair){ strdup(cert), strdup(key) };
		list_init(&c->link);
		atomic_fetch_add(&challenge_count, 1);
		if (!c->name || !c->pair.cert_pem || !c->pair.key_pem) {
			challenge_free(c);
			return -ENOMEM;
		}
	}
	pthread_rwlock_wrlock(&lock);
	challenge_remove(name);
	if (c)
		list_add_tail(&challenges, &c->link);
	pthread_rwlock_unlock(&lock);
	return 0;
}

/* The protocol is offered only while somebody is to be answered: to others it means nothing. */
void cert_session_begin(gnutls_session_t session)
{
	const gnutls_datum_t protocols[] = {
		{ (unsigned char *)ALPN_HTTP, sizeof(ALPN_HTTP) - 1 },
		{ (unsigned char *)ALPN_ACME, sizeof(ALPN_ACME) - 1 },
	};

	if (atomic_load(&challenge_count))
		gnutls_alpn_set_protocols(session, protocols, ARRAY_COUNT(protocols), 0);
}

/* With the lock held; NULL: it did not ask that way, or for nothing that we answer. */
static const struct pair *challenge_pair(gnutls_session_t session)
{
	gnutls_datum_t protocol;
	char name[256];
	size_t len = sizeof(name);
	unsigned type;
	struct challenge *c;

	if (gnutls_server_name_get(session, name, &len, &type, 0) != GNUTLS_E_SUCCESS || type != GNUTLS_NAME_DNS)
		return NULL;
	if (gnutls_alpn_get_selected_protocol(session, &protocol) != GNUTLS_E_SUCCESS || protocol.size != sizeof(ALPN_ACME) - 1 ||
	    memcmp(protocol.data, ALPN_ACME, protocol.size) != 0)
		return NULL;
	list_for_each(c, &challenges, link)
		if (strcasecmp(c->name, name) == 0)
			return &c->pair;
	return NULL;
}

void http_fingerprint(char out[96])
{
	int64_t until;

	pthread_rwlock_rdlock(&lock);
	if (!served.cert_pem || tls_cert_info(served.cert_pem, &until, out))
		out[0] = '\0';
	pthread_rwlock_unlock(&lock);
}

void cert_done(void)
{
	install(NULL, NULL);
	pthread_rwlock_wrlock(&lock);
	challenge_remove(NULL);
	pthread_rwlock_unlock(&lock);
}

/* ---- handshakes ------------------------------------------------------------------------------------------------ */
int cert_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **ret_certs,
		  unsigned *ret_count, gnutls_ocsp_data_st **ret_ocsp, unsigned *ret_ocsp_count,
		  gnutls_privkey_t *ret_key, unsigned *ret_flags)
{
	gnutls_x509_crt_t *chain = NULL;
	gnutls_privkey_t key = NULL;
	gnutls_pcert_st *certs = NULL;
	gnutls_datum_t cert_text, key_text;
	unsigned count = 0;
	int r = -1;

	const struct pair *pair = &served, *challenge;

	(void)info;
	pthread_rwlock_rdlock(&lock);
	challenge = list_is_empty(&challenges) ? NULL : challenge_pair(session);
	if (challenge)
		pair = challenge;
	if (pair->cert_pem && pair->key_pem) {
		cert_text = (gnutls_datum_t){ (unsigned char *)pair->cert_pem, (unsigned)strlen(pair->cert_pem) };
		key_text = (gnutls_datum_t){ (unsigned char *)pair->key_pem, (unsigned)strlen(pair->key_pem) };
		if (gnutls_x509_crt_list_import2(&chain, &count, &cert_text, GNUTLS_X509_FMT_PEM, 0) >= 0 &&
		    gnutls_privkey_init(&key) >= 0 &&
		    gnutls_privkey_import_x509_raw(key, &key_text, GNUTLS_X509_FMT_PEM, NULL, 0) >= 0)
			certs = gnutls_calloc(count, sizeof(*certs));
		if (certs)
			r = gnutls_pcert_import_x509_list(certs, chain, &count, 0);
	}
	pthread_rwlock_unlock(&lock);
	for (unsigned i = 0; chain && i < count; i++)
		gnutls_x509_crt_deinit(chain[i]);
	gnutls_free(chain);
	if (r < 0) {
		gnutls_free(certs);
		if (key)
			gnutls_privkey_deinit(key);
		return -1;
	}
	*ret_certs = certs;
	*ret_count = count;
	*ret_ocsp = NULL;
	*ret_ocsp_count = 0;
	*ret_key = key;
	*ret_flags = GNUTLS_CERT_RETR_DEINIT_ALL;
	return 0;
}
