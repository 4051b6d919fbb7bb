/* SPDX-License-Identifier: GPL-3.0-or-later */
/* logout.c - logouts of the session, of a connection, of a lost one for recovery.  RFC 7143 11.14, 11.15. */
#include "iscsi/iscsi_priv.h"

#include <string.h>

static void respond(struct iscsi_cmd *cmd, unsigned response)
{
	const struct iscsi_params *p = &cmd->session->st.params;
	struct iscsi_logout_response *h = (struct iscsi_logout_response *)cmd->header[0];

	*h = (struct iscsi_logout_response){
		.opcode = ISCSI_LOGOUT_RESPONSE,
		.flags = ISCSI_FINAL,
		.response = (uint8_t)response,
		.itt = be32_of(cmd->itt),
		.time2wait_s = be16_of((uint16_t)p->time2wait_s),
		.time2retain_s = be16_of((uint16_t)(cmd->session->keep ? p->time2retain_s : 0)),
	};
	iscsi_cmd_move(cmd, CMD_SEND);
	iscsi_number(cmd, cmd->header[0]);
	iscsi_slot_send(cmd, NULL, 0);
}

/* This connection goes when the answer is out. */
static void leave(struct iscsi_conn *c, struct iscsi_cmd *cmd, enum iscsi_conn_end end)
{
	struct iscsi_session *s = c->session;

	c->end = end;
	if (s->logged_out && s->nexus)
		scsi_nexus_let_go(s->nexus);
	else if (end == CONN_END_LOGOUT) /* its tasks end, though they go when the socket does */
		iscsi_conn_tell_cleared(c);
	respond(cmd, ISCSI_LOGOUT_OK);
	iscsi_conn_move(c, CONN_LOGOUT);
	iscsi_conn_close(c, NULL, false);
}

/* Another one goes; the answer waits until it is gone, so that what follows finds its tasks as they are then. */
static void remove_other(struct iscsi_conn *c, struct iscsi_cmd *cmd, uint16_t cid, enum iscsi_conn_end end)
{
	struct iscsi_conn *other = iscsi_session_conn(c->session, cid);

	if (!other) {                    /* it is gone: its tasks are parked already, or were ended */
		respond(cmd, end == CONN_END_LOST ? ISCSI_LOGOUT_OK : ISCSI_LOGOUT_NO_CID);
		return;
	}
	cmd->waits_conn = true;
	cmd->wait_cid = cid;
	iscsi_cmd_move(cmd, CMD_MANAGE);
	other->end = end;
	iscsi_conn_close(other, "the initiator logged it out", true);
}

void iscsi_logout_conn_gone(struct iscsi_session *s, uint16_t cid)
{
	for (unsigned i = 0; i < s->slot_count; i++) {
		struct iscsi_cmd *cmd = s->slots[i];
		if (cmd->state != CMD_MANAGE || !cmd->waits_conn || !cmd->conn || cmd->wait_cid != cid)
			continue;
		cmd->waits_conn = false;
		if (cmd->opcode == ISCSI_LOGOUT_REQUEST)
			respond(cmd, ISCSI_LOGOUT_OK);
		else
			iscsi_manage_reassign(cmd);
	}
}

bool iscsi_logout(struct iscsi_conn *c, const struct iscsi_pdu *pdu)
{
	const struct iscsi_logout_request *rq = (const void *)pdu->bhs;
	struct iscsi_session *s = c->session;
	struct iscsi_cmd *cmd = iscsi_slot_get(c);
	uint16_t cid = be16_get(rq->cid);

	if (!cmd)
		return false;
	iscsi_take_turn(s, pdu, cmd, false);
	cmd->opcode = ISCSI_LOGOUT_REQUEST;
	cmd->itt = pdu->itt;
	switch (pdu->flags & 0x7f) {
	case ISCSI_LOGOUT_SESSION:
		s->logged_out = true;
		leave(c, cmd, CONN_END_LOGOUT);
		break;
	case ISCSI_LOGOUT_CONNECTION:
		if (cid == c->st.cid) {
			s->logged_out |= s->conn_count == 1;
			leave(c, cmd, CONN_END_LOGOUT);
		} else {
			remove_other(c, cmd, cid, CONN_END_LOGOUT);
		}
		break;
	case ISCSI_LOGOUT_RECOVERY:
		if (session_level(s) < 2)
			respond(cmd, ISCSI_LOGOUT_NO_RECOVERY);
		else if (cid == c->st.cid)
			leave(c, cmd, CONN_END_LOST);
		else
			remove_other(c, cmd, cid, CONN_END_LOST);
		break;
	default:
		respond(cmd, ISCSI_LOGOUT_FAILED);
	}
	return true;
}
