/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nvme_fabrics.h - Fabrics commands, as bytes.  NVMe Base 2.1 chapter 6. */
#ifndef HOLDFAST_WIRE_NVME_FABRICS_H
#define HOLDFAST_WIRE_NVME_FABRICS_H

#include <assert.h>
#include <stddef.h>

#include "core/bytes.h"

enum nvme_fabrics_type {                 /* byte 4 of the entry, Base 6 */
	NVME_FCT_PROPERTY_SET = 0x00, NVME_FCT_CONNECT = 0x01, NVME_FCT_PROPERTY_GET = 0x04,
	NVME_FCT_AUTH_SEND = 0x05, NVME_FCT_AUTH_RECEIVE = 0x06, NVME_FCT_DISCONNECT = 0x08,
};

struct nvme_fabrics_connect {            /* Base 6.3 */
	uint8_t opcode, flags;
	le16 cid;
	uint8_t type, rsvd5[19], sgl1[16];
	le16 format, qid, sq_size;       /* sq_size: 0's based */
	uint8_t attributes, rsvd47;
	le32 kato_ms;
	uint8_t rsvd52[12];
};
static_assert(sizeof(struct nvme_fabrics_connect) == 64, "Base 6.3");
static_assert(offsetof(struct nvme_fabrics_connect, format) == 40, "Base 6.3");
static_assert(offsetof(struct nvme_fabrics_connect, kato_ms) == 48, "Base 6.3");
enum { NVME_CATTR_NO_SQ_FLOW = 4 };
#define NVME_CNTLID_DYNAMIC 0xffff
#define NVME_CNTLID_STATIC 0xfffe

struct nvme_connect_data {               /* Base 6.3 */
	uint8_t host_id[16];
	le16 cntlid;
	uint8_t rsvd18[238];
	char subsystem_nqn[256], host_nqn[256];
	uint8_t rsvd768[256];
};
static_assert(sizeof(struct nvme_connect_data) == 1024, "Base 6.3");
static_assert(offsetof(struct nvme_connect_data, subsystem_nqn) == 256, "Base 6.3");
static_assert(offsetof(struct nvme_connect_data, host_nqn) == 512, "Base 6.3");
#define NVME_CONNECT_IN_DATA (1u << 16)  /* IATTR, above IPO, in the result of a refused Connect */

struct nvme_fabrics_property {           /* Base 6.5, 6.6 */
	uint8_t opcode, flags;
	le16 cid;
	uint8_t type, rsvd5[35], attributes, rsvd41[3];
	le32 offset;
	le64 value;                      /* set only */
	uint8_t rsvd56[8];
};
static_assert(sizeof(struct nvme_fabrics_property) == 64, "Base 6.5");
static_assert(offsetof(struct nvme_fabrics_property, offset) == 44, "Base 6.5");
enum { NVME_PROPERTY_SIZE = 7, NVME_PROPERTY_4 = 0, NVME_PROPERTY_8 = 1, NVME_PROPERTY_CC = 0x14 };

struct nvme_fabrics_disconnect {         /* Base 6.4 */
	uint8_t opcode, flags;
	le16 cid;
	uint8_t type, rsvd5[35];
	le16 format;
	uint8_t rsvd42[22];
};
static_assert(sizeof(struct nvme_fabrics_disconnect) == 64, "Base 6.4");
static_assert(offsetof(struct nvme_fabrics_disconnect, format) == 40, "Base 6.4");

#endif
