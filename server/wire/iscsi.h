/* SPDX-License-Identifier: GPL-3.0-or-later */
/* iscsi.h - the PDUs of iSCSI as bytes, and the numbers in them.  RFC 7143 11.
 * Every basic header segment is 48 bytes; be24/be32 are byte arrays, so there is no padding. */
#ifndef HOLDFAST_WIRE_ISCSI_H
#define HOLDFAST_WIRE_ISCSI_H

#include <assert.h>
#include <stddef.h>

#include "core/bytes.h"

#define ISCSI_BHS_BYTES 48
#define ISCSI_DIGEST_BYTES 4
#define ISCSI_AHS_MAX_BYTES 1020         /* TotalAHSLength is one byte of 4-byte words */
#define ISCSI_DATA_MAX_BYTES 0xffffffu   /* DataSegmentLength is 24 bits */
#define ISCSI_PORT 3260
#define ISCSI_NAME_MAX 223               /* 4.2.7.1 */
#define ISCSI_TAG_NONE 0xffffffffu       /* "reserved" value of every task tag */

enum iscsi_opcode {                      /* 11.2.1.2 */
	ISCSI_NOP_OUT = 0x00,
	ISCSI_SCSI_COMMAND = 0x01,
	ISCSI_TASK_REQUEST = 0x02,
	ISCSI_LOGIN_REQUEST = 0x03,
	ISCSI_TEXT_REQUEST = 0x04,
	ISCSI_DATA_OUT = 0x05,
	ISCSI_LOGOUT_REQUEST = 0x06,
	ISCSI_SNACK = 0x10,
	ISCSI_NOP_IN = 0x20,
	ISCSI_SCSI_RESPONSE = 0x21,
	ISCSI_TASK_RESPONSE = 0x22,
	ISCSI_LOGIN_RESPONSE = 0x23,
	ISCSI_TEXT_RESPONSE = 0x24,
	ISCSI_DATA_IN = 0x25,
	ISCSI_LOGOUT_RESPONSE = 0x26,
	ISCSI_R2T = 0x31,
	ISCSI_ASYNC = 0x32,
	ISCSI_REJECT = 0x3f,
};
#define ISCSI_OPCODE_MASK 0x3f
#define ISCSI_IMMEDIATE 0x40             /* in the opcode byte */
#define ISCSI_FINAL 0x80                 /* in the flags byte */
#define ISCSI_CONTINUE 0x40              /* text, login: more of this text follows */

struct iscsi_bhs {                       /* 11.2.1: what all requests share */
	uint8_t opcode;
	uint8_t flags;
	uint8_t specific0[2];
	uint8_t ahs_words;               /* TotalAHSLength */
	be24    data_len_bytes;          /* DataSegmentLength, without padding */
	uint8_t lun[8];
	be32    itt;
	uint8_t specific1[28];
};
static_assert(sizeof(struct iscsi_bhs) == ISCSI_BHS_BYTES, "RFC 7143 11.2.1");
static_assert(offsetof(struct iscsi_bhs, data_len_bytes) == 5, "RFC 7143 11.2.1");
static_assert(offsetof(struct iscsi_bhs, lun) == 8, "RFC 7143 11.2.1");
static_assert(offsetof(struct iscsi_bhs, itt) == 16, "RFC 7143 11.2.1");

/* Additional header segments, 11.2.2. */
enum { ISCSI_AHS_CDB = 1, ISCSI_AHS_BIDI_LEN = 2 };
struct iscsi_ahs {
	be16    len_bytes;               /* AHSLength: what follows the type byte, without padding */
	uint8_t type;
	uint8_t specific0;               /* the first byte that len_bytes counts */
};
static_assert(sizeof(struct iscsi_ahs) == 4, "RFC 7143 11.2.2");

#define ISCSI_COMMAND_READ 0x40
#define ISCSI_COMMAND_WRITE 0x20
#define ISCSI_COMMAND_ATTR 0x07
enum { ISCSI_ATTR_UNTAGGED, ISCSI_ATTR_SIMPLE, ISCSI_ATTR_ORDERED, ISCSI_ATTR_HEAD, ISCSI_ATTR_ACA };
struct iscsi_scsi_command {              /* 11.3 */
	uint8_t opcode, flags, rsvd[2], ahs_words;
	be24    data_len_bytes;
	uint8_t lun[8];
	be32    itt;
	be32    edtl;                    /* Expected Data Transfer Length */
	be32    cmdsn, exp_statsn;
	uint8_t cdb[16];
};
static_assert(sizeof(struct iscsi_scsi_command) == 48, "RFC 7143 11.3");
static_assert(offsetof(struct iscsi_scsi_command, edtl) == 20, "RFC 7143 11.3");
static_assert(offsetof(struct iscsi_scsi_command, cdb) == 32, "RFC 7143 11.3");

#define ISCSI_RESIDUAL_OVERFLOW 0x04
#define ISCSI_RESIDUAL_UNDERFLOW 0x02
#define ISCSI_BIDI_UNDERFLOW 0x08        /* SCSI Response only: of the part that is read */
enum { ISCSI_RESPONSE_COMPLETE = 0x00, ISCSI_RESPONSE_TARGET_FAILURE = 0x01 };
struct iscsi_scsi_response {             /* 11.4 */
	uint8_t opcode, flags, response, status, ahs_words;
	be24    data_len_bytes;
	uint8_t rsvd[8];
	be32    itt;
	be32    snack_tag;
	be32    statsn, exp_cmdsn, max_cmdsn;
	be32    exp_datasn;
	be32    bidi_residual;
	be32    residual;
};
static_assert(sizeof(struct iscsi_scsi_response) == 48, "RFC 7143 11.4");
static_assert(offsetof(struct iscsi_scsi_response, statsn) == 24, "RFC 7143 11.4");
static_assert(offsetof(struct iscsi_scsi_response, residual) == 44, "RFC 7143 11.4");

enum iscsi_task_function {               /* 11.5.1 */
	ISCSI_ABORT_TASK = 1,
	ISCSI_ABORT_TASK_SET = 2,
	ISCSI_CLEAR_ACA = 3,
	ISCSI_CLEAR_TASK_SET = 4,
	ISCSI_LUN_RESET = 5,
	ISCSI_TARGET_WARM_RESET = 6,
	ISCSI_TARGET_COLD_RESET = 7,
	ISCSI_TASK_REASSIGN = 8,
	ISCSI_QUERY_TASK = 9,            /* 9..12: RFC 7144 4.1 */
	ISCSI_QUERY_TASK_SET = 10,
	ISCSI_NEXUS_RESET = 11,
	ISCSI_QUERY_ASYNC = 12,
};
struct iscsi_task_request {              /* 11.5 */
	uint8_t opcode, flags, rsvd[2], ahs_words;
	be24    data_len_bytes;
	uint8_t lun[8];
	be32    itt;
	be32    ref_itt;                 /* Referenced Task Tag */
	be32    cmdsn, exp_statsn;
	be32    ref_cmdsn;
	be32    exp_datasn;
	uint8_t rsvd2[8];
};
static_assert(sizeof(struct iscsi_task_request) == 48, "RFC 7143 11.5");
static_assert(offsetof(struct iscsi_task_request, ref_cmdsn) == 32, "RFC 7143 11.5");

enum iscsi_task_answer {                 /* 11.6.1 */
	ISCSI_TASK_COMPLETE = 0,
	ISCSI_TASK_NO_TASK = 1,
	ISCSI_TASK_NO_LUN = 2,
	ISCSI_TASK_STILL_ALLEGIANT = 3,
	ISCSI_TASK_NO_REASSIGN = 4,
	ISCSI_TASK_UNSUPPORTED = 5,
	ISCSI_TASK_UNAUTHORIZED = 6,
	ISCSI_TASK_SUCCEEDED = 7,        /* RFC 7144 4.2 */
	ISCSI_TASK_REJECTED = 255,
};
struct iscsi_task_response {             /* 11.6 */
	uint8_t opcode, flags, response, rsvd, ahs_words;
	be24    data_len_bytes;
	uint8_t info[3];                 /* Additional Response Information: RFC 7144 4.2 */
	uint8_t rsvd2[5];
	be32    itt;
	uint8_t rsvd3[4];
	be32    statsn, exp_cmdsn, max_cmdsn;
	uint8_t rsvd4[12];
};
static_assert(sizeof(struct iscsi_task_response) == 48, "RFC 7143 11.6");
static_assert(offsetof(struct iscsi_task_response, info) == 8, "RFC 7144 4.2");

struct iscsi_data_out {                  /* 11.7.1 */
	uint8_t opcode, flags, rsvd[2], ahs_words;
	be24    data_len_bytes;
	uint8_t lun[8];
	be32    itt;
	be32    ttt;
	uint8_t rsvd2[4];
	be32    exp_statsn;
	uint8_t rsvd3[4];
	be32    datasn;
	be32    offset_bytes;
	uint8_t rsvd4[4];
};
static_assert(sizeof(struct iscsi_data_out) == 48, "RFC 7143 11.7.1");
static_assert(offsetof(struct iscsi_data_out, datasn) == 36, "RFC 7143 11.7.1");

#define ISCSI_DATA_IN_ACK 0x40
#define ISCSI_DATA_IN_STATUS 0x01
struct iscsi_data_in {                   /* 11.7.2 */
	uint8_t opcode, flags, rsvd, status, ahs_words;
	be24    data_len_bytes;
	uint8_t lun[8];
	be32    itt;
	be32    ttt;
	be32    statsn, exp_cmdsn, max_cmdsn;
	be32    datasn;
	be32    offset_bytes;
	be32    residual;
};
static_assert(sizeof(struct iscsi_data_in) == 48, "RFC 7143 11.7.2");
static_assert(offsetof(struct iscsi_data_in, offset_bytes) == 40, "RFC 7143 11.7.2");

struct iscsi_r2t {                       /* 11.8 */
	uint8_t opcode, flags, rsvd[2], ahs_words;
	be24    data_len_bytes;
	uint8_t lun[8];
	be32    itt;
	be32    ttt;
	be32    statsn, exp_cmdsn, max_cmdsn;
	be32    r2tsn;
	be32    offset_bytes;
	be32    desired_bytes;
};
static_assert(sizeof(struct iscsi_r2t) == 48, "RFC 7143 11.8");

enum iscsi_async_event {                 /* 11.9.1 */
	ISCSI_ASYNC_SENSE = 0,
	ISCSI_ASYNC_LOGOUT = 1,
	ISCSI_ASYNC_DROP_CONNECTION = 2,
	ISCSI_ASYNC_DROP_SESSION = 3,
	ISCSI_ASYNC_NEGOTIATE = 4,
	ISCSI_ASYNC_TASKS_ABORTED = 5,   /* FastAbort, 4.2.3.4 */
};
struct iscsi_async {                     /* 11.9 */
	uint8_t opcode, flags, rsvd[2], ahs_words;
	be24    data_len_bytes;
	uint8_t lun[8];
	be32    tag;                     /* ISCSI_TAG_NONE */
	uint8_t rsvd2[4];
	be32    statsn, exp_cmdsn, max_cmdsn;
	uint8_t event, vendor_code;
	be16    param1, param2, param3;
	uint8_t rsvd3[4];
};
static_assert(sizeof(struct iscsi_async) == 48, "RFC 7143 11.9");
static_assert(offsetof(struct iscsi_async, event) == 36, "RFC 7143 11.9");

struct iscsi_text_request {              /* 11.10 */
	uint8_t opcode, flags, rsvd[2], ahs_words;
	be24    data_len_bytes;
	uint8_t lun[8];
	be32    itt;
	be32    ttt;
	be32    cmdsn, exp_statsn;
	uint8_t rsvd2[16];
};
static_assert(sizeof(struct iscsi_text_request) == 48, "RFC 7143 11.10");

struct iscsi_text_response {             /* 11.11 */
	uint8_t opcode, flags, rsvd[2], ahs_words;
	be24    data_len_bytes;
	uint8_t lun[8];
	be32    itt;
	be32    ttt;
	be32    statsn, exp_cmdsn, max_cmdsn;
	uint8_t rsvd2[12];
};
static_assert(sizeof(struct iscsi_text_response) == 48, "RFC 7143 11.11");

#define ISCSI_LOGIN_TRANSIT 0x80
#define ISCSI_LOGIN_CSG(flags) (((flags) >> 2) & 3)
#define ISCSI_LOGIN_NSG(flags) ((flags) & 3)
enum iscsi_stage { ISCSI_STAGE_SECURITY = 0, ISCSI_STAGE_OPERATIONAL = 1, ISCSI_STAGE_FULL_FEATURE = 3 };
struct iscsi_login_request {             /* 11.12 */
	uint8_t opcode, flags, version_max, version_min, ahs_words;
	be24    data_len_bytes;
	uint8_t isid[6];
	be16    tsih;
	be32    itt;
	be16    cid;
	uint8_t rsvd[2];
	be32    cmdsn, exp_statsn;
	uint8_t rsvd2[16];
};
static_assert(sizeof(struct iscsi_login_request) == 48, "RFC 7143 11.12");
static_assert(offsetof(struct iscsi_login_request, tsih) == 14, "RFC 7143 11.12");
static_assert(offsetof(struct iscsi_login_request, cid) == 20, "RFC 7143 11.12");

/* Class in the high byte, detail in the low one, 11.13.5. */
enum iscsi_login_status {
	ISCSI_LOGIN_OK = 0x0000,
	ISCSI_LOGIN_MOVED_TEMPORARILY = 0x0101,
	ISCSI_LOGIN_MOVED = 0x0102,
	ISCSI_LOGIN_INITIATOR_ERROR = 0x0200,
	ISCSI_LOGIN_AUTH_FAILED = 0x0201,
	ISCSI_LOGIN_FORBIDDEN = 0x0202,
	ISCSI_LOGIN_NOT_FOUND = 0x0203,
	ISCSI_LOGIN_REMOVED = 0x0204,
	ISCSI_LOGIN_BAD_VERSION = 0x0205,
	ISCSI_LOGIN_TOO_MANY_CONNECTIONS = 0x0206,
	ISCSI_LOGIN_MISSING_PARAMETER = 0x0207,
	ISCSI_LOGIN_CANNOT_INCLUDE = 0x0208,
	ISCSI_LOGIN_BAD_SESSION_TYPE = 0x0209,
	ISCSI_LOGIN_NO_SESSION = 0x020a,
	ISCSI_LOGIN_INVALID = 0x020b,
	ISCSI_LOGIN_TARGET_ERROR = 0x0300,
	ISCSI_LOGIN_UNAVAILABLE = 0x0301,
	ISCSI_LOGIN_NO_RESOURCES = 0x0302,
};
struct iscsi_login_response {            /* 11.13 */
	uint8_t opcode, flags, version_max, version_active, ahs_words;
	be24    data_len_bytes;
	uint8_t isid[6];
	be16    tsih;
	be32    itt;
	uint8_t rsvd[4];
	be32    statsn, exp_cmdsn, max_cmdsn;
	uint8_t status_class, status_detail;
	uint8_t rsvd2[10];
};
static_assert(sizeof(struct iscsi_login_response) == 48, "RFC 7143 11.13");
static_assert(offsetof(struct iscsi_login_response, status_class) == 36, "RFC 7143 11.13");

enum { ISCSI_LOGOUT_SESSION = 0, ISCSI_LOGOUT_CONNECTION = 1, ISCSI_LOGOUT_RECOVERY = 2 };
struct iscsi_logout_request {            /* 11.14 */
	uint8_t opcode, flags, rsvd[2], ahs_words;
	be24    data_len_bytes;
	uint8_t rsvd2[8];
	be32    itt;
	be16    cid;
	uint8_t rsvd3[2];
	be32    cmdsn, exp_statsn;
	uint8_t rsvd4[16];
};
static_assert(sizeof(struct iscsi_logout_request) == 48, "RFC 7143 11.14");

enum { ISCSI_LOGOUT_OK = 0, ISCSI_LOGOUT_NO_CID = 1, ISCSI_LOGOUT_NO_RECOVERY = 2, ISCSI_LOGOUT_FAILED = 3 };
struct iscsi_logout_response {           /* 11.15 */
	uint8_t opcode, flags, response, rsvd, ahs_words;
	be24    data_len_bytes;
	uint8_t rsvd2[8];
	be32    itt;
	uint8_t rsvd3[4];
	be32    statsn, exp_cmdsn, max_cmdsn;
	uint8_t rsvd4[4];
	be16    time2wait_s, time2retain_s;
	uint8_t rsvd5[4];
};
static_assert(sizeof(struct iscsi_logout_response) == 48, "RFC 7143 11.15");
static_assert(offsetof(struct iscsi_logout_response, time2wait_s) == 40, "RFC 7143 11.15");

struct iscsi_snack {                     /* 11.16 */
	uint8_t opcode, flags, rsvd[2], ahs_words;
	be24    data_len_bytes;
	uint8_t lun[8];
	be32    itt;
	be32    ttt;
	uint8_t rsvd2[4];
	be32    exp_statsn;
	uint8_t rsvd3[8];
	be32    begin, count;
};
static_assert(sizeof(struct iscsi_snack) == 48, "RFC 7143 11.16");

enum iscsi_reject_reason {               /* 11.17.1 */
	ISCSI_REJECT_DATA_DIGEST = 0x02,
	ISCSI_REJECT_SNACK = 0x03,
	ISCSI_REJECT_PROTOCOL = 0x04,
	ISCSI_REJECT_UNSUPPORTED = 0x05,
	ISCSI_REJECT_TOO_MANY_IMMEDIATE = 0x06,
	ISCSI_REJECT_TASK_IN_PROGRESS = 0x07,
	ISCSI_REJECT_DATA_ACK = 0x08,
	ISCSI_REJECT_INVALID_FIELD = 0x09,
	ISCSI_REJECT_NO_RESOURCES = 0x0a,
	ISCSI_REJECT_WAIT_LOGOUT = 0x0c,
};
struct iscsi_reject {                    /* 11.17 */
	uint8_t opcode, flags, reason, rsvd, ahs_words;
	be24    data_len_bytes;
	uint8_t rsvd2[8];
	be32    tag;                     /* ISCSI_TAG_NONE */
	uint8_t rsvd3[4];
	be32    statsn, exp_cmdsn, max_cmdsn;
	be32    datasn;
	uint8_t rsvd4[8];
};
static_assert(sizeof(struct iscsi_reject) == 48, "RFC 7143 11.17");

struct iscsi_nop_out {                   /* 11.18 */
	uint8_t opcode, flags, rsvd[2], ahs_words;
	be24    data_len_bytes;
	uint8_t lun[8];
	be32    itt;
	be32    ttt;
	be32    cmdsn, exp_statsn;
	uint8_t rsvd2[16];
};
static_assert(sizeof(struct iscsi_nop_out) == 48, "RFC 7143 11.18");

struct iscsi_nop_in {                    /* 11.19 */
	uint8_t opcode, flags, rsvd[2], ahs_words;
	be24    data_len_bytes;
	uint8_t lun[8];
	be32    itt;
	be32    ttt;
	be32    statsn, exp_cmdsn, max_cmdsn;
	uint8_t rsvd2[12];
};
static_assert(sizeof(struct iscsi_nop_in) == 48, "RFC 7143 11.19");

#endif
