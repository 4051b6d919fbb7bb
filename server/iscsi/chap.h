/* SPDX-License-Identifier: GPL-3.0-or-later */
/* chap.h - the challenge handshake, one-way and mutual, as a small machine fed with values.
 * RFC 1994, RFC 7143 12.1.3.  No sockets; random numbers and hashes come from tls/. */
#ifndef HOLDFAST_ISCSI_CHAP_H
#define HOLDFAST_ISCSI_CHAP_H

#include "tls/tls.h"

#include "core/base.h"

#define CHAP_CHALLENGE_BYTES 32          /* ours; theirs may be 1..1024 */
#define CHAP_SECRET_MIN 12               /* 96 bits, RFC 7143 9.2.1 */
#define CHAP_SECRET_MAX 255

/* Whose secret is checked; everything is borrowed while the login runs. */
struct chap_secrets {
	const char *user;                /* NULL: no CHAP */
	const uint8_t *secret;
	size_t secret_len;
	const char *mutual_user;         /* NULL: we do not prove ourselves */
	const uint8_t *mutual_secret;
	size_t mutual_secret_len;
};
enum chap_state {
	CHAP_START,                      /* waits for the initiator's CHAP_A */
	CHAP_CHALLENGED,                 /* our challenge is out; waits for CHAP_N and CHAP_R */
	CHAP_DONE,                       /* the initiator is who it says */
	CHAP_FAILED,
};
struct chap {
	enum chap_state state;
	enum tls_hash hash;
	uint8_t id;
	uint8_t challenge[CHAP_CHALLENGE_BYTES];
	bool mutual;                     /* DONE: the initiator also authenticated us */
	uint8_t proof[TLS_HASH_MAX];     /* then: our CHAP_R */
	size_t proof_len;
};
void chap_init(struct chap *c);

/* Values of CHAP_A; a higher one is stronger. */
enum chap_number { CHAP_MD5 = 5, CHAP_SHA1 = 6, CHAP_SHA256 = 7, CHAP_SHA3_256 = 8 };
/* Chooses the strongest algorithm of CHAP_A=list that the library can do, and makes a challenge.
 * weakest: enum chap_number, nothing below it will do
 * -EPROTO out of turn   -ENOTSUP none of them   -EPERM only weaker ones   -EIO no random numbers */
int chap_offer(struct chap *c, const char *list, unsigned weakest, unsigned *ret_algorithm) _must_check_;
/* Checks what came with CHAP_N, CHAP_R and, when they came too, CHAP_I and CHAP_C.
 * 0, or -EACCES with *ret_why; the state is DONE or FAILED then. */
struct chap_reply {
	const char *user;                /* CHAP_N */
	const uint8_t *response;         /* CHAP_R */
	size_t response_len;
	bool asks_proof;                 /* CHAP_I and CHAP_C are there */
	uint8_t id;
	const uint8_t *challenge;
	size_t challenge_len;
};
int chap_check(struct chap *c, const struct chap_secrets *s, const struct chap_reply *r,
	       const char **ret_why) _must_check_;
/* May this secret be used?  why: what is wrong with it. */
int chap_secret_check(const uint8_t *secret, size_t len, const char **ret_why) _must_check_;

#endif
