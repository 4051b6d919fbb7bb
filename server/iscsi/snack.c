/* SPDX-License-Identifier: GPL-3.0-or-later */
/* snack.c - the initiator misses something: data, R2Ts, status; or acknowledges data.  RFC 7143 11.16.
 *
 * A second sending runs the same code as the first and leaves out what nobody asked for, so that
 * its PDUs are cut at the same places and carry the same numbers. */
#include "iscsi/iscsi_priv.h"

#include <string.h>

enum snack_type { SNACK_DATA_OR_R2T, SNACK_STATUS, SNACK_DATA_ACK, SNACK_R_DATA };

void iscsi_replay(struct iscsi_cmd *cmd)
{
	if (cmd->state == CMD_SEND) {    /* iscsi_keep() comes back when it is out */
		cmd->replay_due = true;
		return;
	}
	iscsi_kept_forget(cmd);
	cmd->replay_due = false;
	iscsi_cmd_move(cmd, CMD_SEND);
	if (cmd->opcode == ISCSI_SCSI_COMMAND) {
		cmd->replay = true;
		iscsi_cmd_answer(cmd);
	} else {
		iscsi_number(cmd, cmd->header[0]);
		iscsi_slot_send(cmd, cmd->reply, cmd->reply_bytes);
	}
}

/* from .. to - 1, and the status; several requests are one that covers them all. */
static void replay_range(struct iscsi_cmd *cmd, uint32_t from, uint32_t to, bool status)
{
	if (cmd->replay_due) {
		from = (uint32_t)min_u64(from, cmd->replay_from);
		to = (uint32_t)max_u64(to, cmd->replay_to);
		status |= cmd->replay_status;
	}
	cmd->replay_from = from;
	cmd->replay_to = to;
	cmd->replay_status = status;
	iscsi_replay(cmd);
}

/* ---- data and R2T --------------------------------------------------------------------------------- */
static enum iscsi_reject_reason send_data_again(struct iscsi_conn *c, const struct iscsi_pdu *pdu, uint32_t begin, uint32_t count)
{
	struct iscsi_cmd *cmd = iscsi_cmd_find(c->session, pdu->itt);

	if (!cmd || cmd->conn != c)
		return ISCSI_REJECT_PROTOCOL;
	if (begin < cmd->acked_datasn && (begin || count))
		return ISCSI_REJECT_PROTOCOL;
	uint32_t from = (uint32_t)max_u64(begin, cmd->acked_datasn), to = count ? begin + count : UINT32_MAX;
	if (to <= from || (count && to > cmd->datasn))
		return ISCSI_REJECT_PROTOCOL;
	if (cmd->state == CMD_COLLECT)   /* R2Ts that are answered already count as acknowledged */
		return iscsi_r2t_again(cmd, from, to) ? 0 : ISCSI_REJECT_PROTOCOL;
	if ((cmd->state != CMD_SEND && cmd->state != CMD_KEPT) || !cmd->send_bytes ||
	    cmd->peer_max_recv_bytes != c->st.peer_max_recv_bytes)       /* that takes an R-Data SNACK */
		return ISCSI_REJECT_PROTOCOL;
	replay_range(cmd, from, to, false);
	return 0;
}

/* The initiator has another MaxRecvDataSegmentLength by now: all of it, cut anew, and a response of its own. */
static enum iscsi_reject_reason send_data_anew(struct iscsi_conn *c, const struct iscsi_pdu *pdu, uint32_t begin, uint32_t count)
{
	struct iscsi_cmd *cmd = iscsi_cmd_find(c->session, pdu->itt);

	if (!cmd || cmd->conn != c || begin || count || !pdu->ttt || pdu->ttt == ISCSI_TAG_NONE || cmd->acked_datasn)
		return ISCSI_REJECT_PROTOCOL;
	if ((cmd->state != CMD_SEND && cmd->state != CMD_KEPT) || !cmd->send_bytes)
		return ISCSI_REJECT_PROTOCOL;
	if (cmd->state == CMD_SEND && cmd->more)
		return ISCSI_REJECT_SNACK;       /* it is cut in the old way at this moment: ask again */
	if (cmd->state == CMD_KEPT)
		iscsi_kept_forget(cmd);
	cmd->snack_tag = pdu->ttt;
	cmd->numbered = false;
	replay_range(cmd, 0, UINT32_MAX, true);
	return 0;
}

/* ---- status --------------------------------------------------------------------------------------------- */
static enum iscsi_reject_reason send_status_again(struct iscsi_conn *c, uint32_t begin, uint32_t count)
{
	struct iscsi_cmd *cmd;
	bool all = !begin && !count;
	uint32_t first = all ? c->st.exp_statsn : begin, end = count && !all ? begin + count : c->st.statsn, found = 0;

	if (iscsi_sn_lt(first, c->st.exp_statsn) || iscsi_sn_lt(c->st.statsn, end) || iscsi_sn_lt(end, first))
		return ISCSI_REJECT_PROTOCOL;
	for (unsigned i = 0; i < c->session->slot_count; i++) {
		cmd = c->session->slots[i];
		if (cmd->conn != c || !cmd->numbered || (cmd->state != CMD_SEND && cmd->state != CMD_KEPT) ||
		    iscsi_sn_lt(cmd->statsn, first) || !iscsi_sn_lt(cmd->statsn, end))
			continue;
		found++;
		if (cmd->state == CMD_KEPT) /* the others are on their way */
			replay_range(cmd, 0, 0, true);
	}
	return found == end - first ? 0 : ISCSI_REJECT_SNACK;
}

static enum iscsi_reject_reason data_acked(struct iscsi_conn *c, const struct iscsi_pdu *pdu, uint32_t begin, uint32_t count)
{
	unsigned index = pdu->ttt & 0xffff;
	struct iscsi_cmd *cmd = index < c->session->slot_count ? c->session->slots[index] : NULL;

	if (!cmd || cmd->conn != c || cmd->ack_ttt != pdu->ttt || !cmd->ack_ttt || count || begin > cmd->datasn)
		return ISCSI_REJECT_DATA_ACK;
	if (begin > cmd->acked_datasn)
		cmd->acked_datasn = begin;
	return 0;
}

bool iscsi_snack(struct iscsi_conn *c, const struct iscsi_pdu *pdu)
{
	const struct iscsi_snack *h = (const void *)pdu->bhs;
	uint32_t begin = be32_get(h->begin), count = be32_get(h->count), end;
	enum iscsi_reject_reason reason = ISCSI_REJECT_PROTOCOL;

	if (!c->session->keep)
		return iscsi_reject(c, pdu->bhs, ISCSI_REJECT_SNACK, "ErrorRecoveryLevel is 0");
	if (c->session->slot_count == session_slots_max(c->session) && !c->session->free_slots)
		return false;            /* there would be no place for a refusal */
	switch (pdu->flags & 0x0f) {
	case SNACK_DATA_OR_R2T:
		if (!__builtin_add_overflow(begin, count, &end))
			reason = send_data_again(c, pdu, begin, count);
		break;
	case SNACK_STATUS:               /* StatSN wraps, so begin + count may */
		reason = send_status_again(c, begin, count);
		break;
	case SNACK_DATA_ACK:
		reason = data_acked(c, pdu, begin, count);
		break;
	case SNACK_R_DATA:
		reason = send_data_anew(c, pdu, begin, count);
		break;
	}
	return !reason || iscsi_reject(c, pdu->bhs, reason, reason == ISCSI_REJECT_SNACK ? "it is not kept any more" :
									     "a SNACK for what was not sent or is acknowledged");
}
