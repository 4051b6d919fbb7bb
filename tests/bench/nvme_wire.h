/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nvme_wire.h - NVMe/TCP for nvme_load.  It shares no code with the server on purpose: the layouts
 * are written from NVM Express Base 2.x and the NVMe/TCP Transport a second time. */
#ifndef HOLDFAST_BENCH_NVME_WIRE_H
#define HOLDFAST_BENCH_NVME_WIRE_H

#include "load.h"

enum {
	PDU_ICREQ = 0, PDU_ICRESP = 1, PDU_H2C_TERM = 2, PDU_C2H_TERM = 3, PDU_COMMAND = 4, PDU_RESPONSE = 5,
	PDU_H2C_DATA = 6, PDU_C2H_DATA = 7, PDU_R2T = 9,
	PDU_FLAG_HDGST = 1, PDU_FLAG_DDGST = 2, PDU_FLAG_LAST = 4, PDU_FLAG_SUCCESS = 8,
	IC_BYTES = 128, COMMAND_BYTES = 72, RESPONSE_BYTES = 24, DATA_BYTES = 24,
	CMD_FLUSH = 0x00, CMD_WRITE = 0x01, CMD_READ = 0x02, CMD_FUA = 1 << 30,
	ADMIN_IDENTIFY = 0x06, ADMIN_SET_FEATURES = 0x09, CMD_FABRICS = 0x7f,
	FABRICS_PROPERTY_SET = 0x00, FABRICS_CONNECT = 0x01, FABRICS_PROPERTY_GET = 0x04,
	SGL_IN_CAPSULE = 0x01, SGL_TRANSPORT = 0x5a,
	PROPERTY_CC = 0x14, PROPERTY_CSTS = 0x1c, FEATURE_QUEUES = 0x07,
	CC_ENABLE = 1 | 6 << 16 | 4 << 20, CSTS_READY = 1,
	CNTLID_ANY = 0xffff,
};

struct pdu_head {                        /* every PDU */
	uint8_t type, flags, head_len, data_at;
	le32 total_len;
};
struct pdu_ic {
	struct pdu_head h;
	le16 version;
	uint8_t align, digests;          /* bit 0 header, bit 1 data */
	le32 max;                        /* ICReq MAXR2T, ICResp MAXH2CDATA */
	uint8_t rsvd[112];
};
struct sqe {
	uint8_t opcode, flags;
	le16 cid;
	le32 nsid;
	uint8_t rsvd[16];
	le64 address;
	le32 length;
	uint8_t sgl_rsvd[3], sgl_type;
	le32 dw[6];                      /* command dwords 10 to 15 */
};
struct pdu_command {
	struct pdu_head h;
	struct sqe sqe;
};
struct cqe {
	le32 dw0, dw1;
	le16 sq_head, sq_id, cid, status; /* status: bit 0 is the phase, of no use here */
};
struct pdu_response {
	struct pdu_head h;
	struct cqe cqe;
};
struct pdu_data {                        /* H2CData, C2HData, R2T */
	struct pdu_head h;
	le16 cid, tag;
	le32 offset, length;
	uint8_t rsvd[4];
};
static_assert(sizeof(struct pdu_ic) == IC_BYTES, "TCP 3.6.2.2");
static_assert(sizeof(struct pdu_command) == COMMAND_BYTES, "TCP 3.6.2.6");
static_assert(sizeof(struct pdu_response) == RESPONSE_BYTES, "TCP 3.6.2.7");
static_assert(sizeof(struct pdu_data) == DATA_BYTES, "TCP 3.6.2.8");

#endif
