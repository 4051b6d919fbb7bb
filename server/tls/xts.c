/* SPDX-License-Identifier: GPL-3.0-or-later */
/* xts.c - blocks of a disk: AES-256-XTS (IEEE Std 1619), a data unit after the other, numbered from 0. */
#include "tls/tls.h"

#include <openssl/evp.h>
#include <pthread.h>

enum { TWEAK_BYTES = 16 };

struct tls_xts {
	EVP_CIPHER_CTX *encrypt, *decrypt;
	uint32_t unit_bytes;
};

static EVP_CIPHER *cipher;
static void fetch(void)
{
	cipher = EVP_CIPHER_fetch(NULL, "AES-256-XTS", NULL);
}

static EVP_CIPHER_CTX *context(const uint8_t *key, int encrypt)
{
	static const uint8_t none[TWEAK_BYTES];
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	if (c && EVP_CipherInit_ex2(c, cipher, key, none, encrypt, NULL) == 1)
		return c;
	EVP_CIPHER_CTX_free(c);
	return NULL;
}

int tls_xts_new(const uint8_t key[TLS_XTS_KEY_BYTES], uint32_t unit_bytes, struct tls_xts **ret_xts)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	if (unit_bytes < 16 || unit_bytes > 65536 || tls_equal(key, key + TLS_XTS_KEY_BYTES / 2, TLS_XTS_KEY_BYTES / 2))
		return -EINVAL;
	pthread_once(&once, fetch);
	if (!cipher)
		return -ENOTSUP;
	_cleanup_(tls_xts_freep) struct tls_xts *x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->unit_bytes = unit_bytes;
	x->encrypt = context(key, 1);
	x->decrypt = context(key, 0);
	if (!x->encrypt || !x->decrypt)
		return -ENOMEM;
	*ret_xts = TAKE(x);
	return 0;
}

void tls_xts_free(struct tls_xts *x)
{
	if (!x)
		return;
	EVP_CIPHER_CTX_free(x->encrypt);         /* wipes the keys in it */
	EVP_CIPHER_CTX_free(x->decrypt);
	free(x);
}

/* IEEE 1619 5.1: the tweak is the number of the data unit, little-endian. */
static int run(EVP_CIPHER_CTX *c, uint32_t unit_bytes, uint64_t unit, const uint8_t *from, uint8_t *to, size_t len)
{
	uint8_t tweak[TWEAK_BYTES] = { 0 };
	if (len % unit_bytes)
		return -EINVAL;
	for (size_t at = 0; at < len; at += unit_bytes, unit++) {
		int n;
		for (unsigned i = 0; i < 8; i++)
			tweak[i] = (uint8_t)(unit >> 8 * i);
		if (EVP_CipherInit_ex2(c, NULL, NULL, tweak, -1, NULL) != 1 ||
		    EVP_CipherUpdate(c, to + at, &n, from + at, (int)unit_bytes) != 1 || n != (int)unit_bytes)
			return -EIO;
	}
	return 0;
}

int tls_xts_encrypt(struct tls_xts *x, uint64_t unit, const void *from, void *to, size_t len_bytes)
{
	return run(x->encrypt, x->unit_bytes, unit, from, to, len_bytes);
}

int tls_xts_decrypt(struct tls_xts *x, uint64_t unit, const void *from, void *to, size_t len_bytes)
{
	return run(x->decrypt, x->unit_bytes, unit, from, to, len_bytes);
}
