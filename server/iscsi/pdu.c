/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pdu.c - request PDUs: one row per opcode says what its header may hold.  RFC 7143 11. */
#include "iscsi/pdu.h"

enum {
	PDU_HAS_CMDSN = 1,               /* bytes 24..27 are CmdSN */
	PDU_HAS_TTT = 2,                 /* bytes 20..23 are a Target Transfer Tag */
	PDU_MAY_CARRY_DATA = 4,
	PDU_MAY_CARRY_AHS = 8,
	PDU_MUST_BE_FINAL = 16,          /* the F bit is not a choice */
	PDU_MAY_BE_IMMEDIATE = 32,
	PDU_IN_LOGIN = 64,
	PDU_IN_DISCOVERY = 128,
	PDU_FROM_TARGET = 256,
};
static const struct pdu_row {
	const char *name, *spec;
	unsigned can;
} rows[64] = {
	[ISCSI_NOP_OUT] = { "NOP-Out", "RFC 7143 11.18",
		PDU_HAS_CMDSN | PDU_HAS_TTT | PDU_MAY_CARRY_DATA | PDU_MUST_BE_FINAL | PDU_MAY_BE_IMMEDIATE | PDU_IN_DISCOVERY },
	[ISCSI_SCSI_COMMAND] = { "SCSI Command", "RFC 7143 11.3",
		PDU_HAS_CMDSN | PDU_MAY_CARRY_DATA | PDU_MAY_CARRY_AHS | PDU_MAY_BE_IMMEDIATE },
	[ISCSI_TASK_REQUEST] = { "Task Management Function Request", "RFC 7143 11.5",
		PDU_HAS_CMDSN | PDU_MUST_BE_FINAL | PDU_MAY_BE_IMMEDIATE },
	[ISCSI_LOGIN_REQUEST] = { "Login Request", "RFC 7143 11.12",
		PDU_HAS_CMDSN | PDU_MAY_CARRY_DATA | PDU_MAY_BE_IMMEDIATE | PDU_IN_LOGIN },
	[ISCSI_TEXT_REQUEST] = { "Text Request", "RFC 7143 11.10",
		PDU_HAS_CMDSN | PDU_HAS_TTT | PDU_MAY_CARRY_DATA | PDU_MAY_BE_IMMEDIATE | PDU_IN_DISCOVERY },
	[ISCSI_DATA_OUT] = { "SCSI Data-Out", "RFC 7143 11.7", PDU_HAS_TTT | PDU_MAY_CARRY_DATA },
	[ISCSI_LOGOUT_REQUEST] = { "Logout Request", "RFC 7143 11.14",
		PDU_HAS_CMDSN | PDU_MUST_BE_FINAL | PDU_MAY_BE_IMMEDIATE | PDU_IN_DISCOVERY },
	[ISCSI_SNACK] = { "SNACK Request", "RFC 7143 11.16", PDU_HAS_TTT | PDU_MUST_BE_FINAL },
	[ISCSI_NOP_IN] = { "NOP-In", "RFC 7143 11.19", PDU_FROM_TARGET },
	[ISCSI_SCSI_RESPONSE] = { "SCSI Response", "RFC 7143 11.4", PDU_FROM_TARGET },
	[ISCSI_TASK_RESPONSE] = { "Task Management Function Response", "RFC 7143 11.6", PDU_FROM_TARGET },
	[ISCSI_LOGIN_RESPONSE] = { "Login Response", "RFC 7143 11.13", PDU_FROM_TARGET },
	[ISCSI_TEXT_RESPONSE] = { "Text Response", "RFC 7143 11.11", PDU_FROM_TARGET },
	[ISCSI_DATA_IN] = { "SCSI Data-In", "RFC 7143 11.7", PDU_FROM_TARGET },
	[ISCSI_LOGOUT_RESPONSE] = { "Logout Response", "RFC 7143 11.15", PDU_FROM_TARGET },
	[ISCSI_R2T] = { "Ready To Transfer", "RFC 7143 11.8", PDU_FROM_TARGET },
	[ISCSI_ASYNC] = { "Asynchronous Message", "RFC 7143 11.9", PDU_FROM_TARGET },
	[ISCSI_REJECT] = { "Reject", "RFC 7143 11.17", PDU_FROM_TARGET },
};

const char *iscsi_opcode_name(uint8_t opcode)
{
	const char *name = rows[opcode & ISCSI_OPCODE_MASK].name;
	return name ? name : "unknown opcode";
}

static uint32_t get32(const uint8_t *p)
{
	be32 v;
	memcpy(v.b, p, sizeof(v.b));
	return be32_get(v);
}
static enum iscsi_pdu_verdict refuse(struct iscsi_pdu *pdu, enum iscsi_reject_reason reason, const char *why)
{
	pdu->reject = (uint8_t)reason;
	pdu->why = why;
	return ISCSI_PDU_REJECTED;
}
static enum iscsi_pdu_verdict drop(struct iscsi_pdu *pdu, enum iscsi_reject_reason reason, const char *why)
{
	refuse(pdu, reason, why);
	return ISCSI_PDU_DROP;
}

/* Additional header segments: each kind at most once, the rest is refused.  11.2.2. */
static enum iscsi_pdu_verdict parse_ahs(struct iscsi_pdu *pdu, const uint8_t *ahs, uint32_t len_bytes)
{
	while (len_bytes > 0) {
		if (len_bytes < sizeof(struct iscsi_ahs))
			return refuse(pdu, ISCSI_REJECT_INVALID_FIELD, "an additional header is cut off");
		uint32_t body = (uint32_t)ahs[0] << 8 | ahs[1];
		uint32_t total = (3 + body + 3) & ~3u;
		if (body == 0 || total > len_bytes)
			return refuse(pdu, ISCSI_REJECT_INVALID_FIELD, "an additional header lies about its length");
		switch (ahs[2]) {
		case ISCSI_AHS_CDB:                  /* 11.2.2.3: a reserved byte, then CDB bytes 16.. */
			if (pdu->ext_cdb || body < 2 || body - 1 > 260 - 16)
				return refuse(pdu, ISCSI_REJECT_INVALID_FIELD, "a long CDB of no possible length");
			pdu->ext_cdb = ahs + 4;
			pdu->ext_cdb_len = (uint16_t)(body - 1);
			break;
		case ISCSI_AHS_BIDI_LEN:             /* 11.2.2.4 */
			if (pdu->bidi || body != 5)
				return refuse(pdu, ISCSI_REJECT_INVALID_FIELD, "a malformed bidirectional length");
			pdu->bidi = true;
			pdu->bidi_read_bytes = get32(ahs + 4);
			break;
		default:
			return refuse(pdu, ISCSI_REJECT_INVALID_FIELD, "an additional header of unknown type");
		}
		ahs += total;
		len_bytes -= total;
	}
	return ISCSI_PDU_OK;
}

enum iscsi_pdu_verdict iscsi_pdu_parse(const uint8_t *header, const struct iscsi_pdu_limits *limits,
				       struct iscsi_pdu *pdu)
{
	const struct pdu_row *row = &rows[header[0] & ISCSI_OPCODE_MASK];
	*pdu = (struct iscsi_pdu){
		.opcode = header[0] & ISCSI_OPCODE_MASK,
		.immediate = header[0] & ISCSI_IMMEDIATE,
		.flags = header[1],
		.final = header[1] & ISCSI_FINAL,
		.data_len_bytes = iscsi_pdu_data_len(header),
		.itt = get32(header + 16),
		.ttt = get32(header + 20),
		.cmdsn = get32(header + 24),
		.exp_statsn = get32(header + 28),
		.bhs = header,
	};
	/* First what makes the following bytes unreadable, then what only this PDU is guilty of. */
	if (pdu->data_len_bytes > limits->max_data_bytes)
		return drop(pdu, ISCSI_REJECT_PROTOCOL, "the data segment is longer than MaxRecvDataSegmentLength");
	if (row->can & PDU_FROM_TARGET)
		return drop(pdu, ISCSI_REJECT_PROTOCOL, "only a target sends this PDU");
	if (limits->login && !(row->can & PDU_IN_LOGIN))
		return drop(pdu, ISCSI_REJECT_PROTOCOL, "not a Login Request during login");
	if (!limits->login && (row->can & PDU_IN_LOGIN))
		return drop(pdu, ISCSI_REJECT_PROTOCOL, "a Login Request in full feature phase");
	if (!row->name)
		return refuse(pdu, ISCSI_REJECT_UNSUPPORTED, "unknown opcode");
	if (limits->discovery && !(row->can & PDU_IN_DISCOVERY))
		return refuse(pdu, ISCSI_REJECT_PROTOCOL, "not possible in a discovery session");
	if (header[4] && !(row->can & PDU_MAY_CARRY_AHS))
		return refuse(pdu, ISCSI_REJECT_INVALID_FIELD, "an additional header where none may be");
	if (pdu->data_len_bytes && !(row->can & PDU_MAY_CARRY_DATA))
		return refuse(pdu, ISCSI_REJECT_PROTOCOL, "a data segment where none may be");
	if ((row->can & PDU_MUST_BE_FINAL) && !pdu->final)
		return refuse(pdu, ISCSI_REJECT_INVALID_FIELD, "the F bit is missing");
	if (pdu->immediate && !(row->can & PDU_MAY_BE_IMMEDIATE))
		return refuse(pdu, ISCSI_REJECT_INVALID_FIELD, "the I bit is set where it may not be");
	if (pdu->itt == ISCSI_TAG_NONE && (row->can & PDU_HAS_CMDSN) && !(pdu->opcode == ISCSI_NOP_OUT && pdu->immediate))
		return refuse(pdu, ISCSI_REJECT_INVALID_FIELD, pdu->opcode == ISCSI_NOP_OUT ?
				"a NOP-Out that wants no answer must be immediate" : "this task tag is reserved");
	if (pdu->opcode == ISCSI_TEXT_REQUEST && pdu->final && (pdu->flags & ISCSI_CONTINUE))
		return refuse(pdu, ISCSI_REJECT_INVALID_FIELD, "text that goes on and is final");
	if (header[4])
		return parse_ahs(pdu, header + ISCSI_BHS_BYTES, header[4] * 4u);
	return ISCSI_PDU_OK;
}
