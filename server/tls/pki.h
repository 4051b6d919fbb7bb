/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pki.h - the second door of tls/: key pairs and what signs with them, certificate requests, chains
 * and what is wrong with them.  Everything is PEM text or bytes; pure, any thread. */
#ifndef HOLDFAST_TLS_PKI_H
#define HOLDFAST_TLS_PKI_H

#include "core/base.h"

/* ---- keys ------------------------------------------------------------------------------------------- */
enum tls_key_type {
	TLS_KEY_EC256, TLS_KEY_EC384, TLS_KEY_EC521, TLS_KEY_RSA2048, TLS_KEY_RSA3072, TLS_KEY_RSA4096,
	TLS_KEY_ED25519, TLS_KEY_OTHER, TLS_KEY_TYPES
};
const char *tls_key_type_name(enum tls_key_type t);      /* "ec256", "rsa2048", .. */
enum tls_key_type tls_key_type_by_name(const char *name); /* TLS_KEY_TYPES: none */
struct tls_key;
/* A fresh pair.  -ENOTSUP: TLS_KEY_OTHER, or refused by the library. */
int tls_key_new(enum tls_key_type t, struct tls_key **ret_key) _must_check_;
/* -EINVAL: no private key in PEM; -ENOKEY: protected by a passphrase. */
int tls_key_load(const char *pem, struct tls_key **ret_key) _must_check_;
void tls_key_free(struct tls_key *k);
DEFINE_FREEP(struct tls_key, tls_key_free)
int tls_key_pem(const struct tls_key *k, char **ret_pem) _must_check_; /* PKCS #8; returns owned */

/* The older form of EC and RSA keys (SEC 1, PKCS #1), which some programs want; returns owned. */
int tls_key_pem_traditional(const struct tls_key *k, char **ret_pem) _must_check_;

/* JSON web keys and signatures, RFC 7515, 7517, 7518: EC P-256 and P-384, RSA. */
const char *tls_key_jws_alg(const struct tls_key *k);    /* "ES256", "ES384", "RS256"; NULL: cannot */
/* The public key with its members in the order of RFC 7638; returns owned.  -ENOTSUP */
int tls_key_jwk(const struct tls_key *k, char **ret_json) _must_check_;
#define TLS_JWS_SIGNATURE_MAX 512
int tls_key_jws_sign(const struct tls_key *k, const void *data, size_t len_bytes,
		     uint8_t out[TLS_JWS_SIGNATURE_MAX], size_t *ret_len) _must_check_;

/* ---- requests and certificates ------------------------------------------------------------------------ */
/* PKCS #10 request with the names as subjectAltName (DNS names, wildcards, addresses); DER, owned. */
int tls_csr(const struct tls_key *k, const char *const *names, size_t count, uint8_t **ret_der,
	    size_t *ret_len) _must_check_;
/* The self-signed certificate that answers tls-alpn-01 for a name, RFC 8737 3; PEM, owned. */
int tls_alpn_certificate(const char *name, const uint8_t digest[32], char **ret_cert_pem, char **ret_key_pem) _must_check_;

struct tls_cert_facts {
	char **names;                    /* DNS names and addresses of subjectAltName; owned */
	size_t name_count;
	char issuer[256], subject[256];  /* common name, or else the organisation */
	int64_t not_before_unix_s, not_after_unix_s;
	char fingerprint[96];            /* SHA-256, "AB:CD:.." */
	enum tls_key_type key_type;
	bool is_self_signed;
	char ari_id[128];                /* RFC 9773 4.1; "" when it has none */
};
/* Of the first certificate.  -EINVAL: not one. */
int tls_cert_facts(const char *chain_pem, struct tls_cert_facts *ret_facts) _must_check_;
void tls_cert_facts_done(struct tls_cert_facts *f);
/* Does a certificate for pattern ("*.example.org") stand for name?  RFC 6125 6.4.3 */
bool tls_name_matches(const char *pattern, const char *name);
/* DER of the first certificate; owned. */
int tls_cert_der(const char *chain_pem, uint8_t **ret_der, size_t *ret_len) _must_check_;
/* Who issued the last certificate of a chain: common name.  -EINVAL */
int tls_chain_root_name(const char *chain_pem, char *out, size_t out_bytes) _must_check_;

enum tls_pair_part { TLS_PAIR_CHAIN, TLS_PAIR_KEY };
/* Is the pair fit to serve: readable, the key's own, leaf first and each issued by the next, valid at
 * now, strong enough, for servers, with names.  -EINVAL with the part at fault and a sentence. */
int tls_pair_check(const char *chain_pem, const char *key_pem, int64_t now_unix_s, enum tls_pair_part *ret_part,
		   char *why, size_t why_bytes) _must_check_;

#endif
