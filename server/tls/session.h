/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session.h - a TLS 1.3 server that knows its clients by pre-shared keys (RFC 8446 4.2.11), with
 * (EC)DHE and without certificates.  Bytes in, bytes out: it touches no socket, but for handing one to the
 * kernel.  One thread at a time.  A handshake takes up to a millisecond: not for a reactor. */
#ifndef HOLDFAST_TLS_SESSION_H
#define HOLDFAST_TLS_SESSION_H

#include "tls/psk.h"

struct tls_session;
/* The key that an identity means, on the attempt'th try (0, 1, ..); false: there is none, or no more. */
typedef bool tls_psk_find_fn(void *arg, const char *identity, unsigned attempt, uint8_t key[TLS_PSK_MAX_BYTES], size_t *ret_key_bytes);
int tls_session_new(tls_psk_find_fn *find, void *arg, struct tls_session **ret_session) _must_check_;
void tls_session_free(struct tls_session *s);
DEFINE_FREEP(struct tls_session, tls_session_free)

/* What the client sent, in whole records.  0: the handshake is done; -EAGAIN: it goes on; -EACCES: no key
 * fits; -EPROTO.  Whatever is returned, there may be output. */
int tls_session_handshake(struct tls_session *s, const uint8_t *in, size_t in_bytes) _must_check_;
/* Bytes for the client: borrowed until the next call; tls_session_sent() takes them off. */
const uint8_t *tls_session_output(struct tls_session *s, size_t *ret_bytes);
void tls_session_sent(struct tls_session *s);
/* "TLS_AES_128_GCM_SHA256"; constant. */
const char *tls_session_suite(const struct tls_session *s);

/* After the handshake: the kernel takes over the socket's both directions.  -ENOTSUP: it cannot, and nothing
 * changed; another error: the socket is of no use any more. */
int tls_session_to_kernel(struct tls_session *s, int fd) _must_check_;
/* Or it goes on here.  read: bytes of plain text; 0: needs more input; -ESHUTDOWN: the client said the end;
 * -EPROTO.  write: makes output. */
int tls_session_feed(struct tls_session *s, const uint8_t *in, size_t in_bytes) _must_check_;
ssize_t tls_session_read(struct tls_session *s, uint8_t *to, size_t room_bytes);
int tls_session_write(struct tls_session *s, const uint8_t *from, size_t len_bytes) _must_check_;
void tls_session_end(struct tls_session *s);     /* close_notify, as output */

#endif
