/* SPDX-License-Identifier: GPL-3.0-or-later */
/* key.c - private keys: fresh ones, PEM in and out, JSON web keys and signatures. */
#include "tls/tls_priv.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#include "core/base64.h"

static const struct {
	const char *name;
	int id, curve, bits;             /* of OpenSSL */
	const char *jws_alg, *jwk_curve;
	size_t coord_bytes;
} types[TLS_KEY_TYPES] = {
	[TLS_KEY_EC256] = { "ec256", EVP_PKEY_EC, NID_X9_62_prime256v1, 256, "ES256", "P-256", 32 },
	[TLS_KEY_EC384] = { "ec384", EVP_PKEY_EC, NID_secp384r1, 384, "ES384", "P-384", 48 },
	[TLS_KEY_EC521] = { "ec521", EVP_PKEY_EC, NID_secp521r1, 521, NULL, NULL, 66 },
	[TLS_KEY_RSA2048] = { "rsa2048", EVP_PKEY_RSA, 0, 2048, "RS256", NULL, 0 },
	[TLS_KEY_RSA3072] = { "rsa3072", EVP_PKEY_RSA, 0, 3072, "RS256", NULL, 0 },
	[TLS_KEY_RSA4096] = { "rsa4096", EVP_PKEY_RSA, 0, 4096, "RS256", NULL, 0 },
	[TLS_KEY_ED25519] = { "ed25519", EVP_PKEY_ED25519, 0, 256, NULL, NULL, 0 },
	[TLS_KEY_OTHER] = { "other", 0, 0, 0, NULL, NULL, 0 },
};

const char *tls_key_type_name(enum tls_key_type t)
{
	return (size_t)t < TLS_KEY_TYPES ? types[t].name : "other";
}

enum tls_key_type tls_key_type_by_name(const char *name)
{
	for (size_t i = 0; i < TLS_KEY_TYPES; i++)
		if (strcmp(types[i].name, name) == 0)
			return (enum tls_key_type)i;
	return TLS_KEY_TYPES;
}

EVP_PKEY *key_make(enum tls_key_type t)
{
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *c = types[t].id ? EVP_PKEY_CTX_new_id(types[t].id, NULL) : NULL;

	if (!c)
		return NULL;
	bool ok = EVP_PKEY_keygen_init(c) == 1;
	if (ok && types[t].id == EVP_PKEY_EC)
		ok = EVP_PKEY_CTX_set_ec_paramgen_curve_nid(c, types[t].curve) == 1 &&
		     EVP_PKEY_CTX_set_ec_param_enc(c, OPENSSL_EC_NAMED_CURVE) == 1;
	if (ok && types[t].id == EVP_PKEY_RSA)
		ok = EVP_PKEY_CTX_set_rsa_keygen_bits(c, types[t].bits) == 1;
	if (!ok || EVP_PKEY_keygen(c, &key) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(c);
	return key;
}

/* An empty passphrase instead of a prompt on the terminal. */
EVP_PKEY *key_parse(const char *pem)
{
	_cleanup_(bio_freep) BIO *b = BIO_new_mem_buf(pem, -1);

	return b ? PEM_read_bio_PrivateKey(b, NULL, NULL, (void *)"") : NULL;
}

/* The point or the pair of numbers, as i2d_PublicKey() has it; owned. */
static int public_bytes(EVP_PKEY *key, uint8_t **ret_bytes, size_t *ret_len)
{
	unsigned char *out = NULL;
	int n = i2d_PublicKey(key, &out);

	if (n <= 0)
		return -ENOTSUP;
	uint8_t *copy = malloc((size_t)n);
	if (copy) {
		memcpy(copy, out, (size_t)n);
		*ret_bytes = copy;
		*ret_len = (size_t)n;
	}
	OPENSSL_free(out);
	return copy ? 0 : -ENOMEM;
}

enum tls_key_type key_type_of(EVP_PKEY *key)
{
	int id = EVP_PKEY_base_id(key), bits = EVP_PKEY_bits(key);
	enum tls_key_type t = TLS_KEY_OTHER;

	for (size_t i = 0; i < TLS_KEY_OTHER; i++)
		if (types[i].id == id && (types[i].bits == bits || id == EVP_PKEY_ED25519))
			t = (enum tls_key_type)i;
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	char group[64];
	size_t len;
	if (t <= TLS_KEY_EC521 &&                /* other curves have 256 bits too */
	    (EVP_PKEY_get_group_name(key, group, sizeof(group), &len) != 1 || OBJ_txt2nid(group) != types[t].curve))
		t = TLS_KEY_OTHER;
#endif
	return t;
}

static int write_as(EVP_PKEY *key, bool traditional, char **ret_pem)
{
	_cleanup_(bio_freep) BIO *b = BIO_new(BIO_s_secmem());

	if (!b)
		return -ENOMEM;
	if ((traditional ? PEM_write_bio_PrivateKey_traditional(b, key, NULL, NULL, 0, NULL, NULL) :
			   PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL)) != 1)
		return -EIO;
	char *text = bio_text(b);
	if (!text)
		return -ENOMEM;
	*ret_pem = text;
	return 0;
}

int key_write(EVP_PKEY *key, char **ret_pem)
{
	return write_as(key, false, ret_pem);
}

static int wrap(EVP_PKEY *pkey, struct tls_key **ret_key)
{
	struct tls_key *k = calloc(1, sizeof(*k));

	if (!k) {
		EVP_PKEY_free(pkey);
		return -ENOMEM;
	}
	k->pkey = pkey;
	k->type = key_type_of(pkey);
	*ret_key = k;
	return 0;
}

int tls_key_new(enum tls_key_type t, struct tls_key **ret_key)
{
	EVP_PKEY *pkey = (size_t)t < TLS_KEY_OTHER ? key_make(t) : NULL;

	return pkey ? wrap(pkey, ret_key) : -ENOTSUP;
}

int tls_key_load(const char *pem, struct tls_key **ret_key)
{
	EVP_PKEY *pkey = key_parse(pem);

	if (!pkey)
		return strstr(pem, "ENCRYPTED") ? -ENOKEY : -EINVAL;
	return wrap(pkey, ret_key);
}

void tls_key_free(struct tls_key *k)
{
	if (k)
		EVP_PKEY_free(k->pkey);
	free(k);
}

int tls_key_pem(const struct tls_key *k, char **ret_pem)
{
	return key_write(k->pkey, ret_pem);
}

int tls_key_pem_traditional(const struct tls_key *k, char **ret_pem)
{
	return write_as(k->pkey, true, ret_pem);
}

/* ---- JSON web keys -------------------------------------------------------------------------------------- */
const char *tls_key_jws_alg(const struct tls_key *k)
{
	return EVP_PKEY_base_id(k->pkey) == EVP_PKEY_RSA ? "RS256" : types[k->type].jws_alg;
}

static int jwk_ec(const struct tls_key *k, const uint8_t *point, size_t len, char **ret_json)
{
	size_t n = types[k->type].coord_bytes;
	_cleanup_(freep) char *x = NULL, *y = NULL;

	if (!types[k->type].jwk_curve || len != 2 * n + 1 || point[0] != 4)
		return -ENOTSUP;
	x = base64url(point + 1, n);
	y = base64url(point + 1 + n, n);
	if (!x || !y || asprintf(ret_json, "{\"crv\":\"%s\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", types[k->type].jwk_curve, x, y) < 0)
		return -ENOMEM;
	return 0;
}

/* One DER element of the kind wanted; moves *p behind its head. */
static bool der_head(const uint8_t **p, const uint8_t *end, uint8_t kind, size_t *ret_len)
{
	if (end - *p < 2 || (*p)[0] != kind)
		return false;
	size_t len = (*p)[1];
	*p += 2;
	if (len & 0x80) {
		size_t bytes = len & 0x7f;
		if (bytes == 0 || bytes > 2 || (size_t)(end - *p) < bytes)
			return false;
		for (len = 0; bytes; bytes--)
			len = len << 8 | *(*p)++;
	}
	*ret_len = len;
	return len <= (size_t)(end - *p);
}

/* SEQUENCE { modulus, publicExponent }, RFC 8017 A.1.1. */
static int jwk_rsa(const uint8_t *der, size_t der_len, char **ret_json)
{
	const uint8_t *p = der, *end = der + der_len, *number[2];
	size_t len, number_len[2];

	if (!der_head(&p, end, 0x30, &len))
		return -ENOTSUP;
	for (int i = 0; i < 2; i++) {
		if (!der_head(&p, end, 0x02, &len))
			return -ENOTSUP;
		number[i] = p;
		number_len[i] = len;
		p += len;
		while (number_len[i] > 1 && *number[i] == 0) { /* the sign */
			number[i]++;
			number_len[i]--;
		}
	}
	_cleanup_(freep) char *n = base64url(number[0], number_len[0]), *e = base64url(number[1], number_len[1]);
	return n && e && asprintf(ret_json, "{\"e\":\"%s\",\"kty\":\"RSA\",\"n\":\"%s\"}", e, n) >= 0 ? 0 : -ENOMEM;
}

int tls_key_jwk(const struct tls_key *k, char **ret_json)
{
	_cleanup_(freep) uint8_t *bytes = NULL;
	size_t len;
	int r = tls_key_jws_alg(k) ? public_bytes(k->pkey, &bytes, &len) : -ENOTSUP;

	if (r < 0)
		return r;
	return EVP_PKEY_base_id(k->pkey) == EVP_PKEY_RSA ? jwk_rsa(bytes, len, ret_json) : jwk_ec(k, bytes, len, ret_json);
}

/* RFC 7518 3.4: r and s side by side instead of DER. */
static int flatten_ecdsa(const uint8_t *der, size_t der_len, size_t n, uint8_t *out)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
	bool ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, (int)n) == (int)n &&
		  BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + n, (int)n) == (int)n;

	ECDSA_SIG_free(sig);
	return ok ? 0 : -EIO;
}

int tls_key_jws_sign(const struct tls_key *k, const void *data, size_t len, uint8_t out[TLS_JWS_SIGNATURE_MAX], size_t *ret_len)
{
	uint8_t raw[TLS_JWS_SIGNATURE_MAX];
	size_t n = sizeof(raw), coord = types[k->type].coord_bytes;
	EVP_MD_CTX *c = tls_key_jws_alg(k) ? EVP_MD_CTX_new() : NULL;

	if (!c)
		return -ENOTSUP;
	bool ok = EVP_DigestSignInit(c, NULL, k->type == TLS_KEY_EC384 ? EVP_sha384() : EVP_sha256(), NULL, k->pkey) == 1 &&
		  EVP_DigestSign(c, raw, &n, data, len) == 1;
	EVP_MD_CTX_free(c);
	if (!ok)
		return -EIO;
	if (!coord) {
		memcpy(out, raw, n);
		*ret_len = n;
		return 0;
	}
	*ret_len = 2 * coord;
	return flatten_ecdsa(raw, n, coord, out);
}
