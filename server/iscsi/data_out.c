/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data_out.c - Data-Out: immediate, unsolicited, and asked for by R2T.  RFC 7143 4.2.5.2, 11.7, 11.8.
 * DataPDUInOrder and DataSequenceInOrder are always Yes, so one offset per command only grows. */
#include "iscsi/iscsi_priv.h"

#include <string.h>

void iscsi_cmd_fault(struct iscsi_cmd *cmd, uint8_t asc, uint8_t ascq)
{
	if (cmd->fault_asc)
		return;                  /* the first one tells the most */
	cmd->fault_asc = asc;
	cmd->fault_ascq = ascq;
}

/* ---- data that has to come again, RFC 7143 7.1.4, 7.8, 7.9.  Levels 1 and 2 ---------------------------- */
/* What follows is taken in as if nothing were wrong; when it has all come, everything from the gap on is asked for. */
void iscsi_cmd_lost(struct iscsi_cmd *cmd, uint32_t at_bytes)
{
	if (!cmd->lost || at_bytes < cmd->lost_at)
		cmd->lost_at = at_bytes;
	cmd->lost = true;
}

static void seek(struct iscsi_cmd *cmd, uint32_t at_bytes)
{
	cmd->got_bytes = at_bytes;
	cmd->iov_at = 0;
	for (cmd->iov_skip_bytes = at_bytes; cmd->iov_at + 1 < cmd->task.iov_count; cmd->iov_at++) {
		size_t len = cmd->task.iov[cmd->iov_at].iov_len;
		if (cmd->iov_skip_bytes < len)
			break;
		cmd->iov_skip_bytes -= len;
	}
}
void iscsi_cmd_rewind(struct iscsi_cmd *cmd)
{
	if (cmd->lost && cmd->lost_at < cmd->want_bytes)
		seek(cmd, cmd->lost_at);
	cmd->lost = false;
	cmd->burst_count = 0;            /* their tags are stale from now on */
	cmd->unsolicited_open = false;
	cmd->requested_bytes = cmd->got_bytes;
}

static void data_late(struct timer *t)
{
	struct iscsi_cmd *cmd = container_of(t, struct iscsi_cmd, buf_timer);

	if (cmd->state != CMD_COLLECT || !cmd->conn)
		return;
	if (cmd->receiving || cmd->conn->pauses) {       /* it comes, or it is we who do not listen */
		iscsi_data_watch(cmd);
		return;
	}
	if (++cmd->data_tries > ISCSI_DATA_TRIES)
		iscsi_cmd_fault(cmd, 0x0c, 0x0d);        /* not enough data */
	iscsi_cmd_lost(cmd, (uint32_t)min_u64(cmd->got_bytes, cmd->want_bytes));
	iscsi_cmd_rewind(cmd);
	iscsi_cmd_data(cmd);
}
void iscsi_data_watch(struct iscsi_cmd *cmd)
{
	if (cmd->state != CMD_COLLECT || (!cmd->burst_count && !cmd->unsolicited_open))
		return;
	cmd->buf_timer.fire = data_late;
	timer_start(cmd->session->home->reactor, &cmd->buf_timer, ISCSI_DATA_WAIT_MS * UINT64_C(1000000));
}

bool iscsi_cmd_place(struct iscsi_cmd *cmd, uint8_t **ret_to, size_t *ret_bytes)
{
	if (cmd->state != CMD_COLLECT || cmd->fault_asc || cmd->got_bytes >= cmd->want_bytes)
		return false;
	while (cmd->iov_skip_bytes == cmd->task.iov[cmd->iov_at].iov_len) {
		cmd->iov_at++;
		cmd->iov_skip_bytes = 0;
	}
	const struct iovec *iov = &cmd->task.iov[cmd->iov_at];
	*ret_to = (uint8_t *)iov->iov_base + cmd->iov_skip_bytes;
	*ret_bytes = min_u64(iov->iov_len - cmd->iov_skip_bytes, cmd->want_bytes - cmd->got_bytes);
	return true;
}
void iscsi_cmd_placed(struct iscsi_cmd *cmd, size_t len_bytes)
{
	cmd->got_bytes += (uint32_t)len_bytes;
	cmd->iov_skip_bytes += len_bytes;   /* past its iov only for surplus, which places nothing */
}

/* ---- R2T ---------------------------------------------------------------------------------------- */
static void r2t_sent(struct stream_out *o, int status)
{
	struct iscsi_burst *b = container_of(o, struct iscsi_burst, out);
	struct iscsi_cmd *cmd = b->cmd;

	b->busy = false;
	cmd->pending_outs--;
	if (cmd->state == CMD_ENDED)
		iscsi_cmd_end(cmd);
	else if (!status && cmd->state == CMD_COLLECT)
		iscsi_cmd_data(cmd);     /* it may have waited for this one */
}

static void r2t_send(struct iscsi_cmd *cmd, struct iscsi_burst *b)
{
	struct iscsi_conn *c = cmd->conn;
	struct iscsi_r2t *h = (struct iscsi_r2t *)b->header;

	*h = (struct iscsi_r2t){
		.opcode = ISCSI_R2T,
		.flags = ISCSI_FINAL,
		.itt = be32_of(cmd->itt),
		.ttt = be32_of(b->ttt),
		.r2tsn = be32_of(b->r2tsn),
		.offset_bytes = be32_of(b->offset_bytes),
		.desired_bytes = be32_of(b->len_bytes),
	};
	memcpy(h->lun, cmd->lun, sizeof(h->lun));
	iscsi_stamp(c, b->header);
	size_t len = ISCSI_BHS_BYTES;
	if (c->st.header_digest) {
		iscsi_digest_put(b->header + ISCSI_BHS_BYTES, crc32c(0, b->header, ISCSI_BHS_BYTES));
		len += ISCSI_DIGEST_BYTES;
	}
	b->cmd = cmd;
	b->busy = true;
	b->iov = (struct iovec){ b->header, len };
	b->out = (struct stream_out){ .sent = r2t_sent, .iov = &b->iov, .iov_count = 1 };
	cmd->pending_outs++;
	stream_send(&c->stream, &b->out);
}

void iscsi_cmd_bursts(struct iscsi_cmd *cmd)
{
	const struct iscsi_params *p = &cmd->session->st.params;

	if (unlikely(cmd->lost))
		return;                  /* first what is on its way */
	if (cmd->requested_bytes < cmd->got_bytes)
		cmd->requested_bytes = cmd->got_bytes;
	while (cmd->burst_count < p->max_outstanding_r2t && cmd->requested_bytes < cmd->want_bytes) {
		struct iscsi_burst *b = &cmd->burst[(cmd->burst_first + cmd->burst_count) % ISCSI_OUR_MAX_R2T];
		if (b->busy)
			return;          /* r2t_sent() comes back */
		b->ttt = (uint32_t)++cmd->generation << 16 | cmd->index;
		b->len_bytes = (uint32_t)min_u64(p->max_burst_bytes, cmd->want_bytes - cmd->requested_bytes);
		b->got_bytes = 0;
		b->datasn = 0;
		b->offset_bytes = cmd->requested_bytes;
		b->r2tsn = cmd->datasn++;
		cmd->burst_count++;
		r2t_send(cmd, b);
		cmd->requested_bytes += b->len_bytes;
	}
}

unsigned iscsi_r2t_again(struct iscsi_cmd *cmd, uint32_t from, uint32_t to)
{
	unsigned count = 0;

	for (unsigned i = 0; i < cmd->burst_count; i++) {
		struct iscsi_burst *b = &cmd->burst[(cmd->burst_first + i) % ISCSI_OUR_MAX_R2T];
		if (b->r2tsn < from || b->r2tsn >= to)
			continue;
		count++;
		if (!b->busy)            /* else it has not even left */
			r2t_send(cmd, b);
	}
	return count;
}

/* ---- Data-Out PDUs -------------------------------------------------------------------------------- */
static struct iscsi_cmd *cmd_of_ttt(struct iscsi_session *s, uint32_t ttt, uint32_t itt)
{
	unsigned index = ttt & 0xffff;

	if (index >= s->slot_count)
		return NULL;
	struct iscsi_cmd *cmd = s->slots[index];
	if ((cmd->state != CMD_COLLECT && cmd->state != CMD_WAIT_BUFFER) || cmd->itt != itt || !cmd->burst_count ||
	    cmd->burst[cmd->burst_first].ttt != ttt)
		return NULL;
	return cmd;
}

/* PDUs between what came and this one are missing.  Levels 1 and 2 */
static void skip_gap(struct iscsi_cmd *cmd, uint32_t *next_datasn, uint32_t datasn, uint32_t offset)
{
	iscsi_cmd_lost(cmd, cmd->got_bytes);
	*next_datasn = datasn + 1;
	if (cmd->state == CMD_COLLECT && offset < cmd->want_bytes)
		seek(cmd, offset);
	else
		cmd->got_bytes = offset; /* beyond what is wanted nothing is placed */
}

static void check_unsolicited(struct iscsi_cmd *cmd, const struct iscsi_pdu *pdu, uint32_t datasn, uint32_t offset)
{
	uint64_t limit = min_u64(cmd->session->st.params.first_burst_bytes, cmd->edtl);

	if (!cmd->unsolicited_open || (uint64_t)cmd->got_bytes + pdu->data_len_bytes > limit)
		iscsi_cmd_fault(cmd, 0x0c, 0x0c);        /* unexpected unsolicited data */
	else if (cmd->session->keep && datasn > cmd->unsolicited_datasn && offset > cmd->got_bytes &&
		 offset <= limit && pdu->data_len_bytes <= limit - offset)
		skip_gap(cmd, &cmd->unsolicited_datasn, datasn, offset);
	else if (datasn != cmd->unsolicited_datasn++ || offset != cmd->got_bytes)
		iscsi_cmd_fault(cmd, 0x4b, 0x00);        /* data phase error */
}
static void check_solicited(struct iscsi_cmd *cmd, const struct iscsi_pdu *pdu, uint32_t datasn, uint32_t offset)
{
	struct iscsi_burst *b = &cmd->burst[cmd->burst_first];

	if (unlikely(cmd->session->keep) && datasn > b->datasn && offset > cmd->got_bytes &&
	    offset - b->offset_bytes < b->len_bytes &&
	    pdu->data_len_bytes <= b->len_bytes - (offset - b->offset_bytes)) {
		skip_gap(cmd, &b->datasn, datasn, offset);
		b->got_bytes = offset - b->offset_bytes;
	} else if (datasn != b->datasn++ || offset != cmd->got_bytes)
		iscsi_cmd_fault(cmd, 0x4b, 0x00);
	else if (pdu->data_len_bytes > b->len_bytes - b->got_bytes)
		iscsi_cmd_fault(cmd, 0x4b, 0x02);        /* too much write data */
	b->got_bytes += (uint32_t)min_u64(pdu->data_len_bytes, b->len_bytes - b->got_bytes);
	if (pdu->final && b->got_bytes < b->len_bytes && !cmd->lost)
		iscsi_cmd_fault(cmd, 0x0c, 0x0d);        /* not enough data */
}

void iscsi_data_out(struct iscsi_conn *c, const struct iscsi_pdu *pdu)
{
	const struct iscsi_data_out *h = (const void *)pdu->bhs;
	struct iscsi_session *s = c->session;
	struct iscsi_cmd *cmd;

	if (pdu->ttt == ISCSI_TAG_NONE) {
		cmd = iscsi_cmd_find(s, pdu->itt);
		if (!cmd) {
			if (!list_is_empty(&s->held) && iscsi_held_has(s, pdu->itt) &&
			    iscsi_hold(c, pdu, &c->rx.to) < 0)
				iscsi_conn_close(c, "too many commands out of order", true);
			return;
		}
		if ((cmd->state != CMD_COLLECT && cmd->state != CMD_WAIT_BUFFER) || cmd->conn != c ||
		    (s->keep && !cmd->unsolicited_open)) /* it comes too late, and again later */
			return;
		check_unsolicited(cmd, pdu, be32_get(h->datasn), be32_get(h->offset_bytes));
	} else {
		/* Data for a task that was aborted meanwhile is thrown away, RFC 7143 4.2.3.3. */
		cmd = cmd_of_ttt(s, pdu->ttt, pdu->itt);
		if (!cmd || cmd->conn != c)
			return;
		check_solicited(cmd, pdu, be32_get(h->datasn), be32_get(h->offset_bytes));
	}
	cmd->pdu_at = cmd->got_bytes;
	c->rx.cmd = cmd;
	if (cmd->state == CMD_WAIT_BUFFER && pdu->data_len_bytes)
		iscsi_cmd_block(cmd);
}

void iscsi_data_out_arrived(struct iscsi_cmd *cmd, const struct iscsi_pdu *pdu)
{
	if (pdu->ttt == ISCSI_TAG_NONE) {
		if (pdu->final)
			cmd->unsolicited_open = false;
	} else if (cmd->burst_count) {
		struct iscsi_burst *b = &cmd->burst[cmd->burst_first];
		if (pdu->final) {
			cmd->burst_first = (uint8_t)((cmd->burst_first + 1) % ISCSI_OUR_MAX_R2T);
			cmd->burst_count--;
		} else if (b->got_bytes == b->len_bytes) {
			iscsi_cmd_fault(cmd, 0x4b, 0x00); /* a sequence ends with the F bit, and only so */
		}
	}
	iscsi_cmd_data(cmd);
}
