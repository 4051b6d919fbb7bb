/* SPDX-License-Identifier: GPL-3.0-or-later */
/* full_feature.c - what each PDU does once the login is over: order of commands, NOP, logout,
 * rejects.  RFC 7143 4.2.2.1, 11. */
#include "iscsi/iscsi_priv.h"

#include <string.h>

#define BLOB_MAX_BYTES (1u << 20)        /* ping data that one session may make us hold */

/* ---- order: ExpCmdSN and the window ---------------------------------------------------------------- */
enum turn { TURN_NOW, TURN_LATER, TURN_NEVER };
static enum turn turn_of(const struct iscsi_session *s, const struct iscsi_pdu *pdu)
{
	if (pdu->immediate)
		return TURN_NOW;
	if (likely(pdu->cmdsn == s->st.exp_cmdsn))
		return iscsi_sn_in(pdu->cmdsn, s->st.exp_cmdsn, session_max_cmdsn(s)) ? TURN_NOW : TURN_NEVER;
	/* Outside of the window, and duplicates, are ignored without a word. */
	return iscsi_sn_in(pdu->cmdsn, s->st.exp_cmdsn, session_max_cmdsn(s)) ? TURN_LATER : TURN_NEVER;
}
static bool has_cmdsn(uint8_t opcode)
{
	return opcode <= ISCSI_LOGOUT_REQUEST && opcode != ISCSI_DATA_OUT && opcode != ISCSI_LOGIN_REQUEST;
}
void iscsi_take_turn(struct iscsi_session *s, const struct iscsi_pdu *pdu, struct iscsi_cmd *cmd, bool counted)
{
	cmd->immediate = pdu->immediate;
	if (pdu->immediate)
		return;
	s->st.exp_cmdsn++;
	if (counted) {
		s->used++;
		cmd->counted = true;
	}
}

/* ---- Reject ---------------------------------------------------------------------------------------- */
bool iscsi_reject(struct iscsi_conn *c, const uint8_t *bhs, enum iscsi_reject_reason reason, const char *why)
{
	static struct log_limit limit = LOG_LIMIT_INIT;
	struct iscsi_cmd *cmd = iscsi_slot_get(c);

	if (!cmd)
		return false;
	if (log_limit_ok(&limit, &log_iscsi))
		log_warn(&log_iscsi, "PDU rejected", "pdu=\"%s\" reason=\"%s\" initiator=%s peer=%s",
			 iscsi_opcode_name(bhs[0]), why, c->session->st.initiator, c->peer);
	struct iscsi_reject *h = (struct iscsi_reject *)cmd->header[0];
	*h = (struct iscsi_reject){
		.opcode = ISCSI_REJECT,
		.flags = ISCSI_FINAL,
		.reason = (uint8_t)reason,
		.tag = be32_of(ISCSI_TAG_NONE),
	};
	const struct iscsi_cmd *of = (bhs[0] & ISCSI_OPCODE_MASK) == ISCSI_SNACK && reason == ISCSI_REJECT_PROTOCOL ? iscsi_cmd_find(c->session, c->rx.pdu.itt) : NULL;
	if (of)                          /* the next DataSN or R2TSN of the task, 11.17.2 */
		h->datasn = be32_of(of->datasn);
	cmd->opcode = ISCSI_REJECT;
	memcpy(cmd->header[1], bhs, ISCSI_BHS_BYTES);
	iscsi_cmd_move(cmd, CMD_SEND);
	iscsi_number(cmd, cmd->header[0]);
	iscsi_slot_send(cmd, cmd->header[1], ISCSI_BHS_BYTES);
	return true;
}

/* ---- NOP, RFC 7143 11.18, 11.19 --------------------------------------------------------------------- */
static bool nop_out(struct iscsi_conn *c, const struct iscsi_pdu *pdu)
{
	struct iscsi_session *s = c->session;

	if (pdu->itt == ISCSI_TAG_NONE) {        /* the answer to our ping, or news of ExpStatSN */
		if (pdu->ttt == ISCSI_PING_TTT)
			c->ping_is_out = false;
		return true;
	}
	uint32_t echo = (uint32_t)min_u64(pdu->data_len_bytes, c->st.peer_max_recv_bytes);
	if (echo && s->blob_bytes + pdu->data_len_bytes > BLOB_MAX_BYTES)
		return false;
	struct iscsi_cmd *cmd = iscsi_slot_get(c);
	if (!cmd)
		return false;
	if (echo) {
		cmd->blob = malloc(pdu->data_len_bytes);
		if (!cmd->blob) {
			iscsi_cmd_end(cmd);
			iscsi_conn_close(c, "out of memory", true);
			return true;
		}
		cmd->blob_bytes = pdu->data_len_bytes;
		s->blob_bytes += cmd->blob_bytes;
		c->rx.to = cmd->blob;
	}
	cmd->opcode = ISCSI_NOP_OUT;
	cmd->itt = pdu->itt;
	cmd->send_bytes = echo;
	iscsi_take_turn(s, pdu, cmd, false);
	iscsi_cmd_move(cmd, CMD_COLLECT);
	cmd->receiving = pdu->data_len_bytes > 0;
	c->rx.reply = cmd;
	return true;
}
static void nop_arrived(struct iscsi_cmd *cmd)
{
	struct iscsi_nop_in *h = (struct iscsi_nop_in *)cmd->header[0];

	*h = (struct iscsi_nop_in){
		.opcode = ISCSI_NOP_IN,
		.flags = ISCSI_FINAL,
		.itt = be32_of(cmd->itt),
		.ttt = be32_of(ISCSI_TAG_NONE),
	};
	iscsi_cmd_move(cmd, CMD_SEND);
	iscsi_number(cmd, cmd->header[0]);
	iscsi_slot_send(cmd, cmd->blob, cmd->send_bytes);
}

/* ---- dispatch ------------------------------------------------------------------------------------------ */
static bool scsi_command(struct iscsi_conn *c, const struct iscsi_pdu *pdu)
{
	struct iscsi_session *s = c->session;

	if (unlikely(iscsi_cmd_find(s, pdu->itt) != NULL))
		return iscsi_reject(c, pdu->bhs, ISCSI_REJECT_TASK_IN_PROGRESS, "this task tag is in use");
	if (unlikely(pdu->immediate && s->immediate_count >= ISCSI_IMMEDIATE_MAX))
		return iscsi_reject(c, pdu->bhs, ISCSI_REJECT_TOO_MANY_IMMEDIATE, "too many immediate commands");
	struct iscsi_cmd *cmd = iscsi_slot_get(c);
	if (unlikely(!cmd))
		return false;
	iscsi_take_turn(s, pdu, cmd, true);
	s->immediate_count += pdu->immediate;
	iscsi_cmd_start(c, cmd, pdu);
	return true;
}

static bool task_request(struct iscsi_conn *c, const struct iscsi_pdu *pdu)
{
	struct iscsi_cmd *cmd = iscsi_slot_get(c);

	if (!cmd)
		return false;
	iscsi_take_turn(c->session, pdu, cmd, true);
	iscsi_manage(c, cmd, pdu);
	return true;
}

static bool text_request(struct iscsi_conn *c, const struct iscsi_pdu *pdu)
{
	struct iscsi_cmd *cmd = iscsi_slot_get(c);

	if (!cmd)
		return false;
	iscsi_take_turn(c->session, pdu, cmd, false);
	cmd->opcode = ISCSI_TEXT_REQUEST;
	cmd->itt = pdu->itt;
	iscsi_cmd_move(cmd, CMD_COLLECT);
	cmd->receiving = pdu->data_len_bytes > 0;
	c->rx.reply = cmd;
	iscsi_text_header(c, pdu, &c->rx.to);
	return true;
}

/* A PDU that may not stand.  A command does not count as received: the initiator fills its place with another one of
 * the same CmdSN, or aborts it.  RFC 7143 7.4 */
static bool refused_pdu(struct iscsi_conn *c, const struct iscsi_pdu *pdu)
{
	if (has_cmdsn(pdu->opcode) && turn_of(c->session, pdu) == TURN_NEVER)
		return true;
	return iscsi_reject(c, pdu->bhs, pdu->reject, pdu->why);
}

/* Never backwards, and not beyond what was sent. */
static void take_ack(struct iscsi_conn *c, uint32_t exp_statsn)
{
	struct iscsi_session *s = c->session;

	if (!iscsi_sn_in(exp_statsn, c->st.exp_statsn, c->st.statsn))
		return;
	c->st.exp_statsn = exp_statsn;
	if (unlikely(s->keep))
		iscsi_kept_acked(c);
	if (unlikely(s->fences))
		iscsi_fences_look(s, NULL);
}

bool iscsi_dispatch(struct iscsi_conn *c, enum iscsi_pdu_verdict verdict)
{
	const struct iscsi_pdu *pdu = &c->rx.pdu;
	struct iscsi_session *s = c->session;

	c->rx.reply = NULL;
	if (unlikely(c->phase == CONN_LOGIN)) {
		if (verdict != ISCSI_PDU_OK)
			iscsi_login_refuse(c, ISCSI_LOGIN_INVALID, pdu->why);
		else
			iscsi_login_header(c, &c->rx.to);
		return true;
	}
	if (unlikely(verdict == ISCSI_PDU_DROP)) {
		iscsi_reject(c, pdu->bhs, pdu->reject, pdu->why);
		iscsi_conn_close(c, pdu->why, false);
		return true;
	}
	if (unlikely(verdict == ISCSI_PDU_REJECTED))
		return refused_pdu(c, pdu);
	if (pdu->exp_statsn != c->st.exp_statsn && !c->rx.inject)
		take_ack(c, pdu->exp_statsn);
	if (has_cmdsn(pdu->opcode)) {
		enum turn turn = turn_of(s, pdu);
		if (unlikely(turn == TURN_NEVER))
			return true;
		if (unlikely(turn == TURN_LATER)) {
			if (!c->rx.inject && iscsi_hold(c, pdu, &c->rx.to) < 0)
				iscsi_conn_close(c, "too many commands out of order", true);
			return true;
		}
	}
	switch (pdu->opcode) {
	case ISCSI_SCSI_COMMAND:
		return scsi_command(c, pdu);
	case ISCSI_DATA_OUT:
		iscsi_data_out(c, pdu);
		return true;
	case ISCSI_NOP_OUT:
		return nop_out(c, pdu);
	case ISCSI_TASK_REQUEST:
		return task_request(c, pdu);
	case ISCSI_TEXT_REQUEST:
		return text_request(c, pdu);
	case ISCSI_LOGOUT_REQUEST:
		return iscsi_logout(c, pdu);
	case ISCSI_SNACK:
		return iscsi_snack(c, pdu);
	default:
		return iscsi_reject(c, pdu->bhs, ISCSI_REJECT_UNSUPPORTED, "unknown opcode");
	}
}

/* Its data is there, or spoiled on the way.  A spoiled command ends with a CRC error; what is not
 * part of a task is just not done, the initiator asks again.  RFC 7143 7.8 */
void iscsi_pdu_arrived(struct iscsi_conn *c, bool digest_ok)
{
	const struct iscsi_pdu *pdu = &c->rx.pdu;
	struct iscsi_cmd *cmd = c->rx.cmd, *reply = c->rx.reply;

	if (unlikely(c->phase == CONN_LOGIN)) {
		iscsi_login_request(c);
		return;
	}
	if (c->phase != CONN_FULL_FEATURE)
		return;
	if (reply)
		reply->receiving = false;
	if (unlikely(!digest_ok)) {
		iscsi_reject(c, c->rx.header, ISCSI_REJECT_DATA_DIGEST, "data digest error");
		if (reply) {
			iscsi_cmd_end(reply);
			if (pdu->opcode == ISCSI_TEXT_REQUEST)
				iscsi_conn_close(c, "data digest error in a text request", false);
			return;
		}
		if (cmd && c->session->keep)     /* level 1, 2: asked for again */
			iscsi_cmd_lost(cmd, cmd->pdu_at);
		else if (cmd)
			iscsi_cmd_fault(cmd, 0x47, 0x05); /* PROTOCOL SERVICE CRC ERROR */
	}
	switch (pdu->opcode) {
	case ISCSI_SCSI_COMMAND:
		if (cmd)
			iscsi_cmd_data(cmd);
		break;
	case ISCSI_DATA_OUT:
		if (cmd)
			iscsi_data_out_arrived(cmd, pdu);
		break;
	case ISCSI_NOP_OUT:
		if (reply)
			nop_arrived(reply);
		break;
	case ISCSI_TEXT_REQUEST:
		if (reply)
			iscsi_text_arrived(c, pdu, reply);
		break;
	default:
		break;
	}
}
