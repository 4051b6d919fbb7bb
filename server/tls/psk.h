/* SPDX-License-Identifier: GPL-3.0-or-later */
/* psk.h - NVMe/TCP's pre-shared keys for TLS 1.3: from what an administrator configured, or what an
 * authentication generated, to the key and identity that the handshake uses.
 * NVMe/TCP Transport 1.1, 3.6.1.2 to 3.6.1.4; HKDF: RFC 5869, HKDF-Expand-Label: RFC 8446 7.1. */
#ifndef HOLDFAST_TLS_PSK_H
#define HOLDFAST_TLS_PSK_H

#include "tls/tls.h"

enum tls_psk_way {
	TLS_PSK_STANDARD,
	TLS_PSK_LIBNVME,                 /* as libnvme up to 1.14 did it: no lengths in the label, the size in
					  * little-endian order.  Hosts with it cannot connect otherwise. */
	TLS_PSK_WAYS,
};
#define TLS_PSK_MAX_BYTES 48
#define TLS_PSK_DIGEST_CHARS 64          /* of the longest digest */
#define TLS_PSK_IDENTITY_BYTES 544       /* "NVMe1R02 host subsystem digest" and a NUL */

/* A configured PSK as a retained one: it is bound to the host.  hash 0: as it is.  -EINVAL: hash. */
int tls_psk_retain(unsigned hash, enum tls_psk_way way, const uint8_t *psk, size_t psk_bytes, const char *host_nqn, uint8_t *out) _must_check_;
struct tls_psk_name {                    /* what an identity says */
	unsigned version;                /* 0 or 1 */
	bool generated;                  /* G; otherwise R: retained */
	unsigned hash;                   /* 1 SHA-256, 2 SHA-384 */
	char host_nqn[224], subsystem_nqn[224];
	char digest[TLS_PSK_DIGEST_CHARS + 1]; /* version 1 */
};
/* -EINVAL: no identity of NVMe/TCP. */
int tls_psk_name_parse(const char *identity, struct tls_psk_name *ret_name) _must_check_;
int tls_psk_name_format(const struct tls_psk_name *n, char identity[TLS_PSK_IDENTITY_BYTES]) _must_check_;
/* The digest that an identity of version 1 carries, from a retained or generated PSK. */
int tls_psk_digest(const struct tls_psk_name *n, const uint8_t *psk, size_t psk_bytes, char digest[TLS_PSK_DIGEST_CHARS + 1]) _must_check_;
/* The TLS PSK of this identity, and how many bytes it has (32 or 48). */
int tls_psk_derive(const struct tls_psk_name *n, enum tls_psk_way way, const uint8_t *psk, size_t psk_bytes, uint8_t out[TLS_PSK_MAX_BYTES],
		   size_t *ret_bytes) _must_check_;

#endif
