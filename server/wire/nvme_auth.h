/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nvme_auth.h - in-band authentication, as bytes: the two commands and the messages of DH-HMAC-CHAP.
 * NVMe Base 2.1, 6.1, 6.2 and 8.3.4.5. */
#ifndef HOLDFAST_WIRE_NVME_AUTH_H
#define HOLDFAST_WIRE_NVME_AUTH_H

#include <assert.h>
#include <stddef.h>

#include "core/bytes.h"

struct nvme_fabrics_auth {               /* Authentication Send and Receive */
	uint8_t opcode, flags;
	le16 cid;
	uint8_t type, rsvd5[19], sgl1[16];
	uint8_t rsvd40, spsp0, spsp1, secp;
	le32 len_bytes;                  /* TL or AL */
	uint8_t rsvd48[16];
};
static_assert(sizeof(struct nvme_fabrics_auth) == 64, "Base 6.1");
static_assert(offsetof(struct nvme_fabrics_auth, secp) == 43, "Base 6.1");
enum { NVME_SECP_NVME = 0xe9, NVME_SPSP0_AUTH = 1, NVME_SPSP1_AUTH = 1 };
/* In the result of a Connect that succeeds, above the controller id. */
#define NVME_CONNECT_ATR (1u << 17)      /* authentication is required */
#define NVME_CONNECT_ASCR (1u << 18)     /* .. and a secure channel, by concatenation */

enum { NVME_AUTH_COMMON = 0, NVME_AUTH_DHCHAP = 1 };     /* AUTH_TYPE */
enum nvme_auth_id {
	NVME_AUTH_NEGOTIATE = 0x00, NVME_AUTH_CHALLENGE = 0x01, NVME_AUTH_REPLY = 0x02, NVME_AUTH_SUCCESS1 = 0x03,
	NVME_AUTH_SUCCESS2 = 0x04, NVME_AUTH_FAILURE2 = 0xf0, NVME_AUTH_FAILURE1 = 0xf1,
};
enum nvme_auth_reason {                  /* explanation of the one reason there is, 01h: authentication failed */
	NVME_AUTH_FAILED = 1, NVME_AUTH_NO_PROTOCOL = 2, NVME_AUTH_CONCAT = 3, NVME_AUTH_NO_HASH = 4, NVME_AUTH_NO_GROUP = 5,
	NVME_AUTH_PAYLOAD = 6, NVME_AUTH_MESSAGE = 7,
};
enum { NVME_AUTH_SC_NONE = 0, NVME_AUTH_SC_NEW_PSK = 2, NVME_AUTH_SC_REPLACE_PSK = 3 }; /* SC_C */
enum { NVME_AUTH_SHA256 = 1, NVME_AUTH_SHA384 = 2, NVME_AUTH_SHA512 = 3 };
enum {
	NVME_AUTH_DH_NULL = 0, NVME_AUTH_DH_2048 = 1, NVME_AUTH_DH_3072 = 2, NVME_AUTH_DH_4096 = 3, NVME_AUTH_DH_6144 = 4,
	NVME_AUTH_DH_8192 = 5, NVME_AUTH_DH_COUNT = 6,
};

struct nvme_auth_head {                  /* of every message */
	uint8_t type, id, rsvd2[2];
	le16 t_id;
};
static_assert(sizeof(struct nvme_auth_head) == 6, "Base 8.3.4.5");

struct nvme_auth_protocol {              /* descriptor of DH-HMAC-CHAP in a negotiation */
	uint8_t id, rsvd1, hash_count, group_count;
	uint8_t hashes[30], groups[30];
};
static_assert(sizeof(struct nvme_auth_protocol) == 64, "Base 8.3.4.5.2");
enum { NVME_AUTH_PROTOCOL_DHCHAP = 1 };
struct nvme_auth_negotiate {             /* then count descriptors */
	struct nvme_auth_head head;
	uint8_t sc_c, count;
};
static_assert(sizeof(struct nvme_auth_negotiate) == 8, "Base 8.3.4.5.2");

struct nvme_auth_challenge {             /* then the challenge and the DH value */
	struct nvme_auth_head head;
	uint8_t hash_bytes, rsvd7, hash, group;
	le16 dh_bytes;
	le32 seqnum;
};
static_assert(sizeof(struct nvme_auth_challenge) == 16, "Base 8.3.4.5.3");

struct nvme_auth_reply {                 /* then the response, a challenge and the DH value */
	struct nvme_auth_head head;
	uint8_t hash_bytes, rsvd7, has_challenge, rsvd9;
	le16 dh_bytes;
	le32 seqnum;
};
static_assert(sizeof(struct nvme_auth_reply) == 16, "Base 8.3.4.5.4");

struct nvme_auth_success1 {              /* then the response, when there is one */
	struct nvme_auth_head head;
	uint8_t hash_bytes, rsvd7, has_response, rsvd9[7];
};
static_assert(sizeof(struct nvme_auth_success1) == 16, "Base 8.3.4.5.5");

struct nvme_auth_success2 {
	struct nvme_auth_head head;
	uint8_t rsvd6[10];
};
static_assert(sizeof(struct nvme_auth_success2) == 16, "Base 8.3.4.5.6");

struct nvme_auth_failure {               /* both failures */
	struct nvme_auth_head head;
	uint8_t reason, explanation;     /* 1, enum nvme_auth_reason */
};
static_assert(sizeof(struct nvme_auth_failure) == 8, "Base 8.3.4.5.7");

#endif
