/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls.h - the door of tls/: keys, certificates, hashes, random numbers.  The only room that includes OpenSSL. */
#ifndef HOLDFAST_TLS_TLS_H
#define HOLDFAST_TLS_TLS_H

#include "core/base.h"

/* Random bytes fit for keys. */
int tls_random(void *buf, size_t len_bytes) _must_check_;
/* Constant-time comparison. */
bool tls_equal(const void *a, const void *b, size_t len_bytes);
void tls_wipe(void *buf, size_t len_bytes);

enum tls_hash { TLS_MD5, TLS_SHA1, TLS_SHA256, TLS_SHA3_256, TLS_SHA384, TLS_SHA512 };
#define TLS_HASH_MAX 64
struct tls_part {
	const void *data;
	size_t len_bytes;
};
size_t tls_hash_bytes(enum tls_hash h);
/* Hash of the parts one after another. -ENOTSUP: the library refuses it (MD5 under FIPS). */
int tls_digest(enum tls_hash h, const struct tls_part *parts, size_t count, uint8_t out[TLS_HASH_MAX]) _must_check_;
int tls_hmac(enum tls_hash h, const void *key, size_t key_len, const struct tls_part *parts, size_t count,
	     uint8_t out[TLS_HASH_MAX]) _must_check_;

/* Secrets at rest: AES-256-GCM, random nonce; out is nonce || ciphertext || tag, len + 28 bytes.
 * aad binds the secret to its place (table, row, column), so that it cannot be moved. */
#define TLS_SEAL_OVERHEAD 28
int tls_seal(const uint8_t key[32], const void *aad, size_t aad_len, const void *plain, size_t len,
	     uint8_t *out) _must_check_;
/* -EBADMSG: wrong key, moved or altered. */
int tls_open(const uint8_t key[32], const void *aad, size_t aad_len, const uint8_t *sealed, size_t sealed_len,
	     uint8_t *out) _must_check_;

/* Blocks of a disk: AES-256-XTS, unit by unit; a unit's number is its tweak.  One thread at a time uses a struct tls_xts,
 * and nothing is allocated but by _new.  key: two halves that differ (-EINVAL).  len_bytes: whole units; from may be to. */
#define TLS_XTS_KEY_BYTES 64
struct tls_xts;
int tls_xts_new(const uint8_t key[TLS_XTS_KEY_BYTES], uint32_t unit_bytes, struct tls_xts **ret_xts) _must_check_;
void tls_xts_free(struct tls_xts *x);
DEFINE_FREEP(struct tls_xts, tls_xts_free)
int tls_xts_encrypt(struct tls_xts *x, uint64_t unit, const void *from, void *to, size_t len_bytes) _must_check_;
int tls_xts_decrypt(struct tls_xts *x, uint64_t unit, const void *from, void *to, size_t len_bytes) _must_check_;

/* A key from a passphrase: scrypt (RFC 7914) with N = 2^log_n, r = 8, p = 1; 128 * N * 8 bytes of memory. */
int tls_scrypt(const char *passphrase, size_t len, const uint8_t *salt, size_t salt_len, unsigned log_n, uint8_t key[32]) _must_check_;

/* A self-signed certificate for the page: P-256, SAN for each name and address, valid for days.
 * PEM, returns owned. */
int tls_self_signed(const char *const *names, size_t count, unsigned days, char **ret_cert_pem, char **ret_key_pem) _must_check_;
/* Facts of a PEM chain's first certificate; fingerprint: SHA-256 as "AB:CD:..". -EINVAL */
int tls_cert_info(const char *cert_pem, int64_t *ret_not_after_unix_s, char fingerprint[96]);
/* Does the key belong to the certificate?  0, -EINVAL. */
int tls_cert_matches_key(const char *cert_pem, const char *key_pem);

#endif
