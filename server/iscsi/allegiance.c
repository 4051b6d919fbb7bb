/* SPDX-License-Identifier: GPL-3.0-or-later */
/* allegiance.c - the connections of a session, and what becomes of tasks whose connection is gone.
 * RFC 7143 4.2.1, 4.4.3.1, 7.2, 7.3, 11.5.6.
 *
 * A task belongs to the connection its command came by.  When that goes: at level 2 the task is
 * parked, whatever it was doing, until TASK REASSIGN moves it or Time2Retain is over; when the
 * initiator logged the connection out, the task ends; else the whole session does. */
#include "iscsi/iscsi_priv.h"

#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

struct iscsi_conn *iscsi_session_conn(struct iscsi_session *s, uint16_t cid)
{
	struct iscsi_conn *c;

	list_for_each(c, &s->conns, of_session)
		if (c->st.cid == cid)
			return c;
	return NULL;
}

void iscsi_conn_join(struct iscsi_session *s, struct iscsi_conn *c)
{
	c->session = s;
	list_init(&c->kept);
	room_lock();
	if (!s->conn_count) {
		memcpy(s->peer, c->peer, sizeof(s->peer));
		memcpy(s->portal, c->portal, sizeof(s->portal));
		s->peer_addr = addr_of((const struct sockaddr *)&c->peer_addr);
	}
	list_add_tail(&s->conns, &c->of_session);
	s->conn_count++;
	room_unlock();
}

/* ---- parked tasks --------------------------------------------------------------------------------- */
/* What it has of the data stays, but for a PDU that was cut off or not verified yet. */
static void park(struct iscsi_cmd *cmd, bool cut)
{
	cmd->parked = true;
	if (cmd->state == CMD_WAIT_BUFFER) {
		buf_wait_cancel(&cmd->buf_waiter);
		iscsi_cmd_move(cmd, CMD_COLLECT);
	}
	timer_stop(&cmd->buf_timer);
	if (cmd->state == CMD_COLLECT) {
		if (cut)
			iscsi_cmd_lost(cmd, cmd->pdu_at);
		if (cmd->task.iov_count)
			iscsi_cmd_rewind(cmd);
		cmd->burst_count = 0;
		cmd->unsolicited_open = false;
		cmd->data_tries = 0;
	}
	if (cmd->state == CMD_KEPT) {    /* it is on its own now: the list goes with the connection */
		list_del(&cmd->kept);
		cmd->session->kept_count--;
	}
}

static bool can_park(const struct iscsi_cmd *cmd)
{
	return cmd->opcode == ISCSI_SCSI_COMMAND && !cmd->aborted && cmd->state != CMD_FREE && cmd->state != CMD_ENDED &&
	       cmd->state != CMD_SEND && cmd->state != CMD_MANAGE;
}

/* Tasks that end without an answer while the session goes on: the next command hears of it.  11.14.5 */
static void tell_cleared(struct iscsi_cmd *cmd)
{
	if (cmd->opcode != ISCSI_SCSI_COMMAND || cmd->aborted || !cmd->session->nexus ||
	    (cmd->state != CMD_WAIT_BUFFER && cmd->state != CMD_COLLECT && cmd->state != CMD_EXECUTE))
		return;
	cmd->aborted = true;             /* told once */
	scsi_nexus_commands_cleared(cmd->session->nexus, cmd->lun);
}
void iscsi_conn_tell_cleared(struct iscsi_conn *c)
{
	for (unsigned i = 0; i < c->session->slot_count; i++)
		if (c->session->slots[i]->conn == c)
			tell_cleared(c->session->slots[i]);
}

/* Time2Retain is over. */
static void retain_over(struct timer *t)
{
	struct iscsi_session *s = container_of(t, struct iscsi_session, retain);
	unsigned count = 0;

	for (unsigned i = 0; i < s->slot_count; i++)
		if (s->slots[i]->parked) {
			tell_cleared(s->slots[i]);
			iscsi_cmd_orphan(s->slots[i]);
			count++;
		}
	if (count)
		log_warn(&log_iscsi, "tasks of a lost connection were not reassigned, they end", "initiator=%s session=%llu tasks=%u",
			 s->st.initiator, (unsigned long long)s->id, count);
	if (!s->conn_count)
		iscsi_session_end(s, s->end_reason ? s->end_reason : "no connection came back in time");
}

static void retain(struct iscsi_session *s)
{
	uint64_t wait_s = s->st.params.time2wait_s + s->st.params.time2retain_s;

	s->retain.fire = retain_over;
	timer_start(s->home->reactor, &s->retain, max_u64(wait_s, ISCSI_RETAIN_MIN_S) * NS_PER_S);
}

/* ---- a task that nobody wants an answer of ends as soon as the backend lets it ------------------------ */
struct abort {
	struct scsi_tmf_request rq;
};
static void abort_done(struct scsi_tmf_request *rq, enum scsi_tmf_answer answer)
{
	(void)answer;
	free(container_of(rq, struct abort, rq));
}
static void abort_orphan(struct iscsi_cmd *cmd)
{
	struct abort *a = cmd->state == CMD_EXECUTE && cmd->live ? calloc(1, sizeof(*a)) : NULL;

	if (!a)
		return;                  /* it runs to its end: nobody is told either way */
	a->rq.nexus = cmd->session->nexus;
	a->rq.function = SCSI_ABORT_TASK;
	memcpy(a->rq.lun, cmd->lun, sizeof(a->rq.lun));
	a->rq.tag = cmd->itt;
	a->rq.done = abort_done;
	scsi_tmf(&a->rq);
}
void iscsi_orphan_ended(struct iscsi_session *s)
{
	if (--s->orphans == 0)
		iscsi_session_wake(s);
}

/* ---- a connection is gone: nothing is sent or received on it any more ------------------------------------ */
void iscsi_session_conn_gone(struct iscsi_session *s, struct iscsi_conn *c)
{
	bool keep_tasks = session_level(s) == 2 && s->st.params.time2retain_s && c->end != CONN_END_LOGOUT && !s->ending &&
			  !s->logged_out;
	bool stays = !s->ending && !s->logged_out && (keep_tasks || c->end == CONN_END_REPLACED ||
						      (c->end == CONN_END_LOGOUT && s->conn_count > 1));
	bool was_ending = s->ending;

	room_lock();
	list_del(&c->of_session);
	s->conn_count--;
	room_unlock();
	if (!stays)
		s->ending = true;
	/* All of them first: the end of one may start, and end, another that waited for it. */
	for (unsigned i = 0; i < s->slot_count; i++) {
		struct iscsi_cmd *cmd = s->slots[i];
		if (cmd->conn != c || cmd->state == CMD_FREE)
			continue;
		bool cut = cmd->receiving;
		cmd->conn = NULL;
		cmd->receiving = false;
		if (keep_tasks && can_park(cmd))
			park(cmd, cut);
		else
			cmd->orphan_due = true;
	}
	for (unsigned i = 0; i < s->slot_count; i++) {
		struct iscsi_cmd *cmd = s->slots[i];
		if (!cmd->orphan_due)
			continue;
		cmd->orphan_due = false;
		if (stays)
			tell_cleared(cmd);
		iscsi_cmd_orphan(cmd);
		if (stays && cmd->orphan)
			abort_orphan(cmd);
	}
	iscsi_held_conn_gone(s, c, c->end == CONN_END_LOGOUT);
	iscsi_fences_look(s, c);
	if (!stays) {
		if (s->conn_count && !was_ending) {      /* session recovery: the others go as well, 7.1.1 */
			s->ending = false;
			iscsi_session_end(s, s->end_reason);
		} else if (!s->conn_count) {
			iscsi_session_close_down(s);
		}
		return;
	}
	log_info(&log_iscsi, "connection ended", "initiator=%s session=%llu cid=%u peer=%s left=%u reason=\"%s\"", s->st.initiator,
		 (unsigned long long)s->id, c->st.cid, c->peer, s->conn_count, c->close_reason ? c->close_reason : "logout");
	if (keep_tasks || !s->conn_count)
		retain(s);
	iscsi_logout_conn_gone(s, c->st.cid);
	if (!s->orphans)
		iscsi_session_wake(s);
}

/* ---- TASK REASSIGN ------------------------------------------------------------------------------------------- */
bool iscsi_reassign_check(struct iscsi_cmd *request, uint32_t itt, enum iscsi_task_answer *ret_answer, struct iscsi_cmd **ret_task)
{
	struct iscsi_session *s = request->session;
	struct iscsi_cmd *task = session_level(s) == 2 ? iscsi_cmd_find(s, itt) : NULL;

	*ret_task = task;
	if (session_level(s) < 2)
		*ret_answer = ISCSI_TASK_NO_REASSIGN;
	else if (!task || task->opcode != ISCSI_SCSI_COMMAND || (!task->parked && !task->conn))
		*ret_answer = ISCSI_TASK_NO_TASK;
	else
		*ret_answer = task->parked ? ISCSI_TASK_COMPLETE : ISCSI_TASK_STILL_ALLEGIANT;
	if (*ret_answer != ISCSI_TASK_STILL_ALLEGIANT || task->conn->phase <= CONN_FULL_FEATURE)
		return true;
	request->waits_conn = true;
	request->wait_cid = task->conn->st.cid;
	iscsi_conn_close(task->conn, NULL, true);
	return false;
}

void iscsi_reassign(struct iscsi_cmd *cmd, struct iscsi_conn *c, uint32_t exp_datasn)
{
	cmd->parked = false;
	cmd->conn = c;
	if (cmd->state == CMD_COLLECT) {
		iscsi_cmd_buffer(cmd);
		iscsi_cmd_data(cmd);
	} else if (cmd->state == CMD_KEPT) {
		/* Another size of PDUs makes other DataSNs: then from the start. */
		bool same = cmd->send_bytes && cmd->peer_max_recv_bytes == c->st.peer_max_recv_bytes;
		cmd->numbered = false;   /* the StatSN was the other connection's */
		cmd->replay_from = same ? exp_datasn : 0;
		cmd->replay_to = UINT32_MAX;
		cmd->replay_status = true;
		iscsi_replay(cmd);
	}
}
