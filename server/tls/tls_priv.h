/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_priv.h - what the files of tls/ share: OpenSSL objects that clean up, names, PEM texts. */
#ifndef HOLDFAST_TLS_PRIV_H
#define HOLDFAST_TLS_PRIV_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "tls/pki.h"
#include "tls/tls.h"

static inline void x509_freep(X509 **p) { X509_free(*p); }
static inline void pkey_freep(EVP_PKEY **p) { EVP_PKEY_free(*p); }
static inline void bio_freep(BIO **p) { BIO_free(*p); }
static inline void names_freep(GENERAL_NAMES **p) { GENERAL_NAMES_free(*p); }

/* ---- psk.c: HKDF-Expand-Label, RFC 8446 7.1 ---- */
int tls_expand_label(enum tls_hash h, const uint8_t *secret, const char *label, const void *context, size_t context_bytes, uint8_t *out,
		     size_t out_bytes) _must_check_;

/* ---- session.c: traffic secrets, borrowed; false: bytes of the client are still in here ---- */
struct tls_session;
struct tls_secrets {
	const uint8_t *client, *server;
	size_t len_bytes;
};
bool tls_session_secrets(struct tls_session *s, struct tls_secrets *ret_secrets) _must_check_;

struct tls_key {
	EVP_PKEY *pkey;
	enum tls_key_type type;
};

/* ---- cert.c ---- */
bool names_add(GENERAL_NAMES *names, const char *name);
bool cert_extend(X509 *x, int nid, const char *value);
/* Serial number, validity from a minute ago, public key. */
bool cert_begin(X509 *x, EVP_PKEY *key, unsigned days);
int pair_write(X509 *x, EVP_PKEY *key, char **ret_cert_pem, char **ret_key_pem);
X509 *cert_parse(const char *pem);
char *bio_text(BIO *b);                  /* returns owned; NULL without memory */

/* ---- key.c ---- */
EVP_PKEY *key_make(enum tls_key_type type);
EVP_PKEY *key_parse(const char *pem);    /* never asks for a passphrase */
enum tls_key_type key_type_of(EVP_PKEY *key);
int key_write(EVP_PKEY *key, char **ret_pem);

#endif
