/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nvme.h - submission and completion entries, opcodes, properties and status codes of NVMe, as bytes.
 * NVM Express Base 2.1 (cited as "Base") and NVM Command Set 1.1 (cited as "NVM").  What Identify
 * returns is in nvme_identify.h, log pages and features are in nvme_log.h. */
#ifndef HOLDFAST_WIRE_NVME_H
#define HOLDFAST_WIRE_NVME_H

#include <assert.h>
#include <stddef.h>

#include "core/bytes.h"

/* ---- entries ---------------------------------------------------------------------------------------- */
struct nvme_sqe {                        /* Base figure 91 */
	uint8_t opcode;
	uint8_t flags;                   /* FUSE 1:0, PSDT 7:6 */
	le16 cid;
	le32 nsid, cdw2, cdw3;
	le64 mptr;
	uint8_t sgl1[16];                /* DPTR */
	le32 cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
static_assert(sizeof(struct nvme_sqe) == 64, "Base figure 91");
static_assert(offsetof(struct nvme_sqe, sgl1) == 24, "Base figure 91");
static_assert(offsetof(struct nvme_sqe, cdw10) == 40, "Base figure 91");
enum {
	NVME_FUSE_MASK = 0x03, NVME_FUSE_FIRST = 0x01, NVME_FUSE_SECOND = 0x02,
	NVME_PSDT_MASK = 0xc0, NVME_PSDT_SGL = 0x40, NVME_PSDT_SGL_META = 0x80,
};

struct nvme_cqe {                        /* Base figure 96, 98 */
	le64 result;                     /* DW0 and DW1, command specific */
	le16 sq_head, sq_id, cid;
	le16 status;                     /* bit 0 is the phase (reserved in fabrics), then the status */
};
static_assert(sizeof(struct nvme_cqe) == 16, "Base figure 96");
static_assert(offsetof(struct nvme_cqe, sq_head) == 8, "Base figure 96");
static_assert(offsetof(struct nvme_cqe, status) == 14, "Base figure 96");

struct nvme_sgl {                        /* Base figure 121 */
	le64 address;                    /* or offset */
	le32 len_bytes;
	uint8_t rsvd12[3];
	uint8_t type;                    /* type 7:4, subtype 3:0 */
};
static_assert(sizeof(struct nvme_sgl) == 16, "Base figure 121");
enum {                                   /* Base figures 122, 123 */
	NVME_SGL_DATA = 0x00, NVME_SGL_BIT_BUCKET = 0x10, NVME_SGL_SEGMENT = 0x20, NVME_SGL_LAST_SEGMENT = 0x30,
	NVME_SGL_KEYED = 0x40, NVME_SGL_TRANSPORT = 0x50,
	NVME_SGL_SUB_ADDRESS = 0x00, NVME_SGL_SUB_OFFSET = 0x01, NVME_SGL_SUB_TRANSPORT = 0x0a,
};

#define NVME_NSID_ALL 0xffffffffu
#define NVME_NQN_BYTES 256               /* the field; the text is shorter than 224 bytes */
#define NVME_NQN_DISCOVERY "nqn.2014-08.org.nvmexpress.discovery"

/* ---- status: SC 7:0, SCT 10:8, CRD 12:11, M 13, DNR 14 (CQE DW3 shifted right by 17) ------------------ */
#define NVME_STATUS(sct, sc) ((uint16_t)((sct) << 8 | (sc)))
enum { NVME_STATUS_MORE = 0x2000, NVME_STATUS_DNR = 0x4000, NVME_STATUS_CODE = 0x07ff };
enum nvme_status {                       /* Base figures 102 to 105, NVM figure 16 */
	NVME_SC_SUCCESS = 0x000,
	NVME_SC_INVALID_OPCODE = 0x001,
	NVME_SC_INVALID_FIELD = 0x002,
	NVME_SC_ID_CONFLICT = 0x003,
	NVME_SC_DATA_TRANSFER = 0x004,
	NVME_SC_POWER_LOSS = 0x005,
	NVME_SC_INTERNAL = 0x006,
	NVME_SC_ABORT_REQUESTED = 0x007,
	NVME_SC_ABORT_SQ_DELETED = 0x008,
	NVME_SC_FUSED_FAILED = 0x009,
	NVME_SC_FUSED_MISSING = 0x00a,
	NVME_SC_INVALID_NAMESPACE = 0x00b,
	NVME_SC_SEQUENCE = 0x00c,
	NVME_SC_SGL_SEGMENT = 0x00d,
	NVME_SC_SGL_COUNT = 0x00e,
	NVME_SC_SGL_DATA_LENGTH = 0x00f,
	NVME_SC_SGL_METADATA_LENGTH = 0x010,
	NVME_SC_SGL_TYPE = 0x011,
	NVME_SC_SGL_OFFSET = 0x016,
	NVME_SC_HOSTID_FORMAT = 0x018,
	NVME_SC_KATO_EXPIRED = 0x019,
	NVME_SC_KATO_INVALID = 0x01a,
	NVME_SC_ABORT_PREEMPTED = 0x01b,
	NVME_SC_SANITIZE_FAILED = 0x01c,
	NVME_SC_SANITIZE_RUNS = 0x01d,
	NVME_SC_WRITE_PROTECTED = 0x020,
	NVME_SC_INTERRUPTED = 0x021,
	NVME_SC_TRANSIENT_TRANSPORT = 0x022,
	NVME_SC_CSS_NOT_ENABLED = 0x029,
	NVME_SC_LBA_RANGE = 0x080,
	NVME_SC_CAPACITY = 0x081,
	NVME_SC_NS_NOT_READY = 0x082,
	NVME_SC_RESV_CONFLICT = 0x083,
	NVME_SC_QID_INVALID = 0x101,
	NVME_SC_QUEUE_SIZE = 0x102,
	NVME_SC_ABORT_LIMIT = 0x103,
	NVME_SC_AER_LIMIT = 0x105,
	NVME_SC_LOG_PAGE = 0x109,
	NVME_SC_FEATURE_NOT_SAVEABLE = 0x10d,
	NVME_SC_FEATURE_NOT_CHANGEABLE = 0x10e,
	NVME_SC_FEATURE_NOT_PER_NS = 0x10f,
	NVME_SC_CSS_COMBINATION = 0x12b,
	NVME_SC_ATTRIBUTES = 0x180,      /* conflicting attributes */
	NVME_SC_READ_ONLY_RANGE = 0x182,
	NVME_SC_SIZE_LIMIT = 0x183,      /* command size limit exceeded */
	NVME_SC_INCOMPATIBLE = 0x185,    /* namespaces or formats of a copy */
	NVME_SC_OVERLAP = 0x187,         /* overlapping I/O range */
	NVME_SC_CONNECT_FORMAT = 0x180,  /* fabrics, Base figure 105 */
	NVME_SC_CONNECT_BUSY = 0x181,
	NVME_SC_CONNECT_PARAM = 0x182,
	NVME_SC_CONNECT_RESTART = 0x183,
	NVME_SC_CONNECT_HOST = 0x184,
	NVME_SC_DISCONNECT_QUEUE = 0x185,
	NVME_SC_DISCOVERY_RESTART = 0x190,
	NVME_SC_AUTH_REQUIRED = 0x191,
	NVME_SC_WRITE_FAULT = 0x280,
	NVME_SC_READ_ERROR = 0x281,
	NVME_SC_COMPARE_FAILURE = 0x285,
	NVME_SC_DEALLOCATED = 0x287,
	NVME_SC_ANA_PERSISTENT_LOSS = 0x301,
	NVME_SC_ANA_INACCESSIBLE = 0x302,
	NVME_SC_ANA_TRANSITION = 0x303,
	NVME_SC_HOST_PATH = 0x370,
};

/* ---- opcodes ------------------------------------------------------------------------------------------- */
enum {                                   /* Base figure 142 */
	NVME_ADM_GET_LOG_PAGE = 0x02,
	NVME_ADM_IDENTIFY = 0x06,
	NVME_ADM_ABORT = 0x08,
	NVME_ADM_SET_FEATURES = 0x09,
	NVME_ADM_GET_FEATURES = 0x0a,
	NVME_ADM_ASYNC_EVENT = 0x0c,
	NVME_ADM_KEEP_ALIVE = 0x18,
	NVME_FABRICS = 0x7f,
};
enum {                                   /* Base figure 556, NVM figure 22 */
	NVME_IO_FLUSH = 0x00,
	NVME_IO_WRITE = 0x01,
	NVME_IO_READ = 0x02,
	NVME_IO_WRITE_UNCORRECTABLE = 0x04,
	NVME_IO_COMPARE = 0x05,
	NVME_IO_WRITE_ZEROES = 0x08,
	NVME_IO_DSM = 0x09,
	NVME_IO_VERIFY = 0x0c,
	NVME_IO_RESV_REGISTER = 0x0d,
	NVME_IO_RESV_REPORT = 0x0e,
	NVME_IO_RESV_ACQUIRE = 0x11,
	NVME_IO_RESV_RELEASE = 0x15,
	NVME_IO_COPY = 0x19,
};
enum {                                   /* CDW12 of reads and writes, NVM figures 49, 68 */
	NVME_RW_FUA = 1 << 30,
	NVME_RW_LR = (int)(1u << 31),
	NVME_RW_PRINFO = 0xf << 26,
	NVME_RW_STC = 1 << 24,
	NVME_WZ_DEAC = 1 << 25,
};
enum { NVME_DSM_DEALLOCATE = 4 };        /* CDW11, NVM figure 41 */

struct nvme_dsm_range {                  /* NVM figure 42 */
	le32 attributes, count_blocks;
	le64 lba;
};
static_assert(sizeof(struct nvme_dsm_range) == 16, "NVM figure 42");

struct nvme_copy_range {                 /* NVM figures 33 (format 0), 35 (format 2) */
	le32 snsid;                      /* formats 2 and 3 */
	uint8_t rsvd4[4];
	le64 lba;
	le16 count_blocks;               /* 0's based */
	uint8_t rsvd18[2];
	le16 sopt;                       /* formats 2 and 3 */
	uint8_t pi[10];                  /* format 1 and 3: 18 bytes */
};
static_assert(sizeof(struct nvme_copy_range) == 32, "NVM figure 33");
static_assert(offsetof(struct nvme_copy_range, lba) == 8, "NVM figure 33");
static_assert(offsetof(struct nvme_copy_range, count_blocks) == 16, "NVM figure 33");
#define NVME_COPY_RANGE_64_BYTES 40      /* formats 1 and 3: wider protection fields at the end */

/* ---- reservations, Base 7.5 to 7.8 ----------------------------------------------------------------------- */
enum { NVME_RREGA_REGISTER, NVME_RREGA_UNREGISTER, NVME_RREGA_REPLACE };
enum { NVME_RACQA_ACQUIRE, NVME_RACQA_PREEMPT, NVME_RACQA_PREEMPT_ABORT };
enum { NVME_RRELA_RELEASE, NVME_RRELA_CLEAR };
enum { NVME_RESV_ACTION = 7, NVME_RESV_IEKEY = 8 };
struct nvme_resv_keys {                  /* Base figures 570, 565: register, acquire; release: crkey only */
	le64 crkey, key;                 /* NRKEY, PRKEY */
};
static_assert(sizeof(struct nvme_resv_keys) == 16, "Base figure 570");
struct nvme_resv_status {                /* Base figure 577, extended */
	le32 generation;
	uint8_t rtype;
	le16 registrant_count;
	uint8_t rsvd7[2];
	uint8_t ptpls;
	uint8_t rsvd10[54];
};
static_assert(sizeof(struct nvme_resv_status) == 64, "Base figure 577");
static_assert(offsetof(struct nvme_resv_status, ptpls) == 9, "Base figure 577");
struct nvme_resv_registrant {            /* Base figure 579 */
	le16 cntlid;
	uint8_t rcsts;
	uint8_t rsvd3[5];
	le64 rkey;
	uint8_t host_id[16];
	uint8_t rsvd32[32];
};
static_assert(sizeof(struct nvme_resv_registrant) == 64, "Base figure 579");
static_assert(offsetof(struct nvme_resv_registrant, host_id) == 16, "Base figure 579");

/* ---- properties, Base 3.1.4 -------------------------------------------------------------------------------- */
enum { NVME_REG_CAP = 0x00, NVME_REG_VS = 0x08, NVME_REG_CC = 0x14, NVME_REG_CSTS = 0x1c, NVME_REG_NSSR = 0x20,
       NVME_REG_CRTO = 0x68 };
#define NVME_CAP_CQR (1ull << 16)
#define NVME_CAP_TO_SHIFT 24             /* 500 ms units */
#define NVME_CAP_CSS_NVM (1ull << 37)
#define NVME_CAP_CSS_CSI (1ull << 43)
#define NVME_CAP_CRMS_CRWMS (1ull << 59)
#define NVME_VS_2_1 0x00020100u
enum {
	NVME_CC_EN = 1, NVME_CC_CSS = 7 << 4, NVME_CC_CSS_NVM = 0, NVME_CC_CSS_ALL = 6 << 4, NVME_CC_MPS = 15 << 7,
	NVME_CC_AMS = 7 << 11, NVME_CC_SHN = 3 << 14, NVME_CC_IOSQES = 15 << 16, NVME_CC_IOCQES = 15 << 20,
	NVME_CC_CRIME = 1 << 24,
	NVME_CC_IOSQES_64 = 6 << 16, NVME_CC_IOCQES_16 = 4 << 20,
};
enum { NVME_CSTS_RDY = 1, NVME_CSTS_CFS = 2, NVME_CSTS_SHST = 3 << 2, NVME_CSTS_SHST_DONE = 2 << 2 };

/* ---- asynchronous events, Base figures 151 to 156 ------------------------------------------------------------ */
enum { NVME_AER_ERROR = 0, NVME_AER_HEALTH = 1, NVME_AER_NOTICE = 2, NVME_AER_IO_COMMAND_SET = 6 };
enum { NVME_AEN_NS_CHANGED = 0x00, NVME_AEN_ANA = 0x03, NVME_AEN_DISCOVERY = 0xf0 };

#endif
