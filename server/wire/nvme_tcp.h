/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nvme_tcp.h - the PDUs of NVMe/TCP, as bytes.  NVMe/TCP Transport 1.1 (cited as "TCP"), section 3.6. */
#ifndef HOLDFAST_WIRE_NVME_TCP_H
#define HOLDFAST_WIRE_NVME_TCP_H

#include <assert.h>
#include <stddef.h>

#include "core/bytes.h"
#include "wire/nvme.h"

enum nvme_tcp_type {                     /* TCP 3.6.1 */
	NVME_TCP_IC_REQ = 0x00, NVME_TCP_IC_RESP = 0x01, NVME_TCP_H2C_TERM = 0x02, NVME_TCP_C2H_TERM = 0x03,
	NVME_TCP_CMD = 0x04, NVME_TCP_RESP = 0x05, NVME_TCP_H2C_DATA = 0x06, NVME_TCP_C2H_DATA = 0x07,
	NVME_TCP_R2T = 0x09, NVME_TCP_KD_REQ = 0x0a, NVME_TCP_KD_RESP = 0x0b,
};
enum {
	NVME_TCP_HDGST = 1, NVME_TCP_DDGST = 2, NVME_TCP_LAST = 4, NVME_TCP_SUCCESS = 8,
};

struct nvme_tcp_ch {                     /* the common header, TCP 3.6.1 */
	uint8_t type, flags, header_bytes, data_offset;
	le32 len_bytes;                  /* of the whole PDU, digests included */
};
static_assert(sizeof(struct nvme_tcp_ch) == 8, "TCP 3.6.1");

struct nvme_tcp_ic {                     /* ICReq and ICResp, TCP 3.6.2.2, 3.6.2.3 */
	struct nvme_tcp_ch ch;
	le16 version;                    /* PFV */
	uint8_t alignment;               /* HPDA or CPDA: dwords, 0's based */
	uint8_t digests;                 /* bit 0 header, bit 1 data */
	le32 limit;                      /* ICReq: MAXR2T, 0's based; ICResp: MAXH2CDATA */
	uint8_t rsvd16[112];
};
static_assert(sizeof(struct nvme_tcp_ic) == 128, "TCP 3.6.2.2");
enum { NVME_TCP_IC_HDGST = 1, NVME_TCP_IC_DDGST = 2 };
#define NVME_TCP_ALIGNMENT_MAX 31

struct nvme_tcp_term {                   /* TCP 3.6.2.4, 3.6.2.5; then the header that was at fault */
	struct nvme_tcp_ch ch;
	le16 fault;                      /* FES */
	le32 info;                       /* FEI */
	uint8_t rsvd14[10];
};
static_assert(sizeof(struct nvme_tcp_term) == 24, "TCP 3.6.2.4");
static_assert(offsetof(struct nvme_tcp_term, info) == 10, "TCP 3.6.2.4");
#define NVME_TCP_TERM_MAX_BYTES 152
enum nvme_tcp_fault {
	NVME_TCP_FES_FIELD = 1, NVME_TCP_FES_SEQUENCE = 2, NVME_TCP_FES_HDGST = 3, NVME_TCP_FES_RANGE = 4,
	NVME_TCP_FES_LIMIT = 5, NVME_TCP_FES_UNSUPPORTED = 6,
};

struct nvme_tcp_cmd {                    /* CapsuleCmd, TCP 3.6.2.6 */
	struct nvme_tcp_ch ch;
	struct nvme_sqe sqe;
};
static_assert(sizeof(struct nvme_tcp_cmd) == 72, "TCP 3.6.2.6");

struct nvme_tcp_resp {                   /* CapsuleResp, TCP 3.6.2.7 */
	struct nvme_tcp_ch ch;
	struct nvme_cqe cqe;
};
static_assert(sizeof(struct nvme_tcp_resp) == 24, "TCP 3.6.2.7");

struct nvme_tcp_data {                   /* H2CData, C2HData, R2T: TCP 3.6.2.8 to 3.6.2.10 */
	struct nvme_tcp_ch ch;
	le16 cid, tag;                   /* tag: reserved in C2HData */
	le32 offset_bytes, len_bytes;
	uint8_t rsvd20[4];
};
static_assert(sizeof(struct nvme_tcp_data) == 24, "TCP 3.6.2.8");
static_assert(offsetof(struct nvme_tcp_data, offset_bytes) == 12, "TCP 3.6.2.8");

#define NVME_TCP_DIGEST_BYTES 4
#define NVME_TCP_CAPSULE_BYTES 8192      /* in-capsule data of admin and fabrics commands, TCP 3.3 */

#endif
