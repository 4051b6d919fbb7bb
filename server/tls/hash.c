/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hash.c - digests, HMAC, random bytes, constant-time comparison. */
#include "tls/tls.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

static const struct {
	const char *name;
	size_t len_bytes;
} hashes[] = {
	[TLS_MD5] = { "MD5", 16 },         [TLS_SHA1] = { "SHA1", 20 },
	[TLS_SHA256] = { "SHA256", 32 },   [TLS_SHA3_256] = { "SHA3-256", 32 },
	[TLS_SHA384] = { "SHA384", 48 },   [TLS_SHA512] = { "SHA512", 64 },
};

int tls_random(void *buf, size_t len_bytes)
{
	if (len_bytes > INT_MAX)
		return -EINVAL;
	return RAND_bytes(buf, (int)len_bytes) == 1 ? 0 : -EIO;
}

bool tls_equal(const void *a, const void *b, size_t len_bytes)
{
	return CRYPTO_memcmp(a, b, len_bytes) == 0;
}

void tls_wipe(void *buf, size_t len_bytes)
{
	OPENSSL_cleanse(buf, len_bytes);
}

size_t tls_hash_bytes(enum tls_hash h)
{
	return (size_t)h < ARRAY_COUNT(hashes) ? hashes[h].len_bytes : 0;
}

static const EVP_MD *hash_md(enum tls_hash h)
{
	return (size_t)h < ARRAY_COUNT(hashes) ? EVP_get_digestbyname(hashes[h].name) : NULL;
}

int tls_digest(enum tls_hash h, const struct tls_part *parts, size_t count, uint8_t out[TLS_HASH_MAX])
{
	const EVP_MD *md = hash_md(h);
	if (!md)
		return -ENOTSUP;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	if (!c)
		return -ENOMEM;
	/* A FIPS provider refuses MD5 here, not at the look-up. */
	bool ok = EVP_DigestInit_ex(c, md, NULL) == 1;
	for (size_t i = 0; ok && i < count; i++)
		ok = EVP_DigestUpdate(c, parts[i].data, parts[i].len_bytes) == 1;
	ok = ok && EVP_DigestFinal_ex(c, out, NULL) == 1;
	EVP_MD_CTX_free(c);
	return ok ? 0 : -ENOTSUP;
}

int tls_hmac(enum tls_hash h, const void *key, size_t key_len, const struct tls_part *parts,
	     size_t count, uint8_t out[TLS_HASH_MAX])
{
	const EVP_MD *md = hash_md(h);
	if (!md)
		return -ENOTSUP;
	if (key_len > INT_MAX)
		return -EINVAL;
	EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL, key, key_len);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t len = TLS_HASH_MAX;
	bool ok = k && c && EVP_DigestSignInit(c, NULL, md, NULL, k) == 1;
	for (size_t i = 0; ok && i < count; i++)
		ok = EVP_DigestSignUpdate(c, parts[i].data, parts[i].len_bytes) == 1;
	ok = ok && EVP_DigestSignFinal(c, out, &len) == 1;
	EVP_MD_CTX_free(c);
	EVP_PKEY_free(k);
	return ok ? 0 : -ENOTSUP;
}
