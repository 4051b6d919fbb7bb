/* SPDX-License-Identifier: GPL-3.0-or-later */
/* auth.h - DH-HMAC-CHAP, the controller's side of one queue's transactions: messages in, messages out.
 * NVMe Base 2.1, 8.3.4.5.  It knows no socket and no time; both calls may take long (Diffie-Hellman), so
 * they are made on a worker, one at a time. */
#ifndef HOLDFAST_NVMF_AUTH_H
#define HOLDFAST_NVMF_AUTH_H

#include "core/core.h"
#include "core/keytext.h"
#include "tls/psk.h"
#include "wire/nvme_auth.h"

#define NVMF_AUTH_MAX_BYTES 4096         /* of a message; the longest sensible one has 1168 */

enum nvmf_auth_state {
	AUTH_IDLE,                       /* woken by Negotiate */
	AUTH_CHALLENGE,                  /* woken by Receive: the challenge is due */
	AUTH_REPLY,                      /* woken by Reply */
	AUTH_SUCCESS1,                   /* woken by Receive: Success1 is due */
	AUTH_SUCCESS2,                   /* woken by Success2 or Failure2: the host judges our proof */
	AUTH_FAILURE1,                   /* woken by Receive: Failure1 is due, then the queue ends */
	AUTH_OVER,                       /* nothing is due any more: the queue ends */
	AUTH_STATES
};
/* What is offered, in order of preference; zero ends the hashes. */
struct nvmf_auth_policy {
	uint8_t hashes[3];
	uint8_t groups[NVME_AUTH_DH_COUNT], group_count;
};
extern const struct nvmf_auth_policy nvmf_auth_policy_default;
/* "sha512 sha256", "ffdhe3072 null": words with blanks or commas.  -EINVAL: unknown, twice or none. */
int nvmf_auth_policy_parse(const char *hashes, const char *groups, struct nvmf_auth_policy *ret_policy, const char **ret_why) _must_check_;

struct nvmf_auth_keys {
	bool has_host, has_ctrl;
	struct keytext host, ctrl;
};
struct nvmf_auth {
	/* Set before Negotiate is given. */
	struct nvmf_auth_keys keys;
	struct nvmf_auth_policy policy;
	char host_nqn[224], subsystem_nqn[224];
	bool may_new_psk, may_replace_psk, must_concat; /* secure channel concatenation */
	uint32_t seqnum;                 /* of the next challenge; never 0 */
	/* What came out of it. */
	enum nvmf_auth_state state;
	bool done;                       /* the host (and, if it asked, this server) has proved itself */
	bool mutual;
	bool has_psk;                    /* done, and concatenated: */
	uint8_t psk[TLS_PSK_MAX_BYTES];  /* the generated PSK, of tls_hash_bytes(hash) */
	uint8_t hash, group;             /* NVME_AUTH_SHA256 .., NVME_AUTH_DH_NULL .. */
	const char *why;                 /* it failed: constant, for people */
	/* The transaction. */
	uint8_t explanation, sc_c;
	uint16_t t_id;
	struct tls_dh *dh;
	bool has_c2;
	uint8_t c1[64], c2[64], session[64];
	uint32_t s1, s2;
};
const char *nvmf_auth_hash_name(uint8_t hash);
const char *nvmf_auth_group_name(uint8_t group);

/* A message of the host; the answer, good or bad, is fetched by receive. */
void nvmf_auth_send(struct nvmf_auth *a, const uint8_t *msg, size_t msg_bytes);
/* The message that is due.  0 and *ret_bytes; -ENODATA: none is due; -EMSGSIZE: the room is too small. */
int nvmf_auth_receive(struct nvmf_auth *a, uint8_t *msg, size_t room_bytes, size_t *ret_bytes) _must_check_;
/* The host takes too long: the transaction is forgotten. */
void nvmf_auth_forget(struct nvmf_auth *a);
void nvmf_auth_done(struct nvmf_auth *a); /* wipes */

#endif
