/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pdu.c - PDUs of the host: one row per type says what its header may hold.  NVMe/TCP 3.6. */
#include "nvmf/pdu.h"

enum {
	PDU_FROM_HOST = 1,
	PDU_FIRST = 2,                   /* opens the connection, and only that */
	PDU_ANYTIME = 4,
	PDU_MAY_CARRY_DATA = 8,
	PDU_MUST_CARRY_DATA = 16,
	PDU_HAS_DIGESTS = 32,
	PDU_PACKED = 64,                 /* data follows the header at once; PDO is reserved */
};
static const struct pdu_row {
	const char *name, *spec;
	uint8_t header_bytes;
	uint8_t flags;                   /* that may be set */
	uint32_t max_data_bytes;
	unsigned can;
} rows[16] = {
	[NVME_TCP_IC_REQ] = { "ICReq", "TCP 3.6.2.2", 128, 0, 0, PDU_FROM_HOST | PDU_FIRST },
	[NVME_TCP_IC_RESP] = { "ICResp", "TCP 3.6.2.3", 128, 0, 0, 0 },
	[NVME_TCP_H2C_TERM] = { "H2CTermReq", "TCP 3.6.2.4", 24, 0, NVME_TCP_TERM_MAX_BYTES - 24,
		PDU_FROM_HOST | PDU_ANYTIME | PDU_MAY_CARRY_DATA | PDU_PACKED },
	[NVME_TCP_C2H_TERM] = { "C2HTermReq", "TCP 3.6.2.5", 24, 0, 0, 0 },
	[NVME_TCP_CMD] = { "CapsuleCmd", "TCP 3.6.2.6", 72, NVME_TCP_HDGST | NVME_TCP_DDGST, NVME_TCP_CAPSULE_BYTES,
		PDU_FROM_HOST | PDU_MAY_CARRY_DATA | PDU_HAS_DIGESTS },
	[NVME_TCP_RESP] = { "CapsuleResp", "TCP 3.6.2.7", 24, 0, 0, 0 },
	[NVME_TCP_H2C_DATA] = { "H2CData", "TCP 3.6.2.8", 24, NVME_TCP_HDGST | NVME_TCP_DDGST | NVME_TCP_LAST, NVMF_MAX_H2C_BYTES,
		PDU_FROM_HOST | PDU_MAY_CARRY_DATA | PDU_MUST_CARRY_DATA | PDU_HAS_DIGESTS },
	[NVME_TCP_C2H_DATA] = { "C2HData", "TCP 3.6.2.9", 24, 0, 0, 0 },
	[NVME_TCP_R2T] = { "R2T", "TCP 3.6.2.10", 24, 0, 0, 0 },
};

const char *nvmf_pdu_name(uint8_t type)
{
	return type < ARRAY_COUNT(rows) && rows[type].name ? rows[type].name : "unknown PDU";
}

static bool refuse(struct nvmf_pdu *pdu, enum nvme_tcp_fault fault, uint32_t info, const char *why)
{
	pdu->fault = (uint16_t)fault;
	pdu->info = info;
	pdu->why = why;
	return false;
}
#define AT(field) ((uint32_t)offsetof(struct nvme_tcp_ch, field))

bool nvmf_pdu_begin(const uint8_t *p, const struct nvmf_pdu_limits *limits, struct nvmf_pdu *pdu)
{
	const struct nvme_tcp_ch *ch = (const void *)p;
	const struct pdu_row *row = &rows[ch->type % ARRAY_COUNT(rows)];

	*pdu = (struct nvmf_pdu){ .type = ch->type, .flags = ch->flags, .header_bytes = row->header_bytes };
	if (ch->type >= ARRAY_COUNT(rows) || !(row->can & PDU_FROM_HOST))
		return refuse(pdu, NVME_TCP_FES_FIELD, AT(type), "a PDU type that no host sends");
	if (!(row->can & PDU_ANYTIME) && limits->connected == !!(row->can & PDU_FIRST))
		return refuse(pdu, NVME_TCP_FES_SEQUENCE, 0,
			      limits->connected ? "a second ICReq" : "a PDU before ICReq");
	if (ch->header_bytes != row->header_bytes)
		return refuse(pdu, NVME_TCP_FES_FIELD, AT(header_bytes), "the header has another length (HLEN)");
	bool digests = row->can & PDU_HAS_DIGESTS;
	if (digests && limits->header_digest != !!(ch->flags & NVME_TCP_HDGST))
		return refuse(pdu, NVME_TCP_FES_FIELD, AT(flags), "the header digest flag is not as negotiated");
	pdu->digest_bytes = digests && limits->header_digest ? NVME_TCP_DIGEST_BYTES : 0;
	uint32_t head = (uint32_t)pdu->header_bytes + pdu->digest_bytes, len = le32_get(ch->len_bytes);
	if (len < head)
		return refuse(pdu, NVME_TCP_FES_FIELD, AT(len_bytes), "the PDU is shorter than its header (PLEN)");
	if (len == head) {
		if (row->can & PDU_MUST_CARRY_DATA)
			return refuse(pdu, NVME_TCP_FES_FIELD, AT(len_bytes), "a data PDU without data (PLEN)");
		return true;
	}
	if (!(row->can & PDU_MAY_CARRY_DATA))
		return refuse(pdu, NVME_TCP_FES_FIELD, AT(len_bytes), "data where none may be (PLEN)");
	uint32_t at = row->can & PDU_PACKED ? head : ch->data_offset;
	if (at < head || at % 4 || at > len)
		return refuse(pdu, NVME_TCP_FES_FIELD, AT(data_offset), "no possible data offset (PDO)");
	pdu->pad_bytes = (uint8_t)(at - head);
	pdu->data_bytes = len - at;
	if (digests && limits->data_digest != !!(ch->flags & NVME_TCP_DDGST))
		return refuse(pdu, NVME_TCP_FES_FIELD, AT(flags), "the data digest flag is not as negotiated");
	pdu->data_digest = digests && limits->data_digest;
	if (pdu->data_digest) {
		if (pdu->data_bytes <= NVME_TCP_DIGEST_BYTES)
			return refuse(pdu, NVME_TCP_FES_FIELD, AT(len_bytes), "no room for the data digest (PLEN)");
		pdu->data_bytes -= NVME_TCP_DIGEST_BYTES;
	}
	if (!pdu->data_bytes)
		return refuse(pdu, NVME_TCP_FES_FIELD, AT(len_bytes), "padding without data (PLEN)");
	if (pdu->data_bytes > row->max_data_bytes) {
		if (ch->type == NVME_TCP_H2C_DATA)
			return refuse(pdu, NVME_TCP_FES_LIMIT, 0, "more data than MAXH2CDATA");
		return refuse(pdu, NVME_TCP_FES_FIELD, AT(len_bytes), "more data than the capsule takes (PLEN)");
	}
	return true;
}

static bool parse_ic(const struct nvme_tcp_ic *ic, struct nvmf_pdu *pdu)
{
	if (le16_get(ic->version))
		return refuse(pdu, NVME_TCP_FES_UNSUPPORTED, offsetof(struct nvme_tcp_ic, version), "an unknown PDU format version (PFV)");
	if (ic->alignment > NVME_TCP_ALIGNMENT_MAX)
		return refuse(pdu, NVME_TCP_FES_FIELD, offsetof(struct nvme_tcp_ic, alignment), "no possible alignment (HPDA)");
	if (ic->digests & ~(NVME_TCP_IC_HDGST | NVME_TCP_IC_DDGST))
		return refuse(pdu, NVME_TCP_FES_FIELD, offsetof(struct nvme_tcp_ic, digests), "an unknown kind of digest (DGST)");
	return true;
}

bool nvmf_pdu_parse(const uint8_t *header, const struct nvmf_pdu_limits *limits, struct nvmf_pdu *pdu)
{
	if (!nvmf_pdu_begin(header, limits, pdu))
		return false;
	if (pdu->digest_bytes) {
		uint32_t came = nvmf_get32(header + pdu->header_bytes);
		if (crc32c(0, header, pdu->header_bytes) != came)
			return refuse(pdu, NVME_TCP_FES_HDGST, came, "header digest error");
	}
	if (pdu->type == NVME_TCP_IC_REQ)
		return parse_ic((const void *)header, pdu);
	if (pdu->type == NVME_TCP_H2C_DATA) {
		const struct nvme_tcp_data *h = (const void *)header;
		if (le32_get(h->len_bytes) != pdu->data_bytes)
			return refuse(pdu, NVME_TCP_FES_FIELD, offsetof(struct nvme_tcp_data, len_bytes), "DATAL is not what the PDU holds");
	}
	return true;
}

uint16_t nvmf_sgl_parse(const struct nvme_sqe *sqe, uint32_t capsule_bytes, struct nvmf_sgl *ret_sgl)
{
	const struct nvme_sgl *s = (const void *)sqe->sgl1;
	uint64_t offset = le64_get(s->address);

	*ret_sgl = (struct nvmf_sgl){ .len_bytes = le32_get(s->len_bytes) };
	if ((sqe->flags & NVME_PSDT_MASK) != NVME_PSDT_SGL)
		return NVME_SC_INVALID_FIELD;
	switch (s->type) {
	case NVME_SGL_DATA | NVME_SGL_SUB_OFFSET:
		ret_sgl->in_capsule = true;
		if (!range_fits(offset, ret_sgl->len_bytes, capsule_bytes))
			return NVME_SC_SGL_OFFSET;
		ret_sgl->offset_bytes = (uint32_t)offset;
		return 0;
	case NVME_SGL_TRANSPORT | NVME_SGL_SUB_TRANSPORT:
		return 0;
	case 0:                                  /* commands without data leave it empty */
		return ret_sgl->len_bytes ? NVME_SC_SGL_TYPE : 0;
	default:
		return NVME_SC_SGL_TYPE;
	}
}
