/* SPDX-License-Identifier: GPL-3.0-or-later */
/* seal.c - secrets at rest: AES-256-GCM (NIST SP 800-38D), a random 96-bit nonce for each seal.
 * Layout: nonce (12) || ciphertext (len) || tag (16). */
#include "tls/tls.h"

#include <assert.h>
#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

enum { NONCE_BYTES = 12, TAG_BYTES = 16 };
static_assert(NONCE_BYTES + TAG_BYTES == TLS_SEAL_OVERHEAD, "layout above");

int tls_seal(const uint8_t key[32], const void *aad, size_t aad_len, const void *plain, size_t len,
	     uint8_t *out)
{
	if (len > INT_MAX - TLS_SEAL_OVERHEAD || aad_len > INT_MAX)
		return -EINVAL;
	int r = tls_random(out, NONCE_BYTES);
	if (r < 0)
		return r;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	if (!c)
		return -ENOMEM;
	int n;
	uint8_t *cipher = out + NONCE_BYTES;
	bool ok = EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, out) == 1 &&
		  EVP_EncryptUpdate(c, NULL, &n, aad, (int)aad_len) == 1 &&
		  EVP_EncryptUpdate(c, cipher, &n, plain, (int)len) == 1 &&
		  EVP_EncryptFinal_ex(c, cipher + n, &n) == 1 &&
		  EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, cipher + len) == 1;
	EVP_CIPHER_CTX_free(c);
	return ok ? 0 : -EIO;
}

int tls_open(const uint8_t key[32], const void *aad, size_t aad_len, const uint8_t *sealed,
	     size_t sealed_len, uint8_t *out)
{
	if (sealed_len < TLS_SEAL_OVERHEAD || sealed_len > INT_MAX || aad_len > INT_MAX)
		return -EBADMSG;
	size_t len = sealed_len - TLS_SEAL_OVERHEAD;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	if (!c)
		return -ENOMEM;
	int n;
	uint8_t tag[TAG_BYTES];
	memcpy(tag, sealed + NONCE_BYTES + len, TAG_BYTES);
	bool ok = EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, sealed) == 1 &&
		  EVP_DecryptUpdate(c, NULL, &n, aad, (int)aad_len) == 1 &&
		  EVP_DecryptUpdate(c, out, &n, sealed + NONCE_BYTES, (int)len) == 1 &&
		  EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
		  EVP_DecryptFinal_ex(c, out + n, &n) == 1;
	EVP_CIPHER_CTX_free(c);
	if (ok)
		return 0;
	tls_wipe(out, len);
	return -EBADMSG;
}

int tls_scrypt(const char *passphrase, size_t len, const uint8_t *salt, size_t salt_len, unsigned log_n, uint8_t key[32])
{
	uint64_t n;
	if (log_n < 1 || log_n > 20)
		return -EINVAL;
	n = UINT64_C(1) << log_n;
	return EVP_PBE_scrypt(passphrase, len, salt, salt_len, n, 8, 1, 128 * n * 8 + (UINT64_C(1) << 20), key, 32) == 1 ? 0 : -ENOMEM;
}
