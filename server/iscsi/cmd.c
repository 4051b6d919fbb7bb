/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cmd.c - command slots, and a SCSI command from its PDU to scsi/ and back.
 *
 *	FREE ─> WAIT_BUFFER ─> COLLECT ─> EXECUTE ─> SEND ─────────> ENDED ─> FREE
 *	   └──────────────────────^          │         └─> KEPT ─^
 *	        (MANAGE for task management) └──────────────^
 *
 * A slot is memory for everything a command needs: its task, its R2Ts, the PDUs of its answer.  It
 * goes back when nothing borrows it any more: the socket that fills its buffers, queued PDUs, scsi/. */
#include "iscsi/iscsi_priv.h"

#include <assert.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)

static void cmd_move(struct iscsi_cmd *cmd, enum iscsi_cmd_state to)
{
#define TO(x) (1u << CMD_##x)
	static const unsigned next[CMD_STATES] = {
		[CMD_FREE] = TO(WAIT_BUFFER) | TO(COLLECT) | TO(MANAGE) | TO(SEND) | TO(ENDED),
		[CMD_WAIT_BUFFER] = TO(COLLECT) | TO(ENDED),
		[CMD_COLLECT] = TO(WAIT_BUFFER) | TO(EXECUTE) | TO(SEND) | TO(ENDED),
		[CMD_EXECUTE] = TO(SEND) | TO(KEPT) | TO(ENDED),
		[CMD_MANAGE] = TO(SEND) | TO(ENDED),
		[CMD_SEND] = TO(KEPT) | TO(ENDED),
		[CMD_KEPT] = TO(SEND) | TO(ENDED),
		[CMD_ENDED] = TO(FREE),
	};
#undef TO
	assert(next[cmd->state] & 1u << to);
	cmd->state = to;
}
void iscsi_cmd_move(struct iscsi_cmd *cmd, enum iscsi_cmd_state to)
{
	cmd_move(cmd, to);
}

/* ---- slots -------------------------------------------------------------------------------------- */
static unsigned hash_of(uint32_t itt)
{
	return (itt ^ itt >> 9 ^ itt >> 18) % ISCSI_HASH;
}

static struct iscsi_cmd *slot_new(struct iscsi_session *s)
{
	if (s->slot_count == session_slots_max(s))
		return NULL;
	struct iscsi_cmd *cmd = calloc(1, sizeof(*cmd));
	if (!cmd)
		return NULL;
	cmd->session = s;
	cmd->index = s->slot_count;
	s->slots[s->slot_count++] = cmd;
	return cmd;
}

struct iscsi_cmd *iscsi_slot_get(struct iscsi_conn *c)
{
	struct iscsi_session *s = c->session;
	struct iscsi_cmd *cmd = s->free_slots;

	if (likely(cmd != NULL))
		s->free_slots = cmd->next;
	else if (!(cmd = slot_new(s)))
		return NULL;
	s->busy_count++;
	memset(&cmd->opcode, 0, offsetof(struct iscsi_cmd, blob) - offsetof(struct iscsi_cmd, opcode));
	cmd->conn = c;
	return cmd;
}

void iscsi_slot_put(struct iscsi_cmd *cmd)
{
	struct iscsi_session *s = cmd->session;

	if (cmd->blob) {
		s->blob_bytes -= cmd->blob_bytes;
		free(TAKE(cmd->blob));
	}
	cmd->conn = NULL;
	cmd->next = s->free_slots;
	s->free_slots = cmd;
	s->busy_count--;
	iscsi_session_slot_freed(s);
}

struct iscsi_cmd *iscsi_cmd_find(struct iscsi_session *s, uint32_t itt)
{
	for (struct iscsi_cmd *cmd = s->hash[hash_of(itt)]; cmd; cmd = cmd->next)
		if (cmd->itt == itt)
			return cmd;
	return NULL;
}
static void cmd_hash(struct iscsi_cmd *cmd)
{
	struct iscsi_cmd **head = &cmd->session->hash[hash_of(cmd->itt)];

	cmd->next = *head;
	*head = cmd;
	cmd->hashed = true;
}
static void cmd_unhash(struct iscsi_cmd *cmd)
{
	struct iscsi_cmd **at = &cmd->session->hash[hash_of(cmd->itt)];

	while (*at != cmd)
		at = &(*at)->next;
	*at = cmd->next;
	cmd->hashed = false;
}

/* ---- the end of a command ------------------------------------------------------------------------ */
void iscsi_cmd_credit(struct iscsi_cmd *cmd)
{
	if (cmd->counted) {
		cmd->counted = false;
		cmd->session->used--;
	}
}

void iscsi_cmd_end(struct iscsi_cmd *cmd)
{
	if (cmd->state == CMD_FREE)
		return;
	if (cmd->state == CMD_WAIT_BUFFER) {
		buf_wait_cancel(&cmd->buf_waiter);
		timer_stop(&cmd->buf_timer);
		if (cmd->receiving && cmd->conn)
			iscsi_conn_resume(cmd->conn, PAUSE_BUFFER);
	}
	if (cmd->state != CMD_ENDED) {
		if (unlikely(cmd->session->keep)) {
			timer_stop(&cmd->buf_timer);
			if (cmd->state == CMD_KEPT)
				iscsi_kept_forget(cmd);
		}
		iscsi_cmd_credit(cmd);
		cmd_move(cmd, CMD_ENDED);
	}
	if (cmd->live) {
		cmd->live = false;
		scsi_task_drop(&cmd->task);
	}
	if (cmd->pending_outs || cmd->receiving)
		return;                  /* whoever borrows it calls again */
	if (cmd->hashed)
		cmd_unhash(cmd);
	if (cmd->parsed) {
		cmd->parsed = false;
		scsi_task_release(&cmd->task);
	}
	if (cmd->immediate && cmd->opcode == ISCSI_SCSI_COMMAND)
		cmd->session->immediate_count--;
	bool orphan = cmd->orphan;
	cmd_move(cmd, CMD_FREE);
	iscsi_slot_put(cmd);
	if (unlikely(orphan))
		iscsi_orphan_ended(cmd->session);
}

void iscsi_cmd_sent(struct stream_out *o, int status)
{
	struct iscsi_cmd *cmd = container_of(o, struct iscsi_cmd, out);

	cmd->pending_outs--;
	if (cmd->state == CMD_SEND && cmd->more && !status && cmd->conn && cmd->conn->phase <= CONN_FULL_FEATURE)
		iscsi_cmd_continue(cmd);
	else if (likely(!cmd->session->keep) || cmd->state != CMD_SEND || !iscsi_keep(cmd, status))
		iscsi_cmd_end(cmd);
}

/* Its connection is gone, and with it the socket and every queued PDU. */
void iscsi_cmd_orphan(struct iscsi_cmd *cmd)
{
	cmd->conn = NULL;
	cmd->receiving = false;
	cmd->parked = false;
	if (cmd->state == CMD_EXECUTE || (cmd->state == CMD_MANAGE && !cmd->waits_conn)) {
		cmd->session->orphans += !cmd->orphan;
		cmd->orphan = true;
	} else if (cmd->state != CMD_FREE) {
		iscsi_cmd_end(cmd);
	}
}

void iscsi_cmd_aborting(struct scsi_task *t)
{
	iscsi_async_aborted(container_of(t, struct iscsi_cmd, task));
}

static void task_done(struct scsi_task *t)
{
	struct iscsi_cmd *cmd = container_of(t, struct iscsi_cmd, task);

	cmd->live = false;
	if (unlikely(cmd->parked) && !t->aborted) {
		if (cmd->state == CMD_COLLECT)   /* before its data came; the answer waits, too */
			cmd->refused = true;
		else
			cmd_move(cmd, CMD_KEPT);
		return;
	}
	if (t->aborted || !cmd->conn || cmd->state == CMD_ENDED) {
		struct iscsi_conn *c = cmd->conn;
		bool was_shut = cmd->counted && cmd->session->used >= ISCSI_WINDOW;
		cmd->aborted = true;
		iscsi_cmd_end(cmd);
		if (was_shut && c && c->phase == CONN_FULL_FEATURE && !c->session->ending)
			iscsi_ping_now(c);       /* no answer would tell that the window is open again, 11.4.9 */
		return;
	}
	if (unlikely(cmd->state == CMD_WAIT_BUFFER || cmd->receiving || cmd->unsolicited_open || cmd->burst_count)) {
		/* It ended before its data was complete (a reservation, a reset): what is
		 * still on its way is taken off the socket first. */
		if (cmd->state == CMD_WAIT_BUFFER) {
			buf_wait_cancel(&cmd->buf_waiter);
			timer_stop(&cmd->buf_timer);
			cmd_move(cmd, CMD_COLLECT);
			if (cmd->receiving)
				iscsi_conn_resume(cmd->conn, PAUSE_BUFFER);
		}
		cmd->refused = true;
		return;
	}
	cmd_move(cmd, CMD_SEND);
	iscsi_cmd_answer(cmd);
}

/* ---- from the PDU to scsi/ ----------------------------------------------------------------------- */
/* The transport itself has an answer; the task never runs. */
static void refuse(struct iscsi_cmd *cmd, uint8_t key, uint8_t asc, uint8_t ascq)
{
	if (cmd->live) {
		cmd->live = false;
		scsi_task_drop(&cmd->task);
	}
	cmd->refused = true;
	cmd->want_bytes = 0;
	scsi_task_sense(&cmd->task, key, asc, ascq);
}

static void buffer_get(struct iscsi_cmd *cmd);

static void buffer_ready(struct buf_waiter *w)
{
	struct iscsi_cmd *cmd = container_of(w, struct iscsi_cmd, buf_waiter);

	buffer_get(cmd);
}
/* Everybody waits for everybody: this one gives up its turn, the initiator tries again. */
static void buffer_timeout(struct timer *t)
{
	struct iscsi_cmd *cmd = container_of(t, struct iscsi_cmd, buf_timer);
	static struct log_limit limit = LOG_LIMIT_INIT;

	buf_wait_cancel(&cmd->buf_waiter);
	if (log_limit_ok(&limit, &log_iscsi))
		log_warn(&log_iscsi, "no memory for a write, answered BUSY", "initiator=%s bytes=%u",
			 cmd->session->st.initiator, cmd->want_bytes);
	refuse(cmd, 0, 0, 0);
	cmd->task.status = SCSI_BUSY;
	cmd->task.sense_len = 0;
	cmd_move(cmd, CMD_COLLECT);
	if (cmd->receiving)
		iscsi_conn_resume(cmd->conn, PAUSE_BUFFER);
	else
		iscsi_cmd_data(cmd);
}

/* Its data is at the door and has no place: the socket waits with it, for a bounded time.  A command
 * whose data nobody sends yet may wait as long as it takes. */
void iscsi_cmd_block(struct iscsi_cmd *cmd)
{
	iscsi_conn_pause(cmd->conn, PAUSE_BUFFER);
	cmd->buf_timer.fire = buffer_timeout;
	timer_start(cmd->session->home->reactor, &cmd->buf_timer, ISCSI_BUF_WAIT_MS * NS_PER_MS);
}

static void buffer_get(struct iscsi_cmd *cmd)
{
	int r = scsi_task_buffer(&cmd->task, cmd->want_bytes, &cmd->buf_waiter);

	if (likely(!r && cmd->state == CMD_COLLECT))
		return;
	if (r == -EAGAIN) {
		if (cmd->state == CMD_WAIT_BUFFER)
			return;
		cmd_move(cmd, CMD_WAIT_BUFFER);
		return;
	}
	if (r < 0)
		refuse(cmd, 0x0b, 0x55, 0x03);   /* ABORTED COMMAND, INSUFFICIENT RESOURCES */
	if (cmd->state == CMD_COLLECT)
		return;
	timer_stop(&cmd->buf_timer);
	cmd_move(cmd, CMD_COLLECT);
	if (cmd->receiving)
		iscsi_conn_resume(cmd->conn, PAUSE_BUFFER);
	else
		iscsi_cmd_data(cmd);
}

/* It lost its place in the line when it was parked. */
void iscsi_cmd_buffer(struct iscsi_cmd *cmd)
{
	if (cmd->want_bytes && !cmd->task.iov_count && !cmd->refused && !cmd->fault_asc)
		buffer_get(cmd);
}

static enum scsi_attribute attribute_of(uint8_t flags)
{
	switch (flags & ISCSI_COMMAND_ATTR) {
	case ISCSI_ATTR_ORDERED:
		return SCSI_ORDERED;
	case ISCSI_ATTR_HEAD:
		return SCSI_HEAD_OF_QUEUE;
	case ISCSI_ATTR_ACA:
		return SCSI_ACA;
	default:
		return SCSI_SIMPLE;
	}
}

/* Unsolicited data that the negotiated keys do not allow.  RFC 7143 11.4.7.2 */
static void check_unsolicited(struct iscsi_cmd *cmd, const struct iscsi_pdu *pdu)
{
	const struct iscsi_params *p = &cmd->session->st.params;

	if (!(cmd->flags & ISCSI_COMMAND_WRITE)) {
		if (pdu->data_len_bytes || !pdu->final)
			iscsi_cmd_fault(cmd, 0x0c, 0x0c);
		return;
	}
	cmd->unsolicited_open = !pdu->final;
	if (pdu->data_len_bytes && (!p->immediate_data || pdu->data_len_bytes > p->first_burst_bytes ||
				    pdu->data_len_bytes > cmd->edtl))
		iscsi_cmd_fault(cmd, 0x0c, 0x0c);
	if (!pdu->final && p->initial_r2t)
		iscsi_cmd_fault(cmd, 0x0c, 0x0c);
}

void iscsi_cmd_start(struct iscsi_conn *c, struct iscsi_cmd *cmd, const struct iscsi_pdu *pdu)
{
	const struct iscsi_scsi_command *bhs = (const void *)pdu->bhs;
	struct scsi_task *t = &cmd->task;

	cmd->opcode = ISCSI_SCSI_COMMAND;
	cmd->flags = pdu->flags;
	cmd->itt = pdu->itt;
	cmd->cmdsn = pdu->cmdsn;
	cmd->edtl = be32_get(bhs->edtl);
	memcpy(cmd->lun, bhs->lun, sizeof(cmd->lun));
	memcpy(cmd->cdb, bhs->cdb, sizeof(bhs->cdb));
	if (unlikely(pdu->ext_cdb != NULL))
		memcpy(cmd->cdb + sizeof(bhs->cdb), pdu->ext_cdb, pdu->ext_cdb_len);
	cmd_hash(cmd);
	cmd_move(cmd, CMD_COLLECT);
	c->rx.cmd = cmd;

	t->nexus = cmd->session->nexus;
	memcpy(t->lun, bhs->lun, sizeof(t->lun));
	t->cdb = cmd->cdb;
	t->cdb_len = (uint16_t)(sizeof(bhs->cdb) + pdu->ext_cdb_len);
	t->attribute = attribute_of(pdu->flags);
	t->offered_bytes = pdu->flags & ISCSI_COMMAND_WRITE ? cmd->edtl : 0;
	t->tag = pdu->itt;
	t->done = task_done;
	t->direction = SCSI_NO_DATA;
	t->data_len_bytes = 0;
	t->iov = NULL;
	t->iov_count = 0;
	t->status = SCSI_GOOD;
	t->aborted = false;
	t->sense_len = 0;
	t->data_in_bytes = 0;

	unsigned both = ISCSI_COMMAND_READ | ISCSI_COMMAND_WRITE;
	if (unlikely((pdu->flags & both) == both || pdu->bidi)) {
		cmd->unsolicited_open = !pdu->final;
		cmd->bidi_read_bytes = pdu->bidi_read_bytes;
		refuse(cmd, 0x05, 0x0e, 0x03);   /* INVALID FIELD IN COMMAND INFORMATION UNIT */
		return;
	}
	cmd->parsed = true;
	int r = scsi_task_parse(t);
	if (unlikely(r)) {
		cmd->refused = true;
		cmd->unsolicited_open = (pdu->flags & ISCSI_COMMAND_WRITE) && !pdu->final;
		return;
	}
	cmd->live = true;
	if (t->direction != SCSI_DATA_OUT) {
		if (unlikely(pdu->data_len_bytes || !pdu->final))
			check_unsolicited(cmd, pdu);
		return;
	}
	check_unsolicited(cmd, pdu);
	if ((pdu->flags & ISCSI_COMMAND_WRITE) && !cmd->fault_asc)
		cmd->want_bytes = (uint32_t)min_u64(cmd->edtl, t->data_len_bytes);
	if (!cmd->want_bytes)
		return;
	cmd->buf_waiter.ready = buffer_ready;
	buffer_get(cmd);
	if (unlikely(cmd->state == CMD_WAIT_BUFFER) && pdu->data_len_bytes)
		iscsi_cmd_block(cmd);
}

void iscsi_cmd_data(struct iscsi_cmd *cmd)
{
	if (cmd->state == CMD_ENDED) {
		iscsi_cmd_end(cmd);
		return;
	}
	if (cmd->state != CMD_COLLECT || cmd->receiving || cmd->unsolicited_open) {
		if (unlikely(cmd->session->keep))
			iscsi_data_watch(cmd);
		return;
	}
	if (unlikely(cmd->session->keep)) {
		timer_stop(&cmd->buf_timer);
		if (cmd->lost && !cmd->fault_asc && !cmd->refused && !cmd->burst_count)
			iscsi_cmd_rewind(cmd);
	}
	if (unlikely(cmd->fault_asc || cmd->refused)) {
		if (cmd->burst_count) {  /* the data of these R2Ts is still to come */
			if (unlikely(cmd->session->keep))
				iscsi_data_watch(cmd);
			return;
		}
		if (!cmd->refused)
			refuse(cmd, 0x0b, cmd->fault_asc, cmd->fault_ascq);
		cmd_move(cmd, CMD_SEND);
		iscsi_cmd_answer(cmd);
		return;
	}
	if (cmd->got_bytes < cmd->want_bytes || unlikely(cmd->lost)) {
		iscsi_cmd_bursts(cmd);
		if (unlikely(cmd->session->keep))
			iscsi_data_watch(cmd);
		return;
	}
	cmd_move(cmd, CMD_EXECUTE);
	scsi_task_execute(&cmd->task, cmd->want_bytes);
}
