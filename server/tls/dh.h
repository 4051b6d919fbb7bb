/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dh.h - ephemeral Diffie-Hellman in the groups of RFC 7919, by the number of their bits: 2048, 3072,
 * 4096, 6144, 8192.  Slow (a large group takes a good part of a second): not for a reactor. */
#ifndef HOLDFAST_TLS_DH_H
#define HOLDFAST_TLS_DH_H

#include "core/base.h"

#define TLS_DH_MAX_BYTES 1024
struct tls_dh;

/* Makes a key pair.  -ENOTSUP: there is no such group. */
int tls_dh_new(unsigned bits, struct tls_dh **ret_dh) _must_check_;
void tls_dh_free(struct tls_dh *d);
DEFINE_FREEP(struct tls_dh, tls_dh_free)
/* Of the prime, and so of public values and the shared secret: both are padded to it, most significant
 * byte first. */
size_t tls_dh_bytes(const struct tls_dh *d);
int tls_dh_public(const struct tls_dh *d, uint8_t *to) _must_check_;
/* -EINVAL: the peer's value is none of the group (0, 1, p - 1, too large ..). */
int tls_dh_shared(const struct tls_dh *d, const uint8_t *peer, size_t peer_bytes, uint8_t *to) _must_check_;

#endif
