/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cmd.c - command slots, and a command from its capsule to nvme/ and back.
 *
 *	FREE ─> WAIT_BUFFER ─> COLLECT ─> EXECUTE ─> SEND ─> ENDED ─> FREE
 *	   └──────────────────────^
 *
 * A slot is memory for everything a command needs: the command, its R2T, the PDUs of its answer.  It
 * goes back when nothing borrows it any more: the socket that fills its buffers, queued PDUs, nvme/. */
#include "nvmf/nvmf_priv.h"

#include <assert.h>

#define NS_PER_MS UINT64_C(1000000)
#define TTAG_INDEX 0x7ff

void nvmf_cmd_move(struct nvmf_cmd *cmd, enum nvmf_cmd_state to)
{
#define TO(x) (1u << CMD_##x)
	static const unsigned next[CMD_STATES] = {
		[CMD_FREE] = TO(COLLECT),
		[CMD_WAIT_BUFFER] = TO(COLLECT) | TO(ENDED),
		[CMD_COLLECT] = TO(WAIT_BUFFER) | TO(EXECUTE) | TO(SEND) | TO(ENDED),
		[CMD_EXECUTE] = TO(SEND) | TO(ENDED),
		[CMD_SEND] = TO(ENDED),
		[CMD_ENDED] = TO(FREE),
	};
#undef TO
	assert(next[cmd->state] & 1u << to);
	cmd->state = to;
}

/* ---- slots ---------------------------------------------------------------------------------------- */
static struct nvmf_cmd *slot_new(struct nvmf_conn *c)
{
	unsigned most = (c->entries ? c->entries : 1u) + NVMF_SPARE_SLOTS;

	if (c->slot_count >= most)
		return NULL;
	if (c->slot_count == c->slot_room) {
		uint16_t room = (uint16_t)(c->slot_room ? c->slot_room * 2 : 16);
		struct nvmf_cmd **slots = realloc(c->slots, room * sizeof(struct nvmf_cmd *));
		if (!slots)
			return NULL;
		c->slots = slots;
		c->slot_room = room;
	}
	struct nvmf_cmd *cmd = calloc(1, sizeof(*cmd));
	if (!cmd)
		return NULL;
	cmd->conn = c;
	cmd->index = c->slot_count;
	c->slots[c->slot_count++] = cmd;
	return cmd;
}
static_assert(NVMF_ENTRIES_MAX + NVMF_SPARE_SLOTS <= TTAG_INDEX + 1, "an index fits a TTAG");

static struct nvmf_cmd *slot_get(struct nvmf_conn *c)
{
	struct nvmf_cmd *cmd = c->free_slots;

	if (likely(cmd != NULL))
		c->free_slots = cmd->next;
	else if (!(cmd = slot_new(c)))
		return NULL;
	c->busy_count++;
	memset(&cmd->parsed, 0, offsetof(struct nvmf_cmd, buf_timer) - offsetof(struct nvmf_cmd, parsed));
	cmd->generation = (cmd->generation + 1) & 0x1f;
	return cmd;
}
static void slot_put(struct nvmf_cmd *cmd)
{
	struct nvmf_conn *c = cmd->conn;

	free(TAKE(cmd->blob));
	cmd->next = c->free_slots;
	c->free_slots = cmd;
	c->busy_count--;
	if (unlikely(c->pauses & PAUSE_SLOT))
		nvmf_conn_resume(c, PAUSE_SLOT);
	if (unlikely(c->phase == CONN_CLOSED))
		nvmf_conn_try_end(c);
}

/* ---- the end of a command ------------------------------------------------------------------------- */
static void stop_waiting(struct nvmf_cmd *cmd)
{
	buf_wait_cancel(&cmd->buf_waiter);
	timer_stop(&cmd->buf_timer);
	if (cmd->receiving)
		nvmf_conn_resume(cmd->conn, PAUSE_BUFFER);
}

void nvmf_cmd_end(struct nvmf_cmd *cmd)
{
	if (cmd->state == CMD_FREE)
		return;
	if (cmd->state == CMD_WAIT_BUFFER)
		stop_waiting(cmd);
	if (cmd->state != CMD_ENDED)
		nvmf_cmd_move(cmd, CMD_ENDED);
	if (cmd->live) {
		cmd->live = false;
		nvme_cmd_drop(&cmd->nvme);
	}
	if (cmd->pending_outs || cmd->receiving)
		return;                  /* whoever borrows it calls again */
	if (cmd->parsed) {
		cmd->parsed = false;
		nvme_cmd_release(&cmd->nvme);
	}
	nvmf_cmd_move(cmd, CMD_FREE);
	slot_put(cmd);
}

/* Its socket is gone, and with it every queued PDU.  What nvme/ has, nvme/ ends. */
void nvmf_cmd_orphan(struct nvmf_cmd *cmd)
{
	cmd->receiving = false;
	if (cmd->state == CMD_EXECUTE && !cmd->fabrics)
		return;
	timer_stop(&cmd->buf_timer);     /* a Connect that waits */
	nvmf_cmd_end(cmd);
}

/* Answers; data that is still on its way is taken off the socket first. */
static void finish(struct nvmf_cmd *cmd, uint16_t status, uint64_t result)
{
	struct nvmf_conn *c = cmd->conn;

	cmd->status = status;
	cmd->result = result;
	if (cmd->live) {
		cmd->live = false;
		nvme_cmd_drop(&cmd->nvme);
	}
	if (c->phase > CONN_READY) {
		nvmf_cmd_end(cmd);
		return;
	}
	cmd->answered = true;
	if (cmd->receiving || cmd->r2t_out) {
		cmd->want_bytes = cmd->receiving ? 0 : cmd->want_bytes;
		return;
	}
	nvmf_cmd_move(cmd, CMD_SEND);
	nvmf_cmd_answer(cmd);
}
void nvmf_cmd_finish(struct nvmf_cmd *cmd, uint16_t status, uint64_t result)
{
	finish(cmd, status, result);
}
void nvmf_cmd_finish_with(struct nvmf_cmd *cmd, uint32_t len_bytes)
{
	cmd->blob_iov = (struct iovec){ cmd->blob, len_bytes };
	cmd->nvme.iov = &cmd->blob_iov;
	cmd->nvme.iov_count = 1;
	cmd->send_bytes = (uint32_t)min_u64(len_bytes, cmd->nvme.sgl_len_bytes);
	cmd->sent_bytes = 0;
	cmd->iov_at = 0;
	cmd->iov_skip_bytes = 0;
	finish(cmd, 0, 0);
}

static void cmd_done(struct nvme_cmd *n)
{
	struct nvmf_cmd *cmd = container_of(n, struct nvmf_cmd, nvme);

	cmd->live = false;
	if (n->aborted || cmd->conn->phase > CONN_READY) {
		nvmf_cmd_end(cmd);
		return;
	}
	cmd->status = n->status;
	cmd->result = n->result;
	nvmf_cmd_move(cmd, CMD_SEND);
	nvmf_cmd_answer(cmd);
}

/* ---- from the capsule to nvme/ --------------------------------------------------------------------- */
static void execute(struct nvmf_cmd *cmd)
{
	nvmf_cmd_move(cmd, CMD_EXECUTE);
	if (cmd->fabrics)
		nvmf_fabrics_execute(cmd);
	else
		nvme_cmd_execute(&cmd->nvme);
}

static void buffer_get(struct nvmf_cmd *cmd);
static void buffer_ready(struct buf_waiter *w)
{
	buffer_get(container_of(w, struct nvmf_cmd, buf_waiter));
}
/* Everybody waits for everybody: this one gives up its turn, the host tries again. */
static void buffer_timeout(struct timer *t)
{
	struct nvmf_cmd *cmd = container_of(t, struct nvmf_cmd, buf_timer);
	static struct log_limit limit = LOG_LIMIT_INIT;

	if (log_limit_ok(&limit, &log_nvmf))
		log_warn(&log_nvmf, "no memory for a write, it ends as interrupted", "peer=%s bytes=%u", cmd->conn->peer, cmd->want_bytes);
	stop_waiting(cmd);
	nvmf_cmd_move(cmd, CMD_COLLECT);
	finish(cmd, NVME_SC_INTERRUPTED, 0);
}

/* Memory for the data is there, or will be: then the capsule's data goes in, or an R2T asks for it. */
static void buffer_get(struct nvmf_cmd *cmd)
{
	int r = nvme_cmd_buffer(&cmd->nvme, &cmd->buf_waiter);

	if (r == -EAGAIN) {
		if (cmd->state == CMD_WAIT_BUFFER)
			return;
		nvmf_cmd_move(cmd, CMD_WAIT_BUFFER);
		if (cmd->receiving) {    /* its data is at the door: the socket waits, for a bounded time */
			nvmf_conn_pause(cmd->conn, PAUSE_BUFFER);
			cmd->buf_timer.fire = buffer_timeout;
			timer_start(cmd->conn->home->reactor, &cmd->buf_timer, NVMF_BUF_WAIT_MS * NS_PER_MS);
		}
		return;
	}
	if (cmd->state == CMD_WAIT_BUFFER) {
		stop_waiting(cmd);
		nvmf_cmd_move(cmd, CMD_COLLECT);
	}
	if (r < 0) {
		finish(cmd, NVME_SC_INTERNAL, 0);
		return;
	}
	cmd->data = cmd->nvme.iov;
	cmd->data_count = cmd->nvme.iov_count;
	if (!cmd->in_capsule)
		nvmf_cmd_r2t(cmd);
}

/* A command of ours: its data needs no pool. */
static void start_fabrics(struct nvmf_cmd *cmd, const struct nvme_sqe *sqe, const struct nvmf_sgl *sgl)
{
	uint32_t want = nvmf_fabrics_data_bytes(sqe);

	cmd->nvme.sgl_len_bytes = sgl->in_capsule ? 0 : sgl->len_bytes;
	if (want > sgl->len_bytes) {
		finish(cmd, NVME_SC_SGL_DATA_LENGTH | NVME_STATUS_DNR, 0);
		return;
	}
	if (!want) {
		execute(cmd);
		return;
	}
	cmd->blob = malloc(want);
	if (!cmd->blob) {
		finish(cmd, NVME_SC_INTERNAL, 0);
		return;
	}
	cmd->blob_iov = (struct iovec){ cmd->blob, want };
	cmd->data = &cmd->blob_iov;
	cmd->data_count = 1;
	cmd->want_bytes = want;
	cmd->in_capsule = sgl->in_capsule;
	if (cmd->in_capsule) {
		cmd->conn->rx.cmd = cmd;
		cmd->conn->rx.skip_bytes = sgl->offset_bytes;
		cmd->receiving = true;
	} else {
		nvmf_cmd_r2t(cmd);
	}
}

static void start_nvme(struct nvmf_cmd *cmd, const struct nvmf_sgl *sgl)
{
	struct nvme_cmd *n = &cmd->nvme;
	struct nvmf_conn *c = cmd->conn;

	n->queue = c->queue;
	n->sgl_len_bytes = sgl->len_bytes;
	n->done = cmd_done;
	n->direction = NVME_NO_DATA;
	n->data_len_bytes = 0;
	n->iov = NULL;
	n->iov_count = 0;
	n->status = 0;
	n->result = 0;
	n->data_in_bytes = 0;
	n->aborted = false;
	cmd->parsed = true;
	if (nvme_cmd_parse(n)) {
		finish(cmd, n->status, n->result);
		return;
	}
	cmd->live = true;
	if (n->direction == NVME_TO_HOST && sgl->in_capsule && n->data_len_bytes) {
		finish(cmd, NVME_SC_SGL_TYPE | NVME_STATUS_DNR, 0);
		return;
	}
	if (n->direction != NVME_FROM_HOST || !n->data_len_bytes) {
		execute(cmd);
		return;
	}
	if (n->data_len_bytes > NVMF_MAX_TRANSFER_BYTES) {
		finish(cmd, NVME_SC_INVALID_FIELD | NVME_STATUS_DNR, 0);
		return;
	}
	cmd->want_bytes = (uint32_t)n->data_len_bytes;
	cmd->in_capsule = sgl->in_capsule;
	if (cmd->in_capsule) {
		c->rx.cmd = cmd;
		c->rx.skip_bytes = sgl->offset_bytes;
		cmd->receiving = true;
	}
	cmd->buf_waiter.ready = buffer_ready;
	buffer_get(cmd);
}

bool nvmf_cmd_start(struct nvmf_conn *c, const struct nvme_sqe *sqe, uint32_t capsule_bytes)
{
	struct nvmf_cmd *cmd = slot_get(c);
	struct nvmf_sgl sgl;

	if (unlikely(!cmd))
		return false;
	nvmf_cmd_move(cmd, CMD_COLLECT);
	cmd->cid = le16_get(sqe->cid);
	cmd->fabrics = sqe->opcode == NVME_FABRICS;
	memcpy(cmd->nvme.sqe, sqe, sizeof(cmd->nvme.sqe));
	if (likely(c->entries))
		c->sq_head = (uint16_t)((c->sq_head + 1u) % c->entries);
	uint16_t status = nvmf_sgl_parse(sqe, capsule_bytes, &sgl);
	if (unlikely(c->gate) && nvmf_gate(c, cmd))
		status = nvmf_gate(c, cmd);
	if (unlikely(status))
		finish(cmd, status | NVME_STATUS_DNR, 0);
	else if (unlikely(cmd->fabrics))
		start_fabrics(cmd, sqe, &sgl);
	else
		start_nvme(cmd, &sgl);
	return true;
}

/* ---- data from the host ------------------------------------------------------------------------------ */
struct nvmf_cmd *nvmf_cmd_h2c(struct nvmf_conn *c, const uint8_t *header)
{
	const struct nvme_tcp_data *h = (const void *)header;
	uint16_t ttag = le16_get(h->tag);
	uint32_t offset = le32_get(h->offset_bytes), len = le32_get(h->len_bytes);
	unsigned index = ttag & TTAG_INDEX;
	struct nvmf_cmd *cmd = index < c->slot_count ? c->slots[index] : NULL;

	if (!cmd || cmd->state != CMD_COLLECT || !cmd->r2t_out || cmd->ttag != ttag) {
		nvmf_conn_term(c, NVME_TCP_FES_FIELD, offsetof(struct nvme_tcp_data, tag), header, sizeof(*h), "data that no R2T asked for (TTAG)");
		return NULL;
	}
	if (cmd->cid != le16_get(h->cid)) {
		nvmf_conn_term(c, NVME_TCP_FES_FIELD, offsetof(struct nvme_tcp_data, cid), header, sizeof(*h), "data of another command (CCCID)");
		return NULL;
	}
	if (!range_fits(offset, len, cmd->want_bytes)) {
		nvmf_conn_term(c, NVME_TCP_FES_RANGE, 0, header, sizeof(*h), "data outside of what the R2T asked for");
		return NULL;
	}
	if (offset != cmd->got_bytes) {
		nvmf_conn_term(c, NVME_TCP_FES_FIELD, offsetof(struct nvme_tcp_data, offset_bytes), header, sizeof(*h), "data out of order (DATAO)");
		return NULL;
	}
	if ((h->ch.flags & NVME_TCP_LAST) && offset + len != cmd->want_bytes) {
		nvmf_conn_term(c, NVME_TCP_FES_FIELD, offsetof(struct nvme_tcp_ch, flags), header, sizeof(*h), "the last data PDU comes too early");
		return NULL;
	}
	cmd->receiving = true;
	return cmd;
}

bool nvmf_cmd_place(struct nvmf_cmd *cmd, uint8_t **ret_to, size_t *ret_bytes)
{
	if (cmd->got_bytes >= cmd->want_bytes)
		return false;
	while (cmd->iov_at < cmd->data_count && cmd->iov_skip_bytes == cmd->data[cmd->iov_at].iov_len) {
		cmd->iov_at++;
		cmd->iov_skip_bytes = 0;
	}
	if (cmd->iov_at >= cmd->data_count)
		return false;
	const struct iovec *iov = &cmd->data[cmd->iov_at];
	*ret_to = (uint8_t *)iov->iov_base + cmd->iov_skip_bytes;
	*ret_bytes = min_u64(iov->iov_len - cmd->iov_skip_bytes, cmd->want_bytes - cmd->got_bytes);
	return true;
}
void nvmf_cmd_placed(struct nvmf_cmd *cmd, size_t len_bytes)
{
	cmd->got_bytes += (uint32_t)len_bytes;
	cmd->iov_skip_bytes += len_bytes;
}

void nvmf_cmd_arrived(struct nvmf_cmd *cmd, bool digest_ok)
{
	cmd->receiving = false;
	if (cmd->state == CMD_ENDED) {
		nvmf_cmd_end(cmd);
		return;
	}
	cmd->digest_bad |= !digest_ok;
	if (cmd->answered) {
		nvmf_cmd_move(cmd, CMD_SEND);
		nvmf_cmd_answer(cmd);
		return;
	}
	if (cmd->got_bytes < cmd->want_bytes)
		return;
	cmd->r2t_out = false;
	if (cmd->digest_bad)                     /* not fatal: the host may send it again */
		finish(cmd, NVME_SC_TRANSIENT_TRANSPORT, 0);
	else
		execute(cmd);
}
