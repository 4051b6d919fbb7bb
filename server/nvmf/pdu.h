/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pdu.h - headers of PDUs that a host sends: what one may hold, and where the fault is.  NVMe/TCP 3.6.
 * Pure functions over bytes. */
#ifndef HOLDFAST_NVMF_PDU_H
#define HOLDFAST_NVMF_PDU_H

#include "core/core.h"
#include "wire/nvme_tcp.h"

#define NVMF_HEADER_MAX_BYTES 128        /* ICReq; all others carry at most 72 and a digest */
#define NVMF_MAX_H2C_BYTES (1u << 20)    /* our MAXH2CDATA */

struct nvmf_pdu_limits {
	bool connected;                  /* ICReq has been answered */
	bool header_digest, data_digest; /* negotiated */
};
struct nvmf_pdu {
	uint8_t type, flags;
	uint8_t header_bytes, digest_bytes; /* digest_bytes: of the header's digest, 4 or 0 */
	uint8_t pad_bytes;               /* between header and data */
	bool data_digest;
	uint32_t data_bytes;
	/* Why it is refused. */
	uint16_t fault;                  /* enum nvme_tcp_fault; 0: none */
	uint32_t info;
	const char *why;
};
/* From the 8 bytes of the common header alone: how long is this header, its digest included?  false: refused. */
bool nvmf_pdu_begin(const uint8_t *ch, const struct nvmf_pdu_limits *limits, struct nvmf_pdu *pdu) _must_check_;
/* The whole header, its digest behind it: checks the digest and what the type asks for. */
bool nvmf_pdu_parse(const uint8_t *header, const struct nvmf_pdu_limits *limits, struct nvmf_pdu *pdu) _must_check_;
const char *nvmf_pdu_name(uint8_t type);

/* What SGL1 of a command says.  0, or a status of enum nvme_status. */
struct nvmf_sgl {
	bool in_capsule;
	uint32_t offset_bytes, len_bytes;
};
uint16_t nvmf_sgl_parse(const struct nvme_sqe *sqe, uint32_t capsule_bytes, struct nvmf_sgl *ret_sgl);

static inline uint32_t nvmf_get32(const uint8_t *p)
{
	le32 v;
	memcpy(v.b, p, sizeof(v.b));
	return le32_get(v);
}
static inline void nvmf_put32(uint8_t *p, uint32_t x)
{
	le32 v = le32_of(x);
	memcpy(p, v.b, sizeof(v.b));
}

#endif
