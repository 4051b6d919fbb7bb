/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cmd.c - the life of a command: parse, execute, end.
 *
 *	parse ──> PARSED ──execute──> RUNNING ──> ENDED ──release──> FREE
 *	  │          │  └─> FUSED ────┘  ^          ^
 *	  │          │      NO_BUFFER ───┘          │
 *	  └> REFUSED └────────── kill, drop ────────┘
 *
 * Everything happens on the queue's reactor, so a state is never seen half changed. */
#include "nvme/nvme_priv.h"

/* ---- checks that come before the command's own ----------------------------------------------------------- */
bool slot_is_protected(const struct ns_slot *s)
{
	return s->read_only || atomic_load_explicit(&s->ns->read_only, memory_order_relaxed);
}

static bool may_access(const struct job *j, const struct ns *s)
{
	unsigned flags = j->op->flags;
	return !(flags & (OP_RESV_READ | OP_RESV_WRITE)) ||
	       likely(volume_resv_allows(s->volume, &j->queue->ctrl->resv_id,
					 flags & OP_RESV_WRITE ? RESV_ACCESS_WRITE : RESV_ACCESS_READ));
}

/* A SCSI host may have begun to sanitize the volume (SBC-3 4.11); for hosts here it is the same namespace. */
static enum nvme_result ns_trouble(const struct volume *v)
{
	switch (volume_wipe(v)) {
	case VOLUME_WIPE_RUNS:
		return RES_SANITIZING;
	case VOLUME_WIPE_FAILED:
		return RES_SANITIZE_FAILED;
	default:
		return RES_NOT_READY;
	}
}

enum nvme_result job_check(const struct job *j)
{
	unsigned flags = j->op->flags;
	const struct ns_slot *slot = j->slot;
	if (!slot)
		return RES_OK;
	if (unlikely(j->view->stale)) {  /* the map has changed since it was parsed */
		slot = map_find(j->queue->view->map, slot->nsid);
		if (!slot || slot->ns != j->slot->ns)
			return RES_INVALID_NS;
	}
	enum nvme_result path = ctrl_ana_result(j->queue->ctrl);
	if (unlikely(path))
		return path;
	if (flags & OP_MEDIUM && unlikely(!volume_is_ready(slot->ns->volume)))
		return ns_trouble(slot->ns->volume);
	/* Sanitized since it was parsed: what its data were to replace is gone. */
	if (flags & OP_WRITES && unlikely(volume_wipe_count(slot->ns->volume) != j->wipe_count))
		return RES_SANITIZING;
	if (unlikely(!may_access(j, slot->ns)))
		return RES_CONFLICT;
	if (flags & OP_WRITES && unlikely(slot_is_protected(slot)))
		return RES_WRITE_PROTECTED;
	return RES_OK;
}

static enum nvme_result find_ns(struct job *j)
{
	if (!(j->op->flags & OP_NS))
		return RES_OK;
	j->slot = map_find(j->view->map, le32_get(job_sqe(j)->nsid));
	if (unlikely(!j->slot)) {
		(void)job_field(j, offsetof(struct nvme_sqe, nsid), 0);
		return RES_INVALID_NS;
	}
	j->wipe_count = volume_wipe_count(j->slot->ns->volume);
	return job_check(j);
}

static enum nvme_result parse(struct job *j)
{
	const struct nvme_sqe *s = job_sqe(j);
	struct nvme_queue *q = j->queue;
	struct nvme_ctrl *c = q->ctrl;
	if (unlikely(q->closing))
		return RES_QUEUE_DELETED;
	if (unlikely(!ctrl_is_ready(c)))
		return RES_SEQUENCE;
	enum nvme_result r = likely(!(s->flags & NVME_FUSE_MASK) && !q->fused_first && !q->fused_refused) ?
				     RES_OK : fused_parse(j);
	if (unlikely(r))
		return r;
	j->op = nvme_op_find(!q->qid, s->opcode);
	if (unlikely(!j->op || (c->subsystem->discovery && !(j->op->flags & OP_DISCOVERY)))) {
		(void)job_field(j, 0, 0);
		return RES_INVALID_OPCODE;
	}
	unsigned psdt = s->flags & NVME_PSDT_MASK;
	if (unlikely(psdt != NVME_PSDT_SGL && psdt != NVME_PSDT_SGL_META))
		return job_field(j, 1, 6);       /* fabrics: no PRPs, Base 3.3.2.1 */
	unsigned fuse = s->flags & NVME_FUSE_MASK;
	if (unlikely(fuse && !(j->op->flags & (fuse == NVME_FUSE_FIRST ? OP_FUSE_FIRST : OP_FUSE_SECOND))))
		return job_field(j, 1, 0);
	r = find_ns(j);
	if (unlikely(r))
		return r;
	return j->op->parse ? j->op->parse(j) : RES_OK;
}

/* ---- results ------------------------------------------------------------------------------------------------- */
enum nvme_result job_field(struct job *j, unsigned byte, unsigned bit)
{
	j->has_location = true;
	j->error_byte = (uint16_t)(byte + bit / 8);
	j->error_bit = (uint8_t)(bit % 8);
	return RES_INVALID_FIELD;
}

enum nvme_result job_cdw_field(struct job *j, unsigned cdw, unsigned bit)
{
	return job_field(j, 4 * cdw, bit);
}

static void report(struct job *j)
{
	struct nvme_cmd *c = j->c;
	const struct nvme_sqe *s = job_sqe(j);
	enum nvme_result r = j->result;
	c->status = result_status(r);
	c->data_in_bytes = 0;
	trace(TRACE_CMD_DONE, le16_get(s->cid), c->status);
	if (!result_is_noted(r))
		return;
	c->status |= NVME_STATUS_MORE;
	struct error_note e = {
		.nsid = le32_get(s->nsid), .sqid = j->queue->qid, .cid = le16_get(s->cid),
		.status = (uint16_t)(c->status << 1), .opcode = s->opcode, .lba = j->error_lba,
		.location = 0xffff,
	};
	if (j->has_location)
		e.location = (uint16_t)((unsigned)j->error_bit << 8 | j->error_byte);
	ctrl_note_error(j->queue->ctrl, &e);
}

enum step job_fail(struct job *j, enum nvme_result r)
{
	j->result = (uint8_t)r;
	return STEP_END;
}

enum step job_fail_errno(struct job *j, int err, bool writing, uint64_t lba)
{
	j->error_lba = lba;
	return job_fail(j, result_of_errno(err, writing));
}

static void count(struct job *j)
{
	struct nexus_stats *s = &j->queue->stats;
	if (j->op->flags & OP_READ_STATS) {
		counter_add(&s->read_ops, 1);
		counter_add(&s->read_bytes, j->c->data_in_bytes);
	} else if (j->op->flags & OP_WRITE_STATS) {
		counter_add(&s->write_ops, 1);
		counter_add(&s->write_bytes, j->slot ? j->done_blocks << j->slot->ns->block_shift : 0);
	} else {
		counter_add(&s->other_ops, 1);
	}
	counter_add(&s->errors, j->result != RES_OK);
	if (!(j->op->flags & OP_WAITS))
		hist_add(&s->latency, reactor_latest_ns(j->queue->reactor) - j->start_ns);
}

/* ---- parse ------------------------------------------------------------------------------------------------------- */
int nvme_cmd_parse(struct nvme_cmd *c)
{
	struct job *j = job_of(c);
	struct nvme_queue *q = c->queue;
	memset(j, 0, offsetof(struct job, piece));
	list_init(&j->link);
	list_init(&j->waiter.link);
	j->c = c;
	j->queue = q;
	j->view = q->view;
	j->start_ns = reactor_now_ns(q->reactor);
	c->direction = NVME_NO_DATA;
	c->data_len_bytes = 0;
	c->iov = NULL;
	c->iov_count = 0;
	c->status = 0;
	c->result = 0;
	c->data_in_bytes = 0;
	c->aborted = false;
	if (!atomic_load_explicit(&q->ctrl->traffic, memory_order_relaxed))
		atomic_store_explicit(&q->ctrl->traffic, true, memory_order_relaxed);
	enum nvme_result r = parse(j);
	if (unlikely(c->sqe[1] & NVME_FUSE_MASK))
		fused_parsed(j, r);
	if (unlikely(r)) {
		j->result = (uint8_t)r;
		j->state = JOB_REFUSED;
		c->direction = NVME_NO_DATA;
		c->data_len_bytes = 0;
		report(j);
		counter_add(&q->stats.errors, 1);
		return 1;
	}
	j->state = JOB_PARSED;
	j->view->users++;
	q->job_count++;
	list_add_tail(&q->jobs, &j->link);
	return 0;
}

static enum nvme_result data(struct job *j, enum nvme_direction d, uint64_t len_bytes, uint64_t most)
{
	if (unlikely(len_bytes > most))
		return job_field(j, offsetof(struct nvme_sqe, sgl1) + 8, 0);
	j->c->direction = len_bytes ? d : NVME_NO_DATA;
	j->c->data_len_bytes = len_bytes;
	j->in_bytes = d == NVME_TO_HOST ? (uint32_t)len_bytes : 0;
	return RES_OK;
}

enum nvme_result parse_to_host(struct job *j, uint64_t len_bytes)
{
	if (unlikely(j->c->sgl_len_bytes != len_bytes))
		return RES_SGL_LENGTH;
	return data(j, NVME_TO_HOST, len_bytes, nvme_max_transfer(j->queue->ctrl));
}

enum nvme_result parse_from_host(struct job *j, uint64_t len_bytes)
{
	if (unlikely(j->c->sgl_len_bytes != len_bytes))
		return RES_SGL_LENGTH;
	return data(j, NVME_FROM_HOST, len_bytes, nvme_max_transfer(j->queue->ctrl));
}

/* Linux sends a whole page with Dataset Management, however few ranges it names. */
enum nvme_result parse_list(struct job *j, uint64_t len_bytes)
{
	if (j->c->sgl_len_bytes < len_bytes)
		return RES_SGL_LENGTH;
	return data(j, NVME_FROM_HOST, j->c->sgl_len_bytes, CONTROL_DATA_MAX);
}

enum nvme_result parse_answer(struct job *j, uint64_t len_bytes)
{
	if (j->c->sgl_len_bytes < len_bytes)
		return RES_SGL_LENGTH;
	return data(j, NVME_TO_HOST, len_bytes, min_u64(BUF_PIECE_BYTES, nvme_max_transfer(j->queue->ctrl)));
}

/* ---- the machine below handlers -------------------------------------------------------------------------------- */
static void pump(struct job *j, int status)
{
	j->pumping = true;
	for (;;) {
		j->io_ready = false;
		if (unlikely(j->doom && !(j->op->flags & OP_WHOLE))) {
			j->result = j->doom;
			break;
		}
		if (j->next(j, status) == STEP_END)
			break;
		if (!j->io_ready) {      /* somebody will call job_continue() */
			j->pumping = false;
			return;
		}
		status = j->io_status;
	}
	j->pumping = false;
	job_end(j);
}

void job_continue(struct job *j, int status)
{
	if (j->pumping) {                /* it was done before submit returned */
		j->io_ready = true;
		j->io_status = status;
	} else {
		pump(j, status);
	}
}

static void io_done(struct volume_io *io, int status)
{
	job_continue(container_of(io, struct job, io), status);
}

enum step job_io(struct job *j, step_fn *next)
{
	/* Between its parts a host may have been fenced. */
	if (unlikely(j->has_begun && !may_access(j, j->slot->ns)))
		return job_fail(j, RES_CONFLICT);
	j->has_begun = true;
	j->next = next;
	j->io.done = io_done;
	volume_submit(job_ns(j)->volume, &j->io);
	return STEP_WAIT;
}

/* ---- execute ---------------------------------------------------------------------------------------------------- */
static void buffer_ready(struct buf_waiter *w)
{
	job_start(container_of(w, struct job, waiter));
}

static int get_memory(struct job *j)
{
	int r = 0;
	j->waiter.ready = buffer_ready;
	if (j->in_bytes && !j->piece_count)
		r = nvme_buffer_get(j, j->in_bytes, &j->waiter);
	if (!r && j->scratch_bytes && !j->scratch)
		r = nvme_scratch_get(j, &j->waiter);
	return r;
}

void job_start(struct job *j)
{
	enum nvme_result r = unlikely(j->doom) ? j->doom : job_check(j);
	if (unlikely(r)) {
		j->result = (uint8_t)r;
		job_end(j);
		return;
	}
	if (unlikely(get_memory(j))) {
		j->state = JOB_NO_BUFFER;
		return;
	}
	j->state = JOB_RUNNING;
	j->next = j->op->run;
	pump(j, 0);
}

void nvme_cmd_execute(struct nvme_cmd *c)
{
	struct job *j = job_of(c);
	if (unlikely(j->state != JOB_PARSED))
		return;
	if (unlikely(j->queue->closing)) {
		j->silent = true;
		j->doom = RES_QUEUE_DELETED;
	}
	if (unlikely(c->sqe[1] & NVME_FUSE_MASK) && fused_execute(j))
		return;
	job_start(j);
}

/* ---- end ------------------------------------------------------------------------------------------------------------ */
static void leave(struct job *j)
{
	struct view *v = j->view;
	list_del(&j->link);
	j->state = JOB_ENDED;
	j->queue->job_count--;
	v->users--;
	if (unlikely(v->stale))
		view_put(v);
}

void job_end(struct job *j)
{
	struct nvme_cmd *c = j->c;
	struct nvme_queue *q = j->queue;
	if (unlikely(c->sqe[1] & NVME_FUSE_MASK))
		fused_leave(j);
	c->aborted = j->silent;
	if (unlikely(j->result))
		report(j);
	count(j);                        /* looks at the namespace, which the view holds */
	leave(j);
	q->job_count++;                  /* keeps the queue while done() runs */
	c->done(c);
	q->job_count--;
	if (unlikely(q->closing))
		queue_settle(q);
}

bool job_kill(struct job *j, enum nvme_result why, bool silent)
{
	j->silent |= silent;
	switch ((enum job_state)j->state) {
	case JOB_NO_BUFFER:
		buf_wait_cancel(&j->waiter);
		break;
	case JOB_FUSED:
		if (j->mate && j->mate->state == JOB_RUNNING)
			return false;
		break;
	case JOB_PARSED:
		j->doom = (uint8_t)why;  /* it ends when the transport has brought its data */
		return true;
	default:
		return false;
	}
	j->result = (uint8_t)why;
	job_end(j);
	return true;
}

void nvme_cmd_drop(struct nvme_cmd *c)
{
	struct job *j = job_of(c);
	if (j->state != JOB_PARSED)
		return;
	if (c->sqe[1] & NVME_FUSE_MASK)
		fused_leave(j);
	struct nvme_queue *q = j->queue;
	leave(j);
	if (q->closing)
		queue_settle(q);
}

void nvme_cmd_release(struct nvme_cmd *c)
{
	struct job *j = job_of(c);
	assert(j->state == JOB_ENDED || j->state == JOB_REFUSED || j->state == JOB_FREE);
	nvme_buffer_put(j);
	j->state = JOB_FREE;
}
