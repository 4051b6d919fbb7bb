/* SPDX-License-Identifier: GPL-3.0-or-later */
/* csr.c - what a certificate authority is shown: requests (RFC 2986), and the certificate that answers
 * tls-alpn-01 (RFC 8737). */
#include "tls/tls_priv.h"

#include <string.h>

static void req_freep(X509_REQ **p) { X509_REQ_free(*p); }

static bool req_add_names(X509_REQ *req, const char *const *names, size_t count)
{
	_cleanup_(names_freep) GENERAL_NAMES *alt = GENERAL_NAMES_new();
	STACK_OF(X509_EXTENSION) *list = NULL;
	bool ok = alt != NULL;

	for (size_t i = 0; ok && i < count; i++)
		ok = names_add(alt, names[i]);
	ok = ok && X509V3_add1_i2d(&list, NID_subject_alt_name, alt, 0, X509V3_ADD_DEFAULT) == 1 &&
	     X509_REQ_add_extensions(req, list) == 1;
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return ok;
}

int tls_csr(const struct tls_key *k, const char *const *names, size_t count, uint8_t **ret_der, size_t *ret_len)
{
	_cleanup_(req_freep) X509_REQ *req = X509_REQ_new();
	unsigned char *der = NULL;
	const EVP_MD *md = k->type == TLS_KEY_ED25519 ? NULL : k->type == TLS_KEY_EC384 ? EVP_sha384() : EVP_sha256();

	if (!req)
		return -ENOMEM;
	/* No subject: authorities take the names from the extension and many refuse a long common name. */
	if (X509_REQ_set_version(req, 0) != 1 || X509_REQ_set_pubkey(req, k->pkey) != 1 ||
	    !req_add_names(req, names, count) || X509_REQ_sign(req, k->pkey, md) <= 0)
		return -EIO;
	int n = i2d_X509_REQ(req, &der);
	if (n <= 0)
		return -ENOMEM;
	uint8_t *copy = malloc((size_t)n);
	if (copy) {
		memcpy(copy, der, (size_t)n);
		*ret_der = copy;
		*ret_len = (size_t)n;
	}
	OPENSSL_free(der);
	return copy ? 0 : -ENOMEM;
}

/* id-pe-acmeIdentifier: a critical extension that holds an OCTET STRING of 32 bytes. */
static bool add_acme_identifier(X509 *x, const uint8_t digest[32])
{
	uint8_t value[34] = { 0x04, 0x20 };
	ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
	ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
	X509_EXTENSION *e = NULL;

	memcpy(value + 2, digest, 32);
	bool ok = oid && s && ASN1_OCTET_STRING_set(s, value, sizeof(value)) == 1;
	if (ok)
		e = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, s);
	ok = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(s);
	ASN1_OBJECT_free(oid);
	return ok;
}

int tls_alpn_certificate(const char *name, const uint8_t digest[32], char **ret_cert_pem, char **ret_key_pem)
{
	_cleanup_(pkey_freep) EVP_PKEY *key = key_make(TLS_KEY_EC256);
	_cleanup_(x509_freep) X509 *x = X509_new();
	_cleanup_(names_freep) GENERAL_NAMES *alt = GENERAL_NAMES_new();

	if (!key || !x || !alt)
		return -ENOMEM;
	X509_NAME *subject = X509_get_subject_name(x);
	if (!cert_begin(x, key, 7) ||
	    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)"ACME challenge", -1, -1, 0) != 1 ||
	    X509_set_issuer_name(x, subject) != 1 || !names_add(alt, name) ||
	    X509_add1_ext_i2d(x, NID_subject_alt_name, alt, 0, X509V3_ADD_DEFAULT) != 1 ||
	    !add_acme_identifier(x, digest) || X509_sign(x, key, EVP_sha256()) <= 0)
		return -EIO;
	return pair_write(x, key, ret_cert_pem, ret_key_pem);
}
