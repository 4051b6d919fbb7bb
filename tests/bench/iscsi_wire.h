/* SPDX-License-Identifier: GPL-3.0-or-later */
/* iscsi_wire.h - iSCSI for iscsi_load.  It shares no code with the server on purpose: the layouts are
 * written from RFC 7143 a second time, so that a field in the wrong place shows. */
#ifndef HOLDFAST_BENCH_ISCSI_WIRE_H
#define HOLDFAST_BENCH_ISCSI_WIRE_H

#include "load.h"

/* ---- the wire, RFC 7143 11 ------------------------------------------------------------------- */
enum {
	OP_NOP_OUT = 0x00, OP_COMMAND = 0x01, OP_LOGIN = 0x03, OP_DATA_OUT = 0x05, OP_LOGOUT = 0x06,
	OP_NOP_IN = 0x20, OP_RESPONSE = 0x21, OP_LOGIN_RSP = 0x23, OP_DATA_IN = 0x25,
	OP_LOGOUT_RSP = 0x26, OP_R2T = 0x31, OP_ASYNC = 0x32, OP_REJECT = 0x3f,
	OP_IMMEDIATE = 0x40,
	FLAG_FINAL = 0x80, FLAG_READ = 0x40, FLAG_WRITE = 0x20, FLAG_SIMPLE = 0x01,
	FLAG_STATUS = 0x01,
	BHS_BYTES = 48,
};
#define TAG_NONE 0xffffffffu

struct bhs {
	uint8_t opcode, flags, response, status;
	uint8_t ahs_words;
	be24 data_len;
	uint8_t lun[8];
	be32 itt;
	be32 f20;                        /* EDTL; TTT */
	be32 f24;                        /* CmdSN; StatSN */
	be32 f28;                        /* ExpStatSN; ExpCmdSN */
	union {
		uint8_t cdb[16];
		struct {
			be32 f32, f36, f40, f44; /* MaxCmdSN; DataSN, R2TSN; BufferOffset; ResidualCount, length */
		};
	};
};
static_assert(sizeof(struct bhs) == BHS_BYTES, "RFC 7143 11.2.1");
static_assert(offsetof(struct bhs, itt) == 16, "RFC 7143 11.2.1");
static_assert(offsetof(struct bhs, f36) == 36, "RFC 7143 11.7");

#endif
