/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ktls.c - gives an established session to the kernel (Documentation/networking/tls of Linux): keys and
 * nonces are those of RFC 8446 7.3, record numbers begin at zero, since nothing but the handshake has gone
 * over the wire. */
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "tls/session.h"
#include "tls/tls_priv.h"

#ifndef TCP_ULP
#define TCP_ULP 31
#endif
#ifndef SOL_TLS
#define SOL_TLS 282
#endif

union direction {
	struct tls_crypto_info head;
	struct tls12_crypto_info_aes_gcm_128 aes128;
	struct tls12_crypto_info_aes_gcm_256 aes256;
};
#define NONCE_BYTES 12
#define SALT_BYTES 4

/* Fills what one direction needs; returns its size, 0: no. */
static socklen_t fill(const uint8_t *secret, size_t secret_bytes, union direction *d)
{
	enum tls_hash h = secret_bytes == 48 ? TLS_SHA384 : TLS_SHA256;
	uint8_t key[32], nonce[NONCE_BYTES];
	size_t key_bytes = secret_bytes == 48 ? 32 : 16;
	socklen_t size = 0;

	*d = (union direction){ .head = { .version = TLS_1_3_VERSION } };
	if (tls_expand_label(h, secret, "key", NULL, 0, key, key_bytes) == 0 && tls_expand_label(h, secret, "iv", NULL, 0, nonce, sizeof(nonce)) == 0) {
		if (key_bytes == 16) {
			d->head.cipher_type = TLS_CIPHER_AES_GCM_128;
			memcpy(d->aes128.key, key, 16);
			memcpy(d->aes128.salt, nonce, SALT_BYTES);
			memcpy(d->aes128.iv, nonce + SALT_BYTES, NONCE_BYTES - SALT_BYTES);
			size = sizeof(d->aes128);
		} else {
			d->head.cipher_type = TLS_CIPHER_AES_GCM_256;
			memcpy(d->aes256.key, key, 32);
			memcpy(d->aes256.salt, nonce, SALT_BYTES);
			memcpy(d->aes256.iv, nonce + SALT_BYTES, NONCE_BYTES - SALT_BYTES);
			size = sizeof(d->aes256);
		}
	}
	tls_wipe(key, sizeof(key));
	tls_wipe(nonce, sizeof(nonce));
	return size;
}

int tls_session_to_kernel(struct tls_session *s, int fd)
{
	struct tls_secrets secrets;
	union direction tx, rx;
	int r = -ENOTSUP;

	if (!tls_session_secrets(s, &secrets))
		return -ENOTSUP;
	socklen_t tx_bytes = fill(secrets.server, secrets.len_bytes, &tx), rx_bytes = fill(secrets.client, secrets.len_bytes, &rx);
	/* The protocol alone changes nothing; from the first key on there is no way back. */
	if (tx_bytes && rx_bytes && setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) == 0 && setsockopt(fd, SOL_TLS, TLS_TX, &tx, tx_bytes) == 0)
		r = setsockopt(fd, SOL_TLS, TLS_RX, &rx, rx_bytes) == 0 ? 0 : -EIO;
	tls_wipe(&tx, sizeof(tx));
	tls_wipe(&rx, sizeof(rx));
	return r;
}
