/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pdu.h - one request PDU, from bytes to fields, and whether it may stand.  RFC 7143 11.
 * Pure functions over byte ranges: no sockets, no allocation, no state; fuzzed by fuzz/iscsi_pdu. */
#ifndef HOLDFAST_ISCSI_PDU_H
#define HOLDFAST_ISCSI_PDU_H

#include "wire/iscsi.h"

#include "core/base.h"

/* What the connection allows now. */
struct iscsi_pdu_limits {
	uint32_t max_data_bytes;         /* MaxRecvDataSegmentLength that we declared */
	bool login;                      /* not in full feature phase yet */
	bool discovery;                  /* a discovery session: text and logout only */
};

/* What becomes of it.  DROP: the stream cannot be trusted any more. */
enum iscsi_pdu_verdict { ISCSI_PDU_OK, ISCSI_PDU_REJECTED, ISCSI_PDU_DROP };

struct iscsi_pdu {
	uint8_t opcode;                  /* enum iscsi_opcode */
	uint8_t flags;
	bool immediate, final;
	uint32_t data_len_bytes;         /* without padding */
	uint32_t itt, ttt, cmdsn, exp_statsn;
	const uint8_t *bhs;              /* 48 bytes; borrowed from the caller of iscsi_pdu_parse() */
	const uint8_t *ext_cdb;          /* bytes 16.. of a long CDB, in the header; NULL: none */
	uint16_t ext_cdb_len;
	bool bidi;                       /* a bidirectional length came along: */
	uint32_t bidi_read_bytes;        /* .. how much of the data comes to the initiator */
	uint8_t reject;                  /* enum iscsi_reject_reason, when REJECTED or DROP */
	const char *why;                 /* a sentence, when REJECTED or DROP */
};

/* Header length on the wire: BHS, AHS and header digest, from the first 48 bytes. */
static inline uint32_t iscsi_pdu_header_bytes(const uint8_t *bhs, bool header_digest)
{
	return ISCSI_BHS_BYTES + bhs[4] * 4u + (header_digest ? ISCSI_DIGEST_BYTES : 0);
}
static inline uint32_t iscsi_pad_bytes(uint32_t len_bytes)
{
	return -len_bytes & 3;
}
static inline uint32_t iscsi_pdu_data_len(const uint8_t *bhs)
{
	return (uint32_t)bhs[5] << 16 | (uint32_t)bhs[6] << 8 | bhs[7];
}
/* Digests stand on the wire in little-endian order, RFC 7143 13.1. */
static inline void iscsi_digest_put(uint8_t *to, uint32_t crc)
{
	le32 v = le32_of(crc);
	memcpy(to, v.b, sizeof(v.b));
}
static inline uint32_t iscsi_digest_get(const uint8_t *from)
{
	le32 v;
	memcpy(v.b, from, sizeof(v.b));
	return le32_get(v);
}

/* header  BHS and AHS, 48 + 4 * TotalAHSLength bytes; borrowed as long as ret_pdu is used
 * ret_pdu filled as far as it goes, also on a refusal */
enum iscsi_pdu_verdict iscsi_pdu_parse(const uint8_t *header, const struct iscsi_pdu_limits *limits,
				       struct iscsi_pdu *ret_pdu);
const char *iscsi_opcode_name(uint8_t opcode);

/* Serial numbers, RFC 1982 and RFC 7143 4.2.2.1. */
static inline bool iscsi_sn_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}
static inline bool iscsi_sn_le(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}
/* Does sn lie in [first, last]?  An empty window has last = first - 1. */
static inline bool iscsi_sn_in(uint32_t sn, uint32_t first, uint32_t last)
{
	return iscsi_sn_le(first, sn) && iscsi_sn_le(sn, last);
}

#endif
