/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cipher.h - the cipher that the daemon installs, for tests with encrypted volumes. */
#ifndef HOLDFAST_TESTS_BLOCK_CIPHER_H
#define HOLDFAST_TESTS_BLOCK_CIPHER_H

#include "block/block.h"
#include "tls/tls.h"

static inline int cipher_open(const uint8_t key[VOLUME_KEY_BYTES], uint32_t unit_bytes, void **ret_state)
{
	struct tls_xts *x = NULL;
	int err = tls_xts_new(key, unit_bytes, &x);
	*ret_state = x;
	return err;
}
static inline void cipher_close(void *state)
{
	tls_xts_free(state);
}
static inline int cipher_encrypt(void *state, uint64_t unit, const void *from, void *to, size_t len_bytes)
{
	return tls_xts_encrypt(state, unit, from, to, len_bytes);
}
static inline int cipher_decrypt(void *state, uint64_t unit, const void *from, void *to, size_t len_bytes)
{
	return tls_xts_decrypt(state, unit, from, to, len_bytes);
}
static inline void cipher_install(void)
{
	static const struct volume_cipher cipher = { cipher_open, cipher_close, cipher_encrypt, cipher_decrypt };
	volume_cipher_set(&cipher);
}

#endif
