/* SPDX-License-Identifier: GPL-3.0-or-later */
/* answer.c - what a command sends: C2HData, CapsuleResp and R2T.  NVMe/TCP 3.3, 3.6.2.
 * PDUs are built in the slot; data is sent from where nvme/ has it. */
#include "nvmf/nvmf_priv.h"

static const uint8_t zeroes[(NVME_TCP_ALIGNMENT_MAX + 1) * 4];

/* What goes out next, piece by piece. */
struct build {
	struct nvmf_cmd *cmd;
	struct nvmf_conn *c;
	unsigned iov_count, pdu_count;
};
static void add(struct build *b, const void *data, size_t len)
{
	b->cmd->iov[b->iov_count++] = (struct iovec){ (void *)(uintptr_t)data, len };
}
static size_t header_digest(const struct nvmf_conn *c, uint8_t *header, size_t len)
{
	if (!c->header_digest)
		return len;
	nvmf_put32(header + len, crc32c(0, header, len));
	return len + NVME_TCP_DIGEST_BYTES;
}

static void sent(struct stream_out *o, int status)
{
	struct nvmf_cmd *cmd = container_of(o, struct nvmf_cmd, out);

	cmd->pending_outs--;
	if (cmd->state == CMD_SEND && cmd->more && !status && cmd->conn->phase <= CONN_READY) {
		nvmf_cmd_answer(cmd);
		return;
	}
	struct nvmf_conn *c = cmd->conn;
	bool leave = cmd->last && !status;
	nvmf_cmd_end(cmd);
	if (leave)
		nvmf_conn_leave(c);
}

static void add_response(struct build *b)
{
	struct nvmf_cmd *cmd = b->cmd;
	struct nvmf_conn *c = b->c;
	uint8_t *header = cmd->header[b->pdu_count++];
	struct nvme_tcp_resp *h = (void *)header;
	bool connect = cmd->fabrics && cmd->nvme.sqe[4] == NVME_FCT_CONNECT;
	size_t len = sizeof(*h) + (c->header_digest ? NVME_TCP_DIGEST_BYTES : 0);

	*h = (struct nvme_tcp_resp){
		.ch = { .type = NVME_TCP_RESP, .flags = c->header_digest ? NVME_TCP_HDGST : 0,
			.header_bytes = sizeof(*h), .len_bytes = le32_of((uint32_t)len) },
		.cqe = { .result = le64_of(cmd->result),
			 .sq_head = le16_of(!c->no_sq_flow ? c->sq_head : connect ? 0xffff : 0),
			 .cid = le16_of(cmd->cid), .status = le16_of((uint16_t)(cmd->status << 1)) },
	};
	add(b, header, header_digest(c, header, sizeof(*h)));
}

/* Adds pieces of the command's data, at most len bytes and as many as there is room for. */
static uint32_t add_data(struct build *b, uint32_t len, uint32_t *crc)
{
	struct nvmf_cmd *cmd = b->cmd;
	uint32_t took = 0;

	while (took < len && b->iov_count < NVMF_SLOT_IOV - 2) {
		const struct iovec *iov = &cmd->nvme.iov[cmd->iov_at];
		size_t n = min_u64(iov->iov_len - cmd->iov_skip_bytes, len - took);
		if (n) {
			const uint8_t *p = (uint8_t *)iov->iov_base + cmd->iov_skip_bytes;
			add(b, p, n);
			if (b->c->data_digest)
				*crc = crc32c(*crc, p, n);
			took += (uint32_t)n;
			cmd->iov_skip_bytes += n;
		}
		if (cmd->iov_skip_bytes == iov->iov_len) {
			cmd->iov_at++;
			cmd->iov_skip_bytes = 0;
		}
	}
	return took;
}

/* One C2HData PDU; true: it tells of success, no response follows. */
static bool add_c2h(struct build *b)
{
	struct nvmf_cmd *cmd = b->cmd;
	struct nvmf_conn *c = b->c;
	uint8_t *header = cmd->header[b->pdu_count], *digest = cmd->digest[b->pdu_count];
	struct nvme_tcp_data *h = (void *)header;
	uint32_t head = sizeof(*h) + (c->header_digest ? NVME_TCP_DIGEST_BYTES : 0), crc = 0;
	uint32_t at = (head + c->alignment_bytes - 1) / c->alignment_bytes * c->alignment_bytes;
	uint32_t offset = cmd->sent_bytes, tail = c->data_digest ? NVME_TCP_DIGEST_BYTES : 0;

	unsigned first = b->iov_count++;         /* the header comes when the length is known */
	if (at > head)
		add(b, zeroes, at - head);
	uint32_t len = add_data(b, (uint32_t)min_u64(NVMF_MAX_C2H_BYTES, cmd->send_bytes - cmd->sent_bytes), &crc);
	cmd->sent_bytes += len;
	bool last = cmd->sent_bytes == cmd->send_bytes;
	/* The flag stands for a response without any news: TCP 3.3.2.2 */
	bool success = last && c->no_sq_flow && !cmd->status && !cmd->result;
	*h = (struct nvme_tcp_data){
		.ch = { .type = NVME_TCP_C2H_DATA,
			.flags = (uint8_t)((c->header_digest ? NVME_TCP_HDGST : 0) | (c->data_digest ? NVME_TCP_DDGST : 0) |
					   (last ? NVME_TCP_LAST : 0) | (success ? NVME_TCP_SUCCESS : 0)),
			.header_bytes = sizeof(*h), .data_offset = (uint8_t)at, .len_bytes = le32_of(at + len + tail) },
		.cid = le16_of(cmd->cid), .offset_bytes = le32_of(offset), .len_bytes = le32_of(len),
	};
	cmd->iov[first] = (struct iovec){ header, header_digest(c, header, sizeof(*h)) };
	if (tail) {
		nvmf_put32(digest, crc);
		add(b, digest, tail);
	}
	b->pdu_count++;
	return success;
}

/* The first part of an answer, or the next one after sent(). */
void nvmf_cmd_answer(struct nvmf_cmd *cmd)
{
	struct build b = { .cmd = cmd, .c = cmd->conn };
	bool success = false;

	if (!cmd->more && cmd->parsed && !cmd->answered && !cmd->status && cmd->nvme.direction == NVME_TO_HOST) {
		cmd->send_bytes = (uint32_t)min_u64(cmd->nvme.data_in_bytes, cmd->nvme.sgl_len_bytes);
		cmd->sent_bytes = 0;
		cmd->iov_at = 0;
		cmd->iov_skip_bytes = 0;
	}
	while (cmd->sent_bytes < cmd->send_bytes && b.pdu_count < NVMF_SLOT_PDUS - 1 && b.iov_count < NVMF_SLOT_IOV - 6)
		success = add_c2h(&b);
	cmd->more = cmd->sent_bytes < cmd->send_bytes;
	if (!cmd->more && !success)
		add_response(&b);
	cmd->out = (struct stream_out){ .sent = sent, .iov = cmd->iov, .iov_count = b.iov_count };
	cmd->pending_outs++;
	stream_send(&b.c->stream, &cmd->out);
}

/* ---- R2T ------------------------------------------------------------------------------------------ */
static void r2t_sent(struct stream_out *o, int status)
{
	struct nvmf_cmd *cmd = container_of(o, struct nvmf_cmd, r2t);

	(void)status;
	cmd->pending_outs--;
	if (cmd->state == CMD_ENDED)
		nvmf_cmd_end(cmd);
}

/* One R2T asks for all of a command's data; so MAXR2T is kept whatever it is. */
void nvmf_cmd_r2t(struct nvmf_cmd *cmd)
{
	struct nvmf_conn *c = cmd->conn;
	struct nvme_tcp_data *h = (void *)cmd->r2t_header;
	size_t len = sizeof(*h) + (c->header_digest ? NVME_TCP_DIGEST_BYTES : 0);

	cmd->ttag = (uint16_t)(cmd->generation << 11 | cmd->index);
	*h = (struct nvme_tcp_data){
		.ch = { .type = NVME_TCP_R2T, .flags = c->header_digest ? NVME_TCP_HDGST : 0,
			.header_bytes = sizeof(*h), .len_bytes = le32_of((uint32_t)len) },
		.cid = le16_of(cmd->cid), .tag = le16_of(cmd->ttag), .len_bytes = le32_of(cmd->want_bytes),
	};
	cmd->r2t_iov = (struct iovec){ cmd->r2t_header, header_digest(c, cmd->r2t_header, sizeof(*h)) };
	cmd->r2t = (struct stream_out){ .sent = r2t_sent, .iov = &cmd->r2t_iov, .iov_count = 1 };
	cmd->r2t_out = true;
	cmd->pending_outs++;
	stream_send(&c->stream, &cmd->r2t);
}
