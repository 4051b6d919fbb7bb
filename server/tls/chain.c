/* SPDX-License-Identifier: GPL-3.0-or-later */
/* chain.c - chains of certificates: facts, and what is wrong with one that somebody brings.  RFC 5280. */
#include "tls/tls_priv.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base64.h"

#define CHAIN_MAX 10
#define NAMES_MAX 200

struct chain {
	X509 *cert[CHAIN_MAX];
	size_t count;
};
static void chain_done(struct chain *c)
{
	for (size_t i = 0; i < c->count; i++)
		X509_free(c->cert[i]);
	c->count = 0;
}

/* -EINVAL none, or one cannot be read (count tells how many could); -E2BIG */
static int chain_parse(const char *pem, struct chain *ret)
{
	_cleanup_(bio_freep) BIO *b = BIO_new_mem_buf(pem, -1);
	int r = b ? 0 : -ENOMEM;

	ret->count = 0;
	while (r == 0) {
		X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
		if (!x) {
			/* "No start line" is the end; anything else a block that cannot be read. */
			unsigned long e = ERR_peek_last_error();
			r = ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE && ret->count ? 1 : -EINVAL;
		} else if (ret->count == CHAIN_MAX) {
			X509_free(x);
			r = -E2BIG;
		} else {
			ret->cert[ret->count++] = x;
		}
	}
	ERR_clear_error();
	return r > 0 ? 0 : r;
}

static void common_name(X509_NAME *n, char *out, size_t out_bytes)
{
	if (X509_NAME_get_text_by_NID(n, NID_commonName, out, (int)out_bytes) < 0 &&
	    X509_NAME_get_text_by_NID(n, NID_organizationName, out, (int)out_bytes) < 0)
		snprintf(out, out_bytes, "(no name)");
	for (char *p = out; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
}

static int64_t unix_time(const ASN1_TIME *t)
{
	struct tm tm = { 0 };

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* ---- names -------------------------------------------------------------------------------------------------- */
static char *name_text(const GENERAL_NAME *n)
{
	int type;
	const ASN1_STRING *s = GENERAL_NAME_get0_value(n, &type);
	const uint8_t *p = ASN1_STRING_get0_data(s);
	size_t len = (size_t)ASN1_STRING_length(s);
	char text[INET6_ADDRSTRLEN];

	if (type == GEN_IPADD)
		return (len == 4 || len == 16) && inet_ntop(len == 4 ? AF_INET : AF_INET6, p, text, sizeof(text)) ? strdup(text) : NULL;
	if (type != GEN_DNS || !len || len > 255)
		return NULL;
	for (size_t i = 0; i < len; i++)
		if (p[i] <= 0x20 || p[i] >= 0x7f)
			return NULL;             /* a NUL inside would cut the name */
	return strndup((const char *)p, len);
}

static int names_of(X509 *x, char ***ret_names, size_t *ret_count)
{
	_cleanup_(names_freep) GENERAL_NAMES *alt = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	int n = alt ? sk_GENERAL_NAME_num(alt) : 0;
	char **names = calloc((size_t)n + 1, sizeof(*names));
	size_t count = 0;

	if (!names)
		return -ENOMEM;
	for (int i = 0; i < n && count < NAMES_MAX; i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(alt, i);
		char *text = g->type == GEN_DNS || g->type == GEN_IPADD ? name_text(g) : NULL;
		if (text)
			names[count++] = text;
	}
	*ret_names = names;
	*ret_count = count;
	return 0;
}

bool tls_name_matches(const char *pattern, const char *name)
{
	const char *rest;

	if (strcasecmp(pattern, name) == 0)
		return true;
	rest = strchr(name, '.');
	return strncmp(pattern, "*.", 2) == 0 && rest && rest != name && strcasecmp(pattern + 1, rest) == 0;
}

/* ---- facts -------------------------------------------------------------------------------------------------- */
/* RFC 9773 4.1: the authority key identifier and the serial number, as base64url, with a point. */
static void ari_id(X509 *x, char *out, size_t out_bytes)
{
	AUTHORITY_KEYID *akid = X509_get_ext_d2i(x, NID_authority_key_identifier, NULL, NULL);
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
	uint8_t buf[40];
	size_t n = (size_t)ASN1_STRING_length(serial), lead = 0;

	out[0] = '\0';
	if (akid && akid->keyid && n && n < sizeof(buf)) {
		const uint8_t *p = ASN1_STRING_get0_data(serial);
		/* As it stands in DER: a leading zero when the top bit is set. */
		if (p[0] & 0x80)
			buf[lead++] = 0;
		memcpy(buf + lead, p, n);
		_cleanup_(freep) char *key = base64url(ASN1_STRING_get0_data(akid->keyid), (size_t)ASN1_STRING_length(akid->keyid));
		_cleanup_(freep) char *number = base64url(buf, n + lead);
		if (key && number && strlen(key) + strlen(number) + 2 <= out_bytes)
			snprintf(out, out_bytes, "%s.%s", key, number);
	}
	AUTHORITY_KEYID_free(akid);
}

int tls_cert_facts(const char *chain_pem, struct tls_cert_facts *f)
{
	_cleanup_(x509_freep) X509 *x = cert_parse(chain_pem);
	int64_t until;
	int r = x ? tls_cert_info(chain_pem, &until, f->fingerprint) : -EINVAL;

	ERR_clear_error();
	if (r == 0)
		r = names_of(x, &f->names, &f->name_count);
	if (r < 0)
		return r;
	common_name(X509_get_issuer_name(x), f->issuer, sizeof(f->issuer));
	common_name(X509_get_subject_name(x), f->subject, sizeof(f->subject));
	f->not_before_unix_s = unix_time(X509_get0_notBefore(x));
	f->not_after_unix_s = until;
	f->key_type = X509_get0_pubkey(x) ? key_type_of(X509_get0_pubkey(x)) : TLS_KEY_OTHER;
	f->is_self_signed = X509_NAME_cmp(X509_get_issuer_name(x), X509_get_subject_name(x)) == 0;
	ari_id(x, f->ari_id, sizeof(f->ari_id));
	return 0;
}

void tls_cert_facts_done(struct tls_cert_facts *f)
{
	for (size_t i = 0; i < f->name_count; i++)
		free(f->names[i]);
	free(TAKE(f->names));
	f->name_count = 0;
}

int tls_cert_der(const char *chain_pem, uint8_t **ret_der, size_t *ret_len)
{
	_cleanup_(x509_freep) X509 *x = cert_parse(chain_pem);
	unsigned char *der = NULL;
	int n = x ? i2d_X509(x, &der) : -1;

	ERR_clear_error();
	if (n <= 0)
		return -EINVAL;
	*ret_der = malloc((size_t)n);
	if (*ret_der)
		memcpy(*ret_der, der, (size_t)n);
	OPENSSL_free(der);
	*ret_len = (size_t)n;
	return *ret_der ? 0 : -ENOMEM;
}

int tls_chain_root_name(const char *chain_pem, char *out, size_t out_bytes)
{
	_cleanup_(chain_done) struct chain c;
	int r = chain_parse(chain_pem, &c);

	if (r == 0)
		common_name(X509_get_issuer_name(c.cert[c.count - 1]), out, out_bytes);
	return r;
}

/* ---- fit to serve? ----------------------------------------------------------------------------------------- */
struct verdict {
	enum tls_pair_part part;
	char *why;
	size_t why_bytes;
};
static int bad(struct verdict *v, enum tls_pair_part part, const char *fmt, ...) _printf_(3, 4);
static int bad(struct verdict *v, enum tls_pair_part part, const char *fmt, ...)
{
	va_list ap;

	v->part = part;
	va_start(ap, fmt);
	vsnprintf(v->why, v->why_bytes, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int check_order(const struct chain *c, struct verdict *v)
{
	char a[128], b[128];

	for (size_t i = 0; i + 1 < c->count; i++) {
		if (X509_check_issued(c->cert[i + 1], c->cert[i]) == X509_V_OK && X509_verify(c->cert[i], X509_get0_pubkey(c->cert[i + 1])) == 1)
			continue;
		ERR_clear_error();
		common_name(X509_get_subject_name(c->cert[i]), a, sizeof(a));
		common_name(X509_get_subject_name(c->cert[i + 1]), b, sizeof(b));
		return bad(v, TLS_PAIR_CHAIN, "certificate %zu (%s) is not issued by certificate %zu (%s): put the server's own first, then the one that issued it, and so on", i + 1, a, i + 2, b);
	}
	return 0;
}

static int check_strength(const struct chain *c, struct verdict *v)
{
	for (size_t i = 0; i < c->count; i++) {
		X509 *x = c->cert[i];
		EVP_PKEY *key = X509_get0_pubkey(x);
		int md = NID_undef, bits = key ? EVP_PKEY_bits(key) : 0, id = key ? EVP_PKEY_base_id(key) : 0;
		bool is_root = X509_NAME_cmp(X509_get_issuer_name(x), X509_get_subject_name(x)) == 0;

		if (!key || (id == EVP_PKEY_RSA && bits < 2048) || (id == EVP_PKEY_EC && bits < 256) || (id != EVP_PKEY_RSA && id != EVP_PKEY_EC && id != EVP_PKEY_ED25519))
			return bad(v, TLS_PAIR_CHAIN, "the key of certificate %zu is too weak or of a kind that browsers refuse (%d bits): use RSA with 2048 bits or more, or an elliptic curve", i + 1, bits);
		/* Nobody checks the signature of a root on itself. */
		if (X509_get_signature_info(x, &md, NULL, NULL, NULL) == 1 && !is_root && (md == NID_md5 || md == NID_sha1))
			return bad(v, TLS_PAIR_CHAIN, "certificate %zu is signed with %s, which browsers refuse", i + 1, OBJ_nid2sn(md));
	}
	return 0;
}

static int check_leaf(X509 *x, int64_t now, struct verdict *v)
{
	char when[32] = "";
	time_t t = (time_t)unix_time(X509_get0_notAfter(x));
	struct tm tm;
	char **names;
	size_t count;

	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M UTC", &tm);
	if ((int64_t)t <= now)
		return bad(v, TLS_PAIR_CHAIN, "the certificate has expired (%s)", when);
	if (unix_time(X509_get0_notBefore(x)) > now + 300)
		return bad(v, TLS_PAIR_CHAIN, "the certificate is not valid yet; is the clock of this machine right?");
	if (X509_check_purpose(x, X509_PURPOSE_SSL_SERVER, 0) != 1)
		return bad(v, TLS_PAIR_CHAIN, "the first certificate may not be used by servers (its key usage says so)");
	if (names_of(x, &names, &count) < 0)
		return bad(v, TLS_PAIR_CHAIN, "there is no memory to look at the names");
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
	if (!count)
		return bad(v, TLS_PAIR_CHAIN, "the certificate has no names (subjectAltName), so every browser would refuse it");
	return 0;
}

static int pair_check(const char *chain_pem, const char *key_pem, int64_t now, struct verdict *v)
{
	_cleanup_(chain_done) struct chain c;
	_cleanup_(tls_key_freep) struct tls_key *key = NULL;
	int r = chain_parse(chain_pem, &c);

	if (r == -E2BIG)
		return bad(v, TLS_PAIR_CHAIN, "there are more than %d certificates", CHAIN_MAX);
	if (r < 0)
		return bad(v, TLS_PAIR_CHAIN, c.count ? "certificate %zu cannot be read" : "this is no certificate in PEM (it begins with -----BEGIN CERTIFICATE-----)", c.count + 1);
	r = tls_key_load(key_pem, &key);
	ERR_clear_error();
	if (r == -ENOKEY)
		return bad(v, TLS_PAIR_KEY, "the key is protected by a passphrase; take it off first: openssl pkey -in FILE -out NEW");
	if (r < 0)
		return bad(v, TLS_PAIR_KEY, "this is no private key in PEM (it begins with -----BEGIN PRIVATE KEY-----)");
	if (X509_check_private_key(c.cert[0], key->pkey) != 1) {
		ERR_clear_error();
		for (size_t i = 1; i < c.count; i++)
			if (X509_check_private_key(c.cert[i], key->pkey) == 1)
				return bad(v, TLS_PAIR_CHAIN, "the key belongs to certificate %zu: put that one first", i + 1);
		ERR_clear_error();
		return bad(v, TLS_PAIR_KEY, "the key does not belong to the certificate");
	}
	r = check_leaf(c.cert[0], now, v);
	if (r == 0)
		r = check_order(&c, v);
	return r < 0 ? r : check_strength(&c, v);
}

int tls_pair_check(const char *chain_pem, const char *key_pem, int64_t now, enum tls_pair_part *ret_part, char *why, size_t why_bytes)
{
	struct verdict v = { .why = why, .why_bytes = why_bytes };
	int r = pair_check(chain_pem, key_pem, now, &v);

	if (r < 0)
		*ret_part = v.part;
	return r;
}
