/* SPDX-License-Identifier: GPL-3.0-or-later */
/* manage.c - task management requests.  RFC 7143 11.5, 11.6; SAM-5 7.
 *
 * A request concerns the commands that came before it on this connection; all of them are with
 * scsi/ already, or end here.  The answer goes out when the last of them has ended, so nothing of a
 * task follows the answer that ended it.  We do not wait for Data-Out of R2Ts that are still open
 * (4.2.3.3 would have us to): initiators stop sending it at this moment, and what comes is thrown
 * away by its stale tag. */
#include "iscsi/iscsi_priv.h"

#include <string.h>

static void respond_now(struct iscsi_cmd *cmd)
{
	struct iscsi_conn *c = cmd->conn;
	struct iscsi_task_response *h = (struct iscsi_task_response *)cmd->header[0];

	if (!c || cmd->state == CMD_ENDED) {
		iscsi_cmd_end(cmd);
		return;
	}
	*h = (struct iscsi_task_response){
		.opcode = ISCSI_TASK_RESPONSE,
		.flags = ISCSI_FINAL,
		.response = cmd->answer,
		.itt = be32_of(cmd->itt),
	};
	if (cmd->answer == ISCSI_TASK_SUCCEEDED && (cmd->flags & 0x7f) == ISCSI_QUERY_ASYNC)
		memcpy(h->info, cmd->tmf.info, sizeof(h->info));
	iscsi_cmd_move(cmd, CMD_SEND);
	iscsi_cmd_credit(cmd);
	iscsi_number(cmd, cmd->header[0]);
	iscsi_slot_send(cmd, NULL, 0);
	if ((cmd->flags & 0x7f) == ISCSI_TARGET_COLD_RESET && cmd->answer == ISCSI_TASK_COMPLETE)
		iscsi_target_drop_sessions(c->session);  /* as after a power cycle, 11.5.1 */
}
static void respond(struct iscsi_cmd *cmd, enum iscsi_task_answer answer)
{
	cmd->answer = (uint8_t)answer;
	respond_now(cmd);
}
/* First the answer, then what the task still has to say. */
void iscsi_manage_reassign(struct iscsi_cmd *cmd)
{
	enum iscsi_task_answer answer;
	struct iscsi_cmd *task;

	if (!iscsi_reassign_check(cmd, cmd->ref_itt, &answer, &task))
		return;
	respond(cmd, answer);
	if (answer == ISCSI_TASK_COMPLETE)
		iscsi_reassign(task, cmd->conn, cmd->ref_datasn);
}
void iscsi_manage_answer(struct iscsi_cmd *cmd)
{
	respond_now(cmd);
}

static bool only_asks(enum scsi_tmf f)
{
	return f == SCSI_QUERY_TASK || f == SCSI_QUERY_TASK_SET || f == SCSI_QUERY_ASYNC;
}

static void tmf_done(struct scsi_tmf_request *rq, enum scsi_tmf_answer answer)
{
	static const enum iscsi_task_answer answers[] = {
		[SCSI_TMF_COMPLETE] = ISCSI_TASK_COMPLETE,
		[SCSI_TMF_SUCCEEDED] = ISCSI_TASK_SUCCEEDED,
		[SCSI_TMF_NO_TASK] = ISCSI_TASK_NO_TASK,
		[SCSI_TMF_NO_LUN] = ISCSI_TASK_NO_LUN,
		[SCSI_TMF_UNSUPPORTED] = ISCSI_TASK_UNSUPPORTED,
	};

	/* The task was here when the request came: then it has ended, however that came about. */
	if (rq->function == SCSI_ABORT_TASK && answer == SCSI_TMF_NO_TASK)
		answer = SCSI_TMF_COMPLETE;
	struct iscsi_cmd *cmd = container_of(rq, struct iscsi_cmd, tmf);
	bool many = rq->function != SCSI_ABORT_TASK && !only_asks(rq->function);
	cmd->answer = (uint8_t)answers[answer];
	if (many && cmd->conn && cmd->session->conn_count > 1 && !cmd->session->ending && iscsi_fence_raise(cmd))
		return;                  /* the other connections first */
	respond_now(cmd);
}

static const struct function_row {
	bool known, one_task, whole_target, level_2;     /* level_2: RFC 7144 4.1, by iSCSIProtocolLevel */
	enum scsi_tmf function;
} functions[] = {
	[ISCSI_ABORT_TASK] = { true, .one_task = true, .function = SCSI_ABORT_TASK },
	[ISCSI_ABORT_TASK_SET] = { true, .function = SCSI_ABORT_TASK_SET },
	[ISCSI_CLEAR_ACA] = { true, .function = SCSI_CLEAR_ACA },
	[ISCSI_CLEAR_TASK_SET] = { true, .function = SCSI_CLEAR_TASK_SET },
	[ISCSI_LUN_RESET] = { true, .function = SCSI_LUN_RESET },
	[ISCSI_TARGET_WARM_RESET] = { true, .whole_target = true, .function = SCSI_TARGET_RESET },
	[ISCSI_TARGET_COLD_RESET] = { true, .whole_target = true, .function = SCSI_TARGET_RESET },
	[ISCSI_QUERY_TASK] = { true, .one_task = true, .function = SCSI_QUERY_TASK },
	[ISCSI_QUERY_TASK_SET] = { true, .function = SCSI_QUERY_TASK_SET },
	[ISCSI_NEXUS_RESET] = { true, .whole_target = true, .level_2 = true, .function = SCSI_NEXUS_RESET },
	[ISCSI_QUERY_ASYNC] = { true, .level_2 = true, .function = SCSI_QUERY_ASYNC },
};

static bool concerns(const struct iscsi_cmd *cmd, const struct function_row *row, const uint8_t *lun, uint32_t ref_itt)
{
	if (cmd->opcode != ISCSI_SCSI_COMMAND)
		return false;
	return row->one_task ? cmd->itt == ref_itt : row->whole_target || !memcmp(cmd->lun, lun, sizeof(cmd->lun));
}
bool iscsi_manage_was_asked(const struct iscsi_cmd *task)
{
	const struct iscsi_session *s = task->session;

	for (unsigned i = 0; i < s->slot_count; i++) {
		const struct iscsi_cmd *m = s->slots[i];
		unsigned function = m->flags & 0x7f;
		if (m->state != CMD_MANAGE || m->opcode != ISCSI_TASK_REQUEST || function >= ARRAY_COUNT(functions) || !functions[function].known)
			continue;
		if (concerns(task, &functions[function], m->tmf.lun, (uint32_t)m->tmf.tag) && (functions[function].one_task || m->conn == task->conn))
			return true;
	}
	return false;
}

/* Ends what scsi/ does not know (any more): answers half sent, refused writes whose data still comes. */
static void cut_answers(struct iscsi_session *s, const struct function_row *row, const uint8_t *lun, uint32_t ref_itt)
{
	for (unsigned i = 0; i < s->slot_count; i++) {
		struct iscsi_cmd *cmd = s->slots[i];
		if (cmd->state == CMD_SEND && cmd->more && concerns(cmd, row, lun, ref_itt)) {
			iscsi_cmd_credit(cmd);
			cmd->more = false;
		} else if (((cmd->state == CMD_COLLECT && !cmd->live) || (cmd->state == CMD_KEPT && cmd->parked)) &&
			   concerns(cmd, row, lun, ref_itt)) {
			iscsi_cmd_end(cmd);
		}
	}
}

/* SAM-5 7.2 calls an abort of a task that has ended complete, RFC 7143 11.6.1 has "no such task" here; both are true.
 * ESXi takes "no such task" for a mad target and drops the connection.  Like all kernels and adapters it
 * has an ISID with its maker's number in it (open-iscsi and Windows, too, and they do not mind);
 * libraries have random ones, and are told exactly what the RFC says. */
static bool wants_every_abort_done(const struct iscsi_session *s)
{
	enum { ISID_TYPE = 0xc0, ISID_RANDOM = 0x80 };
	static const char esxi[] = "iqn.1998-01.com.vmware:";
	return (s->st.isid[0] & ISID_TYPE) != ISID_RANDOM || !strncmp(s->st.initiator, esxi, sizeof(esxi) - 1);
}

/* The task is not here.  If its command is still on its way, it counts as received.  11.6.1 */
static enum iscsi_task_answer task_is_unknown(struct iscsi_session *s, const struct iscsi_pdu *pdu, uint32_t ref_cmdsn)
{
	if (iscsi_sn_in(ref_cmdsn, s->st.exp_cmdsn, session_max_cmdsn(s)) && iscsi_sn_lt(ref_cmdsn, pdu->cmdsn))
		return iscsi_hold_void(s, ref_cmdsn) < 0 ? ISCSI_TASK_REJECTED : ISCSI_TASK_COMPLETE;
	/* It has been answered, whether or not the initiator has seen it: 11.6.1 c). */
	if (wants_every_abort_done(s) && iscsi_sn_lt(ref_cmdsn, s->st.exp_cmdsn) && s->st.exp_cmdsn - ref_cmdsn <= 4 * ISCSI_WINDOW)
		return ISCSI_TASK_COMPLETE;
	return ISCSI_TASK_NO_TASK;
}

void iscsi_manage(struct iscsi_conn *c, struct iscsi_cmd *cmd, const struct iscsi_pdu *pdu)
{
	const struct iscsi_task_request *rq = (const void *)pdu->bhs;
	struct iscsi_session *s = c->session;
	unsigned function = pdu->flags & 0x7f;
	uint32_t ref_itt = be32_get(rq->ref_itt);

	cmd->opcode = ISCSI_TASK_REQUEST;
	cmd->itt = pdu->itt;
	cmd->flags = pdu->flags;
	iscsi_cmd_move(cmd, CMD_MANAGE);
	trace(TRACE_TMF, pdu->itt, function);
	if (function == ISCSI_TASK_REASSIGN) {
		cmd->ref_itt = ref_itt;
		cmd->ref_datasn = be32_get(rq->exp_datasn);
		iscsi_manage_reassign(cmd);
		return;
	}
	const struct function_row *row = function < ARRAY_COUNT(functions) ? &functions[function] : NULL;
	if (!row || !row->known || (row->level_2 && s->st.params.protocol_level < 2)) {
		respond(cmd, ISCSI_TASK_UNSUPPORTED);
		return;
	}
	log_debug(&log_iscsi, "task management", "function=%u initiator=%s ref=0x%x", function, s->st.initiator, ref_itt);
	if (row->function == SCSI_ABORT_TASK) {
		struct iscsi_cmd *ref = iscsi_cmd_find(s, ref_itt);
		bool answered = ref && ((ref->state == CMD_SEND && !ref->more) || ref->state == CMD_KEPT || ref->state == CMD_ENDED);
		if (!ref || (answered && ref->opcode == ISCSI_SCSI_COMMAND)) {
			respond(cmd, task_is_unknown(s, pdu, be32_get(rq->ref_cmdsn)));
			return;
		}
		if (memcmp(ref->lun, rq->lun, sizeof(ref->lun))) {
			respond(cmd, ISCSI_TASK_NO_TASK);
			return;
		}
	}
	if (!only_asks(row->function) && row->function != SCSI_CLEAR_ACA)
		cut_answers(s, row, rq->lun, ref_itt);
	cmd->tmf.nexus = s->nexus;
	cmd->tmf.function = row->function;
	memcpy(cmd->tmf.lun, rq->lun, sizeof(cmd->tmf.lun));
	cmd->tmf.tag = ref_itt;
	cmd->tmf.done = tmf_done;
	scsi_tmf(&cmd->tmf);
}
