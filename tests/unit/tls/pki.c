/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pki.c - JSON web keys against the examples of their documents; chains with one fault each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tls/pki.h"
#include "tls/tls.h"

/* RFC 7515 A.3: the key of the example. */
static const char es256_pem[] = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\nH1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n-----END PRIVATE KEY-----\n";

static void test_jwk(void **state)
{
	_cleanup_(tls_key_freep) struct tls_key *k = NULL;
	_cleanup_(freep) char *jwk = NULL;
	uint8_t sig[TLS_JWS_SIGNATURE_MAX];
	size_t len;

	(void)state;
	assert_int_equal(tls_key_load(es256_pem, &k), 0);
	assert_string_equal(tls_key_jws_alg(k), "ES256");
	assert_int_equal(tls_key_jwk(k, &jwk), 0);
	assert_string_equal(jwk, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
				 "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}");
	assert_int_equal(tls_key_jws_sign(k, "x", 1, sig, &len), 0);
	assert_int_equal(len, 64);
	assert_int_equal(tls_key_load("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", &(struct tls_key *){ NULL }), -EINVAL);
	assert_int_equal(tls_key_load("", &(struct tls_key *){ NULL }), -EINVAL);
}

static void test_key_types(void **state)
{
	static const struct { enum tls_key_type t; const char *alg, *begins; size_t signature; } cases[] = {
		{ TLS_KEY_EC256, "ES256", "{\"crv\":\"P-256\"", 64 },
		{ TLS_KEY_EC384, "ES384", "{\"crv\":\"P-384\"", 96 },
		{ TLS_KEY_RSA2048, "RS256", "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"", 256 },
		{ TLS_KEY_EC521, NULL, NULL, 0 },
		{ TLS_KEY_ED25519, NULL, NULL, 0 },
	};
	static const char *const names[] = { "nas.example.org", "*.example.org", "192.0.2.1", "2001:db8::1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		_cleanup_(tls_key_freep) struct tls_key *k = NULL, *again = NULL;
		_cleanup_(freep) char *pem = NULL, *jwk = NULL;
		_cleanup_(freep) uint8_t *csr = NULL;
		uint8_t sig[TLS_JWS_SIGNATURE_MAX];
		size_t len;

		assert_int_equal(tls_key_new(cases[i].t, &k), 0);
		assert_int_equal(tls_key_pem(k, &pem), 0);
		assert_int_equal(tls_key_load(pem, &again), 0);
		assert_int_equal(tls_csr(again, names, 4, &csr, &len), 0);
		const uint8_t *p = csr;
		X509_REQ *req = d2i_X509_REQ(NULL, &p, (long)len);
		EVP_PKEY *pub = X509_REQ_get0_pubkey(req);
		assert_int_equal(X509_REQ_verify(req, pub), 1);
		X509_REQ_free(req);
		if (!cases[i].alg) {
			assert_null(tls_key_jws_alg(k));
			assert_int_equal(tls_key_jwk(k, &jwk), -ENOTSUP);
			assert_int_equal(tls_key_jws_sign(k, "x", 1, sig, &len), -ENOTSUP);
			continue;
		}
		assert_string_equal(tls_key_jws_alg(k), cases[i].alg);
		assert_int_equal(tls_key_jwk(k, &jwk), 0);
		assert_memory_equal(jwk, cases[i].begins, strlen(cases[i].begins));
		assert_int_equal(tls_key_jws_sign(k, "x", 1, sig, &len), 0);
		assert_int_equal(len, cases[i].signature);
	}
	assert_int_equal(tls_key_type_by_name("rsa3072"), TLS_KEY_RSA3072);
	assert_int_equal(tls_key_type_by_name("rsa1024"), TLS_KEY_TYPES);
}

static void test_name_matches(void **state)
{
	static const struct { const char *pattern, *name; bool matches; } cases[] = {
		{ "a.example.org", "a.example.org", true }, { "A.example.org", "a.EXAMPLE.org", true },
		{ "*.example.org", "a.example.org", true }, { "*.example.org", "example.org", false },
		{ "*.example.org", "a.b.example.org", false }, { "*.example.org", ".example.org", false },
		{ "*.example.org", "*.example.org", true }, { "b.example.org", "a.example.org", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (tls_name_matches(cases[i].pattern, cases[i].name) != cases[i].matches)
			fail_msg("%s and %s", cases[i].pattern, cases[i].name);
}

/* RFC 8737 3: the extension is critical and holds the digest as an OCTET STRING. */
static void test_alpn_certificate(void **state)
{
	uint8_t digest[32];
	char *cert, *key;

	(void)state;
	memset(digest, 0xa5, sizeof(digest));
	assert_int_equal(tls_alpn_certificate("nas.example.org", digest, &cert, &key), 0);
	assert_int_equal(tls_cert_matches_key(cert, key), 0);
	BIO *b = BIO_new_mem_buf(cert, -1);
	X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
	ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
	int at = X509_get_ext_by_OBJ(x, oid, -1);
	assert_true(at >= 0);
	X509_EXTENSION *e = X509_get_ext(x, at);
	assert_int_equal(X509_EXTENSION_get_critical(e), 1);
	const uint8_t *v = ASN1_STRING_get0_data(X509_EXTENSION_get_data(e));
	assert_int_equal(ASN1_STRING_length(X509_EXTENSION_get_data(e)), 34);
	assert_int_equal(v[0], 4);
	assert_memory_equal(v + 2, digest, 32);
	ASN1_OBJECT_free(oid);
	X509_free(x);
	BIO_free(b);
	free(cert);
	free(key);
}

/* ---- chains --------------------------------------------------------------------------------------------------- */
struct issued {
	X509 *x;
	EVP_PKEY *key;
};
struct wish {
	const char *cn, *san, *usage;
	long from_s, to_s;
	const EVP_MD *md;
	int rsa_bits;                    /* 0: EC P-256 */
	bool is_ca;
};

static void extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

static struct issued issue(const struct wish *w, const struct issued *by)
{
	static long serial = 0x80;
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_id(w->rsa_bits ? EVP_PKEY_RSA : EVP_PKEY_EC, NULL);
	struct issued i = { .x = X509_new() };
	EVP_PKEY_keygen_init(c);
	if (w->rsa_bits)
		EVP_PKEY_CTX_set_rsa_keygen_bits(c, w->rsa_bits);
	else
		EVP_PKEY_CTX_set_ec_paramgen_curve_nid(c, NID_X9_62_prime256v1);
	assert_int_equal(EVP_PKEY_keygen(c, &i.key), 1);
	EVP_PKEY_CTX_free(c);
	X509_set_version(i.x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(i.x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(i.x), w->from_s);
	X509_gmtime_adj(X509_getm_notAfter(i.x), w->to_s);
	X509_set_pubkey(i.x, i.key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(i.x), "CN", MBSTRING_UTF8, (const uint8_t *)w->cn, -1, -1, 0);
	X509_set_issuer_name(i.x, X509_get_subject_name(by ? by->x : i.x));
	extend(i.x, by ? by->x : i.x, NID_basic_constraints, w->is_ca ? "critical,CA:TRUE" : "CA:FALSE");
	extend(i.x, by ? by->x : i.x, NID_subject_key_identifier, "hash");
	extend(i.x, by ? by->x : i.x, NID_authority_key_identifier, "keyid");
	if (w->san)
		extend(i.x, i.x, NID_subject_alt_name, w->san);
	if (w->usage)
		extend(i.x, i.x, NID_ext_key_usage, w->usage);
	assert_true(X509_sign(i.x, by ? by->key : i.key, w->md ? w->md : EVP_sha256()) > 0);
	return i;
}

static char *pem_of(const struct issued *const *list, size_t count, bool key)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p, *text;
	for (size_t i = 0; i < count; i++)
		if (key)
			PEM_write_bio_PrivateKey(b, list[i]->key, NULL, NULL, 0, NULL, NULL);
		else
			PEM_write_bio_X509(b, list[i]->x);
	long len = BIO_get_mem_data(b, &p);
	text = strndup(p, (size_t)len);
	BIO_free(b);
	return text;
}

enum { ROOT, MIDDLE, LEAF, OLD, EARLY, CLIENT, NAMELESS, SHORT, OLD_HASH, STRANGER, ALL };

static void test_chains(void **state)
{
	const long day = 86400, year = 365 * day;
	struct issued c[ALL];
	c[ROOT] = issue(&(struct wish){ .cn = "Root", .to_s = 9 * year, .is_ca = true }, NULL);
	c[MIDDLE] = issue(&(struct wish){ .cn = "Middle", .to_s = 5 * year, .is_ca = true }, &c[ROOT]);
	c[LEAF] = issue(&(struct wish){ .cn = "leaf", .san = "DNS:nas.example.org,DNS:*.nas.example.org,IP:192.0.2.7", .to_s = 90 * day }, &c[MIDDLE]);
	c[OLD] = issue(&(struct wish){ .cn = "old", .san = "DNS:a", .from_s = -2 * day, .to_s = -day }, &c[MIDDLE]);
	c[EARLY] = issue(&(struct wish){ .cn = "early", .san = "DNS:a", .from_s = day, .to_s = 2 * day }, &c[MIDDLE]);
	c[CLIENT] = issue(&(struct wish){ .cn = "client", .san = "DNS:a", .usage = "clientAuth", .to_s = day }, &c[MIDDLE]);
	c[NAMELESS] = issue(&(struct wish){ .cn = "nas.example.org", .to_s = day }, &c[MIDDLE]);
	c[SHORT] = issue(&(struct wish){ .cn = "short", .san = "DNS:a", .to_s = day, .rsa_bits = 1024 }, &c[MIDDLE]);
	c[OLD_HASH] = issue(&(struct wish){ .cn = "sha1", .san = "DNS:a", .to_s = day, .md = EVP_sha1() }, &c[MIDDLE]);
	c[STRANGER] = issue(&(struct wish){ .cn = "Middle", .to_s = 5 * year, .is_ca = true }, NULL);
	static const struct {
		const char *what;
		int chain[4], key;
		const char *wrong;               /* NULL: it is fine */
		enum tls_pair_part part;
	} cases[] = {
		{ "leaf and middle", { LEAF, MIDDLE, -1 }, LEAF, NULL, 0 },
		{ "with the root", { LEAF, MIDDLE, ROOT, -1 }, LEAF, NULL, 0 },
		{ "leaf alone", { LEAF, -1 }, LEAF, NULL, 0 },
		{ "the other way round", { MIDDLE, LEAF, -1 }, LEAF, "belongs to certificate 2", TLS_PAIR_CHAIN },
		{ "middle left out", { LEAF, ROOT, -1 }, LEAF, "not issued by certificate 2 (Root)", TLS_PAIR_CHAIN },
		{ "middle and root changed over", { LEAF, ROOT, MIDDLE, -1 }, LEAF, "not issued by", TLS_PAIR_CHAIN },
		{ "a namesake of the issuer", { LEAF, STRANGER, -1 }, LEAF, "not issued by", TLS_PAIR_CHAIN },
		{ "another key", { LEAF, MIDDLE, -1 }, OLD, "does not belong", TLS_PAIR_KEY },
		{ "expired", { OLD, MIDDLE, -1 }, OLD, "expired", TLS_PAIR_CHAIN },
		{ "not valid yet", { EARLY, MIDDLE, -1 }, EARLY, "not valid yet", TLS_PAIR_CHAIN },
		{ "for clients", { CLIENT, MIDDLE, -1 }, CLIENT, "not be used by servers", TLS_PAIR_CHAIN },
		{ "no names", { NAMELESS, MIDDLE, -1 }, NAMELESS, "no names", TLS_PAIR_CHAIN },
		{ "short key", { SHORT, MIDDLE, -1 }, SHORT, "too weak", TLS_PAIR_CHAIN },
		{ "SHA-1", { OLD_HASH, MIDDLE, -1 }, OLD_HASH, "signed with", TLS_PAIR_CHAIN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const struct issued *list[4], *key = &c[cases[i].key];
		enum tls_pair_part part;
		char why[512] = "";
		size_t n = 0;
		while (cases[i].chain[n] >= 0) {
			list[n] = &c[cases[i].chain[n]];
			n++;
		}
		_cleanup_(freep) char *chain = pem_of(list, n, false), *key_pem = pem_of(&key, 1, true);
		int r = tls_pair_check(chain, key_pem, (int64_t)time(NULL), &part, why, sizeof(why));
		if (r != (cases[i].wrong ? -EINVAL : 0) || (cases[i].wrong && (part != cases[i].part || !strstr(why, cases[i].wrong))))
			fail_msg("%s: %d %s", cases[i].what, r, why);
	}
	const struct issued *list[2] = { &c[LEAF], &c[MIDDLE] };
	_cleanup_(freep) char *chain = pem_of(list, 2, false);
	struct tls_cert_facts f;
	char root[64];
	assert_int_equal(tls_cert_facts(chain, &f), 0);
	assert_int_equal(f.name_count, 3);
	assert_string_equal(f.names[1], "*.nas.example.org");
	assert_string_equal(f.names[2], "192.0.2.7");
	assert_string_equal(f.issuer, "Middle");
	assert_string_equal(f.subject, "leaf");
	assert_int_equal(f.key_type, TLS_KEY_EC256);
	assert_false(f.is_self_signed);
	assert_non_null(strchr(f.ari_id, '.'));
	assert_string_equal(strchr(f.ari_id, '.'), ".AII"); /* serial 0x82, which DER writes as 00 82 */
	tls_cert_facts_done(&f);
	assert_int_equal(tls_chain_root_name(chain, root, sizeof(root)), 0);
	assert_string_equal(root, "Root");
	for (size_t i = 0; i < ALL; i++) {
		X509_free(c[i].x);
		EVP_PKEY_free(c[i].key);
	}
}

static void test_refused_texts(void **state)
{
	static const struct { const char *chain, *key, *wrong; } cases[] = {
		{ "", "", "no certificate" },
		{ "hello", "", "no certificate" },
		{ "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "", "no certificate" },
	};
	enum tls_pair_part part;
	char why[256];
	struct tls_cert_facts f;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(tls_pair_check(cases[i].chain, cases[i].key, 0, &part, why, sizeof(why)), -EINVAL);
		assert_int_equal(part, TLS_PAIR_CHAIN);
		assert_non_null(strstr(why, cases[i].wrong));
		assert_int_equal(tls_cert_facts(cases[i].chain, &f), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jwk),    cmocka_unit_test(test_key_types),
		cmocka_unit_test(test_name_matches), cmocka_unit_test(test_alpn_certificate),
		cmocka_unit_test(test_chains),       cmocka_unit_test(test_refused_texts),
	};

	return cmocka_run_group_tests_name("pki", tests, NULL, NULL);
}
