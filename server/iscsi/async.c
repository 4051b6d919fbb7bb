/* SPDX-License-Identifier: GPL-3.0-or-later */
/* async.c - what we tell unasked: please log out, your LUNs changed, others aborted your tasks.  RFC 7143 11.9. */
#include "iscsi/iscsi_priv.h"

#include <string.h>

static void message_send(struct iscsi_conn *c, const struct iscsi_async *message, const void *data, uint32_t len_bytes)
{
	struct iscsi_cmd *cmd = c->phase == CONN_FULL_FEATURE ? iscsi_slot_get(c) : NULL;

	if (!cmd)
		return;
	memcpy(cmd->header[0], message, sizeof(*message));
	if (len_bytes)
		memcpy(cmd->header[1], data, len_bytes);
	cmd->opcode = ISCSI_ASYNC;
	iscsi_cmd_move(cmd, CMD_SEND);
	iscsi_number(cmd, cmd->header[0]);
	iscsi_slot_send(cmd, cmd->header[1], len_bytes);
}

void iscsi_async(struct iscsi_conn *c, enum iscsi_async_event event, uint16_t p1, uint16_t p2, uint16_t p3)
{
	message_send(c, &(struct iscsi_async){
		.opcode = ISCSI_ASYNC, .flags = ISCSI_FINAL, .tag = be32_of(ISCSI_TAG_NONE), .event = (uint8_t)event,
		.param1 = be16_of(p1), .param2 = be16_of(p2), .param3 = be16_of(p3),
	}, NULL, 0);
}

void iscsi_logout_ask(struct iscsi_session *s, unsigned grace_s)
{
	struct iscsi_conn *c;

	list_for_each(c, &s->conns, of_session)
		iscsi_async(c, ISCSI_ASYNC_LOGOUT, 0, 0, (uint16_t)grace_s);
}

/* UNIT ATTENTION, REPORTED LUNS DATA HAS CHANGED, before the host happens to send a command: Linux rescans. */
void iscsi_async_luns_changed(struct iscsi_session *s)
{
	static const uint8_t data[2 + 18] = { 0, 18, 0x70, 0, 0x06, [2 + 7] = 10, [2 + 12] = 0x3f, [2 + 13] = 0x0e };
	struct iscsi_conn *c;

	if (iscsi_limit(&iscsi_room.opts.lun_events_off))
		return;
	list_for_each(c, &s->conns, of_session)
		if (c->phase == CONN_FULL_FEATURE) {
			message_send(c, &(struct iscsi_async){
				.opcode = ISCSI_ASYNC, .flags = ISCSI_FINAL, .tag = be32_of(ISCSI_TAG_NONE), .event = ISCSI_ASYNC_SENSE,
			}, data, sizeof(data));
			return;          /* once a session */
		}
}

/* RFC 7143 4.2.3.4: whoever agreed on FastAbort is told that tasks of a connection are being aborted, there, and once per LUN.  It is
 * told at that moment, not when the backend has ended with them: the initiator takes all that it has sent until then for gone,
 * so what it sends afterwards must not be among them.  All tasks of one function are aborted in one turn. */
void iscsi_async_aborted(const struct iscsi_cmd *cmd)
{
	struct iscsi_session *s = cmd->session;
	struct iscsi_conn *c = cmd->conn;
	struct iscsi_async message = {
		.opcode = ISCSI_ASYNC, .flags = ISCSI_FINAL, .tag = be32_of(ISCSI_TAG_NONE), .event = ISCSI_ASYNC_TASKS_ABORTED,
	};
	uint64_t now_ns = reactor_now_ns(s->home->reactor);

	if (!c || s->ending || (c->aborts_told_ns == now_ns && !memcmp(c->aborts_told_lun, cmd->lun, sizeof(cmd->lun))) || iscsi_manage_was_asked(cmd))
		return;
	c->aborts_told_ns = now_ns;
	memcpy(c->aborts_told_lun, cmd->lun, sizeof(cmd->lun));
	memcpy(message.lun, cmd->lun, sizeof(cmd->lun));
	message_send(c, &message, NULL, 0);
}
