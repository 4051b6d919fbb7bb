/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keys.h - the operational keys: what was agreed, and how it comes about.  RFC 7143 13.
 * Pure: no sockets, no allocation.  The rows in keys.c are the one truth about every key. */
#ifndef HOLDFAST_ISCSI_KEYS_H
#define HOLDFAST_ISCSI_KEYS_H

#include "iscsi/text.h"

/* What both sides agreed on; the defaults of RFC 7143 13 until then.  Plain and part of what a
 * session hands over to a new process. */
struct iscsi_params {
	uint32_t header_digest, data_digest;     /* 0 none, 1 CRC32C */
	uint32_t max_connections;
	uint32_t initial_r2t, immediate_data;
	uint32_t peer_max_recv_bytes;            /* what the initiator can take in one PDU */
	uint32_t our_max_recv_bytes;             /* what we declared, or 8192 */
	uint32_t max_burst_bytes, first_burst_bytes;
	uint32_t time2wait_s, time2retain_s;
	uint32_t max_outstanding_r2t;
	uint32_t data_pdu_in_order, data_sequence_in_order;
	uint32_t error_recovery_level;
	uint32_t discovery;                      /* SessionType */
	uint32_t task_reporting;                 /* enum iscsi_task_reporting */
	uint32_t protocol_level;
};
enum iscsi_task_reporting { ISCSI_REPORT_RFC3720, ISCSI_REPORT_FENCE, ISCSI_REPORT_FAST_ABORT }; /* 13.23 */
void iscsi_params_init(struct iscsi_params *p);

/* What we want; each answer is the negotiation rule of the key over this and the offer. */
struct iscsi_wishes {
	bool header_digest_required, data_digest_required;
};

enum iscsi_key_phase {                   /* bits */
	ISCSI_KEY_SECURITY = 1,
	ISCSI_KEY_OPERATIONAL = 2,
	ISCSI_KEY_FULL_FEATURE = 4,
};
enum iscsi_key_id {                      /* also the bit in iscsi_negotiation.seen */
	KEY_HEADER_DIGEST, KEY_DATA_DIGEST, KEY_MAX_CONNECTIONS, KEY_SEND_TARGETS, KEY_TARGET_NAME,
	KEY_INITIATOR_NAME, KEY_TARGET_ALIAS, KEY_INITIATOR_ALIAS, KEY_TARGET_ADDRESS, KEY_TPGT,
	KEY_INITIAL_R2T, KEY_IMMEDIATE_DATA, KEY_MAX_RECV, KEY_MAX_BURST, KEY_FIRST_BURST, KEY_TIME2WAIT,
	KEY_TIME2RETAIN, KEY_MAX_R2T, KEY_PDU_IN_ORDER, KEY_SEQUENCE_IN_ORDER, KEY_ERL, KEY_SESSION_TYPE,
	KEY_TASK_REPORTING, KEY_PROTOCOL_LEVEL, KEY_IFMARKER, KEY_OFMARKER, KEY_IFMARKINT, KEY_OFMARKINT,
	KEY_AUTH_METHOD, KEY_CHAP_A, KEY_CHAP_I, KEY_CHAP_C, KEY_CHAP_N, KEY_CHAP_R,
	ISCSI_KEYS
};
struct iscsi_key;
const struct iscsi_key *iscsi_key_find(const struct iscsi_pair *pair); /* NULL: not one of ours */
enum iscsi_key_id iscsi_key_id(const struct iscsi_key *k);

/* One negotiation: a login, or a text exchange in full feature phase. */
struct iscsi_negotiation {
	struct iscsi_params *params;
	const struct iscsi_wishes *wishes;
	enum iscsi_key_phase phase;
	bool leading;                    /* the session's first connection: leading-only keys are open */
	uint64_t seen;                   /* keys that came already */
};
/* What the caller does with the pair.
 * DONE      handled: the answer, if one is due, is in out
 * HANDLE    a key whose meaning is the caller's (names, SendTargets, authentication); value checked
 *           for length only
 * FAULT     the peer broke a rule; the login ends with "initiator error"; why says which
 * REQUIRED  what we must have (a digest) was not offered */
enum iscsi_key_result { ISCSI_KEY_DONE, ISCSI_KEY_HANDLE, ISCSI_KEY_FAULT, ISCSI_KEY_REQUIRED };
enum iscsi_key_result iscsi_key_negotiate(struct iscsi_negotiation *n, const struct iscsi_pair *pair,
					  struct iscsi_text_out *out, const char **ret_why) _must_check_;
/* At the end of a login: what must have come and did not; NULL: all is well. */
const char *iscsi_key_missing(const struct iscsi_negotiation *n);
/* Settles what depends on several keys (FirstBurstLength within MaxBurstLength). */
void iscsi_params_settle(struct iscsi_params *p);

/* Ours, as we declare and limit them. */
#define ISCSI_OUR_MAX_RECV_BYTES 262144u
#define ISCSI_OUR_MAX_BURST_BYTES 1048576u
#define ISCSI_OUR_FIRST_BURST_BYTES 262144u
#define ISCSI_OUR_MAX_R2T 4u
#define ISCSI_OUR_MAX_CONNECTIONS 8u     /* of a session */
#define ISCSI_OUR_TIME2RETAIN_S 20u
#define ISCSI_DEFAULT_MAX_RECV_BYTES 8192u

#endif
