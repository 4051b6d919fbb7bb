/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data_in.c - answers: Data-In, SCSI Response, and every other PDU that a slot sends.
 * RFC 7143 11.4, 11.7.  PDUs are built in the slot; data is sent from where the task has it. */
#include "iscsi/iscsi_priv.h"

#include <string.h>

void iscsi_stamp(struct iscsi_conn *c, uint8_t *header)
{
	struct iscsi_session *s = c->session;
	const be32 sn[3] = {
		be32_of(c->st.statsn),
		be32_of(s->st.exp_cmdsn),
		be32_of(session_max_cmdsn(s)),
	};

	memcpy(header + 24, sn, sizeof(sn));
}
void iscsi_number(struct iscsi_cmd *cmd, uint8_t *header)
{
	iscsi_stamp(cmd->conn, header);
	if (unlikely(cmd->numbered)) {   /* a second sending is an exact copy, but for the window */
		const be32 sn = be32_of(cmd->statsn);
		memcpy(header + 24, &sn, sizeof(sn));
		return;
	}
	if (unlikely(cmd->session->keep)) {
		cmd->numbered = true;
		cmd->statsn = cmd->conn->st.statsn;
	}
	cmd->conn->st.statsn++;
}

/* What goes out next, piece by piece. */
struct build {
	struct iscsi_cmd *cmd;
	struct iscsi_conn *c;
	unsigned iov_count, pdu_count;
	unsigned left_iov, left_pdus;    /* built and left out, in a second sending: both are cut the same way */
};
static bool has_room(const struct build *b, unsigned iovs)
{
	return b->iov_count + b->left_iov + iovs <= ISCSI_SLOT_IOV;
}
static void add(struct build *b, const void *data, size_t len)
{
	b->cmd->iov[b->iov_count++] = (struct iovec){ (void *)(uintptr_t)data, len };
}
static void add_header(struct build *b, uint8_t *h)
{
	size_t len = ISCSI_BHS_BYTES;

	if (b->c->st.header_digest) {
		iscsi_digest_put(h + ISCSI_BHS_BYTES, crc32c(0, h, ISCSI_BHS_BYTES));
		len += ISCSI_DIGEST_BYTES;
	}
	add(b, h, len);
}
/* Padding and data digest after the pieces from first_iov on; tail has room for 8 bytes. */
static void add_tail(struct build *b, unsigned first_iov, uint32_t data_bytes, uint8_t *tail)
{
	uint32_t pad = iscsi_pad_bytes(data_bytes), len = pad;

	if (!data_bytes)
		return;
	memset(tail, 0, 4);
	if (b->c->st.data_digest) {
		uint32_t crc = 0;
		for (unsigned i = first_iov; i < b->iov_count; i++)
			crc = crc32c(crc, b->cmd->iov[i].iov_base, b->cmd->iov[i].iov_len);
		crc = crc32c(crc, tail, pad);
		iscsi_digest_put(tail + pad, crc);
		len += ISCSI_DIGEST_BYTES;
	}
	if (len)
		add(b, tail, len);
}
static void send_built(struct build *b)
{
	struct iscsi_cmd *cmd = b->cmd;

	cmd->out.sent = iscsi_cmd_sent;
	cmd->out.iov = cmd->iov;
	cmd->out.iov_count = b->iov_count;
	cmd->out.done_iov = 0;
	cmd->out.done_bytes = 0;
	cmd->pending_outs++;
	stream_send(&b->c->stream, &cmd->out);
}

void iscsi_slot_send(struct iscsi_cmd *cmd, const void *data, uint32_t len_bytes)
{
	struct build b = { .cmd = cmd, .c = cmd->conn };
	struct iscsi_bhs *h = (struct iscsi_bhs *)cmd->header[0];

	h->data_len_bytes = be24_of(len_bytes);
	cmd->reply = data;
	cmd->reply_bytes = len_bytes;
	add_header(&b, cmd->header[0]);
	if (len_bytes) {
		add(&b, data, len_bytes);
		add_tail(&b, 1, len_bytes, cmd->tail[0]);
	}
	send_built(&b);
}

/* ---- residuals, RFC 7143 11.4.5 -------------------------------------------------------------------- */
/* How much the command moves or would move, against what the initiator expected. */
static uint8_t residual_of(const struct iscsi_cmd *cmd, uint32_t *ret_residual)
{
	const struct scsi_task *t = &cmd->task;
	uint64_t moves = 0;

	if (cmd->parsed && t->direction == SCSI_DATA_IN)
		moves = t->data_in_bytes;
	else if (cmd->parsed && t->direction == SCSI_DATA_OUT)
		moves = t->data_len_bytes;
	if (moves == cmd->edtl)
		return 0;
	if (moves > cmd->edtl) {
		*ret_residual = (uint32_t)min_u64(moves - cmd->edtl, UINT32_MAX);
		return ISCSI_RESIDUAL_OVERFLOW;
	}
	*ret_residual = (uint32_t)(cmd->edtl - moves);
	return ISCSI_RESIDUAL_UNDERFLOW;
}

static void add_response(struct build *b)
{
	struct iscsi_cmd *cmd = b->cmd;
	const struct scsi_task *t = &cmd->task;
	uint8_t *hdr = cmd->header[b->pdu_count], *tail = cmd->tail[b->pdu_count];
	struct iscsi_scsi_response *h = (struct iscsi_scsi_response *)hdr;
	uint32_t residual = 0, data_bytes = t->sense_len ? t->sense_len + 2u : 0;

	uint8_t flags = residual_of(cmd, &residual);
	if (unlikely(cmd->bidi_read_bytes))
		flags |= ISCSI_BIDI_UNDERFLOW;
	*h = (struct iscsi_scsi_response){
		.opcode = ISCSI_SCSI_RESPONSE,
		.flags = ISCSI_FINAL | flags,
		.response = ISCSI_RESPONSE_COMPLETE,
		.status = t->status,
		.data_len_bytes = be24_of(data_bytes),
		.itt = be32_of(cmd->itt),
		.snack_tag = be32_of(cmd->snack_tag),
		.exp_datasn = be32_of(cmd->datasn),
		.bidi_residual = be32_of(cmd->bidi_read_bytes),
		.residual = be32_of(residual),
	};
	iscsi_number(cmd, hdr);
	add_header(b, hdr);
	if (data_bytes) {
		unsigned first = b->iov_count;
		cmd->sense_len = be16_of(t->sense_len);
		add(b, &cmd->sense_len, sizeof(cmd->sense_len));
		add(b, t->sense, t->sense_len);
		add_tail(b, first, data_bytes, tail);
	}
	b->pdu_count++;
}

/* ---- Data-In -------------------------------------------------------------------------------------- */
/* Adds pieces of the task's data, at most len bytes and as many as there is room for. */
static uint32_t add_data(struct build *b, uint32_t len)
{
	struct iscsi_cmd *cmd = b->cmd;
	uint32_t took = 0;

	while (took < len && has_room(b, 2)) {
		const struct iovec *iov = &cmd->task.iov[cmd->iov_at];
		size_t n = min_u64(iov->iov_len - cmd->iov_skip_bytes, len - took);
		if (n) {
			add(b, (uint8_t *)iov->iov_base + cmd->iov_skip_bytes, n);
			took += (uint32_t)n;
			cmd->iov_skip_bytes += n;
		}
		if (cmd->iov_skip_bytes == iov->iov_len && took < len) {
			cmd->iov_at++;
			cmd->iov_skip_bytes = 0;
		}
	}
	return took;
}

/* May the status travel in the last Data-In PDU?  Only without sense, 11.7.2, and not if an R-Data SNACK
 * wants its tag in a response, 11.16.3. */
static bool status_fits_data_in(const struct iscsi_cmd *cmd)
{
	const struct scsi_task *t = &cmd->task;

	return (t->status == SCSI_GOOD || t->status == SCSI_CONDITION_MET) && !t->sense_len && !cmd->snack_tag;
}

static bool is_wanted(const struct iscsi_cmd *cmd, uint32_t datasn, bool with_status)
{
	return !cmd->replay || (datasn >= cmd->replay_from && datasn < cmd->replay_to) ||
	       (with_status && cmd->replay_status);
}

static void add_data_in(struct build *b)
{
	struct iscsi_cmd *cmd = b->cmd;
	const struct iscsi_params *p = &cmd->session->st.params;
	uint8_t *hdr = cmd->header[b->pdu_count];
	struct iscsi_data_in *h = (struct iscsi_data_in *)hdr;
	uint32_t most = (uint32_t)min_u64(min_u64(b->c->st.peer_max_recv_bytes, ISCSI_DATA_IN_MAX_BYTES),
					  min_u64(p->max_burst_bytes - cmd->in_burst_bytes, cmd->send_bytes - cmd->sent_bytes));
	uint32_t offset = cmd->sent_bytes;
	unsigned first = b->iov_count + 1;

	b->iov_count++;                  /* the header comes when the length is known */
	uint32_t len = add_data(b, most);
	cmd->sent_bytes += len;
	cmd->in_burst_bytes += len;
	bool last = cmd->sent_bytes == cmd->send_bytes;
	bool final = last || cmd->in_burst_bytes == p->max_burst_bytes;
	bool with_status = last && status_fits_data_in(cmd);
	uint32_t datasn = cmd->datasn++;

	if (final)
		cmd->in_burst_bytes = 0;
	if (unlikely(!is_wanted(cmd, datasn, with_status))) {
		b->left_iov += b->iov_count - first + 2;  /* as if it had a tail */
		b->left_pdus++;
		b->iov_count = first - 1;
		return;
	}
	*h = (struct iscsi_data_in){
		.opcode = ISCSI_DATA_IN,
		.flags = final ? ISCSI_FINAL : 0,
		.data_len_bytes = be24_of(len),
		.itt = be32_of(cmd->itt),
		.ttt = be32_of(ISCSI_TAG_NONE),
		.datasn = be32_of(datasn),
		.offset_bytes = be32_of(offset),
	};
	if (with_status) {
		uint32_t residual = 0;
		h->flags |= ISCSI_DATA_IN_STATUS | residual_of(cmd, &residual);
		h->status = cmd->task.status;
		h->residual = be32_of(residual);
		iscsi_cmd_credit(cmd);
		iscsi_number(cmd, hdr);
	} else {
		iscsi_stamp(b->c, hdr);
		memset(hdr + 24, 0, 4);  /* StatSN is for those with status */
		if (unlikely(cmd->session->keep) && final && !last) {    /* please acknowledge, 11.7.2 */
			h->flags |= ISCSI_DATA_IN_ACK;
			h->ttt = be32_of(cmd->ack_ttt);
			memcpy(h->lun, cmd->lun, sizeof(h->lun));
		}
	}
	/* The header's place was kept in front of its data. */
	size_t hdr_len = ISCSI_BHS_BYTES;
	if (b->c->st.header_digest) {
		iscsi_digest_put(hdr + ISCSI_BHS_BYTES, crc32c(0, hdr, ISCSI_BHS_BYTES));
		hdr_len += ISCSI_DIGEST_BYTES;
	}
	cmd->iov[first - 1] = (struct iovec){ hdr, hdr_len };
	unsigned before = b->iov_count;
	add_tail(b, first, len, cmd->tail[b->pdu_count]);
	if (unlikely(cmd->session->keep) && b->iov_count == before)
		b->left_iov++;           /* each PDU counts one, so that a second sending is cut like the first */
	b->pdu_count++;
}

/* Builds what fits into the slot; sent() asks for more. */
void iscsi_cmd_continue(struct iscsi_cmd *cmd)
{
	struct build b = { .cmd = cmd, .c = cmd->conn };

	/* A PDU takes at least a header, a piece and a tail; the last place is the response's. */
	do {
		b.left_iov = b.left_pdus = 0;
		while (cmd->sent_bytes < cmd->send_bytes && b.pdu_count + b.left_pdus < ISCSI_SLOT_PDUS - 1 && has_room(&b, 3))
			add_data_in(&b);
	} while (unlikely(!b.iov_count) && cmd->sent_bytes < cmd->send_bytes);
	cmd->more = true;
	if (cmd->sent_bytes == cmd->send_bytes && b.iov_count + 4 <= ISCSI_SLOT_IOV) {
		if ((!cmd->send_bytes || !status_fits_data_in(cmd)) && (!cmd->replay || cmd->replay_status)) {
			iscsi_cmd_credit(cmd);
			add_response(&b);
		}
		cmd->more = false;
	}
	if (likely(b.iov_count))
		send_built(&b);
	else if (!iscsi_keep(cmd, 0))    /* a second sending of PDUs that all stood further in front */
		iscsi_cmd_end(cmd);
}

/* What a task that is done sends: from the start, or again. */
void iscsi_cmd_answer(struct iscsi_cmd *cmd)
{
	const struct scsi_task *t = &cmd->task;

	cmd->iov_at = 0;
	cmd->iov_skip_bytes = 0;
	cmd->send_bytes = cmd->sent_bytes = cmd->in_burst_bytes = 0;
	if (t->direction == SCSI_DATA_IN && (cmd->flags & ISCSI_COMMAND_READ) && cmd->parsed) {
		cmd->send_bytes = (uint32_t)min_u64(t->data_in_bytes, cmd->edtl);
		cmd->datasn = 0;
	}
	if (unlikely(cmd->session->keep)) {
		cmd->peer_max_recv_bytes = cmd->conn->st.peer_max_recv_bytes;
		if (!cmd->ack_ttt)
			cmd->ack_ttt = (uint32_t)++cmd->generation << 16 | cmd->index;
	}
	iscsi_cmd_continue(cmd);
}
