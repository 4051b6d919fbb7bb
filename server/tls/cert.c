/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cert.c - certificates of the page: make a self-signed one, say what a given one is.  RFC 5280. */
#include "tls/tls_priv.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/library.h"

static const char *openssl_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION_STRING);
}
LIBRARY(openssl, "OpenSSL", "Apache-2.0", openssl_version)

/* One subjectAltName: an address as iPAddress, anything else as dNSName. */
bool names_add(GENERAL_NAMES *names, const char *name)
{
	uint8_t addr[16];
	int addr_len = inet_pton(AF_INET, name, addr) == 1    ? 4
		       : inet_pton(AF_INET6, name, addr) == 1 ? 16
							      : 0;
	GENERAL_NAME *gn = GENERAL_NAME_new();
	ASN1_STRING *s = addr_len ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
	if (!gn || !s ||
	    ASN1_STRING_set(s, addr_len ? (const void *)addr : name, addr_len ? addr_len : -1) != 1) {
		GENERAL_NAME_free(gn);
		ASN1_STRING_free(s);
		return false;
	}
	GENERAL_NAME_set0_value(gn, addr_len ? GEN_IPADD : GEN_DNS, s);
	if (sk_GENERAL_NAME_push(names, gn) > 0)
		return true;
	GENERAL_NAME_free(gn);
	return false;
}

bool cert_extend(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

bool cert_begin(X509 *x, EVP_PKEY *key, unsigned days)
{
	uint8_t serial[16];
	if (tls_random(serial, sizeof(serial)) < 0)
		return false;
	serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, never zero; RFC 5280 4.1.2.2 */
	BIGNUM *bn = BN_bin2bn(serial, sizeof(serial), NULL);
	bool ok = bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x));
	BN_free(bn);
	/* A minute back: the client's clock may be behind ours. */
	return ok && X509_set_version(x, 2) == 1 && X509_gmtime_adj(X509_getm_notBefore(x), -60) &&
	       X509_gmtime_adj(X509_getm_notAfter(x), (long)days * 86400) && X509_set_pubkey(x, key) == 1;
}

static bool cert_fill(X509 *x, EVP_PKEY *key, const char *const *names, size_t count, unsigned days)
{
	bool ok = cert_begin(x, key, days);
	X509_NAME *subject = X509_get_subject_name(x);
	const char *cn = count && strlen(names[0]) <= 64 ? names[0] : "holdfast"; /* ub-common-name */
	ok = ok &&
	     X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const uint8_t *)"Holdfast (self-signed)", -1, -1, 0) == 1 &&
	     X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)cn, -1, -1, 0) == 1 &&
	     X509_set_issuer_name(x, subject) == 1 &&
	     cert_extend(x, NID_basic_constraints, "critical,CA:FALSE") &&
	     cert_extend(x, NID_key_usage, "critical,digitalSignature") &&
	     cert_extend(x, NID_ext_key_usage, "serverAuth") &&
	     cert_extend(x, NID_subject_key_identifier, "hash");
	_cleanup_(names_freep) GENERAL_NAMES *alt = GENERAL_NAMES_new();
	ok = ok && alt;
	for (size_t i = 0; ok && i < count; i++)
		ok = names_add(alt, names[i]);
	ok = ok && (!count || X509_add1_ext_i2d(x, NID_subject_alt_name, alt, 0, X509V3_ADD_DEFAULT) == 1);
	return ok && X509_sign(x, key, EVP_sha256()) > 0;
}

char *bio_text(BIO *b)
{
	char *p;
	long len = BIO_get_mem_data(b, &p);
	char *text = malloc((size_t)len + 1);
	if (!text)
		return NULL;
	memcpy(text, p, (size_t)len);
	text[len] = '\0';
	return text;
}

int tls_self_signed(const char *const *names, size_t count, unsigned days, char **ret_cert_pem, char **ret_key_pem)
{
	_cleanup_(pkey_freep) EVP_PKEY *key = key_make(TLS_KEY_EC256);
	_cleanup_(x509_freep) X509 *x = X509_new();
	if (!key || !x)
		return -ENOMEM;
	return cert_fill(x, key, names, count, days) ? pair_write(x, key, ret_cert_pem, ret_key_pem) : -EIO;
}

int pair_write(X509 *x, EVP_PKEY *key, char **ret_cert_pem, char **ret_key_pem)
{
	_cleanup_(bio_freep) BIO *b = BIO_new(BIO_s_mem());
	_cleanup_(freep) char *cert_pem = NULL;
	if (!b)
		return -ENOMEM;
	if (PEM_write_bio_X509(b, x) != 1)
		return -EIO;
	cert_pem = bio_text(b);
	if (!cert_pem)
		return -ENOMEM;
	int r = key_write(key, ret_key_pem);
	if (r == 0)
		*ret_cert_pem = TAKE(cert_pem);
	return r;
}

X509 *cert_parse(const char *pem)
{
	_cleanup_(bio_freep) BIO *b = BIO_new_mem_buf(pem, -1);
	return b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
}

int tls_cert_info(const char *cert_pem, int64_t *ret_not_after_unix_s, char fingerprint[96])
{
	_cleanup_(x509_freep) X509 *x = cert_parse(cert_pem);
	struct tm tm = { 0 };
	uint8_t md[TLS_HASH_MAX];
	unsigned len = 0;
	if (!x || ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1 ||
	    X509_digest(x, EVP_sha256(), md, &len) != 1 || len != 32)
		return -EINVAL;
	for (unsigned i = 0; i < len; i++)
		snprintf(fingerprint + 3 * i, 4, "%02X%s", md[i], i + 1 < len ? ":" : "");
	*ret_not_after_unix_s = (int64_t)timegm(&tm);
	return 0;
}

int tls_cert_matches_key(const char *cert_pem, const char *key_pem)
{
	_cleanup_(x509_freep) X509 *x = cert_parse(cert_pem);
	_cleanup_(bio_freep) BIO *b = BIO_new_mem_buf(key_pem, -1);
	if (!x || !b)
		return -EINVAL;
	/* An empty passphrase instead of a prompt on the terminal. */
	_cleanup_(pkey_freep) EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, NULL, (void *)"");
	return key && X509_check_private_key(x, key) == 1 ? 0 : -EINVAL;
}
